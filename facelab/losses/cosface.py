"""CosFace: the margin is subtracted from the cosine."""

from torch import Tensor

from facelab.losses.head import MarginHead


def cos_margin(cos: Tensor, m: float | Tensor) -> Tensor:
    """cos θ − m: the same curve, m lower, falling everywhere, nothing to go wrong."""
    return cos - m


class CosFace(MarginHead):
    """L = −(1/N) Σ log e^{s(cos θ_y − m)} / (e^{s(cos θ_y − m)} + Σ_{j≠y} e^{s cos θ_j}).

    Two changes from `SphereFace`: the feature is normalised too, and s takes the place of ‖x‖; and the
    margin is a constant in the cosine. It is the easiest of all margins to train, since its slope is 1 at
    every angle.

    CosFace (Wang et al., CVPR 2018), eq. 4; the same loss is AM-Softmax (Wang et al., 2018).

    s   > 0; 64
    m   ≥ 0; 0.35 (insightface's code has 0.40). At most 1 − cos(2π/C) is feasible in 2-D (`max_margin_2d`),
        C/(C − 1) in high dimensions.
    """

    def __init__(self, embedding_dim: int, num_classes: int, s: float = 64.0, m: float = 0.35):
        super().__init__(embedding_dim, num_classes, s)
        self.m = m

    def target_logit(self, cos: Tensor, margin: float | Tensor) -> Tensor:
        return cos_margin(cos, margin)
