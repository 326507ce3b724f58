"""LFW's photos → vectors, each photo once, kept so that a run may be interrupted and continued.

`benchmarks.lfw`, `benchmarks.calibrate` and `data/make_lfw_templates.py` ask for the same things: detect
the face in thousands of photos, cut it out in this way or that, embed it. What was computed is kept under
`.cache/` and used again as long as the code gives the same answer: eight photos are computed anew each time
and compared, and when they differ everything is.

The face that counts. LFW's photos are centred on the person they are named after, and other people stand
about. So it is the face whose box has its centre nearest the photo's. Where the detector finds none at its
usual score, it is asked once more at the score LOW_SCORE.
"""

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from facelab.align import warp
from facelab.datasets import LFW
from facelab.detect import Face
from facelab.detect import load as load_detector
from facelab.detect.face import most_central
from facelab.embed import load as load_embedder
from facelab.images import read_image
from facelab.pipeline import CROPS, SIDE

STORE = Path(__file__).resolve().parent.parent / ".cache" / "lfw_vectors"
LOW_SCORE = 0.3
CHUNK = 64
PROBES = 8

USUAL, LOW, NONE = 0, 1, 2
"""How a face was found: at the detector's usual score, at LOW_SCORE, not at all."""


@dataclass(frozen=True, eq=False)
class Measured:
    """What came of some rows of an LFW.

    rows        (N,): places in `photos.paths`
    raw         {crop: (N, D) float32}, as the network gave them, not normalised
    raw_mirror  (N, D): of the mirrored aligned crop
    found       (N,): USUAL, LOW or NONE
    """

    rows: np.ndarray
    raw: dict[str, np.ndarray]
    raw_mirror: np.ndarray | None
    found: np.ndarray

    def vectors(self, crop: str = "aligned", mirror: bool = False) -> np.ndarray:
        """(N, D) float32, unit norm; rows without a face are zero (a cosine of 0 with everybody)."""
        raw = self.raw[crop] + self.raw_mirror if mirror else self.raw[crop]
        vectors = np.nan_to_num(raw / np.linalg.norm(raw, axis=1, keepdims=True))
        return vectors.astype(np.float32)


def measure(
    photos: LFW,
    rows: Sequence[int],
    detector: str = "yunet",
    embedder: str = "sface",
    crops: Sequence[str] = ("aligned",),
    *,
    mirror: bool = False,
    fresh: bool = False,
    progress: bool = True,
) -> Measured:
    """Vectors of the photos at `rows`, from the store where they are there.

    crops   of `facelab.pipeline.CROPS`
    mirror  the mirrored aligned crop as well
    fresh   forget what is stored for these crops
    """
    from tqdm import tqdm

    rows = np.unique(rows)
    machine = _Machine(detector, embedder)
    store = _Store(STORE / f"{photos.variant}-{detector}-{embedder}", len(photos), machine.embedder.dim)
    store.check(machine, photos, fresh)
    wanted = [*crops, "mirror"] if mirror else list(crops)
    missing = [row for row in rows if any(np.isnan(store.done[kind][row]) for kind in ["detect", *wanted])]
    with tqdm(
        total=len(missing), unit="photo", desc=f"{detector} {' '.join(wanted)}", disable=not progress
    ) as bar:
        for start in range(0, len(missing), CHUNK):
            store.fill(machine, photos, np.array(missing[start : start + CHUNK]), wanted)
            bar.update(len(missing[start : start + CHUNK]))
    return Measured(
        rows=rows,
        raw={crop: np.array(store.raw[crop][rows]) for crop in crops},
        raw_mirror=np.array(store.raw["mirror"][rows]) if mirror else None,
        found=np.array(store.found[rows]).astype(int),
    )


def milliseconds(
    photos: LFW, detector: str, crop: str = "aligned", embedder: str = "sface", *, mirror: bool = False
) -> float:
    """Processor time from JPEG to vector for one photo, on one core: CHUNK photos, after as many to warm up.

    Processor time, not the clock's: other programs on the machine do not count.
    """
    machine, threads = _Machine(detector, embedder), torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        for start_row in (0, CHUNK):
            start = time.process_time()
            tensors = _read(photos.paths[start_row : start_row + CHUNK])
            faces, _ = machine.faces(tensors)
            machine.embedder(machine.cut(tensors, faces, crop), mirror=mirror)
        return 1000 * (time.process_time() - start) / CHUNK
    finally:
        torch.set_num_threads(threads)


