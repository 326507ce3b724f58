"""Identification, one to many: who is this, if anybody we know?

Closed set (`cmc`): everybody who is asked about is enrolled, and only the order of the answers counts.
Open set (the others): strangers come too, and a threshold has to keep them out. A probe gets the
gallery's best match: `top_ids`, `top_scores`. `true_ids` says who it really is, None for somebody who
is not enrolled. Ids may be numbers or names; None among `top_ids` is "the gallery returned nobody".
"""

import numpy as np

from facelab.metrics.checks import allowed, share, some, vector
from facelab.metrics.intervals import Interval, Rate
from facelab.metrics.verification import between


def cmc(scores, probe_ids, gallery_ids) -> np.ndarray:
    """Cumulative match characteristic, closed set: (people,) float64, at k − 1 the share of probes
    whose own person is among the k best (Phillips et al., FERET, 2000).

    scores       (probes, templates): higher is more alike; a person's best template counts
    probe_ids    (probes,): who each probe is; gallery_ids (templates,): whose each template is

    A person who scores as high as the right one stands before it, so a score that says nothing earns
    nothing. Raises ValueError for a probe of somebody who is not enrolled: that is the open set
    (`tpir_tnir`).
    """
    scores, probe_ids, gallery_ids = (np.asarray(given) for given in (scores, probe_ids, gallery_ids))
    if scores.shape != (len(probe_ids), len(gallery_ids)) or scores.size == 0:
        raise ValueError(
            f"scores has shape {scores.shape}: a row for each of {len(probe_ids)} probe_ids, a column for "
            f"each of {len(gallery_ids)} gallery_ids."
        )
    if np.isnan(scores).any():
        raise ValueError("scores holds NaN: remove those first.")
    people, whose = np.unique(gallery_ids, return_inverse=True)
    own = np.searchsorted(people, probe_ids)
    strangers = np.append(people, people[:1])[own] != probe_ids
    if strangers.any():
        raise ValueError(
            f"{probe_ids[strangers][:3].tolist()} are not in the gallery: leave such probes out."
        )
    order = np.argsort(whose, kind="stable")
    starts = np.searchsorted(whose[order], np.arange(len(people)))
    best = np.maximum.reduceat(scores[:, order], starts, axis=1)
    rank = (best >= best[np.arange(len(own)), own][:, None]).sum(axis=1)
    return np.cumsum(np.bincount(rank, minlength=len(people) + 1)[1:]) / len(probe_ids)


def tpir_tnir(top_ids, top_scores, true_ids, thresholds) -> tuple[np.ndarray, np.ndarray]:
    """True positive and true negative identification rate at each threshold (slides, "TPIR / TNIR").

    tpir  (T,): enrolled probes whose best match is the right person, with score ≥ threshold
    tnir  (T,): probes of strangers whose best match has score < threshold

    Raises ValueError unless there are enrolled people and strangers among the probes.
    """
    _, mates, strangers = _mates_and_strangers(top_ids, top_scores, true_ids)
    thresholds = vector(thresholds, "thresholds")[:, None]
    found = (mates >= thresholds) & (mates > -np.inf)
    return found.mean(axis=1), (strangers < thresholds).mean(axis=1)


def fnir_at_fpir(top_ids, top_scores, true_ids, fpir: float) -> Rate:
    """The lowest false negative identification rate at which no more than `fpir` of the strangers get a
    name.

    A miss is an enrolled probe that gets no name, or the wrong one. The threshold is the lowest that
    keeps to `fpir` on the strangers given (half-way between two scores). A float with `.low` and
    `.high`, the exact interval for that threshold. ISO/IEC 19795-1; NIST's FRTE 1:N reports the same.
    """
    scores, mates, strangers = _mates_and_strangers(top_ids, top_scores, true_ids)
    most = allowed(share(fpir, "fpir"), len(strangers))
    threshold = -np.inf
    if most < len(strangers):
        highest_rejected = strangers[len(strangers) - 1 - most]
        above = scores[scores > highest_rejected]
        threshold = between(highest_rejected, above.min()) if len(above) else np.inf
    return Rate(int((~((mates >= threshold) & (mates > -np.inf))).sum()), len(mates))


def bootstrap_fnir_at_fpir(
    top_ids,
    top_scores,
    true_ids,
    fpir: float,
    *,
    resamples: int = 1000,
    level: float = 0.95,
    seed: int = 0,
) -> Interval:
    """`fnir_at_fpir` with an interval that carries the threshold's own uncertainty.

    The threshold is set by the few strangers who come nearest: at an FPIR of 1 % of 749 by seven of them.
    Other strangers would have set another. So enrolled probes *and* strangers are drawn with replacement,
    and the threshold is chosen anew each time. (`fnir_at_fpir`'s own interval takes the threshold as
    given.) Percentiles of the bootstrap; below some ten allowed strangers it may be too narrow (of 95
    intervals in 100 that should hold the truth at seven, two simulations found 91 and 96), as any bootstrap
    of an extreme is.
    """
    _, mates, strangers = _mates_and_strangers(top_ids, top_scores, true_ids)
    most = allowed(share(fpir, "fpir"), len(strangers))
    value = float(fnir_at_fpir(top_ids, top_scores, true_ids, fpir))
    rng, drawn = np.random.default_rng(seed), np.empty(resamples)
    for turn in range(resamples):
        some_mates = mates[rng.integers(len(mates), size=len(mates))]
        rows = np.sort(rng.integers(len(strangers), size=len(strangers)))
        rejected = strangers[rows[-1 - most]] if most < len(rows) else -np.inf
        drawn[turn] = np.mean(some_mates <= rejected)
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2])
    return Interval(value, float(low), float(high), level, drawn)


def _mates_and_strangers(top_ids, top_scores, true_ids) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """All scores (N,); the enrolled probes', −inf where the best match is wrong; the strangers', sorted."""
    scores, enrolled, right = _probes(top_ids, top_scores, true_ids)
    mates = some(np.where(right, scores, -np.inf)[enrolled], "probe of an enrolled person")
    return scores, mates, np.sort(some(scores[~enrolled], "probe of a stranger"))


def _probes(top_ids, top_scores, true_ids) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Scores (N,), who is enrolled (N,) bool, whose best match is right (N,) bool."""
    top_ids, true_ids = list(top_ids), list(true_ids)
    scores = vector(top_scores, "top_scores")
    if not len(top_ids) == len(true_ids) == len(scores):
        raise ValueError(
            f"{len(top_ids)} top_ids, {len(scores)} top_scores, {len(true_ids)} true_ids: one of each for "
            "a probe."
        )
    for name, ids in (("top_ids", top_ids), ("true_ids", true_ids)):
        if any(isinstance(one, float | np.floating) and np.isnan(one) for one in ids):
            raise ValueError(f"{name} holds NaN: a stranger is None.")
    nobody = np.array([one is None for one in top_ids], bool)
    enrolled = np.array([one is not None for one in true_ids], bool)
    right = np.array([a is not None and a == b for a, b in zip(top_ids, true_ids, strict=True)], bool)
    return np.where(nobody, -np.inf, scores), enrolled, right
