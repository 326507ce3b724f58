"""Several seeds of an experiment, and what is measured of a trained head."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from facelab import training
from facelab.losses import MarginHead

SEEDS = (0, 1, 2)


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
