"""Where a live widget shows its picture, and the words under it."""

from pathlib import Path

import anywidget
import traitlets

HERE = Path(__file__).parent


class Screen(anywidget.AnyWidget):
    """A picture and a line of text that says the same, sent to the page together and shown together.

    value     PNG or JPEG
    words     plain text
    title     what the picture is called where it is not seen
    language  of the words: "en", "ko" or "ja"
    """

    _esm = HERE / "screen.js"
    _css = HERE / "screen.css"
    value = traitlets.Bytes().tag(sync=True)
    words = traitlets.Unicode().tag(sync=True)
    title = traitlets.Unicode().tag(sync=True)
    language = traitlets.Unicode("en").tag(sync=True)

    def show(self, picture: bytes, words: str) -> None:
        """In one message."""
        with self.hold_sync():
            self.words, self.value = words, picture
