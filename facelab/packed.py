"""Convolutions on a CPU without rearranging their weights on every call.

oneDNN, the library that convolves, keeps weights in blocks of its own. The best blocks depend on the size of
the input, so a packed copy is kept for each of the few sizes in use. A ReLU that follows is done while the
numbers are still in the cache.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

PACKED_BATCHES = (1, 2, 4)
"""Batches for which packed weights are kept, once they have occurred. Each takes as much memory as the
convolutions' weights (SFace 13 MB, ArcFace 85 MB, YuNet 0.3 MB)."""

SHAPES = 16
"""Of photos of ever new sizes, so many shapes are kept for each convolution."""


def can_pack(device: torch.device, dtype: torch.dtype = torch.float32) -> bool:
    """On a CPU, in float32, with oneDNN: the wheels for Linux and Windows have it, those for macOS do not."""
    built = torch.backends.mkldnn.is_available() and hasattr(torch.ops.mkldnn, "_convolution_pointwise")
    return built and device.type == "cpu" and dtype == torch.float32


class PackedConv2d(nn.Conv2d):
    """A convolution that keeps oneDNN's arrangement of its weights for the batch sizes in PACKED_BATCHES.

    Two threads that meet a new shape at once both pack it, and the same tensor is stored twice: harmless.
    """

    def __init__(self, conv: nn.Conv2d, relu: bool = False):
        super().__init__(
            conv.in_channels,
            conv.out_channels,
            conv.kernel_size,
            conv.stride,
            conv.padding,
            groups=conv.groups,
        )
        self.weight, self.bias, self.relu = conv.weight, conv.bias, relu
        self._packed: dict[torch.Size, Tensor] = {}

    def forward(self, x: Tensor) -> Tensor:
        if len(x) not in PACKED_BATCHES:
            x = super().forward(x)
            return F.relu_(x) if self.relu else x
        weight = self._packed.get(x.shape)
        if weight is None:
            if len(self._packed) == SHAPES:
                self._packed = {}
            weight = self._packed[x.shape] = torch.ops.mkldnn._reorder_convolution_weight(
                self.weight, self.padding, self.stride, self.dilation, self.groups, x.shape
            )
        after = "relu" if self.relu else "none"
        return torch.ops.mkldnn._convolution_pointwise(
            x, weight, self.bias, self.padding, self.stride, self.dilation, self.groups, after, [], None
        )
