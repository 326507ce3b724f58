"""The celebrity study: means, leave-one-out, who opens whose phone, and folders of photos."""

import shutil

import numpy as np
import pytest
from PIL import Image

import facelab as fl
from facelab.course import lesson07, portraits
from facelab.course.lesson07 import Study, overlap
from facelab.errors import DatasetError
from facelab.metrics import bootstrap_identities, clopper_pearson, fmr, rule_of_three


def angles(*degrees: float) -> np.ndarray:
    """Unit vectors in the plane."""
    turn = np.radians(degrees)
    return np.column_stack([np.cos(turn), np.sin(turn)]).astype(np.float32)


def numbers(person) -> np.ndarray:
    return np.concatenate([np.arange(1, count + 1) for count in np.bincount(person)])


def made(names, vectors, person) -> Study:
    person = np.asarray(person)
    return Study(tuple(names), np.asarray(vectors, np.float32), person, numbers(person), "test")


@pytest.fixture
def small() -> Study:
    """Ann's photos at −30°, 0° and 30°, Bob's at 90° and 110°, a stranger's at 40°."""
    return made(["Ann", "Bob"], angles(-30, 0, 30, 90, 110, 40), [0, 0, 0, 1, 1, 2])


@pytest.fixture(scope="module")
def crowd() -> Study:
    """Twelve people with two photos each, all of them subjects, near enough to be taken for one another."""
    random = np.random.default_rng(0)
    centres = random.normal(size=(12, 6)).repeat(2, axis=0)
    vectors = lesson07.unit(centres + random.normal(size=centres.shape) * 0.8)
    return made([f"{who:02d}" for who in range(12)], vectors, np.repeat(np.arange(12), 2))


@pytest.fixture(scope="module")
def lfw_study() -> Study:
    return lesson07.of_templates(fl.datasets.lfw_templates())


def cosine(degrees: float) -> float:
    return float(np.cos(np.radians(degrees)))


# ---- means and distances --------------------------------------------------------------------------------


def test_the_mean_points_between_the_photos(small):
    assert small.means == pytest.approx(angles(0, 100), abs=1e-6)
    assert small.lengths == pytest.approx([(1 + 2 * cosine(30)) / 3, cosine(10)], abs=1e-6)
    assert small.counts.tolist() == [3, 2, 1]


def test_distances_by_hand(small):
    with_itself = small.distances(leave_one_out=False)
    wanted = [1 - cosine(angle) for angle in (30, 0, 30, 90, 110, 40)]
    assert with_itself[0] == pytest.approx(wanted, abs=1e-6)
    left_out = small.distances()
    # The mean of 0° and 30° lies at 15°, that of −30° and 30° at 0°; Bob's other photo is 20° away.
    assert left_out[0, :3] == pytest.approx([1 - cosine(45), 0, 1 - cosine(45)], abs=1e-6)
    assert left_out[1, 3:5] == pytest.approx([1 - cosine(20)] * 2, abs=1e-6)
    assert left_out[0, 3:] == pytest.approx(wanted[3:], abs=1e-6)
    assert small.genuine(0) == pytest.approx(left_out[0, :3])
    assert small.genuine(1, leave_one_out=False) == pytest.approx([1 - cosine(10)] * 2, abs=1e-6)
    assert small.impostor(1) == pytest.approx(left_out[1, [0, 1, 2, 5]])


def test_leaving_out_agrees_with_a_loop_over_lfw(lfw_study):
    for name in ("Serena_Williams", "George_W_Bush", "Tom_Cruise"):
        k = lfw_study.place(name)
        own = lfw_study.vectors[lfw_study.rows(k)].astype(np.float64)
        for row in range(0, len(own), 7):
            rest = np.delete(own, row, axis=0).mean(axis=0)
            distance = 1 - rest @ own[row] / np.linalg.norm(rest)
            assert lfw_study.genuine(k)[row] == pytest.approx(distance, abs=1e-5)
        assert (lfw_study.genuine(k) >= lfw_study.genuine(k, leave_one_out=False)).all()


def test_a_mean_divides_every_cosine_by_its_length(lfw_study):
    k = lfw_study.place("Kofi_Annan")
    single = lfw_study.vectors[lfw_study.rows(k)] @ lfw_study.vectors.T
    wanted = 1 - single.mean(axis=0) / lfw_study.lengths[k]
    assert lfw_study.distances(leave_one_out=False)[k] == pytest.approx(wanted, abs=1e-5)


