"""ArcFace's ResNet34, as DeepFace ships it: a face becomes 512 numbers.

The residual unit is the "improved" one of Deng et al. (CVPR 2019, arXiv:1801.07698, section 3.1): BN – conv
– BN – PReLU – conv – BN, with the stride in the second convolution, beside a shortcut. The end of the network
is the same paper's BN – dropout – linear – BN, which SFace took over. As in SFace the stem has stride 1.

Input: (N, 3, 112, 112) float, **BGR**, 0 … 1: that is how DeepFace feeds it (OpenCV's channel order, divided
by 255, no mean subtracted), and weights only work with the pixels they were trained on.

The names of the layers are those of DeepFace's PyTorch backend (0.0.103), so its `arcface_weights.pth` loads
by name: 331 tensors, 55 of them counters of the batch norms that only training needs.
"""

from collections.abc import Mapping

import numpy as np
from torch import Tensor, nn

from facelab.loading import load_by_name

STAGES = [
    # channels, units                height and width after the stage
    (64, 3),  # 56
    (128, 4),  # 28
    (256, 6),  # 14
    (512, 3),  # 7
]


def _norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=2e-5)


class Unit(nn.Module):
    """BN – conv – BN – PReLU – conv – BN, plus a shortcut: a 1×1 convolution where the shape changes."""

    # bn_1 comes before a convolution with zero padding: folding it would change the pixels at the border.
    FOLDABLE = (("conv_0", "bn_0"), ("conv_1", "bn_2"), ("conv_2", "bn_3"))

    def __init__(self, inputs: int, outputs: int, stride: int, change: bool):
        super().__init__()
        if change:
            self.conv_0 = nn.Conv2d(inputs, outputs, 1, stride, bias=False)
            self.bn_0 = _norm(outputs)
        else:
            self.conv_0 = self.bn_0 = nn.Identity()
        self.bn_1 = _norm(inputs)
        self.conv_1 = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
        self.bn_2 = _norm(outputs)
        self.prelu_1 = nn.PReLU(outputs)
        self.conv_2 = nn.Conv2d(outputs, outputs, 3, stride, padding=1, bias=False)
        self.bn_3 = _norm(outputs)

    def forward(self, x: Tensor) -> Tensor:
        shortcut = self.bn_0(self.conv_0(x))
        x = self.prelu_1(self.bn_2(self.conv_1(self.bn_1(x))))
        return shortcut + self.bn_3(self.conv_2(x))


class ResNet34(nn.Module):
    """(N, 3, 112, 112) → (N, 512, 7, 7)."""

    FOLDABLE = (("conv1_conv", "conv1_bn"),)

    def __init__(self):
        super().__init__()
        self.conv1_conv = nn.Conv2d(3, 64, 3, padding=1, bias=False)
        self.conv1_bn = _norm(64)
        self.conv1_prelu = nn.PReLU(64)
        inputs = 64
        for stage, (channels, units) in enumerate(STAGES, start=2):
            first = Unit(inputs, channels, stride=2, change=True)
            rest = [Unit(channels, channels, stride=1, change=False) for _ in range(units - 1)]
            self.add_module(f"conv{stage}", nn.Sequential(first, *rest))
            inputs = channels

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv1_prelu(self.conv1_bn(self.conv1_conv(x)))  # (N, 64, 112, 112)
        return self.conv5(self.conv4(self.conv3(self.conv2(x))))  # (N, 512, 7, 7)


class ArcFace(nn.Module):
    """(N, 3, 112, 112) float BGR 0 … 1 → (N, 512), not normalised."""

    HEAD = ("bn", "dense", "embedding")

    def __init__(self):
        super().__init__()
        self.backbone = ResNet34()
        self.bn = _norm(512)
        self.dense = nn.Linear(512 * 7 * 7, 512)
        self.embedding = nn.BatchNorm1d(512, eps=2e-5)

    @staticmethod
    def pixels(crops: Tensor) -> Tensor:
        """(N, 112, 112, 3) uint8 RGB → (N, 3, 112, 112) float32 BGR 0 … 1."""
        return crops.flip(3).permute(0, 3, 1, 2) / 255

    def body(self, x: Tensor) -> Tensor:
        return self.backbone(x)  # (N, 512, 7, 7)

    def head(self, x: Tensor) -> Tensor:
        x = self.bn(x).flatten(1)  # (N, 25088); dropout stands here in training
        return self.embedding(self.dense(x))  # (N, 512)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.body(x))

    def load(self, tensors: Mapping[str, np.ndarray]) -> "ArcFace":
        """Take the tensors that `weights.read("arcface")` returns. Raises WeightsError, naming the tensor."""
        load_by_name(self, tensors, "arcface")
        return self
