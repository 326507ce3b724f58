"""How far a measured rate may lie from the true one.

- Exact binomial intervals (Clopper & Pearson, Biometrika 1934): for pairs that are independent.
- The rule of three: what "no error seen" is worth.
- Bootstrap over pairs (Efron, 1979): for anything that is computed from independent pairs.
- Bootstrap over identities: pairs that share a person are not independent. Draw people, not pairs (Bolle,
  Ratha & Pankanti, CVIU 2004, on why this widens the interval).
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from facelab.metrics.checks import both_classes, scores_and_labels


class Rate(float):
    """A share of counted cases: a float that knows its counts and its exact 95 % interval.

    count, total   count of total, so rate = count / total
    low, high      Clopper–Pearson; right for independent cases and a threshold that was fixed beforehand
    """

    count: int
    total: int

    def __new__(cls, count: int, total: int):
        if total < 1 or not 0 <= count <= total:
            raise ValueError(f"{count} of {total} is not a share.")
        rate = super().__new__(cls, count / total)
        rate.count, rate.total = int(count), int(total)
        return rate

    @property
    def low(self) -> float:
        return float(clopper_pearson(self.count, self.total)[0])

    @property
    def high(self) -> float:
        return float(clopper_pearson(self.count, self.total)[1])

    def __str__(self) -> str:
        return f"{float(self):.4g} [{self.low:.4g}, {self.high:.4g}] ({self.count:,} of {self.total:,})"

    __repr__ = __str__

    def __getnewargs__(self):  # so that it can be copied and pickled
        return self.count, self.total


def clopper_pearson(count, total, level: float = 0.95) -> tuple[np.ndarray, np.ndarray]:
    """Lower and upper end of the exact two-sided binomial interval; scalars or arrays, broadcast.

    low is the p at which `count` or more has probability (1 − level)/2, high the p at which `count` or fewer
    has it; 0 of n starts at 0, and n of n ends at 1.
    """
    from scipy.special import betaincinv

    count, total = np.broadcast_arrays(np.asarray(count, np.float64), np.asarray(total, np.float64))
    if not (np.all(count >= 0) and np.all(count <= total) and np.all(total > 0)):
        raise ValueError("clopper_pearson needs 0 ≤ count ≤ total and total ≥ 1.")
    if not 0 < level < 1:
        raise ValueError(f"level={level}: between 0 and 1, such as 0.95.")
    tail = (1 - level) / 2
    low = np.where(count == 0, 0.0, betaincinv(np.maximum(count, 0.5), total - count + 1, tail))
    high = np.where(count == total, 1.0, betaincinv(count + 1, np.maximum(total - count, 0.5), 1 - tail))
    return low[()], high[()]


def wilson(count, total, level: float = 0.95) -> tuple[np.ndarray, np.ndarray]:
    """Lower and upper end of Wilson's interval (JASA 1927); scalars or arrays, broadcast.

    All p from which count / total lies no more than z standard errors away, so that the ends are, with
    p̂ = count / total and n = total, (p̂ + z²/2n ± z √(p̂(1 − p̂)/n + z²/4n²)) / (1 + z²/n). Close to the
    exact interval, mostly a little narrower, and written down in one line.
    """
    from scipy.special import ndtri

    count, n = np.asarray(count, np.float64), np.asarray(total, np.float64)
    if not (np.all(count >= 0) and np.all(count <= n) and np.all(n > 0)):
        raise ValueError("wilson needs 0 ≤ count ≤ total and total ≥ 1.")
    if not 0 < level < 1:
        raise ValueError(f"level={level}: between 0 and 1, such as 0.95.")
    p, z = count / n, ndtri((1 + level) / 2)
    middle, half = p + z**2 / (2 * n), z * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    return np.maximum((middle - half) / (1 + z**2 / n), 0), np.minimum((middle + half) / (1 + z**2 / n), 1)


def rule_of_three(n: int) -> float:
    """No error in n independent trials: with 95 % confidence the rate is below 3 / n.

    Exact is 1 − 0.05^(1/n), and −ln 0.05 = 2.996. It is a one-sided bound; the two-sided interval's upper
    end, which keeps 2.5 % for itself, is 3.69 / n.
    """
    if n < 1:
        raise ValueError(f"n={n}: at least one trial.")
    return min(1.0, 3 / n)


@dataclass(frozen=True)
class Interval:
    """A statistic and the percentiles of its bootstrap distribution (resamples: (n,) float64)."""

    value: float
    low: float
    high: float
    level: float
    resamples: np.ndarray

    def __str__(self) -> str:
        interval = f"[{self.low:.4g}, {self.high:.4g}]"
        return f"{self.value:.4g} {interval} ({self.level:.0%}, {len(self.resamples)} resamples)"

    __repr__ = __str__


Statistic = Callable[[np.ndarray, np.ndarray], float]
"""Anything that takes (scores, same) and gives a number: `eer`, `auc`, `lambda s, t: tar_at_far(s, t,
1e-3)` …"""


def bootstrap_pairs(
    statistic: Statistic, scores, same, *, resamples: int = 1000, level: float = 0.95, seed: int = 0
) -> Interval:
    """Percentile interval of statistic(scores, same), drawing genuine and impostor pairs with replacement.

    As many of each are drawn as there are. Thresholds chosen inside the statistic are chosen anew each time,
    as they should be.
    """
    both_classes(scores, same)
    scores, same = scores_and_labels(scores, same)
    genuine, impostor = np.flatnonzero(same), np.flatnonzero(~same)
    rng = np.random.default_rng(seed)

    def draw() -> np.ndarray:
        return np.concatenate([rng.choice(genuine, len(genuine)), rng.choice(impostor, len(impostor))])

    return _percentiles(statistic, scores, same, draw, resamples, level)


def bootstrap_identities(
    statistic: Statistic,
    scores,
    same,
    identity_a,
    identity_b,
    *,
    resamples: int = 1000,
    level: float = 0.95,
    seed: int = 0,
) -> Interval:
    """Percentile interval of statistic(scores, same), drawing *people* with replacement.

    identity_a, identity_b  (N,): who is on either side of each pair (numbers or names); same = (a == b)

    A person drawn k times takes along all pairs with everybody: a pair of different people enters k_a · k_b
    times, a pair of one person k_a times. Resamples that leave one class empty are drawn again. It errs
    on the wide side: where everybody occurs in one pair only, pairs of one person are drawn as the bootstrap
    over pairs would, but k_a · k_b has three times the variance of k_a (Owen, *The pigeonhole bootstrap*,
    Annals of Applied Statistics 2007). Where a few people are in many pairs, drawing pairs is too narrow.
    """
    both_classes(scores, same)
    scores, same = scores_and_labels(scores, same)
    a, b = np.asarray(identity_a), np.asarray(identity_b)
    if a.shape != scores.shape or b.shape != scores.shape:
        raise ValueError(
            f"identity_a {a.shape} and identity_b {b.shape}: one for each of {len(scores)} pairs."
        )
    if not np.array_equal(a == b, same):
        raise ValueError("same must be True exactly where identity_a equals identity_b.")
    people, places = np.unique(np.concatenate([a, b]), return_inverse=True)
    a, b = places[: len(a)], places[len(a) :]
    rng = np.random.default_rng(seed)

    def draw() -> np.ndarray:
        for _ in range(100):
            times = np.bincount(rng.integers(len(people), size=len(people)), minlength=len(people))
            weight = np.where(same, times[a], times[a] * times[b])
            if weight[same].any() and weight[~same].any():
                return np.repeat(np.arange(len(scores)), weight)
        raise ValueError(f"{len(people)} people are too few to draw from: one class keeps coming out empty.")

    return _percentiles(statistic, scores, same, draw, resamples, level)


def _percentiles(statistic, scores, same, draw, resamples: int, level: float) -> Interval:
    if resamples < 2 or not 0 < level < 1:
        raise ValueError(f"resamples={resamples}, level={level}: at least 2, and between 0 and 1.")
    values = np.array([statistic(scores[rows], same[rows]) for rows in (draw() for _ in range(resamples))])
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(statistic(scores, same)), float(low), float(high), level, values)


def mcnemar(a_right, b_right) -> float:
    """Is one of two systems better on the same pairs? The exact two-sided p-value (McNemar 1947).

    a_right, b_right  (N,) bool: which pairs each system decides rightly

    Pairs that both get right, or both wrong, say nothing about a difference. Of those on which they differ,
    each is as likely to speak for one as for the other if there is none: a fair coin, tossed that often.
    Two counts of right answers are not enough for it, since they do not say on how many pairs the systems
    differ.
    """
    a, b = np.asarray(a_right, bool), np.asarray(b_right, bool)
    if a.shape != b.shape or a.ndim != 1:
        raise ValueError(f"a_right {a.shape} and b_right {b.shape}: one of each for every pair.")
    only_a, only_b = int((a & ~b).sum()), int((b & ~a).sum())
    if only_a + only_b == 0:
        return 1.0
    from scipy.stats import binomtest

    return float(binomtest(only_a, only_a + only_b).pvalue)
