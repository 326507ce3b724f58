"""Calibration: the threshold for a wanted false match rate, from vectors of one's own people.

Every photo is compared with every photo of somebody else (the impostor pairs) and of the same person (the
genuine ones). What such pairs can show is limited twice:

- by their number N: had none been accepted, the rate would still only be shown to lie below 3 / N (the rule
  of three). A wanted rate below that gets no threshold. And at fewer than 30 accepted pairs the rate is
  known to a factor of two at best (the rule of 30; Doddington et al., Speech Communication 2000);
- by the people in them: P people make P(P − 1)/2 pairs of people but only ⌊P/2⌋ that share nobody. Somebody
  who resembles many spoils many pairs at once. So intervals come from a bootstrap over people with the
  threshold kept, and are never narrower than the exact binomial one; where no error was seen the
  upper end is the rule of three (all as in `facelab.calibration`).

And neither says anything about people who are not in the photos.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from facelab.metrics.checks import allowed, share
from facelab.metrics.intervals import clopper_pearson, rule_of_three

STEP = 1e-4
"""Thresholds are multiples of this, so that a printed one is the one that was measured."""

FMRS = (1e-1, 1e-2, 1e-3, 1e-4, 1e-5)
"""The wanted rates, where nobody says others."""

MOST_PHOTOS = 20_000
"""200 million pairs, 800 MB of scores."""

SURE = 30
"""Accepted pairs from which on a rate may be called known (the rule of 30)."""


@dataclass(frozen=True)
class Measured:
    """A counted rate: count of total, and its 95 % interval over people."""

    count: int
    total: int
    low: float
    high: float

    @property
    def value(self) -> float:
        return self.count / self.total


@dataclass(frozen=True)
class Setting:
    """What a wanted false match rate comes to.

    wanted     the rate that was asked for
    threshold  the lowest score, in steps of STEP, at which no more than `wanted` of the impostor pairs are
               accepted; None where so few pairs cannot show such a rate
    fmr, fnmr  at that threshold, with intervals; None without a threshold, fnmr also without genuine pairs
    caveat     what cannot be claimed, in a sentence; empty where nothing stands against it
    """

    wanted: float
    threshold: float | None
    fmr: Measured | None
    fnmr: Measured | None
    caveat: str


@dataclass(frozen=True)
class Calibration:
    """Thresholds for wanted rates, and what they rest on.

    settings           one for each wanted rate
    impostor, genuine  how many pairs
    people, photos     how many
    highest            the highest score of an impostor pair: above it no rate can be told from zero
    """

    settings: tuple[Setting, ...]
    impostor: int
    genuine: int
    people: int
    photos: int
    highest: float

    @property
    def floor(self) -> float:
        """No rate below this can be claimed, even if the impostor pairs were independent."""
        return rule_of_three(self.impostor)

    @property
    def strict_floor(self) -> float:
        """… and if only pairs that share nobody were counted. The truth lies between the two."""
        return rule_of_three(self.people // 2)


def calibrate(
    vectors: np.ndarray,
    identity: np.ndarray,
    fmrs: Sequence[float] = FMRS,
    *,
    genuine: tuple[np.ndarray, np.ndarray] | None = None,
    resamples: int = 500,
    seed: int = 0,
) -> Calibration:
    """The threshold for each wanted false match rate.

    vectors   (N, D) unit norm; identity (N,) whose each is; up to MOST_PHOTOS of them
    fmrs      wanted rates, between 0 and 1
    genuine   (scores, whose), (M,) each: the pairs of the same person; None: all that the vectors make

    Raises ValueError for fewer than two people, or more photos than can be compared at once.
    """
    vectors = np.asarray(vectors, np.float32)
    names, who = np.unique(identity, return_inverse=True)
    if len(names) < 2 or vectors.shape[:1] != who.shape:
        raise ValueError("Vectors of two people at least are needed, and an identity for each vector.")
    if len(who) > MOST_PHOTOS:
        raise ValueError(
            f"{len(who):,} photos make more pairs than memory holds: give {MOST_PHOTOS:,} at most, say one "
            "of each person."
        )
    if not np.isfinite(vectors).all():
        raise ValueError("vectors holds NaN or infinity: leave such photos out.")
    fmrs = [share(fmr, "fmr") for fmr in fmrs]
    impostor = np.concatenate([scores[who[rows] != who[one]] for one, rows, scores in _pairs(vectors)])
    most = min(allowed(max(fmrs), len(impostor)), len(impostor) - 1)
    top = np.sort(np.partition(impostor, len(impostor) - 1 - most)[len(impostor) - 1 - most :])[::-1]
    floor = rule_of_three(len(impostor))
    chosen = [
        None if floor > fmr * (1 + 1e-9) else _above(top[min(allowed(fmr, len(impostor)), len(top) - 1)])
        for fmr in fmrs
    ]
    loosest = min((threshold for threshold in chosen if threshold is not None), default=np.inf)
    near = _accepted(vectors, who, loosest)
    if genuine is None:
        genuine = genuine_scores(vectors, who)
    else:
        genuine = np.asarray(genuine[0]), np.unique(genuine[1], return_inverse=True)[1]
    people = _Resampled(who, resamples, seed)
    settings = []
    for wanted, threshold in zip(fmrs, chosen, strict=True):
        if threshold is None:
            needed = f"{3 / wanted:,.0f} are needed" if wanted else "no number of pairs shows zero"
            caveat = f"{len(impostor):,} pairs show no rate below {floor:.2g}; {needed}"
            settings.append(Setting(wanted, None, None, None, caveat))
            continue
        fmr = people.of_pairs(near[0], near[1], near[2], threshold, len(impostor))
        fnmr = _missed(genuine[0], genuine[1], threshold, resamples, seed) if len(genuine[0]) else None
        settings.append(Setting(wanted, threshold, fmr, fnmr, _caveat(wanted, fmr)))
    return Calibration(
        tuple(settings), len(impostor), len(genuine[0]), len(names), len(who), float(impostor.max())
    )


def _caveat(wanted: float, fmr: Measured) -> str:
    if fmr.count < SURE:
        return f"rests on {fmr.count} accepted pairs; {SURE} or more would make it a known rate"
    if fmr.high > 2 * wanted:
        return f"a few people decide it: with others it may be {fmr.high / wanted:.2g} times the wanted rate"
    return ""


def _above(score: float) -> float:
    """The next multiple of STEP above a score."""
    return float(round((np.floor(float(score) / STEP) + 1) * STEP, 10))


def _pairs(vectors: np.ndarray) -> Iterator[tuple[int, slice, np.ndarray]]:
    """Each row with all later ones: (row, the later rows, their cosines)."""
    for start in range(0, len(vectors) - 1, 256):
        block = vectors[start : start + 256] @ vectors[start:].T
        for one in range(start, min(start + 256, len(vectors) - 1)):
            yield one, slice(one + 1, None), block[one - start, one - start + 1 :]


def _accepted(vectors: np.ndarray, who: np.ndarray, threshold: float):
    """Impostor pairs with score ≥ threshold: the person on either side, and the scores."""
    found = [(np.zeros(0, int), np.zeros(0, int), np.zeros(0, np.float32))]
    for one, rows, scores in _pairs(vectors):
        near = (scores >= threshold) & (who[rows] != who[one])
        if near.any():
            others = who[rows][near]
            found.append((np.full(len(others), who[one]), others, scores[near]))
    return tuple(np.concatenate(column) for column in zip(*found, strict=True))


def genuine_scores(vectors: np.ndarray, who: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Scores of all pairs of one person, and whose they are."""
    scores, whose = [np.zeros(0, np.float32)], [np.zeros(0, int)]
    for person in np.flatnonzero(np.bincount(who) > 1):
        own = vectors[who == person]
        scores.append((own @ own.T)[np.triu_indices(len(own), 1)])
        whose.append(np.full(len(scores[-1]), person))
    return np.concatenate(scores), np.concatenate(whose)


