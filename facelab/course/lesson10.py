"""Lesson 10's experiments: the same network, the same number of steps, another teacher or another mistake.

`run` trains on a task, `measure` one of `RUNS` on LFW's crops and judges it on View 1's test pairs, whose
people take no part in training. What `python -m benchmarks.train` measured so is stored beside this file,
scores of every pair included; `stored()` reads it.
"""

import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from facelab import training
from facelab.course import drawn
from facelab.datasets import lfw
from facelab.download import home
from facelab.embed.thumbnet import Thumbnet
from facelab.errors import DatasetError
from facelab.metrics import eer
from facelab.training import Crops, Recipe, Split, judge
from facelab.training.batches import in_an_epoch

STEPS, BATCH = 600, 128
"""Of every run, whatever it is trained on: who has fewer photos sees them more often."""

BASE = Recipe(head="ArcFace", head_options={"s": 32.0, "m": 0.2}, batch_size=BATCH)

RUNS: dict[str, Recipe] = {
    "softmax": replace(BASE, head="Softmax", head_options={}),
    "ArcFace": BASE,
    "SFace's student": replace(BASE, head=None, distil=1.0),
    "student with ArcFace": replace(BASE, distil=1.0),
    "student, their photos only": replace(BASE, head=None, distil=1.0),
    "no warm-up": replace(BASE, warm_up=0.0),
    "s = 64, m = 0.5": replace(BASE, head_options={"s": 64.0, "m": 0.5}),
    "s = 64, m = 0.5, no warm-up": replace(BASE, head_options={"s": 64.0, "m": 0.5}, warm_up=0.0),
    "no augmentation": replace(BASE, augment=training.Augment.none()),
    "student, no augmentation": replace(BASE, head=None, distil=1.0, augment=training.Augment.none()),
    "20 % wrong names": BASE,
    "20 % wrong names, sub-centres": replace(BASE, head="SubCenterArcFace"),
    "leak": BASE,
    "leak, softmax": replace(BASE, head="Softmax", head_options={}),
}
"""What is trained, by its name in plots."""

WRONG = 0.2
"""Share of the training photos that get somebody else's name, in the runs that say so."""

STORED = Path(__file__).with_name("trained")
"""trained.json: a row for each run; trained.npz: the scores of the test pairs, a row for each run."""


@dataclass(frozen=True, eq=False)
class Task:
    """Crops, whom they keep back, and the pairs of those."""

    crops: Crops
    split: Split
    pairs: judge.Pairs

    def __str__(self) -> str:
        return (
            f"{self.crops}: {len(self.split.train):,} photos to learn from, {len(self.pairs.same):,} pairs "
            f"of {len(np.unique(self.crops.identity[self.split.held])):,} others to be judged on"
        )


def lfw_task(crops: Path | None = None, progress: bool | None = None) -> Task:
    """LFW's photos, cut out once (some four minutes) and kept; View 1's test pairs.

    Raises DatasetError where LFW is not there.
    """
    made = training.prepare(lfw(), crops or home() / "lfw.crops.h5", progress=progress)
    pairs = judge.lfw_pairs(made, "devtest")
    return Task(made, training.split(made, [made.names[who] for who in pairs.people]), pairs)


def drawn_task(people: int = 100, seed: int = 0) -> Task:
    """People who do not exist (`facelab.course.drawn`), eight photos each; sixty others to be judged on."""
    others = 60
    faces = drawn.identities(people + others, seed)
    who = np.repeat(np.arange(people + others), 8)
    names = [f"drawn {number:03d}" for number in range(people + others)]
    crops = training.crops_of(drawn.photos(faces, who, seed), who, names, source="drawn people")
    its = training.split(crops, names[people:])
    return Task(crops, its, judge.pairs_of(its.held, crops.identity))


