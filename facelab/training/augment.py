"""Photos made worse on the device, a whole batch at once, so that the network learns what does not matter.

    how = Augment(occlude=0.3)
    drawn = how.draw(len(images), generator)      # what happens to each image: small tensors, on the CPU
    images = how.apply(images, drawn)             # (B, 3, H, W) float −1 … 1 → the same

What is drawn depends on the generator alone, never on the device or on how many processes share the batch:
each takes its rows of what was drawn for all.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

Drawn = dict[str, Tensor]


@dataclass(frozen=True)
class Augment:
    """How much of each. 0 everywhere: the images as they are.

    mirror   probability of left and right changing places
    shift    largest shift, as a share of the side
    turn     largest rotation, degrees
    zoom     largest change of size, as a share
    light    largest change of contrast and of brightness, as a share of the range
    blur     probability of a blur (binomial, 5×5)
    occlude  probability that a rectangle of a quarter to a half of the side is painted over
    small    probability that resolution falls to a half to a quarter (and comes back as pixels only)
    """

    mirror: float = 0.5
    shift: float = 0.04
    turn: float = 4.0
    zoom: float = 0.04
    light: float = 0.2
    blur: float = 0.1
    occlude: float = 0.1
    small: float = 0.1

    @classmethod
    def none(cls) -> "Augment":
        return cls(*[0.0] * 8)

    def draw(self, count: int, generator: torch.Generator) -> Drawn:
        """For each image a row of numbers; all of them are drawn, whatever is used."""
        u = torch.rand(count, 16, generator=generator)
        centred = 2 * u - 1
        return {
            "mirror": u[:, 0] < self.mirror,
            "shift": centred[:, 1:3] * self.shift,
            "turn": centred[:, 3] * math.radians(self.turn),
            "zoom": 1 + centred[:, 4] * self.zoom,
            "gain": 1 + centred[:, 5] * self.light,
            "bias": centred[:, 6] * self.light,
            "blur": u[:, 7] < self.blur,
            "occlude": u[:, 8] < self.occlude,
            "rectangle": u[:, 9:13],  # centre (2), height and width
            "paint": centred[:, 13],
            "small": u[:, 14] < self.small,
            "factor": 2 + 2 * u[:, 15],
        }

    def apply(self, images: Tensor, drawn: Drawn) -> Tensor:
        """(B, 3, H, W) float −1 … 1 → the same, each image by its row of `drawn`."""
        drawn = {name: value.to(images.device) for name, value in drawn.items()}
        if self.shift or self.turn or self.zoom:
            images = _moved(images, drawn)
        elif self.mirror:
            images = torch.where(drawn["mirror"][:, None, None, None], images.flip(3), images)
        if self.small:
            images = _coarse(images, drawn)
        if self.blur:
            images = _some(images, drawn["blur"], _blurred)
        if self.light:
            gain, bias = (drawn[name][:, None, None, None] for name in ("gain", "bias"))
            images = (images * gain + bias).clamp(-1, 1)
        if self.occlude:
            images = _painted(images, drawn)
        return images


def _moved(images: Tensor, drawn: Drawn) -> Tensor:
    """Mirror, shift, rotation and zoom are one matrix, so one resampling. Beyond the border it goes on as it
    ends: black would tell the network that the photo was moved."""
    cos, sin = drawn["turn"].cos() * drawn["zoom"], drawn["turn"].sin() * drawn["zoom"]
    across = torch.where(drawn["mirror"], -1.0, 1.0)
    rows = [cos * across, -sin, 2 * drawn["shift"][:, 0], sin * across, cos, 2 * drawn["shift"][:, 1]]
    matrices = torch.stack(rows, 1).view(-1, 2, 3).to(images.dtype)
    grid = F.affine_grid(matrices, list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, padding_mode="border", align_corners=False)


def _some(images: Tensor, chosen: Tensor, how) -> Tensor:
    """`how` for the chosen images only: most are not, and the CPU need not work for them."""
    rows = chosen.nonzero().squeeze(1)
    return images if len(rows) == 0 else images.index_copy(0, rows, how(images[rows]))


def _blurred(images: Tensor) -> Tensor:
    line = torch.tensor([1.0, 4.0, 6.0, 4.0, 1.0], device=images.device, dtype=images.dtype) / 16
    kernel = line.outer(line).expand(3, 1, 5, 5)
    return F.conv2d(F.pad(images, (2, 2, 2, 2), mode="replicate"), kernel, groups=3)


def _coarse(images: Tensor, drawn: Drawn) -> Tensor:
    side = images.shape[-1]
    for sixth in range(3):  # three sizes do: each is one call for the images that have it
        chosen = drawn["small"] & ((drawn["factor"] * 1.5 - 3).int().clamp(0, 2) == sixth)
        fewer = max(1, round(side / (2 + sixth)))
        images = _some(images, chosen, lambda some, fewer=fewer: F.interpolate(
            F.interpolate(some, size=fewer, mode="area"), size=side, mode="bilinear", align_corners=False
        ))  # fmt: skip
    return images


def _painted(images: Tensor, drawn: Drawn) -> Tensor:
    """A rectangle of one grey over the image: sunglasses, a hand, a microphone."""
    height, width = images.shape[2:]
    y = torch.arange(height, device=images.device)[None] / height
    x = torch.arange(width, device=images.device)[None] / width
    box = drawn["rectangle"]
    half = (0.25 + 0.25 * box[:, 2:]) / 2
    in_y = (y - box[:, :1]).abs() < half[:, :1]  # (B, H)
    in_x = (x - box[:, 1:2]).abs() < half[:, 1:]  # (B, W)
    where = drawn["occlude"][:, None, None] & in_y[:, :, None] & in_x[:, None, :]
    return torch.where(where[:, None], drawn["paint"][:, None, None, None].to(images.dtype), images)
