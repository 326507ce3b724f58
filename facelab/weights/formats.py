"""Bytes whose hash was checked → tensors by name. What lies in the files:

- **ONNX, block-quantised** (YuNet, SFace): int8 numbers with a scale and a zero point for each block. They
  are dequantised once, w = (q − zero_point)·scale, reshaped, and named as before the quantisation:
  `conv_1_conv2d_weight`, `neck.lateral_convs.0.conv1.bias`, … The graph itself is not executed or needed.
- **lz4 around a joblib pickle** (MTCNN): a plain list of arrays, named by their place in it: "0", "1", …
  Keras layout, so convolutions are (height, width, in, out) and dense layers (in, out).
- **PyTorch** (ArcFace): the names of the state dict; the batch counters of the batch norms, which no forward
  pass needs, are left out.
- **safetensors** (facelab's own: RetinaFace, small, in half precision, and the detector of attacks): a table
  of contents and the numbers; the names of the state dict.
"""

import io
import math
import os
import pickle
from pathlib import Path

import numpy as np

from facelab.errors import WeightsError
from facelab.weights.known import WeightsFile


def parse(known: WeightsFile, data: bytes) -> dict[str, np.ndarray]:
    """Bytes whose hash was checked → tensors by name."""
    kind = Path(known.file_name).suffix
    parsers = {
        ".onnx": parse_onnx,
        ".lz4": parse_joblib,
        ".pth": parse_torch,
        ".safetensors": parse_safetensors,
    }
    return parsers[kind](known, data)


def parse_onnx(known: WeightsFile, data: bytes) -> dict[str, np.ndarray]:
    import onnx
    from onnx import numpy_helper

    graph = onnx.load_model_from_string(data).graph
    stored = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    reshaped = {
        node.input[0]: stored[node.input[1]]
        for node in graph.node
        if node.op_type == "Reshape" and node.input[1] in stored
    }
    tensors: dict[str, np.ndarray] = {}
    used: set[str] = set()
    for node in graph.node:
        if node.op_type == "DequantizeLinear":
            attributes = {a.name: a.i for a in node.attribute}
            quantised, scale, zero_point = (stored[name] for name in node.input)
            weight = dequantise(quantised, scale, zero_point, attributes["axis"], attributes["block_size"])
            shape = reshaped.get(node.output[0], weight.shape)
            tensors[node.output[0].removesuffix("_dequantized")] = weight.reshape(shape)
            used.update(node.input)
    # What was not quantised is float already; the integers that are left are shapes.
    for name, array in stored.items():
        if name not in used and array.dtype == np.float32:
            tensors[name] = array.copy()
    return tensors


def dequantise(
    quantised: np.ndarray, scale: np.ndarray, zero_point: np.ndarray, axis: int, block_size: int
) -> np.ndarray:
    """ONNX's DequantizeLinear with blocks (operator set 21): one scale and zero point for each
    `block_size` numbers along `axis`; the last block may be shorter."""
    length = quantised.shape[axis]

    def spread(per_block: np.ndarray) -> np.ndarray:
        return np.repeat(per_block, block_size, axis=axis).take(range(length), axis=axis)

    # int8 minus int8 does not fit int8
    return (quantised.astype(np.float32) - spread(zero_point).astype(np.float32)) * spread(scale)


def parse_joblib(known: WeightsFile, data: bytes) -> dict[str, np.ndarray]:
    """joblib's file is a pickle in which each array is a small header object with the array's bytes after it.

    The pickle is read by an unpickler that knows three names, each replaced by a harmless class of ours that
    only keeps what it is told. So no code that the file names is ever run, whatever the file says.
    """
    import lz4.frame

    stream = io.BytesIO(lz4.frame.decompress(data))

    class DType:
        """numpy.dtype: float32, little-endian, and nothing else."""

        def __init__(self, code, *_):
            self.code = code

        def __setstate__(self, state):
            self.code = state[1] + self.code

    class Header:
        """joblib's NumpyArrayWrapper. Its state comes when the header ends: there the array's bytes begin."""

        def __setstate__(self, state):
            shape, dtype, order = state["shape"], state["dtype"].code, state["order"]
            if dtype != "<f4" or order not in "CF":
                raise pickle.UnpicklingError(f"an array of type {dtype} in order {order}")
            padding = stream.read(1)[0]
            stream.seek(padding, os.SEEK_CUR)
            numbers = np.frombuffer(stream.read(4 * math.prod(shape)), dtype="<f4")
            self.array = numbers.reshape(shape, order=order).astype(np.float32, order="C")

    class Unpickler(pickle.Unpickler):
        names = {  # noqa: RUF012
            ("joblib.numpy_pickle", "NumpyArrayWrapper"): Header,
            ("numpy", "ndarray"): type("NDArray", (), {}),
            ("numpy", "dtype"): DType,
        }

        def find_class(self, module, name):
            if (module, name) not in self.names:
                raise pickle.UnpicklingError(f"the name {module}.{name}")
            return self.names[module, name]

    try:
        headers = Unpickler(stream).load()
        return {str(place): header.array for place, header in enumerate(headers)}
    except Exception as error:
        raise WeightsError(
            f"the weights {known.name!r} are not a joblib list of float32 arrays: found {error}."
        ) from error


