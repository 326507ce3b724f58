"""Sub-centre ArcFace: K centres a class, so that wrongly labelled photos have somewhere else to go."""

import math

import torch
from torch import Tensor, nn

from facelab.losses.arcface import ArcFace
from facelab.losses.head import at_least_float32, check_batch, cosines, unit


class SubCenterArcFace(ArcFace):
    """cos θ_j = max_k W_jkᵀx,   k = 1 … K;   the rest is ArcFace.

    One change from `ArcFace`: a sample must come near to any one of its class's centres, not to all of the
    class. Most clean photos gather at one, the dominant centre; label noise and hard photos drift to the
    others. After training:

        counts = head.count(embeddings, labels)             # (C, K), over the whole training set
        keep   = head.clean(embeddings, labels, counts)     # bool: within 75° of the dominant centre
        plain  = head.drop(counts)                          # ArcFace with the dominant centres, to go on with

    Sub-center ArcFace (Deng et al., ECCV 2020), section 3; K = 3 and 75° are the paper's.

    K       ≥ 1; 1 is ArcFace        others as in ArcFace
    `weight` is (C, K, D).
    """

    def __init__(self, embedding_dim: int, num_classes: int, K: int = 3, **arcface):
        super().__init__(embedding_dim, num_classes, **arcface)
        if K < 1:
            raise ValueError(f"K={K}: a class needs at least one centre.")
        self.K = K
        self.weight = nn.Parameter(unit(torch.randn(num_classes, K, embedding_dim))[0])

    def cosine(self, embeddings: Tensor) -> tuple[Tensor, Tensor]:
        cos, norm = cosines(embeddings, self.weight.flatten(0, 1))  # (B, C·K)
        return cos.unflatten(1, (self.num_classes, self.K)).max(dim=2).values, norm

    @torch.no_grad()
    def own_cosines(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        """(B, K): the cosine of each sample with each centre of its own class."""
        labels = check_batch(embeddings, labels, self.embedding_dim, self.num_classes)
        dtype = at_least_float32(embeddings, self.weight)
        centres, _ = unit(self.weight[labels].to(dtype))  # (B, K, D)
        return torch.einsum("bd,bkd->bk", unit(embeddings.to(dtype))[0], centres)

    @torch.no_grad()
    def count(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        """(C, K) int64: how many samples of each class lie nearest to each centre. Add up over batches."""
        nearest = self.own_cosines(embeddings, labels).argmax(1)
        counts = torch.bincount(labels.long() * self.K + nearest, minlength=self.num_classes * self.K)
        return counts.view(self.num_classes, self.K)

    @torch.no_grad()
    def clean(
        self, embeddings: Tensor, labels: Tensor, counts: Tensor, max_angle: float = math.radians(75)
    ) -> Tensor:
        """(B,) bool: the sample lies within `max_angle` (radians) of its class's dominant centre."""
        dominant = counts.argmax(1)[labels.long()]  # (B,)
        cos = self.own_cosines(embeddings, labels).gather(1, dominant.unsqueeze(1)).squeeze(1)
        return cos >= math.cos(max_angle)

    @torch.no_grad()
    def drop(self, counts: Tensor) -> ArcFace:
        """An ArcFace head with each class's dominant centre, the one with most samples."""
        plain = ArcFace(
            self.embedding_dim,
            self.num_classes,
            s=self.s,
            m=self.m,
            easy_margin=self.easy_margin,
            continuation=self.continuation,
            gradient=self.gradient,
        )
        rows = torch.arange(self.num_classes, device=self.weight.device)
        plain.weight = nn.Parameter(self.weight[rows, counts.argmax(1).to(rows.device)].clone())
        return plain.train(self.training)
