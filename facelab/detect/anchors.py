"""Anchors: boxes laid out over the photo beforehand, against which a network says where the faces are.

At every cell of its maps RetinaFace has two square anchors, the larger twice the smaller: 16 and 32 pixels at
stride 8, 64 and 128 at stride 16, 256 and 512 at stride 32. It never says coordinates. It says how far a
face's centre lies from the anchor's, in anchor sizes, and how much larger it is, as a logarithm:

    (tx, ty) = (face centre − anchor centre) / (0.1 · anchor size)
    (tw, th) = log(face size / anchor size) / 0.2

so that a small face and a large one ask for numbers of the same magnitude, and 0 means "exactly the anchor".
The five landmarks are said as centres are. The divisors 0.1 and 0.2 ("variances") came with SSD (Liu et al.,
ECCV 2016): they make the numbers about as large as the network's other outputs.
"""

from functools import lru_cache

import torch
from torch import Tensor

STRIDES = (8, 16, 32)
SIZES = ((16, 32), (64, 128), (256, 512))
CENTRE, SIZE = 0.1, 0.2


@lru_cache(maxsize=32)
def anchors(height: int, width: int, device: torch.device = torch.device("cpu")) -> Tensor:  # noqa: B008
    """All anchors of a photo → (A, 4) centre x, centre y, width, height in pixels.

    Stride by stride, row by row, cell by cell, the smaller of a cell first: as the network's outputs lie.
    """
    rows = []
    for stride, sizes in zip(STRIDES, SIZES, strict=True):
        y, x = torch.meshgrid(
            torch.arange(-(-height // stride)), torch.arange(-(-width // stride)), indexing="ij"
        )
        centre = (torch.stack((x, y), dim=-1).reshape(-1, 1, 2) + 0.5) * stride  # (cells, 1, 2)
        size = torch.tensor(sizes, dtype=torch.float32)[:, None].expand(-1, 2)  # (2, 2)
        both = torch.cat((centre.expand(-1, 2, -1), size.expand(len(centre), -1, -1)), dim=-1)
        rows.append(both.reshape(-1, 4))
    return torch.cat(rows).to(device)


def encode(points: Tensor, anchors: Tensor) -> Tensor:
    """What a network should say: points (M, 2 + n, 2), two corners of a box and n landmarks, and the anchor
    (M, 4) that answers for each → (M, 4 + 2n)."""
    centre, size = anchors[:, None, :2], anchors[:, None, 2:]  # (M, 1, 2)
    low, high = points[:, :1], points[:, 1:2]
    offset = ((low + high) / 2 - centre) / (CENTRE * size)
    scale = ((high - low) / size).log() / SIZE
    landmarks = (points[:, 2:] - centre) / (CENTRE * size)
    return torch.cat((offset, scale, landmarks), dim=1).flatten(1)


def decode(said: Tensor, anchors: Tensor) -> Tensor:
    """The other way round: (M, 4 + 2n) and anchors (M, 4) → points (M, 2 + n, 2) in pixels."""
    centre, size = anchors[:, None, :2], anchors[:, None, 2:]
    said = said.unflatten(1, (-1, 2))
    middle = centre + said[:, :1] * CENTRE * size
    half = (said[:, 1:2] * SIZE).exp() * size / 2
    landmarks = centre + said[:, 2:] * CENTRE * size
    return torch.cat((middle - half, middle + half, landmarks), dim=1)
