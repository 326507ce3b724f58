"""facelab.datasets: bringing LFW (safely, whole or not at all), its pair lists, and folders of one's own."""

import errno
import functools
import gzip
import hashlib
import http.server
import io
import tarfile
import threading
import unicodedata
from types import SimpleNamespace

import filelock
import numpy as np
import pytest

from facelab import datasets
from facelab.datasets import protocols, wild
from facelab.errors import DatasetError

JPEG = b"\xff\xd8 not much of a photo"
PHOTOS = {"Ann_Lee": 3, "Bo-Bo_O'Hara": 1, "Zico": 2}


def archive(path, inside="lfw-deepfunneled", photos=PHOTOS, content=JPEG, extra=()):
    """A small archive in LFW's shape; `extra` are TarInfo, or (name, bytes)."""
    with tarfile.open(path, "w:gz") as tar:
        for name, count in photos.items():
            for number in range(1, count + 1):
                add(tar, f"{inside}/{name}/{name}_{number:04d}.jpg", content)
        for one in extra:
            tar.addfile(one) if isinstance(one, tarfile.TarInfo) else add(tar, *one)
    return path


def add(tar, name, content):
    member = tarfile.TarInfo(name)
    member.size = len(content)
    tar.addfile(member, io.BytesIO(content))


def link(name, kind, target):
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, target
    return member


@pytest.fixture
def small(monkeypatch):
    """LFW shrunk to six photos of three people, and its lists of pairs to whatever the test says."""
    monkeypatch.setattr(wild, "PHOTOS", 6)
    monkeypatch.setattr(wild, "PEOPLE", 3)
    published = {
        name: SimpleNamespace(checksum="0" * 64, filename=name) for name in protocols.PROTOCOLS.values()
    }
    for variant, name in (("original", "lfw.tgz"), ("funneled", "lfw-funneled.tgz")):
        published[variant] = SimpleNamespace(checksum="0" * 64, filename=name)
    monkeypatch.setattr(wild, "_published", lambda: published)
    return published


def left_over(home):
    """What lies in the folder of LFW, but for locks."""
    return sorted(path.name for path in (home / "lfw").iterdir() if path.suffix != ".lock" != path.name)


# ---------------------------------------------------------------------- a local archive


@pytest.mark.parametrize(("inside", "variant"), [(v, k) for k, v in wild.VARIANTS.items()])
def test_an_archive_of_any_variant_is_taken_and_named(tmp_path, small, inside, variant):
    file = archive(
        tmp_path / "a.tgz", inside, extra=[(f"{inside}/.DS_Store", b"x"), (f"{inside}/pairs_01.txt", b"y")]
    )
    photos = datasets.get_lfw(file, progress=False, home=tmp_path / "home")
    assert photos.variant == variant
    assert photos.names == ("Ann_Lee", "Bo-Bo_O'Hara", "Zico")
    assert photos.counts.tolist() == [3, 1, 2]
    assert photos.path("Zico", 2).read_bytes() == JPEG
    assert photos.identity.tolist() == [0, 0, 0, 1, 2, 2]
    assert photos.number.tolist() == [1, 2, 3, 1, 1, 2]
    assert variant in str(photos)
    assert not photos.known
    assert photos.sha256 == hashlib.sha256(file.read_bytes()).hexdigest()
    assert left_over(tmp_path / "home") == [variant]
    assert datasets.lfw(tmp_path / "home").paths == photos.paths


def test_what_is_there_is_left_alone_and_what_is_incomplete_is_replaced(tmp_path, small):
    file = archive(tmp_path / "a.tgz")
    photo = datasets.get_lfw(file, progress=False, home=tmp_path).path("Zico", 1)
    before = photo.stat().st_mtime_ns
    datasets.get_lfw(file, progress=False, home=tmp_path)
    assert photo.stat().st_mtime_ns == before
    photo.unlink()
    with pytest.raises(DatasetError, match="holds 5 photos of 3 people"):
        datasets.lfw(tmp_path)
    datasets.get_lfw(file, progress=False, home=tmp_path)
    assert photo.is_file()
    assert left_over(tmp_path) == ["deepfunneled"]


