"""Live scores in the pipeline: off by default, and refusals that are typed; the weights that are carried."""

import hashlib
import json
import pickle
import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

import facelab as fl
from facelab import antispoof, weights
from facelab.antispoof.detector import FACTS, CallDetector, load
from facelab.cli import app
from facelab.errors import AttackError, FacelabError, GalleryError, ImageError, NoFaceError, WeightsError


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("FACELAB_HOME", str(tmp_path / "home"))


@pytest.fixture(scope="module")
def portrait(_astronaut):
    """Eileen Collins at the size of LFW's photos."""
    return np.asarray(Image.fromarray(_astronaut[:300, 75:375]).resize((250, 250)))


@pytest.fixture(scope="module")
def files(portrait, tmp_path_factory):
    """A living face, a print of it (dots, a white border), and nobody."""
    folder = tmp_path_factory.mktemp("photos")
    face = fl.detect(portrait)[0]
    camera = antispoof.Camera(blur=0.4, noise=1.5, quality=90)
    attack = antispoof.Print(shown=0.8, border=0.1, slant=0.2)
    photos = {
        "living": camera.apply(portrait),
        "print": camera.apply(attack.apply(portrait, face)),
        "nobody": np.zeros((120, 120, 3), np.uint8),
    }
    for name, photo in photos.items():
        Image.fromarray(photo).save(folder / f"{name}.png")
    return {name: folder / f"{name}.png" for name in photos}


@pytest.fixture(scope="module")
def pipe():
    return fl.Pipeline(device="cpu", antispoof="facelab")


def by_brightness(photo, faces):
    """A detector of attacks of one's own: the photo's mean, 0 … 1."""
    return [photo.mean() / 255] * len(faces)


# --- the carried weights ----------------------------------------------------------------------------------


def test_the_weights_are_those_of_the_facts_and_small():
    path = weights.find("antispoof")
    content = path.read_bytes()
    facts = json.loads(FACTS.read_text())
    assert hashlib.sha256(content).hexdigest() == facts["sha256"] == weights.KNOWN["antispoof"].sha256
    assert len(content) == weights.KNOWN["antispoof"].size < 1_000_000
    assert sum(p.numel() for p in antispoof.own_network().parameters()) < 300_000
    assert 0 < facts["threshold"] < 1
    assert facts["bpcer"] == 0.05
    card = (FACTS.parent / "MODEL_CARD.md").read_text()
    assert facts["sha256"] in card
    assert "cannot show how it does on real ones" in card.split("\n\n")[1]


def test_damaged_weights_are_an_error(tmp_path, monkeypatch):
    cache = tmp_path / "home" / "weights"
    cache.mkdir(parents=True)
    (cache / "antispoof.safetensors").write_bytes(b"damaged")
    with pytest.raises(WeightsError, match="antispoof"):
        antispoof.own_network()
    known = weights.KNOWN["antispoof"]
    with pytest.raises(WeightsError, match="safetensors"):
        weights.formats.parse(known, b"nothing of the kind")


def test_the_first_line_says_what_simulation_cannot():
    assert "cannot show how it does on real" in " ".join(antispoof.__doc__.split("\n\n")[0].split())


# --- the pipeline -----------------------------------------------------------------------------------------


