"""`Gallery`: people and their vectors in a file, and who of them a face is."""

from __future__ import annotations  # inside the class, `list` is the method

import builtins
import threading
import warnings
from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import torch

from facelab import device as devices
from facelab.datasets import Embedded, Templates, embedded, folder
from facelab.errors import GalleryError
from facelab.gallery import binding, open_set, slides, store
from facelab.gallery.answers import Enrolled, Match, Person
from facelab.gallery.columns import LAST_ID, Columns, Table, line, read_line
from facelab.gallery.lock import WriterLock
from facelab.gallery.open_set import DEFAULT_FPIR
from facelab.gallery.search import SCORES, Index
from facelab.gallery.sources import labelled, look, unit
from facelab.gallery.store import About
from facelab.pipeline import Pipeline


class Gallery:
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
    ):
        binding.check(mode, threshold, fpir)
        self.path = binding.resolved(path, mode)
        self.threshold, self.fpir, self.mode = threshold, fpir, mode
        self.device = devices.choose(device if pipeline is None else pipeline.device)
        self._pipeline, self._mutex = pipeline, threading.RLock()
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
            self._table = self._index = None
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
    def _now(self) -> Table:
        if self._table is None:
            raise GalleryError(f"{self.path}: is closed. Open it again.")
        return self._table

    @property
    def pipeline(self) -> Pipeline:
        """The pipeline that the gallery is bound to, built when first needed."""
        if self._pipeline is None:
            self._pipeline = binding.pipeline_of(self.about, self.path, self.device)
        return self._pipeline

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

    def _row(self, id: int) -> int:
        row = self._now.row(id) if isinstance(id, int | np.integer) and 0 <= id <= LAST_ID else None
        if row is None:
            raise GalleryError(f"{self.path}: nobody has the id {id!r}. Its list shows who is in it.")
        return row

    def _entry(self, row: int) -> tuple[str, dict]:
        try:
            return read_line(self._now.line(row))
        except ValueError as error:
            raise GalleryError(
                f"{self.path}: row {row} of people is damaged ({error}). {store.RESTORE}"
            ) from error

    # ------------------------------------------------------------------ enrolling

    def enroll(self, name: str, faces: Any, /, *, face: int | None = None, **metadata) -> int:
        """Somebody new. Returns the id, which is nobody else's, now or later; names may occur twice.

        faces     photo(s), crop(s) or vector(s): `facelab.gallery.sources`. Each gives one template
        face      which face of each photo, 0 being the largest; None: the largest, with a warning where there
                  are several
        metadata  anything that JSON can hold

        Raises GalleryError for a vector, a name or metadata that cannot be kept, ImageError or NoFaceError
        for a photo. Then, as after any error, nobody was enrolled.
        """
        text = line(name, metadata)
        vectors = self._look(faces, face, name)
        with self._mutex:
            return self._add([text], np.zeros(len(vectors), np.int64), vectors)[0]

    def add(self, id: int, faces: Any, /, *, face: int | None = None) -> None:
        """More templates for somebody who is enrolled; otherwise as `enroll`."""
        self._row(id)
        vectors = self._look(faces, face, f"id {id}")
        with self._mutex:
            self._row(id)
            self._append(Columns.of([], b"", np.full(len(vectors), id), vectors))

    def _look(self, faces: Any, face: int | None, who: str) -> np.ndarray:
        self._writable()
        seen, _ = look(faces, self.about.dimension, lambda: self.pipeline, face)
        if not seen:
            raise GalleryError(f"{who}: an empty list enrols nobody. Give a photo, a crop or a vector.")
        for note in (note for one in seen for note in one.notes if face is None):
            warnings.warn(note, stacklevel=3)
        return np.stack([one.vector for one in seen])

    def enroll_many(
        self, names: Sequence[str], vectors: Any, *, metadata: dict[str, dict[str, Any]] | None = None
    ) -> Enrolled:
        """Many people at once, all of them or, after an error, none.

        names     (N,) whose each vector is; equal names are one person, who is new
        vectors   (N, D)
        metadata  {name: {…}} of some of them
        """
        vectors = unit(vectors, self.about.dimension)
        if len(names) != len(vectors):
            raise ValueError(f"{len(names)} names for {len(vectors)} vectors: one for each.")
        people: dict[str, int] = {}
        owner = np.fromiter((people.setdefault(name, len(people)) for name in names), np.int64, len(vectors))
        if unknown := (metadata or {}).keys() - people.keys():
            raise ValueError(f"metadata of {sorted(unknown)[0]!r}, who is not among the names.")
        text = [line(name, (metadata or {}).get(name, {})) for name in people]
        with self._mutex:
            return Enrolled(self._add(text, owner, vectors) if people else (), len(vectors))

    def enroll_folder(self, path: str | PathLike, *, progress: bool | None = None) -> Enrolled:
        """Everybody in a folder with one sub-folder for each person (`fl.datasets.folder`), at the end,
        together. The largest face of each photo becomes a template; `.notes` says what was left out.

        progress  a bar on standard error; None means: only in a terminal or a notebook
        """
        self._writable()
        return self.enroll_templates(embedded(folder(path), self.pipeline, progress))

    def enroll_templates(self, source: str | PathLike | Embedded | Templates) -> Enrolled:
        """Everybody in a file that `facelab embed` wrote, or in `fl.datasets.lfw_templates()`, where those
        without a name are called `person 1234`.

        Raises GalleryError for vectors of another pipeline, DatasetError for another file.
        """
        config, names, vectors, notes = labelled(source)
        if config != self.about.config:
            raise GalleryError(
                f"{self.path}: holds vectors of {self.about}, and those to enrol are of {config}: they "
                "cannot be compared. Make another gallery for them."
            )
        done = self.enroll_many(names, vectors)
        return Enrolled(done.ids, done.templates, notes)

    def _writable(self) -> None:
        if self._now is not None and self._lock is None:
            raise GalleryError(f"{self.path}: is open for reading only. mode='r+' also writes.")

    def _add(self, lines: builtins.list[bytes], owner: np.ndarray, vectors: np.ndarray) -> tuple[int, ...]:
        """New people, of whom `owner` (N,) counts from 0. Returns their ids."""
        ids = range(self._next_id, self._next_id + len(lines))
        if ids[-1] >= LAST_ID:
            raise GalleryError(f"{self.path}: has given all its ids. Make a new gallery.")
        self._append(Columns.of(ids, b"".join(lines), owner + self._next_id, vectors))
        return tuple(ids)

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
                self._rewrite(self._now.without(list(ids)), self._next_id)

    def clear(self) -> None:
        """Everybody is forgotten. Their ids are not given again."""
        with self._mutex:
            self._writable()
            self._rewrite(Columns.nobody(self.about.dimension), self._next_id)

    def identify(
        self,
        faces: Any,
        *,
        k: int = 5,
        score: str = "max",
        face: int | None = None,
        threshold: float | None = None,
    ) -> Match | builtins.list[Match]:
        """Who is this? A Match for a photo, a crop or a vector (D,); a list of them for a list, or (N, D).

        k          how many candidates
        score      what counts for somebody with several templates: the nearest of them ("max" of the
                   cosines), or the "mean"
        face       which face of a photo, 0 being the largest; None: the largest, with a note where there are
                   more
        threshold  in place of the gallery's own

        The answer is exact: that of a float64 loop over all templates; of people at equal distance the
        smaller id comes first. Raises GalleryError for vectors that do not fit, ImageError or NoFaceError for
        photos.
        """
        if score not in SCORES:
            raise ValueError(f"score={score!r}: choose one of {', '.join(SCORES)}.")
        if k < 1:
            raise ValueError(f"k={k}: at least 1.")
        seen, single = look(faces, self.about.dimension, lambda: self.pipeline, face)
        with self._mutex:
            now = self._now.columns
            threshold, note = self.threshold if threshold is None else threshold, None
            if threshold is None:
                threshold, note = open_set.threshold_for(self.about.config, len(now.person), self.fpir)
            fpir = open_set.fpir_at(self.about.config, threshold, len(now.person))
            if self._index is None:
                self._index = Index(now.vectors, now.person, self.device)
            probes = np.array([one.vector for one in seen], np.float32).reshape(-1, self.about.dimension)
            found = self._index.nearest(probes, min(k, len(now.ids)), score)
            names = self._names(found)
            matches = [
                Match.of(one, ids, scores, names, float(threshold), fpir, note)
                for one, (ids, scores) in zip(seen, found, strict=True)
            ]
        return matches[0] if single else matches

    def _names(self, found) -> dict[int, str]:
        """{id: name} of everybody found, each looked up once for all probes."""
        if not found:
            return {}
        ids = np.unique(np.concatenate([ids for ids, _ in found]))
        rows = np.searchsorted(self._now.columns.ids, ids).tolist()
        return {person: self._entry(row)[0] for person, row in zip(ids.tolist(), rows, strict=True)}

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
