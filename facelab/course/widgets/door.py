"""A door with a detector of attacks: where to set its threshold, and who stands before it anyway."""

import numpy as np

from facelab import metrics
from facelab.antispoof import BONA_FIDE
from facelab.course.plots import BLACK, BLUE, GREEN, ORANGE
from facelab.course.widgets.base import LiveWidget, slider
from facelab.course.widgets.picture import LivePicture

VISITORS = 10_000


class Door(LiveWidget):
    """A slider over the detector's threshold, and one over how many of the visitors are attackers.

    scores  (N,) live scores, 0 … 1
    kinds   (N,): the kind of attack of each, or "bona fide"

    rates   the rates at the threshold, `facelab.metrics.AttackRates`
    """

    title = "A door's threshold"

    def __init__(self, scores: np.ndarray, kinds: np.ndarray, threshold: float = 0.5):
        self.scores, self.kinds = np.asarray(scores), np.asarray(kinds)
        self.names = [BONA_FIDE, *sorted(set(self.kinds.tolist()) - {BONA_FIDE})]
        self.threshold = slider("threshold", 0.0, 1.0, value=round(threshold, 2), step=0.01)
        self.attackers = slider(
            "attackers, powers of ten", -4.0, -0.25, value=-3.0, step=0.25, tip="Their share among visitors"
        )
        self.picture = LivePicture(10.4, 4.2)
        with self.picture.styled():
            dots, bars = self.picture.figure.subplots(1, 2, width_ratios=(1.4, 1))
            rng = np.random.default_rng(0)
            for row, name in enumerate(self.names):
                own = self.scores[self.kinds == name]
                own = own if len(own) <= 300 else rng.choice(own, 300, replace=False)
                colour = GREEN if name == BONA_FIDE else BLUE
                dots.plot(own, row + rng.uniform(-0.3, 0.3, len(own)), ".", color=colour, ms=5, alpha=0.6)
            rows = range(len(self.names))
            dots.set(yticks=rows, yticklabels=self.names, xlim=(-0.02, 1.02), xlabel="score")
            bars.set(yticks=rows, yticklabels=[], xlim=(0, 100), xlabel="decided wrongly, %")
            for axes in (dots, bars):
                axes.set_ylim(len(self.names) - 0.5, -0.5)
            live = self.picture.live
            self._line = live(dots.axvline(threshold, color=BLACK, ls="--", lw=2))
            colours = [GREEN] + [ORANGE] * (len(self.names) - 1)
            self._bars = [live(bar) for bar in bars.barh(rows, [0] * len(self.names), 0.6, color=colours)]
        super().__init__([self.threshold, self.attackers])

    def update(self) -> str:
        at = self.threshold.value
        self.rates = metrics.attack_rates(self.scores, self.kinds, at)
        wrong = [float(self.rates.bpcer), *(float(self.rates.apcer[name]) for name in self.names[1:])]
        for bar, value in zip(self._bars, wrong, strict=True):
            bar.set_width(100 * value)
        self._line.set_xdata([at, at])
        attacks = VISITORS * 10**self.attackers.value
        honest = (VISITORS - attacks) * wrong[0]
        worst = self.rates.worst
        return (
            f"BPCER {wrong[0]:.1%}; worst APCER {float(self.rates.apcer[worst]):.1%} ({worst}). Of "
            f"{VISITORS:,} visitors {attacks:,.0f} attack. Turned away: {honest:,.0f} honest people, and "
            f"{attacks * (1 - float(self.rates.apcer[worst])):,.0f} attackers, if all take the worst kind."
        )
