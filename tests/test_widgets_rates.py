"""One threshold and four counts: they are those of a direct count, and the picture follows."""

import io

import numpy as np
import pytest
from PIL import Image

from facelab import metrics
from facelab.course.widgets.rates import EDGE, Rates, deviate


@pytest.fixture(scope="module")
def sets():
    random = np.random.default_rng(0)
    same = np.arange(4_000) < 2_000
    return {
        name: (np.where(same, random.normal(0.65, 0.1, 4_000), random.normal(middle, 0.08, 4_000)), same)
        for name, middle in (("easy", 0.05), ("hard", 0.4))
    }


@pytest.fixture
def widget(sets):
    return Rates(sets, 0.3)


def pixels(widget) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(widget.screen.value))).astype(int)


@pytest.mark.parametrize("name", ["easy", "hard"])
def test_counts_are_those_of_a_direct_count(widget, sets, name):
    widget.pairs.value = name
    scores, same = sets[name]
    for threshold in (-0.2, 0.1, 0.305, 0.6, 1.0):
        widget.threshold.value = threshold
        assert widget.error is None
        hit, missed, let_in, kept_out = widget.counts
        assert (hit + missed, let_in + kept_out) == (2_000, 2_000)
        assert hit == (scores[same] >= threshold).sum()
        assert let_in == (scores[~same] >= threshold).sum()
        (tar,), (trr,) = metrics.tar_trr(scores, same, [threshold])
        assert f"TAR {tar:.2%}, TRR {trr:.2%}" in widget.screen.words
        assert f"{let_in:,} of 2,000 pairs of different people accepted" in widget.screen.words


def test_the_dot_lies_on_the_curve(widget, sets):
    widget.pairs.value = "hard"
    widget.threshold.value = 0.5
    (x,), (y,) = widget.dot.get_data()
    scores, same = sets["hard"]
    curve = metrics.det(scores, same)
    assert np.hypot(deviate(curve.fmr) - x, deviate(curve.fnmr) - y).min() < 1e-9


def test_another_set_makes_another_picture_and_reset_brings_the_first_back(widget):
    first = pixels(widget)
    widget.threshold.value = 0.5
    moved = pixels(widget)
    widget.pairs.value = "hard"
    other = pixels(widget)
    assert (first != moved).any()
    assert (other != moved).any()
    widget.reset()
    assert (pixels(widget) == first).all()


def test_a_score_on_the_threshold_is_accepted_whatever_floats_do():
    scores, same = np.array([0.3, 0.1, 0.305, 0.0]), np.array([True, False, True, False])
    widget = Rates({"x": (scores, same)}, 0.3)
    assert widget.counts == (2, 0, 0, 2)
    widget.threshold.value = 0.305
    assert widget.counts == (1, 1, 0, 2)


def test_rates_of_zero_have_a_place_on_the_axes():
    assert np.isfinite(deviate(np.array([0.0, 1.0]))).all()
    assert deviate(0.0) == deviate(EDGE)
    assert deviate(0.5) == 0
