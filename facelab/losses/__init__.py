"""Losses, in the order in which they were thought of; each file is one change from the one before.

Pairs and triplets            contrastive, deepface2014, deepid2, triplet, center
Classes, then angles          softmax, modified_softmax, sphereface, cosface, arcface, combined (and feasible)
What came after ArcFace       adacos (scale), adaptiveface and adaptive_sampling (margin by class, hard
                              classes, hard samples), mvsoftmax and curricularface (hard negatives),
                              groupface (architecture), subcenter (weights), magface (margin by length),
                              elasticface (random margin), adaface (margin by quality)

`head` says what they share, `angles` how a cosine is turned without a NaN. Losses take raw embeddings: what
has to be normalised is normalised inside.
"""

from facelab.losses.adacos import AdaCos, fixed_scale, probabilities, target_probability
from facelab.losses.adaface import AdaFace
from facelab.losses.adaptive_sampling import AdaptiveSampler
from facelab.losses.adaptiveface import AdaptiveFace, nearest_prototypes
from facelab.losses.arcface import ArcFace
from facelab.losses.center import CenterLoss
from facelab.losses.combined import CombinedMargin
from facelab.losses.contrastive import ContrastiveLoss
from facelab.losses.cosface import CosFace
from facelab.losses.curricularface import CurricularFace
from facelab.losses.deepface2014 import weighted_chi_squared
from facelab.losses.deepid2 import DeepID2
from facelab.losses.elasticface import ElasticFace
from facelab.losses.feasible import max_margin_2d
from facelab.losses.groupface import GroupFace
from facelab.losses.head import MarginHead
from facelab.losses.magface import MagFace
from facelab.losses.modified_softmax import ModifiedSoftmax
from facelab.losses.mvsoftmax import MVSoftmax
from facelab.losses.softmax import Softmax
from facelab.losses.sphereface import SphereFace
from facelab.losses.subcenter import SubCenterArcFace
from facelab.losses.triplet import TripletLoss, count_triplets, triplet_kind

HEADS: dict[str, type[MarginHead]] = {
    head.__name__: head
    for head in (
        Softmax,
        ModifiedSoftmax,
        SphereFace,
        CosFace,
        ArcFace,
        CombinedMargin,
        AdaCos,
        AdaptiveFace,
        MVSoftmax,
        CurricularFace,
        GroupFace,
        SubCenterArcFace,
        MagFace,
        ElasticFace,
        AdaFace,
    )
}
"""Every head that is built as Head(embedding_dim, num_classes, …), in the order of history."""

__all__ = [
    "HEADS",
    "AdaCos",
    "AdaFace",
    "AdaptiveFace",
    "AdaptiveSampler",
    "ArcFace",
    "CenterLoss",
    "CombinedMargin",
    "ContrastiveLoss",
    "CosFace",
    "CurricularFace",
    "DeepID2",
    "ElasticFace",
    "GroupFace",
    "MVSoftmax",
    "MagFace",
    "MarginHead",
    "ModifiedSoftmax",
    "Softmax",
    "SphereFace",
    "SubCenterArcFace",
    "TripletLoss",
    "count_triplets",
    "fixed_scale",
    "max_margin_2d",
    "nearest_prototypes",
    "probabilities",
    "target_probability",
    "triplet_kind",
    "weighted_chi_squared",
]
