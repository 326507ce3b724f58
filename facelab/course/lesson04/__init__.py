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

from facelab.course.lesson04.centres import GreedyGroups, group_shares, noisy_labels
from facelab.course.lesson04.data import degrade, digits, faces, mislabel, sample
from facelab.course.lesson04.dots import dots
from facelab.course.lesson04.margins import SIZES, class_margins, elastic, official_plus, scales, sorted_plus
from facelab.course.lesson04.measures import (
    SEEDS,
    accuracy,
    lengths,
    over_seeds,
    own_and_others,
    own_angle,
    rank_correlation,
    right,
    table,
)
from facelab.course.lesson04.negatives import curriculum, hard_weights
from facelab.course.lesson04.quality import adaface, magface, quality, unrecognisable
from facelab.course.lesson04.run import DIM, train

__all__ = [
    "DIM",
    "SEEDS",
    "SIZES",
    "GreedyGroups",
    "accuracy",
    "adaface",
    "class_margins",
    "curriculum",
    "degrade",
    "digits",
    "dots",
    "elastic",
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
