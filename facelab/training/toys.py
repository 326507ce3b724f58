"""Networks small enough to watch, for the lessons; and `seeded`, which starts anything from the same
numbers."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Networks and losses built inside start from the same numbers; the world outside is not touched."""
    with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
        torch.manual_seed(seed)
        yield


def toy_net(inputs: int, embedding_dim: int = 2, hidden: int = 128, neck: bool = False) -> nn.Module:
    """(B, …) → (B, embedding_dim): three layers, small enough to watch.

    No activation follows the last layer, so that embeddings may point anywhere (a ReLU would leave them one
    quarter of the plane). neck=True ends with a batch norm, as networks for face recognition do (Japanese
    slides, page 15): embeddings are centred, which lets a hard margin be learnt, and their lengths hardly
    vary.
    """
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(inputs, hidden),
        nn.BatchNorm1d(hidden),
        nn.PReLU(),
        nn.Linear(hidden, hidden),
        nn.BatchNorm1d(hidden),
        nn.PReLU(),
        nn.Linear(hidden, embedding_dim),
        *([nn.BatchNorm1d(embedding_dim, affine=False)] if neck else []),
    )


def small_cnn(embedding_dim: int = 128, channels: int = 1, width: int = 32, stages: int = 2) -> nn.Module:
    """(B, channels, H, W) → (B, embedding_dim): `stages` times convolve and halve; then one linear layer.

    The neck is the usual one of face recognition (Japanese slides, page 15): pool, then fully connected.
    """
    layers: list[nn.Module] = []
    before = channels
    for stage in range(stages):
        after = width * 2**stage
        layers += [
            nn.Conv2d(before, after, 3, padding=1, bias=False),
            nn.BatchNorm2d(after),
            nn.PReLU(after),
            nn.Conv2d(after, after, 3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(after),
            nn.PReLU(after),
        ]
        before = after
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(4 * before, embedding_dim))
