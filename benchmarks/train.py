"""Training: what the lesson shows, how fast it is, and what sharding saves.

python -m benchmarks.train lesson     lesson 10's runs on LFW, into facelab/course/trained.* (an hour
and more) python -m benchmarks.train speed      photos a second of each backbone and setting python -m
benchmarks.train student    the student that two cores train in 180 s python -m benchmarks.train sharded
memory and time for a step at 10⁴ … 10⁶ classes, one process and two
"""

import json
import multiprocessing
import sys
from functools import cache
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from benchmarks.common import machine
from facelab.course import lesson10
from facelab.download import home

SEEDS = (10, 11, 12)
"""The recipe was chosen on seed 0 of some of the runs."""

PEOPLE = (30, 100, 300)


def plan() -> list[tuple[str, int, int | None]]:
    """Seed by seed, so that a benchmark that is stopped has all runs of the first seeds."""
    ways = ["ArcFace", "SFace's student", "softmax", "student with ArcFace"]
    others = [name for name in lesson10.RUNS if name not in ways]
    runs: list[tuple[str, int, int | None]] = []
    for seed in SEEDS:
        runs += [(name, seed, None) for name in ways]
        if seed != SEEDS[-1]:
            runs += [(name, seed, None) for name in others]
            runs += [(name, seed, n) for n in PEOPLE for name in ways[:2]]
    return runs


@cache
def task() -> lesson10.Task:
    torch.set_num_threads(1)
    return lesson10.lfw_task()


def kept(one) -> Path:
    name, seed, people = one
    return home() / "lesson10" / f"{name}-{seed}-{people}.npz".replace(" ", "_").replace("%", "")


def measure(one) -> None:
    """One run, kept, so that an interrupted benchmark goes on."""
    name, seed, people = one
    if kept(one).exists():
        return
    row = lesson10.measure(task(), name, seed, people)
    scores = row.pop("scores")
    kept(one).parent.mkdir(parents=True, exist_ok=True)
    np.savez(kept(one), scores=scores.astype(np.float16), row=json.dumps(row))


def lesson() -> None:
    runs = plan()
    task()
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        list(tqdm(pool.imap(measure, runs), total=len(runs)))
    store([one for one in runs if kept(one).exists()])


def store(runs) -> None:
    rows, scores = [], []
    for one in runs:
        with np.load(kept(one)) as run:
            rows.append(json.loads(str(run["row"])) | {"asked": one[2]})
            scores.append(run["scores"])
    its = task()
    controls = lesson10.controls(its)
    told = {
        "measured": machine("cpu"),
        "data": str(its),
        "notes": list(its.split.notes),
        "controls": list(controls),
    }
    text = json.dumps(told)[:-1] + ', "rows": [\n' + ",\n".join(json.dumps(row) for row in rows) + "\n]}\n"
    lesson10.STORED.with_suffix(".json").write_text(text, "utf-8")
    np.savez_compressed(
        lesson10.STORED.with_suffix(".npz"),
        scores=np.array(scores),
        same=its.pairs.same,
        who_a=its.pairs.who_a.astype(np.int16),
        who_b=its.pairs.who_b.astype(np.int16),
        controls=np.array(list(controls.values()), np.float16),
    )


if __name__ == "__main__":
    commands = {"lesson": lesson}
    if len(sys.argv) != 2 or sys.argv[1] not in commands:
        raise SystemExit(__doc__)
    commands[sys.argv[1]]()
