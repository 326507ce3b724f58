"""What gives faces their live score in a pipeline: facelab's own network, a file of yours, or a function.

detector = load("facelab")                     # or True
detector = load("2.7_80x80_MiniFASNetV2.pth")  # Minivision's state dict, or an ONNX file
detector = load(function)                      # (photo (H, W, 3) uint8 RGB, faces) → a score for each face
detector.score([photo_tensor], [faces])        # → [(n,) float32], 0 … 1, higher: more likely bona fide
"""

import json
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from functools import cache
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from facelab import user_weights, weights
from facelab.align import stretch_matrices, warp
from facelab.antispoof.crops import pairs
from facelab.antispoof.minifasnet import BONA_FIDE, minifasnet
from facelab.antispoof.net import TwoScales, scores
from facelab.detect.face import Face
from facelab.errors import FacelabError, WeightsError
from facelab.names import name_of
from facelab.user_weights import UserFile

OWN = "facelab"

FACTS = Path(__file__).with_name("antispoof.json")
"""Beside the weights: the threshold and where it comes from."""


class LiveDetector(ABC):
    """name       for messages
    threshold  the smallest score that passes for bona fide; None: nobody has calibrated it"""

    name: str
    threshold: float | None = None

    def score(self, photos: Sequence[Tensor], faces: Sequence[Sequence[Face]]) -> list[np.ndarray]:
        """Photos (H, W, 3) uint8 and the faces of each → for each (n,) float32 in 0 … 1."""
        if not any(faces):
            return [np.zeros(0, np.float32) for _ in faces]
        flat = self._score(photos, faces)
        ends = np.cumsum([len(found) for found in faces])
        return np.split(flat, ends[:-1])

    @abstractmethod
    def _score(self, photos: Sequence[Tensor], faces: Sequence[Sequence[Face]]) -> np.ndarray:
        """(N,) float32 of all faces, photo after photo; there is at least one."""


class OwnDetector(LiveDetector):
    """The network that facelab carries (`MODEL_CARD.md` beside it), or another training of it."""

    def __init__(self, device: torch.device, net: TwoScales | None = None, threshold: float | None = None):
        self.name = OWN if net is None else "TwoScales"
        self.threshold = float(facts()["threshold"]) if net is None else threshold
        self.net = (own_network() if net is None else net).to(device)

    def _score(self, photos: Sequence[Tensor], faces: Sequence[Sequence[Face]]) -> np.ndarray:
        return scores(self.net, pairs(photos, faces))


class FileDetector(LiveDetector):
    """A network in a file whose name begins with the scale of its crop, as Minivision's do.

    A state dict is MiniFASNet's. An ONNX file is fed like it: one input (N, 3, S, S), BGR, 0 … 255; its
    first output is logits, (N, 2) to (N, 4) with "bona fide" second, or (N, 1). An exported softmax would
    be squeezed a second time and keep the order of scores.
    """

    def __init__(self, path: str | PathLike, device: torch.device):
        file = UserFile.open(path)
        self.scale = _scale_of(file.path)
        if file.path.suffix.lower() == ".onnx":
            from facelab.embed.onnx_file import OnnxNetwork

            self.net: Any = OnnxNetwork(file, device, side=None)
            tag = "onnx"
        else:
            self.net = minifasnet(file.tensors(), str(file.path)).to(device)
            tag = f"minifasnet-{self.net.variant.lower()}"
        self.side = int(self.net.side)
        self.name, self.file = file.tag(tag), file.without_content()
        file.pin()

    @torch.inference_mode()
    def _score(self, photos: Sequence[Tensor], faces: Sequence[Sequence[Face]]) -> np.ndarray:
        index = [row for row, found in enumerate(faces) for _ in found]
        boxes = [
            _enlarged(face, self.scale, *photo.shape[:2])
            for photo, found in zip(photos, faces, strict=True)
            for face in found
        ]
        crops = warp(photos, index, stretch_matrices(boxes, self.side), self.side, self.side)
        logits = self.net(crops.flip(-1).permute(0, 3, 1, 2).float()).float()
        if logits.ndim != 2 or logits.shape[1] not in (1, 2, 3, 4):
            raise FacelabError(
                f"{self.file.path}: gave {tuple(logits.shape)} for {len(crops)} faces; (N, 1) to (N, 4) "
                "is wanted."
            )
        live = logits.softmax(1)[:, BONA_FIDE] if logits.shape[1] > 1 else logits[:, 0].sigmoid()
        return live.cpu().numpy()


