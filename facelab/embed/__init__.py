"""From a crop of a face to a vector.

    embedder = load("sface")
    vectors = embedder(crops)        # (N, 112, 112, 3) uint8 RGB → (N, 128) float32, unit norm

The networks live in `sface.py` and `arcface.py` and are meant to be read; `fast.py` makes them quick, and
`embedder.py` calls them. An embedder of your own comes in through `own.py`: any callable, or any network in
an `OwnNetwork`. A file of weights of your own comes in through `files.py`, which knows the networks of
`iresnet.py` and `adaface_ir.py` by the names of their tensors, and ONNX (`onnx_file.py`).
"""

from collections.abc import Callable
from dataclasses import dataclass
from os import PathLike

import torch
from torch import nn

from facelab import weights
from facelab.embed.arcface import ArcFace
from facelab.embed.embedder import SIDE, Embedder
from facelab.embed.files import FILE_RECIPES, load_file
from facelab.embed.iresnet import IResNet
from facelab.embed.own import OwnEmbedder, OwnNetwork
from facelab.embed.sface import SFace
from facelab.user_weights import find, is_path

__all__ = [
    "EMBEDDERS",
    "FILE_RECIPES",
    "SIDE",
    "Embedder",
    "IResNet",
    "OwnEmbedder",
    "OwnNetwork",
    "Recipe",
    "load",
    "load_file",
    "network",
]


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
        raise ValueError(
            f"there is no embedder named {name!r}; choose one of {', '.join(EMBEDDERS)}, or give the path of "
            "a file of weights (.pth, .ckpt, .safetensors, .onnx)."
        )
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
    name: str | PathLike | Callable = "sface",
    device: str | torch.device = "cpu",
    half: bool | None = False,
    path: str | PathLike | None = None,
    *,
    sha256: str | None = None,
) -> Embedder:
    """An embedder ready for use.

    name    a key of EMBEDDERS; or the path of a file of weights of your own, as `facelab.embed.files`
            describes it, or a key of FILE_RECIPES together with `path`; or an embedder of your own, as
            `facelab.embed.own` describes it. The name of an embedder from a file (a gallery keeps it) finds
            the file again where it was used first
    half    half precision: float16 on a GPU, bfloat16 on a CPU (which pays only where the CPU computes in
            it); vectors come out in float32 all the same. None: on a GPU yes, unless the embedder brings its
            own precision (a callable, an ONNX file)
    path    a weights file of your own, in place of the cache and the installed packages
    sha256  the hash it must have, for weights whose publisher states none

    Without `half` on a GPU, torch's own default lets convolutions round to TF32 (10 bits of mantissa).
    Raises WeightsError when the weights are missing, damaged or another network's, and ValueError when half
    precision or a file is asked of an embedder of your own, which brings its weights and precision along.
    """
    device = torch.device(device)
    if callable(name):
        if half or path is not None:
            raise ValueError("half= and weights= belong to facelab's own networks; this one brings its own.")
        return _taken_as_it_is(name, device)
    file, recipe = _file_and_recipe(name, path)
    brings_precision = file is not None and str(file).lower().endswith(".onnx")
    half = device.type == "cuda" and not brings_precision if half is None else half
    if file is not None:
        return load_file(file, device, half, recipe=recipe, sha256=sha256)
    name = str(name)
    return Embedder(name, _recipe(name).dim, network(name, path, sha256=sha256), device, half)


def _taken_as_it_is(call: Callable, device: torch.device) -> Embedder:
    if not isinstance(call, Embedder):
        return OwnEmbedder(call, device)
    if call.device.type != device.type:
        raise ValueError(f"{call!r} is on {call.device}: load it with device={device.type!r}.")
    return call


def _file_and_recipe(
    name: str | PathLike, path: str | PathLike | None
) -> tuple[str | PathLike | None, str | None]:
    """The user's file that is meant, and the recipe that it must fit; None for what was not said."""
    if name in FILE_RECIPES:
        if path is None:
            raise ValueError(f"embedder={name!r} is a recipe for a file of yours: give its path as weights=.")
        return path, str(name)
    if path is None and name not in EMBEDDERS:
        name = find(str(name)) or name  # a name that a gallery has kept
    if not is_path(name):
        return None, None
    if path is not None:
        raise ValueError(f"{name} and weights={path} are two files: give one.")
    return name, None
