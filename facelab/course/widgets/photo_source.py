"""A photo from the reader's disk or camera, into the kernel's memory and nowhere else."""

import io
from collections.abc import Callable
from pathlib import Path

import anywidget
import numpy as np
import traitlets
from PIL import Image

import facelab as fl
from facelab.course.language import translated
from facelab.course.widgets.page import Speaking
from facelab.errors import NoFaceError

HERE = Path(__file__).parent
LIMIT = 8_000_000
"""Bytes. A larger file is made smaller by the browser first: Jupyter's connection between page and kernel
breaks at messages of 10 MB, and says nothing."""

SIDE = 1600
"""Pixels. A photo with a longer side is made smaller once it is here."""


class PhotoSource(Speaking, anywidget.AnyWidget):
    """A place for a photo: chosen as a file, dropped, or, where the browser offers one, taken by the camera.

    label       the name of the place that is filled: "photo A"
    on_photo    called with the file's name (or "camera") and its bytes
    on_problem  called with one sentence where the browser could not get a photo
    several     many files may be chosen or dropped at once; on_photo is called for each

    The bytes travel as a message, not as the widget's state, so they are in no saved notebook.
    """

    _esm = HERE / "photo_source.js"
    _css = HERE / "photo_source.css"
    WORDS = (
        "a file …",
        "from a file",
        "Choose a photo on this computer",
        "camera …",
        "Look into the camera of this computer",
        "Take it",
        "Use what the camera sees now",
        "Close",
        "Switch the camera off",
        "or drop photos here",
        "or drop a photo here",
        "{0} is {1}, more than the {2} that can be sent, and this browser cannot open it to make it smaller: "
        "save it as a smaller JPEG.",
        "What was dropped is no file. Drop a photo from a folder of this computer.",
        "The browser may not use the camera here: allow it in the address bar, or choose a file.",
        "The camera could not be opened ({0}): choose a file instead.",
        "The camera's picture could not be taken ({0}): choose a file instead.",
    )
    label = traitlets.Unicode().tag(sync=True)
    limit = traitlets.Int(LIMIT).tag(sync=True)
    several = traitlets.Bool(False).tag(sync=True)

    def __init__(
        self,
        label: str,
        on_photo: Callable[[str, bytes], None],
        on_problem: Callable[[str], None],
        several: bool = False,
    ):
        super().__init__(label=translated(label), several=several)
        self._on_photo, self._on_problem = on_photo, on_problem
        self.on_msg(self.receive)

    def receive(self, _widget, content: dict, buffers: list) -> None:
        """A message of the page: kind "photo" with a name and the bytes, or kind "problem" with a text."""
        if content["kind"] == "photo":
            self._on_photo(content["name"], bytes(buffers[0]))
        else:
            self._on_problem(content["text"])


def usable(name: str, data: bytes) -> np.ndarray:
    """The bytes of an own photo → (H, W, 3) RGB uint8 with a face in it, at most SIDE wide and high.

    Raises ImageError or NoFaceError, naming the photo.
    """
    file = io.BytesIO(data)
    file.name = name  # so that messages name it
    photo = fl.read_image(file)
    if max(photo.shape[:2]) > SIDE:
        image = Image.fromarray(photo)
        image.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
        photo = np.asarray(image)
    if not fl.detect(photo):
        raise NoFaceError(
            f"{name}: no face was found in it. One that looks into the camera, upright and not too small, is "
            "found best."
        )
    return photo
