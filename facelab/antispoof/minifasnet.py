"""MiniFASNet, Minivision's small networks against presentation attacks, from a file of weights of yours.

    V1, V2       MobileFaceNet's inverted residuals, each layer pruned to a width of its own
    V1SE, V2SE   the same; the last unit of each stage weighs its channels (squeeze and excitation)

Names and shapes are those of `src/model_lib/MiniFASNet.py` in
github.com/minivision-ai/Silent-Face-Anti-Spoofing (commit f679b7c, Apache-2.0); the code is ours. Fed as
`src/anti_spoof_predict.py` and `src/generate_patches.py` there do it: BGR, 0 … 255 (its ToTensor does not
divide), the box enlarged by the scale that the file's name begins with (`2.7_80x80_MiniFASNetV2.pth`) as
far as the photo goes, shifted into the photo, and stretched to 80 × 80. Of three answers the second is
"bona fide" (its `test.py`); which of the other two is what, the repository does not say.

The published files could not be fetched where this was written. It is tested on files with these names and
shapes, against a second forward pass, and no accuracy is claimed. Their detector was RetinaFace, whose
boxes are not YuNet's.
"""

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor, nn

from facelab.errors import WeightsError
from facelab.loading import load_by_name

V1 = (
    32, 32, 103, 103, 64, 13, 13, 64, 26, 26, 64, 13, 13, 64, 52, 52, 64, 231, 231, 128, 154, 154, 128, 52,
    52, 128, 26, 26, 128, 52, 52, 128, 26, 26, 128, 26, 26, 128, 308, 308, 128, 26, 26, 128, 26, 26, 128, 512,
    512,
)  # fmt: skip
V2 = (
    32, 32, 103, 103, 64, 13, 13, 64, 13, 13, 64, 13, 13, 64, 13, 13, 64, 231, 231, 128, 231, 231, 128, 52,
    52, 128, 26, 26, 128, 77, 77, 128, 26, 26, 128, 26, 26, 128, 308, 308, 128, 26, 26, 128, 26, 26, 128, 512,
    512,
)  # fmt: skip
VARIANTS = {"V1": (V1, False), "V2": (V2, False), "V1SE": (V1, True), "V2SE": (V2, True)}
"""{name: (width of every layer, squeeze and excitation)}."""

BONA_FIDE = 1
"""Which of the answers means a living face."""


class ConvBlock(nn.Module):
    """Convolution, BN, and PReLU unless it is linear."""

    def __init__(self, inputs: int, outputs: int, kernel=1, stride=1, padding=0, groups=1, linear=False):
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, padding, groups=groups, bias=False)
        self.bn = nn.BatchNorm2d(outputs)
        if not linear:
            self.prelu = nn.PReLU(outputs)

    def forward(self, x: Tensor) -> Tensor:
        x = self.bn(self.conv(x))
        return self.prelu(x) if hasattr(self, "prelu") else x


