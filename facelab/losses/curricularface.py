"""CurricularFace: hard negatives count for little at first and for more as training goes on."""

import torch
from torch import Tensor

from facelab.losses.arcface import ArcFace


class CurricularFace(ArcFace):
    """L = −(1/N) Σ log e^{s cos(θ_y + m)} / (e^{s cos(θ_y + m)} + Σ_{j≠y} e^{sN(t, θ_j)}),

        N(t, θ_j) = cos θ_j                     where cos(θ_y + m) ≥ cos θ_j
                    cos θ_j (t + cos θ_j)       where cos(θ_y + m) < cos θ_j
        t ← α·t + (1 − α)·(1/N) Σ_i cos θ_{y_i},   t = 0 at the start

    One change from `MVSoftmax`: the weight t + cos θ_j of a hard negative depends on how hard it is, and on
    t, which follows the network's own progress. While t + cos θ_j < 1 hard negatives are played down (easy
    first), later played up.

    CurricularFace (Huang et al., CVPR 2020), section 3.2. The paper prints the update with α the other way
    round, which with α = 0.99 would be no average at all; its author says that the code is right, and the
    code's is used here. As in the code t is updated before it is used. The code compares cos θ_j with
    cos(θ_y + m) even where the target itself follows the continuation past π − m; here it is compared with
    the target's logit as used.

    s, m    as in ArcFace; alpha  0 … 1, the weight of the past; 0.99
    State: `t`.
    """

    def __init__(
        self, embedding_dim: int, num_classes: int, s: float = 64.0, m: float = 0.5, alpha: float = 0.99
    ):
        super().__init__(embedding_dim, num_classes, s, m)
        if not 0 <= alpha <= 1:
            raise ValueError(f"alpha={alpha}: the weight of the past must lie in 0 … 1.")
        self.alpha = alpha
        self.register_buffer("t", torch.zeros(()))

    def observe(self, cos: Tensor, norm: Tensor, labels: Tensor) -> None:
        target_cos = cos[torch.arange(len(labels), device=labels.device), labels]
        self.t.mul_(self.alpha).add_((1 - self.alpha) * target_cos.mean())

    def hard_logit(self, cos: Tensor) -> Tensor:
        """N of a hard negative."""
        return cos * (self.t + cos)

    def other_logits(self, cos: Tensor, target: Tensor) -> Tensor:
        return torch.where(cos > target.unsqueeze(1), self.hard_logit(cos), cos)
