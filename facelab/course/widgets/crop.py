"""Tilt a head, choose how it is cut out, and see how far its vector moves from where it was.

The photo is turned about the face, the detector looks at the turned photo, the chosen crop is made from what
it finds, and the embedder says how far that crop lies from a crop of the upright photo: the same picture of
the same person. Whatever distance there is comes from the cutting alone.
"""

import functools
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
import torch

import facelab as fl
from facelab.align import invert, landmark_matrices, transform_points
from facelab.course.plots import BLACK, BLUE, GREEN, ORANGE, PURPLE, RED, YELLOW
from facelab.course.widgets.base import LivePicture, LiveWidget, choice, slider
from facelab.detect import load
from facelab.detect.face import most_central

WINDOW = 320  # pixels, side of the part of the photo that is turned
AROUND = 3.2  # its side, in longer sides of the box
VERSUS = ("same cut, upright", "aligned, upright")
LOOKS = {  # colour and marker of each cut
    "stretched": (ORANGE, "s"),
    "square": (BLUE, "o"),
    "aligned (YuNet)": (PURPLE, "v"),
    "aligned (MTCNN)": (GREEN, "^"),
}
CUTS = tuple(LOOKS)
ALIGNED = CUTS[-1]  # what "aligned, upright" means


def tilted(photo: np.ndarray, face: fl.Face, angle: float) -> np.ndarray:
    """The neighbourhood of a face, turned clockwise by `angle` radians: (WINDOW, WINDOW, 3)."""
    return fl.square_crop(photo, face, scale=AROUND, size=WINDOW, angle=-angle)


@functools.cache
def detector(cut: str):
    """The detector whose boxes and points a cut goes by.

    In the window a face is some 100 pixels high, so MTCNN need not look for small ones: that makes it quick.
    """
    return load("mtcnn", min_face=64) if "MTCNN" in cut else load("yunet")


def find(view: np.ndarray, cut: str) -> fl.Face | None:
    """The face nearest the middle of the window, by the detector that belongs to the cut."""
    found = detector(cut).detect([view])[0]
    return most_central(found, WINDOW, WINDOW)


def cut_out(photo: np.ndarray, face: fl.Face, cut: str, scale: float = 1.0) -> np.ndarray:
    """The crop (112, 112, 3) for the embedder. `scale` enlarges the box, which alignment does not look at."""
    if cut.startswith("aligned"):
        return fl.align(photo, face)
    if cut == "square":
        return fl.square_crop(photo, face, scale=scale)
    return fl.stretched_crop(photo, scaled(face, scale))


def scaled(face: fl.Face, scale: float) -> fl.Face:
    """The same face in a box `scale` times as wide and as high, about the same middle."""
    (x, y), half = face.center, np.array([face.width, face.height]) * scale / 2
    box = np.array([x - half[0], y - half[1], x + half[0], y + half[1]], np.float32)
    return fl.Face(box, face.landmarks, face.score)


def outline(face: fl.Face, cut: str, scale: float) -> np.ndarray:
    """The corners of what is cut out, in the photo, closed: (5, 2)."""
    if cut.startswith("aligned"):
        crop = torch.tensor([[[-0.5, -0.5], [111.5, -0.5], [111.5, 111.5], [-0.5, 111.5], [-0.5, -0.5]]])
        return transform_points(crop.double(), invert(landmark_matrices([face])))[0].numpy()
    width = max(face.width, face.height) if cut == "square" else face.width
    height = max(face.width, face.height) if cut == "square" else face.height
    corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1], [-1, -1]])
    return np.array(face.center) + corners * scale / 2 * (width, height)


class Question(NamedTuple):
    """What the controls say."""

    photo: str
    cut: str
    angle: int
    scale: float


class Looked(NamedTuple):
    """The turned photo, and of the face found in it, if any: the crop and its vector."""

    view: np.ndarray
    face: fl.Face | None = None
    crop: np.ndarray | None = None
    vector: np.ndarray | None = None


KEPT = 64
"""Answers that are kept."""


