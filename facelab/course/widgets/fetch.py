"""One button that brings LFW's photos, with progress, a way to stop, and a file of one's own in their place.

It starts `facelab data get lfw` as a process of its own: stopping it is ending a process, what arrived stays,
and the next press goes on from there.
"""

import html
import re
import subprocess
import sys
import threading
from collections.abc import Callable

import ipywidgets as widgets

from facelab.course.language import translated
from facelab.course.plots import BLUE
from facelab.course.widgets.base import StillPicture
from facelab.course.widgets.picture import LivePicture
from facelab.datasets import lfw
from facelab.errors import DatasetError

COMMAND = (sys.executable, "-m", "facelab.cli", "data", "get", "lfw")


class FetchPhotos(StillPicture, widgets.VBox):
    """Press, wait, go on.

    then     called with nothing once the photos are there
    command  what is run; `--from PATH` is added when a path is given
    """

    def __init__(self, then: Callable[[], None] | None = None, command: tuple[str, ...] = COMMAND):
        self.then, self.command = then, command
        self.process: subprocess.Popen | None = None
        self._thread: threading.Thread | None = None
        self._stopped = False
        self.go = widgets.Button(
            description="Fetch LFW's photos (about 240 MB)", icon="download", button_style="primary",
            tooltip="Press releases of public figures; for teaching and research",
        )  # fmt: skip
        self.halt = widgets.Button(
            description="Stop", icon="stop", disabled=True, tooltip="What arrived stays"
        )
        self.path = widgets.Text(
            placeholder="or the path of lfw-funneled.tgz, if you have it", description="from file",
            layout=widgets.Layout(width="28em"),
        )  # fmt: skip
        self.go.layout.width = self.halt.layout.width = "auto"
        self.bar = widgets.IntProgress(max=100, layout=widgets.Layout(width="16em"))
        self.line = widgets.HTML()
        self.go.on_click(lambda _: self.start())
        self.halt.on_click(lambda _: self.stop())
        wrap = widgets.Layout(flex_flow="row wrap", align_items="center")
        super().__init__([widgets.HBox([self.go, self.halt, self.bar, self.path], layout=wrap), self.line])
        try:
            self._say(f"They are here: {lfw()}")
            self.bar.value = 100
        except DatasetError:
            self._say("They are not here. Everything below works without, on people who are drawn.")

    def still_png(self) -> bytes:
        picture = LivePicture(7.0, 0.9)
        with picture.styled():
            look = {"boxstyle": "round,pad=0.5", "facecolor": BLUE, "edgecolor": "none"}
            picture.figure.text(0.02, 0.5, self.go.description, color="white", va="center", bbox=look)
        return picture.png()

    def still_caption(self) -> str:
        return "*The button is live in JupyterLab once this cell has run.*"

    def _say(self, words: str) -> None:
        self.line.value = f"<div role='status' style='line-height:1.5'>{html.escape(translated(words))}</div>"

    def start(self) -> None:
        """Begin, or go on where a download stopped."""
        if self._thread is not None and self._thread.is_alive():
            return
        command = [*self.command, *(["--from", self.path.value.strip()] if self.path.value.strip() else [])]
        self.go.disabled, self.halt.disabled, self._stopped = True, False, False
        self._say(translated("Connecting …"))
        self.process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, bufsize=0
        )
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the process; what arrived stays for the next time."""
        self._stopped = True
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()

    def wait(self, seconds: float | None = None) -> None:
        """Until it is done: for tests."""
        if self._thread is not None:
            self._thread.join(seconds)

    def _watch(self) -> None:
        assert self.process is not None
        last = ""
        try:
            for line in _lines(self.process.stdout):
                last = line
                if share := re.search(r"(\d+)%\|", line):
                    self.bar.value = int(share[1])
                    line = re.sub(r"\|.*?\|", " ", line)
                self._say(line)
            status = self.process.wait()
            if self._stopped:
                self._say("Stopped. What arrived is kept: press again to go on.")
            elif status == 0:
                self.bar.value = 100
                if self.then is not None:
                    self.then()
            else:
                self._say(f"⚠ {last.removeprefix('facelab: ')}")
        except Exception as error:  # raised in a thread it would vanish
            self._say(f"⚠ {error}")
        finally:
            self.go.disabled, self.halt.disabled = False, True


def _lines(stream):
    """Lines of a process's output; a progress bar ends its lines with a carriage return."""
    kept = b""
    while some := stream.read(4096):
        *whole, kept = re.split(rb"[\r\n]", kept + some)
        yield from (text for line in whole if (text := line.decode("utf-8", "replace").strip()))
    if kept.strip():
        yield kept.decode("utf-8", "replace").strip()
