"""A teacher's vectors as the lesson: the student must give the same numbers.

No labels are needed, and no classes: each photo brings as many targets as the vector has numbers, where a
label brings one. That is why a few thousand photos go so far (notebook 10).
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Distil(nn.Module):
    """L = 1 − cos(x, t)  +  relation · mean over pairs of (cos(x_i, x_j) − cos(t_i, t_j))²

    The first term is about each vector by itself (FitNets' "hints", Romero et al., ICLR 2015, on the unit
    sphere). The second is about all pairs of the batch, and these are what verification compares (relational
    distillation: Park et al., CVPR 2019; Tung and Mori, ICCV 2019).

    relation  ≥ 0; 5
    """

    def __init__(self, relation: float = 5.0):
        super().__init__()
        self.relation = relation

    def forward(self, embeddings: Tensor, teacher: Tensor) -> Tensor:
        """(B, D) and the teacher's (B, D) of unit norm → a scalar. Raises ValueError when D differs."""
        if embeddings.shape != teacher.shape:
            raise ValueError(
                f"the student gives {embeddings.shape[1]} numbers and the teacher {teacher.shape[1]}: they "
                "must be as many. Set the recipe's dim to the teacher's."
            )
        with torch.autocast(embeddings.device.type, enabled=False):
            x, t = F.normalize(embeddings.float()), teacher.float()
            alone = 1 - (x * t).sum(1).mean()
            return alone + self.relation * (x @ x.T - t @ t.T).square().mean()
