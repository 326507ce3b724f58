"""`facelab.verify` beside `DeepFace.verify` on the same YuNet and SFace weights, the same pairs, in one run.

    python -m benchmarks.vs_deepface                  # 300 of LFW's pairs and the two portraits
    python -m benchmarks.vs_deepface --pairs 6000     # the whole protocol (an hour or so)
    python -m benchmarks.vs_deepface --no-steps       # without the walk from one crop to the other

Every pair goes through one and then through the other, taking turns at coming first, with a rest between
them: the threads of a library go on spinning for a moment after its answer, and whoever comes next would pay
for it. Times count from two arrays in memory to the answer, so reading JPEGs is left out for both.
"""

import argparse
import os
import statistics
import time

import cv2
import numpy as np
import torch
from tqdm import tqdm

from benchmarks.common import report
from facelab import datasets
from facelab.course import peers, portraits
from facelab.errors import DatasetError, NoFaceError
from facelab.functions import verify
from facelab.images import read_image
from facelab.metrics import k_fold_accuracy
from facelab.pipeline import Pipeline

REST = 0.1  # seconds


def limit_threads(count: int | None) -> int:
    """The same number for torch, OpenCV and onnxruntime; the last takes one for each core it may use."""
    if hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))
        count = min(count or len(cores), len(cores))
        os.sched_setaffinity(0, cores[:count])
    count = count or os.cpu_count() or 1
    torch.set_num_threads(count)
    cv2.setNumThreads(count)
    return count