def parse_safetensors(known: WeightsFile, data: bytes) -> dict[str, np.ndarray]:
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        return {name: array.astype(np.float32) for name, array in load(data).items()}
    except (SafetensorError, ValueError, KeyError) as error:
        raise WeightsError(f"the weights {known.name!r} are not safetensors: {error}") from error


def parse_torch(known: WeightsFile, data: bytes) -> dict[str, np.ndarray]:
    import torch

    try:
        state = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except Exception as error:
        raise WeightsError(
            f"the weights {known.name!r} are not a PyTorch state dict that can be read safely: {error}"
        ) from error
    check_arcface(state)
    return {name: tensor.numpy().copy() for name, tensor in state.items() if tensor.is_floating_point()}


def arcface_shapes() -> dict[str, tuple[int, ...]]:
    """Names and shapes of DeepFace's ArcFace: a ResNet34 whose units are BN-conv-BN-PReLU-conv-BN."""
    shapes: dict[str, tuple[int, ...]] = {}

    def norm(name: str, channels: int) -> None:
        for part in ("weight", "bias", "running_mean", "running_var"):
            shapes[f"{name}.{part}"] = (channels,)
        shapes[f"{name}.num_batches_tracked"] = ()

    shapes["backbone.conv1_conv.weight"] = (64, 3, 3, 3)
    norm("backbone.conv1_bn", 64)
    shapes["backbone.conv1_prelu.weight"] = (64,)
    before = 64
    for stage, (channels, units) in enumerate([(64, 3), (128, 4), (256, 6), (512, 3)], start=2):
        for unit in range(units):
            name = f"backbone.conv{stage}.{unit}"
            if unit == 0:
                shapes[f"{name}.conv_0.weight"] = (channels, before, 1, 1)
                norm(f"{name}.bn_0", channels)
            norm(f"{name}.bn_1", before)
            shapes[f"{name}.conv_1.weight"] = (channels, before, 3, 3)
            norm(f"{name}.bn_2", channels)
            shapes[f"{name}.prelu_1.weight"] = (channels,)
            shapes[f"{name}.conv_2.weight"] = (channels, channels, 3, 3)
            norm(f"{name}.bn_3", channels)
            before = channels
    norm("bn", 512)
    shapes["dense.weight"], shapes["dense.bias"] = (512, 512 * 7 * 7), (512,)
    norm("embedding", 512)
    return shapes


def check_arcface(state: object) -> None:
    """The publisher states no hash, so what can be checked of the content is checked."""
    import torch

    if not isinstance(state, dict) or not all(isinstance(tensor, torch.Tensor) for tensor in state.values()):
        raise WeightsError("the weights 'arcface' are not a state dict (a dict of tensors).")
    expected = arcface_shapes()
    for name in sorted(expected.keys() | state.keys()):
        found = tuple(state[name].shape) if name in state else "nothing"
        if found != expected.get(name, "nothing"):
            raise WeightsError(
                f"the weights 'arcface' are another network's: {name} should be "
                f"{expected.get(name, 'nothing')} and is {found} (expected are the {len(expected)} tensors "
                "of DeepFace's ArcFace, a ResNet34)."
            )
    for name, tensor in state.items():
        counter = name.endswith("num_batches_tracked")
        if not counter and not (tensor.dtype == torch.float32 and bool(torch.isfinite(tensor).all())):
            raise WeightsError(f"the weights 'arcface' hold numbers in {name} that are not finite float32.")
