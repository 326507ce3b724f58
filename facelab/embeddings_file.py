"""The file that `facelab embed FOLDER OUT.h5` writes: a row for each face, its photo, and the errors.

    /vectors    (N, D) float32, unit norm        /photo      (N,) int64, row of /photos
    /boxes      (N, 4) float32                   /landmarks  (N, 5, 2) float32
    /scores     (N,)   float32                   /photos     (P,) UTF-8 path
    /errors     (P,) UTF-8: empty, or why the photo gave nothing
    attributes  embedder, config (the pipeline's), facelab (version), complete (False after an interruption)

It is written photo by photo at constant memory, beside its final place, and moved there at the end.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from os import PathLike
from pathlib import Path

import numpy as np

from facelab.errors import FacelabError
from facelab.pipeline import Pipeline, Result


@dataclass
class Written:
    """How much went into the file, and what did not: (path, reason) pairs."""

    photos: int = 0
    faces: int = 0
    failed: list[tuple[str, str]] = field(default_factory=list)
    complete: bool = True
    error: FacelabError | None = None


def write(results: Iterable[Result], target: str | PathLike, pipe: Pipeline) -> Written:
    """Write results as they come. Ctrl-C, or a device that gives up, keeps what is done so far and marks the
    file `complete = False`; the error is raised after that.

    Raises FacelabError when the file cannot be written (no such folder, disk full); then nothing is left
    behind and a file that was there before stays as it was.
    """
    import h5py

    import facelab

    target = Path(target)
    if target.is_dir():
        raise FacelabError(f"{target}: is a folder. Give the name of the file to write.")
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
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
    try:
        with h5py.File(part, "w") as file:
            file.attrs.update(embedder=pipe.embedder.name, config=pipe.config, facelab=facelab.__version__)
            for name, (shape, dtype) in columns.items():
                file.create_dataset(name, (0, *shape), dtype, maxshape=(None, *shape), chunks=(256, *shape))
            for some in _batched(_until_it_stops(results, written), 256):
                _append(file, some, written)
            file.attrs["complete"] = written.complete
        if written.photos == 0:
            raise (
                written.error
                if written.error is not None
                else FacelabError(f"{target}: not written, as there was no photo to embed.")
            )
        os.replace(part, target)
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else error
        raise FacelabError(
            f"{target}: cannot be written ({reason}). Is the folder there, writable, and the disk not full?"
        ) from error
    finally:
        part.unlink(missing_ok=True)
    if written.error is not None:
        raise FacelabError(
            f"{target}: holds {written.photos} photos, then: {written.error}"
        ) from written.error
    return written


def _until_it_stops(results: Iterable[Result], written: Written) -> Iterator[Result]:
    try:
        yield from results
    except KeyboardInterrupt:
        written.complete = False
    except FacelabError as error:
        written.complete, written.error = False, error


def _batched(results: Iterator[Result], size: int) -> Iterator[list[Result]]:
    """Lists of `size`: HDF5 is asked now and then, not for every photo (itertools.batched is 3.12)."""
    while some := list(islice(results, size)):
        yield some


def _append(file, results: Sequence[Result], written: Written) -> None:
    faces = [face for result in results for face in result.faces]
    counts = [len(result.faces) for result in results]
    # A file name of bytes that are no UTF-8 is kept in a form that can be read back.
    paths = [str(result.path).encode("utf-8", "backslashreplace").decode() for result in results]
    errors = [str(result.error or "").replace("\0", "\\0") for result in results]  # HDF5 text ends at a NUL
    rows = {
        "vectors": np.concatenate([result.vectors for result in results]),
        "boxes": np.array([face.box for face in faces]).reshape(-1, 4),
        "landmarks": np.array([face.landmarks for face in faces]).reshape(-1, 5, 2),
        "scores": np.array([face.score for face in faces]),
        "photo": np.repeat(np.arange(written.photos, written.photos + len(results)), counts),
        "photos": np.array(paths, object),
        "errors": np.array(errors, object),
    }
    for name, values in rows.items():
        start = len(file[name])
        file[name].resize(start + len(values), axis=0)
        file[name][start:] = values
    written.photos += len(results)
    written.faces += len(faces)
    written.failed += [(path, error) for path, error in zip(paths, errors, strict=True) if error]
