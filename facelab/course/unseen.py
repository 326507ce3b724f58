"""A harness on lesson 02's task: train on some people, judge on others who were never seen.

The task is lesson 02's. SFace's 128 numbers leave little to learn, so it is made hard on purpose: one
matrix that turns 128 numbers into a few, with which people who were not in the training are told apart.
LFW's people with four photos and more to learn from, those with two or three to be judged on; a figure is
the equal error rate there.

What the toy is not: its inputs come from a network that was trained with an angular loss already (SFace's
own, on a hypersphere), its "network" is linear, and 610 people are few. Which loss wins here need not win
elsewhere.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from facelab import losses, metrics, training
from facelab.course.lesson02 import Pairs, split_people, verification_pairs
from facelab.datasets import Templates

Loss = Callable[[int, int], nn.Module]
"""(numbers, classes) → the loss."""

RIVALS: dict[str, Loss] = {
    "softmax": losses.Softmax,
    "triplets, semi-hard": lambda numbers, classes: losses.TripletLoss(margin=0.2, mining="semi-hard"),
    "m = 0, s = 4": lambda numbers, classes: losses.CosFace(numbers, classes, s=4, m=0.0),
    "m = 0, s = 16": lambda numbers, classes: losses.CosFace(numbers, classes, s=16, m=0.0),
    "m = 0, s = 64": lambda numbers, classes: losses.CosFace(numbers, classes, s=64, m=0.0),
    "CosFace 0.2, s = 16": lambda numbers, classes: losses.CosFace(numbers, classes, s=16, m=0.2),
    "ArcFace 0.3, s = 16": lambda numbers, classes: losses.ArcFace(numbers, classes, s=16, m=0.3),
    "ArcFace 0.3, s = 64": lambda numbers, classes: losses.ArcFace(numbers, classes, s=64, m=0.3),
}
"""What is compared, by its name in plots."""

STORED = Path(__file__).with_name("unseen.json")
"""What `python -m benchmarks.unseen` measured: rows as `measure` gives them."""


@dataclass(frozen=True, eq=False)
class Task:
    """People to learn from: x (N, 128), y (N,) 0 … C − 1; and others: unseen (M, 128) and their pairs."""

    x: Tensor
    y: Tensor
    unseen: np.ndarray
    pairs: Pairs

    @property
    def classes(self) -> int:
        return int(self.y.max()) + 1

    def eer(self, vectors: np.ndarray) -> float:
        """Equal error rate on the pairs of unseen people, of their vectors (M, D)."""
        return metrics.eer(self.pairs.scores(vectors), self.pairs.same)


@dataclass(frozen=True)
class Setting:
    """How long is learnt, how much may be kept, and whether classifiers get batches of any photos."""

    epochs: int
    numbers: int
    uniform: bool = False

    def __str__(self) -> str:
        batches = ", each its own batches" if self.uniform else ""
        return f"{20 * self.epochs:,} steps, {self.numbers} numbers{batches}"


def task(templates: Templates) -> Task:
    """Lesson 02's people: none of those who are judged on was learnt from."""
    learn, judge = split_people(templates)
    y = np.unique(templates.identity[learn], return_inverse=True)[1]
    pairs = verification_pairs(templates.identity[judge])
    return Task(torch.tensor(templates.vectors[learn]), torch.tensor(y), templates.vectors[judge], pairs)


def pca(task: Task, numbers: int) -> float:
    """The control that knows no people: EER of the directions in which the photos vary most."""
    x = task.x.numpy()
    axes = np.linalg.svd(x - x.mean(axis=0), full_matrices=False)[2][:numbers]
    return task.eer((task.unseen - x.mean(axis=0)) @ axes.T)


def learn(
    task: Task, loss: Loss, numbers: int = 8, epochs: int = 20, seed: int = 0, uniform: bool = False
) -> np.ndarray:
    """Train one matrix 128 → numbers, and return the unseen people's vectors (M, numbers).

    An epoch is 20 batches of 4 photos of each of 20 people, as lesson 02 has them, or of any 80 photos
    (uniform): triplets need several photos of a person side by side, a classifier does not.
    """

    def batches(epoch: int, generator: torch.Generator):
        if uniform:
            return torch.randint(len(task.y), (20, 80), generator=generator)
        return training.balanced_batches(task.y, people=20, photos=4, batches=20, generator=generator)

    with training.seeded(seed):
        matrix, head = nn.Linear(task.x.shape[1], numbers, bias=False), loss(numbers, task.classes)

    def all_of_them(
        _, generator: torch.Generator
    ):  # `fit` looks at everybody after each epoch: once is enough
        return [rows for epoch in range(epochs) for rows in batches(epoch, generator)]

    options = {"epochs": 1, "batches": all_of_them, "seed": seed, "device": "cpu", "progress": False}
    training.fit(matrix, head, task.x, task.y, **options)
    vectors = training.embeddings_of(matrix, task.unseen)
    if isinstance(head, losses.GroupFace):  # a part of its network lies in the loss
        with torch.inference_mode():
            vectors = head.eval().embed(vectors)
    return vectors.numpy()


def measure(task: Task, rivals: dict[str, Loss], name: str, seed: int, setting: Setting) -> dict:
    """The EER of one rival with one seed: a row for a plot."""
    uniform = setting.uniform and not name.startswith("triplets")
    vectors = learn(task, rivals[name], setting.numbers, setting.epochs, seed, uniform)
    return {"setting": str(setting), "loss": name, "seed": seed, "EER": round(task.eer(vectors), 5)}


SETTINGS = (Setting(20, 8), Setting(100, 8), Setting(250, 8, uniform=True), Setting(20, 64))


def stored(path: Path = STORED) -> list[dict]:
    """What was measured beforehand, since it takes minutes."""
    return json.loads(path.read_text("utf-8"))
