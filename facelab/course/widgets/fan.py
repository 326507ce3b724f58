"""Eight people in the plane: the data, one training run of it, what is measured there, and the picture.

ArcFace's Figure 3 and SphereFace's Figure 2 draw an embedding of two dimensions, because two can be looked
at. Here the inputs are face vectors (or digits), a small network takes them to the plane, and each person is
a ray of a fan.
"""

import math
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
import torch
from matplotlib.axes import Axes

from facelab import losses, training
from facelab.course.plots import BLACK, BLUE, GREEN, MARKERS, ORANGE, PURPLE, RED, SKY
from facelab.losses import MarginHead

EPOCHS = 30
RATE = 0.01
RAYS = (BLUE, ORANGE, GREEN, RED, PURPLE, SKY, "#666666", "#8C6D1F", BLACK, "#3A3A98")
"""One colour a class: Okabe and Ito's where they serve for small dots on white (yellow does not)."""


# ---- data --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Toy:
    """Samples to learn from, and samples kept back.

    inputs, held    (N, D), (M, D) float32     labels, held_labels  (N,), (M,) int64
    names           one a class
    """

    inputs: np.ndarray
    labels: np.ndarray
    held: np.ndarray
    held_labels: np.ndarray
    names: tuple[str, ...]

    @property
    def classes(self) -> int:
        return len(self.names)


def split(vectors: np.ndarray, labels: np.ndarray, names, learn: int, keep: int) -> Toy:
    """The first `learn` samples of each class to learn from, the next `keep` kept back."""
    rows = [np.flatnonzero(labels == label)[: learn + keep] for label in range(len(names))]
    first = np.concatenate([some[:learn] for some in rows])
    rest = np.concatenate([some[learn:] for some in rows])
    vectors, labels = vectors.astype(np.float32), labels.astype(np.int64)
    return Toy(vectors[first], labels[first], vectors[rest], labels[rest], tuple(names))


def faces(people: int = 8, learn: int = 40, keep: int = 20, templates=None) -> Toy:
    """Vectors (128) of the people with most photos in LFW, the same number for each; surnames as names."""
    if templates is None:
        from facelab.datasets import lfw_templates

        templates = lfw_templates()
    chosen = sorted(templates.names, key=lambda person: (-templates.counts[person], person))[:people]
    vectors = np.concatenate([templates.vectors[templates.identity == person] for person in chosen])
    labels = np.concatenate([np.full(templates.counts[person], k) for k, person in enumerate(chosen)])
    surnames = [templates.names[person].replace("_", " ").split()[-1] for person in chosen]
    return split(vectors, labels, surnames, learn, keep)


def digits(learn: int = 80, keep: int = 40) -> Toy:
    """scikit-learn's handwritten digits, 8 × 8 pixels in 0 … 1: ten classes."""
    from sklearn.datasets import load_digits

    some = load_digits()
    return split(some.data / 16, some.target, [str(digit) for digit in range(10)], learn, keep)


# ---- measures ----------------------------------------------------------------------------------------------


def unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True).clip(1e-12)


def degrees(cos: np.ndarray) -> np.ndarray:
    return np.degrees(np.arccos(np.clip(cos, -1, 1)))


def spread(embeddings: np.ndarray, labels: np.ndarray) -> float:
    """Mean angle in degrees between a sample and the mean direction of its class: how wide a ray is."""
    x = unit(embeddings.astype(np.float64))
    means = unit(np.stack([x[labels == label].sum(axis=0) for label in range(labels.max() + 1)]))
    return float(degrees((x * means[labels]).sum(axis=1)).mean())


def between(weight: np.ndarray) -> float:
    """Smallest angle in degrees between two class centres (C, D)."""
    cos = unit(weight.astype(np.float64))
    cos = cos @ cos.T
    return float(degrees(cos[np.triu_indices(len(cos), 1)].max()))


def own_angle(embeddings: np.ndarray, labels: np.ndarray, weight: np.ndarray) -> float:
    """Mean θ_y in degrees: from a sample to the centre of its class, the angle that the loss sees."""
    return float(degrees((unit(embeddings) * unit(weight)[labels]).sum(axis=1)).mean())


# ---- one run -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Frame:
    """Where training stood after an epoch: (N, 2), (M, 2), (C, 2), and the measures above.

    accuracy     on the samples kept back
    spread       of the samples learnt from, degrees; held_spread: of those kept back
    length       mean ‖x‖ of the samples learnt from
    """

    epoch: int
    embeddings: np.ndarray
    held: np.ndarray
    weight: np.ndarray
    accuracy: float
    spread: float
    held_spread: float
    between: float
    length: float


@dataclass
class Run:
    """What was trained, how, and the frames of it; `last` is where it ended."""

    title: str
    toy: Toy
    frames: list[Frame] = field(default_factory=list)
    loss: list[float] = field(default_factory=list)
    seconds: float = 0.0
    stopped: bool = False

    @property
    def last(self) -> Frame:
        return self.frames[-1]


