"""What every gallery does, wherever its people are kept: look at photos, enrol, say who it is."""

from __future__ import annotations  # below, `list` may be a method of the class that inherits

import builtins
import threading
import warnings
from abc import ABC, abstractmethod
from collections.abc import Sequence
from os import PathLike
from typing import Any, NamedTuple

import numpy as np
import torch

from facelab.datasets import Embedded, Templates, embedded, folder
from facelab.errors import FacelabError, GalleryError
from facelab.gallery import binding, open_set
from facelab.gallery.answers import Enrolled, Match
from facelab.gallery.approximate import EDGE
from facelab.gallery.columns import LAST_ID, line
from facelab.gallery.search import SCORES
from facelab.gallery.sources import labelled, look, unit
from facelab.gallery.store import About
from facelab.pipeline import Pipeline


class Found(NamedTuple):
    """Whom some probes resemble, all of one instant.

    templates  how many vectors there were
    nearest    of each probe the people (ids int64, cosines float64), best first
    names      {id: name} of all of them
    notes      of each probe, what the reader should know of the search
    """

    templates: int
    nearest: Sequence[tuple[np.ndarray, np.ndarray]]
    names: dict[int, str]
    notes: Sequence[tuple[str, ...]]


class BaseGallery(ABC):
    """The part of a gallery that does not depend on where its people are kept. Whoever inherits sets
    `about`, `threshold`, `fpir` and `device`, and says how to find, add and extend people."""

    about: About
    threshold: float | None
    fpir: float
    device: torch.device

    def __init__(self, pipeline: Pipeline | None):
        self._pipeline, self._mutex = pipeline, threading.RLock()

    @property
    @abstractmethod
    def _where(self) -> str:
        """What messages call this gallery."""

    @abstractmethod
    def _writable(self) -> None:
        """GalleryError where nothing can be written."""

    @abstractmethod
    def _somebody(self, id: int) -> None:
        """GalleryError for an id that nobody has."""

    @abstractmethod
    def _add(self, lines: builtins.list[bytes], owner: np.ndarray, vectors: np.ndarray) -> tuple[int, ...]:
        """New people, of whom `owner` (N,) counts from 0. Returns their ids."""

    @abstractmethod
    def _extend(self, id: int, vectors: np.ndarray) -> None:
        """More templates (N, D) for somebody."""

    @abstractmethod
    def _find(self, probes: np.ndarray, k: int, score: str) -> Found:
        """The k people nearest to each of (B, D) float32 probes."""

    @property
    def pipeline(self) -> Pipeline:
        """The pipeline that the gallery is bound to, built when first needed."""
        if self._pipeline is None:
            self._pipeline = binding.pipeline_of(self.about, self._where, self.device)
        return self._pipeline

    @pipeline.setter
    def pipeline(self, another: Pipeline) -> None:
        """Another one of the same kind, such as `Pipeline(**g.pipeline.options | {"antispoof": True})`.
        Raises GalleryError for one whose vectors do not fit."""
        self.must_fit(another.config, "of the other pipeline")
        self._pipeline = another

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
        self._somebody(id)
        vectors = self._look(faces, face, f"id {id}")
        with self._mutex:
            self._extend(id, vectors)

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
        self.must_fit(config)
        done = self.enroll_many(names, vectors)
        return Enrolled(done.ids, done.templates, notes)

    def must_fit(self, config: str, which: str = "to enrol") -> None:
        """Raises GalleryError for vectors of another pipeline; `which` says in a message which ones."""
        if config != self.about.config:
            raise GalleryError(
                f"{self._where}: holds vectors of {self.about}, and those {which} are of {config}: they "
                "cannot be compared. Make another gallery for them."
            )

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
        smaller id comes first. (Unless the gallery was opened for approximate search: then distances are
        exact, somebody may be missed, and the notes say how often that was.)

        With a pipeline that has `antispoof=`, a photo whose face looks like an attack is nobody's:
        AttackError, as for a photo without a face. Crops and vectors have no score and are not asked.

        Raises GalleryError for vectors that do not fit, ImageError, NoFaceError or AttackError for photos.
        """
        if score not in SCORES:
            raise ValueError(f"score={score!r}: choose one of {', '.join(SCORES)}.")
        if k < 1:
            raise ValueError(f"k={k}: at least 1.")
        seen, single = look(faces, self.about.dimension, lambda: self.pipeline, face)
        probes = np.array([one.vector for one in seen], np.float32).reshape(-1, self.about.dimension)
        threshold = self.threshold if threshold is None else threshold
        with self._mutex:
            found = self._find(probes, k, score)
        common: tuple[str, ...] = ()
        if threshold is None:
            threshold, note = open_set.threshold_for(self.about.config, found.templates, self.fpir)
            common = () if note is None else (note,)
        fpir = open_set.fpir_at(self.about.config, threshold, found.templates)
        matches = [
            Match.of(one, ids, scores, found.names, float(threshold), fpir, common + notes)
            for one, (ids, scores), notes in zip(seen, found.nearest, found.notes, strict=True)
        ]
        return matches[0] if single else matches

    def _edge(self, templates: int) -> float:
        """The cosine distance of the hardest probes that still get a name: recall is counted on those."""
        if self.threshold is not None:
            return self.threshold
        try:
            return open_set.threshold_for(self.about.config, templates, self.fpir)[0]
        except FacelabError:  # a pipeline that was never calibrated
            return EDGE

    def _nobody(self, id: Any) -> GalleryError:
        return GalleryError(f"{self._where}: nobody has the id {id!r}. Its list shows who is in it.")


def possible(id: Any) -> bool:
    """Whether this can be an id at all."""
    return isinstance(id, int | np.integer) and bool(0 <= id <= LAST_ID)
