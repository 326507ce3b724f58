"""Every widget in the light and in the dark, on a projector, enlarged, without a mouse, as a screen reader
has it, and beside the picture of it that was looked at and kept.

One notebook with all of them, run once. After a change that is meant, `FACELAB_SCREENS=keep` keeps the new
pictures: look at them before they are committed.
"""

import io
import json
import os
from pathlib import Path

import pytest
from conftest import notebooks
from PIL import Image, ImageChops, ImageFilter

from facelab.course.demo.pages import PAGES

SOON = 60_000  # milliseconds
KEPT = Path(__file__).parent / "screens"
WIDE = 420  # pixels of a kept picture: layout, colours and curves can be seen, letters cannot
STRONG = 56  # of 255, in one channel: a pixel that is another one
MOST = 0.05  # of what a picture shows besides its ground: more is another picture

WIDGETS = {
    "coarse": "from facelab.course.widgets.coarse import Coarse\nCoarse()",
    "guess": 'from facelab.course.widgets.guess import Guess\nGuess("looks", "How many?")',
    "fetch": "from facelab.course.widgets.fetch import FetchPhotos\nFetchPhotos()",
    "three_people": "from facelab.course.widgets.three_people import ThreePeople\nThreePeople()",
    "verdicts": """\
from facelab.course import exercises
from facelab.course.exercises import core
exercises.check("00.1", core.load("00.1").solution)
exercises.check("00.3", (1, 2))""",
} | {
    f"{number}_{at}": f"from facelab.course.demo.pages import PAGES\nPAGES['{number}'].demos[{at}].make()"
    for number, page in PAGES.items()
    for at in range(len(page.demos))
}
THEMES = {"light": "JupyterLab Light", "dark": "JupyterLab Dark"}

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


@pytest.fixture(scope="module")
def opened(browser, lab):
    lab.store("looks.ipynb", WIDGETS.values())
    with notebooks(browser, lab) as open_notebook:
        notebook = open_notebook("looks.ipynb", 1280, 720)
        notebook.run_all()
        notebook.page.wait_for_function(
            f"() => document.querySelectorAll('.jp-OutputArea-output').length >= {len(WIDGETS)}", timeout=SOON
        )
        for kind in (".facelab-mirror", ".facelab-triplet", ".facelab-map"):
            notebook.page.locator(kind).first.wait_for(timeout=SOON)
        notebook.page.wait_for_function(
            "() => document.querySelectorAll('.facelab-screen').length > 20 &&"
            " !document.querySelector('.facelab-screen:not([data-pictures])')",
            timeout=SOON,
        )
        assert notebook.errors() == []
        yield notebook


@pytest.fixture
def page(opened, request):
    """The page in a theme (by name), at the size of a projector."""
    theme = THEMES[getattr(request, "param", "light")]
    opened.page.set_viewport_size({"width": 1280, "height": 720})
    opened.page.evaluate(
        f"() => window.jupyterapp.commands.execute('apputils:change-theme', {{theme: {json.dumps(theme)}}})"
    )
    opened.page.wait_for_timeout(500)
    return opened.page


def areas(page):
    """The output of each cell, by the widget's name."""
    cells = page.locator(".jp-CodeCell")
    return {name: cells.nth(at).locator(".jp-OutputArea").first for at, name in enumerate(WIDGETS)}


def small(picture: Image.Image) -> Image.Image:
    size = (WIDE, max(1, round(WIDE * picture.height / picture.width)))
    return picture.convert("RGB").resize(size, Image.Resampling.BOX)


def strong(a: Image.Image, b: Image.Image) -> int:
    """Pixels of two pictures of one size that are of another colour; what is thin as a letter counts not."""
    apart = ImageChops.difference(*(one.filter(ImageFilter.BoxBlur(1)) for one in (a, b)))
    red, green, blue = apart.point(lambda value: 255 * (value > STRONG)).split()
    return ImageChops.lighter(ImageChops.lighter(red, green), blue).histogram()[255]


def unlike(kept: Image.Image, now: Image.Image) -> float:
    """How much of what is shown is something else now, as a share of what was shown; 1 for another shape."""
    now = small(now)
    if abs(now.height - kept.height) > 0.02 * kept.height + 2:
        return 1.0
    ground = Image.new("RGB", kept.size, kept.getpixel((kept.width - 1, kept.height - 1)))
    shown = max(strong(kept, ground), 0.01 * kept.width * kept.height)
    return strong(kept, now.resize(kept.size)) / shown


@pytest.mark.parametrize("page", THEMES, indirect=True)
def test_every_text_can_be_read(page):
    found = page.evaluate(CONTRAST)
    assert len(found) > 100
    assert [one for one in found if one[0] < 4.5] == []


@pytest.mark.parametrize(("page", "theme"), [(theme, theme) for theme in THEMES], indirect=["page"])
def test_every_widget_looks_as_it_did(page, theme, tmp_path):
    page.set_viewport_size({"width": 1280, "height": 1400})  # the tallest is seen whole
    page.wait_for_timeout(500)
    others, most = {}, 0.0
    for name, area in areas(page).items():
        area.scroll_into_view_if_needed()
        now = Image.open(io.BytesIO(area.screenshot(animations="disabled")))
        path = KEPT / theme / f"{name}.png"
        if os.environ.get("FACELAB_SCREENS") == "keep":
            small = now.convert("RGB").resize(
                (WIDE, round(WIDE * now.height / now.width)), Image.Resampling.BOX
            )
            path.parent.mkdir(parents=True, exist_ok=True)
            small.quantize(64, dither=Image.Dither.NONE).save(path, optimize=True)
            continue
        share = unlike(Image.open(path).convert("RGB"), now)
        most = max(most, share)
        if share > MOST:
            now.save(tmp_path / f"{name}.png")
            others[name] = f"{share:.1%} of what it showed is something else"
    print(f"{theme}: at most {most:.1%} of a widget is something else")
    assert others == {}, f"as they look now: {tmp_path}; if that is meant: FACELAB_SCREENS=keep"


@pytest.mark.parametrize("theme", THEMES)
def test_what_is_gone_moved_or_of_another_colour_is_another_picture(theme):
    for path in sorted((KEPT / theme).glob("*.png")):
        kept = Image.open(path).convert("RGB")
        wide, high = kept.size
        if high < 60:
            continue  # a row of buttons: letters, which no picture of this size has
        assert unlike(kept, kept.resize((2 * wide, 2 * high), Image.Resampling.LANCZOS)) < MOST / 2, path.name
        ground = kept.getpixel((wide - 1, high - 1))
        gone = kept.copy()
        gone.paste(ground, (0, high // 4, wide, 3 * high // 4))
        inverted = kept.point(lambda value: 255 - value)
        cut = kept.crop((0, 0, wide, int(0.9 * high)))
        for other in (gone, ImageChops.offset(kept, 20, 0), inverted, cut):
            assert unlike(kept, other) > MOST, path.name


def test_on_a_small_projector_enlarged_nothing_is_cut_off(page):
    page.set_viewport_size({"width": 853, "height": 480})  # as wide as 1280 × 720 at 150 % is
    page.wait_for_timeout(500)
    assert page.evaluate(WIDER) == []
    widths = page.evaluate("[...document.querySelectorAll('.facelab-live img')].map(i => i.clientWidth)")
    assert len(widths) > 15
    assert all(300 < width <= 853 for width in widths)


def test_everything_has_a_name_and_is_reached_by_tab(page):
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
