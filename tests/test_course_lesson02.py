"""Lesson 02's looks at mining: nobody is in both halves, pairs and triplets are what they say."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import facelab as fl
from facelab.course.lesson02 import (
    random_triplets,
    shares,
    split_people,
    squared_distances,
    verification_pairs,
)
from facelab.course.widgets.mining import MiningReplay
from facelab.losses import TripletLoss, triplet_kind
from facelab.training import History, Snapshot

labels_strategy = st.lists(st.integers(0, 6), min_size=4, max_size=40).filter(
    lambda labels: len(set(labels)) > 1 and len(set(labels)) < len(labels)
)


def test_no_person_is_in_both_halves():
    templates = fl.datasets.lfw_templates()
    train, test = split_people(templates)
    who = templates.identity
    assert not set(who[train]) & set(who[test])
    assert (np.bincount(who[train])[np.unique(who[train])] >= 4).all()
    assert set(np.bincount(who[test])[np.unique(who[test])]) == {2, 3}


@given(labels_strategy)
def test_pairs_are_what_they_say(labels):
    labels = np.array(labels)
    pairs = verification_pairs(labels, impostors=50)
    assert (pairs.same == (labels[pairs.a] == labels[pairs.b])).all()
    assert (pairs.a != pairs.b).all()
    sizes = np.bincount(labels)
    assert pairs.same.sum() == (sizes * (sizes - 1) // 2).sum()


@given(labels_strategy)
def test_triplets_are_triplets(labels):
    labels = np.array(labels)
    a, p, n = random_triplets(labels, 60)
    assert (labels[a] == labels[p]).all()
    assert (a != p).all()
    assert (labels[a] != labels[n]).all()


def test_every_triplet_has_the_same_chance():
    """Three photos of one person and two of another: 3·2·2 + 2·1·3 = 18 triplets."""
    triplets, times = np.unique(
        random_triplets(np.array([0, 0, 0, 1, 1]), 40_000), axis=1, return_counts=True
    )
    assert triplets.shape == (3, 18)
    assert times.min() > 0


def test_shares_count_the_kinds():
    random = np.random.default_rng(0)
    d1, d2 = random.uniform(0, 2, (2, 500))
    kinds = [triplet_kind(*pair, 0.2) for pair in zip(d1, d2, strict=True)]
    got = shares(d1, d2, 0.2)
    assert got == {kind: pytest.approx(kinds.count(kind) / 500) for kind in ("easy", "semi-hard", "hard")}
    assert sum(got.values()) == pytest.approx(1)


def test_distances_and_scores_agree_with_the_loss():
    vectors = np.random.default_rng(1).normal(size=(9, 4))
    labels = np.repeat([0, 1, 2], 3)
    loss = TripletLoss(0.2)
    d2 = loss.squared_distances(torch.tensor(vectors)).numpy()
    a, p, n = random_triplets(labels, 30)
    got = squared_distances(vectors, np.stack([a, p, n]))
    assert np.allclose(got, [d2[a, p], d2[a, n]], atol=1e-5)
    pairs = verification_pairs(labels, 20)
    assert np.allclose(2 - 2 * pairs.scores(vectors), d2[pairs.a, pairs.b], atol=1e-5)


@pytest.fixture
def replay():
    """Two runs of three epochs: one that spreads, one that ends in a point."""
    random = np.random.default_rng(2)
    labels = np.repeat(np.arange(5), 4)
    noise = random.normal(size=(20, 3))
    centres = random.normal(size=(5, 3))[labels] * 3
    runs = {"spreads": History(), "collapses": History()}
    for epoch, part in enumerate((0.0, 0.5, 1.0)):
        spread = noise + part * centres
        point = (1 - part) * noise + part * np.array([100.0, 0, 0]) + 1e-3 * noise
        runs["spreads"].snapshots.append(Snapshot(epoch, spread.astype(np.float32), None, float("nan")))
        runs["collapses"].snapshots.append(Snapshot(epoch, point.astype(np.float32), None, float("nan")))
    return MiningReplay(runs, random_triplets(labels, 2_000), 0.2)


def test_the_slider_goes_through_the_epochs(replay):
    pictures = set()
    for epoch in range(3):
        replay.epoch.value = epoch
        assert replay.error is None
        assert f"Epoch {epoch}." in replay.screen.words
        pictures.add(replay.screen.value)
    assert len(pictures) == 3
    assert "collapses: median d2 0.00, easy 0%" in replay.screen.words
    assert replay.shares_of("spreads")["easy"] > 0.8
