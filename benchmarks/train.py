"""Training: what the lesson shows, how fast it is, and what sharding saves.

python -m benchmarks.train student    two ways to train for 180 s on two cores
python -m benchmarks.train lesson     lesson 10's runs on LFW, into facelab/course/trained.* (an hour)
python -m benchmarks.train speed      photos a second of each backbone and setting
python -m benchmarks.train sharded    memory and time of a step at 10⁴ … 10⁶ classes, one process and two
"""

import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from benchmarks.common import machine, report
from facelab import training
from facelab.course import lesson10
from facelab.download import home
from facelab.training import Recipe, judge
from facelab.training.sharded import ShardedHead

SEEDS = (10, 11)
"""The recipe was chosen on seed 0 of some of the runs."""

PEOPLE = (30, 100, 300)
"""Curve over the number of people: the first seed only."""

IN_TIME = ("ArcFace", "SFace's student")
SECONDS = 180.0


def plan() -> list[tuple[str, int, int | None]]:
    """Seed by seed, so that a benchmark that is stopped has all runs of the first seed."""
    runs: list[tuple[str, int, int | None]] = []
    for seed in SEEDS:
        runs += [(name, seed, None) for name in lesson10.RUNS]
        if seed == SEEDS[0]:
            runs += [(name, seed, n) for n in PEOPLE for name in ("ArcFace", "SFace's student")]
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
    if not kept(one).exists():
        keep(one, lesson10.measure(task(), *one))


def keep(one, row: dict) -> None:
    kept(one).parent.mkdir(parents=True, exist_ok=True)
    told = {name: value for name, value in row.items() if name != "scores"}
    np.savez(kept(one), scores=row["scores"].astype(np.float16), row=json.dumps(told))


def lesson() -> None:
    runs = plan()
    task()
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        list(tqdm(pool.imap(measure, runs, chunksize=1), total=len(runs)))
    runs += [(f"{name}, {SECONDS:.0f} s", 20, None) for name in IN_TIME]  # of `student`, where it was run
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


# ---------------------------------------------------------------------- how fast


def speed() -> None:
    """Photos a second of a whole training step: augmentation, forward, backward, AdamW; 100 people."""
    settings = {
        "float32": {},
        "float32, channels last": {"channels_last": True},
        "float32, compiled": {"compile": True},
        "bfloat16, channels last": {"precision": "bfloat16", "channels_last": True},
        "bfloat16, channels last, compiled": {
            "precision": "bfloat16",
            "channels_last": True,
            "compile": True,
        },
    }
    rows = []
    for backbone, batch, steps in (("thumbnet", 128, 12), ("mobilefacenet", 32, 4), ("iresnet18", 16, 3)):
        base = None
        for name, its in settings.items():
            rate, first = _rate(Recipe(backbone=backbone, batch_size=batch, **its), steps)
            base = base or rate
            rows.append([backbone, batch, name, f"{rate:,.0f}", f"{rate / base:.2f}×", f"{first:.0f}"])
    report(
        "Training, photos a second",
        ("backbone", "batch", "setting", "photos/s", "of float32", "first step, s"),
        rows,
        notes=["the first step holds the compilation"],
    )


def _rate(recipe: Recipe, steps: int) -> tuple[float, float]:
    """Photos a second, the median step, and seconds of the first."""
    count = recipe.batch_size * (steps + 1)
    images = np.random.default_rng(0).integers(0, 256, (count, 112, 112, 3), np.uint8)
    crops = training.crops_of(images, np.arange(count) % 100, [f"{n:03d}" for n in range(100)])
    at = [time.perf_counter()]
    with tempfile.TemporaryDirectory() as folder:
        training.train(
            crops,
            Path(folder) / "run",
            replace(recipe, epochs=1, min_photos=1),
            held_out=0.0,
            device="cpu",
            progress=False,
            on_step=lambda step, loss: at.append(time.perf_counter()),
            checkpoint_every=10**9,
        )
    took = np.diff(at)
    return recipe.batch_size / float(np.median(took[1:])), float(took[0])


# ---------------------------------------------------------------------- the design's mark


