"""Exercises of lesson 11: what bounds a search, cells, a threshold beyond what was measured, eight bits, and
a grouping judged face by face."""

import numpy as np

from facelab.course.exercises.core import Wrong, array, close, exercise, expect, number

# ---- 11.1 -----------------------------------------------------------------------------------------------


def least_time(people, dim, probes, bandwidth, flops):
    return max(4 * people * dim / bandwidth, 2 * people * dim * probes / flops)


@exercise(
    "11.1",
    "No faster than this",
    hints=(
        "Memory: people × dim numbers of 4 bytes, read once for all probes together.",
        "Arithmetic: one multiplication and one addition for each number, template and probe.",
        "Both go on at once, so the slower of the two decides: max.",
    ),
    solution=least_time,
    mistakes=(
        lambda n, d, p, b, f: 4 * n * d / b + 2 * n * d * p / f,
        lambda n, d, p, b, f: min(4 * n * d / b, 2 * n * d * p / f),
        lambda n, d, p, b, f: max(4 * n * d * p / b, 2 * n * d * p / f),
        lambda n, d, p, b, f: max(n * d / b, 2 * n * d * p / f),
        lambda n, d, p, b, f: max(4 * n * d / b, n * d * p / f),
    ),
)
def no_faster(answer):
    for probes in (1, 400):
        given = (1_000_000, 128, probes, 20e9, 100e9)
        got, truth = number(answer(*given)), least_time(*given)
        memory, sums = 4 * 128e6 / 20e9, 2 * 128e6 * probes / 100e9
        what = "one probe" if probes == 1 else f"{probes} probes"
        where = f"A million templates of 128, {what}, 20 GB/s, 100 billion operations a second"
        for wrong, words in (
            (memory + sums, "the memory brings the next numbers while the cores work on these: not a sum."),
            (min(memory, sums), "the *slower* of the two decides."),
            (max(probes * memory, sums), "the gallery is read once for all probes that come together."),
            (max(memory / 4, sums), "a float32 takes four bytes."),
            (max(memory, sums / 2), "each number is multiplied *and* added: two operations."),
        ):
            if not close(got, truth, rtol=1e-6) and close(got, wrong, rtol=1e-6):
                raise Wrong(f"{where}: {words}")
        expect(close(got, truth, rtol=1e-6), f"{where}: it is {truth:.4g} s, not {got:.4g} s.")
    return (
        "One probe: 26 ms, and the cores wait for the memory. 400 probes: 1.02 s, and the memory waits for "
        "the cores. They balance where 4/bandwidth = 2·probes/flops, here at ten probes."
    )


# ---- 11.2 -----------------------------------------------------------------------------------------------


def look(probe, gallery, cells, breadth):
    nearest = np.argsort(-(cells.centres @ probe))[:breadth]
    rows = np.concatenate([cells.members[cell] for cell in nearest])
    return rows[np.argmax(gallery[rows] @ probe)]


def _farthest_cells(probe, gallery, cells, breadth):
    nearest = np.argsort(cells.centres @ probe)[:breadth]
    rows = np.concatenate([cells.members[cell] for cell in nearest])
    return rows[np.argmax(gallery[rows] @ probe)]


def _one_cell(probe, gallery, cells, breadth):
    rows = cells.members[int(np.argmax(cells.centres @ probe))]
    return rows[np.argmax(gallery[rows] @ probe)]


def _place_not_row(probe, gallery, cells, breadth):
    nearest = np.argsort(-(cells.centres @ probe))[:breadth]
    rows = np.concatenate([cells.members[cell] for cell in nearest])
    return np.argmax(gallery[rows] @ probe)


def _whole_gallery(probe, gallery, cells, breadth):
    return np.argmax(gallery @ probe)


