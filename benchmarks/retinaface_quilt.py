"""What the small RetinaFace learns from: LFW's photos, with YuNet's boxes and landmarks, sewn into quilts.

A photo of LFW shows one face of some 110 pixels in 250. A detector has to know faces of every size and what
is no face, so a training picture is a **quilt**: a square cut into quarters, and some of those into quarters
again, until every patch holds a piece of a photo, shrunk to fit. A patch of 24 pixels has a face of some 15,
a patch of 384 one of up to 440. Some patches hold a piece without a face, enlarged: background.

Every piece is turned by up to 30° first, and **the teacher's points turn with it**. YuNet puts the points of
an upright face on a tilted one (lesson 05); here it was asked about the upright photo, so that the student is
told better than its teacher would tell of the tilted one.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from facelab.datasets import LFW
from facelab.detect import load
from facelab.download import home

SURE = 0.8  # YuNet's own threshold: from here on it is a face
UNSURE = 0.4  # between the two nobody knows: such a box teaches neither yes nor no
TILT = 30.0  # degrees, at most, either way
SMALLEST_PATCH = 24
BACKGROUND = 0.3  # of the patches
SHARE = (0.42, 1.15)  # of a patch's side that its face may take
PART = 0.6  # of a face's box has to lie in its patch; else it teaches nothing


@dataclass(frozen=True, eq=False)
class Labels:
    """What the teacher says of photos.

    photo   (M,) row in the set of photos, sorted
    score   (M,)
    points  (M, 7, 2) two corners of the box and five landmarks, pixels
    """

    photo: np.ndarray
    score: np.ndarray
    points: np.ndarray

    def of(self, row: int) -> tuple[np.ndarray, np.ndarray]:
        """Points and scores of one photo's faces."""
        here = slice(*np.searchsorted(self.photo, (row, row + 1)))
        return self.points[here], self.score[here]


def labels(photos: LFW, file: Path | None = None) -> Labels:
    """YuNet on every photo, in full size; kept in facelab's home, as it takes some minutes."""
    file = file or home() / "retinaface" / f"yunet-{photos.variant}.npz"
    if not file.exists():
        teacher = load("yunet", min_score=UNSURE)
        rows: list[tuple[int, float, np.ndarray]] = []
        for start in range(0, len(photos), 64):
            batch = [read(path) for path in photos.paths[start : start + 64]]
            for row, faces in enumerate(teacher.detect(batch), start):
                for face in faces:
                    rows.append((row, face.score, np.vstack([face.box.reshape(2, 2), face.landmarks])))
        which, scores, points = zip(*rows, strict=True)
        file.parent.mkdir(parents=True, exist_ok=True)
        np.savez(file, photo=np.array(which), score=np.array(scores), points=np.array(points, np.float32))
    with np.load(file) as kept:
        return Labels(kept["photo"], kept["score"], kept["points"])


