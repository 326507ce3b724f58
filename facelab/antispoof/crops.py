"""What the detector looks at: the face, and the face with what is around it.

Texture (dots, stripes) is in the face; a sheet's edge, a bezel, a hand is around it. Published small nets
look at both in the same way, at scales such as 2.7 and 4 of the box (Minivision's Silent-Face-Anti-Spoofing).
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from facelab.align import square_matrices, warp
from facelab.detect.face import Face

SIDE = 80
SCALES = (1.1, 2.2)
"""Sides of the two squares, in longer sides of the face's box: tight, wide."""

GREY = 127


def pairs(photos: Sequence[Tensor], faces: Sequence[Sequence[Face]], side: int = SIDE) -> Tensor:
    """All faces of all photos (H, W, 3) uint8 → (N, 2, side, side, 3) uint8 on the photos' device: tight
    and wide, black outside the photo.

    Raises ValueError for a box that is empty or not finite.
    """
    index = [row for row, found in enumerate(faces) for _ in found]
    flat = [face for found in faces for face in found]
    cut = [warp(photos, index, square_matrices(flat, scale, side), side, side) for scale in SCALES]
    return torch.stack(cut, 1)


def pair(photo: np.ndarray, face: Face, side: int = SIDE) -> np.ndarray:
    """(2, side, side, 3) uint8 of one face."""
    return pairs([torch.from_numpy(np.ascontiguousarray(photo))], [[face]], side)[0].numpy()


def without_border(crops: np.ndarray) -> np.ndarray:
    """(N, 2, S, S, 3), or (2, S, S, 3), with grey in the wide crop wherever the tight one does not reach:
    what is left to go by when the border cannot be seen."""
    crops = crops.copy()
    side = crops.shape[-2]
    edge = round(side * (1 - SCALES[0] / SCALES[1]) / 2)
    middle = crops[..., 1, edge : side - edge, edge : side - edge, :].copy()
    crops[..., 1, :, :, :] = GREY
    crops[..., 1, edge : side - edge, edge : side - edge, :] = middle
    return crops
