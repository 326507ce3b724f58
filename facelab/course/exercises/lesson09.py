"""Exercises of lesson 09: HDF5's modes, a person's group, who is it, and what a threshold is worth."""

import numpy as np

from facelab.course.exercises.core import NotYet, Wrong, array, close, exercise, expect, number

# ---- 09.1 -------------------------------------------------------------------------------------------------

LEFT = {"r": 3, "r+": 3, "w": 0, "w-": 3, "x": 3, "a": 3}
WHY = {
    "r": "mode r only reads; nothing can be lost",
    "r+": "mode r+ reads and writes a file that is there; what is in it stays",
    "w": "mode w begins a new file, and what was there is gone the moment it is opened",
    "w-": "mode w- makes a new file or fails. It fails here, and leaves the old one alone",
    "x": "mode x is another name for w-",
    "a": "mode a takes the file that is there, and makes one only where there is none",
}


@exercise(
    "09.1",
    "What is left?",
    hints=(
        "Only one of the six modes can lose anything by being opened and closed.",
        "w- and x refuse to touch a file that is there: h5py raises FileExistsError.",
    ),
    solution=LEFT,
    mistakes=(
        LEFT | {"w": 3},
        LEFT | {"w": 0, "a": 0},
        LEFT | {"w-": 0, "x": 0},
        LEFT | {"r+": 0},
    ),
)
def what_is_left(answer):
    expect(isinstance(answer, dict), "A dictionary is asked for: {'r': 3, …}.")
    expect(set(answer) == set(LEFT), f"The keys should be the six modes {', '.join(LEFT)}.")
    if any(value is ... or value is None for value in answer.values()):
        raise NotYet
    for mode, people in LEFT.items():
        expect(number(answer[mode]) == people, f"'{mode}': {WHY[mode]}.")
    return (
        "'w' is the trap: no question, no warning, and it is gone at the opening, before you write anything. "
        "Write 'w-' for a new file and 'a' for one that is to grow."
    )


# ---- 09.2 -------------------------------------------------------------------------------------------------

FEATURES = np.arange(8, dtype=np.float32).reshape(2, 4) / 8


def enrol(hdf_file, name, department, feature_maps):
    person = str(max((int(group) for group in hdf_file), default=-1) + 1)
    group = hdf_file.create_group(person)
    group.create_dataset("Name", data=name)
    group.create_dataset("Department", data=department)
    features = group.create_group("Feature Map")
    for at, feature_map in enumerate(feature_maps, 1):
        features.create_dataset(f"feature_{at}", data=feature_map)
    return person


def _by_length(hdf_file, name, department, feature_maps):
    return _with_id(hdf_file, str(len(hdf_file)), name, department, feature_maps)


def _by_text(hdf_file, name, department, feature_maps):
    person = str(int(max(hdf_file, default="-1")) + 1)
    return _with_id(hdf_file, person, name, department, feature_maps)


def _by_name(hdf_file, name, department, feature_maps):
    return _with_id(hdf_file, name, name, department, feature_maps)


def _with_id(hdf_file, person, name, department, feature_maps, first=1):
    group = hdf_file.create_group(person)
    group.create_dataset("Name", data=name)
    group.create_dataset("Department", data=department)
    features = group.create_group("Feature Map")
    for at, feature_map in enumerate(feature_maps, first):
        features.create_dataset(f"feature_{at}", data=feature_map)
    return person


def _next(hdf_file):
    return str(max((int(group) for group in hdf_file), default=-1) + 1)


def _at_the_root(hdf_file, name, department, feature_maps):
    person = _next(hdf_file)
    hdf_file.create_group(person)
    hdf_file.create_dataset("Name", data=name)
    hdf_file.create_dataset("Department", data=department)
    return person


def _from_zero(hdf_file, name, department, feature_maps):
    return _with_id(hdf_file, _next(hdf_file), name, department, feature_maps, first=0)


def _only_one(hdf_file, name, department, feature_maps):
    return _with_id(hdf_file, _next(hdf_file), name, department, feature_maps[:1])


def _number_for_an_id(hdf_file, name, department, feature_maps):
    return int(enrol(hdf_file, name, department, feature_maps))


def in_memory():
    """An HDF5 file that never touches a disk."""
    import h5py

    return h5py.File("exercise.hdf", "w", driver="core", backing_store=False)


