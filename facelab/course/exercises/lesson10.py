"""Exercises of lesson 10: whom to keep back, and how fast to learn."""

import math

import numpy as np

from facelab.course.exercises.core import NotYet, close, exercise, expect, number

# ---- 10.1 -------------------------------------------------------------------------------------------------

IDENTITY = np.repeat(np.arange(40), np.tile([1, 2, 3, 10], 10))


def keep_back(identity, share, rng):
    people = rng.permutation(np.unique(identity))
    chosen = people[: round(share * len(people))]
    held = np.isin(identity, chosen)
    return np.flatnonzero(~held), np.flatnonzero(held)


def _photos(identity, share, rng):
    rows = rng.permutation(len(identity))
    cut = round(share * len(rows))
    return np.sort(rows[cut:]), np.sort(rows[:cut])


def _each_persons_last(identity, share, rng):
    last = np.flatnonzero(np.append(identity[1:] != identity[:-1], True))
    return np.setdiff1d(np.arange(len(identity)), last), last


def _swapped(identity, share, rng):
    return keep_back(identity, share, rng)[::-1]


def _always_the_first(identity, share, rng):
    people = np.unique(identity)
    held = np.isin(identity, people[: round(share * len(people))])
    return np.flatnonzero(~held), np.flatnonzero(held)


def _lost(identity, share, rng):
    train, held = keep_back(identity, share, rng)
    return train[:-5], held


def _not_by_rng(identity, share, rng):
    return keep_back(identity, share, np.random.default_rng())


def _some_twice(identity, share, rng):
    train, held = keep_back(identity, share, rng)
    return np.append(train[5:], train[5:10]), held


def _masks(identity, share, rng):
    _, held = keep_back(identity, share, rng)
    mask = np.isin(np.arange(len(identity)), held)
    return ~mask, mask


def _sets(identity, share, rng):
    train, held = keep_back(identity, share, rng)
    return set(train), set(held)


def _where(identity, share, rng):
    train, mask = _masks(identity, share, rng)
    return np.where(train), np.where(mask)


@exercise(
    "10.1",
    "Whom to keep back",
    hints=(
        "Draw people, not photos: np.unique(identity) lists them, rng.permutation shuffles them.",
        "np.isin(identity, chosen) says of each photo whether its person was chosen.",
        "np.flatnonzero(mask) gives the rows; ~mask the others.",
    ),
    solution=keep_back,
    mistakes=(
        _photos,
        _each_persons_last,
        _swapped,
        _always_the_first,
        _lost,
        _not_by_rng,
        _some_twice,
        _masks,
        _sets,
        _where,
    ),
)
def whom_to_keep_back(answer):
    train, held = _two(answer(IDENTITY, 0.25, np.random.default_rng(0)))
    both = set(IDENTITY[train]) & set(IDENTITY[held])
    expect(
        not both,
        f"{len(both)} people have photos on both sides. The network would be asked about people it knows: "
        "that "
        "measures memory. Draw people, and let each take all their photos along.",
    )
    lost = len(IDENTITY) - len({*train, *held})
    expect(not lost, f"{lost} photos are on neither side.")
    twice = len(train) + len(held) - len(IDENTITY)
    expect(not twice, f"Rows occur more than once ({twice} too many): those photos would count more.")
    people = len(np.unique(IDENTITY[held]))
    expect(people != 30, "A quarter of the people is to be kept back, and you train on it. (train, held).")
    expect(people == 10, f"A quarter of 40 people is 10; you keep {people} back.")
    again = _two(answer(IDENTITY, 0.25, np.random.default_rng(0)))[1]
    expect(
        set(IDENTITY[held]) == set(IDENTITY[again]),
        "With an rng of the same seed other people are kept back the second time, so no run can be repeated. "
        "Draw by the rng that you are given.",
    )
    other = _two(answer(IDENTITY, 0.25, np.random.default_rng(1)))[1]
    expect(
        set(IDENTITY[held]) != set(IDENTITY[other]),
        "With another rng the same people are kept back. In the order of names they may all be from one "
        "place: let rng draw them.",
    )
    return (
        "Nobody is on both sides. `facelab.training.split` does this by a hash of the name, so that somebody "
        "who was kept back once stays so when people are added, and drops what looks like them under another "
        "name."
    )


