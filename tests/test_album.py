"""An album: made whole or not at all, changed by code and by hand alike, and enrolled exactly."""

import errno
import os
import shutil
import stat
from pathlib import Path
from types import SimpleNamespace

import h5py
import numpy as np
import pytest

import facelab as fl
from facelab.album import LEFT_OUT, OTHERS, Album, folder, making
from facelab.album.naming import checked, is_named, row_of, tail, thumbnail
from facelab.cluster import closest_groups
from facelab.detect import Face
from facelab.errors import AlbumError, DeviceError, GalleryError, NoFaceError
from facelab.results import Result

CONFIG = "yunet+aligned+sface"
SIZES = (5, 4, 3, 1, 1)
"""Faces of each of the people in the photos, who are drawn by `Fake`."""


class Fake:
    """A pipeline whose photos are text files: `0 1` shows the people 0 and 1, an empty one nobody."""

    config = CONFIG
    embedder = SimpleNamespace(name="sface", dim=128)

    def __init__(self, spread=0.25):
        rng = np.random.default_rng(0)
        self.centres = np.linalg.qr(rng.normal(size=(128, 128)))[0]
        self.spread, self.rng = spread, rng

    def __call__(self, photos, progress=None):
        for path in fl.images.walk_images(photos):
            who = [int(word) for word in path.read_text().split()]
            if not who:
                error = NoFaceError(f"{path.name}: no face.")
                yield Result(path, [], np.zeros((0, 112, 112, 3), np.uint8), np.zeros((0, 128), "f4"), error)
                continue
            vectors = self.centres[who] + self.spread * self.rng.normal(size=(len(who), 128)) / 11.3
            vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
            face = Face(np.array([0, 0, 9, 9], "f4"), np.zeros((5, 2), "f4"), 0.9)
            crops = np.stack([np.full((112, 112, 3), 20 * one % 200 + 10, np.uint8) for one in who])
            yield Result(path, [face] * len(who), crops, vectors.astype("f4"))


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    root = tmp_path_factory.mktemp("photos")
    for who, count in enumerate(SIZES):
        for number in range(count):
            (root / f"photo {who}-{number}.jpg").write_text(str(who))
    (root / "trip").mkdir()
    (root / "trip" / "both: 0 & 1?.jpg" if os.name == "posix" else root / "trip" / "both.jpg").write_text(
        "0 1"
    )
    (root / "empty.jpg").write_text("")
    return root


@pytest.fixture(scope="module")
def made(photos, tmp_path_factory):
    return Album.make(photos, tmp_path_factory.mktemp("made") / "album", Fake(), progress=False).folder


@pytest.fixture
def album(made, tmp_path):
    shutil.copytree(made, tmp_path / "album")
    return Album(tmp_path / "album")


def names(album):
    return {group.name: len(group) for group in album.groups}


def tree(root):
    """Everything in the folder, and the bytes of it."""
    return {str(p.relative_to(root)): p.read_bytes() for p in sorted(root.rglob("*")) if p.is_file()}


def gallery(tmp_path, **options):
    return fl.Gallery(tmp_path / "g.hdf", device="cpu", **options)


# ---------------------------------------------------------------------- making


def test_a_folder_of_photos_becomes_groups(album, photos):
    assert names(album) == {"person 001": 6, "person 002": 5, "person 003": 3, "others": 2}
    assert len(album) == 16
    assert [group.named for group in album.groups] == [False] * 4
    for group in album.groups[:3]:
        others = album.vectors[group.rows]
        assert (others @ others.T).min() > 0.6
    shown = {Path(album.photos[row]).name for row in album.groups[2].rows}
    assert shown == {"photo 2-0.jpg", "photo 2-1.jpg", "photo 2-2.jpg"}
    assert album.notes == ("Passed over: empty.jpg: no face.",)
    assert "16 faces in 4 groups, 0 named" in repr(album)
    assert album.config == CONFIG
    assert album.threshold == fl.calibration.threshold_for(CONFIG, 1e-5)


