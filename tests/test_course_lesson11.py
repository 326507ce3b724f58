"""Lesson 11: the crowd is like LFW where it claims to be; roofs, cells, tails, codes and groups against plain
calculations; its widgets where the sliders are moved."""

import numpy as np
import pytest
from scipy.stats import genpareto

from facelab.course.lesson11 import cells, codes, extremes, grouping, machine, shards
from facelab.course.lesson11.crowd import crowd, fitted, tail
from facelab.course.lesson11.stored import stored
from facelab.course.widgets.breadth import Breadth
from facelab.course.widgets.grouping import GroupPeople
from facelab.course.widgets.growth import Growth
from facelab.course.widgets.roofline import Roofline
from facelab.course.widgets.shards import Shards
from facelab.datasets import lfw_templates
from facelab.metrics import eer


@pytest.fixture(scope="module")
def model():
    return fitted()


def test_the_crowd_has_lfws_scores_but_not_its_last_ones(model):
    templates = lfw_templates()
    _, first = np.unique(templates.identity, return_index=True)
    real, drawn = templates.vectors[first], crowd(model, len(first), seed=3)
    shares = np.array([0.5, 0.1, 1e-2, 1e-3, 1e-6])
    gap = tail(drawn, shares) - tail(real, shares)
    assert (np.abs(gap[:4]) < 0.012).all(), gap
    assert gap[4] < -0.1, "LFW's nearest strangers are nearer: relatives, and names that are wrong"


def test_photos_of_a_person_resemble_each_other_as_lfws_do(model):
    templates = lfw_templates()
    one, other = crowd(model, 4000), crowd(model, 4000, photo=1)
    genuine = (one * other).sum(1)
    who, vectors = templates.identity, templates.vectors
    several = np.flatnonzero(np.bincount(who) > 1)
    pairs = [np.flatnonzero(who == person)[:2] for person in several]
    real = np.array([vectors[a] @ vectors[b] for a, b in pairs])
    assert abs(np.median(genuine) - np.median(real)) < 0.06
    scores = np.concatenate([genuine, (one * np.roll(other, 1, axis=0)).sum(1)])
    assert eer(scores, np.repeat([True, False], 4000)) < 0.02


def test_who_somebody_is_does_not_depend_on_the_size_of_the_crowd(model):
    large = crowd(model, 20_000)
    np.testing.assert_array_equal(large[:100], crowd(model, 100))
    np.testing.assert_allclose(np.linalg.norm(large[::997], axis=1), 1, atol=1e-6)
    assert not np.allclose(crowd(model, 5, seed=1), large[:5])
    assert not np.allclose(crowd(model, 5, photo=1), large[:5])


# ---- the machine ----------------------------------------------------------------------------------------


def test_exact_search_finds_the_nearest_across_blocks(model):
    gallery, probes = crowd(model, 20_000), crowd(model, 300, photo=1)
    np.testing.assert_array_equal(machine.nearest(gallery, probes), (probes @ gallery.T).argmax(1))


def test_the_roof_is_where_it_should_be_and_the_widget_shows_it():
    this = machine.Machine(bandwidth=20e9, flops=100e9)
    assert this.memory(1_000_000, 128) == pytest.approx(0.0256)
    assert this.arithmetic(1_000_000, 128, 400) == pytest.approx(1.024)
    times = {(size, count): 1e-6 * size for size in (1_000, 1_000_000) for count in (1, 64)}
    roof = Roofline(this, times)
    assert roof.error is None
    assert "The memory asks for 26 ms at least: 3%" in roof.screen.words
    roof.probes.value = 64
    assert roof.error is None
    assert "The arithmetic asks for 2.6 ms" in roof.screen.words, "one reading for 64 probes"
    assert roof.dots.get_ydata()[-1] == pytest.approx(1e3 / 64)


# ---- cells ----------------------------------------------------------------------------------------------


def test_everybody_lies_in_the_cell_of_the_nearest_centre(model):
    gallery = crowd(model, 3_000)
    made = cells.cells(gallery, 50)
    np.testing.assert_array_equal(np.sort(np.concatenate(made.members)), np.arange(3_000))
    away = ((gallery[:, None] - made.centres) ** 2).sum(-1).argmin(1)
    assert all((away[rows] == cell).all() for cell, rows in enumerate(made.members))


def test_the_breadth_widget_reads_what_was_stored():
    rows = stored("search")["rows"]
    widget = Breadth(rows)
    shares = []
    for breadth in (1, 64, 1024):
        widget.breadth.value = breadth
        assert widget.error is None
        shares.append(widget.point["known"])
    assert shares == sorted(shares)
    assert shares[0] < 0.5 < shares[-1]
    for kind in ("ivf", "ivfpq", "hnsw"):
        for whose in (("LFW", 3680), ("crowd", 3680), ("crowd", 1_000_000)):
            widget.gallery.value, widget.kind.value = whose, kind
            assert widget.error is None


# ---- extremes -------------------------------------------------------------------------------------------


def test_the_tail_holds_the_most_alike_pairs(model):
    vectors = crowd(model, 500, seed=4)
    kept = extremes.tail(vectors, 0.01)
    every = np.sort((vectors @ vectors.T)[np.triu_indices(500, 1)])[::-1]
    np.testing.assert_allclose(kept.cosines, every[: len(kept.cosines)], atol=1e-6)
    np.testing.assert_allclose((vectors[kept.a] * vectors[kept.b]).sum(1), kept.cosines, atol=1e-6)
    assert (kept.a < kept.b).all()
    assert kept.threshold(1e-3) == pytest.approx(every[124], abs=1e-6)
    assert np.isnan(kept.threshold(1e-6)), "less than one pair"


