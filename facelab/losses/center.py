"""Centre loss: pull every sample to the running centre of its class."""

import torch
from torch import Tensor, nn

from facelab.losses.head import at_least_float32, check_batch, full_precision


class CenterLoss(nn.Module):
    """L_C = ½ ‖x_i − c_{y_i}‖², mean over the batch;   in use L = L_softmax + λ L_C.

        Δc_j = Σ_i [y_i = j](c_j − x_i) / (1 + n_j),   c_j ← c_j − α Δc_j   (n_j samples of class j)

    Softmax keeps classes apart, the centre loss keeps each together. Centres are not learnt by gradient:
    they follow the samples, after each training batch, and the 1 in 1 + n_j keeps a single photo from
    dragging its centre along.

    Wen et al., ECCV 2016, eq. 2 to 4. The paper's eq. 2 is a sum over the batch; the official code divides
    by its size, as here, so that λ (0.003 in the paper) does not depend on the batch. Many
    re-implementations learn the centres by gradient, which moves them by n_j/N of the distance instead of
    n_j/(1 + n_j).

    alpha   0 … 1; 0.5
    State: `centers` (C, D), zero at first.
    """

    def __init__(self, embedding_dim: int, num_classes: int, alpha: float = 0.5):
        super().__init__()
        if not 0 <= alpha <= 1:
            raise ValueError(f"alpha={alpha}: must lie in 0 … 1.")
        self.embedding_dim, self.num_classes, self.alpha = embedding_dim, num_classes, alpha
        self.register_buffer("centers", torch.zeros(num_classes, embedding_dim))

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        """(B, D), (B,) → scalar. In train mode the centres move afterwards."""
        labels = check_batch(embeddings, labels, self.embedding_dim, self.num_classes)
        with full_precision(embeddings):
            x = embeddings.to(at_least_float32(embeddings, self.centers))
            difference = x - self.centers[labels].to(x.dtype)
            loss = difference.square().sum(1).mean() / 2
            if self.training:
                self.follow(difference.detach(), labels)
        return loss

    @torch.no_grad()
    def follow(self, difference: Tensor, labels: Tensor) -> None:
        """Move the centres of the classes in the batch; difference = x − c_y (B, D)."""
        classes, which, n = labels.unique(return_inverse=True, return_counts=True)
        total = difference.new_zeros(len(classes), self.embedding_dim).index_add_(0, which, difference)
        step = self.alpha * total / (1 + n).unsqueeze(1)
        self.centers[classes] += step.to(self.centers.dtype)
