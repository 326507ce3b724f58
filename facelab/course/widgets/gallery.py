"""A gallery to try: enrol from a photo, ask who somebody is, see strangers turned away, delete for good."""

import html
import tempfile
from pathlib import Path

import numpy as np
from ipywidgets import HTML, Button, HBox, Layout, Text

import facelab as fl
from facelab.course.language import as_given, translated
from facelab.course.plots import BLACK, BLUE, SKY
from facelab.course.widgets.base import GAP, LABEL, LiveWidget, choice, offered, slider
from facelab.course.widgets.compare import PANEL, Seen
from facelab.course.widgets.photo_source import PhotoSource, usable
from facelab.course.widgets.picture import LivePicture
from facelab.errors import GalleryError

LOW, HIGH, STEP = 0.0, 1.2, 0.005
CANDIDATES = 5
NOBODY = "(nobody is enrolled)"
PRIVACY = (
    "Your photos stay in this notebook's memory. Whom you enrol is kept as a name and numbers in a gallery "
    "file, in a temporary folder of the machine that runs this notebook; nothing is sent anywhere. "
    "<b>Delete</b> takes somebody out of the file for good, <b>Reset</b> removes the file and forgets the "
    "photos."
)


def label(name: str) -> str:
    """A name for the picture: cut where it is long, "" where the picture's letters lack it (the list under
    the picture has all names whole)."""
    if any(ord(letter) >= 0x250 for letter in name):
        return ""
    name = name.replace("_", " ")
    return name if len(name) <= 20 else f"{name[:19]}…"


