"""Lesson 03 in the browser: the margin slider moves the picture, and two losses train while one watches."""

import math
import re

import pytest

ROOM = re.compile(r"lie up to ([\d.]+)°")
SOON = 20_000  # milliseconds


@pytest.fixture
def notebook(open_notebook):
    opened = open_notebook("03_angular_margins.ipynb")
    opened.run_all()
    assert opened.errors() == []
    yield opened
    assert opened.errors() == []
    assert opened.elsewhere == []


def room(widget) -> float:
    """How far a sample may lie from its centre, in degrees, as the widget says."""
    return float(ROOM.search(widget.text()).group(1))


def test_margin_sliders_move_the_regions_until_they_are_infeasible_and_the_pull(notebook, slider_times):
    widget = notebook.widget(0)
    widget.box.get_by_role("button", name="Reset").click()  # cells of the lesson have moved it
    widget.box.get_by_text("T(θ) = cos(θ + 0.5), 8 classes").wait_for(timeout=SOON)
    before, picture = room(widget), widget.pixels()
    widget.focus("m2")
    times = widget.press("ArrowRight", 20)
    widget.box.get_by_text("T(θ) = cos(θ + 0.7), 8 classes").wait_for(timeout=SOON)
    assert widget.pixels() != picture
    assert room(widget) == pytest.approx(before - math.degrees(0.2) / 2, abs=0.15)
    times += widget.press("ArrowRight", 9)  # beyond 2π/8 = 0.785
    widget.box.get_by_text("infeasible in 2-D").wait_for(timeout=SOON)
    times += widget.press("ArrowLeft", 1)
    widget.box.get_by_text(ROOM).wait_for(timeout=SOON)
    assert room(widget) < 1
    assert widget.alerts() == []

    gradient = notebook.widget(2)
    gradient.box.get_by_role("button", name="Reset").click()
    gradient.box.get_by_text("s = 64, m = 0.00").wait_for(timeout=SOON)
    picture = gradient.pixels()
    gradient.focus("margin m")
    notebook.page.keyboard.press("ArrowRight")
    gradient.box.get_by_text("s = 64, m = 0.01").wait_for(timeout=SOON)
    assert gradient.pixels() != picture
    assert gradient.alerts() == []
    slider_times("03, margin", times)


def test_two_losses_train_and_play_and_stop(notebook, slider_times):
    widget = notebook.widget(1)
    widget.focus("right margin")
    notebook.page.keyboard.press("ArrowLeft")
    widget.box.get_by_text("press Start").wait_for(timeout=SOON)
    widget.box.get_by_role("button", name="Start").click()
    widget.box.get_by_text(re.compile(r"ArcFace s=64 m=0\.49, epoch 30:")).wait_for(timeout=120_000)
    widget.box.locator("[role=log]").get_by_text("done in").wait_for(timeout=SOON)
    picture = widget.pixels()
    widget.focus("epoch")
    times = widget.press("ArrowLeft", 12)
    widget.box.get_by_text(re.compile(r"ArcFace s=64 m=0\.49, epoch 18:")).wait_for(timeout=SOON)
    assert widget.pixels() != picture

    widget.focus("seed")
    notebook.page.keyboard.press("ArrowRight")
    widget.box.get_by_text("press Start").wait_for(timeout=SOON)
    widget.box.get_by_role("button", name="Start").click()
    widget.box.locator("[role=log]").get_by_text(re.compile("epoch [1-9]")).wait_for(timeout=SOON)
    widget.box.get_by_role("button", name="Stop").click()
    widget.box.locator("[role=log]").get_by_text("stopped").wait_for(timeout=SOON)
    widget.box.locator("button:enabled", has_text="Start").wait_for(timeout=SOON)
    assert widget.alerts() == []
    slider_times("03, epochs", times)