class CallDetector(LiveDetector):
    """A function: (photo (H, W, 3) uint8 RGB, faces) → a score in 0 … 1 for each."""

    def __init__(self, call: Callable):
        self._call, self.name = call, name_of(call)

    def _score(self, photos: Sequence[Tensor], faces: Sequence[Sequence[Face]]) -> np.ndarray:
        return np.concatenate(
            [self._one(photo.cpu().numpy(), list(found)) for photo, found in zip(photos, faces, strict=True)]
        )

    def _one(self, photo: np.ndarray, faces: list[Face]) -> np.ndarray:
        if not faces:
            return np.zeros(0, np.float32)
        try:
            given = np.asarray(self._call(photo, faces), np.float32)
        except FacelabError:
            raise
        except Exception as error:
            raise FacelabError(
                f"the detector of attacks {self.name} failed: {type(error).__name__}: {error}. It is called "
                "with a photo (H, W, 3) uint8 RGB and its faces."
            ) from error
        if given.shape != (len(faces),) or not bool(((given >= 0) & (given <= 1)).all()):
            raise FacelabError(
                f"the detector of attacks {self.name} must give a score between 0 and 1 for each of "
                f"{len(faces)} faces; it gave {given.tolist()}."
            )
        return given


Choice = bool | str | PathLike | Callable | LiveDetector | None
"""What `Pipeline(antispoof=…)` takes."""


def load(what: Choice, device: str | torch.device = "cpu") -> LiveDetector | None:
    """The detector that is meant; None for None and False.

    Raises ValueError for a name that there is not, WeightsError for a file that is not what it should be.
    """
    if what is None or what is False:
        return None
    if isinstance(what, LiveDetector):
        return what
    device = torch.device(device)
    if what is True or what == OWN:
        return OwnDetector(device)
    if callable(what):
        return CallDetector(what)
    if user_weights.is_path(what):
        return FileDetector(what, device)
    raise ValueError(
        f"antispoof={what!r}: choose {OWN!r} (or True), the path of a file of weights (.pth, .onnx), or a "
        "function."
    )


def own_network() -> TwoScales:
    """The trained network, in evaluation mode, on the CPU. Raises WeightsError when its file is damaged."""
    return TwoScales().load(weights.read("antispoof")).eval()


@cache
def facts() -> dict[str, Any]:
    """What was written down when the carried weights were trained: threshold, recipe, figures."""
    return json.loads(FACTS.read_text(encoding="utf-8"))


def _scale_of(path: Path) -> float:
    found = re.match(r"(\d+(?:\.\d+)?)_(?:0_0_)?\d+x\d+_", path.name)
    if found is None:
        raise WeightsError(
            f"{path}: at what scale does it want its crops? Nothing but its name can say: call it as "
            "Minivision does, such as 2.7_80x80_MiniFASNetV2.pth (crops of 2.7 times the box)."
        )
    if float(found[1]) == 0:
        raise WeightsError(f"{path}: its name asks for crops of 0 times the box. Minivision's is 2.7 or 4.")
    return float(found[1])


def _enlarged(face: Face, scale: float, height: int, width: int) -> Face:
    """The box `scale` times as large, made smaller and shifted so that it lies in the photo, at whole
    pixels, as the published code cuts it out (its last row and column belong to it)."""
    (x1, y1, x2, y2), wide, high = face.box.tolist(), face.width, face.height
    scale = min((height - 1) / high, (width - 1) / wide, scale)
    edges = []
    for middle, length, limit in (
        ((x1 + x2) / 2, wide * scale, width),
        ((y1 + y2) / 2, high * scale, height),
    ):
        low = max(middle - length / 2, 0.0)
        low -= max(low + length - (limit - 1), 0.0)
        edges.append((int(max(low, 0.0)), int(max(low, 0.0) + length) + 1))
    (left, right), (top, bottom) = edges
    box = np.array([left, top, max(right, left + 1), max(bottom, top + 1)], np.float32) - 0.5
    return Face(box, face.landmarks, face.score)
