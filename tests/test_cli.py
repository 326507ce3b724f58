"""The command line: what it prints, where, and with which exit status."""

import errno
import json
import os
import subprocess
import sys

import h5py
import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from facelab import doctor as checks
from facelab import embeddings_file
from facelab.cli import app

run = CliRunner()


def facelab(*arguments):
    return run.invoke(app, [str(argument) for argument in arguments])


@pytest.fixture
def photos(tmp_path, astronaut, hopper):
    for name, photo in (("collins", astronaut), ("hopper", hopper)):
        Image.fromarray(photo).save(tmp_path / f"{name}.jpg", quality=95)
    Image.fromarray(astronaut[:, ::-1].copy()).save(tmp_path / "collins mirrored.png")
    Image.fromarray(np.zeros((90, 90, 3), np.uint8)).save(tmp_path / "nobody.png")
    return tmp_path


def test_verify_same_and_different(photos):
    same = facelab("verify", photos / "collins.jpg", photos / "collins mirrored.png", "--device", "cpu")
    assert same.exit_code == 0, same.output
    assert "same person" in same.stdout
    assert "false match rate" in same.stdout
    assert "cpu" in same.stdout, "it says which device"
    different = facelab("verify", photos / "collins.jpg", photos / "hopper.jpg", "--device", "cpu")
    assert different.exit_code == 1
    assert "different people" in different.stdout


def test_verify_json(photos):
    done = facelab("verify", photos / "collins.jpg", photos / "hopper.jpg", "--json", "--device", "cpu")
    answer = json.loads(done.stdout)
    assert answer["same"] is False
    assert answer["fmr"]["low"] <= answer["fmr"]["value"] <= answer["fmr"]["high"]
    assert len(answer["boxes"]) == 2


