"""Lesson 11 in the browser: five sliders, each answers; the crowd itself is made by the notebook tests."""

import pytest

CELLS = (
    """\
from facelab.course.lesson11.machine import Machine
from facelab.course.widgets.roofline import Roofline
sizes, counts = (1_000, 10_000, 100_000, 1_000_000), (1, 4, 16, 64, 256)
Roofline(Machine(2e10, 1e11), {(s, c): 1e-8 * s * (1 + c / 10) for s in sizes for c in counts})""",
    """\
from facelab.course.lesson11.stored import stored
from facelab.course.widgets.breadth import Breadth
Breadth(stored("search")["rows"])""",
    """\
from facelab.course.lesson11 import extremes
from facelab.course.lesson11.crowd import crowd, fitted
from facelab.course.widgets.growth import Growth
tails = {name: extremes.tail(crowd(fitted(), 2_000, seed=n)) for n, name in enumerate(("LFW", "crowd"))}
own = (crowd(fitted(), 500) * crowd(fitted(), 500, photo=1)).sum(1)
Growth(tails, {"LFW": own, "crowd": own})""",
    """\
from facelab.course.widgets.shards import Shards
Shards()""",
    """\
import numpy as np
from facelab import cluster
from facelab.course.lesson11 import grouping
from facelab.course.widgets.grouping import GroupPeople
photos = np.concatenate([crowd(fitted(), 300, photo=n) for n in range(4)])
grid, truth = np.round(np.arange(0.35, 0.701, 0.01), 2), np.tile(np.arange(300), 4)
GroupPeople(grouping.sweep(cluster.neighbours(photos, 16), truth, grid), grid, (1_200, 300, 4))""",
)


@pytest.fixture
def notebook(lab, open_notebook):
    lab.store("million.ipynb", CELLS)
    opened = open_notebook("million.ipynb")
    opened.run_all()
    assert opened.errors() == []
    yield opened
    assert opened.errors() == []
    assert opened.elsewhere == []


SLIDERS = ("probes at a time", "searched", "people, powers of ten", "people, powers of ten",
           "joined from a cosine of")  # fmt: skip


def test_every_slider_answers(notebook, slider_times):
    for number, label in enumerate(SLIDERS):
        widget = notebook.widget(number)
        picture = widget.pixels()
        widget.focus(label)
        slider_times(f"11, {label}", widget.to_and_fro("ArrowRight") + widget.press("ArrowRight"))
        assert widget.changed(picture)
        assert widget.alerts() == []
