"""`data/lfw_templates.h5`: one vector for each of LFW's 13,233 photos, so that lessons run without photos.

The file, made by `data/make_lfw_templates.py`:

    /vectors                        (13233, 128) float16  in the order of `lfw().paths`
    /identity                       (13233,) uint16       the person, a number, 0 … 5748
    /number                         (13233,) uint16       the photo's number among that person's, from 1
    /fallback                       (k,) uint16           photos with no face at the usual score
    /names/identity                 (158,) uint16         the people with ten or more photos …
    /names/name                     (158,) UTF-8          … and their names; nobody else is named
    /pairs/P/a, b, same, fold       the protocols lfw, devtrain, devtest as rows of /vectors
    attributes                      what made it: SHA-256 of the weights, LFW variant, versions, rules, and
                                    `content_sha256` over all arrays
"""

import hashlib
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path

import numpy as np

from facelab.datasets import lookalike
from facelab.download import home as facelab_home
from facelab.errors import DatasetError

FILE_NAME = "lfw_templates.h5"
DIMENSION = 128
FORMAT = 1

COLUMNS = {
    "vectors": (np.float16, (13_233, DIMENSION)),
    "identity": (np.uint16, (13_233,)),
    "number": (np.uint16, (13_233,)),
    "names/identity": (np.uint16, (158,)),
    **{
        f"pairs/{protocol}/{column}": (kind, (pairs,))
        for protocol, pairs in (("lfw", 6000), ("devtrain", 2200), ("devtest", 1000))
        for column, kind in (("a", np.uint16), ("b", np.uint16), ("same", np.bool_), ("fold", np.uint8))
    },
}
"""Numeric columns whose shape is known beforehand: dtype and shape."""


@dataclass(frozen=True, eq=False)
class IndexPairs:
    """Pairs as rows of the vectors: a, b (N,) int64; same (N,) bool; fold (N,) int64, from 0."""

    a: np.ndarray
    b: np.ndarray
    same: np.ndarray
    fold: np.ndarray

    def __len__(self) -> int:
        return len(self.same)


@dataclass(frozen=True, eq=False)
class Templates:
    """LFW as vectors.

    vectors     (13233, 128) float32, unit norm, in the order of `lfw().paths`
    identity    (13233,) int64: the person in each photo, 0 … 5748
    number      (13233,) int64: the photo's number among that person's, from 1
    names       {person: name}, of the 158 people with ten or more photos
    pairs       {"lfw" | "devtrain" | "devtest" | "lookalike": IndexPairs}; the last is made from the first
                (`facelab.datasets.lookalike`)
    fallback    rows whose face was found only by the fallback rule
    provenance  what made the file
    path        the file
    """

    vectors: np.ndarray
    identity: np.ndarray
    number: np.ndarray
    names: dict[int, str]
    pairs: dict[str, IndexPairs]
    fallback: np.ndarray
    provenance: dict[str, str]
    path: Path

    def __len__(self) -> int:
        return len(self.vectors)

    def __str__(self) -> str:
        return (
            f"{len(self):,} vectors of {self.identity.max() + 1:,} people, {len(self.names)} of them named "
            f"({self.provenance['config']}, LFW {self.provenance['lfw_variant']}) in {self.path}"
        )

    @property
    def counts(self) -> np.ndarray:
        """(5749,) int64: how many photos there are of each person."""
        return np.bincount(self.identity)

    def of(self, name: str) -> np.ndarray:
        """(n, 128): the vectors of one of the named people. Raises DatasetError for any other name."""
        people = {label: person for person, label in self.names.items()}
        if name not in people:
            raise DatasetError(
                f"{name!r} is not among the {len(people)} people whom the templates name (those with ten "
                f"or more photos, such as {', '.join(list(people)[:3])}; `.names` lists them)."
            )
        return self.vectors[self.identity == people[name]]

    def scores(self, protocol: str = "lfw") -> np.ndarray:
        """(N,) float32: the cosine of each of the protocol's pairs; higher is more alike."""
        pairs = self.pairs[protocol]
        return np.einsum("nd,nd->n", self.vectors[pairs.a], self.vectors[pairs.b])


