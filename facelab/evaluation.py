"""A benchmark's pairs → scores → every figure that papers report, with its interval.

    outcome = evaluate(scored_templates("lfw"))             at once, from the vectors that are always here
    outcome = evaluate(scored_photos("lfw", Pipeline(faces="central")))       end to end, from LFW's photos
    print(outcome)

Notebook 08 does by hand what stands here; `facelab benchmark lfw` and `python -m benchmarks.lfw` print it.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from facelab.datasets import LFW, IndexPairs, Pairs, Templates, lfw, lfw_pairs, lfw_templates
from facelab.errors import DatasetError
from facelab.metrics import (
    FoldAccuracy,
    Interval,
    Rate,
    auc,
    best_threshold,
    bootstrap_identities,
    d_prime,
    eer,
    k_fold_accuracy,
    tar_at_far,
)
from facelab.pipeline import Pipeline

FARS = (1e-2, 1e-3)
"""3,000 impostor pairs: 30 and 3 of them. Less cannot be claimed from so few (the rule of three)."""

LEARNT_ON = {"devtest": "devtrain"}
"""View 1 has one fold for testing and another list to choose the threshold on."""

CAVEATS = {
    "lookalike": "Chosen against SFace by a rule of ours (data/README.md): a worst case for these weights, "
    "not FGLFW, and not comparable with other networks' figures.",
    "devtest": "View 1, meant for choosing a model; results are reported on View 2 (lfw).",
}


@dataclass(frozen=True, eq=False)
class Scored:
    """A protocol's pairs, scored.

    protocol  "lfw", "lookalike", "fglfw", "devtest" …
    scores    (N,) cosines, higher is more alike; 0 where a photo gave no face
    same      (N,) bool      fold (N,) int
    a, b      (N,) who is on either side
    source    what was scored: which photos, weights, device
    missing   photos without a face
    """

    protocol: str
    scores: np.ndarray
    same: np.ndarray
    fold: np.ndarray
    a: np.ndarray
    b: np.ndarray
    source: str
    missing: int = 0

    def __len__(self) -> int:
        return len(self.scores)


def scored_templates(protocol: str = "lfw", templates: Templates | None = None) -> Scored:
    """The pairs on `lfw_templates()`. FGLFW's list names people whom the templates only number: it
    needs LFW's photos beside them, and raises DatasetError where they are not."""
    templates = templates or lfw_templates()
    if protocol == "fglfw":
        listed = lfw_pairs(protocol)
        a, b = listed.rows(_photos_to_name_rows())
        pairs = IndexPairs(a, b, listed.same, listed.fold)
    elif protocol in templates.pairs:
        pairs = templates.pairs[protocol]
        a, b = pairs.a, pairs.b
    else:
        raise DatasetError(
            f"There is no protocol {protocol!r}; there are {', '.join([*templates.pairs, 'fglfw'])}."
        )
    return Scored(
        protocol,
        np.einsum("nd,nd->n", templates.vectors[a], templates.vectors[b]),
        pairs.same,
        pairs.fold,
        templates.identity[a],
        templates.identity[b],
        f"{templates.path.name}: vectors computed beforehand ({templates.provenance['config']}, LFW "
        f"{templates.provenance['lfw_variant']}, SFace {templates.provenance['sface_sha256'][:12]}…)",
    )


def _photos_to_name_rows() -> LFW:
    try:
        return lfw()
    except DatasetError as error:
        raise DatasetError(
            f"FGLFW's list names people, and the templates number them; LFW's photos tell who is who. {error}"
        ) from error


def scored_photos(
    protocol: str, pipe: Pipeline, photos: LFW | None = None, *, limit: int | None = None
) -> Scored:
    """The pairs from LFW's JPEGs, each photo once through the pipeline.

    pipe   made with faces="central": LFW's photos are centred on whom they are named after, and the largest
           face may be somebody else's. Raises ValueError otherwise
    limit  so many pairs only, evenly from all folds, for a quick look
    """
    if pipe.faces != "central":
        raise ValueError(
            f'faces={pipe.faces!r}: LFW means the face in the middle, Pipeline(faces="central").'
        )
    photos = photos or lfw()
    pairs = lfw_pairs(protocol, home=photos.root.parent.parent)
    a, b = pairs.rows(photos)
    chosen = subset(pairs, limit)
    rows = np.union1d(a[chosen], b[chosen])
    vectors = np.zeros((len(rows), pipe.embedder.dim), np.float32)
    missing = 0
    for place, result in enumerate(pipe([photos.paths[row] for row in rows])):
        if result.error is None:
            vectors[place] = result.vectors[0]
        missing += result.error is not None
    left, right = (np.searchsorted(rows, side[chosen]) for side in (a, b))
    return Scored(
        protocol,
        np.einsum("nd,nd->n", vectors[left], vectors[right]),
        pairs.same[chosen],
        pairs.fold[chosen],
        photos.identity[a[chosen]],
        photos.identity[b[chosen]],
        f"{len(rows):,} photos of LFW ({photos.variant}), end to end: {pipe!r}",
        missing,
    )


