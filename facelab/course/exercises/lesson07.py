"""Exercises of lesson 07: leave one out, the nearest two, whose rate it is, and what may be claimed."""

import numpy as np

from facelab.course.exercises.core import Wrong, array, close, exercise, expect, number


def unit(F):
    return F / np.linalg.norm(F, axis=-1, keepdims=True)


# ---- 07.1 -------------------------------------------------------------------------------------------------

F = unit(np.random.default_rng(7).normal([3, 0, 0, 0], size=(5, 4)))


def left_out(F):
    return 1 - (unit(F.sum(axis=0) - F) * F).sum(axis=1)


def _with_itself(F):
    return 1 - F @ unit(F.sum(axis=0))


def _not_unit(F):
    return 1 - ((F.sum(axis=0) - F) / (len(F) - 1) * F).sum(axis=1)


def _sum(F):
    return 1 - ((F.sum(axis=0) - F) * F).sum(axis=1)


def _each_with_each(F):
    return 1 - unit(F.sum(axis=0) - F) @ F.T


@exercise(
    "07.1",
    "Leave one out",
    hints=(
        "The sum of the others is the sum of all minus this one, for all at once: `F.sum(axis=0) - F`.",
        "Each row of that has its own length: divide by `np.linalg.norm(…, axis=1, keepdims=True)`.",
        "Row i with row i: `(others * F).sum(axis=1)` are the cosines.",
    ),
    solution=left_out,
    mistakes=(
        _with_itself,
        _not_unit,
        _sum,
        _each_with_each,
        lambda F: 1 - left_out(F),
        lambda F: left_out(F).mean(),
        lambda F: 1 - (unit(F.mean(axis=0) - F) * F).sum(axis=1),
    ),
)
def leave_one_out(answer):
    got, truth = array(answer(F.copy())), left_out(F)
    diagnoses = (
        (_with_itself(F), "Each photo is still in the mean that it is compared with."),
        (
            _not_unit(F),
            "The mean of the others is right, but not of length 1. Its length is smaller, so every distance "
            "comes out too large.",
        ),
        (_sum(F), "The sum of the others has a length of nearly n − 1: bring it to length 1."),
        (1 - truth, "Those are the cosines; a distance is 1 − cos."),
        (
            1 - (unit(F.mean(axis=0) - F) * F).sum(axis=1),
            "You took the photo away from the *mean*: in the mean it has weight 1/n. Take it from the sum.",
        ),
    )
    for mistake, words in diagnoses:
        if close(got, mistake):
            raise Wrong(words)
    expect(
        got.shape == truth.shape,
        f"One distance for each of the {len(F)} photos; the shape of yours is {got.shape}. Compare row i "
        "with row i only: multiply, and add up along axis 1.",
    )
    expect(close(got, truth), f"The first photo is {truth[0]:.4f} from the others' mean; yours {got[0]:.4f}.")
    two = F[:2]
    expect(close(array(answer(two.copy()), (2,)), left_out(two)), "It fails for two photos.")
    return (
        "One sum serves all: each photo is taken out of it in turn. With two photos what is left is the "
        "other photo, and both have one and the same distance."
    )


# ---- 07.2 -------------------------------------------------------------------------------------------------

MEANS = unit(np.array([[1.0, 0, 0], [0, 1, 0.2], [-0.9, 0.1, 1], [0.1, 1, 0.1], [-1, -0.2, -0.2]]))


def nearest_two(M):
    cosines = M @ M.T
    np.fill_diagonal(cosines, -np.inf)
    return np.unravel_index(np.argmax(cosines), cosines.shape)


def _no_diagonal(M):
    return np.unravel_index(np.argmax(M @ M.T), (len(M), len(M)))


def _farthest(M):
    return np.unravel_index(np.argmin(M @ M.T), (len(M), len(M)))


@exercise(
    "07.2",
    "The nearest two",
    hints=(
        "`M @ M.T` holds the cosine of each with each. Near means a *large* cosine.",
        "Everybody is nearest to themselves: fill the diagonal with −∞ first (`np.fill_diagonal`).",
        "`np.argmax` counts through the flattened matrix; `np.unravel_index(place, shape)` gives row and "
        "column.",
    ),
    solution=nearest_two,
    mistakes=(
        _no_diagonal,
        _farthest,
        lambda M: np.argmax(M @ M.T - 2 * np.eye(len(M))),
        lambda M: (1, 1),
        lambda M: (0, 1),
    ),
)
def nearest(answer):
    got = array(answer(MEANS.copy()))
    expect(
        got.shape == (2,),
        f"Two people are asked for, (i, j); the shape of this is {got.shape}. If it is a place in the "
        "flattened matrix, np.unravel_index makes a row and a column of it.",
    )
    pair = tuple(sorted(got.astype(int).tolist()))
    if pair[0] == pair[1]:
        raise Wrong(
            "That is one person twice. Everybody is at distance 0 from themselves: mask the diagonal."
        )
    if pair == tuple(sorted(map(int, _farthest(MEANS)))):
        raise Wrong("Those are the two *farthest*: a small cosine is a large distance.")
    expect(pair == (1, 3), f"Persons 1 and 3 are nearest here, with a cosine of 0.99; you say {pair}.")
    other = unit(np.random.default_rng(0).normal(size=(30, 6)))
    wanted, got = sorted(map(int, nearest_two(other))), sorted(array(answer(other.copy()), (2,)).tolist())
    expect(got == wanted, f"Of 30 random vectors, {wanted} are nearest, and you say {got}.")
    return "One matrix product, a masked diagonal, one argmax: with K people, all K(K − 1)/2 pairs at once."