def balanced(pairs, count: int) -> np.ndarray:
    """Rows of `count` pairs, the same number from each fold and of either kind, always the same ones."""
    rng = np.random.default_rng(0)
    groups = [
        np.flatnonzero((pairs.fold == fold) & (pairs.same == same))
        for fold in np.unique(pairs.fold)
        for same in (True, False)
    ]
    each = max(1, min(count // len(groups), *map(len, groups)))
    return np.sort(np.concatenate([rng.permutation(group)[:each] for group in groups]))


def timed(call):
    """(answer, milliseconds); where no face is found, the NoFaceError that says so is the answer."""
    time.sleep(REST)
    start = time.perf_counter()
    try:
        answer = call()
    except NoFaceError as error:
        answer = error
    return answer, 1000 * (time.perf_counter() - start)


def distance(answer) -> float:
    """No face found: as far apart as can be."""
    return getattr(answer, "distance", 2.0)


def compare(photos: list[tuple[np.ndarray, np.ndarray]], progress: str):
    """Answers and milliseconds of both for each pair of photos: two lists of (answer, ms)."""
    tasks = [lambda a, b: verify(a, b, device="cpu"), peers.deepface_verify]
    rows = ([], [])
    for number, (a, b) in enumerate(tqdm(photos, desc=progress)):
        for which in (0, 1) if number % 2 else (1, 0):
            rows[which].append(timed(lambda task=tasks[which], a=a, b=b: task(a, b)))
    return rows


def milliseconds(rows) -> str:
    times = [ms for _, ms in rows]
    low, middle, high = np.quantile(times, [0.1, 0.5, 0.9])
    return f"{middle:.0f} ({low:.0f} … {high:.0f})"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pairs", type=int, default=300, help="LFW pairs, balanced over folds and kinds")
    parser.add_argument("--threads", type=int, help="threads for either side (all cores)")
    parser.add_argument("--home", help="where LFW lies, if not where `facelab data get lfw` puts it")
    parser.add_argument("--steps", action=argparse.BooleanOptionalAction, default=True)
    options = parser.parse_args()
    threads = limit_threads(options.threads)

    peers.load_deepface()
    two = portrait_pairs()
    compare(list(two.values()), "warming up")
    ours, theirs = compare(list(two.values()), "portraits")
    report(
        "Two portraits (Eileen Collins, Grace Hopper): cosine distance, milliseconds",
        ["pair", "facelab.verify", "ms", "DeepFace.verify", "ms"],
        [
            [name, f"{distance(a):.4f}", f"{ms:.0f}", f"{distance(b):.4f}", f"{ms_b:.0f}"]
            for name, (a, ms), (b, ms_b) in zip(two, ours, theirs, strict=True)
        ],
        notes=[f"{threads} threads for either"],
    )
    try:
        lfw = datasets.lfw(options.home)
        pairs = lfw.pairs()
    except DatasetError as error:
        print(f"\nLFW: not measured. {error}")
        return
    on_lfw(lfw, pairs, balanced(pairs, options.pairs), options.steps)


def portrait_pairs() -> dict[str, tuple[np.ndarray, np.ndarray]]:
    collins, hopper = portraits.collins(), portraits.hopper()
    return {
        "two women": (collins, hopper),
        "Collins and her mirror image": (collins, np.ascontiguousarray(collins[:, ::-1])),
        "Hopper and her mirror image": (hopper, np.ascontiguousarray(hopper[:, ::-1])),
    }


def on_lfw(lfw, pairs, chosen: np.ndarray, with_steps: bool) -> None:
    same, folds = pairs.same[chosen], pairs.fold[chosen]
    first, second = pairs.rows(lfw)
    photos = [(read_image(lfw.paths[first[i]]), read_image(lfw.paths[second[i]])) for i in chosen]
    ours, theirs = compare(photos, "LFW")

    def accuracy(distances: np.ndarray, same: np.ndarray, folds: np.ndarray) -> str:
        folded = k_fold_accuracy(-distances, same, folds)
        return f"{100 * folded.mean:.2f} ± {100 * folded.standard_error:.2f}"

    rows = []
    for name, answers in (("facelab.verify", ours), ("DeepFace.verify", theirs)):
        distances = np.array([distance(answer) for answer, _ in answers])
        threshold = next(answer.threshold for answer, _ in answers if not isinstance(answer, Exception))
        right = 100 * np.mean((distances <= threshold) == same)
        missed = sum(isinstance(answer, Exception) for answer, _ in answers)
        rows.append(
            [
                name,
                accuracy(distances, same, folds),
                f"{right:.2f} (≤ {threshold:.3f})",
                missed,
                milliseconds(answers),
            ]
        )
    ratios = [b / a for (_, a), (_, b) in zip(ours, theirs, strict=True)]
    report(
        f"{len(chosen)} of LFW's {len(pairs)} pairs, YuNet and SFace from the same two files",
        [
            "",
            "accuracy %, best threshold, 10 folds",
            "accuracy %, its own threshold",
            "pairs without a face",
            "ms a verify(): median (10 % … 90 %)",
        ],
        rows,
        notes=[
            f"facelab takes {statistics.median(ratios):.1f} times less time (median over pairs)",
            "a pair in which no face is found counts as two different people",
            "± is the standard error over folds",
        ],
    )
    if not with_steps:
        return

    # LFW means the face in the middle of the photo; DeepFace takes whichever two faces are closest.
    pipe = Pipeline(device="cpu", faces="central")
    found = [row for row, (answer, _) in enumerate(theirs) if not isinstance(answer, Exception)]
    walks = [peers.steps(*photos[row], pipe, theirs[row][0]) for row in tqdm(found, desc="steps")]
    names = [step.name for step in walks[0]]
    by_step = np.array([[step.distance for step in walk] for walk in walks])
    same, folds = same[found], folds[found]
    gap = np.abs(by_step[:, 1] - by_step[:, 0])
    report(
        f"From DeepFace's crop to five points, one by one ({len(found)} pairs: where it finds faces)",
        ["step", "mean distance, same person", "different people", "accuracy %, best threshold"],
        [
            [name, f"{column[same].mean():.3f}", f"{column[~same].mean():.3f}", accuracy(column, same, folds)]
            for name, column in zip(names, by_step.T, strict=True)
        ],
        notes=[
            "from the third row on it is the face in the middle of the photo, as LFW means it",
            f"its crop remade: |difference in distance| median {np.median(gap):.4f}, "
            f"95 % below {np.quantile(gap, 0.95):.4f}, largest {gap.max():.4f}",
        ],
    )


if __name__ == "__main__":
    main()
