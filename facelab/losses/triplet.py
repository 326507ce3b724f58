"""Triplet loss: nearer to another photo of the same person than to anybody else."""

import torch
from torch import Tensor, nn

from facelab.losses.contrastive import distances
from facelab.losses.head import at_least_float32, check_batch, unit

Triplets = tuple[Tensor, Tensor, Tensor]
"""Indices of anchors, positives and negatives, (T,) each."""


def count_triplets(labels: Tensor) -> int:
    """How many triplets a batch with these labels holds: Σ_c n_c(n_c − 1)(N − n_c).

    Slides: two people with ten photos each make class × anchor × positive × negative = 2·10·9·10 = 1800.
    """
    n = torch.unique(torch.as_tensor(labels), return_counts=True)[1]
    return int((n * (n - 1) * (n.sum() - n)).sum())


def positive_pairs(labels: Tensor) -> tuple[Tensor, Tensor]:
    """All ordered pairs of two samples with one label: anchors (P,), positives (P,)."""
    same = labels.unsqueeze(0) == labels.unsqueeze(1)
    anchors, positives = same.fill_diagonal_(False).nonzero(as_tuple=True)
    return anchors, positives


def all_triplets(labels: Tensor) -> Triplets:
    a, p = positive_pairs(labels)
    pair, n = (labels[a].unsqueeze(1) != labels.unsqueeze(0)).nonzero(as_tuple=True)  # (P, B)
    return a[pair], p[pair], n


def semi_hard_triplets(d2: Tensor, labels: Tensor, margin: float) -> Triplets:
    """For each positive pair the nearest negative with d(a,p) < d(a,n) < d(a,p) + α, if there is one.

    These violate the margin and not the order: harder ones, early in training, pull everything into one
    point.
    """
    a, p = positive_pairs(labels)
    d_p, d_n = d2[a, p].unsqueeze(1), d2[a]  # (P, 1), (P, B)
    fits = (labels[a].unsqueeze(1) != labels.unsqueeze(0)) & (d_n > d_p) & (d_n < d_p + margin)
    n = d_n.masked_fill(~fits, torch.inf).argmin(1) if len(a) else a
    kept = fits.any(1)
    return a[kept], p[kept], n[kept]


def hard_triplets(d2: Tensor, labels: Tensor) -> Triplets:
    """For each anchor its farthest positive and its nearest negative in the batch."""
    same = labels.unsqueeze(0) == labels.unsqueeze(1)
    other = ~same
    same.fill_diagonal_(False)
    a = (same.any(1) & other.any(1)).nonzero().squeeze(1)
    p = d2.masked_fill(~same, -torch.inf).argmax(1)
    n = d2.masked_fill(~other, torch.inf).argmin(1)
    return a, p[a], n[a]


def triplet_kind(d_positive: float, d_negative: float, margin: float) -> str:
    """From squared distances: "easy" (no loss), "semi-hard" (margin violated) or "hard" (order too)."""
    if d_negative <= d_positive:
        return "hard"
    return "semi-hard" if d_negative < d_positive + margin else "easy"


class TripletLoss(nn.Module):
    """L = Σ max(0, ‖f(x_a) − f(x_p)‖² − ‖f(x_a) − f(x_n)‖² + α), mean over the triplets mined.

    mining  "all"        every triplet of the batch, those with no loss included; their number grows as N³
            "semi-hard"  see `semi_hard_triplets`
            "hard"       see `hard_triplets` ("batch hard", Hermans et al., 2017)

    A batch without a triplet (one sample, one class, nothing semi-hard) has loss 0 and gradient 0. Labels
    may be any integers.

    FaceNet (Schroff et al., CVPR 2015), eq. 1 and 2 and section 3.2 (mining). FaceNet picks hard positives
    from batches of thousands too; here every positive pair counts in "semi-hard".

    margin     α > 0; 0.2 (distances are squared: on the unit sphere they lie in [0, 4])
    normalize  bring embeddings to length 1 first, as FaceNet does; True
    """

    def __init__(self, margin: float = 0.2, mining: str = "all", normalize: bool = True):
        super().__init__()
        if mining not in ("all", "hard", "semi-hard"):
            raise ValueError(f"mining={mining!r}: choose 'all', 'hard' or 'semi-hard'.")
        if margin <= 0:
            raise ValueError(
                f"margin={margin}: must be above 0, or a single point for everybody has no loss."
            )
        self.margin, self.mining, self.normalize = margin, mining, normalize

    def squared_distances(self, embeddings: Tensor) -> Tensor:
        if self.normalize:
            embeddings = unit(embeddings.to(at_least_float32(embeddings)))[0]
        return distances(embeddings).square()

    def mine(self, d2: Tensor, labels: Tensor) -> Triplets:
        """Squared distances (B, B), labels (B,) → the triplets that count."""
        if self.mining == "all":
            return all_triplets(labels)
        if self.mining == "hard":
            return hard_triplets(d2.detach(), labels)
        return semi_hard_triplets(d2.detach(), labels, self.margin)

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        """(B, D), (B,) → scalar."""
        labels = check_batch(embeddings, labels, None, None)
        d2 = self.squared_distances(embeddings)
        a, p, n = self.mine(d2, labels)
        return (d2[a, p] - d2[a, n] + self.margin).clamp_min(0).sum() / max(len(a), 1)
