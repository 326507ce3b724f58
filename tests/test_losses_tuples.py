"""Losses over pairs, triplets and centres, each against a plain loop."""

import math

import pytest
import torch

from facelab.losses import (
    CenterLoss,
    ContrastiveLoss,
    DeepID2,
    Softmax,
    TripletLoss,
    count_triplets,
    triplet_kind,
    weighted_chi_squared,
)
from facelab.losses.contrastive import distances, pair_loss
from facelab.losses.triplet import all_triplets

MININGS = ("all", "hard", "semi-hard")


def batch(size: int = 12, dim: int = 4, classes: int = 3, seed: int = 1, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(size, dim, generator=generator, dtype=dtype), torch.randint(
        classes, (size,), generator=generator
    )


def squared(a, b) -> float:
    return sum((p - q) ** 2 for p, q in zip(a, b, strict=True))


def normalised(rows):
    return [[v / math.sqrt(sum(u * u for u in row)) for v in row] for row in rows]


# Contrastive


@pytest.mark.parametrize("normalize", [False, True])
def test_contrastive_against_a_loop(normalize):
    x, y = batch()
    rows = normalised(x.tolist()) if normalize else x.tolist()
    total = count = 0.0
    for i in range(12):
        for j in range(i + 1, 12):
            d = math.sqrt(squared(rows[i], rows[j]))
            total += d**2 / 2 if y[i] == y[j] else max(0.0, 1.5 - d) ** 2 / 2
            count += 1
    assert ContrastiveLoss(1.5, normalize)(x, y).item() == pytest.approx(total / count)


def test_contrastive_over_0_to_180_degrees():
    """Two points of the unit circle: d = 2 sin(θ/2)."""
    for degree in range(181):
        t = math.radians(degree)
        x = torch.tensor([[1.0, 0.0], [math.cos(t), math.sin(t)]], dtype=torch.float64)
        d = 2 * math.sin(t / 2)
        same = ContrastiveLoss(1.2)(x, torch.tensor([0, 0])).item()
        other = ContrastiveLoss(1.2)(x, torch.tensor([0, 1])).item()
        assert same == pytest.approx(d**2 / 2, abs=1e-12)
        assert other == pytest.approx(max(0.0, 1.2 - d) ** 2 / 2, abs=1e-12)


def test_pair_loss_curve():
    d = torch.tensor([0.0, 0.5, 1.0, 2.0])
    assert pair_loss(d, torch.tensor(True), 1.0).tolist() == [0.0, 0.125, 0.5, 2.0]
    assert pair_loss(d, torch.tensor(False), 1.0).tolist() == [0.5, 0.125, 0.0, 0.0]


def test_distances_of_near_points_survive_float32():
    x = torch.tensor([[1000.0, 0.0], [1000.0, 1e-3]])
    assert distances(x)[0, 1].item() == pytest.approx(1e-3, rel=1e-6)


# Triplets


def test_two_people_with_ten_photos_make_1800_triplets():
    labels = torch.tensor([0] * 10 + [1] * 10)
    assert count_triplets(labels) == 2 * 10 * 9 * 10 == 1800
    a, p, n = all_triplets(labels)
    assert len(a) == 1800
    assert len(set(zip(a.tolist(), p.tolist(), n.tolist(), strict=True))) == 1800
    assert (labels[a] == labels[p]).all()
    assert (a != p).all()
    assert (labels[a] != labels[n]).all()


@pytest.mark.parametrize("labels", [[0], [0, 0, 0], [0, 1, 2], [0, 0, 1], [5, 5, 7, 7, 7, -1]])
def test_the_count_is_the_number_of_triplets(labels):
    labels = torch.tensor(labels)
    loop = sum(
        a != p and labels[a] == labels[p] and labels[a] != labels[n]
        for a in range(len(labels))
        for p in range(len(labels))
        for n in range(len(labels))
    )
    assert count_triplets(labels) == loop == len(all_triplets(labels)[0])


def mined_by_hand(d2, y, mining: str, margin: float) -> list[tuple[int, int, int]]:
    size = len(y)
    triplets = []
    for a in range(size):
        positives = [p for p in range(size) if p != a and y[p] == y[a]]
        negatives = [n for n in range(size) if y[n] != y[a]]
        if mining == "all":
            triplets += [(a, p, n) for p in positives for n in negatives]
        elif mining == "hard":
            if positives and negatives:
                hardest = max(positives, key=lambda p: d2[a][p]), min(negatives, key=lambda n: d2[a][n])
                triplets.append((a, *hardest))
        else:
            for p in positives:
                fit = [n for n in negatives if d2[a][p] < d2[a][n] < d2[a][p] + margin]
                if fit:
                    triplets.append((a, p, min(fit, key=lambda n: d2[a][n])))
    return triplets


@pytest.mark.parametrize("mining", MININGS)
@pytest.mark.parametrize("normalize", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_triplet_loss_against_a_loop(mining, normalize, seed):
    x, y = batch(seed=seed)
    margin = 0.5
    rows = normalised(x.tolist()) if normalize else x.tolist()
    d2 = [[squared(a, b) for b in rows] for a in rows]
    triplets = mined_by_hand(d2, y.tolist(), mining, margin)
    losses = [max(0.0, d2[a][p] - d2[a][n] + margin) for a, p, n in triplets]
    loss = TripletLoss(margin, mining, normalize)
    picked = loss.mine(loss.squared_distances(x), y)
    assert sorted(zip(*(i.tolist() for i in picked), strict=True)) == sorted(triplets)
    assert loss(x, y).item() == pytest.approx(sum(losses) / max(len(losses), 1))


def test_triplet_over_0_to_180_degrees():
    """Anchor at 0°, positive at 40°, the negative moves: L = max(0, d_p² − d_n² + α), d² = 2 − 2cos θ."""
    for degree in range(181):
        angles = [0.0, math.radians(40), math.radians(degree)]
        x = torch.tensor([[3 * math.cos(a), 3 * math.sin(a)] for a in angles], dtype=torch.float64)
        loss = TripletLoss(0.2)
        d2 = loss.squared_distances(x)
        d_p, d_n = 2 - 2 * math.cos(angles[1]), 2 - 2 * math.cos(angles[2])
        assert d2[0, 1].item() == pytest.approx(d_p)
        assert d2[0, 2].item() == pytest.approx(d_n, abs=1e-12)
        # both members of the pair serve as anchor: two triplets
        d_pn = 2 - 2 * math.cos(angles[2] - angles[1])
        expected = (max(0.0, d_p - d_n + 0.2) + max(0.0, d_p - d_pn + 0.2)) / 2
        assert loss(x, torch.tensor([0, 0, 1])).item() == pytest.approx(expected, abs=1e-12)


def test_hard_costs_at_least_as_much_as_all_and_semi_hard_less_than_the_margin():
    x, y = batch(size=40)
    every, hard, semi = (TripletLoss(0.2, mining)(x, y).item() for mining in MININGS)
    assert hard >= every
    assert 0 < semi < 0.2


def test_triplet_kind():
    assert triplet_kind(0.5, 0.4, 0.2) == "hard"
    assert triplet_kind(0.5, 0.5, 0.2) == "hard"
    assert triplet_kind(0.5, 0.6, 0.2) == "semi-hard"
    assert triplet_kind(0.5, 0.7, 0.2) == "easy"


# Centres


def test_center_loss_and_update_against_a_loop():
    loss = CenterLoss(4, 3, alpha=0.5).double()
    centers = [[0.0] * 4 for _ in range(3)]
    for seed in range(3):
        x, y = batch(size=5, seed=seed)
        expected = (
            sum(squared(row, centers[c]) for row, c in zip(x.tolist(), y.tolist(), strict=True)) / 2 / 5
        )
        assert loss(x, y).item() == pytest.approx(expected)
        moved = []
        for j in range(3):
            mine = [row for row, c in zip(x.tolist(), y.tolist(), strict=True) if c == j]
            moved.append(
                [
                    centers[j][k] - 0.5 * sum(centers[j][k] - row[k] for row in mine) / (1 + len(mine))
                    for k in range(4)
                ]
            )
        centers = moved
        torch.testing.assert_close(loss.centers, torch.tensor(centers, dtype=torch.float64))


def test_centers_move_in_training_only_and_survive_a_checkpoint():
    x, y = batch(dtype=torch.float32)
    loss = CenterLoss(4, 3)
    loss(x, y)
    fresh = CenterLoss(4, 3)
    fresh.load_state_dict(loss.state_dict())
    assert torch.equal(fresh(x, y), loss(x, y))
    loss.eval()
    before = loss.centers.clone()
    loss(x, y)
    assert torch.equal(loss.centers, before)
    with pytest.raises(ValueError, match="0 … 2"):
        loss(x, y + 1)


# DeepID2, DeepFace


def test_deepid2_is_identification_plus_lambda_verification():
    x, y = batch(dtype=torch.float32)
    head = DeepID2(4, 3, margin=1.3, lambda_v=0.05)
    plain = Softmax(4, 3)
    plain.load_state_dict(head.state_dict())
    expected = plain(x, y) + 0.05 * ContrastiveLoss(1.3)(x, y)
    torch.testing.assert_close(head(x, y), expected)


def test_weighted_chi_squared():
    f1, f2, w = [0.0, 1.0, 2.0, 0.0], [0.0, 3.0, 0.5, 4.0], [9.0, 1.0, 0.5, 2.0]
    by_hand = sum(k * (a - b) ** 2 / (a + b) for a, b, k in zip(f1, f2, w, strict=True) if a + b > 0)
    f1, f2, w = (torch.tensor(v, dtype=torch.float64, requires_grad=True) for v in (f1, f2, w))
    chi = weighted_chi_squared(f1, f2, w)
    assert chi.item() == pytest.approx(by_hand)
    chi.backward()
    assert all(v.grad.isfinite().all() for v in (f1, f2, w))
    assert weighted_chi_squared(torch.rand(3, 1, 8), torch.rand(5, 8)).shape == (3, 5)
    assert weighted_chi_squared(f2, f2).item() == 0
    with pytest.raises(ValueError, match="negative"):
        weighted_chi_squared(-f2, f2)


# What holds for all of them

LOSSES = {
    "contrastive": lambda: ContrastiveLoss(),
    "contrastive unit": lambda: ContrastiveLoss(normalize=True),
    **{f"triplet {mining}": (lambda mining=mining: TripletLoss(0.5, mining)) for mining in MININGS},
    "center": lambda: CenterLoss(4, 3),
    "deepid2": lambda: DeepID2(4, 3),
}
every_loss = pytest.mark.parametrize("name", LOSSES)


@every_loss
def test_gradients_are_those_of_finite_differences(name):
    torch.manual_seed(0)
    loss = LOSSES[name]().double().eval()
    x, y = batch(size=8)
    assert torch.autograd.gradcheck(lambda e: loss(e, y), (x.requires_grad_(),), atol=1e-4)


@every_loss
@pytest.mark.parametrize("size", [1, 6])
def test_identical_embeddings_give_finite_gradients(name, size):
    loss = LOSSES[name]()
    for value in (0.0, 1.0):
        x = torch.full((size, 4), value, requires_grad=True)
        result = loss(x, torch.arange(size) % 3)
        result.backward()
        assert result.isfinite()
        assert x.grad.isfinite().all()


@every_loss
def test_half_precision_inputs_and_autocast(name):
    x, y = batch(dtype=torch.float32)
    x = x.bfloat16()
    results = []
    for embeddings, autocast in ((x.float(), False), (x, False), (x, True)):
        torch.manual_seed(0)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=autocast):
            result = LOSSES[name]()(embeddings, y)
        assert result.dtype == torch.float32
        results.append(result.item())
    assert results[1] == results[0]
    assert results[2] == results[0]


@every_loss
def test_wrong_shapes_are_refused(name):
    loss = LOSSES[name]()
    x, y = batch(dtype=torch.float32)
    with pytest.raises(ValueError, match=r"shape \(12,\)"):
        loss(x, y[:-1])
    with pytest.raises(ValueError, match=r"\(B, D\)"):
        loss(x[0], y[:4])


def test_options_out_of_range():
    with pytest.raises(ValueError, match="'all', 'hard' or 'semi-hard'"):
        TripletLoss(mining="easy")
    with pytest.raises(ValueError, match="margin=0"):
        TripletLoss(0)
    with pytest.raises(ValueError, match="margin=-1"):
        ContrastiveLoss(-1)
    with pytest.raises(ValueError, match="alpha=2"):
        CenterLoss(2, 3, alpha=2)
