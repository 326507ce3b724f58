"""Lesson 00 in the browser: the threshold moves, and both error rates with it."""

import re

import pytest


@pytest.fixture(scope="module")
def rates():
    """The two counts in the line under the picture: (missed, let through)."""

    def read(text: str) -> tuple[int, int]:
        missed, matched = re.search(r"([\d,]+) of [\d,]+ same.*?([\d,]+) of [\d,]+ different", text).groups()
        return int(missed.replace(",", "")), int(matched.replace(",", ""))

    return read


def test_the_threshold_moves_both_errors(open_notebook, rates, slider_times):
    notebook = open_notebook("00_start_here.ipynb")
    notebook.run_all()
    assert notebook.errors() == []
    widget = notebook.widget(2)
    missed, matched = rates(widget.text())
    picture = widget.pixels()
    widget.focus("threshold")
    times = widget.press("ArrowRight", 20)
    assert widget.pixels() != picture
    fewer_missed, more_matched = rates(widget.text())
    assert fewer_missed < missed
    assert more_matched > matched
    assert widget.alerts() == []
    assert notebook.elsewhere == []
    slider_times("00, threshold", times)


def test_the_hardest_pairs_can_be_looked_through(open_notebook):
    notebook = open_notebook("00_start_here.ipynb")
    notebook.run_all()
    widget = notebook.widget(1)
    worst = float(re.search(r"distance ([\d.]+)", widget.text()).group(1))
    widget.focus("rank")
    widget.press("ArrowRight", 3)
    assert float(re.search(r"distance ([\d.]+)", widget.text()).group(1)) <= worst
    assert widget.alerts() == []
    assert notebook.errors() == []
