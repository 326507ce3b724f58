"""The pairs that are hardest to tell: look at them, where their photos are on this machine."""

import matplotlib as mpl
import numpy as np
from PIL import Image

from facelab.course.language import named
from facelab.course.plots import BLACK, histogram, style
from facelab.course.widgets.base import LivePicture, LiveWidget, choice, slider
from facelab.datasets import LFW, Templates, lfw
from facelab.errors import DatasetError
from facelab.images import read_image

SIDE = 250  # of LFW's photos, pixels
EMPTY = np.full((SIDE, SIDE, 3), 235, np.uint8)
KINDS = (("same person, farthest first", True), ("different people, nearest first", False))
RANKS = 50


def photos_if_here() -> LFW | None:
    """LFW's photos, or None where they are not on this machine."""
    try:
        return lfw()
    except DatasetError:
        return None


class HardPairs(LiveWidget):
    """LFW's hardest pairs, one at a time, with their place among all distances.

    templates  the vectors, and the protocol's pairs
    photos     `fl.datasets.lfw()`, or None where the photos are not on this machine: then the words and the
               histogram have to do
    threshold  drawn, and used for the verdict

    The picture that is stored with a notebook never holds the photos: they may be looked at, not handed on.
    """

    title = "The hardest pairs"

    def __init__(self, templates: Templates, photos: LFW | None, threshold: float):
        self.templates, self.photos, self.limit = templates, photos, threshold
        self.pairs = templates.pairs["lfw"]
        self.distances = 1 - templates.scores("lfw")
        self.kind = choice("pairs", KINDS, tip="Which kind of error to look at")
        self.rank = slider("rank", 1, RANKS, value=1, step=1, tip="1 is the hardest pair of its kind")
        self.picture = LivePicture(10.5, 3.9)
        with mpl.rc_context(style()):
            self._draw()
        super().__init__([self.kind, self.rank])

    def _draw(self) -> None:
        *sides, axes = self.picture.figure.subplots(1, 3, width_ratios=(1, 1, 1.5))
        self.shown, self.notes = [], []
        for panel in sides:
            panel.set_axis_off()
            self.shown.append(self.picture.pixels(panel, SIDE))
            note = panel.text(SIDE / 2, SIDE / 2, "", ha="center", va="center", fontsize=13)
            self.notes.append(self.picture.live(note))
        histogram(
            self.distances[self.pairs.same],
            self.distances[~self.pairs.same],
            threshold=self.limit,
            bins=40,
            axes=axes,
        )
        axes.get_legend().remove()
        self.mark = self.picture.live(axes.axvline(0, color=BLACK, linewidth=4))
        for artist in self.picture.artists:
            artist.set_in_layout(False)

    def look(self) -> None:
        """The photos may have come."""
        self.photos = photos_if_here()
        self.redraw()

    @property
    def row(self) -> int:
        """The pair that is shown: its place among the protocol's pairs."""
        rows = np.flatnonzero(self.pairs.same == self.kind.value)
        order = np.argsort(self.distances[rows])
        return int(rows[order[-self.rank.value if self.kind.value else self.rank.value - 1]])

    def update(self) -> str:
        return self._show(self.photos)

    def _show(self, photos: LFW | None) -> str:
        row = self.row
        distance, same = float(self.distances[row]), bool(self.pairs.same[row])
        for picture, note, at in zip(
            self.shown, self.notes, (self.pairs.a[row], self.pairs.b[row]), strict=True
        ):
            picture.set_data(EMPTY if photos is None else photo_of(photos, at))
            note.set_text("" if photos is not None else f"{self._who(at)}\n(no photo here)")
        self.mark.set_xdata([distance, distance])
        accepted = distance <= self.limit
        verdict = "rightly told" if accepted == same else ("missed" if same else "let through")
        a, b = (named(self._who(at).replace("\n", ", ")) for at in (self.pairs.a[row], self.pairs.b[row]))
        return f"{a}  and  {b}: distance {distance:.3f}, {verdict} at threshold {self.limit:.3f}."

    def _who(self, at: int) -> str:
        """The name where the templates tell it, else a number."""
        person = int(self.templates.identity[at])
        name = self.templates.names.get(person, f"person {person}").replace("_", " ")
        return f"{name}\nphoto {self.templates.number[at]}"

    def still_png(self) -> bytes:
        self._show(None)
        without = self.picture.png()
        self._show(self.photos)
        return without


def photo_of(photos: LFW, at: int) -> np.ndarray:
    """A photo of LFW at the panels' size."""
    photo = read_image(photos.paths[at])
    return photo if photo.shape == EMPTY.shape else np.asarray(Image.fromarray(photo).resize((SIDE, SIDE)))
