"""Every head against its formula, written once more in plain Python (`math` in float64, no vectorisation).

Five classes in the plane; the sample turns from 0° to 180° away from its own class in steps of one degree.
"""

import math
from math import acos, cos, exp, floor, log, pi, radians, sin

import pytest
import torch

from facelab.losses import (
    AdaCos,
    AdaFace,
    AdaptiveFace,
    ArcFace,
    CombinedMargin,
    CosFace,
    CurricularFace,
    ElasticFace,
    MagFace,
    MarginHead,
    ModifiedSoftmax,
    MVSoftmax,
    Softmax,
    SphereFace,
    SubCenterArcFace,
)

DEGREES = range(181)
CENTRES = [radians(a) for a in (0, 50, 140, 200, 301)]  # directions of the five classes
LENGTHS = [1.0, 0.3, 2.0, 1.5, 0.7]  # of their weights: must not matter, except to Softmax


def norm_of(degree: int) -> float:
    """The sample's length: changes with the angle, and passes both ends of MagFace's range."""
    return 2.0 + 0.7 * degree


def samples() -> tuple[torch.Tensor, torch.Tensor]:
    x = [[norm_of(d) * cos(radians(d)), norm_of(d) * sin(radians(d))] for d in DEGREES]
    return torch.tensor(x, dtype=torch.float64), torch.zeros(181, dtype=torch.int64)


def centres() -> torch.Tensor:
    w = [[length * cos(a), length * sin(a)] for a, length in zip(CENTRES, LENGTHS, strict=True)]
    return torch.tensor(w, dtype=torch.float64)


def angles(degree: int) -> list[float]:
    """θ_j in [0, π] between the sample and each class."""
    return [acos(max(-1.0, min(1.0, cos(radians(degree) - a)))) for a in CENTRES]


def cross_entropy(logits: list[float]) -> float:
    """−log of the first one's share."""
    top = max(logits)
    return -(logits[0] - top - log(sum(exp(z - top) for z in logits)))


def arc(theta: float, m: float) -> float:
    return cos(theta + m) if theta <= pi - m else cos(theta) - m * sin(m)


def psi(theta: float, m: int) -> float:
    k = min(floor(m * theta / pi), m - 1)
    return (-1) ** k * cos(m * theta) - 2 * k


def soft(degree: int) -> list[float]:
    r, bias = norm_of(degree), [0.1, -0.2, 0.3, 0.0, 0.5]
    return [length * r * cos(t) + b for length, t, b in zip(LENGTHS, angles(degree), bias, strict=True)]


def modified(degree: int) -> list[float]:
    return [norm_of(degree) * cos(t) for t in angles(degree)]


def sphere(m: int, lam: float):
    def formula(degree: int) -> list[float]:
        theta, *others = angles(degree)
        target = (lam * cos(theta) + psi(theta, m)) / (1 + lam)
        return [norm_of(degree) * z for z in [target, *map(cos, others)]]

    return formula


def scaled(s: float, target):
    """s·[target(θ), cos θ_1, …]"""

    def formula(degree: int) -> list[float]:
        theta, *others = angles(degree)
        return [s * z for z in [target(theta), *map(cos, others)]]

    return formula


def combined(theta: float, m1: float, m2: float, m3: float) -> float:
    phi = m1 * theta + m2
    k = floor(phi / pi)
    return (-1) ** k * cos(phi) - 2 * k - m3


def with_negatives(s: float, target, hard):
    """As `scaled`, with `hard(cos θ_j)` for the others that beat the target's logit."""

    def formula(degree: int) -> list[float]:
        theta, *others = angles(degree)
        t = target(theta)
        return [s * t] + [s * (hard(cos(o)) if cos(o) > t else cos(o)) for o in others]

    return formula


def mag(degree: int) -> list[float]:
    a = min(max(norm_of(degree), 10.0), 110.0)
    m = 0.45 + (a - 10) * 0.35 / 100
    theta, *others = angles(degree)
    return [64 * z for z in [arc(theta, m), *map(cos, others)]]


def mag_penalty() -> float:
    total = 0.0
    for d in DEGREES:
        a = min(max(norm_of(d), 10.0), 110.0)
        total += a / 110**2 + 1 / a
    return 35 * total / 181


