"""Where to put the threshold: two distributions, one line between them, and the two errors it makes."""

import matplotlib as mpl
import numpy as np
from matplotlib.patches import Rectangle
from matplotlib.ticker import LogLocator

from facelab.course.plots import BLACK, BLUE, ORANGE, style
from facelab.course.widgets.base import LivePicture, LiveWidget, choice, slider

LOW, HIGH, STEP = 0.0, 1.2, 0.005
BIN = 0.02  # width of a bar; a multiple of STEP

USES = (
    ("a phone: 1 person enrolled", 1),
    ("an office door: 200 people", 200),
    ("a search among 100,000 people", 100_000),
    ("a search among 10,000,000 people", 10_000_000),
)
"""What the threshold is for, and how many strangers one photo is compared with there."""


def pairwise_distances(vectors: np.ndarray) -> np.ndarray:
    """The cosine distance of each row with each other row: (N, D) unit vectors → (N(N−1)/2,) float32."""
    blocks = []
    for start in range(0, len(vectors), 512):
        block = 1 - vectors[start : start + 512] @ vectors.T
        later = np.arange(len(vectors)) > start + np.arange(len(block))[:, None]
        blocks.append(block[later])
    return np.concatenate(blocks)


def at_or_below(distances: np.ndarray, grid: np.ndarray) -> np.ndarray:
    """How many distances are ≤ each number of the (ascending) grid: (len(grid),) int64."""
    first = np.searchsorted(grid, distances)  # the first grid number that is not smaller
    return np.cumsum(np.bincount(first, minlength=len(grid) + 1)[: len(grid)])


def shown(rate):
    """The rate, or nan where it is 0: a logarithmic axis has no place for that."""
    return np.where(np.asarray(rate) > 0, rate, np.nan)


def one_in(rate: float) -> str:
    """`1 in 1,000`, to three figures; percentages where that reads better."""
    if rate == 0:
        return "none seen"
    return f"{rate:.1%}" if rate > 0.02 else f"1 in {float(f'{1 / rate:.3g}'):,.0f}"


def count(expected: float) -> str:
    """An expected number, to three figures: `0.00012`, `1.5`, `97,300`."""
    rounded = float(f"{expected:.3g}")
    if rounded == 0:
        return "0"
    return f"{rounded:,.0f}" if rounded >= 100 else np.format_float_positional(rounded, trim="-")


class Threshold(LiveWidget):
    """A slider over two histograms of distances, with both error rates below and in words.

    genuine, impostor  (N,), (M,) cosine distances of pairs of the same person and of different people
    value              where the slider starts

    fmr   share of the impostor pairs at or below the threshold: taken for the same person
    fnmr  share of the genuine pairs above it: missed
    """

    title = "Where to put the threshold"

    def __init__(self, genuine: np.ndarray, impostor: np.ndarray, value: float = 0.5):
        self.grid = np.round(np.arange(LOW, HIGH + STEP / 2, STEP), 3)
        self.pairs = len(genuine), len(impostor)
        self.missed = len(genuine) - at_or_below(genuine, self.grid)
        self.matched = at_or_below(impostor, self.grid)
        value = float(np.round(np.clip(np.round(value / STEP) * STEP, LOW, HIGH), 3))
        self.threshold = slider(
            "threshold",
            LOW,
            HIGH,
            value=value,
            step=STEP,
            tip="A distance at or below this counts as the same person",
        )
        self.use = choice("used for", USES, tip="How many strangers one photo is compared with")
        with mpl.rc_context(style()):
            self._draw(genuine, impostor)
        super().__init__([self.threshold, self.use])

    @property
    def place(self) -> int:
        """Where on the grid the slider stands."""
        return int(np.argmin(np.abs(self.grid - self.threshold.value)))

    @property
    def fmr(self) -> float:
        return float(self.matched[self.place] / self.pairs[1])

    @property
    def fnmr(self) -> float:
        return float(self.missed[self.place] / self.pairs[0])

    def _draw(self, genuine: np.ndarray, impostor: np.ndarray) -> None:
        """What stays, drawn once; and the artists that `update` moves."""
        self.picture = LivePicture(9.2, 5.6)
        above, below = self.picture.figure.subplots(2, 1, sharex=True, height_ratios=(3, 2))
        edges = np.arange(0, 2 + BIN / 2, BIN)
        self.errors = []
        for values, colour, hatch, label in (
            (genuine, BLUE, "//", "same person"),
            (impostor, ORANGE, "\\\\", "different people"),
        ):
            density = np.histogram(values, edges)[0] / (len(values) * BIN)
            above.stairs(density, edges, fill=True, color=colour, alpha=0.3)
            above.stairs(density, edges, color=colour, linewidth=2, hatch=hatch, label=label)
            wrong = above.stairs(density, edges, fill=True, color=colour, edgecolor=BLACK)
            self.errors.append(self.picture.live(wrong))
        above.set(xlim=(LOW, HIGH), ylim=(0, None), yticks=[], ylabel="density")
        above.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2)
        for errors, pairs, colour, dashes, label in (
            (self.missed, self.pairs[0], BLUE, "-", "FNMR: missed"),
            (self.matched, self.pairs[1], ORANGE, "--", "FMR: let through"),
        ):
            below.semilogy(self.grid, shown(errors / pairs), color=colour, linestyle=dashes, label=label)
        below.set(ylim=(1e-6, 2), xlabel="cosine distance", ylabel="error rate")
        below.yaxis.set_major_locator(LogLocator(100))
        below.grid(alpha=0.3)
        below.legend(loc="lower left")
        self.axes = above, below
        self.lines = [
            self.picture.live(axes.axvline(0, color=BLACK, linewidth=2.5, linestyle=dashes))
            for axes, dashes in ((above, "-"), (below, ":"))
        ]
        self.dots = [
            self.picture.live(below.plot([], [], marker, color=colour, mec=BLACK, ms=11, clip_on=False)[0])
            for marker, colour in (("o", BLUE), ("s", ORANGE))
        ]
        box = {"facecolor": "white", "edgecolor": BLACK, "pad": 3}
        self.tag = self.picture.live(above.text(0, 0.97, "", ha="center", va="top", bbox=box))
        self.tag.set_transform(above.get_xaxis_transform())
        for artist in self.picture.artists:
            artist.set_in_layout(False)  # the axes keep their places wherever the slider begins

    def update(self) -> str:
        t, fmr, fnmr = self.threshold.value, self.fmr, self.fnmr
        above, _ = self.axes
        top = above.get_ylim()[1]
        for wrong, (start, end) in zip(self.errors, ((t, HIGH), (LOW, t)), strict=True):
            wrong.set_clip_path(Rectangle((start, 0), end - start, top, transform=above.transData))
        for line in self.lines:
            line.set_xdata([t, t])
        for dot, rate in zip(self.dots, (fnmr, fmr), strict=True):
            dot.set_data([t], [shown(rate)])
        self.tag.set(x=t, text=f"{t:.3f}")
        matched, missed, people = self.matched[self.place], self.missed[self.place], self.use.value
        alarms = count(people * fmr)
        if people == 1:
            meaning = f"One stranger's one try succeeds with probability {alarms}."
        else:
            meaning = f"One photo compared with {people:,} strangers: {alarms} false alarms expected."
        genuine, impostor = self.pairs
        return (
            f"At {t:.3f}: {missed:,} of {genuine:,} same-person pairs are missed (FNMR {one_in(fnmr)}), "
            f"{matched:,} of {impostor:,} different-people pairs get through (FMR {one_in(fmr)}). " + meaning
        )
