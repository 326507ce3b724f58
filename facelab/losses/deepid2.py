"""DeepID2: identification and verification in one loss."""

from torch import Tensor

from facelab.losses.contrastive import ContrastiveLoss
from facelab.losses.softmax import Softmax


class DeepID2(Softmax):
    """L = L_ident + λ L_verif:   softmax over the identities + λ · contrastive loss over the pairs.

    Identification spreads people apart, verification draws the photos of one together. DeepID2 takes both
    from the same features, which is where metric learning and classification meet.

    DeepID2 (Sun et al., NIPS 2014), eq. 1 to 3. The paper draws random pairs; here all pairs of the batch
    count. It learns the margin by search every few epochs; here it is given.

    margin     m > 0 of the pairs of two people; 1        lambda_v   λ ≥ 0; 0.05
    """

    def __init__(self, embedding_dim: int, num_classes: int, margin: float = 1.0, lambda_v: float = 0.05):
        super().__init__(embedding_dim, num_classes)
        self.lambda_v = lambda_v
        self.verification = ContrastiveLoss(margin)

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        return super().forward(embeddings, labels) + self.lambda_v * self.verification(embeddings, labels)
