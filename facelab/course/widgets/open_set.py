"""One threshold over three kinds of distances: of the enrolled to themselves, of the enrolled to somebody
else, of strangers to whoever is nearest; in galleries from ten people to thousands."""

import numpy as np

from facelab.course.plots import BLACK, BLUE, GREEN, ORANGE
from facelab.course.widgets.base import LiveWidget, slider, stops
from facelab.course.widgets.picture import LivePicture
from facelab.course.widgets.threshold import HIGH, LOW, STEP, at_or_below

BIN = 0.02
EDGES = np.arange(0, HIGH + BIN / 2, BIN)
KINDS = (
    ("genuine", BLUE, "//"),
    ("impostor", ORANGE, "\\\\"),
    ("stranger", GREEN, ".."),
)


class Size:
    """What is known of a gallery of one size: distances, and rates at each threshold of the grid.

    own       (P,) of each probe to the person it shows
    other     (P,) of each probe to the nearest other person enrolled
    stranger  (S,) of each stranger to the nearest person enrolled
    """

    def __init__(self, own: np.ndarray, other: np.ndarray, stranger: np.ndarray, grid: np.ndarray):
        self.distances = own, other, stranger
        self.tpir = at_or_below(own[own < other], grid) / len(own)
        self.fpir = at_or_below(stranger, grid) / len(stranger)


class OpenSet(LiveWidget):
    """A slider for the threshold and one for the gallery's size.

    gallery    (N, D) a vector of each person who may be enrolled, in the order in which they are
    probes     (P, D) new vectors of the first P of them, P ≥ sizes[0]
    strangers  (S, D) vectors of people who are not among them
    sizes      how many are enrolled, ascending, at most N
    people     how many are enrolled to begin with
    value      where the threshold starts

    tpir, fnir, fpir, tnir  at the threshold and the size shown
    """

    title = "A threshold and a growing gallery"

    def __init__(
        self,
        gallery: np.ndarray,
        probes: np.ndarray,
        strangers: np.ndarray,
        sizes: tuple[int, ...] = (10, 30, 100, 300, 1000, 3000, 5000),
        *,
        people: int = 100,
        value: float = 0.645,
    ):
        self.grid = np.round(np.arange(LOW, HIGH + STEP / 2, STEP), 3)
        self.sizes = {size: self._measure(gallery[:size], probes[:size], strangers) for size in sizes}
        self.threshold = slider(
            "threshold", LOW, HIGH, value=value, step=STEP, tip="The nearest at or below it: that is the name"
        )
        self.size = stops(
            "people enrolled",
            [(f"{size:,}", size) for size in sizes],
            value=people,
            tip="How many people are in the gallery",
        )
        self._draw()
        super().__init__([self.threshold, self.size])

    def _measure(self, gallery: np.ndarray, probes: np.ndarray, strangers: np.ndarray) -> Size:
        cosines = probes @ gallery.T
        rows = np.arange(len(probes))
        own = 1 - cosines[rows, rows]
        cosines[rows, rows] = -1
        return Size(own, 1 - cosines.max(axis=1), 1 - (strangers @ gallery.T).max(axis=1), self.grid)

    # ---- what it is worth where the sliders stand

    @property
    def place(self) -> int:
        return int(np.argmin(np.abs(self.grid - self.threshold.value)))

    @property
    def tpir(self) -> float:
        return float(self.sizes[self.size.value].tpir[self.place])

    @property
    def fpir(self) -> float:
        return float(self.sizes[self.size.value].fpir[self.place])

    @property
    def fnir(self) -> float:
        return 1 - self.tpir

    @property
    def tnir(self) -> float:
        return 1 - self.fpir

    # ---- the picture

    def _draw(self) -> None:
        self.picture = LivePicture(11.0, 5.4)
        with self.picture.styled():
            grid = self.picture.figure.add_gridspec(2, 2, width_ratios=(1.7, 1), height_ratios=(1.15, 1))
            heaps = self.picture.figure.add_subplot(grid[0, 0])
            rates = self.picture.figure.add_subplot(grid[1, 0], sharex=heaps)
            growth = self.picture.figure.add_subplot(grid[:, 1])
            live = self.picture.live
            zeros = np.zeros(len(EDGES) - 1)
            self.heaps = [
                live(heaps.stairs(zeros, EDGES, color=colour, hatch=hatch, lw=2, label=label, fill=False))
                for label, colour, hatch in KINDS
            ]
            heaps.set(xlim=(LOW, HIGH), ylim=(0, 1.1), yticks=[], ylabel="how many")
            heaps.legend(loc="upper right")
            self.rates = [
                live(rates.plot([], [], color=colour, ls=dashes, label=label)[0])
                for colour, dashes, label in ((BLUE, "-", "TPIR"), (GREEN, "--", "TNIR"))
            ]
            rates.set(ylim=(-0.04, 1.04), xlabel="cosine distance", ylabel="rate")
            rates.legend(loc="center right")
            rates.grid(alpha=0.3)
            self.growth = [
                live(growth.plot([], [], marker, color=colour, ls=dashes, ms=8, label=label)[0])
                for marker, colour, dashes, label in (("s", GREEN, "--", "FPIR"), ("o", BLUE, "-", "FNIR"))
            ]
            sizes = list(self.sizes)
            growth.set(
                xscale="log",
                xlim=(sizes[0] / 1.4, sizes[-1] * 1.4),
                ylim=(-0.03, 1.03),
                xlabel="people enrolled",
            )
            growth.set_title("errors at this threshold")
            growth.legend(loc="upper left")
            growth.grid(alpha=0.3)
            self.lines = [live(axes.axvline(0, color=BLACK, lw=2.5)) for axes in (heaps, rates)]
            self.lines.append(live(growth.axvline(1, color=BLACK, lw=2, ls=":")))
            self.dots = [
                live(rates.plot([], [], marker, color=colour, mec=BLACK, ms=11, clip_on=False)[0])
                for marker, colour in (("o", BLUE), ("s", GREEN))
            ]
        for artist in self.picture.artists:
            artist.set_in_layout(False)

    def update(self) -> str:
        t, people, place = self.threshold.value, self.size.value, self.place
        now = self.sizes[people]
        for heap, distances in zip(self.heaps, now.distances, strict=True):
            counts = np.histogram(distances, EDGES)[0]
            heap.set_data(counts / counts.max(), EDGES)
        for curve, rate in zip(self.rates, (now.tpir, 1 - now.fpir), strict=True):
            curve.set_data(self.grid, rate)
        sizes = self.sizes.values()
        for curve, rate in zip(
            self.growth, ([s.fpir[place] for s in sizes], [1 - s.tpir[place] for s in sizes]), strict=True
        ):
            curve.set_data(list(self.sizes), rate)
        for line, x in zip(self.lines, (t, t, people), strict=True):
            line.set_xdata([x, x])
        for dot, rate in zip(self.dots, (self.tpir, self.tnir), strict=True):
            dot.set_data([t], [rate])
        probes, strangers = len(now.distances[0]), len(now.distances[2])
        named, found = round(self.fpir * strangers), round(self.tpir * probes)
        return (
            f"{people:,} people, threshold {t:.3f}. "
            f"Strangers: {named:,} of {strangers:,} get a name (FPIR {self.fpir:.1%}, TNIR {self.tnir:.1%}). "
            f"Enrolled: {found:,} of {probes:,} get their own (TPIR {self.tpir:.1%}, FNIR {self.fnir:.1%})."
        )
