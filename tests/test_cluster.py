"""Neighbours, groups and their scores: against loops, scikit-learn and scipy, and what is refused."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics.cluster import pair_confusion_matrix
from sklearn.neighbors import NearestNeighbors

import facelab as fl
from facelab import metrics as m
from facelab.cluster import (
    GROUPING_FMR,
    graph_clusters,
    grouping_threshold,
    kmeans_clusters,
    neighbours,
)


def people(sizes, dimension=32, spread=0.4, seed=0):
    """Vectors of unit norm around a direction of each person, in random order; who each is."""
    rng = np.random.default_rng(seed)
    who = rng.permutation(np.repeat(np.arange(len(sizes)), sizes))
    centres = np.linalg.qr(rng.normal(size=(dimension, dimension)))[0][: len(sizes)]
    vectors = centres[who] + spread * rng.normal(size=(len(who), dimension)) / np.sqrt(dimension)
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32), who


# ---------------------------------------------------------------------- neighbours


@pytest.mark.parametrize("chunk", [None, 1, 7, 1000])
def test_neighbours_are_scikit_learns(chunk):
    vectors, _ = people([30, 20, 13])
    rows, cosines = neighbours(vectors, 5, chunk, device="cpu")
    far, theirs = (
        NearestNeighbors(n_neighbors=6, metric="cosine", algorithm="brute").fit(vectors).kneighbors()
    )
    assert (rows.dtype, cosines.dtype, rows.shape) == (np.int64, np.float32, (63, 5))
    np.testing.assert_array_equal(rows, theirs[:, :5])
    np.testing.assert_allclose(cosines, 1 - far[:, :5], atol=1e-6)


def test_a_copy_is_a_neighbour_and_oneself_is_not():
    vectors = np.repeat(people([3])[0], 2, axis=0)
    rows, cosines = neighbours(vectors, 99)
    assert rows.shape == (6, 5), "there are only five others"
    assert not (rows == np.arange(6)[:, None]).any()
    assert rows[:, 0].tolist() == [1, 0, 3, 2, 5, 4]
    assert cosines.max() <= 1


@pytest.mark.parametrize("count", [0, 1])
def test_nobody_has_no_neighbours(count):
    rows, cosines = neighbours(np.eye(4)[:count])
    assert rows.shape == cosines.shape == (count, 0)
    assert graph_clusters(rows, cosines, 0.5).tolist() == [0] * count


@pytest.mark.parametrize(
    ("vectors", "options", "says"),
    [
        (np.ones((2, 4)), {}, "norm 2"),
        (np.full((2, 4), np.nan), {}, "norm nan"),
        (np.eye(4)[0], {}, "shape"),
        (np.eye(4), {"k": 0}, "k=0"),
        (np.eye(4), {"chunk": 0}, "chunk=0"),
    ],
)
def test_what_has_no_neighbours_is_refused(vectors, options, says):
    with pytest.raises(ValueError, match=says):
        neighbours(vectors, **options)


# ---------------------------------------------------------------------- groups


@pytest.mark.parametrize("method", ["whispers", "components"])
def test_people_apart_are_found_whatever_their_order(method):
    vectors, who = people([40, 20, 20, 5, 1, 1])
    rows, cosines = neighbours(vectors, 10)
    labels = graph_clusters(rows, cosines, 0.5, method)
    assert m.pairwise_scores(labels, who).f == 1
    assert np.bincount(labels).tolist() == [40, 20, 20, 5, 1, 1], "the largest first"
    firsts = [np.flatnonzero(labels == label)[0] for label in range(6)]
    assert firsts[1] < firsts[2]
    assert firsts[4] < firsts[5]
    again = graph_clusters(rows.astype(np.int32), cosines, 0.5, method)
    np.testing.assert_array_equal(labels, again)


def test_one_wrong_edge_joins_components_and_is_outvoted_by_whispers():
    clique = np.array([[j for j in range(10) if j != i] for i in range(10)])
    rows = np.concatenate([clique, clique + 10])
    cosines = np.full(rows.shape, 0.9)
    rows, cosines = np.c_[rows, np.full(20, -1)], np.c_[cosines, np.full(20, np.nan)]
    rows[3, -1], cosines[3, -1] = 14, 0.8
    assert graph_clusters(rows, cosines, 0.5, "components").max() == 0
    for seed in range(5):
        labels = graph_clusters(rows, cosines, 0.5, "whispers", seed)
        assert labels.tolist() == [0] * 10 + [1] * 10
    assert graph_clusters(rows, cosines, 0.85, "components").max() == 1


def test_components_are_single_linkage():
    vectors, _ = people([15, 15, 10], spread=1.2)
    rows, cosines = neighbours(vectors, 39)
    from scipy.cluster.hierarchy import fcluster, linkage

    for threshold in (0.2, 0.4, 0.6):
        theirs = fcluster(linkage(vectors, "single", "cosine"), 1 - threshold, "distance")
        assert m.pairwise_scores(graph_clusters(rows, cosines, threshold, "components"), theirs).f == 1


def test_an_edge_counts_in_both_directions_and_at_the_threshold():
    rows, cosines = np.array([[-1], [0], [1]]), np.array([[1.0], [0.5], [0.4]])
    for method in ("whispers", "components"):
        assert graph_clusters(rows, cosines, 0.5, method).tolist() == [0, 0, 1]
        assert graph_clusters(rows, cosines, 0.6, method).tolist() == [0, 1, 2]


def test_whispers_settles_on_many_nodes_and_by_its_seed_alone():
    vectors, who = people(np.full(60, 20), dimension=64, spread=0.9)
    rows, cosines = neighbours(vectors, 19)
    labels = graph_clusters(rows, cosines, 0.3)
    assert m.b_cubed(labels, who).f > 0.97
    np.testing.assert_array_equal(labels, graph_clusters(rows, cosines, 0.3))
    others = graph_clusters(rows, cosines, 0.3, seed=1)
    assert m.b_cubed(others, who).f > 0.97


@pytest.mark.parametrize(
    ("rows", "cosines", "options", "says"),
    [
        ([[1], [0]], [[1.0]], {}, "one shape"),
        ([[1.0], [0.0]], [[1.0], [1.0]], {}, "row numbers"),
        ([[2], [0]], [[1.0], [1.0]], {}, "outside 0 … 1"),
        ([[-2], [0]], [[1.0], [1.0]], {}, "outside"),
        ([[1], [0]], [[1.0], [1.0]], {"threshold": 1.2}, "threshold=1.2"),
        ([[1], [0]], [[1.0], [1.0]], {"method": "ward"}, "choose one of"),
    ],
)
def test_graphs_that_are_none_are_refused(rows, cosines, options, says):
    with pytest.raises(ValueError, match=says):
        graph_clusters(rows, cosines, **{"threshold": 0.5} | options)


def test_k_means_is_told_how_many():
    vectors, who = people([30, 20, 10])
    labels = kmeans_clusters(3 * vectors, 3)
    assert m.pairwise_scores(labels, who).f == 1
    assert np.bincount(labels).tolist() == [30, 20, 10]


def test_the_threshold_is_the_calibrated_one():
    config = "yunet+aligned+sface"
    assert grouping_threshold(config) == pytest.approx(1 - fl.calibration.threshold_for(config, GROUPING_FMR))
    assert grouping_threshold(config) > grouping_threshold(config, 1e-3)
    with pytest.raises(fl.errors.FacelabError, match="no calibrated threshold"):
        grouping_threshold("yunet+aligned+mine")


def test_lfw_is_grouped_as_measured():
    templates = fl.datasets.lfw_templates()
    some = templates.counts[templates.identity] >= 5
    vectors, who = templates.vectors[some], templates.identity[some]
    rows, cosines = neighbours(vectors)
    labels = graph_clusters(rows, cosines, grouping_threshold("yunet+aligned+sface"))
    assert m.pairwise_scores(labels, who).f > 0.97
    assert m.b_cubed(labels, who).f > 0.96


# ---------------------------------------------------------------------- scores

LABELLINGS = st.integers(1, 30).flatmap(
    lambda n: st.tuples(*[st.lists(st.integers(-1, 6), min_size=n, max_size=n)] * 2)
)


@settings(deadline=None)
@given(LABELLINGS)
def test_scores_are_those_of_loops(both):
    labels, truth = map(np.array, both)
    pairs = list(itertools.combinations(range(len(labels)), 2))
    together = [labels[a] == labels[b] for a, b in pairs]
    same = [truth[a] == truth[b] for a, b in pairs]
    right = np.sum(np.logical_and(together, same))
    found = m.pairwise_scores(labels, truth)
    assert found.precision == pytest.approx(right / sum(together) if sum(together) else 1)
    assert found.recall == pytest.approx(right / sum(same) if sum(same) else 1)
    precision = np.mean([np.mean(truth[labels == labels[i]] == truth[i]) for i in range(len(labels))])
    recall = np.mean([np.mean(labels[truth == truth[i]] == labels[i]) for i in range(len(labels))])
    cubed = m.b_cubed(labels, truth)
    assert (cubed.precision, cubed.recall) == (pytest.approx(precision), pytest.approx(recall))
    assert cubed.f == pytest.approx(2 * precision * recall / (precision + recall))
    assert m.b_cubed(truth, labels).precision == pytest.approx(cubed.recall), "each is the other's"


def test_pairs_are_counted_as_scikit_learn_counts_them():
    rng = np.random.default_rng(1)
    labels, truth = rng.integers(0, 40, 500), rng.integers(0, 30, 500)
    (_, false), (missed, right) = pair_confusion_matrix(truth, labels)
    found = m.pairwise_scores(labels.astype(str), truth)
    assert found.precision == pytest.approx(right / (right + false))
    assert found.recall == pytest.approx(right / (right + missed))


def test_b_cubed_by_hand():
    """Three of one person and one of another in one group, and one of the first alone."""
    scores = m.b_cubed([0, 0, 0, 0, 1], ["a", "a", "a", "b", "a"])
    assert scores.precision == pytest.approx((3 * 3 / 4 + 1 / 4 + 1) / 5)
    assert scores.recall == pytest.approx((3 * 3 / 4 + 1 + 1 / 4) / 5)
    assert "precision 70.00%" in str(scores)


def test_the_two_ends():
    truth = [0, 0, 0, 1]
    one, alone = [0] * 4, range(4)
    assert m.pairwise_scores(one, truth) == m.ClusterScores(0.5, 1.0, pytest.approx(2 / 3))
    assert m.pairwise_scores(alone, truth) == m.ClusterScores(1.0, 0.0, 0.0)
    assert m.pairwise_scores(alone, alone) == m.ClusterScores(1.0, 1.0, 1.0)
    assert m.b_cubed(one, truth) == m.ClusterScores(10 / 16, 1.0, pytest.approx(10 / 13))
    assert m.b_cubed(alone, truth) == m.ClusterScores(1.0, 0.5, pytest.approx(2 / 3))
    assert m.b_cubed(truth, truth) == m.ClusterScores(1.0, 1.0, 1.0)


def test_scores_of_a_million_faces():
    rng = np.random.default_rng(2)
    truth = rng.integers(0, 100_000, 1_000_000)
    labels = np.where(rng.random(1_000_000) < 0.9, truth, 100_000 + np.arange(1_000_000))
    assert m.pairwise_scores(labels, truth).precision == 1
    assert m.pairwise_scores(labels, truth).recall == pytest.approx(0.81, abs=0.002)
    assert m.b_cubed(labels, truth).precision == 1
    assert m.pairwise_scores(np.zeros(1_000_000), truth).recall == 1


@pytest.mark.parametrize("score", [m.pairwise_scores, m.b_cubed])
def test_scores_of_nothing_are_refused(score):
    for labels, truth, says in [
        ([0, 1], [0], "one of each"),
        ([[0]], [[0]], "one of each"),
        ([], [], "no face"),
        ([0, np.nan], [0, 1], "NaN"),
    ]:
        with pytest.raises(ValueError, match=says):
            score(labels, truth)
