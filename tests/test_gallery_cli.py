"""`facelab gallery …`: what it prints, and with which exit status."""

import json

import h5py
import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from facelab.cli import app
from facelab.gallery import Gallery

run = CliRunner()


def facelab(*arguments):
    return run.invoke(app, ["gallery", *map(str, arguments)])


def answer(*arguments, status=0):
    done = facelab(*arguments, "--json")
    assert done.exit_code == status, done.output
    return json.loads(done.stdout)


@pytest.fixture
def photos(tmp_path, astronaut, hopper):
    Image.fromarray(astronaut).save(tmp_path / "collins.jpg", quality=95)
    Image.fromarray(astronaut[:, ::-1].copy()).save(tmp_path / "mirrored.png")
    Image.fromarray(hopper).save(tmp_path / "hopper.jpg", quality=95)
    Image.fromarray(np.zeros((90, 90, 3), np.uint8)).save(tmp_path / "nobody.png")
    return tmp_path


def test_from_enrolling_to_forgetting(photos):
    file = photos / "g.hdf"
    enrolled = answer(
        "enroll",
        file,
        "아일린 콜린스",
        photos / "collins.jpg",
        photos / "mirrored.png",
        "--meta",
        "department=NASA",
    )
    assert enrolled == {"id": 0, "name": "아일린 콜린스"}
    assert answer("list", file) == [
        {"id": 0, "name": "아일린 콜린스", "templates": 2, "metadata": {"department": "NASA"}}
    ]
    known = answer("identify", file, photos / "mirrored.png", "-k", 1)
    assert (known["name"], known["id"]) == ("아일린 콜린스", 0)
    assert known["distance"] < 0.001 < known["threshold"]
    assert known["fpir"]["low"] < known["fpir"]["value"] < known["fpir"]["high"]
    assert len(known["box"]) == 4
    assert [one["id"] for one in known["candidates"]] == [0]
    stranger = answer("identify", file, photos / "hopper.jpg", status=1)
    assert stranger["name"] is None
    assert stranger["candidates"][0]["id"] == 0

    said = facelab("identify", file, photos / "hopper.jpg")
    assert said.exit_code == 1
    assert "a stranger" in said.stdout
    assert "아일린 콜린스 (id 0)" in said.stdout
    assert "아일린 콜린스" in facelab("list", file).stdout

    assert answer("export", file, photos / "slides.hdf") == {"file": str(photos / "slides.hdf"), "people": 1}
    with h5py.File(photos / "slides.hdf") as slides:
        assert slides["0/Department"].asstr()[()] == "NASA"
    assert answer("import", file, photos / "slides.hdf") == {"ids": {"0": 1}}
    assert answer("delete", file, 0, 1) == {"deleted": [0, 1]}
    assert answer("list", file) == []
    empty = answer("identify", file, photos / "hopper.jpg", status=1)
    assert empty["distance"] is None


def test_clear_asks_first(photos):
    file = photos / "g.hdf"
    with Gallery(file) as gallery:
        gallery.enroll_many(["a", "b"], np.eye(2, 128))
    refused = facelab("clear", file)
    assert refused.exit_code == 2
    assert "2 people" in refused.stderr
    assert "--yes" in refused.stderr
    assert len(answer("list", file)) == 2
    assert answer("clear", file, "--yes") == {"deleted": [0, 1]}
    assert answer("list", file) == []


def test_many_at_once(photos):
    for name in ("Collins", "Nobody"):
        (photos / "people" / name).mkdir(parents=True)
    (photos / "collins.jpg").rename(photos / "people" / "Collins" / "1.jpg")
    (photos / "nobody.png").rename(photos / "people" / "Nobody" / "1.png")
    done = facelab("enroll", photos / "g.hdf", "--folder", photos / "people")
    assert done.exit_code == 0, done.output
    assert "1 people enrolled, with 1 templates" in done.stdout
    assert "no face" in done.stderr
    vectors = photos / "vectors.h5"
    assert run.invoke(app, ["embed", str(photos / "people"), str(vectors)]).exit_code == 0
    assert answer("enroll", photos / "g.hdf", "--templates", vectors)["ids"] == [1]
    assert [person["name"] for person in answer("list", photos / "g.hdf")] == ["Collins", "Collins"]


def test_names_do_not_steer_the_terminal(photos):
    with Gallery(photos / "g.hdf") as gallery:
        gallery.enroll("\x1b[2Jgone\nid 7", np.ones(128), note="\x1b[31m\ud800")
    shown = facelab("list", photos / "g.hdf")
    assert shown.exit_code == 0
    assert "\x1b" not in shown.stdout
    assert len(shown.stdout.splitlines()) == 2
    said = facelab("identify", photos / "g.hdf", photos / "hopper.jpg")
    assert "\x1b" not in said.stdout
    enrolled = facelab("enroll", photos / "g.hdf", "\x1b[2Jgone", photos / "hopper.jpg")
    assert enrolled.exit_code == 0
    assert "\x1b" not in enrolled.stdout