class CropWidget(LiveWidget):
    """Sliders for the tilt of the head and the size of the box; a choice of how the face is cut out, and of
    what it is compared with: the upright photo cut in the same way (box × 1), or the upright photo aligned.

    photos     dict of name → (H, W, 3) RGB uint8; the largest face of each is used
    threshold  drawn into the chart, cosine distance

    To detect, align and embed takes longer than to draw. So while a picture is on its way to the browser, the
    question that comes next is answered already, should the slider go on as it just did.

    distance   of the crop shown from the crop it is compared with; nan when no face was found
    seen       dict of cut → {tilt in degrees: distance}, the points drawn so far
    """

    title = "Tilt and cut"

    def __init__(self, photos: dict[str, np.ndarray], threshold: float):
        self.threshold = threshold
        self._heads = {}
        for name, photo in photos.items():
            face = fl.detect(photo)[0]
            upright = tilted(photo, face, 0.0)
            references = fl.embed([cut_out(upright, find(upright, cut), cut) for cut in CUTS])
            self._heads[name] = (photo, face, dict(zip(CUTS, references, strict=True)))
        self.distance = float("nan")
        self.seen: dict[str, dict[int, float]] = {cut: {} for cut in CUTS}
        self._series = None  # photo, scale and comparison that `seen` belongs to
        self._worker = ThreadPoolExecutor(1, "crop")
        self._answers: dict[Question, Future[Looked]] = {}
        self._last: Question | None = None
        self._ahead: Question | None = None

        self.angle = slider("tilt", -90, 90, value=0, step=1, unit="°", tip="the head's tilt, clockwise")
        self.scale = slider("box", 0.6, 2.0, value=1.0, step=0.05, unit="× detected")
        self.cut = choice("cut out", list(CUTS), value="square")
        self.versus = choice("compare with", list(VERSUS))
        self.photo = choice("photo", list(photos))
        self.picture = LivePicture(11.2, 4.0, photo=True)
        with self.picture.styled():
            self._draw_background()
        super().__init__([self.angle, self.scale, self.cut, self.versus, self.photo])

    def _draw_background(self) -> None:
        photo, crop, chart = self.picture.figure.subplots(1, 3, width_ratios=[1, 1, 1.25])
        live = self.picture.live
        for axes, title in ((photo, "photo, tilted"), (crop, "what the embedder sees")):
            axes.set_axis_off()
            axes.set_title(title)
        self._photo = self.picture.pixels(photo, WINDOW)
        self._edge = live(photo.plot([], [], color=BLACK, linewidth=4.2)[0])
        self._outline = live(photo.plot([], [], color=YELLOW, linewidth=2.4)[0])
        self._points = live(photo.plot([], [], "o", ms=6, mfc=YELLOW, mec=BLACK)[0])
        self._crop = self.picture.pixels(crop, 112)

        chart.set(xlim=(-93, 93), ylim=(-0.03, 1.45), xlabel="tilt (°)", ylabel="cosine distance")
        chart.set(xticks=(-90, -45, 0, 45, 90), yticks=(0, 0.5, 1), title="how far the vector moved")
        chart.axhline(self.threshold, color=BLACK, linestyle="--", linewidth=1.5)
        chart.text(-91, self.threshold + 0.015, f"threshold {self.threshold:.2f}", fontsize=13)
        self._trails = {
            cut: live(chart.plot([], [], marker + "-", color=colour, ms=6, lw=1, label=cut)[0])
            for cut, (colour, marker) in LOOKS.items()
        }
        chart.legend(loc="upper center", ncols=2, handletextpad=0.3, columnspacing=0.9, borderpad=0)
        self._here = live(chart.plot([], [], "o", ms=15, mfc="none", mec=RED, mew=3)[0])

    def _look(self, asked: Question) -> Looked:
        photo, face, _ = self._heads[asked.photo]
        view = tilted(photo, face, np.radians(asked.angle))
        seen = find(view, asked.cut)
        if seen is None:
            return Looked(view)
        crop = cut_out(view, seen, asked.cut, asked.scale)
        return Looked(view, seen, crop, fl.embed(crop))

    def _answer(self, asked: Question) -> "Future[Looked]":
        if asked not in self._answers:
            if len(self._answers) >= KEPT:
                del self._answers[next(iter(self._answers))]
            self._answers[asked] = self._worker.submit(self._look, asked)
        return self._answers[asked]

    def _next(self, asked: Question) -> Question | None:
        """The question after this one, if the slider that was moved goes on by as much."""
        last, self._last = self._last, asked
        if last is None or (last.photo, last.cut) != (asked.photo, asked.cut) or last == asked:
            return None
        angle = 2 * asked.angle - last.angle
        scale = round(2 * asked.scale - last.scale, 2)
        there = abs(angle) <= self.angle.max and self.scale.min <= scale <= self.scale.max
        return asked._replace(angle=angle, scale=scale) if there else None

    def redraw(self) -> None:
        with self._lock:
            self._ahead = None
            super().redraw()
            if self._ahead is not None:  # not before: what is to be seen now must not wait for it
                self._answer(self._ahead)

    def update(self) -> str:
        asked = Question(self.photo.value, self.cut.value, self.angle.value, round(self.scale.value, 2))
        cut, scale, angle = asked.cut, asked.scale, asked.angle
        view, seen, crop, vector = self._answer(asked).result()
        self._ahead = self._next(asked)
        references = self._heads[asked.photo][2]
        self._photo.set_data(view)
        if seen is None:
            self.distance = float("nan")
            for line in (self._edge, self._outline, self._points, self._here):
                line.set_data([], [])
            self._crop.set_data(np.zeros((2, 2, 3), np.uint8))
            return f"{angle}°: the detector finds no face here."

        assert crop is not None
        reference = references[cut if self.versus.value == VERSUS[0] else ALIGNED]
        self.distance = fl.cosine_distance(vector, reference)
        self._remember(cut, angle)
        self._crop.set_data(crop)
        corners = outline(seen, cut, scale)
        for line in (self._edge, self._outline):
            line.set_data(*corners.T)
        self._points.set_data(*seen.landmarks.T)
        self._here.set_data([angle], [self.distance])
        side = "beyond" if self.distance > self.threshold else "within"
        return (
            f"{cut} crop at {angle}°, box × {scale:.2f}: distance {self.distance:.3f}, {side} the threshold "
            f"of {self.threshold:.2f}. It is the same picture of the same person."
        )

    def _remember(self, cut: str, angle: float) -> None:
        """Add a point to the trail of this cut; another photo, scale or comparison begins new trails."""
        series = (self.photo.value, self.scale.value, self.versus.value)
        if series != self._series:
            self._series = series
            self.seen = {name: {} for name in CUTS}
        self.seen[cut][angle] = self.distance
        for name, line in self._trails.items():
            tilts = sorted(self.seen[name])
            line.set_data(tilts, [self.seen[name][tilt] for tilt in tilts])
