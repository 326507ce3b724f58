"""One threshold, and everything that it decides: two histograms, a point of the DET curve, four counts."""

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from facelab.course.plots import BLACK, BLUE, COLOURS, DASHES, ORANGE
from facelab.course.widgets.base import LivePicture, LiveWidget, choice, slider
from facelab.metrics import det

LOW, HIGH, STEP = -0.2, 1.0, 0.005
BIN = 0.02
TICKS = (0.001, 0.01, 0.05, 0.2, 0.5)
EDGE = 2e-4  # the smallest rate that the DET axes show


def deviate(rate) -> np.ndarray:
    """The normal deviate of a rate, for DET axes; what lies beyond the axes' edge is brought to it."""
    from scipy.special import ndtri

    return ndtri(np.clip(rate, EDGE, 1 - EDGE))


def det_axes(axes: Axes, most: float = 0.8) -> Axes:
    """Axes for DET curves (Martin et al., 1997): both rates on the scale of normal deviates."""
    for set_ticks, limits in ((axes.set_xticks, axes.set_xlim), (axes.set_yticks, axes.set_ylim)):
        set_ticks(deviate(TICKS), [f"{tick:.1%}" if tick < 0.01 else f"{tick:.0%}" for tick in TICKS])
        limits(deviate(EDGE), deviate(most))
    axes.set(xlabel="FMR (false accepts)", ylabel="FNMR (false rejects)")
    axes.grid(alpha=0.3)
    return axes


def draw_det(axes: Axes, scores, same, **look) -> None:
    """A DET curve on `det_axes`."""
    curve = det(scores, same)
    axes.plot(deviate(curve.fmr), deviate(curve.fnmr), **look)


class Rates(LiveWidget):
    """A threshold over the scores of one or more sets of pairs.

    sets   {name: (scores (N,), same (N,) bool)}
    value  where the slider begins

    counts  (accepted, rejected) of the pairs of the same person, then of different people
    """

    title = "One threshold, four counts"

    def __init__(self, sets: Mapping[str, tuple[np.ndarray, np.ndarray]], value: float):
        self.sets = {
            name: (np.asarray(scores), np.asarray(same, bool)) for name, (scores, same) in sets.items()
        }
        self.pairs = choice("pairs", list(sets), tip="Which pairs are judged")
        self.threshold = slider(
            "threshold",
            LOW,
            HIGH,
            value=value,
            step=STEP,
            tip="A score at or above it counts as the same person",
        )
        self.picture = LivePicture(10.8, 4.7)
        with self.picture.styled():
            self._draw()
        self._drawn = next(iter(self.sets))
        super().__init__([self.pairs, self.threshold])

    def _draw(self) -> None:
        figure = self.picture.figure
        self.above, self.curve, self.table = figure.subplots(1, 3, width_ratios=(5, 3.8, 2.6))
        self.edges = np.arange(LOW, HIGH + BIN / 2, BIN)
        first = next(iter(self.sets))
        self.shapes = []
        for same, colour, hatch, label in (
            (True, BLUE, "//", "same person"),
            (False, ORANGE, "\\\\", "different people"),
        ):
            heights = self._density(first, same)
            outline = self.above.stairs(heights, self.edges, color=colour, lw=2, hatch=hatch, label=label)
            wrong = self.picture.live(
                self.above.stairs(heights, self.edges, fill=True, color=colour, alpha=0.8, ec=BLACK)
            )
            self.shapes.append((same, outline, wrong))
        self.above.set(xlim=(LOW, HIGH), yticks=[], xlabel="score (cosine)")
        self.above.set_ylim(
            0, 1.08 * max(self._density(n, s).max() for n in self.sets for s in (True, False))
        )
        self.above.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2)
        det_axes(self.curve)
        for (name, (scores, same)), colour, dashes in zip(
            self.sets.items(), COLOURS[2:], DASHES, strict=False
        ):
            draw_det(self.curve, scores, same, color=colour, linestyle=dashes, label=name)
        self.curve.legend(loc="upper right")
        self.mark = self.picture.live(self.above.axvline(0, color=BLACK, lw=2.5))
        (self.dot,) = self.curve.plot([], [], "o", color=BLACK, ms=12, mfc="none", mew=3, clip_on=False)
        self.picture.live(self.dot)
        self._draw_table()
        for artist in self.picture.artists:
            artist.set_in_layout(False)
        figure.draw_without_rendering()
        figure.set_layout_engine("none")  # the axes keep their places when the pairs change

    def _draw_table(self) -> None:
        """Rows: what is true. Columns: what was decided. The errors have the histograms' colours."""
        self.table.set(xlim=(-0.25, 2.03), ylim=(2.9, 0))
        self.table.set_axis_off()
        self.numbers = []
        for x, head in enumerate(("accepted", "rejected")):
            self.table.text(x + 0.5, 0.25, head, ha="center", va="center", fontsize=13)
        for y, (truth, colour) in enumerate((("same", BLUE), ("different", ORANGE))):
            self.table.text(-0.08, 1 + y, truth, ha="right", va="center", fontsize=13, rotation=90)
            for x in range(2):
                face = colour if x != y else "none"
                self.table.add_patch(Rectangle((x, y + 0.5), 1, 1, fc=face, ec=BLACK, alpha=0.5))
                number = self.table.text(x + 0.5, y + 1, "", ha="center", va="center", fontsize=17)
                self.numbers.append(self.picture.live(number))

    def _density(self, name: str, same: bool) -> np.ndarray:
        scores, truth = self.sets[name]
        values = np.clip(scores[truth == same], LOW, HIGH - 1e-9)
        return np.histogram(values, self.edges)[0] / (len(values) * BIN)

    @property
    def counts(self) -> tuple[int, int, int, int]:
        scores, same = self.sets[self.pairs.value]
        accepted = scores >= self.threshold.value - 1e-9
        return tuple(
            int(n.sum()) for n in (accepted & same, ~accepted & same, accepted & ~same, ~accepted & ~same)
        )

    def update(self) -> str:
        name, t = self.pairs.value, self.threshold.value
        if name != self._drawn:
            for same, *shapes in self.shapes:
                for shape in shapes:
                    shape.set_data(self._density(name, same))
            self.picture.forget()
            self._drawn = name
        counts = self.counts
        hit, missed, let_in, kept_out = counts
        top = self.above.get_ylim()[1]
        for (_, _, wrong), (start, end) in zip(self.shapes, ((LOW, t), (t, HIGH)), strict=True):
            wrong.set_clip_path(Rectangle((start, 0), end - start, top, transform=self.above.transData))
        self.mark.set_xdata([t, t])
        fmr, fnmr = let_in / (let_in + kept_out), missed / (hit + missed)
        self.dot.set_data([deviate(fmr)], [deviate(fnmr)])
        for number, count in zip(self.numbers, counts, strict=True):
            number.set_text(f"{count:,}")
        right = (hit + kept_out) / sum(counts)
        return (
            f"{name}, threshold {t:.3f}: TAR {1 - fnmr:.2%}, TRR {1 - fmr:.2%}, accuracy {right:.2%}. "
            f"{missed:,} of {hit + missed:,} pairs of the same person are rejected, {let_in:,} of "
            f"{let_in + kept_out:,} pairs of different people accepted."
        )
