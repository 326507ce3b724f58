"""MV-Softmax: the wrong classes that come too near are made to look nearer still."""

import torch
from torch import Tensor

from facelab.losses.arcface import arc_margin
from facelab.losses.cosface import cos_margin
from facelab.losses.head import MarginHead

MARGINS = {"arc": (arc_margin, 0.5), "am": (cos_margin, 0.35)}


class MVSoftmax(MarginHead):
    """L = −(1/N) Σ log e^{sT(θ_y)} / (e^{sT(θ_y)} + Σ_{j≠y} e^{sN(θ_j)}),

        T         = cos(θ_y + m) (arc) or cos θ_y − m (am)
        N(θ_j) = cos θ_j                        where T ≥ cos θ_j
                 t·cos θ_j + t − 1              where T < cos θ_j, and the sample counts as mis-classified

    One change from `ArcFace` or `CosFace`: the other classes take part. With t = 1 it is that loss; with t
    = 1.2 a hard negative is raised by 0.2·(cos θ_j + 1), the nearer the more. The same t holds for all
    samples from the first step on.

    MV-Softmax (Wang et al., AAAI 2020), section 3 ("adaptive" weights; `adaptive=False` is the "fixed" one,
    cos θ_j + t − 1). The official code's t is the paper's t − 1, 0.2; t here is the paper's. The code also
    switches the easy margin on by default, which the paper does not mention and which makes T jump up at
    π/2; here it is off.

    s      > 0; 32             m   as in ArcFace and CosFace; 0.5 or 0.35 according to kind
    t      ≥ 1; 1.2. Beyond 1.4 training hardly converges, says the paper.
    kind   "arc" or "am"
    """

    def __init__(
        self,
        embedding_dim: int,
        num_classes: int,
        s: float = 32.0,
        m: float | None = None,
        t: float = 1.2,
        kind: str = "arc",
        adaptive: bool = True,
    ):
        super().__init__(embedding_dim, num_classes, s)
        if kind not in MARGINS:
            raise ValueError(f"kind={kind!r}: choose 'arc' or 'am'.")
        if t < 1:
            raise ValueError(f"t={t}: below 1 it would weaken the hard negatives (1 changes nothing).")
        self.margin, usual = MARGINS[kind]
        self.m = usual if m is None else m
        self.t, self.kind, self.adaptive = t, kind, adaptive

    def target_logit(self, cos: Tensor, margin: float | Tensor) -> Tensor:
        return self.margin(cos, margin)

    def hard_logit(self, cos: Tensor) -> Tensor:
        """N of a hard negative."""
        return (self.t * cos if self.adaptive else cos) + (self.t - 1)

    def other_logits(self, cos: Tensor, target: Tensor) -> Tensor:
        return torch.where(cos > target.unsqueeze(1), self.hard_logit(cos), cos)
