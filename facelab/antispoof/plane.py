"""What a camera sees of something flat (a sheet, a screen) held where a face was.

Lengths are in face sides: the longer side of the face's box. The plane goes through the face's middle, which
stays where it is in the photo, so that an attack's face lies where the bona fide one did.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from facelab.detect.face import Face

DISTANCE = 3.5
"""From the camera to the plane's middle, face sides: about 70 cm for a face of 20 cm."""

FINE = 2
"""Points in x and in y that each pixel averages."""


@dataclass(frozen=True, eq=False)
class View:
    """For each fine point of the photo, (FINE·H, FINE·W) float32 tensors, face sides from the face's middle:

    x, y    where it lies in the photo
    u, v    where its ray meets the plane
    light   share of the light that the plane throws back there (1 where it faces the camera)
    """

    x: Tensor
    y: Tensor
    u: Tensor
    v: Tensor
    light: Tensor


def side_of(face: Face) -> float:
    """The unit of length, pixels. Raises ValueError for an empty box."""
    side = max(face.width, face.height)
    if not (math.isfinite(side) and side > 0):
        raise ValueError(f"the face's box {face.box.tolist()} is empty.")
    return side


def view(
    photo: np.ndarray, face: Face, slant: float = 0.0, nod: float = 0.0, turn: float = 0.0, bend: float = 0.0
) -> View:
    """slant, nod, turn  of the plane around the upright, the level and the viewing axis, radians
    bend             curvature of a sheet bent around an upright cylinder, 1 / face sides"""
    (height, width), side, (cx, cy) = photo.shape[:2], side_of(face), face.center
    x = ((torch.arange(width * FINE) + 0.5) / FINE - 0.5 - cx) / side
    y = ((torch.arange(height * FINE) + 0.5) / FINE - 0.5 - cy) / side
    y, x = torch.meshgrid(y.float(), x.float(), indexing="ij")
    (cs, ss), (cn, sn), (ct, st) = ((math.cos(a), math.sin(a)) for a in (slant, nod, turn))
    upright = np.array([[cs, 0, ss], [0, 1, 0], [-ss, 0, cs]])
    level = np.array([[1, 0, 0], [0, cn, -sn], [0, sn, cn]])
    rolled = np.array([[ct, -st, 0], [st, ct, 0], [0, 0, 1]])
    right, down, normal = (rolled @ upright @ level).T.tolist()
    # The ray (x, y, D) meets the plane through (0, 0, D) at t·(x, y, D).
    t = DISTANCE * normal[2] / (normal[0] * x + normal[1] * y + normal[2] * DISTANCE).clamp(min=1e-3)
    px, py, pz = t * x, t * y, DISTANCE * (t - 1)
    u = right[0] * px + right[1] * py + right[2] * pz
    v = down[0] * px + down[1] * py + down[2] * pz
    light = torch.full_like(u, abs(normal[2]))
    if bend:
        sine = (bend * u).clamp(-0.98, 0.98)
        light = light * (1 - sine.square()).sqrt()
        u = torch.asin(sine) / bend
    return View(x, y, u, v, light)


def sample(photo: np.ndarray, x: Tensor, y: Tensor) -> Tensor:
    """Colours (3, h, w) in 0 … 1 of a uint8 photo at pixel positions x, y (h, w); beyond its edge, its mirror
    image (an edge drawn out into streaks would give attacks away)."""
    height, width = photo.shape[:2]
    grid = torch.stack([(2 * x + 1) / width - 1, (2 * y + 1) / height - 1], dim=2)[None]
    image = tensor_of(photo).permute(2, 0, 1)[None].float()
    return F.grid_sample(image, grid, padding_mode="reflection", align_corners=False)[0] / 255


def tensor_of(photo: np.ndarray) -> Tensor:
    """The photo as a tensor, which shares its memory where that may be written."""
    return torch.from_numpy(photo if photo.flags.writeable else photo.copy())


def at(photo: np.ndarray, face: Face, u: Tensor, v: Tensor) -> Tensor:
    """The photo's colours at u, v face sides from its face's middle."""
    side, (cx, cy) = side_of(face), face.center
    return sample(photo, cx + side * u, cy + side * v)


def seen(fine: Tensor) -> np.ndarray:
    """(3, FINE·H, FINE·W) in 0 … 1 → the photo (H, W, 3) uint8: each pixel the mean of its points."""
    image = F.avg_pool2d(fine[None], FINE)[0]
    return (image.clamp_(0, 1) * 255).round_().byte().permute(1, 2, 0).contiguous().numpy()


def extent(photo: np.ndarray, face: Face, shown: float) -> tuple[float, float, float, float]:
    """left, top, right, bottom of the part of a photo that is shown: `shown` face sides around the face's
    middle, but no more than there is."""
    (height, width), side, (cx, cy) = photo.shape[:2], side_of(face), face.center
    ends = (cx + 0.5, cy + 0.5, width - 0.5 - cx, height - 0.5 - cy)
    left, top, right, bottom = (min(shown, end / side) for end in ends)
    return -left, -top, right, bottom


def within(u: Tensor, v: Tensor, box: tuple[float, float, float, float], more: float = 0.0) -> Tensor:
    """1.0 where u, v lie in the box, which is `more` larger on each side, else 0.0."""
    left, top, right, bottom = box
    return ((u >= left - more) & (u <= right + more) & (v >= top - more) & (v <= bottom + more)).float()


def surroundings(seen_by: View, behind: tuple[np.ndarray, Face] | None, rng: np.random.Generator) -> Tensor:
    """What lies beside the sheet: another photo, its face at the same place, or a plain surface under uneven
    light."""
    if behind is not None:
        return at(behind[0], behind[1], seen_by.x, seen_by.y)
    colour = torch.tensor(rng.uniform(0.05, 0.85, 3), dtype=torch.float32)[:, None, None]
    across, down = rng.uniform(-0.12, 0.12, 2)
    return colour * (1 + across * seen_by.x + down * seen_by.y)
