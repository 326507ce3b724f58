"""LFW's negatives → their look-alikes, facelab/datasets/lookalike.json.

    python data/make_lfw_lookalike.py            # from data/lfw_templates.h5, in a few seconds

The rule, for the 300 negatives of each fold in the order of LFW's list:

1. The first photo stays.
2. The second becomes the photo of another person whose vector has the largest cosine with the first,
   among all photos that occur in the fold's 600 pairs. (Folds share nobody, and so they stay.)
3. Unless these two people are paired already: then the next nearest. So the 300 pairs of a fold show
   300 pairs of people, and nobody's resemblance to one other person counts twice.
4. Nor are two people ever paired of whom any two photos have a cosine above ONE_PERSON.

On rule 4. LFW has people under two names, and photos under a wrong one; a search for look-alikes would find
exactly those. Three pairs of people come that near within a fold (the script prints them): two are one
person spelt in two ways, the third looks like one. The next, at cosines of 0.54 and less, were looked
at and are different people. The price: twins and doubles nearer than that are left out as well.
"""

import argparse
import json
from pathlib import Path

import numpy as np

from facelab.datasets import IndexPairs, lfw_templates
from facelab.datasets.lookalike import FILE

ONE_PERSON = 0.55


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=FILE)
    arguments = parser.parse_args()
    templates = lfw_templates()
    found = replacements(templates.vectors, templates.identity, templates.pairs["lfw"])
    content = {
        "made_by": "python data/make_lfw_lookalike.py",
        "network": templates.provenance["config"],
        "templates_sha256": templates.provenance["content_sha256"],
        "replacements": found.tolist(),
    }
    arguments.out.write_text(json.dumps(content, separators=(",", ":")) + "\n", encoding="utf-8")
    print(f"{arguments.out.name}: {len(found):,} negatives replaced")


def replacements(vectors: np.ndarray, identity: np.ndarray, pairs: IndexPairs) -> np.ndarray:
    """For each negative where its look-alike stands in the list of pairs: 2·line + side.

    Computed in double precision, so that no other order of summation changes which of two is nearer.
    """
    found = []
    for fold in range(pairs.fold.max() + 1):
        lines = np.flatnonzero(pairs.fold == fold)
        listed = np.column_stack([pairs.a[lines], pairs.b[lines]]).ravel()
        rows, first = np.unique(listed, return_index=True)  # a photo listed twice: its first place
        who, unit = identity[rows], vectors[rows].astype(np.float64)
        unit /= np.linalg.norm(unit, axis=1, keepdims=True)
        cosines = unit @ unit.T
        paired = {frozenset((p, p)) for p in who} | one_person(cosines, who, fold)
        for line in lines[~pairs.same[lines]]:
            here = np.searchsorted(rows, pairs.a[line])
            for other in np.argsort(-cosines[here], kind="stable"):
                people = frozenset((who[here], who[other]))
                if people not in paired:
                    break
            paired.add(people)
            found.append(2 * lines[first[other] // 2] + first[other] % 2)
    return np.array(found)


def one_person(cosines: np.ndarray, who: np.ndarray, fold: int) -> set[frozenset]:
    """Pairs of people so near that they must be one (rule 4)."""
    near = (cosines > ONE_PERSON) & (who[:, None] < who)
    people = {frozenset((who[i], who[j])) for i, j in zip(*np.nonzero(near), strict=True)}
    for one, other in map(sorted, people):
        print(f"fold {fold}: people {one} and {other} are left out, at cosine {cosines[near].max():.3f}")
    return people


if __name__ == "__main__":
    main()