def ada(degree: int) -> list[float]:
    z = min(max((norm_of(degree) - 60) / (25 / 0.333), -1.0), 1.0)
    theta, *others = angles(degree)
    turned = min(max(theta - 0.4 * z, 0.0), pi)
    return [64 * q for q in [cos(turned) - (0.4 + 0.4 * z), *map(cos, others)]]


def build(head: MarginHead, **buffers) -> MarginHead:
    """In float64, with the centres above, in eval mode (so that nothing moves), with buffers as given."""
    head = head.double().eval()
    head.weight.data = centres()
    for name, value in buffers.items():
        getattr(head, name).data.copy_(torch.tensor(value, dtype=torch.float64))
    return head


BIAS = [0.1, -0.2, 0.3, 0.0, 0.5]
S_ADACOS = math.sqrt(2) * log(4)
CASES = {
    "Softmax": (lambda: build(Softmax(2, 5), bias=BIAS), soft),
    "ModifiedSoftmax": (lambda: build(ModifiedSoftmax(2, 5)), modified),
    "SphereFace m=4": (lambda: build(SphereFace(2, 5, anneal=False)), sphere(4, 0.0)),
    "SphereFace m=3": (lambda: build(SphereFace(2, 5, m=3, anneal=False)), sphere(3, 0.0)),
    "SphereFace m=1": (lambda: build(SphereFace(2, 5, m=1, anneal=False)), modified),
    "SphereFace annealed": (
        lambda: build(SphereFace(2, 5), iteration=100),
        sphere(4, 1000 / (1 + 0.12 * 100)),
    ),
    "CosFace": (lambda: build(CosFace(2, 5)), scaled(64, lambda t: cos(t) - 0.35)),
    "ArcFace": (lambda: build(ArcFace(2, 5)), scaled(64, lambda t: arc(t, 0.5))),
    "ArcFace detached": (
        lambda: build(ArcFace(2, 5, gradient="detached")),
        scaled(64, lambda t: arc(t, 0.5)),
    ),
    "ArcFace easy": (
        lambda: build(ArcFace(2, 5, easy_margin=True)),
        # at 90° itself cos(radians(90)) is 6·10⁻¹⁷ > 0
        scaled(64, lambda t: cos(t + 0.5) if cos(t) > 0 else cos(t)),
    ),
    "ArcFace naive": (lambda: build(ArcFace(2, 5, continuation=False)), scaled(64, lambda t: cos(t + 0.5))),
    "Combined as ArcFace": (
        lambda: build(CombinedMargin(2, 5, m2=0.3, m3=0.2)),
        scaled(64, lambda t: arc(t, 0.3) - 0.2),
    ),
    "Combined as SphereFace": (
        lambda: build(CombinedMargin(2, 5, m1=4, m2=0)),
        scaled(64, lambda t: psi(t, 4)),
    ),
    "Combined (0.9, 0.4, 0.15)": (
        lambda: build(CombinedMargin(2, 5, m1=0.9, m2=0.4, m3=0.15)),
        scaled(64, lambda t: combined(t, 0.9, 0.4, 0.15)),
    ),
    "Combined (1.35, 0.5, 0.1)": (
        lambda: build(CombinedMargin(2, 5, m1=1.35, m2=0.5, m3=0.1)),
        scaled(64, lambda t: combined(t, 1.35, 0.5, 0.1)),
    ),
    "AdaCos": (lambda: build(AdaCos(2, 5), s=S_ADACOS), scaled(S_ADACOS, cos)),
    "AdaptiveFace": (
        lambda: build(AdaptiveFace(2, 5), margins=[0.6, 0.1, 0.2, 0.3, 0.4]),
        scaled(30, lambda t: cos(t) - 0.6),
    ),
    "MVSoftmax arc": (
        lambda: build(MVSoftmax(2, 5)),
        with_negatives(32, lambda t: arc(t, 0.5), lambda c: 1.2 * c + 0.2),
    ),
    "MVSoftmax am, fixed": (
        lambda: build(MVSoftmax(2, 5, kind="am", t=1.3, adaptive=False)),
        with_negatives(32, lambda t: cos(t) - 0.35, lambda c: c + 0.3),
    ),
    "CurricularFace": (
        lambda: build(CurricularFace(2, 5), t=0.3),
        with_negatives(64, lambda t: arc(t, 0.5), lambda c: c * (0.3 + c)),
    ),
    "SubCenterArcFace K=1": (lambda: one_sub_centre(), scaled(64, lambda t: arc(t, 0.5))),
    "MagFace": (lambda: build(MagFace(2, 5)), mag),
    "ElasticFace arc": (lambda: build(ElasticFace(2, 5)), scaled(64, lambda t: arc(t, 0.5))),
    "ElasticFace cos": (lambda: build(ElasticFace(2, 5, kind="cos")), scaled(64, lambda t: cos(t) - 0.35)),
    "AdaFace": (lambda: build(AdaFace(2, 5), batch_mean=60.0, batch_std=25.0), ada),
}
PENALTIES = {"MagFace": mag_penalty(), "AdaptiveFace": 5 * (1 - (0.6 + 0.1 + 0.2 + 0.3 + 0.4) / 5)}


