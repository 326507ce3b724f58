"""What a gallery's file survives: killed writers, full disks, damage, forgery, and other people's files."""

import errno
import json
import os
import random
import resource
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
import tracemalloc
from contextlib import contextmanager
from pathlib import Path

import h5py
import numpy as np
import pytest

from facelab import safe_write
from facelab.errors import GalleryError
from facelab.gallery import Gallery, store
from facelab.gallery.columns import line
from facelab.gallery.store import HEADER, Head

HERE = Path(__file__).parent
DIMENSION = 16
OTHER = "/etc/passwd"


def vectors(count: int, seed: int = 0) -> np.ndarray:
    drawn = np.random.default_rng(seed).normal(size=(count, DIMENSION))
    return (drawn / np.linalg.norm(drawn, axis=1, keepdims=True)).astype(np.float32)


def new(path: Path) -> Gallery:
    return Gallery(path, embedder="test", dimension=DIMENSION)


def content(path: Path):
    """Everything that a reader of the file gets to see, in a form that compares."""
    with Gallery(path, "r") as gallery:
        return [(one.id, one.name, one.metadata, gallery.vectors(one.id).tobytes()) for one in gallery.list()]


@pytest.fixture
def path(tmp_path) -> Path:
    """A gallery of three people, the last of them still behind the HDF5 part."""
    path = tmp_path / "gallery.hdf"
    with new(path) as gallery:
        gallery.enroll("한지수", vectors(2, 1), department="black pink")
        gallery.enroll("宇多田ヒカル", vectors(1, 2))
    gallery = Gallery(path)
    gallery.enroll("Grace Hopper", vectors(3, 3))
    copy = path.read_bytes()
    gallery.close()
    path.write_bytes(copy)
    assert len(content(path)) == 3
    head = store.read(path).head
    assert head.end > head.hdf5_end, "the file must have enrolments behind the HDF5 part"
    return path


CHANGES = {
    "enroll": lambda g: g.enroll("new", vectors(1, 9)),
    "add": lambda g: g.add(1, vectors(2, 9)),
    "many": lambda g: g.enroll_many([str(i) for i in range(60)], vectors(60, 9)),
    "rename": lambda g: g.rename(0, "other"),
    "delete": lambda g: g.delete(0),
    "clear": lambda g: g.clear(),
    "close": lambda g: g.close(),
}


# ---------------------------------------------------------------------- dying


def test_killed_at_hundreds_of_random_instants(tmp_path):
    """All that was done is there; what had been begun is there whole, or not at all."""
    arguments = [sys.executable, HERE / "killed_writer.py", tmp_path / "g.hdf", "2025", "200"]
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=300, cwd=HERE.parent)
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    assert seen["done"] > 40, f"writers must have done something before: {seen}"  # 85 where 4 others work
    assert seen["between: old"] > 10, f"kills must hit writers at work: {seen}"
    assert seen["between: new"] > 2, f"kills must hit after the instant that counts, too: {seen}"