def test_off_by_default_and_not_even_imported(files):
    pipe = fl.Pipeline(device="cpu")
    assert pipe.one(files["living"]).faces[0].live is None
    assert pipe.antispoof is pipe.min_live is None
    assert "antispoof" not in repr(pipe)
    assert pipe.options["antispoof"] is None
    code = (
        "import sys, facelab as fl; fl.Pipeline(device='cpu'); "
        "print([m for m in sys.modules if m.startswith('facelab.antispoof')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_each_face_gets_a_score_and_nothing_else_changes(files, pipe):
    plain = fl.Pipeline(device="cpu")
    paths = list(files.values())
    for with_scores, without in zip(pipe(paths, progress=False), plain(paths, progress=False), strict=True):
        assert np.array_equal(with_scores.vectors, without.vectors)
        assert [face.live is None for face in with_scores.faces] == [False] * len(without.faces)
        assert isinstance(with_scores.error, NoFaceError) == isinstance(without.error, NoFaceError)
    living, printed = (pipe.one(files[name]).faces[0].live for name in ("living", "print"))
    assert printed < pipe.min_live <= living
    assert pipe.config == plain.config
    assert "antispoof facelab" in repr(pipe)
    again = fl.Pipeline(**pipe.options)
    assert again.one(files["living"]).faces[0].live == pytest.approx(living, abs=1e-5)


def test_scores_do_not_depend_on_the_batch(files, pipe):
    paths = [files["living"], files["nobody"], files["print"], files["living"]]
    together = [[face.live for face in result.faces] for result in pipe(paths, progress=False)]
    alone = [[face.live for face in pipe.one(path).faces] for path in paths]
    assert [len(one) for one in together] == [1, 0, 1, 1]
    for a, b in zip(together, alone, strict=True):
        assert a == pytest.approx(b, abs=1e-5)


def test_verify_refuses_an_attack_and_says_so(files, pipe):
    assert pipe.verify(files["living"], files["living"]).same
    assert fl.verify(files["living"], files["print"]).same  # without the stage the print walks in
    for pair in (("living", "print"), ("print", "living")):
        with pytest.raises(
            AttackError, match=r"print\.png.*presentation attack.*live score 0\.\d+ < 0\.\d+"
        ) as caught:
            pipe.verify(*(files[name] for name in pair))
        assert caught.value.live < caught.value.threshold == pipe.min_live
    assert isinstance(caught.value, FacelabError)
    copy = pickle.loads(pickle.dumps(caught.value))
    assert (str(copy), copy.live, copy.threshold) == (str(caught.value), caught.value.live, pipe.min_live)
    easy = fl.Pipeline(device="cpu", antispoof=True, min_live=0.0)
    assert easy.verify(files["living"], files["print"]).same


def test_galleries_refuse_an_attack_too(files, pipe, tmp_path):
    with fl.Gallery(tmp_path / "g.hdf", pipeline=pipe) as gallery:
        gallery.enroll("Eileen Collins", files["living"])
        assert gallery.identify(files["living"]).name == "Eileen Collins"
        assert gallery.identify(files["living"]).faces[0].live is not None
        with pytest.raises(AttackError):
            gallery.identify(files["print"])
        with pytest.raises(AttackError):
            gallery.enroll("A print", files["print"])
        assert len(gallery) == 1
        vector = fl.Pipeline(device="cpu").one(files["print"]).vectors[0]
        assert gallery.identify(vector).name == "Eileen Collins"  # a vector has no score
    with fl.Gallery(tmp_path / "g.hdf", "r", device="cpu") as gallery:
        assert gallery.identify(files["print"]).name == "Eileen Collins"
        gallery.pipeline = fl.Pipeline(**gallery.pipeline.options | {"antispoof": True})
        with pytest.raises(AttackError):
            gallery.identify(files["print"])
        with pytest.raises(GalleryError, match="square"):
            gallery.pipeline = fl.Pipeline(device="cpu", crop="square")


def test_a_function_gives_scores_and_needs_a_threshold(files):
    pipe = fl.Pipeline(device="cpu", antispoof=by_brightness)
    live = pipe.one(files["living"]).faces[0].live
    assert live == pytest.approx(fl.read_image(files["living"]).mean() / 255, abs=1e-6)
    with pytest.raises(FacelabError, match="min_live"):
        pipe.verify(files["living"], files["living"])
    strict = fl.Pipeline(device="cpu", antispoof=by_brightness, min_live=1.0)
    with pytest.raises(AttackError):
        strict.verify(files["living"], files["living"])
    assert "by_brightness" in repr(strict)


@pytest.mark.parametrize(
    ("wrong", "match"),
    [
        (lambda photo, faces: [2.0] * len(faces), "between 0 and 1"),
        (lambda photo, faces: [float("nan")] * len(faces), "between 0 and 1"),
        (lambda photo, faces: [], "each of 1 faces"),
        (lambda photo, faces: 1 / 0, "ZeroDivisionError"),
    ],
)
def test_a_function_that_does_not_keep_the_protocol_is_named(files, wrong, match):
    pipe = fl.Pipeline(device="cpu", antispoof=wrong, min_live=0.5)
    assert match in str(pipe.one(files["living"]).error)
    assert str(files["living"]) in str(pipe.one(files["living"]).error)


def test_what_makes_no_sense_is_refused():
    with pytest.raises(ValueError, match="min_live=2"):
        fl.Pipeline(device="cpu", antispoof=True, min_live=2)
    with pytest.raises(ValueError, match="belongs to antispoof"):
        fl.Pipeline(device="cpu", min_live=0.5)
    with pytest.raises(ValueError, match="antispoof='facelob'"):
        fl.Pipeline(device="cpu", antispoof="facelob")
    with pytest.raises(WeightsError, match="no such file"):
        fl.Pipeline(device="cpu", antispoof="2.7_80x80_missing.pth")


def test_score_by_itself(portrait, files):
    photo = fl.read_image(files["print"])
    faces = fl.detect(photo)
    (score,) = antispoof.score(photo, faces)
    assert score == pytest.approx(
        fl.Pipeline(device="cpu", antispoof=True).one(photo).faces[0].live, abs=1e-5
    )
    assert score < antispoof.threshold()
    assert antispoof.score(photo, []).shape == (0,)
    assert antispoof.score(photo, faces, by_brightness)[0] == pytest.approx(photo.mean() / 255)
    with pytest.raises(ImageError):
        antispoof.score(files["print"].with_name("missing.png"), faces)
    with pytest.raises(ValueError, match="antispoof=None"):
        antispoof.score(photo, faces, None)
    assert load(None) is load(False) is None
    assert isinstance(load(by_brightness), CallDetector)
    assert load(torch.device) is not None


# --- the command line -------------------------------------------------------------------------------------


def facelab(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_verify_and_identify_on_the_command_line(files, tmp_path):
    living, printed, g = files["living"], files["print"], tmp_path / "g.hdf"
    assert facelab("verify", living, printed).exit_code == 0
    refused = facelab("verify", living, printed, "--antispoof")
    assert refused.exit_code == 2
    assert "presentation attack" in refused.stderr
    passed = facelab("verify", living, living, "--antispoof", "--json")
    assert passed.exit_code == 0
    assert all(0 < live <= 1 for live in json.loads(passed.stdout)["live"])
    assert facelab("verify", living, printed, "--antispoof", "--min-live", "0").exit_code == 0
    assert "belongs to" in facelab("verify", living, living, "--min-live", "0.5").stderr
    assert facelab("gallery", "enroll", g, "Eileen Collins", living).exit_code == 0
    assert facelab("gallery", "identify", g, printed).exit_code == 0
    refused = facelab("gallery", "identify", g, printed, "--antispoof")
    assert refused.exit_code == 2
    assert "presentation attack" in refused.stderr
    assert json.loads(facelab("gallery", "identify", g, living, "--antispoof", "--json").stdout)["live"] > 0


def test_live_on_the_command_line(files):
    living = facelab("live", files["living"])
    assert living.exit_code == 0
    assert "passes as living" in living.stdout
    printed = facelab("live", files["print"], "--json")
    assert printed.exit_code == 1
    answer = json.loads(printed.stdout)
    assert answer["passed"] == [False]
    assert answer["live"][0] < answer["threshold"]
    nobody = facelab("live", files["nobody"])
    assert nobody.exit_code == 2
    assert "no face" in nobody.stderr
