"""A guess typed in before the answer is known; afterwards the answer beside it, and the class's guesses."""

import ipywidgets as widgets
import numpy as np

from facelab.course import record
from facelab.course.language import translated
from facelab.course.plots import BLACK, BLUE, GREEN, ORANGE
from facelab.course.widgets.base import GAP, LABEL, LiveWidget
from facelab.course.widgets.picture import LivePicture

BINS = 20


class Guess(LiveWidget):
    """A number, guessed; `reveal(answer)` shows what it was.

    key        under which it is kept ("09-strangers"); see `facelab.course.record`
    question   one line
    unit       of the number; "" if it has none
    low, high  what can be guessed
    powers     a scale of powers of ten

    guess, answer   the numbers, or None
    """

    title = "Your guess"

    def __init__(
        self,
        key: str,
        question: str,
        unit: str = "%",
        low: float = 0,
        high: float = 100,
        powers: bool = False,
    ):
        self.key, self.question, self.unit, self.powers = key, question, unit, powers
        self.low, self.high = low, high
        self.answer: float | None = None
        kept = record.own_guess(key)
        self.guess = kept if kept is not None and low <= kept <= high else None
        start = (
            self.guess if self.guess is not None else ((low * high) ** 0.5 if powers else (low + high) / 2)
        )
        self.number = widgets.BoundedFloatText(
            value=round(start, 3), min=low, max=high,
            description=f"your guess ({unit})" if unit else "your guess", tooltip=question,
            style=LABEL, layout=widgets.Layout(width="16em", margin=GAP),
        )  # fmt: skip
        self.keep = widgets.ToggleButton(
            value=self.guess is not None, description="That is my guess", icon="check",
            tooltip="Kept on this machine, without a name", layout=widgets.Layout(width="auto", margin=GAP),
        )  # fmt: skip
        self._draw()
        super().__init__([self.number, self.keep])
        self.add_class("facelab-guess")

    def _draw(self) -> None:
        self.picture = LivePicture(9.0, 2.3)
        with self.picture.styled():
            axes = self.picture.figure.add_subplot()
            axes.set(xlim=(self.low, self.high), ylim=(0, 1.25), yticks=[])
            axes.set(xlabel=f"{self.question}{f' ({self.unit})' if self.unit else ''}")
            if self.powers:
                axes.set(xscale="log")
                self.edges = np.geomspace(self.low, self.high, BINS + 1)
            else:
                self.edges = np.linspace(self.low, self.high, BINS + 1)
            live = self.picture.live
            self.heap = live(axes.stairs(np.zeros(BINS), self.edges, fill=True, color=ORANGE, alpha=0.5))
            self.mine = live(axes.plot([], [], "D", ms=13, color=BLUE, mec=BLACK)[0])
            self.truth = live(axes.plot([], [], color=GREEN, lw=4)[0])
            place = {"ha": "center", "va": "bottom", "fontsize": 13}
            self.words = live(axes.text(self.low, 1.02, "", color=GREEN, weight="bold", **place))

    def _changed(self, change) -> None:
        if change.owner is self.number and self.keep.value and self.answer is None:
            self.keep.value = False  # another number is another guess: to be pressed again
            return
        if self.keep.value and self.answer is None:
            self.guess = float(self.number.value)
            record.guess(self.key, self.guess)
        super()._changed(change)

    def reveal(self, answer: float, say: bool = True) -> None:
        """What it was: drawn into the widget, and printed."""
        self.answer = float(answer)
        if self.guess is None and self.keep.value:
            self.guess = float(self.number.value)
        self.redraw()
        if say:
            print(translated(self.verdict()))

    def verdict(self) -> str:
        unit = f" {self.unit}" if self.unit else ""
        it = f"{self.question} It is {self.answer:,.3g}{unit}."
        if self.guess is None:
            return f"{it} (You made no guess.)"
        return f"{it} You guessed {self.guess:,.3g}{unit}: {self._apart()}."

    def _apart(self) -> str:
        assert self.answer is not None
        assert self.guess is not None
        if self.powers and self.guess > 0 and self.answer > 0:
            factor = max(self.guess / self.answer, self.answer / self.guess)
            return (
                "right"
                if factor < 1.1
                else f"{factor:,.2g} times too {'much' if self.guess > self.answer else 'little'}"
            )
        away = self.guess - self.answer
        near = 0.02 * (self.high - self.low)
        return "right" if abs(away) <= near else f"{abs(away):,.2g} too {'much' if away > 0 else 'little'}"

    def update(self) -> str:
        shown = self.answer is not None
        x = self.guess if shown and self.guess is not None else self.number.value
        self.mine.set_data([x], [0.25])
        everybody = np.clip(record.class_guesses(self.key), self.low, self.high) if shown else np.zeros(0)
        counts = np.histogram(everybody, self.edges)[0]
        self.heap.set_data(counts / max(1, counts.max()))
        self.truth.set_data([self.answer] * 2 if shown else [], [0, 1] if shown else [])
        self.words.set_text(f"{self.answer:,.3g}" if shown else "")
        if shown:
            self.words.set_x(min(max(self.answer, self.low), self.high))
            if not len(everybody):
                return self.verdict()
            low, high = np.quantile(everybody, (0.25, 0.75))
            return self.verdict() + (
                f" {len(everybody)} in the class have guessed; half of them between {low:,.3g} and "
                f"{high:,.3g}."
            )
        if self.keep.value:
            return f"{self.question} You say {self.number.value:,.3g}. Now run the next cell."
        return f"{self.question} Type a number and press the button; then run the next cell."
