"""A gallery that grows: the false match rate that it asks for, and where the threshold must go for it."""

import numpy as np

from facelab.course.lesson11.extremes import Tail, fit
from facelab.course.plots import BLACK, BLUE, GREEN, ORANGE
from facelab.course.widgets.base import LiveWidget, choice, slider
from facelab.course.widgets.picture import LivePicture

LOOKS = ((BLUE, "-", "o"), (ORANGE, "--", "s"))


class Growth(LiveWidget):
    """A slider over the size of the gallery, and one over where the tail begins.

    tails     name → the most alike of all pairs of different people
    genuine   name → (P,) cosines of pairs of one person

    needed, thresholds  the false match rate asked for; name → the cosine
    """

    title = "A growing gallery"

    def __init__(self, tails: dict[str, Tail], genuine: dict[str, np.ndarray], fpir: float = 0.01):
        self.tails, self.genuine, self.fpir = tails, genuine, fpir
        self.people = slider(
            "people, powers of ten",
            1.0,
            9.0,
            value=4.0,
            step=0.25,
            tip="10 to the power of this many enrolled",
        )
        starts = (("1 pair in 1,000", 1e-3), ("1 pair in 10,000", 1e-4), ("1 pair in 100,000", 1e-5))
        self.start = choice("the tail begins at", starts, tip="Pairs to which the curve is fitted")
        self.fits = {(name, share): fit(tail, share) for name, tail in tails.items() for _, share in starts}
        self.picture = LivePicture(10.5, 5.2)
        with self.picture.styled():
            axes = self.picture.figure.add_subplot()
            axes.set(yscale="log", xlim=(0.33, 1.02), ylim=(5e-12, 2e-3), xlabel="cosine of two people")
            axes.set(ylabel="share of pairs above it (FMR)")
            axes.grid(alpha=0.3)
            live = self.picture.live
            self.lines, self.dots = {}, {}
            for (name, tail), (colour, dashes, mark) in zip(tails.items(), LOOKS, strict=True):
                some = np.unique(np.geomspace(1, len(tail.cosines), 60).astype(int)) - 1
                axes.plot(
                    tail.cosines[some],
                    (some + 1) / tail.pairs,
                    mark,
                    ms=5,
                    color=colour,
                    label=f"{name}, measured",
                )
                self.lines[name] = live(
                    axes.plot([], [], dashes, color=colour, label=f"{name}, continued")[0]
                )
                self.dots[name] = live(axes.plot([], [], "D", ms=11, color=colour, mec=BLACK)[0])
            self.level = live(axes.axhline(1e-6, color=GREEN, lw=2))
            axes.legend(loc="upper right")
            self._grid = np.linspace(0, 0.7, 141)
        super().__init__([self.people, self.start])

    @property
    def needed(self) -> float:
        return float(-np.expm1(np.log1p(-self.fpir) / 10**self.people.value))

    @property
    def thresholds(self) -> dict[str, float]:
        return {
            name: float(self.fits[name, self.start.value].threshold(min(self.needed, self.start.value)))
            for name in self.tails
        }

    def update(self) -> str:
        words = []
        for name, cosine in self.thresholds.items():
            curve = self.fits[name, self.start.value]
            self.lines[name].set_data(curve.start + self._grid, curve.fmr(curve.start + self._grid))
            self.dots[name].set_data([min(cosine, 1.02)], [self.needed])
            if self.needed > self.start.value:
                words.append(f"{name}: measured pairs answer that (lesson 09)")
            elif cosine >= 1:
                words.append(f"{name}: a cosine of {cosine:.2f}, and there is none above 1")
            else:
                missed = float(np.mean(self.genuine[name] < cosine))
                words.append(f"{name}: cosine {cosine:.3f}, {missed:.1%} of own photos lie below")
        self.level.set_ydata([self.needed, self.needed])
        return (
            f"{10**self.people.value:,.0f} people, FPIR {self.fpir:.0%}: a false match rate of "
            f"{self.needed:.1e}. " + "; ".join(words) + "."
        )
