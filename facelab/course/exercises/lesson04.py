"""The exercises of lesson 04: a hard negative's weight, a margin by length, margins in order, quality."""

import numpy as np

from facelab.course.exercises.core import Wrong, array, close, exercise, expect

# ---- 04.1 CurricularFace -----------------------------------------------------------------------------------

COSINES = np.array([0.8, 0.5, 0.1, -0.3])


def hard_negatives(cos, target, t):
    return np.where(cos > target, cos * (t + cos), cos)


@exercise(
    "04.1",
    "CurricularFace's negatives",
    hints=(
        "Which negatives are hard? Those with `cos > target`; `np.where(condition, a, b)` chooses for each.",
        "A hard one becomes `cos * (t + cos)`, an easy one stays `cos`.",
    ),
    solution=hard_negatives,
    mistakes=(
        lambda cos, target, t: cos * (t + cos),
        lambda cos, target, t: np.where(cos < target, cos * (t + cos), cos),
        lambda cos, target, t: np.where(cos > target, t * cos + t - 1, cos),
        lambda cos, target, t: np.where(cos > target, t + cos, cos),
        lambda cos, target, t: np.where(cos > t, cos * (t + cos), cos),
        lambda cos, target, t: cos,
    ),
)
def curricular(answer):
    target, t = 0.3, 0.2
    got, truth = array(answer(COSINES, target, t), COSINES.shape), hard_negatives(COSINES, target, t)
    hard = np.greater(COSINES, target)
    diagnoses = (
        (COSINES * (t + COSINES), "You changed every negative. Easy ones (cos ≤ target) stay as they are."),
        (
            np.where(hard, COSINES, COSINES * (t + COSINES)),
            "You changed the easy ones. Hard ones have cos > target.",
        ),
        (np.where(hard, t * COSINES + t - 1, COSINES), "That is MV-Softmax's t·cos + t − 1."),
        (np.where(hard, t + COSINES, COSINES), "That is the weight t + cos. It multiplies cos."),
        (COSINES, "Nothing has changed: these are the plain cosines."),
    )
    for value, words in diagnoses:
        if close(got, value) and not close(got, truth):
            raise Wrong(words)
    expect(
        close(got, truth),
        f"For cos = {COSINES.tolist()}, target = {target} and t = {t} you get {got.round(3).tolist()}, "
        f"not {truth.round(3).tolist()}.",
    )
    target, t = -0.4, 0.9
    expect(
        close(array(answer(COSINES, target, t), COSINES.shape), hard_negatives(COSINES, target, t)),
        "Right for one target and one t, wrong for others: use the arguments.",
    )
    return (
        "With t = 0.2 the negative at 0.8 keeps its size (0.8 · 1.0), and the one at 0.5 is played down to "
        "0.35. With t = 0.9 both would be blown up. Same formula: the curriculum lies in t."
    )


# ---- 04.2 MagFace ------------------------------------------------------------------------------------------


def margin(a):
    return 0.45 + (np.clip(a, 10, 110) - 10) * (0.8 - 0.45) / (110 - 10)


@exercise(
    "04.2",
    "MagFace's margin",
    hints=(
        "A straight line through (10, 0.45) and (110, 0.8): start + (a − 10) · rise / run.",
        "Lengths outside 10 … 110 count as the nearer end: `np.clip(a, 10, 110)` first.",
    ),
    solution=margin,
    mistakes=(
        lambda a: 0.45 + (a - 10) * 0.35 / 100,
        lambda a: 0.8 - (np.clip(a, 10, 110) - 10) * 0.35 / 100,
        lambda a: 0.45 + np.clip(a, 10, 110) * 0.35 / 100,
        lambda a: 0.45 + (np.clip(a, 10, 110) - 10) * 0.35,
        lambda a: 0.5 + 0 * a,
    ),
)
def length_margin(answer):
    a = np.array([10.0, 60.0, 110.0])
    got = array(answer(a), a.shape)
    if close(got, margin(a)[::-1]) and not close(got, margin(a)):
        raise Wrong("Your margin falls as the length grows. A long feature pays the larger margin.")
    if close(got, 0.45 + a * 0.0035):
        raise Wrong("At a = 10 the margin should be 0.45: take the lower length l_a off before multiplying.")
    if close(got, 0.45 + (a - 10) * 0.35):
        raise Wrong("The rise of 0.35 belongs to a run of 100: divide by u_a − l_a.")
    expect(
        close(got, margin(a)),
        f"At a = 10, 60, 110 you get {got.round(3).tolist()}; it should be {margin(a).round(3).tolist()}.",
    )
    outside = np.array([2.0, 300.0])
    expect(
        close(array(answer(outside), (2,)), margin(outside)),
        "Inside the range you are right. At a = 2 and a = 300 the margin should stay at 0.45 and 0.8.",
    )
    return "And outside the range the slope is 0: there MagFace cannot move a length any more."


