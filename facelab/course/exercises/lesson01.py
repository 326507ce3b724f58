"""The exercises of lesson 01: two losses and two uses of a space in which distance means identity."""

from collections import Counter

import numpy as np

from facelab.course.exercises.core import Wrong, array, close, exercise, expect, number


def contrastive_loss(d, Y, m):
    return (1 - Y) * d**2 / 2 + Y * max(0.0, m - d) ** 2 / 2


@exercise(
    "01.1",
    "The contrastive loss",
    hints=(
        "Y is a switch: with Y = 0 only the first term is left, with Y = 1 only the second.",
        "`max(0, m - d)` is squared as a whole: `max(0, m - d) ** 2`. Both terms have their ½.",
    ),
    solution=contrastive_loss,
    mistakes=(
        lambda d, Y, m: contrastive_loss(d, 1 - Y, m),
        lambda d, Y, m: 2 * contrastive_loss(d, Y, m),
        lambda d, Y, m: (1 - Y) * d**2 / 2 + Y * (m - d) ** 2 / 2,
        lambda d, Y, m: (1 - Y) * d / 2 + Y * max(0.0, m - d) / 2,
        lambda d, Y, m: (1 - Y) * d**2 / 2 + Y * max(0.0, 1 - d) ** 2 / 2,
        lambda d, Y, m: 0.0,
    ),
)
def contrastive(answer):
    same, two = number(answer(0.3, 0, 1.0)), number(answer(0.3, 1, 1.0))
    if close((same, two), (0.245, 0.045)):
        raise Wrong(
            "The two cases are swapped. Here Y = 0 is the *same* person, as in the slides and in Hadsell's "
            "paper; some libraries count the other way round, so always look."
        )
    if close((same, two), (0.09, 0.49)):
        raise Wrong("Twice too much: each term has a factor ½ (so that its derivative has none).")
    if close((same, two), (0.15, 0.35)):
        raise Wrong("The distances are not squared. Squared, the pull fades as two photos come together.")
    expect(close(same, 0.045), f"Same person, d = 0.3: the loss is ½ · 0.3² = 0.045, and you get {same:.4f}.")
    expect(close(two, 0.245), f"Two people, d = 0.3, m = 1: ½ · (1 − 0.3)² = 0.245, and you get {two:.4f}.")
    far = number(answer(1.4, 1, 1.0))
    expect(
        close(far, 0.0),
        f"Two people farther apart than m are left alone: loss 0 at d = 1.4, m = 1; yours is {far:.4f}.",
    )
    wide = number(answer(1.4, 1, 2.0))
    expect(
        close(wide, 0.18), f"At d = 1.4 and m = 2 the loss is ½ · 0.6² = 0.18; yours is {wide:.4f}. Use m."
    )
    return (
        "The same person is pulled together without end, two people are pushed apart only up to the margin "
        "m. Without m, pushing apart would never stop paying, and the space would fly to pieces."
    )


A, B = np.array([4.0, 0.0, 1.0, 2.0]), np.array([1.0, 0.0, 3.0, 2.0])
WEIGHTS = np.array([1.0, 5.0, 0.5, 2.0])


def chi_squared_distance(f1, f2, w):
    total = f1 + f2
    return np.sum(w * (f1 - f2) ** 2 / np.where(total > 0, total, 1))


@exercise(
    "01.2",
    "DeepFace's weighted χ²",
    hints=(
        "For every component: the squared difference, divided by the sum. Then times w, then the sum of all.",
        "Where both are 0, the fraction is 0/0. `np.where(total > 0, total, 1)` makes it 0/1.",
    ),
    solution=chi_squared_distance,
    mistakes=(
        lambda f1, f2, w: chi_squared_distance(f1, f2, 1),
        lambda f1, f2, w: np.sum(w * (f1 - f2) ** 2),
        lambda f1, f2, w: np.sum(w * np.abs(f1 - f2) / np.where(f1 + f2 > 0, f1 + f2, 1)),
        lambda f1, f2, w: np.sum(w * (f1 - f2) ** 2) / np.sum(f1 + f2),
        lambda f1, f2, w: w * (f1 - f2) ** 2 / np.where(f1 + f2 > 0, f1 + f2, 1),
    ),
)
def chi_squared(answer):
    try:
        got = array(answer(A, B, WEIGHTS))
    except Wrong as problem:
        if "nan" in str(problem):
            raise Wrong(
                "0/0 gives nan. A component that is 0 in both faces says nothing: let it count 0."
            ) from None
        raise
    if got.shape == A.shape:
        raise Wrong("These are the parts, one for each component. A distance is their sum: one number.")
    got = number(got)
    if close(got, chi_squared_distance(A, B, 1)):
        raise Wrong("The weights w are missing: this is the plain χ².")
    if close(got, np.sum(WEIGHTS * (A - B) ** 2)):
        raise Wrong("The division by f1[i] + f2[i] is missing: this is a weighted Euclidean distance.")
    if close(got, np.sum(WEIGHTS * (A - B) ** 2) / np.sum(A + B)):
        raise Wrong("Every component is divided by its own sum f1[i] + f2[i], not all by the sum of all.")
    truth = chi_squared_distance(A, B, WEIGHTS)
    expect(
        close(got, truth),
        f"For f1 = {A.tolist()}, f2 = {B.tolist()}, w = {WEIGHTS.tolist()} it is 9/5 + 0.5 · 4/4 = "
        f"{truth:.1f}, and you get {got:.4f}.",
    )
    return (
        "The same difference counts less between two large amounts than between two small ones. It only "
        "makes sense where nothing is negative, as behind a ReLU."
    )


