"""What all live widgets promise, in the browser: errors are seen, a fast drag ends where it should."""

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

TOY = """\
import time

import numpy as np
from facelab.course.widgets.base import LivePicture, LiveWidget, slider

class Grey(LiveWidget):
    title = "Grey"

    def __init__(self):
        self.level = slider("level", 0, 255, value=100, step=1)
        self.picture = LivePicture(6, 4)
        axes = self.picture.figure.add_subplot()
        self.shown = self.picture.live(axes.imshow(np.zeros((2, 2)), vmin=0, vmax=255, cmap="gray"))
        super().__init__([self.level])

    def update(self):
        if self.level.value == 103:
            raise ValueError("103 is unlucky")
        time.sleep(0.1)  # slower than a hand
        self.shown.set_data(np.full((2, 2), self.level.value))
        return f"level {self.level.value}, {self.draws} pictures before"

grey = Grey()
grey
"""


@pytest.fixture
def toy(lab, open_notebook):
    lab.store("toy.ipynb", [TOY])
    opened = open_notebook("toy.ipynb")
    opened.run_all()
    return opened


def test_an_error_in_a_callback_is_shown_and_goes_away(toy):
    widget = toy.widget()
    widget.focus("level")
    widget.press("ArrowRight", 2)
    assert widget.alerts() == []
    toy.page.keyboard.press("ArrowRight")
    widget.box.locator("[role=alert]").wait_for()
    (words,) = widget.alerts()
    assert "⚠" in words
    assert "103 is unlucky" in words
    widget.press("ArrowRight")
    assert widget.alerts() == []
    assert widget.text().startswith("level 104,")
    assert toy.errors() == []


SWEEP = """\
from facelab.course.widgets.base import slider

scale = slider("scale", 0.6, 2.0, value=1.0, step=0.05)
low = slider("low", -1.0, 1.0, value=0.0, step=0.1)
display(scale, low)
"""

MOVES = """\
heard = []
for one in (scale, low):
    one.observe(lambda change: heard.append(change.new), "value")
sent = [(scale, 0.75), (scale, 1.3), (scale, 1.9), (scale, 1.3), (scale, 1.0)]
sent += [(low, -0.7), (low, -0.3), (low, 0.3), (low, 0.0)]
for one, value in sent:
    one.value = value
"""


def test_code_that_moves_a_slider_is_not_talked_back_to(lab, open_notebook):
    """To a plain FloatSlider the browser sends 1.2999999999999998 for 1.3, late, and undoes later moves."""
    cells = [
        new_code_cell(text) for text in (SWEEP, MOVES, "print(heard == [value for _, value in sent], heard)")
    ]
    notebook = new_notebook(cells=cells)
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(notebook, lab.folder / "sweep.ipynb")
    opened = open_notebook("sweep.ipynb")
    opened.run_all()
    opened.page.wait_for_timeout(1500)  # whatever the browser has to say comes once the kernel is idle
    opened.run_cell(2)
    assert opened.errors() == []
    assert opened.page.locator(".jp-OutputArea-output pre").last.inner_text().startswith("True")


def test_a_fast_drag_ends_where_the_handle_stopped(toy):
    widget = toy.widget()
    widget.focus("level")
    for _ in range(60):  # without waiting for the pictures, and over the unlucky one
        toy.page.keyboard.press("ArrowRight")
    widget.box.get_by_text("level 160,").wait_for(timeout=20_000)
    assert int(widget.text().split()[2]) < 40, "values the kernel had no time for should have been skipped"
    assert widget.alerts() == []
    assert toy.errors() == []
