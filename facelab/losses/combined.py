"""One formula that holds SphereFace, ArcFace and CosFace."""

import torch
from torch import Tensor

from facelab.losses.angles import angle
from facelab.losses.arcface import arc_margin
from facelab.losses.head import MarginHead


class CombinedMargin(MarginHead):
    """L = −(1/N) Σ log e^{s(cos(m₁θ_y + m₂) − m₃)} / (e^{s(cos(m₁θ_y + m₂) − m₃)} + Σ_{j≠y} e^{s cos θ_j}).

    (m₁, 0, 0) is SphereFace's margin (with s for ‖x‖ and no annealing), (1, m₂, 0) ArcFace, (1, 0, m₃)
    CosFace.

    ArcFace (Deng et al., CVPR 2019), eq. 4; slides, "general form". The paper does not say what happens
    where φ = m₁θ + m₂ passes π. Each parent's own rule is kept: for m₁ = 1 ArcFace's continuation,
    otherwise SphereFace's (−1)^k cos φ − 2k with k = ⌊φ/π⌋. Both fall to the end.

    m1  > 0, a factor; m2 ≥ 0, radians; m3 ≥ 0, a cosine. The paper also tries (0.9, 0.4, 0.15).
    """

    def __init__(
        self,
        embedding_dim: int,
        num_classes: int,
        s: float = 64.0,
        m1: float = 1.0,
        m2: float = 0.5,
        m3: float = 0.0,
    ):
        super().__init__(embedding_dim, num_classes, s)
        if m1 <= 0 or m2 < 0:
            raise ValueError(f"m1={m1}, m2={m2}: m1 must be above 0 and m2 not below it.")
        self.m1, self.m2, self.m3 = m1, m2, m3

    def target_logit(self, cos: Tensor, margin: float | Tensor) -> Tensor:
        if self.m1 == 1:
            return arc_margin(cos, self.m2) - self.m3
        phi = self.m1 * angle(cos) + self.m2
        k = (phi.detach() / torch.pi).floor()
        return (1 - 2 * (k % 2)) * phi.cos() - 2 * k - self.m3
