"""Is it a living face? Trained and measured on simulated attacks, which cannot show how it does on real
ones: it guards no door.

    pipe = fl.Pipeline(antispoof="facelab")          # off by default
    pipe.one("a.jpg").faces[0].live                  # 0 … 1, higher: more likely bona fide
    pipe.verify("a.jpg", "b.jpg")                    # AttackError where a score is below the threshold
    fl.antispoof.score(photo, faces)                 # (n,) float32

From the inside out: `quantities` (numbers with ranges), `plane` and `camera` (what a camera sees),
`attacks` (print, replay, cut-out eyes, recompression), `captures` (what is learnt from), `crops` and `net`
(the detector), `fit` (its training), `minifasnet` (files of others), `detector` (what a pipeline asks).
docs/antispoof.md has the figures.
"""

import functools
from collections.abc import Sequence

import numpy as np
import torch

from facelab.antispoof.attacks import KINDS, Attack, CutEyes, Print, Recompress, Replay
from facelab.antispoof.camera import Camera, other_camera
from facelab.antispoof.captures import BONA_FIDE, Captures, make_captures, take
from facelab.antispoof.crops import pair, without_border
from facelab.antispoof.detector import Choice, LiveDetector, OwnDetector, facts, load, own_network
from facelab.antispoof.net import TwoScales, scores
from facelab.detect.face import Face
from facelab.images import Source, read_image

__all__ = [
    "BONA_FIDE",
    "KINDS",
    "Attack",
    "Camera",
    "Captures",
    "CutEyes",
    "LiveDetector",
    "OwnDetector",
    "Print",
    "Recompress",
    "Replay",
    "TwoScales",
    "facts",
    "load",
    "make_captures",
    "other_camera",
    "own_network",
    "pair",
    "score",
    "scores",
    "take",
    "threshold",
    "without_border",
]


@functools.lru_cache(maxsize=4)
def _kept(antispoof: Choice) -> LiveDetector:
    detector = load(antispoof)
    if detector is None:
        raise ValueError("antispoof=None: nothing is there to give a score.")
    return detector


def score(photo: Source, faces: Sequence[Face], antispoof: Choice = "facelab") -> np.ndarray:
    """(n,) float32 in 0 … 1 for the faces of a photo, higher: more likely bona fide.

    antispoof  as in Pipeline

    Raises ImageError when the photo cannot be read, ValueError for an empty box.
    """
    detector = _kept(antispoof)  # type: ignore[arg-type]  # whatever a pipeline takes can be hashed
    return detector.score([torch.from_numpy(read_image(photo))], [list(faces)])[0]


def threshold() -> float:
    """The smallest score that passes with facelab's own network: it turns away 5 % of the bona fide
    captures of people kept for that (validation), under the cameras of the training."""
    return float(facts()["threshold"])
