"""MTCNN's three networks, and how the file's tensors come into them (`facelab.detect.mtcnn` runs them)."""

import numpy as np
import torch
from torch import Tensor, nn


class PNet(nn.Module):
    """Any size, (B, 3, H, W) → face probability (B, h, w) and box corrections (B, 4, h, w), where cell (row,
    column) sees the 12×12 pixels from (2·row, 2·column) on."""

    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(
            *(nn.Conv2d(3, 10, 3), nn.PReLU(10), nn.MaxPool2d(2, ceil_mode=True)),
            *(nn.Conv2d(10, 16, 3), nn.PReLU(16)),
            *(nn.Conv2d(16, 32, 3), nn.PReLU(32)),
        )
        self.box = nn.Conv2d(32, 4, 1)
        self.face = nn.Conv2d(32, 2, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        x = self.body(x)
        return self.face(x).float().softmax(1)[:, 1], self.box(x).float()


class RNet(nn.Module):
    """(M, 3, 24, 24) → face probability (M,) and box corrections (M, 4)."""

    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(
            *(nn.Conv2d(3, 28, 3), nn.PReLU(28), nn.MaxPool2d(3, 2, ceil_mode=True)),
            *(nn.Conv2d(28, 48, 3), nn.PReLU(48), nn.MaxPool2d(3, 2)),
            *(nn.Conv2d(48, 64, 2), nn.PReLU(64), nn.Flatten()),
            *(nn.Linear(64 * 3 * 3, 128), nn.PReLU(128)),
        )
        self.box = nn.Linear(128, 4)
        self.face = nn.Linear(128, 2)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        x = self.body(x)
        return self.face(x).float().softmax(1)[:, 1], self.box(x).float()


class ONet(nn.Module):
    """(M, 3, 48, 48) → face probability (M,), box corrections (M, 4), landmarks (M, 5, 2): 0 … 1 in the crop.

    The landmarks are five x, then five y, in the order of LANDMARKS.
    """

    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(
            *(nn.Conv2d(3, 32, 3), nn.PReLU(32), nn.MaxPool2d(3, 2, ceil_mode=True)),
            *(nn.Conv2d(32, 64, 3), nn.PReLU(64), nn.MaxPool2d(3, 2)),
            *(nn.Conv2d(64, 64, 3), nn.PReLU(64), nn.MaxPool2d(2, ceil_mode=True)),
            *(nn.Conv2d(64, 128, 2), nn.PReLU(128), nn.Flatten()),
            *(nn.Linear(128 * 3 * 3, 256), nn.PReLU(256)),
        )
        self.box = nn.Linear(256, 4)
        self.points = nn.Linear(256, 10)
        self.face = nn.Linear(256, 2)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        x = self.body(x)
        points = self.points(x).float().unflatten(1, (2, 5))
        return self.face(x).float().softmax(1)[:, 1], self.box(x).float(), points.transpose(1, 2)


def fill(net: nn.Module, tensors: dict[str, np.ndarray]) -> None:
    """The file's tensors into a network. The file is Keras's, a list in the order of the layers: weight,
    bias, and one slope a channel for each PReLU.

    Keras has convolutions as (height, width, in, out) and dense layers as (in, out). The first dense layer
    reads the last map column by column (the networks were trained on transposed pictures), so its inputs are
    sorted (width, height, channel); ours come as (channel, height, width).
    """
    values = iter(torch.from_numpy(tensors[str(number)]) for number in range(len(tensors)))
    channels = 0
    for layer in net.modules():
        if isinstance(layer, nn.Conv2d):
            layer.weight.data.copy_(next(values).permute(3, 2, 0, 1))
            layer.bias.data.copy_(next(values))
            channels = layer.out_channels
        elif isinstance(layer, nn.Linear):
            weight = next(values)
            if weight.shape[0] == channels * 9:  # the first dense layer, on a map of 3×3
                weight = weight.view(3, 3, channels, -1).permute(2, 1, 0, 3).flatten(0, 2)
            layer.weight.data.copy_(weight.T)
            layer.bias.data.copy_(next(values))
        elif isinstance(layer, nn.PReLU):
            layer.weight.data.copy_(next(values).flatten())
