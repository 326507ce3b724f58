"""Sines, angles and shifted cosines, from a cosine alone, safe at cos θ = ±1.

A network never hands us θ: it hands us c = cos θ, a dot product of two unit vectors, and rounding may make
that 1.0000001. Two things break there. sqrt(1 − c²) and acos(c) become NaN; and their slopes, −c/sin θ and
−1/sin θ, are infinite at θ = 0 and π. Clamping c to ±(1 − ε) cures both by cutting the gradient: it is
silently 0 at the clamp.

Here the value and the slope are treated apart. The value is exact (only 1 − c² < 0 is lifted to 0). The
slope divides by max(sin θ, σ) with σ = sqrt(4·eps), 0.0007 in float32 and 3·10⁻⁸ in float64: within σ
radians of θ = 0 and π the gradient with respect to c is that of θ ≈ σ, large but finite, and never cut to
0. (With respect to the embedding the gradient vanishes at θ = 0 in any case, since ∂c/∂x has length sin
θ/‖x‖.)
"""

import math

import torch
from torch import Tensor


def _sine_and_floor(cos: Tensor) -> tuple[Tensor, float]:
    """sin θ without gradient, and the smallest sine that a slope may be divided by."""
    cos = cos.detach()
    return ((1 - cos) * (1 + cos)).clamp_min(0).sqrt(), math.sqrt(4 * torch.finfo(cos.dtype).eps)


def sine(cos: Tensor) -> Tensor:
    """sin θ for θ in [0, π], shape of `cos`. d sin/dc = −c / max(sin θ, σ)."""
    value, floor = _sine_and_floor(cos)
    slope = -cos.detach() / value.clamp_min(floor)
    return value + slope * (cos - cos.detach())  # the bracket is 0: it carries the gradient only


def angle(cos: Tensor) -> Tensor:
    """θ in [0, π], radians, shape of `cos`. dθ/dc = −1 / max(sin θ, σ)."""
    value, floor = _sine_and_floor(cos)
    slope = -1 / value.clamp_min(floor)
    return torch.atan2(value, cos.detach()) + slope * (cos - cos.detach())


def cos_sin(m: float | Tensor) -> tuple[float | Tensor, float | Tensor]:
    """cos m and sin m of a number, or of a tensor with one margin a sample."""
    if isinstance(m, Tensor):
        return m.cos(), m.sin()
    return math.cos(m), math.sin(m)


def shifted_cosine(cos: Tensor, m: float | Tensor) -> Tensor:
    """cos(θ + m) = cos θ cos m − sin θ sin m. Where θ + m passes π the cosine rises again."""
    cos_m, sin_m = cos_sin(m)
    return cos * cos_m - sine(cos) * sin_m
