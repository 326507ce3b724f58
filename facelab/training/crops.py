"""Photos → aligned crops in one HDF5 file, once; training then reads pixels and decodes nothing.

    crops = prepare(folder("people/"), "people.crops.h5")       # or datasets.lfw()
    crops.images(side=112)                                      # (N, 112, 112, 3) uint8
    crops.vectors                                               # (N, D): what a teacher would say

    /crops     (N, 112, 112, 3) uint8 RGB, each with a checksum
    /vectors   (N, D) float32, unit norm: the pipeline's embedder, a teacher for `recipe.distil`
    /identity  (N,) int64, a place in /names          /names, /paths   UTF-8
    /notes     what was left out, and why
    attributes config (the pipeline's), source, sha256 (of the columns), facelab (version)

Crops come in parts of 256 photos, each written beside its place and moved there, so whoever is interrupted
goes on with the parts that are whole. Then they become one file, and the parts go.
"""

import hashlib
import io
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path

import numpy as np

from facelab.datasets import PhotoSet
from facelab.errors import DatasetError
from facelab.kept import write_atomically
from facelab.parts import Parts, key_of
from facelab.pipeline import SIDE, Pipeline
from facelab.safe_write import hdf5_into, replacement

PART = 256
"""Photos in a part: what an interruption may cost."""


