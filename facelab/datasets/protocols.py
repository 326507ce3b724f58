"""The lists of pairs by which LFW is benchmarked."""

from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path

import numpy as np

from facelab.datasets import fglfw, lookalike
from facelab.datasets.photos import PhotoSet
from facelab.download import home as facelab_home
from facelab.errors import DatasetError

PROTOCOLS = {"lfw": "pairs.txt", "devtest": "pairsDevTest.txt", "devtrain": "pairsDevTrain.txt"}
"""LFW's own protocols → their files. `lfw` is View 2, by which results are reported: ten folds, 6,000
pairs. `devtrain` (2,200 pairs) and `devtest` (1,000) are View 1, for choosing a model without looking
at View 2."""

HARDER = ("lookalike", "fglfw")
"""Protocols on LFW's photos with pairs of different people who look alike:
`facelab.datasets.lookalike`, made here, and FGLFW, brought by `facelab data get fglfw --from FILE`."""

SHAPE = {"lfw": (10, 300), "devtest": (1, 500), "devtrain": (1, 1100)}
"""Protocol → (folds, pairs of the same person in each; as many of different people follow them)."""


@dataclass(frozen=True, eq=False)
class Pairs:
    """Pairs of photos, each photo a name and a number.

    a, b    one (name, number) for each pair
    same    (N,) bool: one person?
    fold    (N,) int64, from 0
    """

    protocol: str
    a: tuple[tuple[str, int], ...]
    b: tuple[tuple[str, int], ...]
    same: np.ndarray
    fold: np.ndarray

    def __len__(self) -> int:
        return len(self.same)

    def rows(self, photos: PhotoSet) -> tuple[np.ndarray, np.ndarray]:
        """The pairs as (N,), (N,) places in `photos.paths`. Raises DatasetError when a photo is not there."""
        a, b = (np.array([photos.row(*photo) for photo in side]) for side in (self.a, self.b))
        return a, b


def lfw_pairs(protocol: str = "lfw", home: str | PathLike | None = None) -> Pairs:
    """Pairs of LFW's photos, by protocol:

    "lfw"                  View 2: ten folds, 6,000 pairs
    "devtrain", "devtest"  View 1: 2,200 and 1,000 pairs
    "lookalike"            View 2 with the negatives that are hardest for SFace (`datasets.lookalike`)
    "fglfw"                View 2 with negatives that people found alike (Deng et al., 2017)

    Raises DatasetError when a list is missing or damaged. Without LFW's lists, `lfw_templates().pairs`
    has the same pairs (all but FGLFW's) as places in the file of templates.
    """
    if protocol == "lookalike":
        pairs = lfw_pairs("lfw", home)
        b = lookalike.second_photos(pairs.a, pairs.b, pairs.same)
        return replace(pairs, protocol=protocol, b=tuple(b))
    if protocol == "fglfw":
        file = folder_of_lfw(home) / fglfw.FILE_NAME
        remedy = "`facelab data get fglfw --from FILE` takes the list that its authors give out"
    elif protocol in PROTOCOLS:
        file = folder_of_lfw(home) / PROTOCOLS[protocol]
        remedy = "Run `facelab data get lfw`, or put the list there yourself"
    else:
        known = ", ".join([*PROTOCOLS, *HARDER])
        raise DatasetError(f"There is no LFW protocol {protocol!r}; there are {known}.")
    try:
        text = file.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        raise DatasetError(f"{file} is missing. {remedy}.") from None
    return parse_fglfw(text, file) if protocol == "fglfw" else parse_pairs(text, protocol, file)


def parse_fglfw(text: str, source: object) -> Pairs:
    """FGLFW's list → Pairs. Raises DatasetError, naming the line, when the text is another list."""
    a, b = fglfw.parse(text, source)
    place = np.arange(len(a))
    return Pairs("fglfw", a, b, same=place // fglfw.EACH % 2 == 0, fold=place // (2 * fglfw.EACH))


def folder_of_lfw(home: str | PathLike | None = None) -> Path:
    """Where LFW is kept: `lfw` in the folder given, or in facelab's own (`FACELAB_HOME`)."""
    return (Path(home).expanduser() if home is not None else facelab_home()) / "lfw"


def parse_pairs(text: str, protocol: str, source: object) -> Pairs:
    """The text of a pair list → Pairs: a count, then `name i j` (same person) or `name i name j`.

    Raises DatasetError, naming the line, when the text is not the protocol's.
    """
    folds, each = SHAPE[protocol]
    lines = text.split("\n")
    header = [str(folds), str(each)] if folds > 1 else [str(each)]
    if lines[0].split() != header:
        raise DatasetError(
            f"{source}: its first line should be {' '.join(header)!r} and is {lines[0][:40]!r}."
        )
    rows = [line.split("\t") for line in lines[1:] if line.strip()]
    if len(rows) != 2 * folds * each:
        raise DatasetError(f"{source}: it should hold {2 * folds * each:,} pairs and holds {len(rows):,}.")
    a, b = [], []
    for place, row in enumerate(rows):
        same = place // each % 2 == 0
        try:
            first, second = (row[0], int(row[1])), (row[0 if same else 2], int(row[-1]))
            if len(row) != (3 if same else 4):
                raise ValueError
        except (ValueError, IndexError):
            raise DatasetError(
                f"{source}, line {place + 2}: {chr(9).join(row)[:80]!r} is not a pair."
            ) from None
        a.append(first)
        b.append(second)
    places = np.arange(len(rows))
    return Pairs(protocol, tuple(a), tuple(b), same=places // each % 2 == 0, fold=places // (2 * each))
