"""Exercises of lesson 12: the rates of a detector of attacks, its threshold, what a door becomes with it, and
where a nose lies."""

import numpy as np

from facelab.course import lesson12_turn
from facelab.course.exercises.core import Wrong, array, close, exercise, expect, number

# ---- 12.1 -----------------------------------------------------------------------------------------------


def rates(scores, kinds, threshold):
    passes = scores >= threshold
    apcer = max(np.mean(passes[kinds == kind]) for kind in set(kinds) - {"bona fide"})
    return apcer, np.mean(~passes[kinds == "bona fide"])


def _pooled(scores, kinds, threshold):
    passes = scores >= threshold
    return np.mean(passes[kinds != "bona fide"]), np.mean(~passes[kinds == "bona fide"])


def _averaged(scores, kinds, threshold):
    passes = scores >= threshold
    apcer = np.mean([np.mean(passes[kinds == kind]) for kind in set(kinds) - {"bona fide"}])
    return apcer, np.mean(~passes[kinds == "bona fide"])


def _strictly(scores, kinds, threshold):
    return rates(scores, kinds, np.nextafter(threshold, 1))


def _refused(scores, kinds, threshold):
    _, bpcer = rates(scores, kinds, threshold)
    least = min(np.mean(scores[kinds == kind] >= threshold) for kind in set(kinds) - {"bona fide"})
    return 1 - least, 1 - bpcer


@exercise(
    "12.1",
    "The kind that works",
    hints=(
        "scores[kinds == kind] are the scores of one kind; np.mean(… >= threshold) is the share let through.",
        "Take the largest over all kinds but 'bona fide': max(… for kind in set(kinds) - {'bona fide'}).",
        "BPCER: np.mean(scores[kinds == 'bona fide'] < threshold).",
    ),
    solution=rates,
    mistakes=(_pooled, _averaged, _refused, _strictly, lambda s, k, t: rates(s, k, t)[::-1]),
)
def the_kind_that_works(answer):
    kinds = np.array(["bona fide"] * 10 + ["print"] * 8 + ["replay"] * 4 + ["mask"] * 2)
    scores = np.concatenate(
        [np.linspace(0.35, 0.98, 10), np.linspace(0.02, 0.6, 8), [0.1, 0.2, 0.45, 0.5], [0.2, 0.55]]
    )
    scores[2] = 0.5  # one honest score at the first threshold, and the last print's at the second
    for threshold in (0.5, 0.6):
        got = answer(scores.copy(), kinds.copy(), threshold)
        got, wants = array(got, (2,)), rates(scores, kinds, threshold)
        if close(got, wants, atol=1e-9):
            continue
        for wrong, words in (
            (
                _pooled,
                "You pooled all attacks. An attacker takes the kind that works, not a mixture of kinds.",
            ),
            (
                _averaged,
                "You took the mean over the kinds. An attacker takes the one that works: the largest.",
            ),
            (_refused, "Those are shares decided *rightly*. Error rates count the others."),
            (
                lambda s, k, t: rates(s, k, t)[::-1],
                "The two are exchanged: APCER first, it is about attacks.",
            ),
        ):
            if close(got, wrong(scores, kinds, threshold), atol=1e-9):
                raise Wrong(words)
        strict = _strictly(scores, kinds, threshold)
        if any(close(got[n], strict[n], atol=1e-9) and not close(got[n], wants[n]) for n in (0, 1)):
            raise Wrong("A score *at* the threshold passes.")
        raise Wrong(
            f"threshold {threshold}: the worst APCER is {wants[0]:.3f} and BPCER {wants[1]:.3f}, not "
            f"{got[0]:.3f} and {got[1]:.3f}."
        )
    return (
        "At 0.5 two masks decided it, one of which passed. That is 50 % with an interval from 1 to 99 %: a "
        "kind of attack that was tried twice was hardly tried."
    )


# ---- 12.2 -----------------------------------------------------------------------------------------------


def threshold_for(live, rate):
    live = np.sort(live)
    return live[int(rate * len(live) + 1e-9)]


@exercise(
    "12.2",
    "Five in a hundred",
    hints=(
        "Sort the scores. With the threshold at the k-th smallest (from 0), k people are below it.",
        "So many may be: int(rate * len(live)).",
    ),
    solution=threshold_for,
    mistakes=(
        lambda live, rate: np.sort(live)[::-1][int(rate * len(live))],
        lambda live, rate: np.sort(live)[int(rate * len(live)) + 1],
        lambda live, rate: np.sort(live)[round(rate * len(live))],
        lambda live, rate: rate,
        lambda live, rate: 0.0,
    ),
)
def five_in_a_hundred(answer):
    live = np.random.default_rng(4).beta(6, 2, 200)
    for rate in (0.05, 0.033, 0.01, 0.0):
        got = number(answer(live.copy(), rate))
        lost = int((live < got).sum())
        allowed = int(rate * len(live) + 1e-9)
        expect(
            lost <= allowed,
            f"At {got:.4f} {lost} of 200 honest people are turned away; a rate of {rate:g} allows {allowed}.",
        )
        more = int((live < np.nextafter(np.sort(live)[allowed], 0)).sum())
        expect(
            close(got, threshold_for(live, rate), atol=1e-9),
            f"At {got:.4f} {lost} of 200 are turned away, which is allowed. But the threshold could be "
            f"higher, {threshold_for(live, rate):.4f} with {more} turned away, and stop more attacks.",
        )
    return (
        "It needs no attack at all, only honest people. So it holds for attacks that nobody has thought of; "
        "what it does not say is how many of them get through."
    )


