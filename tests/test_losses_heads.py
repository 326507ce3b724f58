"""What must hold for every head: gradients, edges, precision, checkpoints, errors, shapes of the curves."""

import copy
import math

import pytest
import torch
from torch.nn import functional as F

from facelab.losses import (
    HEADS,
    AdaFace,
    AdaptiveFace,
    ArcFace,
    CombinedMargin,
    CosFace,
    ElasticFace,
    GroupFace,
    MagFace,
    MVSoftmax,
    SphereFace,
    SubCenterArcFace,
    max_margin_2d,
)
from facelab.losses.sphereface import psi

VARIANTS = {
    **{name: (kind, {}) for name, kind in HEADS.items()},
    "GroupFace": (GroupFace, {"K": 3, "hidden": 8}),
    "GroupFace hard": (GroupFace, {"K": 3, "hidden": 8, "hard": True}),
    "SphereFace m=3": (SphereFace, {"m": 3, "anneal": False}),
    "ArcFace easy": (ArcFace, {"easy_margin": True}),
    "ArcFace naive": (ArcFace, {"continuation": False}),
    "CombinedMargin (1.3, 0.3, 0.1)": (CombinedMargin, {"m1": 1.3, "m2": 0.3, "m3": 0.1}),
    "AdaptiveFace k=2": (AdaptiveFace, {"hard_prototypes": 2}),
    "MVSoftmax am": (MVSoftmax, {"kind": "am"}),
    "ElasticFace+": (ElasticFace, {"plus": True}),
    "ElasticFace cos": (ElasticFace, {"kind": "cos"}),
}


def build(name: str, dim: int = 6, classes: int = 5, seed: int = 0):
    torch.manual_seed(seed)
    kind, options = VARIANTS[name]
    return kind(dim, classes, **options)


def batch(size: int = 7, dim: int = 6, classes: int = 5, dtype=torch.float32, length: float = 12.0):
    generator = torch.Generator().manual_seed(1)
    x = length / math.sqrt(dim) * torch.randn(size, dim, generator=generator, dtype=torch.float64)
    return x.to(dtype), torch.randint(classes, (size,), generator=generator)


