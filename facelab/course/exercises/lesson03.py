"""Exercises of lesson 03: from softmax to ArcFace."""

import math

import numpy as np

from facelab.course.exercises.core import Wrong, array, close, exercise, expect, number

# ---- 03.1 -------------------------------------------------------------------------------------------------

X = np.array([[3.0, 4.0], [0.5, -1.0]])
W = np.array([[2.0, 0.0], [1.0, 1.0], [0.0, -3.0]])


def modified_logits(x, W):
    return x @ (W / np.linalg.norm(W, axis=1, keepdims=True)).T


@exercise(
    "03.1",
    "The logits of modified softmax",
    hints=(
        "‖x‖ cos θ_j is the dot product of x with W_j at length 1.",
        "The length of each row of W: `np.linalg.norm(W, axis=1, keepdims=True)`.",
    ),
    solution=modified_logits,
    mistakes=(
        lambda x, W: x @ W.T,
        lambda x, W: (x / np.linalg.norm(x, axis=1, keepdims=True))
        @ (W / np.linalg.norm(W, axis=1, keepdims=True)).T,
        lambda x, W: x @ (W / np.linalg.norm(W)).T,
        lambda x, W: x @ (W / np.linalg.norm(W, axis=0)).T,
    ),
)
def logits(answer):
    got, truth = array(answer(X, W), (2, 3)), modified_logits(X, W)
    if close(got, X @ W.T):
        raise Wrong("That is plain softmax: a long W_j still wins by its length. Divide each row of W by it.")
    if close(got, truth / np.linalg.norm(X, axis=1, keepdims=True)):
        raise Wrong(
            "Those are the cosines alone: you normalised x as well. Modified softmax leaves ‖x‖ in; taking "
            "it out is the next but one change (CosFace)."
        )
    if close(got, X @ (W / np.linalg.norm(W)).T):
        raise Wrong("You divided by one length for the whole matrix. Each row W_j has its own: axis=1.")
    expect(
        close(got, truth), f"For the first x your logits are {got[0]}, they should be {truth[0].round(4)}."
    )
    return (
        "The longest W has lost its advantage: only the angle decides who wins, and ‖x‖ how surely. The "
        "border between two classes is now the bisector of their angle."
    )


# ---- 03.2 -------------------------------------------------------------------------------------------------


def psi(theta, m):
    k = np.minimum(np.floor(theta * m / np.pi), m - 1)
    return (-1.0) ** k * np.cos(m * theta) - 2 * k


@exercise(
    "03.2",
    "ψ(θ), the curve of A-Softmax",
    hints=(
        "k counts how many times π fits into mθ: `np.floor(m * theta / np.pi)`.",
        "(−1)^k turns every other arch of the cosine over, −2k moves it down so that the pieces meet.",
    ),
    solution=psi,
    mistakes=(
        lambda theta, m: np.cos(m * theta),
        lambda theta, m: np.cos(m * theta) - 2 * np.floor(m * theta / np.pi),
        lambda theta, m: (-1.0) ** np.floor(m * theta / np.pi) * np.cos(m * theta),
        lambda theta, m: m * np.cos(theta),
    ),
)
def sphereface_curve(answer):
    theta = np.radians([0.0, 20.0, 44.0, 46.0, 80.0, 100.0, 140.0, 175.0])
    got, truth = array(answer(theta, 4), theta.shape), psi(theta, 4)
    k = np.floor(4 * theta / np.pi)
    if close(got, np.cos(4 * theta)):
        raise Wrong(
            "That is cos(mθ): right up to π/m, then it rises again, and a sample at 90° would have the logit "
            "of one at 0°. The piece of the formula with k repairs this."
        )
    if close(got, np.cos(4 * theta) - 2 * k):
        raise Wrong(
            "The pieces go down, but every other arch still stands the wrong way up: (−1)^k is missing."
        )
    if close(got, (-1.0) ** k * np.cos(4 * theta)):
        raise Wrong("Every arch falls now, but each begins where the last one began: −2k is missing.")
    expect(
        close(got, truth),
        f"At 100° and m = 4 you have {got[5]:.4f}, it should be {truth[5]:.4f} (k = 2 there).",
    )
    three = array(answer(theta, 3), theta.shape)
    expect(
        close(three, psi(theta, 3)), "Right for m = 4, wrong for m = 3: is there a 4 left in your function?"
    )
    return (
        "The curve falls from 1 to 1 − 2m without a break. Its slope is zero at each π/m: on those terraces "
        "a sample hardly knows which way to turn, one reason why A-Softmax is hard to train."
    )