class SqueezeExcite(nn.Module):
    """Each channel times a number in 0 … 1 that all channels' means decide on."""

    def __init__(self, channels: int, fewer: int = 4):
        super().__init__()
        self.fc1 = nn.Conv2d(channels, channels // fewer, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels // fewer)
        self.fc2 = nn.Conv2d(channels // fewer, channels, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        weight = self.bn1(self.fc1(x.mean((2, 3), keepdim=True))).relu()
        return x * self.bn2(self.fc2(weight)).sigmoid()


class Unit(nn.Module):
    """Wider, a convolution in each channel, narrower; added to its input where the stride is 1."""

    def __init__(self, inputs: int, wide: int, outputs: int, stride: int, excite: bool = False):
        super().__init__()
        self.conv = ConvBlock(inputs, wide)
        self.conv_dw = ConvBlock(wide, wide, 3, stride, 1, groups=wide)
        self.project = ConvBlock(wide, outputs, linear=True)
        self.adds = stride == 1
        if excite:
            self.se_module = SqueezeExcite(outputs)

    def forward(self, x: Tensor) -> Tensor:
        out = self.project(self.conv_dw(self.conv(x)))
        if hasattr(self, "se_module"):
            out = self.se_module(out)
        return x + out if self.adds else out


class Stage(nn.Module):
    """Units of stride 1, named `model.0`, `model.1`, …"""

    def __init__(self, units: list[Unit]):
        super().__init__()
        self.model = nn.Sequential(*units)

    def forward(self, x: Tensor) -> Tensor:
        return self.model(x)


class MiniFASNet(nn.Module):
    """(N, 3, S, S) float BGR 0 … 255 → (N, classes) logits.

    variant  a key of VARIANTS
    kernel   of the last depthwise convolution, which must cover the map: S = 16 · kernel (5 for 80 × 80)
    """

    def __init__(self, variant: str = "V2", kernel: int = 5, classes: int = 3, dim: int = 128):
        super().__init__()
        widths, excite = VARIANTS[variant]
        self.variant, self.side = variant, 16 * kernel

        def unit(at: int, stride: int, last: bool = False) -> Unit:
            return Unit(widths[at], widths[at + 1], widths[at + 3], stride, excite and last)

        def stage(at: int, count: int) -> Stage:
            return Stage([unit(at + 3 * k, 1, last=k == count - 1) for k in range(count)])

        self.conv1 = ConvBlock(3, widths[0], 3, 2, 1)
        self.conv2_dw = ConvBlock(widths[0], widths[1], 3, 1, 1, groups=widths[1])
        self.conv_23 = unit(1, 2)
        self.conv_3 = stage(4, 4)
        self.conv_34 = unit(16, 2)
        self.conv_4 = stage(19, 6)
        self.conv_45 = unit(37, 2)
        self.conv_5 = stage(40, 2)
        self.conv_6_sep = ConvBlock(widths[46], widths[47])
        self.conv_6_dw = ConvBlock(widths[47], widths[48], kernel, groups=widths[48], linear=True)
        self.linear = nn.Linear(widths[48], dim, bias=False)
        self.bn = nn.BatchNorm1d(dim)
        self.prob = nn.Linear(dim, classes, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv_23(self.conv2_dw(self.conv1(x)))
        x = self.conv_5(self.conv_45(self.conv_4(self.conv_34(self.conv_3(x)))))
        x = self.conv_6_dw(self.conv_6_sep(x)).flatten(1)
        return self.prob(self.bn(self.linear(x)))


def is_minifasnet(tensors: Mapping[str, np.ndarray]) -> bool:
    return "conv_6_dw.conv.weight" in tensors and "prob.weight" in tensors


def minifasnet(tensors: Mapping[str, np.ndarray], what: str) -> MiniFASNet:
    """The network of a file's tensors, in evaluation mode. Raises WeightsError, naming `what`, where they
    are none of the variants'."""
    if not is_minifasnet(tensors):
        raise WeightsError(
            f"{what}: no MiniFASNet, whose tensors have names such as conv_6_dw.conv.weight and prob.weight. "
            f"The first of its {len(tensors)} are {', '.join(list(tensors)[:3])}."
        )
    last, prob = tensors["conv_6_dw.conv.weight"], tensors["prob.weight"]
    if last.ndim != 4 or prob.ndim != 2 or not 1 <= len(prob) <= 4:
        raise WeightsError(
            f"{what}: no MiniFASNet: conv_6_dw.conv.weight {tuple(last.shape)} should have 4 axes and "
            f"prob.weight {tuple(prob.shape)} 2, for 1 to 4 classes."
        )
    kernel, classes = last.shape[-1], len(prob)
    wrong = []
    for variant in VARIANTS:
        net = MiniFASNet(variant, kernel, classes)
        try:
            with torch.no_grad():
                load_by_name(net, tensors, what)
        except WeightsError as error:
            wrong.append(f"{variant}: {error}")
            continue
        return net.eval()
    raise WeightsError(f"{what}: near MiniFASNet, but of no variant. {min(wrong, key=len)}")
