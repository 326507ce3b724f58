"""Thresholds from one's own people: against direct counts, and what is refused."""

import numpy as np
import pytest

from facelab import calibration, datasets
from facelab import metrics as m


def unit(vectors):
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture(scope="module")
def people():
    """40 people, 1 to 6 photos each, in 16 dimensions."""
    rng = np.random.default_rng(1)
    identity = np.repeat(np.arange(40), rng.integers(1, 7, 40))
    return unit(rng.normal(size=(40, 16))[identity] + 0.6 * rng.normal(size=(len(identity), 16))), identity


def all_pairs(vectors, identity):
    a, b = np.triu_indices(len(vectors), 1)
    return (vectors[a] * vectors[b]).sum(1), identity[a], identity[b]


def test_rates_are_those_of_a_direct_count(people):
    vectors, identity = people
    scores, a, b = all_pairs(vectors, identity)
    found = m.calibrate(vectors, identity, (0.1, 0.01))
    assert (found.people, found.photos) == (40, len(vectors))
    assert found.impostor == (a != b).sum()
    assert found.genuine == (a == b).sum()
    assert found.highest == pytest.approx(scores[a != b].max(), abs=1e-6)
    for setting in found.settings:
        accepted = scores[a != b] >= setting.threshold
        assert setting.fmr.count == accepted.sum()
        assert setting.fmr.value <= setting.wanted
        assert (scores[a != b] >= setting.threshold - 1e-4).mean() > setting.wanted, (
            "one step lower is too low"
        )
        assert setting.fnmr.count == (scores[a == b] < setting.threshold).sum()
        assert setting.fmr.low <= setting.fmr.value <= setting.fmr.high
        assert setting.threshold == round(setting.threshold, 4)


def test_intervals_are_those_of_drawing_people(people):
    """Against `bootstrap_identities`, which knows nothing of this module's shortcuts."""
    vectors, identity = people
    scores, a, b = all_pairs(vectors, identity)
    setting = m.calibrate(vectors, identity, (0.05,), resamples=2000).settings[0]
    plain = m.bootstrap_identities(
        lambda s, same: (s[~same] >= setting.threshold).mean(), scores, a == b, a, b, resamples=2000
    )
    assert setting.fmr.low == pytest.approx(plain.low, rel=0.12)
    assert setting.fmr.high == pytest.approx(plain.high, rel=0.12)
    exact_low, exact_high = m.clopper_pearson(setting.fmr.count, setting.fmr.total)
    assert setting.fmr.low <= exact_low
    assert setting.fmr.high >= exact_high


def test_what_so_few_pairs_cannot_show_gets_no_threshold(people):
    found = m.calibrate(*people, (0.1, 1e-3, 1e-5, 0.0))
    claimed, few, none, zero = found.settings
    assert claimed.threshold is not None
    assert claimed.fmr.count >= 30
    assert few.threshold is not None
    assert "rests on" in few.caveat
    assert none.threshold is None
    assert none.fmr is None
    assert "300,000 are needed" in none.caveat
    assert "no number of pairs shows zero" in zero.caveat
    assert found.floor == pytest.approx(3 / found.impostor)
    assert found.strict_floor == pytest.approx(3 / 20)


def test_few_people_are_few_however_many_photos_they_have():
    rng = np.random.default_rng(2)
    identity = np.repeat(np.arange(6), 40)
    photos = rng.normal(size=(6, 8))[identity] + 0.5 * rng.normal(size=(240, 8))  # each like its person
    found = m.calibrate(unit(photos), identity, (0.01,))
    assert found.settings[0].fmr.count >= 30
    assert "a few people decide it" in found.settings[0].caveat


def test_one_photo_each_leaves_nothing_to_miss():
    vectors = unit(np.random.default_rng(3).normal(size=(60, 8)))
    found = m.calibrate(vectors, np.arange(60), (0.1,))
    assert found.genuine == 0
    assert found.settings[0].fnmr is None
    other = m.calibrate(vectors, np.arange(60), (0.1,), genuine=([0.1, 0.9, 0.99], [7, 7, 9]))
    assert other.settings[0].fnmr.count == 1
    assert other.settings[0].fnmr.total == 3