# ---- 03.3 -------------------------------------------------------------------------------------------------


def arc_logit(cos, m):
    sin = np.sqrt(np.clip(1 - cos**2, 0, None))
    return cos * np.cos(m) - sin * np.sin(m)


@exercise(
    "03.3",
    "cos(θ + m) from cos θ alone",
    hints=(
        "The addition theorem: cos(θ + m) = cos θ cos m − sin θ sin m.",
        "sin θ = √(1 − cos² θ), which is never negative for θ between 0 and π.",
        "Rounding makes cosines of 1.0000001. `np.clip(1 - cos**2, 0, None)` keeps the root real.",
    ),
    solution=arc_logit,
    mistakes=(
        lambda cos, m: np.cos(cos + m),
        lambda cos, m: cos - m,
        lambda cos, m: cos * np.cos(m) - np.sqrt(np.abs(1 - cos**2)) * m,
        lambda cos, m: cos * np.cos(m) + np.sqrt(np.clip(1 - cos**2, 0, None)) * np.sin(m),
        lambda cos, m: np.where(cos > 1, np.nan, arc_logit(cos, m)),
    ),
)
def arcface_logit(answer):
    cos, m = np.array([0.9, 0.5, 0.0, -0.3]), 0.5
    got, truth = array(answer(cos, m), cos.shape), arc_logit(cos, m)
    if close(got, np.cos(cos + m)):
        raise Wrong("You added m to the cosine as if it were the angle. What comes in is cos θ, not θ.")
    if close(got, cos - m):
        raise Wrong("That is CosFace: the margin is taken from the cosine. ArcFace adds it to the angle.")
    if close(got, arc_logit(cos, -m)):
        raise Wrong("That is cos(θ − m), a gift instead of a margin: check the sign before the sine.")
    expect(
        close(got, truth), f"For cos θ = 0.5 and m = 0.5 you have {got[1]:.4f}, it should be {truth[1]:.4f}."
    )
    with np.errstate(invalid="ignore"):
        edge = np.asarray(answer(np.array([1.0000001]), m), dtype=np.float64)
    expect(
        bool(np.isfinite(edge).all()),
        "Right, until rounding makes a cosine of 1.0000001: then 1 − cos² is negative and its root is nan. "
        "One nan is enough to end a training run. Clip it at 0.",
    )
    return (
        "No arccos, so nothing breaks at θ = 0. Rounding does make cosines above 1: of a float32 vector with "
        "itself in about a quarter of all cases."
    )


# ---- 03.4 -------------------------------------------------------------------------------------------------


@exercise(
    "03.4",
    "How many people fit on a circle",
    hints=(
        "C people evenly around the circle are 2π/C apart; a sample on its centre must still beat the next.",
        "ArcFace: m ≤ 2π/C, so C ≤ 2π/m. CosFace: 1 − m ≥ cos(2π/C), so C ≤ 2π / arccos(1 − m).",
        "C is a whole number: round down.",
    ),
    solution=(int(2 * math.pi / 0.5), int(2 * math.pi / math.acos(1 - 0.35))),
    mistakes=((13, 8), (12, 17), (12.57, 7.28), (6, 3), (12, 8)),
)
def people(answer):
    values = array(answer)
    expect(
        values.shape == (2,), f"Two numbers are asked for, ArcFace's and CosFace's; yours: {values.shape}."
    )
    arc, cos = 2 * math.pi / 0.5, 2 * math.pi / math.acos(0.65)
    if close(values, (arc, cos), atol=0.02):
        raise Wrong("The bounds are right, and people come in whole numbers: round down.")
    if close(values[1], int(2 * math.pi / 0.35)):
        raise Wrong("CosFace's 0.35 is no angle: it is taken from the cosine. 1 − 0.35 ≥ cos(2π/C).")
    if close(values, (math.ceil(arc), math.ceil(cos))):
        raise Wrong(
            "Rounded up, one more than fits: with that many the neighbours are nearer than the margin."
        )
    if close(values, (int(arc / 2), int(cos / 2))):
        raise Wrong("That is half of it: around the whole circle there are 2π radians, not π.")
    expect(close(values[0], int(arc)), f"ArcFace: not {values[0]:g}. C people are 2π/C apart; 2π/C ≥ m.")
    expect(close(values[1], int(cos)), f"CosFace: not {values[1]:g}. 1 − m ≥ cos(2π/C).")
    return (
        "Twelve and seven. So the eight people of this lesson fit ArcFace's usual margin in the plane, "
        "not CosFace's. In 512 dimensions there is room for both: thousands of centres are nearly 90° apart."
    )


