"""Lesson 10 in the browser: a run starts, draws and stops; two stored runs are compared; the button answers.

A notebook of three cells: the lesson's own runs are made by the notebook tests.
"""

import re

import pytest

SOON = 20_000  # milliseconds

CELLS = (
    """\
from facelab.course import lesson10
from facelab.course.widgets.live_run import LiveRun
from facelab.training import Recipe
LiveRun({"drawn people": lesson10.drawn_task(people=30)}, 60, Recipe(batch_size=32))""",
    """\
from facelab.course.widgets.runs import CompareRuns
CompareRuns(lesson10.stored())""",
    """\
from facelab.course.widgets.fetch import FetchPhotos
FetchPhotos()""",
)


@pytest.fixture
def notebook(lab, open_notebook):
    lab.store("training.ipynb", CELLS)
    opened = open_notebook("training.ipynb")
    opened.run_all()
    assert opened.errors() == []
    yield opened
    assert opened.errors() == []
    assert opened.elsewhere == []


def test_a_run_is_seen_and_stopped_and_two_are_compared(notebook, capsys):
    widget = notebook.widget(0)
    picture = widget.pixels()
    widget.box.get_by_role("button", name="Start").click()
    widget.box.get_by_text(re.compile(r"^ArcFace s=16 m=0\.1: EER \d")).wait_for(timeout=120_000)
    assert widget.pixels() != picture
    widget.box.get_by_label("augmentation").click()
    widget.box.get_by_role("button", name="Start").click()
    widget.box.get_by_text(re.compile(r"no augmentation: step \d+ of 60")).wait_for(timeout=60_000)
    widget.box.get_by_role("button", name="Stop").click()
    widget.box.get_by_role("button", name="Start", disabled=False).wait_for(timeout=SOON)
    assert widget.alerts() == []

    compare = notebook.widget(1)
    picture = compare.pixels()
    compare.box.locator("select").nth(1).select_option("leak")
    compare.box.get_by_text(re.compile(r"B: EER [\d.]+ %")).wait_for(timeout=SOON)
    assert compare.changed(picture)
    assert compare.alerts() == []

    page = notebook.page
    page.get_by_role("button", name="Fetch LFW's photos").wait_for(timeout=SOON)
    page.get_by_placeholder("or the path of lfw-funneled.tgz").fill("/nowhere/lfw.tgz")
    page.keyboard.press("Tab")
    page.get_by_role("button", name="Fetch LFW's photos").click()
    page.get_by_text("/nowhere/lfw.tgz: there is no such file").wait_for(timeout=60_000)
    with capsys.disabled():
        print("\n10: trained, stopped, compared, and told what is missing")
