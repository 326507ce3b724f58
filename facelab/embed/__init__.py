"""From a crop of a face to a vector.

    embedder = load("sface")
    vectors = embedder(crops)        # (N, 112, 112, 3) uint8 RGB → (N, 128) float32, unit norm

The networks live in `sface.py` and `arcface.py` and are meant to be read; `fast.py` makes them quick, and
`embedder.py` calls them. An embedder of your own comes in through `own.py`: any callable, or any network in
an `OwnNetwork`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from os import PathLike

import torch
from torch import nn

from facelab import weights
from facelab.embed.arcface import ArcFace
from facelab.embed.embedder import SIDE, Embedder
from facelab.embed.own import OwnEmbedder, OwnNetwork
from facelab.embed.sface import SFace

__all__ = ["EMBEDDERS", "SIDE", "Embedder", "OwnEmbedder", "OwnNetwork", "Recipe", "load", "network"]


@dataclass(frozen=True)
class Recipe:
    """What there is to know about an embedder before it is loaded.

    dim          length of its vectors
    network      class of the network: `network().load(tensors)`
    weights      name in `facelab.weights.KNOWN`
    template     the crop it was trained on, a name in `facelab.align.TEMPLATES`
    description  one line for people
    """

    dim: int
    network: Callable[[], nn.Module]
    weights: str
    template: str
    description: str


EMBEDDERS: dict[str, Recipe] = {
    "sface": Recipe(128, SFace, "sface", "112x112", "MobileNet-v1 with PReLU, trained with the SFace loss"),
    "arcface": Recipe(
        512, ArcFace, "arcface", "112x112", "ResNet34 as DeepFace ships it, trained with ArcFace"
    ),
}


def _recipe(name: str) -> Recipe:
    if name not in EMBEDDERS:
        raise ValueError(f"there is no embedder named {name!r}; choose one of {', '.join(EMBEDDERS)}.")
    return EMBEDDERS[name]


def network(
    name: str = "sface", path: str | PathLike | None = None, *, sha256: str | None = None
) -> nn.Module:
    """The readable network with its trained weights, in evaluation mode, on the CPU, differentiable.

    It eats float images as `network(name).pixels(crops)` makes them. For looking inside; `load` is for use.
    Raises WeightsError when the weights are missing, damaged or another network's.
    """
    recipe = _recipe(name)
    return recipe.network().load(weights.read(recipe.weights, path, sha256=sha256)).eval()


def load(
    name: str | Callable = "sface",
    device: str | torch.device = "cpu",
    half: bool = False,
    path: str | PathLike | None = None,
    *,
    sha256: str | None = None,
) -> Embedder:
    """An embedder ready for use.

    name    a key of EMBEDDERS, or an embedder of your own, as `facelab.embed.own` describes it
    half    half precision: float16 on a GPU, bfloat16 on a CPU (which pays only where the CPU computes in
            it); vectors come out in float32 all the same
    path    a weights file of your own, in place of the cache and the installed packages
    sha256  the hash it must have, for weights whose publisher states none

    Without `half` on a GPU, torch's own default lets convolutions round to TF32 (10 bits of mantissa).
    Raises WeightsError when the weights are missing, damaged or another network's, and ValueError when half
    precision or a file is asked of an embedder of your own, which brings its weights and precision along.
    """
    if callable(name):
        if half or path is not None:
            raise ValueError("half= and weights= belong to facelab's own networks; this one brings its own.")
        return OwnEmbedder(name, torch.device(device))
    net = network(name, path, sha256=sha256)
    return Embedder(name, EMBEDDERS[name].dim, net, torch.device(device), half)
