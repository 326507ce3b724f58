"""What a detector finds."""

from dataclasses import dataclass

import numpy as np

LANDMARKS = ("right eye", "left eye", "nose", "right mouth corner", "left mouth corner")
"""The five landmarks, in order. Right and left are the person's own, so the right eye comes first and
is the one on the left of the photo."""


@dataclass(frozen=True, eq=False)
class Face:
    """One face in one photo, in that photo's pixel coordinates (`facelab.align` states the convention).

    box        (4,) float32: x1, y1, x2, y2. It may reach outside the photo.
    landmarks  (5, 2) float32: x, y of the points named in LANDMARKS. They may lie outside the photo.
    score      the detector's confidence, 0 … 1.
    live       how likely it is a living face and no presentation attack, 0 … 1; None: nobody asked
               (`Pipeline(antispoof=…)`)
    """

    box: np.ndarray
    landmarks: np.ndarray
    score: float
    live: float | None = None

    @property
    def width(self) -> float:
        return float(self.box[2] - self.box[0])

    @property
    def height(self) -> float:
        return float(self.box[3] - self.box[1])

    @property
    def area(self) -> float:
        return max(self.width, 0.0) * max(self.height, 0.0)

    @property
    def center(self) -> tuple[float, float]:
        """x, y of the middle of the box."""
        return float(self.box[0] + self.box[2]) / 2, float(self.box[1] + self.box[3]) / 2


def largest_first(faces: list[Face]) -> list[Face]:
    """Faces by the area of their boxes, largest first; equal areas by score, then from left to right."""
    return sorted(faces, key=lambda face: (-face.area, -face.score, float(face.box[0])))


def most_central(faces: list[Face], height: int, width: int) -> Face | None:
    """The face whose box has its centre nearest the middle of a photo of that size; None without a face."""
    middle = (width - 1) / 2, (height - 1) / 2
    return min(faces, key=lambda face: float(np.hypot(*np.subtract(face.center, middle))), default=None)
