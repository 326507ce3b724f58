"""Photos → crops, once: gone on with when interrupted, checked when read, honest about what is missing."""

import json
import signal
import sys

import h5py
import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

import facelab as fl
from facelab.cli import app
from facelab.course import drawn
from facelab.datasets import folder
from facelab.errors import DatasetError, ImageError
from facelab.training import crops as crops_module
from facelab.training import crops_of, prepare, read_crops
from facelab.training.pixels import Pixels

PEOPLE, PHOTOS = 9, 6


@pytest.fixture(autouse=True)
def _home(tmp_path, monkeypatch):
    monkeypatch.setenv("FACELAB_HOME", str(tmp_path / "home"))


@pytest.fixture(scope="module")
def album(tmp_path_factory):
    """Drawn people as PNG files; YuNet finds most of them."""
    root = tmp_path_factory.mktemp("album")
    people = drawn.identities(PEOPLE, seed=3)
    images = drawn.photos(people, np.repeat(np.arange(PEOPLE), PHOTOS), seed=1)
    for number, image in enumerate(images):
        name = root / f"지수 {number // PHOTOS}" / f"{number % PHOTOS}.png"
        name.parent.mkdir(exist_ok=True)
        Image.fromarray(image).resize((224, 224)).save(name)
    (root / "지수 0" / "no photo.jpg").write_bytes(b"not a photo")
    (root / "지수 1" / "again.png").write_bytes((root / "지수 1" / "0.png").read_bytes())
    (root / "지수 2" / "of another.png").write_bytes((root / "지수 3" / "1.png").read_bytes())
    return root


@pytest.fixture(scope="module")
def pipe():
    return fl.Pipeline(faces="largest", device="cpu", batch_size=4, min_score=0.6)


def test_crops_are_the_pipelines_own(album, pipe, tmp_path):
    made = prepare(folder(album), tmp_path / "a.crops.h5", pipe, progress=False)
    again = {path: row for row, path in enumerate(made.paths)}
    assert len(made) > 25
    assert made.names[0] == "지수 0"
    path = made.paths[4]
    result = pipe.one(path)
    np.testing.assert_array_equal(made.images(rows=[again[path]])[0], result.crops[0])
    np.testing.assert_allclose(made.vectors[4], result.vectors[0], atol=1e-5)
    assert made.names[made.identity[4]] in path
    assert not any("again.png" in p or "of another" in p for p in made.paths)
    notes = "\n".join(made.notes)
    assert "the same photo, taken once" in notes
    assert "under the names 지수 2 and 지수 3, left out" in notes
    assert "no photo.jpg" in notes
    small = made.images(56)
    whole = made.images().astype(float).reshape(len(made), 56, 2, 56, 2, 3).mean((2, 4))
    assert np.abs(small - whole).max() <= 0.5
    assert not list(tmp_path.glob("*.parts"))


def test_an_interruption_costs_no_more_than_a_part(album, pipe, tmp_path, monkeypatch):
    monkeypatch.setattr(crops_module, "PART", 4)
    whole = prepare(folder(album), tmp_path / "whole.h5", pipe, progress=False)

    class Interrupted:
        """The same pipeline, until somebody pulls the plug."""

        config, faces, embedder = pipe.config, pipe.faces, pipe.embedder
        seen = 0

        def __call__(self, photos, progress):
            for result in pipe(photos, progress=False):
                self.seen += 1
                if self.seen == 14:
                    raise KeyboardInterrupt
                yield result

    with pytest.raises(KeyboardInterrupt):
        prepare(folder(album), tmp_path / "b.h5", Interrupted(), progress=False)
    assert not (tmp_path / "b.h5").exists()
    rest = Interrupted()
    rest.seen = -1000
    made = prepare(folder(album), tmp_path / "b.h5", rest, progress=False)
    assert rest.seen + 1000 == len(folder(album)) - 12, "three parts of four were whole"
    assert made.sha256 == whole.sha256
    np.testing.assert_array_equal(made.images(), whole.images())


def test_the_same_photos_are_not_cut_out_twice_and_others_are_refused(album, pipe, tmp_path):
    made = prepare(folder(album), tmp_path / "a.h5", pipe, progress=False)

    class Never:
        config, faces, embedder = pipe.config, pipe.faces, pipe.embedder

    assert prepare(folder(album), tmp_path / "a.h5", Never(), progress=False).sha256 == made.sha256
    with pytest.raises(DatasetError, match=r"a\.h5: holds crops of other photos"):
        prepare(folder(album), tmp_path / "a.h5", fl.Pipeline(faces="central", device="cpu"), progress=False)


def test_a_damaged_file_is_named(album, pipe, tmp_path):
    made = prepare(folder(album), tmp_path / "a.h5", pipe, progress=False)
    with h5py.File(tmp_path / "a.h5") as file:
        at = file["crops"].id.get_chunk_info(3).byte_offset
    with open(tmp_path / "a.h5", "r+b") as file:
        file.seek(at + 100)
        file.write(b"\xff\x00\xff")
    with pytest.raises(DatasetError, match=r"a\.h5: damaged.*prepare it again"):
        made.images()
    (tmp_path / "a.h5").write_bytes(b"HDF")
    with pytest.raises(DatasetError, match=r"a\.h5: no file of crops"):
        read_crops(tmp_path / "a.h5")
    with pytest.raises(DatasetError, match="there is no such file"):
        read_crops(tmp_path / "none.h5")


