"""facelab.calibration: the look-ups, the measurement, and the committed table."""

import json

import numpy as np
import pytest

from benchmarks import calibrate
from facelab import calibration, weights
from facelab.datasets import lfw_templates
from facelab.errors import FacelabError
from facelab.metrics import clopper_pearson

CONFIG = "yunet+aligned+sface"


@pytest.fixture
def table(tmp_path, monkeypatch):
    """A made-up configuration: no match up to distance 0.5, then 10 % more at every step."""
    rates = np.where(
        calibration.GRID <= 0.5, 0, np.minimum(1, 1e-6 * 1.1 ** ((calibration.GRID - 0.5) / 0.005))
    )
    errors = np.round(rates * 1e7).astype(int)
    kind = {
        "pairs": 10_000_000,
        "people": 4473,
        "errors": errors.tolist(),
        "low": (rates / 2).tolist(),
        "high": np.where(errors == 0, 3e-7, np.minimum(1, rates * 2)).tolist(),
    }
    genuine = kind | {"errors": errors[::-1].tolist()}
    file = tmp_path / "calibration.json"
    file.write_text(json.dumps({"configs": {"made+up": {"impostor": kind, "genuine": genuine}}}))
    monkeypatch.setattr(calibration, "FILE", file)
    calibration._table.cache_clear()
    yield errors
    calibration._table.cache_clear()


# ---------------------------------------------------------------------- looking up


def test_fmr_at_a_measured_threshold_is_what_was_counted(table):
    estimate = calibration.fmr_at("made+up", 0.6)
    assert estimate.value == table[120] / 1e7
    assert estimate.low < estimate.value < estimate.high
    assert (estimate.pairs, estimate.people) == (10_000_000, 4473)


def test_between_two_measured_thresholds_the_logarithm_is_interpolated(table):
    left, right = (calibration.fmr_at("made+up", t).value for t in (0.7, 0.705))
    assert calibration.fmr_at("made+up", 0.7025).value == pytest.approx(np.sqrt(left * right), rel=1e-6)


def test_no_match_seen_has_the_rule_of_three_as_upper_end(table):
    estimate = calibration.fmr_at("made+up", 0.3)
    assert (estimate.value, estimate.low, estimate.high) == (0, 0, 3e-7)
    assert "below 1 in 3,330,000, none seen" in str(estimate)


def test_every_threshold_has_a_rate_and_a_higher_one_no_lower(table):
    rates = [calibration.fmr_at("made+up", t).value for t in np.linspace(0, 2, 777)]
    assert (np.diff(rates) >= 0).all()
    assert rates[-1] == 1
    for outside in (-0.01, 2.01, float("nan")):
        with pytest.raises(ValueError, match="between 0 and 2"):
            calibration.fmr_at("made+up", outside)


@pytest.mark.parametrize("wanted", [1e-5, 1e-4, 1e-3, 0.0123, 0.5])
def test_threshold_for_is_the_largest_that_keeps_to_the_rate(table, wanted):
    threshold = calibration.threshold_for("made+up", wanted)
    assert calibration.fmr_at("made+up", threshold).value <= wanted
    assert calibration.fmr_at("made+up", threshold + 0.001).value > wanted


def test_the_default_is_one_in_a_thousand(table):
    assert calibration.threshold_for("made+up") == calibration.threshold_for("made+up", 1e-3)


def test_rates_that_lfw_cannot_support_are_refused(table):
    for wanted in (0, 9e-6, 0.51, float("nan")):
        with pytest.raises(ValueError, match="thresholds are known for rates from"):
            calibration.threshold_for("made+up", wanted)


def test_an_unmeasured_pipeline_borrows_nothing(table):
    assert calibration.fmr_at("made+up+mirror", 0.5) is None
    assert calibration.fnmr_at("made+up+mirror", 0.5) is None
    with pytest.raises(FacelabError, match=r"'made\+up\+mirror' has no calibrated threshold .*: made\+up"):
        calibration.threshold_for("made+up+mirror")


def test_an_estimate_reads_as_a_sentence():
    estimate = calibration.FmrEstimate(0.00099, 0.0008, 0.0012, 16_522_626, 5749)
    assert str(estimate) == (
        "1 in 1,010, 95 % interval 1 in 1,250 to 1 in 833; LFW, 16,522,626 pairs of 5,749 people"
    )
    assert str(calibration.FnmrEstimate(0.25, 0.2, 0.3, 100, 50)).startswith(
        "25.0%, 95 % interval 20.0% to 30.0%"
    )


# ---------------------------------------------------------------------- measuring


