"""Bona fide photos → what a camera takes of them and of attacks with them: what is learnt from, and tested
on."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from os import PathLike

import numpy as np

from facelab.antispoof.attacks import KINDS, Behind
from facelab.antispoof.camera import Camera
from facelab.antispoof.crops import pair
from facelab.detect.face import Face
from facelab.errors import DatasetError

BONA_FIDE = "bona fide"


@dataclass(frozen=True, eq=False)
class Captures:
    """crops (N, 2, S, S, 3) uint8; kind (N,) str: BONA_FIDE or a key of KINDS; person (N,) int64, a number
    each."""

    crops: np.ndarray
    kind: np.ndarray
    person: np.ndarray

    def __post_init__(self):
        count = len(self.crops)
        if self.crops.ndim != 5 or self.kind.shape != (count,) or self.person.shape != (count,):
            raise ValueError(
                f"crops {self.crops.shape}, kind {self.kind.shape}, person {self.person.shape}: "
                "(N, 2, S, S, 3), (N,) and (N,)."
            )

    def __len__(self) -> int:
        return len(self.crops)

    @property
    def live(self) -> np.ndarray:
        """(N,) bool."""
        return self.kind == BONA_FIDE

    def where(self, rows: np.ndarray) -> "Captures":
        return Captures(self.crops[rows], self.kind[rows], self.person[rows])

    def without(self, *kinds: str) -> "Captures":
        """All but these kinds of attack."""
        return self.where(~np.isin(self.kind, kinds))

    def save(self, path: str | PathLike) -> None:
        np.savez(path, crops=self.crops, kind=self.kind.astype("U16"), person=self.person)

    @classmethod
    def load(cls, path: str | PathLike) -> "Captures":
        try:
            with np.load(path, allow_pickle=False) as file:
                return cls(file["crops"], file["kind"], file["person"])
        except (OSError, KeyError, ValueError) as error:
            raise DatasetError(f"{path}: holds no captures ({error}). Make them again.") from error


def take(
    photo: np.ndarray,
    face: Face,
    kind: str,
    rng: np.random.Generator,
    behind: Behind | None = None,
    camera: Callable[[np.random.Generator], Camera] = Camera.draw,
) -> np.ndarray:
    """A photo (H, W, 3) uint8 as some camera takes it: of the person, or of an attack with the photo.

    kind    BONA_FIDE or a key of KINDS. Of each, one photo in two has been taken by a camera of ours before
            (a bona fide one was sent on, an attacker's was taken): how often must not give an attack away
    camera  draws the camera that takes the picture; the photo that an attacker has was taken by
            `Camera.draw`'s

    Raises ValueError for another kind.
    """
    if kind != BONA_FIDE and kind not in KINDS:
        raise ValueError(f"kind={kind!r}: choose {BONA_FIDE!r} or one of {', '.join(KINDS)}.")
    if rng.random() < 0.5:
        photo = Camera.draw(rng).apply(photo)
    if kind != BONA_FIDE:
        photo = KINDS[kind].draw(rng).apply(photo, face, behind if rng.random() < 0.5 else None)
    return camera(rng).apply(photo)


def make_captures(
    photos: Sequence[tuple[np.ndarray, Face]],
    person: Sequence[int] | np.ndarray,
    *,
    bona_fide: int = 2,
    kinds: Sequence[str] = tuple(KINDS),
    seed: int = 0,
    side: int = 80,
    camera: Callable[[np.random.Generator], Camera] = Camera.draw,
    progress: bool = False,
) -> Captures:
    """Of each photo so many bona fide captures and one of each kind of attack; behind some attacks stands the
    person of the next photo. The same seed gives the same, however many photos follow (the next of the last
    one is the first)."""
    from tqdm.auto import tqdm

    crops, kind = [], []
    plan = [BONA_FIDE] * bona_fide + list(kinds)
    for row, (photo, face) in enumerate(tqdm(photos, unit="photo", disable=not progress)):
        behind = photos[(row + 1) % len(photos)]
        for number, its in enumerate(plan):
            rng = np.random.default_rng([seed, row, number])
            crops.append(pair(take(photo, face, its, rng, behind, camera), face, side))
            kind.append(its)
    shape = (0, 2, side, side, 3)
    stack = np.stack(crops) if crops else np.zeros(shape, np.uint8)
    return Captures(stack, np.array(kind, "U16"), np.repeat(np.asarray(person, np.int64), len(plan)))
