"""Three people of one's own: photos become vectors, bad ones say why, and the histograms are drawn."""

import io

import numpy as np
import pytest
from PIL import Image

import facelab as fl
from facelab.course import lesson07
from facelab.course.widgets.three_people import ThreePeople


def jpeg(photo) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(photo).save(buffer, "JPEG", quality=92)
    return buffer.getvalue()


@pytest.fixture
def filled(astronaut, hopper):
    widget = ThreePeople(lesson07.of_templates(fl.datasets.lfw_templates()))
    views = {0: astronaut, 1: hopper, 2: astronaut[:, ::-1]}
    for k, photo in views.items():
        for number, light in enumerate((1, 0.8, 0.6)):
            widget.people[k].bring(f"{k} {number}.jpg", jpeg((photo * light).astype(np.uint8)))
    return widget


def test_three_people_are_compared_with_each_other_and_with_strangers(filled):
    assert not filled.go.disabled
    assert [len(person.vectors) for person in filled.people] == [3, 3, 3]
    for person, name in zip(filled.people, ("Eileen", "Grace", "Again"), strict=True):
        person.name.value = name
    filled.compare()
    assert filled.alert.value == ""
    assert filled.shown.error is None
    assert filled.place.children == (filled.shown,)
    study = filled.shown.study
    assert study.names == ("Again", "Eileen", "Grace")
    assert len(study.counts) == 3 + 5749
    eileen, again = study.place("Eileen"), study.place("Again")
    assert 1 - study.means[eileen] @ study.means[again] < 0.3, "the same woman, mirrored"


def test_names_must_be_three(filled):
    filled.people[1].name.value = filled.people[0].name.value
    filled.compare()
    assert "a name of their own" in filled.alert.value
    assert filled.shown is None


def test_bad_photos_say_what_is_wrong_and_nothing_is_lost(astronaut):
    widget = ThreePeople()
    person = widget.people[0]
    person.bring("good.jpg", jpeg(astronaut))
    person.bring("wall.jpg", jpeg(np.full((200, 200, 3), 128, np.uint8)))
    assert "wall.jpg: no face was found" in person.alert.value
    person.bring("half <b>.jpg", jpeg(astronaut)[:5000])
    assert "half &lt;b&gt;.jpg" in person.alert.value
    assert len(person.vectors) == 1
    assert "1 photo: 1 more at least" in person.line.value
    assert widget.go.disabled
    person.bring("good.jpg", jpeg(astronaut))
    assert person.alert.value == ""
    person.forget()
    assert person.vectors == []
    assert widget.still_png()[:4] == b"\x89PNG"