@dataclass(frozen=True, eq=False)
class Crops:
    """Aligned faces with names.

    names     the people, sorted            identity  (N,) int64: whose, a place in `names`
    paths     (N,) the photos               vectors   (N, D) float32, unit norm
    config    the pipeline that made them   sha256    of all columns: which data a model was trained on
    source    where they are from, in words
    notes     what was left out, and why
    """

    names: tuple[str, ...]
    identity: np.ndarray
    paths: tuple[str, ...]
    vectors: np.ndarray
    config: str
    sha256: str
    source: str
    notes: tuple[str, ...] = ()
    file: Path | None = None
    _pixels: np.ndarray | None = field(default=None, repr=False)

    def __len__(self) -> int:
        return len(self.identity)

    def __str__(self) -> str:
        return f"{len(self):,} crops of {len(self.names):,} people ({self.source}, {self.config})"

    def photos_of_each(self, rows: np.ndarray) -> np.ndarray:
        """(rows,) int64: how many of these crops show the person in each."""
        return np.bincount(self.identity[rows], minlength=len(self.names))[self.identity[rows]]

    def images(self, side: int = SIDE, rows: np.ndarray | None = None) -> np.ndarray:
        """(N, side, side, 3) uint8 RGB, of all or of these rows; a smaller side averages pixels (112/2 = 56).

        Raises DatasetError for a damaged file.
        """
        if SIDE % side:
            raise ValueError(f"side={side}: {SIDE} is no multiple of it.")
        rows = np.arange(len(self)) if rows is None else np.asarray(rows)
        if self._pixels is not None:
            return _shrunk(self._pixels[rows], side)
        import h5py

        images = np.empty((len(rows), side, side, 3), np.uint8)
        order = np.argsort(rows, kind="stable")  # HDF5 wants rising indices, each once
        try:
            with h5py.File(self.file, "r") as stored:
                for some in np.array_split(order, max(1, len(order) // 1024)):
                    wanted, again = np.unique(rows[some], return_inverse=True)
                    images[some] = _shrunk(stored["crops"][wanted][again], side)
        except (OSError, KeyError) as error:  # among them: a crop whose checksum does not fit
            raise DatasetError(f"{self.file}: damaged ({error}). Delete it and prepare it again.") from error
        return images


def _shrunk(crops: np.ndarray, side: int) -> np.ndarray:
    if side == SIDE:
        return crops
    step = SIDE // side
    sums = crops.reshape(len(crops), side, step, side, step, 3).sum((2, 4), dtype=np.uint32)
    return ((sums + step * step // 2) // (step * step)).astype(np.uint8)


def crops_of(images, identity, names, vectors=None, source: str = "made in memory") -> Crops:
    """Crops without a file: (N, 112, 112, 3) uint8, whose they are, and a teacher's vectors, if any."""
    vectors = np.zeros((len(images), 0), np.float32) if vectors is None else np.asarray(vectors, np.float32)
    identity = np.asarray(identity, np.int64)
    digest = _digest([images, identity, vectors], names)
    return Crops(
        tuple(names),
        identity,
        ("",) * len(images),
        vectors,
        "none",
        digest,
        source,
        _pixels=np.asarray(images),
    )


# ---------------------------------------------------------------------- making the file


def prepare(
    photos: PhotoSet, target: str | PathLike, pipe: Pipeline | None = None, progress: bool | None = None
) -> Crops:
    """Cut every photo's face out and write the file; go on where an earlier call stopped. → `read_crops`

    photos  `datasets.folder(…)` or `datasets.lfw()`
    pipe    None: the default pipeline; of LFW's photos the central face, else the largest

    A file that is there and was made of the same photos by the same pipeline is taken as it is. A photo
    without a face, or that lies in two people's folders, is left out and noted; copies are taken once.
    Raises DatasetError where the target cannot be written, holds something else, or nothing is left.
    """
    target = Path(target)
    pipe = pipe or Pipeline(faces="central" if hasattr(photos, "variant") else "largest")
    key = key_of(photos.paths, photos.root, f"{pipe.config}|{pipe.faces}")
    if target.exists():
        made = read_crops(target)
        if _attribute(target, "key") == key:
            return made
        raise DatasetError(
            f"{target}: holds crops of other photos, or of another pipeline. Give another name."
        )
    parts = Parts(target, key, len(photos), PART, ".npz")
    try:
        with parts.held():
            _fill(parts, photos, pipe, progress)
            _assemble(parts, target, photos, pipe, key)
        parts.remove()
    except OSError as error:
        raise DatasetError(
            f"{target}: cannot be written ({error.strerror or error}). Make room or check the permissions; "
            f"the same call goes on with what lies in {parts.folder}."
        ) from error
    return read_crops(target)


def _fill(parts: Parts, photos: PhotoSet, pipe: Pipeline, progress: bool | None) -> None:
    from tqdm.auto import tqdm

    missing = parts.missing()
    wanted = [row for start in missing for row in parts.rows(start)]
    bar = tqdm(total=len(photos), initial=len(photos) - len(wanted), unit="photo",
               disable=None if progress is None else not progress)  # fmt: skip
    results = pipe([photos.paths[row] for row in wanted], progress=False)
    with bar:
        for start in missing:
            crops, vectors, rows, notes = [], [], [], []
            for row in parts.rows(start):
                result = next(results)
                bar.update()
                if result.error is not None:
                    notes.append(f"Left out: {result.error}")
                    continue
                if len(result.faces) > 1:
                    notes.append(f"{photos.paths[row]}: {len(result.faces)} faces, the largest was taken.")
                crops.append(result.crops[0])
                vectors.append(result.vectors[0])
                rows.append(row)
            part = io.BytesIO()
            np.savez(
                part,
                crops=np.array(crops, np.uint8).reshape(-1, SIDE, SIDE, 3),
                vectors=np.array(vectors, np.float32).reshape(-1, pipe.embedder.dim),
                rows=np.array(rows, np.int64),
                notes=np.array(notes, str),
            )
            write_atomically(parts.path(start), part.getvalue())


def _read_parts(parts: Parts) -> Iterator[dict[str, np.ndarray]]:
    for start in parts.starts:
        with np.load(parts.path(start), allow_pickle=False) as part:
            yield {name: part[name] for name in part.files}


def _assemble(parts: Parts, target: Path, photos: PhotoSet, pipe: Pipeline, key: str) -> None:
    import h5py

    import facelab

    doubtful, notes = _copies(photos)
    notes += [f"{path}: skipped, {reason}." for path, reason in photos.skipped]
    rows: list[np.ndarray] = []
    whole = hashlib.sha256()
    text = h5py.string_dtype("utf-8")
    beside = target.with_name(f".{target.name}.{os.getpid()}.part")
    with replacement(target, beside) as stream, hdf5_into(stream) as file:
        shapes = {"crops": (SIDE, SIDE, 3), "vectors": (pipe.embedder.dim,)}
        for name, shape in shapes.items():
            dtype = np.uint8 if name == "crops" else np.float32
            file.create_dataset(
                name,
                (0, *shape),
                dtype,
                maxshape=(None, *shape),
                chunks=(1 if name == "crops" else 1024, *shape),
                fletcher32=True,
            )
        for part in _read_parts(parts):
            keep = ~np.isin(part["rows"], doubtful)
            rows.append(part["rows"][keep])
            notes += part["notes"].tolist()
            for name in shapes:
                column, values = file[name], part[name][keep]
                column.resize(len(column) + len(values), axis=0)
                column[len(column) - len(values) :] = values
                whole.update(values.tobytes())
        kept = np.concatenate(rows)
        if not len(kept):
            raise DatasetError("\n".join([f"{photos.root}: no photo gave a face of one person.", *notes]))
        people, identity = np.unique(photos.identity[kept], return_inverse=True)
        names = [photos.names[who] for who in people]
        paths = [str(photos.paths[row]).encode("utf-8", "backslashreplace").decode() for row in kept]
        file.create_dataset("identity", data=identity.astype(np.int64))
        for name, words in (("names", names), ("paths", paths), ("notes", notes)):
            file.create_dataset(name, data=np.array(words, object), dtype=text)
        variant = getattr(photos, "variant", None)
        whole.update(identity.tobytes() + json.dumps(names).encode())
        file.attrs.update(
            config=pipe.config,
            source=f"LFW ({variant})" if variant else photos.root.name,
            sha256=whole.hexdigest(),
            key=key,
            facelab=facelab.__version__,
        )


def _copies(photos: PhotoSet) -> tuple[np.ndarray, list[str]]:
    """Rows to leave out because another file holds the same bytes, and what to say about it."""
    row_of = {path: row for row, path in enumerate(photos.paths)}
    out: list[int] = []
    notes = []
    for group in photos.duplicates:
        rows = [row_of[path] for path in group]
        people = sorted({photos.names[photos.identity[row]] for row in rows})
        paths = ", ".join(map(str, group))
        if len(people) > 1:
            out += rows
            notes.append(f"{paths}: one photo under the names {' and '.join(people)}, left out.")
        else:
            out += rows[1:]
            notes.append(f"{paths}: the same photo, taken once.")
    return np.array(out, np.int64), notes


# ---------------------------------------------------------------------- reading it


def read_crops(file: str | PathLike) -> Crops:
    """A file that `prepare` wrote. Pixels are read when they are asked for. Raises DatasetError."""
    import h5py

    file = Path(file)
    if not file.is_file():
        raise DatasetError(f"{file}: there is no such file. `facelab train FOLDER OUT` makes one of photos.")
    try:
        with h5py.File(file, "r") as stored:
            names, paths, notes = (tuple(stored[name].asstr()[()]) for name in ("names", "paths", "notes"))
            identity, vectors = stored["identity"][()], stored["vectors"][()]
            shape = stored["crops"].shape
            config, sha256, source = (str(stored.attrs[name]) for name in ("config", "sha256", "source"))
    except (OSError, KeyError, RuntimeError, ValueError, TypeError) as error:
        raise DatasetError(f"{file}: no file of crops that facelab wrote, or damaged ({error}).") from error
    if (
        shape != (len(identity), SIDE, SIDE, 3)
        or len(vectors) != len(identity)
        or len(paths) != len(identity)
        or not np.isin(identity, np.arange(len(names))).all()
    ):
        raise DatasetError(f"{file}: its columns do not fit together. Delete it and prepare it again.")
    return Crops(names, identity, paths, vectors, config, sha256, source, notes, file)


def _attribute(file: Path, name: str) -> str:
    import h5py

    with h5py.File(file, "r") as stored:
        return str(stored.attrs.get(name, ""))


def _digest(arrays, names) -> str:
    found = hashlib.sha256()
    for array in arrays:
        found.update(np.ascontiguousarray(array).tobytes())
    found.update(json.dumps(list(names)).encode())
    return found.hexdigest()