@exercise(
    "09.2",
    "Enrol by hand",
    hints=(
        "`hdf_file[person]` is the group once it exists: call `create_dataset` on it, not on hdf_file.",
        "Ids are names of groups, hence text. Find the largest as a *number*: "
        "`max((int(group) for group in hdf_file), default=-1)`.",
        "`enumerate(feature_maps, 1)` counts from 1: feature_1, feature_2 …",
    ),
    solution=enrol,
    mistakes=(_by_length, _by_text, _by_name, _at_the_root, _from_zero, _only_one, _number_for_an_id),
)
def enrol_by_hand(answer):
    with in_memory() as hdf_file:
        _enrol_checked(answer, hdf_file, "one name", "0")
        _enrol_checked(answer, hdf_file, "one name", "1")
    with in_memory() as hdf_file:
        for person in range(11):
            _with_id(hdf_file, str(person), "somebody", "a department", FEATURES)
        _enrol_checked(answer, hdf_file, "the twelfth", "11")
        del hdf_file["4"]
        _enrol_checked(answer, hdf_file, "who came after somebody left", "12")
    return (
        "A number that counts up outlives deletions, and no two people get the same one. (One gap is left: "
        "delete the *last* person, and the next one gets that id. Whoever noted it down then meets "
        "somebody else. A real gallery remembers the next id; `fl.Gallery` does.)"
    )


def _enrol_checked(answer, hdf_file, name: str, wanted: str) -> None:
    before = set(hdf_file)
    try:
        person = answer(hdf_file, name, "a department", FEATURES)
    except Exception as error:
        if "name already exists" in str(error) and "Name" not in hdf_file:
            raise Wrong(
                f"With {len(before)} people in the file, the new id was taken already. After a deletion "
                "len(hdf_file) counts an id that somebody has; and as text, '9' is larger than '10'."
            ) from None
        raise
    new = sorted(set(hdf_file) - before)
    if {"Name", "Department"} & set(new):
        raise Wrong("Name and Department stand beside the groups. They belong into the person's group.")
    expect(len(new) == 1, f"One new group is expected; these are new: {new}.")
    expect(new[0].isdecimal(), f"The group is called {new[0]!r}. Two people may have one name: use a number.")
    expect(new[0] == wanted, f"The new id is {new[0]}; {wanted} is next.")
    expect(person == wanted, f"Return the id as text, {wanted!r}; you returned {person!r}.")
    group = hdf_file[new[0]]
    expect(
        {"Name", "Department", "Feature Map"} <= set(group), f"In the group there is only {sorted(group)}."
    )
    expect(group["Name"].asstr()[()] == name, "Name does not hold the name.")
    expect(group["Department"].asstr()[()] == "a department", "Department does not hold the department.")
    features = group["Feature Map"]
    expect(
        set(features) == {"feature_1", "feature_2"},
        f"Two feature maps were given, so feature_1 and feature_2 are expected. There is {sorted(features)}.",
    )
    got = np.stack([features["feature_1"][()], features["feature_2"][()]])
    expect(close(got, FEATURES), "The numbers in feature_1 and feature_2 are not those that were given.")


# ---- 09.3 -------------------------------------------------------------------------------------------------

TOP_IDS = ["A", "B", "D", "D", "E", "A", "B", "C", "D", "E"]
TOP_SCORES = np.array([0.99, 0.61, 0.71, 0.39, 0.98, 0.22, 0.31, 0.99, 0.71, 0.01])
TRUE_IDS = ["A", "B", "C", "D", "E", None, None, None, None, None]
THRESHOLDS = np.round(np.arange(1, -0.05, -0.1), 1)
TPIR = np.array([0, 0.4, 0.4, 0.4, 0.6, 0.6, 0.6, 0.8, 0.8, 0.8, 0.8])
TNIR = np.array([1, 0.8, 0.8, 0.6, 0.6, 0.6, 0.6, 0.4, 0.2, 0.2, 0])


def rates(top_ids, top_scores, true_ids, threshold):
    enrolled = [(top, score, true) for top, score, true in _rows(top_ids, top_scores, true_ids) if true]
    strangers = [score for _, score, true in _rows(top_ids, top_scores, true_ids) if true is None]
    tpir = sum(top == true and score >= threshold for top, score, true in enrolled) / len(enrolled)
    tnir = sum(score < threshold for score in strangers) / len(strangers)
    return tpir, tnir


def _rows(*columns):
    return list(zip(*columns, strict=True))


