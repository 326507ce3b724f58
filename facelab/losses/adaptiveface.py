"""AdaptiveFace: every class learns its own margin, and meets only the classes it could be mistaken for."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from facelab.losses.cosface import CosFace
from facelab.losses.head import check_batch, cosines, full_precision, unit


@torch.no_grad()
def nearest_prototypes(weight: Tensor, k: int, chunk: int = 4096) -> Tensor:
    """(C, D) → (C, k) int64: for each class the k other classes with the largest cosine, nearest first.

    Exact, `chunk` classes at a time: C² dot products in all, but never C² numbers in memory.
    """
    if not 0 < k < len(weight):
        raise ValueError(f"k={k}: of {len(weight)} classes each has 1 … {len(weight) - 1} others.")
    w, _ = unit(weight.detach().float())
    rows = []
    for start in range(0, len(w), chunk):
        cos = w[start : start + chunk] @ w.T
        here = torch.arange(len(cos), device=w.device)
        cos[here, start + here] = -torch.inf  # a class is not its own neighbour
        rows.append(cos.topk(k).indices)
    return torch.cat(rows)


class AdaptiveFace(CosFace):
    """L = L_AdaM + λ(1 − (1/C) Σ_j m_j),   L_AdaM = CosFace's loss with m_y in place of m.

    One change from `CosFace`: m is learnt, one a class, in [0, 1]. Cross-entropy pulls every margin down (a
    smaller margin always lowers it), the penalty pushes all of them up equally. With f_j the share of class
    j among the samples and p its mean probability of being right, the two balance where C·f_j·s·(1 − p_j) =
    λ: a class with few samples (small f_j) goes on to a larger margin. λ sets the size of all of them.

    Hard prototype mining: with `hard_prototypes=k` a training step compares the batch with its own classes
    and the k nearest of each, not with all C. `refresh_prototypes()` finds the neighbours anew: call it
    once an epoch, as centres move. `logits` always gives all classes. The paper's third part is
    `AdaptiveSampler`.

    AdaptiveFace (Liu et al., CVPR 2019), sections 3.2 to 3.4. No code was ever published: the paper
    subtracts the mean margin, and the constant added here only makes the penalty start at 0. Margins are
    held in [0, 1] by cutting off after each update, so that one which leaves the range can come back. The
    values of λ, k and the first margin are this package's.

    s   > 0; 30          lambda_m   λ ≥ 0, below s; 5        m   every class's first margin, 0 … 1; 0.35
    hard_prototypes      k, 1 … C − 1, or None: compare with all classes
    """

    def __init__(
        self,
        embedding_dim: int,
        num_classes: int,
        s: float = 30.0,
        m: float = 0.35,
        lambda_m: float = 5.0,
        hard_prototypes: int | None = None,
    ):
        super().__init__(embedding_dim, num_classes, s, m)
        self.margins = nn.Parameter(torch.full((num_classes,), m))
        self.lambda_m = lambda_m
        self.hard_prototypes = hard_prototypes
        if hard_prototypes is not None:
            self.register_buffer("neighbours", nearest_prototypes(self.weight, hard_prototypes))

    def typical_margin(self) -> Tensor:
        return self.margins.detach().double().mean()

    def sample_margin(self, cos: Tensor, norm: Tensor, labels: Tensor) -> Tensor:
        return self.margins[labels].to(cos.dtype)

    def penalty(self, norm: Tensor) -> Tensor:
        return self.lambda_m * (1 - self.margins.to(norm.dtype).mean())

    def observe(self, cos: Tensor, norm: Tensor, labels: Tensor) -> None:
        self.margins.clamp_(0, 1)  # after the optimiser's step, before the next use

    def refresh_prototypes(self) -> None:
        """Find every class's nearest classes anew, from the weights as they are now."""
        if self.hard_prototypes is None:
            raise ValueError("this head compares with all classes: build it with hard_prototypes=k.")
        self.neighbours.copy_(nearest_prototypes(self.weight, self.hard_prototypes))

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        if self.hard_prototypes is None or not self.training:
            return super().forward(embeddings, labels)
        labels = check_batch(embeddings, labels, self.embedding_dim, self.num_classes)
        with full_precision(embeddings):
            with torch.no_grad():
                self.margins.clamp_(0, 1)
            chosen = torch.cat([labels, self.neighbours[labels].flatten()]).unique()  # (c,), sorted
            local = torch.searchsorted(chosen, labels)  # the labels, counted among the chosen
            cos, norm = cosines(embeddings, self.weight[chosen])  # (B, c)
            rows = torch.arange(len(local), device=local.device)
            target = self.target_logit(cos[rows, local], self.sample_margin(cos, norm, labels))
            cos[rows, local] = target
            return F.cross_entropy(self.scaled(cos, norm), local) + self.penalty(norm)
