"""False match and non-match rates at every distance of a grid, with intervals over people.

These are the rows of a calibration: `facelab.calibration` says what they mean and where they are kept.
"""

import numpy as np
from tqdm import tqdm

from facelab.calibration import GRID
from facelab.metrics.intervals import clopper_pearson, rule_of_three

MOST_PAIRS = 20_000_000
"""So many pairs of different people, 6,300 photos, take some 2 GB; LFW's people are 16.5 million pairs."""


def impostors(
    vectors: np.ndarray, resamples: int, label: str = "", who: np.ndarray | None = None
) -> dict[str, object]:
    """False matches among all pairs of different people at each distance, with the interval.

    vectors  (N, D) unit norm; who (N,) whose each is; None: each somebody else's

    Raises ValueError for fewer than two people, or more than MOST_PAIRS pairs.
    """
    n = len(vectors)
    people, who = np.unique(np.arange(n) if who is None else who, return_inverse=True)
    if len(people) < 2:
        raise ValueError("Two people at least are needed.")
    if n * (n - 1) // 2 > MOST_PAIRS:
        raise ValueError(
            f"{n:,} photos make more pairs than memory holds ({MOST_PAIRS:,}): give fewer of each person."
        )
    i, j = np.triu_indices(n, k=1)
    bins = np.empty(len(i), np.int64)
    start = 0
    for row in range(n - 1):  # a row of the triangle at a time, so that memory stays small
        bins[start : start + n - 1 - row] = bin_of(1 - vectors[row + 1 :] @ vectors[row])
        start += n - 1 - row
    i, j = who[i], who[j]
    if len(people) < n:
        different = i != j
        i, j, bins = i[different], j[different], bins[different]
    matches = np.cumsum(np.bincount(bins, minlength=len(GRID)))

    rng = np.random.default_rng(0)
    rates = np.empty((resamples, len(GRID)))
    for k in tqdm(
        range(resamples), desc=f"{label}: bootstrap over {len(people):,} people", disable=not label
    ):
        counts: np.ndarray = np.zeros(1)
        while not counts.sum():  # of few people one alone may be drawn, again and again
            drawn = np.bincount(rng.integers(len(people), size=len(people)), minlength=len(people))
            times = drawn.astype(np.float64)
            counts = np.bincount(bins, weights=times[i] * times[j], minlength=len(GRID))
        rates[k] = np.cumsum(counts) / counts.sum()
    return _row(matches, len(bins), len(people), rates)


def genuines(distances: np.ndarray, identity: np.ndarray, resamples: int) -> dict[str, object]:
    """Pairs of the same person: false non-matches at each distance, with the interval."""
    people, who = np.unique(identity, return_inverse=True)
    bins = bin_of(distances)
    misses = len(bins) - np.cumsum(np.bincount(bins, minlength=len(GRID)))
    rng = np.random.default_rng(0)
    rates = np.empty((resamples, len(GRID)))
    for k in range(resamples):
        times = np.bincount(rng.integers(len(people), size=len(people)), minlength=len(people))
        counts = np.bincount(bins, weights=times[who].astype(np.float64), minlength=len(GRID))
        rates[k] = 1 - np.cumsum(counts) / counts.sum()
    return _row(misses, len(bins), len(people), rates)


def bin_of(distances: np.ndarray) -> np.ndarray:
    """The first distance of the grid at which a pair is accepted: the smallest k with distance ≤ GRID[k]."""
    return np.searchsorted(GRID, np.clip(distances.astype(np.float64), 0, 2))


def _row(errors: np.ndarray, pairs: int, people: int, rates: np.ndarray) -> dict[str, object]:
    """Counts with the wider of two intervals at either end; the rule of three where there was no error."""
    low, high = np.quantile(rates, [0.025, 0.975], axis=0)
    exact_low, exact_high = clopper_pearson(errors, pairs)
    high = np.where(errors == 0, rule_of_three(pairs), np.maximum(high, exact_high))
    return {
        "pairs": int(pairs),
        "people": int(people),
        "errors": errors.tolist(),
        "low": [float(f"{rate:.4g}") for rate in np.minimum(low, exact_low)],
        "high": [float(f"{rate:.4g}") for rate in high],
    }
