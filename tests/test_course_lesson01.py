"""Digits that training never saw: the split leaks nothing, and the measures are what they say."""

import numpy as np
import pytest
import torch

from facelab import losses
from facelab.course import lesson01


@pytest.fixture(scope="module")
def data():
    return lesson01.digits()


def test_no_row_serves_twice_and_no_unseen_class_is_learnt(data):
    rows = np.concatenate([data.learn, data.fresh, data.unseen])
    assert np.array_equal(np.sort(rows), np.arange(len(data.images)))
    assert set(data.labels[data.unseen]) == {8, 9}
    assert set(data.labels[data.learn]) == set(data.labels[data.fresh]) == set(range(8))
    assert 0 <= data.images.min() < data.images.max() == 1


def test_fewer_classes_leave_the_others_out():
    part = lesson01.digits(unseen=(8, 9), classes=(3, 1))
    assert part.classes.tolist() == [1, 3]
    assert set(part.labels[part.learn]) == {1, 3}
    assert len(np.intersect1d(part.learn, part.fresh)) == 0


def test_two_way_is_sure_where_classes_lie_apart_and_guesses_where_they_do_not():
    labels = np.repeat([3, 5, 7], 100)
    noise = np.random.default_rng(0).normal(size=(300, 2)).astype(np.float32)
    assert lesson01.two_way(noise + 100 * labels[:, None], labels) == 1
    assert lesson01.two_way(noise, labels) == pytest.approx(0.5, abs=0.04)


def test_two_way_is_that_of_scikit_learn(data):
    from sklearn.neighbors import KNeighborsClassifier

    vectors, labels = data.images[data.unseen], data.labels[data.unseen]
    random, shares = np.random.default_rng(0), []
    for _ in range(10):
        mixed = [random.permutation(np.flatnonzero(labels == digit)) for digit in (8, 9)]
        known, rest = (np.concatenate([rows[part] for rows in mixed]) for part in (slice(5), slice(5, None)))
        nearest = KNeighborsClassifier(1).fit(vectors[known], labels[known])
        shares.append(nearest.score(vectors[rest], labels[rest]))
    assert lesson01.two_way(vectors, labels) == pytest.approx(np.mean(shares), abs=2e-3)


@pytest.mark.parametrize("method", lesson01.METHODS)
def test_a_run_learns_the_seen_and_loses_the_unseen(data, method):
    run = lesson01.learn(method, data, seed=0, epochs=6)
    assert [frame.shape for frame in run.frames] == [(len(data.images), 2)] * 7
    seen, strange = lesson01.both(run.embeddings, data)
    pixels = lesson01.both(data.images, data)
    assert seen > lesson01.both(run.frames[0], data)[0] + 0.1
    assert strange < pixels[1] - 0.05, "the lesson's surprise"


def test_the_same_seed_gives_the_same_run(data):
    one, two, other = (lesson01.learn("softmax", data, seed=seed, epochs=1).embeddings for seed in (1, 1, 2))
    assert np.array_equal(one, two)
    assert not np.array_equal(one, other)


def test_an_unknown_method_is_named():
    with pytest.raises(ValueError, match="arcface"):
        lesson01.loss_of("arcface", 2, 8)


def test_balanced_pairs_and_weights_that_help_where_they_were_learnt(data):
    from facelab.metrics import eer

    a, b, same = lesson01.balanced_pairs(data.labels, data.learn)
    assert same.sum() == len(same) / 2 == 2_000
    assert np.array_equal(same, data.labels[a] == data.labels[b])
    weights = lesson01.chi_squared_weights(data.images[a], data.images[b], same)
    assert weights.shape == (64,)
    assert weights.min() == 0 < weights.max()
    images = torch.tensor(data.images)
    a, b, same = lesson01.balanced_pairs(data.labels, data.fresh, seed=1)
    plain, weighted = (
        eer(-losses.weighted_chi_squared(images[a], images[b], w).numpy(), same)
        for w in (None, torch.tensor(weights))
    )
    assert weighted < plain - 0.02


def test_clusters_are_counted():
    labels, heaps = np.array([0, 0, 0, 1, 1, 2]), np.array([4, 4, 7, 7, 7, 9])
    assert lesson01.majority(heaps, labels) == pytest.approx(5 / 6)
    assert lesson01.pieces(heaps, labels) == {0: 2, 1: 1, 2: 1}
    apart = np.repeat(np.eye(3), 5, axis=0)
    assert lesson01.majority(lesson01.k_means(apart, 3), np.repeat(range(3), 5)) == 1
