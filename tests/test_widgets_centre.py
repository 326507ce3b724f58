"""The slider for λ shows the plane trained with it, and λ does what the lesson says."""

import io

import numpy as np
import pytest
from PIL import Image

from facelab.course.widgets import fan
from facelab.course.widgets.centre import CentreLoss, train


@pytest.fixture(scope="module")
def widget():
    return CentreLoss(fan.faces(4, learn=20, keep=10), (0.0, 0.3, 100.0))


def test_each_step_shows_its_own_plane(widget):
    seen = set()
    for step, weight in enumerate(widget.weights):
        widget.step.value = step
        assert widget.error is None
        assert f"λ = {weight:g}:" in widget.screen.words
        seen.add(np.asarray(Image.open(io.BytesIO(widget.still_png()))).tobytes())
    assert len(seen) == 3


def test_a_moderate_lambda_tightens_people_and_a_huge_one_pushes_them_together(widget):
    ratio, apart = [], []
    for step in range(3):
        widget.step.value = step
        ratio.append(widget.apart / widget.inside)
        apart.append(widget.apart)
    assert ratio[1] > 2 * ratio[0]
    assert apart[2] < apart[1] < apart[0]


def test_the_same_start_gives_the_same_plane():
    toy = fan.faces(3, learn=10, keep=5)
    assert np.array_equal(train(toy, 0.1)[0], train(toy, 0.1)[0])