def test_a_study_of_lfw_keeps_every_photo_with_its_person(lfw_study):
    templates = fl.datasets.lfw_templates()
    assert lfw_study.names == tuple(sorted(templates.names.values()))
    assert len(lfw_study.counts) == 5749
    assert lfw_study.config == "yunet+aligned+sface"
    for name in ("Jeb_Bush", "Venus_Williams"):
        own = lfw_study.rows(lfw_study.place(name))
        assert np.array_equal(lfw_study.vectors[own], templates.of(name))
        assert lfw_study.number[own].tolist() == list(range(1, own.stop - own.start + 1))
    assert np.array_equal(np.sort(lfw_study.counts), np.sort(templates.counts))


def test_what_is_no_study_is_refused(small):
    with pytest.raises(ValueError, match="two photos"):
        made(["Ann", "Bob"], angles(0, 1, 2), [0, 0, 1])
    for person in ([0, 1, 0], [0, 0, 2], [1, 1, 2]):
        with pytest.raises(ValueError, match="one number for each"):
            Study(("Ann",), angles(0, 1, 2), np.array(person), np.ones(3, int), "test")
    with pytest.raises(DatasetError, match=r"'Bobby' is not among the 2 subjects.*did you mean Bob"):
        small.place("Bobby")


# ---- overlap ----------------------------------------------------------------------------------------------


def test_overlap_by_hand():
    assert overlap(np.array([0.1, 0.2, 0.3]), np.array([0.4, 0.5])) == 0
    assert overlap(np.array([0.1, 0.2, 0.5, 0.6]), np.array([0.4, 0.7, 0.8, 0.9])) == pytest.approx(0.25)
    assert overlap(np.array([0.5, 0.6]), np.array([0.1, 0.2])) == 1


def test_overlap_is_the_best_that_a_threshold_can_do():
    random = np.random.default_rng(1)
    genuine, impostor = random.normal(0.3, 0.1, 80), random.normal(0.6, 0.15, 300)
    tried = np.concatenate([genuine, impostor])
    errors = [(genuine > t).mean() + (impostor <= t).mean() for t in tried]
    assert overlap(genuine, impostor) == pytest.approx(min(errors))


# ---- phones -----------------------------------------------------------------------------------------------


def test_who_opens_whose_phone(small):
    assert small.accepted(1 - cosine(61)).tolist() == [[3, 0, 1], [0, 2, 1]]
    assert small.opens(1 - cosine(59)) == pytest.approx(np.array([[1, 0, 1], [0, 1, 0]]))


def test_a_stranger_with_many_photos_counts_once():
    # The stranger at 5° has eight photos and always gets in, the other seven people never do.
    vectors = angles(0, 0, *[5] * 8, *range(90, 160, 10))
    one = made(["Ann"], vectors, [0, 0, *[1] * 8, *range(2, 9)])
    (phone,) = one.phone_rates(0.1)
    assert phone.value == pytest.approx(1 / 8)
    assert one.accepted(0.1)[0, 1:].sum() / (len(vectors) - 2) == pytest.approx(8 / 15)
    low, high = clopper_pearson(1, 8)
    assert phone.low <= low < high <= phone.high
    assert one.rate(0.1).value == pytest.approx(1 / 8)


def test_no_false_match_is_no_rate_of_zero(small):
    for phone in small.phone_rates(0.01):
        assert (phone.value, phone.low) == (0, 0)
        assert phone.high == pytest.approx(clopper_pearson(0, 2)[1])
    assert small.rate(0.01).high == rule_of_three(2)


def test_the_rate_and_its_interval_are_those_of_the_bootstrap_over_identities(crowd):
    threshold, distances = 0.4, crowd.distances()
    phone, photo = np.indices(distances.shape).reshape(2, -1)
    visitor = crowd.person[photo]
    wanted = bootstrap_identities(
        lambda scores, same: fmr(scores, same, -threshold),
        -distances.ravel(),
        phone == visitor,
        phone,
        visitor,
        resamples=200,
        seed=3,
    )
    got = crowd.rate(threshold, resamples=200, seed=3)
    assert 0.02 < got.value < 0.5, "or this would test nothing"
    assert (got.value, got.low, got.high) == pytest.approx((wanted.value, wanted.low, wanted.high))
    assert got.resamples == pytest.approx(wanted.resamples)


def test_the_rates_of_phones_agree_with_a_loop(crowd):
    threshold = 0.4
    phones = crowd.phone_rates(threshold, resamples=50, seed=5)
    random = np.random.default_rng(5)
    resamples = [random.integers(12, size=12) for _ in range(50)]
    for k in range(12):
        shares = [
            np.mean([crowd.distances()[k, row] <= threshold for row in np.flatnonzero(crowd.person == who)])
            for who in range(12)
        ]
        assert phones[k].value == pytest.approx(np.mean(np.delete(shares, k)))
        drawn = [np.mean([shares[who] for who in people if who != k]) for people in resamples]
        assert phones[k].resamples == pytest.approx(drawn)
        assert phones[k].low <= np.quantile(drawn, 0.025) + 1e-12
        assert phones[k].high >= np.quantile(drawn, 0.975) - 1e-12


