"""Lesson 09 in the browser: a tree by keyboard, a threshold over a growing gallery, a desk that forgets."""

import io

import pytest
from PIL import Image


@pytest.fixture(scope="module")
def portrait() -> bytes:
    """Eileen Collins as a PNG."""
    from skimage.data import astronaut

    file = io.BytesIO()
    Image.fromarray(astronaut()).save(file, "PNG")
    return file.getvalue()


def says(widget, words: str) -> None:
    """Wait until the widget's line says so."""
    widget.box.locator("[role=status]").filter(has_text=words).wait_for(timeout=30_000)


def click(widget, button: str) -> None:
    widget.box.get_by_role("button", name=button).click()


def test_a_gallery_in_the_browser(open_notebook, portrait, slider_times):
    notebook = open_notebook("09_gallery_identification.ipynb")
    notebook.run_all()
    assert notebook.errors() == []

    # The first tree is small and begins open; Enter closes her group and opens it again.
    tree = notebook.page.locator(".facelab-tree").first
    group = tree.locator("details", has=notebook.page.get_by_text("Feature Map", exact=True)).last
    summary = group.locator("summary").first
    summary.focus()
    assert group.get_attribute("open") is not None
    notebook.page.keyboard.press("Enter")
    assert group.get_attribute("open") is None
    notebook.page.keyboard.press("Enter")
    assert group.get_attribute("open") is not None
    assert tree.get_by_text("dataset,").count() == 3

    open_set = notebook.widget(0)
    words, picture = open_set.text(), open_set.pixels()
    open_set.focus("threshold")
    thresholds = open_set.press("ArrowLeft", 20)
    assert open_set.pixels() != picture
    assert open_set.text() != words
    open_set.focus("people enrolled")
    sizes = open_set.press("ArrowLeft", 3)
    says(open_set, "300 people")
    assert open_set.alerts() == []

    desk = notebook.widget(2)  # after the faces
    says(desk, "A stranger")
    desk.focus("threshold")
    looks = desk.press("ArrowRight", 10)
    desk.box.get_by_label("the photo from a file").set_input_files(
        {"name": "me.png", "mimeType": "image/png", "buffer": portrait}
    )
    desk.box.get_by_role("option", name="yours: me.png").wait_for(state="attached", timeout=30_000)
    desk.box.get_by_label("name").fill("<b>Ich</b> 김")
    click(desk, "Enrol as new")
    says(desk, "<b>Ich</b> 김 is enrolled")
    assert desk.box.locator(".facelab-candidates").get_by_text("<b>Ich</b> 김", exact=True).count() == 1
    click(desk, "Delete person")
    says(desk, "is deleted")
    says(desk, "none is left")
    click(desk, "Enrol as new")
    desk.box.get_by_text("Type a name first.").wait_for(timeout=20_000)
    click(desk, "Reset")
    desk.box.locator("[role=alert]").wait_for(state="detached", timeout=30_000)
    says(desk, "A stranger")
    assert desk.alerts() == []
    assert desk.box.get_by_role("option", name="yours: me.png").count() == 0
    assert notebook.errors() == []
    assert notebook.elsewhere == []
    for what, spent in (("threshold", thresholds), ("people", sizes), ("desk, threshold", looks)):
        slider_times(f"09, {what}", spent)
