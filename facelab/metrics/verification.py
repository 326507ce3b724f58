"""Verification, one to one: are these two the same person?"""

from typing import NamedTuple

import numpy as np

from facelab.metrics.checks import allowed, both_classes, scores_and_labels, share, some, vector
from facelab.metrics.intervals import Rate, rule_of_three


def tar_trr(scores, same, thresholds) -> tuple[np.ndarray, np.ndarray]:
    """True accept rate and true reject rate at each threshold (slides, "TAR / TRR").

    scores (N,), same (N,) bool, thresholds (T,) → tar (T,), trr (T,). Accepted is score ≥ threshold.
    Raises ValueError unless there are pairs of both kinds.
    """
    genuine, impostor = both_classes(scores, same)
    thresholds = vector(thresholds, "thresholds")
    return _accepted(genuine, thresholds) / len(genuine), _rejected(impostor, thresholds) / len(impostor)


def _rejected(scores: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    return np.searchsorted(np.sort(scores), thresholds, side="left")


def _accepted(scores: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    return len(scores) - _rejected(scores, thresholds)


def area(trr, tar) -> float:
    """The area under a curve of TAR over TRR (or TPIR over TNIR) by the trapezoid rule (slides).

    trr must not turn back (it may rise or fall). Only the range that it covers counts: from 0 to 1 when the
    lowest
    threshold accepts everything and the highest nothing.
    """
    trr, tar = vector(trr, "trr"), vector(tar, "tar")
    if trr.shape != tar.shape or len(trr) < 2:
        raise ValueError(f"trr {trr.shape} and tar {tar.shape}: equally long, with two points at least.")
    steps = np.diff(trr)
    if (steps < 0).any() and (steps > 0).any():
        raise ValueError("trr must rise or fall all along: give the points in the order of their thresholds.")
    return float(np.abs(np.sum(steps * (tar[1:] + tar[:-1]) / 2)))


class Roc(NamedTuple):
    """Receiver operating characteristic: far, tar, thresholds, (T,) each, thresholds falling.

    It begins at (0, 0) with threshold ∞ and has one point for each distinct score: equal scores cannot be
    told
    apart by any threshold.
    """

    far: np.ndarray
    tar: np.ndarray
    thresholds: np.ndarray


class Det(NamedTuple):
    """Detection error trade-off: fmr, fnmr, thresholds, (T,) each, thresholds falling."""

    fmr: np.ndarray
    fnmr: np.ndarray
    thresholds: np.ndarray


def roc(scores, same) -> Roc:
    """The ROC curve, every distinct score a point. Raises ValueError unless there are pairs of both kinds."""
    genuine, impostor = both_classes(scores, same)
    thresholds = np.append(np.inf, np.unique(np.concatenate([genuine, impostor]))[::-1])
    far = _accepted(impostor, thresholds) / len(impostor)
    return Roc(far, _accepted(genuine, thresholds) / len(genuine), thresholds)


def det(scores, same) -> Det:
    """The DET curve: FNMR over FMR at the points of `roc`. It is drawn with both axes on the normal-deviate
    scale
    (Martin et al., Eurospeech 1997), where normally distributed scores give a straight line."""
    far, tar, thresholds = roc(scores, same)
    return Det(far, 1 - tar, thresholds)


def auc(scores, same) -> float:
    """Area under the ROC curve: the chance that a genuine pair scores higher than an impostor pair, ties
    half."""
    far, tar, _ = roc(scores, same)
    return area(1 - far, tar)


def tar_at_far(scores, same, far: float) -> Rate:
    """The highest true accept rate at which no more than `far` of the impostor pairs are accepted.

    A float with `.low` and `.high` (exact binomial, the threshold taken as fixed; `bootstrap_pairs`
    includes its
    choice). Nothing is interpolated: only thresholds that some score sets are considered. With fewer than 1
    / far
    impostor pairs that means none may be accepted, which does not show that the FAR is as low as `far`:
    `threshold_at_fmr` refuses in that case.
    """
    genuine, impostor = both_classes(scores, same)
    threshold = _lowest_threshold(genuine, impostor, share(far, "far"))
    return Rate(int((genuine >= threshold).sum()), len(genuine))


def _lowest_threshold(genuine: np.ndarray, impostor: np.ndarray, far: float) -> float:
    """The lowest threshold, half-way between two scores, that accepts ⌊far · n⌋ impostors or fewer."""
    most = allowed(far, len(impostor))
    everybody = np.concatenate([genuine, impostor])
    if most >= len(impostor):
        return float(everybody.min())
    highest_rejected = np.sort(impostor)[len(impostor) - 1 - most]
    above = everybody[everybody > highest_rejected]
    if len(above) == 0:
        return float(np.nextafter(highest_rejected, np.inf))
    return between(float(highest_rejected), float(above.min()))


def between(low, high):
    """Half-way from low to high; high itself where no number lies between them, or low is −∞."""
    with np.errstate(invalid="ignore"):  # −∞ is the score of "nobody"
        middle = low + (np.asarray(high) - low) / 2
    return np.where(middle > low, middle, high)[()]


def eer(scores, same) -> float:
    """Equal error rate: where FAR = FRR.

    Scores are finitely many, so the two seldom meet exactly. The points (FAR, FRR) of `roc` are joined by
    straight
    lines, and the crossing of that line with FAR = FRR is the answer.
    """
    far, tar, _ = roc(scores, same)
    gap = far - (1 - tar)  # from −1 at threshold ∞, never falling, to +1
    after = int(np.argmax(gap >= 0))
    part = -gap[after - 1] / (gap[after] - gap[after - 1])
    return float(far[after - 1] + part * (far[after] - far[after - 1]))


def fmr(scores, same, threshold: float) -> Rate:
    """False match rate at a threshold, with its exact interval (`.low`, `.high`). Needs impostor pairs
    only."""
    scores, same = scores_and_labels(scores, same)
    impostor = some(scores[~same], "pair of different people")
    return Rate(int((impostor >= _number(threshold)).sum()), len(impostor))


def fnmr(scores, same, threshold: float) -> Rate:
    """False non-match rate at a threshold, with its exact interval (`.low`, `.high`). Needs genuine pairs
    only."""
    scores, same = scores_and_labels(scores, same)
    genuine = some(scores[same], "pair of the same person")
    return Rate(int((genuine < _number(threshold)).sum()), len(genuine))


def _number(threshold: float) -> float:
    if np.isnan(threshold):
        raise ValueError("threshold is NaN.")
    return float(threshold)


def d_prime(scores, same) -> float:
    """How far apart genuine and impostor scores lie, in standard deviations (Daugman, 2000):

    d′ = |μ_g − μ_i| / √((σ_g² + σ_i²) / 2), with variances over n − 1. Raises ValueError below two pairs of
    each kind, or when nothing varies.
    """
    genuine, impostor = both_classes(scores, same)
    if min(len(genuine), len(impostor)) < 2:
        raise ValueError("d′ needs two pairs of each kind at least, or there is no variance.")
    spread = np.sqrt((genuine.var(ddof=1) + impostor.var(ddof=1)) / 2)
    if not spread > 0:
        raise ValueError("All scores of a kind are equal: d′ would be infinite.")
    return float(abs(genuine.mean() - impostor.mean()) / spread)


def threshold_at_fmr(scores, same, fmr: float, *, few_pairs: bool = False) -> float:
    """Calibration: the lowest threshold at which no more than `fmr` of the impostor pairs are accepted.

    few_pairs  False refuses a rate that so few pairs cannot support: even if none of N impostor pairs is
               accepted, all that is shown is a rate below 3 / N (`rule_of_three`), so N ≥ 3 / fmr are
               needed. True: no check.

    To know the rate to ± 30 % takes 30 accepted pairs, ten times as many (the rule of 30; Doddington et
    al., Speech Communication 2000). `fmr(scores, same, threshold)` gives the interval. Raises
    ValueError when pairs are too few.
    """
    scores, same = scores_and_labels(scores, same)
    impostor = some(scores[~same], "pair of different people")
    fmr = share(fmr, "fmr")
    bound = rule_of_three(len(impostor))
    if not few_pairs and bound > fmr * (1 + 1e-9):
        needed = f"{np.ceil(3 / fmr - 1e-6):,.0f} are needed" if fmr > 0 else "no number of pairs shows zero"
        raise ValueError(
            f"fmr={fmr:g} cannot be claimed from {len(impostor):,} impostor pairs: {needed}. Were none "
            f"accepted, that would show a rate below {bound:.2g} (rule of three). few_pairs=True goes on "
            "nevertheless."
        )
    return _lowest_threshold(scores[same], impostor, fmr)
