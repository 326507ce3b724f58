"""`Album`: what is in an album's folder, and how it is named, merged, split and enrolled."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from os import PathLike
from pathlib import Path

import numpy as np
import torch

from facelab import calibration, embeddings_file
from facelab import device as devices
from facelab.album import enrolling, making
from facelab.album.folder import Contents, Moves, contents, free, move, of_other_photos, remarks
from facelab.album.groups import Group, Suggestion, place
from facelab.album.naming import (
    FACES,
    LEFT_OUT,
    OTHERS,
    checked,
    is_named,
    is_reserved,
    number_of,
    numbered,
)
from facelab.cluster import GROUPING_FMR, closest_groups
from facelab.datasets.photos import person_name
from facelab.errors import AlbumError, DatasetError
from facelab.gallery import Enrolled, Gallery
from facelab.gallery.binding import pipeline_of
from facelab.gallery.store import About
from facelab.images import name_of
from facelab.pipeline import Pipeline

REACH = 0.1
"""How far beyond the threshold, as a distance, two groups are still worth a look."""


class Album:
    """An album that lies in a folder; `facelab.album` says how. `Album.make` makes one.

    folder  the album's

    vectors    (N, D) float32, unit norm: a row for each face
    photos     the photo that each face is from, N paths
    config     the pipeline that made the vectors
    threshold  the cosine distance at which faces were grouped

    What is in which group is read from the folder at every question, so changes by hand count at once.

    Raises AlbumError where the folder holds no album, or a damaged one.
    """

    def __init__(self, folder: str | PathLike):
        self.folder = Path(folder).expanduser()
        self._done: list[Moves] = []
        if not self.folder.is_dir():
            what = "is a file, not a folder" if self.folder.exists() else "does not exist"
            raise AlbumError(
                f"{name_of(self.folder)} {what}. Album.make, or facelab cluster, makes an album."
            )
        if not (self.folder / FACES).exists():
            raise AlbumError(
                f"{name_of(self.folder)}: is no album, as there is no {FACES} in it. Give an album's folder "
                "(Album.make, or facelab cluster, makes one), or bring that file back."
            )
        try:
            stored = embeddings_file.read(self.folder / FACES)
        except DatasetError as error:
            raise AlbumError(
                f"{name_of(self.folder)}: its vectors cannot be read ({error}). Bring back a copy of "
                f"{FACES}, or make another album of the photos; this one's folders stay as they are."
            ) from error
        self.vectors, self.config = stored.vectors, stored.config
        self.photos = [str(stored.photos[photo]) for photo in stored.photo]
        self._errors = [error for error in stored.errors if error]
        self._grouped_at = stored.attributes.get("grouped_at")
        if of_other_photos(self._look(), self.photos):
            raise AlbumError(
                f"{name_of(self.folder)}: {FACES} belongs to other photos, for most thumbnails go by other "
                "names than their rows in it. Bring back the file that the album was made with."
            )

    @classmethod
    def make(
        cls,
        photos: str | PathLike,
        folder: str | PathLike,
        pipe: Pipeline | None = None,
        threshold: float | None = None,
        progress: bool | None = None,
    ) -> "Album":
        """Find every face in a folder of photos and group them (`facelab.cluster`, Chinese Whispers).

        photos     the folder of photos; those in its sub-folders count
        folder     a new or empty folder for the album, outside that of the photos. Only its owner may
                   read it
        pipe       None: the default pipeline
        threshold  the largest cosine distance that joins two faces; None: the pipeline's at a false
                   match rate of 1 in 100,000 (`facelab.cluster.GROUPING_FMR` says why)
        progress   bars on standard error; None means: only in a terminal or a notebook

        A photo that cannot be read or shows no face is passed over; `.notes` lists it.

        Raises AlbumError where there is an album already or anything else, no photo, no face, or no
        room; FacelabError for a pipeline that was never calibrated. Then nothing is left behind.
        """
        source, target = Path(photos).expanduser(), Path(folder).expanduser()
        making.checked(source, target)
        pipe = pipe or Pipeline()
        if threshold is None:
            threshold = calibration.threshold_for(pipe.config, GROUPING_FMR)
        if not 0 <= threshold <= 2:
            raise ValueError(f"threshold={threshold}: a cosine distance lies between 0 and 2.")
        making.make(source, target, pipe, threshold, progress)
        return cls(target)

    def pipeline(self, device: str | torch.device = "auto") -> Pipeline:
        """The pipeline that the album was made with. Raises GalleryError where it is not here."""
        about = About([*self.config.split("+"), "", ""][2], self.config, self.vectors.shape[1])
        return pipeline_of(about, str(self.folder), devices.choose(device))

    def __len__(self) -> int:
        """How many faces, those left out among them."""
        return len(self.vectors)

    def __repr__(self) -> str:
        groups = self.groups
        named = sum(group.named for group in groups)
        return (
            f"Album({str(self.folder)!r}, {len(self):,} faces in {len(groups):,} groups, {named:,} named, "
            f"{self.config})"
        )

    # ------------------------------------------------------------------ what is in it

    def _look(self) -> Contents:
        return contents(self.folder, len(self))

    @property
    def groups(self) -> list[Group]:
        """All groups with a face in them: the largest first, then `others` and `left out`."""
        return self._groups(self._look())

    def _groups(self, found: Contents) -> list[Group]:
        groups = [Group(name, np.array(found.rows(name), np.int64)) for name in found.files]
        return sorted((group for group in groups if len(group)), key=place)

    @property
    def threshold(self) -> float:
        if self._grouped_at is not None:
            return float(self._grouped_at)
        return calibration.threshold_for(self.config, GROUPING_FMR)

    @property
    def notes(self) -> tuple[str, ...]:
        """What is not as it might be, and what to do: a sentence each. Photos without a face, thumbnails
        that were deleted or lie in two groups, files that are not the album's."""
        found = self._look()
        return (*remarks(self.folder, found, self.photos), *(f"Passed over: {e}" for e in self._errors))

    def thumbnail(self, row: int) -> Path:
        """The picture of a face, 112 × 112. Raises AlbumError where there is none (any more)."""
        return self.thumbnails([row])[int(row)]

    def thumbnails(self, rows: Iterable[int]) -> dict[int, Path]:
        """The same for many: {row: path}."""
        places = {row: file for its in self._look().files.values() for row, file in its}
        rows = [int(row) for row in rows]
        if gone := [row for row in rows if row not in places]:
            raise AlbumError(f"{name_of(self.folder)}: face {gone[0]} is in none of its groups.")
        return {row: places[row] for row in rows}

    # ------------------------------------------------------------------ changing it

    def rename(self, old: str, new: str) -> None:
        """Give a group a name. Raises AlbumError for a group that is not there, or a name that cannot be
        a folder's or is another group's."""
        found, new = self._look(), self._new_name(new)
        old = self._known(found, old)
        self._not_there(found, new, f"merge([{old!r}, {new!r}], {new!r})", but=old)
        if old == new:
            return
        if len(found.folders[old]) == 1 and new not in found.folders:
            self._move([(found.folders[old][0], self.folder / new)])  # with whatever else is in it
        else:
            self._carry(found, found.files[old], new)

    def merge(self, names: Sequence[str], into: str) -> None:
        """Put groups together, under the name of one of them, of another group, or a new one.

        Raises AlbumError for a group that is not there, or a name that cannot be a folder's.
        """
        found = self._look()
        into = self._spelt(checked(into), found)
        names = [self._known(found, name) for name in ([names] if isinstance(names, str) else names)]
        self._carry(found, [file for name in dict.fromkeys(names) for file in found.files[name]], into)

    def split(self, name: str, rows: Iterable[int], new_name: str | None = None) -> str:
        """Some faces of a group become a group of their own → its name.

        new_name  None: the next `person 012`

        Raises AlbumError for faces that are not in that group, or a name that cannot be a folder's or is
        another group's.
        """
        found = self._look()
        name = self._known(found, name)
        new_name = self._next(found) if new_name is None else self._new_name(new_name)
        rows = self._in_it(found, rows)
        self._not_there(found, new_name, f"move(rows, {new_name!r})")
        if strange := sorted(set(rows) - set(found.rows(name))):
            raise AlbumError(f"{name}: face {strange[0]} is not in this group.")
        if not rows:
            raise AlbumError(f"{name}: no face was named, so there is nothing to take out.")
        self._carry(found, self._files(found, rows), new_name)
        return new_name

    def move(self, rows: Iterable[int], into: str) -> None:
        """Put faces, of whichever groups, into a group that is there or a new one.

        Raises AlbumError for a face that is in no group, or a name that cannot be a folder's.
        """
        found = self._look()
        into = self._spelt(checked(into), found)
        self._carry(found, self._files(found, self._in_it(found, rows)), into)

    def leave_out(self, rows: Iterable[int]) -> None:
        """Faces that are nobody's who matters, or no faces: into `left out`, which is never enrolled."""
        self.move(rows, LEFT_OUT)

    @property
    def changes(self) -> int:
        """How many changes made here can be taken back."""
        return len(self._done)

    def undo(self) -> bool:
        """Take the last change made here back → whether there was one. Raises AlbumError where it cannot
        be, because the folder was changed by hand since."""
        if not self._done:
            return False
        move(self.folder, [(target, source) for source, target in reversed(self._done[-1])])
        self._done.pop()
        return True

    # ------------------------------------------------------------------ what to look at, what to keep

    def suggest_merges(self, most: int = 20) -> list[Suggestion]:
        """Pairs of groups whose closest faces are almost near enough to be joined (to 0.1 beyond the
        threshold), or were and were outvoted: what a person should look at, the closest first.

        Two groups with names are two people, since somebody said so, and are not suggested.
        """
        groups = [group for group in self.groups if not is_reserved(group.name)]
        labels = np.full(len(self), -1)
        for number, group in enumerate(groups):
            labels[group.rows] = number
        apart = np.array([group.named for group in groups], bool)
        pairs, faces, cosines = closest_groups(self.vectors, labels, 1 - self.threshold - REACH, apart)
        return [
            Suggestion(groups[a].name, groups[b].name, 1 - float(cosine), (int(one), int(other)))
            for (a, b), (one, other), cosine in zip(pairs[:most], faces, cosines, strict=False)
        ]

    def enroll(self, gallery: Gallery) -> Enrolled:
        """Everybody who was given a name, with all the vectors of their group, as they are in faces.h5.

        Whom the gallery got from this album before keeps the id and gets the vectors that are new;
        `.notes` says what in the gallery is no longer so in the album. `.ids` are of the named groups,
        the largest first; `.templates` counts what was added.

        Raises AlbumError where no group has a name, GalleryError for a gallery of another pipeline.
        """
        found = self._look()
        groups = {group.name: group.rows for group in self._groups(found)}
        named = {name: rows for name, rows in groups.items() if is_named(name)}
        if not named:
            raise AlbumError(
                f"{name_of(self.folder)}: no group has a name yet. Rename the folder of one, "
                f"{next(iter(groups), numbered(1))!r} say, or call rename."
            )
        gallery.must_fit(self.config, f"of {name_of(self.folder)}")
        done = enrolling.enroll(named, self.vectors, gallery)
        unclear = remarks(self.folder, replace(found, loose=[], foreign=[], copies=[]), None)
        return replace(done, notes=(*done.notes, *unclear))

    # ------------------------------------------------------------------

    def _move(self, moves: Moves) -> None:
        if moves:
            move(self.folder, moves)
            self._done.append(moves)

    def _carry(self, found: Contents, files: list[tuple[int, Path]], into: str) -> None:
        """Thumbnails into a group, those that are not there yet."""
        folders = found.folders.get(into, [self.folder / into])
        taken: set[Path] = set()
        moves: Moves = []
        for _, file in files:
            if not any(folder in file.parents for folder in folders):
                moves.append((file, free(folders[0], file.name, taken)))
                taken.add(moves[-1][1])
        self._move(moves)

    def _known(self, found: Contents, name: str) -> str:
        name = self._spelt(person_name(name), found)
        if name not in found.files:
            some = ", ".join(group.name for group in self._groups(found)[:5])
            raise AlbumError(f"{name_of(self.folder)}: there is no group {name!r}. There are: {some} …")
        return name

    def _spelt(self, name: str, found: Contents) -> str:
        """The name as the group that is there spells it: `Others` is `others`, also where the file
        system would keep them apart."""
        there = found.folders
        if name in there:
            return name
        reserved = {OTHERS: OTHERS, LEFT_OUT: LEFT_OUT}
        return {group.casefold(): group for group in there}.get(
            name.casefold(), reserved.get(name.casefold(), name)
        )

    def _new_name(self, name: str) -> str:
        name = checked(name)
        if is_reserved(name):
            raise AlbumError(
                f"{name!r} is kept for faces that are nobody's; move(rows, {name.casefold()!r}) puts some "
                "there. Choose another name."
            )
        return name

    def _not_there(self, found: Contents, name: str, remedy: str, but: str | None = None) -> None:
        there = self._spelt(name, found)
        if there != but and there in found.files:
            raise AlbumError(
                f"{name_of(self.folder)}: there is a group {there!r} already. {remedy} puts them together."
            )

    def _next(self, found: Contents) -> str:
        return numbered(1 + max(map(number_of, found.folders), default=0))

    def _in_it(self, found: Contents, rows: Iterable[int]) -> list[int]:
        rows, there = [int(row) for row in rows], found.all_rows()
        for row in rows:
            if row in found.twice:
                raise AlbumError(
                    f"{name_of(self.folder)}: face {row} is in several groups, "
                    f"{' and '.join(name_of(file.relative_to(self.folder)) for file in found.twice[row])}. "
                    "Delete all but one of these files first."
                )
            if row not in there:
                raise AlbumError(f"{name_of(self.folder)}: face {row} is in none of its groups.")
        return rows

    def _files(self, found: Contents, rows: Iterable[int]) -> list[tuple[int, Path]]:
        wanted = set(rows)
        return [pair for its in found.files.values() for pair in its if pair[0] in wanted]
