"""The course's widgets without the course: a page for each lesson, for a projector or a fair.

    make demo                             opens them in a browser (Voilà)
    python -m facelab.course.demo         the same, without make; --port, --no-browser

A page is a notebook of one cell, `show("05")`, written into a folder of its own; Voilà runs it and shows what
it shows: no code, and an error in words. Everything works without a network and without LFW's photos.
"""

import html
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

from facelab.course.demo_pages import PAGES

STYLE = """<style>
body, .jp-OutputArea, .jupyter-widgets, .widget-html-content, .facelab-screen [role=status], .lm-Widget {
  font-size: 20px !important; }
.widget-label, .widget-readout, .widget-dropdown > select, .widget-text input, .jupyter-button {
  font-size: 19px !important; height: auto !important; min-height: 1.6em; line-height: 1.5 !important; }
.demo h1 { font-size: 40px; line-height: 1.2; margin: 0.4em 0 0.2em; }
.demo h2 { font-size: 28px; line-height: 1.3; margin: 1.2em 0 0.2em; }
.demo p { font-size: 22px; line-height: 1.45; margin: 0.2em 0 0.6em; max-width: 60em; }
.demo a { font-size: 22px; color: #0072b2; text-decoration: underline; }
.jp-RenderedImage img, .widget-image { max-width: 100%; }
</style>"""


def show(number: str) -> None:
    """A lesson's page, in the notebook that calls it. What fails says so in its place, and the rest goes
    on."""
    import ipywidgets as widgets
    from IPython.display import display

    from facelab.course import plots
    from facelab.course.widgets.base import alert

    plots.use_style()
    page = PAGES[number]
    numbers = list(PAGES)
    at = numbers.index(number)
    links = [("All lessons", "index")]
    links += [(f"← {n}", n) for n in numbers[max(0, at - 1) : at]]
    links += [(f"{n} →", n) for n in numbers[at + 1 : at + 2]]
    way = " &nbsp; ".join(f"<a href='{_address(name)}'>{words}</a>" for words, name in links)
    display(widgets.HTML(f"{STYLE}<div class='demo'>{way}<h1>{html.escape(page.question)}</h1></div>"))
    for demo in page.demos:
        display(widgets.HTML(f"<div class='demo'><h2>{html.escape(demo.ask)}</h2></div>"))
        try:
            display(demo.make())
        except Exception as error:
            display(widgets.HTML(alert(error)))


def contents() -> None:
    """The first page: a link to each lesson."""
    import ipywidgets as widgets
    from IPython.display import display

    lines = "".join(
        f"<p><a href='{_address(number)}'>{number} · {html.escape(page.question)}</a></p>"
        for number, page in PAGES.items()
    )
    head = "<h1>How does a computer know a face?</h1><p>Everything runs on this machine; nothing is kept.</p>"
    display(widgets.HTML(f"{STYLE}<div class='demo'>{head}{lines}</div>"))


def _address(name: str) -> str:
    return f"{name}.ipynb"


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


__all__ = ["contents", "show"]


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
    ours = os.pathsep.join(filter(None, [str(Path(__file__).parent), os.environ.get("JUPYTER_PATH")]))
    return os.environ | {"JUPYTER_PATH": ours, "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "1")}


def when_it_answers(port: int, server: subprocess.Popen, seconds: float = 60) -> None:
    """Open the browser as soon as there is something to see."""
    until = time.monotonic() + seconds
    while server.poll() is None and time.monotonic() < until:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            webbrowser.open(address(port))
            return
        time.sleep(0.2)


if __name__ == "__main__":
    sys.exit(main())
