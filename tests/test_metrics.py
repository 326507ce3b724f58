"""facelab.metrics: the slides' tables, hand-computed cases, scikit-learn, and what is refused."""

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from sklearn import metrics as sk

from facelab import metrics as m

# ---------------------------------------------------------------------- the slides' two tables

THRESHOLDS = [1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1, 0.0]
VERIFICATION = [0.99, 0.79, 0.89, 0.11, 0.92, 0.02, 0.11, 0.39, 0.21, 0.01]
SAME = [True] * 5 + [False] * 5

TOP = ["A", "B", "D", "D", "E", "A", "B", "C", "D", "E"]
TOP_SCORES = [0.99, 0.61, 0.71, 0.39, 0.98, 0.22, 0.31, 0.99, 0.71, 0.01]
TRUE = ["A", "B", "C", "D", "E", None, None, None, None, None]


def test_verification_table_of_the_slides():
    tar, trr = m.tar_trr(VERIFICATION, SAME, THRESHOLDS)
    assert tar.tolist() == [0, 0.4, 0.6, 0.8, 0.8, 0.8, 0.8, 0.8, 0.8, 1, 1]
    assert trr.tolist() == [1, 1, 1, 1, 1, 1, 1, 0.8, 0.6, 0.4, 0]
    assert m.area(trr, tar) == pytest.approx(0.90, abs=1e-12)


def test_identification_table_of_the_slides():
    tpir, tnir = m.tpir_tnir(TOP, TOP_SCORES, TRUE, THRESHOLDS)
    assert tpir.tolist() == [0, 0.4, 0.4, 0.4, 0.6, 0.6, 0.6, 0.8, 0.8, 0.8, 0.8]
    assert tnir.tolist() == [1, 0.8, 0.8, 0.6, 0.6, 0.6, 0.6, 0.4, 0.2, 0.2, 0]
    assert m.area(tnir, tpir) == pytest.approx(0.58, abs=1e-12)


def test_a_score_on_the_threshold_is_accepted():
    tar, trr = m.tar_trr([0.5, 0.5], [True, False], [0.5, np.nextafter(0.5, 1)])
    assert tar.tolist() == [1, 0]
    assert trr.tolist() == [0, 1]


# ---------------------------------------------------------------------- against scikit-learn


@pytest.fixture(params=["continuous", "many ties", "unbalanced"])
def pairs(request):
    rng = np.random.default_rng(4)
    same = rng.random(400) < (0.05 if request.param == "unbalanced" else 0.5)
    scores = rng.normal(same * 1.5, 1)
    if request.param == "many ties":
        scores = scores.round(0)
    return scores, same


def test_roc_is_scikit_learns(pairs):
    far, tar, thresholds = m.roc(*pairs)
    sk_far, sk_tar, sk_thresholds = sk.roc_curve(pairs[1], pairs[0], drop_intermediate=False)
    np.testing.assert_allclose(far, sk_far, atol=1e-15)
    np.testing.assert_allclose(tar, sk_tar, atol=1e-15)
    np.testing.assert_array_equal(thresholds, sk_thresholds)


def test_auc_is_scikit_learns(pairs):
    assert m.auc(*pairs) == pytest.approx(sk.roc_auc_score(pairs[1], pairs[0]), abs=1e-12)


def test_det_is_scikit_learns(pairs):
    far, frr, thresholds = m.det(*pairs)
    sk_far, sk_frr, sk_thresholds = sk.det_curve(pairs[1], pairs[0])
    # scikit-learn keeps one point with no false accept, and one with no false reject
    rows = np.searchsorted(-thresholds, -sk_thresholds)
    np.testing.assert_allclose(far[rows], sk_far, atol=1e-15)
    np.testing.assert_allclose(frr[rows], sk_frr, atol=1e-15)


def test_tar_at_far_is_the_best_point_of_scikit_learns_roc(pairs):
    sk_far, sk_tar, _ = sk.roc_curve(pairs[1], pairs[0], drop_intermediate=False)
    for far in (0, 0.001, 0.01, 0.1, 0.5, 1):
        assert m.tar_at_far(*pairs, far) == pytest.approx(sk_tar[sk_far <= far + 1e-12].max(), abs=1e-12)


# ---------------------------------------------------------------------- by hand


