"""AdaFace's IR-50 and IR-101 (Kim, Jain, Liu, CVPR 2022, arXiv:2204.00964): IResNet under other names.

The published checkpoints hold the "IR" network of the face.evoLVe project. Layer by layer it is IResNet, but
for two things: where a stage keeps its channels (only the first does, 64 → 64) the shortcut of the halving
unit takes every second pixel as it is, without a convolution; and the last BN has neither scale nor shift.
IR-101 has the units of IResNet-100: the two projects count differently.

Input: (N, 3, 112, 112) float, **BGR**, −1 … 1.

AdaFace's own code returns the vector's direction and its length, which says how good the photo is (that is
the paper's idea: the margin of the loss adapts to it). Here `embedder(crops)` gives the direction, and the
length is that of `embedder.raw(crops)`.

The files are Lightning's: the tensors lie under `state_dict`, the network's are called `model.…`, and
`head.…` belongs to the training. In the network itself the names are `input_layer.0`, `body.7.res_layer.4`,
`output_layer.3` …; `file_name` says which is which.
"""

import re
from collections.abc import Iterable

from torch import Tensor, nn

from facelab.embed.iresnet import DEPTHS, IResNet, Shortcut

_IN_UNIT = ("bn1", "conv1", "bn2", "prelu", "conv2", "bn3")  # the order in which `res_layer` numbers them

_OUTSIDE = {
    "conv1": "input_layer.0",
    "bn1": "input_layer.1",
    "prelu": "input_layer.2",
    "bn2": "output_layer.0",  # 1 is dropout, 2 flattens
    "fc": "output_layer.3",
    "features": "output_layer.4",
}


class EverySecond(nn.Module):
    """Halves a map by leaving out every second row and column."""

    def forward(self, x: Tensor) -> Tensor:
        return x[:, :, ::2, ::2]


class AdaFaceIR(IResNet):
    """(N, 3, 112, 112) float BGR −1 … 1 → (N, dim), not normalised. Depths as IResNet counts them."""

    LAST_AFFINE = False

    @staticmethod
    def shortcut(inputs: int, outputs: int) -> nn.Module:
        return EverySecond() if inputs == outputs else Shortcut(inputs, outputs, 2)

    @staticmethod
    def pixels(crops: Tensor) -> Tensor:
        """(N, 112, 112, 3) uint8 RGB → (N, 3, 112, 112) float32 BGR −1 … 1."""
        return IResNet.pixels(crops.flip(3))

    @staticmethod
    def size_of(names: Iterable[str]) -> int | None:
        numbers = [int(found[1]) for name in names if (found := re.match(r"body\.(\d+)\.", name))]
        units = max(numbers, default=-1) + 1
        return next((depth for depth, each in DEPTHS.items() if sum(each) == units), None)

    @staticmethod
    def file_name(name: str, depth: int = 50) -> str:
        """`layer2.0.conv1.weight` → `body.3.res_layer.1.weight` (units are numbered through)."""
        first, *rest = name.split(".")
        if not first.startswith("layer"):
            return ".".join([_OUTSIDE[first], *rest])
        stage, (unit, part, *rest) = int(first.removeprefix("layer")) - 1, rest
        body = f"body.{sum(DEPTHS[depth][:stage]) + int(unit)}"
        if part == "downsample":
            return ".".join([body, "shortcut_layer", *rest])
        return ".".join([body, "res_layer", str(_IN_UNIT.index(part)), *rest])