# ---- 03.5 -------------------------------------------------------------------------------------------------


def least_scale(p, C):
    return math.log(p * (C - 1) / (1 - p))


@exercise(
    "03.5",
    "The least scale",
    hints=(
        "With the sample on its centre (cos θ_y = 1) and the others at 90° (cos θ_j = 0): "
        "p = e^s / (e^s + C − 1).",
        "Solve for e^s: it is p (C − 1) / (1 − p).",
    ),
    solution=least_scale,
    mistakes=(
        lambda p, C: math.log(p / (1 - p)),
        lambda p, C: math.log10(p * (C - 1) / (1 - p)),
        lambda p, C: p * (C - 1) / (1 - p),
        lambda p, C: math.log(p * C / (1 - p)),
    ),
)
def scale(answer):
    got, truth = number(answer(0.99, 8)), least_scale(0.99, 8)
    if close(got, math.log(0.99 / 0.01)):
        raise Wrong("That is for one rival. There are C − 1 of them, each with e^0 = 1.")
    if close(got, math.log10(0.99 * 7 / 0.01)):
        raise Wrong("That is the logarithm to base 10; softmax is made of e.")
    if close(got, 0.99 * 7 / 0.01):
        raise Wrong("That is e^s. Take the logarithm.")
    if close(got, math.log(0.99 * 8 / 0.01)):
        raise Wrong("Very near: you counted the own class among the rivals. There are C − 1.")
    expect(close(got, truth), f"For p = 0.99 and C = 8 you have {got:.4f}, it should be {truth:.4f}.")
    many = number(answer(0.99, 1_000_000))
    expect(close(many, least_scale(0.99, 1_000_000)), "Right for 8 classes, not for a million: where is C?")
    return (
        f"{truth:.1f} for eight people, {many:.1f} for a million: the scale needed grows with the "
        "logarithm only. ArcFace's 64 is far above it; AdaCos, in lesson 04, starts from this very formula."
    )


# ---- 03.6 -------------------------------------------------------------------------------------------------


def three_changes(theta):
    return np.cos(theta), np.cos(theta) - 0.35, np.cos(theta + 0.5)


@exercise(
    "03.6",
    "One line each",
    hints=(
        "Without a margin the logit of the own class is the cosine itself.",
        "CosFace subtracts its margin from the cosine; ArcFace adds its margin to the angle.",
    ),
    solution=three_changes,
    mistakes=(
        lambda t: (np.cos(t), np.cos(t + 0.35), np.cos(t) - 0.5),
        lambda t: (np.cos(t), np.cos(t) + 0.35, np.cos(t + 0.5)),
        lambda t: (np.cos(t), np.cos(t) - 0.35, np.cos(t - 0.5)),
        lambda t: (np.cos(t), np.cos(t) - 0.35, np.cos(t) + 0.5),
    ),
)
def one_line_each(answer):
    theta = np.array([0.0, 0.4, 1.1, 2.0])
    got = answer(theta.copy())
    expect(isinstance(got, tuple | list) and len(got) == 3, "Three arrays are asked for.")
    got, truth = [array(one, (4,)) for one in got], three_changes(theta)
    if close(got[1], np.cos(theta + 0.35)):
        raise Wrong("You added CosFace's margin to the angle: that is ArcFace. It comes off the cosine.")
    if close(got[1], truth[0] + 0.35) or close(got[2], np.cos(theta - 0.5)):
        raise Wrong("A margin makes it *harder*: the own logit must get smaller, and yours gets larger.")
    if close(got[2], truth[0] + 0.5) or close(got[2], truth[0] - 0.5):
        raise Wrong("ArcFace's margin goes inside the cosine: cos(θ + m), not cos θ ± m.")
    for name, mine, want in zip(("no margin", "CosFace", "ArcFace"), got, truth, strict=True):
        expect(close(mine, want), f"{name}: at θ = 0.4 it should be {want[1]:.4f}; yours is {mine[1]:.4f}.")
    return (
        "One line each, and everything else is the same: normalise, cosine, scale, cross-entropy. That is "
        "how small the step from softmax to ArcFace is."
    )