def test_thumbnails_are_named_by_row_and_photo_and_show_the_face(album):
    both = [row for row, path in enumerate(album.photos) if "trip" in path]
    files = album.thumbnails(both)
    assert len({file.parent for file in files.values()}) == 2
    for row, file in files.items():
        assert row_of(file.name)[0] == row
        assert "both" in file.name
        assert not set('<>:"/\\|?*') & set(file.name)
        grey = fl.read_image(file).mean()
        assert abs(grey - (10 if file.parent.name == "person 001" else 30)) < 2
    assert album.thumbnail(both[0]) == files[both[0]]


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX's")
def test_only_the_owner_may_read_it(made):
    for path in (made, *made.rglob("*")):
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path


def test_an_album_is_not_made_twice_nor_over_something_else(album, photos, tmp_path):
    album.rename("person 001", "지수")
    before = tree(album.folder)
    with pytest.raises(AlbumError, match="is an album already"):
        Album.make(photos, album.folder, Fake(), progress=False)
    assert tree(album.folder) == before
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "taxes.txt").write_text("mine")
    with pytest.raises(AlbumError, match=r"holds something else \(taxes.txt\)"):
        Album.make(photos, tmp_path / "other", Fake(), progress=False)
    (tmp_path / "empty").mkdir()
    assert len(Album.make(photos, tmp_path / "empty", Fake(), progress=False)) == 16


def test_places_where_no_album_can_be(photos, tmp_path):
    (tmp_path / "file").write_text("")
    (tmp_path / "bare").mkdir()
    (tmp_path / "faceless").mkdir()
    for number in range(7):
        (tmp_path / "faceless" / f"{number}.jpg").write_text("")
    for source, target, says in [
        (photos, photos / "album", "lies in the folder of the photos"),
        (photos, photos, "lies in the folder of the photos"),
        (photos, tmp_path / "file", "is a file"),
        (photos, tmp_path / "no" / "album", "there is no folder"),
        (tmp_path / "nowhere", tmp_path / "album", "does not exist"),
        (tmp_path / "file", tmp_path / "album", "is a file, not a folder"),
        (tmp_path / "bare", tmp_path / "album", "there is no photo in it"),
        (tmp_path / "faceless", tmp_path / "album", "no face was found in its 7 photos.* and 2 more"),
    ]:
        with pytest.raises(AlbumError, match=says):
            Album.make(source, target, Fake(), progress=False)
    assert {path.name for path in tmp_path.iterdir()} == {"file", "bare", "faceless"}


def test_a_pipeline_without_a_threshold_is_refused_before_any_work(photos, tmp_path):
    class Own(Fake):
        config = "yunet+aligned+mine-12345678"

        def __call__(self, *_, **__):
            raise AssertionError("worked")

    with pytest.raises(fl.errors.FacelabError, match="no calibrated threshold"):
        Album.make(photos, tmp_path / "album", Own(), progress=False)
    with pytest.raises(ValueError, match="between 0 and 2"):
        Album.make(photos, tmp_path / "album", Fake(), 3.0, progress=False)


def test_the_threshold_decides_and_is_kept(photos, tmp_path):
    strict = Album.make(photos, tmp_path / "strict", Fake(), 0.0, progress=False)
    assert names(strict) == {OTHERS: 16}
    assert strict.threshold == 0
    loose = Album.make(photos, tmp_path / "loose", Fake(), 1.5, progress=False)
    assert names(loose) == {"person 001": 16}