def test_variants_lie_side_by_side(tmp_path, small):
    datasets.get_lfw(archive(tmp_path / "a.tgz", "lfw"), progress=False, home=tmp_path)
    datasets.get_lfw(archive(tmp_path / "b.tgz", "lfw_funneled"), progress=False, home=tmp_path)
    assert datasets.lfw(tmp_path).variant == "funneled"
    assert datasets.lfw(tmp_path, variant="original").variant == "original"
    with pytest.raises(DatasetError, match=r"LFW \(deepfunneled\) is not in"):
        datasets.lfw(tmp_path, variant="deepfunneled")
    with pytest.raises(DatasetError, match="LFW has deepfunneled, funneled, original"):
        datasets.lfw(tmp_path, variant="frontalised")


DEEP = "lfw-deepfunneled"


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"photos": {"Ann_Lee": 3}}, "holds 3 photos, and LFW has 6"),
        ({"photos": PHOTOS | {"Zoe": 1}}, "holds 7 photos, and LFW has 6"),
        ({"photos": {}}, "no photo of LFW"),
        ({"inside": "vggface"}, "no photo of LFW"),
        ({"content": b"<html>"}, "is not a JPEG"),
        ({"extra": [(f"{DEEP}/Zico/Zico_0002.jpg", JPEG)]}, "Zico_0002.jpg twice"),
        ({"extra": [("../../evil.jpg", JPEG)]}, "not to be trusted"),
        ({"extra": [link(f"{DEEP}/x", tarfile.SYMTYPE, "/etc/passwd")]}, "not to be trusted"),
        ({"extra": [link(f"{DEEP}/x", tarfile.LNKTYPE, "../../../../etc/passwd")]}, "not to be trusted"),
        ({"extra": [link(f"{DEEP}/x", tarfile.SYMTYPE, "Zico")]}, "neither a file nor a folder"),
        ({"extra": [link(f"{DEEP}/x", tarfile.CHRTYPE, "")]}, "not to be trusted"),
        ({"extra": [(f"{DEEP}/Big/Big_0001.jpg", JPEG + bytes(wild.MOST_BYTES))]}, "more than LFW does"),
        ({"extra": [("bomb", bytes(wild.MOST_OTHER_BYTES + 1))]}, "more than LFW does"),
        ({"extra": [(f"bomb{k}", bytes(2**21)) for k in range(9)]}, "more than LFW does"),
    ],
)
def test_a_wrong_or_hostile_archive_leaves_nothing(tmp_path, small, how, message, monkeypatch):
    monkeypatch.setattr(wild, "MOST_IN_ALL", wild.MOST_OTHER_BYTES + 2**20)
    (tmp_path / "in").mkdir()
    file = archive(tmp_path / "in" / "a.tgz", **how)
    with pytest.raises(DatasetError, match=message) as caught:
        datasets.get_lfw(file, progress=False, home=tmp_path / "home")
    assert str(file) in str(caught.value)
    assert left_over(tmp_path / "home") == []
    assert not list(tmp_path.rglob("evil.jpg"))


def test_an_archive_with_too_many_members(tmp_path, small, monkeypatch):
    monkeypatch.setattr(wild, "MOST_MEMBERS", 5)
    with pytest.raises(DatasetError, match="more than LFW does"):
        datasets.get_lfw(archive(tmp_path / "a.tgz"), progress=False, home=tmp_path)


def test_an_archive_that_never_ends(tmp_path, small, monkeypatch):
    monkeypatch.setattr(wild, "MOST_IN_ALL", 2**22)
    file = archive(tmp_path / "a.tgz")
    file.write_bytes(file.read_bytes() + gzip.compress(bytes(2**23)))  # gzip reads on, tar has long ended
    with pytest.raises(DatasetError, match="far more than LFW"):
        datasets.get_lfw(file, progress=False, home=tmp_path)
    assert left_over(tmp_path) == []


def test_a_second_process_is_told_and_does_not_wait(tmp_path, small):
    (tmp_path / "lfw").mkdir()
    with (
        filelock.FileLock(tmp_path / "lfw" / ".lock"),
        pytest.raises(DatasetError, match="Another process"),
    ):
        datasets.get_lfw(archive(tmp_path / "a.tgz"), progress=False, home=tmp_path)


@pytest.mark.parametrize("keep", [0, 10, 60, -200, -1])
def test_a_truncated_archive(tmp_path, small, keep):
    rng = np.random.default_rng(0)
    file = archive(tmp_path / "a.tgz", content=JPEG + rng.bytes(1000))
    file.write_bytes(file.read_bytes()[:keep])
    with pytest.raises(DatasetError, match=r"a\.tgz"):
        datasets.get_lfw(file, progress=False, home=tmp_path)
    assert left_over(tmp_path) == []


