"""The named groups of an album into a gallery, once more if need be, without enrolling anybody twice."""

from collections import Counter, defaultdict

import numpy as np

from facelab.gallery import Enrolled, Gallery
from facelab.gallery.answers import shown

_SAME = 1e-6
"""A distance at which two vectors are one and the same: rounding, and nothing else."""


def enroll(named: dict[str, np.ndarray], vectors: np.ndarray, gallery: Gallery) -> Enrolled:
    """named: name → rows of `vectors` (N, D), which are all of the album's.

    Whoever in the gallery has a vector of the group, under its name, is that person. Templates in the
    gallery that are now in another group, or in none with a name, are noted: a gallery forgets people,
    not single templates.
    """
    holders = _holders(vectors, gallery)
    owner = {int(row): name for name, rows in named.items() for row in rows}
    ids: dict[str, int] = {}
    fresh: dict[str, list[int]] = {}
    for name, rows in named.items():
        seen = Counter(id for row in rows for id, its in holders[int(row)] if its == name)
        if seen:
            ids[name] = seen.most_common(1)[0][0]
        fresh[name] = [int(r) for r in rows if not any(id == ids.get(name) for id, _ in holders[int(r)])]
    new = [name for name in named if name not in ids]
    if new:
        names = [name for name in new for _ in fresh[name]]
        done = gallery.enroll_many(names, vectors[[row for name in new for row in fresh[name]]])
        ids |= dict(zip(new, done.ids, strict=True))
    for name in named:
        if name not in new and fresh[name]:
            gallery.add(ids[name], vectors[fresh[name]])
    notes = _stale(holders, owner)
    return Enrolled(tuple(ids[name] for name in named), sum(map(len, fresh.values())), notes)


def _holders(vectors: np.ndarray, gallery: Gallery) -> dict[int, list[tuple[int, str]]]:
    """row → (id, name) of those in the gallery who have the very same vector."""
    found: dict[int, list[tuple[int, str]]] = defaultdict(list)
    matches = gallery.identify(vectors, k=3, threshold=0.0) if len(gallery) and len(vectors) else []
    assert isinstance(matches, list)  # for many vectors
    for row, match in enumerate(matches):
        found[row] = [(one.id, one.name) for one in match.candidates if one.distance < _SAME]
    return found


def _stale(holders: dict[int, list[tuple[int, str]]], owner: dict[int, str]) -> tuple[str, ...]:
    wrong = Counter((id, name) for row, its in holders.items() for id, name in its if owner.get(row) != name)
    return tuple(
        f"{shown(name)} (id {id}) in the gallery has {count} template{'s' * (count > 1)} that the album has "
        f"elsewhere by now. If that is meant, delete id {id} from the gallery and enrol again."
        for (id, name), count in sorted(wrong.items())
    )
