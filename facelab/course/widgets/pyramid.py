"""Which map of RetinaFace's pyramid answers for a face? Move the size of the face and see.

The photo around a face is scaled until the face has the wanted height; the network looks once; and of all
anchors whose centre lies in the face's box the surest of each stride is taken.
"""

import numpy as np
from PIL import Image

import facelab as fl
from facelab.course import plots
from facelab.course.language import named
from facelab.course.lesson05_retina import LOOKS, network, stride_of
from facelab.course.widgets.base import LivePicture, LiveWidget, choice, slider
from facelab.detect.anchors import STRIDES, decode

AROUND = 2.0  # side of the square that is shown, in heights of the face
SMALLEST, LARGEST, STEP = 12, 256, 4  # heights of the face, pixels
CURVE = (12, 16, 20, 24, 32, 40, 48, 64, 80, 96, 128, 160, 192, 224, 256)
HAND_OVER = (45, 181)  # √(32·64) and √(128·256): where two anchors of different maps fit equally well
SIDE = 320  # of the picture, pixels


class Head:
    """The square around a person's face, and what the network says of it in any size."""

    def __init__(self, photo: np.ndarray):
        face = fl.detect(photo)[0]
        self.side = AROUND * max(face.width, face.height)
        self.height = face.height
        square = fl.square_crop(photo, face, scale=AROUND, size=round(self.side))
        self.square = Image.fromarray(square)
        half = np.array([face.width, face.height]) / 2
        self.box = np.concatenate([self.side / 2 - half, self.side / 2 + half])

    def at(self, height: float) -> np.ndarray:
        """The square, scaled such that the face is so many pixels high."""
        side = round(self.side * height / self.height)
        return np.asarray(self.square.resize((side, side), Image.Resampling.BILINEAR))

    def look(self, height: float) -> tuple[dict[int, float], np.ndarray, np.ndarray]:
        """Stride → its best score on the face; the surest anchor's corners (4,) and what it says (7, 2), in
        shares of the square's side."""
        view = self.at(height)
        boxes, probability, said = network().answers(view)
        strides, box = stride_of(boxes), self.box * len(view) / self.side
        x, y = boxes[:, :2].numpy().T
        inside = (x >= box[0]) & (x <= box[2]) & (y >= box[1]) & (y <= box[3])
        scores = np.where(inside, probability.numpy(), 0.0)
        best = {stride: float(scores[strides == stride].max()) for stride in STRIDES}
        surest = int(scores.argmax())
        centre, size = boxes[surest, :2].numpy(), boxes[surest, 2:].numpy()
        corners = np.concatenate([centre - size / 2, centre + size / 2])
        points = decode(said[surest : surest + 1], boxes[surest : surest + 1])[0].numpy()
        return best, (corners + 0.5) / len(view), (points + 0.5) / len(view)


class PyramidWidget(LiveWidget):
    """A slider for the height of the face; the picture as the network gets it, with the anchor that answers
    and what it says; and the best score of each map, over all heights.

    photos   dict of name → (H, W, 3) RGB uint8; the largest face of each is used
    best     stride → best score at the height shown
    answers  the stride that answers there
    """

    title = "Which map answers?"

    def __init__(self, photos: dict[str, np.ndarray]):
        self._heads = {name: Head(photo) for name, photo in photos.items()}
        self.curves = {name: [head.look(h)[0] for h in CURVE] for name, head in self._heads.items()}
        self.best: dict[int, float] = {}
        self.answers = 0
        self.size = slider(
            "face", SMALLEST, LARGEST, value=112, step=STEP, unit="px", tip="the face's height"
        )
        self.photo = choice("photo", list(photos))
        self.picture = LivePicture(10.4, 4.0, photo=True)
        with self.picture.styled():
            self._draw_background()
        super().__init__([self.size, self.photo])

    def _draw_background(self) -> None:
        photo, chart = self.picture.figure.subplots(1, 2, width_ratios=[1, 1.5])
        live = self.picture.live
        photo.set_axis_off()
        photo.set_title("what the network gets")
        self._photo = self.picture.pixels(photo, SIDE)
        self._lines = {}
        for name, colour, dashes in (("anchor", plots.SKY, "--"), ("box", plots.YELLOW, "-")):
            edge = live(photo.plot([], [], color=plots.BLACK, linewidth=4.0)[0])
            line = live(photo.plot([], [], color=colour, linewidth=2.4, linestyle=dashes, label=name)[0])
            self._lines[name] = (edge, line)
        self._points = live(photo.plot([], [], "o", ms=6, mfc=plots.YELLOW, mec=plots.BLACK)[0])

        chart.set_xscale("log", base=2)
        ticks = (16, 32, 64, 128, 256)
        chart.set_xticks(ticks, [str(tick) for tick in ticks])
        chart.set(xlim=(11, 280), ylim=(-0.04, 1.25), yticks=(0, 0.5, 1))
        chart.set(xlabel="height of the face (px)", ylabel="best score", title="which map answers")
        chart.minorticks_off()
        for height in HAND_OVER:
            chart.axvline(height, color=plots.BLACK, linestyle=":", linewidth=1.5)
        self._curves = {
            stride: live(chart.plot([], [], marker + "-", color=colour, ms=6, label=f"stride {stride}")[0])
            for stride, (colour, marker) in LOOKS.items()
        }
        chart.legend(loc="upper center", ncols=3, handletextpad=0.3, columnspacing=0.9, borderpad=0)
        self._here = live(chart.axvline(112, color=plots.RED, linewidth=2))

    def update(self) -> str:
        head, height = self._heads[self.photo.value], self.size.value
        self.best, anchor, said = head.look(height)
        self.answers = max(self.best, key=self.best.__getitem__)
        self._photo.set_data(head.at(height))
        for name, (x1, y1, x2, y2) in (("anchor", anchor), ("box", said[:2].ravel())):
            for line in self._lines[name]:
                line.set_data(SIDE * np.array([x1, x2, x2, x1, x1]), SIDE * np.array([y1, y1, y2, y2, y1]))
        self._points.set_data(*(SIDE * said[2:]).T)
        for stride, line in self._curves.items():
            line.set_data(CURVE, [best[stride] for best in self.curves[self.photo.value]])
        self._here.set_xdata([height, height])
        scores = named(", ".join(f"stride {stride} {score:.2f}" for stride, score in self.best.items()))
        return (
            f"A face of {height} px: stride {self.answers} answers, with its anchor of "
            f"{(anchor[2] - anchor[0]) * len(head.at(height)):.0f} px (dashed). Best scores: {scores}."
        )
