"""The head that every angular loss is a small change of.

    cos θ_j = Wⱼᵀx / (‖Wⱼ‖‖x‖)  →  the target's cosine gets a margin  →  times s  →  softmax cross-entropy

        L = −(1/N) Σ_i log  e^{s·T(θ_y)} / (e^{s·T(θ_y)} + Σ_{j≠y} e^{s·N(θ_j)})

T is the target logit, N the logit of everybody else; plain cosines where no loss changes them. A loss is a
subclass that overrides one of the hooks below, and the papers differ in nothing more:

    target_logit    T(cos θ, margin)            SphereFace, CosFace, ArcFace, CombinedMargin
    sample_margin   one margin a sample         AdaptiveFace, MagFace, ElasticFace, AdaFace
    other_logits    N(cos θ_j)                  MVSoftmax, CurricularFace
    scaled          times s, or times ‖x‖       ModifiedSoftmax, SphereFace
    cosine          how alike x and class j are SubCenterArcFace
    penalty         a term beside cross-entropy AdaptiveFace, MagFace
    observe         state that evolves          SphereFace, AdaCos, CurricularFace, AdaFace

Precision: cosines, margins and the loss are computed in float32 (float64 where embeddings or weights are),
whatever autocast or half-precision inputs say. bfloat16 has 8 bits: at θ < 0.06 rad every cosine is 1, and
s = 64 multiplies what is left of the differences.

Memory: one (B, C) tensor holds cosines, margins and scaled logits in turn; only the target's column is
touched.
"""

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F


def at_least_float32(*tensors: Tensor) -> torch.dtype:
    """The widest dtype among the tensors, float32 at least."""
    dtype = torch.float32
    for tensor in tensors:
        dtype = torch.promote_types(dtype, tensor.dtype)
    return dtype


def full_precision(tensor: Tensor) -> torch.autocast:
    """A block in which autocast leaves float32 alone."""
    return torch.autocast(tensor.device.type, enabled=False)


class _UnitRows(torch.autograd.Function):
    """x ↦ x̂ = x/‖x‖ for each row, with the gradient (g − x̂(x̂·g))/‖x‖ written out.

    Autograd's own way through norm and division needs three more tensors of the size of x. With a million
    classes each of them is 2 GB.
    """

    @staticmethod
    def forward(ctx, x: Tensor, norm: Tensor) -> Tensor:
        inverse = 1 / norm.masked_fill(norm == 0, torch.inf).unsqueeze(-1)  # (..., 1); 0 for a zero row
        unit_rows = x * inverse
        ctx.save_for_backward(unit_rows, inverse)
        return unit_rows

    @staticmethod
    @once_differentiable
    def backward(ctx, g: Tensor) -> tuple[Tensor, None]:
        unit_rows, inverse = ctx.saved_tensors
        along = torch.linalg.vecdot(unit_rows, g).unsqueeze(-1)
        return torch.addcmul(g, unit_rows, along, value=-1).mul_(inverse), None


def unit(vectors: Tensor) -> tuple[Tensor, Tensor]:
    """(..., D) → the same rows at length 1, and their norms (...).

    A zero row has no direction: it stays zero, and so is its gradient (dividing by max(‖x‖, ε), as is usual,
    would make that g/ε, with ε = 10⁻¹²).
    """
    norm = vectors.norm(dim=-1)
    return _UnitRows.apply(vectors, norm.detach()), norm


