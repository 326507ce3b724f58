"""LFW, 6,000 pairs in ten folds, end to end from JPEG: what detection, cutting out and mirroring are worth.

    python -m benchmarks.lfw                                   # two detectors, four crops, mirrored or not
    python -m benchmarks.lfw --configs yunet+aligned+sface     # one of them
    python -m benchmarks.lfw --limit 600                       # a tenth of the pairs, for a quick look

Each of the 7,701 photos is read, detected and embedded once. The threshold of a fold is chosen on the other
nine. A photo without a face has no vector: its pairs score 0, and it is counted.

A box is not an alignment, and the figures for boxes hang on single pixels: facelab cuts a box out at
fractions of a pixel. Cut to whole pixels first, as slicing an array does, the crop lies about a pixel
further up and left, and the stretched box comes to 83.2 % in place of 82.0 (YuNet); moved by one pixel, to
84.0.
"""

import argparse
from dataclasses import dataclass

import numpy as np

from benchmarks.common import report
from benchmarks.lfw_vectors import LOW, NONE, Measured, measure, milliseconds
from facelab.datasets import LFW, Pairs, lfw
from facelab.evaluation import Evaluation, Scored, evaluate, subset

CONFIGS = tuple(
    f"{detector}+{rest}"
    for detector in ("yunet", "mtcnn")
    for rest in (
        "aligned+sface+mirror",
        "aligned+sface",
        "square+sface",
        "letterboxed+sface",
        "stretched+sface",
    )
)
COLUMNS = (
    "configuration",
    "accuracy, % ± std",
    "AUC",
    "EER, %",
    "TAR at FAR 1e-3, % [95 %]",
    "no face",
    "ms a photo",
)


@dataclass(frozen=True, eq=False)
class Outcome:
    config: str
    figures: Evaluation
    row: list


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--configs", nargs="+", default=CONFIGS, choices=CONFIGS, metavar="CONFIG")
    parser.add_argument(
        "--limit", type=int, default=6000, help="how many pairs, evenly from all folds (6000)"
    )
    parser.add_argument("--home", help="where `facelab data get lfw` put LFW, if not in the usual place")
    parser.add_argument("--variant", help="of LFW: original, funneled or deepfunneled; figures differ")
    parser.add_argument(
        "--fresh", action="store_true", help="use nothing that an earlier run left under .cache/"
    )
    arguments = parser.parse_args()

    photos = lfw(arguments.home, arguments.variant)
    pairs = photos.pairs("lfw")
    chosen = subset(pairs, arguments.limit)
    vectors = embed(photos, pairs, chosen, arguments.configs, arguments.fresh)
    outcomes = [
        outcome(config, photos, pairs, chosen, vectors[config.split("+")[0]]) for config in arguments.configs
    ]
    report(
        f"LFW ({photos.variant}), {len(chosen):,} pairs, ten folds, end to end from JPEG, SFace",
        COLUMNS,
        [outcome.row for outcome in outcomes],
        notes=[
            "std: over the ten folds (standard error of the mean: divide by √10).",
            "TAR at FAR 1e-3: three of 3,000 impostor pairs; bootstrap over people, threshold chosen anew "
            "each time.",
            "no face: photos in which the detector found none, even at a low score (in brackets: found at "
            "that only).",
            "ms a photo: processor time on one core to read, detect, cut out and embed it; 64 photos.",
        ],
    )
    print_wrong_for_all(pairs, chosen, outcomes)


def embed(photos: LFW, pairs: Pairs, chosen: np.ndarray, configs, fresh: bool) -> dict[str, Measured]:
    """Detector → what it measured for every crop that a configuration asks for."""
    a, b = pairs.rows(photos)
    rows = np.union1d(a[chosen], b[chosen])
    measured = {}
    for detector in dict.fromkeys(config.split("+")[0] for config in configs):
        own = [config.split("+") for config in configs if config.startswith(detector)]
        crops = list(dict.fromkeys(parts[1] for parts in own))
        mirror = any("mirror" in parts for parts in own)
        measured[detector] = measure(photos, rows, detector, crops=crops, mirror=mirror, fresh=fresh)
    return measured


def outcome(config: str, photos: LFW, pairs: Pairs, chosen: np.ndarray, measured: Measured) -> Outcome:
    detector, crop, _, *mirror = config.split("+")
    vectors = measured.vectors(crop, bool(mirror))
    a, b = (np.searchsorted(measured.rows, side[chosen]) for side in pairs.rows(photos))
    scores, people = np.einsum("nd,nd->n", vectors[a], vectors[b]), photos.identity[measured.rows]
    scored = Scored("lfw", scores, pairs.same[chosen], pairs.fold[chosen], people[a], people[b], config)
    figures = evaluate(scored)
    folds, tar = figures.folds, figures.tar[1e-3]
    low = f" ({(measured.found == LOW).sum()})" if (measured.found == LOW).any() else ""
    row = [
        config.replace("+sface", ""),
        f"{100 * folds.mean:.2f} ± {100 * folds.std:.2f}",
        f"{figures.auc:.4f}",
        f"{100 * figures.eer.value:.2f}",
        f"{100 * tar.value:.2f} [{100 * tar.low:.2f}, {100 * tar.high:.2f}]",
        f"{(measured.found == NONE).sum()}{low}",
        round(milliseconds(photos, detector, crop, mirror=bool(mirror)), 1),
    ]
    return Outcome(config, figures, row)


def print_wrong_for_all(pairs: Pairs, chosen: np.ndarray, outcomes: list[Outcome]) -> None:
    """Same-person pairs that every aligned configuration takes for different people."""
    aligned = [outcome for outcome in outcomes if "+aligned+" in outcome.config]
    if not aligned:
        return
    by_all = np.logical_and.reduce([~outcome.figures.folds.accepted for outcome in outcomes])
    rows = np.flatnonzero(
        np.logical_and.reduce([~outcome.figures.folds.accepted for outcome in aligned]) & pairs.same[chosen]
    )
    print(
        f"\n{len(rows)} same-person pairs are wrong for every aligned configuration above "
        f"({by_all[rows].sum()} of them, with a star, for every one); distance in {aligned[0].config}:\n"
    )
    for row in rows[np.argsort(aligned[0].figures.scored.scores[rows], kind="stable")]:
        (name, i), (_, j) = pairs.a[chosen[row]], pairs.b[chosen[row]]
        star = " *" if by_all[row] else ""
        print(f"- {name} {i} and {j}: {1 - aligned[0].figures.scored.scores[row]:.3f}{star}")


if __name__ == "__main__":
    main()
