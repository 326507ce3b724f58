"""What an album answers with: its groups, and which of them may be one person."""

from dataclasses import dataclass

import numpy as np

from facelab.album.naming import LEFT_OUT, is_named, is_reserved


@dataclass(frozen=True, eq=False)
class Group:
    """Faces that are taken for one person (in `others` and `left out`: for nobody).

    name   the folder's
    rows   (n,) int64, ascending: the faces, as rows of faces.h5
    """

    name: str
    rows: np.ndarray

    @property
    def named(self) -> bool:
        """Whether somebody gave it this name: not `person 012`, not `others`, not `left out`."""
        return is_named(self.name)

    def __len__(self) -> int:
        return len(self.rows)


@dataclass(frozen=True)
class Suggestion:
    """Two groups that may be one person: their names, and the two faces, one of each, that are
    closest."""

    a: str
    b: str
    distance: float
    faces: tuple[int, int]


def place(group: Group) -> tuple:
    """For sorting: the largest group first, then `others`, last `left out`."""
    if is_reserved(group.name):
        return (1 + (group.name.casefold() == LEFT_OUT), 0, group.name)
    return (0, -len(group), group.name)
