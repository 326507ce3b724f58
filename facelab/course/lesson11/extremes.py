"""The last few of all impostor scores: measured as far as there are pairs, and continued beyond.

Over a high threshold u, what is left of (almost) any distribution looks like one of a family of two
parameters, the generalised Pareto: P(X > u + y | X > u) = (1 + ξ y/σ)^(−1/ξ)  (Balkema & de Haan 1974;
Pickands 1975; for scores of biometric systems: Shi et al., SPIE 6944, 2008). "High" is for the reader to
say, and the answer should not depend on it.
"""

from dataclasses import dataclass

import numpy as np
from scipy.stats import genpareto


@dataclass(frozen=True, eq=False)
class Tail:
    """The largest cosines of pairs of different people.

    cosines (K,), the largest first; a, b (K,) whose they are; pairs: how many were compared; people
    """

    cosines: np.ndarray
    a: np.ndarray
    b: np.ndarray
    pairs: int
    people: int

    def threshold(self, fmr: float) -> float:
        """The cosine that this share of all pairs lies above; nan where that is less than one pair, or
        more than were kept."""
        place = int(fmr * self.pairs)
        return float(self.cosines[place]) if 1 <= place < len(self.cosines) else float("nan")


def tail(vectors: np.ndarray, share: float = 1e-3) -> Tail:
    """The `share` of all pairs among (N, D) vectors, one for each person, that are most alike."""
    cosines = vectors @ vectors.T
    pairs = len(vectors) * (len(vectors) - 1) // 2
    upper = cosines[np.triu_indices(len(vectors), 1)]
    cut = np.partition(upper, -int(share * pairs))[-int(share * pairs)]
    a, b = np.nonzero(cosines >= cut)
    a, b = a[a < b], b[a < b]
    order = np.argsort(-cosines[a, b], kind="stable")
    a, b = a[order], b[order]
    return Tail(cosines[a, b], a, b, pairs, len(vectors))


@dataclass(frozen=True)
class Pareto:
    """Pairs above `start`, which `share` of all are: shape ξ and scale σ."""

    start: float
    share: float
    shape: float
    scale: float

    def threshold(self, fmr):
        """The cosine that this share of all pairs will lie above, fmr ≤ share."""
        return self.start + genpareto.ppf(1 - np.asarray(fmr) / self.share, self.shape, 0, self.scale)

    def fmr(self, threshold):
        """The other way round, threshold ≥ start."""
        beyond = np.asarray(threshold) - self.start
        return self.share * genpareto.sf(beyond, self.shape, 0, self.scale)


def fit(tail: Tail, share: float, weights: np.ndarray | None = None) -> Pareto:
    """The likeliest one for the `share` of pairs that are most alike.

    weights  how often each pair counts (K,), whole numbers; all once if None
    """
    counts = np.ones(len(tail.cosines), int) if weights is None else weights
    last = min(int(np.searchsorted(np.cumsum(counts), share * tail.pairs)), len(counts) - 1)
    start = tail.cosines[last]
    beyond = np.repeat(tail.cosines[:last] - start, counts[:last])
    shape, _, scale = genpareto.fit(beyond, floc=0)
    return Pareto(float(start), share, float(shape), float(scale))


def interval(tail: Tail, share: float, fmr, resamples: int = 100, seed: int = 0) -> np.ndarray:
    """(2, …): 95 % for the threshold at each false match rate, over people drawn with replacement: a pair
    is there as often as both of its people together."""
    rng, found = np.random.default_rng(seed), []
    for _ in range(resamples):
        often = np.bincount(rng.integers(tail.people, size=tail.people), minlength=tail.people)
        found.append(fit(tail, share, often[tail.a] * often[tail.b]).threshold(fmr))
    return np.quantile(found, [0.025, 0.975], axis=0)


def best_of(gallery: np.ndarray, probes: np.ndarray, sizes: tuple[int, ...]) -> np.ndarray:
    """(P, len(sizes)): each probe's largest cosine among the first so many templates; sizes ascending."""
    best, out, start = np.full(len(probes), -1, np.float32), np.empty((len(probes), len(sizes))), 0
    for column, size in enumerate(sizes):
        for at in range(start, size, 2**14):
            best = np.maximum(best, (gallery[at : min(at + 2**14, size)] @ probes.T).max(axis=0))
        out[:, column], start = best, size
    return out
