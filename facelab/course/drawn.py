"""Faces that are drawn, not photographed: people who do not exist, as many as one likes.

    people = identities(50, seed=0)                     # (50, 26): one row of numbers makes a person
    images = photos(people, np.repeat(range(50), 8), seed=1)     # (400, 112, 112, 3) uint8

A person is 26 numbers (shape of the face, colours, features); a photo of that person is 22 more (light, pose,
expression, background, glasses, blur). Every photo of a person shares the first and draws the second anew,
which is what makes recognition a task. Notebook 10 trains on them where LFW's photos are not: nothing has to
be downloaded, and nobody's face is in it. What holds for drawings need not hold for photos.
"""

from functools import cache

import numpy as np
import torch
from torch import Tensor

IDENTITY, PHOTO = 26, 22

SKIN = torch.tensor(
    [[0.98, 0.87, 0.78], [0.93, 0.76, 0.62], [0.80, 0.60, 0.44], [0.62, 0.43, 0.30], [0.42, 0.28, 0.20]]
)
HAIR = torch.tensor(
    [[0.08, 0.07, 0.08], [0.26, 0.16, 0.10], [0.45, 0.25, 0.12], [0.78, 0.62, 0.35], [0.66, 0.66, 0.68]]
)
EYES = torch.tensor(
    [[0.20, 0.12, 0.06], [0.40, 0.25, 0.10], [0.25, 0.42, 0.25], [0.25, 0.42, 0.62], [0.45, 0.50, 0.55]]
)


def identities(count: int, seed: int = 0) -> np.ndarray:
    """(count, 26) float32 in 0 … 1: people. The same seed gives the same, and more when asked for more."""
    return np.random.default_rng([seed, 1]).random((count, IDENTITY), dtype=np.float32)


def photos(people: np.ndarray, who: np.ndarray, seed: int = 0, side: int = 112) -> np.ndarray:
    """(N, side, side, 3) uint8: a new photo for each entry of `who`, which are rows of `people`."""
    numbers = np.random.default_rng([seed, 2]).random((len(who), PHOTO), dtype=np.float32)
    parts = [
        _draw(torch.from_numpy(people[who[i : i + 64]]), torch.from_numpy(numbers[i : i + 64]), side)
        for i in range(0, len(who), 64)
    ]
    return np.concatenate(parts) if parts else np.zeros((0, side, side, 3), np.uint8)


@cache
def _grid(side: int) -> tuple[Tensor, Tensor]:
    line = (torch.arange(side) + 0.5) / side * 2 - 1
    return line[None, :, None], line[None, None, :]  # y, x in −1 … 1


class _Sheet:
    """Images under work: shapes are laid over one another, edges soft over a pixel or so."""

    def __init__(self, count: int, side: int):
        self.image = torch.zeros(count, 3, side, side)
        self.sharp = side / 4

    def lay(self, colour: Tensor, inside: Tensor, how_much: Tensor | float = 1.0) -> None:
        """inside (N, H, W): above 0 within the shape, in units of the picture's half side."""
        alpha = (inside * self.sharp).add_(0.5).clamp_(0, 1)
        alpha = alpha * (how_much if isinstance(how_much, float) else how_much[:, None, None])
        self.image = torch.lerp(self.image, colour[:, :, None, None].expand_as(self.image), alpha[:, None])


def _ellipse(y: Tensor, x: Tensor, cy, cx, ry, rx) -> Tensor:
    """How far inside: about 0 on the edge, in the units of the smaller axis."""
    cy, cx, ry, rx = (v[:, None, None] if isinstance(v, Tensor) else v for v in (cy, cx, ry, rx))
    radius = ((y - cy) / ry).square() + ((x - cx) / rx).square()
    return (1 - radius.sqrt()) * (torch.minimum(ry, rx) if isinstance(ry, Tensor) else min(ry, rx))


