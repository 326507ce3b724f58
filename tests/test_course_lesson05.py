"""Lesson 05's drawing: the five points of 68 are those that alignment expects."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

from facelab.align import TEMPLATES
from facelab.course import lesson05


def test_the_parts_cover_all_68_points_once():
    rows = [row for part in lesson05.PARTS.values() for row in part]
    assert rows == list(range(68))


def test_the_five_of_the_drawing_lie_on_the_template():
    """The drawing is made in the crop's plane, so alignment should leave it where it is."""
    five = lesson05.five_of_68(lesson05.drawn_68())
    assert np.abs(five - TEMPLATES["112x112"].numpy()).max() < 1


def test_each_name_is_drawn_beside_its_point():
    axes = plt.subplots()[1]
    lesson05.draw_68(axes)
    words = {text.get_text(): text for text in axes.texts}
    assert words["right eye"].xy[0] < 56 < words["left eye"].xy[0]
    plt.close("all")


def test_a_crop_that_went_through_few_pixels_lost_its_detail():
    crop = np.random.default_rng(0).integers(0, 255, (112, 112, 3), dtype=np.uint8)
    assert np.array_equal(lesson05.through(crop, 112), crop)
    assert lesson05.through(crop, 28).std() < crop.std() / 2
    assert lesson05.through(crop, 224).shape == crop.shape == pytest.approx((112, 112, 3))
