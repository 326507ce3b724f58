"""Two training runs side by side, as they were stored: what was learnt, and what it is worth elsewhere."""

import numpy as np

from facelab.course.lesson10 import Stored
from facelab.course.plots import BLUE, RED
from facelab.course.widgets.base import LivePicture, LiveWidget, choice


class CompareRuns(LiveWidget):
    """Choose two runs; the loss on the left, the equal error rate on people never seen on the right.

    what     `lesson10.stored()`
    a, b     names to begin with
    """

    title = "Two runs compared"

    def __init__(self, what: Stored, a: str = "ArcFace", b: str = "softmax"):
        self.what = what
        names = list(dict.fromkeys(row["name"] for row in what.rows if not row["limited"]))
        self.a, self.b = choice("run A", names, value=a), choice("run B", names, value=b)
        self.picture = LivePicture(11.0, 4.4)
        with self.picture.styled():
            self.axes = self.picture.figure.subplots(1, 2)
            self.axes[0].set(ylabel="loss, as a share of the first", ylim=(0, 1.6))
            self.axes[1].set(ylabel="EER, people never seen (%)", ylim=(0, 45))
            for axes in self.axes:
                axes.set(xlabel="step", xlim=(0, 1.02 * max(row["steps"] for row in what.rows)))
            most = max(len(self._rows(name)) for name in names)
            self.lines = [
                [
                    [
                        self.picture.live(axes.plot([], [], dashes, color=colour, lw=1.8)[0])
                        for _ in range(most)
                    ]
                    for axes in self.axes
                ]
                for dashes, colour in (("-", BLUE), ("--", RED))
            ]
            place = {"ha": "right", "va": "top", "fontsize": 13, "transform": self.axes[0].transAxes}
            self.names = [
                self.picture.live(self.axes[0].text(0.97, y, "", color=colour, **place))
                for y, colour in ((0.98, BLUE), (0.89, RED))
            ]
        super().__init__([self.a, self.b])

    def _rows(self, name: str) -> list[dict]:
        return [self.what.rows[place] for place in self.what.of(name)]

    def update(self) -> str:
        words = []
        for which, control in enumerate((self.a, self.b)):
            rows = self._rows(control.value)
            letter = "AB"[which]
            self.names[which].set_text(f"{'—' if which == 0 else '- -'} {letter}: {control.value}")
            for place, (loss, error) in enumerate(zip(*self.lines[which], strict=True)):
                row = rows[place] if place < len(rows) else None
                steps, losses = np.array(row["losses"]).T if row else np.zeros((2, 0))
                loss.set_data(steps, losses / losses[0] if row else losses)
                points = np.array(row["curve"]) if row else np.zeros((0, 3))
                error.set_data(points[:, 0], 100 * points[:, 2])
            errors = [100 * self.what.eer_of(place) for place in self.what.of(control.value)]
            spread = f" ({min(errors):.1f} to {max(errors):.1f})" if len(errors) > 1 else ""
            words.append(
                f"{letter}: EER {np.mean(errors):.1f} %{spread} after {rows[0]['steps']} steps, "
                f"{len(errors)} seeds, {rows[0]['people']:,} people, {rows[0]['photos']:,} photos."
            )
        return " ".join(words)