def test_damage_in_the_middle(tmp_path, small):
    """One byte of one photo: deflate and tar do not notice, gzip's checksum at the very end does."""
    file = archive(tmp_path / "a.tgz", content=JPEG + np.random.default_rng(0).bytes(5000))
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 0xFF
    file.write_bytes(content)
    with pytest.raises(DatasetError, match=r"a\.tgz"):
        datasets.get_lfw(file, progress=False, home=tmp_path)
    assert left_over(tmp_path) == []


def test_no_archive_and_no_home(tmp_path, small):
    with pytest.raises(DatasetError, match="there is no such file"):
        datasets.get_lfw(tmp_path / "none.tgz", progress=False, home=tmp_path)
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DatasetError, match="LFW cannot be put into"):
        datasets.get_lfw(archive(tmp_path / "a.tgz"), progress=False, home=tmp_path / "file")


def test_a_full_disk_is_said_plainly(tmp_path, small, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(wild, "_write_photo", full)
    with pytest.raises(DatasetError, match="the disk is full"):
        datasets.get_lfw(archive(tmp_path / "a.tgz"), progress=False, home=tmp_path)
    assert left_over(tmp_path) == []


def test_an_interrupted_run_leaves_nothing_and_a_killed_one_is_cleared_away(tmp_path, small, monkeypatch):
    write, calls = wild._write_photo, []

    def interrupted(*arguments):
        calls.append(arguments)
        if len(calls) == 3:
            raise KeyboardInterrupt
        write(*arguments)

    file = archive(tmp_path / "a.tgz")
    monkeypatch.setattr(wild, "_write_photo", interrupted)
    with pytest.raises(KeyboardInterrupt):
        datasets.get_lfw(file, progress=False, home=tmp_path)
    monkeypatch.setattr(wild, "_write_photo", write)
    assert left_over(tmp_path) == []

    (tmp_path / "lfw" / ".partial-killed" / "photos").mkdir(parents=True)
    datasets.get_lfw(file, progress=False, home=tmp_path)
    assert left_over(tmp_path) == ["deepfunneled"]


def test_lists_beside_the_archive_are_checked(tmp_path, small):
    file = archive(tmp_path / "a.tgz")
    (tmp_path / "pairs.txt").write_text("not the list")
    with pytest.raises(DatasetError, match=r"pairs\.txt is not LFW's list"):
        datasets.get_lfw(file, progress=False, home=tmp_path / "home")
    small["pairs.txt"].checksum = hashlib.sha256(b"not the list").hexdigest()
    photos = datasets.get_lfw(file, progress=False, home=tmp_path / "home")
    assert "pair lists: lfw" in str(photos)
    with pytest.raises(DatasetError, match="first line"):
        photos.pairs("lfw")
    with pytest.raises(DatasetError, match=r"pairsDevTest\.txt is missing"):
        photos.pairs("devtest")


# ---------------------------------------------------------------------- by download


@pytest.fixture
def mirror(tmp_path, small):
    """A server on this machine that has what scikit-learn's mirror has, and counts what is asked of it."""
    site = tmp_path / "site"
    site.mkdir()
    archive(site / "lfw-funneled.tgz", "lfw_funneled")
    for name in protocols.PROTOCOLS.values():
        (site / name).write_text(f"list {name}")
    asked = []

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, _, *arguments):
            asked.append(arguments[0])

    handler = functools.partial(Handler, directory=str(site))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    for remote in small.values():
        remote.url = f"http://127.0.0.1:{server.server_port}/{remote.filename}"
        if (site / remote.filename).is_file():
            remote.checksum = hashlib.sha256((site / remote.filename).read_bytes()).hexdigest()
    yield asked
    server.shutdown()
    thread.join()
    server.server_close()


def test_download_brings_photos_and_lists_once(tmp_path, mirror):
    photos = datasets.get_lfw(progress=False, home=tmp_path / "home")
    assert photos.variant == "funneled"
    assert photos.known
    assert "pair lists: lfw, devtest, devtrain;" in str(photos) + ";"
    assert left_over(tmp_path / "home") == sorted(["funneled", *protocols.PROTOCOLS.values()])
    asked = len(mirror)
    datasets.get_lfw(progress=False, home=tmp_path / "home")
    assert len(mirror) == asked