def one_sub_centre() -> SubCenterArcFace:
    head = SubCenterArcFace(2, 5, K=1).double().eval()
    head.weight.data = centres().unsqueeze(1)
    return head


@pytest.mark.parametrize("name", CASES)
def test_logits_and_loss_follow_the_formula_at_every_degree(name):
    make, formula = CASES[name]
    head = make()
    x, y = samples()
    rows = [formula(d) for d in DEGREES]
    expected = torch.tensor(rows, dtype=torch.float64)
    torch.testing.assert_close(head.logits(x, y), expected, rtol=0, atol=2e-6 * float(head.s))
    loss = sum(cross_entropy(row) for row in rows) / len(rows) + PENALTIES.get(name, 0.0)
    assert head(x, y).item() == pytest.approx(loss, abs=1e-5)


@pytest.mark.parametrize("name", [name for name in CASES if "Softmax" not in name or "MV" in name])
def test_the_target_curve_is_what_the_head_applies(name):
    """`target_curve` · s is the target's column of `logits`, for unit vectors and the typical margin."""
    head = CASES[name][0]()
    x, y = samples()
    x = x / x.norm(dim=1, keepdim=True)
    theta = torch.deg2rad(torch.arange(181, dtype=torch.float64))
    margin = None
    if isinstance(head, MagFace | AdaFace | AdaptiveFace):
        margin = head.sample_margin(theta.cos(), torch.ones(181, dtype=torch.float64), y)
    curve = head.target_curve(theta, margin).detach()
    torch.testing.assert_close(
        head.logits(x, y)[:, 0], curve * float(head.s), atol=2e-6 * float(head.s), rtol=0
    )


@pytest.mark.parametrize("name", CASES)
def test_without_labels_there_is_no_margin(name):
    head = CASES[name][0]()
    x, _ = samples()
    if name == "Softmax":
        expected = [soft(d) for d in DEGREES]
    elif isinstance(head, ModifiedSoftmax):
        expected = [modified(d) for d in DEGREES]
    else:
        expected = [[float(head.s) * cos(t) for t in angles(d)] for d in DEGREES]
    torch.testing.assert_close(head.logits(x), torch.tensor(expected, dtype=torch.float64), rtol=0, atol=1e-9)


def test_sub_centres_the_nearest_counts():
    """Two centres a class, at ±15° of it: the formula with θ_j to the nearer one."""
    head = SubCenterArcFace(2, 5, K=2).double().eval()
    offsets = (-radians(15), radians(15))
    head.weight.data = torch.tensor(
        [[[cos(a + o), sin(a + o)] for o in offsets] for a in CENTRES], dtype=torch.float64
    )
    x, y = samples()
    rows = []
    for d in DEGREES:
        cosines = [max(cos(radians(d) - a - o) for o in offsets) for a in CENTRES]
        rows.append([64 * arc(acos(min(1.0, cosines[0])), 0.5), *(64 * c for c in cosines[1:])])
    torch.testing.assert_close(head.logits(x, y), torch.tensor(rows, dtype=torch.float64), rtol=0, atol=1e-4)