class GalleryDesk(LiveWidget):
    """A photo is looked up in a gallery at every change; buttons enrol it, add it to somebody, or delete.

    photos  dict of name → (H, W, 3) RGB uint8, offered to begin with
    people  dict of name → (D,) or (n, D) vectors of the default pipeline, enrolled to begin with

    gallery  the fl.Gallery, in a folder of its own until Reset, which begins another
    match    fl.Match for the photo shown; None where no face was found in it

    The picture that is stored with a notebook shows neither own photos nor own names.
    """

    title = "A gallery"

    def __init__(self, photos: dict[str, np.ndarray], people: dict[str, np.ndarray]):
        self.photos, self.people = dict(photos), dict(people)
        self.own: dict[str, np.ndarray] = {}
        self._seen: dict[str, Seen] = {}
        self._said = ""
        self.match: fl.Match | None = None
        self._open()
        first = next(iter(photos))
        self.photo = choice("photo", list(photos), value=first, tip="The photo that is looked up")
        start = round(round(self._own_threshold(first) / STEP) * STEP, 3)
        self.threshold = slider(
            "threshold", LOW, HIGH, value=start, step=STEP, tip="Farther than this: a stranger"
        )
        self._draw()
        self.candidates = HTML()
        super().__init__([self.photo, self.threshold])
        self.source = PhotoSource("the photo", self.bring, self.complain)
        self.name = Text(placeholder="a name", description="name", style=LABEL, layout=Layout(width="16em"))
        self.person = choice("person", [NOBODY], tip="Somebody who is enrolled")
        enrol = button("Enrol as new", "user-plus", "The photo, under this name", self.enrol)
        add = button("Add photo to person", "plus", "One more template", self.add)
        delete = button("Delete person", "trash", "Out of the file, for good", self.delete)
        wrapped = Layout(flex_flow="row wrap", align_items="center")
        new = HBox([self.name, enrol], layout=wrapped)
        known = HBox([self.person, add, delete], layout=wrapped)
        for row in (new, known):
            row.layout.margin = GAP
        note = HTML(f"<div style='line-height:1.4'>{translated(PRIVACY)}</div>")
        self._offer_people()
        controls, *_ = self.children
        self.children = (
            controls,
            self.source,
            new,
            known,
            self.alert,
            self.screen,
            self.candidates,
            note,
        )

    # ---- the gallery

    def _open(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="facelab-", ignore_cleanup_errors=True)
        self.gallery = fl.Gallery(Path(self._folder.name) / "gallery.hdf", embedder="sface", device="cpu")
        names = [name for name, vectors in self.people.items() for _ in np.atleast_2d(vectors)]
        if names:
            self.gallery.enroll_many(names, np.concatenate([np.atleast_2d(v) for v in self.people.values()]))

    def close_gallery(self) -> None:
        """Close the file and remove its folder."""
        self.gallery.close()
        self._folder.cleanup()

    def _own_threshold(self, photo: str) -> float:
        return self.gallery.identify(self.seen(photo).vector).threshold

    def enrol(self) -> None:
        """The photo shown becomes somebody new, under the name typed."""
        self._act(self._enrol)

    def add(self) -> None:
        """The photo shown becomes one more template of the person chosen."""
        self._act(self._add)

    def delete(self) -> None:
        """The person chosen is deleted, and the file is searched for what might be left."""
        self._act(self._delete)

    def _act(self, action) -> None:
        try:
            self._said = action()
        except fl.errors.FacelabError as error:
            self.complain(str(error))
            return
        self._offer_people()
        self.redraw()

    def _enrol(self) -> str:
        name = self.name.value.strip()
        if not name:
            raise GalleryError("Type a name first.")
        person = self.gallery.enroll(name, self._vector())
        self.name.value = ""
        self._offer_people(person)
        return f"{as_given(name)} is enrolled, with the id {person}."

    def _add(self) -> str:
        person = self._chosen()
        self.gallery.add(person.id, self._vector())
        return f"{as_given(person.name)} has {person.templates + 1} templates now."

    def _delete(self) -> str:
        person = self._chosen()
        vectors = self.gallery.vectors(person.id)
        self.gallery.delete(person.id)
        data = self.gallery.path.read_bytes()
        left = [v for v in vectors if v.tobytes() in data]
        found = "of the vectors, none is left" if not left else f"{len(left)} vectors are still there"
        return (
            f"{as_given(person.name)} (id {person.id}) is deleted. {len(data):,} bytes of the file searched: "
            f"{found}."
        )

    def _vector(self) -> np.ndarray:
        vector = self.seen(self.photo.value).vector
        if vector is None:
            raise GalleryError("No face was found in this photo.")
        return vector

    def _chosen(self) -> fl.gallery.Person:
        if self.person.value is None:
            raise GalleryError("Nobody is enrolled. Enrol somebody first.")
        return next(person for person in self.gallery.list() if person.id == self.person.value)

    def _offer_people(self, chosen: int | None = None) -> None:
        """The list of people; `chosen` is shown, else whoever was, else the first."""
        people = self.gallery.list()
        chosen = self.person.value if chosen is None else chosen
        self.person.options = [
            (f"{one.name} · id {one.id}, {one.templates} template{'s' * (one.templates != 1)}", one.id)
            for one in people
        ] or [(NOBODY, None)]
        if chosen in {one.id for one in people}:
            self.person.value = chosen

    # ---- own photos

    def bring(self, name: str, data: bytes) -> None:
        """Take the bytes of a photo. What is wrong with them is said in the widget."""
        try:
            photo = usable(name, data)
        except fl.errors.FacelabError as error:
            self.complain(str(error))
            return
        label = f"{translated('yours')}: {name}"
        self.own[label] = photo
        self._seen.pop(label, None)
        with self.together():
            self.photo.options = offered([*self.photos, *self.own])
            self.photo.value = label

    def reset(self) -> None:
        self.close_gallery()
        self._open()
        self.own.clear()
        self._said = self.name.value = ""
        self._seen = {name: seen for name, seen in self._seen.items() if name in self.photos}
        with self.together():
            self.photo.options = offered(list(self.photos))
            self.photo.value, self.threshold.value = self._start
            self._offer_people()

    # ---- the picture

    def _draw(self) -> None:
        self.picture = LivePicture(11.0, 3.4, photo=True)
        with self.picture.styled():
            grid = self.picture.figure.add_gridspec(1, 3, width_ratios=(1, 1, 2.1))
            panels = [self.picture.figure.add_subplot(grid[column]) for column in range(2)]
            axes = self.picture.figure.add_subplot(grid[2])
            self.panels = []
            for panel, title, side in zip(
                panels, ("the photo", "as the network sees it"), (PANEL, 112), strict=True
            ):
                panel.set_axis_off()
                panel.set_title(title, fontsize=14)
                self.panels.append(self.picture.pixels(panel, side))
            axes.set(xlim=(LOW, HIGH), ylim=(CANDIDATES + 0.7, 0.3), xlabel="cosine distance")
            axes.set_yticks(range(1, CANDIDATES + 1))
            axes.set_title(f"the {CANDIDATES} nearest people", fontsize=14)
            live = self.picture.live
            places = range(1, CANDIDATES + 1)
            self.bars = [live(bar) for bar in axes.barh(places, 0, height=0.6, edgecolor=BLACK)]
            self.values = [live(axes.text(0, row, "", va="center")) for row in places]
            self.limit = live(axes.axvline(0, color=BLACK, ls="--", lw=2.5))
            paper = {"facecolor": "white", "edgecolor": "none", "pad": 1.5}
            self.names = [
                live(axes.text(LOW + 0.015, row, "", va="center", fontsize=12, bbox=paper)) for row in places
            ]
            for artist in (*self.bars, *self.values, *self.names, self.limit):
                artist.set_in_layout(False)

    def seen(self, name: str) -> Seen:
        """A photo of the list, looked at once."""
        if name not in self._seen:
            self._seen[name] = Seen(self.own[name] if name in self.own else self.photos[name])
        return self._seen[name]

    def _changed(self, change) -> None:
        self._said = ""
        super()._changed(change)

    def update(self) -> str:
        return f"{self._said} {self._show(self.photo.value, self.threshold.value)}".strip()

    def _show(self, name: str, limit: float) -> str:
        seen = self.seen(name)
        for shown, pixels in zip(self.panels, (seen.panel, seen.crop), strict=True):
            shown.set_data(pixels)
        self.limit.set_xdata([limit, limit])
        self.match = None
        if seen.vector is not None:
            self.match = self.gallery.identify(seen.vector, k=CANDIDATES, threshold=limit)
        candidates = self.match.candidates if self.match else ()
        for row, (bar, value) in enumerate(zip(self.bars, self.values, strict=True)):
            there = row < len(candidates)
            distance = candidates[row].distance if there else 0
            bar.set_width(distance)
            bar.set(facecolor=BLUE if distance <= limit else SKY, hatch="" if distance <= limit else "//")
            bar.set_visible(there)
            name = label(candidates[row].name) if there else ""
            self.names[row].set(text=name, visible=bool(name))
            beside = 0.42 if name else 0.0  # a short bar ends under the name
            value.set(x=max(min(distance, 1.0), beside) + 0.02, text=f"{distance:.3f}" if there else "")
        self.candidates.value = listed(candidates, limit)
        if self.match is None:
            return "No face was found in this photo."
        return self._verdict(self.match, seen.count)

    def _verdict(self, match: fl.Match, faces: int) -> str:
        several = f" {faces} faces in the photo: the largest is looked up." if faces > 1 else ""
        if not match.candidates:
            return f"A stranger: nobody is enrolled.{several}"
        if match.id is None:
            who = f"A stranger: the nearest is {match.distance:.3f} > {match.threshold:.3f} away."
        else:
            who = f"{as_given(match.name)} (id {match.id}): {match.distance:.3f} ≤ {match.threshold:.3f}."
        size = self.gallery.templates
        templates = f"{size:,} template{'s' * (size != 1)}"
        worth = f"FPIR at this threshold with {templates}: on average at most {match.fpir.value:.1%}."
        return f"{who} {worth}{several}"

    # ---- what is stored with a notebook

    @property
    def _private(self) -> bool:
        """Whether somebody has brought a photo, or enrolled anybody."""
        return bool(self.own) or self.gallery.templates != sum(
            len(np.atleast_2d(v)) for v in self.people.values()
        )

    def still_png(self) -> bytes:
        """With the course's portraits and people only, whoever was enrolled."""
        if not self._private:
            return super().still_png()
        self._show(*self._start)
        png = self.picture.png()
        self.update()
        return png

    def still_caption(self) -> str:
        head = f"*{self.title}: live in JupyterLab once this cell has run.*"
        if self._private or self.match is None:
            return head
        names = ", ".join(f"{row} {one.name}" for row, one in enumerate(self.match.candidates, 1))
        return f"{head[:-1]} Here: {names}.*".replace("_", " ")


def listed(candidates, limit: float) -> str:
    """The candidates as a table that a screen reader can read, names escaped."""
    if not candidates:
        return ""
    rows = "".join(
        f"<tr><td>{row}</td><td><bdi>{html.escape(one.name)}</bdi></td>"
        f"<td>{one.id}</td><td>{one.distance:.3f}</td><td>{'≤' if one.distance <= limit else '>'} {limit:.3f}"
        "</td></tr>"
        for row, one in enumerate(candidates, 1)
    )
    columns = "".join(f"<th scope='col'>{word}</th>" for word in ("", "name", "id", "distance", "threshold"))
    return (
        "<style>.facelab-candidates :is(td, th) {padding: 1px 0.9em; text-align: right}"
        ".facelab-candidates :is(td, th):nth-child(2) {text-align: left}</style>"
        f"<table class='facelab-candidates' style='line-height:1.4'><tr>{columns}</tr>{rows}</table>"
    )


def button(label: str, icon: str, tip: str, action) -> Button:
    """A button as wide as its words."""
    made = Button(description=label, icon=icon, tooltip=tip, layout=Layout(width="auto"))
    made.on_click(lambda _: action())
    return made