PEOPLE = ["A", "B", "B", "C", "C", "C"]
AWAY = [0.20, 0.30, 0.35, 0.80, 0.85, 0.90]


def nearest_neighbours(names, distances, k):
    nearest = [names[place] for place in np.argsort(distances)[:k]]
    return Counter(nearest).most_common(1)[0][0]


@exercise(
    "01.3",
    "Identification by k nearest neighbours",
    hints=(
        "`np.argsort(distances)[:k]` gives the places of the k smallest distances.",
        "`Counter(list_of_names).most_common(1)[0][0]` (from `collections`) is the commonest name; among "
        "equals it gives the one that came first in the list, which here is the nearer.",
    ),
    solution=nearest_neighbours,
    mistakes=(
        lambda names, distances, k: names[int(np.argmin(distances))],
        lambda names, distances, k: nearest_neighbours(names, [-d for d in distances], k),
        lambda names, distances, k: Counter(names).most_common(1)[0][0],
        lambda names, distances, k: Counter(names[:k]).most_common(1)[0][0],
        lambda names, distances, k: int(np.argmin(distances)),
    ),
)
def k_nearest(answer):
    got = answer(PEOPLE, AWAY, 3)
    expect(isinstance(got, str), f"The answer should be one of the names; yours is {got!r}.")
    if got == "A":
        raise Wrong("That is the nearest one alone. With k = 3 the three nearest vote: A, B, B.")
    if got == "C":
        raise Wrong(
            "C has the most photos, or the farthest, but not one of them is among the three *nearest*: A, B, "
            "B."
        )
    expect(got == "B", f"With k = 3 the nearest are A, B, B, so it is `B`, not {got!r}.")
    shuffled = [4, 1, 3, 0, 5, 2]
    got = answer([PEOPLE[i] for i in shuffled], [AWAY[i] for i in shuffled], 3)
    expect(got == "B", f"The gallery in another order, and you answer {got!r}: sort by distance first.")
    got = answer(PEOPLE, AWAY, 1)
    expect(got == "A", f"With k = 1 only the nearest votes: `A`, not {got!r}.")
    got = answer(PEOPLE, AWAY, 2)
    expect(got == "A", f"With k = 2 there is one vote each for A and B: let the nearer win, not {got!r}.")
    return (
        "Nothing was trained for these people: to enrol somebody is to add a row. That is what a space in "
        "which distance means identity is for."
    )


SPOTS = np.array([[0.0, 0.0], [0.0, 2.0], [1.0, 1.0], [5.0, 5.0], [7.0, 5.0], [6.0, 8.0]])
CENTRES = np.array([[1.0, 0.0], [4.0, 4.0]])
NEW = np.array([[1 / 3, 1.0], [6.0, 6.0]])


def k_means_step(vectors, centres):
    distance = np.linalg.norm(vectors[:, None] - centres[None], axis=2)
    nearest = distance.argmin(axis=1)
    return np.stack([vectors[nearest == k].mean(axis=0) for k in range(len(centres))])


@exercise(
    "01.4",
    "One step of k-means",
    hints=(
        "`vectors[:, None] - centres[None]` has the shape (N, K, D); its norm along axis 2 is a table (N, "
        "K).",
        "`nearest = table.argmin(axis=1)`; the new centre k is `vectors[nearest == k].mean(axis=0)`.",
    ),
    solution=k_means_step,
    mistakes=(
        lambda vectors, centres: np.linalg.norm(vectors[:, None] - centres[None], axis=2).argmin(axis=1),
        lambda vectors, centres: np.tile(vectors.mean(axis=0), (len(centres), 1)),
        lambda vectors, centres: centres,
        lambda vectors, centres: k_means_step(vectors, centres)[::-1],
        lambda vectors, centres: np.array([[0.0, 1.0], [6.0, 5.0]]),
    ),
)
def k_means(answer):
    got = array(answer(SPOTS.copy(), CENTRES.copy()))
    if got.shape == (len(SPOTS),):
        raise Wrong("That says to which centre each vector belongs: the first half. Now move the centres.")
    expect(got.shape == CENTRES.shape, f"New centres have the shape {CENTRES.shape}; yours is {got.shape}.")
    if close(got, CENTRES):
        raise Wrong("The centres have not moved.")
    if close(got, np.tile(SPOTS.mean(axis=0), (2, 1))):
        raise Wrong("That is the mean of *all* vectors, twice. Each centre takes the mean of its own.")
    if close(got, NEW[::-1]):
        raise Wrong("Nearly: right places, wrong order. Centre 0 stays centre 0.")
    expect(
        close(got, NEW),
        f"From centres {CENTRES.tolist()} you get {got.round(2).tolist()}; it should be "
        f"{NEW.round(2).tolist()}: the first three vectors are nearer to centre 0.",
    )
    return (
        "Repeat it until nothing moves, and you have k-means. k is the number of *clusters*, and it must be "
        "known beforehand: the algorithm never asks whether it is right."
    )
