"""The experiments of lesson 04: what is made by us is as we say, and state moves in the right direction."""

import matplotlib

matplotlib.use("Agg")

import numpy as np
import pytest
import torch

from facelab import losses
from facelab.course import lesson04


def test_digits_to_learn_from_and_to_test_on_do_not_overlap():
    inputs, labels, held, held_labels = lesson04.digits(0, learn=300, keep=300)
    assert inputs.shape == held.shape == (300, 8, 8)
    assert labels.shape == held_labels.shape == (300,)
    assert float(inputs.min()) == 0
    assert float(inputs.max()) == 1
    every = torch.cat([inputs, held]).flatten(1)
    assert len(every.unique(dim=0)) == len(every)
    again = lesson04.digits(0, learn=300, keep=300)
    assert torch.equal(again[2], held)
    assert not torch.equal(lesson04.digits(1, learn=300, keep=300)[0], inputs)


def test_faces_are_photos_of_the_same_people_none_twice():
    inputs, labels, held, held_labels = lesson04.faces(0, people=5, learn=6, keep=4)
    assert inputs.shape == (30, 128)
    assert held.shape == (20, 128)
    assert labels.bincount().tolist() == [6] * 5
    assert held_labels.bincount().tolist() == [4] * 5
    assert len(torch.cat([inputs, held]).unique(dim=0)) == 50
    means = torch.stack([inputs[labels == k].mean(dim=0) for k in range(5)])
    assert float(((held @ means.T).argmax(dim=1) == held_labels).float().mean()) > 0.9
    with pytest.raises(ValueError, match="take fewer"):
        lesson04.faces(0, people=150, learn=30, keep=10)


@pytest.mark.parametrize("kind", ["blur", "noise"])
def test_degrading_leaves_strength_0_alone_and_grows(kind):
    images = lesson04.digits(0, learn=50, keep=50)[0]
    same = lesson04.degrade(images, torch.zeros(50), kind, seed=0)
    assert torch.allclose(same, images, atol=1e-6)
    away = [
        float((lesson04.degrade(images, torch.full((50,), some), kind, seed=0) - images).abs().mean())
        for some in (0.2, 0.5, 0.9)
    ]
    assert away[0] < away[1] < away[2]


def test_noise_of_strength_1_keeps_nothing_of_the_image():
    images = lesson04.digits(0, learn=50, keep=50)[0]
    full = torch.ones(50)
    noise = lesson04.degrade(images, full, "noise", seed=0)
    assert torch.equal(noise, lesson04.degrade(1 - images, full, "noise", seed=0))
    with pytest.raises(ValueError, match="'blur' or 'noise'"):
        lesson04.degrade(images, full, "rain", seed=0)


def test_mislabel_changes_exactly_its_share():
    labels = torch.arange(10).repeat(20)
    new, wrong = lesson04.mislabel(labels, 0.25, seed=3)
    assert int(wrong.sum()) == 50
    assert torch.equal(new != labels, wrong)
    assert int(new.min()) >= 0
    assert int(new.max()) <= 9


def test_rank_correlation():
    a = np.array([3.0, 1.0, 2.0, 5.0])
    assert lesson04.rank_correlation(a, np.exp(a)) == pytest.approx(1)
    assert lesson04.rank_correlation(a, -(a**3)) == pytest.approx(-1)


def test_hard_negatives_are_those_nearer_than_the_target():
    head = losses.ArcFace(2, 3)
    degrees = torch.deg2rad(torch.tensor([0.0, 60.0, 180.0]))
    head.weight.data = torch.stack([degrees.cos(), degrees.sin()], dim=1)
    x = torch.tensor([[1.0, 0.3]])  # 17° from its centre, 43° from the next: 17° + 28.6° > 43°
    target, cos, hard = lesson04.own_and_others(head, x, torch.tensor([0]))
    assert hard.tolist() == [[False, True, False]]
    assert float(cos[0, 0]) > float(cos[0, 1]) > float(target[0])
    assert float(lesson04.own_angle(head, x, torch.tensor([0]))[0]) == pytest.approx(16.70, abs=0.01)


def test_several_seeds_make_a_table():
    measured = lesson04.over_seeds(lambda seed: {"a": seed / 2, "path": [seed, seed]}, seeds=(1, 2))
    assert measured["a"].tolist() == [0.5, 1.0]
    assert measured["path"].shape == (2, 2)
    assert lesson04.table(measured).splitlines()[1] == "a     0.750   0.500  1.000"


