"""Exercises of lesson 05: RetinaFace's anchors, what one says, and what it learns from."""

import numpy as np

from facelab.course.exercises.core import Wrong, array, close, exercise, expect, number

# ---- 05.1 -------------------------------------------------------------------------------------------------


@exercise(
    "05.1",
    "How many anchors RetinaFace judges",
    hints=(
        "A map of stride s has one cell for every s × s pixels: at stride 4 that is 160 × 160 cells.",
        "Sum the cells of the five maps: 160² + 80² + 40² + 20² + 10². Each cell has three anchors.",
    ),
    solution=sum(3 * (640 // stride) ** 2 for stride in (4, 8, 16, 32, 64)),
    mistakes=(34_100, 930, 76_800),
)
def anchors(answer):
    got = number(answer)
    truth = 3 * sum((640 // stride) ** 2 for stride in (4, 8, 16, 32, 64))
    if close(got, truth / 3):
        raise Wrong("Those are the cells. Each cell has three anchors, of three sizes.")
    if close(got, 3 * sum(640 // stride for stride in (4, 8, 16, 32, 64))):
        raise Wrong("A map has rows and columns: at stride 4 there are 160 × 160 cells, not 160.")
    if close(got, 3 * 160**2):
        raise Wrong("That is the finest map alone (75 % of all, by the way). There are four more.")
    expect(
        close(got, truth),
        "Not this many. Count the cells of each of the five maps, then the anchors in a cell.",
    )
    return (
        "102,300 anchors for a photo with a handful of faces: almost all of them are background. That is why "
        "training keeps only the hardest negatives. Three quarters of the anchors sit at stride 4."
    )


# ---- 05.2 -------------------------------------------------------------------------------------------------

CASES = (((120.0, 90.0, 64.0), (100.0, 50.0, 180.0, 150.0)), ((40.0, 72.0, 32.0), (20.0, 60.0, 44.0, 92.0)))
"""Anchors (x, y of the middle, side) and boxes."""


def said_of_a_box(anchor, box):
    x, y, side = anchor
    x1, y1, x2, y2 = box
    shift = ((x1 + x2) / 2 - x) / (0.1 * side), ((y1 + y2) / 2 - y) / (0.1 * side)
    return (*shift, np.log((x2 - x1) / side) / 0.2, np.log((y2 - y1) / side) / 0.2)


def _without_variances(anchor, box):
    return np.array(said_of_a_box(anchor, box)) * (0.1, 0.1, 0.2, 0.2)


def _one_variance(anchor, box):
    return np.array(said_of_a_box(anchor, box)) * (1, 1, 2, 2)


def _from_the_box_corner(anchor, box):
    x, y, side = anchor
    shift = (box[0] - x) / (0.1 * side), (box[1] - y) / (0.1 * side)
    return (*shift, *said_of_a_box(anchor, box)[2:])


def _in_pixels(anchor, box):
    side = anchor[2]
    return np.array(said_of_a_box(anchor, box)) * (side, side, 1, 1)


def _without_the_logarithm(anchor, box):
    tx, ty, tw, th = said_of_a_box(anchor, box)
    return tx, ty, np.exp(0.2 * tw) / 0.2, np.exp(0.2 * th) / 0.2


def _turned_round(anchor, box):
    return -np.array(said_of_a_box(anchor, box))


@exercise(
    "05.2",
    "What an anchor has to say",
    hints=(
        "The middle of the box is ((x1 + x2) / 2, (y1 + y2) / 2). How far is it from the anchor's, in sides "
        "of the anchor? Divide that by 0.1.",
        "The width of the box, in sides of the anchor, is (x2 - x1) / side. Its logarithm, divided by 0.2.",
    ),
    solution=said_of_a_box,
    mistakes=(
        _without_variances,
        _one_variance,
        _from_the_box_corner,
        _in_pixels,
        _without_the_logarithm,
        _turned_round,
        lambda anchor, box: np.array(said_of_a_box(anchor, box))[[1, 0, 3, 2]],
    ),
)
def what_an_anchor_says(answer):
    exact = number(np.sum(np.abs(array(answer((50.0, 40.0, 32.0), (34.0, 24.0, 66.0, 56.0)), (4,)))))
    for anchor, box in CASES:
        got, truth = array(answer(anchor, box), (4,)), np.array(said_of_a_box(anchor, box))
        case = f"For the anchor {anchor} and the box {box}:"
        diagnoses = (
            (_without_variances, "everything is right but the divisors 0.1 and 0.2."),
            (_one_variance, "the sizes are divided by 0.1, too: theirs is 0.2."),
            (_from_the_box_corner, "the shift leads to the box's corner. It goes from middle to middle."),
            (_in_pixels, "the shift is in pixels: divide it by the anchor's side as well."),
            (
                _without_the_logarithm,
                "the size is a ratio and no logarithm: an exact fit would say 5, not 0.",
            ),
            (_turned_round, "the signs are turned round: it goes from the anchor to the face."),
        )
        for mistake, words in diagnoses:
            if close(got, np.array(mistake(anchor, box))):
                raise Wrong(f"{case} {words}")
        if close(got, truth[[1, 0, 3, 2]]):
            raise Wrong("x and y are swapped: the order is x, y, width, height.")
        wanted, yours = (", ".join(f"{value:.3g}" for value in values) for values in (truth, got))
        expect(close(got, truth), f"{case} it should say ({wanted}); yours says ({yours}).")
    expect(exact < 1e-6, "A box that is exactly the anchor should be (0, 0, 0, 0): nothing to say.")
    return (
        'A face of 16 pixels and one of 500 now ask for numbers of the same magnitude, and 0 means "exactly '
        'the anchor". The network never learns a coordinate; that is why it works at every place.'
    )


# ---- 05.3 -------------------------------------------------------------------------------------------------

LAMBDAS = (0.25, 0.1, 0.01)


def multi_task(p_star, cls, box, pts, pixel):
    return cls + p_star * (LAMBDAS[0] * box + LAMBDAS[1] * pts + LAMBDAS[2] * pixel)


@exercise(
    "05.3",
    "RetinaFace's multi-task loss",
    hints=(
        "Write the four terms of the formula one after the other, each with its factor.",
        "p* is 1 for an anchor on a face and 0 for one on the background. Which terms carry it?",
    ),
    solution=multi_task,
    mistakes=(
        lambda p_star, cls, box, pts, pixel: cls + 0.25 * box + 0.1 * pts + 0.01 * pixel,
        lambda p_star, cls, box, pts, pixel: cls + p_star * (box + pts + pixel),
        lambda p_star, cls, box, pts, pixel: p_star * (cls + 0.25 * box + 0.1 * pts + 0.01 * pixel),
    ),
)
def retinaface_loss(answer):
    face, background = (1.0, 0.2, 0.8, 0.5, 3.0), (0.0, 0.6, 0.8, 0.5, 3.0)
    on_face, on_background = number(answer(*face)), number(answer(*background))
    if close(on_background, 0.0):
        raise Wrong(
            "For an anchor on the background (p* = 0) your loss is 0, so the detector would never learn to "
            "say no. The classification term has no p* before it."
        )
    if not close(on_background, 0.6):
        raise Wrong(
            f"For an anchor on the background (p* = 0) your loss is {on_background:g}. A background has no "
            "box and no eyes: only the classification term, 0.6 here, may be left."
        )
    if close(on_face, 0.2 + 0.8 + 0.5 + 3.0):
        raise Wrong("All four terms are there, but they weigh the same: λ1, λ2 and λ3 are missing.")
    expect(
        close(on_face, multi_task(*face)),
        f"For an anchor on a face your loss is {on_face:g}, it should be {multi_task(*face):g}.",
    )
    return (
        "A background anchor is judged by its class alone; a face anchor also by where it puts the box, the "
        "five points and the dense map. The λ keep the many pixels of the last term from drowning the others."
    )
