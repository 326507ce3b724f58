"""Rates of presentation attack detection against plain loops."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facelab import metrics

SCORES = st.lists(st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.75, 1.0]), min_size=1, max_size=30)


@settings(max_examples=60, deadline=None)
@given(SCORES, st.floats(0, 1))
def test_apcer_and_bpcer_are_counts(scores, threshold):
    through = 0
    for score in scores:
        through += score >= threshold
    apcer, bpcer = metrics.apcer(scores, threshold), metrics.bpcer(scores, threshold)
    assert (apcer.count, apcer.total) == (through, len(scores))
    assert (bpcer.count, bpcer.total) == (len(scores) - through, len(scores))


@settings(max_examples=60, deadline=None)
@given(SCORES, st.floats(0, 0.99))
def test_the_threshold_is_the_highest_that_turns_so_few_away(scores, rate):
    threshold = metrics.threshold_at_bpcer(scores, rate)
    assert metrics.bpcer(scores, threshold) <= rate + 1e-9
    higher = [score for score in scores if score > threshold]
    for other in higher:
        assert metrics.bpcer(scores, other) > rate


def test_kinds_are_apart_and_the_worst_counts():
    scores = [0.9, 0.8, 0.1, 0.6, 0.2, 0.7, 0.7, 0.3]
    kinds = ["bona fide"] * 3 + ["print"] * 2 + ["replay"] * 3
    rates = metrics.attack_rates(scores, kinds, 0.5)
    assert {kind: (rate.count, rate.total) for kind, rate in rates.apcer.items()} == {
        "print": (1, 2),
        "replay": (2, 3),
    }
    assert (rates.bpcer.count, rates.bpcer.total) == (1, 3)
    assert rates.worst == "replay"
    assert rates.acer == pytest.approx((2 / 3 + 1 / 3) / 2)
    assert "APCER print" in str(rates)
    assert "ACER (replay)" in str(rates)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 1), st.floats(-1, 1)), min_size=1, max_size=30))
def test_iapar_needs_both(pairs):
    live, match = (np.array(column) for column in zip(*pairs, strict=True))
    both = sum(1 for a, b in pairs if a >= 0.5 and b >= 0.3)
    rate = metrics.iapar(live, match, 0.5, 0.3)
    assert (rate.count, rate.total) == (both, len(pairs))
    assert rate <= metrics.apcer(live, 0.5)


def test_intervals_over_people_are_wider_than_over_presentations():
    rng = np.random.default_rng(0)
    person = np.repeat(np.arange(40), 10)
    passed = (rng.random(40) < 0.3)[person]  # all ten of a person alike
    over_people = metrics.bootstrap_people(lambda rows: passed[rows].mean(), person)
    over_rows = metrics.bootstrap_people(lambda rows: passed[rows].mean(), np.arange(400))
    assert over_people.value == over_rows.value == passed.mean()
    assert over_people.low <= over_people.value <= over_people.high
    assert over_people.high - over_people.low > 2 * (over_rows.high - over_rows.low)
    again = metrics.bootstrap_people(lambda rows: passed[rows].mean(), person)
    assert np.array_equal(again.resamples, over_people.resamples)


def test_a_person_brings_all_rows_of_theirs():
    person = np.array(["b", "a", "b", "c"])
    for rows in _drawn(person):
        counts = np.bincount(rows, minlength=4)
        assert counts[0] == counts[2]
        assert counts[0] + counts[1] + counts[3] == 3


def _drawn(person):
    kept = []
    metrics.bootstrap_people(lambda rows: kept.append(rows) or 0.0, person, resamples=20)
    return kept


def test_what_has_no_denominator_is_named():
    with pytest.raises(ValueError, match="attack"):
        metrics.apcer([], 0.5)
    with pytest.raises(ValueError, match="bona fide"):
        metrics.bpcer([], 0.5)
    with pytest.raises(ValueError, match="NaN"):
        metrics.apcer([math.nan], 0.5)
    with pytest.raises(ValueError, match="no attack"):
        metrics.attack_rates([0.5], ["bona fide"], 0.5)
    with pytest.raises(ValueError, match="kinds"):
        metrics.attack_rates([0.5, 0.1], ["print"], 0.5)
    with pytest.raises(ValueError, match="one of each"):
        metrics.iapar([0.5], [0.5, 0.1], 0.5, 0.5)
    with pytest.raises(ValueError, match="rate"):
        metrics.threshold_at_bpcer([0.5], 1.0)
    with pytest.raises(ValueError, match="people"):
        metrics.bootstrap_people(lambda rows: 0.0, [1, 1])
    with pytest.raises(ValueError, match="nothing is left"):
        metrics.bootstrap_people(lambda rows: math.nan, [1, 2], resamples=3)
