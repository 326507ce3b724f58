"""An album's folder: what lies in it, and moving that about without ever losing any of it.

Nothing here writes a thumbnail or removes one. A change is a series of renames within one folder, so
that every thumbnail is in one place or the other at any instant, and a disk that is full loses nothing.
"""

import errno
import os
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from facelab.album.naming import FACES, row_of, tail
from facelab.datasets.photos import person_name
from facelab.errors import AlbumError
from facelab.images import name_of

Moves = list[tuple[Path, Path]]


@dataclass(frozen=True, eq=False)
class Contents:
    """What lies in an album's folder.

    folders  group → its folder, or folders: two may have one name, spelt differently
    files    group → (row, thumbnail) of all in it; what lies in folders inside a group belongs to it
    twice    row → thumbnails, of faces that lie in more than one group: it cannot be said whose they are
    copies   thumbnails of which another is in the same group
    loose    thumbnails that lie in no group
    foreign  what is no thumbnail of the album's
    """

    folders: dict[str, list[Path]]
    files: dict[str, list[tuple[int, Path]]]
    twice: dict[int, list[Path]]
    copies: list[Path]
    loose: list[Path]
    foreign: list[Path]

    def rows(self, group: str) -> list[int]:
        """The faces that are in this group and no other, each once, in the order of their rows."""
        return sorted({row for row, _ in self.files[group]} - self.twice.keys())

    def all_rows(self) -> dict[int, str]:
        """row → group, of all faces that are in one."""
        return {row: group for group in self.files for row in self.rows(group)}


def contents(root: Path, faces: int) -> Contents:
    """Look at an album of so many faces. Raises AlbumError where the folder cannot be read."""
    folders, files = defaultdict(list), defaultdict(list)
    loose: list[Path] = []
    foreign: list[Path] = []
    for entry, is_folder in _listed(root):
        if is_folder:
            group = person_name(entry.name)
            folders[group].append(entry)
            for file in _files_below(entry):
                row = _row(file, faces)
                foreign.append(file) if row is None else files[group].append((row, file))
        elif entry.name != FACES:
            (foreign if _row(entry, faces) is None else loose).append(entry)
    places: dict[int, dict[str, list[Path]]] = defaultdict(lambda: defaultdict(list))
    for group, its in files.items():
        for row, file in its:
            places[row][group].append(file)
    twice = {row: [f for its in at.values() for f in its] for row, at in places.items() if len(at) > 1}
    copies = [f for row, at in places.items() if row not in twice for its in at.values() for f in its[1:]]
    return Contents(dict(folders), dict(files), twice, copies, loose, foreign)


def _row(file: Path, faces: int) -> int | None:
    found = row_of(file.name)
    return found[0] if found is not None and found[0] < faces else None


def _listed(folder: Path) -> list[tuple[Path, bool]]:
    """What is in a folder, by name, and whether it is a folder itself. Links are not followed: whatever
    they lead to is not the album's to move."""
    try:
        with os.scandir(folder) as entries:  # it knows which are folders without asking for each
            found = sorted((e.name, e.is_dir(follow_symlinks=False)) for e in entries if not _hidden(e.name))
        return [(folder / name, is_folder) for name, is_folder in found]
    except OSError as error:
        raise AlbumError(f"{name_of(folder)}: cannot be read ({error.strerror or error}).") from error


def _hidden(name: str) -> bool:
    """What file managers leave behind is nothing to speak of."""
    return name.startswith(".") or name.casefold() in ("thumbs.db", "desktop.ini")


def _files_below(folder: Path) -> Iterator[Path]:
    for entry, is_folder in _listed(folder):
        if is_folder:
            yield from _files_below(entry)
        else:
            yield entry


def of_other_photos(found: Contents, photos: list[str]) -> bool:
    """Whether most thumbnails name another photo than their row in faces.h5 does. `photos`: row →
    path."""
    known = [tail(photos[row]) in person_name(file.name) for its in found.files.values() for row, file in its]
    return 2 * sum(known) < len(known)


def remarks(root: Path, found: Contents, photos: list[str] | None) -> list[str]:
    """What is not as it might be in the folder, and what to do. photos: row → path; None: do not ask
    which thumbnails are missing."""

    def say(file: Path) -> str:
        return name_of(file.relative_to(root))

    notes = []
    for _, files in sorted(found.twice.items()):
        where = " and ".join(map(say, files))
        notes.append(f"{where}: one face in several groups, so it counts in none. Delete all but one.")
    notes += [f"{say(file)}: a face that is in this group already; it counts once." for file in found.copies]
    notes += [
        f"{say(file)}: in no group, so it counts as left out. Move it into one." for file in found.loose
    ]
    notes += [f"{say(file)}: no thumbnail of this album, ignored." for file in found.foreign]
    if photos is not None:
        there = {row for its in found.files.values() for row, _ in its}
        there |= {found_row for file in found.loose if (found_row := _row(file, len(photos))) is not None}
        notes += [
            f"face {row} ({name_of(photo)}) has no thumbnail any more, so it counts as left out. Bring the "
            "file back to have it again."
            for row, photo in enumerate(photos)
            if row not in there
        ]
    return notes


# ---------------------------------------------------------------------- moving


def move(root: Path, moves: Moves) -> None:
    """Rename each of the first to the second, all of them or, after an error, none; folders that become
    empty are removed.

    Raises AlbumError where the file system refuses.
    """
    done: Moves = []
    with _changing(root):
        try:
            for source, target in moves:
                target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                if target.exists() and not target.samefile(source):
                    # os.replace would write over it, and os.rename would on some systems.
                    raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target))
                source.rename(target)
                done.append((source, target))
        except BaseException:
            for source, target in reversed(done):
                with suppress(OSError):
                    source.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                    target.rename(source)
            _remove_empty(root, {target.parent for _, target in moves})
            raise
    _remove_empty(root, {source.parent for source, _ in moves})


def _remove_empty(root: Path, folders: set[Path]) -> None:
    for folder in sorted(folders, reverse=True):
        while folder != root and root in folder.parents:
            with suppress(OSError):  # not empty: then it stays
                if not any(folder.iterdir()):
                    folder.rmdir()
            folder = folder.parent


@contextmanager
def _changing(root: Path):
    try:
        yield
    except OSError as error:
        what = Path(error.filename).name if error.filename else "it"
        raise AlbumError(
            f"{name_of(root)}: not changed, as {name_of(what)} could not be moved "
            f"({error.strerror or error}). Is the folder writable, the disk not full, and nothing in it open "
            "elsewhere? If it was changed by hand meanwhile, try again."
        ) from error


def free(folder: Path, name: str, taken: set[Path]) -> Path:
    """A place in a folder for a file of that name: `000123 a.jpg`, or else `000123 a (2).jpg` …"""
    stem, suffix = os.path.splitext(name)
    number, place = 1, folder / name
    while place in taken or place.exists():
        number += 1
        place = folder / f"{stem} ({number}){suffix}"
    return place