def test_json_is_json_wherever_it_goes(photos):
    """A stream that cannot write é would get `\\xe9`, which is Python's escape and not JSON's."""
    with Gallery(photos / "g.hdf") as gallery:
        gallery.enroll("é 지수 😀", np.ones(128))
    done = facelab("list", photos / "g.hdf", "--json")
    assert done.stdout.isascii()
    assert json.loads(done.stdout)[0]["name"] == "é 지수 😀"


def test_several_faces_are_a_note(photos, astronaut):
    Image.fromarray(np.concatenate([astronaut, astronaut[::2, ::2].repeat(2, 0)], 1)).save(photos / "two.png")
    done = facelab("enroll", photos / "g.hdf", "Collins", photos / "two.png")
    assert done.exit_code == 0, done.output
    assert "note: " in done.stderr
    assert "2 faces" in done.stderr
    assert "UserWarning" not in done.stderr


def test_a_new_gallery_of_another_pipeline(photos):
    file = photos / "g.hdf"
    answer("enroll", file, "Collins", photos / "collins.jpg", "--mirror")
    assert answer("identify", file, photos / "collins.jpg")["name"] == "Collins"
    with Gallery(file, "r") as gallery:
        assert gallery.about.config == "yunet+aligned+sface+mirror"
    other = facelab("enroll", file, "Collins", photos / "collins.jpg", "--detector", "mtcnn")
    assert other.exit_code == 2
    assert "yunet+aligned+sface+mirror" in other.stderr


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["list", "none.hdf"], "none.hdf"),
        (["identify", "none.hdf", "hopper.jpg"], "none.hdf"),
        (["identify", "g.hdf", "none.jpg"], "none.jpg"),
        (["identify", "g.hdf", "nobody.png"], "no face"),
        (["identify", "hopper.jpg", "hopper.jpg"], "not a facelab gallery"),
        (["identify", "g.hdf", "hopper.jpg", "--face", "3"], "face=3"),
        (["delete", "g.hdf", "7"], "id 7"),
        (["delete", "none.hdf", "7"], "none.hdf"),
        (["clear", "none.hdf", "--yes"], "none.hdf"),
        (["enroll", "g.hdf", "x"], "name and photos"),
        (["enroll", "g.hdf", "x", "hopper.jpg", "--folder", "."], "name and photos"),
        (["enroll", "g.hdf", "--folder", ".", "--face", "1"], "--face"),
        (["enroll", "g.hdf", "x", "none.jpg"], "none.jpg"),
        (["enroll", "g.hdf", "x", "hopper.jpg", "--meta", "nothing"], "--meta nothing"),
        (["enroll", "g.hdf", "x", "hopper.jpg", "--meta", "face=1"], "--meta face=1"),
        (["enroll", "g.hdf", "x", "hopper.jpg", "--meta", "a=1", "--meta", "a=2"], "a was given before"),
        (["enroll", "g.hdf", "--templates", "hopper.jpg"], "hopper.jpg"),
        (["export", "g.hdf", "hopper.jpg"], "is there already"),
        (["export", "g.hdf", "no/such/folder.hdf"], "Make it first"),
        (["import", "g.hdf", "none.hdf"], "none.hdf"),
        (["import", "g.hdf", "hopper.jpg"], "not in the slides' layout"),
        (["import", "g.hdf", "hopper.jpg", "--embedder", "arcface"], "arcface"),
    ],
)
def test_mistakes_are_one_line_that_names_them(photos, monkeypatch, arguments, named):
    monkeypatch.chdir(photos)
    Gallery("g.hdf").close()
    done = facelab(*arguments)
    assert done.exit_code == 2, done.output
    assert done.stdout == ""
    (line,) = done.stderr.strip().splitlines()
    assert named in line
    assert line.startswith("facelab: ")
    assert not (photos / "none.hdf").exists(), "a slip of the pen makes no gallery"


def test_a_first_enrolment_that_fails_leaves_no_gallery(photos):
    file = photos / "new.hdf"
    assert facelab("enroll", file, "Nobody", photos / "nobody.png").exit_code == 2
    assert not file.exists()
    answer("enroll", file, "Eileen Collins", photos / "collins.jpg")
    assert facelab("enroll", file, "Nobody", photos / "nobody.png").exit_code == 2
    assert len(answer("list", file)) == 1  # what was there stays
