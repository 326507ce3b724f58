"""What each distance threshold is worth, measured on LFW → facelab/calibration.json.

    python -m benchmarks.calibrate                       # all configurations, the default ones
    python -m benchmarks.calibrate --configs yunet+aligned+sface --resamples 100

`facelab.calibration` says what is measured and how its intervals are meant. The closest pairs of different
people are printed: at the smallest rates LFW's label errors decide, so they have to be looked at
(data/README.md has what was seen).
"""

import argparse
import json
import platform

import numpy as np
import torch

import facelab
from benchmarks.lfw_vectors import NONE, measure
from facelab import calibration, weights
from facelab.datasets import LFW, lfw
from facelab.metrics.rates import genuines, impostors

CONFIGS = (
    "yunet+aligned+sface",
    "yunet+aligned+sface+mirror",
    "mtcnn+aligned+sface",
    "mtcnn+aligned+sface+mirror",
)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--configs", nargs="+", default=CONFIGS, choices=CONFIGS)
    parser.add_argument("--resamples", type=int, default=500, help="of the bootstrap over people (500)")
    parser.add_argument("--home", help="where `facelab data get lfw` put LFW, if not in the usual place")
    parser.add_argument(
        "--closest", type=int, default=30, help="how many of the closest impostor pairs to print"
    )
    arguments = parser.parse_args()

    photos = lfw(arguments.home)
    print(photos)
    table = json.loads(calibration.FILE.read_text(encoding="utf-8"))
    for config in arguments.configs:
        row = calibrate(photos, config, arguments.resamples, arguments.closest)
        table["configs"][config] = row
        ordered = {name: table["configs"][name] for name in CONFIGS if name in table["configs"]}
        text = json.dumps({"made_by": "python -m benchmarks.calibrate", "configs": ordered}, indent=1)
        part = calibration.FILE.with_suffix(".part")
        part.write_text(_arrays_on_one_line(text) + "\n", encoding="utf-8")
        part.replace(calibration.FILE)


def calibrate(photos: LFW, config: str, resamples: int, closest: int) -> dict:
    """The table of one configuration, as calibration.json holds it."""
    detector, _, embedder, *mirror = config.split("+")
    pairs = photos.pairs("lfw")
    left, right = pairs.rows(photos)
    first = np.flatnonzero(photos.number == 1)
    rows = np.union1d(np.concatenate([left, right]), first)
    measured = measure(photos, rows, detector, embedder, mirror=bool(mirror))
    there = np.zeros(len(photos), bool)
    there[rows] = measured.found != NONE
    vectors = np.zeros((len(photos), measured.raw["aligned"].shape[1]), np.float32)
    vectors[rows] = measured.vectors(mirror=bool(mirror))

    people = first[there[first]]
    impostor = impostors(vectors[people], resamples, config)
    show_closest(photos, people, vectors[people], closest)
    same = pairs.same & there[left] & there[right]
    distances = 1 - np.einsum("nd,nd->n", vectors[left[same]], vectors[right[same]])
    genuine = genuines(distances, photos.identity[left[same]], resamples)
    files = [name for name in weights.KNOWN if name.split("-")[0] in (detector, embedder)]
    return {
        "lfw": photos.variant,
        "weights": {name: weights.KNOWN[name].sha256 for name in files},
        "versions": {
            "facelab": facelab.__version__,
            "torch": torch.__version__.partition("+")[0],
            "numpy": np.__version__,
            "python": platform.python_version(),
        },
        "resamples": resamples,
        "photos_without_a_face": int((measured.found == NONE).sum()),
        "impostor": impostor,
        "genuine": genuine,
    }


def show_closest(photos: LFW, people: np.ndarray, vectors: np.ndarray, count: int) -> None:
    similar = np.triu(vectors @ vectors.T, k=1)
    flat = np.argpartition(similar, -count, axis=None)[-count:]
    flat = flat[np.argsort(-similar.ravel()[flat], kind="stable")]
    print(f"the {count} closest pairs of different names, first photos:")
    for a, b in zip(*np.unravel_index(flat, similar.shape), strict=True):
        print(f"  {1 - similar[a, b]:.4f}  {photos.paths[people[a]].stem}  {photos.paths[people[b]].stem}")


def _arrays_on_one_line(text: str) -> str:
    """JSON with each list of numbers on a line of its own, so that a difference can be read."""
    lines, inside = [], False
    for line in text.splitlines():
        if inside:
            lines[-1] += line.strip() if line.strip().startswith("]") else line.strip().replace(",", ", ")
            inside = not line.strip().startswith("]")
        else:
            lines.append(line)
            inside = line.endswith("[")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
