"""The papers' accuracies with their intervals, and what a larger test would make of them."""

import numpy as np

from facelab.course.lesson08 import PAIRS, differences, reported
from facelab.course.plots import BLACK, BLUE
from facelab.course.widgets.base import LivePicture, LiveWidget, choice, slider, tick
from facelab.metrics import wilson

MOST = 40  # times the benchmark's size


class Papers(LiveWidget):
    """The slides' table as dots with 95 % intervals, best first.

    size     how many times as many pairs the test has (1: as it is)
    strict   whether a difference must survive that all of them are looked at (Bonferroni)

    real     how many of the differences between two rows chance does not explain
    """

    title = "Which differences mean anything"

    def __init__(self):
        self.benchmark = choice("benchmark", list(PAIRS), tip="LFW: 6,000 pairs; YouTube Faces: 5,000")
        self.size = slider("size of the test (times)", 1, MOST, value=1, step=1, tip="1: as it is")
        self.strict = tick("corrected for looking at all", tip="The 5 % divided by the number of differences")
        self.picture = LivePicture(9.6, 4.6)
        with self.picture.styled():
            self.axes = self.picture.figure.add_subplot()
            (self.dots,) = self.axes.plot([], [], "o", color=BLACK, ms=8)
            self.bars = self.axes.hlines([], [], [], color=BLUE, lw=5, alpha=0.7)
        for artist in (self.bars, self.dots):
            self.picture.live(artist).set_in_layout(False)
        self._drawn = None
        super().__init__([self.benchmark, self.size, self.strict])

    def _rows(self) -> None:
        """What changes with the benchmark only: names, and the range of the axis."""
        rows, pairs = reported(self.benchmark.value), PAIRS[self.benchmark.value]
        self.right = 1 - np.array([paper.wrong(self.benchmark.value) for paper in rows]) / pairs
        low, high = wilson(self.right * pairs, pairs)
        self.axes.set_yticks(range(len(rows)), [paper.method for paper in rows])
        self.axes.set_ylim(len(rows) - 0.5, -0.5)
        self.axes.set_xlim(100 * low.min() - 0.1, min(100.05, 100 * high.max() + 0.1))
        self.axes.set_xlabel(f"accuracy on {self.benchmark.value}, %")
        self.axes.grid(axis="x", alpha=0.3)
        self.picture.forget()
        self._drawn = self.benchmark.value

    @property
    def real(self) -> int:
        return self._count(differences(self.benchmark.value, self.size.value))

    def _count(self, found: dict) -> int:
        level = 0.05 / (len(found) if self.strict.value else 1)
        return sum(chance < level for chance in found.values())

    def update(self) -> str:
        if self._drawn != self.benchmark.value:
            self._rows()
        pairs = PAIRS[self.benchmark.value] * self.size.value
        low, high = wilson(self.right * pairs, pairs)
        places = np.arange(len(self.right))
        self.dots.set_data(100 * self.right, places)
        self.bars.set_segments(
            [[(100 * a, y), (100 * b, y)] for a, b, y in zip(low, high, places, strict=True)]
        )
        found = differences(self.benchmark.value, self.size.value)
        first, second = (paper.method for paper in reported(self.benchmark.value)[:2])
        chance = found[first, second]
        allowed = "5 % shared among all differences" if self.strict.value else "5 %"
        return (
            f"{pairs:,} pairs. Of {len(found)} differences between two rows, {self._count(found)} are larger "
            f"than chance makes them ({allowed}). {first} against {second}: two equally good methods would "
            f"differ so much with probability {chance:.2g}."
        )
