"""Exercises of lesson 02: the triplet loss, its gradient, its zones, and how many triplets there are."""

import numpy as np

from facelab.course.exercises.core import Wrong, array, close, exercise, expect, number
from facelab.losses import triplet_kind

# Three triplets in two dimensions with α = 0.5: easy, semi-hard, hard. All numbers are exact.
A = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
P = np.array([[0.5, 0.0], [1.0, 1.0], [2.0, 1.0]])
N = np.array([[0.0, 2.0], [-0.1, 0.0], [0.0, 0.0]])
ALPHA = 0.5


def _d(x, y):
    return ((x - y) ** 2).sum(axis=-1)


def triplet_loss(a, p, n, alpha):
    return np.maximum(_d(a, p) - _d(a, n) + alpha, 0).sum()


def _clipped_late(a, p, n, alpha):
    return np.maximum((_d(a, p) - _d(a, n) + alpha).sum(), 0)


def _not_squared(a, p, n, alpha):
    return np.maximum(np.sqrt(_d(a, p)) - np.sqrt(_d(a, n)) + alpha, 0).sum()


def _each(a, p, n, alpha):
    return np.maximum(_d(a, p) - _d(a, n) + alpha, 0)


@exercise(
    "02.1",
    "The triplet loss of a batch",
    hints=(
        "`((a - p) ** 2).sum(axis=1)` are the squared distances d1 of all triplets at once: (N,).",
        "`np.maximum(x, 0)` is the bracket with the plus, element by element. Sum what it leaves.",
    ),
    solution=triplet_loss,
    mistakes=(
        _clipped_late,
        _not_squared,
        _each,
        lambda a, p, n, alpha: triplet_loss(a, p, n, alpha) / len(a),
        lambda a, p, n, alpha: triplet_loss(a, n, p, alpha),
        lambda a, p, n, alpha: (_d(a, p) - _d(a, n) + alpha).sum(),
        lambda a, p, n, alpha: triplet_loss(a, p, n, 0),
        lambda a, p, n, alpha: triplet_loss(a, p, n, 0.2),
        lambda a, p, n, alpha: 1.0,
    ),
)
def batch_loss(answer):
    got = answer(A, P, N, ALPHA)
    each = _each(A, P, N, ALPHA)
    if np.shape(got) == (len(A),):
        raise Wrong(f"These are the {len(A)} triplets' own losses, one number each. Equation 2 sums them.")
    got, truth = number(got), each.sum()
    if close(got, (_d(A, P) - _d(A, N) + ALPHA).sum()):
        raise Wrong(
            "The bracket's plus is missing, or it came too late: an easy triplet counts 0, "
            "and must not pay for a hard one with a negative loss. Clip each triplet, then sum."
        )
    diagnoses = (
        (
            truth / len(A),
            "That is the mean. Equation 2 is a sum (with the mean, the step size would differ).",
        ),
        (_not_squared(A, P, N, ALPHA), "The distances in equation 2 are squared: ‖·‖₂²."),
        (triplet_loss(A, N, P, ALPHA), "Positive and negative are swapped: this pulls strangers together."),
        (triplet_loss(A, P, N, 0), "The margin α is missing."),
    )
    for value, words in diagnoses:
        if close(got, value):
            raise Wrong(words)
    expect(
        close(got, truth),
        f"For three triplets whose losses are {each.round(2).tolist()} you get {got:.3f}, not {truth:.3f}.",
    )
    other = number(answer(A, P, N, 1.0))
    expect(
        close(other, triplet_loss(A, P, N, 1.0)), "With another α the answer is off: use the one passed in."
    )
    return (
        "The easy triplet gave 0, and so it will give no gradient. `fl.losses.TripletLoss` takes the mean "
        "over the triplets instead of the sum, so that the step does not grow with the batch."
    )


def anchor_gradient(a, p, n, alpha):
    return 2 * (n - p) * (_d(a, p) - _d(a, n) + alpha > 0)


