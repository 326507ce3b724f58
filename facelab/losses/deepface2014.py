"""DeepFace (2014): the weighted χ² distance between two faces."""

import torch
from torch import Tensor

from facelab.losses.head import at_least_float32


def weighted_chi_squared(f1: Tensor, f2: Tensor, weights: Tensor | None = None) -> Tensor:
    """χ²(f₁, f₂) = Σ_i w_i (f₁[i] − f₂[i])² / (f₁[i] + f₂[i]),   over the last axis: (..., D) → (...).

    DeepFace's features come out of a ReLU: none is negative, and most are 0. A component counts in
    proportion to how much of it there is, as between histograms, and one that is 0 in both counts nothing
    (0/0 is taken as 0). The weights w ≥ 0 were learnt from pairs with a linear SVM; left out, they are 1.

    DeepFace (Taigman et al., CVPR 2014), section 4.1. Raises ValueError for negative features.
    """
    dtype = at_least_float32(f1, f2)
    f1, f2 = f1.to(dtype), f2.to(dtype)
    if f1.numel() and f2.numel() and min(f1.min(), f2.min()) < 0:
        raise ValueError("χ² compares amounts: features must not be negative (DeepFace's come from a ReLU).")
    total = f1 + f2
    terms = (f1 - f2).square() / total.masked_fill(total == 0, torch.inf)
    return (terms if weights is None else terms * weights.to(dtype)).sum(-1)
