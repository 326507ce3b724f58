"""Losses that change margin or scale: AdaptiveFace, AdaCos, ElasticFace."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from facelab import losses, training
from facelab.course.lesson04.data import digits, sample
from facelab.course.lesson04.measures import (
    accuracy,
    own_angle,
    right,
)
from facelab.course.lesson04.run import DIM, train
from facelab.losses import MarginHead

SIZES = (4, 8, 16, 32)


def class_margins(seed: int, data: str = "faces") -> dict:
    """Claim: a class with few samples learns a larger margin, and that helps it.

    Classes get 4, 8, 16 or 32 samples by lot, so that size says nothing else about a class.

    margins            (4,) mean learnt margin of the classes of each size
    ρ size, margin     rank correlation over all classes
    AdaptiveFace, few  accuracy on unseen samples of the classes with 4 and 8 samples
    CosFace, few       the same for CosFace whose one margin is AdaptiveFace's mean
    """
    inputs, labels, held, held_labels = sample(data, seed)
    classes = int(labels.max()) + 1
    lot = torch.from_numpy(np.random.default_rng(seed).permutation(classes))
    size = torch.tensor(SIZES)[lot % len(SIZES)]  # (C,)
    rows = torch.cat([torch.nonzero(labels == k).squeeze(1)[: size[k]] for k in range(classes)])
    inputs, labels = inputs[rows], labels[rows]
    net, head, _ = train(
        lambda: losses.AdaptiveFace(DIM, classes, lambda_m=5.0), inputs, labels, seed, epochs=20
    )
    margins = head.margins.detach().clamp(0, 1)
    mean = float(margins.mean())
    other, cosface, _ = train(
        lambda: losses.CosFace(DIM, classes, s=30, m=mean), inputs, labels, seed, epochs=20
    )
    few = size[held_labels] <= 8
    return {
        "margins": [float(margins[size == some].mean()) for some in SIZES],
        "ρ size, margin": _correlation_with_ties(size, margins),
        "AdaptiveFace, few": float(right(net, head, held, held_labels)[few].float().mean()),
        "CosFace, few": float(right(other, cosface, held, held_labels)[few].float().mean()),
    }


def _correlation_with_ties(a, b) -> float:
    from scipy.stats import spearmanr

    return float(spearmanr(a, b).statistic)


def scales(seed: int, fixed: Sequence[float] = (1, 64)) -> dict:
    """Claim: a scale computed from the data does as well as one found by trying, and it falls as angles do.

    s        (steps,) the dynamic scale after each step     θ   (steps,) median θ_y of each batch, degrees
    AdaCos   accuracy on unseen digits, and the same for AdaCos with its fixed scale, and for plain
             softmax over s·cos θ with each s in `fixed`
    """
    inputs, labels, held, held_labels = digits(seed)
    scale, theta = [], []

    def look(head, x, y):
        scale.append(float(head.s))
        theta.append(float(own_angle(head, x, y).median()))

    net, head, _ = train(lambda: losses.AdaCos(DIM, 10), inputs, labels, seed, each_step=look)
    found = {"s": scale, "θ": theta, "AdaCos": accuracy(net, head, held, held_labels)}
    heads = {"AdaCos, fixed": lambda: losses.AdaCos(DIM, 10, dynamic=False)}
    heads |= {f"s = {s}": lambda s=s: MarginHead(DIM, 10, s=s) for s in fixed}
    for name, head_of in heads.items():
        net, head, _ = train(head_of, inputs, labels, seed)
        found[name] = accuracy(net, head, held, held_labels)
    return found


def official_plus(margin: Tensor, cos: Tensor) -> Tensor:
    """How the official code of ElasticFace+ hands out margins: sorted, then indexed by `argsort`.

    Indexing needs the rank of each sample; `argsort` gives which sample comes at each rank. The two are
    inverse permutations, and they differ as soon as three samples change places in a ring.
    """
    return margin.sort().values[cos.argsort(descending=True)]


def sorted_plus(margin: Tensor, cos: Tensor) -> Tensor:
    """As the paper says: the largest margin to the smallest cosine."""
    rank = cos.argsort(descending=True).argsort()  # 0 for the largest cosine
    return margin.sort().values[rank]


def elastic(seed: int) -> dict:
    """Claim: random margins leave classes the room they need, and faces are recognised better.

    For ArcFace, ElasticFace (σ = 0.05 and 0.2) and ElasticFace+ (σ = 0.2), all with m = 0.5, and
    CosFace and ElasticFace-Cos, with m = 0.35:
    θ, …       mean angle between an unseen digit and its centre, degrees
    held, …    accuracy on unseen digits
    classes, … how much classes differ: standard deviation over classes of the mean θ of learnt digits
    """
    inputs, labels, held, held_labels = digits(seed)
    heads = {
        "ArcFace": lambda: losses.ArcFace(DIM, 10),
        "CosFace": lambda: losses.CosFace(DIM, 10),
        "Cos, σ = 0.05": lambda: losses.ElasticFace(DIM, 10, kind="cos"),
        "σ = 0.05": lambda: losses.ElasticFace(DIM, 10, sigma=0.05),
        "σ = 0.2": lambda: losses.ElasticFace(DIM, 10, sigma=0.2),
        "σ = 0.2, +": lambda: losses.ElasticFace(DIM, 10, sigma=0.2, plus=True),
    }
    found = {}
    for name, head_of in heads.items():
        net, head, _ = train(head_of, inputs, labels, seed)
        learnt = own_angle(head, training.embeddings_of(net, inputs), labels)
        found[f"θ, {name}"] = float(own_angle(head, training.embeddings_of(net, held), held_labels).mean())
        found[f"classes, {name}"] = float(torch.stack([learnt[labels == k].mean() for k in range(10)]).std())
        found[f"held, {name}"] = accuracy(net, head, held, held_labels)
    return found
