"""Finding faces: where they are, and where their eyes, noses and mouth corners are.

Two detectors with one interface, `detector.detect(photos) → list of faces for each photo`:

- `yunet`   one small network looks at the whole photo once. Fast; the default.
- `mtcnn`   three networks in a row, each stricter than the one before, on a pyramid of sizes. The classic.
"""

import torch

from facelab import device as devices
from facelab.detect.face import LANDMARKS, Face, largest_first
from facelab.detect.mtcnn import MTCNN
from facelab.detect.yunet import YuNet

__all__ = ["DETECTORS", "LANDMARKS", "MTCNN", "Face", "YuNet", "largest_first", "load"]

_CLASSES = {"yunet": YuNet, "mtcnn": MTCNN}
DETECTORS = tuple(_CLASSES)


def load(name: str = "yunet", device: str | torch.device = "cpu", **options) -> YuNet | MTCNN:
    """The detector of that name, its weights loaded, on the device (`"auto"`: the GPU where there is one).

    Options of both: min_score, min_face, max_faces, max_side, half, path(s); the classes say what they mean.
    Raises ValueError for a name that is not in DETECTORS, WeightsError and DeviceError.
    """
    if name not in _CLASSES:
        raise ValueError(f"there is no detector {name!r}; choose one of {', '.join(map(repr, DETECTORS))}.")
    return _CLASSES[name](device=devices.choose(device), **options)
