"""Faces beside what is said about them: chosen rightly, shown where they are, never stored."""

import numpy as np
import pytest

import facelab as fl
from facelab.course import lesson07, lesson09
from facelab.course.widgets import faces as module
from facelab.course.widgets.celebrities import Celebrities
from facelab.course.widgets.faces import FaceStrip, Line, farthest_and_nearest, names_given
from facelab.course.widgets.open_set import OpenSet


@pytest.fixture(scope="module")
def templates():
    return fl.datasets.lfw_templates()


@pytest.fixture
def away(monkeypatch):
    monkeypatch.setattr(module, "photos_if_here", lambda: None)


def test_under_a_histogram_stand_its_farthest_own_and_its_nearest_others(templates):
    study = lesson07.of_templates(templates)
    k = study.place("Serena_Williams")
    (line,) = farthest_and_nearest(study, templates, lambda: [k])()
    named = [templates.names.get(int(templates.identity[row])) for row in line.photos]
    assert named[:3] == ["Serena_Williams"] * 3
    assert "Serena_Williams" not in named[3:]
    assert named[3] == "Venus_Williams"
    own = np.sort(study.genuine(k))[::-1][:3]
    assert [float(words.split(", ")[1]) for words in line.captions[:3]] == pytest.approx(own, abs=0.005)
    assert [float(words.split(", ")[1]) for words in line.captions[3:]] == pytest.approx(
        np.sort(study.impostor(k))[:3], abs=0.005
    )


def test_names_that_were_given_follow_the_threshold(templates):
    one, at = lesson09.split(templates, 0), [0.645]
    lines = names_given(templates, one.gallery, one.probes, one.strangers, lambda: at[0])
    counts = [int(line.title.split(": ")[1].replace(",", "")) for line in lines()]
    widget = OpenSet(one.gallery, one.probes, one.strangers, people=5000, value=0.645)
    assert counts[0] == round(widget.tpir * 1680)
    assert counts[1] == round(widget.fpir * 749)
    at[0] = 0.3
    fewer = [int(line.title.split(": ")[1].replace(",", "")) for line in lines()]
    assert fewer[1] < counts[1] < 749
    assert fewer[2] > counts[2]
    found = lines()[0]
    assert all(len(line.photos) % 2 == 0 for line in lines())
    pairs = zip(found.photos[::2], found.photos[1::2], strict=True)
    assert all(templates.identity[a] == templates.identity[b] for a, b in pairs)


def test_without_photos_it_says_what_brings_them(away):
    strip = FaceStrip(lambda: [Line("Somebody", [0, 1], ["a", "b"])])
    assert strip.error is None
    assert "the button brings them" in strip.screen.words


@pytest.mark.usefixtures("lfw")
def test_photos_appear_and_are_not_stored(templates, monkeypatch, lfw):
    monkeypatch.setattr(module, "photos_if_here", lambda: None)
    study = lesson07.of_templates(templates)
    three = Celebrities(study, ("Serena_Williams", "Venus_Williams", "Jennifer_Capriati"), 0.6)
    strip = FaceStrip(farthest_and_nearest(study, templates, three.chosen), follow=three)
    without = strip.picture.png()
    monkeypatch.setattr(module, "photos_if_here", lambda: lfw)
    strip.look()
    assert strip.error is None
    with_faces = strip.picture.png()
    assert with_faces != without
    assert strip.still_png() == without
    assert strip.picture.png() == with_faces
    draws = strip.draws
    three.threshold.value = 0.5
    assert strip.draws == draws, "the same faces are not drawn again"
    three.who[2].value = "Anna Kournikova"
    assert strip.draws > draws
    assert strip.titles[2].get_text().startswith("Anna Kournikova")
