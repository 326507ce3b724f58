"""The pyramid of lesson 05: the map that answers follows the size of the face, and the line says which."""

import pytest

from facelab.course import portraits
from facelab.course.widgets.pyramid import CURVE, PyramidWidget


@pytest.fixture(scope="module")
def widget():
    return PyramidWidget({"Eileen Collins": portraits.collins(), "Grace Hopper": portraits.hopper()})


@pytest.fixture(autouse=True)
def _fresh(widget):
    yield
    widget.reset()


@pytest.mark.parametrize("photo", ["Eileen Collins", "Grace Hopper"])
def test_small_faces_answer_at_stride_8_and_large_ones_at_32(widget, photo):
    widget.photo.value = photo
    answers = {}
    for height in (24, 80, 240):
        widget.size.value = height
        answers[height] = widget.answers
    assert answers == {24: 8, 80: 16, 240: 32}
    assert widget.error is None


def test_the_line_names_the_stride_and_the_anchor(widget):
    widget.size.value = 24
    assert "stride 8 answers" in widget.screen.words
    assert "16 px (dashed)" in widget.screen.words or "32 px (dashed)" in widget.screen.words


def test_the_picture_changes_and_the_curves_are_there_from_the_start(widget):
    before = widget.still_png()
    widget.size.value = 40
    assert widget.still_png() != before
    assert all(len(curve) == len(CURVE) for curve in widget.curves.values())
    assert "face (px) 40" in widget.still_caption()
