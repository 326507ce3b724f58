"""Lesson 04's widget in the browser: a loss is chosen, its own slider appears, and the picture follows it.

A notebook of one cell: the lesson's experiments are run by the notebook tests.
"""

import re

import pytest

CELL = 'from facelab.course.widgets.beyond import Beyond\n\nBeyond("MagFace")'
SOON = 20_000  # milliseconds


@pytest.fixture
def notebook(lab, open_notebook):
    lab.store("beyond.ipynb", [CELL])
    opened = open_notebook("beyond.ipynb")
    opened.run_all()
    assert opened.errors() == []
    yield opened
    assert opened.errors() == []
    assert opened.elsewhere == []


def test_a_loss_is_chosen_and_its_own_slider_moves_the_picture(notebook, slider_times):
    widget = notebook.widget()
    picture = widget.pixels()
    widget.focus("length")
    times = widget.press("ArrowRight", 20)
    widget.box.get_by_text("‖x‖ = 80 gives m(a) = 0.70").wait_for(timeout=SOON)
    assert widget.pixels() != picture

    widget.box.locator("select").first.select_option("CurricularFace")
    widget.box.get_by_text(re.compile("^CurricularFace:")).wait_for(timeout=SOON)
    widget.box.get_by_text("length ‖x‖").wait_for(state="hidden", timeout=SOON)
    picture = widget.pixels()
    widget.focus("t, as training")
    times += widget.press("ArrowRight", 5)
    widget.box.get_by_text("weighted by 0.05 + cos").wait_for(timeout=SOON)
    assert widget.pixels() != picture
    assert widget.alerts() == []
    slider_times("04, beside ArcFace", times)
