"""Exercises of lesson 06: distances, the crop that decides them, and what a threshold is worth."""

import numpy as np

from facelab.course.exercises.core import Wrong, array, close, exercise, expect, number

# ---- 06.1 -------------------------------------------------------------------------------------------------

# Not of unit length, and as many rows as columns: a norm along the wrong axis does not crash, it is wrong.
F = np.array([[3.0, 4.0, 0.0], [0.0, 6.0, 8.0], [-3.0, -4.0, 0.0]])


def unit(F, axis=1):
    return F / np.linalg.norm(F, axis=axis, keepdims=True)


def all_distances(F):
    return 1 - unit(F) @ unit(F).T


@exercise(
    "06.1",
    "Every distance at once",
    hints=(
        "Divide each row by its length first; then a dot product of two rows is their cosine.",
        "`np.linalg.norm(F, axis=1, keepdims=True)` is a column of lengths, and `F / column` divides each "
        "row by its own.",
        "If U holds the unit rows, `U @ U.T` holds the dot product of each row with each row.",
    ),
    solution=all_distances,
    mistakes=(
        lambda F: unit(F) @ unit(F).T,
        lambda F: 1 - F @ F.T,
        lambda F: 1 - unit(F, axis=0) @ unit(F, axis=0).T,
        lambda F: 1 - F @ F.T / np.linalg.norm(F, axis=1),
        lambda F: 1 - unit(F).T @ unit(F),
        lambda F: 1 - F @ F.T / np.linalg.norm(F) ** 2,
        lambda F: 1 - (unit(F[:-1]) * unit(F[1:])).sum(axis=1),
    ),
)
def distance_matrix(answer):
    got, truth = array(answer(F.copy())), all_distances(F)
    expect(
        got.shape == truth.shape,
        f"{len(F)} vectors have {len(F)} × {len(F)} distances; the shape of yours is {got.shape}.",
    )
    diagnoses = (
        (1 - truth, "Those are the cosines. A distance is 1 − cos: 0 on the diagonal."),
        (1 - F @ F.T, "The lengths are missing. These rows are not of length 1."),
        (1 - unit(F, 0) @ unit(F, 0).T, "You divided by the length of each column. A face is a row: axis=1."),
        (
            1 - F @ F.T / np.linalg.norm(F, axis=1),
            "Each cosine needs both lengths, and only one was divided by. Make all rows unit vectors first.",
        ),
        (1 - unit(F).T @ unit(F), "U.T @ U compares the columns. It is U @ U.T: rows with rows."),
        (
            1 - F @ F.T / np.linalg.norm(F) ** 2,
            "np.linalg.norm(F) is one length for the whole matrix: axis=1.",
        ),
    )
    for mistake, words in diagnoses:
        if close(got, mistake):
            raise Wrong(words)
    expect(
        close(got, truth),
        f"Row 0 is {F[0].tolist()} and row 1 is {F[1].tolist()}: their distance is 1 − 24/50 = 0.52, and "
        f"yours is {got[0, 1]:.4f}.",
    )
    wide = np.random.default_rng(0).normal(size=(5, 8))
    expect(close(array(answer(wide.copy())), all_distances(wide)), "It fails for 5 vectors of 8 numbers.")
    return (
        "One matrix product compares everybody with everybody. The diagonal is 0, and the matrix is "
        "symmetric: the order of two photos does not matter."
    )


# ---- 06.2 -------------------------------------------------------------------------------------------------


def into_the_crop(point, box):
    (px, py), (x, y, w, h) = point, box
    s = min(112 / w, 112 / h)
    return (112 - w * s) / 2 + (px - x) * s, (112 - h * s) / 2 + (py - y) * s


def _stretched(point, box):
    (px, py), (x, y, w, h) = point, box
    return (px - x) * 112 / w, (py - y) * 112 / h


def _no_bars(point, box):
    (px, py), (x, y, w, h) = point, box
    s = min(112 / w, 112 / h)
    return (px - x) * s, (py - y) * s


def _longest(point, box):
    (px, py), (x, y, w, h) = point, box
    s = max(112 / w, 112 / h)
    return (112 - w * s) / 2 + (px - x) * s, (112 - h * s) / 2 + (py - y) * s


def _no_corner(point, box):
    (px, py), (_, _, w, h) = point, box
    s = min(112 / w, 112 / h)
    return (112 - w * s) / 2 + px * s, (112 - h * s) / 2 + py * s


def _bars_both(point, box):
    (px, py), (x, y, w, h) = point, box
    s = min(112 / w, 112 / h)
    return (112 - w * s) + (px - x) * s, (112 - h * s) + (py - y) * s