def test_eer_by_hand():
    # from the top: impostor .9, genuine .8, impostor .7, genuine .6 → (0,1) (.5,1) (.5,.5) of (FAR, FRR)
    assert m.eer([0.9, 0.8, 0.7, 0.6], [False, True, False, True]) == 0.5
    assert m.eer([0.9, 0.8, 0.2, 0.1], [True, True, False, False]) == 0
    assert m.eer([0.1, 0.2, 0.8, 0.9], [True, True, False, False]) == 1
    # points (0, 1), (0, 1/3) [two genuine], (1/2, 1/3) [an impostor]: FAR = FRR = 1/3 on the line between
    assert m.eer([0.9, 0.8, 0.7, 0.6, 0.5], [True, True, False, True, False]) == pytest.approx(1 / 3)
    # one score for all: the line from (0, 1) to (1, 0)
    assert m.eer([0.5] * 6, [True, False] * 3) == 0.5
    assert isinstance(m.eer([0.9, 0.1], [True, False]), float)


def test_eer_of_normal_scores_is_what_theory_says():
    rng = np.random.default_rng(0)
    scores = np.concatenate([rng.normal(2, 1, 200_000), rng.normal(0, 1, 200_000)])
    same = np.arange(400_000) < 200_000
    assert m.eer(scores, same) == pytest.approx(stats.norm.cdf(-1), abs=2e-3)  # d′/2 standard deviations
    assert m.d_prime(scores, same) == pytest.approx(2, abs=0.02)


def test_d_prime_by_hand():
    # means 3 and 0; variances 2 and 2 over n − 1
    assert m.d_prime([2, 4, -1, 1], [1, 1, 0, 0]) == pytest.approx(3 / np.sqrt(2))


def test_fmr_and_fnmr_carry_counts_and_exact_intervals():
    scores, same = np.arange(100) / 100, np.arange(100) % 2 == 0
    fmr, fnmr = m.fmr(scores, same, 0.9), m.fnmr(scores, same, 0.9)
    assert (fmr.count, fmr.total, fmr) == (5, 50, 0.1)
    assert (fnmr.count, fnmr.total, fnmr) == (45, 50, 0.9)
    exact = stats.binomtest(5, 50).proportion_ci(0.95, method="exact")
    assert (fmr.low, fmr.high) == pytest.approx((exact.low, exact.high), abs=1e-12)


def test_fmr_needs_impostors_only_and_fnmr_genuine_only():
    assert m.fmr([0.1, 0.9], [False, False], 0.5) == 0.5
    assert m.fnmr([0.1, 0.9], [True, True], 0.5) == 0.5
    with pytest.raises(ValueError, match="no pair of different people"):
        m.fmr([0.1], [True], 0.5)
    with pytest.raises(ValueError, match="no pair of the same person"):
        m.fnmr([0.1], [False], 0.5)


def test_fnir_at_fpir_by_hand():
    # one stranger in five may get a name: the threshold lies above .71 and below .98; A and E are found
    rate = m.fnir_at_fpir(TOP, TOP_SCORES, TRUE, 0.2)
    assert (rate.count, rate.total) == (3, 5)
    # all may: only C, who is taken for D, is missed
    assert m.fnir_at_fpir(TOP, TOP_SCORES, TRUE, 1).count == 1
    # none may: .99 is a stranger's, and A's .99 does not lie above it
    assert m.fnir_at_fpir(TOP, TOP_SCORES, TRUE, 0).count == 5


def test_a_gallery_that_returns_nobody_names_nobody():
    tpir, tnir = m.tpir_tnir([None, "A"], [0.0, 0.9], [None, "A"], [-1.0])
    assert (tpir.item(), tnir.item()) == (1, 1)
    assert m.fnir_at_fpir([None, "A", None], [0, 0.9, 0], ["B", "A", None], 0) == 0.5


def test_identification_takes_numbers_zero_included():
    tpir, _ = m.tpir_tnir(np.array([0, 1, 2]), [0.9, 0.8, 0.1], [0, 2, None], [0.5])
    assert tpir.item() == 0.5


# ---------------------------------------------------------------------- folds


def test_k_fold_accuracy_by_hand():
    # From fold 1 (.8 same, .4 different) the threshold is .6; it is wrong about .5 (same) of fold 0.
    # From fold 0 (.5 same, .1 different) it is .3, and the impostor's .4 of fold 1 is accepted.
    result = m.k_fold_accuracy([0.5, 0.1, 0.8, 0.4], [True, False, True, False], [0, 0, 1, 1])
    assert result.thresholds.tolist() == pytest.approx([0.6, 0.3])
    assert result.accuracies.tolist() == [0.5, 0.5]
    assert result.accepted.tolist() == [False, False, True, True]
    assert (result.mean, result.std, result.standard_error) == (0.5, 0, 0)
    assert (result.correct.count, result.correct.total) == (2, 4)


