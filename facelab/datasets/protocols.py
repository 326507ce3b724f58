"""The lists of pairs by which LFW is benchmarked."""

from dataclasses import dataclass
from os import PathLike
from pathlib import Path

import numpy as np

from facelab.datasets.photos import PhotoSet
from facelab.download import home as facelab_home
from facelab.errors import DatasetError

PROTOCOLS = {"lfw": "pairs.txt", "devtest": "pairsDevTest.txt", "devtrain": "pairsDevTrain.txt"}
"""Protocol → its file. `lfw` is View 2, by which results are reported: ten folds, 6,000 pairs. `devtrain`
(2,200 pairs) and `devtest` (1,000) are View 1, for choosing a model without looking at View 2."""

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
        return tuple(np.array([photos.row(*photo) for photo in side]) for side in (self.a, self.b))


def lfw_pairs(protocol: str = "lfw", home: str | PathLike | None = None) -> Pairs:
    """LFW's pairs: "lfw" (View 2: 10 folds, 6,000 pairs), "devtrain" and "devtest" (View 1).

    Raises DatasetError when the list is missing or damaged. Without the list, `lfw_templates().pairs` has
    the same pairs as places in the file of templates.
    """
    if protocol == "fglfw":
        raise DatasetError(
            "fglfw: this version cannot read FGLFW's list of pairs yet. facelab does not carry it: it comes "
            "from its authors (Deng et al., Pattern Recognition 2017) as a text file with two image names "
            "for each pair, and is meant to be brought with `facelab data get fglfw --from FILE`."
        )
    if protocol not in PROTOCOLS:
        raise DatasetError(f"There is no LFW protocol {protocol!r}; there are {', '.join(PROTOCOLS)}.")
    file = folder_of_lfw(home) / PROTOCOLS[protocol]
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise DatasetError(
            f"{file} is missing. Run `facelab data get lfw`, or put the list there yourself."
        ) from None
    return parse_pairs(text, protocol, file)


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
    place = np.arange(len(rows))
    return Pairs(protocol, tuple(a), tuple(b), same=place // each % 2 == 0, fold=place // (2 * each))
