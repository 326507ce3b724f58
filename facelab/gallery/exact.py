"""The arithmetic of exact search: cosines in float64, what float32 may be off by, and the order of people."""

import math
from collections.abc import Iterable

import numpy as np
import torch

from facelab.gallery.columns import UNIT_TOLERANCE

BLOCK = 16
"""Templates of which the largest cosine is kept. Smaller ones cost memory, larger ones work when opened."""

OPENED_AT_ONCE = 2**14
"""Templates brought to float64 at a time."""


def cosines(vectors: np.ndarray, probe: np.ndarray) -> np.ndarray:
    """(…, n) float64: the cosine of each of (…, n, D) with (D,) or (…, 1, D). Float64 throughout, and every
    row alike."""
    vectors, probe = vectors.astype(np.float64), probe.astype(np.float64)
    squares = squared_norms(vectors) * squared_norms(probe)
    return np.einsum("...d,...d->...", vectors, probe) / np.sqrt(squares, out=squares)


def squared_norms(vectors: np.ndarray) -> np.ndarray:
    """(…) float64 of (…, D) float64."""
    return np.einsum("...d,...d->...", vectors, vectors)


def opened(vectors: np.ndarray, rows: np.ndarray, probe: np.ndarray) -> np.ndarray:
    """(n,) float64: the cosines of some rows (n,) of (N, D) with one probe (D,)."""
    if len(rows) <= OPENED_AT_ONCE:
        return cosines(vectors[rows], probe)
    parts = range(0, len(rows), OPENED_AT_ONCE)
    return np.concatenate([cosines(vectors[rows[a : a + OPENED_AT_ONCE]], probe) for a in parts])


def means(own: Iterable[np.ndarray]) -> np.ndarray:
    """(P,) float64: the mean of each person's cosines. fsum rounds once, so the order of somebody's templates
    does not show in the last digit."""
    return np.array([math.fsum(some) / len(some) for some in own])


def margin(dimension: int) -> float:
    """How far a float32 cosine of two vectors with unit norm may be from the true one.

    A product of D terms, summed in any order, is off by at most D · 2⁻²⁴ of Σ|xᵢyᵢ| ≤ 1 (Higham, *Accuracy
    and Stability of Numerical Algorithms*, 3.1), taken twice here; and the norms are not quite 1. Where torch
    was told to be quick rather than exact (`torch.set_float32_matmul_precision`), factors keep 11 bits of
    mantissa (TF32) or 8 (bfloat16).
    """
    rounding = {"highest": dimension * 2.0**-23, "high": 2.0**-9, "medium": 2.0**-6}
    return rounding[torch.get_float32_matmul_precision()] + 2 * UNIT_TOLERANCE


def best(ids: np.ndarray, scores: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """The k people with the largest scores, each once; the smaller id first where scores are equal."""
    order = np.lexsort((ids, -scores))
    first = np.sort(np.unique(ids[order], return_index=True)[1])[:k]
    return ids[order[first]], scores[order[first]]
