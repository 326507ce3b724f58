"""An album to work on: groups of faces as rows of thumbnails, to be named, merged, split and
enrolled."""

import threading
from collections.abc import Callable, Iterable
from os import PathLike
from pathlib import Path

import anywidget
from matplotlib.patches import Rectangle

import facelab as fl
from facelab.album import LEFT_OUT, Album, Group
from facelab.album.naming import is_reserved
from facelab.course.language import as_given, listed, translated
from facelab.course.plots import BLACK
from facelab.course.widgets.base import StillPicture
from facelab.course.widgets.page import Speaking
from facelab.course.widgets.picture import LivePicture
from facelab.errors import AlbumError, FacelabError

PAGE = 24
"""Groups on a page."""

FIRST = 24
"""Faces of a group that are shown before "all" is pressed; then MOST at most."""
MOST = 2000

BATCH = 2**21
"""Bytes of thumbnails in one message. Jupyter's connection breaks at 10 MB."""
LARGEST = 2**20
"""Bytes of a thumbnail. Facelab's have some 5 kB; a larger file was put there by somebody."""

SUGGESTED = 20
NOTES = 200


class AlbumEditor(Speaking, StillPicture, anywidget.AnyWidget):
    """The groups of an album, 24 to a page: tick groups and merge them, tick faces and split them off or
    leave them out, type names, enrol the named.

    album    an Album, or the folder of one, which may be made later ("Look again" finds it); or None
    gallery  where "Enrol the named" goes: a Gallery that is open, or a file's path; without one it says
             so

    A cell drives it by `rename`, `merge`, `split`, `leave_out`, `undo`, `enrol`, `turn` and `look`,
    which are what the buttons call, and reads `said`, the line of text, and `error`, what the last
    change raised.

    Names and thumbnails travel to the page as messages, not as the widget's state, so they are in no
    saved notebook; nor are they in the picture that is stored with one.
    """

    title = "An album"
    _esm = Path(__file__).with_name("album.js")
    _css = Path(__file__).with_name("album.css")
    WORDS = (
        "What to do with what is ticked",
        "Merge",
        "The ticked groups are one person",
        "Split off",
        "The ticked faces become a group of their own, or go to the one named here",
        "to",
        "a new group",
        "Split off to the group of this name; empty: a new group",
        "Leave out",
        "The ticked faces and groups are never enrolled",
        "Undo",
        "Take the last change back",
        "Untick all",
        "Nothing is ticked",
        "The whole album",
        "Enrol the named",
        "Everybody with a name goes into the gallery",
        "One person twice?",
        "Show groups that are close to each other",
        "Look again",
        "Read the folder again, where files may have been moved",
        "Pages of groups",
        "Previous page",
        "Next page",
        "1 group",
        "{0} groups",
        "1 face",
        "{0} faces",
        "{0} ticked",
        "Faces of {0}. Arrow keys go from one to the next, Space ticks.",
        "face {0}, {1}",
        "all {0}",
        "Show all faces of {0}",
        "Tick to merge",
        "the group {0}, to merge or leave out",
        "name of {0}",
        "Name",
        "Give {0} this name",
        "{0} and {1}: distance {2}",
        "The same: merge",
        "{0} and {1} become one group",
        "Different",
        "Do not show this pair again",
        "page {0} of {1}",
        "1 note",
        "{0} notes",
    )

    def __init__(
        self,
        album: Album | str | PathLike | None = None,
        gallery: fl.Gallery | str | PathLike | None = None,
    ):
        super().__init__()
        self._lock = threading.RLock()  # JupyterLab may call from another thread than the cell's
        self.album = album if isinstance(album, Album) else None
        self._folder = None if album is None or self.album else Path(album).expanduser()
        self.gallery = gallery
        self.said, self.error = "", None
        self.page = 0
        self._whole: set[str] = set()
        self.on_msg(self.receive)
        self.look()

    # ---- what the buttons do

    def rename(self, group: str, name: str) -> None:
        """Give a group a name. Where another group has it already, the two are one person."""
        self._act(lambda album: self._rename(album, group, name))

    def merge(self, groups: Iterable[str]) -> None:
        """Two groups or more become one, under the name that one of them was given."""
        self._act(lambda album: self._merge(album, list(groups)))

    def split(self, rows: Iterable[int], name: str = "") -> None:
        """Faces become a group of their own, or go to the group of that name."""
        self._act(lambda album: self._split(album, list(rows), name.strip()))

    def leave_out(self, rows: Iterable[int], groups: Iterable[str] = ()) -> None:
        """Faces, and whole groups, are left out."""
        self._act(lambda album: self._leave_out(album, list(rows), list(groups)))

    def undo(self) -> None:
        """Take the last change back, and the one before …"""
        self._act(lambda album: "Taken back." if album.undo() else "There is nothing to take back.")

    def enrol(self) -> None:
        """Everybody with a name goes into the gallery."""
        self._act(self._enrol)

    def suggest(self) -> None:
        """Show pairs of groups that may be one person."""
        self._act(self._suggest)

    def same(self, groups: Iterable[str]) -> None:
        """Two groups of a suggestion are one person; show what is left of the suggestions."""
        self._act(lambda album: f"{self._merge(album, list(groups))} {self._suggest(album)}")

    def look(self) -> None:
        """Read the folder again: somebody may have moved files in it."""
        self._act(lambda album: "")

    def turn(self, page: int) -> None:
        """To another page, from 0."""
        with self._lock:
            self.page = int(page)
            self._show()

    def _rename(self, album: Album, group: str, name: str) -> str:
        if not name.strip():
            raise AlbumError("Type a name first.")
        there = {one.name.casefold(): one for one in album.groups}.get(name.strip().casefold())
        if there is not None and there.name != group and not is_reserved(there.name):
            return self._merge(album, [there.name, group], there.name)
        album.rename(group, name)
        return f"{as_given(group)} is {as_given(name.strip())} now."

    def _merge(self, album: Album, names: list[str], into: str | None = None) -> str:
        groups = [group for group in album.groups if group.name in names]
        if len(groups) < 2:
            raise AlbumError("Tick two groups or more, at the left of their names, to merge them.")
        # The largest of the named, or of all.
        into = into or min(groups, key=lambda group: not group.named).name
        album.merge([group.name for group in groups], into)
        faces, which = sum(map(len, groups)), listed(as_given(group.name) for group in groups)
        return f"{which} are one group now, {as_given(into)}, of {faces} faces."

    def _split(self, album: Album, rows: list[int], name: str) -> str:
        owners = self._owners(album, rows)
        if name:
            album.move(rows, name)
        elif len(owners) == 1:
            name = album.split(owners[0], rows)
        else:
            raise AlbumError(
                f"These faces are in several groups ({', '.join(owners)}): type the name of the group that "
                "they should go to, a new one or one that is there, or tick faces of one group."
            )
        return f"{_faces(rows)} of {listed(map(as_given, owners))} went to {as_given(name)}."

    def _leave_out(self, album: Album, rows: list[int], names: list[str]) -> str:
        rows = sorted({*rows, *(int(r) for g in album.groups if g.name in names for r in g.rows)})
        owners = self._owners(album, rows)
        album.leave_out(rows)
        return f"{_faces(rows)} of {listed(map(as_given, owners))} left out: never enrolled."

    def _owners(self, album: Album, rows: list[int]) -> list[str]:
        if not rows:
            raise AlbumError("Tick one face or more first.")
        wanted = set(rows)
        return [group.name for group in album.groups if wanted & set(group.rows.tolist())]

    def _enrol(self, album: Album) -> str:
        if self.gallery is None:
            raise AlbumError('No gallery was given: AlbumEditor(album, "gallery.hdf") has one to enrol into.')
        if isinstance(self.gallery, fl.Gallery):
            done, people = album.enroll(self.gallery), len(self.gallery)
        else:
            path = Path(self.gallery).expanduser()
            if not any(group.named for group in album.groups):
                raise AlbumError("No group has a name yet: type one first.")  # before a gallery is made
            pipe = None if path.exists() else album.pipeline("cpu")
            with fl.Gallery(path, pipeline=pipe, device="cpu") as gallery:
                done, people = album.enroll(gallery), len(gallery)
        said = (
            f"{_people(len(done.ids))} enrolled, {done.templates} vectors of them new; "
            f"the gallery has {_people(people)} now."
        )
        return " ".join([said, *done.notes])

    def _suggest(self, album: Album) -> str:
        found = album.suggest_merges(SUGGESTED)
        pairs = [{"a": s.a, "b": s.b, "distance": s.distance, "faces": list(s.faces)} for s in found]
        self._suggested = pairs
        if not pairs:
            return "No two groups are close enough to be worth a look."
        return f"{len(pairs)} pairs of groups are close, the closest first: is it one person?"

    # ---- between page and kernel

    def receive(self, _widget, content: dict, _buffers: list) -> None:
        """A message of the page: a button, or what the page has to know."""
        buttons: dict[str, Callable[[], None]] = {
            "ready": self._show,
            "page": lambda: self.turn(content["page"]),
            "all": lambda: self._show_whole(content["group"]),
            "thumbnails": lambda: self._send_thumbnails(content["rows"]),
            "rename": lambda: self.rename(content["group"], content["name"]),
            "merge": lambda: self.merge(content["groups"]),
            "split": lambda: self.split(content["rows"], content["name"]),
            "leave_out": lambda: self.leave_out(content["rows"], content["groups"]),
            "undo": self.undo,
            "enrol": self.enrol,
            "suggest": self.suggest,
            "same": lambda: self.same(content["groups"]),
            "look": self.look,
        }
        buttons[content["kind"]]()

    def _act(self, action: Callable[[Album], str]) -> None:
        with self._lock:
            self._suggested: list[dict] = []
            try:
                self.error, self.said = None, translated(action(self._there()) if self._there() else "")
            except FacelabError as error:
                self.error = error
            except Exception as error:  # raised in a callback it would vanish
                self.error = FacelabError(f"{type(error).__name__}: {error}")
            self._show(done=self.error is None)

    def _there(self) -> Album | None:
        if self.album is None and self._folder is not None and self._folder.exists():
            self.album = Album(self._folder)
        return self.album

    def _show(self, done: bool = False) -> None:
        """Tell every page what to show. `done`: what was ticked has been dealt with."""
        with self._lock:
            self.send(self.contents() | {"kind": "show", "done": done})

    def contents(self) -> dict:
        """What the page shows, as JSON can hold it. Thumbnails it asks for itself."""
        groups, notes = [], ()
        if self.album is not None:
            try:
                groups, notes = self.album.groups, self.album.notes
            except FacelabError as error:
                self.error = error
        pages = max(1, -(-len(groups) // PAGE))
        self.page = min(max(0, self.page), pages - 1)
        here = groups[self.page * PAGE : (self.page + 1) * PAGE]
        return {
            "groups": [self._row(group) for group in here],
            "names": [group.name for group in groups if group.named],
            "page": self.page,
            "pages": pages,
            "empty": "" if groups else translated(self._words_of_nothing()),
            "said": self.said,
            "alert": "" if self.error is None else translated(str(self.error)),
            "changes": 0 if self.album is None else self.album.changes,
            "suggestions": self._suggested,
            "notes": list(notes[:NOTES]),
            "noted": len(notes),
        }

    def _row(self, group: Group) -> dict:
        shown = group.rows[: MOST if group.name in self._whole else FIRST]
        return {
            "name": group.name,
            "named": group.named,
            "fixed": is_reserved(group.name),
            "out": group.name.casefold() == LEFT_OUT,
            "count": len(group),
            "faces": [[int(row), Path(self.album.photos[row]).name] for row in shown],
        }

    def _words_of_nothing(self) -> str:
        if self.album is not None:
            return "There is no face in this album."
        if self.error is not None:
            return ""  # which says why
        where = self._folder or "ALBUM"
        return (
            f"There is no album here yet. In a terminal, facelab cluster PHOTOS {where} makes one of a "
            "folder of photos; then press “Look again”."
        )

    def _show_whole(self, group: str) -> None:
        self._whole.add(group)
        self._show()

    def _send_thumbnails(self, rows: list[int]) -> None:
        """The files as they are: they were encoded when the album was made."""
        with self._lock:
            if self.album is None:
                return
            there = {int(row) for group in self.album.groups for row in group.rows}
            files = self.album.thumbnails(row for row in rows if row in there)
            batch, size = {}, 0
            for row, file in files.items():
                if file.stat().st_size <= LARGEST:
                    batch[row] = file.read_bytes()
                    size += len(batch[row])
                if size > BATCH:
                    self._send_batch(batch)
                    batch, size = {}, 0
            if batch:
                self._send_batch(batch)

    def _send_batch(self, batch: dict[int, bytes]) -> None:
        self.send({"kind": "thumbnails", "rows": list(batch)}, list(batch.values()))

    # ---- what is stored with a notebook: words and grey boxes, whoever is in the album

    def still_png(self) -> bytes:
        picture = LivePicture(9.0, 3.2)
        with picture.styled():
            axes = picture.figure.add_subplot()
            axes.set(xlim=(0, 9), ylim=(0, 3.2), xticks=[], yticks=[])
            axes.set_axis_off()
            for row, (name, faces) in enumerate((("a name", 6), ("person 002", 5), ("person 003", 3))):
                low = 2.2 - row
                axes.add_patch(Rectangle((0.1, low + 0.2), 0.3, 0.3, fill=False, edgecolor=BLACK, lw=2))
                axes.add_patch(Rectangle((0.6, low + 0.1), 1.9, 0.5, fill=False, edgecolor="#777", lw=2))
                axes.text(0.7, low + 0.35, name, va="center", fontsize=13, color=BLACK)
                for column in range(faces):
                    place = (2.8 + column * 1.0, low)
                    axes.add_patch(Rectangle(place, 0.8, 0.8, facecolor="#ddd", edgecolor="#777", lw=1.5))
        return picture.png()

    def still_caption(self) -> str:
        return (
            f"*{self.title}: live in JupyterLab once this cell has run. Here: groups of faces, grey boxes in "
            "their place.*"
        )


def _faces(rows: list[int]) -> str:
    return f"{len(rows)} face{'s' * (len(rows) != 1)}"


def _people(count: int) -> str:
    return f"{count:,} people" if count != 1 else "1 person"
