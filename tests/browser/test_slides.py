"""The slides as a projector shows them: opened from the disk, nothing fetched, large type, whole figures."""

import importlib.util
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    spec = importlib.util.spec_from_file_location("slides", ROOT / "tools" / "slides.py")
    slides = importlib.util.module_from_spec(spec)
    sys.modules["slides"] = slides
    spec.loader.exec_module(slides)
    into = tmp_path_factory.mktemp("slides")
    written = slides.write(["03", "05"], into)
    assert [path.name[:2] for path in written] == ["03", "05", "in"]
    return into


@pytest.mark.parametrize("name", ["03_angular_margins.html", "05_detect_crop_rotate.html"])
def test_a_deck_opens_without_a_network(browser, folder, name):
    page = browser.new_page(viewport={"width": 1280, "height": 720})
    wrong = []
    page.on(
        "request",
        lambda request: request.url.startswith(("file:", "data:")) or wrong.append(request.url),
    )
    page.on("requestfailed", lambda request: wrong.append(f"failed: {request.url}"))
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.goto((folder / name).as_uri())
    page.wait_for_function("() => window.Reveal && Reveal.isReady()")
    assert page.evaluate("Reveal.getTotalSlides()") > 6
    sizes = page.evaluate(
        "[...document.querySelectorAll('.slides p, .slides li')]"
        ".map(line => parseFloat(getComputedStyle(line).fontSize))"
    )
    assert min(sizes) >= 20
    assert page.locator("math").count() > 0
    assert page.evaluate("[...document.images].every(image => image.complete && image.naturalWidth > 100)")
    for number in range(page.evaluate("Reveal.getTotalSlides()")):
        page.evaluate(f"Reveal.slide({number}, 0, 99)")
        heights = page.evaluate("[...document.querySelectorAll('section.present img')].map(i => i.height)")
        assert all(0 < height <= 560 for height in heights)
    page.evaluate("Reveal.slide(0, 0, -1)")
    assert "$" not in page.locator(".slides").inner_text().replace("$ ", "")
    page.keyboard.press("ArrowRight")
    assert page.evaluate("Reveal.getIndices().h") == 1 or page.locator(".fragment.visible").count() == 1
    assert wrong == []
    page.close()