def run(
    task: Task,
    recipe: Recipe,
    steps: int,
    *,
    people: int | None = None,
    wrong: float = 0.0,
    leak: bool = False,
    looks: int = 8,
    on_step: Callable[[int, float], None] | None = None,
    on_look: Callable[[int, float], None] | None = None,
    stop: training.Stop | None = None,
) -> dict[str, Any]:
    """Train on a task → how much it saw, its losses, AUC and EER after each eighth, scores of the pairs.

    people   so many of those with two photos and more, drawn by the recipe's seed; None: all. A student
             learns from the same photos, then
    wrong    share of the photos that get somebody else's name
    leak     the people it is judged on are taught as well
    on_look  called with the step and the EER
    """
    crops, rows = task.crops, task.split.train
    rng = np.random.default_rng([recipe.seed, 10])
    if leak:
        rows = np.setdiff1d(np.arange(len(crops)), task.split.dropped)
    if people is not None:
        several = np.unique(crops.identity[rows[crops.photos_of_each(rows) >= 2]])
        chosen = rng.permutation(several)[:people]
        rows = rows[np.isin(crops.identity[rows], chosen)]
    if wrong:
        crops = misnamed(crops, rows, wrong, rng)
    taught = rows if recipe.head is None else rows[crops.photos_of_each(rows) >= recipe.min_photos]
    each = in_an_epoch(len(taught), recipe.batch_size)
    recipe = replace(recipe, epochs=max(1, round(steps / each)))
    curve: list[tuple[int, float, float]] = []

    def look(epoch: int, figures: judge.Figures | None) -> None:
        if figures is not None:
            curve.append(((epoch + 1) * each, figures.auc, figures.eer))
            if on_look is not None:
                on_look(curve[-1][0], figures.eer)

    with tempfile.TemporaryDirectory() as folder:
        trained = training.train(
            crops,
            Path(folder) / "run",
            recipe,
            held_out=Split(rows, task.split.held, task.split.dropped, ()),
            pairs=task.pairs,
            device="cpu",
            progress=False,
            judge_every=max(1, recipe.epochs // looks),
            on_epoch=look,
            on_step=on_step,
            stop=stop,
            checkpoint_every=10**9,
            resamples=0,
        )
    if trained.figures is not None:
        curve.append((len(trained.losses), trained.figures.auc, trained.figures.eer))
    return {
        "people": len(np.unique(crops.identity[taught])),
        "photos": len(taught),
        "steps": len(trained.losses),
        "seconds": round(trained.seconds, 1),
        "curve": [[step, round(a, 4), round(e, 4)] for step, a, e in curve],
        "losses": trained.losses,
        "device": trained.device,
        "scores": np.zeros(0) if trained.scores is None else trained.scores,
    }


def measure(
    task: Task, name: str, seed: int, people: int | None = None, steps: int = STEPS
) -> dict[str, Any]:
    """One of RUNS with a seed → a row as it is stored: `run`'s, with its name and fewer losses.

    A student learns from everybody's photos; "their photos only" are those that the other runs have, of
    people with two and more.
    """
    return measured(
        task,
        name,
        replace(RUNS[name], seed=seed),
        steps,
        people=len(task.crops.names) if "their photos only" in name else people,
        wrong=WRONG if "wrong names" in name else 0.0,
        leak=name.startswith("leak"),
    ) | {"limited": people is not None}


def measured(task: Task, name: str, recipe: Recipe, steps: int, **options: Any) -> dict[str, Any]:
    """`run` → a row as it is stored: with its name and seed, and fewer losses."""
    row = run(task, recipe, steps, **options)
    losses = row["losses"]
    thin = np.linspace(0, len(losses) - 1, min(90, len(losses))).round().astype(int)
    row["losses"] = [[int(i), round(float(losses[max(0, i - 9) : i + 1].mean()), 4)] for i in thin]
    return {"name": name, "seed": recipe.seed, "limited": False, **row}


def misnamed(crops: Crops, rows: np.ndarray, share: float, rng: np.random.Generator) -> Crops:
    """Some photos of these rows get the name of somebody else among them: what a crawler would do."""
    identity = crops.identity.copy()
    wrong = rng.permutation(rows)[: round(share * len(rows))]
    identity[wrong] = rng.permutation(crops.identity[rows])[: len(wrong)]
    return replace(crops, identity=identity, sha256=f"{crops.sha256}, {share:.0%} misnamed")


# ---------------------------------------------------------------------- controls that nobody trains


def controls(task: Task) -> dict[str, np.ndarray]:
    """Scores of the pairs without any training of ours: pixels, eigenfaces, an untrained network, the
    teacher."""
    from sklearn.decomposition import PCA

    rows, train = task.pairs.rows, task.split.train
    grey = task.crops.images(28).astype(np.float32).mean(3).reshape(len(task.crops), -1)
    grey = (grey - grey.mean(1, keepdims=True)) / (grey.std(1, keepdims=True) + 1e-6)
    pca = PCA(128, whiten=True, random_state=0).fit(grey[train])
    with training.seeded(0):
        net = Thumbnet()
    images = torch.from_numpy(task.crops.images(Thumbnet.SIDE))
    each = {
        "pixels": grey[rows],
        "eigenfaces (PCA, 128)": pca.transform(grey[rows]),
        "the network, untrained": judge.vectors_of(net, images, rows),
        "SFace, the teacher": task.crops.vectors[rows],
    }
    return {name: task.pairs.scores(v / np.linalg.norm(v, axis=1, keepdims=True)) for name, v in each.items()}


# ---------------------------------------------------------------------- what was measured


@dataclass(frozen=True, eq=False)
class Stored:
    """rows    as `measure` gives them without the scores, with how many people were asked for (None: all)
    scores  (rows, pairs)
    pairs   same (pairs,) bool, who_a, who_b (pairs,): people as numbers
    controls  name → scores (pairs,)          told  where and on what it was measured
    """

    rows: list[dict[str, Any]]
    scores: np.ndarray
    same: np.ndarray
    who_a: np.ndarray
    who_b: np.ndarray
    controls: dict[str, np.ndarray]
    told: dict[str, Any]

    def of(self, name: str, people: bool = False) -> list[int]:
        """Places of the runs of that name, on everybody or on limited people."""
        return [i for i, row in enumerate(self.rows) if row["name"] == name and row["limited"] == people]

    def eer_of(self, place: int) -> float:
        """Equal error rate of the run at that place, on the test pairs."""
        return eer(self.scores[place], self.same)


def stored() -> Stored:
    """What `python -m benchmarks.train lesson` measured. Raises DatasetError when the files do not fit."""
    told = json.loads(STORED.with_suffix(".json").read_text("utf-8"))
    with np.load(STORED.with_suffix(".npz"), allow_pickle=False) as kept:
        arrays = {name: kept[name] for name in kept.files}
    rows = told.pop("rows")
    if len(rows) != len(arrays["scores"]):
        raise DatasetError(f"{STORED}: {len(rows)} rows and {len(arrays['scores'])} lines of scores.")
    names = told.pop("controls")
    controls = dict(zip(names, arrays["controls"].astype(np.float64), strict=True))
    scores = arrays["scores"].astype(np.float64)
    return Stored(rows, scores, arrays["same"], arrays["who_a"], arrays["who_b"], controls, told)


def interval(what: Stored, names: list[list[int]], statistic: Callable, resamples: int = 400, seed: int = 0):
    """For each group of runs the statistic's mean over the runs, with 95 % that carry people and seeds:
    people are drawn with replacement, and runs of the group too. → (value, low, high) for each, and the
    draws.

    The same people are drawn for all groups, so that differences of the draws compare them pair by pair.
    """
    rng = np.random.default_rng(seed)
    people = np.unique(np.concatenate([what.who_a, what.who_b]))
    a, b = np.searchsorted(people, what.who_a), np.searchsorted(people, what.who_b)
    draws = np.empty((resamples, len(names)))
    for draw in range(resamples):
        times = np.bincount(rng.integers(len(people), size=len(people)), minlength=len(people))
        weight = np.where(what.same, times[a], times[a] * times[b])
        at = np.repeat(np.arange(len(weight)), weight)
        for place, group in enumerate(names):
            runs = rng.choice(group, len(group))
            draws[draw, place] = np.mean([statistic(what.scores[run][at], what.same[at]) for run in runs])
    values = [np.mean([statistic(what.scores[run], what.same) for run in group]) for group in names]
    low, high = np.quantile(draws, [0.025, 0.975], axis=0)
    return list(zip(values, low, high, strict=True)), draws
