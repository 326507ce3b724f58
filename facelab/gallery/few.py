"""Exact search where templates are few: arithmetic is quick there, and every call counts.

All float32 cosines are kept, and the most promising templates are opened: their cosines are computed anew in
float64, until the k people who come out lie above anything unopened (`facelab.gallery.search` says why that
is exact). Where templates are very few, all of them are opened at once.
"""

import numpy as np
import torch

from facelab.gallery.exact import BLOCK, OPENED_AT_ONCE, cosines, margin, opened, squared_norms

FEW = 2**15
"""Up to so many templates, this is the way."""

VERY_FEW = 64
"""Up to so many, all cosines may be computed in float64 at once …"""

LITTLE = 2**10
"""… where they are so few for all probes together: above, opening the most promising is quicker."""

COSINES_AT_ONCE = 2**22
"""How many cosines are held: 16 MiB. Probes beyond that wait."""

_STRIPES_FROM = 2**11
"""From so many templates on and for several probes, it is quicker to look among maxima of BLOCK first."""

Answer = tuple[np.ndarray, np.ndarray]
"""ids (int64) and cosines (float64), nearest first"""


class Few:
    """A search through vectors (N, D) float32 of unit norm; person (N,) int64 says whose they are."""

    def __init__(self, vectors: np.ndarray, person: np.ndarray):
        self.vectors, self.person = vectors, person
        self.turned = torch.from_numpy(vectors).T
        order = np.argsort(person, kind="stable")
        self.ids, self.starts = np.unique(person[order], return_index=True)
        self.alone = len(self.ids) == len(person)  # one template each
        self.each = min(4, -(-len(person) // len(self.ids)))  # somebody near may be so with all templates
        if len(vectors) <= VERY_FEW:
            self.wide = vectors[order].astype(np.float64)
            self.squares = squared_norms(self.wide)

    def nearest(self, probes: np.ndarray, k: int) -> list[Answer]:
        """The k people with the largest cosine to each probe, (B, D) float32; or all there are."""
        total = len(self.vectors)
        group = max(1, COSINES_AT_ONCE // total)
        if len(probes) > group:
            parts = (probes[start : start + group] for start in range(0, len(probes), group))
            return [answer for part in parts for answer in self.nearest(part, k)]
        if total <= VERY_FEW and total * len(probes) <= LITTLE:
            return self._all(probes, k)
        count = self.each * k + 1
        if len(probes) > 1:
            return self._open(torch.mm(torch.from_numpy(probes), self.turned).numpy(), probes, k, count)
        kept = (self.vectors @ probes[0])[None]
        answer = self._one(kept, probes[0], k, count) if count < total else None
        return self._open(kept, probes, k, count) if answer is None else [answer]

    def _all(self, probes: np.ndarray, k: int) -> list[Answer]:
        """Every template opened; people stand in the order of their ids, so that a stable sort keeps ties."""
        wide = probes.astype(np.float64)
        squares = squared_norms(wide)[:, None] * self.squares
        scores = np.einsum("bd,nd->bn", wide, self.wide) / np.sqrt(squares)
        if not self.alone:
            scores = np.maximum.reduceat(scores, self.starts, axis=1)
        order = (-scores).argsort(axis=1, kind="stable")[:, :k]
        return list(zip(self.ids[order], scores[np.arange(len(scores))[:, None], order], strict=True))

    def _one(self, kept: np.ndarray, probe: np.ndarray, k: int, count: int) -> Answer | None:
        """`_open` for one probe in as few calls as it takes; None where that does not decide it."""
        (rows,), (unopened,) = _largest(kept, count)
        scores, ids = cosines(self.vectors[rows], probe), self.person[rows]
        order = np.lexsort((ids, -scores))
        ids, scores = ids[order], scores[order]
        if not self.alone:
            first = np.sort(np.unique(ids, return_index=True)[1])
            ids, scores = ids[first], scores[first]
        if len(ids) < k or scores[k - 1] <= unopened + margin(self.vectors.shape[1]):
            return None
        return ids[:k], scores[:k]

    def _open(self, kept: np.ndarray, probes: np.ndarray, k: int, count: int) -> list[Answer]:
        """The answers from (B, N) float32 cosines, of which the `count` largest are opened, and more where
        those do not decide it."""
        total = kept.shape[1]
        count = min(count, total)
        rows, unopened = _largest(kept, count)
        ids = self.person[rows]
        scores = self._cosines(rows, probes)
        order = np.lexsort((ids, -scores))
        at = np.arange(len(rows))[:, None]
        ids, scores = ids[at, order], scores[at, order]
        sure = unopened + margin(self.vectors.shape[1])
        again = None if self.alone else _seen_before(ids)
        if again is None or not again.any():
            answers = list(zip(ids[:, :k], scores[:, :k], strict=True))
            unsure = np.flatnonzero(scores[:, k - 1] <= sure).tolist() if count < total else ()
        else:
            answers = [(i[~a][:k], s[~a][:k]) for i, s, a in zip(ids, scores, again, strict=True)]
            unsure = [r for r, (i, s) in enumerate(answers) if len(i) < k or s[-1] <= sure[r]]
        if count < total:
            for row in unsure:
                # One at a time: with many ties, all templates may have to be opened.
                (answers[row],) = self._open(kept[row : row + 1], probes[row : row + 1], k, 4 * count)
        return answers

    def _cosines(self, rows: np.ndarray, probes: np.ndarray) -> np.ndarray:
        """(B, n) float64: of each probe (B, D) with rows of its own (B, n)."""
        group = max(1, OPENED_AT_ONCE // rows.shape[1])
        if group == 1:
            return np.stack([opened(self.vectors, *one) for one in zip(rows, probes, strict=True)])
        parts = [slice(a, a + group) for a in range(0, len(rows), group)]
        return np.concatenate([cosines(self.vectors[rows[part]], probes[part, None]) for part in parts])


def _largest(kept: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Of each row of (B, N) the places of the `count` largest, in any order, and the largest of the others
    (−∞ without any)."""
    probes, total = kept.shape
    if count == total:
        return np.broadcast_to(np.arange(total), kept.shape), np.full(probes, -np.inf)
    wide = total // BLOCK
    if probes == 1 or total < _STRIPES_FROM or count + 1 > wide // 2:
        return _partition(kept, count)
    # Every wide-th cosine belongs to one stripe. The count + 1 stripes with the largest maxima, and the few
    # cosines in no stripe, hold the count + 1 largest cosines.
    maxima = kept[:, : wide * BLOCK].reshape(probes, BLOCK, wide).max(axis=1)
    stripes = _partition(maxima, count + 1)[0]
    places = (stripes[:, None] + wide * np.arange(BLOCK)[:, None]).reshape(probes, -1)
    rest = np.broadcast_to(np.arange(wide * BLOCK, total), (probes, total - wide * BLOCK))
    places = np.concatenate([places, rest], axis=1)
    at = np.arange(probes)[:, None]
    within, unopened = _partition(kept[at, places], count)
    return places[at, within], unopened


def _partition(kept: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    if len(kept) == 1:  # NumPy is called in less time, and torch is quicker at many rows
        places = kept[0].argpartition(-1 - count)[-1 - count :]
        return places[None, 1:], kept[0, places[:1]].astype(np.float64)
    values, places = torch.from_numpy(kept).topk(count + 1)
    return places[:, :count].numpy(), values[:, count].numpy().astype(np.float64)


def _seen_before(ids: np.ndarray) -> np.ndarray:
    """(B, n) bool: whether an id stands in its row further to the left, too."""
    order = np.argsort(ids, axis=1, kind="stable")
    at = np.arange(len(ids))[:, None]
    ascending = ids[at, order]
    again = np.zeros(ids.shape, bool)
    again[at, order[:, 1:]] = ascending[:, 1:] == ascending[:, :-1]
    return again