def test_k_fold_threshold_never_sees_its_own_fold():
    rng = np.random.default_rng(1)
    folds = np.arange(200) % 10
    same = rng.random(200) < 0.5
    scores = rng.normal(same, 1)
    whole = m.k_fold_accuracy(scores, same, folds)
    scores[folds == 3] = rng.normal(size=20) * 10
    assert m.k_fold_accuracy(scores, same, folds).thresholds[3] == whole.thresholds[3]


def test_k_fold_takes_the_middle_one_of_equally_good_thresholds():
    # fold 1 in order: different .1, same .2, different .3, same .4. Right are: 2 below .1, 3 at .15,
    # 2 at .25, 3 at .35, 2 above. Of .15 and .35 the lower is taken.
    scores = [0.9, 0.0, 0.1, 0.2, 0.3, 0.4]
    same = [True, False, False, True, False, True]
    assert m.k_fold_accuracy(scores, same, [0, 0, 1, 1, 1, 1]).thresholds[0] == pytest.approx(0.15)


def test_k_fold_statistics():
    rng = np.random.default_rng(2)
    folds, same = np.repeat(np.arange(10), 60), np.tile([True, False], 300)
    result = m.k_fold_accuracy(rng.normal(same * 2.0, 1), same, folds)
    assert result.mean == pytest.approx(result.accuracies.mean())
    assert result.std == pytest.approx(result.accuracies.std(ddof=1))
    assert result.standard_error == pytest.approx(result.std / np.sqrt(10))
    assert result.mean == pytest.approx(float(result.correct))  # folds are equally large
    assert result.mean == pytest.approx(stats.norm.cdf(1), abs=0.04)


def test_neighbouring_floating_point_scores_are_kept_apart():
    low = 0.3
    high = np.nextafter(low, 1)
    result = m.k_fold_accuracy([high, low, high, low], [1, 0, 1, 0], [0, 0, 1, 1])
    assert result.mean == 1


# ------------------------------------------------------------ calibration, and what cannot be claimed


def test_threshold_at_fmr_keeps_to_the_rate_and_is_the_lowest():
    scores = np.concatenate([np.arange(1000) / 1000, [0.9985, 0.5]])
    same = np.arange(1002) >= 1000
    threshold = m.threshold_at_fmr(scores, same, 0.01)
    assert m.fmr(scores, same, threshold) == 0.01
    assert 0.989 < threshold < 0.990
    assert m.fmr(scores, same, 0.989) == 0.011


def test_threshold_survives_float32():
    scores = np.float32([0.1, 0.2, 0.3, 0.4])
    threshold = np.float32(m.threshold_at_fmr(scores, [0, 0, 0, 1], 0, few_pairs=True))
    assert (scores >= threshold).tolist() == [False, False, False, True]


def test_threshold_at_fmr_refuses_what_so_few_pairs_cannot_show():
    scores, same = np.linspace(0, 1, 2999), np.zeros(2999, bool)
    with pytest.raises(ValueError, match=r"2,999 impostor pairs: 3,000 are needed"):
        m.threshold_at_fmr(scores, same, 1e-3)
    assert m.threshold_at_fmr(scores, same, 1e-3, few_pairs=True) > 0.999
    m.threshold_at_fmr(np.linspace(0, 1, 3000), np.zeros(3000, bool), 1e-3)
    with pytest.raises(ValueError, match="no number of pairs shows zero"):
        m.threshold_at_fmr(scores, same, 0)


def test_threshold_at_fmr_one_accepts_all():
    scores = np.linspace(0, 1, 10)
    assert m.fmr(scores, np.zeros(10, bool), m.threshold_at_fmr(scores, np.zeros(10, bool), 1)) == 1


def test_rule_of_three():
    assert m.rule_of_three(3000) == 1e-3
    assert m.rule_of_three(1) == 1
    assert m.rule_of_three(1000) == pytest.approx(1 - 0.05 ** (1 / 1000), rel=5e-3)
    with pytest.raises(ValueError, match="at least one"):
        m.rule_of_three(0)


def test_clopper_pearson_is_scipys_exact_interval():
    count, total = np.array([0, 1, 5, 2955, 3000]), np.array([10, 7, 50, 3000, 3000])
    low, high = m.clopper_pearson(count, total)
    for row in range(5):
        exact = stats.binomtest(int(count[row]), int(total[row])).proportion_ci(0.95, method="exact")
        assert (low[row], high[row]) == pytest.approx((exact.low, exact.high), abs=1e-10)
    assert m.clopper_pearson(0, 3000)[1] == pytest.approx(3.69 / 3000, rel=1e-3)


