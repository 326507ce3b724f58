"""`facelab embed` in earnest: interrupted, killed, out of disk, on a cluster; the file is the same."""

import os
import signal
import subprocess
import sys
import textwrap
import time

import filelock
import h5py
import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from facelab import bulk
from facelab.bulk import Ray, embed_photos
from facelab.cli import app
from facelab.course import drawn
from facelab.errors import DeviceError, FacelabError
from facelab.pipeline import Pipeline

PEOPLE, PHOTOS, PART = 10, 4, 8


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Forty drawn photos in order of their names, a file that is none, and a name that is not UTF-8."""
    root = tmp_path_factory.mktemp("photos")
    images = drawn.photos(drawn.identities(PEOPLE, seed=3), np.repeat(np.arange(PEOPLE), PHOTOS), seed=1)
    for number, image in enumerate(images):
        Image.fromarray(image).resize((224, 224)).save(root / f"지수 {number:02d}.png")
    (root / "지수 11 broken.jpg").write_bytes(b"\xff\xd8\xff nothing more")
    odd = os.path.join(os.fsencode(root), b"z\xff odd.png")
    with open(odd, "wb") as stream:
        stream.write((root / "지수 00.png").read_bytes())
    return root


@pytest.fixture(scope="module")
def pipe():
    return Pipeline(device="cpu", batch_size=4, min_score=0.6)


@pytest.fixture(scope="module")
def whole(photos, pipe, tmp_path_factory):
    """What an unbroken run gives."""
    target = tmp_path_factory.mktemp("whole") / "out.h5"
    embed_photos(photos, target, pipe, part=PART, progress=False)
    return read(target)


def read(path):
    with h5py.File(path) as file:
        return {name: file[name][()] for name in file}


def assert_same(one, other):
    assert one.keys() == other.keys()
    for name in one:
        if one[name].dtype.kind == "f":
            np.testing.assert_allclose(one[name], other[name], atol=2e-5, err_msg=name)
        else:
            np.testing.assert_array_equal(one[name], other[name], err_msg=name)


def test_the_file_is_what_the_pipeline_says(photos, pipe, whole, tmp_path):
    results = list(pipe(photos, progress=False))
    assert len(results) == PEOPLE * PHOTOS + 2
    assert os.path.basename(os.fsencode(results[0].path)) == b"z\xff odd.png"
    np.testing.assert_allclose(whole["vectors"], np.concatenate([r.vectors for r in results]), atol=2e-5)
    np.testing.assert_array_equal(
        whole["photo"], np.repeat(np.arange(len(results)), [len(r.faces) for r in results])
    )
    assert [bool(error) for error in whole["errors"]] == [r.error is not None for r in results]
    assert b"broken.jpg" in b" ".join(whole["errors"])
    assert len(whole["vectors"]) > 25


def test_nothing_lies_about_afterwards_and_the_rest_is_quick(photos, pipe, tmp_path, monkeypatch):
    target = tmp_path / "out.h5"
    embed_photos(photos, target, pipe, part=PART, progress=False)
    assert [path.name for path in tmp_path.iterdir()] == ["out.h5"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, DeviceError("out of memory: use batch_size=16.")])
def test_an_interruption_costs_no_more_than_a_part(photos, pipe, whole, tmp_path, monkeypatch, error):
    real, calls = Pipeline.__call__, []

    def third_part_fails(self, paths, *arguments, **options):
        calls.append(len(paths))
        if len(calls) == 3:
            raise error
        return real(self, paths, *arguments, **options)

    monkeypatch.setattr(Pipeline, "__call__", third_part_fails)
    target = tmp_path / "out.h5"
    with pytest.raises(BaseException) as caught:
        embed_photos(photos, target, pipe, part=PART, progress=False)
    assert caught.type in (KeyboardInterrupt, DeviceError)
    assert not target.exists()
    assert not list(tmp_path.glob("out.h5.parts/*.tries")), "nobody died"
    calls[:] = [0, 0, 0]
    embed_photos(photos, target, pipe, part=PART, progress=False)
    assert sum(calls) == PEOPLE * PHOTOS + 2 - 2 * PART, "two parts were whole"
    assert_same(read(target), whole)


def test_other_photos_or_another_pipeline_begin_anew(photos, pipe, tmp_path, monkeypatch):
    target = tmp_path / "out.h5"
    parts = tmp_path / "out.h5.parts"
    paths = sorted(photos.glob("지수*.png"))

    def stop(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("facelab.embeddings_file.join", stop)
        with pytest.raises(KeyboardInterrupt):
            embed_photos(paths[:6], target, pipe, part=4, progress=False)
    kept = {path.name: path.stat().st_mtime_ns for path in parts.glob("*.h5")}
    assert len(kept) == 2
    other = Pipeline(device="cpu", batch_size=4, min_score=0.6, mirror=True)
    written = embed_photos(paths[:6], target, other, part=4, progress=False)
    assert written.photos == 6
    with h5py.File(target) as file:
        assert file.attrs["config"] == "yunet+aligned+sface+mirror"


def test_a_damaged_part_is_made_again(photos, pipe, whole, tmp_path, monkeypatch):
    target = tmp_path / "out.h5"
    join = bulk.embeddings_file.join

    def after_damage(files, *rest):
        files[1].write_bytes(files[1].read_bytes()[:-500])
        return join(files, *rest)

    with monkeypatch.context() as patch:
        patch.setattr("facelab.embeddings_file.join", after_damage)
        with pytest.raises(FacelabError, match=r"damaged.*The same command makes it again"):
            embed_photos(photos, target, pipe, part=PART, progress=False)
    assert not target.exists()
    embed_photos(photos, target, pipe, part=PART, progress=False)
    assert_same(read(target), whole)


def test_what_is_not_ours_is_not_removed(photos, pipe, tmp_path):
    target = tmp_path / "faces.h5"
    folder = tmp_path / "faces.h5.parts"
    folder.mkdir()
    diary = folder / "diary.txt"
    diary.write_text("dear")
    with pytest.raises(FacelabError, match=r"diary\.txt, which is none of them"):
        embed_photos(photos, target, pipe, part=PART, progress=False)
    assert diary.read_text() == "dear"
    diary.rename(tmp_path / "diary.txt")
    embed_photos(photos, target, pipe, part=PART, progress=False)
    assert not folder.exists()


def test_two_at_once_are_not_let_in(photos, pipe, tmp_path):
    folder = tmp_path / "out.h5.parts"
    folder.mkdir()
    with (
        filelock.FileLock(folder / ".lock"),
        pytest.raises(FacelabError, match="another process is at work"),
    ):
        embed_photos(photos, tmp_path / "out.h5", pipe, progress=False)


def test_no_photos_no_file(tmp_path, pipe):
    (tmp_path / "empty").mkdir()
    with pytest.raises(FacelabError, match="no photo"):
        embed_photos(tmp_path / "empty", tmp_path / "out.h5", pipe)
    with pytest.raises(FacelabError, match="is a folder"):
        embed_photos(tmp_path / "empty", tmp_path, pipe)
    with pytest.raises(FacelabError, match="there is no folder"):
        embed_photos(tmp_path / "empty", tmp_path / "not there" / "out.h5", pipe)
    assert [path.name for path in tmp_path.iterdir()] == ["empty"]


def test_relative_and_absolute_names_may_be_mixed(photos, pipe, tmp_path, monkeypatch):
    monkeypatch.chdir(photos)
    written = embed_photos(["지수 00.png", photos / "지수 01.png"], tmp_path / "out.h5", pipe, progress=False)
    assert written.photos == 2
    assert all("found no face" in reason for _, reason in written.failed), "both were read"


RUN = """
import os, resource, sys
from facelab import bulk
from facelab.pipeline import Pipeline
photos, target, limit, fatal = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]
if limit:
    import signal
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
if fatal:
    import facelab.decoding, facelab.pipeline
    real = facelab.decoding.read_image
    def deadly(source, **options):
        if fatal in str(source):
            os.kill(os.getpid(), 9)
        return real(source, **options)
    facelab.decoding.read_image = deadly