# ---- 12.3 -----------------------------------------------------------------------------------------------


def door(fnmr, bpcer, iapar, visitors, attackers):
    honest = visitors - attackers
    turned_away = honest * (1 - (1 - fnmr) * (1 - bpcer))
    return turned_away, attackers * iapar


@exercise(
    "12.3",
    "A door's rates",
    hints=(
        "An honest person gets in who is matched *and* looks living: (1 − FNMR)·(1 − BPCER).",
        "Whoever is left of the honest is turned away. IAPAR already counts attacks that pass both.",
    ),
    solution=door,
    mistakes=(
        lambda f, b, i, n, a: ((n - a) * f * b, a * i),
        lambda f, b, i, n, a: ((n - a) * max(f, b), a * i),
        lambda f, b, i, n, a: ((n - a) * (f + b), a * i),
        lambda f, b, i, n, a: ((n - a) * (1 - f) * (1 - b), a * i),
        lambda f, b, i, n, a: (n * (1 - (1 - f) * (1 - b)), a * i),
        lambda f, b, i, n, a: ((n - a) * (1 - (1 - f) * (1 - b)), a * i * (1 - b)),
    ),
)
def a_door(answer):
    given = (0.02, 0.05, 0.30, 10_000, 100)
    got = answer(*given)
    away, inside = array(got, (2,))
    wants, (f, b, i, n, a) = door(*given), given
    where = f"FNMR {f}, BPCER {b}, IAPAR {i}, {n:,} visitors, {a} of them attackers"
    for wrong, words in (
        ((n - a) * f * b, "that is who fails at *both*. Failing at either is enough to stand outside."),
        ((n - a) * max(f, b), "some fail at the one, some at the other, and a few at both."),
        ((n - a) * (f + b), "those who fail at both are counted twice."),
        ((n - a) * (1 - f) * (1 - b), "those are the honest who get *in*."),
        (n * (1 - (1 - f) * (1 - b)), "the attackers are not honest people: visitors − attackers."),
    ):
        if close(away, wrong, atol=0.5) and not close(away, wants[0], atol=0.5):
            raise Wrong(f"{where}: {words}")
    expect(close(away, wants[0], atol=0.5), f"{where}: {wants[0]:.1f} are turned away, not {away:.1f}.")
    expect(
        close(inside, wants[1], atol=0.5),
        f"{where}: {wants[1]:.1f} attackers get in, not {inside:.1f}. IAPAR is the share of attacks that "
        "pass detector and matcher both.",
    )
    return (
        "683 honest people wait outside so that 70 of 100 attackers do too. Where one visitor in a hundred "
        "thousand attacks, it is thousands for one. Such a door needs somebody who opens it by hand."
    )


# ---- 12.4 -----------------------------------------------------------------------------------------------


def nose_place(points):
    left, right, nose = points[0], points[1], points[2]
    down = (points[3] + points[4]) / 2 - (left + right) / 2
    across, _ = np.linalg.solve(np.column_stack([right - left, down]), nose - left)
    return across


def _in_pixels(points):
    return (points[2, 0] - points[0, 0]) / (points[1, 0] - points[0, 0])


def _square_to_eyes(points):
    along = points[1] - points[0]
    return (points[2] - points[0]) @ along / (along @ along)


def _down_too(points):
    left, right = points[0], points[1]
    down = points[3:].mean(0) - (left + right) / 2
    return np.linalg.solve(np.column_stack([right - left, down]), points[2] - left)[1]


@exercise(
    "12.4",
    "Where the nose lies",
    hints=(
        "Two directions: from the first eye to the second, and from the eyes' middle to the mouth's middle.",
        "nose − first eye = a·(second eye − first eye) + b·(mouth's middle − eyes' middle). Asked for is a.",
        "np.linalg.solve(np.column_stack([along, down]), nose - first_eye) gives a and b.",
    ),
    solution=nose_place,
    mistakes=(_in_pixels, _square_to_eyes, _down_too, lambda p: nose_place(p) - 0.5),
)
def where_the_nose_lies(answer):
    front = lesson12_turn.landmarks("a head")
    turned = lesson12_turn.landmarks("a head", turn=25, nod=8)
    shear = np.array([[0.8, 0.35], [-0.2, 1.1]])
    cases = (
        ("from the front", front),
        ("a head turned by 25°", turned),
        ("the photo of that, held askew", turned @ shear.T + (3, -1)),
        ("the same, tilted by 40°", turned @ np.array([[0.766, -0.643], [0.643, 0.766]]).T),
    )
    for what, points in cases:
        got, truth = number(answer(points.copy())), nose_place(points)
        if close(got, truth, atol=1e-6):
            continue
        for wrong, words in (
            (_in_pixels(points), "measured along the image's x. Tilt the head, and it changes."),
            (_square_to_eyes(points), "measured square to the eyes. Hold a photo askew, and it changes."),
            (_down_too(points), "that is how far *down* it lies; asked for is how far across."),
            (truth - 0.5, "0.5 is the middle: measure from the first eye."),
        ):
            if close(got, wrong, atol=1e-6):
                raise Wrong(f"{what}: {words}")
        raise Wrong(f"{what}: the nose lies at {truth:.3f}, not {got:.3f}.")
    array(answer(front))
    return (
        "Moving, scaling, tilting and slanting a flat photo are affine maps (nearly: perspective aside), and "
        "an affine map changes all three vectors alike. The number stays, whatever the hand does."
    )
