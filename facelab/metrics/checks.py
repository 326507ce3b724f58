"""What every metric asks of its input."""

import numpy as np


def scores_and_labels(scores, same) -> tuple[np.ndarray, np.ndarray]:
    """(N,) float64 and (N,) bool, or a ValueError that says what is wrong with which."""
    scores, same = vector(scores, "scores"), np.asarray(same)
    if same.shape != scores.shape:
        raise ValueError(
            f"scores has {scores.shape[0]} entries and same has shape {same.shape}: one for each pair."
        )
    if same.dtype != bool:
        if not np.isin(same, (0, 1)).all():
            raise ValueError("same must be True or False (or 1 and 0) for each pair.")
        same = same.astype(bool)
    return scores, same


def both_classes(scores, same) -> tuple[np.ndarray, np.ndarray]:
    """The scores of the genuine pairs and of the impostor pairs; ValueError when there are none of either."""
    scores, same = scores_and_labels(scores, same)
    return some(scores[same], "pair of the same person"), some(scores[~same], "pair of different people")


def some(values: np.ndarray, what: str) -> np.ndarray:
    if len(values) == 0:
        raise ValueError(f"There is no {what}, so this rate has no denominator.")
    return values


def vector(values, name: str) -> np.ndarray:
    """(N,) float64 without NaN. Infinities may stay: they sort, and "never accept" is a fair score."""
    values = np.asarray(values, np.float64)
    if values.ndim != 1:
        raise ValueError(f"{name} must be one-dimensional, and has shape {values.shape}.")
    if np.isnan(values).any():
        raise ValueError(
            f"{name} holds NaN at {np.flatnonzero(np.isnan(values))[:5].tolist()}: remove those first."
        )
    return values


def share(value: float, name: str) -> float:
    if not 0 <= value <= 1:
        raise ValueError(f"{name}={value}: a rate lies between 0 and 1.")
    return float(value)


def allowed(rate: float, total: int) -> int:
    """How many errors among `total` keep the rate at or below `rate`: ⌊rate·total⌋.

    29 for 0.29 of 100, which in floating point comes to 28.999999999999996.
    """
    return int(np.floor(rate * total + 1e-9))