def _any_name(top_ids, top_scores, true_ids, threshold):
    named = [s >= threshold for s, true in zip(top_scores, true_ids, strict=True) if true]
    return np.mean(named), rates(top_ids, top_scores, true_ids, threshold)[1]


def _of_everybody(top_ids, top_scores, true_ids, threshold):
    tpir, tnir = rates(top_ids, top_scores, true_ids, threshold)
    return tpir / 2, tnir / 2


def _fpir(top_ids, top_scores, true_ids, threshold):
    tpir, tnir = rates(top_ids, top_scores, true_ids, threshold)
    return tpir, 1 - tnir


def _strictly(top_ids, top_scores, true_ids, threshold):
    return rates(top_ids, top_scores, true_ids, np.nextafter(threshold, 2))


def _no_threshold(top_ids, top_scores, true_ids, threshold):
    return rates(top_ids, top_scores, true_ids, -1)[0], rates(top_ids, top_scores, true_ids, threshold)[1]


def _as_distance(top_ids, top_scores, true_ids, threshold):
    return rates(top_ids, -np.asarray(top_scores), true_ids, -threshold)


def _swapped(*arguments):
    return rates(*arguments)[::-1]


@exercise(
    "09.3",
    "TPIR and TNIR",
    hints=(
        "Split the rows first: `true is not None` are probes of enrolled people, the others strangers.",
        "An enrolled probe counts only if *both* hold: the right name, and score ≥ threshold.",
        "Each rate is divided by its own group: enrolled probes for TPIR, strangers for TNIR.",
    ),
    solution=rates,
    mistakes=(_any_name, _of_everybody, _fpir, _strictly, _no_threshold, _as_distance, _swapped),
)
def slides_table(answer):
    got = np.array([array(answer(TOP_IDS, TOP_SCORES, TRUE_IDS, float(t)), (2,)) for t in THRESHOLDS])
    diagnoses = (
        (
            _any_name,
            "Sample 3 is C and is called D. A wrong name is no identification, however high its score.",
        ),
        (_of_everybody, "You divided by all ten. Five are enrolled, and five are strangers."),
        (_fpir, "Your second number is the strangers who *got* a name: that is FPIR. TNIR = 1 − FPIR."),
        (_no_threshold, "TPIR, too, needs the threshold: below it even the right person gets no name."),
        (
            _as_distance,
            "The slides' 'distance' is a score: higher is more alike. Accept from the threshold up.",
        ),
        (_swapped, "The two rates are right, and in the wrong order: TPIR first."),
    )
    for mistake, words in diagnoses:
        if close(got, [mistake(TOP_IDS, TOP_SCORES, TRUE_IDS, float(t)) for t in THRESHOLDS]):
            raise Wrong(words)
    for t, (tpir, tnir), want_tpir, want_tnir in zip(THRESHOLDS, got, TPIR, TNIR, strict=True):
        expect(close(tpir, want_tpir), f"At {t:.1f} the slides' TPIR is {want_tpir:g}; yours is {tpir:g}.")
        expect(close(tnir, want_tnir), f"At {t:.1f} the slides' TNIR is {want_tnir:g}; yours is {tnir:g}.")
    at = answer(["A", "A"], [0.5, 0.5], ["A", None], 0.5)
    expect(close(at, (1, 0)), "A score that equals the threshold is accepted: ≥, for both kinds of probes.")
    return "The slides' table to the digit. TPIR can never reach 1 here: C is called D at every threshold."


# ---- 09.4 -------------------------------------------------------------------------------------------------


def fmr_needed(fpir, people):
    return 1 - (1 - fpir) ** (1 / people)