@pytest.mark.parametrize("which", [1, 7, 17, 20, 25])
def test_a_full_disk_leaves_nothing_behind(photos, tmp_path, monkeypatch, which):
    """The `which`-th thing that needs room has none: a thumbnail, the vectors, a folder, a place for one."""
    calls = 0

    def refusing(real):
        def call(*arguments, **options):
            nonlocal calls
            calls += 1
            if calls == which:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return real(*arguments, **options)

        return call

    monkeypatch.setattr(making, "_save", refusing(making._save))
    monkeypatch.setattr(making.embeddings_file, "_append", refusing(making.embeddings_file._append))
    monkeypatch.setattr(Path, "rename", refusing(Path.rename))
    with pytest.raises(AlbumError, match=r"cannot be written \(No space left.*Nothing was left") as error:
        Album.make(photos, tmp_path / "album", Fake(), progress=False)
    assert str(tmp_path / "album") in str(error.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("what", [KeyboardInterrupt, DeviceError("out of memory: use batch_size=16.")])
def test_stopped_half_way_nothing_is_left_behind(photos, tmp_path, what):
    class Stops(Fake):
        def __call__(self, photos, progress=None):
            yield next(super().__call__(photos))
            raise what

    expected = KeyboardInterrupt if what is KeyboardInterrupt else AlbumError
    with pytest.raises(expected) as error:
        Album.make(photos, tmp_path / "album", Stops(), progress=False)
    assert list(tmp_path.iterdir()) == []
    if expected is AlbumError:
        assert "batch_size=16" in str(error.value)
        assert "unfinished" not in str(error.value)


def test_what_a_killed_process_left_is_cleared_away(photos, tmp_path):
    (tmp_path / ".album.unfinished").mkdir()
    (tmp_path / ".album.unfinished" / "000000 old.jpg").write_text("old")
    assert len(Album.make(photos, tmp_path / "album", Fake(), progress=False)) == 16
    assert [path.name for path in tmp_path.iterdir()] == ["album"]


# ---------------------------------------------------------------------- opening


def test_what_is_no_album_is_refused(tmp_path, made):
    (tmp_path / "file").write_text("")
    (tmp_path / "bare").mkdir()
    for path, says in [
        (tmp_path / "nowhere", "does not exist"),
        (tmp_path / "file", "is a file"),
        (tmp_path / "bare", "is no album, as there is no faces.h5"),
    ]:
        with pytest.raises(AlbumError, match=says):
            Album(path)


def test_damaged_vectors_are_named_with_the_remedy(album):
    file = album.folder / "faces.h5"
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(AlbumError, match=r"faces.h5.*Bring back a copy"):
        Album(album.folder)
    file.write_bytes(whole)
    with h5py.File(file, "r+") as hdf:
        hdf["vectors"][0] = np.nan
    with pytest.raises(AlbumError, match="do not fit together"):
        Album(album.folder)


def test_vectors_of_other_photos_are_refused(album, tmp_path):
    other = tmp_path / "photos"
    other.mkdir()
    for number in range(16):
        (other / f"x{number}.jpg").write_text(str(number))
    strange = Album.make(other, tmp_path / "strange", Fake(), progress=False)
    shutil.copy(strange.folder / "faces.h5", album.folder / "faces.h5")
    with pytest.raises(AlbumError, match="belongs to other photos"):
        Album(album.folder)


# ---------------------------------------------------------------------- changing


def test_a_group_is_named(album):
    album.rename("person 001", "  지수 ")
    assert names(album) == {"지수": 6, "person 002": 5, "person 003": 3, "others": 2}
    assert album.groups[0].named
    assert not (album.folder / "person 001").exists()
    assert names(Album(album.folder)) == names(album)
    album.rename("지수", "Jisoo")
    album.rename("jisoo", "JISOO")
    assert names(album)["JISOO"] == 6
    album.rename("JISOO", "JISOO")


def test_naming_keeps_what_else_lies_in_the_folder(album):
    (album.folder / "person 001" / "notes.txt").write_text("Tuesday")
    album.rename("person 001", "A")
    assert (album.folder / "A" / "notes.txt").read_text() == "Tuesday"
    (album.folder / "B").mkdir()
    album.rename("A", "B")
    assert names(album)["B"] == 6
    assert (album.folder / "A" / "notes.txt").read_text() == "Tuesday"


def test_groups_are_merged(album):
    album.merge(["person 001", "person 003"], "person 001")
    assert names(album) == {"person 001": 9, "person 002": 5, "others": 2}
    album.merge(["person 001", "person 002"], "Everybody")
    assert names(album) == {"Everybody": 14, "others": 2}
    album.merge("others", "everybody")
    assert names(album) == {"Everybody": 16}
    album.merge(["Everybody"], OTHERS)
    assert names(album) == {OTHERS: 16}


def test_a_group_is_split_and_faces_are_moved_and_left_out(album):
    rows = album.groups[0].rows
    with pytest.raises(AlbumError, match="nothing to take out"):
        album.split("person 001", [])
    assert album.split("person 001", rows[:2]) == "person 004"
    assert album.split("person 001", rows[2:3], "Mina") == "Mina"
    assert names(album) == {"person 002": 5, "person 001": 3, "person 003": 3, "person 004": 2, "Mina": 1,
                            "others": 2}  # fmt: skip
    album.move(album.groups[-1].rows, "Mina")
    assert names(album)["Mina"] == 3
    album.leave_out(rows[:2])
    assert [group.name for group in album.groups][-1] == LEFT_OUT
    assert album.groups[-1].rows.tolist() == rows[:2].tolist()
    assert not album.groups[-1].named
    album.move(rows[:1], "Mina")
    assert names(album)[LEFT_OUT] == 1


def test_every_change_can_be_taken_back(album):
    before = tree(album.folder)
    states = []
    rows = album.groups[0].rows
    for change in (
        lambda: album.rename("person 002", "B"),
        lambda: album.merge(["B", "person 001"], "C"),
        lambda: album.split("C", rows[:3]),
        lambda: album.leave_out(rows[:3]),
        lambda: album.merge(["person 003", "others"], "left out"),
        lambda: album.rename("C", "D"),
    ):
        states.append(tree(album.folder))
        change()
        assert tree(album.folder) != states[-1]
    for state in reversed(states):
        assert album.undo()
        assert tree(album.folder) == state
    assert not album.undo()
    assert tree(album.folder) == before


def test_undo_after_a_change_by_hand_says_so_and_changes_nothing(album):
    album.merge(["person 001", "person 002"], "A")
    next((album.folder / "A").iterdir()).unlink()
    before = tree(album.folder)
    with pytest.raises(AlbumError, match="changed by hand"):
        album.undo()
    assert tree(album.folder) == before


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda a: a.rename("person 9", "A"), r"no group 'person 9'. There are: person 001, person 002"),
        (lambda a: a.rename("person 001", "person 002"), r"a group 'person 002' already. merge\("),
        (lambda a: a.rename("person 001", "Person 002"), r"a group 'person 002' already"),
        (lambda a: a.rename("person 001", "Others"), "kept for faces that are nobody's"),
        (lambda a: a.merge(["person 001", "x"], "A"), "no group 'x'"),
        (lambda a: a.split("person 001", [10**6]), "face 1000000 is in none"),
        (lambda a: a.split("person 001", a.groups[1].rows[:1]), "is not in this group"),
        (lambda a: a.split("person 001", a.groups[0].rows[:1], "person 002"), r"already. move\(rows"),
        (lambda a: a.split("person 001", a.groups[0].rows[:1], "left out"), "kept for faces"),
        (lambda a: a.move([-1], "A"), "face -1 is in none"),
        (lambda a: a.thumbnail(99), "face 99 is in none"),
    ],
)
def test_changes_that_make_no_sense_change_nothing(album, change, says):
    before = tree(album.folder)
    with pytest.raises(AlbumError, match=says):
        change(album)
    assert tree(album.folder) == before
    assert not album.undo()


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("", "it is empty"),
        ("   ", "it is empty"),
        ("a/b", "'/' is in it"),
        ("..", "begins with a dot"),
        (".hidden", "begins with a dot"),
        ("a\\b", "is in it"),
        ("a:b", "':' is in it"),
        ("a\0b", "is in it"),
        ("a\nb", "is in it"),
        ("Jr.", "ends with a dot"),
        ("CON", "Windows"),
        ("com1.x", "Windows"),
        ("지" * 67, "longer than 200 bytes"),
        ("Faces.h5", "holds the album's vectors"),
        (7, "give a text"),
    ],
)
def test_names_that_no_folder_can_have(album, name, says):
    for change in (
        lambda: album.rename("person 001", name),
        lambda: album.merge(["person 001"], name),
        lambda: album.split("person 001", [0], name),
        lambda: album.move([0], name),
    ):
        with pytest.raises(AlbumError, match=says):
            change()
    assert len(names(album)) == 4