@exercise(
    "02.2",
    "The gradient by the anchor",
    hints=(
        "d/da ‖a − p‖² = 2(a − p), and d/da ‖a − n‖² = 2(a − n). Which signs do they have in the loss?",
        "2(a − p) − 2(a − n): the anchor cancels. And what is the slope where the bracket is 0?",
    ),
    solution=anchor_gradient,
    mistakes=(
        lambda a, p, n, alpha: 2 * (n - p),
        lambda a, p, n, alpha: -anchor_gradient(a, p, n, alpha),
        lambda a, p, n, alpha: anchor_gradient(a, p, n, alpha) / 2,
        lambda a, p, n, alpha: 2 * (a - p) * (_d(a, p) - _d(a, n) + alpha > 0),
        lambda a, p, n, alpha: (2 * (a - p) + 2 * (a - n)) * (_d(a, p) - _d(a, n) + alpha > 0),
        lambda a, p, n, alpha: 0 * a,
    ),
)
def gradient_by_the_anchor(answer):
    for row in (2, 1):
        a, p, n = A[row], P[row], N[row]
        got, truth = array(answer(a, p, n, ALPHA), (2,)), 2 * (n - p)
        diagnoses = (
            (
                -truth,
                "The sign is turned round. The gradient points uphill; the widget's arrow shows −gradient.",
            ),
            (truth / 2, "The factor 2 from the square is missing."),
            (
                2 * (a - p),
                "That is the part of the positive. The negative pushes the anchor as well: − 2(a − n).",
            ),
            (2 * (a - p) + 2 * (a - n), "d2 has a minus in the loss, and so has its gradient."),
        )
        for value, words in diagnoses:
            if close(got, value):
                raise Wrong(words)
        yours, wanted = got.round(3).tolist(), truth.round(3).tolist()
        expect(close(got, truth), f"For a = {a}, p = {p}, n = {n} it should be {wanted}; yours is {yours}.")
    got = array(answer(A[0], P[0], N[0], ALPHA), (2,))
    expect(
        close(got, np.zeros(2)),
        "An easy triplet has loss 0 all around it, so its gradient is 0. Yours is not.",
    )
    return (
        "2(n − p): where the anchor itself is plays no part, except for whether the triplet is easy. That is "
        "why its arrow kept its length and direction while you dragged it."
    )


def _swapped(d1, d2, alpha):
    return triplet_kind(d2, d1, alpha)


@exercise(
    "02.3",
    "Easy, semi-hard or hard?",
    hints=(
        "Hard: the wrong person is nearer, or just as near. Which of d1 and d2 is the smaller one then?",
        "Easy: equation 1 holds, d1 + α ≤ d2, so that the loss is 0. What is left is semi-hard.",
    ),
    solution=lambda d1, d2, alpha: "hard" if d2 <= d1 else "semi-hard" if d2 < d1 + alpha else "easy",
    mistakes=(
        _swapped,
        lambda d1, d2, alpha: "easy" if d2 > d1 else "hard",
        lambda d1, d2, alpha: triplet_kind(d1, d2, 0.2),
        lambda d1, d2, alpha: {"easy": "easy", "hard": "semi-hard", "semi-hard": "hard"}[
            triplet_kind(d1, d2, alpha)
        ],
        lambda d1, d2, alpha: "semi-hard",
        lambda d1, d2, alpha: max(0, d1 - d2 + alpha),
    ),
)
def zone(answer):
    cases = {(1.0, 2.0): "easy", (1.0, 1.1): "semi-hard", (1.0, 0.4): "hard"}
    got = {case: answer(*case, 0.5) for case in cases}
    if not all(isinstance(kind, str) for kind in got.values()):
        raise Wrong('The answer should be one of the words "easy", "semi-hard" and "hard".')
    if got == {case: _swapped(*case, 0.5) for case in cases}:
        raise Wrong("d1 and d2 are swapped: d1 belongs to the positive, d2 to the negative.")
    if got[1.0, 1.1] == "hard" and got[1.0, 0.4] == "semi-hard":
        raise Wrong("Semi-hard and hard are swapped: hard is where even the order is wrong.")
    if got[1.0, 1.1] == "easy":
        raise Wrong(
            "d1 = 1, d2 = 1.1, α = 0.5: the order is right, but the margin is not kept. There is a loss."
        )
    for (d1, d2), kind in cases.items():
        if got[d1, d2] != kind:
            raise Wrong(f'd1 = {d1}, d2 = {d2}, α = 0.5 is "{kind}"; you say "{got[d1, d2]}".')
    far = answer(1.0, 1.3, 0.2)
    expect(
        far == "easy", f'd1 = 1, d2 = 1.3 is easy at α = 0.2; you say "{far}". Use the α that is passed in.'
    )
    near = answer(1.0, 1.3, 0.4)
    expect(near == "semi-hard", f'd1 = 1, d2 = 1.3 is semi-hard at α = 0.4; you say "{near}".')
    return (
        "Three zones around the anchor: a disc, a ring, and everything else. As the network learns, the same "
        "three photos wander from one to the next."
    )


