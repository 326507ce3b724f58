"""A lesson in Korean and in Japanese as a browser shows it: words, glyphs, widgets.

Needs a font with Korean and Japanese (fonts-noto-cjk); FACELAB_SHOTS=FOLDER keeps the screenshots.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
import translations as tool  # noqa: E402

import notebooks  # noqa: E402

WIDGET = """
import numpy as np
from facelab.course import exercises
from facelab.course.widgets.threshold import Threshold

rng = np.random.default_rng(0)
Threshold(rng.normal(0.4, 0.1, 500).clip(0, 2), rng.normal(0.9, 0.1, 500).clip(0, 2))
""".strip()

# Every sign of the script in the prose, drawn by itself; a missing glyph looks as a character does that no
# font has (the last private one): a box, or nothing.
MISSING = """(pattern) => {
    const draw = (text, font) => {
        const canvas = document.createElement('canvas');
        canvas.width = canvas.height = 40;
        const context = canvas.getContext('2d');
        context.font = font;
        context.fillText(text, 4, 30);
        return canvas.toDataURL();
    };
    const prose = document.querySelector('.jp-RenderedMarkdown');
    const font = `24px ${getComputedStyle(prose).fontFamily}`;
    const none = draw('\\u{10FFFD}', font);
    const blank = draw(' ', font);
    const cells = Array.from(document.querySelectorAll('.jp-RenderedMarkdown'));
    const text = cells.map(one => one.innerText).join('');
    const signs = [...new Set(text.match(new RegExp(pattern, 'gu')))];
    return {count: signs.length, lost: signs.filter(sign => [none, blank].includes(draw(sign, font))),
            same: new Set(signs.map(sign => draw(sign, font))).size};
}"""

SCRIPTS = {"ko": "[가-힣]", "ja": "[ぁ-んァ-ン一-龥]"}


def font_for(code: str) -> bool:
    done = subprocess.run(["fc-list", f":lang={code}"], capture_output=True, text=True)
    return bool(done.stdout.strip())


def few_cells(code: str, folder: Path) -> str:
    """Lesson 06 up to its first exercise and the end, with a small widget; quick to run."""
    [source] = tool.sources(["06"])
    book = notebooks.build(source, "student")
    prose = [cell for cell in book.cells if cell.cell_type == "markdown"]
    check = next(cell for cell in book.cells if "check" in cell.metadata.get("tags", []))
    check.source = 'exercises.check("06.1", lambda F: F @ F.T)'
    book.cells = [*prose[:1], new_code_cell(WIDGET), prose[1], check, *prose[2:]]
    tool.localise(book, source.stem, code)
    path = folder / f"languages_{code}.ipynb"
    path.write_text(nbformat.writes(book), encoding="utf-8")
    return path.name


@pytest.mark.parametrize(
    ("code", "heading", "wrong", "line", "reset"),
    [
        ("ko", "직접 해 보는 검증", "아직 아닙니다", "같은 사람의 쌍 500개 중", "처음으로"),
        ("ja", "自分の手で照合する", "まだ正しくありません", "同じ人のペア500組のうち", "最初に戻す"),
    ],
)
def test_a_lesson_is_read_in_its_language(open_notebook, lab, code, heading, wrong, line, reset):
    if not font_for(code):
        reason = f"no font for {code} here: `sudo apt-get install fonts-noto-cjk`"
        if os.environ.get("FACELAB_REQUIRE_BROWSER") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    notebook = open_notebook(few_cells(code, lab.folder))
    notebook.run_all()
    assert notebook.errors() == []
    page = notebook.page

    title = page.locator(".jp-RenderedMarkdown h1").first
    assert heading in title.inner_text()
    assert page.locator(f".jp-RenderedMarkdown [lang={code}]").count() > 20  # what screen readers go by
    seen = page.evaluate(MISSING, SCRIPTS[code])
    assert seen["count"] > 200
    assert seen["lost"] == []
    assert seen["same"] > 0.98 * seen["count"]  # a box for each would make them all alike

    status = page.locator(".jp-OutputArea [role=status]")
    assert wrong in status.last.inner_text()
    assert status.last.get_attribute("lang") == code
    widget = notebook.widget(0)
    assert line in widget.text()
    assert widget.box.get_by_role("button", name=reset).count() == 1
    before = widget.text()
    widget.box.locator(".noUi-handle").first.focus()
    widget.press("ArrowRight", 5)
    assert widget.text() != before
    assert line in widget.text()
    assert not re.search("[a-z]{4,}", widget.text())
    if shots := os.environ.get("FACELAB_SHOTS"):
        title.scroll_into_view_if_needed()
        page.screenshot(path=f"{shots}/lesson06_{code}.png")
        widget.box.scroll_into_view_if_needed()
        page.screenshot(path=f"{shots}/lesson06_{code}_widget.png")