def subset(pairs: Pairs, limit: int | None) -> np.ndarray:
    """Rows of `limit` pairs, the first ones of either kind in every fold; of all pairs, in order, if None."""
    if limit is None:
        return np.arange(len(pairs))
    each = max(1, limit // (2 * (pairs.fold.max() + 1)))
    groups = [(fold, same) for fold in np.unique(pairs.fold) for same in (True, False)]
    return np.concatenate([np.flatnonzero((pairs.fold == f) & (pairs.same == s))[:each] for f, s in groups])


# ---------------------------------------------------------------------- the figures


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What a protocol's scores come to.

    scored     the pairs
    folds      accuracy over the folds, each with the threshold of the others; None for View 1
    right      pairs judged rightly, of all, with its exact interval
    distances  (lowest, highest) threshold that was used, as cosine distances
    auc        area under the ROC curve
    eer, tar   with intervals over people, thresholds chosen anew in each resample; tar by FAR
    d_prime    distance of the two means, in standard deviations
    """

    scored: Scored
    folds: FoldAccuracy | None
    right: Rate
    distances: tuple[float, float]
    auc: float
    eer: Interval
    tar: dict[float, Interval]
    d_prime: float

    def __str__(self) -> str:
        scored, folds, right = self.scored, self.folds, self.right
        rows = [
            ("pairs", f"{len(scored):,}, {scored.same.sum():,} of them of the same person"),
            ("from", scored.source),
        ]
        if scored.missing:
            rows.append(("no face", f"{scored.missing} photos; their pairs score 0"))
        rows.append(("accuracy", f"{right:.2%} [{right.low:.2%}, {right.high:.2%}] ({right.count:,} right)"))
        if folds is not None:
            spread = f"± {folds.std:.2%} std, ± {folds.standard_error:.2%} standard error"
            rows.append(("over folds", f"{folds.mean:.2%} {spread}"))
        rows += [
            ("threshold", f"distance {' to '.join(f'{d:.3f}' for d in dict.fromkeys(self.distances))}"),
            ("AUC", f"{self.auc:.4f}"),
            ("EER", percent(self.eer)),
            *((f"TAR at FAR {far:g}", percent(tar)) for far, tar in self.tar.items()),
            ("d′", f"{self.d_prime:.2f}"),
        ]
        if scored.protocol in CAVEATS:
            rows.append(("mind", CAVEATS[scored.protocol]))
        width = max(len(name) for name, _ in rows)
        return "\n".join(f"{name:{width}}  {text}" for name, text in rows)

    def record(self) -> dict:
        """The same as plain numbers, for JSON."""
        folds = self.folds
        return {
            "protocol": self.scored.protocol,
            "source": self.scored.source,
            "pairs": len(self.scored),
            "photos_without_a_face": self.scored.missing,
            "accuracy": bounds(self.right),
            "folds": None
            if folds is None
            else {"mean": folds.mean, "std": folds.std, "accuracies": folds.accuracies.tolist()},
            "distance_thresholds": list(self.distances),
            "auc": self.auc,
            "eer": bounds(self.eer),
            "tar_at_far": {f"{far:g}": bounds(tar) for far, tar in self.tar.items()},
            "d_prime": self.d_prime,
            "caveat": CAVEATS.get(self.scored.protocol, ""),
        }


def percent(rate: Interval) -> str:
    """`3.00% [2.55%, 3.42%]`"""
    return f"{rate.value:.2%} [{rate.low:.2%}, {rate.high:.2%}]"


def bounds(rate) -> dict[str, float]:
    """A Rate, Interval or Measured as numbers: value, low, high."""
    value = rate.value if hasattr(rate, "value") else float(rate)
    return {"value": value, "low": rate.low, "high": rate.high}


def evaluate(scored: Scored, learnt: Scored | None = None, *, resamples: int = 500) -> Evaluation:
    """All figures of a protocol. `learnt` has the pairs on which the threshold is chosen, for a
    protocol without folds (`LEARNT_ON`). Raises ValueError when a protocol of one fold comes without
    them."""
    if learnt is None:
        folds = k_fold_accuracy(scored.scores, scored.same, scored.fold)
        thresholds, right = folds.thresholds, folds.correct
    else:
        folds, thresholds = None, np.array([best_threshold(learnt.scores, learnt.same)])
        accepted = scored.scores >= thresholds[0]
        right = Rate(int((accepted == scored.same).sum()), len(scored))

    def over_people(statistic: Callable) -> Interval:
        return bootstrap_identities(
            statistic, scored.scores, scored.same, scored.a, scored.b, resamples=resamples
        )

    return Evaluation(
        scored,
        folds,
        right,
        (float(1 - thresholds.max()), float(1 - thresholds.min())),
        auc(scored.scores, scored.same),
        over_people(eer),
        {far: over_people(lambda s, t, far=far: tar_at_far(s, t, far)) for far in FARS},
        d_prime(scored.scores, scored.same),
    )