@exercise(
    "02.4",
    "How many triplets?",
    hints=(
        "Anchor: any photo of a person, n. Positive: any *other* photo of the same person, n − 1.",
        "Negative: any photo of anybody else, N − n, where N is the sum of all. Multiply; sum over people.",
    ),
    solution=lambda photos: sum(n * (n - 1) * (sum(photos) - n) for n in photos),
    mistakes=(
        lambda photos: sum(n * n * (sum(photos) - n) for n in photos),
        lambda photos: sum(n * (n - 1) // 2 * (sum(photos) - n) for n in photos),
        lambda photos: sum(n * (n - 1) * sum(photos) for n in photos),
        lambda photos: len(photos) * photos[0] * (photos[0] - 1) * photos[0],
        lambda photos: 1800,
        lambda photos: sum(n * (n - 1) for n in photos),
    ),
)
def triplets(answer):
    slide = number(answer([10, 10]))
    if close(slide, 2000):
        raise Wrong("2,000: a photo cannot be its own positive. There are n − 1 left to choose from.")
    if close(slide, 900):
        raise Wrong("900: anchor and positive play different parts, so (a, p) and (p, a) are two triplets.")
    if close(slide, 3600):
        raise Wrong("3,600: the negative must be somebody else, N − n photos, not all N.")
    if close(slide, 180):
        raise Wrong("180 are the pairs of anchor and positive. Each of them goes with every negative.")
    expect(
        close(slide, 1800), f"Two people with ten photos each: the slide has 1,800, you have {slide:,.0f}."
    )
    uneven = number(answer([2, 3, 1]))
    expect(
        close(uneven, 26),
        f"For people with 2, 3 and 1 photos you get {uneven:,.0f}; it should be 2·1·4 + 3·2·3 + 1·0·5 = 26. "
        "Each person has a number of photos of their own, and the negatives come from everybody else.",
    )
    return (
        "Σ n(n − 1)(N − n). With k photos for each of C people that is C(C − 1)·k²(k − 1): with twice as "
        "many people four times as many triplets, with twice as many photos of each about eight times."
    )


@exercise(
    "02.5",
    "The loss of a network that has given up",
    hints=(
        "If all photos get the same vector, what are d1 and d2?",
        "d1 = d2 = 0, so each triplet's loss is max(0, 0 − 0 + α).",
    ),
    solution=0.2,
    mistakes=(0.0, 1.0, 4.2, 2.2),
)
def collapsed(answer):
    got = number(answer)
    if close(got, 0.0):
        raise Wrong("0 is the loss when every triplet is easy. Here nobody is any farther than anybody else.")
    if got > 2:
        raise Wrong("That would need distances of 2 and more. All vectors are the same: all distances are 0.")
    expect(close(got, 0.2), "d1 = 0 and d2 = 0 for every triplet. Put that into equation 2.")
    return (
        "The loss is exactly α. Whoever sees the loss of hard triplets settle at the margin should suspect a "
        "collapsed network. An untrained one has a higher loss, and that is what makes this a trap: the way "
        "into it leads downhill."
    )
