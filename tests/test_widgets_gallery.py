"""The desk: enrolled, identified, turned away, deleted for good, and nothing left after Reset."""

import io

import numpy as np
import pytest
from PIL import Image

import facelab as fl
from facelab.course import portraits
from facelab.course.widgets.gallery import GalleryDesk, listed

MAGENTA = (255, 0, 255)


def vectors(count: int) -> np.ndarray:
    made = np.random.default_rng(0).normal(size=(count, 128))
    return (made / np.linalg.norm(made, axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture(scope="module")
def once(_astronaut, _hopper):
    photos = {"Collins": _astronaut, "Hopper": _hopper, "Collins, blurred": portraits.blurred(_astronaut, 3)}
    first, second, *rest = vectors(9)
    widget = GalleryDesk(photos, {"One": first, "Two": second, "Seven": np.array(rest)})
    yield widget
    widget.close_gallery()


@pytest.fixture
def widget(once):
    yield once
    once.reset()
    assert once.error is None
    assert once.alert.value == ""


def png(photo: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(photo).save(file, "PNG")
    return file.getvalue()


def send(widget: GalleryDesk, name: str, data: bytes) -> None:
    """As the page does."""
    widget.source.receive(None, {"kind": "photo", "name": name}, [memoryview(data)])


def enrol(widget: GalleryDesk, name: str) -> None:
    widget.name.value = name
    widget.enrol()


def test_it_begins_with_the_people_given_and_a_stranger(widget):
    assert [(one.name, one.templates) for one in widget.gallery.list()] == [
        ("One", 1),
        ("Two", 1),
        ("Seven", 7),
    ]
    assert widget.match.name is None
    assert len(widget.match.candidates) == 3
    assert "A stranger" in widget.screen.words
    assert "FPIR at this threshold with 9 templates" in widget.screen.words


def test_who_is_enrolled_is_found_again_and_nobody_else(widget):
    enrol(widget, "Eileen")
    assert widget.error is None
    assert widget.match.name == "Eileen"
    assert widget.name.value == ""
    assert "Eileen is enrolled" in widget.screen.words
    widget.photo.value = "Collins, blurred"
    assert widget.match.name == "Eileen"
    assert "is enrolled" not in widget.screen.words, "said once"
    widget.photo.value = "Hopper"
    assert widget.match.name is None


def test_the_threshold_decides(widget):
    enrol(widget, "Eileen")
    widget.photo.value = "Collins, blurred"
    distance = widget.match.distance
    widget.threshold.value = round(distance - 0.02, 2)
    assert widget.match.name is None
    assert f"{distance:.3f} >" in widget.screen.words
    widget.threshold.value = 1.2
    widget.photo.value = "Hopper"
    assert widget.match.name is not None
    assert widget.match.fpir.value > 0.9


def test_a_second_photo_is_a_second_template(widget):
    enrol(widget, "Eileen")
    widget.photo.value = "Collins, blurred"
    widget.add()
    assert "Eileen has 2 templates now" in widget.screen.words
    assert "2 templates" in widget.person.label
    assert widget.match.distance == pytest.approx(0, abs=1e-5)


def test_delete_takes_the_vectors_out_of_the_file(widget):
    enrol(widget, "Eileen Collins")
    stored = widget.gallery.vectors(widget.person.value)[0].tobytes()
    path = widget.gallery.path
    assert stored in path.read_bytes()
    assert b"Eileen Collins" in path.read_bytes()
    widget.delete()
    assert stored not in path.read_bytes()
    assert b"Eileen Collins" not in path.read_bytes()
    assert "of the vectors, none is left" in widget.screen.words
    assert widget.match.name is None


def test_everybody_can_go(widget):
    for _ in range(3):
        widget.delete()
    assert widget.gallery.list() == []
    assert "nobody is enrolled" in widget.screen.words
    widget.delete()
    assert "Nobody is enrolled" in widget.alert.value
    enrol(widget, "Eileen")
    assert widget.error is None
    assert widget.match.name == "Eileen"


def test_reset_removes_the_file_and_forgets_the_photos(widget, astronaut):
    folder = widget.gallery.path.parent
    send(widget, "me.png", png(astronaut[:, ::-1]))
    enrol(widget, "me")
    assert folder.exists()
    widget.reset()
    assert not folder.exists()
    assert widget.own == {}
    assert len(widget.gallery) == 3
    assert (widget.photo.value, widget.match.name) == ("Collins", None)
    assert not any(name.startswith("yours") for name in (*widget._seen, *widget.photo.options))
    assert widget.gallery.path.exists()


def test_without_a_name_nobody_is_enrolled(widget):
    enrol(widget, "   ")
    assert "Type a name first" in widget.alert.value
    assert len(widget.gallery) == 3
    assert widget.gallery.list()[0].name == "One"


@pytest.mark.parametrize("name", ["<b>x</b>", "김지수", "a\x00b", "../../etc/passwd", "😀" * 50])
def test_any_name_can_be_enrolled_and_is_shown_as_text(widget, name):
    enrol(widget, name)
    assert widget.error is None
    assert widget.match.name == name
    assert "<b>x</b>" not in widget.candidates.value  # the words are plain text wherever they go
    assert widget.gallery.path.parent.exists()


def test_two_people_may_have_one_name(widget):
    enrol(widget, "Kim")
    widget.photo.value = "Hopper"
    enrol(widget, "Kim")
    assert [one.name for one in widget.gallery.list()].count("Kim") == 2
    first = widget.match.id
    widget.photo.value = "Collins"
    assert widget.match.name == "Kim"
    assert widget.match.id != first


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "is empty"),
        (b"not a photo", "is not in a format"),
        (png(np.full((90, 90, 3), 9, np.uint8)), "no face"),
    ],
    ids=["empty", "text", "no face"],
)
def test_what_is_wrong_with_a_photo_is_said(widget, data, says):
    before = widget.screen.value
    send(widget, "me.jpg", data)
    assert says in widget.alert.value
    assert isinstance(widget.error, fl.errors.FacelabError)
    assert widget.screen.value == before
    widget.threshold.value = 0.5
    assert widget.alert.value == ""


def magenta(data: bytes) -> int:
    pixels = np.asarray(Image.open(io.BytesIO(data)).convert("RGB")).astype(int)
    return int((np.abs(pixels - MAGENTA).max(axis=2) < 40).sum())


def test_own_photos_and_names_are_in_nothing_that_is_stored(widget, astronaut):
    stored = widget.still_png()
    assert "1 " in widget.still_caption()
    frame = np.full((700, 700, 3), MAGENTA, np.uint8)
    frame[94:606, 94:606] = astronaut
    send(widget, "mine.png", png(frame))
    enrol(widget, "My Name")
    assert magenta(widget.screen.value) > 1000, "it is shown live"
    assert magenta(widget.still_png()) == 0
    assert widget.match.name == "My Name", "storing a picture leaves the live view alone"
    assert widget.photo.value == "yours: mine.png"
    assert "My Name" not in widget.still_caption()
    assert "mine" not in widget.still_caption()
    assert len(stored) > 1000


def test_the_stored_picture_is_the_first_one_even_if_only_a_portrait_was_enrolled(widget):
    enrol(widget, "My Name")
    assert "My Name" not in widget.still_caption()


def test_candidates_are_a_table_with_escaped_names():
    candidates = (fl.gallery.Candidate(7, "<i>x</i>", 0.25), fl.gallery.Candidate(8, "y", 0.75))
    table = listed(candidates, 0.5)
    assert "&lt;i&gt;x" in table
    assert "≤ 0.500" in table
    assert "> 0.500" in table
    assert listed((), 0.5) == ""
