"""Lesson 05 in the browser: it runs, its sliders move faces, crops and distances, and say how fast."""

import statistics

NAME = "05_detect_crop_rotate.ipynb"


def test_the_sliders_move_the_crop(open_notebook, slider_times):
    notebook = open_notebook(NAME)
    notebook.run_all()
    assert notebook.errors() == []

    pyramid = notebook.widget(0)
    pyramid.focus("face")
    before = pyramid.pixels()
    answers = pyramid.press("ArrowLeft", 8)
    assert "A face of 80 px" in pyramid.text()
    assert pyramid.pixels() != before
    assert pyramid.alerts() == []

    widget = notebook.widget(1)
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

    slider_times("05, tilt and box", times)
    slider_times("05, the pyramid", answers)
    assert statistics.median(times) < 5000, "a slider that takes seconds is no slider"
    assert widget.alerts() == []
    assert notebook.errors() == []
    assert notebook.elsewhere == [], "a notebook asks nothing of any other machine"