def unit(count, seed, dim=8):
    vectors = np.random.default_rng(seed).normal(size=(count, dim)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def test_impostor_counts_are_those_of_a_plain_loop():
    vectors = unit(40, 0)
    row = calibrate.impostors(vectors, 20, "test")
    distances = [1 - float(vectors[i] @ vectors[j]) for i in range(40) for j in range(i)]
    assert row["pairs"] == len(distances) == 780
    assert row["people"] == 40
    assert row["errors"] == [sum(d <= t for d in distances) for t in calibration.GRID]


def test_genuine_misses_are_those_of_a_plain_loop():
    distances, identity = np.array([0.1, 0.5, 0.5, 0.7]), np.array([3, 3, 5, 9])
    row = calibrate.genuines(distances, identity, 20)
    assert (row["pairs"], row["people"]) == (4, 3)
    assert row["errors"] == [sum(d > t for d in distances) for t in calibration.GRID]


def test_the_interval_is_the_wider_of_bootstrap_and_exact():
    row = calibrate.impostors(unit(60, 1), 200, "test")
    errors, low, high = (np.array(row[key]) for key in ("errors", "low", "high"))
    exact_low, exact_high = clopper_pearson(errors, row["pairs"])
    some = errors > 0
    assert (low <= exact_low + 1e-4).all()
    assert (high[some] >= exact_high[some] * (1 - 1e-3)).all()
    assert (~some).any()
    assert high[~some] == pytest.approx(3 / row["pairs"], rel=1e-3)
    middle = np.argmin(np.abs(errors / row["pairs"] - 0.2))
    assert high[middle] - low[middle] > 1.1 * (exact_high - exact_low)[middle]


def test_the_bootstrap_over_people_is_as_wide_as_the_truth_is():
    """The spread of the FMR over many draws of 50 people from a crowd is what one draw's bootstrap says."""
    k = 180  # distance 0.9
    crowd = unit(4000, 2) + np.float32(
        [0.6, 0, 0, 0, 0, 0, 0, 0]
    )  # most look a little alike, some more than others
    crowd /= np.linalg.norm(crowd, axis=1, keepdims=True)
    rng = np.random.default_rng(0)
    draws = [calibrate.impostors(crowd[rng.choice(4000, 50, False)], 2, "") for _ in range(150)]
    spread = np.std([draw["errors"][k] / draw["pairs"] for draw in draws])
    widths = [
        np.subtract(
            *[
                calibrate.impostors(crowd[rng.choice(4000, 50, False)], 150, "")[end][k]
                for end in ("high", "low")
            ]
        )
        for _ in range(2)
    ]
    assert np.mean(widths) / (2 * 1.96 * spread) == pytest.approx(1, abs=0.45)


# ---------------------------------------------------------------------- the committed table


@pytest.fixture(params=calibrate.CONFIGS)
def measured(request):
    return request.param, calibration._table()[request.param]


def test_the_table_belongs_to_the_weights_in_use(measured):
    config, row = measured
    for name, sha256 in row["weights"].items():
        assert sha256 == weights.KNOWN[name].sha256
    assert {name.split("-")[0] for name in row["weights"]} == set(config.split("+")[::2])


def test_the_table_is_whole(measured):
    _, row = measured
    impostor, genuine = row["impostor"], row["genuine"]
    assert 5749 - row["photos_without_a_face"] <= impostor["people"] <= 5749
    assert impostor["pairs"] == impostor["people"] * (impostor["people"] - 1) // 2
    assert 2990 <= genuine["pairs"] <= 3000
    for kind, order in ((impostor, 1), (genuine, -1)):
        errors, low, high = (np.array(kind[key]) for key in ("errors", "low", "high"))
        assert len(errors) == len(low) == len(high) == len(calibration.GRID)
        assert (np.diff(errors) * order >= 0).all()
        value = errors / kind["pairs"]
        assert (low <= value * 1.001).all()
        assert (value <= high * 1.001).all()
    assert impostor["errors"][0] == 0
    assert impostor["errors"][-1] == impostor["pairs"]


def test_the_default_threshold_is_worth_one_in_a_thousand(measured):
    config, _ = measured
    threshold = calibration.threshold_for(config)
    estimate = calibration.fmr_at(config, threshold)
    assert 0.955e-3 < estimate.value <= 1e-3
    assert 0.5e-3 < estimate.low < estimate.value < estimate.high < 2e-3
    assert 0.5 < threshold < 0.8
    assert calibration.fnmr_at(config, threshold).value < 0.02


def test_the_templates_give_the_same_rates():
    """Anybody can check the table with data/lfw_templates.h5 alone: float16 moves next to nothing."""
    templates = lfw_templates()
    first = templates.vectors[templates.number == 1]
    impostor = 1 - (first @ first.T)[np.triu_indices(len(first), k=1)]
    pairs = templates.pairs["lfw"]
    genuine = 1 - templates.scores("lfw")[pairs.same]
    for threshold in (0.5, 0.6, 0.643, 0.75, 0.9):
        estimate = calibration.fmr_at(CONFIG, threshold)
        assert (impostor <= threshold).sum() / estimate.pairs == pytest.approx(
            estimate.value, rel=0.01, abs=2e-7
        )
        assert (genuine > threshold).mean() == pytest.approx(
            calibration.fnmr_at(CONFIG, threshold).value, abs=4e-4
        )
