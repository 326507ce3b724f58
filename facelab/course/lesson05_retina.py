"""What lesson 05 opens of RetinaFace: anchors on a photo, the context module's windows, the loss of a change.

All of it is done to `retinaface-small`, the network that comes with facelab (`facelab.detect.retinaface`).
"""

import functools

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from facelab.course import plots
from facelab.detect import Face, RetinaFaceSmall, load
from facelab.detect.anchors import SIZES, STRIDES, anchors
from facelab.detect.boxes import padded_size
from facelab.detect.face import most_central
from facelab.detect.retinaface_loss import FACE_FROM, Terms, multi_task, overlaps, targets

LOOKS = {8: (plots.SKY, "o"), 16: (plots.ORANGE, "s"), 32: (plots.PURPLE, "^")}
"""Colour and marker of each stride."""


@functools.cache
def network() -> RetinaFaceSmall:
    return load("retinaface-small")


def in_the_middle(detector, photo: np.ndarray) -> Face:
    """What a detector finds nearest the middle of a photo."""
    found = most_central(detector.detect([photo])[0], *photo.shape[:2])
    assert found is not None, "no face"
    return found


def stride_of(boxes: Tensor) -> np.ndarray:
    """For anchors (A, 4) the stride of the map that they belong to, (A,)."""
    by_size = {size: stride for stride, sizes in zip(STRIDES, SIZES, strict=True) for size in sizes}
    return np.array([by_size[int(size)] for size in boxes[:, 2].tolist()])


def points_of(face: Face) -> Tensor:
    """(1, 7, 2): two corners and five landmarks, as the loss wants them."""
    return torch.from_numpy(np.vstack([face.box.reshape(2, 2), face.landmarks]))[None]


# ---------------------------------------------------------------------- anchors


def overlaps_by_size(photo: np.ndarray, face: Face) -> dict[int, tuple[int, float, int]]:
    """Size of an anchor → how many there are on the photo, the largest overlap of any with the face, and how
    many overlap it by 0.5 or more."""
    boxes = anchors(*padded_size(*photo.shape[:2]))
    shares, side = overlaps(boxes, torch.from_numpy(face.box[None]))[:, 0], boxes[:, 2]
    by_size = {size: shares[side == size] for sizes in SIZES for size in sizes}
    return {
        size: (len(own), float(own.max()), int((own >= FACE_FROM).sum())) for size, own in by_size.items()
    }


def draw_anchors(photo: np.ndarray, face: Face) -> np.ndarray:
    """One picture for each map: a dot in every cell, the two anchors of the cell nearest the face's middle,
    and the cells of which an anchor overlaps the face by 0.5 or more. Returns the axes, (3,)."""
    boxes = anchors(*padded_size(*photo.shape[:2]))
    shares = overlaps(boxes, torch.from_numpy(face.box[None]))[:, 0].numpy()
    strides, centres = stride_of(boxes), boxes[:, :2].numpy()
    every = plots.show([photo.mean(axis=2)] * 3, [""] * 3, height=3.6)
    for axes, stride, sizes in zip(every, STRIDES, SIZES, strict=True):
        own = strides == stride
        axes.plot(*np.unique(centres[own], axis=0).T, ".", ms=stride / 8, color=plots.SKY)
        fits = own & (shares >= FACE_FROM)
        axes.plot(*centres[fits].T, "o", ms=7, mfc=plots.ORANGE, mec=plots.BLACK)
        plots.outlined_box(axes, face.box)
        nearest = centres[own][np.abs(centres[own] - face.center).sum(1).argmin()]
        for size, dashes in zip(sizes, ("-", "--"), strict=True):
            corners = np.concatenate([nearest - size / 2, nearest + size / 2])
            plots.outlined_box(axes, corners, plots.SKY, dashes=dashes, width=1.8)
        axes.set(xlim=(-0.5, photo.shape[1] - 0.5), ylim=(photo.shape[0] - 0.5, -0.5))
        axes.set_title(f"stride {stride}: {sizes[0]} and {sizes[1]} px\n{fits.sum()} of {own.sum():,} fit")
    return every


# ---------------------------------------------------------------------- the context module

BRANCHES = ("3 × 3", "5 × 5", "7 × 7")


