"""Who is nearest among a million? facelab's gallery beside faiss, on the same vectors, in one run.

    python -m benchmarks.search                    # three sizes, 128 and 512 dimensions
    python -m benchmarks.search --sizes 1000       # a quick look

- identify: exact, k = 5, one probe and 64; after a pause of 20 ms, when the caches hold other things,
  and searches in a row, of which the median is told. faiss is `IndexFlatIP`, which is exact in float32;
  facelab orders by float64. GB/s is the size of the vectors over the time of one search: how fast memory
  would have to be read if it were read once. The machine's own speed is measured beside it: a plain copy,
  and reading only.
- a gallery on disk: 100,000 people enrolled at once and one more after them; opening the largest, with its
  checksums; the memory that a process needs for that and an identification, over the size of its vectors.

Vectors are random, with one template a person, so nobody resembles anybody: for a search through all of them
that makes no difference.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from benchmarks.common import NOT_MEASURED, median_ratio, report, time_alternately
from facelab import device as devices
from facelab.gallery import Gallery
from facelab.gallery.search import Index

K = 5
BATCHES = (1, 64)
ENROLLED = 100_000


def unit_vectors(count: int, dimension: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    vectors = np.empty((count, dimension), np.float32)
    for start in range(0, count, 65_536):
        some = vectors[start : start + 65_536]
        rng.standard_normal(out=some, dtype=np.float32)
        some /= np.linalg.norm(some, axis=1, keepdims=True)
    return vectors


def milliseconds(seconds: list[float]) -> str:
    return f"{1e3 * float(np.median(seconds)):,.2f}"


def speed(size: int, seconds: list[float]) -> str:
    return f"{size / float(np.median(seconds)) / 1e9:,.1f}"


def memory_speed(device: torch.device, rounds: int) -> tuple[str, str]:
    """GB/s of a copy (bytes read plus bytes written), and of a sum that only reads; 256 MB."""
    source = torch.ones(2**26, device=device)
    target = torch.empty_like(source)

    def finished(action):
        def task():
            action()
            if device.type == "cuda":
                torch.cuda.synchronize()

        return task

    tasks = {"copy": finished(lambda: target.copy_(source)), "read": finished(source.sum)}
    seconds = time_alternately(tasks, rounds=rounds)
    size = source.nbytes
    return speed(2 * size, seconds["copy"]), speed(size, seconds["read"])


def in_a_row(tasks: dict, rounds: int, seconds: float = 0.02) -> dict[str, list[float]]:
    """As `time_alternately`, but each task runs `seconds` long without a pause; the median of its calls."""

    def many(task):
        def run() -> None:
            spent, until = [], time.perf_counter() + seconds
            while not spent or time.perf_counter() < until:
                start = time.perf_counter()
                task()
                spent.append(time.perf_counter() - start)
            medians[task].append(float(np.median(spent)))

        return run

    medians: dict = {task: [] for task in tasks.values()}
    time_alternately({name: many(task) for name, task in tasks.items()}, rounds=rounds)
    return {name: medians[task][1:] for name, task in tasks.items()}  # without the warm-up


def identify_rows(vectors: np.ndarray, rounds: int) -> list[list[object]]:
    import faiss

    count, dimension = vectors.shape
    flat = faiss.IndexFlatIP(dimension)
    flat.add(vectors)
    person = np.arange(count)
    ours = Index(vectors, person, torch.device("cpu"))
    gpu = Index(vectors, person, devices.choose("cuda")) if torch.cuda.is_available() else None
    rows = []
    for batch in BATCHES:
        probes = unit_vectors(batch, dimension, seed=1)
        tasks = {"faiss": lambda p=probes: flat.search(p, K), "ours": lambda p=probes: ours.nearest(p, K)}
        if gpu is not None:
            tasks["gpu"] = lambda p=probes: gpu.nearest(p, K)  # its answer comes to the CPU, so it has waited
        seconds = time_alternately(tasks, rounds=rounds)
        row = in_a_row({name: tasks[name] for name in ("faiss", "ours")}, rounds)
        theirs, found = flat.search(probes, K)[1], ours.nearest(probes, K)
        same = sum(a.tolist() == ids.tolist() for a, (ids, _) in zip(theirs, found, strict=True))
        rows.append([
            f"{count:,} × {dimension}", batch, milliseconds(seconds["ours"]), milliseconds(seconds["faiss"]),
            f"{median_ratio(seconds['ours'], seconds['faiss']):.2f}×",
            *(f"{1e3 * np.median(row[name]):,.3f}" for name in ("ours", "faiss")),
            speed(vectors.nbytes, seconds["ours"]),
            milliseconds(seconds["gpu"]) if gpu is not None else NOT_MEASURED,
            speed(vectors.nbytes, seconds["gpu"]) if gpu is not None else NOT_MEASURED,
            f"{same} of {batch}",
        ])  # fmt: skip
    return rows


MEMORY = """
import re, sys
import numpy as np
from facelab.gallery import Gallery

