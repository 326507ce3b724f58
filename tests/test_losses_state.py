"""What evolves, what is random, what is learnt besides the weights; and the golden numbers of the slides."""

import math

import pytest
import torch

from facelab.losses import (
    AdaCos,
    AdaFace,
    AdaptiveFace,
    AdaptiveSampler,
    ArcFace,
    CosFace,
    CurricularFace,
    ElasticFace,
    GroupFace,
    MagFace,
    MVSoftmax,
    SphereFace,
    SubCenterArcFace,
    fixed_scale,
    nearest_prototypes,
    probabilities,
    target_probability,
)
from facelab.losses.head import unit


def batch(size: int = 64, dim: int = 8, classes: int = 6, length: float = 10.0, seed: int = 1):
    generator = torch.Generator().manual_seed(seed)
    x = length / math.sqrt(dim) * torch.randn(size, dim, generator=generator)
    return x, torch.randint(classes, (size,), generator=generator)


def target_cosines(head, x, y):
    return (unit(x)[0] * unit(head.weight.detach())[0][y]).sum(1)


# The slides' numbers


@pytest.mark.parametrize(("others", "scale"), [(30000, "14.579"), (3000, "11.323")])
def test_adacos_fixed_scale(others, scale):
    assert f"{fixed_scale(others + 1):.3f}" == scale
    assert f"{float(AdaCos(2, others + 1, dynamic=False).s):.3f}" == scale


@pytest.mark.parametrize("s", [1, 2, 5, 10])
def test_scale_demo(s):
    cosines = [1.0, 0.8, 0.6, 0.4, 0.2]
    e = [math.exp(s * c) for c in cosines]
    assert probabilities(cosines, s).tolist() == pytest.approx([v / sum(e) for v in e], abs=1e-12)


def test_scale_demo_as_printed():
    """To three digits: a larger scale makes the largest cosine win."""
    cosines = [1.0, 0.8, 0.6, 0.4, 0.2]
    assert [f"{probabilities(cosines, s)[0]:.3f}" for s in (1, 2, 5, 10)] == [
        "0.287",
        "0.381",
        "0.636",
        "0.865",
    ]


# SphereFace: λ


def test_spherefaces_schedule():
    head = SphereFace(8, 6)
    x, y = batch()
    for step in range(1, 4):
        head(x, y)
        assert float(head.lam) == pytest.approx(1000 / (1 + 0.12 * step))
    for iteration, lam in ((1658, 1000 / (1 + 0.12 * 1658)), (1659, 5.0), (10**7, 5.0)):
        head.iteration.fill_(iteration)
        assert float(head.lam) == pytest.approx(lam)
    assert 1000 / (1 + 0.12 * 1658) > 5


def test_spherefaces_margin_grows_as_lambda_falls():
    head = SphereFace(8, 6)
    early = head.target_curve(0.7)
    head.iteration.fill_(1000)
    late = head.target_curve(0.7)
    full = SphereFace(8, 6, anneal=False).target_curve(0.7)
    assert math.cos(0.7) > early > late > full


# AdaCos: s


