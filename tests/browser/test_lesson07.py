"""Lesson 07 in the browser: three people are chosen with the keyboard, and one threshold moves everything."""

NAME = "07_celebrity_histograms.ipynb"


def typed(widget, letter: str, name: str):
    """Clear the box of A, B or C and type a name, as a hand does."""
    box = widget.box.get_by_label(letter, exact=True)
    box.focus()
    widget.page.keyboard.press("Control+a")
    widget.page.keyboard.type(name)
    return box


def test_three_people_and_one_threshold(open_notebook, slider_times):
    notebook = open_notebook(NAME)
    notebook.run_all()
    assert notebook.errors() == []
    widget = notebook.widget()
    status = widget.box.locator("[role=status]")
    before, words = widget.pixels(), widget.text()

    widget.focus("threshold")
    times = widget.press("ArrowRight", 20)
    assert widget.text() != words
    assert widget.pixels() != before

    box = typed(widget, "B", "Kofi Annan")
    status.filter(has_text="of 126 own photos").wait_for(timeout=20_000)  # 52 and 42, and 32 of his
    assert widget.box.locator("datalist option").count() == 3 * 158

    box = typed(widget, "B", "Nobody At All")
    widget.page.wait_for_timeout(300)
    assert "of 126 own photos" in widget.text(), "what is no name changes nothing"
    assert "jpwidgets-invalidComboValue" in box.get_attribute("class"), "and is marked"

    typed(widget, "A", "Jennifer Capriati")  # who is C: the two change places
    boxes = widget.box.locator("input[list]")
    status.filter(has_text="of 126 own photos").wait_for(timeout=20_000)
    notebook.page.wait_for_function(
        "box => box.value === 'Serena Williams'", arg=boxes.nth(2).element_handle(), timeout=20_000
    )
    seen = widget.pixels()
    widget.box.get_by_label("own photo left out of its mean").click()
    notebook.page.wait_for_timeout(1000)
    assert widget.pixels() != seen

    widget.box.get_by_role("button", name="Reset").click()
    status.filter(has_text="of 111 own photos").wait_for(timeout=20_000)
    assert [boxes.nth(place).input_value() for place in range(3)] == [
        "Serena Williams",
        "Venus Williams",
        "Jennifer Capriati",
    ]
    assert widget.alerts() == []
    assert notebook.errors() == []
    assert notebook.elsewhere == []
    slider_times("07, threshold", times)
