"""The threshold widget counts what is there, and its picture follows the slider."""

import io

import numpy as np
import pytest
from PIL import Image

from facelab.course.plots import ORANGE
from facelab.course.widgets.threshold import Threshold, at_or_below, count, one_in, pairwise_distances


@pytest.fixture(scope="module")
def distances():
    random = np.random.default_rng(0)
    return random.normal(0.45, 0.12, 3_000).clip(0, 2), random.normal(0.95, 0.08, 50_000).clip(0, 2)


@pytest.fixture
def widget(distances):
    return Threshold(*distances, value=0.6)


def pixels(widget) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(widget.screen.value))).astype(int)


def painted(widget, colour: str) -> int:
    """Pixels of exactly this colour."""
    rgb = [int(colour[at : at + 2], 16) for at in (1, 3, 5)]
    return int((pixels(widget) == rgb).all(axis=-1).sum())


def test_rates_are_those_of_a_direct_count_wherever_the_slider_stands(widget, distances):
    genuine, impostor = distances
    for value in (0.2, 0.4, 0.605, 0.73, 0.9, 1.2):
        widget.threshold.value = value
        assert widget.error is None
        assert widget.fmr == np.mean(impostor <= value)
        assert widget.fnmr == np.mean(genuine > value)


def test_both_errors_move_in_opposite_directions(widget):
    widget.threshold.value = 0.5
    fmr, fnmr = widget.fmr, widget.fnmr
    widget.threshold.value = 0.7
    assert widget.fmr > fmr
    assert widget.fnmr < fnmr


def test_the_words_say_the_counts(widget, distances):
    genuine, impostor = distances
    widget.threshold.value = 0.8
    missed, matched = int((genuine > 0.8).sum()), int((impostor <= 0.8).sum())
    assert f"{missed:,} of 3,000 same-person pairs are missed" in widget.screen.words
    assert f"{matched:,} of 50,000 different-people pairs get through" in widget.screen.words


def test_false_alarms_grow_with_the_number_of_people_searched(widget):
    widget.threshold.value = 0.8
    widget.use.value = 100_000
    assert widget.error is None
    assert f"100,000 strangers: {count(100_000 * widget.fmr)} false alarms" in widget.screen.words
    widget.use.value = 1
    assert f"probability {count(widget.fmr)}" in widget.screen.words


def test_the_painted_error_grows_with_the_slider(widget):
    widget.threshold.value = 0.6
    little = painted(widget, ORANGE)
    widget.threshold.value = 0.95
    assert painted(widget, ORANGE) > little + 1_000


def test_the_slider_starts_at_the_nearest_step(distances):
    assert Threshold(*distances, value=0.5932).threshold.value == 0.595
    assert Threshold(*distances, value=1.5).threshold.value == 1.2


def test_a_distance_at_the_threshold_counts_as_below_it():
    assert at_or_below(np.array([0.1, 0.2, 0.2, 0.9, 5.0]), np.array([0.0, 0.1, 0.2, 0.9])).tolist() == [
        0,
        1,
        3,
        4,
    ]


@pytest.mark.parametrize("people", [2, 3, 700])  # 700: more than one block
def test_every_pair_once(people):
    vectors = np.random.default_rng(1).normal(size=(people, 16)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    a, b = np.triu_indices(people, 1)
    direct = 1 - (vectors[a].astype(float) * vectors[b]).sum(1)
    got = pairwise_distances(vectors)
    assert got.shape == (people * (people - 1) // 2,)
    assert np.allclose(np.sort(got), np.sort(direct), atol=1e-5)


@pytest.mark.parametrize(
    ("rate", "words"), [(0, "none seen"), (0.001, "1 in 1,000"), (1 / 3456, "1 in 3,460"), (0.25, "25.0%")]
)
def test_rates_in_words(rate, words):
    assert one_in(rate) == words


@pytest.mark.parametrize(
    ("expected", "words"),
    [(0, "0"), (0.000123, "0.000123"), (0.5, "0.5"), (2.0, "2"), (97_342.0, "97,300")],
)
def test_expected_numbers_in_words(expected, words):
    assert count(expected) == words
