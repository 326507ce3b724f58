"""Contrastive loss: pull pairs of one person together, push pairs of two people apart."""

import torch
from torch import Tensor, nn

from facelab.losses.head import at_least_float32, check_batch, full_precision, unit


def distances(embeddings: Tensor) -> Tensor:
    """(B, D) → Euclidean distances (B, B), float32 or better. At distance 0 the gradient is 0.

    They are summed from differences: ‖a‖² + ‖b‖² − 2aᵀb would lose small distances to rounding.
    """
    with full_precision(embeddings):
        x = embeddings.to(at_least_float32(embeddings))
        return torch.cdist(x, x, compute_mode="donot_use_mm_for_euclid_dist")


def pair_loss(distance: Tensor, same: Tensor, margin: float) -> Tensor:
    """½ d² where `same`, ½ max(0, m − d)² elsewhere; any shape."""
    return torch.where(same, distance.square(), (margin - distance).clamp_min(0).square()) / 2


class ContrastiveLoss(nn.Module):
    """L = (1 − Y) ½ d² + Y ½ max(0, m − d)²,   d = ‖f(x_i) − f(x_j)‖,   Y = 0: same person, 1: two people.

    Mean over all B(B − 1)/2 pairs of the batch; 0 for a batch of one. Two different people at exactly the
    same point have no direction to part in: their gradient is 0.

    Hadsell, Chopra and LeCun, CVPR 2006, eq. 4. Labels may be any integers.

    margin     m > 0; 1
    normalize  bring embeddings to length 1 first; False. d is then at most 2.
    """

    def __init__(self, margin: float = 1.0, normalize: bool = False):
        super().__init__()
        if margin <= 0:
            raise ValueError(f"margin={margin}: must be above 0.")
        self.margin, self.normalize = margin, normalize

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        """(B, D), (B,) → scalar."""
        labels = check_batch(embeddings, labels, None, None)
        if self.normalize:
            embeddings = unit(embeddings.to(at_least_float32(embeddings)))[0]
        d = distances(embeddings)
        i, j = torch.triu_indices(len(d), len(d), offset=1, device=d.device)
        return pair_loss(d[i, j], labels[i] == labels[j], self.margin).sum() / max(len(i), 1)
