"""The widget of lesson 04 draws what the losses compute."""

import math

import numpy as np
import pytest
import torch

from facelab import losses
from facelab.course.widgets import beyond
from facelab.course.widgets.beyond import ARCFACE, GRID, MAKERS, Beyond, Setting


@pytest.fixture(scope="module")
def widget():
    return Beyond()


@pytest.fixture(autouse=True)
def fresh(request):
    if "widget" in request.fixturenames:
        request.getfixturevalue("widget").reset()


@pytest.mark.parametrize("name", MAKERS)
def test_every_loss_is_drawn_with_its_own_sliders_only(widget, name):
    widget.loss.value = name
    assert widget.error is None
    shown = [
        control for controls in widget.own.values() for control in controls if control.layout.display is None
    ]
    assert shown == widget.own[name]
    assert name in widget.screen.words


@pytest.mark.parametrize("name", [name for name, sliders in Beyond().own.items() if sliders])
def test_each_slider_moves_the_picture(widget, name):
    widget.loss.value = name
    widget.rival.value = 40
    for control in reversed(widget.own[name]):  # a draw moves nothing once σ is 0
        picture = bytes(widget.screen.value)
        control.value = control.min if control.value != control.min else control.max
        assert widget.error is None
        assert bytes(widget.screen.value) != picture


def test_groupface_is_arcface_to_this_picture(widget):
    widget.loss.value = "GroupFace"
    numbers = widget.numbers()
    assert all(numbers[key] == numbers[f"{key} of ArcFace"] for key in ("T", "N", "pull"))


def test_what_differs_is_what_the_loss_changes(widget):
    """One scale for all but AdaCos; and MV-Softmax with t = 1 is ArcFace to all three pictures."""
    scales = {name: float(MAKERS[name](*defaults(widget, name)).head.s) for name in MAKERS}
    assert {name for name, s in scales.items() if s != 64} == {"AdaCos"}
    widget.loss.value, widget.t_mv.value, widget.rival.value = "MV-Softmax", 1.0, 20
    numbers = widget.numbers()
    for key in ("T", "N", "pull"):
        assert numbers[key] == pytest.approx(numbers[f"{key} of ArcFace"], abs=1e-12)


def defaults(widget, name: str) -> list:
    values = [control.value for control in widget.own[name]]
    return [*values, 3001] if name == "AdaCos" else values


def test_adaface_is_arcface_for_bad_images_and_cosface_in_the_middle():
    inside = torch.linspace(0, 2.7, 50, dtype=torch.float64)
    bad, middle = beyond.adaface(-4.0), beyond.adaface(0.0)
    arc, cos = losses.ArcFace(2, 3, m=0.4), losses.CosFace(2, 3, m=0.4)
    assert torch.allclose(beyond.target(bad, inside), arc.target_curve(inside), atol=1e-6)
    assert torch.allclose(beyond.target(middle, GRID), cos.target_curve(GRID), atol=1e-6)


def test_hard_rivals_count_as_the_papers_say():
    t, theta_j = torch.tensor(0.2, dtype=torch.float64), torch.tensor([0.5, 1.5], dtype=torch.float64)
    near, far = theta_j.cos().tolist()
    mv = beyond.rival(beyond.mvsoftmax(1.3), theta_j, t).tolist()
    assert mv == pytest.approx([1.3 * near + 0.3, far])
    curricular = beyond.rival(beyond.curricularface(0.25), theta_j, t).tolist()
    assert curricular == pytest.approx([near * (0.25 + near), far])


def test_adacos_has_the_slides_scale():
    assert float(beyond.adacos(90, 30001).head.s) == pytest.approx(14.579, abs=1e-3)
    assert float(beyond.adacos(45, 3001).head.s) == pytest.approx(11.323, abs=1e-3)


def test_sub_centres_take_the_nearest():
    setting = beyond.subcenter(3)
    at = torch.tensor([0.0, math.pi / 3, 2 * math.pi / 3], dtype=torch.float64)
    assert torch.allclose(beyond.target(setting, at), ARCFACE.target_curve(torch.zeros(3)))
    assert torch.equal(beyond.target(beyond.subcenter(1), GRID), ARCFACE.target_curve(GRID))


@pytest.mark.parametrize("name", ["CosFace", "ArcFace"])
def test_the_pull_is_the_slope_of_the_loss(name):
    """−dL/dθ_y / s by differences, with L from all C logits written out."""
    head, classes, theta_j = losses.HEADS[name](2, 3), 50, torch.tensor(1.1, dtype=torch.float64)
    theta = torch.tensor([0.3, 0.8, 1.2, 2.0], dtype=torch.float64)

    def loss(angle):
        t = head.target_curve(angle)
        others = [theta_j.cos().expand_as(t), *[torch.zeros_like(t)] * (classes - 2)]
        return torch.logsumexp(head.s * torch.stack([t, *others]), dim=0) - head.s * t

    step = 1e-5
    slope = (loss(theta + step) - loss(theta - step)) / (2 * step) / head.s
    assert torch.allclose(beyond.pull(Setting(head, None, ""), theta, theta_j, classes), slope, atol=1e-6)


def test_words_and_numbers_agree(widget):
    widget.loss.value = "MagFace"
    widget.norm.value = 110
    numbers = widget.numbers()
    assert f"T = {numbers['T']:.2f}" in widget.screen.words
    assert numbers["T"] == pytest.approx(np.cos(np.radians(50) + 0.8), abs=1e-6)
