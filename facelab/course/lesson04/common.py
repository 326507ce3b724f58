"""What every experiment of lesson 04 stands on: data, measures, one training run, several seeds."""

from collections.abc import Callable, Sequence
from functools import cache

import numpy as np
import torch
from torch import Tensor, nn

from facelab import training
from facelab.losses import MarginHead

SEEDS = (0, 1, 2)
DIM = 16  # of the embeddings
RATE = 0.01


# ---- several seeds, and a table of them --------------------------------------------------------------------


def over_seeds(experiment: Callable[..., dict], seeds: Sequence[int] = SEEDS, **options) -> dict:
    """Run `experiment(seed, **options)` for each seed: {name: array (seeds, …)}."""
    runs = [experiment(seed, **options) for seed in seeds]
    return {name: np.array([run[name] for run in runs]) for name in runs[0]}


def table(measured: dict, digits: int = 3, names: Sequence[str] | None = None) -> str:
    """A row for each measure that is one number a seed: its mean, then the single runs."""
    names = names or [name for name, values in measured.items() if values.ndim == 1]
    width = max(map(len, names))
    rows = [f"{'':{width}}  {'mean':>8}   each seed"]
    for name in names:
        single = "  ".join(f"{value:.{digits}f}" for value in measured[name])
        rows.append(f"{name:{width}}  {measured[name].mean():8.{digits}f}   {single}")
    return "\n".join(rows)


# ---- data --------------------------------------------------------------------------------------------------


@cache
def _digits() -> tuple[np.ndarray, np.ndarray]:
    from sklearn.datasets import load_digits

    data = load_digits()
    return (data.images / 16).astype(np.float32), data.target.astype(np.int64)


def digits(seed: int, learn: int = 600, keep: int = 600) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Images (N, 8, 8) in 0 … 1 and labels to learn from, and others to test on, drawn by the seed."""
    images, labels = _digits()
    rows = np.random.default_rng(seed).permutation(len(images))[: learn + keep]
    images, labels = torch.from_numpy(images[rows]), torch.from_numpy(labels[rows])
    return images[:learn], labels[:learn], images[learn:], labels[learn:]


@cache
def _templates():
    from facelab.datasets import lfw_templates

    return lfw_templates()


def faces(
    seed: int, people: int, learn: int, keep: int, drawn_from: int = 0
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Face vectors (N, 128) of public figures: `learn` photos each to learn from, `keep` each to test on.

    The seed draws the people (among the `drawn_from` who have most photos) and their photos.
    """
    templates = _templates()
    random = np.random.default_rng(seed)
    most = sorted(templates.names, key=lambda person: (-templates.counts[person], person))
    chosen = random.permutation(most[: drawn_from or people])[:people]
    rows = [random.permutation(np.flatnonzero(templates.identity == person)) for person in chosen]
    if min(map(len, rows)) < learn + keep:
        raise ValueError(f"not all of {people} people have {learn + keep} photos; take fewer.")
    labels = torch.arange(people)
    return (
        torch.from_numpy(templates.vectors[np.concatenate([some[:learn] for some in rows])]),
        labels.repeat_interleave(learn),
        torch.from_numpy(templates.vectors[np.concatenate([some[learn : learn + keep] for some in rows])]),
        labels.repeat_interleave(keep),
    )


def degrade(images: Tensor, strength: Tensor, kind: str, seed: int) -> Tensor:
    """(N, 8, 8) made worse by `strength` (N,) from 0 (as it was) to 1 (nothing left to see).

    "blur": Gaussian, σ = 3·strength pixels.  "noise": that share of the image replaced by random grey.
    """
    if kind == "blur":
        from scipy.ndimage import gaussian_filter

        pairs = zip(images.numpy(), strength.tolist(), strict=True)
        return torch.from_numpy(np.stack([gaussian_filter(image, 3 * some) for image, some in pairs]))
    if kind != "noise":
        raise ValueError(f"kind={kind!r}: choose 'blur' or 'noise'.")
    noise = torch.from_numpy(np.random.default_rng(seed).random(images.shape, dtype=np.float32))
    weight = strength.view(-1, 1, 1)
    return (1 - weight) * images + weight * noise


