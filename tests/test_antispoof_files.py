"""MiniFASNet's files and ONNX files as detectors of attacks: names, shapes, the crop, a second forward pass.

The published files cannot be fetched here: these have their names and shapes, and random numbers.
"""

import re

import numpy as np
import pytest
import torch
from torch.nn import functional as F

import facelab as fl
from facelab.antispoof.detector import _enlarged, load
from facelab.antispoof.minifasnet import VARIANTS, minifasnet
from facelab.detect import Face
from facelab.errors import WeightsError

pytestmark = pytest.mark.filterwarnings("ignore:.*first use")

WIDTHS = {
    # As the published keep_dict has them, unit by unit: (wide, out) of each, in the order of the network.
    "V1": [(103, 64), (13, 64), (26, 64), (13, 64), (52, 64), (231, 128), (154, 128), (52, 128), (26, 128),
           (52, 128), (26, 128), (26, 128), (308, 128), (26, 128), (26, 128)],
    "V2": [(103, 64), (13, 64), (13, 64), (13, 64), (13, 64), (231, 128), (231, 128), (52, 128), (26, 128),
           (77, 128), (26, 128), (26, 128), (308, 128), (26, 128), (26, 128)],
}  # fmt: skip
UNITS = ["conv_23", *(f"conv_3.model.{k}" for k in range(4)), "conv_34"]
UNITS += [*(f"conv_4.model.{k}" for k in range(6)), "conv_45", *(f"conv_5.model.{k}" for k in range(2))]
LAST = ("conv_3.model.3", "conv_4.model.5", "conv_5.model.1")


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("FACELAB_HOME", str(tmp_path / "home"))