def test_clopper_pearson_covers_the_truth_often_enough():
    rng, truth = np.random.default_rng(0), 0.02
    low, high = m.clopper_pearson(rng.binomial(300, truth, size=4000), 300)
    assert ((low <= truth) & (truth <= high)).mean() >= 0.95


def test_a_rate_is_a_float_that_survives_pickling():
    rate = pickle.loads(pickle.dumps(m.Rate(3, 4)))
    assert rate + 0.25 == 1
    assert (rate.count, rate.total) == (3, 4)
    assert "3 of 4" in str(rate)
    with pytest.raises(ValueError, match="not a share"):
        m.Rate(1, 0)


# ---------------------------------------------------------------------- bootstrap


def test_bootstrap_over_independent_pairs_agrees_with_the_binomial():
    rng = np.random.default_rng(0)
    scores, same = rng.random(2000), np.arange(2000) < 1000
    interval = m.bootstrap_pairs(lambda s, t: m.fmr(s, t, 0.9), scores, same, resamples=500)
    rate = m.fmr(scores, same, 0.9)
    assert interval.value == rate
    assert (interval.low, interval.high) == pytest.approx((rate.low, rate.high), abs=0.006)


def test_bootstrap_over_identities_is_wider_when_few_people_make_many_pairs():
    """30 people, all pairs; some are alike to everybody: the pairs stand and fall with those few."""
    rng = np.random.default_rng(0)
    alike = rng.exponential(size=30)
    a, b = np.triu_indices(30, k=1)
    a, b = np.concatenate([a, np.arange(30)]), np.concatenate([b, np.arange(30)])
    scores = alike[a] + alike[b] + rng.normal(0, 0.1, len(a))

    def rate(s, t):
        return m.fmr(s, t, 3.0)

    over_pairs = m.bootstrap_pairs(rate, scores, a == b, resamples=400)
    over_people = m.bootstrap_identities(rate, scores, a == b, a, b, resamples=400)
    assert over_people.value == over_pairs.value
    assert over_people.high - over_people.low > 2 * (over_pairs.high - over_pairs.low)


def test_bootstrap_over_identities_has_the_right_width():
    """The FMR of many draws of 40 people varies as one draw's interval says: the interval covers about 95
    %."""
    rng = np.random.default_rng(3)
    a, b = np.triu_indices(40, k=1)
    a, b = np.concatenate([a, np.arange(40)]), np.concatenate([b, np.arange(40)])
    covered = 0
    for trial in range(60):
        alike = rng.normal(size=40)
        scores = np.where(a == b, 9, alike[a] + alike[b])
        truth = stats.norm.sf(2, scale=np.sqrt(2))
        interval = m.bootstrap_identities(
            lambda s, t: m.fmr(s, t, 2), scores, a == b, a, b, resamples=200, seed=trial
        )
        covered += interval.low <= truth <= interval.high
    assert covered >= 50  # 57 expected; percentiles of 40 people are a little narrow


def test_bootstrap_is_seeded():
    scores, same = np.random.default_rng(0).random(50), np.arange(50) < 25
    first, again = (m.bootstrap_pairs(m.auc, scores, same, resamples=20, seed=7) for _ in range(2))
    np.testing.assert_array_equal(first.resamples, again.resamples)


def test_bootstrap_over_identities_checks_its_labels():
    with pytest.raises(ValueError, match="exactly where"):
        m.bootstrap_identities(m.auc, [0.1, 0.2], [True, False], ["a", "b"], ["a", "b"])


# ---------------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    "metric", [m.roc, m.det, m.eer, m.auc, m.d_prime, lambda s, t: m.tar_at_far(s, t, 0.1)]
)
@pytest.mark.parametrize(
    ("scores", "same", "message"),
    [
        ([0.1, np.nan], [True, False], "NaN at .1."),
        ([0.1, 0.2], [True, True], "no pair of different people"),
        ([0.1, 0.2], [False, False], "no pair of the same person"),
        ([0.1, 0.2, 0.3], [True, False], "3 entries and same"),
        ([[0.1, 0.2]], [[True, False]], "one-dimensional"),
        ([0.1, 0.2], [2, 0], "True or False"),
        ([], [], "no pair"),
    ],
)
def test_bad_input_is_named(metric, scores, same, message):
    with pytest.raises(ValueError, match=message):
        metric(scores, same)


