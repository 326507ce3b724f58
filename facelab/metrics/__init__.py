"""How good is it? Error rates, what they are worth, and what cannot be claimed.

Everywhere: a score is higher the more alike two faces are (cosine, or 1 − distance), and a pair is accepted
when score ≥ threshold. Rates go by the names of ISO/IEC 19795-1; the slides' names are the same quantities:

    FMR  = 1 − TRR   false match rate: pairs of different people that are accepted
    FNMR = 1 − TAR   false non-match rate: pairs of the same person that are rejected

Papers and slides call them FAR and FRR. Those are rates of whole transactions, with photos that gave no
template counted in (FTA, failure to acquire): FAR = FMR · (1 − FTA), FRR = FTA + FNMR · (1 − FTA) for a
single attempt. The rates of presentation attack detection have scores of their own (`attacks.py`).

Everything is numpy, float64, and raises ValueError for NaN, unequal lengths, or a class that is missing.
"""

from facelab.metrics.attacks import (
    AttackRates,
    apcer,
    attack_rates,
    bootstrap_people,
    bpcer,
    iapar,
    threshold_at_bpcer,
)
from facelab.metrics.calibrate import FMRS, Calibration, Measured, Setting, calibrate
from facelab.metrics.clusters import ClusterScores, b_cubed, pairwise_scores
from facelab.metrics.folds import FoldAccuracy, best_threshold, k_fold_accuracy
from facelab.metrics.identification import bootstrap_fnir_at_fpir, cmc, fnir_at_fpir, tpir_tnir
from facelab.metrics.intervals import (
    Interval,
    Rate,
    bootstrap_identities,
    bootstrap_pairs,
    clopper_pearson,
    mcnemar,
    rule_of_three,
    wilson,
)
from facelab.metrics.verification import (
    Det,
    Roc,
    area,
    auc,
    d_prime,
    det,
    eer,
    fmr,
    fnmr,
    roc,
    tar_at_far,
    tar_trr,
    threshold_at_fmr,
)

__all__ = [
    "FMRS",
    "AttackRates",
    "Calibration",
    "ClusterScores",
    "Det",
    "FoldAccuracy",
    "Interval",
    "Measured",
    "Rate",
    "Roc",
    "Setting",
    "apcer",
    "area",
    "attack_rates",
    "auc",
    "b_cubed",
    "best_threshold",
    "bootstrap_fnir_at_fpir",
    "bootstrap_identities",
    "bootstrap_pairs",
    "bootstrap_people",
    "bpcer",
    "calibrate",
    "clopper_pearson",
    "cmc",
    "d_prime",
    "det",
    "eer",
    "fmr",
    "fnir_at_fpir",
    "fnmr",
    "iapar",
    "k_fold_accuracy",
    "mcnemar",
    "pairwise_scores",
    "roc",
    "rule_of_three",
    "tar_at_far",
    "tar_trr",
    "threshold_at_bpcer",
    "threshold_at_fmr",
    "tpir_tnir",
    "wilson",
]