def test_verify_of_two_photos_without_a_face_is_one_line_and_no_success(photos):
    done = facelab("verify", photos / "nobody.png", photos / "nobody.png", "--device", "cpu")
    assert done.exit_code == 2
    assert done.stdout == ""
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1
    assert "nobody.png" in lines[0]
    assert "no face" in lines[0]


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["verify", "no such.jpg", "b.jpg"], "no such.jpg"),
        (["verify", "a.jpg", "b.jpg", "--threshold", "0.5", "--fmr", "0.1"], "--threshold and --fmr"),
        (["embed", "no such folder", "out.h5"], "no such folder"),
        (["data", "get", "megaface"], "megaface"),
        (["weights", "get", "nonsense"], "nonsense"),
        (["embed", ".", "out.h5"], "no photo"),
    ],
)
def test_mistakes_are_one_line_that_names_them(arguments, named, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = facelab(*arguments)
    assert done.exit_code == 2
    assert named in done.stderr
    lines = [line for line in done.stderr.splitlines() if not line.startswith("Pipeline(")]
    assert len(lines) == 1, "besides saying which pipeline it is"
    assert "Traceback" not in done.output


def test_embed_a_folder(photos, tmp_path):
    (photos / "broken.jpg").write_bytes(b"\xff\xd8\xff nothing more")
    out = tmp_path / "vectors.h5"
    done = facelab("embed", photos, out, "--device", "cpu", "--batch-size", "2")
    assert done.exit_code == 0, done.output
    assert "5 photos; faces: 3, photos without any: 2" in done.stdout
    assert "broken.jpg" in done.stderr
    with h5py.File(out) as file:
        assert file["vectors"].shape == (3, 128)
        assert np.allclose(np.linalg.norm(file["vectors"][:], axis=1), 1, atol=1e-5)
        names = [os.path.basename(name) for name in file["photos"].asstr()[:]]
        assert names == sorted(names)
        shown = [names[row] for row in file["photo"][:]]
        assert set(shown) == {"collins.jpg", "collins mirrored.png", "hopper.jpg"}
        errors = dict(zip(names, file["errors"].asstr()[:], strict=True))
        assert "broken.jpg" in errors["broken.jpg"]
        assert errors["hopper.jpg"] == ""
        assert file.attrs["config"] == "yunet+aligned+sface"


def test_embed_writes_over_nothing_unasked(photos, tmp_path):
    out = tmp_path / "vectors.h5"
    out.write_text("precious")
    done = facelab("embed", photos, out, "--device", "cpu")
    assert done.exit_code == 2
    assert "--force" in done.stderr
    assert out.read_text() == "precious"


def test_a_full_disk_leaves_what_was_there(photos, tmp_path, monkeypatch):
    out = tmp_path / "vectors.h5"
    out.write_text("precious")

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(embeddings_file, "_append", full)
    done = facelab("embed", photos, out, "--device", "cpu", "--force")
    assert done.exit_code == 2
    assert "No space left" in done.stderr
    assert out.read_text() == "precious"
    assert not list(tmp_path.glob(".*part")), "nothing half-written stays behind"


def test_doctor_finds_this_machine_fit(monkeypatch):
    done = facelab("doctor")
    assert done.exit_code == 0, done.output
    for what in ("Python", "torch", "weights yunet", "weights sface", "pipeline", "LFW"):
        assert what in done.stdout


def test_doctor_says_what_is_broken_and_how_to_mend_it(monkeypatch, tmp_path):
    cache = tmp_path / "weights"
    cache.mkdir()
    (cache / "face_recognition_sface_2021dec_int8bq.onnx").write_bytes(b"damaged")
    monkeypatch.setenv("FACELAB_HOME", str(tmp_path))
    done = facelab("doctor")
    assert done.exit_code == 2
    assert "BROKEN" in done.stdout
    assert "SHA-256" in done.stdout
    assert "facelab weights get sface" in done.stdout


def test_doctor_opens_no_connection(monkeypatch):
    import socket

    def refuse(*_):
        raise AssertionError("doctor went to the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    assert checks.examine()


def test_status_tables():
    for arguments in (("weights", "status"), ("data", "status")):
        done = facelab(*arguments)
        assert done.exit_code == 0, done.output
        assert len(done.stdout.splitlines()) >= 4


def test_embed_into_a_folder_is_refused_before_the_work(photos, tmp_path):
    for out in (tmp_path, "."):
        done = facelab("embed", photos, out, "--force")
        assert done.exit_code == 2
        assert "is a folder" in done.stderr


def test_a_message_with_odd_characters_goes_into_the_file(photos, tmp_path):
    """The name of a PNG's chunk is the file's own business, a zero byte in it, too."""
    png = (photos / "nobody.png").read_bytes()
    (photos / "hostile.png").write_bytes(png[:33] + b"\0\0\0\1A\0\x1b[x" + b"\0\0\0\0" + png[33:])
    done = facelab("embed", photos, tmp_path / "vectors.h5", "--device", "cpu")
    assert done.exit_code == 0, done.output
    assert "hostile.png is damaged" in done.stderr
    assert "\x1b" not in done.stderr


@pytest.mark.parametrize("error", [PermissionError(13, "Permission denied", "weights"), KeyError("a bug")])
def test_what_goes_wrong_unforeseen_is_not_different_people(photos, monkeypatch, error):
    from facelab import pipeline

    def fails(*_, **__):
        raise error

    monkeypatch.setattr(pipeline, "Pipeline", fails)
    done = facelab("verify", photos / "collins.jpg", photos / "hopper.jpg")
    assert done.exit_code == 2
    assert ("weights: Permission denied" in done.stderr) is isinstance(error, OSError)
    assert ("Traceback" in done.stderr) is not isinstance(error, OSError)


def test_output_that_knows_few_characters(photos):
    """A redirected stdout on Windows is often cp1252, which has no "≤"."""
    pair = [str(photos / "collins.jpg"), str(photos / "collins mirrored.png")]
    done = subprocess.run(
        [sys.executable, "-m", "facelab.cli", "verify", *pair, "--device", "cpu"],
        env={**os.environ, "PYTHONIOENCODING": "cp1252"},
        capture_output=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert b"same person" in done.stdout


def test_doctor_survives_what_it_finds(monkeypatch):
    from facelab import datasets

    def breaks(*_):
        raise ModuleNotFoundError("No module named 'h5py'")

    monkeypatch.setattr(datasets, "lfw_templates", breaks)
    done = facelab("doctor")
    assert done.exit_code == 0
    assert "No module named 'h5py'" in done.stdout
