"""facelab: face recognition, from the first dot product to a gallery of a million people.

The rooms of the package, in the order in which a photo passes through them:
`images` → `weights` → `detect` → `align` → `embed` → `antispoof` → `pipeline` → `metrics`, `datasets` →
`gallery`; on top of the data `evaluation`; beside them `losses`; on top of both `training`; last,
importing all, `cli`.

All that only the notebooks use lives in one room of its own, `facelab.course`. It imports the library; the
library never imports it.

`fl.detect`, `fl.align` and `fl.embed` are functions. The rooms of the same names are reached by
`from facelab.align import warp`, never by `import facelab.align as …`.
"""

import importlib

from facelab.detect import LANDMARKS, Face
from facelab.functions import (
    align,
    detect,
    embed,
    letterboxed_crop,
    square_crop,
    stretched_crop,
    verify,
)
from facelab.gallery import Gallery, Match
from facelab.images import read_image
from facelab.pipeline import Pipeline, cosine_distance
from facelab.results import Result, Verification

__version__ = "0.1.0"

__all__ = [
    "LANDMARKS",
    "Face",
    "Gallery",
    "Match",
    "Pipeline",
    "Result",
    "Verification",
    "align",
    "cosine_distance",
    "detect",
    "embed",
    "letterboxed_crop",
    "read_image",
    "square_crop",
    "stretched_crop",
    "verify",
]

_ROOMS = (
    "album",
    "antispoof",
    "calibration",
    "cluster",
    "datasets",
    "errors",
    "evaluation",
    "gallery",
    "losses",
    "metrics",
    "training",
    "weights",
)


def __getattr__(name: str):
    """`fl.metrics` and other rooms are imported when they are first used: `import facelab` stays quick."""
    if name in _ROOMS:
        return importlib.import_module(f"facelab.{name}")
    raise AttributeError(f"facelab has no {name!r}")


def __dir__() -> list[str]:
    return sorted([*__all__, *_ROOMS])