def test_counting_photos_as_if_independent_is_far_too_sure(lfw_study):
    """Most photos that open Jeb Bush's phone are George W. Bush's: 530 tries of one man."""
    k = lfw_study.place("Jeb_Bush")
    tries = len(lfw_study.vectors) - lfw_study.counts[k]
    accepted = int((lfw_study.impostor(k) <= 0.618).sum())
    brother = lfw_study.accepted(0.618)[k, lfw_study.place("George_W_Bush")]
    assert brother / accepted > 0.9
    low, high = clopper_pearson(accepted, tries)
    phone = lfw_study.phone_rates(0.618)[k]
    assert phone.value < accepted / tries / 10
    assert phone.high < low, "the exact interval over photos is narrow, and about something else"
    assert high - low < 0.01


def test_rates_of_groups_agree_with_a_loop(crowd):
    shares = crowd.opens(0.4)
    women, men = crowd.names[:4], crowd.names[4:9]
    within = [shares[k, j] for k in range(4) for j in range(4) if k != j]
    across = [[shares[k, j], shares[j, k]] for k in range(4) for j in range(4, 9)]
    assert np.mean(within) != pytest.approx(np.mean(across)), "or this would not tell them apart"
    one, two = crowd.group_rate(0.4, women), crowd.group_rate(0.4, women, men)
    assert one.value == pytest.approx(np.mean(within))
    assert two.value == pytest.approx(np.mean(across))
    assert one.low <= one.value <= one.high
    assert two.high - two.low > 0
    assert crowd.group_rate(0.4, crowd.names).value == pytest.approx(crowd.rate(0.4).value)


def test_the_tennis_players_are_subjects(lfw_study):
    tours = lesson07.TENNIS["women's tour"] + lesson07.TENNIS["men's tour"]
    assert set(tours) <= set(lfw_study.names)
    assert len(set(tours)) == 21


@pytest.mark.parametrize("wanted", [1e-4, 1e-3, 0.2])
def test_a_threshold_for_a_wanted_rate_is_the_largest(lfw_study, wanted):
    def strangers(threshold):
        shares = lfw_study.opens(threshold)[0, 1:]
        return shares.mean()

    for k, rate in ((None, lambda t: lfw_study.rate(t, resamples=2).value), (0, strangers)):
        threshold = lfw_study.threshold_at(wanted, k)
        assert rate(threshold) <= wanted
        phones = slice(None) if k is None else [k]
        near = lfw_study.distances(leave_one_out=False)[phones]
        others = lfw_study.person != (np.arange(158)[:, None] if k is None else 0)
        next_one = (
            near[near > threshold].min() if k is None else near[:, others][near[:, others] > threshold].min()
        )
        assert rate(float(next_one)) > wanted


def test_a_threshold_by_hand(small):
    # At Ann's phone Bob's photos lie at 90° and 110°, the stranger's at 40°: a half is reached at 40°.
    assert small.threshold_at(0.5, 0) == pytest.approx(1 - (cosine(40) + cosine(90)) / 2)
    assert small.threshold_at(0.49, 0) == pytest.approx((1 - cosine(40)) / 2)
    with pytest.raises(ValueError, match="rate=0"):
        small.threshold_at(0)


def test_a_lone_subject_needs_strangers():
    alone = made(["Ann"], angles(0, 10), [0, 0])
    for ask in (alone.rate, alone.phone_rates, alone.threshold_at):
        with pytest.raises(DatasetError, match="Nobody but Ann"):
            ask(0.5)


def test_joined_adds_strangers_and_no_subject_twice(small):
    other = made(["Bob", "Cid"], angles(90, 91, 200, 210, 300), [0, 0, 1, 1, 2])
    both = small.joined(other)
    assert both.names == ("Ann", "Bob")
    assert both.counts.tolist() == [3, 2, 1, 2, 1]
    assert np.array_equal(both.vectors[6:], other.vectors[2:])
    assert "Bob" in both.notes[-1]
    assert both.means == pytest.approx(small.means)
    strange = Study((), angles(0), np.array([0]), np.array([1]), "another")
    with pytest.raises(ValueError, match="test and of another"):
        small.joined(strange)


# ---- folders ----------------------------------------------------------------------------------------------


