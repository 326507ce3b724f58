"""A challenge before a camera: look ahead, then turn your head as you are told. A photo cannot obey."""

import time

import numpy as np
import traitlets

from facelab.course.language import translated
from facelab.course.lesson12_turn import nose_place
from facelab.course.widgets.mirror import Mirror
from facelab.course.widgets.turn import ASKED

TURNS = 3
SIDES = {-1: "to your right", 1: "to your left"}
"""By the sign of the nose's way in the camera's picture, which is not mirrored: whoever turns to her own
left moves her nose to the image's right."""

PATIENCE = 8.0
"""Seconds that one turn may take."""

AHEAD = (0.4, 0.6)
"""Where the nose lies when somebody looks ahead."""


class Challenge(Mirror):
    """Three turns, their sides drawn by lot, judged by the five landmarks alone. A turn to the other side
    ends it: else a film of a head that turns to and fro would pass whatever the lot.

    places   the nose's place in every frame with a face so far (`lesson12_turn.nose_place`)
    asked    the side that is asked for now: −1, 1, or None while it waits for a look ahead
    passed   True once all turns were made, False when one took too long or went to the other side, None
             until then

    Frames are treated as the mirror treats them: looked at, and forgotten.
    """

    title = "Turn your head"
    remembers = traitlets.Bool(False).tag(sync=True)

    def __init__(self, seed: int | None = None):
        super().__init__()
        self._rng = np.random.default_rng(seed)
        self.begin()

    def begin(self) -> None:
        """From the start, with other sides."""
        self.places: list[float] = []
        self._ahead: float | None = None
        self._back = False  # whether the head has come back after the turn before
        self._sides = self._rng.choice((-1, 1), TURNS).tolist()
        self._since = 0.0  # when the turn was asked for
        self._astray = False
        self.passed: bool | None = None

    @property
    def asked(self) -> int | None:
        return self._sides[0] if self._ahead is not None and self._back and self._sides else None

    def receive(self, widget, content: dict, buffers: list) -> None:
        if content["kind"] == "start":
            self.begin()
        super().receive(widget, content, buffers)

    def look(self, jpeg: bytes) -> dict:
        answer = super().look(jpeg)
        if "faces" in answer:
            answer["words"] = translated(self.judge(answer["faces"]))
            for face in answer["faces"]:
                face["label"] = ""
        return answer

    def judge(self, faces: list[dict], now: float | None = None) -> str:
        """What to do next, or what came of it, in words, after one more frame with these faces, seen at `now`
        (seconds; None: the clock's)."""
        now = time.monotonic() if now is None else now
        if self.passed is not None:
            return self._end()
        if len(faces) != 1:
            return "One face is asked for, and there is none." if not faces else "One face at a time, please."
        place = nose_place(np.array(faces[0]["landmarks"]))
        self.places.append(place)
        if self._ahead is None:
            still = len(self.places) >= 5 and np.ptp(self.places[-5:]) < 0.06
            if still and AHEAD[0] <= np.median(self.places[-5:]) <= AHEAD[1]:
                self._ahead, self._back, self._since = float(np.median(self.places[-5:])), True, now
            else:
                return "Look straight ahead, and hold still for a moment."
        moved = place - self._ahead
        if not self._back:
            self._back = abs(moved) < ASKED / 2
        elif moved * self._sides[0] >= ASKED:
            self._sides, self._back, self._since = self._sides[1:], False, now
            if not self._sides:
                self.passed = True
        elif moved * self._sides[0] <= -ASKED:
            self.passed, self._astray = False, True
        if self.passed is None and now - self._since > PATIENCE:
            self.passed = False
        if self.passed is not None:
            return self._end()
        number = TURNS - len(self._sides) + 1
        what = f"Turn {number} of {TURNS}: turn your head {SIDES[self._sides[0]]}." if self._back else (
            "Good. Look straight ahead again."
        )  # fmt: skip
        return f"{what} The nose has moved by {moved:+.2f}; {ASKED:.2f} are asked for."

    def _end(self) -> str:
        if self.passed:
            return f"All {TURNS} turns were made: what stands there has a nose. Stop, and Start for another."
        if self._astray:
            return "That was the other side: a film does not listen. Stop, and Start to try again."
        far = max(abs(place - self._ahead) for place in self.places) if self._ahead is not None else 0.0
        return f"That took too long. The nose has moved by {far:.2f} at most. Stop, and Start to try again."

    def still_caption(self) -> str:
        return "*Turn your head: with a camera, in JupyterLab, once this cell has run. It keeps no frame.*"
