"""Raw pixels beside two learnt planes, epoch by epoch: what draws together, and what nobody asked to."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from facelab.course.lesson01 import Digits, Run, both
from facelab.course.plots import BLACK, BLUE, ORANGE
from facelab.course.widgets.base import LivePicture, LiveWidget, choice, slider

GREY = "#9A9A9A"
UNSEEN_LOOKS = ((ORANGE, "^"), (BLUE, "s"), (BLACK, "D"))


def fitted(points: np.ndarray) -> np.ndarray:
    """(N, 2) moved and scaled, both axes alike, to fill −1 … 1."""
    low, high = points.min(axis=0), points.max(axis=0)
    return (points - (low + high) / 2) * (1.9 / max(float((high - low).max()), 1e-9))


def flat(vectors: np.ndarray) -> np.ndarray:
    """The two principal components (N, 2): the flattest look at (N, D)."""
    centred = vectors - vectors.mean(axis=0)
    return centred @ np.linalg.svd(centred, full_matrices=False)[2][:2].T


class Epochs(LiveWidget):
    """A slider over the epochs of training runs, one panel a method, the pixels on the left.

    runs   of two dimensions, several methods and seeds; each method with the same seeds
    """

    title = "Watch a space being learnt"

    def __init__(self, data: Digits, runs: Sequence[Run]):
        self.data = data
        self.runs = {(run.method, run.seed): run for run in runs}
        self.methods = list(dict.fromkeys(run.method for run in runs))
        last = len(runs[0].frames) - 1
        self.rows = np.concatenate([data.fresh, data.unseen])
        self.labels = data.labels[self.rows]
        self.measured = {  # all beforehand: a slider has no time for it
            (run.method, run.seed, epoch): both(frame, data)
            for run in runs
            for epoch, frame in enumerate(run.frames)
        }
        self.epoch = slider("epoch", 0, last, value=last, step=1, tip="0: before the first step of training")
        self.seed = choice("seed", sorted({run.seed for run in runs}), tip="Where the network started")
        self.picture = LivePicture(11.4, 4.3)
        with self.picture.styled():
            panels = self.picture.figure.subplots(1, 1 + len(self.methods))
            pixels = self._panel(panels[0], "raw pixels (flattened)")
            self._place(pixels, fitted(flat(data.images[self.rows])))
            self.panels = [
                self._panel(axes, method) for axes, method in zip(panels[1:], self.methods, strict=True)
            ]
            panels[0].figure.legend(
                handles=pixels[1], loc="outside lower center", ncols=len(pixels[1]), markerscale=1.5
            )
        for clouds in self.panels:
            for artist in (clouds[0], *clouds[1], *clouds[2]):
                self.picture.live(artist)
                artist.set_in_layout(False)
        super().__init__([self.epoch, self.seed])

    def _panel(self, axes: Axes, title: str) -> tuple:
        """The artists of one plane: dots of the learnt classes, marks of the others, a numeral on each."""
        axes.set(xlim=(-1.08, 1.08), ylim=(-1.08, 1.08), aspect="equal", xticks=[], yticks=[], title=title)
        for side in axes.spines.values():
            side.set_visible(True)
        dots = axes.plot([], [], ".", color=GREY, ms=4)[0]
        strange = [
            axes.plot([], [], marker, color=colour, ms=4.5, label=f"{digit}: never learnt from")[0]
            for digit, (colour, marker) in zip(self._unseen(), UNSEEN_LOOKS, strict=False)
        ]
        box = {"facecolor": "white", "edgecolor": "none", "alpha": 0.75, "pad": 0.8}
        names = [
            axes.text(0, 0, str(digit), ha="center", va="center", weight="bold", fontsize=15, bbox=box)
            for digit in self.data.classes
        ]
        return dots, strange, names

    def _unseen(self) -> np.ndarray:
        return np.unique(self.data.labels[self.data.unseen])

    def _place(self, clouds: tuple, points: np.ndarray) -> None:
        dots, strange, names = clouds
        dots.set_data(*points[np.isin(self.labels, self.data.classes)].T)
        for artist, digit in zip(strange, self._unseen(), strict=False):
            artist.set_data(*points[self.labels == digit].T)
        for name, digit in zip(names, self.data.classes, strict=True):
            name.set_position(np.median(points[self.labels == digit], axis=0))

    def update(self) -> str:
        epoch, seed = self.epoch.value, self.seed.value
        words = []
        for method, clouds in zip(self.methods, self.panels, strict=True):
            self._place(clouds, fitted(self.runs[method, seed].frames[epoch][self.rows]))
            seen, unseen = self.measured[method, seed, epoch]
            words.append(f"{method}: two learnt digits told apart {seen:.0%}, never learnt {unseen:.0%}")
        return f"Epoch {epoch}, seed {seed}. " + "; ".join(words) + "."