def test_other_refusals():
    with pytest.raises(ValueError, match="two folds"):
        m.k_fold_accuracy([0.1, 0.2], [True, False], [0, 0])
    with pytest.raises(ValueError, match="a fold for each"):
        m.k_fold_accuracy([0.1, 0.2], [True, False], [0])
    with pytest.raises(ValueError, match="between 0 and 1"):
        m.tar_at_far([0.1, 0.2], [True, False], 1.5)
    with pytest.raises(ValueError, match="rise or fall"):
        m.area([0, 1, 0.5], [0, 1, 1])
    with pytest.raises(ValueError, match="no probe of a stranger"):
        m.tpir_tnir(["A"], [0.5], ["A"], [0.5])
    with pytest.raises(ValueError, match="a stranger is None"):
        m.tpir_tnir(["A", "A"], [0.5, 0.1], ["A", float("nan")], [0.5])
    with pytest.raises(ValueError, match="one of each"):
        m.fnir_at_fpir(["A"], [0.5, 0.6], ["A", None], 0.1)
    with pytest.raises(ValueError, match="NaN"):
        m.fmr([0.1], [False], float("nan"))
    with pytest.raises(ValueError, match="are equal"):
        m.d_prime([1, 1, 0, 0], [1, 1, 0, 0])


# ---------------------------------------------------------------------- properties

scores_with_both = st.lists(st.integers(-4, 4), min_size=2, max_size=30).flatmap(
    lambda scores: st.tuples(
        st.just([s / 4 for s in scores]),
        st.lists(st.booleans(), min_size=len(scores), max_size=len(scores)).filter(
            lambda x: 0 < sum(x) < len(x)
        ),
    )
)


@given(scores_with_both)
def test_auc_is_the_chance_that_genuine_beats_impostor(pairs):
    scores, same = np.array(pairs[0]), np.array(pairs[1])
    difference = scores[same][:, None] - scores[~same][None, :]
    assert m.auc(scores, same) == pytest.approx(((difference > 0) + 0.5 * (difference == 0)).mean())


@given(scores_with_both)
def test_the_curves_are_monotone_and_end_in_the_corners(pairs):
    far, tar, _ = m.roc(*pairs)
    assert (far[0], tar[0], far[-1], tar[-1]) == (0, 0, 1, 1)
    assert (np.diff(far) >= 0).all()
    assert (np.diff(tar) >= 0).all()
    assert 0 <= m.eer(*pairs) <= 1


@given(scores_with_both, st.floats(0, 1))
def test_threshold_at_fmr_never_exceeds_the_rate(pairs, wanted):
    threshold = m.threshold_at_fmr(*pairs, wanted, few_pairs=True)
    assert m.fmr(*pairs, threshold) <= wanted + 1e-9
    assert 1 - m.fnmr(*pairs, threshold) == pytest.approx(m.tar_at_far(*pairs, wanted))


def test_mcnemar_is_the_sign_test_of_the_pairs_that_differ():
    a = np.array([True] * 6 + [True] * 50 + [False] * 3)
    b = np.array([False] * 6 + [True] * 50 + [False] * 3)
    assert m.mcnemar(a, b) == m.mcnemar(b, a) == pytest.approx(2 / 2**6)
    assert m.mcnemar(a, a) == 1
    with pytest.raises(ValueError, match="one of each"):
        m.mcnemar(a, b[:-1])


def test_mcnemar_rejects_as_often_as_it_says():
    """Two systems that are equally good: at the level of 5 % it must not call more than 5 % of them
    different."""
    rng = np.random.default_rng(0)
    p = [m.mcnemar(rng.random(200) < 0.9, rng.random(200) < 0.9) for _ in range(3000)]
    assert np.mean(np.array(p) < 0.05) < 0.055


def test_the_interval_of_fnir_carries_the_threshold():
    """On synthetic strangers and mates the 95 % interval must hold the true rate about 95 times in 100; the
    one that takes the threshold as given does not."""
    from scipy.stats import norm

    truth = norm.cdf(norm.ppf(0.95), loc=3)  # mates are 3 higher than strangers
    rng, held, held_given = np.random.default_rng(5), 0, 0
    for seed in range(100):
        scores = np.concatenate([rng.normal(3, 1, 400), rng.normal(0, 1, 400)])
        ids, true = [1] * 800, [1] * 400 + [None] * 400
        interval = m.bootstrap_fnir_at_fpir(ids, scores, true, 0.05, resamples=200, seed=seed)
        given = m.fnir_at_fpir(ids, scores, true, 0.05)
        held += interval.low <= truth <= interval.high
        held_given += given.low <= truth <= given.high
        assert interval.value == given
    assert held >= 88
    assert held_given < held
