"""The demos as a visitor meets them: a list, a page, a slider that is moved; no code, and nothing fetched."""

import contextlib
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from facelab.course.demo.pages import PAGES

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 90


@pytest.fixture(scope="module")
def demos(browser):
    """The address of the pages; `python -m facelab.course.demo` is ended as a closed window ends it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-m", "facelab.course.demo", "--no-browser", f"--port={port}"], cwd=ROOT,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    address = f"http://127.0.0.1:{port}"
    until = time.monotonic() + SECONDS
    while time.monotonic() < until and process.poll() is None:
        with (
            contextlib.suppress(OSError),
            urllib.request.urlopen(f"{address}/voila/static/voila.js", timeout=5),
        ):
            break
        time.sleep(0.3)
    yield address
    process.terminate()
    process.wait(timeout=30)
    with pytest.raises(OSError, match="refused"):
        urllib.request.urlopen(address, timeout=5)


def test_from_the_list_to_a_page_and_a_slider(browser, demos):
    context = browser.new_context(viewport={"width": 1280, "height": 720})
    page, elsewhere = context.new_page(), []
    page.on(
        "request",
        lambda request: request.url.startswith((demos, "data:", "blob:", demos.replace("http", "ws")))
        or elsewhere.append(request.url),
    )
    page.goto(f"{demos}/voila/render/index.ipynb")
    link = page.get_by_role("link", name="05 · Why does the crop decide")
    link.wait_for(timeout=SECONDS * 1000)
    assert page.locator(".demo p a").count() == len(PAGES)
    link.click()
    page.locator(".facelab-live img").wait_for(timeout=SECONDS * 1000)
    assert page.get_by_role("heading", name="Why does the crop decide more than the network?").is_visible()
    assert page.locator(".jp-InputArea:visible").count() == 0, "no code"
    size = page.locator(".widget-label").first.evaluate(
        "label => parseFloat(getComputedStyle(label).fontSize)"
    )
    assert size >= 19
    image = page.locator(".facelab-live img").first
    picture = image.get_attribute("src")
    page.locator(".widget-slider").filter(has_text="tilt").locator(".noUi-handle").focus()
    for _ in range(5):
        page.keyboard.press("ArrowRight")
    page.get_by_text("square crop at 5°").wait_for(timeout=20_000)
    assert image.get_attribute("src") != picture
    assert page.locator("[role=alert]").all_inner_texts() == []
    assert elsewhere == []
    context.close()
