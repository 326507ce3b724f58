"""Who is nearest? Exact search through every template, at the speed of the memory.

float32 decides who comes into question, float64 decides:

1. One pass over all vectors: cosines in float32 by matrix products, of which only the largest of each BLOCK
   templates is kept (for the mean of a person's cosines: that person's mean).
2. In float32 the cosine of two unit vectors is off by less than `margin`. So the blocks are opened from the
   most promising on, and the cosines in them computed anew in float64, until there are k people whose cosine
   lies above anything that an unopened block can hold.
3. Those are ordered by cosine, and people with the same cosine by id.

Where there are few templates, arithmetic is quick and every call counts: then all cosines are kept, templates
take the place of blocks in step 2, and steps 2 and 3 are done for all probes at once (`_few`).

So the answer is that of a plain float64 loop over all templates: the same people in the same order. The
float64 cosine of a template is summed in one fixed order, wherever it lies: equal vectors have equal cosines,
and ties are ties.
"""

import math
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from torch import Tensor

from facelab.gallery.columns import UNIT_TOLERANCE

BLOCK = 16
"""Templates whose largest cosine is kept. Smaller ones cost memory in step 1, larger ones work in step 2."""

SCORES = ("max", "mean")

_COSINES_AT_ONCE = {"cpu": 2**22, "cuda": 2**28}
"""How many are held in step 1: 16 MiB on a processor, and a GiB of a GPU's memory."""

_BOUNDS_AT_ONCE = 2**23
"""How many of those that step 1 keeps, of all probes together, are held: probes beyond that wait."""

_OPENED_AT_ONCE = 2**14
"""Templates brought to float64 at a time in step 2."""

_FEW = 2**15
"""Up to so many templates, all cosines are kept."""

_STRIPES_FROM = 2**11
"""From so many templates on, it is quicker to look for the largest cosines among maxima first."""


