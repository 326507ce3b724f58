"""What a newcomer meets at 1280 × 720: no question about news, no menu of files, a face and a slider.

The server is started as `make lab` does, with the settings of the environment and nobody's own.
"""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SETTINGS = Path(sys.prefix) / "share" / "jupyter" / "lab" / "settings" / "overrides.json"
SECONDS = 90


@pytest.fixture
def address(tmp_path):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    names = ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTERLAB_SETTINGS_DIR", "JUPYTERLAB_WORKSPACES_DIR")
    own = {name: str(tmp_path / name) for name in names} | {"IPYTHONDIR": str(tmp_path / "ipython")}
    command = [
        sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ServerApp.ip=127.0.0.1",
        f"--ServerApp.port={port}", "--IdentityProvider.token=t", f"--ServerApp.root_dir={ROOT}",
    ]  # fmt: skip
    server = subprocess.Popen(
        command, env=os.environ | own, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    until = time.monotonic() + SECONDS
    while time.monotonic() < until and server.poll() is None:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/status?token=t", timeout=5):
                break
        except OSError:
            time.sleep(0.2)
    yield f"http://127.0.0.1:{port}", "token=t"
    server.terminate()
    server.wait(timeout=30)


def test_a_face_and_a_slider_and_nothing_in_the_way(browser, address):
    assert "apputils-extension" in json.dumps(json.loads(SETTINGS.read_text())), "tools/setup.py writes it"
    base, token = address
    with urllib.request.urlopen(f"{base}/api/contents/notebooks?{token}", timeout=20) as answer:
        names = {entry["name"] for entry in json.load(answer)["content"]}
    assert "00_start_here.ipynb" in names
    assert not {"lessons", "ruff.toml"} & names
    context = browser.new_context(viewport={"width": 1280, "height": 720})
    page = context.new_page()
    page.route(
        "**/*", lambda route: route.continue_() if route.request.url.startswith(base) else route.abort()
    )
    page.goto(f"{base}/doc/tree/notebooks/00_start_here.ipynb?{token}")
    page.locator(".jp-Notebook h1").first.wait_for(timeout=SECONDS * 1000)
    picture = page.locator(".jp-OutputArea img").first
    picture.wait_for(timeout=SECONDS * 1000)
    time.sleep(3)  # a question about news would come by now
    assert page.locator(".Toastify__toast").count() == 0
    assert not page.locator("#jp-left-stack").is_visible()
    box = picture.bounding_box()
    assert box["y"] + box["height"] < 720, "the first picture is on the first screen"
    page.locator(".jp-Notebook .jp-Cell").nth(1).click()
    page.keyboard.press("Control+Enter")
    slider = page.locator(".facelab-live .noUi-handle").first
    slider.wait_for(timeout=SECONDS * 1000)
    slider.scroll_into_view_if_needed()
    live = page.locator(".facelab-live img").first.bounding_box()
    assert slider.bounding_box()["y"] > 0
    assert live["y"] + live["height"] < 720
    context.close()
