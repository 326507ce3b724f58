"""The exercises of lesson 00: from two vectors to a verdict, and what a verdict is worth."""

import numpy as np

from facelab.course.exercises.core import NotYet, Wrong, close, exercise, expect, number

# Not of unit length, on purpose: whoever forgets the norms is found out.
F1, F2 = np.array([3.0, 4.0, 0.0]), np.array([0.0, 6.0, 8.0])


def cosine(a, b):
    return a @ b / (np.linalg.norm(a) * np.linalg.norm(b))


@exercise(
    "00.1",
    "The cosine distance",
    hints=(
        "`F1 @ F2` is the dot product; `np.linalg.norm(F1)` is the length |F1|.",
        "First the cosine: the dot product divided by both lengths. Then 1 minus it.",
    ),
    solution=lambda F1, F2: 1 - F1 @ F2 / (np.linalg.norm(F1) * np.linalg.norm(F2)),
    mistakes=(
        cosine,
        lambda F1, F2: 1 - F1 @ F2,
        lambda F1, F2: np.arccos(cosine(F1, F2)),
        lambda F1, F2: np.linalg.norm(F1 - F2),
        lambda F1, F2: 1 - F1 @ F2 / np.linalg.norm(F1) * np.linalg.norm(F2),
        lambda F1, F2: 0.52,
    ),
)
def cosine_distance(answer):
    got, truth = number(answer(F1, F2)), 1 - cosine(F1, F2)
    if close(got, 1 - truth):
        raise Wrong("That is the cosine itself, which is large for faces that are alike. Distance = 1 − cos.")
    if close(got, 1 - F1 @ F2):
        raise Wrong("The lengths |F1| and |F2| are missing. These vectors are not of length 1.")
    if close(got, np.arccos(1 - truth)):
        raise Wrong("That is the angle θ, in radians. The distance asked for is 1 − cos θ.")
    if close(got, 1 - F1 @ F2 / np.linalg.norm(F1) * np.linalg.norm(F2)):
        raise Wrong("`a / b * c` divides by b only. Put the product of the two lengths into brackets.")
    said = f"For F1 = {F1.tolist()} and F2 = {F2.tolist()} you get {got:.4f}, and 1 − 24/50 is {truth:.4f}."
    expect(close(got, truth), said)
    for other, whole, words in ((2 * F1, 0, "the same direction"), (-F1, 2, "opposite directions")):
        got = number(answer(F1, other))
        expect(close(got, whole), f"Two vectors of {words} should be {whole} apart; you get {got:.4f}.")
    return (
        "Only directions count: 0 for the same direction, 1 at a right angle, 2 for opposite ones. "
        "On unit vectors, which `fl.embed` gives, it is simply 1 − F1·F2."
    )


@exercise(
    "00.2",
    "From a distance to a verdict",
    hints=(
        "A small distance speaks for the same person. Which comparison is that?",
        "And a pair exactly at the threshold: `fl.verify` says `r.same` is `distance ≤ threshold`.",
    ),
    solution=lambda distance, threshold: distance <= threshold,
    mistakes=(
        lambda distance, threshold: distance >= threshold,
        lambda distance, threshold: distance > threshold,
        lambda distance, threshold: distance < threshold,
        lambda distance, threshold: distance <= 0.5,
        lambda distance, threshold: distance,
    ),
)
def same_person(answer):
    far, near, at = (number(answer(d, 0.6)) for d in (0.9, 0.2, 0.6))
    if {far, near, at} - {0.0, 1.0}:
        raise Wrong("The verdict should be `True` or `False`: the result of a comparison.")
    if far and not near:
        raise Wrong(
            "This lets the far pair through and turns the near one away. "
            "With *scores* more is better; with distances it is the other way round."
        )
    expect(bool(near) and not far, "At threshold 0.6, the distance 0.2 should be accepted and 0.9 refused.")
    expect(bool(at), "A distance equal to the threshold still counts as the same person: ≤, not <.")
    strict = number(answer(0.45, 0.4))
    expect(not strict, "0.45 was accepted at threshold 0.4: use the threshold that is passed in.")
    return (
        "Verification is this one comparison. All the care goes into where the threshold lies, and nothing "
        "in the answer says how sure it is: 0.599 and 0.001 are both just `True` at 0.6."
    )