def test_adacos_dynamic_scale():
    head = AdaCos(8, 6)
    x, y = batch()
    s = float(head.s)
    cos = (unit(x)[0] @ unit(head.weight.detach())[0].T).tolist()
    b = sum(math.exp(s * c) for i, row in enumerate(cos) for j, c in enumerate(row) if j != y[i]) / len(y)
    thetas = sorted(math.acos(row[y[i]]) for i, row in enumerate(cos))
    median = thetas[(len(thetas) - 1) // 2]  # torch's median: the lower of the two in the middle
    head(x, y)
    assert float(head.s) == pytest.approx(math.log(b) / math.cos(min(math.pi / 4, median)), rel=1e-5)


def test_adacos_uses_the_median_angle_once_it_is_below_45_degrees():
    head = AdaCos(8, 6)
    y = torch.arange(6).repeat(4)
    x = head.weight.detach()[y] + 0.05 * torch.randn(24, 8)
    before = head.s.clone()
    cos = unit(x)[0] @ unit(head.weight.detach())[0].T
    others = torch.exp(before * cos)
    others[torch.arange(24), y] = 0
    theta = target_cosines(head, x, y).acos().median()
    assert theta < math.pi / 4
    head(x, y)
    assert head.s.item() == pytest.approx((others.sum() / 24).log().item() / theta.cos().item(), rel=1e-4)


def test_adacos_fixed_never_moves():
    head = AdaCos(8, 6, dynamic=False)
    head(*batch())
    assert head.s.item() == pytest.approx(fixed_scale(6))


def test_adacos_dynamic_scale_never_turns_negative():
    """Three centres in one place, everybody opposite: B = 2·e^{−s} < 1, and ln B is negative."""
    head = AdaCos(2, 3)
    head.weight.data = torch.tensor([[1.0, 0.0]]).repeat(3, 1)
    assert 2 * math.exp(-fixed_scale(3)) < 1
    head(torch.tensor([[-1.0, 0.0]]), torch.tensor([0]))
    assert head.s.item() == pytest.approx(fixed_scale(3))


def test_adacos_needs_three_classes():
    with pytest.raises(ValueError, match="3 or more"):
        AdaCos(8, 2)


def test_target_probability():
    """At the fixed scale the probability at 45° is 1/2: e^{s cos 45°} = C − 1."""
    assert float(target_probability(math.pi / 4, fixed_scale(3001), 3000)) == pytest.approx(0.5)


# CurricularFace: t


def test_curricularfaces_t():
    head = CurricularFace(8, 6)
    assert head.t == 0
    t = 0.0
    for seed in range(5):
        x, y = batch(seed=seed)
        t = 0.99 * t + 0.01 * target_cosines(head, x, y).mean().item()
        head(x, y)
        assert float(head.t) == pytest.approx(t, abs=1e-7)


def test_curricularface_plays_hard_negatives_down_first_and_up_later():
    head = CurricularFace(8, 6)
    cos = torch.tensor([0.3, 0.6])
    early = head.hard_logit(cos)
    head.t.fill_(0.8)
    late = head.hard_logit(cos)
    assert (early < cos).all()
    assert (late > cos).all()
    assert torch.allclose(late, cos * (0.8 + cos))


def test_mvsoftmax_with_t_1_is_its_parent():
    x, y = batch()
    for kind, parent in (("arc", ArcFace), ("am", CosFace)):
        torch.manual_seed(0)
        head = MVSoftmax(8, 6, kind=kind, t=1.0)
        torch.manual_seed(0)
        assert torch.equal(head.logits(x, y), parent(8, 6, s=32).logits(x, y))


def test_mvsoftmax_raises_only_the_negatives_that_beat_the_target():
    x, y = batch()
    head = MVSoftmax(8, 6)
    plain, logits = head.logits(x), head.logits(x, y)
    target = logits.gather(1, y.unsqueeze(1))
    hard = (plain > target).scatter(1, y.unsqueeze(1), False)
    assert hard.any()
    assert not hard.all()
    raised = logits > plain + 1e-6
    assert torch.equal(raised, hard)


# AdaFace: μ, σ, ẑ


def test_adafaces_statistics():
    head = AdaFace(8, 6, t_alpha=0.01)
    mean, std = 20.0, 100.0
    for seed in range(3):
        x, y = batch(seed=seed, length=7.0 + seed)
        norms = x.norm(dim=1).tolist()
        m = sum(norms) / len(norms)
        s = math.sqrt(sum((n - m) ** 2 for n in norms) / (len(norms) - 1))
        mean, std = 0.99 * mean + 0.01 * m, 0.99 * std + 0.01 * s
        head(x, y)
        assert float(head.batch_mean) == pytest.approx(mean, rel=1e-5)
        assert float(head.batch_std) == pytest.approx(std, rel=1e-5)
        z = [min(max((n - mean) / (std / 0.333), -1), 1) for n in norms]
        assert head.quality_of(x.norm(dim=1)).tolist() == pytest.approx(z, abs=1e-5)


def test_adafaces_quality_carries_no_gradient():
    """The loss does not push the length: ∂L/∂x is at right angles to x. MagFace's is not."""
    x, y = batch(length=30.0)
    for kind, still in ((AdaFace, True), (MagFace, False)):
        head = kind(8, 6)
        e = x.clone().requires_grad_()
        head(e, y).backward()
        along = (e.grad * unit(x)[0]).sum(1).abs().max() / e.grad.norm(dim=1).max()
        assert (along < 1e-5) == still


def test_adafaces_single_sample_leaves_the_deviation_alone():
    head = AdaFace(8, 6)
    x, y = batch(size=1)
    head(x, y)
    assert head.batch_std == 100
    assert head.batch_mean != 20


def test_adaface_is_arcface_for_bad_images_and_cosface_for_average_ones():
    theta = torch.linspace(0, math.pi - 0.41, 100, dtype=torch.float64)
    head = AdaFace(8, 6, m=0.4)
    torch.testing.assert_close(head.target_curve(theta, -1.0), (theta + 0.4).cos())
    torch.testing.assert_close(head.target_curve(theta, 0.0), theta.cos() - 0.4)


# MagFace: λ_g and its bound


def test_magfaces_bound():
    head = MagFace(8, 6)
    assert f"{head.lambda_g_bound:.1f}" == "22.6"
    assert head.lambda_g > head.lambda_g_bound > 20


def test_magfaces_margin_and_regulariser():
    head = MagFace(8, 6)
    a = torch.tensor([1.0, 10.0, 60.0, 110.0, 500.0])
    torch.testing.assert_close(head.margin_of(a), torch.tensor([0.45, 0.45, 0.625, 0.8, 0.8]))
    inside = torch.linspace(10, 110, 50)
    assert (head.g(inside).diff() < 0).all()


def optimal_length(lambda_g: float, theta: float) -> float:
    """The length at which MagFace's loss of one sample at the angle θ is smallest, on a grid."""
    head = MagFace(2, 8, lambda_g=lambda_g).double()
    others = torch.arange(1, 8, dtype=torch.float64) * 2 * math.pi / 8
    angle = torch.cat([torch.tensor([theta], dtype=torch.float64), others])
    head.weight.data = torch.stack([angle.cos(), angle.sin()], 1)
    lengths = torch.linspace(10, 110, 201, dtype=torch.float64)
    direction = torch.tensor([[1.0, 0.0]], dtype=torch.float64)
    losses = [float(head(a * direction, torch.tensor([0])).detach()) for a in lengths]
    return float(lengths[losses.index(min(losses))])


def test_magface_gives_easy_samples_a_longer_feature():
    assert optimal_length(35, 0.05) > optimal_length(35, 0.4)


# ElasticFace


def test_elasticfaces_margins_are_normal_in_training_and_fixed_in_evaluation():
    head = ElasticFace(8, 6)
    cos = torch.zeros(20000)
    torch.manual_seed(0)
    margins = head.sample_margin(cos, cos, cos)
    assert margins.mean().item() == pytest.approx(0.5, abs=0.002)
    assert margins.std().item() == pytest.approx(0.05, rel=0.03)
    assert head.eval().sample_margin(cos, cos, cos) == 0.5
    assert ElasticFace(8, 6, kind="cos").m == 0.35


def test_elasticface_plus_gives_the_largest_margin_to_the_smallest_cosine():
    head = ElasticFace(8, 6, plus=True)
    cos = torch.rand(50, generator=torch.Generator().manual_seed(0)) * 2 - 1
    torch.manual_seed(3)
    margins = head.sample_margin(cos, cos, cos)
    assert torch.equal(margins[cos.argsort()], margins.sort(descending=True).values)
    torch.manual_seed(3)
    drawn = 0.5 + 0.05 * torch.randn(50)
    assert torch.equal(drawn.sort().values, margins.sort().values)  # the same draws, in another order
    # Indexing with the argsort instead of its inverse, as a published version does, is no order at all.
    wrong = drawn.sort().values[cos.argsort(descending=True)]
    assert torch.corrcoef(torch.stack([wrong, cos]))[0, 1].abs() < 0.5
    assert torch.corrcoef(torch.stack([margins, cos]))[0, 1] < -0.9


def test_elasticface_plus_end_to_end():
    """In the logits: the sample with the smallest target cosine is moved by the largest angle."""
    head = ElasticFace(8, 6, plus=True).double()
    x, y = batch(size=20)
    x = x.double()
    cos = target_cosines(head, x, y)
    moved = (head.logits(x, y).detach()[torch.arange(20), y] / 64).clamp(-1, 1).acos() - cos.acos()
    ordinary = cos > -math.cos(0.5 + 0.2)  # not on the continuation
    order = cos[ordinary].argsort()
    assert (moved[ordinary][order].diff() <= 1e-9).all()


# AdaptiveFace


def test_adaptiveface_rare_classes_learn_larger_margins():
    """900 samples of class 0, 30 of class 1, both at the same angles to their centres."""
    head = AdaptiveFace(2, 2, lambda_m=5.0).double()
    head.weight.data = torch.eye(2, dtype=torch.float64)
    head.weight.requires_grad_(False)
    y = torch.tensor([0] * 900 + [1] * 30)
    theta = 0.5 * torch.rand(930, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    theta = torch.where(y == 0, theta, math.pi / 2 - theta)
    x = torch.stack([theta.cos(), theta.sin()], 1)
    optimiser = torch.optim.SGD([head.margins], lr=0.02)
    for _ in range(300):
        optimiser.zero_grad()
        head(x, y).backward()
        optimiser.step()
    head(x, y)  # brings the margins back into [0, 1]
    common, rare = head.margins.tolist()
    assert 0 <= common < rare - 0.1 <= 1


def test_adaptiveface_margins_are_held_in_their_range():
    head = AdaptiveFace(8, 6)
    head.margins.data = torch.tensor([-0.5, 0.5, 1.7, 0.2, 0.3, 0.4])
    x, y = batch()
    head(x, y)
    assert head.margins.tolist() == pytest.approx([0.0, 0.5, 1.0, 0.2, 0.3, 0.4])


def test_nearest_prototypes_against_a_loop():
    w = torch.randn(23, 5, generator=torch.Generator().manual_seed(0))
    nearest = nearest_prototypes(w, 4, chunk=7)
    cos = unit(w)[0] @ unit(w)[0].T
    for i in range(23):
        others = sorted((j for j in range(23) if j != i), key=lambda j: -cos[i, j])
        assert nearest[i].tolist() == others[:4]


def test_hard_prototypes_keep_the_batchs_classes_and_their_neighbours():
    """The loss is the softmax over just the chosen classes; with k = C − 1 it is the whole loss."""
    x, y = batch(size=5, classes=40)
    torch.manual_seed(0)
    head = AdaptiveFace(8, 40, hard_prototypes=3)
    chosen = sorted({*y.tolist(), *head.neighbours[y].flatten().tolist()})
    logits = head.logits(x, y)[:, chosen]
    local = torch.tensor([chosen.index(c) for c in y.tolist()])
    expected = torch.nn.functional.cross_entropy(logits, local) + 5 * (1 - 0.35)
    loss = head(x, y)
    torch.testing.assert_close(loss, expected)
    loss.backward()
    untouched = [c for c in range(40) if c not in chosen]
    assert untouched
    assert (head.weight.grad[untouched] == 0).all()

    torch.manual_seed(0)
    full = AdaptiveFace(8, 40)
    torch.manual_seed(0)
    torch.testing.assert_close(AdaptiveFace(8, 40, hard_prototypes=39)(x, y), full(x, y))


def test_prototypes_are_found_anew():
    head = AdaptiveFace(8, 40, hard_prototypes=3)
    before = head.neighbours.clone()
    head.weight.data = torch.randn(40, 8, generator=torch.Generator().manual_seed(9))
    head.refresh_prototypes()
    assert not torch.equal(head.neighbours, before)
    assert torch.equal(head.neighbours, nearest_prototypes(head.weight, 3))
    with pytest.raises(ValueError, match="hard_prototypes"):
        AdaptiveFace(8, 40).refresh_prototypes()


def test_adaptive_sampler_shows_hard_samples_more_often():
    sampler = AdaptiveSampler(1000, decay=0.5, floor=0.1)
    assert len(list(sampler)) == 1000
    everyone = torch.arange(1000)
    for _ in range(10):
        sampler.update(everyone, everyone >= 100)  # the first hundred are always wrong
    assert sampler.weights[:100].eq(1).all()
    assert sampler.weights[100:].eq(0.1).all()
    drawn = torch.tensor([i for _ in range(20) for i in sampler])
    share = (drawn < 100).float().mean().item()
    assert share == pytest.approx(100 / (100 + 90), abs=0.02)
    sampler.update(torch.tensor([200]), torch.tensor([False]))
    assert sampler.weights[200] == 1


def test_adaptive_sampler_is_seeded_and_resumes():
    a, b = AdaptiveSampler(50, seed=3), AdaptiveSampler(50, seed=3)
    assert list(a) == list(b)
    a.update(torch.arange(10), torch.ones(10, dtype=torch.bool))
    c = AdaptiveSampler(50, seed=99)
    c.load_state_dict(a.state_dict())
    assert list(c) == list(a)
    with pytest.raises(ValueError, match="decay=1"):
        AdaptiveSampler(50, decay=1)


# GroupFace


def test_groupfaces_embedding_is_instance_plus_weighted_groups():
    head = GroupFace(8, 6, K=3, feature_dim=5, hidden=4).eval()
    f, _ = batch(dim=5)
    with torch.no_grad():
        instance = head.instance(f)
        p = head.decide(instance).softmax(1)
        w, b = head.groups.weight.view(3, 8, 5), head.groups.bias.view(3, 8)
        expected = instance.clone()
        for k in range(3):
            expected += p[:, k : k + 1] * (f @ w[k].T + b[k])
        torch.testing.assert_close(head.embed(f), expected)
        head.hard = True
        best = p.argmax(1)
        one = torch.stack([p[i, k] * (w[k] @ f[i] + b[k]) for i, k in enumerate(best)])
        torch.testing.assert_close(head.embed(f), instance + one)


def test_groupfaces_labels_spread_the_samples():
    """Everybody's first choice is group 0; taking off the expectation gives every group its share."""
    head = GroupFace(8, 6, K=4)
    torch.manual_seed(0)
    logits = 0.3 * torch.randn(2000, 4) + torch.tensor([3.0, 0.0, 0.0, 0.0])
    p = logits.softmax(1)
    assert (p.argmax(1) == 0).all()
    head.expected.copy_(p.mean(0))
    labels = head.self_label(logits)
    assert torch.equal(labels, ((p - p.mean(0)) / 4 + 1 / 4).argmax(1))
    assert labels.bincount(minlength=4).min() > 200


def test_groupfaces_loss_is_arcface_plus_lambda_times_the_grouping():
    head = GroupFace(8, 6, K=3, hidden=4).eval()
    x, y = batch()
    plain = ArcFace(8, 6)
    plain.weight = head.weight
    embeddings, group_logits = head.embed_and_group(x)
    grouping = torch.nn.functional.cross_entropy(group_logits, head.self_label(group_logits))
    torch.testing.assert_close(head(x, y), plain(embeddings, y) + 0.1 * grouping)


def test_groupfaces_expectation_is_a_running_mean():
    head = GroupFace(8, 6, K=3, hidden=4, alpha=0.9)
    x, y = batch()
    p = head.embed_and_group(x)[1].softmax(1).mean(0)
    head(x, y)
    torch.testing.assert_close(head.expected, (0.9 / 3 + 0.1 * p).detach())
    with pytest.raises(ValueError, match="7 dimensions"):
        head(torch.randn(2, 7), torch.tensor([0, 1]))


# Sub-centres


def sub_centre_problem():
    """Class 0 at 0° (20 clean photos, 5 wrong ones at 120°), class 1 at 200° (12 clean); K = 2."""
    head = SubCenterArcFace(2, 2, K=2)
    a = torch.deg2rad(torch.tensor([[120.0, 0.0], [200.0, 320.0]]))
    head.weight.data = torch.stack([a.cos(), a.sin()], -1)
    degrees = torch.cat(
        [torch.linspace(-20, 20, 20), torch.linspace(115, 125, 5), torch.linspace(190, 210, 12)]
    )
    theta = torch.deg2rad(degrees)
    x = 5 * torch.stack([theta.cos(), theta.sin()], 1)
    return head, x, torch.tensor([0] * 25 + [1] * 12)


def test_sub_centres_are_counted_cleaned_and_dropped():
    head, x, y = sub_centre_problem()
    counts = head.count(x, y)
    assert counts.tolist() == [[5, 20], [12, 0]]
    halves = head.count(x[:10], y[:10]) + head.count(x[10:], y[10:])
    assert torch.equal(halves, counts)
    keep = head.clean(x, y, counts)
    assert keep.tolist() == [True] * 20 + [False] * 5 + [True] * 12
    plain = head.drop(counts)
    assert type(plain) is ArcFace
    assert torch.equal(plain.weight, torch.stack([head.weight[0, 1], head.weight[1, 0]]))
    assert plain.m == head.m
    assert plain(x[keep], y[keep]) < plain(x, y)


def test_sub_centres_let_wrong_photos_go_elsewhere():
    """The five wrong photos cost a single centre dearly and a class with two centres little."""
    head, x, y = sub_centre_problem()
    single = head.drop(head.count(x, y))
    assert head(x, y) < single(x, y) / 2


def test_sub_centres_validate_labels():
    head, x, _ = sub_centre_problem()
    with pytest.raises(ValueError, match="0 … 1"):
        head.count(x, torch.full((37,), 2))
