"""The margin explorer and the gradient explorer against formulas and finite differences."""

import math

import numpy as np
import pytest

from facelab.course.widgets.margins import (
    PRESETS,
    GradientExplorer,
    MarginExplorer,
    border,
    combined,
    formula,
    half_region,
    probability_and_gradient,
    slack,
    softmax,
)
from facelab.losses import ArcFace, CosFace, SphereFace, max_margin_2d


@pytest.mark.parametrize("classes", [4, 5, 8, 10, 12])
@pytest.mark.parametrize("loss", ["ArcFace", "CosFace"])
def test_infeasible_begins_exactly_at_the_known_bound(loss, classes):
    most = max_margin_2d(loss, classes)
    for m, feasible in ((most - 1e-4, True), (most + 1e-4, False)):
        head = combined(1, m, 0) if loss == "ArcFace" else combined(1, 0, m)
        assert (slack(head, classes) >= 0) == feasible
        assert math.isnan(half_region(head, classes)) != feasible


def test_half_regions_are_those_of_the_formulas():
    between = 2 * math.pi / 8
    assert half_region(combined(1, 0, 0), 8) == pytest.approx(between / 2)
    assert half_region(combined(1, 0.5, 0), 8) == pytest.approx((between - 0.5) / 2)  # θ + m = 2π/C − θ
    assert half_region(combined(4, 0, 0), 8) == pytest.approx(between / 5)  # 4θ = 2π/C − θ
    half = half_region(combined(1, 0, 0.2), 8)
    assert math.cos(half) - 0.2 == pytest.approx(math.cos(between - half))


def test_a_factor_alone_is_feasible_for_any_number_of_classes():
    assert all(slack(combined(4, 0, 0), classes) > 0 for classes in range(2, 200))


def test_the_border_of_two_classes():
    theta = np.radians([0.0, 10.0, 40.0])
    assert border(ArcFace(2, 2, m=0.5), theta) == pytest.approx(theta + 0.5)
    assert border(SphereFace(2, 2, m=4, anneal=False), theta[:2]) == pytest.approx(4 * theta[:2])
    assert np.isnan(border(CosFace(2, 2, m=0.35), np.radians([170.0])))[0]


@pytest.mark.parametrize(
    ("head", "slope"),
    [
        (ArcFace(2, 2, s=16, m=0.4), lambda theta: np.sin(theta + 0.4)),
        (ArcFace(2, 2, s=16, m=0.4, gradient="detached"), np.sin),
        (CosFace(2, 2, s=16, m=0.3), np.sin),
    ],
)
def test_the_gradient_is_that_of_the_formula(head, slope):
    theta = np.radians([5.0, 30.0, 60.0, 90.0, 120.0])
    p, gradient = probability_and_gradient(head, theta, 100)
    logits = 16 * head.target_curve(theta).numpy()
    assert p == pytest.approx(np.exp(logits) / (np.exp(logits) + 99))
    assert gradient == pytest.approx((1 - p) * 16 * slope(theta), rel=1e-6)


def test_scale_demo_of_the_slides():
    cosines = np.array([1.0, 0.8, 0.6, 0.4, 0.2])
    for s, first in ((1, 0.287), (2, 0.381), (5, 0.636), (10, 0.865)):
        direct = np.exp(s * cosines) / np.exp(s * cosines).sum()
        assert softmax(s * cosines) == pytest.approx(direct)
        assert direct[0] == pytest.approx(first, abs=5e-4)


@pytest.mark.parametrize(
    ("ms", "words"),
    [
        ((1, 0, 0), "cos θ"),
        ((1, 0.5, 0), "cos(θ + 0.5)"),
        ((1, 0, 0.35), "cos θ − 0.35"),
        ((0.9, 0.4, 0.15), "cos(0.9θ + 0.4) − 0.15"),
    ],
)
def test_the_formula_in_words(ms, words):
    assert formula(*ms) == words


def test_the_margin_explorer_follows_its_sliders():
    widget = MarginExplorer()
    assert widget.feasible
    before = widget.screen.value
    widget.m2.value = 0.7
    assert widget.screen.value != before
    assert math.degrees(widget.half) == pytest.approx((45 - math.degrees(0.7)) / 2)
    widget.m2.value = 0.8
    assert not widget.feasible
    assert "infeasible in 2-D" in widget.screen.words
    widget.classes.value = 7
    assert widget.feasible
    assert widget.error is None


def test_presets_set_the_sliders_and_sliders_leave_the_preset():
    widget = MarginExplorer()
    for name, wanted in PRESETS.items():
        widget.preset.value = name
        assert (widget.m1.value, widget.m2.value, widget.m3.value) == wanted
        assert widget.preset.value == name
    widget.m1.value = 2.0
    assert widget.preset.value == "my own mixture"
    assert (widget.m2.value, widget.m3.value) == wanted[1:]
    assert widget.error is None


def test_the_gradient_explorer():
    widget = GradientExplorer(s=64, m=0.5)
    assert widget.pull[60] > 60
    assert widget.pull[10] > widget.detached[10]
    widget.scale.value = 1
    assert widget.p.max() < 0.01  # a thousand classes: e¹ against 999
    widget.kind.value = "CosFace"
    assert widget.pull == pytest.approx(widget.detached)
    assert widget.error is None