@exercise(
    "00.3",
    "Two errors from four counts",
    hints=(
        "FMR looks at pairs of different people only, FNMR at pairs of the same person only.",
        "FMR = 40 / 100,000. For FNMR: how many of the 3,000 were *not* accepted?",
    ),
    solution=(40 / 100_000, 90 / 3_000),
    mistakes=(
        (90 / 3_000, 40 / 100_000),
        (40 / 100_000, 2_910 / 3_000),
        (40 / 103_000, 90 / 103_000),
        (0.04, 3.0),
        (40, 90),
        (0.1, 0.2),
    ),
)
def two_errors(answer):
    expect(isinstance(answer, tuple | list) and len(answer) == 2, "Two numbers are asked for: `fmr, fnmr`.")
    fmr, fnmr = (number(part) for part in answer)
    if close((fmr, fnmr), (90 / 3_000, 40 / 100_000), atol=1e-7):
        raise Wrong("The two are swapped: a false *match* is a pair of different people that was accepted.")
    if close(fnmr, 2_910 / 3_000):
        raise Wrong("2,910 / 3,000 is the share that is rightly accepted (TAR). FNMR is the rest.")
    if close(fmr, 40 / 103_000, atol=1e-7) or close(fnmr, 90 / 103_000, atol=1e-7):
        raise Wrong(
            "Each error has its own denominator: the pairs on which it can happen. Dividing by all pairs "
            "makes the figure depend on how many of each kind somebody happened to collect."
        )
    if close((fmr, fnmr), (0.04, 3.0)):
        raise Wrong("Those are percentages. Rates here are shares between 0 and 1.")
    if close((fmr, fnmr), (40, 90)):
        raise Wrong(
            "Those are the counts of the errors. A rate divides them by the pairs they can happen on."
        )
    expect(close(fmr, 40 / 100_000, atol=1e-7), f"Your FMR is {fmr:g}: of 100,000 pairs, 40 were accepted.")
    expect(close(fnmr, 90 / 3_000), f"Your FNMR is {fnmr:g}: of 3,000 pairs, 2,910 were accepted.")
    return (
        "FMR 1 in 2,500, FNMR 3 %. At a phone's door that is one stranger in 2,500. "
        "In a search among 50,000 people the same threshold names about 20 innocent ones, each time."
    )


NAMES = ["A", "B", "C", "D"]  # as in the slides' table


@exercise(
    "00.4",
    "Who is it, or nobody?",
    hints=(
        "`np.argmin(distances)` is the place of the smallest distance.",
        "Look up the nearest person first; then ask whether even that one is near enough.",
    ),
    solution=lambda names, distances, threshold: (
        names[int(np.argmin(distances))] if min(distances) <= threshold else "stranger"
    ),
    mistakes=(
        lambda names, distances, threshold: names[int(np.argmax(distances))],
        lambda names, distances, threshold: names[int(np.argmin(distances))],
        lambda names, distances, threshold: next(
            (name for name, d in zip(names, distances, strict=True) if d <= threshold), "stranger"
        ),
        lambda names, distances, threshold: (
            names[int(np.argmin(distances))] if min(distances) > threshold else "stranger"
        ),
        lambda names, distances, threshold: int(np.argmin(distances)),
        lambda names, distances, threshold: names[distances.argmin()]
        if min(distances) <= threshold
        else None,
    ),
)
def identify(answer):
    clear = answer(NAMES, np.array([0.91, 0.42, 0.55, 0.97]), 0.6)
    expect(
        isinstance(clear, str),
        'The answer should be one of the names, or the word "stranger"; a place in the list is not a name.',
    )
    if clear == "D":
        raise Wrong(
            "That is the person farthest away. One of the slides says so too; it holds for scores, where "
            "more is better. With distances the nearest counts."
        )
    slide = [0.45, 0.51, 0.52, 0.51]
    if clear == "stranger":
        raise Wrong("0.42 is within the threshold 0.6, so somebody is there: the nearest, `B`.")
    expect(
        clear == "B", f"Among [0.91, 0.42, 0.55, 0.97] at threshold 0.6 you find {clear!r}; `B` is nearest."
    )
    try:
        nobody = answer(NAMES, np.array(slide), 0.4)
    except NotYet:
        raise Wrong(
            'Where nobody is near enough, return the word "stranger"; this returns nothing.'
        ) from None
    if nobody not in (*NAMES, "stranger"):
        raise Wrong(f'Where nobody is near enough, return the word "stranger"; you return {nobody!r}.')
    if nobody != "stranger":
        raise Wrong(
            f"At threshold 0.4 nobody at {slide} is near enough, and you answer {nobody!r}. "
            "Whoever must always name somebody works in a closed set."
        )
    nearest = answer(NAMES, np.array([0.59, 0.30, 0.58, 0.57]), 0.6)
    expect(
        nearest == "B",
        f"With [0.59, 0.30, 0.58, 0.57] all four are within 0.6, and the nearest is `B`, not {nearest!r}.",
    )
    return (
        "Identification is a nearest neighbour with a right to silence. Leave out the threshold and every "
        "stranger gets somebody's name."
    )
