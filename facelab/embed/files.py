"""Embedders from files of weights that the user brings: which network is it, and does all of it fit?

    embedder = load_file("backbone.pth", torch.device("cpu"))      # or facelab.embed.load("backbone.pth")

The names of the tensors say which recipe a file belongs to. ONNX files bring their network along.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from facelab.embed.adaface_ir import AdaFaceIR
from facelab.embed.embedder import Embedder
from facelab.embed.iresnet import IResNet
from facelab.embed.mobilefacenet import MobileFaceNet
from facelab.embed.onnx_file import onnx_embedder
from facelab.embed.thumbnet import Thumbnet
from facelab.errors import WeightsError
from facelab.user_weights import UserFile


@dataclass(frozen=True)
class FileRecipe:
    """A network that files of weights are known for, and that `facelab.training` trains.

    size  as the network counts: IResNet's depth, MobileFaceNet's scale, Thumbnet's width
    """

    network: Any
    size: int
    description: str

    def build(self, dim: int | None = None, **options: Any) -> nn.Module:
        """The network with numbers to start from; `dim` is the length of its vectors, None its own choice."""
        return self.network(self.size, **options) if dim is None else self.network(self.size, dim, **options)

    def names(self) -> set[str]:
        """What the tensors are called in such a file."""
        with torch.device("meta"):  # names and shapes without numbers
            state = self.build().state_dict()
        return {self.network.file_name(name, self.size) for name in state}


FILE_RECIPES: dict[str, FileRecipe] = {
    **{
        f"iresnet{depth}": FileRecipe(IResNet, depth, "arcface_torch's backbone.pth (RGB)")
        for depth in (18, 34, 50, 100)
    },
    **{
        f"adaface-ir{name}": FileRecipe(AdaFaceIR, depth, "AdaFace's checkpoint (BGR)")
        for name, depth in ((18, 18), (50, 50), (101, 100))
    },
    "mobilefacenet": FileRecipe(MobileFaceNet, 1, "MobileFaceNet as in the paper (RGB)"),
    "mobilefacenet-x2": FileRecipe(MobileFaceNet, 2, "arcface_torch's get_mbf (RGB)"),
    "thumbnet": FileRecipe(Thumbnet, 16, "trained by facelab in class (RGB)"),
    "thumbnet-x2": FileRecipe(Thumbnet, 32, "the same, twice as wide (RGB)"),
}
"""Recipes by name. `onnx` needs none."""


def load_file(
    path,
    device: torch.device,
    half: bool = False,
    *,
    recipe: str | None = None,
    sha256: str | None = None,
) -> Embedder:
    """The embedder in a file.

    recipe  a key of FILE_RECIPES, when it is to be that one and no other
    sha256  the hash it must have; without it the first use pins the hash (`facelab.user_weights`)

    Its `file` has the path and the hash; its name is the recipe's with 16 digits of the hash, so that
    galleries and calibrations are bound to the content. Raises WeightsError, naming the file, what does not
    fit and what would.
    """
    file = UserFile.open(path, sha256=sha256)
    embedder: Embedder
    if file.path.suffix.lower() == ".onnx":
        if half or recipe is not None:
            raise ValueError(f"{file.path}: half= and a recipe's name say nothing to an ONNX file.")
        embedder = onnx_embedder(file, device)
    else:
        name, net = network_of(file.tensors(), str(file.path), recipe)
        embedder = Embedder(file.tag(name), net.dim, net.eval(), device, half)
        embedder.file = file.without_content()
    file.pin()
    return embedder


def network_of(tensors: Mapping[str, np.ndarray], what: str, recipe: str | None = None) -> tuple[str, Any]:
    """The recipe's name and its network with these tensors. Raises WeightsError, naming `what`."""
    fitting = next(
        (name for name, its in FILE_RECIPES.items() if its.network.size_of(tensors) == its.size), None
    )
    chosen = recipe or fitting or _nearest(tensors, what)
    its = FILE_RECIPES[chosen]
    try:
        return chosen, its.network.of(its.size, tensors, what)
    except WeightsError as error:
        better = f" Its names are those of {fitting!r}." if fitting not in (None, chosen) else ""
        raise WeightsError(f"{what}: taken for {chosen!r}, {its.description}, but {error}{better}") from error


def _nearest(tensors: Mapping[str, np.ndarray], what: str) -> str:
    """The recipe that shares most names. Raises WeightsError where none shares any."""
    shared = {name: len(its.names() & tensors.keys()) for name, its in FILE_RECIPES.items()}
    best = max(shared, key=shared.__getitem__)
    if shared[best] * 2 > len(tensors):
        return best
    raise WeightsError(
        f"{what}: of no embedder that facelab knows. It has {len(tensors)} tensors, the first are "
        f"{', '.join(list(tensors)[:3])}. "
        + ("They are RetinaFace's: give it as detector=. " if "ClassHead.0.conv1x1.weight" in tensors else "")
        + f"Recipes: {', '.join(FILE_RECIPES)}. Any other network you build yourself, and give as "
        "Pipeline(embedder=facelab.embed.OwnNetwork(network))."
    )
