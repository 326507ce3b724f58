"""Lesson 05 in the browser: it runs, its sliders move the crop and the distance, and say how fast."""

import statistics

NAME = "05_detect_crop_rotate.ipynb"


def test_the_sliders_move_the_crop(open_notebook):
    notebook = open_notebook(NAME)
    notebook.run_all()
    assert notebook.errors() == []

    widget = notebook.widget()
    widget.focus("tilt")
    start, words = widget.pixels(), widget.text()
    times = widget.press("ArrowRight", 12)
    assert "at 12°" in widget.text()
    assert widget.text() != words
    assert widget.pixels() != start

    tilted = widget.pixels()
    times += widget.press("ArrowLeft", 2)
    assert "at 10°" in widget.text()
    assert widget.pixels() != tilted

    widget.focus("box")
    before = widget.pixels()
    times += widget.press("ArrowRight", 4)
    assert "box × 1.20" in widget.text()
    assert widget.pixels() != before

    print(
        f"\nlesson 05, key press to pixels: median {statistics.median(times):.0f} ms of {len(times)} presses"
    )
    assert statistics.median(times) < 5000, "a slider that takes seconds is no slider"
    assert widget.alerts() == []
    assert notebook.errors() == []
    assert notebook.elsewhere == [], "a notebook asks nothing of any other machine"