def _only_x(point, box):
    (px, py), (x, y, w, h) = point, box
    s = 112 / h
    return (112 - w * s) / 2 + (px - x) * s, (py - y) * s


@exercise(
    "06.2",
    "Where an eye lands in DeepFace's crop",
    hints=(
        "The box keeps its proportions, so one factor s scales both sides; the longer side becomes 112.",
        "s = min(112 / w, 112 / h). The shorter side becomes less than 112, and half of what is missing is "
        "the bar on either side.",
        "x' = (112 − w·s) / 2 + (px − x)·s, and the same for y' with h.",
    ),
    solution=into_the_crop,
    mistakes=(_stretched, _no_bars, _longest, _no_corner, _bars_both, _only_x),
)
def eye_in_the_crop(answer):
    cases = (((244, 100), (179, 62, 89, 110)), ((60, 45), (30, 20, 80, 50)))
    for point, box in cases:
        got, truth = array(answer(point, box), (2,)), np.array(into_the_crop(point, box))
        diagnoses = (
            (_stretched, "That is the stretched crop: each side pulled to 112. DeepFace uses one factor."),
            (_no_bars, "The black bars are missing: the resized box lies in the middle of the 112 × 112."),
            (
                _longest,
                "With the larger of the two factors the box sticks out of the crop. Take the smaller.",
            ),
            (_no_corner, "The box's corner is missing: count the pixels from x and y, not from the photo's."),
            (_bars_both, "That is the whole of what is missing. Half of it is on either side."),
        )
        for mistake, words in diagnoses:
            if close(got, mistake(point, box), atol=0.01) and not close(got, truth, atol=0.01):
                raise Wrong(words)
        expect(
            close(got, truth, atol=0.01),
            f"A point at {point} of a box (x, y, w, h) = {box} comes to lie at ({truth[0]:.1f}, "
            f"{truth[1]:.1f}); yours at ({got[0]:.1f}, {got[1]:.1f}). Not every box is higher than wide.",
        )
    return (
        "The place of an eye hangs on x, y, w and h, on all four: on what the detector takes for the rim of "
        "the head. Nothing in the formula knows where the network expects an eye."
    )


# ---- 06.3 -------------------------------------------------------------------------------------------------


@exercise(
    "06.3",
    "The same threshold in another distance",
    hints=(
        "Write out |F₁ − F₂|² = (F₁ − F₂)·(F₁ − F₂). What are F₁·F₁ and F₂·F₂ for unit vectors?",
        "d² = 1 − 2 F₁·F₂ + 1 = 2 (1 − cos θ). Solve for 1 − cos θ.",
    ),
    solution=lambda d: d**2 / 2,
    mistakes=(
        lambda d: 1 - d**2 / 2,
        lambda d: np.sqrt(2 * d),
        lambda d: d / 2,
        lambda d: d**2,
        lambda d: 2 * d**2,
        lambda d: 1 - np.cos(d),
    ),
)
def from_euclidean(answer):
    rng = np.random.default_rng(0)
    F1, F2 = unit(rng.normal(size=(2, 128)))
    d, truth = float(np.linalg.norm(F1 - F2)), float(1 - F1 @ F2)
    got = number(answer(d))
    diagnoses = (
        (1 - truth, "That is the cosine. The cosine distance is 1 minus it."),
        (np.sqrt(2 * d), "That is the other direction: from a cosine distance to a Euclidean one."),
        (d**2, "Nearly: d² = 2 (1 − cos θ). There is a 2 in it."),
        (2 * d**2, "The 2 is on the wrong side: d² = 2 (1 − cos θ)."),
        (d / 2, "The Euclidean distance enters as its square: |F₁ − F₂|² = 2 − 2 F₁·F₂."),
        (1 - np.cos(d), "d is the length of the chord between two points of the sphere, not the angle."),
    )
    for mistake, words in diagnoses:
        if close(got, mistake):
            raise Wrong(words)
    expect(
        close(got, truth),
        f"Two unit vectors {d:.4f} apart have the cosine distance {truth:.4f}; you get {got:.4f}.",
    )
    expect(close(number(answer(2.0)), 2.0), "Opposite unit vectors are 2 apart in either distance.")
    return (
        "On unit vectors the two distances put all pairs in the same order, so neither is better. Only the "
        "number of the threshold differs: d²/2."
    )


# ---- 06.4 -------------------------------------------------------------------------------------------------

IMPOSTOR = np.random.default_rng(0).normal(0.92, 0.085, 50_000).clip(0, 2)
FEW = IMPOSTOR[:30]
TIED = np.array([0.5, 0.6, 0.6, 0.6, 0.7, 0.8, 0.9, 0.9, 1.0, 1.1])


