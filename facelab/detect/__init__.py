"""Finding faces: where they are, and where their eyes, noses and mouth corners are.

Two detectors with one interface, `detector.detect(photos) → list of faces for each photo`:

- `yunet`   one small network looks at the whole photo once. Fast; the default.
- `mtcnn`   three networks in a row, each stricter than the one before, on a pyramid of sizes. The classic.

A third comes from you: any callable from photos to faces (`own.py`).
"""

from collections.abc import Callable

import torch

from facelab import device as devices
from facelab.detect.face import LANDMARKS, Face, largest_first
from facelab.detect.mtcnn import MTCNN
from facelab.detect.own import OwnDetector
from facelab.detect.yunet import YuNet

__all__ = ["DETECTORS", "LANDMARKS", "MTCNN", "Face", "OwnDetector", "YuNet", "largest_first", "load"]

_CLASSES = {"yunet": YuNet, "mtcnn": MTCNN}
DETECTORS = tuple(_CLASSES)


def load(
    name: str | Callable = "yunet", device: str | torch.device = "cpu", **options
) -> YuNet | MTCNN | OwnDetector:
    """The detector of that name, its weights loaded, on the device (`"auto"`: the GPU where there is one).

    Options of both: min_score, min_face, max_faces, max_side, half, path(s); the classes say what they mean.
    A callable is taken as it is (`facelab.detect.own`) and has no options. Raises ValueError for a name that
    is not in DETECTORS, WeightsError and DeviceError.
    """
    if callable(name):
        if options:
            raise ValueError(
                f"{', '.join(options)}: options of facelab's detectors; this one brings its own."
            )
        return OwnDetector(name)
    if name not in _CLASSES:
        raise ValueError(f"there is no detector {name!r}; choose one of {', '.join(map(repr, DETECTORS))}.")
    return _CLASSES[name](device=devices.choose(device), **options)
