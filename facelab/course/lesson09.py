"""What lesson 09 measures: what a crash leaves of a file, and how many enrolled people are missed.

What a crash leaves of an HDF5 file: each write recorded, and the file as it was after each of them.

A program that dies while it changes a file leaves the writes that it had made, and not the others. How many
that were is chance; so here is every possibility, in order. (A machine that loses its power may even lose
earlier writes and keep later ones. That is left out: it is bad enough without.)
"""

import io
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from facelab.datasets import Templates
from facelab.metrics import fnir_at_fpir


class Recorder:
    """A file in memory, as h5py wants one, that remembers what it held after each write."""

    def __init__(self, data: bytes):
        self._file = io.BytesIO(data)
        self.states = [data]
        self.seek, self.tell, self.read = self._file.seek, self._file.tell, self._file.read
        self.readinto = self._file.readinto

    def write(self, data) -> int:
        count = self._file.write(data)
        self._remember()
        return count

    def truncate(self, size: int | None = None) -> int:
        size = self._file.truncate(size)
        self._remember()
        return size

    def flush(self) -> None:
        """Nothing is held back."""

    def _remember(self) -> None:
        now = self._file.getvalue()
        if now != self.states[-1]:  # a write of what is there already changes nothing
            self.states.append(now)


def crash_states(data: bytes, change: Callable[[Any], object]) -> list[bytes]:
    """Everything that a crash can leave of an HDF5 file while `change` is made to it, and it is closed.

    data    the file before; b"" begins a new one
    change  called with the open h5py.File

    Returns the file after none, one, two … of the writes: the first is `data`, the last is the changed file.
    """
    import h5py

    recorder = Recorder(data)
    with h5py.File(recorder, "r+" if data else "w") as hdf_file:
        change(hdf_file)
    return recorder.states


# ---- LFW split into enrolled people and strangers, again and again -----------------------------------------

SAME_PERSON = (
    *((777, 4527), (461, 4646), (1584, 1649), (266, 270)),  # one photograph under two names
    *((4109, 4110), (581, 702), (1375, 1929), (924, 5190)),  # one person under two spellings, or two names
    *((999, 1103), (2063, 2067), (5592, 5693), (1686, 4427)),
    *((555, 5643), (5244, 5245), (4133, 5506), (4829, 5564), (2858, 4961), (3912, 3913)),
)
"""Pairs of LFW's 5,749 "people" who are one: by their photo, or by their names and who they are (`identity`
of `fl.datasets.lfw_templates`). Looked for among the
nearest pairs, decided by photo or name; there may be more. Twins and brothers are not among
them."""


@dataclass(frozen=True, eq=False)
class Split:
    """5,000 people enrolled with one photo each, 1,680 of them asked about with a second, 749 strangers.

    gallery (5000, D), probes (1680, D): row i of both is the same person; strangers (749 or fewer, D)
    """

    gallery: np.ndarray
    probes: np.ndarray
    strangers: np.ndarray

    @cached_property
    def answers(self) -> tuple[list[int], np.ndarray, list[int | None]]:
        """Best match, its score, and the truth of every probe and stranger, as `fl.metrics` wants them."""
        cosines = np.concatenate([self.probes, self.strangers]) @ self.gallery.T
        truth = [*range(len(self.probes)), *[None] * len(self.strangers)]
        return cosines.argmax(axis=1).tolist(), cosines.max(axis=1), truth


def split(templates: Templates, seed: int, drop: bool = False) -> Split:
    """One random split. drop: leave out strangers who are somebody enrolled (SAME_PERSON)."""
    rng = np.random.default_rng(seed)
    first, second = (templates.vectors[templates.number == number] for number in (1, 2))
    known, once = np.flatnonzero(templates.counts > 1), np.flatnonzero(templates.counts == 1)
    order, once = rng.permutation(len(known)), rng.permutation(once)
    enrolled, strangers = np.concatenate([known[order], once[:3320]]), once[3320:]
    if drop:
        twins = dict(SAME_PERSON) | {b: a for a, b in SAME_PERSON}
        strangers = strangers[[twins.get(int(who)) not in set(enrolled.tolist()) for who in strangers]]
    return Split(first[enrolled], second[order], first[strangers])


def fnir_table(templates: Templates, seeds: Iterable[int], fpirs=(0.1, 0.05, 0.01)) -> list[dict]:
    """FNIR at each FPIR in many splits, with LFW's labels as they are and with known errors left out."""
    rows = []
    for seed in seeds:
        for drop in (False, True):
            answers = split(templates, seed, drop).answers
            labels = "known errors left out" if drop else "as they are"
            rows += [
                {
                    "split": seed,
                    "labels": labels,
                    "FPIR": f"{fpir:.0%}",
                    "FNIR": float(fnir_at_fpir(*answers, fpir)),
                }
                for fpir in fpirs
            ]
    return rows