@exercise(
    "11.2",
    "Only the nearest cells",
    hints=(
        "np.argsort(-(cells.centres @ probe))[:breadth]: the numbers of the nearest cells.",
        "np.concatenate([cells.members[cell] for cell in …]): the rows of the templates in them.",
        "np.argmax(gallery[rows] @ probe) is a place in `rows`; which row of the gallery is that?",
    ),
    solution=look,
    mistakes=(_farthest_cells, _one_cell, _place_not_row, _whole_gallery),
)
def only_the_nearest(answer):
    from facelab.course.lesson11.cells import Cells

    rng = np.random.default_rng(3)
    gallery = rng.standard_normal((300, 8)).astype(np.float32)
    gallery /= np.linalg.norm(gallery, axis=1, keepdims=True)
    of = np.argmax(gallery @ gallery[:20].T, axis=1)
    members = [np.flatnonzero(of == cell)[::-1] for cell in range(20)]
    cells = Cells(gallery[:20] / 1.5, members)
    probes = rng.standard_normal((40, 8)).astype(np.float32)
    for breadth in (1, 3, 20):
        got = [int(number(answer(probe, gallery, cells, breadth))) for probe in probes]
        wants = [int(look(probe, gallery, cells, breadth)) for probe in probes]
        if got == wants:
            continue
        for wrong, words in (
            (_whole_gallery, "You compared with the whole gallery: right, and no quicker than before."),
            (_farthest_cells, "Those are the *farthest* cells: argsort begins with the smallest."),
            (_one_cell, "You looked into one cell only; `breadth` says into how many."),
            (
                _place_not_row,
                "That is a place among the templates looked at; which row of the gallery is it?",
            ),
        ):
            if got == [int(wrong(probe, gallery, cells, breadth)) for probe in probes]:
                raise Wrong(f"breadth {breadth}: {words}")
        at = next(n for n, (a, b) in enumerate(zip(got, wants, strict=True)) if a != b)
        raise Wrong(f"breadth {breadth}, probe {at}: row {wants[at]} is the nearest there, not {got[at]}.")
    return (
        "Every number that it returns is a template that was really compared, so its distance is exact. "
        "What can go wrong is that the nearest lies in a cell that was not looked into."
    )


# ---- 11.3 -----------------------------------------------------------------------------------------------


def beyond(start, share, shape, scale, fmr):
    return start + scale / shape * ((share / fmr) ** shape - 1)


@exercise(
    "11.3",
    "Beyond what was measured",
    hints=(
        "Of all pairs, `share` lie above start; of those a part of fmr/share shall lie above the threshold.",
        "(1 + ξ·y/σ)^(−1/ξ) = fmr/share. Raise both sides to the power −ξ.",
        "1 + ξ·y/σ = (share/fmr)^ξ, so y = σ/ξ·((share/fmr)^ξ − 1). The threshold is start + y.",
    ),
    solution=beyond,
    mistakes=(
        lambda u, p, k, s, f: s / k * ((p / f) ** k - 1),
        lambda u, p, k, s, f: u + s / k * ((1 / f) ** k - 1),
        lambda u, p, k, s, f: u + s / k * ((p / f) ** -k - 1),
        lambda u, p, k, s, f: u + k / s * ((p / f) ** k - 1),
        lambda u, p, k, s, f: u + s / k * (p / f) ** k,
    ),
)
def beyond_measured(answer):
    for given in ((0.35, 1e-3, -0.07, 0.024, 1e-8), (0.41, 1e-4, 0.24, 0.02, 1e-6)):
        got, truth = number(answer(*given)), beyond(*given)
        u, p, k, s, f = given
        where = f"start {u}, share {p:g}, ξ = {k}, σ = {s}, FMR {f:g}"
        for wrong, words in (
            (truth - u, "that is y, how far *beyond* the start. The threshold is start + y."),
            (
                u + s / k * ((1 / f) ** k - 1),
                "the curve describes the pairs above start, and these are only `share` of all: (share/fmr).",
            ),
            (u + s / k * ((p / f) ** -k - 1), "a stricter rate must give a higher threshold: mind ξ's sign."),
            (u + s / k * (p / f) ** k, "at fmr = share the threshold must be start itself: − 1 is missing."),
        ):
            if not close(got, truth, rtol=1e-6) and close(got, wrong, rtol=1e-6):
                raise Wrong(f"{where}: {words}")
        expect(close(got, truth, rtol=1e-6), f"{where}: it is {truth:.4f}, not {got:.4f}.")
    return (
        "ξ below 0: the scores have an end, and every further power of ten costs less than the one before. "
        "ξ above 0: each costs more, and soon a cosine above 1 is asked for."
    )


# ---- 11.4 -----------------------------------------------------------------------------------------------


def eight_bits(gallery):
    return np.round(gallery * (127 / np.abs(gallery).max())).astype(np.int8)


def _truncated(gallery):
    return (gallery * (127 / np.abs(gallery).max())).astype(np.int8)


def _wrapped(gallery):
    return np.round(gallery * (128 / np.abs(gallery).max())).astype(np.int64).astype(np.int8)


def _by_one(gallery):
    return np.round(gallery * 127).astype(np.int8)


def _by_highest(gallery):
    return np.round(np.clip(gallery * (127 / gallery.max()), -128, 127)).astype(np.int8)


