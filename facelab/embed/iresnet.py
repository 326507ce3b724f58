"""IResNet: the backbone of ArcFace's authors, in depths 18, 34, 50 and 100.

The residual unit is the "improved" one of Deng et al. (CVPR 2019, arXiv:1801.07698, section 3.1): BN – conv
– BN – PReLU – conv – BN, with the stride in the second convolution, beside a shortcut. Nothing comes after
the sum, so a straight path of sums leads from the pixels to the end. As crops are small (112×112), the stem
has stride 1 and no pooling; four stages halve the maps to 7×7, and BN – dropout – linear – BN make the
vector. The last BN has its scale fixed at 1: a direction is all that matters, and a free scale would only
stretch it.

Input: (N, 3, 112, 112) float, RGB, −1 … 1: (x/255 − 0.5)/0.5.

The names of the layers are those of arcface_torch (the training code in InsightFace's repository), so its
`backbone.pth` loads by name. The network can be trained, too:

    net = IResNet(50)            # initialised, in training mode
    vectors = net(images)        # (N, 512), into any head of facelab.losses
"""

import re
from collections.abc import Iterable, Mapping

import numpy as np
from torch import Tensor, nn

from facelab.loading import load_by_name

DEPTHS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 14, 3), 100: (3, 13, 30, 3)}
"""Units in each of the four stages. Two convolutions a unit, the stem and the linear layer make the depth
(the middle two are called 50 and 100 for 3 + 4 + 14 + 3 = 24 and 49 units)."""

CHANNELS = (64, 128, 256, 512)


class Shortcut(nn.Sequential):
    """A 1×1 convolution and a BN: the way round a unit that changes the shape."""

    FOLDABLE = (("0", "1"),)

    def __init__(self, inputs: int, outputs: int, stride: int):
        super().__init__(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))


class Unit(nn.Module):
    """BN – conv – BN – PReLU – conv – BN, beside the shortcut."""

    # bn1 comes before a convolution with zero padding: folding it would change the pixels at the border.
    FOLDABLE = (("conv1", "bn2"), ("conv2", "bn3"))

    def __init__(self, inputs: int, outputs: int, stride: int, downsample: nn.Module | None):
        super().__init__()
        self.bn1 = nn.BatchNorm2d(inputs)
        self.conv1 = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.prelu = nn.PReLU(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, stride, padding=1, bias=False)
        self.bn3 = nn.BatchNorm2d(outputs)
        self.downsample = downsample

    def forward(self, x: Tensor) -> Tensor:
        shortcut = x if self.downsample is None else self.downsample(x)
        x = self.prelu(self.bn2(self.conv1(self.bn1(x))))
        return self.bn3(self.conv2(x)) + shortcut


class IResNet(nn.Module):
    """(N, 3, 112, 112) float RGB −1 … 1 → (N, dim), not normalised.

    depth    18, 34, 50 or 100
    dropout  share of the numbers that training sets to zero before the linear layer
    """

    FOLDABLE = (("conv1", "bn1"),)
    HEAD = ("bn2", "fc", "features")
    LAST_AFFINE = True  # has the last BN a scale (fixed) and a shift of its own?

    def __init__(self, depth: int = 50, dim: int = 512, dropout: float = 0.0):
        super().__init__()
        if depth not in DEPTHS:
            raise ValueError(f"depth={depth}: choose one of {', '.join(map(str, DEPTHS))}.")
        self.depth, self.dim = depth, dim
        self.conv1 = nn.Conv2d(3, 64, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.prelu = nn.PReLU(64)
        self.layer1, self.layer2, self.layer3, self.layer4 = (
            self._stage(inputs, outputs, units)
            for inputs, outputs, units in zip((64, *CHANNELS), CHANNELS, DEPTHS[depth], strict=False)
        )
        self.bn2 = nn.BatchNorm2d(512)
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(512 * 7 * 7, dim)
        self.features = nn.BatchNorm1d(dim, affine=self.LAST_AFFINE)
        self._initialise()

    def _stage(self, inputs: int, outputs: int, units: int) -> nn.Sequential:
        first = Unit(inputs, outputs, 2, self.shortcut(inputs, outputs))
        return nn.Sequential(first, *[Unit(outputs, outputs, 1, None) for _ in range(units - 1)])

    @staticmethod
    def shortcut(inputs: int, outputs: int) -> nn.Module:
        """The way round a stage's first unit, which halves the map."""
        return Shortcut(inputs, outputs, 2)

    def _initialise(self) -> None:
        """He et al. (ICCV 2015) for the convolutions, with the slope 0.25 at which PReLU begins: signals then
        neither grow nor fade on their way through. Batch norms begin as identities."""
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, a=0.25, mode="fan_out", nonlinearity="leaky_relu")
        if self.LAST_AFFINE:
            self.features.weight.requires_grad_(False)

    @staticmethod
    def pixels(crops: Tensor) -> Tensor:
        """(N, 112, 112, 3) uint8 RGB → (N, 3, 112, 112) float32 RGB −1 … 1."""
        return crops.permute(0, 3, 1, 2).float().sub(127.5).div(127.5)

    def body(self, x: Tensor) -> Tensor:
        x = self.prelu(self.bn1(self.conv1(x)))  # (N, 64, 112, 112)
        return self.layer4(self.layer3(self.layer2(self.layer1(x))))  # (N, 512, 7, 7)

    def head(self, x: Tensor) -> Tensor:
        x = self.dropout(self.bn2(x).flatten(1))  # (N, 25088)
        return self.features(self.fc(x))  # (N, dim)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.body(x))

    # --- from a file ----------------------------------------------------------------------------------------

    @staticmethod
    def size_of(names: Iterable[str]) -> int | None:
        """Which depth has these units? None: no IResNet's."""
        return depth_with(names, r"layer([1-4])\.(\d+)\.")

    @classmethod
    def of(cls, depth: int, tensors: Mapping[str, np.ndarray], what: str) -> "IResNet":
        """The network of a file's tensors. Raises WeightsError, naming `what`, when they do not fit."""
        last = tensors.get(cls.file_name("fc.weight"))
        net = cls(depth, len(last) if last is not None else 512)
        names = {name: cls.file_name(name, depth) for name in net.state_dict()}
        load_by_name(net, tensors, what, names)
        return net

    @staticmethod
    def file_name(name: str, depth: int = 50) -> str:
        """What a tensor of this network is called in the file."""
        return name


def depth_with(names: Iterable[str], pattern: str) -> int | None:
    """The depth whose stages have as many units as the names count: `pattern` finds stage and unit."""
    units = [0, 0, 0, 0]
    for name in names:
        if found := re.match(pattern, name):
            stage, unit = int(found[1]) - 1, int(found[2])
            units[stage] = max(units[stage], unit + 1)
    return next((depth for depth, wanted in DEPTHS.items() if tuple(units) == wanted), None)