@pytest.mark.parametrize("shape", [-0.2, 0.3])
def test_a_fit_finds_the_pareto_that_the_numbers_came_from(shape):
    rng = np.random.default_rng(0)
    beyond = np.sort(genpareto.rvs(shape, 0, 0.02, size=20_000, random_state=rng))[::-1]
    nobody = np.zeros(20_000, int)
    made = extremes.Tail(0.4 + beyond, nobody, nobody, 20_000_000, 6_000)
    found = extremes.fit(made, 5e-4)
    assert found.shape == pytest.approx(shape, abs=0.03)
    truth = 0.4 + genpareto.ppf(1 - 1e-8 / 1e-3, shape, 0, 0.02)
    assert found.threshold(1e-8) == pytest.approx(truth, rel=0.15)
    assert found.fmr(found.threshold(1e-7)) == pytest.approx(1e-7)


def test_the_interval_covers_and_lfws_tail_is_not_one_tail(model):
    templates = lfw_templates()
    one_each = templates.vectors[templates.number == 1]
    real, drawn = extremes.tail(one_each), extremes.tail(crowd(model, len(one_each), seed=5))
    low, high = extremes.interval(drawn, 1e-4, np.array([1e-8]), resamples=30)
    assert low < extremes.fit(drawn, 1e-4).threshold(1e-8) < high
    shapes = [[extremes.fit(which, share).shape for share in (1e-3, 1e-5)] for which in (real, drawn)]
    assert shapes[0][1] - shapes[0][0] > 0.4
    assert abs(shapes[1][1] - shapes[1][0]) < 0.2

    widget = Growth({"LFW": real, "crowd": drawn}, {"LFW": np.array([0.3, 0.9]), "crowd": np.array([0.6])})
    widget.people.value = 6.0
    assert widget.needed == pytest.approx(1e-8, rel=0.01)
    assert widget.thresholds["crowd"] == pytest.approx(0.54, abs=0.03)
    assert "50.0% of own photos lie below" in widget.screen.words
    widget.start.value = 1e-5
    assert "there is none above 1" in widget.screen.words
    widget.people.value = 1.0
    assert "lesson 09" in widget.screen.words
    assert widget.error is None


def test_the_best_of_a_growing_gallery(model):
    gallery, probes = crowd(model, 20_000), crowd(model, 50, seed=1)
    best = extremes.best_of(gallery, probes, (100, 17_000, 20_000))
    for column, size in enumerate((100, 17_000, 20_000)):
        np.testing.assert_allclose(best[:, column], (probes @ gallery[:size].T).max(1), atol=1e-6)


# ---- codes ----------------------------------------------------------------------------------------------


def test_codes_stand_for_vectors_near_to_those_they_were_made_of(model):
    gallery = crowd(model, 4_000)
    apart, sizes = {}, {}
    for name, (size, vectors) in codes.compressed(gallery, train=4_000).items():
        assert vectors.shape == gallery.shape
        assert vectors.dtype == np.float32
        apart[name], sizes[name] = float(np.square(vectors - gallery).sum(1).mean()), size
    order = ["float16", "int8", "product, 64", "product, 32", "product, 16", "product, 8"]
    assert [apart[name] for name in order] == sorted(apart[name] for name in order)
    assert apart["float32"] == 0
    assert apart["int8"] < 1e-3 < apart["product, 8"]
    assert [sizes[name] for name in ("float32", "int8", "product, 16", "signs")] == [512, 128, 16, 16]


def test_a_product_code_takes_the_nearest_centre_of_each_part(model):
    gallery = crowd(model, 600)
    code = codes.ProductCode.trained(gallery, 8)
    numbers, books = code.encode(gallery[:20]), code.books.numpy()
    assert numbers.dtype == np.uint8
    for row, vector in zip(numbers, gallery, strict=False):
        for part, number in enumerate(row):
            away = np.square(books[part] - vector[16 * part : 16 * part + 16]).sum(1)
            assert away[number] == pytest.approx(away.min(), abs=1e-6)


# ---- classes, groups ------------------------------------------------------------------------------------


def test_a_heads_memory_is_shared_out_but_for_the_logits():
    one, eight = shards.memory(1e6, 1), shards.memory(1e6, 8)
    assert one[0] == pytest.approx(2.048)
    assert [a / b for a, b in zip(one, eight, strict=True)] == pytest.approx([8, 8, 8, 8, 1])
    tenth = shards.memory(1e6, 8, sample=0.1)
    assert tenth[0] == eight[0]
    assert tenth[-1] == pytest.approx(eight[-1] / 10)
    assert sum(one) == pytest.approx(shards.MEASURED[1, 1.0], rel=0.06)
    widget = Shards()
    widget.people.value = 7.0
    assert "from 2 on" in widget.screen.words
    widget.people.value = 9.0
    assert "fits into none" in widget.screen.words
    assert widget.error is None


def test_groupings_are_measured_and_shown():
    truth = np.array([0, 0, 0, 1, 1, 2])
    cosines = np.array([[0.9], [0.9], [0.5], [0.8], [0.8], [0.1]], np.float32)
    near = np.array([[1], [0], [0], [4], [3], [0]])
    sweeps = grouping.sweep((near, cosines), truth, (0.4, 0.6))
    for method in ("whispers", "components"):
        assert [row.groups for row in sweeps[method]] == [3, 4]
        assert sweeps[method][0].b3.f == 1.0
        assert sweeps[method][1].pairs.recall == pytest.approx(2 / 4)
    widget = GroupPeople(sweeps, (0.4, 0.6), (6, 3, 3))
    assert widget.at["whispers"].groups == 3
    widget.threshold.value = 0.6
    widget.score.value = "pairs"
    assert widget.error is None
    assert "4 groups" in widget.screen.words