every_head = pytest.mark.parametrize("name", VARIANTS)


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """Tensors this small only lose time to a second thread."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@every_head
def test_gradients_are_those_of_finite_differences(name):
    head = build(name).double().eval()  # eval: nothing evolves between the evaluations
    x, y = batch(size=4, dtype=torch.float64)
    parameters = [p.detach().requires_grad_() for p in head.parameters()]
    names = [n for n, _ in head.named_parameters()]

    def loss(embeddings, *values):
        if isinstance(head, AdaFace):  # its quality is without gradient on purpose: hold the lengths still
            embeddings = 12 * F.normalize(embeddings, dim=1)
        return torch.func.functional_call(head, dict(zip(names, values, strict=True)), (embeddings, y))

    assert torch.autograd.gradcheck(loss, (x.requires_grad_(), *parameters), atol=1e-4, fast_mode=True)
    assert torch.autograd.gradcheck(lambda embeddings: loss(embeddings, *parameters), (x,), atol=1e-4)


@pytest.mark.parametrize("plus", [False, True])
def test_gradients_with_random_margins(plus):
    head = ElasticFace(6, 5, plus=plus).double()
    x, y = batch(size=4, dtype=torch.float64)

    def loss(embeddings):
        torch.manual_seed(5)  # the same draw for every evaluation
        return head(embeddings, y)

    assert torch.autograd.gradcheck(loss, (x.requires_grad_(),), atol=1e-4)


@every_head
def test_shapes_and_dtype(name):
    head = build(name)
    x, y = batch()
    loss = head(x, y)
    assert loss.shape == ()
    assert loss.dtype == torch.float32
    assert head.logits(x).shape == head.logits(x, y).shape == (7, 5)
    expected = (5, 3, 6) if isinstance(head, SubCenterArcFace) else (5, 6)
    assert head.weight.shape == expected


@every_head
def test_no_nan_where_the_angle_is_0_or_180_degrees(name):
    """Float32 cosines of a vector with itself exceed 1 in a quarter of cases: √(1 − cos²) would be NaN."""
    head = build(name, dim=64, classes=50)
    w = head.weight.detach().flatten(0, -2)[-50:] if head.weight.ndim == 3 else head.weight.detach()
    y = torch.arange(50)
    for x in (w * 17.3, -w * 17.3):
        x = x.clone().requires_grad_()
        head.zero_grad()
        loss = head(x, y)
        loss.backward()
        assert loss.isfinite()
        assert x.grad.isfinite().all()
        assert all(p.grad.isfinite().all() for p in head.parameters() if p.grad is not None)


@every_head
def test_a_zero_embedding_gives_finite_numbers_and_no_explosion(name):
    head = build(name)
    x, y = batch()
    x[2] = 0
    x.requires_grad_()
    loss = head(x, y)
    loss.backward()
    assert loss.isfinite()
    assert x.grad.isfinite().all()
    assert x.grad[2].abs().max() < 100  # dividing by max(‖x‖, 1e-12) makes this 1e12


@every_head
def test_batch_of_one(name):
    head = build(name)
    x, y = batch(size=1)
    x.requires_grad_()
    for _ in range(3):  # the second sees what the first has left in the buffers
        loss = head(x, y)
        loss.backward()
        assert loss.isfinite()
    assert x.grad.isfinite().all()
    assert all(buffer.isfinite().all() for buffer in head.buffers())


@every_head
def test_one_class(name):
    if name.startswith("AdaCos"):
        with pytest.raises(ValueError, match="3 or more"):
            build(name, classes=1)
        return
    if "k=2" in name:
        with pytest.raises(ValueError, match="of 1 classes"):
            build(name, classes=1)
        return
    head = build(name, classes=1)
    x, _ = batch()
    y = torch.zeros(7, dtype=torch.int64)
    loss = head(x.requires_grad_(), y)
    loss.backward()
    if isinstance(head, AdaptiveFace | GroupFace | MagFace):  # their second term does not depend on classes
        assert loss.item() > 0
    else:
        assert loss.item() == 0  # one class is always right
    assert x.grad.isfinite().all()


@pytest.mark.parametrize("name", [name for name in VARIANTS if "GroupFace" not in name])
def test_autocast_and_half_inputs_change_nothing(name):
    """bfloat16 embeddings, with and without autocast, give the loss of the same numbers in float32.

    (GroupFace's linear layers are meant to run in bfloat16 under autocast: it has a test of its own below.)
    """
    x, y = batch()
    for dtype in (torch.bfloat16, torch.float16):
        half = x.to(dtype)
        losses = []
        for embeddings, autocast in (
            (half.float(), False),
            (half, False),
            (half, True),
            (half.float(), True),
        ):
            head = build(name)
            embeddings = embeddings.clone().requires_grad_()
            torch.manual_seed(3)
            with torch.autocast("cpu", dtype=torch.bfloat16, enabled=autocast):
                loss = head(embeddings, y)
            loss.backward()
            assert loss.dtype == torch.float32
            assert embeddings.grad.dtype == embeddings.dtype
            losses.append((loss.item(), head.weight.grad))
        for loss, gradient in losses[1:]:
            assert loss == losses[0][0]
            torch.testing.assert_close(gradient, losses[0][1], rtol=0, atol=0)


def test_groupface_under_autocast_is_close_and_its_loss_is_float32():
    x, y = batch()
    torch.manual_seed(0)
    head = build("GroupFace")
    plain = head.eval()(x, y)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed = head(x, y)
    assert mixed.dtype == torch.float32
    assert mixed.item() == pytest.approx(plain.item(), rel=0.05)
    assert head(x.bfloat16(), y).dtype == torch.float32


def test_bfloat16_cosines_would_not_do():
    """Why the heads insist: with an 8-bit cosine ArcFace's loss is off by several units."""
    torch.manual_seed(0)
    w = F.normalize(torch.randn(200, 128), dim=1)
    x = F.normalize(w + 0.02 * torch.randn(200, 128), dim=1)
    exact = x.double() @ w.double().T
    coarse = (x.bfloat16() @ w.bfloat16().T).double()
    head = ArcFace(128, 200).eval()
    head.weight.data = w
    float32 = head.logits(x).double() / 64
    assert (coarse - exact).abs().max() * 64 > 0.1
    assert (float32 - exact).abs().max() * 64 < 1e-4


@every_head
def test_a_checkpoint_continues_where_it_was(name):
    """Train, save, load into a fresh head, go on: the same losses as without the interruption."""
    x, y = batch(size=9)
    head = build(name)
    for _ in range(3):
        head(x, y)
    saved = copy.deepcopy(head.state_dict())
    fresh = build(name, seed=123)
    fresh.load_state_dict(saved)
    for _ in range(2):
        torch.manual_seed(7)  # ElasticFace's margins
        expected = head(x, y)
        torch.manual_seed(7)
        assert torch.equal(fresh(x, y), expected)
    for key, value in head.state_dict().items():
        assert torch.equal(fresh.state_dict()[key], value), key


@every_head
def test_state_moves_in_training_only_and_not_by_looking(name):
    x, y = batch()
    head = build(name)
    before = copy.deepcopy(dict(head.named_buffers()))
    head.logits(x)
    head.logits(x, y)
    head.eval()
    head(x, y)
    for key, value in head.named_buffers():
        assert torch.equal(value, before[key]), key
    head.train()
    head(x, y)
    evolving = {"iteration", "s", "t", "expected", "batch_mean", "batch_std"} & set(before)
    for key in evolving:
        assert not torch.equal(dict(head.named_buffers())[key], before[key]), key


@every_head
def test_two_forwards_before_one_backward(name):
    """Gradient accumulation, or a Siamese pair: state that moves between must not spoil the first graph."""
    x, y = batch()
    head = build(name)
    x.requires_grad_()
    (head(x, y) + head(x * 1.5, y)).backward()
    assert x.grad.isfinite().all()


@every_head
def test_running_state_keeps_its_precision_in_a_half_precision_model(name):
    """A mean that moves by 1 % a step stands still in 8 bits."""
    head = build(name)
    x, y = batch()
    head(x, y)
    before = {key: value.clone() for key, value in head.named_buffers()}
    head.bfloat16()
    assert head.weight.dtype == torch.bfloat16
    for key, value in head.named_buffers():
        assert torch.equal(value, before[key]), key
        assert value.dtype == before[key].dtype
    assert head(x.bfloat16(), y).isfinite()
    assert all(value.dtype == torch.float64 for value in head.double().buffers() if value.is_floating_point())


@every_head
@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (torch.tensor([0, 1, 5]), "labels must lie in 0 … 4; got 0 … 5"),
        (torch.tensor([0, -1, 2]), "labels must lie in 0 … 4; got -1 … 2"),
        (torch.tensor([0, 1]), r"shape \(3,\)"),
        (torch.tensor([[0], [1], [2]]), r"shape \(3,\)"),
        (torch.tensor([0.0, 1.0, 2.0]), "must be integers"),
    ],
)
def test_wrong_labels_are_refused(name, labels, message):
    head = build(name)
    x, _ = batch(size=3)
    with pytest.raises(ValueError, match=message):
        head(x, labels)
    with pytest.raises(ValueError, match=message):
        head.logits(x, labels)


