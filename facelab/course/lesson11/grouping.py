"""Faces grouped into people at many thresholds, each grouping measured against the truth."""

from dataclasses import dataclass

import numpy as np

from facelab import metrics
from facelab.cluster import METHODS, graph_clusters
from facelab.metrics.clusters import ClusterScores


@dataclass(frozen=True)
class Grouping:
    """One grouping: of `photos` of `people` into `groups`, of which the largest has `largest` photos."""

    groups: int
    largest: int
    pairs: ClusterScores
    b3: ClusterScores


def measured(labels: np.ndarray, truth: np.ndarray) -> Grouping:
    pairs, b3 = metrics.pairwise_scores(labels, truth), metrics.b_cubed(labels, truth)
    return Grouping(int(labels.max() + 1), int(np.bincount(labels).max()), pairs, b3)


def sweep(near: tuple[np.ndarray, np.ndarray], truth: np.ndarray, thresholds) -> dict[str, list[Grouping]]:
    """Method → a Grouping for each threshold; near: rows and cosines from `fl.cluster.neighbours`."""
    return {
        method: [measured(graph_clusters(*near, threshold, method), truth) for threshold in thresholds]
        for method in METHODS
    }
