"""LFW's 13,233 photos → data/lfw_templates.h5.

    python data/make_lfw_templates.py            # after `facelab data get lfw`; ten minutes or so on two
    cores

The same photos, weights and versions give the same file, byte for byte. `facelab/datasets/templates.py`
says what is in it, data/README.md why it may exist.
"""

import argparse
import os
from pathlib import Path

import h5py
import numpy as np
import torch

import facelab
from benchmarks.lfw_vectors import LOW, LOW_SCORE, NONE, USUAL, measure
from facelab import weights
from facelab.datasets import LFW, PROTOCOLS, lfw, lfw_templates
from facelab.datasets.templates import FILE_NAME, FORMAT, content_sha256
from facelab.errors import DatasetError

NAMED_FROM = 10
"""Photos that a person must have to be named: the 158 whom the lessons speak of."""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--home", help="where `facelab data get lfw` put LFW, if not in the usual place")
    parser.add_argument("--variant", default="deepfunneled", help="of LFW (deepfunneled)")
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name(FILE_NAME))
    arguments = parser.parse_args()

    photos = lfw(arguments.home, arguments.variant)
    print(photos)
    measured = measure(photos, range(len(photos)))
    for row in np.flatnonzero(measured.found != USUAL):
        how = "no face" if measured.found[row] == NONE else f"face only at score {LOW_SCORE}"
        print(f"{how}: {photos.paths[row].name}")
    if (measured.found == NONE).any():
        raise DatasetError("A photo without a face has no vector, and every photo must have one: see above.")
    write(arguments.out, *content(photos, measured.vectors(), measured.found), provenance(photos))
    print(f"{arguments.out}: {arguments.out.stat().st_size:,} bytes; {lfw_templates(arguments.out)}")


def content(photos: LFW, vectors: np.ndarray, found: np.ndarray) -> tuple[dict[str, np.ndarray], list[str]]:
    """The file's arrays, by name, and the names of people."""
    named = np.flatnonzero(photos.counts >= NAMED_FROM)
    arrays = {
        "vectors": vectors.astype(np.float16),
        "identity": photos.identity.astype(np.uint16),
        "number": photos.number.astype(np.uint16),
        "fallback": np.flatnonzero(found == LOW).astype(np.uint16),
        "names/identity": named.astype(np.uint16),
    }
    for protocol in PROTOCOLS:
        pairs = photos.pairs(protocol)
        a, b = pairs.rows(photos)
        columns = {"a": a.astype(np.uint16), "b": b.astype(np.uint16), "same": pairs.same, "fold": pairs.fold}
        columns["fold"] = columns["fold"].astype(np.uint8)
        arrays |= {f"pairs/{protocol}/{name}": column for name, column in columns.items()}
    return arrays, [photos.names[person] for person in named]


def provenance(photos: LFW) -> dict[str, str]:
    return {
        "what": "One face vector for each photo of Labeled Faces in the Wild. Personal data: see "
        "data/README.md.",
        "made_by": "python data/make_lfw_templates.py",
        "config": "yunet+aligned+sface",
        "face_rule": "the face whose box has its centre nearest the photo's, at YuNet's default score",
        "fallback_rule": f"where there is none at that score, the same at score {LOW_SCORE}",
        "lfw_variant": photos.variant,
        "lfw_archive": photos.archive,
        "lfw_archive_sha256": photos.sha256,
        "yunet_sha256": weights.KNOWN["yunet"].sha256,
        "sface_sha256": weights.KNOWN["sface"].sha256,
        "versions": f"facelab {facelab.__version__}, torch {torch.__version__.partition('+')[0]}, numpy "
        "{np.__version__}",
    }


def write(path: Path, arrays: dict[str, np.ndarray], names: list[str], attributes: dict[str, str]) -> None:
    """All of it or nothing: beside its place first, then moved there."""
    part = path.with_suffix(".part")
    try:
        with h5py.File(part, "w") as file:
            for name, array in arrays.items():
                file.create_dataset(name, data=array, compression="gzip", compression_opts=9, shuffle=True)
            file.create_dataset("names/name", data=names, dtype=h5py.string_dtype())
            file.attrs["format"] = FORMAT
            for key, value in attributes.items():
                file.attrs[key] = value
            file.attrs["content_sha256"] = content_sha256(arrays, names)
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


if __name__ == "__main__":
    main()