# ---- 07.3 -------------------------------------------------------------------------------------------------

# Person 4 has six photos and always gets in, person 9 one of two, the others never. Not sorted.
PERSON = np.array([4, 7, 4, 9, 4, 4, 2, 4, 9, 4, 2, 7])
OPENED = np.array([1, 0, 1, 1, 1, 1, 0, 1, 0, 1, 0, 0], bool)


def strangers_chance(opened, person):
    return np.mean([opened[person == who].mean() for who in np.unique(person)])


def _any(opened, person):
    return np.mean([opened[person == who].any() for who in np.unique(person)])


@exercise(
    "07.3",
    "A stranger's chance",
    hints=(
        "First for one person: what share of that person's photos opens the phone?",
        "`np.unique(person)` lists the people; `opened[person == who].mean()` is one person's share.",
        "Then the mean of these shares, each person counting once.",
    ),
    solution=strangers_chance,
    mistakes=(
        lambda opened, person: opened.mean(),
        _any,
        lambda opened, person: np.mean([opened[person == who].sum() for who in np.unique(person)]),
        lambda opened, person: len(np.unique(person[opened])) / len(person),
        lambda opened, person: strangers_chance(opened, person) * len(np.unique(person)),
        lambda opened, person: opened[person == 9].mean(),
    ),
)
def stranger(answer):
    got, truth = number(answer(OPENED.copy(), PERSON.copy())), strangers_chance(OPENED, PERSON)
    diagnoses = (
        (
            OPENED.mean(),
            "That is the share of *photos*: person 4, who has six of the twelve, counts six times.",
        ),
        (
            _any(OPENED, PERSON),
            "That counts whoever gets in with *any* photo. A stranger has one try: half of person 9's photos "
            "open it, so that person counts ½.",
        ),
        (7 / 4, "You added the photos up instead of taking each person's share."),
        (2 / 12, "People over photos: divide by the number of people."),
        (1.5, "That is the sum over the people. The chance is their mean."),
    )
    for mistake, words in diagnoses:
        if close(got, mistake):
            raise Wrong(words)
    expect(
        close(got, truth),
        f"Four people, with the shares 6/6, 1/2, 0 and 0: their mean is {truth:.4f}, and yours is {got:.4f}.",
    )
    random = np.random.default_rng(0)
    person, opened = random.integers(0, 40, 300) * 3, random.random(300) < 0.2
    expect(
        close(number(answer(opened.copy(), person.copy())), strangers_chance(opened, person)),
        "It fails for other people: their numbers need not be 0, 1, 2 … nor stand in order.",
    )
    return (
        "0.375 of strangers, and 7/12 = 0.58 of photos: the same phone. Whoever is photographed more does "
        "not count more."
    )


# ---- 07.4 -------------------------------------------------------------------------------------------------


@exercise(
    "07.4",
    "One in a million",
    hints=(
        "With no match among n independent tries, the rate is below 3/n with 95 % confidence.",
        "3/n = 1/1,000,000. Solve for n.",
    ),
    solution=3e6,
    mistakes=(1e6, 1e-6, 3, 5748, 3e5, 3e-6, 9.5e5),
)
def one_in_a_million(answer):
    got = number(answer)
    if close(got, 1e6, rtol=0.06):
        raise Wrong(
            "With a rate of exactly 1 in a million, a million tries end without a match in 37 % of cases: "
            "having seen none proves little."
        )
    if 0 < got < 1:
        raise Wrong("That is a rate. How many strangers are asked for.")
    if close(got, 5748):
        raise Wrong("That is how many there are in LFW.")
    expect(
        2.99e6 <= got <= 3.7e6,
        f"With {got:,.0f} strangers and no match the rate is below {3 / got if got > 0 else 1:.2g}, with "
        "95 % confidence. Which number makes that 1e-6?",
    )
    return (
        "Three million different people before one phone, and no match among them. For a statement about "
        "*all* phones many owners are needed too. Nobody shows this with 5,749 people."
    )
