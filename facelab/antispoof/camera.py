"""The camera that everything passes through, bona fide or attack.

Were only attacks resampled and compressed, a network would learn to see that, and nothing else. So bona
fide photos pass through the same cameras, and as often: once or twice, as attacks do. `benchmarks.antispoof`
checks it: photos taken twice and nothing more must score as those taken once.
"""

import io
import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch.nn import functional as F

from facelab.antispoof.plane import sample, tensor_of
from facelab.antispoof.quantities import Drawable, quantity


@dataclass(frozen=True)
class Camera(Drawable):
    """How a photo is taken: framing (which resamples), lens, light, sensor, JPEG.

    zoom     size of everything, 1 as it was          turn     around the middle, radians
    blur     of the lens, standard deviation, pixels  sharpen  what the camera does about it, share
    gain     of the light                             gamma    of the tones
    warmth   of the light, −1 blue … 1 yellow         noise    standard deviation, grey levels
    quality  of the JPEG, PIL's scale; 100: none is made
    """

    zoom: float = quantity(1.0, 0.8, 1.25, drawn=(0.97, 1.05))
    turn: float = quantity(0.0, -0.5, 0.5, "rad", drawn=(-0.06, 0.06))
    blur: float = quantity(0.0, 0.0, 3.0, "px", drawn=(0.2, 0.9))
    sharpen: float = quantity(0.0, 0.0, 2.0, drawn=(0.0, 0.3))
    gain: float = quantity(1.0, 0.2, 2.0, drawn=(0.75, 1.2))
    gamma: float = quantity(1.0, 0.5, 2.0, drawn=(0.85, 1.2))
    warmth: float = quantity(0.0, -1.0, 1.0, drawn=(-0.6, 0.6))
    noise: float = quantity(0.0, 0.0, 30.0, "grey levels", drawn=(0.5, 5.0))
    quality: int = quantity(100, 1, 100, drawn=(78, 96))
    seed: int = 0

    def apply(self, photo: np.ndarray) -> np.ndarray:
        """The photo (H, W, 3) uint8 as this camera takes it: the same size."""
        framed = photo if (self.zoom, self.turn) == (1.0, 0.0) else _framed(photo, self.zoom, self.turn)
        x = tensor_of(framed).permute(2, 0, 1).float() / 255
        if self.blur > 0:
            x = _blurred(x, self.blur)
        if self.sharpen > 0:
            x = x + self.sharpen * (x - _blurred(x, 1.2))
        colour = torch.tensor([1 + 0.12 * self.warmth, 1.0, 1 - 0.16 * self.warmth])[:, None, None]
        x = (x.clamp_(0, 1) ** self.gamma) * (self.gain * colour)
        if self.noise > 0:
            dice = torch.Generator().manual_seed(self.seed)
            x = x + (self.noise / 255) * torch.randn(x.shape, generator=dice)
        taken = (x.clamp_(0, 1) * 255).round_().byte().permute(1, 2, 0).contiguous().numpy()
        return taken if self.quality == 100 else jpeg(taken, self.quality)


OTHER: dict[str, tuple[float, float]] = {
    "blur": (0.9, 1.4),
    "sharpen": (0.5, 1.2),
    "gain": (0.55, 0.75),
    "noise": (5.0, 9.0),
    "quality": (55, 75),
}
"""What the cameras are drawn from that no training has seen: softer lenses sharpened by force, less light,
more noise, harder compression. Disjoint from the training's cameras in each of these five."""


def other_camera(rng: np.random.Generator) -> Camera:
    """A camera of OTHER's ranges, and otherwise as `Camera.draw` draws it."""
    numbers: dict[str, Any] = {name: float(rng.uniform(*drawn)) for name, drawn in OTHER.items()}
    return replace(Camera.draw(rng), **{**numbers, "quality": round(numbers["quality"])})


def jpeg(photo: np.ndarray, quality: int) -> np.ndarray:
    """The photo after JPEG compression (PIL's scale, chroma halved as usual)."""
    with io.BytesIO() as file:
        Image.fromarray(photo).save(file, "JPEG", quality=quality)
        with Image.open(file) as image:
            return np.array(image)


def _framed(photo: np.ndarray, zoom: float, turn: float) -> np.ndarray:
    height, width = photo.shape[:2]
    mx, my = (width - 1) / 2, (height - 1) / 2
    y, x = torch.meshgrid(
        (torch.arange(height) - my).float() / zoom, (torch.arange(width) - mx).float() / zoom, indexing="ij"
    )
    cos, sin = math.cos(turn), math.sin(turn)
    colours = sample(photo, mx + cos * x + sin * y, my - sin * x + cos * y)
    return (colours * 255).round_().byte().permute(1, 2, 0).contiguous().numpy()


def _blurred(x: torch.Tensor, sigma: float) -> torch.Tensor:
    radius = max(1, math.ceil(2.5 * sigma))
    weights = torch.exp(-0.5 * (torch.arange(-radius, radius + 1) / sigma).square())
    weights = (weights / weights.sum()).float()
    padded = F.pad(x[:, None], [radius] * 4, mode="replicate")
    return F.conv2d(F.conv2d(padded, weights[None, None, None]), weights[None, None, :, None])[:, 0]
