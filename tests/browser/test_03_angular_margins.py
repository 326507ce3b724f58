"""Lesson 03 in the browser: the margin slider moves the picture, and two losses train while one watches."""

import re

import pytest


@pytest.fixture
def notebook(open_notebook):
    opened = open_notebook("03_angular_margins.ipynb")
    opened.run_all()
    return opened


def test_the_margin_slider_moves_the_regions_until_they_are_infeasible(notebook, capsys):
    assert notebook.errors() == []
    widget = notebook.widget(0)  # the lesson's cells left it at CosFace's 0.35, seven classes
    room = float(re.search(r"lie up to ([\d.]+)°", widget.text()).group(1))
    picture = widget.pixels()
    widget.focus("m2")
    times = widget.press("ArrowRight", 1)
    assert widget.pixels() != picture
    if room > 1:
        assert float(re.search(r"lie up to ([\d.]+)°", widget.text()).group(1)) < room
    widget.focus("m3")
    times += widget.press("ArrowRight", 12)
    assert "infeasible in 2-D" in widget.text()
    times += widget.press("ArrowLeft", 25)
    assert "infeasible" not in widget.text()
    assert widget.alerts() == []
    assert notebook.errors() == []
    assert notebook.elsewhere == []
    with capsys.disabled():
        print(f"\n03, margin: key press to pixels, median {sorted(times)[len(times) // 2]:.0f} ms")


def test_two_losses_train_and_play(notebook):
    widget = notebook.widget(1)
    before = widget.pixels()
    widget.focus("right margin")
    notebook.page.keyboard.press("ArrowLeft")
    widget.box.get_by_text("press Start").wait_for(timeout=20_000)
    widget.box.get_by_role("button", name="Start").click()
    widget.box.get_by_text(re.compile("done in")).wait_for(timeout=120_000)
    widget.box.get_by_text(re.compile("ArcFace s=64 m=0.49, epoch 30")).wait_for(timeout=20_000)
    assert widget.pixels() != before
    widget.focus("epoch")
    widget.press("ArrowLeft", 3)
    assert "epoch 27:" in widget.text()
    assert widget.alerts() == []
    assert notebook.errors() == []