@contextmanager
def one_thread():
    """Matrices of this size are done sooner by one thread than by several that wait for each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def spread_out(head: MarginHead) -> None:
    """Turn the centres to even distances around the circle, the first where it happens to be.

    On a line or a circle classes cannot pass each other: two that begin side by side at random may never get
    room. In 512 dimensions there is always a way round.
    """
    w = head.weight
    start = torch.atan2(w[0, 1], w[0, 0])
    angles = start + 2 * math.pi * torch.arange(len(w)) / len(w)
    with torch.no_grad():
        w.copy_(torch.stack([angles.cos(), angles.sin()], dim=1))


def build(loss: str, toy: Toy, seed: int, even: bool, options: dict):
    with training.seeded(seed):
        net = training.toy_net(toy.inputs.shape[1])
        head = losses.HEADS[loss](2, toy.classes, **options)
    if even:
        spread_out(head)
    return net, head


def train(
    toy: Toy,
    loss: str,
    *,
    seed: int = 0,
    epochs: int = EPOCHS,
    even: bool = True,
    on_frame: Callable[[Frame, Run], None] | None = None,
    stop: training.Stop | None = None,
    **options,
) -> Run:
    """Train `toy_net` and a head of `facelab.losses` (by name, with its options) to the plane.

    even    centres begin at even distances around the circle; otherwise anywhere
    """
    net, head = build(loss, toy, seed, even, options)
    run = Run(title(loss, **options), toy)

    def look(snapshot: training.Snapshot, history: training.History) -> None:
        held = training.embeddings_of(net, toy.held)
        with torch.inference_mode():
            guesses = head.logits(held).argmax(dim=1).numpy()
        held = held.numpy()
        run.frames.append(
            Frame(
                epoch=snapshot.epoch,
                embeddings=snapshot.embeddings,
                held=held,
                weight=snapshot.weight,
                accuracy=float((guesses == toy.held_labels).mean()),
                spread=spread(snapshot.embeddings, toy.labels),
                held_spread=spread(held, toy.held_labels),
                between=between(snapshot.weight),
                length=float(np.linalg.norm(snapshot.embeddings, axis=1).mean()),
            )
        )
        if on_frame is not None:
            on_frame(run.frames[-1], run)

    with one_thread():
        history = training.fit(
            net,
            head,
            toy.inputs,
            toy.labels,
            epochs=epochs,
            lr=RATE,
            seed=seed,
            device="cpu",
            on_epoch=look,
            progress=False,
            stop=stop,
        )
    run.loss, run.seconds, run.stopped = history.loss, history.seconds, history.stopped
    return run


def title(loss: str, **options) -> str:
    """`ArcFace s=64 m=0.5`: what a reader needs to know of a head."""
    names = {"ModifiedSoftmax": "modified softmax", "Softmax": "softmax"}
    shown = [f"{name}={options[name]:g}" for name in ("s", "m", "m1", "m2", "m3") if name in options]
    return " ".join([names.get(loss, loss), *shown])


# ---- the picture -------------------------------------------------------------------------------------------


class Fan:
    """The fan of one run in one axes: dots are samples, rays are class centres, drawn at any frame.

    live      called with each artist that moves (LivePicture.live); may return it unchanged
    """

    def __init__(self, axes: Axes, toy: Toy, live: Callable = lambda artist: artist):
        self.axes, self.toy = axes, toy
        axes.set(xlim=(-1.68, 1.68), ylim=(-1.3, 1.3), aspect="equal")
        axes.set_axis_off()
        circle = np.linspace(0, 2 * np.pi, 200)
        axes.plot(np.cos(circle), np.sin(circle), color="#BBBBBB", linewidth=1.2, zorder=0)
        self.rays, self.dots, self.labels = [], [], []
        for number, name in enumerate(toy.names):
            look = {"color": RAYS[number % len(RAYS)]}
            self.rays.append(live(axes.plot([], [], lw=2.4, **look)[0]))
            marker = MARKERS[number % len(MARKERS)]
            self.dots.append(live(axes.plot([], [], marker, ms=5, mec="white", mew=0.4, **look)[0]))
            words = axes.text(0, 0, name, ha="center", va="center", fontsize=12, **look)
            self.labels.append(live(words))
        for artist in (*self.rays, *self.dots, *self.labels):
            artist.set_in_layout(False)

    def show(self, frame: Frame, *, held: bool = False, lengths: float | None = None) -> None:
        """held     the samples kept back instead of those learnt from
        lengths  draw each ‖x‖ as it is, with a length of this at the rim; None: the direction alone, as in
                 ArcFace's Figure 3, only that dots are lined up inwards so that they do not hide each other
        """
        x = frame.held if held else frame.embeddings
        labels = self.toy.held_labels if held else self.toy.labels
        inwards = 1 - 0.3 * np.linspace(0, 1, len(x) // self.toy.classes)
        for label, (ray, dots, words) in enumerate(zip(self.rays, self.dots, self.labels, strict=True)):
            own = x[labels == label]
            dots.set_data(*(own / lengths if lengths else unit(own) * inwards[: len(own), None]).T)
            centre = unit(frame.weight[label])
            ray.set_data([0, centre[0]], [0, centre[1]])
            words.set_position(centre * (1.13 + 0.2 * abs(centre[0])))


def longest(run: Run) -> float:
    """The length that nearly all embeddings of the run stay below: 98 % of them in its longest frame."""
    return max(float(np.quantile(np.linalg.norm(f.embeddings, axis=1), 0.98)) for f in run.frames)


def draw(*runs: Run, held: bool = False, lengths: bool = False) -> np.ndarray:
    """The last frame of each run, side by side, in a new figure. Returns the axes."""
    import matplotlib.pyplot as plt

    _, every = plt.subplots(1, len(runs), figsize=(4.7 * len(runs), 4.4), squeeze=False)
    for axes, run in zip(every[0], runs, strict=True):
        scale = longest(run) if lengths else None
        Fan(axes, run.toy).show(run.last, held=held, lengths=scale)
        axes.set_title(run.title)
        width = run.last.held_spread if held else run.last.spread
        words = f"spread {width:.1f}°" + (f", circle: ‖x‖ = {scale:.0f}" if scale else "")
        axes.text(0, -1.5, words, ha="center", fontsize=13)
        axes.set_ylim(-1.55, 1.3)
    return every[0]
