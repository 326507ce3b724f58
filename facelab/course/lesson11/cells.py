"""Approximate search written out: templates in cells, and only the cells nearest to the probe are searched.

Sivic & Zisserman, Video Google, ICCV 2003; as an index for vectors: Jégou, Douze & Schmid, PAMI 2011.
"""

from dataclasses import dataclass

import numpy as np
import torch

from facelab.course.lesson11.codes import k_means, nearest_of


@dataclass(frozen=True, eq=False)
class Cells:
    """centres (cells, D); members: for each cell the rows of the gallery that lie in it."""

    centres: np.ndarray
    members: list[np.ndarray]


def cells(gallery: np.ndarray, count: int, train: int = 32_768, seed: int = 0) -> Cells:
    """(N, D) templates in `count` cells; the centres are learnt from `train` of them, drawn by lot."""
    every = torch.from_numpy(gallery)
    lot = torch.randperm(len(every), generator=torch.Generator().manual_seed(seed))[:train]
    centres = k_means(every[lot], count, seed=seed)
    of = nearest_of(every, centres).numpy()
    members = np.split(np.argsort(of, kind="stable"), np.cumsum(np.bincount(of, minlength=count))[:-1])
    return Cells(centres.numpy(), members)
