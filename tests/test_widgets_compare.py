"""Two photos compared: the course's, a reader's own, and files that are no photos."""

import io
import json

import numpy as np
import pytest
from PIL import Image

import facelab as fl
from facelab.course.widgets.compare import CONFIG, Compare, changes, framed, jpeg, smaller
from facelab.course.widgets.photo_source import PhotoSource

MAGENTA = (255, 0, 255)


@pytest.fixture(scope="module")
def distances():
    random = np.random.default_rng(0)
    return random.normal(0.35, 0.1, 500), random.normal(0.92, 0.08, 500)


@pytest.fixture(scope="module")
def once(_astronaut, _hopper, distances):
    return Compare({"Collins": _astronaut, "Hopper": _hopper}, *distances, threshold=0.64)


@pytest.fixture
def widget(once):
    """As new: Reset forgets whatever a test brought."""
    yield once
    once.reset()
    assert once.error is None
    assert once.alert.value == ""


def png(photo: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(photo).save(file, "PNG")
    return file.getvalue()


def send(widget: Compare, side: int, name: str, data: bytes) -> None:
    """As the page does."""
    widget.sources[side].receive(None, {"kind": "photo", "name": name}, [memoryview(data)])


def pixels(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)))[..., :3]


def magenta(data: bytes) -> int:
    """How many pixels have that colour, or nearly: JPEG moves it a little."""
    return int((np.abs(pixels(data).astype(int) - MAGENTA).max(axis=2) < 40).sum())


def test_the_distance_is_that_of_verify(widget, astronaut, hopper):
    assert widget.error is None
    assert widget.distance == pytest.approx(fl.verify(astronaut, hopper, threshold=0.5).distance, abs=1e-5)
    assert not widget.same
    widget.b.value = "Collins"
    assert widget.distance == pytest.approx(0, abs=1e-5)
    assert widget.same
    assert "the same person" in widget.screen.words


def test_the_threshold_decides_and_says_what_it_is_worth(widget):
    before = widget.screen.value
    widget.threshold.value = 1.2
    assert widget.same
    assert widget.screen.value != before
    widget.threshold.value = 0.593
    assert not widget.same
    missed = fl.calibration.fnmr_at(CONFIG, 0.593).value
    assert f"misses {missed:.1%}" in widget.screen.words
    assert "95 % interval" in widget.screen.words


def test_a_tilt_moves_b_and_reset_brings_it_back(widget):
    start = widget.distance
    widget.b.value = "Collins"
    widget.tilt.value = 25
    assert 0.02 < widget.distance < 0.6
    widget.reset()
    assert (widget.b.value, widget.tilt.value) == ("Hopper", 0)
    assert widget.distance == start


def test_no_face_after_a_tilt_is_said_and_not_an_error(widget, monkeypatch):
    blank = np.zeros((320, 320, 3), np.uint8)
    monkeypatch.setattr("facelab.course.widgets.compare.tilted", lambda *_: blank)
    widget.tilt.value = 5
    assert widget.error is None
    assert np.isnan(widget.distance)
    assert "No face was found in photo B" in widget.screen.words


def test_an_own_photo_is_used_and_forgotten(widget, astronaut):
    widget.tilt.value = 5
    send(widget, 1, "me.png", png(astronaut[:, ::-1]))
    assert widget.error is None
    assert (widget.a.value, widget.b.value) == ("Collins", "yours: me.png")
    assert widget.tilt.value == 0, "an own photo is shown upright first"
    assert 0.01 < widget.distance < 0.2
    assert "yours: me.png" in widget.a.options, "the other side may have it too"
    send(widget, 0, "again.png", png(astronaut))
    assert (widget.a.value, widget.b.value) == ("yours: again.png", "yours: me.png")
    widget.reset()
    assert widget.own == {}
    assert (widget.a.value, widget.b.value) == ("Collins", "Hopper")
    assert not any(name.startswith("yours") for name in widget._seen)


