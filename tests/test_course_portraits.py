"""The two portraits, and changes that do what their names say."""

import numpy as np
import pytest

import facelab as fl
from facelab.course import portraits


@pytest.fixture(scope="module")
def photo():
    return portraits.collins()


@pytest.fixture(scope="module")
def face(photo):
    return fl.detect(photo, device="cpu")[0]


@pytest.mark.parametrize("portrait", [portraits.collins, portraits.hopper])
def test_each_portrait_shows_one_face(portrait):
    assert len(fl.detect(portrait(), device="cpu")) == 1


def test_the_head_lies_around_the_face_and_inside_the_photo(photo, face):
    head = portraits.head(photo, face)
    wide, high = face.box[2:] - face.box[:2]
    assert head.shape[0] == pytest.approx(2 * high, abs=2)
    assert head.shape[1] == pytest.approx(2 * wide, abs=2)
    assert portraits.head(photo, face, margin=50).shape == photo.shape


def test_every_change_changes_and_keeps_the_kind(photo, face):
    changed = portraits.changes(photo, face)
    assert len(changed) == 8
    for name, other in changed.items():
        assert other.dtype == np.uint8, name
        assert other.shape == photo.shape or name == "cut at the box"
        assert other.shape != photo.shape or (other != photo).any(), name


def test_changes_do_what_they_say(photo):
    grey = np.full((40, 60, 3), 200, np.uint8)
    assert (portraits.darker(grey, 0.25) == 50).all()
    side = portraits.lit_from_the_side(grey, 0.5)
    assert side[0, 0, 0] == 200
    assert side[0, -1, 0] == 100
    assert (portraits.covered(grey, (10, 5, 20, 15), 7) == 7).sum() == 10 * 10 * 3
    assert portraits.grainy(grey, 10.0).std() == pytest.approx(10, rel=0.05)
    assert np.abs(np.diff(portraits.blurred(photo).astype(int), axis=1)).mean() < 3


def test_perspective_takes_the_four_points_to_their_sources():
    seen, source = [(1, 2), (30, 4), (28, 40), (3, 35)], [(0, 0), (20, 0), (20, 30), (0, 30)]
    a, b, c, d, e, f, g, h = portraits.perspective(seen, source)
    for (x, y), wanted in zip(seen, source, strict=True):
        scale = g * x + h * y + 1
        got = (a * x + b * y + c) / scale, (d * x + e * y + f) / scale
        assert got == pytest.approx(wanted, abs=1e-9)


def test_a_print_is_a_paper_on_a_table_and_passes_as_the_person(photo, face):
    printed = portraits.printed(photo)
    assert np.abs(printed[5, 5].astype(int) - portraits.TABLE).max() < 40
    assert (printed.min(axis=-1) > 225).mean() > 0.05, "no white border"
    its_face = fl.detect(printed, device="cpu")[0]
    vectors = [
        fl.embed(fl.align(picture, found), device="cpu")
        for picture, found in ((photo, face), (printed, its_face))
    ]
    assert fl.cosine_distance(*vectors) < 0.2