class Index:
    """A search through vectors (N, D) float32 of unit norm; person (N,) int64 says whose they are.

    On the CPU the vectors are used where they lie; a GPU gets a copy.
    """

    def __init__(self, vectors: np.ndarray, person: np.ndarray, device: torch.device):
        self.vectors, self.person = vectors, person
        self._on_device = torch.from_numpy(vectors).to(device)
        self._grouped: tuple[np.ndarray, ...] | None = None
        self._people: int | None = None

    def nearest(self, probes: np.ndarray, k: int, score: str = "max") -> list[tuple[np.ndarray, np.ndarray]]:
        """The k most similar people of each probe, (B, D) float32 of unit norm.

        score  what counts for a person: the "max" of the cosines with that person's templates, or their
               "mean"

        Returns for each probe (ids, scores): int64 and float64, best first; k of them, or all there are.
        """
        if len(self.vectors) == 0:
            return [(np.empty(0, np.int64), np.empty(0))] * len(probes)
        if score == "mean" and len(self._groups()[0]) == len(self.vectors):
            score = "max"  # one template each
        if score == "max" and len(self.vectors) <= _FEW and self._on_device.device.type == "cpu":
            group = max(1, _COSINES_AT_ONCE["cpu"] // len(self.vectors))
            parts = (probes[start : start + group] for start in range(0, len(probes), group))
            return [answer for part in parts for answer in self._few(part, k)]
        kept = len(self.vectors) // BLOCK if score == "max" else len(self._groups()[0])
        group = _BOUNDS_AT_ONCE // (kept + 1) + 1
        return [
            answer
            for start in range(0, len(probes), group)
            for answer in self._some(probes[start : start + group], k, score)
        ]

    @torch.inference_mode()
    def _some(self, probes: np.ndarray, k: int, score: str) -> list[tuple[np.ndarray, np.ndarray]]:
        on_device = torch.from_numpy(probes).to(self._on_device.device)
        bounds, opened = {
            "max": (self._block_maxima, self._open_blocks),
            "mean": (self._means, self._open_people),
        }[score]
        bounds = bounds(on_device)  # (B, blocks or people)
        most = bounds.shape[1]
        count = min(k + 3, most)
        values, promising = (part.cpu().numpy() for part in bounds.topk(min(count + 1, most)))
        slack = margin(self.vectors.shape[1])
        answers = []
        for row, probe in enumerate(probes):
            opening, value, which = count, values[row], promising[row]
            while True:
                ids, scores = best(*opened(which[:opening], probe), k)
                if opening == most or (len(ids) == k and scores[-1] > value[opening] + slack):
                    break
                opening = min(4 * opening, most)
                value, which = (part.cpu().numpy() for part in bounds[row].topk(min(opening + 1, most)))
            answers.append((ids, scores))
        return answers

    # ------------------------------------------------------------------ few templates

    def _few(self, probes: np.ndarray, k: int) -> list[tuple[np.ndarray, np.ndarray]]:
        """As `nearest`, by the largest cosine, with all (B, N) cosines held."""
        if self._people is None:
            self._people = len(np.unique(self.person))
        if len(probes) == 1:
            kept = (self.vectors @ probes[0])[None]
        else:
            kept = torch.mm(torch.from_numpy(probes), self._on_device.T).numpy()
        each = min(4, -(-len(self.vectors) // self._people))  # somebody near may be so with all templates
        return self._order(kept, probes, k, each * k + 1)

    def _order(
        self, kept: np.ndarray, probes: np.ndarray, k: int, count: int
    ) -> list[tuple[np.ndarray, np.ndarray]]:
        """Steps 2 and 3 for (B, N) float32 cosines, all of which are known; `count` templates are opened."""
        total = kept.shape[1]
        count = min(count, total)
        rows, unopened = _largest(kept, count)
        ids = self.person[rows]
        scores = self._cosines_of_each(rows, probes)
        order = np.lexsort((ids, -scores))
        at = np.arange(len(rows))[:, None]
        ids, scores = ids[at, order], scores[at, order]
        sure = unopened + margin(self.vectors.shape[1])
        again = _seen_before(ids) if self._people < total else None
        if again is None or not again.any():
            answers = list(zip(ids[:, :k], scores[:, :k], strict=True))
            unsure = np.flatnonzero(scores[:, k - 1] <= sure).tolist() if count < total else ()
        else:
            answers = [(i[~a][:k], s[~a][:k]) for i, s, a in zip(ids, scores, again, strict=True)]
            unsure = [r for r, (i, s) in enumerate(answers) if len(i) < k or s[-1] <= sure[r]]
        if count < total:
            for row in unsure:
                # One at a time: with many ties, all templates may have to be opened.
                (answers[row],) = self._order(kept[row : row + 1], probes[row : row + 1], k, 4 * count)
        return answers

    # ------------------------------------------------------------------ the largest cosine

    def _block_maxima(self, probes: Tensor) -> Tensor:
        """(B, ⌈N / BLOCK⌉) float32: the largest cosine in each block."""
        count, total = len(probes), len(self._on_device)
        maxima = probes.new_empty(count, -(-total // BLOCK))
        for start, end, cosines in self._pass(probes):
            whole, first = (end - start) // BLOCK, start // BLOCK
            blocks = cosines[: whole * BLOCK].view(whole, BLOCK, count)
            maxima[:, first : first + whole] = blocks.amax(dim=1).T
            if whole * BLOCK < end - start:
                maxima[:, -1] = cosines[whole * BLOCK :].amax(dim=0)
        return maxima

    def _pass(self, probes: Tensor) -> Iterator[tuple[int, int, Tensor]]:
        """(start, end, (end − start, B) cosines) through all templates; `start` is a multiple of BLOCK."""
        total, kind = len(self._on_device), self._on_device.device.type
        if kind == "cpu" and len(probes) == 1:
            yield 0, total, torch.from_numpy(_products(self.vectors, probes[0].numpy()))[:, None]
            return
        step = max(BLOCK, _COSINES_AT_ONCE.get(kind, 2**22) // len(probes) // BLOCK * BLOCK)
        buffer = probes.new_empty(min(step, total), len(probes))
        for start in range(0, total, step):
            end = min(start + step, total)
            yield start, end, torch.mm(self._on_device[start:end], probes.T, out=buffer[: end - start])

    def _open_blocks(self, blocks: np.ndarray, probe: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        rows = (blocks[:, None] * BLOCK + np.arange(BLOCK)).reshape(-1)
        rows = rows[rows < len(self.vectors)]
        return self.person[rows], self._cosines(rows, probe)

    # ------------------------------------------------------------------ the mean of a person's cosines

    def _groups(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """The people (P,), the rows of their templates (N,), one person's after the other's, and where among
        those each person's start and how many they are (P,)."""
        if self._grouped is None:
            order = np.argsort(self.person, kind="stable")
            ids, starts, counts = np.unique(self.person[order], return_index=True, return_counts=True)
            self._grouped = ids, order, starts, counts
        return self._grouped

    def _means(self, probes: Tensor) -> Tensor:
        """(B, P) float64: the mean of the float32 cosines with each person."""
        ids, _, _, counts = self._groups()
        owner = torch.from_numpy(np.searchsorted(ids, self.person)).to(probes.device)
        sums = torch.zeros(len(ids), len(probes), dtype=torch.float64, device=probes.device)
        for start, end, cosines in self._pass(probes):
            sums.index_add_(0, owner[start:end], cosines.double())
        return (sums / torch.from_numpy(counts).to(probes.device)[:, None]).T

    def _open_people(self, people: np.ndarray, probe: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        ids, order, starts, counts = self._groups()
        rows = np.concatenate([order[starts[p] : starts[p] + counts[p]] for p in people])
        ends = np.cumsum(counts[people])
        own = np.split(self._cosines(rows, probe), ends[:-1])
        return ids[people], means(own)

    # ------------------------------------------------------------------

    def _cosines(self, rows: np.ndarray, probe: np.ndarray) -> np.ndarray:
        parts = range(0, len(rows), _OPENED_AT_ONCE)
        return np.concatenate([cosines(self.vectors[rows[a : a + _OPENED_AT_ONCE]], probe) for a in parts])

    def _cosines_of_each(self, rows: np.ndarray, probes: np.ndarray) -> np.ndarray:
        """(B, n) float64: of each probe (B, D) with rows of its own (B, n)."""
        group = _OPENED_AT_ONCE // rows.shape[1]
        if group == 0:
            return np.stack([self._cosines(some, probe) for some, probe in zip(rows, probes, strict=True)])
        parts = [slice(a, a + group) for a in range(0, len(rows), group)]
        return np.concatenate([cosines(self.vectors[rows[part]], probes[part, None]) for part in parts])


def cosines(vectors: np.ndarray, probe: np.ndarray) -> np.ndarray:
    """(…, n) float64: the cosine of each of (…, n, D) with (D,) or (…, 1, D). Float64 throughout, and every
    row alike."""
    vectors, probe = vectors.astype(np.float64), probe.astype(np.float64)
    squares = np.einsum("...d,...d->...", vectors, vectors)
    squares *= np.einsum("...d,...d->...", probe, probe)
    return np.einsum("...d,...d->...", vectors, probe) / np.sqrt(squares, out=squares)


def means(own: Iterable[np.ndarray]) -> np.ndarray:
    """(P,) float64: the mean of each person's cosines. fsum rounds once, so the order of somebody's templates
    does not show in the last digit."""
    return np.array([math.fsum(some) / len(some) for some in own])


def _largest(kept: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Of each row of (B, N) the places of the `count` largest, in any order, and the largest of the others
    (−∞ without any)."""
    probes, total = kept.shape
    if count == total:
        return np.broadcast_to(np.arange(total), kept.shape), np.full(probes, -np.inf)
    wide = total // BLOCK
    if total < _STRIPES_FROM or count + 1 > wide // 2:
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
        places = np.argpartition(kept[0], -1 - count)[-1 - count :]
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


def _products(vectors: np.ndarray, probe: np.ndarray) -> np.ndarray:
    """(N,) float32: vectors · probe, in as many threads as torch would take. NumPy's own loop was measured to
    read memory three times as fast as torch's matrix-vector product."""
    out = np.empty(len(vectors), np.float32)

    def part(start: int, end: int) -> None:
        np.einsum("nd,d->n", vectors[start:end], probe, out=out[start:end])

    parts = torch.get_num_threads() if vectors.size > 2**20 else 1
    ends = np.linspace(0, len(vectors), parts + 1).astype(int)
    if parts == 1:
        part(0, len(vectors))
    else:
        with ThreadPoolExecutor(parts) as pool:
            list(pool.map(part, ends[:-1], ends[1:]))
    return out


def margin(dimension: int) -> float:
    """How far a float32 cosine of two vectors with unit norm may be from the true one.

    A product of D terms, summed in any order, is off by at most D · 2⁻²⁴ of Σ|xᵢyᵢ| ≤ 1 (Higham, *Accuracy
    and Stability of Numerical Algorithms*, 3.1), taken twice here; and the norms are not quite 1. Where torch
    was told to be quick rather than exact (`torch.set_float32_matmul_precision`), factors keep 11 bits of
    mantissa (TF32) or 8 (bfloat16).
    """
    rounding = {"highest": dimension * 2.0**-23, "high": 2.0**-9, "medium": 2.0**-6}
    return rounding[torch.get_float32_matmul_precision()] + 2 * UNIT_TOLERANCE


def best(ids: np.ndarray, scores: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """The k people with the largest scores, each once; the smaller id first where scores are equal."""
    order = np.lexsort((ids, -scores))
    first = np.sort(np.unique(ids[order], return_index=True)[1])[:k]
    return ids[order[first]], scores[order[first]]
