"""The trained network as ONNX, for programs without torch, and compared with it before it is kept."""

import io
import warnings
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from facelab.embed.files import network_of
from facelab.errors import FacelabError
from facelab.kept import write_atomically
from facelab.user_weights import UserFile

AGREEMENT = 1e-4
"""Largest difference allowed between any two numbers of unit vectors, torch's and onnxruntime's."""


class _FromPixels(nn.Module):
    """(N, 3, 112, 112) float −1 … 1 → (N, D), not normalised: what embedders in ONNX files usually are."""

    def __init__(self, net: nn.Module):
        super().__init__()
        self.net = net

    def forward(self, input):
        return self.net(input)


def to_onnx(source: str | PathLike, target: str | PathLike) -> float:
    """Write an embedder's file of weights as ONNX → the largest difference between any two numbers of unit
    vectors, torch's and onnxruntime's.

    source  a folder that `train` left, or any file that `facelab.embed.load_file` reads

    Input `input` (N, 3, 112, 112) float RGB (x − 127.5)/127.5, any N; output `embedding` (N, D), not
    normalised. Raises WeightsError for a file of something else, FacelabError where onnxruntime is missing,
    the target cannot be written, or the two do not agree to 1e-4.
    """
    try:
        import onnxruntime
    except ImportError as error:
        raise FacelabError("The check needs onnxruntime. Run: pip install onnxruntime") from error
    file, target = UserFile.open(source), Path(target)
    name, net = network_of(file.tensors(), str(file.path))
    if name.startswith("adaface"):
        raise FacelabError(
            f"{file.path}: {name} takes BGR, which an ONNX file cannot say. It was not written."
        )
    net = _FromPixels(net).eval()
    images = torch.from_numpy(np.random.default_rng(0).uniform(-1, 1, (3, 3, 112, 112)).astype(np.float32))
    content: Any = io.BytesIO()
    with warnings.catch_warnings():
        # The exporter by tracing is called old, and asks for nothing beyond torch; these networks have no
        # branches that it could miss.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            net, (images,), content, dynamo=False, opset_version=17, input_names=["input"],
            output_names=["embedding"], dynamic_axes={"input": {0: "N"}, "embedding": {0: "N"}},
        )  # fmt: skip
    session = onnxruntime.InferenceSession(content.getvalue(), providers=["CPUExecutionProvider"])
    with torch.inference_mode():
        ours = net(images[:2]).numpy()
    theirs = session.run(None, {"input": images[:2].numpy()})[0]
    ours, theirs = (v / np.linalg.norm(v, axis=1, keepdims=True) for v in (ours, theirs))
    apart = float(np.abs(ours - theirs).max())
    if not apart <= AGREEMENT:
        raise FacelabError(
            f"{target}: not written, since onnxruntime's vectors differ by {apart:.1e}, more than "
            f"{AGREEMENT:g}."
        )
    try:
        write_atomically(target, content.getvalue())
    except OSError as error:
        raise FacelabError(f"{target}: cannot be written ({error.strerror or error}).") from error
    return apart
