"""People as vectors: a folder of own photos after the pipeline, or a file that `facelab embed` wrote.

Whatever measures error rates needs to know whose face each vector is, so what cannot be known is left
out, and said: photos without a face, files that are no photos, second copies of a photo (they would
count as an easy pair of the same person), and a photo that lies in two people's folders (one of the two
names is wrong). Of several faces in a photo the largest is taken, and that is said as well.
"""

import os
from collections import defaultdict
from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

import numpy as np

from facelab import embeddings_file
from facelab.datasets.photos import PhotoSet, person_name
from facelab.errors import DatasetError
from facelab.pipeline import Pipeline


@dataclass(frozen=True, eq=False)
class Embedded:
    """One vector for each usable photo.

    names     the people, sorted
    vectors   (N, D) float32, unit norm
    identity  (N,) int64: whose, a place in `names`
    paths     (N,) the photos
    config    the pipeline that made the vectors, such as `yunet+aligned+sface`
    notes     what was left out or chosen, and why: a sentence each
    """

    names: tuple[str, ...]
    vectors: np.ndarray
    identity: np.ndarray
    paths: tuple[str, ...]
    config: str
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.vectors)

    def __str__(self) -> str:
        head = f"{len(self):,} photos of {len(self.names):,} people ({self.config})"
        return "\n".join([head, *(f"note: {note}" for note in self.notes)])


def embedded(photos: PhotoSet, pipe: Pipeline | None = None, progress: bool | None = None) -> Embedded:
    """Photos of one's own (`fl.datasets.folder`) through a pipeline; the default one if none is given.

    Raises DatasetError when no photo gives a vector.
    """
    pipe = pipe or Pipeline()
    same_bytes = {path: number for number, group in enumerate(photos.duplicates) for path in group}
    rows: list[tuple[str, str, Hashable, np.ndarray]] = []
    notes = [f"{path}: skipped, {reason}." for path, reason in photos.skipped]
    for person, path, result in zip(photos.identity, photos.paths, pipe(photos.paths, progress), strict=True):
        if result.error is not None:
            notes.append(f"Left out: {result.error}")
            continue
        if len(result.faces) > 1:
            notes.append(f"{path}: {len(result.faces)} faces, the largest was taken.")
        copy = same_bytes.get(path, path)
        rows.append((photos.names[person], str(path), copy, result.vectors[0]))
    return _assembled(rows, pipe.config, notes, photos.root)


def read_embedded(file: str | PathLike) -> Embedded:
    """A file that `facelab embed FOLDER OUT.h5` wrote of a folder with one sub-folder for each person.

    Whose photo it is shows in its path: the first folder below the one that all photos share. Equal
    vectors are copies of one photo. Raises DatasetError for another file.
    """
    stored = embeddings_file.read(file)
    vectors, photo, paths = stored.vectors, stored.photo, stored.photos
    notes = [f"Left out: {error}" for error in stored.errors if error]
    notes += (
        []
        if stored.complete
        else [f"{file}: `facelab embed` was stopped early, so photos are missing in it."]
    )
    people, rows = _people(paths), []
    for number, first, faces in zip(*np.unique(photo, return_index=True, return_counts=True), strict=True):
        if people[number] is None:
            notes.append(f"{paths[number]}: left out, not in a person's sub-folder.")
            continue
        if faces > 1:
            notes.append(f"{paths[number]}: {faces} faces, the largest was taken.")
        vector = vectors[first]  # a photo's faces lie together, the largest first
        rows.append((people[number], paths[number], vector.tobytes(), vector))
    return _assembled(rows, stored.config, notes, Path(file))


def _people(paths: Iterable[str]) -> list[str | None]:
    """For each photo the first folder below the one that all photos share; None where there is none."""
    parents = [Path(path).parent.parts for path in paths]
    shared = len(os.path.commonprefix(parents))
    return [person_name(parts[shared]) if len(parts) > shared else None for parts in parents]


def _assembled(
    rows: list[tuple[str, str, Hashable, np.ndarray]], config: str, notes: list[str], source: Path
) -> Embedded:
    """(person, path, what its copies share, vector) of every photo → Embedded, without copies."""
    copies = defaultdict(list)
    for person, path, copy, _ in rows:
        copies[copy].append((person, path))
    kept = []
    for row in rows:
        group = copies[row[2]]
        if len({person for person, _ in group}) == 1 and group[0][1] == row[1]:
            kept.append(row)
    for group in copies.values():
        people = sorted({person for person, _ in group})
        paths = ", ".join(path for _, path in group)
        if len(people) > 1:
            notes.append(f"{paths}: one photo under the names {' and '.join(people)}, left out.")
        elif len(group) > 1:
            notes.append(f"{paths}: the same photo, taken once.")
    if not kept:
        raise DatasetError("\n".join([f"{source}: no photo gave a vector of one person.", *notes]))
    names = tuple(sorted({person for person, *_ in kept}))
    number = {name: place for place, name in enumerate(names)}
    return Embedded(
        names=names,
        vectors=np.stack([vector for *_, vector in kept]),
        identity=np.array([number[person] for person, *_ in kept]),
        paths=tuple(path for _, path, *_ in kept),
        config=config,
        notes=tuple(notes),
    )
