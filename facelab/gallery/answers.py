"""What a gallery answers with: who is in it, whom a face resembles, what an enrolment did."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from facelab.detect import Face
from facelab.gallery.open_set import FpirEstimate
from facelab.gallery.sources import Seen


@dataclass(frozen=True)
class Person:
    """Somebody in a gallery: the id that is theirs for ever, name, number of templates, metadata."""

    id: int
    name: str
    templates: int
    metadata: dict[str, Any]


@dataclass(frozen=True)
class Candidate:
    """Somebody whom a face resembles: `distance` is 1 − the largest cosine (or the mean one), in [0, 2]."""

    id: int
    name: str
    distance: float


@dataclass(frozen=True, eq=False)
class Match:
    """The answer to "who is this?", and what it rests on.

    name, id    of the nearest person, when near enough; None and None: a stranger
    distance    cosine distance to the nearest person, stranger or not; infinite in an empty gallery
    threshold   the largest distance that still gets a name
    fpir        how many strangers get a name at this threshold in a gallery of this size (FpirEstimate); None
                when the pipeline was never calibrated
    candidates  the k nearest people, nearest first, whatever the threshold
    faces       the face that was looked up, when a photo was given; else empty
    crop        (112, 112, 3) uint8, as the embedder saw it, when a photo or a crop was given; else None
    notes       what the reader should know: several faces in the photo; a threshold that cannot hold its FPIR
    """

    name: str | None
    id: int | None
    distance: float
    threshold: float
    fpir: FpirEstimate | None
    candidates: tuple[Candidate, ...]
    faces: tuple[Face, ...] = ()
    crop: np.ndarray | None = None
    notes: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        seen: Seen,
        ids: np.ndarray,
        scores: np.ndarray,
        names: dict[int, str],
        threshold: float,
        fpir: FpirEstimate | None,
        notes: tuple[str, ...] = (),
    ) -> "Match":
        """The answer for one probe, from the people nearest to it (ids and cosines, nearest first)."""
        candidates = tuple(
            Candidate(person, names[person], min(2.0, max(0.0, 1 - score)))
            for person, score in zip(ids.tolist(), scores.tolist(), strict=True)
        )
        nearest = candidates[0] if candidates else Candidate(-1, "", float("inf"))
        known = nearest.distance <= threshold
        return cls(
            name=nearest.name if known else None,
            id=nearest.id if known else None,
            distance=nearest.distance,
            threshold=threshold,
            fpir=fpir,
            candidates=candidates,
            faces=() if seen.face is None else (seen.face,),
            crop=seen.crop,
            notes=seen.notes + notes,
        )

    def __str__(self) -> str:
        verdict, sign = "a stranger", ">"
        if self.name is not None:
            verdict, sign = f"{shown(self.name)} (id {self.id})", "≤"
        worth = f"FPIR {self.fpir}" if self.fpir is not None else "threshold not calibrated"
        lines = [f"{verdict}: distance {self.distance:.4f} {sign} threshold {self.threshold:.4f} ({worth})"]
        return "\n".join(lines + [f"note: {note}" for note in self.notes])


@dataclass(frozen=True)
class Enrolled:
    """What a bulk enrolment did: the ids given, in order; how many templates; what was left out, and why."""

    ids: tuple[int, ...]
    templates: int
    notes: tuple[str, ...] = ()


def shown(name: str) -> str:
    """A name as it may be printed: line breaks, and what steers a terminal, as escapes."""
    return name if name.isprintable() else repr(name)[1:-1]
