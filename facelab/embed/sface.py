"""SFace: a MobileNet that turns a face into 128 numbers.

The layers are those of MobileNet-v1 (Howard et al., arXiv:1704.04861) with two changes that face
recognition asks for: the stem has stride 1, because a crop of 112×112 is small already, and PReLU takes the
place of ReLU. What made the network good is the loss it was trained with, SFace (Zhong et al., IEEE TIP 2021,
arXiv:2205.12010), and the loss has left no trace in the architecture.

A depthwise convolution filters every channel on its own (9 weights a channel); a pointwise one (1×1) then
mixes the channels at every pixel. Together they cost 9·C + C·C′ multiplications a pixel where a full 3×3
convolution costs 9·C·C′: about eight times less.

Input: (N, 3, 112, 112) float, RGB, 0 … 255. The file's own graph begins with a subtraction and a
multiplication, (x − 127.5) · 0.0078125, so pixels reach the first convolution in [−1, 1] and nobody has to
prepare them. The two numbers are read from the file like any other weight.

27 convolutions and one linear layer, 9.64 million numbers, 574 million multiplications a face; two thirds of
the numbers (6.4 million) sit in that one linear layer.
"""

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor, nn

from facelab.loading import load_by_name

PAIRS = [
    # channels in, out, stride of the depthwise convolution          height and width after it
    (32, 64, 1),  # 112
    (64, 128, 2),  # 56
    (128, 128, 1),
    (128, 256, 2),  # 28
    (256, 256, 1),
    (256, 512, 2),  # 14
    (512, 512, 1),
    (512, 512, 1),
    (512, 512, 1),
    (512, 512, 1),
    (512, 512, 1),
    (512, 1024, 2),  # 7
    (1024, 1024, 1),
]
"""The 13 pairs of a depthwise and a pointwise convolution that follow the stem."""


class Unit(nn.Module):
    """Convolution, batch norm, PReLU: the one brick of which the network is built."""

    FOLDABLE = (("conv", "norm"),)  # a batch norm right after a convolution: see facelab.embed.fast

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1):
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False)
        self.norm = nn.BatchNorm2d(outputs, eps=1e-3)
        self.act = nn.PReLU(outputs)  # one slope a channel; some are negative, so some channels fold |x|

    def forward(self, x: Tensor) -> Tensor:
        return self.act(self.norm(self.conv(x)))


class SFace(nn.Module):
    """(N, 3, 112, 112) float RGB 0 … 255 → (N, 128), not normalised."""

    HEAD = ("norm", "linear", "last_norm")

    def __init__(self):
        super().__init__()
        self.register_buffer("shift", torch.zeros(1))
        self.register_buffer("scale", torch.ones(1))
        units = [Unit(3, 32, 3)]
        for inputs, outputs, stride in PAIRS:
            units += [Unit(inputs, inputs, 3, stride, groups=inputs), Unit(inputs, outputs, 1)]
        self.units = nn.Sequential(*units)
        self.norm = nn.BatchNorm2d(1024, eps=2e-5)
        self.linear = nn.Linear(1024 * 7 * 7, 128)
        self.last_norm = nn.BatchNorm1d(128, eps=2e-5)

    @staticmethod
    def pixels(crops: Tensor) -> Tensor:
        """(N, 112, 112, 3) uint8 RGB → what this network eats. A view: no byte is moved."""
        return crops.permute(0, 3, 1, 2)

    def body(self, x: Tensor) -> Tensor:
        x = (x - self.shift) * self.scale  # (N, 3, 112, 112), −1 … 1
        return self.units(x)  # (N, 1024, 7, 7)

    def head(self, x: Tensor) -> Tensor:
        x = self.norm(x).flatten(1)  # (N, 50176)
        return self.last_norm(self.linear(x))  # (N, 128)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.body(x))

    def load(self, tensors: Mapping[str, np.ndarray]) -> "SFace":
        """Take the tensors that `weights.read("sface")` returns. Raises WeightsError, naming the tensor."""
        names = {
            "shift": "scalar_op1",
            "scale": "scalar_op2",
            "linear.weight": "pre_fc1_weight",
            "linear.bias": "pre_fc1_bias",
            **_norm_names("norm", "bn1"),
            **_norm_names("last_norm", "fc1"),
        }
        in_file = ["conv_1"] + [f"conv_{k}{part}" for k in range(2, 15) for part in ("_dw", "")]
        for place, name in enumerate(in_file):
            names[f"units.{place}.conv.weight"] = f"{name}_conv2d_weight"
            names[f"units.{place}.act.weight"] = f"{name}_relu_gamma"
            names |= _norm_names(f"units.{place}.norm", f"{name}_batchnorm")
        slopes = {n: t.reshape(-1) for n, t in tensors.items() if n.endswith("_relu_gamma")}  # (C, 1, 1)
        load_by_name(self, {**tensors, **slopes}, "sface", names)
        return self


def _norm_names(ours: str, theirs: str) -> dict[str, str]:
    """A batch norm's four tensors, as torch names them and as the file does."""
    return {
        f"{ours}.weight": f"{theirs}_gamma",
        f"{ours}.bias": f"{theirs}_beta",
        f"{ours}.running_mean": f"{theirs}_moving_mean",
        f"{ours}.running_var": f"{theirs}_moving_var",
    }
