"""Templates in fewer bytes, each way as a pair: what is stored, and the vectors that a search sees instead.

All but the probes are stored: a probe is compared as it is with what the codes stand for (the "asymmetric"
distance of Jégou, Douze & Schmid, Product Quantization for Nearest Neighbor Search, PAMI 2011).
"""

from dataclasses import dataclass

import numpy as np
import torch


def nearest_of(parts: torch.Tensor, centres: torch.Tensor) -> torch.Tensor:
    """(N,) int64: for each of (N, d) the nearest of (K, d). |x − c|² = |x|² − 2 x·c + |c|², and |x|² is the
    same for all c."""
    found = [(c @ centres.T).mul_(-2).add_((centres**2).sum(1)).argmin(1) for c in parts.split(2**14)]
    return torch.cat(found)


def k_means(vectors: torch.Tensor, k: int, steps: int = 8, seed: int = 0) -> torch.Tensor:
    """(k, d) centres of (N, d) by Lloyd's steps: each vector to its nearest centre, each centre to the mean
    of its vectors. A centre that is nobody's nearest stays where it is."""
    rng = torch.Generator().manual_seed(seed)
    centres = vectors[torch.randperm(len(vectors), generator=rng)[:k]].clone()
    for _ in range(steps):
        nearest = nearest_of(vectors, centres)
        sums = torch.zeros_like(centres).index_add_(0, nearest, vectors)
        counts = nearest.bincount(minlength=k).unsqueeze(1)
        centres = torch.where(counts > 0, sums / counts.clamp(min=1), centres)
    return centres


@dataclass(frozen=True, eq=False)
class ProductCode:
    """Each vector cut into `parts`, each part replaced by the number of the nearest of 256 centres: a byte.

    books  (parts, 256, d) centres, D = parts · d
    """

    books: torch.Tensor

    @classmethod
    def trained(cls, vectors: np.ndarray, parts: int, seed: int = 0) -> "ProductCode":
        """From (N, D) vectors, N of some ten thousand."""
        pieces = torch.from_numpy(vectors).reshape(len(vectors), parts, -1)
        return cls(torch.stack([k_means(pieces[:, p].contiguous(), 256, seed=seed) for p in range(parts)]))

    def encode(self, vectors: np.ndarray) -> np.ndarray:
        """(N, D) → (N, parts) uint8."""
        pieces = torch.from_numpy(vectors).reshape(len(vectors), len(self.books), -1)
        codes = [nearest_of(pieces[:, p].contiguous(), book) for p, book in enumerate(self.books)]
        return torch.stack(codes, 1).numpy().astype(np.uint8)

    def decode(self, codes: np.ndarray) -> np.ndarray:
        """(N, parts) → (N, D): what the codes stand for."""
        rows = torch.from_numpy(codes.astype(np.int64))
        return torch.cat([book[rows[:, p]] for p, book in enumerate(self.books)], 1).numpy()


def half(vectors: np.ndarray) -> np.ndarray:
    return vectors.astype(np.float16)


def eight_bits(vectors: np.ndarray) -> np.ndarray:
    """−127 … 127, and one scale for all: the largest number of the gallery is 127."""
    return np.round(vectors * (127 / np.abs(vectors).max())).astype(np.int8)


def signs(vectors: np.ndarray) -> np.ndarray:
    """One bit a number: above or below the gallery's mean."""
    return np.packbits(vectors > vectors.mean(0), axis=1)


def compressed(gallery: np.ndarray, train: int = 8_192) -> dict[str, tuple[int, np.ndarray]]:
    """Name → bytes a template, and the (N, D) float32 vectors that the stored ones stand for.

    Codes are learnt from the last `train` rows: probes of the first ones then meet codes that have not seen
    them."""
    ways = {"float32": (4 * gallery.shape[1], gallery)}
    ways["float16"] = (2 * gallery.shape[1], half(gallery).astype(np.float32))
    small = eight_bits(gallery)
    ways["int8"] = (small.shape[1], small * np.float32(np.abs(gallery).max() / 127))
    for parts in (64, 32, 16, 8):
        code = ProductCode.trained(gallery[-train:], parts)
        ways[f"product, {parts}"] = (parts, code.decode(code.encode(gallery)))
    bits = np.unpackbits(signs(gallery), axis=1)[:, : gallery.shape[1]]
    ways["signs"] = (gallery.shape[1] // 8, (2.0 * bits - 1).astype(np.float32) / gallery.shape[1] ** 0.5)
    return ways