def test_a_download_that_lies_about_its_content(tmp_path, mirror, small):
    small["funneled"].checksum = "1" * 64
    with pytest.raises(DatasetError, match="lfw-funneled"):
        datasets.get_lfw(progress=False, home=tmp_path / "home")
    assert "funneled" not in left_over(tmp_path / "home")


def test_deepfunneled_cannot_be_downloaded(tmp_path, small):
    with pytest.raises(DatasetError, match="--from FILE"):
        datasets.get_lfw(progress=False, home=tmp_path, variant="deepfunneled")


def test_scikit_learn_still_publishes_what_we_read_there():
    published = wild._published()
    assert set(published) == {"original", "funneled", *protocols.PROTOCOLS.values()}
    assert all(
        remote.url.startswith("https://") and len(remote.checksum) == 64 for remote in published.values()
    )
    assert published["funneled"].filename == "lfw-funneled.tgz"


# ---------------------------------------------------------------------- lists of pairs


def text_of(protocol, change=lambda lines: lines):
    folds, each = protocols.SHAPE[protocol]
    lines = [f"{folds}\t{each}" if folds > 1 else str(each)]
    for fold in range(folds):
        lines += [f"Ann_Lee\t{fold + 1}\t{k + 1}" for k in range(each)]
        lines += [f"Ann_Lee\t{fold + 1}\tZico\t{k + 1}" for k in range(each)]
    return "\n".join(change(lines)) + "\n"


@pytest.mark.parametrize(
    ("protocol", "count", "folds"), [("lfw", 6000, 10), ("devtest", 1000, 1), ("devtrain", 2200, 1)]
)
def test_pairs_are_parsed(protocol, count, folds):
    pairs = protocols.parse_pairs(text_of(protocol), protocol, "x")
    assert len(pairs) == len(pairs.a) == len(pairs.b) == count
    assert pairs.same.sum() == count // 2
    assert np.bincount(pairs.fold).tolist() == [count // folds] * folds
    half = count // folds // 2
    assert (pairs.a[0], pairs.b[0], pairs.same[0]) == (("Ann_Lee", 1), ("Ann_Lee", 1), True)
    assert (pairs.a[half], pairs.b[half], pairs.same[half]) == (("Ann_Lee", 1), ("Zico", 1), False)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda lines: ["9 300", *lines[1:]], "first line should be '10 300'"),
        (lambda lines: lines[:-1], "should hold 6,000 pairs and holds 5,999"),
        (lambda lines: [lines[0], "Ann_Lee\t1\tZico\t1", *lines[2:]], "line 2: .* is not a pair"),
        (lambda lines: [*lines[:5], "Ann_Lee\tone\t2", *lines[6:]], "line 6: .* is not a pair"),
        (lambda lines: [*lines[:5], "Ann_Lee", *lines[6:]], "line 6: .* is not a pair"),
    ],
)
def test_a_damaged_list_is_refused(change, message):
    with pytest.raises(DatasetError, match=message):
        protocols.parse_pairs(text_of("lfw", change), "lfw", "x")


def test_fglfw_says_how_to_bring_it(tmp_path):
    with pytest.raises(DatasetError, match="data get fglfw --from FILE"):
        datasets.lfw_pairs("fglfw", home=tmp_path)
    with pytest.raises(DatasetError, match="no LFW protocol 'ytf'"):
        datasets.lfw_pairs("ytf", home=tmp_path)
    with pytest.raises(DatasetError, match="facelab data get lfw"):
        datasets.lfw_pairs("lfw", home=tmp_path)


# ---------------------------------------------------------------------- the real one


def test_lfw_is_whole(lfw):
    assert (len(lfw), len(lfw.names)) == (13_233, 5_749)
    assert (lfw.counts >= 10).sum() == 158
    assert lfw.counts.max() == 530
    assert len(lfw.of("George_W_Bush")) == 530
    assert lfw.path("Zico", 2).name == "Zico_0002.jpg"
    assert lfw.paths[lfw.row("Zico", 2)] == lfw.path("Zico", 2)
    with pytest.raises(DatasetError, match="no photo 9 of 'Zico'"):
        lfw.path("Zico", 9)


@pytest.mark.parametrize(("protocol", "distinct"), [("lfw", 7701), ("devtest", 1549), ("devtrain", 3443)])
def test_protocols_of_lfw(lfw, protocol, distinct):
    pairs = lfw.pairs(protocol)
    a, b = pairs.rows(lfw)
    assert np.array_equal(lfw.identity[a] == lfw.identity[b], pairs.same)
    assert len(np.unique(np.concatenate([a, b]))) == distinct
    assert not (a == b).any()


