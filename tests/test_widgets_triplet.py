"""The draggable triplet: against autograd and the loss that trains; JavaScript against Python."""

import io
import itertools
import json
import shutil
import subprocess

import numpy as np
import pytest
import torch
import traitlets
from PIL import Image

from facelab.course.widgets.triplet import LIMIT, POINTS, RATE, START, Triplet, measure, on_circle
from facelab.losses import TripletLoss

RANDOM = np.random.default_rng(0)
CASES = [
    (RANDOM.uniform(-1.2, 1.2, (3, 2)), float(margin), bool(circle))
    for margin in (0.0, 0.2, 0.7)
    for circle in (False, True)
    for _ in range(20)
]


@pytest.mark.parametrize("circle", [False, True])
def test_loss_and_gradients_are_those_of_autograd(circle):
    kinds = set()
    for points, margin, _ in CASES:
        shown = torch.tensor(
            np.array([on_circle(x) for x in points] if circle else points), requires_grad=True
        )
        x = torch.nn.functional.normalize(shown, dim=1) if circle else shown
        loss = ((x[0] - x[1]) ** 2).sum() - ((x[0] - x[2]) ** 2).sum() + margin
        loss = loss.clamp_min(0)
        loss.backward()
        got = measure(*points, margin, circle)
        assert got.loss == pytest.approx(loss.item())
        assert np.allclose(got.gradients, shown.grad.numpy(), atol=1e-9)
        kinds.add(got.kind)
    assert kinds == {"easy", "semi-hard", "hard"}


def test_the_loss_is_the_one_that_trains():
    """A batch of these three photos has two triplets; with the positive as anchor, the other."""
    for points, margin, circle in CASES:
        if margin == 0:
            continue
        a, p, n = points
        batch = torch.tensor(np.array(points))
        trained = TripletLoss(margin, "all", normalize=circle)(batch, torch.tensor([0, 0, 1])).item()
        both = measure(a, p, n, margin, circle).loss + measure(p, a, n, margin, circle).loss
        assert trained == pytest.approx(both / 2)


def test_the_push_of_the_negative_fades_as_it_comes_near():
    lengths = [
        np.linalg.norm(measure((0, 0), (0.5, 0), (0, y), 0.2).gradients[2]) for y in (0.4, 0.2, 0.1, 0.0)
    ]
    assert lengths == pytest.approx([0.8, 0.4, 0.2, 0.0])


def test_a_collapsed_triplet_costs_the_margin_and_has_no_gradient():
    for circle in (False, True):
        got = measure((1, 0), (1, 0), (1, 0), 0.3, circle)
        assert got.loss == pytest.approx(0.3)
        assert np.abs(got.gradients).max() == 0


@pytest.mark.parametrize("circle", [False, True])
def test_steps_make_the_triplet_easy(circle):
    widget = Triplet(circle=circle)
    assert widget.loss > 0
    losses = [widget.loss]
    for _ in range(12):
        widget.step()
        losses.append(widget.loss)
    assert losses[-1] == 0
    assert widget.kind == "easy"
    assert all(after <= before for before, after in itertools.pairwise(losses))
    if circle:
        assert np.linalg.norm(widget.places, axis=1) == pytest.approx(np.ones(3))


@pytest.mark.parametrize("place", [(2.0, 0), (0, -1.3), (float("nan"), 0), (1,), "ab", None])
def test_a_point_outside_the_picture_is_refused(place):
    with pytest.raises(traitlets.TraitError):
        Triplet().negative = place


def test_the_stored_picture_and_its_caption():
    widget = Triplet(margin=0.5)
    data, _ = widget._repr_mimebundle_()
    assert "α = 0.50" in data["text/plain"]
    assert widget.kind in data["text/plain"]
    picture = np.asarray(Image.open(io.BytesIO(widget.still_png())))
    widget.negative = (1.2, 1.0)
    assert (np.asarray(Image.open(io.BytesIO(widget.still_png()))) != picture).any()


TWIN = """
import { readFileSync } from "node:fs";
const code = readFileSync(process.argv[1], "utf8");
const twin = await import("data:text/javascript;base64," + Buffer.from(code).toString("base64"));
const cases = JSON.parse(readFileSync(0, "utf8"));
const { RATE, LIMIT, START } = twin;
const results = cases.map(([points, margin, circle]) => ({
    ...twin.measure(points, margin, circle), moved: twin.step(points, margin, circle),
}));
console.log(JSON.stringify({ RATE, LIMIT, START, results }));
"""


def compare(twin: dict) -> None:
    """What the JavaScript module gave for CASES against what Python gives."""
    assert twin["RATE"] == RATE
    assert tuple(twin["LIMIT"]) == LIMIT
    assert {name: tuple(place) for name, place in twin["START"].items()} == START
    for (points, margin, circle), got in zip(CASES, twin["results"], strict=True):
        wanted = measure(*points, margin, circle)
        assert got["kind"] == wanted.kind
        for name in ("d1", "d2", "loss"):
            assert got[name] == pytest.approx(getattr(wanted, name), abs=1e-12)
        assert np.allclose(got["gradients"], wanted.gradients, atol=1e-12)
        widget = Triplet(**dict(zip(POINTS, points.tolist(), strict=True)), margin=margin, circle=circle)
        widget.step()
        assert np.allclose(got["moved"], widget.places, atol=1e-12)


def plain_cases() -> list:
    return [(points.tolist(), margin, circle) for points, margin, circle in CASES]


@pytest.mark.skipif(shutil.which("node") is None, reason="no node; the browser test compares the twins too")
def test_javascript_gives_what_python_gives():
    command = ["node", "--input-type=module", "-e", TWIN, str(Triplet._esm._path)]
    done = subprocess.run(
        command, input=json.dumps(plain_cases()), capture_output=True, text=True, check=True
    )
    compare(json.loads(done.stdout))