def _between(table: Tensor, share: Tensor) -> Tensor:
    """Colours (N, 3) along a table of colours."""
    place = share * (len(table) - 1)
    low = place.long().clamp(max=len(table) - 2)
    return torch.lerp(table[low], table[low + 1], (place - low)[:, None])


def _draw(person: Tensor, photo: Tensor, side: int) -> np.ndarray:
    p, q = person.unbind(1), photo.unbind(1)
    y0, x0 = _grid(side)
    turn, zoom = 0.12 * (2 * q[0] - 1), 1 + 0.06 * (2 * q[1] - 1)
    dy, dx = 0.05 * (2 * q[2] - 1), 0.05 * (2 * q[3] - 1)
    cos, sin = (f(turn)[:, None, None] for f in (torch.cos, torch.sin))
    y, x = ((v - d[:, None, None]) * zoom[:, None, None] for v, d in ((y0, dy), (x0, dx)))
    y, x = cos * y - sin * x, sin * y + cos * x
    yaw = 2 * q[4] - 1  # what stands out moves more
    near, nod = 0.10 * yaw, 0.05 * (2 * q[5] - 1)
    sheet = _Sheet(len(person), side)
    sheet.image += torch.stack(q[6:9], 1)[:, :, None, None] * 0.9
    skin, hair = _between(SKIN, p[0]), _between(HAIR, p[1])
    width, height = 0.50 + 0.14 * p[2], 0.74 + 0.14 * p[3]
    lay, full = sheet.lay, torch.ones(len(person))

    volume = 0.06 + 0.22 * p[4]
    lay(hair, _ellipse(y, x, -0.28 + 0.0 * full, 0.3 * near, 0.62 + volume, width + 0.6 * volume))
    long = (p[5] > 0.55).float()
    lay(hair, _ellipse(y, x, 0.25 + 0 * full, 0.3 * near, 0.8 * full, width + 0.10 + 0.12 * p[5]), long)
    lay(skin * 0.92, _ellipse(y, x, 1.05 * full, 0 * full, 0.5 * full, 0.55 * width + 0.1))  # neck
    for where in (-1.0, 1.0):  # ears
        lay(
            skin * 0.88,
            _ellipse(y, x, 0.02 + nod, where * (width + 0.01) + 0.2 * near, 0.10 + 0.08 * p[6], 0.07 * full),
        )
    jaw = (x - 0.4 * near[:, None, None]) * (1 + (0.28 * p[7])[:, None, None] * (y + 0.1).clamp(min=0))
    lay(skin, _ellipse(y, jaw, 0.06 + 0 * full, 0.4 * near, height, width))
    lay(hair, _ellipse(y, x, -1.02 + 0.32 * p[8], 0.35 * near, 0.42 * full, width + 0.03))  # hairline
    beard = (p[9] - 0.6).clamp(min=0) * 2.2
    lay(hair, torch.minimum(_ellipse(y, jaw, 0.06 + 0 * full, 0.4 * near, height, width), y - 0.38), beard)

    apart, at = 0.20 + 0.08 * p[10], -0.12 + 0.08 * p[11] + nod
    size, slit = 0.075 + 0.045 * p[12], 0.35 + 0.55 * q[9]
    tilt = 0.35 * (p[13] - 0.4)
    iris, dark = _between(EYES, p[14]), 0.06 * torch.ones(len(person), 3)
    white = 0.95 * torch.ones(len(person), 3)
    thick, arch = 0.020 + 0.035 * p[15], 0.5 * (p[16] - 0.5)
    look = 0.03 * (2 * q[10] - 1)
    for where in (-1.0, 1.0):
        cx = where * apart + near
        slant = y - (where * tilt)[:, None, None] * (x - cx[:, None, None])
        eye = _ellipse(slant, x, at, cx, size * slit, 1.25 * size)
        lay(skin * 0.80, _ellipse(slant, x, at, cx, size * (slit + 0.25), 1.45 * size), 0.6)
        lay(white, eye)
        lay(iris, torch.minimum(_ellipse(y, x, at, cx + look, 0.7 * size, 0.7 * size), eye))
        lay(dark, torch.minimum(_ellipse(y, x, at, cx + look, 0.32 * size, 0.32 * size), eye))
        line = (
            y
            + (where * arch)[:, None, None] * (x - cx[:, None, None])
            + 1.5 * (x - cx[:, None, None]).square()
        )
        lift = at - 0.13 - 0.07 * p[17] - 0.04 * q[11]
        lay(hair * 0.8, _ellipse(line, x, lift, cx, thick, 0.10 + 0.07 * p[18]))

    tip, wide = 0.16 + 0.10 * p[19] + nod, 0.07 + 0.07 * p[20]
    ridge = (0.3 * wide)[:, None, None] * (0.4 + (y - at[:, None, None]).clamp(0, 1))
    lay(
        skin * 0.90,
        torch.minimum(
            ridge - (x - 1.15 * near[:, None, None]).abs(),
            torch.minimum(y - at[:, None, None], tip[:, None, None] - y),
        ),
    )
    lay(skin * 0.82, _ellipse(y, x, tip, 1.25 * near, 0.055 * full, wide))
    for where in (-1.0, 1.0):
        lay(
            skin * 0.45,
            _ellipse(y, x, tip + 0.025, 1.25 * near + where * 0.55 * wide, 0.015 * full, 0.022 * full),
        )

    mouth, lips = 0.42 + 0.10 * p[21] + nod, 0.025 + 0.05 * p[22]
    across, smile, opened = (
        0.15 + 0.11 * p[23] + 0.04 * q[12],
        0.9 * (q[12] - 0.35),
        0.09 * (q[13] - 0.5).clamp(min=0) * 2,
    )
    curve = y + smile[:, None, None] * (x - near[:, None, None]).square() * 2
    red = skin * torch.tensor([0.85, 0.55, 0.55])
    lay(red, _ellipse(curve, x, mouth, near, lips + opened, across))
    lay(dark, _ellipse(curve, x, mouth, near, 0.008 + opened, 0.8 * across))
    mole = (p[24] > 0.6).float()
    lay(
        skin * 0.35,
        _ellipse(y, x, 0.25 + 0.2 * p[25], 0.6 * near + 0.7 * (p[24] - 0.8), 0.018 * full, 0.018 * full),
        mole,
    )

    worn = (q[14] < 0.15).float()  # glasses
    for where in (-1.0, 1.0):
        cx = where * apart + near
        ring = _ellipse(y, x, at, cx, 0.14 * full, 0.17 * full)
        lay(dark, torch.minimum(ring, 0.022 - ring), worn)
    lay(
        dark,
        torch.minimum(
            0.012 - (y - at[:, None, None]).abs(),
            apart[:, None, None] - 0.15 - (x - near[:, None, None]).abs(),
        ),
        worn,
    )

    image = sheet.image
    side_light = 1 + 0.45 * ((2 * q[15] - 1)[:, None, None] * x0 + (2 * q[16] - 1)[:, None, None] * y0 * 0.6)
    image = image * (side_light * (0.65 + 0.5 * q[17])[:, None, None])[:, None]
    tint = 1 + 0.16 * (torch.stack((*q[18:20], torch.full_like(q[18], 0.5)), 1) - 0.5)
    image = image * tint[:, :, None, None]
    coarse = q[20] < 0.25
    if coarse.any():
        small = torch.nn.functional.interpolate(image[coarse], scale_factor=0.3, mode="area")
        image[coarse] = torch.nn.functional.interpolate(
            small, size=side, mode="bilinear", align_corners=False
        )
    grain = torch.Generator().manual_seed(int(photo[0, 21] * 2**30))
    image = image + 0.03 * torch.randn(image.shape, generator=grain)
    return (image.clamp(0, 1) * 255).round().byte().permute(0, 2, 3, 1).numpy()
