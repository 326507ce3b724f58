"""Lesson 01 in the browser: epochs replay, and the map answers keys with true distances."""

import re


def test_epochs_and_the_map(open_notebook, slider_times):
    notebook = open_notebook("01_metric_learning.ipynb")
    notebook.run_all()
    assert notebook.errors() == []
    widget = notebook.widget(0)
    picture = widget.pixels()
    widget.focus("epoch")
    times = widget.press("ArrowLeft", 12)
    assert "Epoch 3" in widget.text()
    assert widget.pixels() != picture
    assert widget.alerts() == []

    faces = notebook.page.locator(".facelab-map")
    faces.scroll_into_view_if_needed()
    status = faces.locator("[role=status]")
    assert "Jennifer Capriati 30" in status.inner_text()  # as the last cell left it
    dial = faces.locator("svg.dial")
    dial.focus()

    def inside() -> int:
        own, others = re.findall(r"(\d+) of \d+", status.inner_text())
        return int(own) + int(others)

    before = inside()
    for _ in range(4):
        notebook.page.keyboard.press("Shift+ArrowDown")
    assert "Circle of 0.35" in status.inner_text()
    assert inside() < before
    assert inside() == dial.locator(".face.near").count() - 1  # the chosen one is not counted

    faces.locator("svg.map").focus()
    visited = set()
    for key in ("ArrowRight", "ArrowDown", "ArrowLeft", "ArrowUp"):
        notebook.page.keyboard.press(key)
        visited.add(status.inner_text().split(" around ")[1].split(":")[0])
    assert len(visited) >= 3
    faces.get_by_label("map", exact=True).select_option("t-SNE")
    faces.get_by_label("person", exact=True).select_option(label="Kofi Annan")
    assert "around Kofi Annan 1" in status.inner_text()
    assert faces.locator(".neighbours").inner_text().count("Kofi Annan") >= 4
    dial.locator(".face").nth(0).hover()
    assert "Serena Williams 1: " in dial.locator("text.tip").text_content()
    assert faces.locator("[role=alert]").count() == 0
    assert notebook.errors() == []
    assert notebook.elsewhere == []
    slider_times("01, epochs", times)
