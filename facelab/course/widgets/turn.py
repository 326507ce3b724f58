"""A head and a photo of it, both turned by hand: what happens to five landmarks, and to one number."""

import numpy as np

from facelab.course import lesson12_turn as model
from facelab.course.plots import BLACK, BLUE, GREEN, MARKERS, ORANGE, PURPLE
from facelab.course.widgets.base import LiveWidget, choice, slider
from facelab.course.widgets.picture import LivePicture

WORDS = ("a head", "a flat photo", "a bent photo")
"""What is held before the camera: `model.HELD`, word for word."""
COLOURS = dict(zip(WORDS, (GREEN, BLUE, PURPLE), strict=True))
ASKED = 0.2
"""So far must the nose's place move for a turn to count (`widgets.challenge` asks the same)."""


class Turn(LiveWidget):
    """Sliders over how something is turned before a camera, and a choice of what it is.

    points   (5, 2), what the camera sees
    place    where the nose lies, from eye to eye (`lesson12_turn.nose_place`)
    """

    title = "Turn your head"

    def __init__(self):
        self.held = choice("before the camera", list(WORDS))
        self.turn = slider("turn", -50, 50, value=0, step=1, unit="°", tip="to the image's left or right")
        self.nod = slider("nod", -30, 30, value=0, step=1, unit="°", tip="up or down")
        self.bend = slider(
            "bend", 0.0, 2.0, value=0.8, step=0.1, unit="1 / eye distance", tip="Of the bent photo"
        )
        self.seen: dict[str, dict[int, float]] = {held: {} for held in model.HELD}
        self.picture = LivePicture(10.0, 4.2)
        with self.picture.styled():
            face, chart = self.picture.figure.subplots(1, 2, width_ratios=(1, 1.6))
            face.set(xlim=(-1.1, 1.1), ylim=(1.1, -1.1), xticks=[], yticks=[], aspect="equal")
            face.set_title("what the camera sees")
            front = model.landmarks("a head")
            face.plot(*front.T, "o", ms=14, mfc="none", mec="0.6")
            live = self.picture.live
            self._line = live(face.plot([], [], color="0.4", lw=2)[0])
            self._dots = [live(face.plot([], [], marker, ms=12, mec=BLACK)[0]) for marker in MARKERS]
            chart.axhspan(0.5 - ASKED, 0.5 + ASKED, color="0.92")
            chart.set(xlim=(-52, 52), ylim=(-0.1, 1.1), xlabel="turn (°)", yticks=(0, 0.5, 1))
            chart.set_yticklabels(["under one eye", "middle", "under the other"])
            chart.set_title("where the nose lies")
            self._trails = {
                held: live(chart.plot([], [], "o", ms=6, color=COLOURS[held], label=held)[0])
                for held in model.HELD
            }
            chart.legend(loc="upper left")
            self._here = live(chart.plot([], [], "o", ms=16, mfc="none", mec=ORANGE, mew=3)[0])
        super().__init__([self.held, self.turn, self.nod, self.bend])

    def update(self) -> str:
        held, turn = self.held.value, self.turn.value
        self.points = model.landmarks(held, turn, self.nod.value, self.bend.value)
        self.place = model.nose_place(self.points)
        self.seen[held][turn] = self.place
        for dot, point in zip(self._dots, self.points, strict=True):
            dot.set_data([point[0]], [point[1]])
            dot.set_color(COLOURS[held])
            dot.set_markeredgecolor(BLACK)
        left, right, _, *mouth = self.points
        self._line.set_data(*np.array([left, right, mouth[1], mouth[0], left]).T)
        for name, trail in self._trails.items():
            trail.set_data(list(self.seen[name]), list(self.seen[name].values()))
        self._here.set_data([turn], [self.place])
        moved = self.place - 0.5
        enough = "enough" if abs(moved) >= ASKED else "not enough"
        return (
            f"{held}, turned by {turn}°: the nose lies {self.place:.2f} of the way from eye to eye, "
            f"{abs(moved):.2f} from the middle: {enough} for a turn (asked: {ASKED:.2f})."
        )

    def reset(self) -> None:
        self.seen = {held: {} for held in model.HELD}
        super().reset()
