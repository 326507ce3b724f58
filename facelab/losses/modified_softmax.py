"""Modified softmax: ‖W_j‖ = 1 and b = 0, so that the angle alone decides."""

from torch import Tensor

from facelab.losses.head import MarginHead


class ModifiedSoftmax(MarginHead):
    """L = −(1/N) Σ log e^{‖x‖cos θ_y} / Σ_j e^{‖x‖cos θ_j}.

    One change from `Softmax`: weights are normalised and there is no bias, so the border between two
    classes is the bisector of their angle. The feature keeps its length: ‖x‖ is each sample's own scale,
    and a network can still lower the loss of a sample that it has right by making x longer.

    SphereFace (Liu et al., CVPR 2017), section 3.1. No hyper-parameters.
    """

    def __init__(self, embedding_dim: int, num_classes: int):
        super().__init__(embedding_dim, num_classes, s=1.0)

    def scaled(self, logits: Tensor, norm: Tensor) -> Tensor:
        return logits * norm.unsqueeze(1)
