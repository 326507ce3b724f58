"""`Gallery`: people and their vectors in a file, and who of them a face is."""

from __future__ import annotations  # inside the class, `list` is the method

import builtins
import warnings
from contextlib import suppress
from os import PathLike
from pathlib import Path

import numpy as np
import torch

from facelab import device as devices
from facelab.errors import FacelabError, GalleryError
from facelab.gallery import approximate, binding, slides, store
from facelab.gallery.answers import Person
from facelab.gallery.approximate import Approximate
from facelab.gallery.base import BaseGallery, Found, possible
from facelab.gallery.columns import LAST_ID, Columns, Table, line, read_line
from facelab.gallery.lock import WriterLock
from facelab.gallery.open_set import DEFAULT_FPIR
from facelab.gallery.recall import Recall
from facelab.gallery.search import Index
from facelab.gallery.sources import unit
from facelab.gallery.store import About
from facelab.pipeline import Pipeline


class Gallery(BaseGallery):
    """People, each with one or more vectors ("templates"), in one file.

        with fl.Gallery("gallery.hdf") as g:
            pid = g.enroll("JiSoo-Kim", "photo.jpg", department="black pink")
            m = g.identify("new.jpg")

    path       the file. Beside it lie `NAME.lock`, and for moments `.NAME.unfinished`
    mode       "a": read and write, made anew where there is none; "r+": read and write; "r": only read
    pipeline   what turns photos into vectors. Without one: the pipeline that the gallery was made with, or,
               for a new gallery, `Pipeline(embedder=embedder)`; built when the first photo comes
    embedder   "sface" or "arcface", or any other name, for vectors of your own, together with `dimension`
    threshold  the largest cosine distance that gets a name; None: whatever holds `fpir` at the gallery's size
    fpir       the share of strangers who may get a name (`facelab.gallery.open_set` says what that rests on)
    device     where to search (and to embed, without a `pipeline`): "auto", "cpu", "cuda"
    timeout    seconds to wait for another writer
    search     "exact", or the kind of an index that `build_index` made: "ivf", "ivfpq", "hnsw"
               (`facelab.gallery.approximate`). Answers then say how often such a search finds the nearest

    A gallery is bound to one pipeline: vectors of another embedder, and error rates of another detector or
    crop, would mean nothing. Vectors are taken to be that pipeline's, and are scaled to unit norm.

    What is promised (`facelab.gallery.store` says how): a change is either whole in the file or not in it at
    all, whatever dies when; damage is noticed when the file is opened; what was deleted is no longer in the
    file. One writer at a time, and any number of readers, each of which keeps seeing what it opened. Photos
    are never stored. The file is readable by its owner only.

    Raises GalleryError where the file is none of ours, damaged, of another pipeline, or being written to.
    """

    def __init__(
        self,
        path: str | PathLike,
        mode: str = "a",
        *,
        pipeline: Pipeline | None = None,
        embedder: str | None = None,
        dimension: int | None = None,
        threshold: float | None = None,
        fpir: float = DEFAULT_FPIR,
        device: str | torch.device = "auto",
        timeout: float = 1.0,
        search: str = "exact",
    ):
        if search not in ("exact", *approximate.KINDS):
            raise ValueError(f"search={search!r}: choose one of exact, {', '.join(approximate.KINDS)}.")
        binding.check(threshold, fpir)
        self.path = binding.resolved(path, mode)
        self.threshold, self.fpir, self.mode, self.search = threshold, fpir, mode, search
        self.device = devices.choose(device if pipeline is None else pipeline.device)
        super().__init__(pipeline)
        self._lock: WriterLock | None = None
        self._new = False
        wanted = binding.asked_for(pipeline, embedder, dimension)
        if mode != "r":
            self._lock = WriterLock(self.path, timeout)
        try:
            self._open(wanted)
        except BaseException:
            self._release()
            raise

    def _open(self, wanted: About | None) -> None:
        if self._lock is not None:
            store.drop_unfinished(self.path)
            if not self.path.exists():
                self._new = True
                about = wanted or binding.DEFAULT
                store.rewrite(self.path, None, about, 0, Columns.nobody(about.dimension))
        snapshot = store.read(self.path)
        if wanted is not None and snapshot.about != wanted:
            raise GalleryError(
                f"{self.path}: holds vectors of {snapshot.about}, and {wanted} was asked for. "
                "Open it without naming one, or make another gallery."
            )
        self.about, self._next_id, self._head = snapshot.about, snapshot.next_id, snapshot.head
        if self._lock is not None:
            store.drop_tail(self.path, self._head)
        self._table: Table | None = Table(snapshot.columns)
        self._index: Index | None = None
        self._approximate: Approximate | None = None

    def close(self) -> None:
        """Let go of the file. Enrolments are brought into its columns; should that fail, they stay where they
        are, and a warning says why."""
        if self._table is None:
            return
        try:
            if self._lock is not None and self._head.end > self._head.hdf5_end:
                store.rewrite(self.path, self._head, self.about, self._next_id, self._table.columns)
        except GalleryError as error:
            warnings.warn(f"Closed without tidying up: {error}", stacklevel=2)
        finally:
            self._table = self._index = self._approximate = None
            self._release()

    def _release(self) -> None:
        if self._lock is not None:
            self._lock.release()

    def __enter__(self) -> Gallery:
        return self

    def __exit__(self, error, *_) -> None:
        """An error that ends the block before anybody was enrolled in a new gallery leaves no file behind."""
        if error is not None and self._new and self._table is not None and self._next_id == 0:
            self.path.unlink(missing_ok=True)
        self.close()

    def __repr__(self) -> str:
        if self._table is None:
            return f"Gallery({str(self.path)!r}, closed)"
        return (
            f"Gallery({str(self.path)!r}, {len(self):,} people, {self.templates:,} templates, "
            f"{self.about}, mode={self.mode!r}, {self.device})"
        )

    # ------------------------------------------------------------------ what is in it

    @property
    def _where(self) -> str:
        return str(self.path)

    @property
    def _now(self) -> Table:
        if self._table is None:
            raise GalleryError(f"{self.path}: is closed. Open it again.")
        return self._table

    def __len__(self) -> int:
        """How many people."""
        return len(self._now.columns.ids)

    @property
    def templates(self) -> int:
        """How many vectors, of all people together."""
        return len(self._now.columns.person)

    def list(self) -> builtins.list[Person]:
        """Everybody, by id."""
        now = self._now.columns
        return [
            Person(person, name, count, metadata)
            for person, count, (name, metadata) in zip(
                now.ids.tolist(), now.counts.tolist(), map(self._entry, range(len(now.ids))), strict=True
            )
        ]

    def vectors(self, id: int) -> np.ndarray:
        """(n, D) float32: the templates of one person. Raises GalleryError for an id that nobody has."""
        self._row(id)
        now = self._now.columns
        return now.vectors[now.person == id]

    def _somebody(self, id: int) -> None:
        self._row(id)

    def _row(self, id: int) -> int:
        row = self._now.row(id) if possible(id) else None
        if row is None:
            raise self._nobody(id)
        return row

    def _entry(self, row: int) -> tuple[str, dict]:
        try:
            return read_line(self._now.line(row))
        except ValueError as error:
            raise GalleryError(
                f"{self.path}: row {row} of people is damaged ({error}). {store.RESTORE}"
            ) from error

    # ------------------------------------------------------------------ adding

    def _writable(self) -> None:
        if self._now is not None and self._lock is None:
            raise GalleryError(f"{self.path}: is open for reading only. mode='r+' also writes.")

    def _add(self, lines: builtins.list[bytes], owner: np.ndarray, vectors: np.ndarray) -> tuple[int, ...]:
        ids = range(self._next_id, self._next_id + len(lines))
        if ids[-1] >= LAST_ID:
            raise GalleryError(f"{self.path}: has given all its ids. Make a new gallery.")
        self._append(Columns.of(ids, b"".join(lines), owner + self._next_id, vectors))
        return tuple(ids)

    def _extend(self, id: int, vectors: np.ndarray) -> None:
        self._row(id)
        self._append(Columns.of([], b"", np.full(len(vectors), id), vectors))

    def _append(self, columns: Columns) -> None:
        self._writable()
        next_id = self._next_id + len(columns.ids)
        if columns.nbytes > self._head.end:
            # More than there is already: a new file at once, and not the same rows twice.
            now = self._now.columns
            pairs = zip(now.arrays.values(), columns.arrays.values(), strict=True)
            self._rewrite(Columns(*(np.concatenate(pair) for pair in pairs)), next_id)
            return
        head = store.append(self.path, self._head, columns)
        self._now.append(columns)
        self._next_id, self._index = next_id, None
        self._head = head  # last: interrupted before, the gallery is out of step with its file

    def _rewrite(self, columns: Columns, next_id: int) -> None:
        self._writable()
        head = store.rewrite(self.path, self._head, self.about, next_id, columns)
        self._table, self._next_id, self._index = Table(columns), next_id, None
        self._head = head

    # ------------------------------------------------------------------ changing, deleting

    def rename(self, id: int, name: str) -> None:
        """Another name for somebody. The old one is gone from the file."""
        with self._mutex:
            self._writable()
            _, metadata = self._entry(self._row(id))
            self._rewrite(self._now.with_line(id, line(name, metadata)), self._next_id)

    def delete(self, *ids: int) -> None:
        """People are forgotten: names, metadata and templates are gone from the file when this returns.

        What the file system keeps of the file before (snapshots, backups, blocks not yet overwritten) is out
        of reach. Raises GalleryError for an id that nobody has, and then forgets nobody.
        """
        with self._mutex:
            self._writable()
            for id in ids:
                self._row(id)
            if ids:
                keep = ~np.isin(self._now.columns.person, ids)
                if self.search != "exact":
                    with suppress(GalleryError):  # none that fits: none to go on with
                        self._load_index()
                indexes = self._indexes()
                approximate.drop(self.path)
                self._rewrite(self._now.without(list(ids)), self._next_id)
                for index in indexes:
                    index.forget(keep)
                    if index.kind != "hnsw":
                        self._save_index(index)

    def clear(self) -> None:
        """Everybody is forgotten. Their ids are not given again."""
        with self._mutex:
            self._writable()
            approximate.drop(self.path)
            self._rewrite(Columns.nobody(self.about.dimension), self._next_id)
            self._approximate = None

    # ------------------------------------------------------------------ searching

    def build_index(
        self, kind: str = "ivf", *, recall: float = approximate.RECALL, progress: bool | None = None
    ) -> Recall:
        """An index for approximate search, beside the file, of everybody who is enrolled now; from then on
        this gallery searches with it (`search=kind` when it is opened again).

        kind      "ivf", "ivfpq" or "hnsw" (`facelab.gallery.approximate` says which is what)
        recall    how often the nearest template should be found, 0 … 1, of probes just near enough for a
                  name; the search is made broader until it is, and what is returned was counted on others
        progress  a bar on standard error; None means: only in a terminal or a notebook

        Raises GalleryError where nobody is enrolled, or the index cannot be written; FacelabError without
        faiss.
        """
        if kind not in approximate.KINDS:
            raise ValueError(f"kind={kind!r}: choose one of {', '.join(approximate.KINDS)}.")
        if not 0 < recall <= 1:
            raise ValueError(f"recall={recall}: a share of look-ups, above 0 and at most 1.")
        with self._mutex:
            self._writable()
            vectors = self._now.columns.vectors
            made = Approximate.build(kind, vectors, recall, self._edge(self.templates), progress)
            self._approximate, self.search = made, kind
            self._save_index(made)
        assert made.recall is not None, "it was just counted"
        return made.recall

    def _save_index(self, index: Approximate) -> None:
        now = self._now.columns
        index.save(approximate.place(self.path, index.kind), now.vectors, now.person)

    def _indexes(self) -> builtins.list[Approximate]:
        """All that lie beside the file and fit it, and the one in use."""
        now, found = self._now.columns, [] if self._approximate is None else [self._approximate]
        for kind in set(approximate.KINDS) - {index.kind for index in found}:
            path = approximate.place(self.path, kind)
            if path.exists():
                with suppress(FacelabError):  # none that fits, or no faiss: none to go on with
                    found.append(Approximate.load(path, now.vectors, now.person))
        return found

    def _find(self, probes: np.ndarray, k: int, score: str) -> Found:
        now = self._now.columns
        if self.search != "exact":
            return self._find_approximately(probes, k, score)
        if self._index is None:
            self._index = Index(now.vectors, now.person, self.device)
        nearest = self._index.nearest(probes, min(k, len(now.ids)), score)
        return Found(len(now.person), nearest, self._names(nearest), [()] * len(probes))

    def _load_index(self) -> Approximate:
        if self._approximate is None:
            now, path = self._now.columns, approximate.place(self.path, self.search)
            self._approximate = Approximate.load(path, now.vectors, now.person)
        return self._approximate

    def _find_approximately(self, probes: np.ndarray, k: int, score: str) -> Found:
        if score != "max":
            raise GalleryError(f"score={score!r} needs exact search: open the gallery with search='exact'.")
        now = self._now.columns
        if not len(now.ids):
            return Found(0, [(np.empty(0, np.int64), np.empty(0))] * len(probes), {}, [()] * len(probes))
        index = self._load_index()
        nearest = index.nearest(probes, min(k, len(now.ids)), now.vectors, now.person)
        note = f"approximate search ({self.search}), which {index.recall}"
        return Found(len(now.person), nearest, self._names(nearest), [(note,)] * len(probes))

    def _names(self, found) -> dict[int, str]:
        """{id: name} of everybody found, each looked up once for all probes."""
        if not found:
            return {}
        now = self._now
        ids = set(np.concatenate([ids for ids, _ in found]).tolist())
        new = sorted(ids - now.names.keys())
        for person, row in zip(new, np.searchsorted(now.columns.ids, new).tolist(), strict=True):
            now.names[person] = self._entry(row)[0]
        return {person: now.names[person] for person in ids}

    def export_slides(self, path: str | PathLike) -> None:
        """Write everybody in the layout of the slides (`facelab.gallery.slides`).

        Raises GalleryError when there is a file of that name already.
        """
        slides.write(Path(path), ((person, self.vectors(person.id)) for person in self.list()))

    def import_slides(self, path: str | PathLike) -> dict[str, int]:
        """Enrol everybody of a file in the slides' layout. Returns {name of the group: id}; all or nobody."""
        self._writable()
        groups, lines, owner, vectors = slides.read(Path(path), self.about.dimension)
        with self._mutex:
            ids = self._add(lines, owner, unit(vectors, self.about.dimension)) if groups else ()
        return dict(zip(groups, ids, strict=True))