class _Machine:
    """Detector and embedder, on the CPU in float32, so that figures do not depend on a GPU's rounding."""

    def __init__(self, detector: str, embedder: str):
        self.usual, self.low = load_detector(detector), load_detector(detector, min_score=LOW_SCORE)
        self.embedder = load_embedder(embedder)

    def faces(self, photos: list[torch.Tensor]) -> tuple[list[Face | None], list[int]]:
        """The central face of each photo, and how it was found."""
        faces = [
            most_central(found, *photo.shape[:2])
            for found, photo in zip(self.usual.detect(photos), photos, strict=True)
        ]
        how = [NONE if face is None else USUAL for face in faces]
        for row, photo in enumerate(photos):
            if faces[row] is None:
                faces[row] = most_central(self.low.detect([photo])[0], *photo.shape[:2])
                how[row] = NONE if faces[row] is None else LOW
        return faces, how

    def cut(self, photos: list[torch.Tensor], faces: list[Face], crop: str) -> torch.Tensor:
        matrices, within = CROPS[crop](faces)
        return warp(photos, range(len(photos)), matrices, SIDE, SIDE, within=within)


def _read(paths: Sequence[Path]) -> list[torch.Tensor]:
    with ThreadPoolExecutor(2) as pool:
        return [torch.from_numpy(photo) for photo in pool.map(read_image, paths)]


class _Store:
    """Arrays with a row for each photo, on disk; NaN in `done` where nothing was computed yet."""

    def __init__(self, folder: Path, photos: int, dim: int):
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        kinds = [*CROPS, "mirror"]
        self.raw = {kind: self._array(f"raw-{kind}", (photos, dim)) for kind in kinds}
        self.done = {kind: self._array(f"done-{kind}", (photos,)) for kind in ["detect", *kinds]}
        self.found = self._array("found", (photos,))
        self.face = self._array("face", (photos, 15))  # box, landmarks, score

    def _array(self, name: str, shape: tuple[int, ...]) -> np.memmap:
        path = self.folder / f"{name}.npy"
        if path.exists():
            return np.lib.format.open_memmap(path, "r+")
        array = np.lib.format.open_memmap(path, "w+", np.float32, shape)
        array[:] = np.nan
        return array

    def check(self, machine: _Machine, photos: LFW, fresh: bool) -> None:
        """Forget everything when it is not what the code computes now."""
        tensors = _read(photos.paths[:PROBES])
        faces, _ = machine.faces(tensors)
        probe = np.concatenate(
            [_packed(faces).ravel()]
            + [machine.embedder.raw(machine.cut(tensors, faces, crop)).numpy().ravel() for crop in CROPS]
        )
        kept = self.folder / "probe.npy"
        same = kept.exists() and np.allclose(np.load(kept), probe, rtol=1e-3, atol=1e-3)
        if fresh or not same:
            for array in [*self.raw.values(), *self.done.values(), self.found, self.face]:
                array[:] = np.nan
            np.save(kept, probe)

    def fill(self, machine: _Machine, photos: LFW, rows: np.ndarray, wanted: Sequence[str]) -> None:
        """Compute what is missing of `wanted` for these rows."""
        tensors = _read([photos.paths[row] for row in rows])
        if np.isnan(self.done["detect"][rows]).any():
            faces, self.found[rows] = machine.faces(tensors)
            self.face[rows] = _packed(faces)
            self.done["detect"][rows] = 1
        there = self.found[rows] != NONE
        tensors = [tensor for tensor, is_there in zip(tensors, there, strict=True) if is_there]
        faces = _unpacked(self.face[rows[there]])
        for kind in wanted:
            if np.isnan(self.done[kind][rows]).any():
                crops = machine.cut(tensors, faces, "aligned" if kind == "mirror" else kind)
                crops = crops.flip(2) if kind == "mirror" else crops
                self.raw[kind][rows[there]] = machine.embedder.raw(crops).numpy()
                self.done[kind][rows] = 1


def _packed(faces: list[Face | None]) -> np.ndarray:
    rows = [
        np.full(15, np.nan) if face is None else [*face.box, *face.landmarks.ravel(), face.score]
        for face in faces
    ]
    return np.array(rows, np.float32)


def _unpacked(rows: np.ndarray) -> list[Face]:
    rows = np.array(rows, np.float32)
    return [Face(row[:4], row[4:14].reshape(5, 2), float(row[14])) for row in rows]
