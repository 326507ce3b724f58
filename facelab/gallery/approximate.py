"""Approximate search: faiss's indexes beside a gallery's file, for galleries of millions.

    gallery.hdf         the people, as ever: the only thing that must not be lost
    gallery.hdf.ivf     an index over its templates, of one of three kinds (KINDS), made by `build_index`

An index says which templates come into question, and misses some; those it names are compared exactly, in
float64, as `facelab.gallery.search` does. So a distance is never wrong, and a stranger whom exact search
refuses gets no name. What an index costs is people who are missed: they stay strangers or, where a loose
threshold lets a second one in, are taken for that one. How many was counted on this gallery when the index
was made (`Recall`), and every answer says so.

- **ivf**: templates in some 4·√N cells around k-means centres; the cells nearest to the probe are searched
  (Sivic & Zisserman, Video Google, ICCV 2003).
- **ivfpq**: the same, each template in a code of 32 to 64 bytes (Jégou, Douze & Schmid, Product Quantization
  for Nearest Neighbor Search, PAMI 2011).
- **hnsw**: a graph of neighbours, walked towards the probe (Malkov & Yashunin, PAMI 2020).

An index is disposable, and bound by hash to the templates that it was made of. People enrolled since are
searched exactly besides. Whoever is deleted is out of the answers and out of the folder at once: every index
file goes before the gallery is rewritten, and IVF's is written again without them; the graph of HNSW cannot
forget, so it has to be built anew.

SHA-256 finds damage, not forgery: an index file is trusted as much as the gallery beside it.
"""

import hashlib
import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch

from facelab.errors import FacelabError, GalleryError
from facelab.gallery.exact import best, cosines
from facelab.gallery.recall import Recall
from facelab.gallery.search import Index
from facelab.safe_write import replacement, write_all, writing

KINDS = ("ivf", "ivfpq", "hnsw")

RECALL = 0.99
"""What `build_index` aims at."""

LOOKUPS = 500
"""So many probes choose the breadth of the search, and as many others count its recall."""

EDGE = 0.5
"""The cosine distance at which recall is counted where no threshold is known."""

WIDEST = {"ivf": 1024, "ivfpq": 1024, "hnsw": 2048}
"""The most cells searched, or templates kept in mind."""

_CODES = 256
"""Each byte of a product code numbers one of so many centres."""

_FORMAT = b"facelab index 1\n"
_OPENED = 40
"""Templates that an index names for a probe, at least; ivfpq, whose codes are coarse, names 8 times more."""


