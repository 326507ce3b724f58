"""What lesson 04 learns from, and what is made wrong with it on purpose."""

from functools import cache

import numpy as np
import torch
from torch import Tensor


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


def sample(data: str, seed: int, people: int = 16, learn: int = 32, keep: int = 8):
    """`digits(seed)` or `faces(seed, people, learn, keep)`: inputs, labels, and the same to test on."""
    if data not in ("digits", "faces"):
        raise ValueError(f"data={data!r}: choose 'digits' or 'faces'.")
    return digits(seed) if data == "digits" else faces(seed, people, learn, keep)
