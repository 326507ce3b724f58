"""Who is kept back: people whom the network never sees, so that it can be judged on them.

Verification is about people who were not there when the network learnt. A split of photos would have the same
people on both sides and measure memory.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from facelab import calibration
from facelab.errors import DatasetError, FacelabError
from facelab.training.crops import Crops
from facelab.training.recipe import Recipe

NEAR_FMR = 1e-5
"""False match rate of the distance at which a training photo counts as one of a person kept back."""


@dataclass(frozen=True, eq=False)
class Split:
    """train, held  rows of the crops; nobody's photos are in both
    dropped  training photos that look like somebody kept back (a wrong name, or a twin)
    notes    what was done, a sentence each
    """

    train: np.ndarray
    held: np.ndarray
    dropped: np.ndarray
    notes: tuple[str, ...]


def split(
    crops: Crops, held_out: float | Sequence[str] = 0.1, *, seed: int = 0, near: float | None = None
) -> Split:
    """Keep people back, by name; then drop training photos that show one of them under another name.

    held_out  a share of the people, 0 … 0.9, or their names. A share is drawn by a hash of the name, so that
              somebody kept back stays so when people are added
    near      cosine at and above which a training photo is dropped; None: the crops' vectors decide by the
              threshold that is calibrated for them at a false match rate of 1e-5, or nobody where there is
              none

    Raises DatasetError for a name that is not there, or when one side comes out empty.
    """
    if isinstance(held_out, float | int):
        if not 0 <= held_out <= 0.9:
            raise ValueError(f"held_out={held_out}: a share of the people, 0 to 0.9, or a list of names.")
        if not held_out:
            return Split(np.arange(len(crops)), np.zeros(0, int), np.zeros(0, int), ("Nobody is kept back.",))
        order = sorted(crops.names, key=lambda name: hashlib.sha256(f"{seed}|{name}".encode()).digest())
        names = set(order[: max(2, round(held_out * len(order)))])
    else:
        names = set(held_out)
        if not names:
            raise DatasetError("The list of people to be kept back is empty: name some, or give a share.")
        if unknown := sorted(names - set(crops.names)):
            raise DatasetError(f"{', '.join(unknown[:5])}: to be kept back, but not in {crops.source}.")
    kept_back = np.isin(crops.identity, [who for who, name in enumerate(crops.names) if name in names])
    train, held = np.flatnonzero(~kept_back), np.flatnonzero(kept_back)
    if len(train) == 0 or len(held) == 0:
        raise DatasetError(
            f"{crops.source}: too few people ({len(crops.names)}) to keep {len(names)} of them back."
        )
    notes = [f"Kept back: {len(names):,} people with {len(held):,} photos."]
    near = _threshold(crops, notes) if near is None else near
    dropped = np.zeros(0, int)
    if near is not None:
        dropped = train[_closest(crops.vectors[train], crops.vectors[held]) >= near]
        train = np.setdiff1d(train, dropped)
        notes.append(
            f"Left out of training: {len(dropped):,} photos as close as {near:.3f} to one kept back."
        )
    return Split(train, held, dropped, tuple(notes))


def _threshold(crops: Crops, notes: list[str]) -> float | None:
    if not crops.vectors.shape[1]:
        notes.append("The crops have no vectors: nobody was looked for under two names.")
        return None
    try:
        return 1 - calibration.threshold_for(crops.config, NEAR_FMR)
    except FacelabError:
        notes.append(f"{crops.config} has no thresholds: nobody was looked for under two names.")
        return None


def _closest(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(N, D), (M, D) → (N,): the highest cosine with any row of b, some rows of a at a time."""
    return np.concatenate([(a[i : i + 2048] @ b.T).max(1) for i in range(0, len(a), 2048)])


def taught(crops: Crops, its: Split, recipe: Recipe) -> tuple[np.ndarray, torch.Tensor, list[str]]:
    """The training rows, their class numbers from 0 on, and what to say about it."""
    rows, notes = its.train, []
    if recipe.head is not None:
        enough = crops.photos_of_each(rows) >= recipe.min_photos
        if not enough.all():
            few = len(np.unique(crops.identity[rows[~enough]]))
            notes.append(f"Left out of training: {few:,} people with fewer than {recipe.min_photos} photos.")
        rows = rows[enough]
    alike = f" {len(its.dropped)} more look like somebody kept back (near=)." if len(its.dropped) else ""
    if len(rows) < 2:
        raise ValueError(
            f"{crops.source}: {len(rows)} photos are left to train on. Lower min_photos or held_out.{alike}"
        )
    classes, labels = np.unique(crops.identity[rows], return_inverse=True)
    if recipe.head is not None and len(classes) < 2:
        raise ValueError(
            f"{crops.source}: {len(classes)} person is left to train on; a loss over classes needs two."
            f"{alike}"
        )
    return rows, torch.from_numpy(labels), notes
