"""`facelab cluster`, and `facelab gallery enroll --album`, on real photos: what they print and return."""

import json

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from facelab.album import Album
from facelab.cli import app

run = CliRunner()


def facelab(*arguments):
    return run.invoke(app, [*map(str, arguments)])


@pytest.fixture(scope="module")
def photos(tmp_path_factory, _astronaut, _hopper):
    root = tmp_path_factory.mktemp("photos")
    for name, photo in (("collins", _astronaut), ("hopper", _hopper)):
        image = Image.fromarray(photo)
        image.save(root / f"{name}.jpg", quality=95)
        image.transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(root / f"{name} mirrored.png")
    small = Image.fromarray(np.ascontiguousarray(_astronaut[:350, 50:450])).resize((250, 220))
    small.save(root / "collins small.png")
    Image.fromarray(np.zeros((90, 90, 3), np.uint8)).save(root / "nobody.png")
    (root / "broken.jpg").write_bytes(b"\xff\xd8\xff nothing more")
    return root


def test_from_a_folder_of_photos_to_a_gallery(photos, tmp_path):
    album = tmp_path / "album"
    done = facelab("cluster", photos, album, "--device", "cpu")
    assert done.exit_code == 0, done.output
    assert "5 faces, grouped at a cosine distance of 0.535" in done.stdout
    lines = [line.split(maxsplit=3) for line in done.stdout.splitlines() if " person " in line]
    assert [(line[0], line[1] + " " + line[2]) for line in lines] == [
        ("3", "person 001"),
        ("2", "person 002"),
    ]
    assert "collins" in lines[0][3]
    assert f"facelab gallery enroll GALLERY --album {album}" in done.stdout
    assert "nobody.png" in done.stderr
    assert "broken.jpg" in done.stderr

    early = facelab("gallery", "enroll", tmp_path / "g.hdf", "--album", album)
    assert early.exit_code == 2
    assert "no group has a name yet" in early.stderr
    assert not (tmp_path / "g.hdf").exists()

    (album / "person 001").rename(album / "Eileen Collins")
    done = facelab("gallery", "enroll", tmp_path / "g.hdf", "--album", album, "--json")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout) == {"ids": [0], "templates": 3, "notes": []}
    Album(album).rename("person 002", "Grace Hopper")
    done = facelab("gallery", "enroll", tmp_path / "g.hdf", "--album", album)
    assert "2 people enrolled, with 2 templates that are new" in done.stdout
    known = facelab("gallery", "identify", tmp_path / "g.hdf", photos / "hopper.jpg", "--json")
    assert json.loads(known.stdout)["name"] == "Grace Hopper"


def test_the_threshold_can_be_given_either_way(photos, tmp_path):
    done = facelab("cluster", photos, tmp_path / "a", "--threshold", "0.01", "--json")
    assert done.exit_code == 0, done.output
    answer = json.loads(done.stdout)
    assert answer["threshold"] == 0.01
    assert "others" in [group["name"] for group in answer["groups"]]
    assert sum(len(group["faces"]) for group in answer["groups"]) == 5
    assert len(answer["notes"]) == 2
    done = facelab("cluster", photos, tmp_path / "b", "--fmr", "1e-3", "--json")
    assert json.loads(done.stdout)["threshold"] == pytest.approx(0.643)


def test_a_new_gallery_is_of_the_albums_pipeline(photos, tmp_path):
    album, file = tmp_path / "album", tmp_path / "g.hdf"
    assert facelab("cluster", photos, album, "--detector", "mtcnn").exit_code == 0
    (album / "person 001").rename(album / "Collins")
    assert facelab("gallery", "enroll", file, "--album", album).exit_code == 0
    found = facelab("gallery", "identify", file, photos / "collins.jpg", "--json")
    assert json.loads(found.stdout)["name"] == "Collins"
    other = facelab("gallery", "enroll", tmp_path / "h.hdf", "--album", album, "--detector", "yunet")
    assert other.exit_code == 2
    assert "cannot be compared" in other.stderr
    assert not (tmp_path / "h.hdf").exists()


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["cluster", "nowhere", "album"], "nowhere does not exist"),
        (["cluster", "photos", "photos/album"], "lies in the folder of the photos"),
        (["cluster", "photos", "full"], "holds something else"),
        (["cluster", "photos", "album", "--fmr", "0.01", "--threshold", "0.5"], "give one of them"),
        (["gallery", "enroll", "g.hdf", "--album", "full"], "is no album"),
        (["gallery", "enroll", "g.hdf", "Jisoo", "--album", "full"], "--album"),
        (["gallery", "enroll", "g.hdf", "--folder", "photos", "--album", "full"], "--album"),
        (["gallery", "enroll", "g.hdf", "--album", "full", "--face", "0"], "--meta and --face"),
    ],
)
def test_mistakes_are_one_line_that_names_them(arguments, named, tmp_path, monkeypatch, hopper):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").mkdir()
    Image.fromarray(hopper).save(tmp_path / "photos" / "a.png")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "x").write_text("")
    done = facelab(*arguments)
    assert done.exit_code == 2
    assert named in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert {path.name for path in tmp_path.iterdir()} == {"photos", "full"}
