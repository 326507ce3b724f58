"""How good is a grouping of faces into people, when one knows who they are?

Both measures weigh two mistakes against each other: different people in one group (precision falls), one
person in several groups (recall falls). They differ in what they count. A person with n photos is in
n·(n − 1)/2 pairs, so pairwise scores speak of those with many photos; B-cubed counts faces, and so gives
somebody with one photo a say.

From the table of (group, person) counts, of which only what is not zero is kept: a million faces are
fine.
"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class ClusterScores:
    """precision, recall, and f = 2·precision·recall / (precision + recall), each 0 … 1."""

    precision: float
    recall: float
    f: float

    @classmethod
    def of(cls, precision: float, recall: float) -> "ClusterScores":
        both = precision + recall
        return cls(float(precision), float(recall), float(2 * precision * recall / both) if both else 0.0)

    def __str__(self) -> str:
        return f"precision {self.precision:.2%}, recall {self.recall:.2%}, F {self.f:.2%}"


def pairwise_scores(labels, truth) -> ClusterScores:
    """Of all pairs of faces in one group, how many show one person (precision); of all pairs of one
    person, how many are in one group (recall).

    labels  (N,): the group of each face, numbers or names; a face that is alone has a label of its own
    truth   (N,): who each face is

    Where no two faces share a group, no pair is wrong: precision 1. Where nobody has two faces, no pair
    is missed: recall 1.

    Raises ValueError for unequal lengths, no faces at all, or NaN.
    """
    cells, _, _, groups, people = _table(labels, truth)
    right = _pairs(cells)
    claimed, true = _pairs(groups), _pairs(people)
    return ClusterScores.of(right / claimed if claimed else 1.0, right / true if true else 1.0)


def b_cubed(labels, truth) -> ClusterScores:
    """B-cubed (Bagga and Baldwin 1998; Amigó et al., Information Retrieval 12, 2009): for each face, the
    share of its group that is the same person (precision), and the share of that person's faces that are
    in its group (recall), the face itself counted; averaged over faces. F is that of the two averages.

    Arguments and errors as in `pairwise_scores`.
    """
    cells, group, person, groups, people = _table(labels, truth)
    total = groups.sum()
    squares = cells.astype(np.float64) ** 2
    return ClusterScores.of((squares / groups[group]).sum() / total, (squares / people[person]).sum() / total)


def _table(labels, truth) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Of every (group, person) that occurs: how many faces, which group, which person; then the sizes of
    the groups and of the people. All int64."""
    labels, truth = np.asarray(labels), np.asarray(truth)
    if labels.ndim != 1 or labels.shape != truth.shape:
        raise ValueError(f"labels {labels.shape} and truth {truth.shape}: one of each for a face, (N,).")
    if len(labels) == 0:
        raise ValueError("There is no face, so these scores have no denominator.")
    for name, values in (("labels", labels), ("truth", truth)):
        if values.dtype.kind == "f" and np.isnan(values).any():
            raise ValueError(f"{name} holds NaN: a face that is alone has a label of its own.")
    _, group, groups = np.unique(labels, return_inverse=True, return_counts=True)
    _, person, people = np.unique(truth, return_inverse=True, return_counts=True)
    occurs, cells = np.unique(group.astype(np.int64) * len(people) + person, return_counts=True)
    return cells, occurs // len(people), occurs % len(people), groups, people


def _pairs(counts: np.ndarray) -> int:
    return int((counts * (counts - 1) // 2).sum())
