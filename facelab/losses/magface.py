"""MagFace: the length of the feature says how recognisable the face is."""

from torch import Tensor

from facelab.losses.arcface import ArcFace


class MagFace(ArcFace):
    """L = ArcFace's loss with m(a_i) in place of m, + λ_g (1/N) Σ g(a_i),   a = ‖x‖ held in [l_a, u_a],

        m(a) = l_m + (a − l_a)(u_m − l_m)/(u_a − l_a)          grows with a
        g(a) = a/u_a² + 1/a                                    falls as a grows, on all of [l_a, u_a]

    One change from `ArcFace`: m depends on the feature's length, and the gradient runs through it. A longer
    feature costs a larger margin and gains a smaller g. A sample near its centre hardly feels the margin,
    so it grows long; a blurred one cannot pay and stays short. After training ‖x‖ is a measure of quality.

    It has an optimum inside the range only if λ_g ≥ s·K·u_a²l_a²/(u_a² − l_a²), K = (u_m − l_m)/(u_a −
    l_a): `lambda_g_bound`, 22.6 with the default values. Outside [l_a, u_a] the length has no gradient at
    all (both m and g take the clamped a), so choose the range to hold the norms that the backbone really
    produces.

    MagFace (Meng et al., CVPR 2021), section 3.2 and its supplement (the bound). The official trainer
    defaults to λ_g = 20, below the bound; its run script uses 35, as here. Its head also has the easy
    margin on, which the paper does not mention: here ArcFace's continuation is used.

    s   > 0; 64      l_a < u_a, > 0; 10, 110      l_m ≤ u_m, radians; 0.45, 0.8      lambda_g  ≥ the bound; 35
    """

    def __init__(
        self,
        embedding_dim: int,
        num_classes: int,
        s: float = 64.0,
        l_m: float = 0.45,
        u_m: float = 0.8,
        l_a: float = 10.0,
        u_a: float = 110.0,
        lambda_g: float = 35.0,
    ):
        super().__init__(embedding_dim, num_classes, s, m=(l_m + u_m) / 2)
        if not 0 < l_a < u_a or l_m > u_m:
            raise ValueError(
                f"l_a={l_a}, u_a={u_a}, l_m={l_m}, u_m={u_m}: 0 < l_a < u_a and l_m ≤ u_m are needed."
            )
        self.l_m, self.u_m, self.l_a, self.u_a, self.lambda_g = l_m, u_m, l_a, u_a, lambda_g

    @property
    def lambda_g_bound(self) -> float:
        """The smallest λ_g for which an optimal length exists."""
        slope = (self.u_m - self.l_m) / (self.u_a - self.l_a)
        return self.s * slope * self.u_a**2 * self.l_a**2 / (self.u_a**2 - self.l_a**2)

    def margin_of(self, norm: Tensor) -> Tensor:
        """m(a), radians, for features of length `norm`."""
        a = norm.clamp(self.l_a, self.u_a)
        return self.l_m + (a - self.l_a) * (self.u_m - self.l_m) / (self.u_a - self.l_a)

    def g(self, norm: Tensor) -> Tensor:
        """g(a) for features of length `norm`."""
        a = norm.clamp(self.l_a, self.u_a)
        return a / self.u_a**2 + 1 / a

    def sample_margin(self, cos: Tensor, norm: Tensor, labels: Tensor) -> Tensor:
        return self.margin_of(norm)

    def penalty(self, norm: Tensor) -> Tensor:
        return self.lambda_g * self.g(norm).mean()
