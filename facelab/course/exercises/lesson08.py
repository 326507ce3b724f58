"""Exercises of lesson 08: the slides' table, transactions, a fold without peeking, intervals."""

import numpy as np

from facelab import metrics
from facelab.course.exercises.core import Wrong, array, close, exercise, expect, number

THRESHOLDS = np.array([1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1, 0.0])


def two(answer, names: tuple[str, str], shape) -> tuple[np.ndarray, np.ndarray]:
    """The answer as two arrays of this shape."""
    expect(
        isinstance(answer, tuple | list | np.ndarray) and len(answer) == 2,
        f"Two arrays are asked for: return {names[0]}, {names[1]}.",
    )
    return array(answer[0], shape), array(answer[1], shape)


# ---- 08.1 -------------------------------------------------------------------------------------------------

SCORES = np.array([0.99, 0.79, 0.89, 0.11, 0.92, 0.02, 0.11, 0.39, 0.21, 0.01])
SAME = np.arange(10) < 5
OTHER_SCORES = np.array([0.5, 0.2, 0.9, 0.5, 0.4, 0.7, 0.1])  # unequal numbers, and a score on the threshold
OTHER_SAME = np.array([True, False, True, False, True, False, False])
OTHER_THRESHOLDS = np.array([0.8, 0.5, 0.15])


def tar_trr(scores, same, thresholds):
    accepted = scores >= thresholds[:, None]
    return accepted[:, same].mean(axis=1), (~accepted[:, ~same]).mean(axis=1)


@exercise(
    "08.1",
    "TAR and TRR at every threshold",
    hints=(
        "For one threshold t: `scores >= t` says for each pair whether it is accepted.",
        "TAR looks at the pairs of the same person only: the mean of `(scores >= t)[same]`. TRR looks at the "
        "others, and counts what is *not* accepted.",
        "All thresholds at once: `scores >= thresholds[:, None]` is a table, a row for each "
        "threshold. Or loop "
        "over the thresholds and collect two lists.",
    ),
    solution=tar_trr,
    mistakes=(
        lambda s, same, t: (tar_trr(s, same, t)[0], 1 - tar_trr(s, same, t)[1]),
        lambda s, same, t: tar_trr(s, same, t)[::-1],
        lambda s, same, t: (
            (s > t[:, None])[:, same].mean(axis=1),
            (s <= t[:, None])[:, ~same].mean(axis=1),
        ),
        lambda s, same, t: (
            ((s >= t[:, None]) & same).mean(axis=1),
            ((s < t[:, None]) & ~same).mean(axis=1),
        ),
        lambda s, same, t: (
            (s <= t[:, None])[:, same].mean(axis=1),
            (s > t[:, None])[:, ~same].mean(axis=1),
        ),
        lambda s, same, t: (np.full(len(t), 0.8), np.full(len(t), 0.8)),
    ),
)
def verification_table(answer):
    for scores, same, thresholds in (
        (SCORES, SAME, THRESHOLDS),
        (OTHER_SCORES, OTHER_SAME, OTHER_THRESHOLDS),
    ):
        got = two(answer(scores.copy(), same.copy(), thresholds.copy()), ("tar", "trr"), (len(thresholds),))
        tar, trr = tar_trr(scores, same, thresholds)
        high, low = scores > thresholds[:, None], scores < thresholds[:, None]
        diagnoses = (
            (
                (tar, 1 - trr),
                "The second is the FAR: different people that are *accepted*. TRR is 1 minus it.",
            ),
            ((trr, tar), "The two are in the other order: TAR first."),
            (
                (high[:, same].mean(axis=1), (~high[:, ~same]).mean(axis=1)),
                "A score *on* the threshold is accepted: ≥, not >.",
            ),
            (
                ((~low & same).mean(axis=1), (low & ~same).mean(axis=1)),
                "You divided by all pairs. TAR is a share of the pairs of the same person, TRR of the "
                "others.",
            ),
            (
                (1 - high[:, same].mean(axis=1), high[:, ~same].mean(axis=1)),
                "These are scores, whatever the slides call them: high means alike, so accept when "
                "score ≥ threshold.",
            ),
        )
        for mistake, words in diagnoses:
            right = close(got[0], tar) and close(got[1], trr)
            if not right and all(close(g, m) for g, m in zip(got, mistake, strict=True)):
                raise Wrong(words)
        for name, mine, truth in (("TAR", got[0], tar), ("TRR", got[1], trr)):
            wrong = np.flatnonzero(~np.isclose(mine, truth, atol=1e-6))
            if len(wrong):
                t = thresholds[wrong[0]]
                raise Wrong(
                    f"At threshold {t:g} the {name} is {truth[wrong[0]]:g}; yours is {mine[wrong[0]]:g}."
                )
    return (
        "Each rate has a denominator of its own, so neither changes when you add pairs of the other kind. An "
        "accuracy over all pairs does."
    )


