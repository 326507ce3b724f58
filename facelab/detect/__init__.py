"""Finding faces: where they are, and where their eyes, noses and mouth corners are.

Three detectors with one interface, `detector.detect(photos) → list of faces for each photo`:

- `yunet`   one small network looks at the whole photo once. Fast; the default.
- `mtcnn`   three networks in a row, each stricter than the one before, on a pyramid of sizes. The classic.
- `retinaface-small`   RetinaFace as facelab trained it in minutes, YuNet being its teacher: to look inside.

Others come from you: RetinaFace in a file of weights (`retinaface.py`), and any callable from photos to faces
(`own.py`).
"""

from collections.abc import Callable
from os import PathLike

import torch

from facelab import device as devices
from facelab.detect.face import LANDMARKS, Face, largest_first
from facelab.detect.mtcnn import MTCNN
from facelab.detect.own import OwnDetector
from facelab.detect.retinaface import RetinaFace, RetinaFaceSmall
from facelab.detect.yunet import YuNet
from facelab.user_weights import find, is_path

__all__ = [
    "DETECTORS",
    "LANDMARKS",
    "MTCNN",
    "Face",
    "OwnDetector",
    "RetinaFace",
    "RetinaFaceSmall",
    "YuNet",
    "largest_first",
    "load",
]

_CLASSES = {"yunet": YuNet, "mtcnn": MTCNN, "retinaface-small": RetinaFaceSmall}
DETECTORS = tuple(_CLASSES)


def load(
    name: str | PathLike | Callable = "yunet", device: str | torch.device = "cpu", **options
) -> YuNet | MTCNN | RetinaFace | OwnDetector:
    """The detector of that name, its weights loaded, on the device (`"auto"`: the GPU where there is one).

    Options: min_score, min_face, max_faces, max_side, half, path(s); the classes say what they mean. The path
    of a file is RetinaFace's weights. A callable is taken as it is (`facelab.detect.own`) and has no options;
    so is a RetinaFace that is loaded already. Raises ValueError for a name that is not in DETECTORS,
    WeightsError and DeviceError.
    """
    if isinstance(name, RetinaFace) and not options:
        return name
    if callable(name):
        if options:
            raise ValueError(
                f"{', '.join(options)}: options of facelab's detectors; this one brings its own."
            )
        return OwnDetector(name)
    if isinstance(name, str) and name not in _CLASSES and (pinned := find(name)) is not None:
        name = pinned  # a name that a gallery has kept
    if is_path(name):
        return RetinaFace(name, device=devices.choose(device), **options)
    if name not in _CLASSES:
        raise ValueError(
            f"there is no detector {name!r}; choose one of {', '.join(map(repr, DETECTORS))}, or give the "
            "path of RetinaFace's weights."
        )
    return _CLASSES[name](device=devices.choose(device), **options)