def student() -> None:
    """Two ways with the same time on this machine's cores, judged on View 1's test pairs; the lesson's long
    runs."""
    torch.set_num_threads(multiprocessing.cpu_count())
    its, rows = lesson10.lfw_task(), []
    for name in IN_TIME:
        recipe = replace(lesson10.RUNS[name], seed=20)
        trial = lesson10.run(its, recipe, 40, looks=1)
        steps = int(SECONDS / trial["seconds"] * trial["steps"] * 0.95)
        row = lesson10.measured(its, f"{name}, {SECONDS:.0f} s", recipe, steps)
        keep((row["name"], 20, None), row)
        figures = judge.figures_of(row["scores"], its.pairs, resamples=1000)
        rows.append([name, row["photos"], row["steps"], f"{row['seconds']:.0f}", *_shown(figures)])
    teacher = judge.figures_of(lesson10.controls(its)["SFace, the teacher"], its.pairs, resamples=1000)
    rows.append(["SFace, the teacher", "", "", "", *_shown(teacher)])
    report(
        f"Trained in {SECONDS:.0f} s: people never seen ({its})",
        ("taught by", "photos", "steps", "seconds", "AUC, % [95 % over people]", "EER, %"),
        rows,
    )


def _shown(figures: judge.Figures) -> list[str]:
    return [
        f"{100 * value:.1f} [{100 * low:.1f}, {100 * high:.1f}]"
        for value, (low, high) in ((figures.auc, figures.auc_interval), (figures.eer, figures.eer_interval))
    ]


# ---------------------------------------------------------------------- classes in pieces

CLASSES, DIM, BATCH = (10_000, 100_000, 1_000_000), 512, 64


def sharded() -> None:
    rows = []
    for classes in CLASSES:
        for processes, sample in ((1, 1.0), (1, 0.1), (2, 1.0), (2, 0.1)):
            found = _in_processes(classes, processes, sample)
            gigabytes, took = max(f[0] for f in found), max(f[1] for f in found)
            rows.append([f"{classes:,}", processes, f"{sample:g}", f"{gigabytes:.2f}", f"{1e3 * took:,.0f}"])
    report(
        f"A step of ArcFace over classes in pieces: {BATCH} embeddings of {DIM} numbers, with SGD",
        ("classes", "processes", "sample", "memory of each, GB", "ms a step"),
        rows,
        notes=["memory is the largest that a process held, above what it held before the head was made",
               "one thread in each process, gloo over loopback"],
    )  # fmt: skip


def _in_processes(classes: int, processes: int, sample: float) -> list[tuple[float, float]]:
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "benchmarks.train", "one-shard", str(classes), str(sample), folder]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        started = [
            subprocess.Popen([*command, str(rank), str(processes)], env=environment, stdout=subprocess.PIPE)
            for rank in range(processes)
        ]
        told = [process.communicate(timeout=1200)[0].decode().split() for process in started]
    return [(float(memory), float(took)) for memory, took in told]


def one_shard(classes: str, sample: str, folder: str, rank: str, world: str) -> None:
    """What `sharded` starts in each process."""
    import resource

    if int(world) > 1:
        torch.distributed.init_process_group(
            "gloo", f"file://{folder}/store", rank=int(rank), world_size=int(world)
        )
    x = torch.randn(BATCH // int(world), DIM, generator=torch.Generator().manual_seed(int(rank)))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    head = ShardedHead("ArcFace", DIM, int(classes), sample=float(sample))
    optimizer = torch.optim.SGD(head.parameters(), 0.1, momentum=0.9)
    took = []
    for step in range(4):
        labels = torch.randint(int(classes), (len(x),), generator=torch.Generator().manual_seed(step))
        start = time.perf_counter()
        optimizer.zero_grad()
        head(x, labels, step).backward()
        with head.rows_of(optimizer):
            optimizer.step()
        took.append(time.perf_counter() - start)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    print(memory * 1024 / 1e9, float(np.median(took[1:])))
    if int(world) > 1:
        torch.distributed.destroy_process_group()


if __name__ == "__main__":
    commands = {
        "lesson": lesson,
        "speed": speed,
        "student": student,
        "sharded": sharded,
        "one-shard": one_shard,
    }
    if len(sys.argv) < 2 or sys.argv[1] not in commands:
        raise SystemExit(__doc__)
    commands[sys.argv[1]](*sys.argv[2:])
