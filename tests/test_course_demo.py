"""The demos: every lesson has a page, every widget on it is made, and what fails says so in its place."""

from pathlib import Path

import nbformat
import pytest

from facelab.course import demo, language
from facelab.course.demo.pages import Demo, Page

LESSONS = Path(__file__).resolve().parents[1] / "notebooks" / "lessons"


def test_every_lesson_has_a_page_with_its_question():
    assert list(demo.PAGES) == sorted(path.name[:2] for path in LESSONS.glob("[0-9][0-9]_*.py"))
    for page in demo.PAGES.values():
        assert page.question.endswith("?")
        assert page.demos
        assert all(one.ask[-1] in "?." for one in page.demos)


@pytest.mark.parametrize(
    ("number", "at"), [(number, at) for number, page in demo.PAGES.items() for at in range(len(page.demos))]
)
def test_every_widget_is_made_and_can_draw(number, at):
    widget = demo.PAGES[number].demos[at].make()
    assert getattr(widget, "error", None) is None
    assert widget.still_png()[:4] == b"\x89PNG"


def test_pages_are_notebooks_of_one_cell(tmp_path):
    demo.write(tmp_path)
    assert sorted(path.stem for path in tmp_path.glob("*.ipynb")) == sorted([*demo.PAGES, "index"])
    book = nbformat.read(tmp_path / "05.ipynb", as_version=4)
    assert book.cells[0].source.endswith('show("05")')
    assert book.metadata["title"].startswith("Why does the crop")


def test_a_widget_that_fails_says_so_and_the_next_one_is_shown(monkeypatch):
    shown = []
    monkeypatch.setattr("IPython.display.display", shown.append)

    def broken():
        raise ValueError("no photo <here>")

    page = Page("What now?", (Demo("This one fails.", broken), Demo("This one?", dict)))
    monkeypatch.setitem(demo.PAGES, "00", page)
    demo.show("00")
    words = [getattr(one, "value", "") for one in shown]
    assert any("no photo &lt;here&gt;" in text for text in words)
    assert shown[-1] == {}


@pytest.mark.parametrize("code", ["ko", "ja"])
def test_pages_ask_in_the_language_of_the_course(code, monkeypatch):
    shown = []
    monkeypatch.setattr("IPython.display.display", shown.append)
    monkeypatch.setattr(language, "_current", code)
    demo.contents()
    (page,) = (widget.value for widget in shown)
    for one in demo.PAGES.values():
        assert one.question not in page
        for text in (one.question, *(each.ask for each in one.demos)):
            assert language.translated(text) != text