def test_nobody_left_says_why(tmp_path, pipe):
    (tmp_path / "a" / "x").mkdir(parents=True)
    Image.new("RGB", (64, 64)).save(tmp_path / "a" / "x" / "black.png")
    with pytest.raises((DatasetError, ImageError), match="found no face"):
        prepare(folder(tmp_path / "a"), tmp_path / "a.h5", pipe, progress=False)
    assert not (tmp_path / "a.h5").exists()


def test_pixels_are_the_same_from_memory_and_from_the_file(album, pipe, tmp_path):
    import torch

    made = prepare(folder(album), tmp_path / "a.h5", pipe, progress=False)
    batches = [np.array([3, 1, 1]), np.array([0, 7, 2]), np.array([5])]
    held = list(Pixels(made, 56, torch.device("cpu")).ahead(batches))
    read = list(Pixels(made, 56, torch.device("cpu"), in_memory=0).ahead(batches))
    assert len(held) == len(read) == 3
    for one, other, rows in zip(held, read, batches, strict=True):
        torch.testing.assert_close(one, other)
        np.testing.assert_array_equal(one.numpy(), made.images(56)[rows])


def test_the_command_trains_resumes_and_exports(album, tmp_path):
    run = CliRunner()
    out = tmp_path / "out"
    small = ["--epochs", "2", "--batch-size", "8", "--held-out", "0.4", "--device", "cpu", "--near", "1.1"]
    done = run.invoke(app, ["train", str(album), str(out), *small, "--json", "--distil", "1"])
    assert done.exit_code == 0, done.output
    answer = json.loads(done.stdout.splitlines()[-1])
    assert answer["figures"]["people"] >= 2
    assert "cutting faces out" in done.stderr
    again = run.invoke(app, ["train", str(album), str(out), *small])
    assert again.exit_code == 2
    assert "holds a run already" in again.stderr
    (tmp_path / "names.txt").write_text("지수 4\n지수 1\n", encoding="utf-8")
    its = [
        "--epochs",
        "1",
        "--batch-size",
        "8",
        "--head",
        "CosFace",
        "-s",
        "16",
        "-m",
        "0.1",
        "--near",
        "1.1",
    ]
    crops, names = str(tmp_path / "out.crops.h5"), str(tmp_path / "names.txt")
    named = run.invoke(app, ["train", crops, str(tmp_path / "named"), "--held-out", names, *its])
    assert named.exit_code == 0, named.output
    assert "People never seen: AUC" in named.stdout
    assert "CosFace (s = 16.0, m = 0.1)" in (tmp_path / "named" / "MODEL_CARD.md").read_text()
    wrong = run.invoke(app, ["train", str(album), str(tmp_path / "x"), "--held-out", "nobody.txt"])
    assert wrong.exit_code == 2
    assert "neither a share (0.1), nor devtest, nor a text file" in " ".join(wrong.stderr.split())
    assert "cutting faces out" not in again.stderr + wrong.stderr
    bad = run.invoke(app, ["train", str(album), str(tmp_path / "x"), "--head", "Arcface"])
    assert bad.exit_code == 2
    assert "choose one of Softmax" in bad.stderr
    bad = run.invoke(app, ["train", str(album), str(tmp_path / "x"), "--head", "Softmax", "-m", "0.3"])
    assert "'Softmax' has no m" in bad.stderr
    written = run.invoke(app, ["export", str(out), str(tmp_path / "o.onnx")])
    assert written.exit_code == 0, written.output
    assert "agrees with onnxruntime" in written.stdout


def test_ctrl_c_ends_the_cutting_and_a_second_one_the_training(album, tmp_path, monkeypatch):
    seen = []

    def cut(*_):
        seen.append(signal.getsignal(signal.SIGINT))
        return crops_of(np.zeros((8, 112, 112, 3), np.uint8), np.arange(8) // 2, list("abcd"))

    def trained(*_, stop, **__):
        signal.raise_signal(signal.SIGINT)
        assert stop.is_set()
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(sys.modules["facelab.cli.train"], "_crops", cut)
    monkeypatch.setattr("facelab.training.train", trained)
    done = CliRunner().invoke(app, ["train", str(album), str(tmp_path / "out"), "--held-out", "0.5"])
    assert done.exit_code == 130, done.output
    assert seen == [signal.default_int_handler]


def test_crops_made_in_memory():
    images = np.zeros((4, 112, 112, 3), np.uint8)
    made = crops_of(images, [0, 0, 1, 1], ["a", "b"])
    assert made.vectors.shape == (4, 0)
    assert made.sha256 != crops_of(images, [0, 1, 1, 1], ["a", "b"]).sha256
    with pytest.raises(ValueError, match="side=50"):
        made.images(50)