# ---- 08.2 -------------------------------------------------------------------------------------------------


def transaction_rates(fmr, fnmr, fta):
    return fmr * (1 - fta), fta + fnmr * (1 - fta)


@exercise(
    "08.2",
    "From comparisons to transactions",
    hints=(
        "Who gives no template is never compared. Can a stranger get in that way? Does an owner get in?",
        "FAR: a false acceptance needs a template (1 − FTA) *and* a false match.",
        "FRR: an owner is turned away without a template (FTA), or with one (1 − FTA) that does not match.",
    ),
    solution=transaction_rates,
    mistakes=(
        lambda fmr, fnmr, fta: (fmr, fnmr),
        lambda fmr, fnmr, fta: (fmr * (1 - fta), fnmr * (1 - fta)),
        lambda fmr, fnmr, fta: (fmr, fta + fnmr),
        lambda fmr, fnmr, fta: (fta + fmr * (1 - fta), fta + fnmr * (1 - fta)),
        lambda fmr, fnmr, fta: transaction_rates(fmr, fnmr, fta)[::-1],
    ),
)
def comparisons_to_transactions(answer):
    for fmr, fnmr, fta in ((0.001, 0.02, 4 / 300), (0.1, 0.2, 0.5), (0.01, 0.03, 0.0), (0.5, 0.0, 1.0)):
        given = f"fmr={fmr:g}, fnmr={fnmr:g}, fta={fta:.3g}"
        got = answer(fmr, fnmr, fta)
        expect(isinstance(got, tuple | list) and len(got) == 2, "Two numbers are asked for: far, frr.")
        got, truth = [number(one) for one in got], transaction_rates(fmr, fnmr, fta)
        diagnoses = (
            ((fmr, fnmr), "those are the rates of comparisons. The photos without a face are in neither."),
            (
                (fmr * (1 - fta), fnmr * (1 - fta)),
                "a photo without a face opens nothing, for its owner neither: that is a rejection as well.",
            ),
            (
                (fta + fmr * (1 - fta), fta + fnmr * (1 - fta)),
                "a stranger without a template is turned away: that makes the FAR smaller, not larger.",
            ),
            (truth[::-1], "the two are in the other order: FAR first."),
            (
                (truth[0], fta + fnmr),
                "the FNMR is a share of those who *gave* a template; count them only: FNMR · (1 − FTA).",
            ),
        )
        right = all(close(g, t, atol=1e-9) for g, t in zip(got, truth, strict=True))
        for mistake, words in diagnoses:
            if not right and all(close(g, m, atol=1e-9) for g, m in zip(got, mistake, strict=True)):
                raise Wrong(f"{given}: {words}")
        for name, mine, want in zip(("FAR", "FRR"), got, truth, strict=True):
            expect(close(mine, want, atol=1e-9), f"{given}: the {name} is {want:.4g}; yours is {mine:.4g}.")
    return (
        "A detector that gives up on hard photos lowers FMR *and* FNMR, and the FAR: only the FRR shows what "
        "it costs. So ask of every table what became of the photos without a face."
    )


# ---- 08.3 -------------------------------------------------------------------------------------------------


def fold_accuracy(k, scores, same, folds):
    threshold = metrics.best_threshold(scores[folds != k], same[folds != k])
    return np.mean((scores[folds == k] >= threshold) == same[folds == k])


def _peeking(k, scores, same, folds):
    threshold = metrics.best_threshold(scores[folds == k], same[folds == k])
    return np.mean((scores[folds == k] >= threshold) == same[folds == k])


