"""What one may hand to a gallery: photos, crops and vectors, one or many; and the vectors that come of it.

array (D,) of numbers, or (N, D) of floating-point numbers    a vector, or N
array (112, 112, 3) uint8, or (N, 112, 112, 3)                a crop as `fl.align` cuts it, or N
anything else that `fl.read_image` reads                      a photo
a list                                                        of any of these
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from os import PathLike
from typing import Any

import numpy as np
from torch import Tensor

from facelab.datasets import Embedded, Templates, read_embedded
from facelab.detect import Face
from facelab.errors import GalleryError
from facelab.gallery.columns import UNIT_TOLERANCE
from facelab.pipeline import SIDE, Pipeline


@dataclass(frozen=True, eq=False)
class Seen:
    """One vector (D,) float32 of unit norm and what it was made of: of a photo the face, its crop and notes;
    of a crop the crop."""

    vector: np.ndarray
    face: Face | None = None
    crop: np.ndarray | None = None
    notes: tuple[str, ...] = ()


def unit(vectors: Any, dimension: int) -> np.ndarray:
    """(N, D) float32 of unit norm; vectors that have it already are kept to the bit.

    Raises GalleryError for another dimension, for NaN, infinity or zeros.
    """
    vectors = np.asarray(vectors)
    if vectors.ndim != 2 or vectors.shape[1] != dimension or vectors.dtype.kind not in "fiu":
        raise GalleryError(
            f"vectors of shape {vectors.shape}, {vectors.dtype} do not fit: this gallery's embedder gives "
            f"{dimension} numbers a face."
        )
    units = np.empty(vectors.shape, np.float32)
    for start in range(0, len(vectors), 4096):  # a million of them need no float64 copy
        some = vectors[start : start + 4096].astype(np.float64)
        largest = np.abs(some).max(axis=1, keepdims=True)
        bad = np.flatnonzero(~(np.isfinite(largest) & (largest > 0)))
        if len(bad):
            raise GalleryError(
                f"vector {start + bad[0]} is all zeros, or holds NaN or infinity: it has no direction. None "
                "of them was taken."
            )
        scaled = some / largest  # squares of large numbers overflow
        norms = np.linalg.norm(scaled, axis=1, keepdims=True)
        already = np.abs(largest * norms - 1) <= UNIT_TOLERANCE / 10
        units[start : start + 4096] = np.where(already, some, scaled / norms)
    return units


def look(
    source: Any, dimension: int, pipeline: Callable[[], Pipeline], face: int | None = None
) -> tuple[list[Seen], bool]:
    """The vectors of a source, and whether it was a single one. `pipeline` is called when there is a photo or
    a crop.

    face  which face of each photo, 0 being the largest; None: the largest, and a note where there are several

    Raises GalleryError for vectors that do not fit, ImageError and NoFaceError for photos, naming them.
    """
    items, single = _items(source)
    seen: dict[int, Seen] = {}
    kinds = [_kind(item) for item in items]
    at = {kind: [i for i, its in enumerate(kinds) if its == kind] for kind in ("vector", "crop", "photo")}
    if at["vector"]:
        if len({len(items[i]) for i in at["vector"]}) > 1:
            raise GalleryError(
                "vectors of different lengths cannot be of one embedder. None of them was taken."
            )
        vectors = unit(np.stack([items[i] for i in at["vector"]]), dimension)
        seen |= {i: Seen(vector) for i, vector in zip(at["vector"], vectors, strict=True)}
    if at["crop"]:
        crops = [items[i] for i in at["crop"]]
        vectors = unit(pipeline().embed(crops), dimension)
        seen |= {i: Seen(v, crop=c) for i, v, c in zip(at["crop"], vectors, crops, strict=True)}
    if at["photo"]:
        photos = [items[i] for i in at["photo"]]
        pipe = pipeline()
        results = [pipe.one(photos[0])] if len(photos) == 1 else pipe(photos, progress=False)
        for i, result in zip(at["photo"], results, strict=True):
            row = result.one(face)
            seen[i] = Seen(
                unit(result.vectors[row : row + 1], dimension)[0],
                result.faces[row],
                result.crops[row],
                result.note(row),
            )
    return [seen[i] for i in range(len(items))], single


def _items(source: Any) -> tuple[list, bool]:
    """What is in a source, one by one, and whether that is the source itself."""
    if isinstance(source, Tensor):
        source = source.detach().cpu().numpy()
    if isinstance(source, np.ndarray):
        several = source.ndim == 4 or (source.ndim == 2 and source.dtype.kind == "f")
        return (list(source), False) if several else ([source], True)
    if (
        isinstance(source, str | bytes | bytearray | PathLike)
        or not isinstance(source, Iterable)
        or hasattr(source, "read")
    ):
        return [source], True
    items = list(source)
    if items and all(isinstance(item, int | float | np.number) for item in items):
        return [np.asarray(items, np.float64)], True
    return [item.detach().cpu().numpy() if isinstance(item, Tensor) else item for item in items], False


def _kind(item: Any) -> str:
    if isinstance(item, np.ndarray):
        if item.ndim == 1:
            return "vector"
        if item.shape == (SIDE, SIDE, 3) and item.dtype == np.uint8:
            return "crop"
    return "photo"


def labelled(
    source: str | PathLike | Embedded | Templates,
) -> tuple[str, list[str], np.ndarray, tuple[str, ...]]:
    """Vectors with names: the pipeline they are of, whose each is, the vectors (N, D), what was left out.

    source  a file that `facelab embed` wrote, its contents, or `fl.datasets.lfw_templates()`
    """
    if not isinstance(source, Embedded | Templates):
        source = read_embedded(source)
    if isinstance(source, Templates):
        names = [source.names.get(who, f"person {who}") for who in source.identity.tolist()]
        return source.provenance["config"], names, source.vectors, ()
    return source.config, [source.names[who] for who in source.identity], source.vectors, source.notes