def read(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


@dataclass(frozen=True, eq=False)
class Quilt:
    """A training picture: pixels (S, S, 3) uint8, its faces (G, 7, 2), and boxes (U, 4) of doubt."""

    pixels: np.ndarray
    faces: np.ndarray
    unsure: np.ndarray


class Quilts:
    """Sews quilts of the photos at `rows`; every draw comes from the `rng` that is handed in."""

    def __init__(self, photos: LFW, rows: np.ndarray, told: Labels):
        self.pieces, self.told = [], []
        for row in rows:
            points, scores = told.of(row)
            if (scores >= SURE).any():
                self.pieces.append(read(photos.paths[row]))
                self.told.append((points, scores))

    def sew(self, side: int, rng: np.random.Generator) -> Quilt:
        pixels = np.zeros((side, side, 3), np.uint8)
        faces, unsure = [np.zeros((0, 7, 2))], [np.zeros((0, 4))]
        for x, y, size in patches(side, rng):
            patch, points, doubtful = self._patch(size, rng)
            pixels[y : y + size, x : x + size] = patch
            faces.append(points + np.array([x, y]))
            unsure.append(doubtful + np.array([x, y, x, y]))
        return Quilt(pixels, np.concatenate(faces), np.concatenate(unsure))

    def _patch(self, size: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """A piece of a photo, `size` pixels square: pixels, faces, boxes that teach nothing."""
        which = rng.integers(len(self.pieces))
        photo, (points, scores) = self.pieces[which], self.told[which]
        points = points + 0.5  # edge coordinates: a photo of W columns reaches from 0 to W
        angle = np.radians(rng.uniform(-TILT, TILT))
        place = self._without_a_face(photo, points, rng) if rng.random() < BACKGROUND else None
        if place is not None:
            middle, scale = place[:2], size / place[2]
            target = np.full(2, size / 2)
        else:
            chosen = rng.choice(np.flatnonzero(scores >= SURE))
            box = points[chosen, :2]
            middle, longer = box.mean(0), (box[1] - box[0]).max()
            wanted = size * np.exp(rng.uniform(*np.log(SHARE)))  # of the face, in the patch
            scale = wanted / longer
            room = max(size - wanted, 0.15 * size) / 2
            target = size / 2 + rng.uniform(-room, room, 2)
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        forward = scale * turn  # patch = target + forward · (photo − middle)
        mirrored = rng.random() < 0.5
        if mirrored:
            forward = np.array([[-1, 0], [0, 1]]) @ forward
        back = np.linalg.inv(forward)
        cut = cut_out(photo, back, middle - back @ target, size)
        moved = target + (points - middle) @ forward.T - 0.5
        moved[:, :2] = turned_boxes(points[:, :2], moved[:, :2], angle, scale)
        if mirrored:  # the person's right eye is now where the left one was
            moved = moved[:, [0, 1, 3, 2, 4, 6, 5]]
        shown = visible(moved[:, :2], size)
        certain = (scores >= SURE) & (shown >= PART)
        return lit(cut, rng), moved[certain], moved[~certain & (shown > 0), :2].reshape(-1, 4)

    def _without_a_face(self, photo, points, rng) -> tuple[float, float, float] | None:
        """Middle and side of a square that touches no box; None where eight throws found none."""
        for _ in range(8):
            side = rng.uniform(30, 110)
            x, y = (rng.uniform(side / 2, length - side / 2) for length in photo.shape[1::-1])
            reach = 0.75 * side  # it will be turned, so that its corners reach further
            apart = (points[:, 0] > (x + reach, y + reach)) | (points[:, 1] < (x - reach, y - reach))
            if apart.any(1).all():
                return x, y, side
        return None


def patches(side: int, rng: np.random.Generator, x: int = 0, y: int = 0) -> list[tuple[int, int, int]]:
    """A square cut into quarters, and those again, by chance → x, y and side of each patch."""
    half = side // 2
    if half < SMALLEST_PATCH or rng.random() < 0.5:
        return [(x, y, side)]
    corners = [(x, y), (x + half, y), (x, y + half), (x + half, y + half)]
    return [patch for corner in corners for patch in patches(half, rng, *corner)]


def cut_out(photo: np.ndarray, matrix: np.ndarray, shift: np.ndarray, size: int) -> np.ndarray:
    """`size` pixels square; its point p shows the photo's matrix · p + shift (edge coordinates)."""
    image = Image.fromarray(photo)
    shrunk = max(1, int(np.sqrt(abs(np.linalg.det(matrix)))))  # first by whole pixels: no aliasing
    if shrunk > 1:
        image = image.reduce(shrunk)
    plan = np.column_stack([matrix, shift]) / shrunk
    shown = image.transform((size, size), Image.Transform.AFFINE, plan.ravel(), Image.Resampling.BILINEAR)
    return np.asarray(shown)


def turned_boxes(before: np.ndarray, corners: np.ndarray, angle: float, scale: float) -> np.ndarray:
    """Boxes (M, 2, 2) of heads that were turned: a head is taken for the ellipse in its box, and the new box
    is the one around the turned ellipse. `corners` are where the old corners went; their middle stays."""
    middle, (c, s) = corners.mean(1, keepdims=True), np.abs((np.cos(angle), np.sin(angle)))
    wide, high = (before[:, 1] - before[:, 0]).T * scale / 2
    half = np.stack([np.hypot(wide * c, high * s), np.hypot(wide * s, high * c)], 1)[:, None]
    return np.concatenate([middle - half, middle + half], 1)


def visible(boxes: np.ndarray, size: int) -> np.ndarray:
    """Which share of each box (M, 2, 2) lies in a square of `size` pixels."""
    inside = np.clip(boxes, -0.5, size - 0.5)
    return (inside[:, 1] - inside[:, 0]).prod(1) / (boxes[:, 1] - boxes[:, 0]).prod(1)


def lit(patch: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Other light, another contrast, now and then no colour."""
    gain, bias = np.exp(rng.uniform(-0.4, 0.4)), rng.uniform(-30, 30)
    tint = np.exp(rng.uniform(-0.1, 0.1, 3))
    patch = patch.mean(2, keepdims=True).repeat(3, 2) if rng.random() < 0.1 else patch
    return np.clip((patch - 110.0) * gain * tint + 110 + bias, 0, 255).astype(np.uint8)