class Approximate:
    """An index of one kind over the first `len(rows)` templates of a gallery.

    rows     (n,) int64: where each template that the index knows stands in the gallery now; -1: deleted
    known    how many of the gallery's first templates it knows
    breadth  cells searched (IVF), or templates kept in mind (HNSW)
    recall   how often it found the nearest, as counted when it was made
    """

    def __init__(self, kind: str, index: Any, rows: np.ndarray, breadth: int, recall: Recall | None):
        self.kind, self.index, self.rows = kind, index, rows
        self.breadth, self.recall = breadth, recall
        self.known = int((rows >= 0).sum())
        self._by_person: np.ndarray | None = None

    # ------------------------------------------------------------------ making

    @classmethod
    def build(
        cls,
        kind: str,
        vectors: np.ndarray,
        recall: float = RECALL,
        edge: float = EDGE,
        progress: bool | None = None,
    ) -> "Approximate":
        """An index of (N, D) float32 vectors of unit norm, searched as broadly as the recall asks for.

        edge  the cosine distance of the probes that recall is counted on: the threshold, at best

        Raises GalleryError without any vectors, FacelabError without faiss.
        """
        from tqdm.auto import tqdm

        faiss = _faiss()
        count, dimension = vectors.shape
        if count == 0:
            raise GalleryError("there is nobody to make an index of.")
        if kind == "ivfpq" and count < _CODES:
            raise GalleryError(
                f"kind='ivfpq' needs {_CODES} templates, as its codes are learnt from them; here are "
                f"{count}. Exact search is quick among so few, and kind='ivf' takes any number."
            )
        cells = max(1, min(round(4 * count**0.5), count // 40))
        text = {
            "ivf": f"IVF{cells},Flat",
            "ivfpq": f"IVF{cells},PQ{_bytes(dimension)}",
            "hnsw": "HNSW32,Flat",
        }
        index = faiss.index_factory(dimension, text[kind], faiss.METRIC_INNER_PRODUCT)
        if kind == "hnsw":
            index.hnsw.efConstruction = 80
        else:
            index.cp.min_points_per_centroid, index.cp.max_points_per_centroid = 1, 64
            index.cp.niter = 10
        if kind == "ivfpq":
            index.pq.cp.min_points_per_centroid = 1
            # It would take half a minute, for a kind of search that is not used here.
            index.do_polysemous_training = False
        disable = None if progress is None else not progress
        with tqdm(total=count, unit="template", desc=f"{kind} index", disable=disable) as bar:
            bar.set_postfix_str("k-means" if kind != "hnsw" else "")
            index.train(vectors)
            for start in range(0, count, 2**14):
                index.add(vectors[start : start + 2**14])
                bar.update(min(2**14, count - start))
            made = cls(kind, index, np.arange(count), 1 if kind != "hnsw" else 16, None)
            bar.set_postfix_str("counting recall")
            made._tune(vectors, recall, edge)
        return made

    def _tune(self, vectors: np.ndarray, aim: float, edge: float) -> None:
        """Broader until the recall is reached, on some probes; then count it, on others."""
        rng = np.random.default_rng(0)
        rows = rng.permutation(len(vectors))[: 2 * LOOKUPS]
        probes = at_the_edge(vectors, rows, edge, rng)
        truth = _nearest(vectors, probes)
        tuned, counted = slice(0, max(1, len(rows) // 2)), slice(len(rows) // 2, None)

        def found(part: slice) -> int:
            return self._found(vectors, probes[part], truth[part])

        while found(tuned) < aim * len(rows[tuned]) and self.breadth < self._widest:
            self.breadth = min(2 * self.breadth, self._widest)
        self.recall = Recall(found(counted), len(rows[counted]), len(vectors), edge=edge)
        if self.breadth == self._widest and self.recall.value < aim:
            warnings.warn(
                f"a recall of {aim:.1%} was asked for, and {self.recall.value:.1%} is what the widest search "
                f"of this kind reaches here ({self.breadth}). Exact search, search='exact', misses nobody.",
                stacklevel=4,
            )

    @property
    def _widest(self) -> int:
        return min(WIDEST[self.kind], self.index.ntotal if self.kind == "hnsw" else self.index.nlist)

    def _found(self, vectors: np.ndarray, probes: np.ndarray, truth: np.ndarray) -> int:
        named = self._named(probes, _OPENED)
        return sum(
            bool(len(rows) and cosines(vectors[rows], probe).max() >= nearest - 1e-6)
            for probe, rows, nearest in zip(probes, named, truth, strict=True)
        )

    # ------------------------------------------------------------------ looking

    def nearest(
        self, probes: np.ndarray, k: int, vectors: np.ndarray, person: np.ndarray
    ) -> list[tuple[np.ndarray, np.ndarray]]:
        """As `search.Index.nearest` by the largest cosine, among the people whom the index names and those
        nearest by the templates that it does not know. Fewer than k where it names fewer."""
        named = self._named(probes, max(_OPENED, 4 * k + 8))
        later = Index(vectors[self.known :], person[self.known :], torch.device("cpu")).nearest(probes, k)
        answers = []
        for probe, rows, (ids, _) in zip(probes, named, later, strict=True):
            theirs = self._templates_of(np.union1d(person[rows], ids), person)
            answers.append(best(person[theirs], cosines(vectors[theirs], probe), k))
        return answers

    def _templates_of(self, people: np.ndarray, person: np.ndarray) -> np.ndarray:
        """The rows of all templates of some people, named or not: a distance is that of the nearest."""
        if self._by_person is None or len(self._by_person) != len(person):
            self._by_person = np.argsort(person, kind="stable")
        order = self._by_person
        starts = np.searchsorted(person, people, sorter=order)
        ends = np.searchsorted(person, people, "right", sorter=order)
        return np.concatenate([order[a:b] for a, b in zip(starts, ends, strict=True)])

    def _named(self, probes: np.ndarray, count: int) -> list[np.ndarray]:
        """Of each probe the templates that the index names, as rows of the gallery."""
        count *= 8 if self.kind == "ivfpq" else 1
        count = min(count, max(1, self.index.ntotal))
        if self.kind == "hnsw":
            self.index.hnsw.efSearch = max(self.breadth, count)
        else:
            self.index.nprobe = self.breadth
        _, numbers = self.index.search(np.ascontiguousarray(probes), count)
        named = [self.rows[some[some >= 0]] for some in numbers]
        return [rows[rows >= 0] for rows in named]

    # ------------------------------------------------------------------ forgetting

    def forget(self, keep: np.ndarray) -> None:
        """Templates leave the gallery: keep (templates,) bool. IVF's lists lose them; HNSW no longer names
        them, and holds them in memory until the gallery is closed."""
        moved = np.where(keep, np.cumsum(keep) - 1, -1)
        gone = np.flatnonzero((self.rows >= 0) & ~keep[self.rows])
        self.rows = np.where(self.rows >= 0, moved[self.rows], -1)
        self.known, self._by_person = int((self.rows >= 0).sum()), None
        if self.kind != "hnsw" and len(gone):
            faiss = _faiss()
            self.index.remove_ids(faiss.IDSelectorBatch(gone.astype(np.int64)))

    # ------------------------------------------------------------------ its file

    def save(self, path: Path, vectors: np.ndarray, person: np.ndarray) -> None:
        """Raises GalleryError where it cannot be written."""
        faiss = _faiss()
        about = {
            "kind": self.kind,
            "breadth": self.breadth,
            "recall": None if self.recall is None else self.recall.to_json(),
            "rows": len(self.rows),
            "of": _fingerprint(vectors[: self.known], person[: self.known]),
        }
        head = _FORMAT + json.dumps(about).encode() + b"\n"
        with writing(path), replacement(path, path.with_name(f".{path.name}.unfinished")) as file:
            sha256 = hashlib.sha256()

            def write(data) -> None:
                sha256.update(data)
                write_all(file, data)

            file.seek(32)
            write(head)
            write(self.rows.astype("<i8").tobytes())
            faiss.write_index(self.index, faiss.PyCallbackIOWriter(write))
            file.seek(0)
            write_all(file, sha256.digest())

    @classmethod
    def load(cls, path: Path, vectors: np.ndarray, person: np.ndarray) -> "Approximate":
        """Raises GalleryError where there is none, or it is damaged, or of another content than this."""
        faiss, remedy = _faiss(), "Gallery.build_index, or `facelab gallery index`, makes one."
        try:
            with open(path, "rb") as file:
                digest, sha256 = file.read(32), hashlib.sha256()
                while block := file.read(2**22):
                    sha256.update(block)
                if sha256.digest() != digest:
                    raise GalleryError(f"{path}: the index is damaged. {remedy}")
                file.seek(32)
                if file.readline() != _FORMAT:
                    raise GalleryError(f"{path}: an index of another facelab. {remedy}")
                about = json.loads(file.readline())
                rows = np.frombuffer(file.read(8 * about["rows"]), "<i8")
                known = int((rows >= 0).sum())
                if about["of"] != _fingerprint(vectors[:known], person[:known]):
                    raise GalleryError(f"{path}: the gallery changed since this index was made. {remedy}")
                index = faiss.read_index(faiss.PyCallbackIOReader(file.read))
        except FileNotFoundError as error:
            raise GalleryError(f"{path}: there is no such index. {remedy}") from error
        except OSError as error:
            raise GalleryError(f"{path}: cannot be read ({error.strerror or error}). {remedy}") from error
        recall = None if about["recall"] is None else Recall.from_json(about["recall"])
        return cls(about["kind"], index, rows, about["breadth"], recall)


def place(gallery: Path, kind: str) -> Path:
    """Where the index of a gallery lies."""
    return gallery.with_name(f"{gallery.name}.{kind}")


def drop(gallery: Path) -> None:
    """Every index of a gallery goes, finished or not: they hold templates. Raises GalleryError."""
    with writing(gallery):
        for kind in KINDS:
            path = place(gallery, kind)
            for each in (path, path.with_name(f".{path.name}.unfinished")):
                each.unlink(missing_ok=True)


def _fingerprint(vectors: np.ndarray, person: np.ndarray) -> str:
    sha256 = hashlib.sha256(np.ascontiguousarray(person).data)
    sha256.update(np.ascontiguousarray(vectors).data)
    return sha256.hexdigest()


def at_the_edge(vectors: np.ndarray, rows: np.ndarray, edge: float, rng: np.random.Generator) -> np.ndarray:
    """(len(rows), D) float32: these templates, each moved to a cosine distance `edge` from where it was, in
    the direction in which two templates drawn at random differ. With the threshold as edge they are the
    farthest photos of somebody that still get a name."""
    own = vectors[rows].astype(np.float64)
    a, b = rng.integers(len(vectors), size=(2, len(rows)))
    away = vectors[a].astype(np.float64) - vectors[b] + 1e-3 * rng.standard_normal(own.shape)
    away -= (away * own).sum(1, keepdims=True) * own
    away /= np.maximum(np.linalg.norm(away, axis=1, keepdims=True), 1e-12)
    cosine = 1 - edge
    moved = cosine * own + np.sqrt(max(0.0, 1 - cosine**2)) * away
    return (moved / np.linalg.norm(moved, axis=1, keepdims=True)).astype(np.float32)


def _nearest(vectors: np.ndarray, probes: np.ndarray) -> np.ndarray:
    """(len(probes),) float64: the cosine of the nearest template of each."""
    found = np.full(len(probes), -np.inf)
    for start in range(0, len(vectors), 2**15):
        some = torch.mm(torch.from_numpy(vectors[start : start + 2**15]), torch.from_numpy(probes).T)
        found = np.maximum(found, some.numpy().max(axis=0))
    return found


def _bytes(dimension: int) -> int:
    """How many bytes a code has: the largest divisor of the dimension that is at most a quarter of it."""
    return next(size for size in range(max(1, min(64, dimension // 4)), 0, -1) if dimension % size == 0)


def _faiss() -> Any:
    try:
        import faiss
    except ImportError as error:
        raise FacelabError(
            "approximate search needs faiss. Run: pip install 'facelab[faiss]'; search='exact' needs nothing."
        ) from error
    return faiss
