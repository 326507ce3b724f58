"""A photo from the reader's disk or camera, into the kernel's memory and nowhere else."""

from collections.abc import Callable
from pathlib import Path

import anywidget
import traitlets

HERE = Path(__file__).parent
LIMIT = 8_000_000
"""Bytes. A larger file is made smaller by the browser first: Jupyter's connection between page and kernel
breaks at messages of 10 MB, and says nothing."""


class PhotoSource(anywidget.AnyWidget):
    """Two buttons, one for a file and, where the browser offers one, one for the camera.

    label       the name of the place that is filled: "photo A"
    on_photo    called with the file's name (or "camera") and its bytes
    on_problem  called with one sentence where the browser could not get a photo

    The bytes travel as a message, not as the widget's state, so they are in no saved notebook.
    """

    _esm = HERE / "photo_source.js"
    _css = HERE / "photo_source.css"
    label = traitlets.Unicode().tag(sync=True)
    limit = traitlets.Int(LIMIT).tag(sync=True)

    def __init__(self, label: str, on_photo: Callable[[str, bytes], None], on_problem: Callable[[str], None]):
        super().__init__(label=label)
        self._on_photo, self._on_problem = on_photo, on_problem
        self.on_msg(self.receive)

    def receive(self, _widget, content: dict, buffers: list) -> None:
        """A message of the page: kind "photo" with a name and the bytes, or kind "problem" with a text."""
        if content["kind"] == "photo":
            self._on_photo(content["name"], bytes(buffers[0]))
        else:
            self._on_problem(content["text"])
