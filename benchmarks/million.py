"""Exact and approximate search from 10⁴ to 10⁶ people, beside usearch's HNSW, on the same vectors.

    python -m benchmarks.million                            # 10⁴ and 10⁵: a few minutes
    python -m benchmarks.million --sizes 1000000 --kinds ivf ivfpq      # without the graphs, which take long

The people are drawn (`facelab.course.lesson11.crowd`), one template each. Known probes are other photos of
people who are enrolled, strangers are other people. Recall is counted three times, against exact search: on
templates of the gallery moved to the threshold (what facelab prints beside every answer), on known probes and
on strangers.

ms: the median over rounds, one probe and 64 at a time, two threads; facelab's with the comparison in float64.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks.common import report, time_alternately
from facelab.course.lesson11.crowd import crowd, fitted
from facelab.gallery import Gallery, approximate

PROBES = 1000
COLUMNS = ["people", "search", "built in s", "MB beside", "breadth", "recall: edge", "known", "strangers",
           "ms for 1", "ms for 64"]  # fmt: skip


def agree(found: np.ndarray, exact: np.ndarray) -> str:
    return f"{np.mean(found == exact):.1%}"


def row(name: str, look: Callable, exact: list[np.ndarray], probes: list[np.ndarray], rounds: int) -> list:
    found = [look(some) for some in probes]
    times = time_alternately(
        {"1": lambda: look(probes[0][:1]), "64": lambda: look(probes[0][:64])}, rounds=rounds
    )
    shares = [agree(a, b) for a, b in zip(found, exact, strict=True)]
    return [*shares, *(f"{1e3 * np.median(times[count]):.2f}" for count in ("1", "64"))]


def at(size: int, kinds: list[str], rounds: int, aim: float) -> list[list[object]]:
    model, table = fitted(), []
    vectors = crowd(model, size)
    probes = [crowd(model, PROBES, photo=1), crowd(model, PROBES, seed=1)]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "gallery.hdf"
        with Gallery(path, embedder="drawn", dimension=vectors.shape[1], threshold=0.5) as g:
            g.enroll_many([str(who) for who in range(size)], vectors)

            def ids(some: np.ndarray) -> np.ndarray:
                return np.array([m.candidates[0].id for m in g.identify(some, k=1)])

            exact = [ids(some) for some in probes]
            table.append([size, "exact", "", "", "", "", *row("exact", ids, exact, probes, rounds)])
            for kind in kinds:
                start = time.perf_counter()
                recall = g.build_index(kind, recall=aim, progress=False)
                seconds = time.perf_counter() - start
                file = approximate.place(path, kind)
                table.append([
                    size, f"facelab {kind}", f"{seconds:.1f}", f"{file.stat().st_size / 1e6:,.0f}",
                    g._load_index().breadth, f"{recall.value:.1%}", *row(kind, ids, exact, probes, rounds),
                ])  # fmt: skip
                file.unlink()
                print(*table[-1])
    if "hnsw" in kinds:
        table.append(usearch(size, vectors, exact, probes, rounds))
    return table


def usearch(size: int, vectors, exact, probes, rounds: int) -> list[object]:
    from usearch.index import Index

    index = Index(ndim=vectors.shape[1], metric="ip", connectivity=32, expansion_add=80, expansion_search=128)
    start = time.perf_counter()
    index.add(np.arange(size), vectors, threads=2)
    seconds = time.perf_counter() - start

    def ids(some: np.ndarray) -> np.ndarray:
        return np.asarray(index.search(some, 1, threads=2).keys).reshape(len(some))

    size_in_memory = f"{index.memory_usage / 1e6:,.0f}"
    shares = row("usearch", ids, exact, probes, rounds)
    return [size, "usearch hnsw", f"{seconds:.1f}", size_in_memory, 128, "", *shares]


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--kinds", nargs="+", choices=approximate.KINDS, default=list(approximate.KINDS))
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--recall", type=float, default=approximate.RECALL, help="what build_index aims at")
    asked = parser.parse_args(arguments)
    table = [line for size in asked.sizes for line in at(size, asked.kinds, asked.rounds, asked.recall)]
    report("Search among people who are drawn, 128 numbers each", COLUMNS, table)


if __name__ == "__main__":
    main()