def peak():  # of this program; getrusage's is also that of the process it was before
    return 1024 * int(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1])

before = peak()
with Gallery(sys.argv[1], "r", device="cpu") as gallery:
    gallery.identify(np.ones((64, gallery.about.dimension)), threshold=0.5)
    print((peak() - before) / (4 * gallery.templates * gallery.about.dimension))
"""


def on_disk(count: int, dimension: int, rounds: int) -> list[object]:
    """A gallery of `count` people: enrol ENROLLED (or all), one more, open, memory."""
    few = min(count, ENROLLED)
    vectors = unit_vectors(count, dimension)
    names = [f"person {i}" for i in range(count)]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "gallery.hdf"

        def timed(action) -> float:
            start = time.perf_counter()
            action()
            return time.perf_counter() - start

        with Gallery(path, embedder="benchmark", dimension=dimension, device="cpu") as gallery:
            bulk = timed(lambda: gallery.enroll_many(names[:few], vectors[:few]))
            if count > few:
                gallery.enroll_many(names[few:], vectors[few:])
            one = [timed(lambda: gallery.enroll("one more", vectors[0])) for _ in range(rounds)]
        opened = [timed(lambda: Gallery(path, "r", device="cpu").close()) for _ in range(3)]
        memory = NOT_MEASURED
        if Path("/proc/self/status").exists():
            arguments = [sys.executable, "-c", MEMORY, str(path)]
            done = subprocess.run(arguments, capture_output=True, text=True, check=True)
            memory = f"{float(done.stdout):.2f}"
        size = path.stat().st_size
    return [
        f"{count:,} × {dimension}", f"{bulk:.2f} s ({few:,})", f"{milliseconds(one)} ms",
        f"{np.median(opened):.2f} s", f"{size / 1e6:,.0f} MB", memory,
    ]  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[1_000, 100_000, 1_000_000])
    parser.add_argument("--dimensions", type=int, nargs="+", default=[128, 512])
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    import faiss

    faiss.omp_set_num_threads(options.threads)

    copy, read = memory_speed(torch.device("cpu"), options.rounds)
    notes = [f"CPU memory: {copy} GB/s copying (read + written), {read} GB/s only reading."]
    if torch.cuda.is_available():
        device = devices.choose("cuda")
        copy, read = memory_speed(device, options.rounds)
        notes.append(f"{devices.describe(device)}: {copy} GB/s copying, {read} GB/s only reading.")
    notes.append("ratio: how many times faster than faiss, round by round; same: how often the k ids agree.")

    rows = []
    for dimension in options.dimensions:
        vectors = unit_vectors(max(options.sizes), dimension)
        for size in options.sizes:
            rows += identify_rows(vectors[:size], options.rounds)
    report(
        f"identify: exact search, k = {K}",
        ["vectors", "probes", "facelab ms", f"faiss {faiss.__version__} ms", "ratio",
         "in a row, facelab ms", "faiss ms", "GB/s",
         "facelab, GPU ms", "GPU GB/s", "same"],
        rows,
        notes=notes,
    )  # fmt: skip
    del vectors

    report(
        "a gallery on disk",
        ["vectors", "enrol at once", "enrol one more", "open", "file", "memory ÷ vectors"],
        [on_disk(max(options.sizes), dimension, options.rounds) for dimension in options.dimensions],
        notes=["memory: what the process grew by, at its peak, through opening and identifying 64 probes."],
    )


if __name__ == "__main__":
    main()
