"""What every detector does with boxes: overlap, non-maximum suppression, and the faces that come out.

A box is (x1, y1, x2, y2). All functions take the boxes of a whole batch of photos at once: `group` says to
which photo (or to which photo and pyramid level) each box belongs, and boxes of different groups never meet.
"""

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from facelab.detect.face import Face, largest_first
from facelab.errors import ImageError


def as_photo(photo: np.ndarray | Tensor, device: torch.device) -> Tensor:
    """A photo as uint8 (H, W, 3) on the device. Raises ImageError for anything that is not one."""
    if not isinstance(photo, Tensor):
        photo = torch.from_numpy(np.require(photo, requirements=["C", "W"]))
    if photo.dtype != torch.uint8 or photo.ndim != 3 or photo.shape[2] != 3 or photo.numel() == 0:
        raise ImageError(
            f"a detector was given an array of shape {tuple(photo.shape)} and type {photo.dtype}; it needs "
            "an RGB photo, uint8 of shape (height, width, 3). facelab.read_image makes one of any image file."
        )
    return photo.to(device)


def overlap(a: Tensor, b: Tensor, over: str = "union") -> Tensor:
    """Shared area of the boxes a (M, 4) and b (M, 4), row by row, as a part of their union, or, with
    `over="smaller"`, of the smaller box of the two → (M,), 0 … 1. NaN where that area is 0."""
    side = torch.minimum(a[:, 2:], b[:, 2:]) - torch.maximum(a[:, :2], b[:, :2])  # (M, 2) width, height
    shared = side.clamp(min=0).prod(1)
    area_a, area_b = (a[:, 2:] - a[:, :2]).prod(1), (b[:, 2:] - b[:, :2]).prod(1)
    whole = torch.minimum(area_a, area_b) if over == "smaller" else area_a + area_b - shared
    return shared / whole


def suppress(
    boxes: Tensor,
    scores: Tensor,
    group: Tensor,
    threshold: float,
    *,
    over: str = "union",
    top_k: int | None = None,
) -> Tensor:
    """Greedy non-maximum suppression in every group at once → indices of the boxes kept, sorted by group,
    then by score, highest first.

    In each group the best box is kept, those that overlap it by more than `threshold` go, and so on with the
    best of the rest. Groups do not touch each other, so one round settles one box of *every* group: there are
    as many rounds as the fullest group has faces, not as many as the batch has.

    boxes (M, 4), scores (M,), group (M,) integers. top_k: only so many of each group, the best, take part.
    Equal scores keep the order in which they came.
    """
    order = scores.argsort(descending=True, stable=True)
    order = order[group[order].argsort(stable=True)]
    if top_k is not None:
        sorted_group = group[order]
        first = torch.searchsorted(sorted_group, sorted_group)  # where the row's group begins
        order = order[torch.arange(len(order), device=order.device) - first < top_k]

    boxes, rest, kept = boxes[order], order, []
    while len(rest):
        group_of = group[rest]
        leads = torch.ones_like(group_of, dtype=torch.bool)
        leads[1:] = group_of[1:] != group_of[:-1]  # the first row of each group is its best
        kept.append(rest[leads])
        leader = boxes[leads][leads.cumsum(0) - 1]  # for each row the best box of its group
        stays = ~leads & (overlap(boxes, leader, over) <= threshold)
        boxes, rest = boxes[stays], rest[stays]
    if not kept:
        return order
    kept = torch.cat(kept)  # round by round: within a group already by score
    return kept[group[kept].argsort(stable=True)]


def sound(points: Tensor) -> Tensor:
    """Which rows of (M, 2 + n, 2), two corners of a box and n points, are finite and have an area → (M,)."""
    return points.isfinite().flatten(1).all(1) & (points[:, 1] > points[:, 0]).all(1)


def to_faces(
    photos: int,
    photo: Tensor,
    boxes: Tensor,
    landmarks: Tensor,
    scores: Tensor,
    *,
    min_face: float,
    max_faces: int | None,
) -> list[list[Face]]:
    """One list of faces for each of the `photos` photos, largest first; row i belongs to photo[i].

    Leaves out boxes whose longer side is below min_face pixels and, beyond max_faces, the smallest ones.
    """
    faces: list[list[Face]] = [[] for _ in range(photos)]
    rows = zip(photo.tolist(), boxes.numpy(), landmarks.numpy(), scores.tolist(), strict=True)
    for index, box, points, score in rows:
        if max(box[2] - box[0], box[3] - box[1]) >= min_face:
            faces[index].append(Face(box.copy(), points.copy(), min(score, 1.0)))
    return [largest_first(found)[:max_faces] for found in faces]


def chunks(items: Sequence, pixels: Sequence[int], budget: int) -> list[list]:
    """The items in order, cut where a chunk would exceed `budget` pixels (one item alone may): that bounds
    the memory of one forward pass. pixels: how many each item has."""
    cut: list[list] = []
    used = math.inf
    for item, size in zip(items, pixels, strict=True):
        if used + size > budget:
            cut.append([])
            used = 0
        cut[-1].append(item)
        used += size
    return cut


def padded_size(height: int, width: int) -> tuple[int, int]:
    """The next multiples of 32, the coarsest stride of YuNet and RetinaFace."""
    return -(-height // 32) * 32, -(-width // 32) * 32