def mislabel(labels: Tensor, share: float, seed: int) -> tuple[Tensor, Tensor]:
    """The labels with `share` of them replaced by another class's, and which (bool)."""
    random = np.random.default_rng(seed)
    wrong = torch.zeros(len(labels), dtype=torch.bool)
    wrong[random.permutation(len(labels))[: round(share * len(labels))]] = True
    classes = int(labels.max()) + 1
    shift = torch.from_numpy(random.integers(1, classes, len(labels)))
    return torch.where(wrong, (labels + shift) % classes, labels), wrong


# ---- measures ----------------------------------------------------------------------------------------------


def rank_correlation(a, b) -> float:
    """Spearman's ρ: 1 if b always rises with a, −1 if it always falls, 0 if neither. No ties expected."""
    ranks = [np.argsort(np.argsort(np.asarray(values).ravel())) for values in (a, b)]
    return float(np.corrcoef(*ranks)[0, 1])


def accuracy(net: nn.Module, head: MarginHead, inputs: Tensor, labels: Tensor) -> float:
    """Share of samples whose nearest class centre is their own."""
    return float(right(net, head, inputs, labels).float().mean())


@torch.inference_mode()
def right(net: nn.Module, head: MarginHead, inputs: Tensor, labels: Tensor) -> Tensor:
    """(N,) bool: the nearest class centre is the sample's own."""
    head.eval()
    return head.logits(training.embeddings_of(net, inputs)).argmax(1) == labels


def lengths(net: nn.Module, inputs: Tensor) -> Tensor:
    """‖x‖ (N,) of the embeddings."""
    return training.embeddings_of(net, inputs).norm(dim=1)


@torch.no_grad()
def own_angle(head: MarginHead, embeddings: Tensor, labels: Tensor) -> Tensor:
    """θ_y (B,) in degrees."""
    cos, _ = head.cosine(embeddings)
    return torch.rad2deg(cos[torch.arange(len(labels)), labels].clamp(-1, 1).acos())


@torch.no_grad()
def own_and_others(head: MarginHead, embeddings: Tensor, labels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """For a batch: T(θ_y) (B,), all cosines (B, C), and which of them belong to hard negatives (B, C), other
    classes with cos θ_j > T(θ_y)."""
    cos, norm = head.cosine(embeddings)
    rows = torch.arange(len(labels))
    own = cos[rows, labels]
    target = head.target_logit(own, head.sample_margin(own, norm, labels))
    hard = cos > target.unsqueeze(1)
    hard[rows, labels] = False
    return target, cos, hard


# ---- one training run --------------------------------------------------------------------------------------


def train(
    head_of: Callable[[], MarginHead],
    inputs: Tensor,
    labels: Tensor,
    seed: int,
    *,
    epochs: int = 10,
    neck: bool = False,
    each_step: Callable[[MarginHead, Tensor, Tensor], None] | None = None,
    each_epoch: Callable[[nn.Module, MarginHead], None] | None = None,
) -> tuple[nn.Module, MarginHead, training.History]:
    """A small net and the head that `head_of` builds, started by the seed, trained by `training.fit`.

    neck        whether the net ends in a batch norm, as networks for face recognition do (slides, page 15)
    each_step   called with the head, the embeddings and the labels of each batch
    each_epoch  called with the net and the head after each epoch, and before the first
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)  # matrices this small are slower on more
    try:
        with training.seeded(seed):
            net = training.toy_net(inputs[0].numel(), DIM, neck=neck)
            head = head_of()
        history = training.fit(
            net,
            head,
            inputs,
            labels,
            epochs=epochs,
            lr=RATE,
            seed=seed,
            device="cpu",
            keep=[0],
            progress=False,
            after_batch=None if each_step is None else lambda rows, x: each_step(head, x, labels[rows]),
            on_epoch=None if each_epoch is None else lambda snapshot, history: each_epoch(net, head),
        )
    finally:
        torch.set_num_threads(before)
    return net, head, history


def sample(data: str, seed: int, people: int = 16, learn: int = 32, keep: int = 8):
    """`digits(seed)` or `faces(seed, people, learn, keep)`: inputs, labels, and the same to test on."""
    if data not in ("digits", "faces"):
        raise ValueError(f"data={data!r}: choose 'digits' or 'faces'.")
    return digits(seed) if data == "digits" else faces(seed, people, learn, keep)
