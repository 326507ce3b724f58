"""DeepFace itself, offline, on the same weights; and its distance remade with facelab's pieces."""

import socket
import time
import warnings

import numpy as np
import pytest
import torch

from facelab.course import peers
from facelab.errors import FacelabError, ImageError, NoFaceError, WeightsError


@pytest.fixture(scope="module", autouse=True)
def deepface(tmp_path_factory):
    """DeepFace with an empty cache folder for a home, and no network at all."""

    def no_network(*_, **__):
        raise AssertionError("something tried to reach the network")

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FACELAB_HOME", str(tmp_path_factory.mktemp("home")))
        for name in ("DEEPFACE_HOME", "DEEPFACE_BACKEND_ENGINE", "DEEPFACE_LOG_LEVEL"):
            patch.setenv(name, "4")  # so that the value from before comes back afterwards …
            patch.delenv(name)  # … and none is there now
        patch.setattr(socket.socket, "connect", no_network)
        patch.setattr(socket, "getaddrinfo", no_network)
        filters = list(warnings.filters)
        loaded = peers.load_deepface()
        assert warnings.filters == filters, "importing DeepFace switched warnings off"
        yield loaded


@pytest.fixture(scope="module")
def portraits():
    from matplotlib.cbook import get_sample_data
    from skimage.data import astronaut

    from facelab.images import read_image

    return astronaut(), read_image(get_sample_data("grace_hopper.jpg", asfileobj=False))


@pytest.fixture(scope="module")
def answer(portraits):
    return peers.deepface_verify(*portraits)


def test_loading_again_is_quick_and_writes_nothing(deepface):
    files = {path: path.stat().st_mtime_ns for path in peers.deepface_home().rglob("*") if path.is_file()}
    assert {path.name for path in files} == {peers.MODELS["SFace"], peers.DETECTORS["yunet"]}
    start = time.perf_counter()
    assert peers.load_deepface() is deepface
    assert time.perf_counter() - start < 0.1
    assert all(path.stat().st_mtime_ns == written for path, written in files.items())


def test_damaged_weights_of_an_earlier_run_are_replaced(tmp_path):
    peers._put_weights(tmp_path)
    (tmp_path / peers.MODELS["SFace"]).write_bytes(b"half a file")
    peers._put_weights.cache_clear()  # as a new process would begin
    peers._put_weights(tmp_path)
    assert (tmp_path / peers.MODELS["SFace"]).read_bytes() == peers._pruned_sface()


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(WeightsError, match="FACELAB_HOME"):
        peers._put_weights(tmp_path / "file" / "weights")


def test_sface_is_left_with_its_one_true_input():
    onnx = pytest.importorskip("onnx")
    model = onnx.load(peers.deepface_home() / ".deepface" / "weights" / peers.MODELS["SFace"])
    assert [i.name for i in model.graph.input] == ["data"]
    onnx.checker.check_model(model)


def test_an_interrupted_write_leaves_nothing(tmp_path):
    def broken():
        raise WeightsError("damaged")

    with pytest.raises(WeightsError):
        peers._put(tmp_path / "file.onnx", broken)
    assert list(tmp_path.iterdir()) == []


def test_deepface_tells_two_portraits_apart(answer):
    assert not answer.same
    assert answer.distance > answer.threshold == 0.593
    assert answer.seconds > 0
    assert answer.areas[0].keys() >= {"x", "y", "w", "h", "left_eye", "right_eye"}


def test_deepface_knows_a_mirrored_portrait(portraits):
    result = peers.deepface_verify(portraits[0], portraits[0][:, ::-1])
    assert result.same
    assert 0 < result.distance < 0.4


def test_no_face_names_the_photo_and_the_reason(portraits):
    with pytest.raises(NoFaceError, match=r"DeepFace found no face") as caught:
        peers.deepface_verify(portraits[0], np.zeros((200, 200, 3), np.uint8))
    assert type(caught.value.__cause__.__cause__).__name__ == "FaceNotDetected"
    with pytest.raises(ImageError, match=r"missing\.jpg"):
        peers.deepface_verify(portraits[0], "missing.jpg")


