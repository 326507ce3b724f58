"""AdaCos: no margin, and a scale that needs no tuning."""

import math

import torch
from torch import Tensor

from facelab.losses.head import MarginHead


def fixed_scale(num_classes: int) -> float:
    """s = √2 · ln(C − 1): 14.579 for C − 1 = 30000, 11.323 for C − 1 = 3000. AdaCos, section 4.1.

    Raises ValueError for C < 3."""
    if num_classes < 3:
        raise ValueError(
            f"num_classes={num_classes}: AdaCos needs 3 or more, since √2·ln(C − 1) must be above 0."
        )
    return math.sqrt(2) * math.log(num_classes - 1)


def probabilities(cosines, s: float) -> Tensor:
    """softmax(s · cosines) over the last axis, float64: what the scale does to one row of cosines."""
    return torch.softmax(s * torch.as_tensor(cosines, dtype=torch.float64), dim=-1)


def target_probability(theta, s: float, others: float) -> Tensor:
    """P = e^{s cos θ} / (e^{s cos θ} + B) at the angles θ (radians), with `others` B = Σ_{j≠y} e^{s cos θ_j}.

    AdaCos, section 3. With other angles near π/2, as they are observed to stay, B ≈ C − 1.
    """
    e = torch.exp(s * torch.as_tensor(theta, dtype=torch.float64).cos())
    return e / (e + others)


class AdaCos(MarginHead):
    """L = −(1/N) Σ log e^{s cos θ_y} / Σ_j e^{s cos θ_j}, with s chosen from the data.

    One change from the plain normalised softmax: s is set so that P(θ) is steepest where the samples are.
    Too small an s and P never nears 1, even at θ = 0; too large and P is 1 although the angle is wide.

        fixed      s = √2 ln(C − 1), for samples at π/4 and others at π/2
        dynamic    s ← ln B_avg / cos(min(π/4, θ_med)),   B_avg = (1/N) Σ_i Σ_{j≠y_i} e^{s cos θ_ij} with the
                   last step's s, θ_med the median of the batch's θ_y; it starts from the fixed one

    AdaCos (Zhang et al., CVPR 2019), sections 4.1 (fixed) and 4.2 (dynamic); there is no official code. The
    paper leaves out what to do should ln B_avg fall to 0 or below, which can happen with a handful of
    classes: s is kept for that step.

    dynamic     True or False. C ≥ 3.
    State: `s`.
    """

    def __init__(self, embedding_dim: int, num_classes: int, dynamic: bool = True):
        s = fixed_scale(num_classes)
        super().__init__(embedding_dim, num_classes, s)
        del self.s
        self.register_buffer("s", torch.tensor(s))
        self.dynamic = dynamic

    def observe(self, cos: Tensor, norm: Tensor, labels: Tensor) -> None:
        if not self.dynamic:
            return
        at_target = torch.arange(len(labels), device=labels.device), labels
        theta = cos[at_target].clamp(-1, 1).acos()
        others = self.s * cos
        others[at_target] = -torch.inf
        log_b = others.flatten().logsumexp(0) - math.log(len(labels))
        s = log_b / theta.median().clamp_max(math.pi / 4).cos()
        # A new tensor: the one of an earlier forward may still wait for its backward.
        self.s = torch.where(log_b > 0, s, self.s).to(self.s.dtype)
