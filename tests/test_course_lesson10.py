"""Lesson 10's people, experiments and stored figures."""

from dataclasses import replace

import numpy as np
import pytest

from facelab.course import drawn, lesson10, lesson10_plots
from facelab.course.lesson10 import eer
from facelab.training import Recipe, Stop

RECIPE = Recipe(batch_size=32, head_options={"s": 16.0, "m": 0.1})


@pytest.fixture(scope="module")
def task():
    return lesson10.drawn_task(people=16)


def test_drawn_people_differ_and_their_photos_too():
    people = drawn.identities(3)
    np.testing.assert_array_equal(people, drawn.identities(9)[:3])
    images = drawn.photos(people, [0, 0, 1, 2], seed=1)
    assert images.shape == (4, 112, 112, 3)
    np.testing.assert_array_equal(images, drawn.photos(people, [0, 0, 1, 2], seed=1))
    assert all(np.abs(images[a].astype(int) - images[b]).mean() > 5 for a, b in [(0, 1), (0, 2), (2, 3)])
    assert drawn.photos(people, [0], side=56).shape == (1, 56, 56, 3)
    assert drawn.photos(people, []).shape == (0, 112, 112, 3)


def test_more_photos_of_a_person_do_not_change_those_before():
    people = drawn.identities(70)
    few, many = (drawn.photos(people, np.arange(n), seed=2, side=56) for n in (64, 70))
    np.testing.assert_array_equal(few, many[:64])


def test_nobody_is_on_both_sides(task):
    identity = task.crops.identity
    assert not set(identity[task.split.train]) & set(identity[task.split.held])
    assert set(task.pairs.who_a) | set(task.pairs.who_b) == set(identity[task.split.held])
    assert (task.pairs.same == (identity[task.pairs.a] == identity[task.pairs.b])).all()
    assert "60 others" in str(task)


def test_a_run_is_repeatable_and_says_what_it_saw(task):
    seen, looks = [], []
    one = lesson10.run(
        task, RECIPE, 8, on_step=lambda *at: seen.append(at), on_look=lambda *at: looks.append(at)
    )
    again = lesson10.run(task, RECIPE, 8)
    assert one["losses"].tolist() == again["losses"].tolist() == [loss for _, loss in seen]
    np.testing.assert_array_equal(one["scores"], again["scores"])
    assert (one["people"], one["photos"], one["steps"]) == (16, 128, 8)
    assert [step for step, _ in looks] == [step for step, *_ in one["curve"][:-1]]
    assert one["curve"][-1][0] == 8
    assert one["curve"][-1][2] == pytest.approx(eer(one["scores"], task.pairs.same), abs=1e-4)
    assert lesson10.run(task, replace(RECIPE, seed=1), 8)["losses"].tolist() != one["losses"].tolist()


def test_fewer_people_and_a_leak_change_who_is_taught(task):
    few = lesson10.run(task, RECIPE, 4, people=5)
    assert (few["people"], few["photos"]) == (5, 40)
    assert lesson10.run(task, RECIPE, 4, leak=True)["people"] == 76


def test_a_stopped_run_has_no_scores(task):
    stop = Stop()
    stopped = lesson10.run(task, RECIPE, 50, stop=stop, on_step=lambda step, loss: stop.set())
    assert stopped["steps"] == 1
    assert stopped["scores"].size == 0


def test_wrong_names_are_as_many_as_said(task):
    rows = task.split.train
    wrong = lesson10.misnamed(task.crops, rows, 0.25, np.random.default_rng(0))
    changed = wrong.identity != task.crops.identity
    assert not changed[task.split.held].any()
    assert 0.2 < changed[rows].mean() <= 0.25, "a name drawn at random may be the right one"
    assert set(wrong.identity[rows]) <= set(task.crops.identity[rows])


# ---- what is stored ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def stored():
    return lesson10.stored()


def test_the_stored_scores_belong_to_the_stored_rows(stored):
    assert stored.scores.shape == (len(stored.rows), 1000)
    assert stored.same.sum() == 500
    for place, row in enumerate(stored.rows):
        step, _, last = row["curve"][-1]
        assert step == row["steps"]
        assert stored.eer_of(place) == pytest.approx(last, abs=0.004), row["name"]
        if row["name"] in lesson10.RUNS:
            assert row["steps"] == pytest.approx(lesson10.STEPS, rel=0.1)
    assert (stored.same == (stored.who_a == stored.who_b)).all()


def test_every_kind_of_run_is_stored_with_more_than_one_seed(stored):
    for name in lesson10.RUNS:
        seeds = [stored.rows[place]["seed"] for place in stored.of(name)]
        assert len(seeds) == len(set(seeds)) >= 2, name


def test_intervals_carry_people_and_seeds(stored):
    groups = [stored.of("ArcFace"), stored.of("softmax")]
    found, draws = lesson10.interval(stored, groups, eer, resamples=60)
    for (value, low, high), group in zip(found, groups, strict=True):
        assert low < value < high
        assert value == pytest.approx(np.mean([stored.eer_of(place) for place in group]))
    assert draws.shape == (60, 2)
    one, _ = lesson10.interval(stored, [groups[0][:1]], eer, resamples=60)
    assert one[0][0] == pytest.approx(stored.eer_of(groups[0][0]))
    by, low, high = lesson10_plots.difference(stored, groups[0], groups[0], resamples=20)
    assert by == 0
    assert low <= 0 <= high


def test_the_papers_points_are_in_order():
    photos, people, errors, _ = zip(*lesson10_plots.PUBLISHED, strict=True)
    assert list(photos) == sorted(photos)
    assert list(people) == sorted(people)
    assert all(0.1 < error < 0.6 for error in errors)