@contextmanager
def snapshots(path: Path, monkeypatch, into: Path):
    """Copies of the gallery's folder as a crash would leave it, at each system call and half-way through each
    write; yields the list of copies and of the calls."""
    copies, calls = [], []

    def copy():
        copies.append(into / str(len(copies)))
        shutil.copytree(path.parent, copies[-1])

    def watched(name, call):
        def wrapper(*arguments):
            calls.append((name, *(len(a) for a in arguments if isinstance(a, bytes))))
            copy()
            result = call(*arguments)
            copy()
            return result

        return wrapper

    def write(file, data):
        data = memoryview(data).cast("B")
        calls.append(("write", len(data)))
        copy()
        file.write(data[: len(data) // 2])
        if len(data) != HEADER:  # a sector is written whole, or not at all
            copy()
        file.write(data[len(data) // 2 :])
        copy()

    with monkeypatch.context() as patch:
        patch.setattr(safe_write, "write_all", write)
        patch.setattr(os, "fsync", watched("fsync", os.fsync))
        patch.setattr(os, "replace", watched("replace", os.replace))
        yield copies, calls


@pytest.mark.parametrize("change", CHANGES)
def test_every_instant_is_old_or_new(path, tmp_path_factory, monkeypatch, change):
    before = content(path)
    gallery = Gallery(path)
    with snapshots(path, monkeypatch, tmp_path_factory.mktemp("instants")) as (copies, calls):
        CHANGES[change](gallery)
    gallery.close()
    after = content(path)
    seen = [content(copy / path.name) for copy in copies]
    assert len(seen) >= 6
    assert all(state in (before, after) for state in seen)
    if change != "close":
        assert before != after
        assert [state == after for state in seen] == sorted(state == after for state in seen), "never back"
        assert seen[0] == before
        assert seen[-1] == after
    with Gallery(copies[len(copies) // 2] / path.name) as again:  # a writer goes on from a crash
        again.enroll("after the crash", vectors(1, 5))
        assert not list(again.path.parent.glob("*unfinished*")), "what the dead writer left is gone"

    names = [name for name, *_ in calls]
    if change in ("enroll", "add"):
        assert calls[0] != ("write", HEADER)
        assert names == ["write", "fsync", "write", "fsync"], "the header comes when the rest is on the disk"
        assert calls[2] == ("write", HEADER)
    else:
        assert names[-4:] == ["write", "fsync", "replace", "fsync"], "a whole file on the disk, then its name"


def test_what_was_never_promised_is_ignored_and_then_gone(path):
    """Bytes behind the end, where a writer died while it enrolled, are somebody's template."""
    Gallery(path).close()
    before, whole = content(path), path.read_bytes()
    path.write_bytes(whole + b"half an enrolment" * 9)
    assert content(path) == before
    Gallery(path).close()
    assert path.read_bytes() == whole


def test_what_a_failed_enrolment_wrote_goes_with_the_next_one(path, monkeypatch):
    gallery = Gallery(path)
    with monkeypatch.context() as patch:
        Refusal(patch, 1, errno.ENOSPC)
        with pytest.raises(GalleryError):
            gallery.enroll("a long name " * 20, vectors(1, 5))
    assert b"a long name" in path.read_bytes()
    gallery.enroll("x", vectors(1, 6))
    assert b"a long name" not in path.read_bytes()
    gallery.close()


# ---------------------------------------------------------------------- a disk that refuses


class Refusal:
    """The n-th write, fsync or replace fails; a write leaves half of its data."""

    def __init__(self, monkeypatch, which: int, code: int):
        self.left, self.code, self.happened = which, code, None
        self.real = safe_write.write_all
        monkeypatch.setattr(safe_write, "write_all", self.write)
        for name in ("fsync", "replace", "open"):
            monkeypatch.setattr(os, name, self.wrapped(name, getattr(os, name)))

    def now(self, name: str) -> bool:
        self.left -= 1
        if self.left == 0:
            self.happened = name
        return self.left == 0

    def write(self, file, data):
        if self.now("write"):
            file.write(bytes(data)[: 0 if len(data) == HEADER else len(data) // 2])
            raise OSError(self.code, os.strerror(self.code))
        self.real(file, data)

    def wrapped(self, name, call):
        def wrapper(*arguments, **options):
            if self.now(name):
                raise OSError(self.code, os.strerror(self.code))
            return call(*arguments, **options)

        return wrapper


def refusal_of(action) -> str | None:
    try:
        action()
    except GalleryError as error:
        return str(error)
    return None


@pytest.mark.filterwarnings("ignore:Closed without tidying up")
@pytest.mark.parametrize("change", [name for name in CHANGES if name != "close"])
def test_a_disk_that_refuses_at_every_step(path, monkeypatch, change):
    """ENOSPC, EIO and EROFS at every write, fsync, open and replace: a GalleryError that names the file; the
    old content (or, when only the last fsync failed, the new one); and it works again when the disk does."""
    original, before = path.read_bytes(), content(path)
    with Gallery(path) as gallery:
        CHANGES[change](gallery)
    after = content(path)
    for which in range(1, 100):
        path.write_bytes(original)
        gallery = Gallery(path)
        with monkeypatch.context() as patch:
            code = (errno.ENOSPC, errno.EIO, errno.EROFS)[which % 3]
            refusal = Refusal(patch, which, code)
            said = refusal_of(lambda gallery=gallery: CHANGES[change](gallery))
        assert (said is None) == (refusal.happened is None)
        assert said is None or (str(path) in said and os.strerror(code) in said and "disk not full" in said)
        assert not list(path.parent.glob(".*unfinished"))
        found = content(path)
        assert found in (before, after)
        if refusal.happened is None:
            break
        if found == before:
            CHANGES[change](gallery)
            assert content(path) == after
        else:
            assert refusal.happened in ("fsync", "open"), "only what comes after the change itself"
            with pytest.raises(GalleryError, match="open it again"):
                CHANGES[change](gallery)
        gallery.close()
    assert which > 4, "there must have been steps to refuse"


def test_ctrl_c_in_the_middle_of_hdf5_stays_ctrl_c(path, monkeypatch):
    """Raised through HDF5's own calls it would come out as a SystemError."""
    write = safe_write.write_all

    def interrupted(file, data):
        write(file, data)
        raise KeyboardInterrupt

    with Gallery(path) as gallery:
        before = gallery.list()
        monkeypatch.setattr(safe_write, "write_all", interrupted)
        with pytest.raises(KeyboardInterrupt):
            gallery.clear()
        monkeypatch.undo()
    with Gallery(path) as gallery:
        assert gallery.list() == before != []


def test_a_disk_that_is_full_when_closing_loses_nothing(path, monkeypatch):
    before = content(path)
    gallery = Gallery(path)
    Refusal(monkeypatch, 2, errno.ENOSPC)
    with pytest.warns(UserWarning, match=r"Closed without tidying up.*is whole"):
        gallery.close()
    monkeypatch.undo()
    assert content(path) == before
    Gallery(path).close()


@pytest.mark.skipif(sys.platform == "win32", reason="limits on file size are POSIX")
def test_the_systems_own_refusal_at_every_size(tmp_path):
    """A limit on the size of files, so that the system itself stops the writing: under HDF5 as well, which
    left to itself ends the process with a segmentation fault."""
    path = tmp_path / "gallery.hdf"
    with new(path) as gallery:
        gallery.enroll("first", vectors(1))
        before, refused = content(path), 0
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        assert signal.getsignal(signal.SIGXFSZ) == signal.SIG_IGN, "Python ignores the signal"
        for limit in range(0, 30_000, 487):
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
            try:
                gallery.enroll_many([str(i) for i in range(200)], vectors(200))
                break
            except GalleryError:
                refused += 1
            finally:
                resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
            assert content(path) == before
        assert refused > 20
    assert len(content(path)) == 201


@contextmanager
def nobody():
    """As a user who is not root, to whom a folder can be closed."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65_534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.mark.skipif(sys.platform == "win32", reason="folder permissions are POSIX")
def test_a_read_only_folder():
    folder = Path(tempfile.mkdtemp())  # pytest's own folders are closed to others altogether
    try:
        with new(folder / "gallery.hdf") as gallery:
            gallery.enroll("somebody", vectors(1))
        (folder / "gallery.hdf").chmod(0o644)
        (folder / "gallery.hdf.lock").unlink()
        folder.chmod(0o555)
        before = content(folder / "gallery.hdf")
        with nobody():
            with pytest.raises(GalleryError, match=r"locked for writing.*writable\? mode='r' only reads"):
                Gallery(folder / "gallery.hdf")
            with pytest.raises(GalleryError, match="writable"):
                new(folder / "another.hdf")
            assert content(folder / "gallery.hdf") == before, "reading needs no writing"
        folder.chmod(0o755)
        (folder / "gallery.hdf").chmod(0o000)
        with nobody(), pytest.raises(GalleryError, match=r"cannot be opened.*yours"):
            Gallery(folder / "gallery.hdf", "r")
    finally:
        folder.chmod(0o755)
        shutil.rmtree(folder)


# ---------------------------------------------------------------------- damage


def test_flipped_bytes_anywhere(path):
    """Every byte of the file is covered by a checksum, so every flip is noticed: in the header, in HDF5's own
    structures, in the columns, in the enrolments behind them."""
    whole, rng = path.read_bytes(), random.Random(7)
    offsets = {rng.randrange(len(whole)) for _ in range(600)} | set(range(160)) | {HEADER - 1, len(whole) - 1}
    for offset in sorted(offsets):
        damaged = bytearray(whole)
        damaged[offset] ^= 1 << rng.randrange(8)
        path.write_bytes(damaged)
        with pytest.raises(GalleryError) as caught:
            Gallery(path, "r")
        assert str(path) in str(caught.value)
        assert any(word in str(caught.value) for word in ("Bring back", "is not a facelab gallery"))
    assert path.read_bytes() == bytes(damaged), "a damaged file is left as it is"


def test_a_file_cut_short_anywhere(path):
    whole, rng = path.read_bytes(), random.Random(8)
    for length in {0, 1, 111, 112, 144, 511, 512, 513, len(whole) - 1} | {
        rng.randrange(len(whole)) for _ in range(100)
    }:
        path.write_bytes(whole[:length])
        with pytest.raises(GalleryError, match=r"gallery\.hdf"):
            Gallery(path)
        assert path.read_bytes() == whole[:length]


def forge(path: Path, build, records: bytes = b"") -> None:
    """A file whose checksums are right, with an HDF5 part that `build(hdf)` makes and `records` behind it."""
    with h5py.File(path, "w", userblock_size=HEADER) as hdf:
        hdf.attrs.update(
            format=np.int64(1),
            embedder=np.bytes_(b"test"),
            config=np.bytes_(b"test"),
            dimension=np.int64(DIMENSION),
            next_id=np.int64(10),
        )
        columns = {
            "ids": np.array([3, 5]),
            "people": np.frombuffer(line("a", {}) + line("b", {}), np.uint8),
            "person": np.array([3, 5, 5]),
            "vectors": vectors(3),
        }
        for name, array in columns.items():
            hdf.create_dataset(name, data=array)
        build(hdf)
    end = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(end)
        file.write(records)
        file.flush()
        whole = end + len(records)
        head = Head(end, whole, store._hash(file, HEADER, whole))
        file.seek(0)
        file.write(bytes(head))


def put(name: str, data=None, **options):
    def build(hdf):
        del hdf[name]
        hdf.create_dataset(name, data=data, **options)

    return build


def attribute(name: str, value):
    def build(hdf):
        hdf.attrs[name] = value

    return build


def linked(link):
    def build(hdf):
        hdf["elsewhere"] = hdf["vectors"][:]
        del hdf["vectors"]
        hdf["vectors"] = link

    return build


def virtual(hdf):
    layout = h5py.VirtualLayout((3, DIMENSION), np.float32)
    layout[:] = h5py.VirtualSource(OTHER, "vectors", (3, DIMENSION))
    del hdf["vectors"]
    hdf.create_virtual_dataset("vectors", layout)


def without(name: str):
    def build(hdf):
        del hdf[name]

    return build


def with_rows(function):
    rows = vectors(3)
    function(rows)
    return put("vectors", rows)


FORGERIES = {
    "a terabyte that is not there": put("vectors", None, shape=(2**33, DIMENSION), dtype="f4"),
    "a terabyte in chunks": put("vectors", None, shape=(2**33, DIMENSION), dtype="f4", chunks=(9, DIMENSION)),
    "a bomb of zeros": put("vectors", np.zeros((2**16, DIMENSION), "f4"), compression="gzip"),
    "a filter": put("vectors", vectors(3), shuffle=True, chunks=(1, DIMENSION)),
    "bytes of another file": put("vectors", None, shape=(3, 16), dtype="f4", external=[(OTHER, 0, 192)]),
    "a virtual column": virtual,
    "a soft link": linked(h5py.SoftLink("/elsewhere")),
    "an external link": linked(h5py.ExternalLink(OTHER, "/vectors")),
    "a group in place of a column": lambda hdf: (without("vectors")(hdf), hdf.create_group("vectors")),
    "a column missing": without("person"),
    "vectors of another width": put("vectors", np.ones((3, 4), "f4") / 2),
    "float64 vectors": put("vectors", vectors(3).astype("f8")),
    "NaN": with_rows(lambda rows: rows.__setitem__((1, 2), np.nan)),
    "infinity": with_rows(lambda rows: rows.__setitem__((1, 2), np.inf)),
    "a vector of zeros": with_rows(lambda rows: rows.__setitem__(1, 0)),
    "a vector that is too long": with_rows(lambda rows: rows.__imul__(1.001)),
    "ids out of order": put("ids", np.array([5, 3])),
    "an id twice": put("ids", np.array([3, 3])),
    "a negative id": put("ids", np.array([-1, 5])),
    "a template of nobody": put("person", np.array([3, 5, 6])),
    "somebody without a template": put("person", np.array([3, 3, 3])),
    "more templates than vectors": put("person", np.array([3, 5, 5, 5])),
    "a name too few": put("people", np.frombuffer(line("a", {}), np.uint8)),
    "a name without an end": put("people", np.frombuffer(line("a", {}) + line("b", {})[:-1], np.uint8)),
    "an id that is still to be given": attribute("next_id", np.int64(5)),
    "next_id that is no number": attribute("next_id", "soon"),
    "an embedder that is no text": attribute("embedder", np.arange(3)),
    "an embedder that is not UTF-8": attribute("embedder", np.bytes_(b"\xff\xfe")),
    "a dimension of nothing": attribute("dimension", np.int64(0)),
    "an absurd dimension": attribute("dimension", np.int64(2**62)),
    "no attributes": lambda hdf: [hdf.attrs.__delitem__(name) for name in list(hdf.attrs)],
}  # fmt: skip


def test_the_forgers_file_is_right_when_nothing_is_forged(tmp_path):
    forge(tmp_path / "g.hdf", lambda hdf: None)
    assert [(one.id, one.name, one.templates) for one in Gallery(tmp_path / "g.hdf", "r").list()] == [
        (3, "a", 1),
        (5, "b", 2),
    ]


@pytest.mark.parametrize("forgery", FORGERIES)
def test_forged_files_are_turned_away_before_memory_is_asked_for(tmp_path, forgery):
    path = tmp_path / "g.hdf"
    forge(path, FORGERIES[forgery])
    tracemalloc.start()
    start = time.perf_counter()
    with pytest.raises(GalleryError, match=r"g\.hdf.*its contents are not"):
        Gallery(path, "r")
    assert time.perf_counter() - start < 2
    assert tracemalloc.get_traced_memory()[1] < 20e6
    tracemalloc.stop()


@pytest.mark.parametrize("records", [b"\xff" * 8, b"\0" * 7, bytes([8, *[0] * 7]), b"\0\0\0\0\0\0\0@" * 4])
def test_forged_enrolments(tmp_path, records):
    forge(tmp_path / "g.hdf", lambda hdf: None, records)
    with pytest.raises(GalleryError, match="its contents are not"):
        Gallery(tmp_path / "g.hdf", "r")


@pytest.mark.parametrize("text", [b"no JSON\n", b"[]\n", b'{"name": 3}\n', b"\xff\n", b"[" * 20_000 + b"\n"])
def test_a_person_that_cannot_be_read(tmp_path, text):
    forge(tmp_path / "g.hdf", put("people", np.frombuffer(text + line("b", {}), np.uint8)))
    with Gallery(tmp_path / "g.hdf", "r") as gallery, pytest.raises(GalleryError, match=r"people is damaged"):
        gallery.list()


@pytest.mark.parametrize("config", ["", "junk", "yunet+sface", "yunet+aligned+facenet", "+++"])
def test_a_pipeline_that_nobody_has(tmp_path, config):
    def build(hdf):
        hdf.attrs.update(embedder=np.bytes_(b"sface"), config=np.bytes_(config.encode()))

    forge(tmp_path / "g.hdf", build)
    with Gallery(tmp_path / "g.hdf", "r") as gallery, pytest.raises(GalleryError, match="does not have"):
        gallery.identify(np.zeros((200, 200, 3), np.uint8))


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda path: path.write_bytes(b""), "empty"),
        (lambda path: path.write_bytes(b"GIF89a" * 1000), "is not a facelab gallery"),
        (lambda path: h5py.File(path, "w").create_group("0").file.close(), "import_slides"),
        (lambda path: path.mkdir(), "is not a file"),
        (lambda path: os.mkfifo(path), "is not a file"),
        (lambda path: path.symlink_to("/dev/zero"), "is not a file"),
    ],
)
def test_other_peoples_files_are_left_alone(tmp_path, make, says):
    path = tmp_path / "gallery.hdf"
    make(path)
    before = path.read_bytes() if path.is_file() else None
    for mode in ("r", "r+", "a"):
        with pytest.raises(GalleryError, match=says):
            Gallery(path, mode)
    assert before is None or path.read_bytes() == before


# ---------------------------------------------------------------------- links, permissions, deletion


def test_a_link_stays_a_link_and_means_the_same_gallery(path, tmp_path_factory):
    link = tmp_path_factory.mktemp("links") / "link.hdf"
    link.symlink_to(path)
    with Gallery(link) as gallery:
        gallery.delete(0)
        with pytest.raises(GalleryError, match="one writer"):
            Gallery(path, timeout=0)
    assert link.is_symlink()
    assert [one[0] for one in content(path)] == [1, 2]


def test_a_link_put_in_place_of_an_open_gallery_leads_nowhere(path, tmp_path_factory):
    victim = tmp_path_factory.mktemp("elsewhere") / "victim"
    victim.write_bytes(b"somebody else's")
    for change in ("enroll", "delete", "clear"):
        gallery = Gallery(path)
        kept = path.read_bytes()
        path.unlink()
        path.symlink_to(victim)
        with pytest.raises(GalleryError, match="no longer as this gallery left it"):
            CHANGES[change](gallery)
        assert victim.read_bytes() == b"somebody else's"
        path.unlink()
        path.write_bytes(kept)
        gallery.close()


def test_a_backup_brought_back_under_an_open_gallery_is_not_written_over(path):
    backup = path.read_bytes()
    with Gallery(path) as gallery:
        gallery.enroll("new", vectors(1))
        path.write_bytes(backup)
        with pytest.raises(GalleryError, match="Nothing was written"):
            gallery.enroll("newer", vectors(1))
        assert path.read_bytes() == backup
        with pytest.warns(UserWarning, match="no longer as this gallery left it"):
            gallery.close()
    assert path.read_bytes() == backup


@pytest.mark.skipif(sys.platform == "win32", reason="permissions are POSIX")
def test_only_the_owner_reads_it(tmp_path):
    path = tmp_path / "g.hdf"
    before = os.umask(0)
    try:
        with new(path) as gallery:
            pid = gallery.enroll("somebody", vectors(1))
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
            path.chmod(0o640)  # the owner may decide otherwise
            gallery.delete(pid)
            assert stat.S_IMODE(path.stat().st_mode) == 0o640
    finally:
        os.umask(before)


@pytest.mark.parametrize("how", ["delete", "clear", "rename"])
def test_what_is_deleted_is_gone_from_the_bytes_of_every_file(path, how):
    gone = {"name": "宇多田ヒカル".encode()}
    with Gallery(path) as gallery:
        if how != "rename":
            gone["template"] = gallery.vectors(1)[0].tobytes()
        assert all(some in path.read_bytes() for some in gone.values())
        {
            "delete": lambda: gallery.delete(1),
            "clear": gallery.clear,
            "rename": lambda: gallery.rename(1, "X"),
        }[how]()
        for file in path.parent.iterdir():  # before the gallery is closed, too
            for what, some in gone.items():
                assert some not in file.read_bytes(), (file, what)


def test_what_a_killed_writer_left_is_gone_with_the_next_one(path):
    """An unfinished new file holds templates as well."""
    leftover = path.with_name(".gallery.hdf.unfinished")
    leftover.write_bytes(b"templates")
    neighbour = path.with_name(".other.hdf.unfinished")
    neighbour.write_bytes(b"somebody else is at work")
    Gallery(path, "r").close()
    assert leftover.exists(), "a reader writes nothing"
    Gallery(path).close()
    assert not leftover.exists()
    assert neighbour.exists()


# ---------------------------------------------------------------------- two processes

HOLD = """
import sys, time
from facelab.gallery import Gallery
gallery = Gallery(sys.argv[1])
print("held", flush=True)
time.sleep(600)
"""


def test_the_second_writer_is_told_who_the_first_is(path):
    holder = subprocess.Popen([sys.executable, "-c", HOLD, path], stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout.readline() == "held\n"
        start = time.perf_counter()
        with pytest.raises(GalleryError) as caught:
            Gallery(path, timeout=0.2)
        assert time.perf_counter() - start < 5
        assert f"process {holder.pid} on {os.uname().nodename}" in str(caught.value)
        assert "mode='r'" in str(caught.value)
        assert len(content(path)) == 3, "readers are welcome"
        with pytest.raises(GalleryError, match=f"process {holder.pid}"):
            Gallery(path, timeout=0)  # told again: the first refusal has not wiped the name away
    finally:
        holder.kill()
        holder.wait()
    Gallery(path, timeout=0).close()  # the system let go of the lock


WRITE = """
import sys
import numpy as np
from facelab.gallery import Gallery
gallery = Gallery(sys.argv[1])
vectors = np.eye(16, dtype=np.float32)
print("started", flush=True)
while True:
    pid = gallery.enroll("one", vectors[0])
    gallery.add(pid, vectors[1])
    gallery.delete(pid)
"""


def test_readers_always_see_a_whole_gallery(path):
    """A reader opens the file 150 times while a writer appends and rewrites. Each time: the three who are
    always there, and somebody with no, one or two templates."""
    writer = subprocess.Popen([sys.executable, "-c", WRITE, path], stdout=subprocess.PIPE, text=True)
    seen = set()
    try:
        assert writer.stdout.readline() == "started\n"
        for _ in range(150):
            with Gallery(path, "r") as gallery:
                first, second, third, *more = gallery.list()
                assert [first.name, second.name, third.name] == ["한지수", "宇多田ヒカル", "Grace Hopper"]
                assert len(more) <= 1
                seen.add(more[0].templates if more else 0)
    finally:
        writer.kill()
        writer.wait()
    assert seen == {0, 1, 2}


def test_a_reader_keeps_what_it_opened(path):
    with Gallery(path, "r") as reader, Gallery(path) as writer:
        writer.delete(0)
        writer.enroll("new", vectors(1, 4))
        assert [one.id for one in reader.list()] == [0, 1, 2]
        assert reader.identify(vectors(2, 1)[0], threshold=0.5).id == 0
        assert [one.id for one in writer.list()] == [1, 2, 3]
