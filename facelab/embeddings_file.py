"""The file that `facelab embed FOLDER OUT.h5` writes: a row for each face, its photo, and the errors.

    /vectors    (N, D) float32, unit norm        /photo      (N,) int64, row of /photos
    /boxes      (N, 4) float32                   /landmarks  (N, 5, 2) float32
    /scores     (N,)   float32                   /photos     (P,) UTF-8 path
    /errors     (P,) UTF-8: empty, or why the photo gave nothing
    attributes  embedder, config (the pipeline's), facelab (version), complete (always True)

It is written at constant memory, beside its final place, and moved there at the end; HDF5 itself never
touches the disk (`facelab.safe_write` says why). Vectors of faces are personal: a new file is
readable by its owner only.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from facelab.errors import DatasetError, FacelabError
from facelab.images import Source
from facelab.pipeline import Pipeline, Result
from facelab.safe_write import hdf5_into, replacement

AT_ONCE = 256
"""Photos for which HDF5 is asked once."""


@dataclass(frozen=True, eq=False)
class Stored:
    """What such a file holds.

    vectors     (N, D) float32, unit norm: a row for each face
    photo       (N,) int64: the photo that each face is in, a place in `photos`; a photo's faces lie together,
                the largest first
    photos      (P,) paths
    errors      (P,) empty, or why the photo gave nothing
    config      the pipeline, such as `yunet+aligned+sface`
    complete    False where an older facelab was interrupted
    attributes  all that is said of the whole file, these two among them
    """

    vectors: np.ndarray
    photo: np.ndarray
    photos: np.ndarray
    errors: np.ndarray
    config: str
    complete: bool
    attributes: dict[str, Any]


def read(file: str | PathLike) -> Stored:
    """What `write` wrote. Raises DatasetError for another file, or one whose columns do not fit together."""
    import h5py

    file = Path(file)
    if not file.is_file():
        raise DatasetError(f"{file}: there is no such file.")
    try:
        with h5py.File(file, "r") as stored:
            vectors, photo = stored["vectors"][()], stored["photo"][()]
            photos, errors = stored["photos"].asstr()[()], stored["errors"].asstr()[()]
            attributes = dict(stored.attrs)
            config, complete = str(attributes["config"]), bool(attributes.get("complete", True))
    except (OSError, KeyError, RuntimeError, ValueError, TypeError, MemoryError) as error:  # what h5py raises
        raise DatasetError(f"{file} is no file that `facelab embed` wrote ({error}).") from error
    if not (
        (vectors.ndim, vectors.dtype.kind, photo.ndim, photo.dtype.kind) == (2, "f", 1, "i")
        and len(vectors) == len(photo)
        and len(photos) == len(errors)
        and np.isin(photo, np.arange(len(photos))).all()
        and np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-3)  # NaN is close to nothing
    ):
        raise DatasetError(f"{file} is damaged: its columns do not fit together. Run `facelab embed` again.")
    return Stored(vectors, photo, photos, errors, config, complete, attributes)


@dataclass
class Written:
    """How much went into the file, and what did not: (path, reason) pairs."""

    photos: int = 0
    faces: int = 0
    failed: list[tuple[str, str]] = field(default_factory=list)


def write(results: Iterable[Result], target: str | PathLike, pipe: Pipeline, **attributes: Any) -> Written:
    """Write results as they come. Raises OSError where that cannot be; whatever is raised, nothing is left
    behind, and a file that was there before stays as it was. `attributes` are kept with the whole file."""
    results = iter(results)
    parts = iter(lambda: list(islice(results, AT_ONCE)), [])
    return _write(map(_rows, parts), Path(target), pipe, attributes)


def join(files: Sequence[Path], target: Path, pipe: Pipeline) -> Written:
    """One file of several, in their order. Raises as `write`, and FacelabError for a damaged one, which is
    removed."""
    return _write(map(_read, files), target, pipe, {})


def _write(
    parts: Iterator[dict[str, Any]], target: Path, pipe: Pipeline, attributes: dict[str, Any]
) -> Written:
    import h5py

    import facelab

    written = Written()
    text = h5py.string_dtype("utf-8")
    columns = {
        "vectors": ((pipe.embedder.dim,), np.float32),
        "boxes": ((4,), np.float32),
        "landmarks": ((5, 2), np.float32),
        "scores": ((), np.float32),
        "photo": ((), np.int64),
        "photos": ((), text),
        "errors": ((), text),
    }
    beside = target.with_name(f".{target.name}.{os.getpid()}.part")
    with replacement(target, beside) as stream, hdf5_into(stream) as file:
        file.attrs.update(embedder=pipe.embedder.name, config=pipe.config, complete=True)
        file.attrs.update(facelab=facelab.__version__, **attributes)
        for name, (shape, dtype) in columns.items():
            file.create_dataset(
                name,
                (0, *shape),
                dtype,
                maxshape=(None, *shape),
                chunks=(AT_ONCE, *shape),
                fletcher32=dtype != text,
            )
        for part in parts:
            _append(file, {**part, "photo": part["photo"] + written.photos})
            written.photos += len(part["photos"])
            written.faces += len(part["photo"])
            pairs = zip(part["photos"], part["errors"], strict=True)
            written.failed += [(path, error) for path, error in pairs if error]
    return written


def text_of(path: Source) -> str:
    """A photo's path as the file keeps it. A name of bytes that are no UTF-8 is put in letters that are."""
    return str(path).encode("utf-8", "backslashreplace").decode()


def _rows(results: Sequence[Result]) -> dict[str, Any]:
    """The columns of some photos, who are counted from 0."""
    faces = [face for result in results for face in result.faces]
    return {
        "vectors": np.concatenate([result.vectors for result in results]),
        "boxes": np.array([face.box for face in faces]).reshape(-1, 4),
        "landmarks": np.array([face.landmarks for face in faces]).reshape(-1, 5, 2),
        "scores": np.array([face.score for face in faces]),
        "photo": np.repeat(np.arange(len(results)), [len(result.faces) for result in results]),
        "photos": [text_of(result.path) for result in results],
        "errors": [str(result.error or "").replace("\0", "\\0") for result in results],  # text ends at a NUL
    }


def _read(path: Path) -> dict[str, Any]:
    import h5py

    try:
        with h5py.File(path, "r") as file:
            return {
                name: file[name].asstr()[()].tolist() if name in ("photos", "errors") else file[name][()]
                for name in file
            }
    except (OSError, KeyError, RuntimeError, ValueError, TypeError) as error:
        path.unlink(missing_ok=True)
        raise FacelabError(
            f"{path} was damaged ({error}) and is removed. The same command makes it again."
        ) from error


def _append(file, rows: dict[str, Any]) -> None:
    for name, values in rows.items():
        column, more = file[name], np.array(values, object) if isinstance(values, list) else values
        column.resize(len(column) + len(more), axis=0)
        column[len(column) - len(more) :] = more