@exercise(
    "09.4",
    "How strict must a gallery be?",
    hints=(
        "One comparison leaves a stranger out with probability 1 − FMR. All `people` of them do so with…?",
        "FPIR = 1 − (1 − FMR)^people. Solve it for FMR: bring the power to the other side.",
        "(1 − FPIR)^(1/people) = 1 − FMR.",
    ),
    solution=fmr_needed,
    mistakes=(
        lambda fpir, people: fpir,
        lambda fpir, people: fpir * people,
        lambda fpir, people: 1 - (1 - fpir) ** people,
        lambda fpir, people: (1 - fpir) ** (1 / people),
        lambda fpir, people: fpir ** (1 / people),
        lambda fpir, people: fpir / people,
    ),
)
def fmr_for_a_gallery(answer):
    for fpir, people in ((0.01, 1), (0.5, 2), (0.9, 100), (0.01, 5000)):
        got, truth = number(answer(fpir, people)), fmr_needed(fpir, people)
        where = f"fpir={fpir:g}, people={people:,}"
        if people > 1:
            diagnoses = (
                (fpir, "the gallery's size does not count in your answer."),
                (fpir * people, "more people need a *smaller* FMR each, and yours grows."),
                (1 - (1 - fpir) ** people, "that is FPIR from FMR. The question is the other way round."),
                ((1 - fpir) ** (1 / people), "that is the chance to be left out, 1 − FMR."),
                (fpir ** (1 / people), "that is the FMR at which *all* comparisons would have to match."),
                (
                    fpir / people,
                    "fpir / people is a good approximation while fpir is small; here it is not. A stranger "
                    "who matches twice is one false alarm, not two.",
                ),
            )
            for mistake, words in diagnoses:
                if close(got, mistake, atol=1e-12, rtol=1e-6):
                    raise Wrong(f"{where}: {words}")
        expect(
            close(got, truth, atol=1e-12, rtol=1e-6),
            f"{where}: the FMR should be {truth:.4g}, not {got:.4g}.",
        )
    return (
        "5,000 people and 1 stranger in 100: an FMR of 1 in 500,000. A threshold that is fine for two photos "
        "must become five hundred times stricter."
    )


# ---- 09.5 -------------------------------------------------------------------------------------------------


def day_at_the_door(enrolled, visitors, employee_visits, fmr, fnmr):
    return visitors * (1 - (1 - fmr) ** enrolled), employee_visits * fnmr


@exercise(
    "09.5",
    "A day at the door",
    hints=(
        "A visitor is compared with everybody enrolled, and needs to be taken for only one of them.",
        "FPIR = 1 − (1 − FMR)^enrolled, and each visitor is one try: visitors · FPIR alarms.",
        "An employee who comes is compared with the own template: employee_visits · FNMR are turned away.",
    ),
    solution=day_at_the_door,
    mistakes=(
        lambda n, v, e, fmr, fnmr: (v * fmr, e * fnmr),
        lambda n, v, e, fmr, fnmr: (v * n * fmr, e * fnmr),
        lambda n, v, e, fmr, fnmr: (1 - (1 - fmr) ** n, fnmr),
        lambda n, v, e, fmr, fnmr: (v * (1 - (1 - fmr) ** n), n * fnmr),
        lambda n, v, e, fmr, fnmr: (v * (1 - (1 - fmr) ** n), e * (1 - (1 - fnmr) ** n)),
    ),
)
def a_day(answer):
    for given in ((200, 1000, 400, 1e-4, 0.01), (1_000_000, 1000, 400, 1e-4, 0.01), (50, 20, 80, 0.01, 0.2)):
        n, v, e, fmr, fnmr = given
        where = f"{n:,} enrolled, {v:,} visitors, {e} visits of employees, FMR {fmr:g}, FNMR {fnmr:g}"
        got = answer(*given)
        expect(isinstance(got, tuple | list) and len(got) == 2, "Two numbers: false alarms, turned away.")
        got, truth = [number(one) for one in got], day_at_the_door(*given)
        for wrong, words in (
            (v * fmr, "each visitor is compared with *everybody* enrolled, not with one of them."),
            (v * n * fmr, "a visitor who is taken for two people is one false alarm, not two."),
            (1 - (1 - fmr) ** n, "that is a share of the visitors. How many are that a day?"),
        ):
            if not close(got[0], truth[0], rtol=1e-6) and close(got[0], wrong, rtol=1e-6):
                raise Wrong(f"{where}: {words}")
        expect(close(got[0], truth[0], rtol=1e-6), f"{where}: {truth[0]:.4g} alarms, not {got[0]:.4g}.")
        if not close(got[1], truth[1], rtol=1e-6):
            if close(got[1], n * fnmr, rtol=1e-6):
                raise Wrong(f"{where}: who is enrolled but stays at home is not turned away. Count visits.")
            raise Wrong(f"{where}: {truth[1]:.4g} are turned away, not {got[1]:.4g}.")
    return (
        "Twenty strangers a day through a door whose sheet says 1 in 10,000, and four employees before a "
        "closed one. With a million enrolled every visitor gets in."
    )
