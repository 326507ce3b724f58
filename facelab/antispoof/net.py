"""A small network for presentation attacks: two crops of one face → how likely it is a living one.

Each crop has a branch of its own, four convolutions that each halve the map. Of the last map the means over
the places say what there is, and the standard deviations how unevenly: a screen's dots lie everywhere, an
edge in one place. 96,449 numbers, 390 kB.

The idea of two scales is Minivision's (`minifasnet.py` opens their files); nothing else of theirs is in here.
"""

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from facelab.loading import load_by_name

WIDTHS = (16, 32, 48, 64)


def residual(x: Tensor) -> Tensor:
    """(N, 3, H, W) → the same: what a pixel has that the mean of its 3×3 has not, four times. Dots,
    stripes and blocks are in it, and hardly anything of whose face it is."""
    return 4 * (x - F.avg_pool2d(F.pad(x, (1, 1, 1, 1), mode="replicate"), 3, 1))


class Branch(nn.Module):
    """(N, 3, S, S) → (N, 64, S/16, S/16): the image and its residual, four times convolved and halved."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        before = 6
        for width in WIDTHS:
            layers += [
                nn.Conv2d(before, width, 4 if before == 6 else 3, 2, padding=1, bias=False),
                nn.BatchNorm2d(width),
                nn.PReLU(width),
            ]
            before = width
        self.layers = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(torch.cat([x, residual(x)], 1))


class TwoScales(nn.Module):
    """(N, 2, 3, S, S) float RGB −1 … 1, tight and wide → (N,) logits: above 0, more likely bona fide."""

    def __init__(self) -> None:
        super().__init__()
        self.tight, self.wide = Branch(), Branch()
        self.drop = nn.Dropout(0.2)
        self.head = nn.Linear(4 * WIDTHS[-1], 1)

    @staticmethod
    def pixels(crops: Tensor) -> Tensor:
        """(N, 2, S, S, 3) uint8 → (N, 2, 3, S, S) float32 −1 … 1."""
        return crops.permute(0, 1, 4, 2, 3).float() / 127.5 - 1

    def forward(self, x: Tensor) -> Tensor:
        maps = (self.tight(x[:, 0]), self.wide(x[:, 1]))
        told = [of for m in maps for of in (m.mean((2, 3)), (m.var((2, 3), correction=0) + 1e-5).sqrt())]
        return self.head(self.drop(torch.cat(told, 1))).squeeze(1)

    def load(self, tensors: Mapping[str, np.ndarray], what: str = "antispoof") -> "TwoScales":
        """Its numbers from a file. Raises WeightsError when they are another network's."""
        with torch.no_grad():
            load_by_name(self, tensors, what)
        return self


@torch.inference_mode()
def scores(net: TwoScales, crops: np.ndarray | Tensor, batch_size: int = 256) -> np.ndarray:
    """(N, 2, S, S, 3) uint8 → (N,) float32 in 0 … 1, higher: more likely bona fide. In evaluation mode."""
    net.eval()
    crops = torch.as_tensor(crops)
    parts = [torch.sigmoid(net(net.pixels(some))) for some in crops.split(batch_size)]
    return torch.cat(parts).cpu().numpy() if parts else np.zeros(0, np.float32)
