"""Thumbnet: a network for faces that two CPU cores can train while a class waits.

It looks at a thumbnail, 56×56, and wastes no time at full size: the stem halves the map at once, a second
convolution halves it again, and all depth is spent at 14×14 and 7×7. The convolutions are full ones.
Depthwise ones (`mobilefacenet.py`) would need fewer multiplications, but in training on a CPU it is the
reading and writing of maps that costs, and they have more of those (`python -m benchmarks.train speed`).

What follows the maps is the usual neck of face recognition (Japanese slides, page 15): BN – linear – BN.

Input: (N, 3, 112, 112) float, RGB, −1 … 1, as IResNet's; averaged over 2×2 pixels first. A map of 56×56 is
taken as it is, so that training may shrink its crops once and not in every step.
"""

import re
from collections.abc import Mapping

import numpy as np
from torch import Tensor, nn
from torch.nn import functional as F

from facelab.embed.iresnet import IResNet, Unit
from facelab.loading import load_by_name


class Halving(nn.Sequential):
    """Convolution with stride 2, BN, PReLU."""

    FOLDABLE = (("0", "1"),)

    def __init__(self, inputs: int, outputs: int, kernel: int):
        super().__init__(
            nn.Conv2d(inputs, outputs, kernel, 2, padding=1, bias=False),
            nn.BatchNorm2d(outputs),
            nn.PReLU(outputs),
        )


class Thumbnet(nn.Module):
    """(N, 3, 112, 112) or (N, 3, 56, 56) float RGB −1 … 1 → (N, dim), not normalised.

    width   channels after the stem; 16. The later stages have twice and four times as many.
    dim     length of the vector; 128
    """

    SIDE = 56
    HEAD = ("norm", "fc", "features")

    def __init__(self, width: int = 16, dim: int = 128):
        super().__init__()
        self.width, self.dim = width, dim
        self.stem = Halving(3, width, 4)  # 28×28
        self.down1 = Halving(width, 2 * width, 3)  # 14×14
        self.units1 = nn.Sequential(Unit(2 * width, 2 * width, 1, None))
        self.down2 = Halving(2 * width, 4 * width, 3)  # 7×7
        self.units2 = nn.Sequential(*[Unit(4 * width, 4 * width, 1, None) for _ in range(2)])
        self.norm = nn.BatchNorm2d(4 * width)
        self.fc = nn.Linear(4 * width * 49, dim)
        self.features = nn.BatchNorm1d(dim)

    pixels = staticmethod(IResNet.pixels)

    def body(self, x: Tensor) -> Tensor:
        if x.shape[-1] == 2 * self.SIDE:
            x = F.avg_pool2d(x, 2)
        x = self.units1(self.down1(self.stem(x)))
        return self.units2(self.down2(x))  # (N, 4·width, 7, 7)

    def head(self, x: Tensor) -> Tensor:
        return self.features(self.fc(self.norm(x).flatten(1)))  # (N, dim)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.body(x))

    # --- from a file ----------------------------------------------------------------------------------------

    @staticmethod
    def size_of(tensors: Mapping[str, np.ndarray]) -> int | None:
        """The width of the network that a file's tensors belong to. None: another network's."""
        known = any(re.match(r"units2\.1\.conv1\.", name) for name in tensors) and "down1.0.weight" in tensors
        return tensors["down1.0.weight"].shape[0] // 2 if known else None

    @classmethod
    def of(cls, size: int, tensors: Mapping[str, np.ndarray], what: str) -> "Thumbnet":
        """The network of a file's tensors. Raises WeightsError, naming `what`, when they do not fit."""
        net = cls(size, len(tensors.get("fc.weight", range(128))))
        load_by_name(net, tensors, what)
        return net

    @staticmethod
    def file_name(name: str, size: int = 16) -> str:
        """What a tensor of this network is called in the file."""
        return name
