"""Make an attack with sliders, and see both questions asked of it: whose face, and is it a living one?"""

import math

import numpy as np

import facelab as fl
from facelab.antispoof import Camera
from facelab.course import lesson12
from facelab.course.plots import BLACK, BLUE, GREEN, RED
from facelab.course.widgets.base import LiveWidget, choice, slider
from facelab.course.widgets.picture import LivePicture

KINDS = (("a print", "print"), ("a screen", "replay"), ("a print, its eyes cut out", "eyes"))
BORDERS = {"print": "border", "eyes": "border", "replay": "bezel"}
DEPTHS = {"print": "dots", "eyes": "dots", "replay": "grid"}
SIDE = 250


class MakeAttack(LiveWidget):
    """Sliders over how an attack is made; the dot says how near its vector is to the person's own, and how
    living it looks.

    photos  dict of name → (H, W, 3) RGB uint8; the largest face of each is used

    seen, live, distance   the photo that the camera takes; its score; the cosine distance from the photo
                           that the attack was made of, None where no face was found
    """

    title = "Make an attack"

    def __init__(self, photos: dict[str, np.ndarray]):
        self.pipeline = fl.Pipeline(batch_size=1, workers=1, faces="largest", antispoof="facelab")
        self.threshold = fl.calibration.threshold_for(self.pipeline.config)
        self.people = {}
        for name, photo in photos.items():
            photo = portrait(photo)
            result = self.pipeline.one(photo)
            self.people[name] = photo, result.faces[0], result.vectors[0]
        self.live, self.distance = float("nan"), None
        self._trail: list[tuple[float, float]] = []

        self.person = choice("photo", list(self.people))
        self.kind = choice("attack", list(KINDS))
        self.pitch = slider(
            "pitch",
            0.5,
            4.0,
            value=2.0,
            step=0.1,
            unit="% of the face",
            tip="From dot to dot, pixel to pixel",
        )
        self.depth = slider(
            "depth", 0.0, 1.0, value=0.25, step=0.05, tip="How plainly dots or stripes can be seen"
        )
        self.slant = slider("slant", -50, 50, value=0, step=2, unit="°")
        self.border = slider(
            "border", 0.0, 0.4, value=0.08, step=0.02, unit="faces", tip="White paper, or the screen's frame"
        )
        self.shown = slider(
            "shown", 0.5, 2.5, value=0.9, step=0.1, unit="faces", tip="From the face's middle to the edge"
        )
        self.picture = LivePicture(10.4, 4.2, photo=True)
        with self.picture.styled():
            self._draw_background()
        super().__init__(
            [self.person, self.kind, self.pitch, self.depth, self.slant, self.border, self.shown]
        )

    def _draw_background(self) -> None:
        photo, chart = self.picture.figure.subplots(1, 2, width_ratios=(1, 1.35))
        photo.set_axis_off()
        self._photo = self.picture.pixels(photo, SIDE)
        live, threshold, far = self.picture.live, self.pipeline.min_live, self.threshold
        chart.set(xlim=(-0.03, 1.03), ylim=(1.0, -0.05), xlabel="looks living (score)")
        chart.set(ylabel="distance from the person")
        chart.fill_between([threshold, 1.03], -0.05, far, color=RED, alpha=0.12)
        chart.axvline(threshold, color=BLACK, ls="--")
        chart.axhline(far, color=BLACK, ls="--")
        for x, y, words in (
            (0.98, far - 0.05, "let in"),
            (0.98, 0.95, "living, a stranger"),
            (0.02, far - 0.05, "refused"),
        ):
            chart.text(x, y, words, ha="left" if x < 0.5 else "right", fontsize=13)
        self._path = live(chart.plot([], [], ".-", color=BLUE, alpha=0.5, ms=5, lw=1)[0])
        self._honest = live(chart.plot([], [], "*", ms=18, color=GREEN, mec=BLACK, label="the person")[0])
        self._dot = live(chart.plot([], [], "o", ms=16, color=BLUE, mec=BLACK, label="the attack")[0])
        chart.legend(loc="lower left")

    def attack(self) -> np.ndarray:
        """The photo that the camera takes of the attack as the sliders have it."""
        photo, face, _ = self.people[self.person.value]
        kind = self.kind.value
        numbers = {
            "pitch": self.pitch.value / 100,
            DEPTHS[kind]: self.depth.value,
            BORDERS[kind]: self.border.value,
            "slant": math.radians(self.slant.value),
            "shown": self.shown.value,
        }
        return lesson12.attacked(photo, face, kind, **numbers)

    def update(self) -> str:
        _, face, vector = self.people[self.person.value]
        self.seen = self.attack()
        self._photo.set_data(self.seen)
        self._honest.set_data([face.live], [0.0])
        result = self.pipeline.one(self.seen)
        if not len(result.faces):
            self.live, self.distance = float("nan"), None
            self._dot.set_data([], [])
            return "The detector finds no face in it: an attack that shows no face lets nobody in."
        self.live = float(result.faces[0].live)
        self.distance = float(fl.cosine_distance(result.vectors[0], vector))
        self._trail = [*self._trail[-40:], (self.live, self.distance)]
        self._dot.set_data([self.live], [self.distance])
        self._path.set_data(*np.array(self._trail).T)
        passes = self.live >= self.pipeline.min_live
        same = self.distance <= self.threshold
        verdict = (
            "let in: the attack has worked"
            if passes and same
            else "refused as an attack"
            if same
            else "not recognised as the person"
        )
        return (
            f"Score {self.live:.2f} (it passes from {self.pipeline.min_live:.2f} on), distance "
            f"{self.distance:.2f} (the same person up to {self.threshold:.2f}): {verdict}."
        )


def portrait(photo: np.ndarray) -> np.ndarray:
    """The surroundings of the largest face, square, (250, 250, 3), as a camera at a door would have them."""
    from PIL import Image

    face = max(fl.detect(photo), key=lambda one: one.width * one.height)
    half = min(1.25 * max(face.width, face.height), min(photo.shape[:2]) / 2)
    x, y = (min(max(c, half), size - half) for c, size in zip(face.center, photo.shape[1::-1], strict=True))
    cut = Image.fromarray(photo).crop((round(x - half), round(y - half), round(x + half), round(y + half)))
    plain = Camera(blur=0.4, noise=1.5, quality=90)
    return plain.apply(np.asarray(cut.resize((SIDE, SIDE), Image.Resampling.LANCZOS)))
