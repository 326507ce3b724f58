"""Exact search: the answer of a plain loop in float64, whatever the order, the ties and the chunks."""

import math
import tracemalloc

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from facelab.gallery import exact, few, search
from facelab.gallery.exact import cosines, margin
from facelab.gallery.search import Index

CPU = torch.device("cpu")
DEVICES = [
    "cpu",
    pytest.param(
        "cuda",
        marks=[pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA GPU")],
    ),
]


def unit(vectors) -> np.ndarray:
    vectors = np.asarray(vectors, np.float64)
    return (vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)).astype(np.float32)


def loop(vectors, person, probe, k, score="max"):
    """One template at a time, sums without rounding (math.fsum), sorted by score and then id."""

    def dot(a, b):
        return math.fsum(x * y for x, y in zip(a, b, strict=True))

    probe = [float(x) for x in probe]
    own: dict[int, list[float]] = {}
    for vector, whose in zip(vectors.astype(float).tolist(), person.tolist(), strict=True):
        cosine = dot(vector, probe) / math.sqrt(dot(vector, vector) * dot(probe, probe))
        own.setdefault(whose, []).append(cosine)
    value = {
        whose: max(some) if score == "max" else math.fsum(some) / len(some) for whose, some in own.items()
    }
    return sorted(((-round(v, 13), whose) for whose, v in value.items()))[:k]


def same(found, expected):
    ids, scores = found
    assert ids.tolist() == [whose for _, whose in expected]
    assert scores == pytest.approx([-value for value, _ in expected], abs=1e-12)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("score", ["max", "mean"])
@pytest.mark.parametrize(("people", "templates"), [(1, 1), (3, 100), (700, 2), (40, 33), (1000, 1)])
def test_equals_a_loop_in_float64(device, score, people, templates):
    rng = np.random.default_rng(people)
    person = rng.permutation(np.repeat(rng.choice(10**6, people, replace=False), templates))
    vectors = unit(rng.normal(size=(len(person), 24)))
    probes = unit(rng.normal(size=(5, 24)))
    index = Index(vectors, person, torch.device(device))
    for k in (1, 5, people):
        for probe, found in zip(probes, index.nearest(probes, k, score), strict=True):
            same(found, loop(vectors, person, probe, k, score))


@pytest.mark.parametrize("score", ["max", "mean"])
def test_equal_vectors_are_ordered_by_id_wherever_they_lie(score):
    """1,000 people with the same vector, among others: more ties than any number of blocks opened at
    first.
    """
    rng = np.random.default_rng(1)
    person = rng.permutation(3000)
    vectors = unit(rng.normal(size=(3000, 128)))
    shared = np.flatnonzero(person < 1000)
    vectors[shared] = vectors[shared[0]]
    probe = unit(vectors[shared[0]] + 0.02 * rng.normal(size=128))
    ((ids, scores),) = Index(vectors, person, CPU).nearest(probe[None], 20, score)
    assert ids.tolist() == list(range(20))
    assert len(set(scores.tolist())) == 1


def test_what_float32_cannot_tell_apart():
    """Neighbours that differ in the last bit of one number. In float32 their cosines come out in any
    order.
    """
    rng = np.random.default_rng(2)
    base, probe = unit(rng.normal(size=(2, 512)))
    vectors = np.tile(base, (2000, 1))
    where = rng.integers(0, 512, 2000)
    rows = np.arange(2000)
    vectors[rows, where] = np.nextafter(vectors[rows, where], rng.choice([-9, 9], 2000).astype(np.float32))
    person = rng.permutation(2000)
    in_float32 = person[np.argsort(-(vectors @ probe), kind="stable")[:10]]
    ((ids, scores),) = Index(vectors, person, CPU).nearest(probe[None], 10)
    expected = np.lexsort((person, -cosines(vectors, probe)))[:10]
    assert ids.tolist() == person[expected].tolist()
    assert ids.tolist() != in_float32.tolist(), "this test must be one that float32 fails"
    assert np.ptp(scores) < 1e-7


@pytest.mark.parametrize("dimension", [1, 2, 128, 512, 2048])
def test_margin_covers_float32(dimension):
    """The worst rounding: terms of one sign and falling size; and random ones, by every product at hand."""
    rng = np.random.default_rng(dimension)
    for kind in ("random", "one sign", "falling"):
        vectors = rng.normal(size=(4096, dimension))
        if kind != "random":
            vectors = np.abs(vectors)
        if kind == "falling":
            vectors *= np.logspace(0, -6, dimension)
        vectors = unit(vectors)
        stored = vectors * np.float32(1 + 0.9e-5)  # the least round of norms that a file may hold
        for probe in (vectors[0], vectors[1]):
            in_float32 = torch.mv(torch.from_numpy(stored), torch.from_numpy(probe)).numpy()
            assert np.abs(in_float32 - cosines(stored, probe)).max() < margin(dimension)


def test_margin_grows_when_torch_may_be_quick():
    before = torch.get_float32_matmul_precision()
    exact = margin(128)
    try:
        torch.set_float32_matmul_precision("high")
        assert margin(128) > 2**-10
        torch.set_float32_matmul_precision("medium")
        assert margin(128) > 2**-8
    finally:
        torch.set_float32_matmul_precision(before)
    assert margin(128) == exact < 1e-4


