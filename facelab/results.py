"""What a pipeline answers with: what became of one photo, and whether two show the same person."""

from dataclasses import dataclass

import numpy as np

from facelab.calibration import FmrEstimate
from facelab.detect import Face
from facelab.errors import AttackError, FacelabError, NoFaceError
from facelab.images import Source, name_of


@dataclass(frozen=True, eq=False)
class Result:
    """What became of one photo.

    path     the source as it was given
    faces    list[Face], largest first, in the photo's coordinates
    crops    (n, 112, 112, 3) uint8 RGB, one for each face
    vectors  (n, D) float32, unit norm
    error    None, or the FacelabError that says why there is nothing: unreadable photo, no face
    min_live the smallest live score that passes; None: nobody calibrated it, or nobody asked for scores
    """

    path: Source
    faces: list[Face]
    crops: np.ndarray
    vectors: np.ndarray
    error: FacelabError | None = None
    min_live: float | None = None

    def one(self, face: int | None = None) -> int:
        """The index of the face asked for, or of the largest. Raises what kept the photo from being used,
        which may be that the face looks like a presentation attack (AttackError)."""
        if self.error is not None:
            raise self.error
        if face is None:
            face = 0
        if not 0 <= face < len(self.faces):
            raise NoFaceError(
                f"{name_of(self.path)}: face={face} was asked for, and the last of its {len(self.faces)} is "
                f"face={len(self.faces) - 1} (face=0 is the largest)."
            )
        self._living(face)
        return face

    def _living(self, face: int) -> None:
        live = self.faces[face].live
        if live is None:
            return
        if self.min_live is None:
            raise FacelabError(
                f"{name_of(self.path)}: its live score is {live:.3f}, and nobody has measured what that is "
                "worth: give min_live=, the smallest score that passes (facelab.metrics.threshold_at_bpcer "
                "finds one on people of your own)."
            )
        if live < self.min_live:
            raise AttackError(
                f"{name_of(self.path)}: looks like a presentation attack (live score {live:.3f} < "
                f"{self.min_live:.3f}), so whose face it is was not asked. If it is a living face, take the "
                "photo again in better light, or leave antispoof= out.",
                live,
                self.min_live,
            )

    def note(self, face: int) -> tuple[str, ...]:
        """One sentence that says which face was used where there are several; nothing where there is one."""
        if len(self.faces) == 1:
            return ()
        return (
            f"{name_of(self.path)} has {len(self.faces)} faces; face {face} was used (0 is the largest; "
            "face= chooses another)",
        )


@dataclass(frozen=True, eq=False)
class Verification:
    """The answer to "do these two photos show the same person?", and what it rests on.

    same       distance ≤ threshold
    distance   cosine distance 1 − cos, in [0, 2]
    threshold  the largest distance that still counts as the same person
    fmr        what that threshold is worth: how many pairs of different people in LFW (or in the user's own
               photos, where those calibrated the pipeline) it takes for the same person, with its interval
               (FmrEstimate); None when the threshold was never calibrated
    faces      the two faces that were compared
    crops      (2, 112, 112, 3) uint8, as the embedder saw them
    notes      what the reader should know: several faces in a photo, for one
    """

    same: bool
    distance: float
    threshold: float
    fmr: FmrEstimate | None
    faces: tuple[Face, Face]
    crops: np.ndarray
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        verdict, sign = ("same person", "≤") if self.same else ("different people", ">")
        worth = f"false match rate {self.fmr}" if self.fmr is not None else "threshold not calibrated"
        lines = [f"{verdict}: distance {self.distance:.4f} {sign} threshold {self.threshold:.4f} ({worth})"]
        return "\n".join(lines + [f"note: {note}" for note in self.notes])
