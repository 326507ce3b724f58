"""`facelab benchmark`, `facelab calibrate`: what they print is what was counted, and errors are one line."""

import json

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from facelab import Pipeline, datasets, embeddings_file, evaluation, metrics
from facelab.cli import app
from facelab.errors import DatasetError


def facelab(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def templates():
    return datasets.lfw_templates()


# ---------------------------------------------------------------------- benchmark


def test_lfw_from_the_templates(templates):
    done = facelab("benchmark", "lfw", "--json")
    assert done.exit_code == 0, done.output
    told, pairs = json.loads(done.stdout), templates.pairs["lfw"]
    by_hand = metrics.k_fold_accuracy(templates.scores("lfw"), pairs.same, pairs.fold)
    assert told["folds"]["mean"] == by_hand.mean
    assert told["eer"]["value"] == metrics.eer(templates.scores("lfw"), pairs.same)
    assert told["eer"]["low"] < told["eer"]["value"] < told["eer"]["high"]
    assert told["pairs"] == 6000
    assert "computed beforehand" in told["source"]
    assert "yunet+aligned+sface" in told["source"]


def test_lookalikes_say_what_they_are():
    done = facelab("benchmark", "lfw", "--protocol", "lookalike")
    assert done.exit_code == 0, done.output
    assert "a worst case for these weights, not FGLFW" in done.stdout
    assert "97.32%" in done.stdout


def test_view_1_chooses_its_threshold_elsewhere(templates):
    done = facelab("benchmark", "lfw", "--protocol", "devtest", "--json")
    told, learn, test = json.loads(done.stdout), templates.pairs["devtrain"], templates.pairs["devtest"]
    threshold = metrics.best_threshold(templates.scores("devtrain"), learn.same)
    right = ((templates.scores("devtest") >= threshold) == test.same).mean()
    assert told["accuracy"]["value"] == right
    assert told["distance_thresholds"] == pytest.approx([1 - threshold] * 2)
    assert told["folds"] is None
    assert "View 1" in told["caveat"]


def test_without_lists_or_photos_it_says_what_brings_them(monkeypatch, tmp_path):
    monkeypatch.setenv("FACELAB_HOME", str(tmp_path))
    for arguments, words in (
        (["--protocol", "fglfw"], "facelab data get fglfw --from FILE"),
        (["--photos"], "facelab data get lfw"),
        (["--mirror"], "facelab data get lfw"),
        (["--detector", "mtcnn"], "facelab data get lfw"),
    ):
        done = facelab("benchmark", "lfw", *arguments)
        assert done.exit_code == 2, done.output
        assert words in done.stderr
        assert len(done.stderr.strip().splitlines()) == 1
        assert done.stdout == ""


@pytest.fixture
def fglfw_home(lfw, tmp_path, monkeypatch):
    """A home with LFW's photos, and a list in FGLFW's shape: the look-alikes, by name."""
    folder = tmp_path / "lfw"
    folder.mkdir()
    (folder / lfw.variant).symlink_to(lfw.root, target_is_directory=True)
    pairs = lfw.pairs("lookalike")
    lines = [f"{a}_{i:04d}.jpg {b}_{j:04d}.jpg\n" for (a, i), (b, j) in zip(pairs.a, pairs.b, strict=True)]
    (folder / "fglfw.txt").write_text("".join(lines))
    monkeypatch.setenv("FACELAB_HOME", str(tmp_path))
    return folder


def test_fglfw_on_the_templates(fglfw_home, templates):
    scored = evaluation.scored_templates("fglfw", templates)
    assert np.array_equal(scored.scores, templates.scores("lookalike"))
    assert facelab("benchmark", "lfw", "--protocol", "fglfw").exit_code == 0
    (fglfw_home / "deepfunneled").unlink()  # without the photos nobody knows whom the list means
    with pytest.raises(DatasetError, match="LFW's photos tell who is who"):
        evaluation.scored_templates("fglfw", templates)


def test_photos_and_templates_agree(lfw, templates):
    """Forty pairs end to end: the same scores, for LFW's own and for the look-alike protocol."""
    pipe = Pipeline(device="cpu", faces="central")
    for protocol in ("lfw", "lookalike"):
        read = evaluation.scored_photos(protocol, pipe, lfw, limit=40)
        rows = evaluation.subset(datasets.lfw_pairs(protocol, lfw.root.parent.parent), 40)
        stored = evaluation.scored_templates(protocol, templates)
        assert len(read) == 40
        assert read.missing == 0
        np.testing.assert_allclose(read.scores, stored.scores[rows], atol=2e-3)
        assert np.array_equal(read.a, stored.a[rows])
        assert np.array_equal(read.same, read.a == read.b)
        assert "end to end" in read.source


def test_a_photo_without_a_face_is_counted_and_scores_nothing(lfw):
    pipe = Pipeline(device="cpu", faces="central", min_score=0.999)
    read = evaluation.scored_photos("lfw", pipe, lfw, limit=20)
    assert read.missing > 0
    assert (read.scores == 0).any()


def test_what_evaluation_refuses():
    with pytest.raises(ValueError, match="two folds"):
        evaluation.evaluate(evaluation.scored_templates("devtest"))
    with pytest.raises(ValueError, match="the face in the middle"):
        evaluation.scored_photos("lfw", Pipeline(device="cpu"))
    with pytest.raises(DatasetError, match="no protocol 'ytf'"):
        evaluation.scored_templates("ytf")


# ---------------------------------------------------------------------- calibrate


@pytest.fixture
def people(tmp_path, astronaut, hopper):
    root = tmp_path / "people"
    for name, photo in (("이소연", astronaut), ("Grace", hopper)):
        (root / name).mkdir(parents=True)
        for number, changed in enumerate((photo, photo[:, ::-1], photo // 2 + 60)):
            Image.fromarray(np.ascontiguousarray(changed)).save(root / name / f"{number}.png")
    (root / "Grace" / "notes.txt").touch()
    return root


def test_a_folder_of_own_photos(people):
    done = facelab("calibrate", people, "--fmr", "0.4", "--fmr", "0.001", "--device", "cpu")
    assert done.exit_code == 0, done.output
    assert "6 photos of 2 people, yunet+aligned+sface" in done.stdout
    assert "9 pairs of different people, 6 of the same person" in done.stdout
    assert "9 pairs show no rate below 0.33; 3,000 are needed" in done.stdout
    assert "Not to be claimed: a rate below 0.33" in done.stdout
    assert "notes.txt: skipped" in done.stderr


def test_a_file_of_embeddings_and_json(people, tmp_path):
    pipe = Pipeline(device="cpu")
    embeddings_file.write(pipe(people, progress=False), tmp_path / "v.h5", pipe)
    from_file, from_folder = (
        json.loads(facelab("calibrate", source, "--fmr", "0.4", "--json").stdout)
        for source in (tmp_path / "v.h5", people)
    )
    (setting,) = from_file["settings"]
    assert setting["distance"] == pytest.approx(from_folder["settings"][0]["distance"], abs=2e-4)
    assert setting["fmr"]["value"] <= 0.4
    assert setting["fnmr"]["value"] == 0
    assert "rests on" in setting["caveat"]
    assert from_file["impostor_pairs"] == 9


def test_lfw_is_the_default_and_is_what_verify_uses():
    from facelab import calibration

    done = facelab("calibrate", "--fmr", "0.001", "--fmr", "1e-7", "--json")
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    known, hopeless = told["settings"]
    assert known["distance"] == pytest.approx(
        calibration.threshold_for("yunet+aligned+sface", 1e-3), abs=2e-3
    )
    assert hopeless["distance"] is None
    assert "30,000,000 are needed" in hopeless["caveat"]
    assert told["impostor_pairs"] == 16_522_626


def test_mistakes_are_one_line(tmp_path, people):
    (tmp_path / "one" / "Grace").mkdir(parents=True)
    (people / "Grace" / "0.png").rename(tmp_path / "one" / "Grace" / "0.png")
    for source, words in (
        (tmp_path / "one", "two people at least"),
        (tmp_path / "nowhere", "there is no such file"),
        (tmp_path / "one" / "Grace" / "0.png", "is no file that `facelab embed` wrote"),
    ):
        done = facelab("calibrate", source, "--device", "cpu")
        assert done.exit_code == 2, done.output
        assert words in done.stderr.strip().splitlines()[-1]