def cosines(embeddings: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """(B, D) and (C, D) → cos θ (B, C) and ‖x‖ (B,), in float32 or better."""
    dtype = at_least_float32(embeddings, weight)
    x, norm = unit(embeddings.to(dtype))
    w, _ = unit(weight.to(dtype))
    return F.linear(x, w), norm


def check_batch(
    embeddings: Tensor, labels: Tensor | None, embedding_dim: int | None, num_classes: int | None
) -> Tensor | None:
    """Raise ValueError unless embeddings are (B, embedding_dim), B > 0, and labels (B,) below num_classes.

    Returns the labels as int64. A label out of range must be caught here: on a GPU it would stop the
    process later, in a place that says nothing about labels.
    """
    if not embeddings.is_floating_point() or embeddings.ndim != 2 or 0 in embeddings.shape:
        raise ValueError(
            "embeddings must be floats of shape (B, D) with B > 0; "
            f"got {embeddings.dtype} {tuple(embeddings.shape)}."
        )
    if embedding_dim is not None and embeddings.shape[1] != embedding_dim:
        raise ValueError(
            f"embeddings have {embeddings.shape[1]} dimensions; this loss was built for {embedding_dim}."
        )
    if labels is None:
        return None
    if labels.is_floating_point() or labels.dtype == torch.bool or labels.shape != embeddings.shape[:1]:
        raise ValueError(
            f"labels must be integers of shape ({embeddings.shape[0]},), one a row of embeddings; "
            f"got {labels.dtype} {tuple(labels.shape)}."
        )
    if num_classes is not None:
        low, high = (int(end) for end in torch.aminmax(labels))
        if low < 0 or high >= num_classes:
            raise ValueError(f"labels must lie in 0 … {num_classes - 1}; got {low} … {high}.")
    return labels.long()


class MarginHead(nn.Module):
    """Base of all heads; by itself the softmax of s·cos θ, without a margin (NormFace).

    embedding_dim   D, the length of an embedding
    num_classes     C, the number of identities
    s               scale, > 0: cosines lie in [−1, 1], too close together for a softmax

    `weight` (C, D) holds one vector a class, the class's centre; it starts on the unit sphere, so that a
    learning rate means the same in 2 and in 512 dimensions.

    head(embeddings, labels)          → the loss, a scalar: mean over the batch
    head.logits(embeddings, labels)   → (B, C), scaled; margin applied if labels are given. No state changes.
    head.target_curve(theta)          → T(θ), before scaling: what the head itself applies, for plots

    Raises ValueError for wrong shapes and for labels out of range.
    """

    m: float | Tensor = 0.0

    def __init__(self, embedding_dim: int, num_classes: int, s: float = 64.0):
        super().__init__()
        if embedding_dim < 1 or num_classes < 1:
            raise ValueError(
                f"embedding_dim={embedding_dim} and num_classes={num_classes} must both be 1 or more."
            )
        if not s > 0:
            raise ValueError(f"s={s}: the scale must be above 0.")
        self.embedding_dim = embedding_dim
        self.num_classes = num_classes
        self.s = s
        self.weight = nn.Parameter(unit(torch.randn(num_classes, embedding_dim))[0])

    # The hooks

    def cosine(self, embeddings: Tensor) -> tuple[Tensor, Tensor]:
        """cos θ (B, C) between each embedding and each class, and the norms ‖x‖ (B,)."""
        return cosines(embeddings, self.weight)

    def sample_margin(self, cos: Tensor, norm: Tensor, labels: Tensor) -> float | Tensor:
        """The margin of each sample: one number, or (B,). `cos` (B,) is the target's cosine."""
        return self.m

    def target_logit(self, cos: Tensor, margin: float | Tensor) -> Tensor:
        """T: the target's cosine (B,) → its logit before scaling (B,)."""
        return cos

    def other_logits(self, cos: Tensor, target: Tensor) -> Tensor:
        """N: all cosines (B, C), given the target logits (B,). The target's column is replaced later."""
        return cos

    def scaled(self, logits: Tensor, norm: Tensor) -> Tensor:
        return logits.mul_(self.s)

    def penalty(self, norm: Tensor) -> Tensor | float:
        """What is added to the cross-entropy."""
        return 0.0

    def observe(self, cos: Tensor, norm: Tensor, labels: Tensor) -> None:
        """Update the buffers from a training batch, before the margin is applied. No gradient."""

    def typical_margin(self) -> float | Tensor:
        """The margin that `target_curve` draws when it is told none."""
        return self.m

    # What all heads share

    def target_curve(self, theta: Tensor | float, margin: float | Tensor | None = None) -> Tensor:
        """T at the angles θ (radians, 0 … π; number, array or tensor): float64, shaped alike, before scaling.

        `margin` is what `sample_margin` gives a sample; left out, a typical one is taken.
        """
        theta = torch.as_tensor(theta, dtype=torch.float64)
        return self.target_logit(theta.cos(), self.typical_margin() if margin is None else margin)

    def margin_logits(self, cos: Tensor, norm: Tensor, labels: Tensor | None) -> Tensor:
        """cos θ (B, C) → scaled logits (B, C). `cos` is overwritten."""
        if labels is not None:
            at_target = torch.arange(len(labels), device=labels.device), labels
            target_cos = cos[at_target]  # (B,)
            target = self.target_logit(target_cos, self.sample_margin(target_cos, norm, labels))
            cos = self.other_logits(cos, target)
            cos[at_target] = target.to(cos.dtype)
        return self.scaled(cos, norm)

    def logits(self, embeddings: Tensor, labels: Tensor | None = None) -> Tensor:
        labels = check_batch(embeddings, labels, self.embedding_dim, self.num_classes)
        with full_precision(embeddings):
            return self.margin_logits(*self.cosine(embeddings), labels)

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        labels = check_batch(embeddings, labels, self.embedding_dim, self.num_classes)
        with full_precision(embeddings):
            cos, norm = self.cosine(embeddings)
            if self.training:
                with torch.no_grad():
                    self.observe(cos, norm, labels)
            return F.cross_entropy(self.margin_logits(cos, norm, labels), labels) + self.penalty(norm)

    def _apply(self, fn, recurse=True):
        # `.half()` and `.bfloat16()` would also round the running statistics, and a running mean that moves
        # by 1 % a step stands still in 8 bits. Buffers change device with everything else, and keep their
        # precision.
        before = dict(self._buffers)
        super()._apply(fn, recurse)
        for name, buffer in before.items():
            if buffer is not None and self._buffers[name].dtype != buffer.dtype:
                dtype = at_least_float32(self._buffers[name])
                self._buffers[name] = buffer.to(device=self._buffers[name].device, dtype=dtype)
        return self

    def extra_repr(self) -> str:
        return f"{self.embedding_dim}, {self.num_classes}, s={float(self.s):.4g}"
