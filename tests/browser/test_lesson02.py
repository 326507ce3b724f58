"""Lesson 02 in the browser: the triplet follows mouse and keyboard, and its words and its twin follow it."""

import re
import sys
import time
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from facelab.course.widgets.triplet import START, Triplet

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from test_widgets_triplet import compare, plain_cases

NAME = "02_triplet_loss.ipynb"

TWIN = """async ([code, cases]) => {
    const address = URL.createObjectURL(new Blob([code], { type: "text/javascript" }));
    const { RATE, LIMIT, START, measure, step } = await import(address);
    const results = cases.map((one) => ({ ...measure(...one), moved: step(...one) }));
    return { RATE, LIMIT, START, results };
}"""

# The time from the key press to the frame after the text has changed.
WATCH = """(status) => {
    window.textTimes = [];
    let pressed = null;
    document.addEventListener('keydown', () => { pressed = performance.now(); }, true);
    new MutationObserver(() => requestAnimationFrame(() => requestAnimationFrame(() => {
        if (pressed === null) return;
        window.textTimes.push(performance.now() - pressed);
        pressed = null;
    }))).observe(status, { childList: true, subtree: true });
}"""

# Reads the widget's trait in the kernel, as a cell would.
ASK = """async (code) => {
    const kernel = window.jupyterapp.shell.currentWidget.sessionContext.session.kernel;
    let printed = "";
    const future = kernel.requestExecute({ code });
    future.onIOPub = (message) => { printed += message.content.text ?? ""; };
    await future.done;
    return printed;
}"""


class Board:
    """The draggable triplet in the page."""

    def __init__(self, page):
        self.page, self.box = page, page.locator(".facelab-triplet").first
        self.box.scroll_into_view_if_needed()

    def text(self) -> str:
        return self.box.locator("[role=status]").inner_text()

    def loss(self) -> float:
        return float(re.search(r"\+ α\) = ([\d.]+)", self.text()).group(1))

    def point(self, name: str):
        return self.box.locator(f"[data-point={name}]")

    def drag(self, name: str, right: float, down: float) -> None:
        """By the mouse, in pixels of the screen."""
        box = self.point(name).locator(".mark").bounding_box()
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        self.page.mouse.move(x, y)
        self.page.mouse.down()
        self.page.mouse.move(x + right, y + down, steps=8)
        self.page.mouse.up()

    def where(self, name: str) -> tuple[float, float]:
        label = self.point(name).get_attribute("aria-label")
        return tuple(float(part) for part in re.search(r"\((\S+), (\S+)\)", label).groups())


@pytest.fixture
def board(lab, open_notebook):
    """The widget alone, in a notebook of its own: the lesson around it trains for a while."""
    cell = new_code_cell("from facelab.course.widgets.triplet import Triplet\n\ntriplet = Triplet()\ntriplet")
    notebook = new_notebook(cells=[cell])
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(notebook, lab.folder / "triplet.ipynb")
    opened = open_notebook("triplet.ipynb")
    opened.run_all()
    board = Board(opened.page)
    yield board
    assert board.box.locator("[role=alert]").count() == 0
    assert opened.errors() == []
    assert opened.elsewhere == []


def test_mouse_and_keyboard_move_points_and_the_loss_follows(board, slider_times):
    page = board.page
    assert "semi-hard" in board.text()
    start, loss = board.where("negative"), board.loss()
    board.drag("negative", 120, 30)
    assert board.where("negative")[0] > start[0] + 0.3
    assert board.loss() == 0 < loss
    assert "easy" in board.text()

    words, start = board.text(), board.where("anchor")
    board.point("anchor").focus()
    board.box.locator("[role=status]").evaluate(WATCH)
    for _ in range(10):
        page.keyboard.press("Shift+ArrowRight")
    assert board.where("anchor")[0] == pytest.approx(start[0] + 1.0, abs=0.02)
    assert board.text() != words
    page.wait_for_function("() => window.textTimes.length >= 3")
    slider_times("02, triplet", page.evaluate("() => window.textTimes"))

    page.keyboard.press("Tab")  # on to the positive
    start, words = board.where("positive"), board.text()
    page.keyboard.press("ArrowUp")
    assert board.where("positive")[1] == pytest.approx(start[1] + 0.02, abs=0.011)
    assert board.text() != words


def test_python_knows_what_the_hand_did(board):
    board.drag("negative", -90, -60)
    code = "print(f'{triplet.loss:.2f} {triplet.kind} {triplet.error}', end='')"
    wanted, heard, until = f"{board.loss():.2f} hard None", "", time.monotonic() + 20
    while heard != wanted and time.monotonic() < until:  # what the hand did is on its way to the kernel
        heard = board.page.evaluate(ASK, code)
    assert heard == wanted


def test_margin_circle_steps_and_reset(board):
    start = board.text()
    slider = board.box.locator("input[type=range]")
    slider.focus()
    board.page.keyboard.press("ArrowRight")
    assert "α = 0.25" in board.text()
    board.box.locator("input[type=checkbox]").check()
    x, y = board.where("anchor")
    assert x**2 + y**2 == pytest.approx(1, abs=0.02)
    for _ in range(12):
        board.box.get_by_role("button", name="One step").click()
    assert board.loss() == 0
    board.point("negative").focus()
    before = board.where("negative")
    board.page.keyboard.press("Shift+ArrowLeft")
    after = board.where("negative")
    assert after != before
    assert after[0] ** 2 + after[1] ** 2 == pytest.approx(1, abs=0.02)
    board.box.get_by_role("button", name="Reset").click()
    assert board.text() == start


def test_javascript_gives_what_python_gives(browser):
    page = browser.new_page()
    try:
        compare(page.evaluate(TWIN, [Path(str(Triplet._esm._path)).read_text(), plain_cases()]))
    finally:
        page.close()


def test_the_lesson(open_notebook, slider_times):
    """All cells run; the triplet answers to mouse and keys there, and the epochs can be replayed."""
    notebook = open_notebook(NAME)
    notebook.run_all()
    assert notebook.errors() == []

    board = Board(notebook.page)
    board.box.get_by_role("button", name="Reset").click()  # a later cell has moved the negative
    words = board.text()
    board.drag("negative", 120, 30)
    assert board.loss() == 0
    board.point("positive").focus()
    notebook.page.keyboard.press("Shift+ArrowRight")
    assert board.where("positive") == pytest.approx((START["positive"][0] + 0.1, START["positive"][1]))
    assert board.text() != words
    assert board.box.locator("[role=alert]").count() == 0

    widget = notebook.widget(0)
    widget.box.get_by_role("button", name="Reset").click()
    widget.box.get_by_text("Epoch 0.").wait_for()
    widget.focus("epoch")
    times = widget.press("ArrowRight", 5)
    assert widget.text().startswith("Epoch 5.")
    slider_times("02, epochs", times)
    assert widget.alerts() == []
    assert notebook.errors() == []
    assert notebook.elsewhere == []
