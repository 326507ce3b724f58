"""LFW's faces grouped into people without names: k-means, connected components and Chinese Whispers.

    python -m benchmarks.clusters                  # with k-means: half a minute
    python -m benchmarks.clusters --no-kmeans

Nothing is downloaded: the vectors are `fl.datasets.lfw_templates()`, 13,233 of 5,749 people, 4,069 of
whom have one photo. k-means is told how many people there are; the others are told a threshold. The one
marked "default" was calibrated on LFW's own photos, and so will do a little worse on other people's.
"""

import argparse
import time
from collections.abc import Callable
from functools import partial

import numpy as np

from benchmarks.common import report
from facelab import datasets, metrics
from facelab.cluster import graph_clusters, grouping_threshold, kmeans_clusters, neighbours

THRESHOLDS = (0.35, 0.4, 0.45, 0.5, 0.55, 0.6)
COLUMNS = ["method", "cosine ≥", "groups", "largest"] + [
    f"{score}{part}" for score in ("pairs: ", "B³: ") for part in ("precision", "recall", "F")
]


def row(name: str, threshold: str, group: Callable[[], np.ndarray], truth: np.ndarray) -> list[object]:
    start = time.perf_counter()
    labels = group()
    seconds, counts = time.perf_counter() - start, np.bincount(labels)
    scores = [metrics.pairwise_scores(labels, truth), metrics.b_cubed(labels, truth)]
    cells = [f"{value:.1%}" for one in scores for value in (one.precision, one.recall, one.f)]
    return [name, threshold, len(counts), int(counts.max()), *cells, f"{seconds:.2f}"]


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--no-kmeans", action="store_true")
    asked = parser.parse_args(arguments)
    templates = datasets.lfw_templates()
    truth, people = templates.identity, len(templates.counts)
    default = grouping_threshold(templates.provenance["config"])
    start = time.perf_counter()
    near = neighbours(templates.vectors, 64, device="cpu")
    seconds = time.perf_counter() - start
    table = []
    if not asked.no_kmeans:
        kmeans = partial(kmeans_clusters, templates.vectors, people)
        table.append(row(f"k-means, {people:,}", "", kmeans, truth))
    for method in ("components", "whispers"):
        for threshold in sorted({*THRESHOLDS, default}):
            named = f"{threshold:.3f}" + " (default)" * (threshold == default)
            table.append(row(method, named, partial(graph_clusters, *near, threshold, method), truth))
    report(
        f"{len(truth):,} photos of {people:,} people grouped",
        [*COLUMNS, "s"],
        table,
        notes=[f"The 64 nearest of each, once for all thresholds: {seconds:.1f} s."],
    )


if __name__ == "__main__":
    main()
