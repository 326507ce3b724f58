"""Lesson 08 in the browser: one threshold moves histograms, curve and counts; a larger test parts papers."""


def test_a_threshold_and_a_larger_test(open_notebook, slider_times):
    notebook = open_notebook("08_benchmarks_and_metrics.ipynb")
    notebook.run_all()
    assert notebook.errors() == []

    rates = notebook.widget(0)
    assert "LFW, threshold 0.330" in rates.text()
    assert "6 of 3,000 pairs of different people accepted" in rates.text()
    picture = rates.pixels()
    rates.focus("threshold")
    moved = rates.press("ArrowRight", 20)
    assert rates.pixels() != picture
    assert "LFW, threshold 0.430" in rates.text()
    rates.box.locator("select").first.select_option("look-alikes")
    rates.box.get_by_text("look-alikes, threshold 0.430").wait_for(timeout=20_000)
    assert rates.alerts() == []

    papers = notebook.widget(2)  # after the faces
    assert "39 are larger than chance" in papers.text()
    papers.focus("size")
    grown = papers.press("ArrowRight", 10)
    assert "66,000 pairs" in papers.text()
    assert papers.alerts() == []
    assert notebook.errors() == []
    assert notebook.elsewhere == []
    for what, times in (("threshold", moved), ("size of the test", grown)):
        slider_times(f"08, {what}", times)
