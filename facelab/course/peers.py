"""`DeepFace.verify()`, run for real and offline, and the reasons why its distance is not ours.

DeepFace (S. I. Serengil and A. Ozpinar, "LightFace", ASYU 2020; the package `deepface`, version 0.0.103)
is given the very files that facelab uses: OpenCV Zoo's YuNet and SFace. Its distances differ all the same,
because of what happens between the two networks. With `detector_backend="yunet"`, `model_name="SFace"` and
`align=True` its `verify` does this with either photo:

1. It puts a black border of half the photo's width and height around the photo and, where that makes a
   side longer than 640 pixels, shows the detector the whole shrunk to 640.
2. It runs YuNet with a score threshold of 0.9 and cuts every coordinate down to a whole pixel (twice where
   it had shrunk). It keeps the box and the two eyes, and drops YuNet's nose and mouth corners.
3. It turns the box's surroundings about their middle until the eyes are level (bicubic), and cuts out a box
   of the same width and height. That box is neither moved nor scaled to where the eyes came to lie.
4. It resizes the cut-out into 112 × 112 in its own proportions (bilinear, without averaging when it shrinks)
   and leaves the rest black: bars on both sides of nearly every face, since boxes are taller than wide.
5. It divides numbers by 255, and multiplies them again later, cutting off the fraction without rounding.
6. SFace, run by onnxruntime, gets RGB 0 … 255, as it should. Colours are not a reason.
7. Of all pairs of a face in one photo and a face in the other it reports the smallest distance; facelab
   compares the largest face of either. Up to a cosine distance of 0.593 it says "same person".

SFace was trained on crops in which five points lie in five fixed places. After 3 and 4 the place and the
scale of a face follow from its box instead, and a box is where a detector guesses the rim of a head to be.
`steps` walks from DeepFace's crop to ours, one change at a time, and begins by remaking DeepFace's own
distance with facelab's `warp` and networks. `benchmarks/vs_deepface.py` has the accuracies and the times.

This is a last room: nothing else in facelab imports it, and it imports DeepFace only when asked to.
"""

import functools
import math
import os
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from facelab import weights
from facelab.align import eye_angle, landmark_matrices, square_matrices, warp
from facelab.detect.face import Face
from facelab.download import home
from facelab.errors import FacelabError, NoFaceError, WeightsError
from facelab.images import name_of, read_image
from facelab.pipeline import Pipeline, cosine_distance

MODELS = {
    "SFace": "face_recognition_sface_2021dec.onnx",
    "ArcFace": "arcface_weights.pth",
    "VGG-Face": "vgg_face_weights.pth",
    "Facenet": "facenet_weights.pth",
    "Facenet512": "facenet512_weights.pth",
}
"""DeepFace's models and the files it looks for. SFace always works, others where the file is on disk."""

DETECTORS = {"yunet": "face_detection_yunet_2023mar.onnx", "opencv": None, "skip": None}
"""DeepFace's detectors and the files they look for; OpenCV's Haar cascade lies inside OpenCV."""


@dataclass(frozen=True)
class DeepFaceResult:
    """What `DeepFace.verify` answered.

    same       distance ≤ threshold
    distance   cosine distance, rounded by DeepFace to 6 digits
    threshold  DeepFace's own for this model
    seconds    from two arrays in memory to the answer
    areas      the face it used in either photo: x, y, w, h and the person's left_eye and right_eye, pixels
    """

    same: bool
    distance: float
    threshold: float
    seconds: float
    areas: tuple[dict, dict]


# --- DeepFace, ready to run ---------------------------------------------------------------------------------


def deepface_home() -> Path:
    """The folder that DeepFace is told to call home; its weights lie below it in .deepface/weights."""
    return home() / "deepface"


def load_deepface() -> Any:
    """`DeepFace` (a module that is used like a class), ready to verify without a network.

    For the rest of this process DeepFace works in facelab's own cache folder and leaves ~/.deepface alone,
    runs on torch, and says only what goes wrong. YuNet and SFace are put there under the names that DeepFace
    expects, after their SHA-256 was checked; a second call finds everything in place. Other models DeepFace
    would download when they are used, as it always does: `deepface_verify` refuses before it comes to that.

    Raises FacelabError when the package `deepface` cannot be imported, WeightsError when YuNet's or SFace's
    file is missing or damaged, or cannot be put into that folder.
    """
    _put_weights(deepface_home() / ".deepface" / "weights")

    os.environ["DEEPFACE_HOME"] = str(deepface_home())
    os.environ["DEEPFACE_BACKEND_ENGINE"] = "pytorch"
    os.environ.setdefault("DEEPFACE_LOG_LEVEL", "40")  # errors only
    try:
        with warnings.catch_warnings():  # it switches all warnings off as it is imported
            from deepface import DeepFace
    except ImportError as error:
        raise FacelabError(
            f"DeepFace cannot be imported ({error}). Run: pip install deepface==0.0.103 werkzeug"
        ) from error
    return DeepFace