def test_names_of_groups_and_thumbnails():
    assert [is_named(n) for n in ("person 1", "Person 0012", "others", "Left out", "person", "Jisoo 2")] == [
        False, False, False, False, True, True,
    ]  # fmt: skip
    assert checked("\u1112\u1161\u11ab") == "한", "macOS's spelling and the keyboard's are one name"
    assert thumbnail(7, "/a/b/c d.JPG") == "000007 c d.jpg"
    assert thumbnail(1234567, "C:\\x\\...jpg") == "1234567.jpg"
    assert row_of("000007 c d.jpg") == (7, "c d")
    assert row_of("1234567.PNG") == (1234567, "")
    for other in ("00007 a.jpg", "holiday.jpg", "000007 a.txt", "000007a.jpg", "Copy of 000007 a.jpg"):
        assert row_of(other) is None
    assert len(tail("x" * 500).encode()) == 120
    assert row_of(thumbnail(3, "/a/" + "지" * 80 + ".png"))[0] == 3


@pytest.mark.parametrize("which", range(1, 8))
def test_a_disk_that_refuses_half_way_changes_nothing(album, monkeypatch, which):
    before, real, calls = tree(album.folder), Path.rename, 0

    def refusing(self, target):
        nonlocal calls
        calls += 1
        if calls == which:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self))
        return real(self, target)

    monkeypatch.setattr(Path, "rename", refusing)
    with pytest.raises(AlbumError, match=r"not changed.*No space left.*disk not full"):
        album.merge(["person 001", "person 002"], "A")
    assert tree(album.folder) == before
    assert not (album.folder / "A").exists()
    assert not album.undo()