def save(photo: np.ndarray, path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(photo).save(path)


def two_women(root) -> None:
    """Four photos of each of the two women whose portraits may be shown."""
    for name, photo in (("Collins", portraits.collins()), ("그레이스 Hopper", portraits.hopper())):
        face = fl.detect(photo)[0]
        changed = (photo, portraits.darker(photo), portraits.blurred(photo, 2), portraits.head(photo, face))
        for number, one in enumerate(changed, start=1):
            save(one, root / name / f"{number}.png")


@pytest.fixture
def women(tmp_path):
    two_women(tmp_path)
    return tmp_path


def test_a_folder_of_portraits(women):
    found = lesson07.of_photos(fl.datasets.folder(women))
    assert found.names == ("Collins", "그레이스 Hopper")
    assert found.counts.tolist() == [4, 4]
    assert found.config == "yunet+aligned+sface"
    assert found.notes == ()
    assert found.distances().max() > 0.6
    for k in (0, 1):
        assert overlap(found.genuine(k), found.impostor(k)) == 0
    assert found.rate(0.5).value == 0
    assert "8 photos of 2 people, 2 of them subjects" in str(found)


def test_what_a_folder_holds_besides_is_reported(women):
    collins, hopper = portraits.collins(), portraits.hopper()
    small = np.asarray(Image.fromarray(hopper[:512]).resize((150, 150)))
    both = np.full((512, 900, 3), 255, np.uint8)
    both[:, :512], both[100:250, 560:710] = collins, small
    save(both, women / "Collins" / "both.png")
    save(np.full((200, 200, 3), 128, np.uint8), women / "Collins" / "wall.png")
    (women / "Collins" / "broken.jpg").write_bytes(b"no photo")
    (women / "Collins" / "notes.txt").write_text("x")
    shutil.copy(women / "Collins" / "1.png", women / "Collins" / "again.png")
    shutil.copy(women / "Collins" / "2.png", women / "그레이스 Hopper" / "wrong.png")
    save(portraits.tilted(hopper, 10), women / "Once" / "1.png")
    found = lesson07.of_photos(fl.datasets.folder(women))
    assert found.names == ("Collins", "그레이스 Hopper")
    assert found.counts.tolist() == [4, 4, 1], "1, 3, 4 and both; 1 to 4; and a stranger's one photo"
    notes = "\n".join(found.notes)
    for words in (
        "notes.txt: skipped",
        "both.png: 2 faces",
        "wall.png: yunet found no face",
        "broken.jpg",
        "again.png: the same photo, taken once",
        "one photo under the names Collins and 그레이스 Hopper",
        "Once: 1 usable photo, 3 are needed",
    ):
        assert words in notes
    largest = fl.embed(fl.align(collins, fl.detect(collins)[0]))
    row = [path.name for path in fl.datasets.folder(women).of("Collins")].index("both.png")
    kept = found.number[found.rows(0)].tolist().index(row + 1)
    assert found.vectors[kept] @ largest > 0.9


def test_a_folder_without_a_subject_is_an_error_that_says_why(tmp_path):
    save(portraits.collins(), tmp_path / "Collins" / "1.png")
    with pytest.raises(DatasetError, match=r"nobody has the 3 usable photos(.|\n)*Collins: 1 usable photo,"):
        lesson07.of_photos(fl.datasets.folder(tmp_path))
    with pytest.raises(ValueError, match="least=1"):
        lesson07.of_photos(fl.datasets.folder(tmp_path), least=1)


def test_a_folder_of_lfw_photos_agrees_with_the_templates(lfw, lfw_study, tmp_path):
    names = ("Serena_Williams", "Venus_Williams", "Jennifer_Capriati")
    for name in names:
        (tmp_path / name).mkdir()
        for path in lfw.of(name)[:4]:
            shutil.copy(path, tmp_path / name)
    pipe = fl.Pipeline(faces="central")
    found = lesson07.of_photos(fl.datasets.folder(tmp_path), pipe)
    assert found.names == tuple(sorted(names))
    for k, name in enumerate(found.names):
        same = lfw_study.vectors[lfw_study.rows(lfw_study.place(name))][:4]
        assert found.vectors[found.rows(k)] == pytest.approx(same, abs=2e-3)  # stored as float16
    joined = found.joined(lfw_study)
    assert len(joined.counts) == 5749
    assert len(joined.notes) == 3, "three of LFW's subjects are subjects here already"
    assert 0 < joined.rate(0.618).value < 0.01


def test_the_worst_of_equal_phones_is_only_luck():
    """With no real difference between phones, what is worst on one half is average on the other."""
    shares = np.random.default_rng(1).random((158, 4000)) < 0.01
    chosen, judged = lesson07.worst_phone(shares, splits=60)
    assert chosen.min() > 0.0125
    assert judged.mean() == pytest.approx(0.01, abs=1.5e-3)


def test_a_phone_that_is_really_worst_stays_so():
    shares = np.random.default_rng(1).random((20, 4000)) < np.where(np.arange(20) == 3, 0.2, 0.01)[:, None]
    chosen, judged = lesson07.worst_phone(shares, splits=20)
    assert judged.mean() == pytest.approx(chosen.mean(), rel=0.05)
