"""Softmax with a centre loss in the plane: what λ holds together, and when it holds together too much."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from facelab import losses, training
from facelab.course.plots import BLACK, COLOURS
from facelab.course.widgets.base import LivePicture, LiveWidget, slider
from facelab.course.widgets.fan import Toy, one_thread

LAMBDAS = (0.0, 0.003, 0.03, 0.1, 0.3, 1.0, 3.0, 30.0)
EPOCHS = 40


class SoftmaxAndCentre(nn.Module):
    """L = L_softmax + λ L_C (Wen et al., ECCV 2016, eq. 5)."""

    def __init__(self, classes: int, weight: float):
        super().__init__()
        self.softmax, self.centre = losses.Softmax(2, classes), losses.CenterLoss(2, classes)
        self.lam = weight

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        return self.softmax(embeddings, labels) + self.lam * self.centre(embeddings, labels)


def train(toy: Toy, weight: float, seed: int = 0) -> tuple[np.ndarray, float]:
    """The plane (N, 2) of the photos learnt from, and the share of those kept back that is named right."""
    with one_thread(), training.seeded(seed):
        net, loss = training.toy_net(toy.inputs.shape[1]), SoftmaxAndCentre(toy.classes, weight)
        training.fit(
            net, loss, toy.inputs, toy.labels, epochs=EPOCHS, lr=0.01, seed=seed, device="cpu", progress=False
        )
        held = training.embeddings_of(net, toy.held)
        with torch.inference_mode():
            right = (loss.softmax.logits(held).argmax(dim=1).numpy() == toy.held_labels).mean()
        return training.embeddings_of(net, toy.inputs).cpu().numpy(), float(right)


class CentreLoss(LiveWidget):
    """A slider for λ over planes that were trained beforehand, all from the same start.

    inside, apart  of the plane shown: mean distance to the own class's mean, least distance of two means
    """

    title = "What λ holds together"

    def __init__(self, toy: Toy, weights: Sequence[float] = LAMBDAS, seed: int = 0):
        self.toy, self.weights = toy, tuple(weights)
        self.planes = [train(toy, weight, seed) for weight in self.weights]
        self.step = slider("λ", 0, len(self.weights) - 1, value=0, step=1, tip="steps through the λ trained")
        self.picture = LivePicture(6.4, 5.4)
        with self.picture.styled():
            axes = self.picture.figure.subplots()
            axes.set(xlim=(-1.05, 1.05), ylim=(-1.05, 1.05), aspect="equal", xticks=[], yticks=[])
            axes.set_title("8 people, in the plane's own scale")
            looks = zip(range(toy.classes), COLOURS, "os^DvPXp", strict=False)
            self.clouds = [
                self.picture.live(axes.plot([], [], mark, color=colour, ms=5, alpha=0.7)[0])
                for _, colour, mark in looks
            ]
            self.means = self.picture.live(axes.plot([], [], "+", color=BLACK, ms=14, mew=2.5)[0])
        super().__init__([self.step])

    def update(self) -> str:
        place = self.step.value
        plane, right = self.planes[place]
        means = np.stack([plane[self.toy.labels == k].mean(axis=0) for k in range(self.toy.classes)])
        gaps = np.linalg.norm(means[:, None] - means, axis=2) + np.diag([np.inf] * len(means))
        self.inside = float(np.linalg.norm(plane - means[self.toy.labels], axis=1).mean())
        self.apart = float(gaps.min())
        scale = float(np.abs(plane).max()) or 1.0
        for k, cloud in enumerate(self.clouds):
            cloud.set_data(*(plane[self.toy.labels == k] / scale).T)
        self.means.set_data(*(means / scale).T)
        return (
            f"λ = {self.weights[place]:g}: {self.inside:.2f} from a photo to its person's mean, "
            f"{self.apart:.2f} between the two nearest means, the plane reaches to {scale:.1f}; "
            f"{right:.0%} of new photos right."
        )