try:
    pipe = Pipeline(device="cpu", batch_size=4, min_score=0.6)
    bulk.embed_photos(photos, target, pipe, part=8, progress=False)
except bulk.FacelabError as error:
    print(error)
    sys.exit(2)
"""


def run(photos, target, limit=0, fatal=""):
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(RUN), str(photos), str(target), str(limit), fatal],
        capture_output=True, text=True, timeout=120, env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip


def test_a_full_disk_is_an_error_and_loses_nothing(photos, whole, tmp_path):
    """The last file is larger than a part, and there is just no room for it: HDF5 by itself would crash."""
    target = tmp_path / "out.h5"
    target.write_text("precious")
    done = run(photos, target, limit=45_000)
    assert done.returncode == 2, (done.returncode, done.stderr[-500:])
    assert "File too large" in done.stdout
    assert "disk not full" in done.stdout
    assert target.read_text() == "precious"
    assert not list(tmp_path.glob(".*part"))
    assert run(photos, target).returncode == 0
    assert_same(read(target), whole)


def test_a_photo_that_kills_is_left_out_and_named(photos, whole, tmp_path):
    target = tmp_path / "out.h5"
    deaths = 0
    while (done := run(photos, target, fatal="지수 17")).returncode != 0:
        assert done.returncode == -signal.SIGKILL, done.stderr[-500:]
        deaths += 1
        assert deaths < 6
    assert deaths == 3, "once with others in hand, twice by itself"
    made = read(target)
    bad = [error.decode() for error in made["errors"] if b"17.png" in error]
    assert bad
    assert "the process that read it ended 2 times" in bad[0]
    assert sum(bool(e) for e in made["errors"]) == sum(bool(e) for e in whole["errors"]) + 1


def test_a_worker_of_a_cluster_is_killed(photos, whole, tmp_path):
    """A cluster of two workers on this machine; one is ended by its id in mid-part. Same file."""
    pytest.importorskip("ray", reason="Ray has no wheel for this Python")
    target, killed = tmp_path / "out.h5", None
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    program = textwrap.dedent(f"""
        from facelab.bulk import Ray, embed_photos
        from facelab.pipeline import Pipeline
        pipe = Pipeline(device="cpu", batch_size=4, min_score=0.6)
        embed_photos({str(photos)!r}, {str(target)!r}, pipe, Ray(workers=2), part={PART}, progress=False)
    """)
    with subprocess.Popen([sys.executable, "-c", program], env=environment, stderr=subprocess.PIPE) as driver:
        end = time.monotonic() + 100
        while driver.poll() is None and time.monotonic() < end and killed is None:
            for log in (tmp_path / "out.h5.parts").glob("*.tries"):
                text = log.read_text() if log.exists() else ""
                if text.startswith("begin "):
                    killed = int(text.split()[1])
                    assert killed != driver.pid
                    os.kill(killed, signal.SIGKILL)
                    break
            time.sleep(0.01)
        _, errors = driver.communicate(timeout=100)
    assert killed is not None
    assert driver.returncode == 0, errors.decode()[-2000:]
    assert_same(read(target), whole)
    assert [path.name for path in tmp_path.iterdir()] == ["out.h5"]


def test_a_cluster_that_is_not_there(photos, pipe, tmp_path, monkeypatch):
    pytest.importorskip("ray", reason="Ray has no wheel for this Python")
    began = time.monotonic()
    with pytest.raises(FacelabError, match=r"no cluster at 127\.0\.0\.1:1"):
        embed_photos(photos, tmp_path / "out.h5", pipe, Ray("127.0.0.1:1"), progress=False)
    assert time.monotonic() - began < 20


def test_the_command(photos, tmp_path, whole, monkeypatch):
    target = tmp_path / "out.h5"
    done = CliRunner().invoke(app, ["embed", str(photos), str(target), "--workers", "2"])
    assert done.exit_code == 2
    assert "--engine ray" in done.stderr

    def stop(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("facelab.embeddings_file.join", stop)
        done = CliRunner().invoke(app, ["embed", str(photos), str(target), "--device", "cpu"])
    assert done.exit_code == 130
    assert "The same command goes on" in done.stderr
