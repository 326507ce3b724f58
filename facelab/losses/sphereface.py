"""SphereFace (A-Softmax): the margin multiplies the angle."""

import torch
from torch import Tensor

from facelab.losses.modified_softmax import ModifiedSoftmax


def psi(cos: Tensor, m: int) -> Tensor:
    """ψ(θ) = (−1)^k cos(mθ) − 2k for θ ∈ [kπ/m, (k+1)π/m]: cos(mθ) unfolded, falling to 1 − 2m at π.

    cos(mθ) is a polynomial of degree m in cos θ (Chebyshev's T_m), so nothing is inverted and the slope at
    θ = 0 is exactly m². SphereFace, eq. 7.
    """
    before, cos_m = torch.ones_like(cos), cos  # T_0, T_1
    for _ in range(m - 1):
        before, cos_m = cos_m, 2 * cos * cos_m - before
    theta = cos.detach().clamp(-1, 1).acos()
    k = (theta * m / torch.pi).floor().clamp_max(m - 1)
    return (1 - 2 * (k % 2)) * cos_m - 2 * k


class SphereFace(ModifiedSoftmax):
    """L = −(1/N) Σ log e^{‖x‖T(θ_y)} / (e^{‖x‖T(θ_y)} + Σ_{j≠y} e^{‖x‖cos θ_j}),

        T = (λ cos θ + ψ(θ)) / (1 + λ)

    One change from `ModifiedSoftmax`: the sample must be m times closer to its own class than to any other.
    That cannot be learnt from the start, so the target is eased in: λ = max(λ_min, base / (1 + γ·it)), 893
    at step 1 of the official recipe, 5 from step 1,659 on. At λ = 5 the margin counts for a sixth only; the
    paper's full ψ is λ = 0, which is what `anneal=False` gives.

    SphereFace (Liu et al., CVPR 2017), eq. 7; λ is in the official code (its forward pass counts the step
    first, so the first batch sees it = 1) and, for the older L-Softmax, in Liu et al., ICML 2016, section
    5.1.

    m           whole number ≥ 1; 4 in the paper, with the bounds m ≥ 2 + √3 for two classes, m ≥ 3 for more
    anneal      follow the schedule; base > 0, gamma ≥ 0, lambda_min ≥ 0
    State: `iteration`, the number of training steps seen.
    """

    def __init__(
        self,
        embedding_dim: int,
        num_classes: int,
        m: int = 4,
        anneal: bool = True,
        base: float = 1000.0,
        gamma: float = 0.12,
        lambda_min: float = 5.0,
    ):
        super().__init__(embedding_dim, num_classes)
        if m != int(m) or m < 1:
            raise ValueError(
                f"m={m}: SphereFace multiplies the angle by a whole number ≥ 1; CombinedMargin takes others."
            )
        self.m = int(m)
        self.anneal, self.base, self.gamma, self.lambda_min = anneal, base, gamma, lambda_min
        self.register_buffer("iteration", torch.zeros((), dtype=torch.int64))

    @property
    def lam(self) -> Tensor | float:
        """λ at this step: how much of the plain cosine is still mixed in."""
        if not self.anneal:
            return 0.0
        return (self.base / (1 + self.gamma * self.iteration.double())).clamp_min(self.lambda_min)

    def observe(self, cos: Tensor, norm: Tensor, labels: Tensor) -> None:
        self.iteration += 1

    def target_logit(self, cos: Tensor, margin: float | Tensor) -> Tensor:
        lam = self.lam
        return (lam * cos + psi(cos, int(margin))) / (1 + lam)
