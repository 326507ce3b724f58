"""The mirror before a camera that Chromium plays from a file: a portrait that wanders about."""

import io
import re
import time

import numpy as np
import pytest
from PIL import Image

SOON = 60_000  # milliseconds

CELL = """\
from facelab.course.widgets.mirror import Mirror
mirror = Mirror()
seen = []
look = mirror.look
def counted(jpeg):
    seen.append(len(jpeg))
    return look(jpeg)
mirror.look = counted
mirror"""


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    """A motion JPEG of 40 frames: Eileen Collins, half size, moving to and fro on grey."""
    from skimage.data import astronaut

    portrait = np.asarray(Image.fromarray(astronaut()[:300, 60:400]).resize((340, 300)))
    path = tmp_path_factory.mktemp("camera") / "collins.mjpeg"
    with path.open("wb") as file:
        for number in range(40):
            frame = np.full((480, 640, 3), 128, np.uint8)
            left = 40 + 6 * (number if number < 20 else 40 - number)
            frame[100:400, left : left + 340] = portrait
            buffer = io.BytesIO()
            Image.fromarray(frame).save(buffer, "JPEG", quality=90)
            file.write(buffer.getvalue())
    return path


@pytest.fixture
def notebook(browser, lab, open_notebook, film):
    lab.store("mirror.ipynb", [CELL, "print(len(seen), max(seen))"])
    camera = browser.another(
        "--use-fake-ui-for-media-stream",
        "--use-fake-device-for-media-stream",
        f"--use-file-for-fake-video-capture={film}",
    )
    opened = open_notebook("mirror.ipynb", where=camera, permissions=["camera"])
    opened.run_cell(0)
    yield opened
    assert opened.errors() == []
    assert opened.elsewhere == []


def test_a_face_is_boxed_named_and_forgotten_when_the_camera_is_off(notebook, capsys):
    page = notebook.page
    mirror = page.locator(".facelab-mirror")
    mirror.wait_for(timeout=SOON)
    # How many frames are on their way at a time: sent and not answered.
    page.evaluate(
        """() => {
            window.most = 0
            const el = document.querySelector('.facelab-mirror')
            window.sample = setInterval(() => { window.rate = Number(el.dataset.rate ?? 0) }, 200)
        }"""
    )
    mirror.get_by_role("button", name="Start").click()
    mirror.get_by_text(re.compile(r"^1 face, \d+ answers a second")).wait_for(timeout=SOON)
    inked = """canvas => {
        const data = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data
        let count = 0
        for (let at = 3; at < data.length; at += 4) count += data[at] > 0
        return count
    }"""
    assert mirror.locator("canvas").evaluate(inked) > 500, "box and landmarks are drawn"
    mirror.get_by_label("a name for the face").fill("Eileen")
    mirror.get_by_role("button", name="Remember this face").click()
    time.sleep(4)
    answers, rate = (float(mirror.evaluate(f"el => el.dataset.{name}")) for name in ("answers", "rate"))
    assert answers > 10
    status = mirror.locator("[role=status]").inner_text()
    kernel_ms = float(re.search(r"(\d+) ms each", status).group(1))
    mirror.get_by_role("button", name="Stop").click()
    mirror.get_by_text("The camera is off. No frame was kept.").wait_for(timeout=SOON)
    time.sleep(0.5)
    after = mirror.evaluate("el => el.dataset.answers")
    time.sleep(1)
    assert mirror.evaluate("el => el.dataset.answers") == after, "nothing is sent once it is off"
    assert mirror.locator("[role=alert]:visible").count() == 0
    notebook.run_cell(1)
    frames, largest = map(int, page.locator(".jp-OutputArea-output pre").last.inner_text().split())
    assert frames <= int(after) + 1, "one frame on its way at a time, none queued"
    assert largest < 60_000
    with capsys.disabled():
        print(f"\nmirror: {rate:.0f} answers a second, {kernel_ms:.0f} ms each in the kernel")


def test_without_a_camera_it_says_so(browser, lab, open_notebook):
    lab.store("no_camera.ipynb", [CELL])
    opened = open_notebook("no_camera.ipynb")
    opened.run_cell(0)
    mirror = opened.page.locator(".facelab-mirror")
    mirror.get_by_role("button", name="Start").click()
    alert = mirror.locator("[role=alert]:visible")
    alert.wait_for(timeout=SOON)
    assert re.search("no camera|may not use the camera|could not be opened", alert.inner_text())
    assert mirror.get_by_role("button", name="Start").is_enabled()