def cell_of(face: Face, stride: int) -> tuple[int, int]:
    """Row and column of the cell in which the middle of a face lies."""
    x, y = face.center
    return int((y + 0.5) // stride), int((x + 0.5) // stride)


Fields = list[np.ndarray]


def fields(photo: np.ndarray, face: Face, stride: int = 16) -> tuple[Fields, Fields]:
    """How much each branch of the context module, at the cell of the face's middle, hangs on what lies
    around it: the root of the summed squares of its gradients over the branch's channels.

    Returns for each branch (h, w), on the cells of the pyramid's map, and (H, W), on the photo's pixels; each
    is scaled to a sum of 1.
    """
    net = network().net
    level = STRIDES.index(stride)
    height, width = padded_size(*photo.shape[:2])
    pixels = network()._canvas([torch.from_numpy(photo)], height, width).requires_grad_()
    with torch.enable_grad():
        inside = net.fpn(net.body(pixels))[level]
        ssh = (net.ssh1, net.ssh2, net.ssh3)[level]
        on_map, on_photo = [], []
        for branch in ssh.branches(inside):
            squares = [torch.zeros(inside.shape[2:]), torch.zeros(height, width)]
            for channel in branch[0, :, *cell_of(face, stride)]:
                slopes = torch.autograd.grad(channel, (inside, pixels), retain_graph=True)
                for square, slope in zip(squares, slopes, strict=True):
                    square += slope[0].square().sum(0)
            cells, dots = (square.sqrt().numpy() for square in squares)
            on_map.append(cells / cells.sum())
            on_photo.append((dots / dots.sum())[: photo.shape[0], : photo.shape[1]])
    return on_map, on_photo


def reach(field: np.ndarray, middle: tuple[float, float], share: float) -> int:
    """The side of the square around `middle` (row, column) that holds `share` of a field, in its cells."""
    rows, columns = np.indices(field.shape)
    away = np.maximum(np.abs(rows - middle[0]), np.abs(columns - middle[1])).ravel()
    order = away.argsort(kind="stable")
    held = field.astype(np.float64).ravel()[order].cumsum()
    return round(2 * float(away[order][np.searchsorted(held, share * held[-1] - 1e-9)]) + 1)


WINDOW, BLOCK = 256, 4  # pixels: what is drawn around the face, and over how many a field is averaged


def draw_fields(photo: np.ndarray, face: Face, stride: int = 16) -> list[tuple[str, int, int, int]]:
    """Where each branch looks, drawn on what surrounds the face (square roots, so that the faint shows).

    Returns for each branch its name; the side of the square of cells on the map that holds all of its
    gradient; and those of pixels on the photo that hold half and 90 % of it.
    """
    on_map, on_photo = fields(photo, face, stride)
    row, column = cell_of(face, stride)
    y, x = (row + 0.5) * stride - 0.5, (column + 0.5) * stride - 0.5
    rows = [
        (name, reach(cells, (row, column), 1.0), reach(dots, (y, x), 0.5), reach(dots, (y, x), 0.9))
        for name, cells, dots in zip(BRANCHES, on_map, on_photo, strict=True)
    ]
    left = int(np.clip(x - WINDOW / 2, 0, photo.shape[1] - WINDOW))
    top = int(np.clip(y - WINDOW / 2, 0, photo.shape[0] - WINDOW))
    here = slice(top, top + WINDOW), slice(left, left + WINDOW)
    blocks = [
        field[here].reshape(WINDOW // BLOCK, BLOCK, -1, BLOCK).mean((1, 3)).repeat(BLOCK, 0).repeat(BLOCK, 1)
        for field in on_photo
    ]
    shown = [np.sqrt(block / max(block.max() for block in blocks)) for block in blocks]
    titles = [f"{name} cells: {cells * stride} px" for name, cells, *_ in rows]
    every = plots.heat(photo[here], shown, titles)
    for axes, (_, cells, *_) in zip(every, rows, strict=True):
        half = cells * stride / 2
        plots.outlined_box(axes, np.array([x - half, y - half, x + half, y + half]) - np.tile((left, top), 2))
    every[0].figure.axes[-1].set_ylabel("gradient, √")
    return rows


# ---------------------------------------------------------------------- the loss, term by term


def loss_of(photo: np.ndarray, faces: list[Face]) -> Terms:
    """The multi-task loss of what the network says of this photo, if `faces` were the truth."""
    boxes, probability, said = network().answers(photo)
    truth = torch.cat([points_of(face) for face in faces]) if faces else torch.zeros(0, 7, 2)
    classes = torch.stack((torch.zeros_like(probability), torch.logit(probability, 1e-7)), 1)
    return multi_task(classes[None], said[None], targets([truth], boxes))


def shrunk(photo: np.ndarray, face: Face, side: int) -> tuple[np.ndarray, Face]:
    """A photo made smaller until its longer side has `side` pixels, and the same face in it."""
    by = side / max(photo.shape[:2])
    size = [round(length * by) for length in photo.shape[1::-1]]
    small = np.asarray(Image.fromarray(photo).resize(size, Image.Resampling.BILINEAR))
    return small, Face((face.box + 0.5) * by - 0.5, (face.landmarks + 0.5) * by - 0.5, face.score)


def moved_box(face: Face, pixels: float) -> Face:
    """The face, its box so many pixels to the right, its landmarks where they were."""
    return Face(face.box + np.float32([pixels, 0, pixels, 0]), face.landmarks, face.score)


def moved_points(face: Face, pixels: float) -> Face:
    return Face(face.box, face.landmarks + np.float32([pixels, 0]), face.score)


def swapped_eyes(face: Face) -> Face:
    """Right and left changed over, of eyes and mouth: the mistake of whoever labels as the camera sees."""
    return Face(face.box, face.landmarks[[1, 0, 2, 4, 3]], face.score)


def elsewhere(face: Face, x: float, y: float) -> Face:
    """The same face with its middle at (x, y)."""
    by = np.float32([x, y]) - np.float32(face.center)
    return Face(face.box + np.tile(by, 2), face.landmarks + by, face.score)


def loss_table(photo: np.ndarray, changes: dict[str, list[Face]]) -> list[str]:
    """Lines of a table: what was taken for the truth, the three terms, and how many anchors are on faces."""
    lines = [f"{'':28} L_cls   L_box   L_pts   anchors"]
    for name, faces in changes.items():
        terms = loss_of(photo, faces)
        numbers = "".join(f"{float(term):8.2f}" for term in (terms.cls, terms.box, terms.pts))
        lines.append(f"{name:26}{numbers}{terms.faces:8}")
    return lines