@every_head
def test_wrong_embeddings_are_refused(name):
    head = build(name)
    y = torch.zeros(3, dtype=torch.int64)
    with pytest.raises(ValueError, match="5 dimensions; this loss was built for 6"):
        head(torch.randn(3, 5), y)
    with pytest.raises(ValueError, match=r"\(B, D\)"):
        head(torch.randn(3, 6, 1), y)
    with pytest.raises(ValueError, match="floats"):
        head(torch.ones(3, 6, dtype=torch.int64), y)
    with pytest.raises(ValueError, match="B > 0"):
        head(torch.randn(0, 6), y[:0])


def test_int32_labels_are_taken():
    x, y = batch()
    head = ArcFace(6, 5)
    assert head(x, y.int()) == head(x, y)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ArcFace(0, 5), "embedding_dim=0"),
        (lambda: ArcFace(5, 5, s=0), "s=0"),
        (lambda: ArcFace(5, 5, gradient="none"), "'exact' or 'detached'"),
        (lambda: SphereFace(5, 5, m=1.5), "whole number"),
        (lambda: CombinedMargin(5, 5, m1=0), "m1=0"),
        (lambda: MVSoftmax(5, 5, kind="x"), "'arc' or 'am'"),
        (lambda: MVSoftmax(5, 5, t=0.9), "t=0.9"),
        (lambda: ElasticFace(5, 5, kind="x"), "'arc' or 'cos'"),
        (lambda: MagFace(5, 5, l_a=110, u_a=10), "l_a=110"),
        (lambda: SubCenterArcFace(5, 5, K=0), "K=0"),
    ],
)
def test_hyper_parameters_out_of_range(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("name", [name for name in VARIANTS if not name.startswith(("GroupFace", "Elastic"))])
def test_the_gpu_agrees_with_the_cpu_also_under_autocast(name, dtype):
    x, y = batch()
    x = x.to(dtype)
    head = build(name)
    expected = head(x, y)
    expected.backward()
    gradient = head.weight.grad
    head = build(name).cuda()
    with torch.autocast("cuda", dtype=dtype, enabled=dtype != torch.float32):
        loss = head(x.cuda(), y.cuda())
    loss.backward()
    assert loss.dtype == torch.float32
    torch.testing.assert_close(loss.detach().cpu(), expected.detach(), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(head.weight.grad.cpu(), gradient, rtol=1e-3, atol=1e-3)


# Curves

THETA = torch.linspace(0, math.pi, 2001, dtype=torch.float64)
FALLING = {
    "SphereFace": SphereFace(2, 5, anneal=False),
    "SphereFace annealed": SphereFace(2, 5),
    "CosFace": CosFace(2, 5),
    "ArcFace": ArcFace(2, 5),
    "ArcFace m=1.2": ArcFace(2, 5, m=1.2),
    "Combined": CombinedMargin(2, 5, m1=1.0, m2=0.3, m3=0.2),
    "Combined m1=0.9": CombinedMargin(2, 5, m1=0.9, m2=0.4, m3=0.15),
    "Combined m1=2.5": CombinedMargin(2, 5, m1=2.5, m2=0.4, m3=0.15),
    "MagFace": MagFace(2, 5),
    "ElasticFace": ElasticFace(2, 5),
    "MVSoftmax": MVSoftmax(2, 5),
}


@pytest.mark.parametrize("name", FALLING)
def test_the_target_logit_falls_with_the_angle(name):
    curve = FALLING[name].target_curve(THETA)
    assert (curve.diff() < 0).all()
    assert (curve <= THETA.cos() + 1e-12).all()  # a margin never helps


@pytest.mark.parametrize("quality", [-1.0, -0.5, 0.0, 0.5, 1.0])
def test_adafaces_logit_never_rises(quality):
    """It is flat where θ − mẑ leaves [0, π], and falls everywhere else."""
    curve = AdaFace(2, 5).target_curve(THETA, quality)
    assert (curve.diff() <= 1e-12).all()
    inside = (THETA - 0.4 * quality > 0) & (THETA - 0.4 * quality < math.pi)
    assert (curve[inside].diff() < 0).all()


def test_naive_arcface_rises_again_past_pi_minus_m():
    curve = ArcFace(2, 5, continuation=False).target_curve(THETA)
    rising = curve.diff() > 0
    assert rising.any()
    assert torch.equal(rising, THETA[:-1] + 0.5 * THETA[1] > math.pi - 0.5)


def test_the_easy_margin_jumps_up_at_90_degrees():
    head = ArcFace(2, 5, easy_margin=True)
    before, after = head.target_curve([math.pi / 2 - 1e-6, math.pi / 2 + 1e-6])
    assert float(after - before) == pytest.approx(math.sin(0.5), abs=1e-5)


def test_cos_m_theta_is_not_monotonic_and_psi_is():
    assert ((4 * THETA).cos().diff() > 0).any()
    values = psi(THETA.cos(), 4)
    assert (values.diff() < 0).all()
    assert float(values[0]) == pytest.approx(1)
    assert float(values[-1]) == pytest.approx(1 - 2 * 4)


def test_arcface_at_its_three_edges():
    head = ArcFace(2, 5)
    at_0, at_edge, at_pi = head.target_curve([0.0, math.pi - 0.5, math.pi])
    assert float(at_0) == pytest.approx(math.cos(0.5))
    assert float(at_edge) in (pytest.approx(-1), pytest.approx(-math.cos(0.5) - 0.5 * math.sin(0.5)))
    assert float(at_pi) == pytest.approx(-1 - 0.5 * math.sin(0.5))
    below, above = head.target_curve([math.pi - 0.5 - 1e-9, math.pi - 0.5 + 1e-9])
    assert float(below) == pytest.approx(-1)
    assert float(above) == pytest.approx(-math.cos(0.5) - 0.5 * math.sin(0.5))


def test_the_parents_of_the_combined_margin():
    x, y = batch(size=200, dim=2, dtype=torch.float64)

    def logits(head):
        torch.manual_seed(0)
        head = head.double()
        head.weight.data = torch.randn(5, 2, dtype=torch.float64)
        return head.logits(x, y)

    arc, cos = logits(ArcFace(2, 5)), logits(CosFace(2, 5))
    torch.testing.assert_close(logits(CombinedMargin(2, 5)), arc)
    torch.testing.assert_close(logits(CombinedMargin(2, 5, m2=0, m3=0.35)), cos)
    sphere = CombinedMargin(2, 5, m1=4, m2=0).target_curve(THETA)
    torch.testing.assert_close(sphere, psi(THETA.cos(), 4), atol=1e-9, rtol=0)


def test_exact_and_detached_gradient():
    """∂(s·T)/∂cos θ is s·sin(θ + m)/sin θ, and s when the angle is computed without gradient; same values."""
    for theta in (0.1, 0.5, 1.0, 2.0, math.pi - 0.5 - 0.01):
        cos = torch.tensor([math.cos(theta)], dtype=torch.float64, requires_grad=True)
        values, slopes = [], []
        for gradient in ("exact", "detached"):
            head = ArcFace(2, 5, gradient=gradient)
            value = head.s * head.target_logit(cos, 0.5)
            values.append(value.item())
            slopes.append(torch.autograd.grad(value.sum(), cos)[0].item())
        assert values[0] == pytest.approx(values[1])
        assert slopes[0] == pytest.approx(64 * math.sin(theta + 0.5) / math.sin(theta), rel=1e-9)
        assert slopes[1] == pytest.approx(64)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_gradient_at_the_clamp_is_finite_and_not_cut_off(dtype):
    """At cos θ = 1 it is that of sin θ = σ = √(4·eps), cos m + sin m/σ. Clamping the cosine makes it 0."""
    cos = torch.tensor([1.0], dtype=dtype, requires_grad=True)
    ArcFace(2, 5).target_logit(cos, 0.5).sum().backward()
    floor = math.sqrt(4 * torch.finfo(dtype).eps)
    assert cos.grad.item() == pytest.approx(math.cos(0.5) + math.sin(0.5) / floor, rel=1e-5)
    # A cosine that rounding has pushed past 1 keeps a value, and a slope.
    above = torch.tensor([1 + 2 * torch.finfo(dtype).eps], dtype=dtype, requires_grad=True)
    value = ArcFace(2, 5).target_logit(above, 0.5)
    value.sum().backward()
    assert value.item() == pytest.approx(math.cos(0.5), abs=1e-6)
    assert float(above.grad) > 1


def test_only_the_targets_column_is_touched():
    head = ArcFace(6, 5)
    x, y = batch()
    changed = head.logits(x, y) != head.logits(x)
    assert torch.equal(changed, F.one_hot(y, 5).bool())


def test_max_margin_2d():
    assert max_margin_2d("ArcFace", 8) == pytest.approx(2 * math.pi / 8)
    assert max_margin_2d("cosface", 10) == pytest.approx(1 - math.cos(2 * math.pi / 10))
    assert max_margin_2d(CosFace, 10) < 0.35 < max_margin_2d(CosFace, 7)
    assert max_margin_2d(MagFace(2, 3), 4) == max_margin_2d(ArcFace, 4)
    with pytest.raises(ValueError, match="SphereFace"):
        max_margin_2d(SphereFace, 4)
    with pytest.raises(ValueError, match="num_classes=1"):
        max_margin_2d(ArcFace, 1)


@pytest.mark.parametrize("kind", [ArcFace, CosFace])
@pytest.mark.parametrize("classes", [3, 8, 10])
def test_the_bound_is_where_a_perfect_sample_stops_winning(kind, classes):
    """Samples on the centres of C equispaced classes: right just below the bound, wrong just above."""
    a = torch.arange(classes, dtype=torch.float64) * 2 * math.pi / classes
    w, y = torch.stack([a.cos(), a.sin()], 1), torch.arange(classes)
    for factor, right in ((0.999, True), (1.001, False)):
        head = kind(2, classes, m=factor * max_margin_2d(kind, classes)).double()
        head.weight.data = w
        assert (head.logits(w, y).argmax(1) == y).all() == right
