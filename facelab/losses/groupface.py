"""GroupFace: an embedding that adds what the face's group says about it."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from facelab.losses.arcface import ArcFace
from facelab.losses.head import check_batch


class GroupFace(ArcFace):
    """An embedding head and a loss in one: from the backbone's feature f to embedding and loss.

        x_I = W_I f                      instance-based representation
        p   = softmax(GDN(x_I))          how far it belongs to each of K groups (group decision network)
        x_k = W_k f                      K group-aware representations
        x̄   = x_I + Σ_k p_k x_k          the embedding; with hard=True only k* = argmax p is added

        L   = ArcFace(x̄, y) + λ·CE(GDN(x_I), g),   g = argmax_k [(p_k − E[p_k])/K + 1/K]

    Nobody labels the groups. Taking argmax p as the label would let one group swallow everybody; with its
    expected value taken off, each group is chosen where it is more likely than usual (the factor 1/K makes
    the values add up to 1 and does not change the argmax). E is a running mean over batches, so that it is
    right for small batches too.

    `embed(features)` → (B, embedding_dim), for use after training; `head(features, labels)` → loss.

    GroupFace (Kim et al., CVPR 2020), section 3; there is no official code. With hard=True the chosen
    group's probability stays as a factor, so that both terms of the loss train the decision network.

    K            number of groups ≥ 1; up to 32 in the paper
    feature_dim  length of f; embedding_dim if left out
    hidden       width of the decision network's two hidden layers
    lambda_g     λ ≥ 0; 0.1
    alpha        weight of the past in E[p], 0 … 1
    State: `expected` (K,).
    """

    def __init__(
        self,
        embedding_dim: int,
        num_classes: int,
        K: int = 32,
        feature_dim: int | None = None,
        hidden: int = 256,
        hard: bool = False,
        lambda_g: float = 0.1,
        alpha: float = 0.9,
        s: float = 64.0,
        m: float = 0.5,
    ):
        super().__init__(embedding_dim, num_classes, s, m)
        if K < 1:
            raise ValueError(f"K={K}: at least one group is needed.")
        self.K, self.hard, self.lambda_g, self.alpha = K, hard, lambda_g, alpha
        self.feature_dim = feature_dim or embedding_dim
        self.instance = nn.Linear(self.feature_dim, embedding_dim)
        self.groups = nn.Linear(self.feature_dim, K * embedding_dim)
        self.decide = nn.Sequential(
            nn.Linear(embedding_dim, hidden),
            nn.ReLU(),
            nn.Linear(hidden, hidden),
            nn.ReLU(),
            nn.Linear(hidden, K),
        )
        self.register_buffer("expected", torch.full((K,), 1 / K))

    def embed_and_group(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """(B, feature_dim) → embeddings (B, embedding_dim), group logits (B, K)."""
        check_batch(features, None, self.feature_dim, None)
        features = features.to(self.instance.weight.dtype)
        instance = self.instance(features)  # (B, D)
        group_logits = self.decide(instance)  # (B, K)
        p = group_logits.softmax(1)
        if self.hard:
            p = p * F.one_hot(p.argmax(1), self.K)
        groups = self.groups(features).unflatten(1, (self.K, -1))  # (B, K, D)
        return instance + torch.einsum("bk,bkd->bd", p.to(groups.dtype), groups), group_logits

    def embed(self, features: Tensor) -> Tensor:
        return self.embed_and_group(features)[0]

    @torch.no_grad()
    def self_label(self, group_logits: Tensor) -> Tensor:
        """(B, K) → (B,): the group in which each sample stands out most from the average."""
        p = group_logits.to(self.expected.dtype).softmax(1)
        return ((p - self.expected) / self.K + 1 / self.K).argmax(1)

    def logits(self, features: Tensor, labels: Tensor | None = None) -> Tensor:
        return super().logits(self.embed(features), labels)

    def forward(self, features: Tensor, labels: Tensor) -> Tensor:
        embeddings, group_logits = self.embed_and_group(features)
        loss = super().forward(embeddings, labels)
        if self.training:
            with torch.no_grad():
                mean = group_logits.to(self.expected.dtype).softmax(1).mean(0)
                self.expected.mul_(self.alpha).add_((1 - self.alpha) * mean)
        group_logits = group_logits.to(loss.dtype)
        return loss + self.lambda_g * F.cross_entropy(group_logits, self.self_label(group_logits))
