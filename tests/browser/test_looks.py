"""Widgets in the dark, on a projector, enlarged, without a mouse, and as a screen reader has them.

One notebook with a widget of each kind: a picture with sliders, lists, a guess, a button, a dropped photo, an
exercise's verdict, an anywidget.
"""

import json

import pytest

SOON = 60_000  # milliseconds

CELLS = (
    "from facelab.course.widgets.coarse import Coarse\nCoarse()",
    """\
from facelab.course.lesson11.stored import stored
from facelab.course.widgets.breadth import Breadth
Breadth(stored("search")["rows"])""",
    'from facelab.course.widgets.guess import Guess\nGuess("looks", "How many?")',
    "from facelab.course.widgets.fetch import FetchPhotos\nFetchPhotos()",
    "from facelab.course.widgets.three_people import ThreePeople\nThreePeople()",
    "from facelab.course.widgets.mirror import Mirror\nMirror()",
    "from facelab.course.widgets.triplet import Triplet\nTriplet()",
    """\
from facelab.course import exercises
from facelab.course.exercises import core
exercises.check("00.1", core.load("00.1").solution)
exercises.check("00.3", (1, 2))""",
)

# Every visible text of a cell's output: its colour against the first opaque ground behind it (WCAG 1.4.3).
CONTRAST = """() => {
    const rgb = text => text.match(/[\\d.]+/g).map(Number)
    const light = ([r, g, b]) => {
        const [x, y, z] = [r, g, b].map(c => (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
        return 0.2126 * x + 0.7152 * y + 0.0722 * z
    }
    const ground = element => {
        for (let one = element; one; one = one.parentElement) {
            const colour = rgb(getComputedStyle(one).backgroundColor)
            if (colour.length === 3 || colour[3] > 0.5) return colour
        }
        return [255, 255, 255]
    }
    const found = []
    const walker = document.createTreeWalker(document.querySelector('.jp-Notebook'), NodeFilter.SHOW_TEXT)
    while (walker.nextNode()) {
        const element = walker.currentNode.parentElement
        if (!walker.currentNode.textContent.trim() || !element.closest('.jp-OutputArea-output')) continue
        if (!element.checkVisibility() || element.closest('svg, style, script, option')) continue
        if (element.closest('button:disabled, input:disabled')) continue
        const [a, b] = [light(rgb(getComputedStyle(element).color)), light(ground(element))]
        const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05)
        found.push([Math.round(10 * ratio) / 10, walker.currentNode.textContent.trim().slice(0, 60)])
    }
    return found
}"""

WIDER = """() => [...document.querySelectorAll('.jp-OutputArea-output')]
    .filter(one => one.scrollWidth > one.clientWidth + 1)
    .map(one => [one.scrollWidth, one.clientWidth, one.innerText.slice(0, 60)])"""

# What a screen reader would say of everything that can be used.
UNNAMED = """() => [...document.querySelectorAll('.jp-OutputArea-output')].flatMap(area =>
    [...area.querySelectorAll('button, input:not([type=hidden]), select, [role=slider], [role=button]')]
    .filter(one => one.checkVisibility() && !one.hidden)
    .filter(one => !(one.getAttribute('aria-label') || one.title || one.innerText || one.placeholder
        || one.labels?.length || one.getAttribute('aria-labelledby')
        || one.closest('.widget-inline-hbox, .widget-hbox')?.querySelector('label')?.innerText))
    .map(one => one.outerHTML.slice(0, 120)))"""


@pytest.fixture
def shown(lab, open_notebook):
    lab.store("looks.ipynb", CELLS)

    def show(theme: str = "JupyterLab Light", **how):
        opened = open_notebook("looks.ipynb", **how)
        choose = f"execute('apputils:change-theme', {{theme: {json.dumps(theme)}}})"
        opened.page.evaluate(f"() => window.jupyterapp.commands.{choose}")
        opened.run_all()
        opened.page.locator(".facelab-mirror").wait_for(timeout=SOON)
        opened.page.locator(".facelab-triplet").wait_for(timeout=SOON)
        assert opened.errors() == []
        return opened

    return show


@pytest.mark.parametrize("theme", ["JupyterLab Light", "JupyterLab Dark"])
def test_every_text_can_be_read(shown, theme):
    page = shown(theme).page
    page.wait_for_timeout(500)
    found = page.evaluate(CONTRAST)
    assert len(found) > 30
    assert [one for one in found if one[0] < 4.5] == []


def test_on_a_small_projector_enlarged_nothing_is_cut_off(shown):
    # 1280 × 720 at 150 %: as wide as 853 pixels, each of them one and a half.
    opened = shown(width=853, height=480, device_scale_factor=1.5)
    assert opened.page.evaluate(WIDER) == []
    widths = opened.page.evaluate(
        "[...document.querySelectorAll('.facelab-live img')].map(i => i.clientWidth)"
    )
    assert all(300 < width <= 853 for width in widths)


def test_everything_has_a_name_and_is_reached_by_tab(shown):
    opened = shown()
    page = opened.page
    assert page.evaluate(UNNAMED) == []
    assert page.locator(".jp-OutputArea-output [role=status]").count() >= 4
    # From the first slider on, Tab alone goes through the widgets.
    page.locator(".facelab-live .noUi-handle").first.focus()
    reached = set()
    for _ in range(40):
        page.keyboard.press("Tab")
        reached.add(
            page.evaluate(
                "() => { const one = document.activeElement; return one.closest('.jp-OutputArea-output') ?"
                " (one.innerText || one.getAttribute('aria-label') || one.tagName) : '' }"
            )
        )
    assert {"Reset", "That is my guess"} <= reached
    assert len(reached - {""}) >= 10
