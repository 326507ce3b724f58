"""Three people, three phones, one threshold: who opens whose?"""

import functools

import ipywidgets as widgets
import matplotlib as mpl
import numpy as np
from matplotlib.font_manager import findfont, get_font
from matplotlib.ticker import LogLocator

from facelab.course.lesson07 import Study, plain
from facelab.course.plots import BLACK, BLUE, GREEN, ORANGE, RED, style
from facelab.course.widgets.base import GAP, LABEL, LivePicture, LiveWidget, slider, tick
from facelab.course.widgets.threshold import at_or_below, one_in
from facelab.errors import DatasetError, FacelabError

LOW, HIGH, STEP = 0.0, 1.3, 0.005
EDGES = np.arange(0, 2.03, 0.03)
LETTERS = "ABC"
LOOKS = ((BLUE, "-", "o", "//"), (ORANGE, "--", "s", "\\\\"), (GREEN, "-.", "^", ".."))
"""Colour, dash, marker and hatching of A, B and C, wherever they appear."""

TIP = "Clear the box and type a part of a name; the arrow keys walk through what fits"


def combo(label: str, options: list[str], value: str) -> widgets.Combobox:
    """A box to type in, which takes only one of the options and lists those that fit."""
    return widgets.Combobox(
        value=value,
        options=options,
        ensure_option=True,
        description=label,
        tooltip=TIP,
        placeholder="type a name",
        style=LABEL,
        layout=widgets.Layout(width="17em", margin=GAP),
    )


@functools.cache
def drawable(name: str) -> bool:
    """Whether matplotlib's own font has every letter: it lacks Hangul and kana, which stay in the text."""
    return {ord(letter) for letter in name} <= get_font(findfont("DejaVu Sans")).get_charmap().keys()


