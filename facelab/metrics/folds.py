"""LFW's way of reporting accuracy: ten folds, each judged by a threshold chosen on the other nine."""

from dataclasses import dataclass

import numpy as np

from facelab.metrics.checks import both_classes, scores_and_labels
from facelab.metrics.intervals import Rate
from facelab.metrics.verification import between


@dataclass(frozen=True, eq=False)
class FoldAccuracy:
    """Accuracy over folds.

    mean            over the folds
    std             standard deviation over the folds (over n − 1)
    standard_error  std / √folds: the "±" of LFW's own tables; other papers print std, so say which
    accuracies      (F,), one for each fold, in the order of the folds' numbers
    thresholds      (F,), as chosen on the other folds
    accepted        (N,) bool: what was decided for each pair
    correct         all pairs judged rightly: a Rate with its exact interval, which says more than the std
                    of ten
    """

    mean: float
    std: float
    standard_error: float
    accuracies: np.ndarray
    thresholds: np.ndarray
    accepted: np.ndarray
    correct: Rate

    def __str__(self) -> str:
        return f"{self.mean:.2%} ± {self.standard_error:.2%} (standard error, {len(self.accuracies)} folds)"


def k_fold_accuracy(scores, same, folds) -> FoldAccuracy:
    """Accuracy on each fold with the threshold that is best on all the others (Huang et al., LFW, 2007).

    scores (N,), same (N,) bool, folds (N,) int: the fold of each pair.

    The threshold is `best_threshold` of the other folds' pairs.

    Raises ValueError for fewer than two folds, or when the other folds hold pairs of one kind only.
    """
    scores, same = scores_and_labels(scores, same)
    folds = np.asarray(folds)
    if folds.shape != scores.shape:
        raise ValueError(f"folds has shape {folds.shape} and there are {len(scores)} pairs: a fold for each.")
    numbers = np.unique(folds)
    if len(numbers) < 2:
        raise ValueError("k_fold_accuracy needs two folds at least: the threshold comes from the others.")
    thresholds = np.array([best_threshold(scores[folds != k], same[folds != k]) for k in numbers])
    accepted = scores >= thresholds[np.searchsorted(numbers, folds)]
    right = accepted == same
    accuracies = np.array([right[folds == k].mean() for k in numbers])
    std = accuracies.std(ddof=1)
    return FoldAccuracy(
        mean=float(accuracies.mean()),
        std=float(std),
        standard_error=float(std / np.sqrt(len(numbers))),
        accuracies=accuracies,
        thresholds=thresholds,
        accepted=accepted,
        correct=Rate(int(right.sum()), len(right)),
    )


def best_threshold(scores, same) -> float:
    """The threshold at which most pairs are judged rightly.

    Candidates lie half-way between neighbouring scores, and beyond both ends. Where several are equally
    good, the middle one of them is taken (the lower of two middle ones). Raises ValueError unless there
    are pairs of both kinds.
    """
    genuine, impostor = both_classes(scores, same)
    values = np.unique(np.concatenate([genuine, impostor]))
    ends = np.nextafter(values[[0, -1]], [-np.inf, np.inf])
    candidates = np.concatenate([ends[:1], between(values[:-1], values[1:]), ends[1:]])
    accepted = len(genuine) - np.searchsorted(np.sort(genuine), candidates)
    rejected = np.searchsorted(np.sort(impostor), candidates)
    best = np.flatnonzero(accepted + rejected == (accepted + rejected).max())
    return float(candidates[best[(len(best) - 1) // 2]])
