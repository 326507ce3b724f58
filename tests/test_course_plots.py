"""The course's figures: readable letters, nothing by colour alone, and boxes where they belong."""

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest

from facelab.course import plots
from facelab.detect import Face


@pytest.fixture(autouse=True)
def _style():
    mpl.use("Agg")
    with mpl.rc_context(plots.style()):
        yield
    plt.close("all")


@pytest.fixture
def photo() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 255, (60, 90, 3), np.uint8)


@pytest.fixture
def face() -> Face:
    points = np.array([[30, 20], [50, 20], [40, 30], [32, 40], [48, 40]], np.float32)
    return Face(np.array([20, 10, 60, 50], np.float32), points, 0.93)


def test_letters_are_readable_from_the_back_of_a_room():
    sizes = [
        value for key, value in plots.style().items() if key.endswith("size") and key != "figure.figsize"
    ]
    assert min(sizes) >= 13


def test_show_draws_box_score_and_a_marker_for_each_landmark(photo, face):
    axes = plots.show([photo, photo], ["one", "two"], faces=[[face]])
    assert len(axes) == 2
    first, second = axes
    assert [text.get_text() for text in first.texts] == ["0.93"]
    points = [line for line in first.lines if line.get_marker() != "None"]
    assert [line.get_xydata()[0].tolist() for line in points] == face.landmarks.tolist()
    assert len({line.get_marker() for line in points}) == 5
    assert not second.lines
    assert first.get_xlim() == (-0.5, 89.5)


def test_show_in_rows_leaves_spare_places_empty(photo):
    axes = plots.show([photo] * 3, columns=2)
    assert len(axes) == 3
    assert len(axes[0].figure.axes) == 4


def test_histogram_tells_the_two_apart_without_colour():
    axes = plots.histogram(np.linspace(0, 0.6, 50), np.linspace(0.5, 1.2, 70), threshold=0.64)
    hatches = {patch.get_hatch() for patch in axes.patches if patch.get_hatch()}
    assert len(hatches) == 2
    words = {text.get_text() for text in axes.get_legend().get_texts()}
    assert words == {"same person", "different people", "threshold 0.64"}


def test_a_heat_map_lies_where_its_extent_says(photo):
    (axes,) = plots.heat(photo, [np.eye(3)], ["map"], extents=[(10, 40, 5, 35)])
    _, scores = axes.images
    assert tuple(scores.get_extent()) == (10, 40, 35, 5)
    assert axes.get_xlim() == (-0.5, 89.5)


def test_the_extent_of_a_heat_map_puts_each_cell_in_the_middle_of_its_window():
    from facelab.detect.mtcnn import HeatMap

    level = HeatMap((0.5, 0.5), np.zeros((10, 20), np.float32))
    x1, x2, y1, y2 = plots.extent(level)
    width, height = (x2 - x1) / 20, (y2 - y1) / 10
    for row, column in ((0, 0), (3, 7), (9, 19)):
        a, b, c, d = level.window(row, column)
        assert ((a + c) / 2, (b + d) / 2) == pytest.approx(
            (x1 + (column + 0.5) * width, y1 + (row + 0.5) * height)
        )


def test_show_boxes_repeats_the_photo(photo, face):
    axes = plots.show_boxes(photo, [[face.box, face.box], []], ["two", "none"])
    assert [len(each.lines) for each in axes] == [4, 0]
