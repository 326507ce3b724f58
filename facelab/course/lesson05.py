"""What lesson 05 draws and measures: 68 landmarks and five, and crops of other sizes.

The face is a drawing in the plane of the crop, in pixels of 112 × 112: nobody's, symmetric, made of curves.
Its numbering is that of the 300-W scheme (Sagonas et al., ICCV Workshops 2013), which dlib and many others
use; the five points are computed from it as the five of ArcFace's template are defined.
"""

import numpy as np
from matplotlib.axes import Axes
from PIL import Image

from facelab.course import plots
from facelab.detect.face import LANDMARKS

PARTS = {
    "jaw": range(17),
    "right brow": range(17, 22),
    "left brow": range(22, 27),
    "bridge": range(27, 31),
    "nostrils": range(31, 36),
    "right eye": range(36, 42),
    "left eye": range(42, 48),
    "outer lips": range(48, 60),
    "inner lips": range(60, 68),
}
"""The numbers of the 68 points, part by part, counted from 0. Right and left are the person's own."""


def drawn_68() -> np.ndarray:
    """(68, 2): the points of the drawn face, x to the right and y downwards."""
    points = np.zeros((68, 2))
    points[PARTS["jaw"]] = _arc(56, 48, 44, 58, 180, 0, 17)
    points[PARTS["right brow"]] = _arc(38, 44, 13, 7, 180, 360, 5)
    points[PARTS["left brow"]] = _arc(74, 44, 13, 7, 180, 360, 5)
    points[PARTS["bridge"]] = np.column_stack([np.full(4, 56.0), np.linspace(50, 72, 4)])
    points[PARTS["nostrils"]] = _arc(56, 75, 9, 4, 180, 0, 5)
    points[PARTS["right eye"]] = _ring(38.3, 51.7, 7.5, 3.2, 6)
    points[PARTS["left eye"]] = _ring(73.5, 51.7, 7.5, 3.2, 6)
    points[PARTS["outer lips"]] = _ring(56, 92.2, 14.6, 6.5, 12)
    points[PARTS["inner lips"]] = _ring(56, 92.2, 10.5, 2.4, 8)
    return points


def _arc(x: float, y: float, wide: float, high: float, first: float, last: float, count: int) -> np.ndarray:
    """Points on an ellipse from one angle to another, degrees; y grows downwards."""
    angles = np.radians(np.linspace(first, last, count))
    return np.column_stack([x + wide * np.cos(angles), y + high * np.sin(angles)])


def _ring(x: float, y: float, wide: float, high: float, count: int) -> np.ndarray:
    """Points around an ellipse, from its left end over the top, as the scheme numbers eyes and lips."""
    angles = np.radians(180 + np.arange(count) * 360 / count)
    return np.column_stack([x + wide * np.cos(angles), y + high * np.sin(angles)])


def five_of_68(points: np.ndarray) -> np.ndarray:
    """(68, 2) → (5, 2): both eyes' centres, the tip of the nose, both corners of the mouth (LANDMARKS)."""
    eyes = (points[PARTS["right eye"]].mean(axis=0), points[PARTS["left eye"]].mean(axis=0))
    return np.stack([*eyes, points[30], points[48], points[54]])


def draw_68(axes: Axes) -> None:
    """The 68 points with their parts' names, and the five computed from them."""
    points = drawn_68()
    for part, rows in PARTS.items():
        closed = [*rows, rows[0]] if part.endswith(("eye", "lips")) else list(rows)
        axes.plot(*points[closed].T, color="0.7", linewidth=1.5, zorder=1)
    axes.plot(*points.T, "o", ms=4, color=plots.BLUE, label="68 points")
    for number in (0, 8, 16, 17, 26, 27, 30, 36, 45, 48, 54):
        axes.annotate(str(number), points[number], xytext=(4, -10), textcoords="offset points", fontsize=10)
    five = five_of_68(points)
    axes.plot(*five.T, "s", ms=12, mfc="none", mec=plots.RED, mew=2.5, label="five points")
    for name, (x, y) in zip(LANDMARKS, five, strict=True):
        side = -1 if x < 56 else 1
        axes.annotate(
            name.replace("_", " "),
            (x, y),
            xytext=(56 + side * 62, y + (14 if name == "nose" else 0)),
            ha="right" if side < 0 else "left",
            va="center",
            fontsize=12,
            arrowprops={"arrowstyle": "-", "color": "0.5"},
        )
    axes.set(xlim=(-48, 160), ylim=(114, 30), aspect="equal")
    axes.set_axis_off()
    axes.legend(loc="lower right")


def through(crop: np.ndarray, side: int) -> np.ndarray:
    """The crop as a network made for side × side pixels would have got it: there and back again."""
    image = Image.fromarray(crop)
    return np.asarray(image.resize((side, side), Image.BICUBIC).resize(crop.shape[1::-1], Image.BICUBIC))