def _all_pairs(k, scores, same, folds):
    threshold = metrics.best_threshold(scores, same)
    return np.mean((scores[folds == k] >= threshold) == same[folds == k])


def _on_the_others(k, scores, same, folds):
    threshold = metrics.best_threshold(scores[folds != k], same[folds != k])
    return np.mean((scores[folds != k] >= threshold) == same[folds != k])


@exercise(
    "08.3",
    "One fold, without peeking",
    hints=(
        "`folds != k` picks the pairs of the other folds. The threshold may see those, and only those.",
        "`best_threshold(scores[others], same[others])` finds it; then judge the pairs of fold k with it.",
        "Right is a pair whose `scores >= threshold` equals `same`. The accuracy is the mean of that.",
    ),
    solution=fold_accuracy,
    mistakes=(_peeking, _all_pairs, _on_the_others, lambda k, s, same, f: 1 - fold_accuracy(k, s, same, f)),
)
def one_fold(answer):
    rng = np.random.default_rng(5)
    folds = np.repeat(np.arange(4), 40)
    same = np.arange(160) % 2 == 0
    scores = (
        np.where(same, 0.6, 0.3) + rng.normal(0, 0.15, 160) + 0.25 * (folds == 2)
    )  # one fold is different
    for k in (2, 0, 1, 3):
        got = number(answer(k, scores.copy(), same.copy(), folds.copy()))
        truth = fold_accuracy(k, scores, same, folds)
        diagnoses = (
            (
                _peeking,
                "The threshold has seen the fold that it judges: that flatters. Choose it on the others.",
            ),
            (
                _on_the_others,
                "That is the accuracy on the folds where the threshold was chosen. Judge fold k.",
            ),
            (_all_pairs, "The threshold has seen all the folds, k among them. Leave fold k out."),
            (lambda *a: 1 - fold_accuracy(*a), "That is the share of wrong answers."),
        )
        for mistake, words in diagnoses:
            wrong = mistake(k, scores, same, folds)
            if close(got, wrong) and not close(wrong, truth):
                raise Wrong(words)
        expect(close(got, truth), f"On fold {k} of our example it is {truth:.4f}; yours is {got:.4f}.")
    return (
        "Do this for all ten folds, and the mean is LFW's accuracy. A threshold chosen on the pairs "
        "it is judged "
        "by always looks better than it is."
    )


# ---- 08.4 -------------------------------------------------------------------------------------------------

Z = 1.96


def interval(count, n):
    p = count / n
    middle, half = p + Z**2 / (2 * n), Z * np.sqrt(p * (1 - p) / n + Z**2 / (4 * n**2))
    return (middle - half) / (1 + Z**2 / n), (middle + half) / (1 + Z**2 / n)


def _wald(count, n):
    p = count / n
    half = Z * np.sqrt(p * (1 - p) / n)
    return p - half, p + half


def _undivided(count, n):
    p = count / n
    middle, half = p + Z**2 / (2 * n), Z * np.sqrt(p * (1 - p) / n + Z**2 / (4 * n**2))
    return middle - half, middle + half


def _without_z(count, n):
    p = count / n
    middle, half = p + Z**2 / (2 * n), np.sqrt(p * (1 - p) / n + Z**2 / (4 * n**2))
    return (middle - half) / (1 + Z**2 / n), (middle + half) / (1 + Z**2 / n)


