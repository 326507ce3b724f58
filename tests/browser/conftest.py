"""JupyterLab as its users see it: a server of our own on a free loopback port, and a real Chromium.

Chromium is looked for in `CHROME`, then as `chromium`, `chromium-browser` or `google-chrome`, then where
`playwright install chromium` puts it. Without one the tests skip, unless FACELAB_REQUIRE_BROWSER=1.
"""

import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import nbformat
import numpy as np
import pytest
from nbformat.v4 import new_code_cell, new_notebook

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 60
RUN_SECONDS = 240

SETTINGS = {
    # A scrolled-away cell must still be in the page, and nobody may ask the network for news.
    "@jupyterlab/notebook-extension/tracker.jupyterlab-settings": {"windowingMode": "none"},
    "@jupyterlab/apputils-extension/notification.jupyterlab-settings": {
        "fetchNews": "false",
        "checkForUpdates": False,
    },
}


def pytest_collection_modifyitems(items):
    """Everything in this folder is marked `browser`."""
    for item in items:
        if Path(__file__).parent in Path(item.fspath).parents:
            item.add_marker(pytest.mark.browser)


def find_chromium() -> str | None:
    """A Chromium to run; None if this machine has none."""
    names = (os.environ.get("CHROME", ""), "chromium", "chromium-browser", "google-chrome")
    found = next((path for path in map(shutil.which, names) if path), None)
    if found:
        return found
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        own = playwright.chromium.executable_path
    return own if Path(own).exists() else None


