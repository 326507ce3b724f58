"""How good is a detector of presentation attacks? Rates of ISO/IEC 30107-3.

A live score is higher the more a presentation looks bona fide, and it is let through when score ≥ threshold.

    APCER  attack presentation classification error rate: attacks of one kind that are let through. Kinds
           are not averaged: an attacker takes the kind that works, so the largest of them counts
    BPCER  bona fide presentation classification error rate: honest people who are turned away
    ACER   (largest APCER + BPCER) / 2: a habit of the field's papers, which hides in one number which of
           the two is bad. Quote the two apart, as the standard wants them; it is here so that papers can
           be compared
    IAPAR  impostor attack presentation accept rate: attacks on somebody's template that pass both the
           detector and the matcher. (Editions before 2023 measured IAPMR, the match rate, in its place.)

An interval over presentations would be too narrow: those of one person resemble each other. Draw people
(`bootstrap_people`).
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from facelab.metrics.checks import share, some, vector
from facelab.metrics.intervals import Interval, Rate


def apcer(scores, threshold: float) -> Rate:
    """Of attacks of one kind, live scores (N,): the share with score ≥ threshold."""
    scores = some(vector(scores, "scores"), "attack")
    return Rate(int((scores >= threshold).sum()), len(scores))


def bpcer(scores, threshold: float) -> Rate:
    """Of bona fide presentations, live scores (N,): the share with score < threshold."""
    scores = some(vector(scores, "scores"), "bona fide presentation")
    return Rate(int((scores < threshold).sum()), len(scores))


def threshold_at_bpcer(scores, rate: float) -> float:
    """The highest threshold that turns away no more than `rate` of these bona fide scores (N,).

    Raises ValueError where there is no score, or for a rate that is none or 1.
    """
    scores = np.sort(some(vector(scores, "scores"), "bona fide presentation"))
    if share(rate, "rate") == 1:
        raise ValueError("rate=1: everybody may be turned away, so any threshold does.")
    return float(scores[int(np.floor(rate * len(scores) + 1e-9))])


@dataclass(frozen=True)
class AttackRates:
    """apcer: {kind: Rate}; bpcer: Rate; both at the threshold."""

    threshold: float
    apcer: dict[str, Rate]
    bpcer: Rate

    @property
    def worst(self) -> str:
        """The kind that is let through most often."""
        return max(self.apcer, key=lambda kind: self.apcer[kind])

    @property
    def acer(self) -> float:
        return (float(self.apcer[self.worst]) + float(self.bpcer)) / 2

    def __str__(self) -> str:
        rows = [f"APCER {kind}: {rate}" for kind, rate in self.apcer.items()]
        return "\n".join([*rows, f"BPCER: {self.bpcer}", f"ACER ({self.worst}): {self.acer:.4g}"])


def attack_rates(scores, kinds, threshold: float, bona_fide: str = "bona fide") -> AttackRates:
    """All of it at one threshold.

    scores  (N,) live scores
    kinds   (N,): the kind of attack of each, or `bona_fide`

    Raises ValueError where attacks or bona fide presentations are missing, or the two differ in length.
    """
    if np.isnan(threshold):
        raise ValueError("threshold=nan: no score reaches it, and none fails it.")
    scores, kinds = vector(scores, "scores"), np.asarray(kinds)
    if kinds.shape != scores.shape:
        raise ValueError(f"scores has {len(scores)} entries and kinds has shape {kinds.shape}: one for each.")
    names = [kind for kind in dict.fromkeys(kinds.tolist()) if kind != bona_fide]
    if not names:
        raise ValueError("There is no attack, so APCER has no denominator.")
    return AttackRates(
        float(threshold),
        {kind: apcer(scores[kinds == kind], threshold) for kind in names},
        bpcer(scores[kinds == bona_fide], threshold),
    )


def iapar(live, match, live_threshold: float, match_threshold: float) -> Rate:
    """Of attacks on a person's template: the share with live ≥ live_threshold and match ≥ match_threshold.

    live, match  (N,): live scores, and similarities to the template (higher = more alike)
    """
    live, match = vector(live, "live"), vector(match, "match")
    if live.shape != match.shape:
        raise ValueError(f"live has {len(live)} entries and match {len(match)}: one of each for an attack.")
    some(live, "attack")
    return Rate(int(((live >= live_threshold) & (match >= match_threshold)).sum()), len(live))


def bootstrap_people(
    statistic: Callable[[np.ndarray], float],
    person,
    *,
    resamples: int = 1000,
    level: float = 0.95,
    seed: int = 0,
) -> Interval:
    """Percentile interval of statistic(rows), drawing people with replacement, each with all rows of theirs.

    statistic  takes the numbers of some rows (some of them several times) and gives a number; NaN where a
               resample left it nothing to divide by, which is then drawn again
    person     (N,): whose each row is

    Raises ValueError for fewer than two people, or when the statistic is NaN again and again.
    """
    if resamples < 2 or not 0 < level < 1:
        raise ValueError(f"resamples={resamples}, level={level}: at least 2, and between 0 and 1.")
    _, place, counts = np.unique(np.asarray(person), return_inverse=True, return_counts=True)
    if len(counts) < 2:
        raise ValueError(f"{len(counts)} people: an interval over people needs two at least.")
    order = np.argsort(place, kind="stable")
    rows_of = np.split(order, np.cumsum(counts)[:-1])
    rng, values = np.random.default_rng(seed), []
    for _ in range(100 * resamples):
        rows = np.concatenate([rows_of[who] for who in rng.integers(len(counts), size=len(counts))])
        value = float(statistic(rows))
        if not np.isnan(value):
            values.append(value)
        if len(values) == resamples:
            break
    else:
        raise ValueError(f"{len(counts)} people are too few to draw from: nothing is left to count.")
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(statistic(order)), float(low), float(high), level, np.array(values))