def test_missing_weights_are_an_error_at_once(portraits):
    start = time.perf_counter()
    with pytest.raises(WeightsError, match=r"vgg_face_weights\.pth is not on disk(.|\n)*put it at"):
        peers.deepface_verify(*portraits, model="VGG-Face")
    with pytest.raises(WeightsError, match="facelab weights get arcface"):
        peers.deepface_verify(*portraits, model="ArcFace")
    assert time.perf_counter() - start < 1


def test_what_is_not_offered_is_refused(portraits):
    with pytest.raises(FacelabError, match="model='Dlib' is not offered here; choose one of SFace"):
        peers.deepface_verify(*portraits, model="Dlib")
    with pytest.raises(FacelabError, match="detector='retinaface' is not offered"):
        peers.deepface_verify(*portraits, detector="retinaface")


def test_other_errors_keep_their_reason(portraits, deepface, monkeypatch):
    def broken(*_, **__):
        try:
            raise RuntimeError("the true reason")
        except RuntimeError as error:
            raise ValueError("Exception while processing img2_path") from error

    monkeypatch.setattr(deepface, "verify", broken)
    with pytest.raises(FacelabError, match="RuntimeError: the true reason"):
        peers.deepface_verify(*portraits)


def test_deepface_crop_is_deepfaces_own(portraits, answer):
    """Against DeepFace's own functions, which resample twice (one of them bicubic) and cut off fractions."""
    from deepface.modules import detection, preprocessing

    for photo, area in zip(portraits, answer.areas, strict=True):
        cut_out = detection.extract_faces(np.ascontiguousarray(photo[..., ::-1]), detector_backend="yunet")
        assert cut_out[0]["facial_area"] == area
        theirs = np.floor(preprocessing.resize_image(cut_out[0]["face"], (112, 112))[0] * 255)
        ours = peers.deepface_crop(torch.from_numpy(photo.copy()), peers.deepface_face(area)).numpy()
        difference = np.abs(ours - theirs)
        assert difference.mean() < 1.5
        assert np.percentile(difference, 99) < 12
        assert ((ours > 0) == (theirs > 0)).mean() > 0.97  # the bars are the same


@pytest.mark.parametrize(("w", "h"), [(80, 100), (81, 99), (100, 80), (7, 13)])
def test_deepface_crop_of_a_level_face_is_a_letterbox(w, h):
    photo = torch.full((200, 200, 3), 100, dtype=torch.uint8)
    face = peers.deepface_face(
        {"x": 60, "y": 50, "w": w, "h": h, "right_eye": (70, 70), "left_eye": (90, 70)}
    )
    crop = peers.deepface_crop(photo, face)
    filled = (crop > 0).all(dim=2).nonzero()
    (top, left), (bottom, right) = filled.amin(0).tolist(), filled.amax(0).tolist()
    factor = min(112 / w, 112 / h)
    assert right - left + 1 == int(w * factor)
    assert bottom - top + 1 == int(h * factor)
    assert left == (112 - int(w * factor)) // 2


def test_steps_begin_at_deepfaces_distance_and_end_at_facelabs(portraits, answer):
    from facelab.functions import verify

    for pair in (portraits, (portraits[0], portraits[0][:, ::-1].copy())):
        walk = peers.steps(*pair)
        assert walk[0].distance == peers.deepface_verify(*pair).distance
        # The same box and eyes, facelab's warp, facelab's SFace: DeepFace's own distance.
        assert walk[1].distance == pytest.approx(walk[0].distance, abs=0.02)
        assert walk[-1].distance == pytest.approx(
            verify(*pair, threshold=0.5, device="cpu").distance, abs=1e-5
        )
        assert all(step.crops.shape == (2, 112, 112, 3) for step in walk[1:])
    mirrored = [step.distance for step in walk]
    assert mirrored[-1] < mirrored[0], "alignment should bring a portrait nearer to its mirror image"