def test_names_may_be_names(people):
    vectors, identity = people
    names = np.array([f"person {k}" for k in range(40)])[identity]
    assert m.calibrate(vectors, names, (0.1,)).settings[0].threshold == pytest.approx(
        m.calibrate(vectors, identity, (0.1,)).settings[0].threshold
    )


@pytest.mark.parametrize(
    ("vectors", "identity", "message"),
    [
        (np.eye(3), [0, 0, 0], "two people at least"),
        (np.eye(3), [0, 1], "an identity for each"),
        (np.full((3, 3), np.nan), [0, 1, 2], "NaN or infinity"),
        (np.zeros((20_001, 1)), np.arange(20_001), "20,000 at most"),
    ],
)
def test_refusals(vectors, identity, message):
    with pytest.raises(ValueError, match=message):
        m.calibrate(vectors, np.array(identity))


def test_on_lfw_it_agrees_with_the_table_of_the_package():
    """One photo of each person, View 2's positives: what `facelab.calibration` was measured on."""
    templates = datasets.lfw_templates()
    first, pairs = templates.number == 1, templates.pairs["lfw"]
    genuine = templates.scores("lfw")[pairs.same], templates.identity[pairs.a[pairs.same]]
    found = m.calibrate(
        templates.vectors[first], templates.identity[first], (1e-2, 1e-3), genuine=genuine, resamples=50
    )
    assert found.impostor == 16_522_626
    for setting in found.settings:
        known = calibration.threshold_for("yunet+aligned+sface", setting.wanted)
        assert 1 - setting.threshold == pytest.approx(known, abs=0.002)
        assert setting.caveat == ""
        missed = calibration.fnmr_at("yunet+aligned+sface", 1 - setting.threshold)
        assert setting.fnmr.value == pytest.approx(missed.value, abs=0.001)
        assert setting.fnmr.low == pytest.approx(missed.low, abs=0.003)


# ---------------------------------------------------------------------- closed set: CMC


def test_cmc_by_hand():
    #                 A1   A2   B    C
    scores = np.array([
        [0.9, 0.1, 0.8, 0.7],  # A: best by A1, rank 1
        [0.2, 0.6, 0.7, 0.1],  # A: A2 second to B, rank 2
        [0.5, 0.1, 0.5, 0.1],  # B: level with A, so rank 2
        [0.9, 0.8, 0.7, 0.6],  # C: last, rank 3
    ])  # fmt: skip
    assert m.cmc(scores, ["A", "A", "B", "C"], ["A", "A", "B", "C"]).tolist() == [0.25, 0.75, 1.0]


def test_cmc_is_scikit_learns_top_k_accuracy():
    from sklearn.metrics import top_k_accuracy_score

    rng = np.random.default_rng(0)
    scores, truth = rng.normal(size=(200, 12)), rng.integers(12, size=200)
    found = m.cmc(scores, truth, np.arange(12))
    for k in range(1, 12):
        assert found[k - 1] == pytest.approx(top_k_accuracy_score(truth, scores, k=k, labels=range(12)))
    assert found[-1] == 1
    assert (np.diff(found) >= 0).all()


def test_cmc_of_a_score_that_says_nothing_is_the_worst():
    assert m.cmc(np.zeros((3, 4)), [0, 1, 2], [0, 1, 2, 3]).tolist() == [0, 0, 0, 1]


@pytest.mark.parametrize(
    ("scores", "probes", "gallery", "message"),
    [
        (np.zeros((2, 2)), ["A", "Z"], ["A", "B"], r"\['Z'\] are not in the gallery"),
        (np.zeros((2, 3)), ["A", "B"], ["A", "B"], r"scores has shape \(2, 3\)"),
        (np.zeros((0, 2)), [], ["A", "B"], "scores has shape"),
        (np.array([[np.nan, 1]]), ["A"], ["A", "B"], "scores holds NaN"),
    ],
)
def test_cmc_refusals(scores, probes, gallery, message):
    with pytest.raises(ValueError, match=message):
        m.cmc(scores, probes, gallery)
