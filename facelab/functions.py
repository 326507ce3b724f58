"""The pipeline's steps as functions: `detect`, `align`, `embed`, `verify` and the other crops.

Thin calls into one Pipeline that is kept for each choice of options, so that the second call is quick.
"""

import functools

import numpy as np
import torch

from facelab.align import SIZES, landmark_matrices, square_matrices, warp
from facelab.decoding import upload
from facelab.detect import Face
from facelab.images import Source, read_image
from facelab.pipeline import CROPS, SIDE, Pipeline
from facelab.results import Verification


@functools.lru_cache(maxsize=4)
def _kept(**options) -> Pipeline:
    return Pipeline(**options)


def detect(photo: Source, **options) -> list[Face]:
    """The faces in a photo, largest first; an empty list when there are none. Options as in Pipeline.

    Raises ImageError when the photo cannot be read.
    """
    pipe = _kept(**options)
    with torch.inference_mode():
        return pipe.detector.detect(upload([read_image(photo)], pipe.device))[0]


def _crops(photo: Source, face: Face | list[Face], plan, width: int, height: int) -> np.ndarray:
    """Crops of one photo by a plan as in CROPS: (height, width, 3), or (N, …) for a list of faces."""
    single = isinstance(face, Face)
    faces = [face] if isinstance(face, Face) else list(face)
    matrices, within = plan(faces)
    photo = torch.from_numpy(read_image(photo))
    crops = warp([photo], [0] * len(faces), matrices, width, height, within=within).numpy()
    return crops[0] if single else crops


def align(photo: Source, face: Face | list[Face], template: str = "112x112") -> np.ndarray:
    """Turn, scale and shift the photo so that the five landmarks come to lie where the embedder expects them.

    Returns (112, 112, 3) uint8, black outside the photo; (N, 112, 112, 3) for a list of faces.
    template "96x112" gives the narrower crop that was usual up to CosFace (Japanese slides, page 7).
    """
    if template not in SIZES:
        raise ValueError(f"template {template!r} is not known; there are {', '.join(SIZES)}.")
    return _crops(photo, face, lambda faces: (landmark_matrices(faces, template), None), *SIZES[template])


def square_crop(
    photo: Source, face: Face | list[Face], scale: float = 1.0, size: int = SIDE, angle: float = 0.0
) -> np.ndarray:
    """The slides' crop: a square around the middle of the box, as long as the box's longer side × scale.

    angle turns the square clockwise around its middle, radians; what lies outside the photo is black.
    Returns (size, size, 3) uint8; (N, size, size, 3) for a list of faces.
    """
    return _crops(photo, face, lambda faces: (square_matrices(faces, scale, size, angle), None), size, size)


def stretched_crop(photo: Source, face: Face | list[Face]) -> np.ndarray:
    """The box pulled to 112 × 112, as a plain resize does: it makes a face broader than it is."""
    return _crops(photo, face, CROPS["stretched"], SIDE, SIDE)


def letterboxed_crop(photo: Source, face: Face | list[Face]) -> np.ndarray:
    """The box scaled to fit into 112 × 112 with its proportions kept, black bars filling the rest."""
    return _crops(photo, face, CROPS["letterboxed"], SIDE, SIDE)


def embed(crops, **options) -> np.ndarray:
    """One crop (112, 112, 3) → (D,); a list or (N, 112, 112, 3) → (N, D), batched. Unit norm, float32."""
    return _kept(**options).embed(crops)


def verify(a: Source, b: Source, *, threshold=None, fmr=None, face=None, **options) -> Verification:
    """Do two photos show the same person? See `Pipeline.verify`; other options as in Pipeline."""
    return _kept(**options).verify(a, b, threshold=threshold, fmr=fmr, face=face)
