"""What lesson 11 shows and cannot compute while a class waits.

    python -m benchmarks.lesson11 search        # recall over templates compared, up to 10⁶ (an hour: HNSW)
    python -m benchmarks.lesson11 group         # a drawn million grouped into people (half an hour)

Both write into `facelab/course/lesson11/stored.json`, each its own part.
"""

import argparse
import json
import time
from datetime import date

import numpy as np

from benchmarks.common import machine
from facelab import cluster, metrics
from facelab.course.lesson11.crowd import crowd, fitted
from facelab.course.lesson11.stored import PATH
from facelab.datasets import lfw_templates

PROBES = 2000
BREADTHS = {
    "ivf": (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024),
    "ivfpq": (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024),
    "hnsw": (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024),
}


def exact(gallery: np.ndarray, probes: np.ndarray) -> np.ndarray:
    """(len(probes),) the row of the nearest template of each."""
    best, row = np.full(len(probes), -2, np.float32), np.zeros(len(probes), np.int64)
    for start in range(0, len(gallery), 2**15):
        cosines = probes @ gallery[start : start + 2**15].T
        place = cosines.argmax(1)
        value = cosines[np.arange(len(probes)), place]
        better = value > best
        best[better], row[better] = value[better], start + place[better]
    return row


def built(kind: str, gallery: np.ndarray):
    import faiss

    from facelab.gallery.approximate import Approximate

    faiss.omp_set_num_threads(1)
    start = time.process_time()
    index = Approximate.build(kind, gallery, recall=0.0, progress=False).index  # built as the gallery's are
    return index, time.process_time() - start


def looked(kind: str, index, probes: np.ndarray, breadth: int) -> tuple[np.ndarray, float, float]:
    """Rows found, templates compared for each probe, milliseconds of processor time for each probe."""
    import faiss

    if kind == "hnsw":
        index.hnsw.efSearch = breadth
        stats = faiss.cvar.hnsw_stats
    else:
        index.nprobe = breadth
        stats = faiss.cvar.indexIVF_stats
    stats.reset()
    start = time.process_time()
    rows = index.search(probes, 1)[1][:, 0]
    spent = 1e3 * (time.process_time() - start) / len(probes)
    return rows, stats.ndis / len(probes), spent


def curve(what: str, kind: str, gallery: np.ndarray, probes: dict[str, np.ndarray]) -> dict:
    import faiss

    truth = {name: exact(gallery, some) for name, some in probes.items()}
    index, seconds = built(kind, gallery)
    cells = 0 if kind == "hnsw" else index.nlist
    points = []
    for breadth in BREADTHS[kind]:
        if cells and breadth > cells:
            break
        point: dict = {"breadth": breadth}
        for name, some in probes.items():
            rows, compared, spent = looked(kind, index, some, breadth)
            point[name] = round(float(np.mean(rows == truth[name])), 4)
            point["compared"], point["ms"] = round(compared + cells, 1), round(spent, 4)
        points.append(point)
    size = len(faiss.serialize_index(index))
    print(what, len(gallery), kind, f"{seconds:.0f} s", *points, sep="\n  ", flush=True)
    return {
        "of": what, "people": len(gallery), "kind": kind, "cells": cells, "seconds": round(seconds, 1),
        "bytes": size, "points": points,
    }  # fmt: skip


def search(sizes: list[int], kinds: list[str]) -> list[dict]:
    model, templates, rows = fitted(), lfw_templates(), []
    first, second = (templates.vectors[templates.number == n].astype(np.float32) for n in (1, 2))
    several = templates.counts > 1
    known = second[np.argsort(templates.identity[templates.number == 2])]
    order = np.argsort(templates.identity[templates.number == 1])
    first = first[order]
    real = {"known": known, "strangers": first[~several][2000:]}
    gallery = np.concatenate([first[several], first[~several][:2000]])
    alike = crowd(model, len(gallery))
    for what, some, probes in (
        ("LFW", gallery, real),
        ("crowd", alike, {
            "known": crowd(model, len(known), photo=1),
            "strangers": crowd(model, len(real["strangers"]), seed=1),
        }),
    ):  # fmt: skip
        rows += [curve(what, kind, some, probes) for kind in kinds]
    for size in sizes:
        some = crowd(model, size)
        probes = {"known": crowd(model, PROBES, photo=1), "strangers": crowd(model, PROBES, seed=1)}
        rows += [curve("crowd", kind, some, probes) for kind in kinds]
    return rows


def group(sizes: list[int], photos: int = 4, breadth: int = 64) -> list[dict]:
    """A quarter of as many people with four photos each; the neighbours by IVF, then as in the lesson."""
    model, rows = fitted(), []
    for size in sizes:
        people = size // photos
        vectors = np.concatenate([crowd(model, people, photo=photo) for photo in range(photos)])
        truth = np.tile(np.arange(people), photos)
        start = time.process_time()
        index, _ = built("ivf", vectors)
        index.nprobe = breadth
        near, cosines = np.empty((size, 16), np.int64), np.empty((size, 16), np.float32)
        for at in range(0, size, 2**13):
            values, found = index.search(vectors[at : at + 2**13], 16)
            near[at : at + 2**13], cosines[at : at + 2**13] = found, values
            print(size, at, f"{time.process_time() - start:.0f} s", flush=True)
        own = near == np.arange(size)[:, None]
        near[own] = -1
        seconds = time.process_time() - start
        for method in cluster.METHODS:
            for threshold in (0.4, 0.45, 0.5, 0.55, 0.6, 0.65):
                start = time.process_time()
                labels = cluster.graph_clusters(near, cosines, threshold, method)
                spent = time.process_time() - start
                pairs, b3 = metrics.pairwise_scores(labels, truth), metrics.b_cubed(labels, truth)
                rows.append({
                    "photos": size, "people": people, "method": method, "cosine": threshold,
                    "groups": int(labels.max() + 1), "largest": int(np.bincount(labels).max()),
                    "pairs": [round(v, 4) for v in (pairs.precision, pairs.recall, pairs.f)],
                    "b3": [round(v, 4) for v in (b3.precision, b3.recall, b3.f)],
                    "neighbours_s": round(seconds), "grouping_s": round(spent, 1),
                })  # fmt: skip
                print(rows[-1], flush=True)
    return rows


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("part", choices=("search", "group"))
    parser.add_argument("--sizes", type=int, nargs="+")
    parser.add_argument("--kinds", nargs="+", default=list(BREADTHS), choices=list(BREADTHS))
    asked = parser.parse_args(arguments)
    if asked.part == "search":
        rows = search(asked.sizes or [10_000, 100_000, 1_000_000], asked.kinds)
    else:
        rows = group(asked.sizes or [100_000, 1_000_000])
    kept = json.loads(PATH.read_text()) if PATH.exists() else {}
    kept[asked.part] = {"machine": machine("cpu"), "date": date.today().isoformat(), "rows": rows}
    PATH.write_text(json.dumps(kept, indent=0) + "\n")


if __name__ == "__main__":
    main()
