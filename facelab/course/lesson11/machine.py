"""How fast a search could be on this computer, and how fast it is.

The roofline of Williams, Waterman & Patterson (CACM 2009): a program can be no faster than the memory brings
its numbers and no faster than the cores multiply them, whichever is slower.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

BLOCK = 8192
"""Templates whose cosines are looked through while they are still in the cache."""


@dataclass(frozen=True)
class Machine:
    """bandwidth: bytes a second read from memory. flops: additions and multiplications a second, float32."""

    bandwidth: float
    flops: float

    def memory(self, people: int, dim: int) -> float:
        """Seconds to read the gallery once: it is enough for all probes that are compared together."""
        return 4 * people * dim / self.bandwidth

    def arithmetic(self, people: int, dim: int, probes: int) -> float:
        """Seconds to multiply and add."""
        return 2 * people * dim * probes / self.flops

    def __str__(self) -> str:
        threads = torch.get_num_threads()
        return (
            f"{threads} thread{'s' * (threads > 1)}: memory brings {self.bandwidth / 1e9:.0f} GB/s, "
            f"the cores do {self.flops / 1e9:.0f} billion operations a second"
        )


def fastest(call: Callable, times: int = 3, seconds: float = 0.03) -> float:
    """Seconds that it took when it took least, of so many times or of as many as fit into `seconds`:
    whatever else the computer does can only add."""
    call()
    spent: list[float] = []
    while len(spent) < times or sum(spent) < seconds:
        start = time.perf_counter()
        call()
        spent.append(time.perf_counter() - start)
    return min(spent)


def measured() -> Machine:
    """This computer: a sum over 256 MB, which no cache holds, and a product of two large
    matrices, whose numbers are used over and over while they are in the cache."""
    much, square = torch.ones(2**26), torch.rand(1536, 1536)
    return Machine(
        bandwidth=4 * len(much) / fastest(much.sum, 5),
        flops=2 * len(square) ** 3 / fastest(lambda: square @ square, 5),
    )


def nearest(gallery: np.ndarray, probes: np.ndarray) -> np.ndarray:
    """(P,) the row of the nearest template of each probe. (N, D), (P, D) of unit norm."""
    best, row = np.full(len(probes), -1, np.float32), np.zeros(len(probes), np.int64)
    for start in range(0, len(gallery), BLOCK):
        cosines = gallery[start : start + BLOCK] @ probes.T
        highest = cosines.max(axis=0)
        better = highest > best
        best[better], row[better] = highest[better], start + cosines[:, better].argmax(axis=0)
    return row


def timed(
    gallery: np.ndarray, probes: np.ndarray, sizes: tuple[int, ...], counts: tuple[int, ...]
) -> dict[tuple[int, int], float]:
    """(people, probes at once) → seconds of an exact search."""
    return {
        (size, count): fastest(lambda some=gallery[:size], few=probes[:count]: nearest(some, few))
        for size in sizes
        for count in counts
    }
