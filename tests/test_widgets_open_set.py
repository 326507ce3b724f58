"""One threshold over a growing gallery: the rates against plain counting."""

import numpy as np
import pytest

from facelab.course.widgets.open_set import OpenSet
from facelab.metrics import tpir_tnir

SIZES = (5, 20, 60)


def unit(vectors: np.ndarray) -> np.ndarray:
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture(scope="module")
def people():
    """60 people, new vectors of the first 40, and 50 strangers, in few dimensions: they do get mixed up."""
    random = np.random.default_rng(0)
    gallery = random.normal(size=(60, 6))
    probes = gallery[:40] + 0.7 * random.normal(size=(40, 6))
    return unit(gallery), unit(probes), unit(random.normal(size=(50, 6)))


@pytest.fixture(scope="module")
def once(people):
    return OpenSet(*people, sizes=SIZES, people=20, value=0.3)


@pytest.fixture
def widget(once):
    yield once
    once.reset()
    assert once.error is None


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("threshold", [0.0, 0.05, 0.3, 0.645, 1.2])
def test_the_rates_are_those_of_the_metrics(widget, people, size, threshold):
    gallery, probes, strangers = people
    widget.size.value, widget.threshold.value = size, threshold
    enrolled = probes[:size]
    cosines = np.concatenate([enrolled, strangers]) @ gallery[:size].T
    truth = [*range(len(enrolled)), *[None] * len(strangers)]
    tpir, tnir = tpir_tnir(cosines.argmax(axis=1), cosines.max(axis=1), truth, [1 - threshold])
    assert (widget.tpir, widget.tnir) == pytest.approx((tpir[0], tnir[0]))
    assert widget.fpir == pytest.approx(1 - widget.tnir)
    assert widget.fnir == pytest.approx(1 - widget.tpir)
    assert f"FPIR {widget.fpir:.1%}" in widget.screen.words
    assert f"TPIR {widget.tpir:.1%}" in widget.screen.words


def test_fpir_grows_with_the_gallery_and_with_the_threshold(widget):
    seen = []
    for size in SIZES:
        widget.size.value = size
        seen.append(widget.fpir)
    assert seen == sorted(seen)
    assert seen[0] < seen[-1]
    strict = widget.fpir
    widget.threshold.value = 0.6
    assert widget.fpir > strict


def test_every_mark_of_the_picture_stands_where_the_sliders_say(widget):
    before = widget.screen.value
    widget.threshold.value, widget.size.value = 0.5, 60
    assert widget.screen.value != before
    assert [line.get_xdata()[0] for line in widget.lines] == [0.5, 0.5, 60]
    assert [dot.get_ydata()[0] for dot in widget.dots] == pytest.approx([widget.tpir, widget.tnir])
    fpir, fnir = (curve.get_ydata()[-1] for curve in widget.growth)
    assert (fpir, fnir) == pytest.approx((widget.fpir, widget.fnir))


def test_reset_brings_both_sliders_back(widget):
    picture = widget.screen.value
    widget.threshold.value, widget.size.value = 0.9, 5
    widget.reset()
    assert (widget.threshold.value, widget.size.value) == (0.3, 20)
    assert widget.screen.value == picture
    assert "people enrolled 20" in widget.still_caption()
