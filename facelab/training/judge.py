"""How good is it on people it has never seen? Verification, with intervals over people."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from facelab import metrics
from facelab.errors import DatasetError
from facelab.training.crops import Crops

FEWEST = 10
"""People without whom no interval is given: so few say nothing of others."""

GENUINE, IMPOSTOR = 20_000, 100_000
"""Most pairs of either kind; more are drawn from."""


@dataclass(frozen=True, eq=False)
class Pairs:
    """a, b  rows of the crops       same  (N,) bool       who_a, who_b  (N,): people, for intervals"""

    a: np.ndarray
    b: np.ndarray
    same: np.ndarray
    who_a: np.ndarray
    who_b: np.ndarray

    @property
    def rows(self) -> np.ndarray:
        """The rows that occur, rising."""
        return np.unique(np.concatenate([self.a, self.b]))

    @property
    def people(self) -> np.ndarray:
        """The people who occur, rising."""
        return np.unique(np.concatenate([self.who_a, self.who_b]))

    def scores(self, vectors: np.ndarray) -> np.ndarray:
        """(len(rows), D), a vector of unit norm for each of `rows` → a cosine for each pair."""
        a, b = (vectors[np.searchsorted(self.rows, side)] for side in (self.a, self.b))
        return np.einsum("nd,nd->n", a, b)


@dataclass(frozen=True)
class Figures:
    """Verification of people never seen: AUC, EER, and TAR at FMR 1 % and 0.1 % (None below 10 impostors
    there). Intervals (low, high) are 95 %, from a bootstrap over people; None where none was asked for, or
    the people are too few."""

    auc: float
    eer: float
    tar_at_1e_2: float | None
    tar_at_1e_3: float | None
    auc_interval: tuple[float, float] | None = None
    eer_interval: tuple[float, float] | None = None
    tar_interval: tuple[float, float] | None = None
    genuine: int = 0
    impostor: int = 0
    people: int = 0

    def __str__(self) -> str:
        def shown(value: float, interval) -> str:
            return f"{value:.1%}" + (f" [{interval[0]:.1%}, {interval[1]:.1%}]" if interval else "")

        parts = [f"AUC {shown(self.auc, self.auc_interval)}", f"EER {shown(self.eer, self.eer_interval)}"]
        if self.tar_at_1e_2 is not None:
            parts.append(f"TAR at FMR 1 % {shown(self.tar_at_1e_2, self.tar_interval)}")
        pairs = f"{self.genuine:,} genuine and {self.impostor:,} impostor pairs of {self.people:,} people"
        few = "" if self.people >= FEWEST else ", too few for an interval"
        return f"{', '.join(parts)} ({pairs}{few})"


def pairs_of(rows: np.ndarray, identity: np.ndarray, seed: int = 0) -> Pairs:
    """All pairs among these rows, or as many as `GENUINE` and `IMPOSTOR` allow, drawn with a seed.

    Raises DatasetError when nobody has two photos, or there is one person only.
    """
    who, rng = identity[rows], np.random.default_rng(seed)
    order = np.argsort(who, kind="stable")
    rows, who = rows[order], who[order]
    ends = np.flatnonzero(np.diff(np.append(who, -1)))
    starts = np.concatenate([[0], ends[:-1] + 1])
    each = [
        np.stack(np.triu_indices(end - start + 1, 1), 1) + start
        for start, end in zip(starts, ends, strict=True)
    ]
    genuine = np.concatenate(each) if each else np.zeros((0, 2), int)
    if len(genuine) == 0 or len(starts) < 2:
        raise DatasetError(
            "The people kept back need two photos each, at least some of them: keep more back."
        )
    genuine = rng.permutation(genuine)[:GENUINE]
    drawn = rng.integers(len(rows), size=(4 * IMPOSTOR, 2))
    drawn = np.unique(np.sort(drawn[who[drawn[:, 0]] != who[drawn[:, 1]]], axis=1), axis=0)
    impostor = rng.permutation(drawn)[:IMPOSTOR]
    a, b = np.concatenate([genuine, impostor]).T
    return Pairs(rows[a], rows[b], np.arange(len(a)) < len(genuine), who[a], who[b])


def lfw_pairs(crops: Crops, protocol: str = "devtest") -> Pairs:
    """An LFW protocol's pairs as rows of crops of LFW; pairs with a photo that gave no face are left out.

    Raises DatasetError where the crops are not LFW's, or its list of pairs is missing.
    """
    from facelab.datasets import lfw

    if not crops.source.startswith("LFW"):
        raise DatasetError(f"{protocol} is a list of LFW's photos, and these are {crops.source}.")
    photos = lfw()
    listed = photos.pairs(protocol)
    row_of = {"/".join(Path(path).parts[-2:]): row for row, path in enumerate(crops.paths)}
    rows = np.array([row_of.get("/".join(path.parts[-2:]), -1) for path in photos.paths])
    a, b = (rows[side] for side in listed.rows(photos))
    there = (a >= 0) & (b >= 0)
    a, b = a[there], b[there]
    return Pairs(a, b, listed.same[there], crops.identity[a], crops.identity[b])


def figures_of(scores: np.ndarray, pairs: Pairs, resamples: int = 0) -> Figures:
    """scores (N,): a cosine for each pair. resamples: of the bootstrap over people; 0: no intervals."""
    same, people = pairs.same, len(pairs.people)

    def tar(far: float) -> float | None:
        return float(metrics.tar_at_far(scores, same, far)) if (~same).sum() * far >= 10 else None

    def interval(statistic) -> tuple[float, float] | None:
        if not resamples or people < FEWEST:
            return None
        found = metrics.bootstrap_identities(
            statistic, scores, same, pairs.who_a, pairs.who_b, resamples=resamples
        )
        return found.low, found.high

    tar_at_1e_2 = tar(1e-2)
    return Figures(
        auc=metrics.auc(scores, same),
        eer=metrics.eer(scores, same),
        tar_at_1e_2=tar_at_1e_2,
        tar_at_1e_3=tar(1e-3),
        auc_interval=interval(metrics.auc),
        eer_interval=interval(metrics.eer),
        tar_interval=None
        if tar_at_1e_2 is None
        else interval(lambda s, t: float(metrics.tar_at_far(s, t, 1e-2))),
        genuine=int(same.sum()),
        impostor=int((~same).sum()),
        people=people,
    )


@torch.inference_mode()
def vectors_of(net: Any, images: Any, rows: np.ndarray, chunk: int = 256) -> np.ndarray:
    """(N, H, W, 3) uint8, or Pixels, and which rows → (rows, D), unit norm. The net keeps its mode."""
    was_training, device = net.training, next(net.parameters()).device
    net.eval()
    vectors = [
        net(net.pixels(images[some].to(device))).float() for some in torch.as_tensor(rows).split(chunk)
    ]
    net.train(was_training)
    return torch.nn.functional.normalize(torch.cat(vectors)).cpu().numpy()
