"""Embedders that facelab did not bring: any network, any function from crops to vectors.

    pipe = Pipeline(embedder=function)                      # (N, 112, 112, 3) uint8 RGB → (N, D)
    pipe = Pipeline(embedder=OwnNetwork(net, order="BGR"))  # an ordinary module, which eats (N, 3, 112, 112)

The protocol is one call: crops as a tensor (N, 112, 112, 3), uint8 RGB, on the pipeline's device, in; a
tensor or array of (N, D) finite numbers out, for any N from 1. Vectors may have any length: the pipeline
brings them to 1. A `name` attribute names the embedder; else its class or function does.

Nobody has calibrated such an embedder, so `verify` asks for a threshold. `facelab.metrics.calibrate` measures
one on people of your own.
"""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from facelab.embed.embedder import GPU_CHUNK, SIDE, Embedder
from facelab.errors import FacelabError
from facelab.names import checked_name, digest, name_of

CPU_CHUNK = 16  # crops that a foreign network sees together: its size is unknown, so neither few nor many


class OwnNetwork(nn.Module):
    """Stands between crops and an ordinary network: colour order, mean and scale, channels first.

    network  (N, 3, 112, 112) float32 → (N, D)
    mean     subtracted from the pixels 0 … 255: a number, or three in the network's colour order
    scale    what the difference is divided by, likewise; (127.5, 127.5) gives −1 … 1, as ArcFace's code does
    order    "RGB" or "BGR": the network's colour order
    name     for galleries and messages; None takes the class's name and eight digits of the SHA-256 over the
             weights, so that a gallery never mixes the vectors of two trainings

    The network is put into evaluation mode. Raises ValueError for another order, a scale of 0, or a name that
    a gallery cannot keep.
    """

    def __init__(
        self, network: nn.Module, mean=127.5, scale=127.5, order: str = "RGB", name: str | None = None
    ):
        super().__init__()
        if order not in ("RGB", "BGR"):
            raise ValueError(f"order={order!r}: choose 'RGB' or 'BGR'.")
        mean, scale = (torch.as_tensor(value, dtype=torch.float32) for value in (mean, scale))
        if mean.numel() not in (1, 3) or scale.numel() not in (1, 3):
            raise ValueError("mean and scale: one number each, or three, one for each colour.")
        if not bool((scale != 0).all()):
            raise ValueError("scale: pixels are divided by it, so it cannot be 0.")
        self.network, self.order = network.eval(), order
        self.register_buffer("mean", mean.reshape(-1, 1, 1))
        self.register_buffer("scale", scale.reshape(-1, 1, 1))
        self.name = checked_name(name or f"{type(network).__name__}-{digest(network)[:8]}")

    def forward(self, crops: Tensor) -> Tensor:
        pixels = crops.flip(-1) if self.order == "BGR" else crops
        return self.network((pixels.permute(0, 3, 1, 2).float() - self.mean) / self.scale)


class OwnEmbedder(Embedder):
    """Any callable that keeps the protocol above, with the checks of facelab's own embedders.

    Its `dim` is measured with one grey crop. Raises FacelabError, naming the embedder, when the callable
    fails or gives anything but one finite vector for each crop.
    """

    def __init__(self, call: Callable[[Tensor], Tensor], device: torch.device):
        self.name, self.device, self.dtype = name_of(call), device, torch.float32
        self.chunk = self.group = CPU_CHUNK if device.type == "cpu" else GPU_CHUNK
        self._call = call.to(device).eval() if isinstance(call, nn.Module) else call
        grey = torch.full((1, SIDE, SIDE, 3), 128, dtype=torch.uint8, device=device)
        with torch.inference_mode():
            self.dim = self._vectors(grey).shape[1]

    def _group(self, crops: Tensor, mirror: bool) -> Tensor:
        vectors = self._vectors(crops)
        return (vectors + self._vectors(crops.flip(2))) / 2 if mirror else vectors

    def _vectors(self, crops: Tensor) -> Tensor:
        try:
            given = self._call(crops)
        except (torch.OutOfMemoryError, FacelabError):
            raise
        except Exception as error:
            raise FacelabError(
                f"the embedder {self.name} failed on crops of shape {tuple(crops.shape)}: "
                f"{type(error).__name__}: {error}. It is called with uint8 RGB crops (N, {SIDE}, {SIDE}, 3); "
                "a network that eats (N, 3, H, W) goes into facelab.embed.OwnNetwork."
            ) from error
        if not isinstance(given, Tensor | np.ndarray):
            raise FacelabError(
                f"the embedder {self.name} gave a {type(given).__name__}; it must give a tensor or an array."
            )
        vectors = torch.as_tensor(given, device=self.device)
        dim = getattr(self, "dim", vectors.shape[-1] if vectors.ndim else 0)
        if vectors.shape != (len(crops), dim) or dim == 0:
            raise FacelabError(
                f"the embedder {self.name} gave {tuple(vectors.shape)} for {len(crops)} crops; one vector "
                f"for each is wanted: ({len(crops)}, {dim or 'D'})."
            )
        return vectors.float()
