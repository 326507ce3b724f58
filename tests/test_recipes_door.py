"""A file of weights through every door: Pipeline, gallery, command line, calibration.

The files are small ONNX graphs with random numbers (test_recipes_onnx): what is tested is not how well they
tell people apart, but that what was measured of one file is never said of another.
"""

import json
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from test_recipes_onnx import write
from typer.testing import CliRunner

import facelab as fl
from facelab import calibration, user_weights
from facelab.calibration import is_bound
from facelab.cli import app
from facelab.detect import load as load_detector
from facelab.embed import OwnNetwork, load
from facelab.errors import FacelabError, GalleryError, WeightsError
from facelab.gallery.open_set import fpir_at

pytest.importorskip("onnxruntime")
pytestmark = pytest.mark.filterwarnings("ignore:.*first use")


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("FACELAB_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def model(tmp_path):
    return write(tmp_path / "model.onnx", bias=np.zeros(16, np.float32))


@pytest.fixture
def other(tmp_path):
    return write(tmp_path / "other.onnx", normalises=True)


def facelab(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def people(tmp_path_factory, _astronaut):
    """Sixty "people": one portrait under sixty coloured lights, twice each, once a little darker."""
    root, rng = tmp_path_factory.mktemp("people"), np.random.default_rng(0)
    portrait = np.asarray(Image.fromarray(_astronaut[:300, 60:360]).resize((160, 160)))
    for person in range(60):
        lights = Image.fromarray(rng.integers(76, 256, (3, 3, 3), np.uint8))
        tint = portrait * (np.asarray(lights.resize((160, 160), Image.Resampling.BILINEAR)) / 255)
        (root / f"{person:02d}").mkdir()
        for number, light in enumerate((1.0, 0.95)):
            Image.fromarray((tint * light).astype(np.uint8)).save(root / f"{person:02d}" / f"{number}.png")
    return root


# ---------------------------------------------------------------------- galleries


def test_a_gallery_is_bound_to_the_files_content(tmp_path, model, other, astronaut):
    path, pipe = tmp_path / "g.hdf", fl.Pipeline(embedder=model, device="cpu")
    with fl.Gallery(path, pipeline=pipe) as gallery:
        pid = gallery.enroll("Eileen Collins", astronaut)
    moved = model.rename(tmp_path / "elsewhere.onnx")
    with fl.Gallery(path, pipeline=fl.Pipeline(embedder=moved, device="cpu")) as gallery:
        assert gallery.identify(astronaut, threshold=0.1).id == pid, "the content counts, not the name"
    second = fl.Pipeline(embedder=other, device="cpu")
    with pytest.raises(GalleryError) as refused:
        fl.Gallery(path, pipeline=second)
    for mine in (pipe, second):
        assert f"onnx-{mine.embedder.file.sha256[:16]}" in str(refused.value)


def test_a_gallery_finds_its_file_again(tmp_path, model, astronaut):
    path = tmp_path / "g.hdf"
    with fl.Gallery(path, pipeline=fl.Pipeline(embedder=model, device="cpu"), device="cpu") as gallery:
        pid = gallery.enroll("Eileen Collins", astronaut)
    with fl.Gallery(path, device="cpu") as gallery:
        assert gallery.identify(astronaut, threshold=0.1).id == pid
    model.unlink()
    with fl.Gallery(path, device="cpu") as gallery, pytest.raises(GalleryError, match="pipeline=Pipeline"):
        gallery.identify(astronaut, threshold=0.1)


def test_the_name_in_a_gallery_finds_the_file_again(tmp_path, model):
    embedder = load(model)
    assert load(embedder.name).file.path == model.resolve()
    assert user_weights.find("iresnet50") is None
    assert user_weights.find("onnx-0123456789abcdef") is None
    with pytest.raises(ValueError, match="there is no embedder named 'onnx-0123456789abcdef'"):
        load("onnx-0123456789abcdef")
    with pytest.raises(ValueError, match="there is no detector"):
        load_detector("retinaface-0123456789abcdef")
    copy = model.rename(tmp_path / "copy.onnx")
    load(copy)
    assert load(embedder.name).file.path == copy.resolve(), "the first is gone, and the copy has its content"
    write(copy, normalises=True)
    with pytest.raises(WeightsError, match="another file than when it was first used"):
        load(embedder.name)


# ---------------------------------------------------------------------- Pipeline


def test_names_and_files_that_do_not_go_together(tmp_path, model):
    with pytest.raises(ValueError, match="give its path as weights="):
        fl.Pipeline(embedder="iresnet50")
    with pytest.raises(ValueError, match="two files"):
        fl.Pipeline(embedder=model, weights=model)
    with pytest.raises(ValueError, match=r"resnet50.*\.safetensors"):
        fl.Pipeline(embedder="resnet50")
    with pytest.raises(WeightsError, match="no such file"):
        fl.Pipeline(embedder=tmp_path / "missing.pth")
    with pytest.raises(WeightsError, match="no such file"):
        fl.Pipeline(detector=str(tmp_path / "missing.pth"))


def test_an_embedder_that_is_loaded_already_is_taken_as_it_is(model):
    embedder = load(model, sha256=load(model).file.sha256)
    assert fl.Pipeline(embedder=embedder, device="cpu").embedder is embedder
    with pytest.raises(ValueError, match=r"is on cpu: load it with device='cuda'"):
        load(embedder, "cuda")


# ---------------------------------------------------------------------- calibration and the command line


def test_calibrate_gives_a_file_its_thresholds(model, other, people):
    a, b = people / "00" / "0.png", people / "01" / "0.png"
    before = facelab("verify", a, b, "--embedder", model, "--device", "cpu")
    assert before.exit_code == 2, before.output
    assert "no calibrated threshold" in before.stderr
    assert "facelab calibrate PEOPLE/ --embedder FILE" in before.stderr
    assert "first use, SHA-256" in before.stderr

    done = facelab("calibrate", people, "--embedder", model, "--device", "cpu")
    assert done.exit_code == 0, done.output
    assert "7,080 pairs of different people, 60 of the same person" in done.stdout
    pipe = fl.Pipeline(embedder=model, device="cpu")
    assert f"Kept for {pipe.config}" in done.stdout
    assert f"distance ≤ {calibration.threshold_for(pipe.config):g} for the same person" in done.stdout

    verdict = pipe.verify(a, a)
    assert verdict.same
    assert verdict.threshold == calibration.threshold_for(pipe.config)
    assert verdict.fmr.value <= 1e-3
    assert (verdict.fmr.pairs, verdict.fmr.people, verdict.fmr.source) == (7080, 60, people.name)
    assert f"{people.name}, 7,080 pairs of 60 people" in str(verdict)
    assert "LFW" not in str(verdict)

    # what was kept is what is counted by hand
    vectors = np.stack([pipe.one(photo).vectors[0] for photo in sorted(people.glob("*/*.png"))])
    who = np.arange(120) // 2
    distances = 1 - (vectors @ vectors.T)[np.triu_indices(120, 1)]
    different = (who[:, None] != who)[np.triu_indices(120, 1)]
    for threshold in (0.05, 0.2, 0.5):
        fmr, fnmr = (at(pipe.config, threshold) for at in (calibration.fmr_at, calibration.fnmr_at))
        assert fmr.value == pytest.approx((distances[different] <= threshold).mean(), abs=3e-4)
        assert fnmr.value == pytest.approx((distances[~different] > threshold).mean(), abs=1e-6)

    assert facelab("verify", a, a, "--embedder", model, "--device", "cpu").exit_code == 0
    after = json.loads(facelab("verify", a, b, "--embedder", model, "--device", "cpu", "--json").stdout)
    assert after["fmr"]["high"] > after["fmr"]["low"]
    with pytest.raises(FacelabError, match="no calibrated threshold"):
        fl.Pipeline(embedder=other, device="cpu").verify(a, b)


def test_lfw_calibrates_any_other_pipeline_from_its_photos(model, people, monkeypatch):
    paths = sorted(people.glob("*/*.png"))

    class Photos(SimpleNamespace):
        __len__ = lambda self: 120  # noqa: E731

    fake = Photos(paths=paths, number=np.arange(120) % 2 + 1, identity=np.arange(120) // 2)
    same = np.repeat([True, False], 60)
    rows = np.arange(0, 120, 2), np.arange(1, 120, 2)  # each person's two photos …
    rows = tuple(np.concatenate([side, side[::-1]]) for side in rows)  # … and pairs that must not count
    fake.variant = "made up"
    fake.pairs = lambda protocol: SimpleNamespace(same=same, rows=lambda photos: rows)
    monkeypatch.setattr("facelab.datasets.lfw", lambda: fake)
    done = facelab("calibrate", "--embedder", model, "--device", "cpu", "--fmr", "0.01")
    assert done.exit_code == 0, done.output
    assert "LFW (made up), one photo of each of 60 people, yunet+aligned+onnx-" in done.stdout
    assert "1,770 pairs of different people, 60 of the same person" in done.stdout
    assert "verify needs --fmr or --threshold" in done.stdout, "1,770 pairs do not show 1 in 1,000"


def test_a_calibration_is_never_more_than_its_pairs_show(home):
    config = "yunet+aligned+iresnet50-0123456789abcdef"
    errors = np.where(calibration.GRID < 0.5, 0, 100)
    row = {"pairs": 100, "people": 15, "errors": errors.tolist()}
    row |= {"low": (errors / 200).tolist(), "high": np.maximum(errors / 100, 0.03).tolist()}
    assert calibration.keep(config, {"source": "mine", "impostor": row}) == home / "calibrations.json"
    assert config in calibration.calibrated()
    with pytest.raises(
        FacelabError, match=r"100 pairs.*\(mine\).*below 0\.03 .*0\.001 was asked.*fmr=0\.03 "
    ):
        calibration.threshold_for(config)
    assert calibration.threshold_for(config, 0.03) < 0.5
    assert calibration.fnmr_at(config, 0.3) is None, "one photo of each person says nothing of this"
    assert "from mine, 100 pairs" in str(fpir_at(config, 0.3, 5))
    row["errors"] = [50] * len(errors)
    calibration.keep(config, {"source": "mine", "impostor": row})
    with pytest.raises(FacelabError, match="even at distance 0"):
        calibration.threshold_for(config, 0.1)


@pytest.mark.parametrize(
    ("config", "bound"),
    [
        ("yunet+aligned+arcface", True),
        ("mtcnn+square+OwnNet-01234567+mirror", True),
        ("retinaface-0123456789abcdef+aligned+sface", True),
        ("yunet+aligned+my_function", False),
        ("my_function+aligned+sface", False),
        ("sface", False),
    ],
)
def test_only_names_that_say_which_weights_are_calibrated(config, bound):
    assert is_bound(config) is bound
    if not bound:
        with pytest.raises(ValueError, match="not bound to weights"):
            calibration.keep(config, {})


def test_facelabs_own_calibration_stays_as_it_is():
    with pytest.raises(ValueError, match="stays as it is"):
        calibration.keep("yunet+aligned+sface", {})


def test_a_network_of_ones_own_is_bound_by_its_name():
    from torch import nn

    network = OwnNetwork(nn.Sequential(nn.Flatten(), nn.Linear(112 * 112 * 3, 4)))
    assert is_bound(f"yunet+aligned+{network.name}")


def test_the_command_line_takes_names_and_files(tmp_path, model, people, astronaut):
    photo = people / "00" / "0.png"
    done = facelab("verify", photo, photo, "--embedder", "facenet")
    assert done.exit_code == 2
    assert "neither sface nor arcface" in done.stderr
    done = facelab("verify", photo, photo, "--detector", tmp_path / "missing.pth")
    assert done.exit_code == 2
    assert "missing.pth: there is no such file" in " ".join(done.stderr.split())
    gallery = tmp_path / "g.hdf"
    done = facelab("gallery", "enroll", gallery, "Ann", photo, "--embedder", model, "--device", "cpu")
    assert done.exit_code == 0, done.output
    done = facelab("embed", people / "00", tmp_path / "v.h5", "--embedder", model, "--device", "cpu")
    assert done.exit_code == 0, done.output

    write(model, normalises=True)
    done = facelab("verify", photo, photo, "--embedder", model, "--threshold", "0.5", "--device", "cpu")
    assert done.exit_code == 2
    assert "facelab weights trust" in done.stderr
    done = facelab("weights", "trust", model)
    assert done.exit_code == 0, done.output
    assert len(done.stdout.splitlines()) == 2, "the hash before and the hash now"
    done = facelab("verify", photo, photo, "--embedder", model, "--threshold", "0.5", "--device", "cpu")
    assert done.exit_code == 0, done.output