def state_of(variant: str, classes: int = 3, seed: int = 0) -> dict[str, torch.Tensor]:
    """A state dict with the published names and shapes, written down without the network's own code."""
    dice, state = torch.Generator().manual_seed(seed), {}

    def put(name, *shape, positive=False):
        numbers = torch.randn(shape, generator=dice) * (1 / max(1, np.prod(shape[1:]))) ** 0.5
        state[name] = numbers.abs() + 0.5 if positive else numbers

    def norm(name, width):
        put(f"{name}.weight", width, positive=True)
        put(f"{name}.bias", width)
        put(f"{name}.running_mean", width)
        put(f"{name}.running_var", width, positive=True)
        state[f"{name}.num_batches_tracked"] = torch.tensor(7)

    def block(name, inputs, outputs, kernel=1, groups=1, prelu=True):
        put(f"{name}.conv.weight", outputs, inputs // groups, kernel, kernel)
        norm(f"{name}.bn", outputs)
        if prelu:
            put(f"{name}.prelu.weight", outputs)

    block("conv1", 3, 32, 3)
    block("conv2_dw", 32, 32, 3, 32)
    before = 32
    for name, (wide, out) in zip(UNITS, WIDTHS[variant[:2]], strict=True):
        block(f"{name}.conv", before, wide)
        block(f"{name}.conv_dw", wide, wide, 3, wide)
        block(f"{name}.project", wide, out, prelu=False)
        if variant.endswith("SE") and name in LAST:
            put(f"{name}.se_module.fc1.weight", out // 4, out, 1, 1)
            norm(f"{name}.se_module.bn1", out // 4)
            put(f"{name}.se_module.fc2.weight", out, out // 4, 1, 1)
            norm(f"{name}.se_module.bn2", out)
        before = out
    block("conv_6_sep", 128, 512)
    block("conv_6_dw", 512, 512, 5, 512, prelu=False)
    put("linear.weight", 128, 512)
    norm("bn", 128)
    put("prob.weight", classes, 128)
    return state


def forward(state, x):
    """The published forward pass, by functions."""

    def norm(name, x):
        shape = (1, -1) + (1,) * (x.ndim - 2)
        mean, var, weight, bias = (
            state[f"{name}.{part}"].view(shape) for part in ("running_mean", "running_var", "weight", "bias")
        )
        return (x - mean) / (var + 1e-5).sqrt() * weight + bias

    def block(name, x, stride=1, padding=0):
        kernel = state[f"{name}.conv.weight"]
        x = norm(f"{name}.bn", F.conv2d(x, kernel, None, stride, padding, 1, x.shape[1] // kernel.shape[1]))
        slope = state.get(f"{name}.prelu.weight")
        return x if slope is None else torch.where(x > 0, x, x * slope.view(1, -1, 1, 1))

    x = block("conv2_dw", block("conv1", x, 2, 1), 1, 1)
    for name in UNITS:
        stride = 1 if "model" in name else 2
        out = block(f"{name}.project", block(f"{name}.conv_dw", block(f"{name}.conv", x), stride, 1))
        if f"{name}.se_module.fc1.weight" in state:
            w = F.conv2d(out.mean((2, 3), keepdim=True), state[f"{name}.se_module.fc1.weight"])
            w = F.conv2d(F.relu(norm(f"{name}.se_module.bn1", w)), state[f"{name}.se_module.fc2.weight"])
            out = out * torch.sigmoid(norm(f"{name}.se_module.bn2", w))
        x = x + out if stride == 1 else out
    x = block("conv_6_dw", block("conv_6_sep", x)).flatten(1)
    return norm("bn", x @ state["linear.weight"].T) @ state["prob.weight"].T


@pytest.mark.parametrize("variant", VARIANTS)
def test_names_shapes_and_a_second_forward_pass(variant):
    state = state_of(variant)
    tensors = {name: t.numpy() for name, t in state.items() if t.is_floating_point()}
    net = minifasnet(tensors, "a file")
    assert net.variant == variant
    x = torch.rand(2, 3, 80, 80, generator=torch.Generator().manual_seed(1)) * 255
    with torch.inference_mode():
        wanted = forward(state, x)
        assert torch.allclose(net(x), wanted, rtol=1e-4, atol=1e-3 * float(wanted.abs().max()))


def test_a_file_in_the_pipeline_is_fed_as_published(tmp_path, astronaut):
    """BGR, 0 … 255, the box 2.7 times as large within the photo, stretched to 80 × 80; second of three."""
    state = state_of("V2")
    path = tmp_path / "2.7_80x80_MiniFASNetV2.pth"
    torch.save({f"module.{name}": tensor for name, tensor in state.items()}, path)
    pipe = fl.Pipeline(device="cpu", antispoof=path, min_live=0.0)
    face = pipe.one(astronaut).faces[0]
    assert re.fullmatch("minifasnet-v2-[0-9a-f]{16}", pipe.antispoof.name)

    x1, y1, x2, y2 = face.box.tolist()
    scale = min(511 / (y2 - y1), 511 / (x2 - x1), 2.7)
    wide, high = (x2 - x1) * scale, (y2 - y1) * scale
    left = min(max((x1 + x2) / 2 - wide / 2, 0), 512 - wide)
    top = min(max((y1 + y2) / 2 - high / 2, 0), 512 - high)
    part = astronaut[int(top) : int(top + high), int(left) : int(left + wide), ::-1]
    import cv2

    crop = (
        torch.from_numpy(cv2.resize(part, (80, 80), interpolation=cv2.INTER_AREA))
        .permute(2, 0, 1)[None]
        .float()
    )
    wanted = float(forward(state, crop).softmax(1)[0, 1])
    # cv2.resize of the published code takes one point a pixel, `warp` averages: near, not equal
    assert face.live == pytest.approx(wanted, abs=0.05)


def test_the_crop_stays_in_the_photo():
    face = Face(np.array([0, 10, 40, 70], np.float32), np.zeros((5, 2), np.float32), 1.0)
    left, top, right, bottom = (_enlarged(face, 4.0, 100, 120).box + 0.5).tolist()
    assert (left, top) == (0, 0)
    assert right == int(40 * 99 / 60) + 1
    assert bottom == 100
    inside = _enlarged(face, 1.0, 100, 120).box + 0.5
    assert inside.tolist() == [0, 10, 41, 71], "the last row and column belong to it"


def test_the_first_use_pins_and_another_file_is_refused(tmp_path):
    path = tmp_path / "4_0_0_80x80_MiniFASNetV1SE.pth"
    torch.save(state_of("V1SE"), path)
    assert load(path).scale == 4.0
    torch.save(state_of("V1SE", seed=1), path)
    with pytest.raises(WeightsError, match="another file"):
        load(path)


def test_what_is_no_such_file_is_named(tmp_path):
    path = tmp_path / "2.7_80x80_MiniFASNetV2.pth"
    torch.save({"fc.weight": torch.zeros(3, 3)}, path)
    with pytest.raises(WeightsError, match=r"no MiniFASNet.*fc\.weight"):
        load(path)
    state = state_of("V2")
    state["conv_3.model.1.conv.conv.weight"] = torch.zeros(14, 64, 1, 1)
    torch.save(state, path)
    with pytest.raises(WeightsError, match="of no variant"):
        load(path)
    other = tmp_path / "best.pth"
    torch.save(state_of("V2"), other)
    with pytest.raises(WeightsError, match=r"what scale.*2\.7_80x80"):
        load(other)


@pytest.mark.parametrize("classes", [1, 2, 3])
def test_an_onnx_file(tmp_path, astronaut, classes):
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    rng = np.random.default_rng(0)
    kernel = rng.normal(0, 0.01, (classes, 3, 1, 1)).astype(np.float32)
    graph = onnx.helper.make_graph(
        [
            onnx.helper.make_node("GlobalAveragePool", ["x"], ["mean"]),
            onnx.helper.make_node("Conv", ["mean", "k"], ["map"]),
            onnx.helper.make_node("Flatten", ["map"], ["y"]),
        ],
        "mean colour",
        [onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, ["n", 3, 80, 80])],
        [onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, ["n", classes])],
        [onnx.numpy_helper.from_array(kernel, "k")],
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8)
    path = tmp_path / "1.0_80x80_mean.onnx"
    onnx.save(model, path)
    pipe = fl.Pipeline(device="cpu", antispoof=path, min_live=0.0)
    face = pipe.one(astronaut).faces[0]
    x1, y1, x2, y2 = (int(edge) for edge in face.box)
    bgr = astronaut[y1:y2, x1:x2, ::-1].reshape(-1, 3).mean(0)
    logits = kernel[:, :, 0, 0] @ bgr
    shares = np.exp(logits) / np.exp(logits).sum()
    wanted = 1 / (1 + np.exp(-logits[0])) if classes == 1 else shares[1]
    assert face.live == pytest.approx(wanted, abs=0.02)


def test_an_onnx_file_without_a_fixed_side_is_refused(tmp_path):
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    value = onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("GlobalAveragePool", ["x"], ["y"])],
        "free",
        [value("x", onnx.TensorProto.FLOAT, ["n", 3, "h", "w"])],
        [value("y", onnx.TensorProto.FLOAT, ["n", 3, 1, 1])],
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8)
    path = tmp_path / "2.7_80x80_free.onnx"
    onnx.save(model, path)
    with pytest.raises(WeightsError, match="detector of attacks"):
        load(path)