# ---------------------------------------------------------------------- changed by hand


def test_a_file_manager_does_as_well(album):
    root = album.folder
    (root / "person 001").rename(root / "지수")
    (root / "person 003").rename(root / "지수" / "person 003")  # dragged into another group's folder
    some = sorted((root / "person 002").iterdir())
    (root / "Mina").mkdir()
    some[0].rename(root / "Mina" / some[0].name)
    (root / ".DS_Store").write_text("")
    (root / "Mina" / "Thumbs.db").write_text("")
    assert names(album) == {"지수": 9, "person 002": 4, "Mina": 1, "others": 2}
    assert album.notes == ("Passed over: empty.jpg: no face.",)
    album.merge(["지수"], "Momo")
    assert names(album)["Momo"] == 9
    assert not (root / "지수").exists()


def test_a_deleted_thumbnail_leaves_its_face_out(album, tmp_path):
    album.rename("person 001", "A")
    row = int(album.groups[0].rows[0])
    album.thumbnail(row).unlink()
    assert row not in album.groups[0].rows
    assert f"face {row} (" in album.notes[0]
    assert "has no thumbnail any more" in album.notes[0]
    with pytest.raises(AlbumError, match=f"face {row} is in none"):
        album.thumbnail(row)
    with gallery(tmp_path) as g:
        assert album.enroll(g).templates == 5


def test_a_thumbnail_copied_into_its_own_group_counts_once(album):
    file = album.thumbnail(int(album.groups[0].rows[0]))
    shutil.copy(file, file.with_stem(file.stem + " (1)"))
    shutil.copy(file, file.with_suffix(".png"))
    assert names(album)["person 001"] == 6
    assert sum("counts once" in note for note in album.notes) == 2
    album.merge(["person 001"], "A")
    assert names(album)["A"] == 6
    assert len(list((album.folder / "A").iterdir())) == 8, "nothing is ever deleted"


