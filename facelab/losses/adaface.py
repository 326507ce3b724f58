"""AdaFace: stress hard samples when the image is good, easy ones when it is bad."""

import torch
from torch import Tensor

from facelab.losses.angles import shifted_cosine
from facelab.losses.head import MarginHead


class AdaFace(MarginHead):
    """L = −(1/N) Σ log e^{sT(θ_y)} / (e^{sT(θ_y)} + Σ_{j≠y} e^{s cos θ_j}),   T = cos(θ_y − m·ẑ) − (m + m·ẑ),

        ẑ = clip( (‖x‖ − μ) / (σ/h), −1, 1 ),   μ, σ: running mean and standard deviation of ‖x‖

    One change: the margin's shape follows the quality of the image, read off the feature's length. ẑ = −1
    (bad) is ArcFace, ẑ = 0 CosFace, ẑ = 1 (good) a negative angle with a large subtraction, whose gradient
    grows with θ. Unlike MagFace's, the length is an indicator only: no gradient runs through ẑ, μ or σ.

    θ − mẑ is held within [0, π], as in the official code: for ẑ > 0 the logit is flat on θ < mẑ. "margin"
    in the hooks is ẑ here.

    AdaFace (Kim et al., CVPR 2022), section 3. The official class defaults to t_alpha = 1.0 (each batch on
    its own), its README and the paper to 0.01; here 0.01. The code clips norms to [0.001, 100] first; the
    paper does not and this does not. μ and σ are updated before use and start at 20 and 100, as in the
    code, so ẑ ≈ 0 until they have settled (some 300 steps at 0.01). A batch of one has no standard
    deviation: it updates μ alone.

    s         > 0; 64
    m         0 … 1; 0.4
    h         > 0; 0.333: ẑ reaches ±1 at three standard deviations
    t_alpha   0 … 1, the new batch's weight; 0.01
    State: `batch_mean` (μ), `batch_std` (σ).
    """

    def __init__(
        self,
        embedding_dim: int,
        num_classes: int,
        s: float = 64.0,
        m: float = 0.4,
        h: float = 0.333,
        t_alpha: float = 0.01,
    ):
        super().__init__(embedding_dim, num_classes, s)
        if h <= 0 or not 0 <= t_alpha <= 1:
            raise ValueError(f"h={h}, t_alpha={t_alpha}: h > 0 and 0 ≤ t_alpha ≤ 1 are needed.")
        self.m, self.h, self.t_alpha = m, h, t_alpha
        self.register_buffer("batch_mean", torch.tensor(20.0))
        self.register_buffer("batch_std", torch.tensor(100.0))

    def observe(self, cos: Tensor, norm: Tensor, labels: Tensor) -> None:
        self.batch_mean.lerp_(norm.mean().to(self.batch_mean.dtype), self.t_alpha)
        if len(norm) > 1:
            self.batch_std.lerp_(norm.std().to(self.batch_std.dtype), self.t_alpha)

    @torch.no_grad()
    def quality_of(self, norm: Tensor) -> Tensor:
        """ẑ in [−1, 1] for features of length `norm`."""
        return ((norm - self.batch_mean) * self.h / self.batch_std.clamp_min(1e-3)).clamp(-1, 1)

    def sample_margin(self, cos: Tensor, norm: Tensor, labels: Tensor) -> Tensor:
        return self.quality_of(norm)

    def typical_margin(self) -> float:
        return 0.0

    def target_logit(self, cos: Tensor, margin: float | Tensor) -> Tensor:
        quality = torch.as_tensor(margin, dtype=cos.dtype, device=cos.device)
        turn = -self.m * quality  # what is added to the angle
        shifted = shifted_cosine(cos, turn)
        shifted = torch.where((turn < 0) & (cos > turn.cos()), 1.0, shifted)  # θ + turn < 0
        shifted = torch.where((turn > 0) & (cos < -turn.cos()), -1.0, shifted)  # θ + turn > π
        return shifted - (self.m + self.m * quality)
