"""MobileFaceNet: a million numbers, for a phone (Chen et al., CCBR 2018, arXiv:1804.07573, table 1).

A bottleneck widens the map with a 1×1 convolution, filters each channel alone (depthwise), and narrows it
again without an activation, beside a shortcut where the shape stays: MobileNetV2's inverted residual, with
PReLU.

The paper's point is the end. Averaging the last 7×7 map treats its corner like its centre, though the corner
of an aligned face shows hair and background; so a depthwise convolution of 7×7 learns one weight for each
place ("global depthwise convolution"), and a linear layer without bias makes the vector.

Input: (N, 3, 112, 112) float, RGB, −1 … 1.

The names of the layers are those of arcface_torch (`get_mbf`, whose `scale` doubles the channels up to 128 of
the paper), so its files load by name.
"""

from collections.abc import Mapping

import numpy as np
from torch import Tensor, nn

from facelab.embed.iresnet import IResNet
from facelab.loading import load_by_name

STAGES = (
    # channels, blocks after the halving one, channels inside the halving one, channels inside the others
    (64, 4, 128, 128),
    (128, 6, 256, 256),
    (128, 2, 512, 256),
)


class Conv(nn.Module):
    """Convolution, BN, and PReLU unless `act` is False."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1,
                 padding: int | None = None, act: bool = True):  # fmt: skip
        super().__init__()
        padding = kernel // 2 if padding is None else padding
        self.layers = Folding(
            nn.Conv2d(inputs, outputs, kernel, stride, padding, groups=groups, bias=False),
            nn.BatchNorm2d(outputs),
            *([nn.PReLU(outputs)] if act else []),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)


class Folding(nn.Sequential):
    FOLDABLE = (("0", "1"),)


class Bottleneck(nn.Module):
    """Widen, filter, narrow. A stride of 1 goes with a shortcut."""

    def __init__(self, inputs: int, outputs: int, inside: int, stride: int):
        super().__init__()
        self.layers = nn.Sequential(
            Conv(inputs, inside, 1),
            Conv(inside, inside, 3, stride, groups=inside),
            Conv(inside, outputs, 1, act=False),
        )
        self.shortcut = stride == 1

    def forward(self, x: Tensor) -> Tensor:
        return x + self.layers(x) if self.shortcut else self.layers(x)


class Stage(nn.Module):
    """Bottlenecks that keep the shape."""

    def __init__(self, channels: int, blocks: int, inside: int):
        super().__init__()
        self.layers = nn.Sequential(*[Bottleneck(channels, channels, inside, 1) for _ in range(blocks)])

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)


class Neck(nn.Module):
    """(N, 512, 7, 7) → (N, dim): one weight for each place of each channel, then linear, then BN."""

    def __init__(self, dim: int):
        super().__init__()
        self.layers = nn.Sequential(
            Conv(512, 512, 7, groups=512, padding=0, act=False),
            nn.Flatten(),
            nn.Linear(512, dim, bias=False),
            nn.BatchNorm1d(dim),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)


class MobileFaceNet(nn.Module):
    """(N, 3, 112, 112) float RGB −1 … 1 → (N, dim), not normalised.

    scale  1: the paper's; 2: what arcface_torch trains
    dim    length of the vector; 512 in arcface_torch, 128 in the paper
    """

    SIDE = 112
    HEAD = ()  # its last convolution is folded like the others; there is nothing to fold behind it

    def __init__(self, scale: int = 1, dim: int = 128):
        super().__init__()
        self.scale, self.dim = scale, dim
        before = 64 * scale
        layers: list[nn.Module] = [Conv(3, before, 3, 2), Conv(before, before, 3, groups=before)]
        for channels, blocks, halving, inside in STAGES:
            layers += [
                Bottleneck(before, channels * scale, halving, 2),
                Stage(channels * scale, blocks, inside),
            ]
            before = channels * scale
        self.layers = nn.ModuleList(layers)
        self.conv_sep = Conv(before, 512, 1)
        self.features = Neck(dim)

    pixels = staticmethod(IResNet.pixels)

    def body(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = layer(x)
        return self.conv_sep(x)  # (N, 512, 7, 7)

    def head(self, x: Tensor) -> Tensor:
        return self.features(x)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.body(x))

    # --- from a file ----------------------------------------------------------------------------------------

    @staticmethod
    def size_of(tensors: Mapping[str, np.ndarray]) -> int | None:
        """The scale of the network that a file's tensors belong to. None: another network's."""
        known = "conv_sep.layers.0.weight" in tensors and "layers.0.layers.0.weight" in tensors
        return tensors["layers.0.layers.0.weight"].shape[0] // 64 if known else None

    @classmethod
    def of(cls, size: int, tensors: Mapping[str, np.ndarray], what: str) -> "MobileFaceNet":
        """The network of a file's tensors. Raises WeightsError, naming `what`, when they do not fit."""
        net = cls(size, len(tensors.get("features.layers.2.weight", range(512))))
        load_by_name(net, tensors, what)
        return net

    @staticmethod
    def file_name(name: str, size: int = 1) -> str:
        """What a tensor of this network is called in the file."""
        return name