def test_a_thumbnail_in_two_groups_counts_in_none_until_one_is_deleted(album, tmp_path):
    album.rename("person 001", "A")
    album.rename("person 002", "B")
    row = int(album.groups[0].rows[0])
    copy = album.folder / "B" / album.thumbnail(row).name
    shutil.copy(album.thumbnail(row), copy)
    assert names(album) == {"A": 5, "B": 5, "person 003": 3, "others": 2}
    assert "one face in several groups" in album.notes[0]
    assert "Delete all but one" in album.notes[0]
    with pytest.raises(AlbumError, match=r"is in several groups, A.* and B.*Delete all but one"):
        album.leave_out([row])
    with gallery(tmp_path) as g:
        done = album.enroll(g)
        assert done.templates == 10
        assert "one face in several groups" in done.notes[0]
        assert "Passed over" not in str(done.notes)
    copy.unlink()
    assert names(album)["A"] == 6
    shutil.copy(album.thumbnail(row), copy)
    album.merge(["A", "B"], "A")
    assert names(album)["A"] == 11, "merged, it is in one group again"
    assert copy.name in {p.name for p in (album.folder / "A").iterdir()}


def test_strange_files_are_noted_and_left_alone(album):
    (album.folder / "person 001" / "cat.jpg").write_text("x")
    (album.folder / "person 001" / "999999 of another album.jpg").write_text("x")
    (album.folder / "readme.txt").write_text("x")
    loose = album.thumbnail(int(album.groups[0].rows[0]))
    loose.rename(album.folder / loose.name)
    assert names(album)["person 001"] == 5
    notes = "\n".join(album.notes)
    for words in ("cat.jpg: no thumbnail", "999999 of", "readme.txt", f"{loose.name}: in no group"):
        assert words in notes
    assert "has no thumbnail any more" not in notes
    album.merge(["person 001", "person 002"], "A")
    assert (album.folder / "person 001" / "cat.jpg").exists()


# ---------------------------------------------------------------------- suggestions


def test_closest_groups_are_those_of_loops():
    rng = np.random.default_rng(3)
    vectors = rng.normal(size=(60, 6))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    labels = rng.integers(-1, 8, 60)
    labels[labels == 3] = 4
    pairs, faces, cosines = closest_groups(vectors, labels, 0.85)
    expected = {}
    for a in range(8):
        for b in range(a + 1, 8):
            between = vectors[labels == a] @ vectors[labels == b].T
            if between.size and between.max() >= 0.85:
                expected[a, b] = between.max()
    assert {
        tuple(pair): pytest.approx(c, abs=1e-6) for pair, c in zip(pairs.tolist(), cosines, strict=True)
    } == (expected)
    assert (np.diff(cosines) <= 0).all()
    for pair, (one, other), cosine in zip(pairs, faces, cosines, strict=True):
        assert (labels[one], labels[other]) == tuple(pair)
        assert vectors[one] @ vectors[other] == pytest.approx(cosine, abs=1e-6)
    apart = np.isin(np.arange(8), [0, 1, 2])
    left = closest_groups(vectors, labels, 0.85, apart)[0]
    assert {tuple(p) for p in left} == {(a, b) for a, b in expected if b > 2}
    for labels in (np.full(60, -1), np.zeros(60, int)):
        assert len(closest_groups(vectors, labels, -1)[0]) == 0
    assert closest_groups(np.zeros((0, 4)), np.zeros(0, int), 0)[0].shape == (0, 2)


