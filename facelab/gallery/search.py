"""Who is nearest? Exact search through every template, at the speed of the memory.

float32 decides who comes into question, float64 decides:

1. One pass over all vectors: cosines in float32 by matrix products, of which only the largest of each BLOCK
   templates is kept (for the mean of a person's cosines: that person's mean).
2. In float32 the cosine of two unit vectors is off by less than `margin`. So the blocks are opened from the
   most promising on, and the cosines in them computed anew in float64, until there are k people whose cosine
   lies above anything that an unopened block can hold.
3. Those are ordered by cosine, and people with the same cosine by id.

Where there are few templates, arithmetic is quick and every call counts: `facelab.gallery.few`.

So the answer is that of a plain float64 loop over all templates: the same people in the same order. The
float64 cosine of a template is summed in one fixed order, wherever it lies: equal vectors have equal cosines,
and ties are ties.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from torch import Tensor

from facelab.gallery.exact import BLOCK, best, margin, means, opened
from facelab.gallery.few import COSINES_AT_ONCE, FEW, Few

SCORES = ("max", "mean")

_COSINES_AT_ONCE = {"cpu": COSINES_AT_ONCE, "cuda": 2**28}
"""How many are held in step 1: 16 MiB on a processor, and a GiB of a GPU's memory."""

_BOUNDS_AT_ONCE = 2**23
"""How many of those that step 1 keeps, of all probes together, are held: probes beyond that wait."""


class Index:
    """A search through vectors (N, D) float32 of unit norm; person (N,) int64 says whose they are.

    On the CPU the vectors are used where they lie; a GPU gets a copy.
    """

    def __init__(self, vectors: np.ndarray, person: np.ndarray, device: torch.device):
        self.vectors, self.person = vectors, person
        self._on_device = torch.from_numpy(vectors).to(device)
        self._grouped: tuple[np.ndarray, ...] | None = None
        self._few: Few | None = None

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
        if score == "max" and len(self.vectors) <= FEW and self._on_device.device.type == "cpu":
            if self._few is None:
                self._few = Few(self.vectors, self.person)
            return self._few.nearest(probes, k)
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

    # ------------------------------------------------------------------ the largest cosine

    def _block_maxima(self, probes: Tensor) -> Tensor:
        """(B, ⌈N / BLOCK⌉) float32: the largest cosine in each block."""
        count, total = len(probes), len(self._on_device)
        maxima = probes.new_empty(count, -(-total // BLOCK))
        for start, end, products in self._pass(probes):
            whole, first = (end - start) // BLOCK, start // BLOCK
            blocks = products[: whole * BLOCK].view(whole, BLOCK, count)
            maxima[:, first : first + whole] = blocks.amax(dim=1).T
            if whole * BLOCK < end - start:
                maxima[:, -1] = products[whole * BLOCK :].amax(dim=0)
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
        return self.person[rows], opened(self.vectors, rows, probe)

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
        for start, end, products in self._pass(probes):
            sums.index_add_(0, owner[start:end], products.double())
        return (sums / torch.from_numpy(counts).to(probes.device)[:, None]).T

    def _open_people(self, people: np.ndarray, probe: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        ids, order, starts, counts = self._groups()
        rows = np.concatenate([order[starts[p] : starts[p] + counts[p]] for p in people])
        ends = np.cumsum(counts[people])
        own = np.split(opened(self.vectors, rows, probe), ends[:-1])
        return ids[people], means(own)


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
