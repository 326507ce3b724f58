"""Softmax: the loss of every classifier, and the start of the story."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from facelab.losses.head import MarginHead, at_least_float32, check_batch, full_precision


class Softmax(MarginHead):
    """L = −(1/N) Σ log e^{W_yᵀx + b_y} / Σ_j e^{W_jᵀx + b_j},   W_jᵀx = ‖W_j‖‖x‖ cos θ_j.

    Nothing is normalised: a sample may be made right by turning x towards W_y, by lengthening x, by
    lengthening W_y, or by raising b_y. Only the first helps to recognise somebody who was not in the
    training set.

    DeepFace (Taigman et al., CVPR 2014) trained its embedding this way; SphereFace, section 3.1, and
    ArcFace, eq. 1, start from it. Hyper-parameters: bias (True as in the slides).
    """

    def __init__(self, embedding_dim: int, num_classes: int, bias: bool = True):
        super().__init__(embedding_dim, num_classes, s=1.0)
        self.bias = nn.Parameter(torch.zeros(num_classes)) if bias else None

    def logits(self, embeddings: Tensor, labels: Tensor | None = None) -> Tensor:
        check_batch(embeddings, labels, self.embedding_dim, self.num_classes)
        dtype = at_least_float32(embeddings, self.weight)
        bias = None if self.bias is None else self.bias.to(dtype)
        with full_precision(embeddings):
            return F.linear(embeddings.to(dtype), self.weight.to(dtype), bias)

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        labels = check_batch(embeddings, labels, self.embedding_dim, self.num_classes)
        with full_precision(embeddings):
            return F.cross_entropy(self.logits(embeddings), labels)