# ---- 04.4 ElasticFace+ -------------------------------------------------------------------------------------


def hand_out(margins, cosines):
    given = np.empty_like(margins)
    given[np.argsort(cosines)] = np.sort(margins)[::-1]
    return given


@exercise(
    "04.4",
    "The largest margin to the smallest cosine",
    hints=(
        "`order = np.argsort(cosines)` says who comes first: `order[0]` has the smallest cosine.",
        "So `given[order[0]]` should be the largest margin. Write *into* the places `order`: "
        "`given[order] = …`, with the margins sorted from large to small.",
    ),
    solution=hand_out,
    mistakes=(
        lambda margins, cosines: np.sort(margins)[np.argsort(cosines)[::-1]],
        lambda margins, cosines: np.sort(margins)[::-1][np.argsort(cosines)],
        lambda margins, cosines: np.sort(margins)[np.argsort(np.argsort(cosines))],
        lambda margins, cosines: np.sort(margins)[::-1],
        lambda margins, cosines: margins,
    ),
)
def elastic_plus(answer):
    margins, cosines = np.array([0.50, 0.60, 0.45, 0.55]), np.array([0.5, 0.9, 0.2, 0.7])
    got, truth = array(answer(margins.copy(), cosines.copy()), (4,)), hand_out(margins, cosines)
    ordered = np.sort(margins)
    if close(got, ordered[np.argsort(cosines)[::-1]]):
        raise Wrong(
            f"That is the official code's slip: the sample with cosine 0.9, the easiest, gets {got[1]:.2f}. "
            "`argsort` says who stands at each place; you need the place of each."
        )
    if close(got, ordered[::-1][np.argsort(cosines)]):
        raise Wrong(
            "You read the sorted margins at `argsort(cosines)`. That list says who stands at each place; "
            f"reading with it asks the wrong question (cosine 0.9 gets {got[1]:.2f})."
        )
    if close(got, ordered[np.argsort(np.argsort(cosines))]):
        raise Wrong(
            "The easiest sample (cosine 0.9) gets the largest margin. It should be the other way round."
        )
    if close(got, ordered[::-1]) or close(got, ordered):
        raise Wrong("You sorted the margins, but did not look at whose cosine is which.")
    expect(
        close(got, truth),
        f"For cosines {cosines.tolist()} you hand out {got.tolist()}; it should be {truth.tolist()}.",
    )
    random = np.random.default_rng(0)
    margins, cosines = random.normal(0.5, 0.05, 20), random.uniform(-1, 1, 20)
    expect(
        close(array(answer(margins.copy(), cosines.copy()), (20,)), hand_out(margins, cosines)),
        "Right for four samples, but not for twenty.",
    )
    return "Writing into `order` inverts the permutation; so does `argsort` of `argsort`."


# ---- 04.3 AdaFace ------------------------------------------------------------------------------------------


def target_logit(theta, z, m):
    return np.cos(theta - m * z) - (m + m * z)


@exercise(
    "04.3",
    "AdaFace's target",
    hints=(
        "Two parts: an angle that is turned, and something taken off the cosine.",
        "The angular part, −m·ẑ, is added to θ inside the cosine; the additive one, m + m·ẑ, is taken off "
        "outside.",
    ),
    solution=target_logit,
    mistakes=(
        lambda theta, z, m: np.cos(theta + m * z) - (m + m * z),
        lambda theta, z, m: np.cos(theta - m * z) + (m + m * z),
        lambda theta, z, m: np.cos(theta - m * z) - m,
        lambda theta, z, m: np.cos(theta - m * z),
        lambda theta, z, m: np.cos(theta + m),
        lambda theta, z, m: np.cos(theta) - m,
    ),
)
def adaface(answer):
    theta, m = np.array([0.6, 1.0, 1.4]), 0.4
    for z, like, words in (
        (-1.0, np.cos(theta + m), "For ẑ = −1 (a bad image) it should be ArcFace's cos(θ + m)"),
        (0.0, np.cos(theta) - m, "For ẑ = 0 it should be CosFace's cos θ − m"),
        (1.0, np.cos(theta - m) - 2 * m, "For ẑ = +1 (a good image) it should be cos(θ − m) − 2m"),
    ):
        got = array(answer(theta, z, m), theta.shape)
        expect(
            close(got, like),
            f"{words}: {like.round(3).tolist()} at θ = {theta.tolist()}. You get {got.round(3).tolist()}.",
        )
    expect(
        close(array(answer(theta, 0.5, 0.3), theta.shape), target_logit(theta, 0.5, 0.3)),
        "Right for m = 0.4 and ẑ = −1, 0, 1; wrong in between. Are you using both arguments?",
    )
    return (
        "One formula, with ArcFace at one end, CosFace in the middle, and a loss for hard good photos beyond."
    )
