"""People without names: what a grouping is worth over the cosine that joins two faces."""

import numpy as np

from facelab.course.lesson11.grouping import Grouping
from facelab.course.plots import BLACK, BLUE, ORANGE
from facelab.course.widgets.base import LiveWidget, choice, slider
from facelab.course.widgets.picture import LivePicture

NAMES = {"components": "connected components", "whispers": "Chinese Whispers"}


class GroupPeople(LiveWidget):
    """A slider over the smallest cosine that joins two faces.

    sweeps      method → a Grouping for each threshold (`lesson11.grouping.sweep`)
    thresholds  evenly spaced, ascending
    truth       (photos, people, photos of whoever has most)

    at          method → the Grouping where the slider stands
    """

    title = "Faces into people"

    def __init__(self, sweeps: dict[str, list[Grouping]], thresholds, truth: tuple[int, int, int]):
        self.sweeps, self.grid, self.truth = sweeps, np.asarray(thresholds), truth
        step = round(float(self.grid[1] - self.grid[0]), 4)
        self.threshold = slider(
            "joined from a cosine of", float(self.grid[0]), float(self.grid[-1]), value=float(self.grid[0]),
            step=step, tip="Two faces at least so alike are joined by an edge",
        )  # fmt: skip
        self.score = choice("measured by", (("B-cubed F", "b3"), ("pairs: F", "pairs")))
        self.picture = LivePicture(11.0, 4.8)
        with self.picture.styled():
            left, right = self.picture.figure.subplots(1, 2)
            left.set(xlim=(self.grid[0], self.grid[-1]), ylim=(0, 104), xlabel="cosine", ylabel="F, %")
            right.set(xlim=(self.grid[0], self.grid[-1]), yscale="log", xlabel="cosine")
            right.set(ylabel="photos in the largest group", ylim=(100, 2 * truth[0]))
            right.axhline(truth[2], color=BLACK, ls=":", lw=2)
            right.text(self.grid[-1], truth[2] * 0.9, "in truth", ha="right", va="top", fontsize=12)
            live = self.picture.live
            self.lines, self.dots = {}, {}
            looks = ((BLUE, "-", "o"), (ORANGE, "--", "s"))
            for (method, rows), (colour, dashes, mark) in zip(sweeps.items(), looks, strict=True):
                self.lines[method] = live(left.plot([], [], dashes, color=colour, label=NAMES[method])[0])
                right.plot(self.grid, [row.largest for row in rows], dashes, color=colour)
                self.dots[method] = [
                    live(axes.plot([], [], mark, ms=10, color=colour, mec=BLACK)[0]) for axes in (left, right)
                ]
            left.legend(loc="lower right")
            for axes in (left, right):
                axes.grid(alpha=0.3)
        super().__init__([self.threshold, self.score])

    @property
    def place(self) -> int:
        return int(np.argmin(np.abs(self.grid - self.threshold.value)))

    @property
    def at(self) -> dict[str, Grouping]:
        return {method: rows[self.place] for method, rows in self.sweeps.items()}

    def update(self) -> str:
        words, x = [], self.grid[self.place]
        for method, rows in self.sweeps.items():
            scores = [getattr(row, self.score.value) for row in rows]
            self.lines[method].set_data(self.grid, [100 * score.f for score in scores])
            row, score = rows[self.place], scores[self.place]
            for dot, y in zip(self.dots[method], (100 * score.f, row.largest), strict=True):
                dot.set_data([x], [y])
            words.append(
                f"{NAMES[method]}: {row.groups:,} groups, the largest {row.largest:,}; precision "
                f"{score.precision:.1%}, recall {score.recall:.1%}, F {score.f:.1%}"
            )
        return f"From {x:.2f} on. " + "; ".join(words) + ". " + f"(In truth {self.truth[1]:,} people.)"
