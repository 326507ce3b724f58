"""ArcFace: the margin is added to the angle."""

import torch
from torch import Tensor

from facelab.losses.angles import cos_sin, shifted_cosine
from facelab.losses.head import MarginHead


def arc_margin(
    cos: Tensor, m: float | Tensor, easy_margin: bool = False, continuation: bool = True
) -> Tensor:
    """cos(θ + m), and what to do where θ + m passes π and the cosine turns round and rises.

    continuation    past θ > π − m go on with cos θ − m sin m: it falls to the end, with a step down at π − m.
                    Without it a sample on the far side is rewarded for moving still further away.
    easy_margin     a margin only for θ < π/2, plain cos θ beyond. Not monotonic either: at π/2 it jumps
                    up by sin m, so a sample at 91° has a higher logit than one at 89°.
    """
    shifted = shifted_cosine(cos, m)
    if easy_margin:
        return torch.where(cos > 0, shifted, cos)
    if continuation:
        cos_m, sin_m = cos_sin(m)
        return torch.where(cos > -cos_m, shifted, cos - m * sin_m)  # cos(π − m) = −cos m
    return shifted


class ArcFace(MarginHead):
    """L = −(1/N) Σ log e^{s cos(θ_y + m)} / (e^{s cos(θ_y + m)} + Σ_{j≠y} e^{s cos θ_j}).

    One change from `CosFace`: m is an angle, so the gap between classes is the same arc everywhere on the
    sphere.

    ArcFace (Deng et al., CVPR 2019), eq. 3. The continuation is in the official code, not in the paper.

    s               > 0; 64
    m               0 … π/2 radians; 0.5 (28.6°). In 2-D at most 2π/C (`max_margin_2d`).
    easy_margin     see `arc_margin`; False
    continuation    see `arc_margin`; False gives the naive cos(θ + m), for the lesson only
    gradient        "exact": ∂T/∂cos θ = sin(θ + m)/sin θ, what the formula says, and the default;
                    "detached": the value of cos(θ + m) with the gradient of cos θ, so ∂T/∂cos θ = 1. The
                    widely used implementation computes the angle without gradient, which amounts to this:
                    its loss is ArcFace's, its gradient CosFace's with a margin that depends on θ. The exact
                    one pulls harder on small angles (5.7 times at θ = 0.1) and not at all where θ + m = π.
    """

    def __init__(
        self,
        embedding_dim: int,
        num_classes: int,
        s: float = 64.0,
        m: float = 0.5,
        easy_margin: bool = False,
        continuation: bool = True,
        gradient: str = "exact",
    ):
        super().__init__(embedding_dim, num_classes, s)
        if gradient not in ("exact", "detached"):
            raise ValueError(f"gradient={gradient!r}: choose 'exact' or 'detached'.")
        self.m = m
        self.easy_margin, self.continuation, self.gradient = easy_margin, continuation, gradient

    def target_logit(self, cos: Tensor, margin: float | Tensor) -> Tensor:
        value = arc_margin(cos, margin, self.easy_margin, self.continuation)
        if self.gradient == "detached":
            return cos + (value - cos).detach()
        return value
