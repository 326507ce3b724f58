"""The widget of lesson 05 shows what it says: the cut, its outline, and how far the vector moved."""

import numpy as np
import pytest

import facelab as fl
from facelab.course.widgets import crop
from facelab.course.widgets.crop import CUTS, KEPT, CropWidget


@pytest.fixture(scope="module")
def widget():
    from facelab.course import portraits

    return CropWidget({"Eileen Collins": portraits.collins()}, threshold=0.64)


@pytest.fixture(autouse=True)
def _fresh(widget):
    yield
    widget.reset()


@pytest.mark.parametrize("cut", CUTS)
def test_the_upright_photo_cut_the_same_way_has_not_moved(widget, cut):
    widget.cut.value = cut
    assert widget.error is None
    assert widget.distance == pytest.approx(0, abs=1e-4)


def test_a_tilt_moves_the_square_crop_far_and_alignment_by_good_points_undoes_it(widget):
    moved = {}
    for cut in CUTS:
        widget.cut.value = cut
        widget.angle.value = 20
        moved[cut] = widget.distance
    assert moved["square"] > 0.4
    assert moved["stretched"] > 0.4
    assert moved["aligned (MTCNN)"] < 0.1
    assert moved["aligned (MTCNN)"] < moved["aligned (YuNet)"] < moved["square"]
    assert widget.error is None


def test_the_size_of_the_box_moves_what_looks_at_the_box(widget):
    for cut in CUTS:
        widget.cut.value = cut
        widget.scale.value = 1.3
        assert widget.distance > 0.2 if "aligned" not in cut else widget.distance < 1e-4
        widget.reset()


def test_compared_with_the_aligned_photo_a_square_has_moved_without_any_tilt(widget):
    widget.versus.value = "aligned, upright"
    assert widget.distance > 0.4
    assert "beyond" in widget.screen.words


def test_trails_are_kept_until_the_scale_changes(widget):
    widget.angle.value = 5
    widget.angle.value = 10
    widget.cut.value = "stretched"
    assert set(widget.seen["square"]) == {0, 5, 10}
    assert set(widget.seen["stretched"]) == {10}
    widget.scale.value = 1.1
    assert set(widget.seen["square"]) == set()
    assert set(widget.seen["stretched"]) == {10}


def test_where_no_face_is_found_the_widget_says_so(widget, monkeypatch):
    monkeypatch.setattr(crop, "find", lambda view, cut: None)
    widget.angle.value = 90
    assert widget.error is None
    assert np.isnan(widget.distance)
    assert "no face" in widget.screen.words


@pytest.mark.parametrize("cut", ["square", "stretched", "aligned (YuNet)"])
def test_the_outline_is_what_is_cut_out(cut):
    """Bright corners drawn just inside the outline come out in the corners of the crop."""
    landmarks = np.array([[95, 90], [130, 95], [112, 115], [96, 130], [127, 133]], np.float32)
    face = fl.Face(np.array([80, 60, 150, 150], np.float32), landmarks, 1.0)
    corners = crop.outline(face, cut, 1.2)
    photo = np.zeros((220, 220, 3), np.uint8)
    middle = corners[:4].mean(0)
    for corner in corners[:4]:
        x, y = np.rint(corner + (middle - corner) * 0.12).astype(int)
        photo[y - 4 : y + 5, x - 4 : x + 5] = 255
    cut_out = crop.cut_out(photo, face, cut, 1.2).mean(axis=2)
    for rows in (slice(0, 16), slice(96, 112)):
        for columns in (slice(0, 16), slice(96, 112)):
            assert cut_out[rows, columns].max() > 200
    assert cut_out[30:82, 30:82].max() == 0


def test_the_next_step_is_answered_ahead_and_alike(widget):
    widget.angle.value = 10
    widget.angle.value = 13
    ready = {asked.angle for asked in widget._answers}
    assert 16 in ready, "the slider moves by 3"
    widget.angle.value = 16
    ahead = widget.distance
    widget._answers.clear()
    widget.angle.value = 0
    widget.angle.value = 16
    assert widget.distance == ahead
    for angle in range(-90, 91, 2):
        widget.angle.value = angle
    assert len(widget._answers) <= KEPT
    assert widget.error is None
