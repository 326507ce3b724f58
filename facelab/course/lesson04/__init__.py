"""Small experiments on the losses after ArcFace: each asks whether an effect that a paper claims can be seen.

Every experiment is one function of a seed. It trains one or a few small networks for seconds and returns
plain numbers by name; `over_seeds` runs it several times and `table` prints mean and single runs, so that
nobody mistakes luck for an effect. Where a claim is about an outcome, a control is trained beside it that
differs in the one thing the loss changes.

The data are real: scikit-learn's handwritten digits (8 × 8 pixels), and the face vectors of `lfw_templates`.
What is wrong with them is made here, and is known for that reason: blur and noise (`degrade`), labels that
are false (`mislabel`), classes of different size.

The papers trained on millions of photos for days. What shows here in seconds is the mechanism; what does not
show here may still be true there.
"""

from facelab.course.lesson04.common import (
    DIM,
    RATE,
    SEEDS,
    accuracy,
    degrade,
    digits,
    faces,
    lengths,
    mislabel,
    over_seeds,
    own_and_others,
    own_angle,
    rank_correlation,
    right,
    sample,
    table,
    train,
)
from facelab.course.lesson04.experiments import (
    LENGTHS,
    SIZES,
    GreedyGroups,
    adaface,
    class_margins,
    curriculum,
    elastic,
    group_shares,
    hard_weights,
    magface,
    noisy_labels,
    official_plus,
    quality,
    scales,
    sorted_plus,
    unrecognisable,
)
from facelab.training import embeddings_of

__all__ = [
    "DIM",
    "LENGTHS",
    "RATE",
    "SEEDS",
    "SIZES",
    "GreedyGroups",
    "accuracy",
    "adaface",
    "class_margins",
    "curriculum",
    "degrade",
    "digits",
    "elastic",
    "embeddings_of",
    "faces",
    "group_shares",
    "hard_weights",
    "lengths",
    "magface",
    "mislabel",
    "noisy_labels",
    "official_plus",
    "over_seeds",
    "own_and_others",
    "own_angle",
    "quality",
    "rank_correlation",
    "right",
    "sample",
    "scales",
    "sorted_plus",
    "table",
    "train",
    "unrecognisable",
]