def test_a_file_of_the_same_name_takes_the_place_of_the_old_one(widget, astronaut, hopper):
    send(widget, 1, "me.png", png(astronaut))
    send(widget, 1, "me.png", png(hopper))
    assert widget.distance > 0.6


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "me.jpg is empty"),
        (b"not a photo at all", "me.jpg is not in a format"),
        (png(np.full((100, 100, 3), 128, np.uint8))[:80], "me.jpg"),
        (png(np.full((100, 100, 3), 128, np.uint8)), "me.jpg: no face was found"),
    ],
    ids=["empty", "text", "cut short", "no face"],
)
def test_what_is_wrong_with_a_file_is_said_in_one_sentence(widget, data, says):
    before, line = widget.screen.value, widget.screen.words
    send(widget, 0, "me.jpg", data)
    assert says in str(widget.error)
    assert says in widget.alert.value
    assert "<pre" not in widget.alert.value, "a reader needs no traceback to learn that a file is broken"
    assert (widget.screen.value, widget.screen.words) == (before, line), "the picture stays as it was"
    assert widget.own == {}
    widget.tilt.value = 3
    assert widget.error is None
    assert widget.alert.value == ""


def test_a_problem_of_the_browser_is_said_and_escaped(widget):
    widget.sources[0].receive(None, {"kind": "problem", "text": "<b>big.jpg</b> is 90 MB"}, [])
    assert "&lt;b&gt;big.jpg&lt;/b&gt; is 90 MB" in widget.alert.value


def test_a_large_photo_is_made_smaller(widget, astronaut, monkeypatch):
    monkeypatch.setattr("facelab.course.widgets.photo_source.SIDE", 400)
    send(widget, 0, "large.png", png(np.pad(astronaut, ((0, 0), (0, 288), (0, 0)))))
    assert widget.own["yours: large.png"].shape == (256, 400, 3)
    widget.b.value = "Collins"
    assert widget.same


def test_own_photos_are_in_nothing_that_is_saved(widget, astronaut):
    """Neither in the picture that is stored beside the live view, nor in the state of any widget."""
    frame = np.full((700, 700, 3), MAGENTA, np.uint8)
    frame[94:606, 94:606] = astronaut
    stored = widget.still_png()
    send(widget, 1, "mine.png", png(frame))
    assert magenta(widget.screen.value) > 1000, "it is shown live"
    assert (pixels(widget.still_png()) == pixels(stored)).all()
    assert magenta(stored) == 0
    assert "mine" not in widget.still_caption()
    assert widget.b.value == "yours: mine.png", "storing a picture must not change the live view"
    assert magenta(widget.screen.value) > 1000
    state = widget.sources[1].get_state()
    assert len(json.dumps({key: str(value) for key, value in state.items()})) < 50_000
    assert b"mine" not in repr(state).encode()


def test_the_source_carries_its_own_script_and_style():
    source = PhotoSource("photo A", lambda name, data: None, lambda text: None)
    assert "getUserMedia" in source._esm
    assert ".facelab-camera" in source._css
    assert "http" not in source._esm, "nothing is fetched from elsewhere"


def test_changes_keep_the_person(astronaut):
    made = changes(astronaut)
    assert len(made) == 7
    for name, photo in made.items():
        assert photo.dtype == np.uint8
        assert fl.detect(photo), f"{name}: the face should still be found"
    assert smaller(astronaut).shape == (128, 128, 3)
    assert 1 < np.abs(jpeg(astronaut).astype(int) - astronaut).mean() < 15


@pytest.mark.parametrize("shape", [(40, 500), (500, 40), (100, 100)])
def test_a_photo_of_any_shape_is_framed_whole(shape):
    photo = np.zeros((*shape, 3), np.uint8)
    photo[:, :] = MAGENTA
    face = fl.Face(np.array([-5, -5, 1000, 1000], np.float32), np.zeros((5, 2), np.float32), 0.9)
    seen = framed(photo, face)
    assert seen.shape[0] == seen.shape[1]
    share = (framed(photo, None) == MAGENTA).all(axis=2).mean()
    assert share == pytest.approx(min(shape) / max(shape), abs=0.02)
