"""ElasticFace: the margin is drawn anew for every sample."""

import torch
from torch import Tensor

from facelab.losses.arcface import arc_margin
from facelab.losses.cosface import cos_margin
from facelab.losses.head import MarginHead

MARGINS = {"arc": (arc_margin, 0.5), "cos": (cos_margin, 0.35)}


class ElasticFace(MarginHead):
    """ArcFace's or CosFace's loss with a margin E_i ~ N(m, σ) for each sample of each step.

    One change from its parent: classes differ in how much they vary, and no single m fits all; a random one
    leaves room. `plus=True` (ElasticFace+) hands out the same draws in order: the largest margin to the
    smallest cos θ_y of the batch.

    ElasticFace (Boutros et al., CVPRW 2022), section III. For "+" the official code indexes the sorted
    margins with the argsort of the cosines, where the inverse permutation is needed, so its margins are as
    good as random; here the order is the paper's. The official classes also default to σ = 0.0125, and lack
    ArcFace's continuation past π − m, which is kept here.

    kind    "arc": m = 0.5, "cos": m = 0.35        s   > 0; 64
    m       the mean; sigma  ≥ 0; 0.05             plus  False
    In eval mode every margin is m. Draws come from torch's generator of the embeddings' device
    (`torch.manual_seed`).
    """

    def __init__(
        self,
        embedding_dim: int,
        num_classes: int,
        s: float = 64.0,
        m: float | None = None,
        sigma: float = 0.05,
        kind: str = "arc",
        plus: bool = False,
    ):
        super().__init__(embedding_dim, num_classes, s)
        if kind not in MARGINS:
            raise ValueError(f"kind={kind!r}: choose 'arc' or 'cos'.")
        if sigma < 0:
            raise ValueError(f"sigma={sigma}: a standard deviation is not negative.")
        self.margin, usual = MARGINS[kind]
        self.m = usual if m is None else m
        self.sigma, self.kind, self.plus = sigma, kind, plus

    @torch.no_grad()
    def sample_margin(self, cos: Tensor, norm: Tensor, labels: Tensor) -> float | Tensor:
        if not self.training:
            return self.m
        margin = self.m + self.sigma * torch.randn_like(cos)
        if self.plus:
            hardest_first = cos.argsort()
            margin[hardest_first] = margin.sort(descending=True).values
        return margin

    def target_logit(self, cos: Tensor, margin: float | Tensor) -> Tensor:
        return self.margin(cos, margin)