def test_folds_of_lfw_share_nobody(lfw):
    pairs = lfw.pairs("lfw")
    people = [
        {name for k in np.flatnonzero(pairs.fold == f) for name, _ in (pairs.a[k], pairs.b[k])}
        for f in range(10)
    ]
    assert sum(map(len, people)) == len(set().union(*people))


# ---------------------------------------------------------------------- a folder of one's own


def test_folder_of_own_photos(tmp_path):
    decomposed = unicodedata.normalize("NFD", "지수")
    files = {
        f"{decomposed}/b.JPG": b"1",
        f"{decomposed}/a.png": b"22",
        "宇多田ヒカル/live/2024.jpeg": b"333",
        "宇多田ヒカル/copy of 지수.jpg": b"22",
        "Åsa/notes.txt": b"",
        "loose.jpg": b"4444",
        ".hidden/x.jpg": b"5",
        "Åsa/._x.jpg": b"6",
    }
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)
    photos = datasets.folder(tmp_path)
    assert photos.names == ("宇多田ヒカル", "지수")
    assert photos.counts.tolist() == [2, 2]
    assert [path.name for path in photos.of("지수")] == ["a.png", "b.JPG"]
    assert photos.number.tolist() == [1, 2, 1, 2]
    assert {(path.name, why) for path, why in photos.skipped} == {
        ("notes.txt", "not a photo, by its name"),
        ("Åsa", "no photo in it"),
        ("loose.jpg", "not in a person's sub-folder"),
    }
    assert [sorted(path.name for path in group) for group in photos.duplicates] == [
        ["a.png", "copy of 지수.jpg"]
    ]
    assert "the same photo" in str(photos)


def test_folder_without_anybody(tmp_path):
    with pytest.raises(DatasetError, match="one sub-folder for each person"):
        datasets.folder(tmp_path)
    with pytest.raises(DatasetError, match="there is no such folder"):
        datasets.folder(tmp_path / "nowhere")
    (tmp_path / "file").touch()
    with pytest.raises(DatasetError, match="not a folder"):
        datasets.folder(tmp_path / "file")


# ---------------------------------------------------------------------- status


def test_status_says_what_is_there_and_what_brings_the_rest(tmp_path, small):
    rows = {row.name: row for row in datasets.status(tmp_path)}
    assert rows["lfw photos, funneled"].state == "missing"
    assert rows["lfw photos, funneled"].remedy == "facelab data get lfw"
    photos = datasets.get_lfw(archive(tmp_path / "a.tgz"), progress=False, home=tmp_path)
    rows = {row.name: row for row in datasets.status(tmp_path)}
    assert rows["lfw photos, deepfunneled"].state == "ok"
    assert rows["lfw photos, deepfunneled"].bytes == 6 * len(JPEG)
    photos.path("Zico", 1).unlink()
    rows = {row.name: row for row in datasets.status(tmp_path)}
    assert "holds 5 photos" in rows["lfw photos, deepfunneled"].state


@pytest.mark.parametrize("damage", ["{", "[]", "{}", None])
def test_a_damaged_folder_is_said_plainly(tmp_path, small, damage):
    photos = datasets.get_lfw(archive(tmp_path / "lfw.tgz"), False, home=tmp_path)
    note = photos.root / "facelab.json"
    note.unlink() if damage is None else note.write_text(damage)
    with pytest.raises(DatasetError, match=r"is damaged .* delete that folder"):
        datasets.lfw(tmp_path)
    assert any("is damaged" in row.state for row in datasets.status(tmp_path))


def test_photos_with_strange_names_are_said_plainly(tmp_path, small):
    photos = datasets.get_lfw(archive(tmp_path / "lfw.tgz"), False, home=tmp_path)
    photos.paths[0].rename(photos.paths[0].with_name("copy.jpg"))
    with pytest.raises(DatasetError, match="is damaged"):
        datasets.lfw(tmp_path)


def test_a_locked_photo_stops_no_listing(tmp_path, monkeypatch):
    for name in ("Ann", "Bo"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "1.jpg").write_bytes(JPEG)

    def locked(*_):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(datasets.photos, "open", locked, raising=False)
    assert len(datasets.folder(tmp_path)) == 2