@exercise(
    "08.4",
    "An interval around an accuracy",
    hints=(
        "Begin with p = count / n, and write the three pieces down: the middle, the half width, the divisor.",
        "The middle is p + z²/2n, half the width is z √(p(1 − p)/n + z²/4n²), and both are divided by "
        "1 + z²/n.",
    ),
    solution=interval,
    mistakes=(
        _wald,
        _undivided,
        _without_z,
        lambda count, n: interval(n - count, n),
        lambda count, n: tuple(100 * end for end in interval(count, n)),
    ),
)
def wilson_interval(answer):
    for count, n in ((5990, 6000), (30, 30), (3, 8)):
        got, truth = array(answer(count, n), (2,)), np.array(interval(count, n))
        diagnoses = (
            (
                _wald,
                "That is p ± z √(p(1 − p)/n). Near 1 it fails: for 30 of 30 it says that nothing can "
                "go wrong.",
            ),
            (_undivided, "Nearly: both ends are still to be divided by 1 + z²/n."),
            (_without_z, "The half width lacks its z: that is one standard error, not 1.96."),
            (lambda c, m: interval(m - c, m), "That is the interval of the wrong answers' share."),
            (
                lambda c, m: tuple(100 * end for end in interval(c, m)),
                "A share lies between 0 and 1: no per cent.",
            ),
        )
        for mistake, words in diagnoses:
            wrong = np.array(mistake(count, n))
            if close(got, wrong, atol=1e-6, rtol=0) and not close(wrong, truth, atol=1e-6, rtol=0):
                raise Wrong(words)
        expect(
            close(got, truth, atol=1e-5, rtol=0),
            f"For {count} of {n} it is {truth[0]:.5f} to {truth[1]:.5f}; yours is {got[0]:.5f} to "
            f"{got[1]:.5f}.",
        )
    return (
        "It never leaves 0 … 1, and 30 right of 30 comes to 88.6 … 100 %: no error seen is not no error. For "
        "ArcFace's 99.83 % on LFW it gives 99.69 … 99.91 %."
    )


# ---- 08.5 -------------------------------------------------------------------------------------------------


def people_needed(fmr):
    return int(np.ceil((1 + np.sqrt(1 + 8 * 3 / fmr)) / 2 - 1e-9))


@exercise(
    "08.5",
    "How many people must you photograph?",
    hints=(
        "The rule of three: with none accepted among N pairs, only rates above 3/N are ruled out. So "
        "N ≥ 3/fmr.",
        "n people make n(n − 1)/2 pairs, one photo each. Which is the smallest n for which that is at "
        "least 3/fmr?",
        "Solve n² − n − 6/fmr = 0, or try n = 2, 3, 4 … until n(n − 1)/2 ≥ 3/fmr.",
    ),
    solution=people_needed,
    mistakes=(
        lambda fmr: int(np.ceil(3 / fmr)),
        lambda fmr: int(np.ceil(np.sqrt(3 / fmr))),
        lambda fmr: int(np.ceil((1 + np.sqrt(1 + 8 / fmr)) / 2)),
        lambda fmr: people_needed(fmr) - 1,
        lambda fmr: int(np.ceil((1 + np.sqrt(1 + 8 * 30 / fmr)) / 2)),
    ),
)
def people_for_a_rate(answer):
    for fmr in (1e-2, 1e-4, 1e-6):
        got, truth = number(answer(fmr)), people_needed(fmr)
        pairs = f"{3 / fmr:,.0f}"
        diagnoses = (
            (3 / fmr, f"{pairs} is the number of pairs. How many people make that many pairs?"),
            (np.ceil(np.sqrt(3 / fmr)), "n people make n(n − 1)/2 pairs, not n²."),
            (
                np.ceil((1 + np.sqrt(1 + 8 / fmr)) / 2),
                "So many make 1/fmr pairs, where one match is to be expected. To show the rate takes "
                "three times "
                "as many pairs, and none accepted.",
            ),
            (
                np.ceil((1 + np.sqrt(1 + 8 * 30 / fmr)) / 2),
                "That is the rule of 30: to *measure* the rate. To show that it is not exceeded, "
                "three suffice.",
            ),
        )
        for mistake, words in diagnoses:
            if close(got, mistake, atol=0.5, rtol=0) and not close(got, truth, atol=0.5, rtol=0):
                raise Wrong(words)
        expect(
            got * (got - 1) / 2 >= 3 / fmr,
            f"{got:,.0f} people make {got * (got - 1) / 2:,.0f} pairs; for a rate of {fmr:g} {pairs} "
            "are needed.",
        )
        expect(
            close(got, truth, atol=0.5, rtol=0),
            f"For a rate of {fmr:g}, {truth:,} people are enough; you photograph {got:,.0f}.",
        )
    return (
        "For the one in a million that phones advertise: 2,450 people, if none of their three million pairs "
        "matches. And those pairs share people, so in truth it takes more."
    )
