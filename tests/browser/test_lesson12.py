"""Lesson 12 in the browser: its sliders answer, and a portrait before the camera does not turn its head."""

import io
import re

import numpy as np
import pytest
from PIL import Image

CELLS = (
    """\
from facelab.course import portraits
from facelab.course.widgets.attack import MakeAttack
MakeAttack({"Eileen Collins": portraits.collins(), "Grace Hopper": portraits.hopper()})""",
    """\
import numpy as np
from facelab.course.widgets.door import Door
rng = np.random.default_rng(0)
kinds = np.repeat(["bona fide", "print"], (80, 40))
Door(np.concatenate([rng.beta(5, 2, 80), rng.beta(2, 5, 40)]), kinds)""",
    """\
from facelab.course.widgets.turn import Turn
Turn()""",
)
SLIDERS = (("pitch (% of the face)", "ArrowRight"), ("threshold", "ArrowRight"), ("turn (°)", "ArrowRight"))
SOON = 60_000  # milliseconds


@pytest.fixture
def notebook(lab, open_notebook):
    lab.store("living.ipynb", CELLS)
    opened = open_notebook("living.ipynb")
    opened.run_all()
    assert opened.errors() == []
    yield opened
    assert opened.errors() == []
    assert opened.elsewhere == []


def test_every_slider_answers(notebook, slider_times):
    for number, (label, key) in enumerate(SLIDERS):
        widget = notebook.widget(number)
        picture = widget.pixels()
        widget.focus(label)
        slider_times(f"12, {label}", widget.to_and_fro(key) + widget.press(key))
        assert widget.changed(picture)
        assert widget.alerts() == []


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    """A motion JPEG of 20 frames: Eileen Collins on grey, moved to and fro by hand."""
    from skimage.data import astronaut

    path = tmp_path_factory.mktemp("camera") / "photo.mjpeg"
    with path.open("wb") as file:
        for number in range(20):
            picture = np.full((480, 640, 3), 128, np.uint8)
            left = 100 + 4 * min(number, 20 - number)
            picture[100:400, left : left + 340] = astronaut()[:300, 60:400]
            buffer = io.BytesIO()
            Image.fromarray(picture).save(buffer, "JPEG", quality=90)
            file.write(buffer.getvalue())
    return path


def test_a_photo_is_asked_to_turn_its_head(browser, lab, open_notebook, film):
    cell = "from facelab.course.widgets.challenge import Challenge\nchallenge = Challenge(0)\nchallenge"
    lab.store("challenge.ipynb", (cell, "print(challenge.passed, len(challenge.places) > 20)"))
    camera = browser.another(
        "--use-fake-ui-for-media-stream",
        "--use-fake-device-for-media-stream",
        f"--use-file-for-fake-video-capture={film}",
    )
    opened = open_notebook("challenge.ipynb", where=camera, permissions=["camera"])
    opened.run_cell(0)
    page = opened.page
    widget = page.locator(".facelab-mirror")
    widget.wait_for(timeout=SOON)
    assert widget.locator("input").count() == 0, "nobody is remembered here"
    widget.get_by_role("button", name="Start").click()
    widget.get_by_text(re.compile("^Turn 1 of 3: turn your head to your")).wait_for(timeout=SOON)
    widget.get_by_text(re.compile("^That took too long")).wait_for(timeout=SOON)
    widget.get_by_role("button", name="Stop").click()
    opened.run_cell(1)
    assert page.locator(".jp-OutputArea-output pre").last.inner_text().strip() == "False True"
    assert opened.errors() == []
    assert opened.elsewhere == []