def deepface_verify(
    a: Any, b: Any, detector: str = "yunet", model: str = "SFace", align: bool = True
) -> DeepFaceResult:
    """`DeepFace.verify` of two photos (anything `read_image` reads), with DeepFace's own threshold.

    Raises NoFaceError where DeepFace finds no face, and names the photo; WeightsError, at once and without
    trying the network, where the weights of `model` or `detector` are not on disk; FacelabError with the
    reason for whatever else goes wrong inside DeepFace.
    """
    deepface = load_deepface()
    _require_weights("model", model, MODELS)
    _require_weights("detector", detector, DETECTORS)
    bgr = [np.ascontiguousarray(read_image(photo)[..., ::-1]) for photo in (a, b)]
    start = time.perf_counter()
    try:
        answer = deepface.verify(*bgr, model_name=model, detector_backend=detector, align=align, silent=True)
    except Exception as error:
        raise _explained(error, a, b) from error
    seconds = time.perf_counter() - start
    return DeepFaceResult(
        same=bool(answer["verified"]),
        distance=float(answer["distance"]),
        threshold=float(answer["threshold"]),
        seconds=seconds,
        areas=(answer["facial_areas"]["img1"], answer["facial_areas"]["img2"]),
    )


@functools.cache
def _put_weights(folder: Path) -> None:
    """YuNet and SFace into DeepFace's folder; once in each process what lies there already is compared."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in (
            (DETECTORS["yunet"], weights.find("yunet").read_bytes()),
            (MODELS["SFace"], _pruned_sface()),
        ):
            if not (folder / name).is_file() or (folder / name).read_bytes() != content:
                (folder / name).unlink(missing_ok=True)
                _put(folder / name, lambda content=content: content)
    except OSError as error:
        raise WeightsError(
            f"{folder}: DeepFace's weights cannot be put there ({error.strerror or error}). FACELAB_HOME "
            "chooses another place."
        ) from error


def _put(target: Path, content: Callable[[], bytes]) -> None:
    """Write a file that is either whole or not there, unless it is there already."""
    if target.exists():
        return
    part = target.with_name(f"{target.name}.{os.getpid()}.part")
    try:
        part.write_bytes(content())
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


def _pruned_sface() -> bytes:
    """SFace's graph with its one true input. The file lists its weights as inputs as well, some under names
    that no node reads since they were quantised, and onnxruntime would ask for a value for each of those."""
    import onnx

    model = onnx.load_model_from_string(weights.find("sface").read_bytes())
    read_by_nodes = {name for node in model.graph.node for name in node.input}
    made_inside = {name for node in model.graph.node for name in node.output}
    stored = {tensor.name for tensor in model.graph.initializer}
    true_inputs = [i for i in model.graph.input if i.name in read_by_nodes - made_inside - stored]
    del model.graph.input[:]
    model.graph.input.extend(true_inputs)
    return model.SerializeToString()


def _require_weights(kind: str, name: str, known: dict[str, str | None]) -> None:
    if name not in known:
        raise FacelabError(f"{kind}={name!r} is not offered here; choose one of {', '.join(known)}.")
    file_name = known[name]
    path = deepface_home() / ".deepface" / "weights" / (file_name or "")
    if file_name is None or path.is_file():
        return
    if name == "ArcFace":  # facelab fetches and checks this one
        _put(path, lambda: weights.find("arcface").read_bytes())
        return
    raise WeightsError(
        f"{kind}={name!r}: DeepFace's file {file_name} is not on disk, and nothing is downloaded behind your "
        f"back. Fetch https://github.com/serengil/deepface_models/releases/download/v1.0/{file_name} "
        f"and put it at {path}"
    )


def _explained(error: Exception, a: Any, b: Any) -> FacelabError:
    """DeepFace says which photo in the error and why in the error's cause."""
    photo = next((name_of(p) for p, key in ((a, "img1"), (b, "img2")) if f"{key}_path" in str(error)), None)
    reason = error.__cause__ or error
    if type(reason).__name__ == "FaceNotDetected":
        return NoFaceError(f"{photo or 'a photo'}: DeepFace found no face in it.")
    return FacelabError(f"{photo or 'DeepFace.verify'}: {type(reason).__name__}: {reason}")


# --- DeepFace's crop with facelab's pieces ------------------------------------------------------------------