def lfw_templates(path: str | PathLike | None = None) -> Templates:
    """The templates of LFW: from `path`, else from the repository's data/, else from facelab's own folder.

    Every array's shape and the checksum over all of them are checked. Raises DatasetError when the file is
    missing, damaged, or of another kind.
    """
    candidates = [Path(path)] if path is not None else default_places()
    for candidate in candidates:
        if candidate.is_file():
            return _read(candidate)
    raise DatasetError(
        f"{FILE_NAME} is not in {' or '.join(str(candidate.parent) for candidate in candidates)}. It "
        "lies in data/ of facelab's repository; `python data/make_lfw_templates.py` makes it anew from "
        "LFW's photos."
    )


def default_places() -> list[Path]:
    return [Path(__file__).parents[2] / "data" / FILE_NAME, facelab_home() / FILE_NAME]


def _read(path: Path) -> Templates:
    import h5py

    try:
        with h5py.File(path, "r") as file:
            if file.attrs.get("format") != FORMAT:
                raise DatasetError(f"{path} is not a file of LFW templates (format {FORMAT}).")
            arrays = {name: _column(path, file, name, *expected) for name, expected in COLUMNS.items()}
            arrays["fallback"] = _column(path, file, "fallback", np.uint16, None)
            names = file["names/name"].asstr()[:158]
            provenance = {key: value for key, value in file.attrs.items() if isinstance(value, str)}
    except (OSError, KeyError, RuntimeError, ValueError, TypeError) as error:  # what h5py raises for damage
        raise DatasetError(f"{path} cannot be read as HDF5 ({error}): {_AGAIN}") from error
    if content_sha256(arrays, names) != provenance.get("content_sha256"):
        raise DatasetError(f"{path} is damaged: its contents do not match its checksum. {_AGAIN}")
    vectors = arrays["vectors"].astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)  # float16 rounds the norm off by up to 1e-4
    people = arrays["names/identity"].tolist()
    pairs = {protocol: _pairs(arrays, protocol) for protocol in ("lfw", "devtrain", "devtest")}
    return Templates(
        vectors=vectors,
        identity=arrays["identity"].astype(np.int64),
        number=arrays["number"].astype(np.int64),
        names=dict(zip(people, names, strict=True)),
        pairs=pairs | {"lookalike": _lookalikes(pairs["lfw"])},
        fallback=arrays["fallback"].astype(np.int64),
        provenance=provenance,
        path=path,
    )


_AGAIN = "take it anew from facelab's repository, or make it with `python data/make_lfw_templates.py`."


def _column(path: Path, file, name: str, kind: type, shape: tuple[int, ...] | None) -> np.ndarray:
    """One array, its type and shape checked before it is read: a damaged header must not ask for all
    memory."""
    column = file[name]
    if column.dtype != kind or (column.shape != shape if shape else column.ndim != 1 or len(column) > 13_233):
        raise DatasetError(
            f"{path}: {name} is {column.dtype} {column.shape}, and should be {np.dtype(kind)} "
            f"{shape or '(k,)'}. {_AGAIN}"
        )
    return column[()]


def _pairs(arrays: dict[str, np.ndarray], protocol: str) -> IndexPairs:
    a, b, same, fold = (arrays[f"pairs/{protocol}/{column}"] for column in ("a", "b", "same", "fold"))
    return IndexPairs(a.astype(np.int64), b.astype(np.int64), same, fold.astype(np.int64))


def _lookalikes(pairs: IndexPairs) -> IndexPairs:
    return replace(pairs, b=np.array(lookalike.second_photos(pairs.a, pairs.b, pairs.same)))


def content_sha256(arrays: dict[str, np.ndarray], names) -> str:
    """SHA-256 over every array's name, type, shape and little-endian bytes, and over the names."""
    digest = hashlib.sha256()
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        array = array.astype(array.dtype.newbyteorder("<"), copy=False)
        digest.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
        digest.update(array.tobytes())
    digest.update("\n".join(names).encode())
    return digest.hexdigest()
