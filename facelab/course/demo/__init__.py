"""The course's widgets without the course: a page for each lesson, for a projector or a fair.

    make demo                             opens them in a browser (Voilà)
    python -m facelab.course.demo         the same, without make; --port, --no-browser

A page is a notebook of one cell, `show("05")`, written into a folder of its own; Voilà runs it and shows what
it shows: no code, and an error in words. Everything works without a network and without LFW's photos.
"""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import webbrowser
from contextlib import suppress
from pathlib import Path

from facelab.course.demo.pages import PAGES
from facelab.course.demo.showing import contents, show

__all__ = ["contents", "show"]


def write(folder: Path) -> None:
    """The pages as notebooks."""
    import nbformat
    from nbformat.v4 import new_code_cell, new_notebook

    folder.mkdir(parents=True, exist_ok=True)
    cells = {"index": "contents()"} | {number: f'show("{number}")' for number in PAGES}
    for name, call in cells.items():
        book = new_notebook(cells=[new_code_cell(f"from facelab.course.demo import *\n{call}")])
        book.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
        book.metadata["title"] = PAGES[name].question if name in PAGES else "facelab"
        nbformat.write(book, folder / f"{name}.ipynb")


def main(arguments: list[str] | None = None) -> int:
    """Writes the pages into a temporary folder and serves them until Ctrl-C."""
    import argparse

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--port", type=int, default=8866)
    parser.add_argument("--no-browser", action="store_true")
    asked = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # so that the server ends with us
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder))
        print(f"The demos: {address(asked.port)}   (Ctrl-C ends them)", flush=True)
        server = subprocess.Popen(command(folder, asked.port), env=environment())
        try:
            if not asked.no_browser:
                when_it_answers(asked.port, server)
            return server.wait()
        except KeyboardInterrupt:
            return 0
        finally:
            server.terminate()
            server.wait()


def address(port: int) -> str:
    return f"http://127.0.0.1:{port}/voila/render/index.ipynb"


def command(folder: str, port: int) -> list[str]:
    return [
        sys.executable, "-m", "voila", folder, f"--port={port}", "--no-browser", "--Voila.ip=127.0.0.1",
        "--template=facelab", "--show_tracebacks=True",
    ]  # fmt: skip


def environment() -> dict[str, str]:
    """With our template among Jupyter's data; one thread, since several pages may be open."""
    ours = os.pathsep.join(filter(None, [str(Path(__file__).parents[1]), os.environ.get("JUPYTER_PATH")]))
    return os.environ | {"JUPYTER_PATH": ours, "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "1")}


def when_it_answers(port: int, server: subprocess.Popen, seconds: float = 60) -> None:
    """Open the browser as soon as there is something to see."""
    until = time.monotonic() + seconds
    while server.poll() is None and time.monotonic() < until:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            webbrowser.open(address(port))
            return
        time.sleep(0.2)
