"""A live mirror: what the pipeline sees in the camera's picture, drawn over it as it moves."""

import io
import time
from pathlib import Path

import anywidget
import numpy as np
import traitlets
from matplotlib.patches import Rectangle

import facelab as fl
from facelab.course import portraits
from facelab.course.language import as_given, translated
from facelab.course.plots import GREEN, MARKERS, YELLOW
from facelab.course.widgets.base import StillPicture
from facelab.course.widgets.page import Speaking
from facelab.course.widgets.picture import LivePicture
from facelab.errors import FacelabError

MOST = 4
"""Faces of a frame that are compared, the largest first: more would slow down what is smooth."""


class Mirror(Speaking, StillPicture, anywidget.AnyWidget):
    """Start, look, remember a face, look again.

    people     dict of name → (D,) vector, remembered so far; whoever is given is known at once
    threshold  the cosine distance within which somebody is recognised

    Frames come as messages, are looked at and forgotten: none is kept, none is in the widget's state. What is
    remembered is a name and a vector, in this process, until it ends.
    """

    title = "A live mirror"
    _esm = Path(__file__).with_name("mirror.js")
    _css = Path(__file__).with_name("mirror.css")
    WORDS = (
        "Start",
        "Switch the camera on",
        "Stop",
        "Switch the camera off",
        "a name",
        "a name for the face that is nearest",
        "Remember this face",
        "Keeps 128 numbers in this notebook's memory, and no picture",
        "Forget all",
        "Nobody is remembered any more",
        "what was found in the camera's picture",
        "nobody remembered yet",
        "nobody I know",
        "{0}, {1} (threshold {2})",
        "1 face, {0} answers a second, {1} ms each in the kernel. No frame is kept.",
        "{0} faces, {1} answers a second, {2} ms each in the kernel. No frame is kept.",
        "Looking …",
        "The camera is off. No frame was kept.",
        "The browser could not write a JPEG of the camera's picture.",
        "The kernel does not answer: is another cell running? Then press Start again.",
        "This page may not use a camera: browsers allow it on localhost and over https only.",
        "The browser may not use the camera here: allow it in the address bar, then press Start again.",
        "There is no camera on this computer.",
        "The camera could not be opened ({0}). Is another program using it?",
    )
    remembers = traitlets.Bool(True).tag(sync=True)
    """Whether the page offers to remember faces."""

    def __init__(self, people: dict[str, np.ndarray] | None = None, threshold: float | None = None):
        super().__init__()
        self.people = dict(people or {})
        chosen = fl.calibration.threshold_for("yunet+aligned+sface")
        self.threshold = float(chosen if threshold is None else threshold)
        self.pipeline = fl.Pipeline(batch_size=1, workers=1)
        self._nearest: np.ndarray | None = None  # the vector of the largest face of the last frame
        self.on_msg(self.receive)

    def receive(self, _widget, content: dict, buffers: list) -> None:
        """A message of the page: kind "frame" with a JPEG beside it, "remember" with a name, "forget",
        or "start": the camera is on."""
        if content["kind"] == "frame":
            self.send({"kind": "answer", "number": content["number"], **self.look(bytes(buffers[0]))})
        elif content["kind"] == "remember":
            self.send({"kind": "words", "text": self.remember(content["name"])})
        elif content["kind"] == "forget":
            self.people.clear()
            self.send({"kind": "words", "text": translated("Nobody is remembered any more.")})

    def look(self, jpeg: bytes) -> dict:
        """What is in a frame: width of the frame, faces (box, landmarks, name or None, distance or None),
        threshold, ms; or error, a sentence."""
        start = time.perf_counter()
        try:
            file = io.BytesIO(jpeg)
            file.name = "the camera's picture"  # so that messages name it
            photo = fl.read_image(file)
            (result,) = self.pipeline([photo], progress=False)
        except FacelabError as error:
            return {"error": translated(f"A frame could not be looked at: {error}")}
        except Exception as error:  # raised in a message's handler it would vanish
            return {"error": f"{type(error).__name__}: {error}"}
        self._nearest = result.vectors[0] if len(result.faces) else None
        faces = [
            {"box": face.box.tolist(), "landmarks": face.landmarks.tolist(), **self._who(vector)}
            for face, vector in zip(result.faces[:MOST], result.vectors, strict=False)
        ]
        ms = 1e3 * (time.perf_counter() - start)
        return {"width": photo.shape[1], "faces": faces, "threshold": self.threshold, "ms": ms}

    def _who(self, vector: np.ndarray) -> dict:
        if not self.people:
            return {"name": None, "distance": None}
        distances = {name: float(fl.cosine_distance(vector, own)) for name, own in self.people.items()}
        name = min(distances, key=distances.__getitem__)
        return {"name": name if distances[name] <= self.threshold else None, "distance": distances[name]}

    def remember(self, name: str) -> str:
        """Keep the vector of the largest face of the last frame under a name. What became of it, in words."""
        name = name.strip()
        if not name:
            return translated("Type a name first.")
        if self._nearest is None:
            return translated("There was no face in the last picture: press Start, and look into the camera.")
        self.people[name] = self._nearest
        numbers = len(self._nearest)
        return translated(
            f"{as_given(name)}: {numbers} numbers are remembered in this notebook's memory, and no picture."
        )

    def still_png(self) -> bytes:
        photo = portraits.collins()
        face = fl.detect(photo)[0]
        picture = LivePicture(7.2, 4.0, layout="none")
        with picture.styled():
            axes = picture.figure.add_axes((0.02, 0.02, 0.5, 0.96))
            axes.imshow(photo[:, ::-1])
            axes.set_axis_off()
            x1, y1, x2, y2 = face.box
            side = photo.shape[1]
            axes.add_patch(Rectangle((side - x2, y1), x2 - x1, y2 - y1, fill=False, ec=GREEN, lw=3))
            for (x, y), marker in zip(face.landmarks, MARKERS, strict=True):
                axes.plot(side - x, y, marker, ms=6, mfc=YELLOW, mec="black")
            picture.figure.text(
                0.56, 0.55, "The camera's picture, and over it\nwhat the computer sees.", fontsize=14
            )
        return picture.png()

    def still_caption(self) -> str:
        return "*A live mirror: with a camera, in JupyterLab, once this cell has run. It keeps no frame.*"