def deepface_face(area: dict) -> Face:
    """A face as DeepFace reports it, as ours: the box of its pixels, and landmarks of which only the eyes are
    known (the other three are NaN)."""
    x, y, w, h = (area[key] for key in "xywh")
    landmarks = np.full((5, 2), np.nan, np.float32)
    landmarks[:2] = area["right_eye"], area["left_eye"]
    # The pixels x … x + w − 1 cover x − 0.5 … x + w − 0.5.
    box = np.array([x - 0.5, y - 0.5, x + w - 0.5, y + h - 0.5], np.float32)
    return Face(box, landmarks, float("nan"))


def deepface_crop(photo: Tensor, face: Face, size: int = 112) -> Tensor:
    """The crop that DeepFace makes of a face (steps 3 and 4 of the module's docstring), in one warp.

    photo (H, W, 3) uint8 → (size, size, 3) uint8. DeepFace resamples twice, bicubic and then bilinear, where
    this does it once, bilinear: grey levels differ a little, places do not.
    """
    x, y = face.box[:2] + 0.5
    w, h = face.width, face.height
    # The box with half of it again on every side is turned about its middle pixel …
    half = np.floor([w / 2, h / 2])
    pivot = np.array([x, y]) - half + np.floor((np.array([w, h]) + 2 * half) / 2)
    turn = _turn(-float(eye_angle(torch.from_numpy(face.landmarks))))
    upright = _shift(*pivot) @ turn @ _shift(*-pivot)
    # … and the box, cut out where it was, is resized in whole pixels and put in the middle.
    factor = min(size / h, size / w)
    inner = np.array([int(w * factor), int(h * factor)])
    bars = (size - inner) // 2
    corner = _shift(0.5 - x, 0.5 - y)  # the cut-out's corner, not its first pixel's centre, is the origin
    resize = np.diag([inner[0] / w, inner[1] / h, 1.0])
    matrix = _shift(*(bars - 0.5)) @ resize @ corner @ upright
    crop = warp([photo], [0], torch.from_numpy(matrix[None, :2]), size, size, antialias=False)[0]

    letterboxed = torch.zeros_like(crop)
    (left, top), (right, bottom) = bars, bars + inner
    letterboxed[top:bottom, left:right] = crop[top:bottom, left:right]
    return letterboxed


@dataclass(frozen=True, eq=False)
class Step:
    """One row of the walk from DeepFace's distance to ours.

    name      what changed from the step before
    distance  cosine distance
    crops     (2, 112, 112, 3) uint8, what SFace saw; None where DeepFace keeps that to itself
    """

    name: str
    distance: float
    crops: np.ndarray | None


def steps(a: Any, b: Any, pipe: Pipeline | None = None, answer: DeepFaceResult | None = None) -> list[Step]:
    """From `DeepFace.verify`'s distance to facelab's on the same YuNet and SFace, one change at a time.

    The first two rows agree to about 0.01 for faces that lie inside their photos, so what happens between
    the networks is all there is to the difference. (Of a face that reaches over the edge DeepFace reports
    only the part inside, from which its crop cannot be remade.)

    pipe    facelab's side, on the CPU; None: `Pipeline()` as it comes
    answer  DeepFace's, where it is known already; None: it is asked

    Raises NoFaceError where either side finds no face.
    """
    pipe = pipe or _pipeline()
    answer = answer or deepface_verify(a, b)
    theirs = [deepface_face(area) for area in answer.areas]
    ours = [result.faces[result.one()] for result in map(pipe.one, (a, b))]
    photos = [torch.from_numpy(read_image(photo)) for photo in (a, b)]

    def remade(faces: list[Face]) -> Tensor:
        return torch.stack([deepface_crop(p, face) for p, face in zip(photos, faces, strict=True)])

    angle = eye_angle(np.stack([face.landmarks for face in ours]))
    walk = [
        ("its crop, remade with facelab's warp and networks", remade(theirs)),
        ("from facelab's own detection: no border, no whole pixels", remade(ours)),
        ("a square around the box: photo where the black bars were", _warp(photos, square_matrices(ours))),
        ("the square turned until the eyes are level", _warp(photos, square_matrices(ours, angle=angle))),
        ("five points onto five places: facelab", _warp(photos, landmark_matrices(ours))),
    ]
    rows = [Step("DeepFace.verify", answer.distance, None)]
    for name, crops in walk:
        crops = crops.numpy()
        rows.append(Step(name, cosine_distance(*pipe.embed(crops)), crops))
    return rows


@functools.cache
def _pipeline() -> Pipeline:
    return Pipeline(device="cpu")


def _warp(photos: list[Tensor], matrices: Tensor) -> Tensor:
    return warp(photos, range(len(photos)), matrices)


def _shift(x: float, y: float) -> np.ndarray:
    return np.array([[1.0, 0.0, x], [0.0, 1.0, y], [0.0, 0.0, 1.0]])


def _turn(angle: float) -> np.ndarray:
    """Clockwise on the screen."""
    c, s = math.cos(angle), math.sin(angle)
    return np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])
