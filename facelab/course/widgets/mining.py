"""Three ways of mining, epoch by epoch: where the pairs of one person and of two people lie."""

import matplotlib as mpl
import numpy as np

from facelab.course.lesson02 import shares, squared_distances
from facelab.course.plots import BLACK, BLUE, GREEN, ORANGE, RED, style
from facelab.course.widgets.base import LivePicture, LiveWidget, slider
from facelab.training import History

BINS = np.linspace(0, 4, 61)
TOP = 2.4  # of the density axis; a collapsed network's heap reaches far beyond it
LOOKS = {"easy": (GREEN, "-"), "semi-hard": (ORANGE, "--"), "hard": (RED, ":")}


class MiningReplay(LiveWidget):
    """A slider over the epochs of several runs, side by side.

    runs      {name: History}: runs with the same epochs, whose snapshots hold the same photos
    triplets  (3, T) rows of those photos
    margin    α

    Above: the densities of d1 (anchor and positive) and d2 (anchor and negative). Below: the shares of easy,
    semi-hard and hard triplets.
    """

    title = "Three ways of mining, epoch by epoch"

    def __init__(self, runs: dict[str, History], triplets: np.ndarray, margin: float):
        self.names = list(runs)
        self.measured = {name: self._measure(run, triplets, margin) for name, run in runs.items()}
        epochs = min(len(run.snapshots) for run in runs.values()) - 1
        self.epoch = slider("epoch", 0, epochs, value=0, step=1, tip="0 is before the first step")
        with mpl.rc_context(style()):
            self._draw(epochs)
        super().__init__([self.epoch])

    @staticmethod
    def _measure(run: History, triplets: np.ndarray, margin: float) -> list[dict]:
        """For each snapshot: two densities (60,), the shares, and the median d2."""
        rows = []
        for snapshot in run.snapshots:
            d1, d2 = squared_distances(snapshot.embeddings, triplets)
            densities = [np.histogram(d, BINS, density=True)[0] for d in (d1, d2)]
            rows.append(
                {"densities": densities, "shares": shares(d1, d2, margin), "d2": float(np.median(d2))}
            )
        return rows

    def shares_of(self, name: str) -> dict[str, float]:
        """The shares of one run at the epoch on the slider."""
        return self.measured[name][self.epoch.value]["shares"]

    def _draw(self, epochs: int) -> None:
        self.picture = LivePicture(11, 5.6)
        grid = self.picture.figure.subplots(
            2, len(self.names), sharex="row", sharey="row", height_ratios=(1, 1), squeeze=False
        )
        self.heaps, self.cursors = [], []
        for column, name in enumerate(self.names):
            above, below = grid[:, column]
            above.set(title=name, ylim=(0, TOP), xlim=(0, 4), yticks=[], xlabel="squared distance")
            pair = []
            for colour, hatch, label in ((BLUE, "//", "d1: same person"), (ORANGE, "\\\\", "d2: two people")):
                fill = above.stairs(np.zeros(60), BINS, fill=True, color=colour, alpha=0.35)
                edge = above.stairs(np.zeros(60), BINS, color=colour, lw=2, hatch=hatch, label=label)
                pair.append([self.picture.live(fill), self.picture.live(edge)])
            self.heaps.append(pair)
            for kind, (colour, dashes) in LOOKS.items():
                values = [row["shares"][kind] for row in self.measured[name]]
                below.plot(values, color=colour, linestyle=dashes, label=kind)
            below.set(ylim=(-0.03, 1.03), xlim=(0, epochs), xlabel="epoch")
            self.cursors.append(self.picture.live(below.axvline(0, color=BLACK, lw=2.5)))
        grid[0, 0].set_ylabel("density")
        grid[1, 0].set_ylabel("share of triplets")
        grid[0, 0].legend(loc="upper right", fontsize=12)
        grid[1, 0].legend(loc="center right", fontsize=12)
        for artist in self.picture.artists:
            artist.set_in_layout(False)

    def update(self) -> str:
        epoch, words = self.epoch.value, []
        for name, pair, cursor in zip(self.names, self.heaps, self.cursors, strict=True):
            now = self.measured[name][epoch]
            for density, artists in zip(now["densities"], pair, strict=True):
                for artist in artists:
                    artist.set_data(density)
            cursor.set_xdata([epoch, epoch])
            words.append(f"{name}: median d2 {now['d2']:.2f}, easy {now['shares']['easy']:.0%}")
        return f"Epoch {epoch}. " + "; ".join(words) + "."