class _Resampled:
    """People drawn with replacement; a pair counts as often as the product of its two people's draws."""

    def __init__(self, who: np.ndarray, resamples: int, seed: int):
        photos = np.bincount(who)
        rng = np.random.default_rng(seed)
        self.times: list[np.ndarray] = []
        self.totals: list[float] = []
        while len(self.times) < resamples:
            times = np.bincount(rng.integers(len(photos), size=len(photos)), minlength=len(photos))
            drawn = (times * photos).astype(np.float64)
            if (
                total := (drawn.sum() ** 2 - (drawn**2).sum()) / 2
            ):  # else one person was drawn, again and again
                self.times.append(times)
                self.totals.append(total)

    def of_pairs(self, a: np.ndarray, b: np.ndarray, scores: np.ndarray, threshold: float, total: int):
        """The share of impostor pairs at or above the threshold, with its interval."""
        near = scores >= threshold
        a, b = a[near], b[near]
        rates = [float(t[a] @ t[b]) / whole for t, whole in zip(self.times, self.totals, strict=True)]
        return _measured(len(a), total, rates)


def _missed(scores: np.ndarray, whose: np.ndarray, threshold: float, resamples: int, seed: int) -> Measured:
    """The share of genuine pairs below the threshold, with its interval."""
    pairs = np.bincount(whose)
    missed = np.bincount(whose[scores < threshold], minlength=len(pairs))
    present = np.flatnonzero(pairs)
    drawn = np.random.default_rng(seed).integers(len(present), size=(resamples, len(present)))
    rates = [missed[present[rows]].sum() / pairs[present[rows]].sum() for rows in drawn]
    return _measured(int(missed.sum()), int(pairs.sum()), rates)


def _measured(count: int, total: int, rates: Sequence[float]) -> Measured:
    """The wider of two intervals at either end; the rule of three where nothing was seen."""
    low, high = np.quantile(rates, [0.025, 0.975])
    exact_low, exact_high = clopper_pearson(count, total)
    high = rule_of_three(total) if count == 0 else max(high, exact_high)
    return Measured(count, total, float(min(low, exact_low)), float(high))