def _two(given):
    expect(isinstance(given, tuple | list) and len(given) == 2, "Return two things: train and held.")
    if any(one is ... or one is None for one in given):
        raise NotYet
    return tuple(_rows(one) for one in given)


def _rows(one):
    expect(not isinstance(one, tuple), "np.where returns a tuple: take its [0], or use np.flatnonzero.")
    expect(not isinstance(one, set | frozenset), "A set has no order and is no index: return arrays of rows.")
    rows = np.asarray(one)
    expect(rows.dtype != bool, "Rows are asked for, not a mask: np.flatnonzero(mask).")
    expect(
        rows.ndim == 1 and (rows.size == 0 or np.issubdtype(rows.dtype, np.integer)),
        f"Each side is a row of whole numbers; yours has the shape {rows.shape} and the type {rows.dtype}.",
    )
    expect(
        rows.size == 0 or 0 <= rows.min() <= rows.max() < len(IDENTITY),
        f"Rows lie between 0 and {len(IDENTITY) - 1}.",
    )
    return rows.astype(int)


# ---- 10.2 -------------------------------------------------------------------------------------------------


def rate(step, steps, highest, up):
    if step < up:
        return highest * (step + 1) / up
    return highest * (1 + math.cos(math.pi * (step - up) / (steps - up))) / 2


def _no_warm_up(step, steps, highest, up):
    return highest * (1 + math.cos(math.pi * step / steps)) / 2


def _cosine_from_the_start(step, steps, highest, up):
    cosine = highest * (1 + math.cos(math.pi * step / steps)) / 2
    return highest * (step + 1) / up if step < up else cosine


def _straight_down(step, steps, highest, up):
    return highest * (step + 1) / up if step < up else highest * (steps - step) / (steps - up)


def _twice(step, steps, highest, up):
    return (
        highest * (step + 1) / up
        if step < up
        else highest * (1 + math.cos(math.pi * (step - up) / (steps - up)))
    )


def _from_zero(step, steps, highest, up):
    return highest * step / up if step < up else rate(step, steps, highest, up)


def _one_step_later(step, steps, highest, up):
    return highest * (step + 1) / (up + 1) if step < up else rate(step, steps, highest, up)


@exercise(
    "10.2",
    "How fast to learn",
    hints=(
        "Two cases: step < up, a straight line; and the rest.",
        "The cosine's angle runs from 0 at step = up to π at step = steps: π·(step − up)/(steps − up).",
        "(1 + cos) runs from 2 to 0, so halve it.",
    ),
    solution=rate,
    mistakes=(_no_warm_up, _cosine_from_the_start, _straight_down, _twice, _from_zero, _one_step_later),
)
def how_fast(answer):
    def at(step):
        return number(answer(step, 100, 0.4, 20))

    expect(at(0) > 0, "At step 0 the rate is 0: the first step is wasted. (step + 1)/up.")
    expect(
        not close(at(0), 0.4 / 21),
        "(step + 1)/(up + 1) is what the library itself does: it comes to `highest` at step `up` only. Here "
        "the last of the `up` steps has it already: (step + 1)/up.",
    )
    expect(
        close(at(0), 0.02),
        f"At step 0 of a warm-up of 20 a twentieth of 0.4 is due, 0.02; yours is {at(0):g}.",
    )
    expect(close(at(9), 0.2), f"Half way up, at step 9, 0.2 is due; yours is {at(9):g}.")
    expect(not close(at(20), 0.8), "At the top it is twice the highest: (1 + cos) is 2 there. Halve it.")
    expect(
        close(at(20), 0.4),
        f"At step 20 the cosine begins, at its top: 0.4; yours is {at(20):g}. Count its steps from `up` on.",
    )
    expect(close(at(60), 0.2), f"Half way down, at step 60, 0.2 is due; yours is {at(60):g}.")
    expect(
        close(at(40), 0.4 * (1 + math.cos(math.pi / 4)) / 2),
        f"A quarter of the way down, at step 40, the cosine is still high, 0.341; yours is {at(40):g}. A "
        "straight line?",
    )
    return (
        "The first gradients come from random weights and point anywhere, so they are taken with care. The "
        "cosine spends its last steps at small rates, which lets the weights settle. It depends on the step "
        "alone: a run that was interrupted finds its place again."
    )
