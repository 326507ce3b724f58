"""Who is in a gallery, who is recognised, and what the answer is worth."""

import json
import tempfile
import warnings
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

import facelab as fl
from facelab import calibration
from facelab.errors import FacelabError, GalleryError, ImageError, NoFaceError
from facelab.gallery import Gallery
from facelab.gallery.columns import Table
from facelab.gallery.open_set import fpir_at, threshold_for
from facelab.gallery.sources import unit

CONFIG = "yunet+aligned+sface"


def vectors(count: int, seed: int = 0, dimension: int = 128) -> np.ndarray:
    drawn = np.random.default_rng(seed).normal(size=(count, dimension))
    return (drawn / np.linalg.norm(drawn, axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture
def gallery(tmp_path):
    with Gallery(tmp_path / "gallery.hdf", device="cpu") as gallery:
        yield gallery


@pytest.fixture(scope="module")
def pipe():
    return fl.Pipeline(device="cpu")


# ---------------------------------------------------------------------- people


def test_the_example_of_the_design(tmp_path, astronaut, hopper, pipe):
    assert fl.Gallery is Gallery
    with fl.Gallery(tmp_path / "gallery.hdf", pipeline=pipe) as g:
        collins = g.enroll("Eileen Collins", astronaut, department="NASA")
        grace = g.enroll("Grace Hopper", [hopper, hopper[:, ::-1]])
        mirrored = g.identify(astronaut[:, ::-1])
        assert (mirrored.name, mirrored.id) == ("Eileen Collins", collins)
        assert mirrored.distance == pytest.approx(
            pipe.verify(astronaut, astronaut[:, ::-1]).distance, abs=1e-6
        )
        assert mirrored.distance <= mirrored.threshold
        assert [one.id for one in mirrored.candidates] == [collins, grace]
        assert len(mirrored.faces) == 1
        assert mirrored.crop.shape == (112, 112, 3)
        assert mirrored.fpir.low <= mirrored.fpir.value <= mirrored.fpir.high <= 0.01
        assert "Eileen Collins" in str(mirrored)
        assert [(p.id, p.name, p.templates, p.metadata) for p in g.list()] == [
            (collins, "Eileen Collins", 1, {"department": "NASA"}),
            (grace, "Grace Hopper", 2, {}),
        ]
        g.delete(collins)
        stranger = g.identify(astronaut)
        assert (stranger.name, stranger.id) == (None, None)
        assert stranger.distance > stranger.threshold
        assert stranger.candidates[0].name == "Grace Hopper"
        assert "stranger" in str(stranger)
        g.clear()
        assert len(g) == 0
        nobody = g.identify(astronaut)
        assert (nobody.name, nobody.distance, nobody.candidates) == (None, float("inf"), ())


class Model(RuleBasedStateMachine):
    """Random sequences of everything that changes a gallery, against a dictionary."""

    names = st.text(min_size=1, max_size=12)
    seeds = st.integers(0, 2**32)

    @initialize()
    def begin(self):
        self.folder = tempfile.TemporaryDirectory()
        self.gallery = Gallery(Path(self.folder.name) / "g.hdf", embedder="test", dimension=8, threshold=0.5)
        self.people, self.next_id = {}, 0

    def teardown(self):
        self.gallery.close()
        self.folder.cleanup()

    def pick(self, data):
        return data.draw(st.sampled_from(sorted(self.people)))

    @rule(name=names, seed=seeds, count=st.integers(1, 3), metadata=st.dictionaries(names, names, max_size=2))
    def enroll(self, name, seed, count, metadata):
        metadata = {f"key {key}": value for key, value in metadata.items()}
        rows = vectors(count, seed, 8)
        assert self.gallery.enroll(name, rows, **metadata) == self.next_id
        self.people[self.next_id] = [name, metadata, rows]
        self.next_id += 1

    @rule(some=st.lists(names, max_size=60), seed=seeds)
    def enroll_many(self, some, seed):
        rows = vectors(len(some), seed, 8)
        done = self.gallery.enroll_many(some, rows)
        assert done.templates == len(some)
        for name in dict.fromkeys(some):
            its = [i for i, other in enumerate(some) if other == name]
            assert done.ids[self.next_id - done.ids[0]] == self.next_id
            self.people[self.next_id] = [name, {}, rows[its]]
            self.next_id += 1

    @precondition(lambda self: self.people)
    @rule(data=st.data(), seed=seeds)
    def add(self, data, seed):
        person, rows = self.pick(data), vectors(1, seed, 8)
        self.gallery.add(person, rows)
        self.people[person][2] = np.concatenate([self.people[person][2], rows])

    @precondition(lambda self: self.people)
    @rule(data=st.data(), name=names)
    def rename(self, data, name):
        person = self.pick(data)
        self.gallery.rename(person, name)
        self.people[person][0] = name

    @precondition(lambda self: self.people)
    @rule(data=st.data())
    def delete(self, data):
        person = self.pick(data)
        self.gallery.delete(person)
        del self.people[person]
        with pytest.raises(GalleryError, match=f"nobody has the id {person}"):
            self.gallery.vectors(person)

    @rule()
    def clear(self):
        self.gallery.clear()
        self.people = {}

    @rule()
    def reopen(self):
        self.gallery.close()
        self.gallery = Gallery(self.gallery.path, "r+", threshold=0.5)

    @precondition(lambda self: self.people)
    @rule(data=st.data(), score=st.sampled_from(["max", "mean"]))
    def identify(self, data, score):
        person = self.pick(data)
        probe = self.people[person][2][0].astype(float)
        distances = {
            i: 1 - getattr(np, score)(rows.astype(float) @ probe) for i, (_, _, rows) in self.people.items()
        }
        match = self.gallery.identify(probe, k=3, score=score)
        found = {one.id: one.distance for one in match.candidates}
        assert found == pytest.approx({i: distances[i] for i in found}, abs=1e-6)
        assert len(found) == min(3, len(self.people))
        best = min(distances.values())
        assert match.distance == pytest.approx(best, abs=1e-6)
        assert (match.id is None) == (match.distance > 0.5)

    @invariant()
    def same(self):
        if not hasattr(self, "gallery"):
            return
        assert len(self.gallery) == len(self.people)
        assert self.gallery.templates == sum(len(rows) for *_, rows in self.people.values())
        for one, (person, entry) in zip(self.gallery.list(), self.people.items(), strict=True):
            assert (one.id, one.name, one.metadata) == (person, *entry[:2])
            assert np.array_equal(self.gallery.vectors(person), entry[2])


TestModel = Model.TestCase
TestModel.settings = settings(
    max_examples=25, stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck)
)


def test_ten_thousand_names_that_ask_for_trouble(gallery):
    rng = np.random.default_rng(0)
    traps = ["../../etc/passwd", "/", ".", "a/b", "NUL\0inside", "line\nbreak", "\r", "\ud800 half a pair"]
    traps += [
        "𝔘",
        "e\u0301",
        "é",
        "지수",
        "宇多田ヒカル",
        "محمد",
        " ",
        "\u202eright to left",
        '"quoted"',
        "\\n",
        "{}",
    ]
    traps += ["%s", "\x7f\x1b[2J", "\u2028", "\ud83d\ude00"]
    alphabet = [chr(c) for c in [*range(0x250), *range(0xAC00, 0xAC40), *range(0xD800, 0xD810), 0x1F600]]
    names = traps + ["".join(rng.choice(alphabet, rng.integers(1, 30))) for _ in range(10_000 - len(traps))]
    for name, vector in zip(traps, vectors(len(traps)), strict=True):
        gallery.enroll(name, vector, note=name)
    gallery.enroll_many(names[len(traps) :], vectors(10_000 - len(traps)))
    with Gallery(gallery.path, "r") as again:
        people = again.list()
        assert [one.name for one in people] == traps + list(dict.fromkeys(names[len(traps) :]))
        assert [one.metadata["note"] for one in people[: len(traps)]] == traps
    assert sorted(file.name for file in gallery.path.parent.iterdir()) == ["gallery.hdf", "gallery.hdf.lock"]


def test_names_may_occur_twice_and_ids_never(gallery):
    a, b = gallery.enroll("Kim", vectors(1, 1)), gallery.enroll("Kim", vectors(1, 2))
    assert gallery.identify(vectors(1, 2)[0]).id == b != a
    gallery.delete(b)
    gallery.clear()
    assert gallery.enroll("Kim", vectors(1, 3)) == b + 1
    gallery.close()
    with Gallery(gallery.path, device="cpu") as again:
        assert again.enroll("Kim", vectors(1, 4)) == b + 2


@pytest.mark.parametrize(
    ("name", "metadata", "says"),
    [
        ("", {}, "at least one character"),
        (None, {}, "at least one character"),
        ("x", {"photo": np.zeros(3)}, "cannot be kept as JSON"),
        ("x", {"score": float("nan")}, "cannot be kept as JSON"),
        ("x", {"pair": (1, 2)}, "read back as something else"),
        ("x", {"table": {1: 2}}, "read back as something else"),
    ],
)
def test_what_cannot_be_kept_is_refused(gallery, name, metadata, says):
    with pytest.raises(GalleryError, match=says):
        gallery.enroll(name, vectors(1), **metadata)
    assert len(gallery) == 0


@pytest.mark.parametrize("id", [1, -1, 2**70, -(2**70), "0", None, 0.0])
def test_ids_that_nobody_has(gallery, id):
    gallery.enroll("x", vectors(1))
    changes = [gallery.delete, gallery.vectors]
    changes += [lambda who: gallery.rename(who, "y"), lambda who: gallery.add(who, vectors(1))]
    for change in changes:
        with pytest.raises(GalleryError, match="nobody has the id"):
            change(id)
    with pytest.raises(GalleryError, match="nobody has the id"):
        gallery.delete(0, id)
    assert [one.name for one in gallery.list()] == ["x"], "and then nobody is deleted"


def test_metadata_comes_back_as_it_was(gallery):
    metadata = {
        "department": "black pink",
        "age": 29,
        "tags": ["a", {"b": None}],
        "name": "Jisoo",
        "ok": True,
    }
    gallery.enroll("x", vectors(1), **metadata)
    assert gallery.list()[0].metadata == metadata


@pytest.mark.parametrize(
    ("source", "says"),
    [
        (np.zeros(128), "no direction"),
        (np.full(128, np.nan), "no direction"),
        (np.r_[np.inf, np.zeros(127)], "no direction"),
        (np.ones(64), "128 numbers"),
        (np.ones((3, 64)), "128 numbers"),
        (["1", "2"], None),
        ([np.ones(128), np.ones(3)], "different lengths"),
        (np.zeros((0, 128)), "empty list"),
        ([], "empty list"),
        (np.ones((112, 112, 3)), None),
        (None, None),
        ("no such photo.jpg", "no such photo.jpg"),
    ],
)
def test_what_is_no_face_enrols_nobody(gallery, source, says):
    with pytest.raises((GalleryError, ImageError, NoFaceError), match=says):
        gallery.enroll("x", source)
    assert len(gallery) == 0


def test_one_bad_photo_of_several_enrols_nobody(gallery, astronaut):
    with pytest.raises(NoFaceError, match="found no face"):
        gallery.enroll("x", [astronaut, np.zeros((90, 90, 3), np.uint8)])
    assert len(gallery) == 0


@pytest.mark.parametrize("scale", [1e-30, 1.0, 7, 1e300])
def test_vectors_of_any_length_become_unit_vectors(scale):
    (one,) = unit(np.arange(1.0, 9)[None] * scale, 8)
    assert one.dtype == np.float32
    assert one == pytest.approx(np.arange(1, 9) / np.sqrt(204), abs=1e-7)
    assert np.array_equal(unit(one[None], 8)[0], one), "a unit vector stays what it is, to the bit"


def test_all_the_ways_to_hand_over_a_face(gallery, astronaut, pipe, tmp_path):
    from PIL import Image

    file = tmp_path / "collins.png"
    Image.fromarray(astronaut).save(file)
    crop = fl.align(astronaut, fl.detect(astronaut, device="cpu")[0])
    vector = pipe.embed(crop)
    pid = gallery.enroll("Eileen Collins", astronaut)
    photos = [file, str(file), file.read_bytes(), Image.open(file), astronaut, torch.from_numpy(astronaut)]
    single = [*photos, crop, vector, vector.tolist(), torch.from_numpy(vector), 3 * vector.astype(np.float16)]
    for source in single:
        match = gallery.identify(source)
        assert match.id == pid
        assert match.distance < 1e-3
    for several in ([crop, file, vector], np.stack([crop, crop]), np.stack([vector] * 2), torch.ones(2, 128)):
        matches = gallery.identify(several)
        assert isinstance(matches, list)
        assert len(matches) == len(several)
    assert [match.id for match in gallery.identify([crop, file, vector])] == [pid] * 3
    assert gallery.identify([]) == []


def test_several_faces_take_the_largest_and_say_so(gallery, astronaut, hopper):
    small = hopper[::3, ::3]
    both = np.zeros((512, 512 + small.shape[1], 3), np.uint8)
    both[:, :512], both[: small.shape[0], 512:] = astronaut, small
    with pytest.warns(UserWarning, match="2 faces; face 0 was used"):
        collins = gallery.enroll("Eileen Collins", both)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        grace = gallery.enroll("Grace Hopper", both, face=1)
    match = gallery.identify(both)
    assert match.id == collins
    assert "2 faces" in match.notes[0]
    other = gallery.identify(both, face=1)
    assert other.id == grace
    assert other.faces[0].box[0] > 512
    with pytest.raises(NoFaceError, match="face=2"):
        gallery.identify(both, face=2)


# ---------------------------------------------------------------------- what the answer is worth


def test_fpir_is_that_of_so_many_independent_comparisons():
    fmr = calibration.fmr_at(CONFIG, 0.6)
    for templates in (1, 10, 1000):
        fpir = fpir_at(CONFIG, 0.6, templates)
        assert fpir.value == pytest.approx(1 - (1 - fmr.value) ** templates)
        assert fpir.low < fpir.value < fpir.high
        assert (fpir.pairs, fpir.people, fpir.templates) == (fmr.pairs, fmr.people, templates)
    assert fpir_at(CONFIG, 0.6, 0).value == 0, "in an empty gallery nobody is mistaken for anybody"
    assert fpir_at("never+measured", 0.6, 10) is None
    assert "at most" in str(fpir)


def test_the_bound_holds_among_strangers_of_lfw():
    """Some of LFW's people enrolled, others as strangers: about as many get a name as the bound says, or
    fewer. (The bound was measured on these people, so this tests the step from pairs to galleries.)"""
    templates = fl.datasets.lfw_templates()
    first = templates.vectors[templates.number == 1]
    rng = np.random.default_rng(0)
    for size in (50, 200, 1000):
        rates = []
        for _ in range(5):
            order = rng.permutation(len(first))
            enrolled, strangers = first[order[:size]], first[order[-2000:]]
            threshold, note = threshold_for(CONFIG, size, 0.01)
            assert note is None
            nearest = 1 - (strangers @ enrolled.T).max(axis=1)
            rates.append((nearest <= threshold).mean())
        bound = fpir_at(CONFIG, threshold, size)
        assert bound.value <= 0.01
        assert bound.value / 5 < np.mean(rates) < bound.high * 1.3


def test_the_threshold_grows_stricter_with_the_gallery():
    verification = calibration.threshold_for(CONFIG)
    thresholds = [threshold_for(CONFIG, size, 0.01) for size in (0, 1, 9, 50, 1000)]
    assert all(note is None for _, note in thresholds)
    values = [threshold for threshold, _ in thresholds]
    assert values[:3] == [verification] * 3, "never wider than for verification"
    assert values[2] > values[3] > values[4]
    for size, threshold in zip((50, 1000), values[3:], strict=True):
        assert fpir_at(CONFIG, threshold, size).value <= 0.01 < fpir_at(CONFIG, threshold + 0.005, size).value


def test_what_lfw_cannot_support_is_said():
    threshold, note = threshold_for(CONFIG, 100_000, 0.01)
    assert threshold == calibration.threshold_for(CONFIG, calibration.LOWEST_FMR)
    assert "100,000 templates" in note
    reached = fpir_at(CONFIG, threshold, 100_000).value
    assert reached > 0.5
    assert f"{reached:.0%} of strangers" in note
    with pytest.raises(ValueError, match="fpir=0"):
        threshold_for(CONFIG, 10, 0)


def test_own_thresholds(gallery):
    gallery.enroll("x", vectors(1))
    probe = unit(vectors(1) + 0.07 * vectors(1, 5), 128)[0]
    distance = gallery.identify(probe).distance
    assert gallery.identify(probe, threshold=distance).name == "x", "at the threshold is near enough"
    match = gallery.identify(probe, threshold=np.nextafter(distance, 0))
    assert match.name is None
    assert match.fpir.value == fpir_at(CONFIG, match.threshold, 1).value
    gallery.threshold = 0.0
    assert gallery.identify(probe).threshold == 0
    with pytest.raises(ValueError, match="between 0 and 2"):
        gallery.identify(probe, threshold=3)
    with pytest.raises(ValueError, match="k=0"):
        gallery.identify(probe, k=0)
    with pytest.raises(ValueError, match="score='median'"):
        gallery.identify(probe, score="median")


def test_max_and_mean(gallery):
    """Two templates of one person at 0° and 60°, one of another at 20°; a probe at 0°."""
    a, b = np.eye(128)[:2]

    def at(degrees):
        return np.cos(np.radians(degrees)) * a + np.sin(np.radians(degrees)) * b

    two, one = gallery.enroll("two", [at(0), at(60)]), gallery.enroll("one", at(20))
    nearest = gallery.identify(at(0), score="max")
    assert [c.id for c in nearest.candidates] == [two, one]
    assert [c.distance for c in nearest.candidates] == pytest.approx(
        [0, 1 - np.cos(np.radians(20))], abs=1e-6
    )
    mean = gallery.identify(at(0), score="mean")
    assert [c.id for c in mean.candidates] == [one, two]
    assert mean.candidates[1].distance == pytest.approx(1 - (1 + 0.5) / 2, abs=1e-6)


# ---------------------------------------------------------------------- what it is bound to


def test_bound_to_its_pipeline(tmp_path, pipe):
    path = tmp_path / "g.hdf"
    Gallery(path, pipeline=pipe).close()
    with pytest.raises(GalleryError, match=r"aligned\+sface \(128 numbers\), and yunet\+aligned\+arcface"):
        Gallery(path, embedder="arcface")
    with pytest.raises(GalleryError, match="own"):
        Gallery(path, embedder="own", dimension=128)
    with Gallery(path) as again:
        assert again.pipeline.config == CONFIG
    other = tmp_path / "other.hdf"
    with Gallery(other, embedder="own", dimension=4) as g:
        g.enroll("x", np.ones(4))
        with pytest.raises(GalleryError, match="none of facelab's embedders"):
            g.enroll("y", np.zeros((200, 200, 3), np.uint8))
        with pytest.raises(FacelabError, match="Give threshold="):
            g.identify(np.ones(4))
        match = g.identify(np.ones(4), threshold=0.3)
        assert match.name == "x"
        assert match.fpir is None, "never measured"
        assert "not calibrated" in str(match)
    with pytest.raises(ValueError, match="dimension="):
        Gallery(tmp_path / "c", embedder="own")
    with pytest.raises(ValueError, match="sface gives 128"):
        Gallery(tmp_path / "c", embedder="sface", dimension=512)
    with pytest.raises(ValueError, match="100 printable"):
        Gallery(tmp_path / "c", embedder="x" * 2000, dimension=4)
    with pytest.raises(ValueError, match="not both"):
        Gallery(tmp_path / "c", pipeline=pipe, embedder="sface")
    assert not (tmp_path / "c").exists()


def test_modes(tmp_path):
    path = tmp_path / "g.hdf"
    for mode in ("r", "r+"):
        with pytest.raises(GalleryError, match="there is no such gallery"):
            Gallery(path, mode)
    assert not list(tmp_path.iterdir()), "looking makes nothing"
    with pytest.raises(ValueError, match="mode='w'"):
        Gallery(path, "w")
    Gallery(path).close()
    with Gallery(path, "r") as reader:
        for change in (
            lambda: reader.enroll("x", vectors(1)),
            lambda: reader.enroll_many(["x"], vectors(1)),
            lambda: reader.clear(),
            lambda: reader.import_slides(path),
        ):
            with pytest.raises(GalleryError, match="reading only"):
                change()
    with pytest.raises(GalleryError, match="is closed"):
        reader.list()
    reader.close()  # twice is no error
    assert "closed" in repr(reader)


def test_paths_that_lead_nowhere(tmp_path):
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    for path in (tmp_path / "loop", "~nobody-of-that-name/g.hdf", "a\0b"):
        with pytest.raises(GalleryError):
            Gallery(path)
    with pytest.raises(GalleryError, match="there is no folder"):
        Gallery(tmp_path / "no" / "such" / "folder.hdf")
    assert [file.name for file in tmp_path.iterdir()] == ["loop"]


def test_an_interrupted_change_is_not_built_upon(gallery, monkeypatch):
    """Ctrl-C after the file has changed and before the memory has: the id must not be given a second time."""
    real = Table.append
    monkeypatch.setattr(Table, "append", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        gallery.enroll("first", vectors(1, 1))
    monkeypatch.setattr(Table, "append", real)
    with pytest.raises(GalleryError, match="open it again"):
        gallery.enroll("second", vectors(1, 2))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        gallery.close()
    with Gallery(gallery.path) as again:
        assert [(one.id, one.name) for one in again.list()] == [(0, "first")]
        assert again.enroll("second", vectors(1, 2)) == 1


# ---------------------------------------------------------------------- many at once, and the slides' layout


def test_a_folder_of_people(gallery, tmp_path, astronaut, hopper):
    from PIL import Image

    people = {"지수": [astronaut, astronaut[:, ::-1]], "Hopper": [hopper], "Nobody": [hopper * 0]}
    for name, photos in people.items():
        (tmp_path / "people" / name).mkdir(parents=True)
        for i, photo in enumerate(photos):
            Image.fromarray(photo).save(tmp_path / "people" / name / f"{i}.png")
    done = gallery.enroll_folder(tmp_path / "people", progress=False)
    assert [(one.id, one.name, one.templates) for one in gallery.list()] == [
        (done.ids[0], "Hopper", 1),
        (done.ids[1], "지수", 2),
    ]
    assert done.templates == 3
    assert any("Nobody" in note or "0.png" in note for note in done.notes)


def test_lfw_templates(gallery):
    templates = fl.datasets.lfw_templates()
    done = gallery.enroll_templates(templates)
    assert (len(done.ids), done.templates) == (5749, 13_233)
    probe = templates.of("George_W_Bush")[7]
    assert gallery.identify(probe, k=1).name == "George_W_Bush"
    other = Gallery(gallery.path.with_name("arcface.hdf"), embedder="arcface")
    with other, pytest.raises(GalleryError, match="cannot be compared"):
        other.enroll_templates(templates)


def test_the_slides_layout(gallery, tmp_path):
    jisoo = gallery.enroll("JiSoo-Kim", vectors(2, 1), department="black pink", debut=2016)
    gallery.enroll("宇多田ヒカル", vectors(1, 2))
    file = tmp_path / "slides.hdf"
    gallery.export_slides(file)
    with h5py.File(file) as hdf_file:
        group = hdf_file[str(jisoo)]
        assert group["Name"].asstr()[()] == "JiSoo-Kim"
        assert group["Department"].asstr()[()] == "black pink"
        assert list(group["Feature Map"]) == ["feature_1", "feature_2"]
        assert np.array_equal(group["Feature Map"]["feature_2"][:], gallery.vectors(jisoo)[1])
        assert json.loads(group["Metadata"].asstr()[()]) == {"debut": 2016}
        assert "Department" not in hdf_file["1"]
    with pytest.raises(GalleryError, match="is there already"):
        gallery.export_slides(file)
    before = gallery.list()
    ids = gallery.import_slides(file)
    assert ids == {"0": 2, "1": 3}
    for old, new in zip(before, gallery.list()[2:], strict=True):
        assert (old.name, old.metadata, old.templates) == (new.name, new.metadata, new.templates)
        assert np.array_equal(gallery.vectors(old.id), gallery.vectors(new.id))
    gallery.rename(0, "NUL\0")
    with pytest.raises(GalleryError, match="id 0"):
        gallery.export_slides(tmp_path / "nul.hdf")
    assert not (tmp_path / "nul.hdf").exists()
    assert not list(tmp_path.glob(".*")), "and nothing half-written"


def test_a_file_written_by_hand_as_in_the_slides(gallery, tmp_path):
    """The calls of the slides, with a feature map as the network gives it: neither flat nor of unit norm."""
    path = tmp_path / "by_hand.hdf"
    hdf_file = h5py.File(path, "a")
    feature_map = 7 * vectors(1, 3).reshape(1, 1, 128)
    for group in ("10", "2", "0"):
        hdf_file.create_group(group)
        hdf_file[group].create_dataset("Name", data=f"JiSoo-Kim {group}")
        hdf_file[group].create_dataset("Department", data="black pink")
        hdf_file[group].create_group("Feature Map")
        hdf_file[group]["Feature Map"].create_dataset("feature_1", data=feature_map)
    hdf_file.close()
    assert gallery.import_slides(path) == {"0": 0, "2": 1, "10": 2}, "in the order of the numbers"
    assert gallery.list()[2].metadata == {"department": "black pink"}
    assert gallery.identify(feature_map.reshape(-1)).id == 0, "of equals the smaller id"


def spoil(change):
    def make(path):
        with h5py.File(path, "w") as file:
            file.create_dataset("0/Name", data="x")
            file.create_dataset("0/Feature Map/feature_1", data=np.ones(128))
            change(file)

    return make


def replaced(name, **options):
    def change(file):
        del file[name]
        file.create_dataset(name, **options)

    return change


@pytest.mark.parametrize(
    "make",
    [
        lambda path: path.write_bytes(b"no HDF5"),
        lambda path: None,
        spoil(lambda file: file.__delitem__("0/Name")),
        spoil(lambda file: file.__delitem__("0/Feature Map/feature_1")),
        spoil(replaced("0/Feature Map/feature_1", shape=(2**50,), dtype="f8", chunks=(2**10,))),
        spoil(  # a chunk of 2 GiB, which some KB of zipped bytes could fill
            replaced(
                "0/Feature Map/feature_1",
                shape=(128,),
                dtype="f8",
                maxshape=(None,),
                chunks=(2**28,),
                fillvalue=1,
            )
        ),
        spoil(replaced("0/Feature Map/feature_1", data=np.full(128, np.nan))),
        spoil(
            replaced("0/Feature Map/feature_1", shape=(128,), dtype="u1", external=[("/etc/passwd", 0, 128)])
        ),
        spoil(replaced("0/Name", data=3)),
        spoil(replaced("0/Name", data=np.bytes_(b"\xff\xff"))),
        spoil(lambda file: file.create_dataset("0/Metadata", data="[1]")),
        spoil(lambda file: file.__setitem__("1", h5py.SoftLink("/0"))),
        spoil(lambda file: file.__setitem__("1", h5py.ExternalLink("/etc/passwd", "/"))),
        spoil(lambda file: file.create_dataset("readme", data="hello")),
    ],
)
def test_files_that_are_not_in_the_slides_layout_enrol_nobody(gallery, tmp_path, make):
    make(tmp_path / "bad.hdf")
    with pytest.raises(GalleryError, match=r"bad\.hdf|no direction"):
        gallery.import_slides(tmp_path / "bad.hdf")
    assert len(gallery) == 0