def test_groups_that_were_torn_are_suggested_the_closest_first(album):
    assert album.suggest_merges() == []
    big, small = album.groups[0].rows, album.groups[1].rows
    first, second = album.split("person 001", big[:3]), album.split("person 002", small[:2])
    found = album.suggest_merges()
    assert {frozenset((one.a, one.b)) for one in found} == {
        frozenset(("person 001", first)),
        frozenset(("person 002", second)),
    }
    assert [one.distance for one in found] == sorted(one.distance for one in found)
    one = found[0]
    vectors = album.vectors[list(one.faces)]
    assert one.distance == pytest.approx(1 - vectors[0] @ vectors[1], abs=1e-6)
    assert album.thumbnail(one.faces[0]).parent.name == one.a
    assert len(album.suggest_merges(1)) == 1
    album.rename("person 001", "A")
    assert len(album.suggest_merges()) == 2, "one of them has a name"
    album.rename(first, "B")
    assert len(album.suggest_merges()) == 1, "two names are two people"
    album.merge(["others"], LEFT_OUT)
    assert album.suggest_merges()[0].a == "person 002"


# ---------------------------------------------------------------------- enrolling


def test_only_the_named_are_enrolled_exactly(album, tmp_path):
    with gallery(tmp_path) as g:
        with pytest.raises(AlbumError, match=r"no group has a name yet.*'person 001'"):
            album.enroll(g)
        album.rename("person 002", "Mina")
        album.rename("person 001", "지수")
        album.leave_out(album.groups[0].rows[:2])
        done = album.enroll(g)
        assert (done.ids, done.templates, done.notes) == ((0, 1), 9, ())
        assert [(one.name, one.templates) for one in g.list()] == [("Mina", 5), ("지수", 4)]
        np.testing.assert_array_equal(g.vectors(0), album.vectors[album.groups[0].rows])
        assert g.identify(album.vectors[album.groups[1].rows[0]]).name == "지수"


def test_enrolled_once_more_nobody_is_there_twice(album, tmp_path):
    album.rename("person 001", "A")
    album.rename("person 002", "B")
    rows = album.groups[0].rows
    album.leave_out(rows[:2])
    with gallery(tmp_path) as g:
        assert g.enroll("A", np.eye(128)[5]) == 0, "somebody else of that name"
        assert album.enroll(g).ids == (1, 2), "B is larger than A by now"
        again = album.enroll(g)
        assert (again.templates, again.notes) == (0, ())
        assert len(g) == 3
        album.move(rows[:2], "A")
        album.rename("person 003", "C")
        done = album.enroll(g)
        assert done.templates == 5
        assert done.ids == (2, 1, 3)
        assert [one.templates for one in g.list()] == [1, 5, 6, 3]
        assert {one.tobytes() for one in g.vectors(2)} == {one.tobytes() for one in album.vectors[rows]}


def test_what_the_gallery_still_believes_is_said(album, tmp_path):
    album.rename("person 001", "Jiso")
    with gallery(tmp_path) as g:
        album.enroll(g)
        album.rename("Jiso", "Jisoo")
        album.leave_out(album.groups[0].rows[:2])
        done = album.enroll(g)
        assert done.ids == (1,)
        assert done.templates == 4
        assert len(done.notes) == 1
        assert "Jiso (id 0) in the gallery has 6 templates" in done.notes[0]
        assert "delete id 0" in done.notes[0]
        g.delete(0)
        assert album.enroll(g).notes == ()


def test_a_gallery_of_another_pipeline_is_refused(album, tmp_path):
    album.rename("person 001", "A")
    with gallery(tmp_path, embedder="arcface") as g:
        with pytest.raises(GalleryError, match="cannot be compared"):
            album.enroll(g)
        assert len(g) == 0


def test_a_file_that_facelab_embed_wrote_says_no_threshold(album):
    with h5py.File(album.folder / "faces.h5", "r+") as hdf:
        del hdf.attrs["grouped_at"]
    assert Album(album.folder).threshold == fl.calibration.threshold_for(CONFIG, 1e-5)


def test_contents_are_read_again_at_every_question(album):
    found = folder.contents(album.folder, len(album))
    assert found.all_rows().keys() == set(range(16))
    shutil.rmtree(album.folder)
    with pytest.raises(AlbumError, match="cannot be read"):
        _ = album.groups
