"""Embedders in ONNX files: graphs written here with onnx.helper, and SFace's own file, which is at hand."""

import sys

import numpy as np
import onnx
import pytest
import torch
import torch.nn.functional as F
from onnx import TensorProto, helper, numpy_helper

from facelab import Pipeline, weights
from facelab.embed import load
from facelab.errors import DeviceError, FacelabError, NoFaceError, WeightsError

pytest.importorskip("onnxruntime")
pytestmark = pytest.mark.filterwarnings("ignore:.*first use")

CROPS = torch.from_numpy(np.random.default_rng(1).integers(0, 256, (7, 112, 112, 3), np.uint8))
RNG = np.random.default_rng(0)
CONV = (RNG.normal(size=(4, 3, 8, 8)) / 14).astype(np.float32)
SLOPE = np.array([0.25, -0.5, 0.1, 1.5], np.float32).reshape(4, 1, 1)
LINEAR = (RNG.normal(size=(4 * 14 * 14, 16)) / 28).astype(np.float32)
BIAS = RNG.normal(size=16).astype(np.float32)


@pytest.fixture(autouse=True)
def _home(tmp_path, monkeypatch):
    monkeypatch.setenv("FACELAB_HOME", str(tmp_path / "home"))


def write(path, batch="N", side=112, normalises=False, kind=TensorProto.FLOAT, bias=BIAS):
    """Convolution, PReLU, linear layer: the operations of which `w600k_r50.onnx` is made, in small."""
    first = [helper.make_node("Sub", ["data", "mean"], ["x"])] if normalises else []
    nodes = [
        *first,
        helper.make_node("Conv", ["x" if normalises else "data", "conv"], ["c"], strides=[8, 8]),
        helper.make_node("PRelu", ["c", "slope"], ["p"]),
        helper.make_node("Flatten", ["p"], ["f"]),
        helper.make_node("Gemm", ["f", "linear", "bias"], ["vectors"]),
    ]
    stored = {"conv": CONV, "slope": SLOPE, "linear": LINEAR, "bias": bias}
    stored |= {"mean": np.float32([100.0])} if normalises else {}
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info("data", kind, [batch, 3, side, side])],
        [helper.make_tensor_value_info("vectors", TensorProto.FLOAT, [batch, 16])],
        [numpy_helper.from_array(array, name) for name, array in stored.items()],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)
    return path


def expected(images):
    x = F.conv2d(images, torch.from_numpy(CONV).double(), stride=8)
    x = F.prelu(x, torch.from_numpy(SLOPE).double().flatten()).flatten(1)
    return F.linear(x, torch.from_numpy(LINEAR).double().T, torch.from_numpy(BIAS).double())


PIXELS = CROPS.permute(0, 3, 1, 2).double()


@pytest.mark.parametrize("batch", ["N", 1, 4])
def test_it_computes_what_the_graph_says(tmp_path, batch):
    embedder = load(write(tmp_path / "small.onnx", batch))
    wanted = expected((PIXELS - 127.5) / 127.5)
    torch.testing.assert_close(embedder.raw(CROPS).double(), wanted, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(embedder(CROPS[:1]).double(), F.normalize(wanted[:1]), atol=1e-5, rtol=0)
    assert embedder.dim == 16
    assert "CPUExecutionProvider" in repr(embedder)
    assert embedder.name == f"onnx-{embedder.file.sha256[:16]}"
    assert embedder.file.content == b"", "the file's bytes are not kept"


def test_a_graph_that_normalises_gets_the_pixels_as_they_are(tmp_path):
    embedder = load(write(tmp_path / "small.onnx", normalises=True))
    torch.testing.assert_close(embedder.raw(CROPS).double(), expected(PIXELS - 100), atol=1e-3, rtol=1e-4)


def test_sface_through_onnxruntime_is_sface(tmp_path):
    """A real file with real weights: OpenCV's graph, and facelab's own reading of it."""
    by_onnx = load(weights.find("sface"))
    assert by_onnx.dim == 128
    torch.testing.assert_close(by_onnx(CROPS), load("sface")(CROPS), atol=1e-4, rtol=0)


def test_what_is_no_face_embedder_is_refused(tmp_path):
    for shape in ({"side": 96}, {"kind": TensorProto.DOUBLE}):
        with pytest.raises(WeightsError, match=r"x\.onnx"):
            load(write(tmp_path / "x.onnx", **shape))
    for content in (b"<html>", b"", write(tmp_path / "s.onnx").read_bytes()[:3000]):
        (tmp_path / "x.onnx").write_bytes(content)
        with pytest.raises(WeightsError, match=r"x\.onnx.*Fetch it again"):
            load(tmp_path / "x.onnx")
    with pytest.raises(ValueError, match="half"):
        load(tmp_path / "s.onnx", half=True)


def test_without_onnxruntime_it_says_how_to_get_it(tmp_path, monkeypatch):
    path = write(tmp_path / "small.onnx")
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(FacelabError, match="pip install onnxruntime"):
        load(path)


def test_a_gpu_that_onnxruntime_cannot_use_is_an_error(tmp_path, monkeypatch):
    import onnxruntime

    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CPUExecutionProvider"])
    with pytest.raises(DeviceError, match=r"cannot compute on cuda.*onnxruntime-gpu"):
        load(write(tmp_path / "small.onnx"), "cuda")


def test_in_a_pipeline_by_its_path(tmp_path, astronaut):
    path = write(tmp_path / "small.onnx")
    pipe = Pipeline(embedder=str(path), device="cpu")
    assert pipe.one(astronaut).vectors.shape == (1, 16)
    assert pipe.config == f"yunet+aligned+{pipe.embedder.name}"
    assert pipe.half is False


def test_a_photo_without_a_face_is_no_fault_of_the_embedder(tmp_path):
    nothing = np.full((200, 200, 3), 128, np.uint8)
    with pytest.raises(NoFaceError, match="yunet found no face"):
        raise Pipeline(embedder=write(tmp_path / "small.onnx", 1), device="cpu").one(nothing).error

    def picky(crops):
        assert len(crops) > 0, "a callable is promised at least one crop"
        return crops[:, 0, 0].float()

    with pytest.raises(NoFaceError):
        raise Pipeline(embedder=picky, device="cpu").one(nothing).error
