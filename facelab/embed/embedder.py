"""How an embedder is called: in chunks that suit the device, checked on the way in and on the way out."""

import torch
from torch import Tensor, nn

from facelab.embed.fast import accelerate
from facelab.errors import FacelabError
from facelab.user_weights import UserFile

SIDE = 112
"""Width and height of the crops, pixels."""

# Crops that pass through the convolutions together. On a CPU four: their activations stay in the cache and
# under the 32 MiB above which glibc returns every block to the system at once, which costs more than the
# convolutions themselves (measured for SFace: 4 crops at a time are a third faster than 16).
CPU_CHUNK, GPU_CHUNK = 4, 256
# Crops that share one pass through the last linear layer, whose weights (SFace: 26 MB) fit no cache.
CPU_GROUP = 64


class Embedder:
    """Crops in, unit vectors out. Safe to call from several threads at once.

    name, dim, device; dtype is what the network computes in.
    file      of weights that the user brought: path and SHA-256 (`facelab.user_weights`); else None
    provider  what onnxruntime computes with, where it does; else None
    """

    file: UserFile | None = None
    provider: str | None = None

    def __init__(self, name: str, dim: int, net: nn.Module, device: torch.device, half: bool = False):
        self.name, self.dim, self.device = name, dim, device
        on_cpu = device.type == "cpu"
        self.dtype = (torch.bfloat16 if on_cpu else torch.float16) if half else torch.float32
        self.chunk, self.group = (CPU_CHUNK, CPU_GROUP) if on_cpu else (GPU_CHUNK, GPU_CHUNK)
        self._net = accelerate(net, device, self.dtype)

    def __repr__(self) -> str:
        parts = [self.name, f"{self.dim} dimensions", str(self.device), self.provider or str(self.dtype)]
        if self.file is not None:
            parts.append(f"{self.file.path} with SHA-256 {self.file.sha256}")
        return f"Embedder({', '.join(parts)})"

    def __call__(self, crops: Tensor, mirror: bool = False) -> Tensor:
        """(N, 112, 112, 3) uint8 RGB on this embedder's device → (N, dim) float32, unit norm.

        mirror  average with the vector of the mirrored crop: see `raw`.

        Raises TypeError or ValueError for anything but such crops, and FacelabError when the network gives a
        vector that has no direction (zeros, NaN, infinity): damaged weights, or overflow in half precision.
        """
        vectors = self.raw(crops, mirror)
        norms = torch.linalg.vector_norm(vectors, dim=1, keepdim=True)
        good = torch.isfinite(norms) & (norms > 0)
        if not bool(good.all()):
            row = int((~good).flatten().nonzero()[0])
            raise FacelabError(
                f"{self.name} gave crop {row} of {len(crops)} a vector of norm {norms[row].item()}, "
                "which has no direction. Check the weights (facelab doctor), or embed without half precision."
            )
        return vectors / norms

    def raw(self, crops: Tensor, mirror: bool = False) -> Tensor:
        """As a call, but with the length that the network gave the vectors: (N, dim) float32.

        The length says something about the quality of the crop, which MagFace and AdaFace make use of.

        With `mirror` it is the mean of the crop's vector and its mirror image's. They are averaged raw and
        normalised after, as the evaluation code of InsightFace and of AdaFace does it: so the longer of
        the two, the one the network is surer of, counts for more.
        """
        self._check(crops)
        if len(crops) == 0:  # a photo without a face: no network need cope with an empty batch
            return torch.zeros((0, self.dim), device=self.device)
        with torch.inference_mode():
            return torch.cat([self._group(group, mirror) for group in crops.contiguous().split(self.group)])

    def _group(self, crops: Tensor, mirror: bool) -> Tensor:
        both = (
            torch.cat([crops, crops.flip(2)]) if mirror else crops
        )  # (N, H, W, 3): axis 2 runs left to right
        maps = [self._net.body(self._net.pixels(chunk).to(self.dtype)) for chunk in both.split(self.chunk)]
        vectors = self._net.head(torch.cat(maps)).float()
        return (vectors[: len(crops)] + vectors[len(crops) :]) / 2 if mirror else vectors

    def _check(self, crops: Tensor) -> None:
        if not isinstance(crops, Tensor):
            raise TypeError(
                f"crops must be a torch tensor, not {type(crops).__name__}; for an array use "
                "torch.from_numpy(crops), or facelab.embed(crops)."
            )
        if crops.dtype != torch.uint8:
            raise TypeError(f"crops must be uint8 RGB, 0 … 255, not {crops.dtype}.")
        if crops.ndim != 4 or crops.shape[1:] != (SIDE, SIDE, 3):
            raise ValueError(
                f"crops must be (N, {SIDE}, {SIDE}, 3), not {tuple(crops.shape)}: cut the faces out first "
                "(facelab.align), and give one crop as crops[None]."
            )
        if crops.device.type != self.device.type:
            raise ValueError(
                f"crops are on {crops.device} and {self.name} is on {self.device}: move one of them."
            )