def test_chunks_and_groups_change_nothing(monkeypatch):
    rng = np.random.default_rng(3)
    person = np.repeat(np.arange(500), 3)
    vectors, probes = unit(rng.normal(size=(1500, 16))), unit(rng.normal(size=(9, 16)))
    whole = [Index(vectors, person, CPU).nearest(probes, 7, score) for score in ("max", "mean")]
    monkeypatch.setattr(search, "_COSINES_AT_ONCE", {"cpu": 9 * 100})
    monkeypatch.setattr(search, "_BOUNDS_AT_ONCE", 300)
    for room in (exact, few):
        monkeypatch.setattr(room, "OPENED_AT_ONCE", 50)
    monkeypatch.setattr(few, "COSINES_AT_ONCE", 3 * 1500)
    pieces = [Index(vectors, person, CPU).nearest(probes, 7, score) for score in ("max", "mean")]
    for a, b in zip(whole, pieces, strict=True):
        for (ids, scores), (ids_again, scores_again) in zip(a, b, strict=True):
            assert ids.tolist() == ids_again.tolist()
            assert scores.tolist() == scores_again.tolist()


def test_nobody_is_nearest_to_nobody():
    index = Index(np.empty((0, 8), np.float32), np.empty(0, np.int64), CPU)
    ((ids, scores),) = index.nearest(unit(np.ones((1, 8))), 3)
    assert len(ids) == len(scores) == 0


def test_memory_of_a_search_is_a_fraction_of_the_vectors():
    """NumPy's and Python's share; torch's own buffer is `_COSINES_AT_ONCE` numbers, whatever the gallery."""
    vectors = unit(np.random.default_rng(4).normal(size=(100_000, 64)))
    index = Index(vectors, np.arange(100_000), CPU)
    tracemalloc.start()
    index.nearest(vectors[:64], 5)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 0.1 * vectors.nbytes
    assert index._on_device.data_ptr() == vectors.ctypes.data, "on a CPU the vectors are not copied"


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_few_directions_many_ties(data):
    """Vectors out of a handful of directions, so that nearly everything is a tie."""
    number = data.draw(st.integers(1, 120))
    seed, k = data.draw(st.integers(0, 10**6)), data.draw(st.integers(1, 8))
    rng = np.random.default_rng(seed)
    directions = unit(rng.integers(-2, 3, size=(4, 5)) + 0.5)
    vectors = directions[rng.integers(0, 4, number)]
    person = rng.integers(0, 30, number)
    score = data.draw(st.sampled_from(["max", "mean"]))
    ((ids, scores),) = Index(vectors, person, CPU).nearest(directions[:1], k, score)
    same((ids, scores), loop(vectors, person, directions[0], k, score))


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_few_templates_equal_brute_force_and_probes_one_at_a_time(data):
    """Every way through a small search: one probe and many, stripes or none, ties, several templates."""
    seed, number = data.draw(st.integers(0, 10**6)), data.draw(st.integers(1, 400))
    people, k = data.draw(st.integers(1, 400)), data.draw(st.integers(1, 12))
    directions = data.draw(st.sampled_from([3, 50, 400]))
    rng = np.random.default_rng(seed)
    several = unit(rng.normal(size=(directions, 6)))
    vectors = several[rng.integers(0, directions, number)]
    person = rng.permutation(number) if people >= number else rng.integers(0, people, number)
    probes = several[rng.integers(0, directions, 7)]
    for stripes_from in (2**11, 0):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(few, "_STRIPES_FROM", stripes_from)
            index = Index(vectors, person, CPU)
            together = index.nearest(probes, k)
            for probe, (ids, scores) in zip(probes, together, strict=True):
                ((alone, its),) = index.nearest(probe[None], k)
                expected = brute_force(vectors, person, probe, k)
                assert ids.tolist() == alone.tolist() == expected[0]
                assert scores.tolist() == its.tolist() == expected[1]


def brute_force(vectors, person, probe, k):
    """Every cosine in float64, to the bit; each person's largest; sorted by score and then id."""
    best: dict[int, float] = {}
    for whose, score in zip(person.tolist(), cosines(vectors, probe).tolist(), strict=True):
        best[whose] = max(score, best.get(whose, -2.0))
    ids = sorted(best, key=lambda whose: (-best[whose], whose))[:k]
    return ids, [best[whose] for whose in ids]


@pytest.mark.parametrize("number", [10, 600, 3000])
@pytest.mark.parametrize("tied", [2, 7, 300])
def test_ties_across_the_kth_place(number, tied):
    """Four people nearer than the tied ones: of those, the smallest id is the fifth."""
    tied = min(tied, number - 4)
    rng = np.random.default_rng(number + tied)
    probes = unit(rng.normal(size=(64, 128)))
    person = rng.permutation(number)
    vectors = unit(rng.normal(size=(number, 128)))
    vectors[:4] = unit(probes[0] + 0.01 * rng.normal(size=(4, 128)))
    vectors[rng.permutation(np.arange(4, number))[:tied]] = unit(probes[0] + 0.05 * rng.normal(size=128))
    index = Index(vectors, person, CPU)
    together = index.nearest(probes, 5)
    for probe, (ids, scores) in zip(probes, together, strict=True):
        assert (ids.tolist(), scores.tolist()) == brute_force(vectors, person, probe, 5)
        ((alone, its),) = index.nearest(probe[None], 5)
        assert (alone.tolist(), its.tolist()) == (ids.tolist(), scores.tolist())


def test_few_and_many_templates_are_searched_alike(monkeypatch):
    rng = np.random.default_rng(5)
    person = np.repeat(rng.permutation(1500), 2)
    vectors, probes = unit(rng.normal(size=(3000, 128))), unit(rng.normal(size=(64, 128)))
    few = Index(vectors, person, CPU).nearest(probes, 5)
    monkeypatch.setattr(search, "FEW", 0)
    for (ids, scores), (ids_again, scores_again) in zip(
        few, Index(vectors, person, CPU).nearest(probes, 5), strict=True
    ):
        assert ids.tolist() == ids_again.tolist()
        assert scores.tolist() == scores_again.tolist()
