"""A set of photos with names: of your own, or LFW's."""

import hashlib
import unicodedata
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path

import numpy as np

from facelab.errors import DatasetError
from facelab.images import is_image_path


@dataclass(frozen=True, eq=False)
class PhotoSet:
    """Photos and whom they show.

    root        the folder they lie in
    names       one for each person, sorted; a person is a number, the place in this tuple
    paths       one for each photo, person after person
    identity    (N,) int64: the person in each photo
    number      (N,) int64: the photo's number among that person's, from 1
    skipped     (path, reason): what lies in the folder and is no photo of anybody
    duplicates  groups of paths that hold the very same bytes
    """

    root: Path
    names: tuple[str, ...]
    paths: tuple[Path, ...]
    identity: np.ndarray
    number: np.ndarray
    skipped: tuple[tuple[Path, str], ...] = ()
    duplicates: tuple[tuple[Path, ...], ...] = ()
    _row: dict[tuple[str, int], int] = field(init=False, repr=False)

    def __post_init__(self):
        keys = ((self.names[who], int(k)) for who, k in zip(self.identity, self.number, strict=True))
        object.__setattr__(self, "_row", {key: row for row, key in enumerate(keys)})

    def __len__(self) -> int:
        return len(self.paths)

    def __str__(self) -> str:
        lines = [f"{len(self):,} photos of {len(self.names):,} people in {self.root}"]
        lines += [f"skipped: {path} ({reason})" for path, reason in self.skipped]
        lines += [f"the same photo: {', '.join(map(str, group))}" for group in self.duplicates]
        return "\n".join(lines)

    @property
    def counts(self) -> np.ndarray:
        """(people,) int64: how many photos there are of each person."""
        return np.bincount(self.identity, minlength=len(self.names))

    def row(self, name: str, number: int = 1) -> int:
        """Where a photo stands in `paths`. Raises DatasetError when there is no such photo."""
        try:
            return self._row[person_name(name), number]
        except KeyError:
            raise DatasetError(f"{self.root} holds no photo {number} of {name!r}.") from None

    def path(self, name: str, number: int = 1) -> Path:
        """The file of a person's photo. Raises DatasetError when there is none."""
        return self.paths[self.row(name, number)]

    def of(self, name: str) -> tuple[Path, ...]:
        """All photos of one person. Raises DatasetError for a name that is not there."""
        first = self.row(name)
        return self.paths[first : first + int(self.counts[self.identity[first]])]


def folder(path: str | PathLike) -> PhotoSet:
    """Photos of your own: one sub-folder for each person, its name the person's, in any script.

        celebrities/지수/1.jpg   celebrities/지수/2.jpg   celebrities/宇多田ヒカル/live.png

    Sub-folders of a person's folder belong to that person. Nothing is opened but files of equal size, to
    find duplicates; a file that only calls itself a photo, a photo without a face and one with several are
    found, and reported, by the pipeline that reads them (`embedded`). Names are brought to Unicode's
    composed form (NFC), because macOS stores Hangul and kana taken apart.

    Raises DatasetError when there is no such folder or nobody in it.
    """
    root = Path(path).expanduser()
    if not root.is_dir():
        raise DatasetError(f"{root}: {'not a folder' if root.exists() else 'there is no such folder'}.")
    photos: dict[str, list[Path]] = defaultdict(list)
    skipped: list[tuple[Path, str]] = []
    for entry in sorted(root.iterdir()):
        if entry.name.startswith("."):
            continue
        if not entry.is_dir():
            skipped.append((entry, "not in a person's sub-folder"))
            continue
        name = person_name(entry.name)
        files = sorted(f for f in entry.rglob("*") if _visible(f.relative_to(entry)) and f.is_file())
        photos[name] += [file for file in files if is_image_path(file)]
        skipped += [(file, "not a photo, by its name") for file in files if not is_image_path(file)]
        if not photos[name]:
            skipped.append((entry, "no photo in it"))
    names = tuple(sorted(name for name, files in photos.items() if files))
    if not names:
        raise DatasetError(
            f"{root} holds no person: make one sub-folder for each person and put that person's photos "
            "into it."
        )
    paths = tuple(file for name in names for file in photos[name])
    counts = [len(photos[name]) for name in names]
    return PhotoSet(
        root=root,
        names=names,
        paths=paths,
        identity=np.repeat(np.arange(len(names)), counts),
        number=np.concatenate([np.arange(1, count + 1) for count in counts]),
        skipped=tuple(skipped),
        duplicates=_duplicates(paths),
    )


def person_name(folder: str) -> str:
    """A person's name, of the folder's: in Unicode's composed form, so that it equals what is typed."""
    return unicodedata.normalize("NFC", folder)


def _visible(relative: Path) -> bool:
    """Not `.DS_Store`, not inside `.thumbnails`, not macOS's `._photo.jpg`."""
    return not any(part.startswith(".") for part in relative.parts)


def _duplicates(paths: tuple[Path, ...]) -> tuple[tuple[Path, ...], ...]:
    """Groups of files with the same bytes; only files of equal size are read."""
    sizes: dict[int, list[Path]] = defaultdict(list)
    for path in paths:
        sizes[path.stat().st_size].append(path)
    groups: dict[tuple[int, bytes], list[Path]] = defaultdict(list)
    for size, candidates in sizes.items():
        if len(candidates) > 1:
            for path in candidates:
                with suppress(OSError), open(path, "rb") as file:  # who reads it later says what is wrong
                    groups[size, hashlib.file_digest(file, "sha256").digest()].append(path)
    return tuple(tuple(group) for group in groups.values() if len(group) > 1)