def threshold_at(impostor, fmr):
    nearest = np.sort(impostor)
    allowed = int(fmr * len(nearest) + 1e-9)  # 0.29 * 100 is 28.999… in floating point
    return np.nextafter(nearest[allowed], -np.inf)


@exercise(
    "06.4",
    "A threshold for a wanted false match rate",
    hints=(
        "Sort the impostor distances. A threshold at the 10th smallest lets 10 of the pairs through.",
        "Of n pairs, `allowed` = fmr · n may pass, rounded *down*. The first that must not pass is "
        "`np.sort(impostor)[allowed]`.",
        "The largest number below x is `np.nextafter(x, -np.inf)`. Take it of the first that must not pass.",
    ),
    solution=threshold_at,
    mistakes=(
        lambda impostor, fmr: np.quantile(impostor, fmr),
        lambda impostor, fmr: np.sort(impostor)[int(fmr * len(impostor) + 1e-9)],
        lambda impostor, fmr: np.sort(impostor)[max(0, int(fmr * len(impostor) + 1e-9) - 1)],
        lambda impostor, fmr: np.quantile(impostor, 1 - fmr),
        lambda impostor, fmr: np.percentile(impostor, fmr),
        lambda impostor, fmr: impostor.min(),
        lambda impostor, fmr: impostor.mean() - 3 * impostor.std(),
        lambda impostor, fmr: np.sort(impostor)[round(fmr * len(impostor)) + 20],
        lambda impostor, fmr: 0.593,
    ),
)
def threshold_for(answer):
    for fmr in (1e-3, 1e-2):
        got = number(answer(IMPOSTOR.copy(), fmr))
        matched, wanted = int(np.sum(got >= IMPOSTOR)), round(fmr * len(IMPOSTOR))
        n = f"{len(IMPOSTOR):,}"
        if close(got, np.quantile(IMPOSTOR, 1 - fmr)):
            raise Wrong(
                "That is the upper end: nearly everybody gets in. With scores one cuts at the top; with "
                "distances the impostors that pass are the *nearest* ones."
            )
        if close(got, np.percentile(IMPOSTOR, fmr), atol=1e-6) and matched < wanted / 2:
            raise Wrong(
                "np.percentile counts in per cent; fmr is a share. That is a hundred times too strict."
            )
        if close(got, IMPOSTOR.min(), atol=1e-9):
            raise Wrong(f"At the smallest distance only 1 of {n} pairs passes, whatever fmr was asked for.")
        if close(got, IMPOSTOR.mean() - 3 * IMPOSTOR.std()):
            raise Wrong(
                "Mean minus three standard deviations assumes a bell, and does not look at fmr. Count the "
                "pairs: what matters is in the tail, where real distances are no bell."
            )
        expect(
            matched <= wanted,
            f"At your threshold {got:.4f}, {matched:,} of {n} impostor pairs pass; {wanted:,} are allowed.",
        )
        expect(
            matched >= 0.98 * wanted,
            f"At your threshold {got:.4f} only {matched:,} of {n} pairs pass where {wanted:,} are allowed: "
            "needlessly strict, and people will be turned away for it.",
        )
    for distances, fmr in ((FEW, 0.01), (FEW, 0.1), (TIED, 0.2)):
        got, n = number(answer(distances.copy(), fmr)), len(distances)
        matched, allowed = int(np.sum(got >= distances)), int(fmr * n + 1e-9)
        wanted = int(np.sum(distances <= threshold_at(distances, fmr)))
        if matched > allowed and close(got, np.quantile(distances, fmr)):
            raise Wrong(
                f"Nearly: np.quantile interpolates between two distances, and so lets {matched} of {n} pairs "
                f"through where a share of {fmr} allows {allowed}. Count: sort, and stay below the first "
                "that must not pass."
            )
        why = " Several pairs have the same distance: all of them pass, or none." if distances is TIED else ""
        expect(
            matched <= allowed,
            f"Of {n} pairs, {matched} pass at your threshold {got:.4f}; a share of {fmr} allows {allowed}. "
            f"Stay below the first that must not pass.{why}",
        )
        expect(
            matched == wanted,
            f"Of {n} pairs, {matched} pass at your threshold {got:.4f}; {wanted} could, with fmr = {fmr}.",
        )
    return (
        "A threshold is a quantile of the impostor distances, found by counting. For 1 in 1,000 out of "
        "50,000 pairs it rests on 50 of them; for 1 in a million it would rest on none."
    )
