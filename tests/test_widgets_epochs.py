"""The epochs widget shows the frame that the slider asks for, and says its measures."""

import io

import numpy as np
import pytest
from PIL import Image

from facelab.course import lesson01
from facelab.course.widgets.epochs import Epochs, fitted, flat


@pytest.fixture(scope="module")
def data():
    return lesson01.digits()


@pytest.fixture
def widget(data):
    random = np.random.default_rng(0)
    runs = [
        lesson01.Run(method, seed, [random.normal(size=(1797, 2)).astype(np.float32) for _ in range(4)])
        for method in ("softmax", "contrastive")
        for seed in (0, 1)
    ]
    return Epochs(data, runs)


def test_starts_at_the_last_epoch(widget):
    assert widget.error is None
    assert widget.epoch.value == widget.epoch.max == 3
    assert "Epoch 3, seed 0" in widget.screen.words


def test_the_picture_and_the_words_follow_both_controls(widget, data):
    seen = set()
    for epoch in (0, 2):
        for seed in (0, 1):
            with widget.together():
                widget.epoch.value, widget.seed.value = epoch, seed
            assert widget.error is None
            known, strange = lesson01.both(widget.runs["contrastive", seed].frames[epoch], data)
            assert f"contrastive: two learnt digits told apart {known:.0%}, never learnt {strange:.0%}" in (
                widget.screen.words
            )
            seen.add(widget.screen.value)
    assert len(seen) == 4
    assert np.asarray(Image.open(io.BytesIO(widget.screen.value))).std() > 10


def test_fitted_keeps_shapes_and_fills_the_panel():
    points = np.array([[5.0, 5.0], [9.0, 6.0], [7.0, 5.5]])
    got = fitted(points)
    assert np.abs(got).max() == pytest.approx(0.95)
    assert np.ptp(got[:, 0]) / np.ptp(got[:, 1]) == pytest.approx(4)
    assert np.isfinite(fitted(np.zeros((3, 2)))).all()


def test_flat_takes_the_directions_of_most_variance():
    random = np.random.default_rng(0)
    vectors = random.normal(size=(200, 6)) * [1, 9, 1, 5, 1, 1]
    assert flat(vectors).std(axis=0) == pytest.approx([9, 5], rel=0.15)
