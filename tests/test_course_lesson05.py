"""Lesson 05's drawing: the five points of 68 are those that alignment expects."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

from facelab.align import TEMPLATES
from facelab.course import lesson05
from facelab.course import lesson05_retina as retina


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


# ---- RetinaFace ------------------------------------------------------------------------------------------


@pytest.fixture
def face(astronaut):
    import facelab as fl

    return fl.detect(astronaut)[0]


def test_one_size_of_anchor_fits_a_face(astronaut, face):
    rows = retina.overlaps_by_size(astronaut, face)
    assert {size: fit for size, (_, _, fit) in rows.items() if fit} == {128: 11}, "as the lesson says"
    assert sum(count for count, *_ in rows.values()) == 10_752
    axes = retina.draw_anchors(astronaut, face)
    assert "11 of 2,048" in axes[1].get_title()
    plt.close("all")


def test_branches_read_3_5_and_7_cells_and_nothing_beyond(astronaut, face):
    rows = retina.draw_fields(astronaut, face)
    assert [cells for _, cells, *_ in rows] == [3, 5, 7]
    assert all(half < most for *_, half, most in rows)
    plt.close("all")


def test_reach_of_a_known_field():
    field = np.zeros((21, 21))
    field[10, 10], field[8:13, 8] = 1.0, 0.2
    assert retina.reach(field, (10, 10), 0.5) == 1
    assert retina.reach(field, (10, 10), 1.0) == 5


def test_what_is_changed_in_the_truth_moves_its_own_term(astronaut, face):
    told = retina.loss_of(astronaut, [face])
    points = retina.loss_of(astronaut, [retina.moved_points(face, 10)])
    assert float(points.pts) > 2 * float(told.pts)
    assert (float(points.cls), float(points.box)) == (float(told.cls), float(told.box))
    swapped = retina.loss_of(astronaut, [retina.swapped_eyes(face)])
    assert float(swapped.pts) > 5 * float(told.pts)
    box = retina.loss_of(astronaut, [retina.moved_box(face, 40)])
    assert float(box.box) > 2 * float(told.box)
    assert float(box.cls) > float(told.cls), "other anchors are asked, which had said no"
    nobody = retina.loss_of(astronaut, [])
    assert float(nobody.cls) > float(told.cls)
    assert (float(nobody.box), float(nobody.pts), nobody.faces) == (0, 0, 0)