class Celebrities(LiveWidget):
    """Any three subjects of a study; one threshold moves over their histograms, their ROC and the counts.

    study      whose subjects can be chosen
    people     three names to begin with, as in `study.names`; its first three if not given
    threshold  where the slider begins

    accepted   (3, 4) int64: photos of A, B, C and everybody else that open the phone of A, B and C
    totals     (3, 4) int64: how many there are of each

    Choosing somebody who is in another box swaps the two. Raises DatasetError when the study has fewer than
    three subjects, or not these.
    """

    title = "Three people and one threshold"

    def __init__(self, study: Study, people: tuple[str, ...] | None = None, threshold: float = 0.62):
        if len(study.names) < 3:
            raise DatasetError(
                f"Three people are compared, and this study has {len(study.names)}: "
                f"{', '.join(study.names) or 'nobody'}.\n" + "\n".join(study.notes)
            )
        self.study = study
        labels = [plain(name) for name in study.names]
        if len(set(labels)) < len(labels):
            labels = list(study.names)
        self.labels = labels
        self.grid = np.round(np.arange(LOW, HIGH + STEP / 2, STEP), 3)
        start = [study.place(name) for name in people or study.names[:3]]
        self.who = [combo(letter, labels, labels[k]) for letter, k in zip(LETTERS, start, strict=True)]
        value = float(np.clip(round(threshold / STEP) * STEP, LOW, HIGH))
        self.threshold = slider(
            "threshold",
            LOW,
            HIGH,
            value=round(value, 3),
            step=STEP,
            tip="This near to a mean opens the phone",
        )
        self.left_out = tick(
            "own photo left out of its mean",
            value=True,
            tip="Off: own photos are compared with a mean that they are part of, as in the slides",
        )
        self._shown = None
        self._draw()
        super().__init__([*self.who, self.threshold, self.left_out])

    def chosen(self) -> list[int]:
        """The three subjects, by their places in the study."""
        return [self._subject(box.value) for box in self.who]

    def _changed(self, change) -> None:
        twice = [box for box in self.who if box is not change.owner and box.value == change.new]
        if twice and not self._quiet:
            with self.together():
                twice[0].value = change.old
            return
        super()._changed(change)

    # ---- what stays, drawn once

    def _draw(self) -> None:
        self.picture = LivePicture(11.0, 6.2)
        with mpl.rc_context(style()):
            left, right = self.picture.figure.subfigures(1, 2, width_ratios=(1.3, 1))
            self.heaps = left.subplots(3, 1)
            self.stairs = [self._lay_heap(axes, row) for row, axes in enumerate(self.heaps)]
            self.heaps[2].set_xlabel("cosine distance from the mean")
            left.legend(
                handles=self.stairs[0][1:] + self.stairs[0][:1],
                labels=["A's photos", "B's", "C's", "everybody else's"],
                loc="outside upper left",
                ncols=4,
                columnspacing=1,
            )
            above, below = right.subplots(2, 1, height_ratios=(2, 1))
            self._lay_roc(above)
            self._lay_table(below)
            self.lines = [self._live(axes.axvline(0, color=BLACK, linewidth=2.5)) for axes in self.heaps]

    def _live(self, artist):
        """Moves with the threshold; the axes keep their places wherever it goes."""
        artist.set_in_layout(False)
        return self.picture.live(artist)

    def _lay_heap(self, axes, row: int) -> list:
        """The outlines of four heaps, still empty: everybody else's photos, then A's, B's and C's."""
        empty = np.zeros(len(EDGES) - 1)
        stairs = [axes.stairs(empty, EDGES, fill=True, color="0.82")]
        for column, (colour, dash, _, hatch) in enumerate(LOOKS):
            looks = {"edgecolor": colour, "linestyle": dash, "linewidth": 2}
            if column == row:
                looks |= {"fill": True, "facecolor": mpl.colors.to_rgba(colour, 0.35), "hatch": hatch}
            stairs.append(axes.stairs(empty, EDGES, **looks))
        axes.set(xlim=(LOW, HIGH), yticks=[])
        axes.tick_params(labelbottom=row == 2)
        axes.set_title(" ", loc="left", fontsize=14)
        return stairs

    def _lay_roc(self, axes) -> None:
        self.roc = axes
        self.curves = [
            axes.plot([], [], color=colour, linestyle=dash, drawstyle="steps-post", label=letter)[0]
            for letter, (colour, dash, *_) in zip(LETTERS, LOOKS, strict=True)
        ]
        self.dots = [
            self._live(axes.plot([], [], marker, color=colour, mec=BLACK, ms=12, clip_on=False)[0])
            for colour, _, marker, _ in LOOKS
        ]
        axes.set(xscale="log", ylim=(0, 1.04), xlabel="false match rate", ylabel="true match rate")
        axes.set_title("ROC of each phone", fontsize=14)
        axes.xaxis.set_major_locator(LogLocator(10))
        axes.grid(alpha=0.3)
        axes.legend(loc="lower right")

    def _lay_table(self, axes) -> None:
        """The headings, and a live text for each count."""
        axes.set_axis_off()
        axes.set(xlim=(0, 1), ylim=(0, 1))
        across, down = (0.42, 0.6, 0.78, 1.0), (0.48, 0.26, 0.04)
        axes.text(0, 0.7, "photos", va="center")
        for x, heading in zip(across, (*LETTERS, "others"), strict=True):
            axes.text(x, 0.92, heading, ha="right", va="center", fontweight="bold")
        self.sums = [axes.text(x, 0.7, "", ha="right", va="center") for x in across]
        self.cells = []
        for y, letter in zip(down, LETTERS, strict=True):
            axes.text(0, y, f"open {letter}", va="center", fontweight="bold")
            self.cells.append([self._live(axes.text(x, y, "", ha="right", va="center")) for x in across])

    # ---- what the controls change

    def update(self) -> str:
        chosen = tuple(self.chosen())
        if len(set(chosen)) < 3:
            raise FacelabError("Choose three different people: one of them is there twice.")
        if (chosen, self.left_out.value) != self._shown:
            self._choose(chosen)
            self._shown = chosen, self.left_out.value
        at = int(np.argmin(np.abs(self.grid - self.threshold.value)))
        self.accepted = self.counts[:, :, at]
        for line in self.lines:
            line.set_xdata([self.threshold.value] * 2)
        for k, dot in enumerate(self.dots):
            dot.set_data([max(self.false[k, at], self.least)], [self.true[k, at]])
        for row, cells in enumerate(self.cells):
            for column, cell in enumerate(cells):
                count, total = self.accepted[row, column], self.totals[row, column]
                wrong = count < total if row == column else count > 0
                cell.set(
                    text=f"{count:,}",
                    color=RED if wrong else BLACK,
                    fontweight="bold" if wrong else "normal",
                )
        return self.words()

    def _subject(self, label: str) -> int:
        """Who is meant by what stands in a box. Raises DatasetError for anybody else."""
        return self.labels.index(label) if label in self.labels else self.study.place(label)

    def _choose(self, chosen: tuple[int, ...]) -> None:
        """Other people: their histograms and curves, and the counts at every threshold of the grid."""
        distances = self.study.distances(self.left_out.value)[list(chosen)]
        groups = [self.study.person == k for k in chosen]
        groups.append(~np.any(groups, axis=0))
        self.totals = np.tile([int(group.sum()) for group in groups], (3, 1))
        self.counts = np.array(
            [[at_or_below(row[group], self.grid) for group in groups] for row in distances]
        )
        own = np.eye(3, 4, dtype=bool)
        self.true = self.counts[own] / self.totals[own][:, None]
        others = np.where(own, 0, self.totals).sum(axis=1)
        self.false = np.where(own[..., None], 0, self.counts).sum(axis=1) / others[:, None]
        self.least = 0.4 / others.max()  # where the logarithmic axis shows a rate of 0
        for row, (axes, stairs) in enumerate(zip(self.heaps, self.stairs, strict=True)):
            densities = [density(distances[row][group]) for group in (groups[3], *groups[:3])]
            for outline, heights in zip(stairs, densities, strict=True):
                outline.set_data(heights)
            axes.set_ylim(0, 1.08 * max(heights.max() for heights in densities))
            name = self.labels[chosen[row]]
            axes.set_title(f"{LETTERS[row]}'s phone" + f": {name}" * drawable(name), loc="left", fontsize=14)
        for text, total in zip(self.sums, self.totals[0], strict=True):
            text.set_text(f"{total:,}")
        for k, curve in enumerate(self.curves):
            curve.set_data(np.maximum(self.false[k], self.least), self.true[k])
        self.roc.set_xlim(self.least, 1.3)
        self.picture.forget()

    def words(self) -> str:
        """The counts in a sentence or two."""
        own = np.eye(3, 4, dtype=bool)
        hits, photos = self.accepted[own].sum(), self.totals[own].sum()
        false, tries = self.accepted[~own].sum(), self.totals[~own].sum()
        said = (
            f"At {self.threshold.value:.3f}: {hits} of {photos} own photos open their owner's phone, "
            f"{photos - hits} are locked out. {false:,} of {tries:,} photos of other people open one too "
            f"({one_in(false / tries)})."
        )
        among = np.where(own, 0, self.accepted)[:, :3]
        if among.any():
            k, j = np.unravel_index(np.argmax(among / self.totals[:, :3]), among.shape)
            phone, visitor = self.who[k].value, self.who[j].value
            said += f" {phone}'s phone opens for {among[k, j]} of {self.totals[k, j]} photos of {visitor}."
        return said


def density(distances: np.ndarray) -> np.ndarray:
    """The heights of a histogram over EDGES with area 1; zeros where there is nothing to count."""
    counts = np.histogram(distances, EDGES)[0]
    return counts / (max(1, counts.sum()) * np.diff(EDGES))
