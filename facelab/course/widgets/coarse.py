"""The first widget of the course: one face, one slider. How few pixels are enough to know her?"""

import numpy as np
from PIL import Image

import facelab as fl
from facelab.course import portraits
from facelab.course.plots import BLACK, BLUE, GREEN
from facelab.course.widgets.base import LiveWidget, slider
from facelab.course.widgets.picture import LivePicture

SIDE = 220


class Coarse(LiveWidget):
    """A slider over the pixels that the photo is wide: how far its vector is from that of the sharp photo.

    photo      (H, W, 3) RGB uint8 with a face in it; Eileen Collins if none is given

    distance   where the slider stands; None where no face is found any more
    """

    title = "A face in few pixels"

    def __init__(self, photo: np.ndarray | None = None):
        photo = portraits.collins() if photo is None else photo
        self.photo = square(portraits.head(photo, fl.detect(photo)[0]))
        self.threshold = fl.calibration.threshold_for("yunet+aligned+sface")
        self.seen: dict[int, float | None] = {}
        self.original = self._vector(self.photo)
        self.distance: float | None = None
        self.pixels = slider(
            "pixels across", 8, SIDE, value=48, step=2, tip="How many pixels the photo is wide"
        )
        self.picture = LivePicture(9.0, 2.7, photo=True)
        with self.picture.styled():
            left, right = self.picture.figure.subplots(1, 2, width_ratios=(1, 2.6))
            left.set_axis_off()
            self.shown = self.picture.pixels(left, SIDE)
            right.axvspan(0, self.threshold, color=GREEN, alpha=0.15)
            right.axvline(self.threshold, color=BLACK, ls="--")
            right.text(self.threshold / 2, 0.82, "the same person", ha="center", fontsize=13)
            right.text((1.2 + self.threshold) / 2, 0.82, "somebody else", ha="center", fontsize=13)
            right.set(xlim=(0, 1.2), ylim=(0, 1), yticks=[], xlabel="distance from the sharp photo")
            self.dot = self.picture.live(right.plot([], [], "o", ms=20, color=BLUE, mec=BLACK)[0])
        super().__init__([self.pixels])

    def _vector(self, photo: np.ndarray) -> np.ndarray | None:
        faces = fl.detect(photo)
        return fl.embed(fl.align(photo, faces[0])) if faces else None

    def _away(self, photo: np.ndarray) -> float | None:
        """The cosine distance from the sharp photo, kept for the next time."""
        if self.pixels.value not in self.seen:
            vector = self._vector(photo)
            away = None if vector is None else float(fl.cosine_distance(vector, self.original))
            self.seen[self.pixels.value] = away
        return self.seen[self.pixels.value]

    def update(self) -> str:
        across = self.pixels.value
        photo = coarse(self.photo, across)
        self.shown.set_data(photo)
        self.distance = self._away(photo)
        if self.distance is None:
            self.dot.set_data([], [])
            return f"{across} pixels across: no face is found in it any more."
        self.dot.set_data([self.distance], [0.4])
        verdict = "the same person" if self.distance <= self.threshold else "somebody else"
        return f"{across} pixels across: distance {self.distance:.2f}. The computer says: {verdict}."


def coarse(photo: np.ndarray, across: int) -> np.ndarray:
    """A square photo shrunk to so many pixels, and enlarged again."""
    side = photo.shape[0]
    small = Image.fromarray(photo).resize((across, across), Image.Resampling.BOX)
    return np.asarray(small.resize((side, side), Image.Resampling.BILINEAR))


def square(photo: np.ndarray) -> np.ndarray:
    """The middle of a photo, (SIDE, SIDE, 3)."""
    height, width = photo.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    cut = Image.fromarray(photo[top : top + side, left : left + side])
    return np.asarray(cut.resize((SIDE, SIDE), Image.Resampling.LANCZOS))