def test_training_is_decided_by_the_seed():
    inputs, labels, *_ = lesson04.digits(0, learn=200, keep=10)
    runs = [
        lesson04.train(lambda: losses.ElasticFace(lesson04.DIM, 10), inputs, labels, seed, epochs=2)
        for seed in (0, 0, 1)
    ]
    assert runs[0][2].loss == runs[1][2].loss != runs[2][2].loss


# What each experiment shows, where it must hold


def test_small_classes_learn_larger_margins():
    found = lesson04.class_margins(0)
    assert found["margins"][0] > found["margins"][-1] + 0.05
    assert found["ρ size, margin"] < -0.5


def test_adacos_lowers_its_scale_as_the_angles_fall():
    found = lesson04.scales(0, fixed=())
    assert found["θ"][0] > 80 > 20 > found["θ"][-1]
    assert found["s"][-1] < losses.fixed_scale(10) < found["s"][0]
    assert found["AdaCos"] > 0.9


def test_a_large_t_keeps_mv_softmax_from_learning():
    found = lesson04.hard_weights(0, ts=(1.0, 4.0))
    assert found["learnt"][0] > 0.98 > found["learnt"][1] + 0.03
    assert found["hard"][1] > found["hard"][0]


def test_the_curriculum_advances():
    found = lesson04.curriculum(0)
    assert (np.diff(found["t"]) > 0).all()
    assert found["hard"][0] > 0.5 > 0.1 > found["hard"][-1]
    assert found["weight"][0] < 0.5


def test_greedy_groups_collapse_and_self_distributed_ones_do_not():
    found = lesson04.group_shares(0)
    assert found["largest group, greedy, λ = 1"] > 0.95
    assert found["largest group, self-distributed, λ = 1"] < 0.9


def test_false_labels_gather_aside():
    found = lesson04.noisy_labels(0)
    assert found["wrong"].mean() == 0.25
    assert found["aside, false"] > found["aside, true"] + 0.2
    assert found["told apart, sub-centre"] > 0.9
    assert found["flagged, false"] > 0.2 > 0.05 > found["flagged, true"]


def test_magface_tells_blur_by_length():
    found = lesson04.quality(0)
    assert found["ρ MagFace"] < -0.5
    assert np.shape(found["lengths"]) == (4, 4)
    bound = lesson04.magface().lambda_g_bound
    assert bound < lesson04.magface().lambda_g < 2 * bound


def test_official_elasticface_plus_mixes_up_who_gets_what():
    margin, cos = torch.tensor([0.45, 0.50, 0.55]), torch.tensor([0.2, 0.9, 0.5])
    assert lesson04.sorted_plus(margin, cos).tolist() == pytest.approx([0.55, 0.45, 0.50])
    assert lesson04.official_plus(margin, cos).tolist() == pytest.approx([0.50, 0.55, 0.45])
    torch.manual_seed(0)
    margin, cos = 0.5 + 0.05 * torch.randn(2000), torch.rand(2000)
    assert lesson04.rank_correlation(lesson04.sorted_plus(margin, cos), cos) == pytest.approx(-1)
    assert abs(lesson04.rank_correlation(lesson04.official_plus(margin, cos), cos)) < 0.1


def test_our_elasticface_plus_is_the_papers():
    head = losses.ElasticFace(2, 3, plus=True)
    cos = torch.linspace(-1, 1, 50)[torch.randperm(50)]
    assert lesson04.rank_correlation(head.sample_margin(cos, cos, cos), cos) == pytest.approx(-1)


def test_random_margins_run_and_learn():
    found = lesson04.elastic(0)
    assert all(value > 0.9 for name, value in found.items() if name.startswith("held"))


def test_noise_is_followed_from_the_first_epoch():
    found = lesson04.unrecognisable(0)
    assert len(found["good"]) == len(found["bad"]) == 11
    assert found["held, AdaFace"] > 0.8
    assert (found["ẑ, bad"] > found["ẑ, good"]) == (found["bad"][-1] > found["good"][-1])


@pytest.mark.parametrize("kind", ["blur", "noise"])
@pytest.mark.parametrize("seed", [0, 11])
def test_a_batch_norm_turns_the_verdict_on_adaface_round(kind, seed):
    """Lesson 04, section 5: spoilt images are longer without the neck, and shorter with it."""
    plain = lesson04.unrecognisable(seed, kind)
    necked = lesson04.unrecognisable(seed, kind, neck=True)
    assert plain["bad"][-1] > 1.3 * plain["good"][-1]
    assert necked["bad"][-1] < 0.9 * necked["good"][-1]
    assert plain["ẑ, bad"] > plain["ẑ, good"]
    assert necked["ẑ, bad"] < necked["ẑ, good"]