@pytest.fixture(scope="session")
def browser() -> Iterator:
    from playwright.sync_api import sync_playwright

    path = find_chromium()
    if path is None:
        reason = (
            "no Chromium here: `sudo apt-get install chromium`, or `.venv/bin/playwright install chromium`, "
            "or set CHROME to the browser's path"
        )
        if os.environ.get("FACELAB_REQUIRE_BROWSER") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    with sync_playwright() as playwright:
        # A container lacks the rights for the sandbox and a large /dev/shm; only our own pages are opened.
        flags = ["--no-sandbox", "--disable-dev-shm-usage"]
        chromium = playwright.chromium.launch(executable_path=path, args=flags)
        chromium.another = lambda *more: playwright.chromium.launch(
            executable_path=path, args=[*flags, *more]
        )
        yield chromium
        chromium.close()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Lab:
    """A running JupyterLab: `folder` is what it shows, `url(name)` opens a notebook in it."""

    def __init__(self, folder: Path, home: Path):
        self.folder, self.port, self.token = folder, free_port(), secrets.token_hex(16)
        self.log = home / "server.log"
        for name, value in SETTINGS.items():
            path = home / "settings" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(value))
        environment = os.environ | {
            "JUPYTER_CONFIG_DIR": str(home / "config"),
            "JUPYTER_DATA_DIR": str(home / "data"),
            "JUPYTER_RUNTIME_DIR": str(home / "runtime"),
            "JUPYTERLAB_SETTINGS_DIR": str(home / "settings"),
            "JUPYTERLAB_WORKSPACES_DIR": str(home / "workspaces"),
            "IPYTHONDIR": str(home / "ipython"),
        }
        arguments = [
            "--no-browser",
            "--allow-root",
            "--ServerApp.ip=127.0.0.1",
            f"--ServerApp.port={self.port}",
            "--ServerApp.port_retries=0",
            f"--ServerApp.root_dir={folder}",
            f"--IdentityProvider.token={self.token}",
            "--LabApp.expose_app_in_browser=True",
            "--LabApp.news_url=None",
            "--ServerApp.shutdown_no_activity_timeout=600",  # a killed test run leaves nothing
        ]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "jupyterlab", *arguments], env=environment, stdout=log, stderr=log
            )
        self._wait()

    def _wait(self) -> None:
        address = f"http://127.0.0.1:{self.port}/api/status?token={self.token}"
        until = time.monotonic() + START_SECONDS
        while time.monotonic() < until and self.process.poll() is None:
            try:
                with urllib.request.urlopen(address, timeout=5):
                    return
            except OSError:
                time.sleep(0.2)
        self.stop()
        raise RuntimeError(f"JupyterLab did not start:\n{self.log.read_text()[-3000:]}")

    def url(self, name: str) -> str:
        return f"http://127.0.0.1:{self.port}/lab/tree/{name}?token={self.token}&reset"

    def store(self, name: str, cells: Iterable[str]) -> None:
        """A notebook of these code cells, not run."""
        book = new_notebook(cells=[new_code_cell(cell) for cell in cells])
        book.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
        nbformat.write(book, self.folder / name)

    def stop(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(timeout=15)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


@pytest.fixture(scope="session")
def lab(browser, tmp_path_factory) -> Iterator[Lab]:
    """JupyterLab over a copy of the student notebooks, so that running them leaves the stored ones alone."""
    folder = tmp_path_factory.mktemp("notebooks")
    for path in (ROOT / "notebooks").glob("*.ipynb"):
        shutil.copy(path, folder)
    server = Lab(folder, tmp_path_factory.mktemp("jupyter"))
    yield server
    server.stop()


# JavaScript that runs in the page. The notebook's panel is the current widget of the shell.
PANEL = "window.jupyterapp.shell.currentWidget"

LISTEN = f"""() => {{
    window.kernelErrors = [];
    {PANEL}.sessionContext.iopubMessage.connect((_, message) => {{
        if (message.header.msg_type === 'error') window.kernelErrors.push(message.content.evalue);
    }});
}}"""

RUN_ALL = """() => {
    window.finished = false;
    window.jupyterapp.commands.execute('notebook:run-all-cells').then(() => { window.finished = true; });
}"""

ERRORS = f"""() => Array.from({PANEL}.content.model.cells)
    .filter(cell => cell.type === 'code')
    .flatMap(cell => cell.outputs.toJSON())
    .filter(output => output.output_type === 'error')
    .map(output => output.ename + ': ' + output.evalue)
    .concat(window.kernelErrors)"""

# From the key press in the page to the frame after the new picture was drawn, by a clock of its own.
WATCH = """(screen) => {
    if (screen.times) return;
    screen.times = [];
    screen.after = (many) => screen.times.length > many || new Promise((done) => { screen.told = done; });
    let pressed = null;
    document.addEventListener('keydown', () => { pressed = performance.now(); }, true);
    new MutationObserver(() => requestAnimationFrame(() => requestAnimationFrame(() => {
        if (pressed === null) return;
        screen.times.push(performance.now() - pressed);
        pressed = null;
        screen.told?.();
    }))).observe(screen, { attributes: true, attributeFilter: ['data-pictures'] });
}"""

PIXELS = """(screen) => {
    const image = screen.querySelector('img'), canvas = document.createElement('canvas');
    canvas.width = image.naturalWidth; canvas.height = image.naturalHeight;
    canvas.getContext('2d').drawImage(image, 0, 0);
    return canvas.toDataURL();
}"""


class Notebook:
    """A notebook open in JupyterLab, and what a user does with it."""

    def __init__(self, page, lab: Lab, name: str):
        self.page = page
        self.elsewhere: list[str] = []
        page.route("**/*", self._stay_here)
        page.goto(lab.url(name))
        page.wait_for_function(
            f"() => window.jupyterapp && {PANEL} && {PANEL}.sessionContext", timeout=60_000
        )
        page.wait_for_function(
            f"() => {PANEL}.sessionContext.session?.kernel?.status === 'idle'", timeout=60_000
        )
        page.evaluate(LISTEN)

    def _stay_here(self, route) -> None:
        """Nothing leaves the machine: a request to another host is refused and remembered."""
        if route.request.url.startswith(("http://127.0.0.1:", "data:", "blob:")):
            route.continue_()
        else:
            self.elsewhere.append(route.request.url)
            route.abort()

    def run_all(self) -> None:
        self.page.evaluate(RUN_ALL)
        self.page.wait_for_function("() => window.finished", timeout=RUN_SECONDS * 1000)

    def run_cell(self, index: int) -> None:
        """Run one cell, counted from 0, Markdown included."""
        self.page.evaluate(f"() => {{ {PANEL}.content.activeCellIndex = {index}; }}")
        self.page.evaluate(RUN_ALL.replace("run-all-cells", "run-cell"))
        self.page.wait_for_function("() => window.finished", timeout=RUN_SECONDS * 1000)

    def errors(self) -> list[str]:
        """Errors of cells and of widget callbacks."""
        return self.page.evaluate(ERRORS)

    def widget(self, number: int = 0) -> "Live":
        """The widgets of the page in order; guesses, of which every lesson has one, are not counted."""
        return Live(self.page, self.page.locator(".facelab-live:not(.facelab-guess)").nth(number))


class Live:
    """One live widget in the page."""

    def __init__(self, page, box):
        self.page, self.box = page, box
        box.scroll_into_view_if_needed()
        self.screen = box.locator(".facelab-screen[data-pictures]").first
        self.screen.wait_for()

    def pixels(self) -> str:
        return self.screen.evaluate(PIXELS)

    def changed(self, picture: str, seconds: float = 20) -> bool:
        """Whether the picture becomes another one: words beside it may have been there before."""
        end = time.monotonic() + seconds
        while self.pixels() == picture and time.monotonic() < end:
            time.sleep(0.02)
        return self.pixels() != picture

    def text(self) -> str:
        return self.box.locator("[role=status]").inner_text()

    def alerts(self) -> list[str]:
        return self.box.locator("[role=alert]").all_inner_texts()

    def focus(self, label: str) -> None:
        """Put the keyboard on the slider whose label begins so."""
        self.box.locator(".widget-slider").filter(has_text=label).locator(".noUi-handle").focus()

    def press(self, key: str, times: int = 1) -> list[float]:
        """Press, wait for the new picture, and so on. Milliseconds from each press to its pixels."""
        self.screen.evaluate(WATCH)
        screen = self.screen.element_handle()
        for _ in range(times):
            before = screen.evaluate("screen => screen.times.length")
            self.page.keyboard.press(key)
            # One question that waits: one at every frame would keep the page busy while it is timed.
            screen.evaluate("(screen, many) => screen.after(many)", before)
        return screen.evaluate(f"screen => screen.times.slice(-{times})")

    def to_and_fro(self, key: str, times: int = 20) -> list[float]:
        """As `press`, on a slider of few steps: two there and two back."""
        back = {"ArrowRight": "ArrowLeft", "ArrowLeft": "ArrowRight"}[key]
        return [ms for n in range(times // 2) for ms in self.press(back if n % 2 else key, 2)]


SPENT: dict[str, list[float]] = {}


@pytest.fixture
def slider_times():
    """`slider_times("05, tilt", milliseconds)`: from key press to pixels; all of them are said at the end."""
    return lambda name, spent: SPENT.setdefault(name, []).extend(spent)


def pytest_terminal_summary(terminalreporter):
    if SPENT:
        terminalreporter.section("sliders, key press to pixels")
    for name, spent in SPENT.items():
        median, late = np.percentile(spent, (50, 95))
        terminalreporter.line(
            f"{name:40} median {median:4.0f} ms, 95th percentile {late:4.0f} ms of {len(spent):2} presses"
        )


@pytest.fixture
def open_notebook(browser, lab) -> Iterator:
    """`open_notebook("05_….ipynb")` → Notebook; the page is closed when the test ends, its kernel too."""
    with notebooks(browser, lab) as open_one:
        yield open_one


@contextmanager
def notebooks(browser, lab) -> Iterator:
    contexts = []

    def open_one(name: str, width: int = 1280, height: int = 800, where=browser, **options) -> Notebook:
        contexts.append(where.new_context(viewport={"width": width, "height": height}, **options))
        return Notebook(contexts[-1].new_page(), lab, name)

    yield open_one
    for context in contexts:
        for page in context.pages:
            page.evaluate(f"() => {PANEL}.sessionContext.shutdown()")
        context.close()