@exercise(
    "11.4",
    "Eight bits",
    hints=(
        "np.abs(gallery).max() is the largest number, of either sign.",
        "Scaled so that it becomes 127: gallery * (127 / largest).",
        "np.round before .astype(np.int8), which cuts off.",
    ),
    solution=eight_bits,
    mistakes=(_truncated, _wrapped, _by_one, _by_highest),
)
def eight(answer):
    rng = np.random.default_rng(1)
    vectors = rng.standard_normal((500, 128))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    vectors[7, 3] = -0.55
    vectors = vectors.astype(np.float32)
    got = answer(vectors)
    kind = getattr(got, "dtype", None)
    expect(kind == np.int8, f"An array of int8 is asked for; this is {kind or type(got).__name__}.")
    got, wants = array(got, vectors.shape), eight_bits(vectors).astype(float)
    expect(
        got[7, 3] < 0,
        f"The largest number of this gallery, −0.55, has become {got[7, 3]:.0f}: over 127 an int8 starts "
        "again at −128, and so does it the other way.",
    )
    expect(got.min() != -128, "Scaled to −128 … 127 the two ends differ: 127 for the largest of either sign.")
    expect(
        np.abs(got).max() == 127,
        f"The largest number, −0.55, should become −127; here the largest is {np.abs(got).max():.0f}: "
        "most of the 256 steps are not used.",
    )
    expect(
        np.abs(got - wants).max() <= 0,
        "Some are one step off: astype cuts off, it does not round. Cutting off doubles the error.",
    )
    error = np.abs(got * (0.55 / 127) @ vectors[:50].T - vectors @ vectors[:50].T).max()
    return (
        f"A quarter of the bytes, and no cosine of these has moved by more than {error:.4f}: rounding errors "
        "point in all directions, and 128 of them cancel."
    )


# ---- 11.5 -----------------------------------------------------------------------------------------------


def b_cubed(found, truth):
    found, truth = np.asarray(found), np.asarray(truth)
    precision = np.mean([np.mean(truth[found == found[i]] == truth[i]) for i in range(len(found))])
    recall = np.mean([np.mean(found[truth == truth[i]] == found[i]) for i in range(len(found))])
    return precision, recall


def _pairs(found, truth):
    found, truth = np.asarray(found), np.asarray(truth)
    upper = np.triu_indices(len(found), 1)
    together = (found[:, None] == found)[upper]
    same = (truth[:, None] == truth)[upper]
    return (together & same).sum() / together.sum(), (together & same).sum() / same.sum()


def _over_groups(found, truth):
    found, truth = np.asarray(found), np.asarray(truth)
    precision = np.mean([np.bincount(truth[found == g]).max() / (found == g).sum() for g in np.unique(found)])
    recall = np.mean([np.bincount(found[truth == p]).max() / (truth == p).sum() for p in np.unique(truth)])
    return precision, recall


@exercise(
    "11.5",
    "Face by face",
    hints=(
        "For face i: found == found[i] are the faces that it was put with, itself among them.",
        "np.mean(truth[found == found[i]] == truth[i]): the share of those who are the same person.",
        "Recall is the same with the two exchanged. Then the mean over all faces, not over groups.",
    ),
    solution=b_cubed,
    mistakes=(lambda found, truth: b_cubed(found, truth)[::-1], _pairs, _over_groups),
)
def face_by_face(answer):
    found, truth = np.array([0, 0, 0, 0, 1, 1, 2, 3]), np.array([0, 0, 0, 1, 1, 1, 2, 2])
    got = answer(found, truth)
    got, wants = array(got, (2,)), b_cubed(found, truth)
    if not close(got, wants, atol=1e-9):
        for wrong, words in (
            (wants[::-1], "The two are exchanged: precision is about those it was put with."),
            (_pairs(found, truth), "That counts pairs. Here each *face* has one vote, whoever it is with."),
            (
                _over_groups(found, truth),
                "That is a mean over groups, in which a group of one weighs as much as a group of four.",
            ),
        ):
            if close(got, wrong, atol=1e-9):
                raise Wrong(words)
        raise Wrong(
            f"Groups {found.tolist()} for people {truth.tolist()}: precision {wants[0]:.4f} and recall "
            f"{wants[1]:.4f}, not {got[0]:.4f} and {got[1]:.4f}."
        )
    return (
        "A person with 530 photos makes 140,185 pairs and one with two makes one, so pairs speak of the "
        "former. B-cubed gives each photo one vote (Bagga & Baldwin, 1998)."
    )
