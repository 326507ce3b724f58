"""From photos to vectors: read → detect → align → embed, one photo or a folder of any size.

`Pipeline` is the whole of it; `facelab.functions` has its steps one by one.
"""

from collections.abc import Callable, Iterable, Iterator, Sized
from dataclasses import replace
from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from facelab import calibration
from facelab import device as devices
from facelab.align import (
    box_corners,
    landmark_matrices,
    letterbox_matrices,
    square_matrices,
    stretch_matrices,
    warp,
)
from facelab.decoding import batches, read, sources, upload
from facelab.detect import Face
from facelab.detect import load as load_detector
from facelab.detect.face import most_central
from facelab.embed import load as load_embedder
from facelab.errors import DeviceError, FacelabError, ImageError, NoFaceError
from facelab.images import Source, name_of
from facelab.results import Result, Verification

if TYPE_CHECKING:
    from facelab.antispoof.detector import LiveDetector

CROPS = {
    "aligned": lambda faces: (landmark_matrices(faces, "112x112"), None),
    "square": lambda faces: (square_matrices(faces, size=SIDE), None),
    "stretched": lambda faces: (stretch_matrices(faces, size=SIDE), None),
    "letterboxed": lambda faces: (letterbox_matrices(faces, size=SIDE), box_corners(faces)),
}
"""The ways to cut a face out. `aligned` is what the embedders were trained on; the others are there to see
what they cost (notebook 05, `benchmarks/lfw.py`)."""

SIDE = 112
"""Width and height of a crop, pixels: what every embedder here eats."""


class Pipeline:
    """Photos in, faces and vectors out, in batches on one device.

    detector    "yunet", "mtcnn" or "retinaface-small" (trained here, to look inside); or the path of
                RetinaFace's weights; or a callable from photos to faces (`facelab.detect.own` says how)
    embedder    "sface" (128-d) or "arcface" (512-d, `facelab weights get arcface`); or the path of a file of
                weights (`facelab.embed.files`); or a callable from crops to vectors (`facelab.embed.own`)
    device      "auto" (the GPU where there is one), "cpu", "cuda"; `repr` says which it came to
    batch_size  photos for each pass through the detector
    mirror      average each vector with that of the mirrored crop: twice the time, a little more accurate
    crop        "aligned" (five landmarks), or "square", "stretched", "letterboxed" to see what those cost
    faces       "all" faces of a photo, only the "largest", or only the most "central" one (as LFW means it)
    half        half precision in the embedder; None means: on a GPU yes, on a CPU no
    workers     threads that decode photos ahead of the device; None means as many as torch computes with
    antispoof   None: off. "facelab" (or True): each face gets a live score, and `verify` and galleries
                refuse a face below the threshold; or the path of MiniFASNet's weights or of an ONNX file,
                or a function (`facelab.antispoof.detector`). Trained on simulated attacks: it guards no door
    min_live    the smallest live score that passes; None: the calibrated one, which only facelab's own has

    `options` holds all of this as it was given: `Pipeline(**pipe.options)` is another one like it.

    Raises WeightsError when weights are missing or damaged, DeviceError for a device that is not there.
    """

    def __init__(
        self,
        detector: str | PathLike | Callable = "yunet",
        embedder: str | PathLike | Callable = "sface",
        device: str | torch.device = "auto",
        batch_size: int = 64,
        *,
        mirror: bool = False,
        crop: str = "aligned",
        faces: str = "all",
        half: bool | None = None,
        workers: int | None = None,
        min_score: float | None = None,
        weights: str | PathLike | None = None,
        antispoof: "bool | str | PathLike | Callable | LiveDetector | None" = None,
        min_live: float | None = None,
    ):
        if crop not in CROPS:
            raise ValueError(f"crop={crop!r}: choose one of {', '.join(CROPS)}.")
        if faces not in ("all", "largest", "central"):
            raise ValueError(f"faces={faces!r}: choose 'all', 'largest' or 'central'.")
        if not _counts(batch_size):
            raise ValueError(f"batch_size={batch_size!r}: a whole number, at least 1.")
        if workers is not None and not _counts(workers):
            raise ValueError(f"workers={workers!r}: a whole number, at least 1, or None.")
        if min_score is not None and not 0 <= min_score <= 1:
            raise ValueError(f"min_score={min_score}: a score lies between 0 and 1.")
        if min_live is not None and not 0 <= min_live <= 1:
            raise ValueError(f"min_live={min_live}: a score lies between 0 and 1.")
        if min_live is not None and antispoof in (None, False):
            raise ValueError("min_live= belongs to antispoof=, which gives the scores.")
        self.options: dict[str, Any] = {
            "detector": detector, "embedder": embedder, "device": device, "batch_size": batch_size,
            "mirror": mirror, "crop": crop, "faces": faces, "half": half, "workers": workers,
            "min_score": min_score, "weights": weights, "antispoof": antispoof, "min_live": min_live,
        }  # fmt: skip
        self.device = devices.choose(device)
        options = {} if min_score is None else {"min_score": min_score}
        self.detector = load_detector(detector, self.device, **options)
        self.embedder = load_embedder(embedder, self.device, half=half, path=weights)
        self.half = self.embedder.dtype != torch.float32
        self.names = (self.detector.name, self.embedder.name)
        self.batch_size, self.mirror, self.crop, self.faces = batch_size, mirror, crop, faces
        self.workers = workers
        self.antispoof, self.min_live = self._antispoof(antispoof, min_live)

    def _antispoof(self, which: Any, min_live: float | None) -> "tuple[LiveDetector | None, float | None]":
        if which is None or which is False:
            return None, None
        from facelab.antispoof.detector import load  # most pipelines need none

        detector = load(which, self.device)
        assert detector is not None, "it was asked for"
        return detector, detector.threshold if min_live is None else min_live

    @property
    def config(self) -> str:
        """What decides a vector, such as `yunet+aligned+sface`: the key of the calibration table."""
        detector, embedder = self.names
        return "+".join([detector, self.crop, embedder] + ["mirror"] * self.mirror)

    def __repr__(self) -> str:
        precision = "half" if self.half else "float32"
        where = devices.describe(self.device)
        live = "" if self.antispoof is None else f", antispoof {self.antispoof.name}"
        return f"Pipeline({self.config}, {where}, {precision}, batches of {self.batch_size}{live})"

    # ------------------------------------------------------------------ many photos

    def __call__(
        self, photos: str | PathLike | Iterable[Source], progress: bool | None = None
    ) -> Iterator[Result]:
        """Results in the order of the photos, as they come; memory does not grow with their number.

        photos    a folder (all photos below it, in the order of their names) or an iterable of sources
        progress  a bar on standard error; None means: only in a terminal or a notebook

        A photo that cannot be read or holds no face gives a Result with `.error`; the rest go on.
        """
        total = len(photos) if isinstance(photos, Sized) and not isinstance(photos, str | bytes) else None
        return self._stream(sources(photos), total, progress)

    def _stream(self, photos: Iterable[Source], total: int | None, progress: bool | None) -> Iterator[Result]:
        from tqdm.auto import tqdm

        bar = tqdm(total=total, unit="photo", disable=None if progress is None else not progress)
        try:
            for batch in batches(photos, self.batch_size, self.workers):
                for result in self._process(batch):
                    bar.update()
                    yield result
        finally:
            bar.close()

    @torch.inference_mode()
    def _process(self, batch: list[tuple[Source, np.ndarray | FacelabError]]) -> list[Result]:
        """One batch: every photo through the detector, then every face through the embedder, at once."""
        sources = [source for source, _ in batch]
        errors: list[FacelabError | None] = [
            photo if isinstance(photo, FacelabError) else None for _, photo in batch
        ]
        readable = [row for row, error in enumerate(errors) if error is None]
        photos = [photo for _, photo in batch if not isinstance(photo, FacelabError)]
        try:
            tensors = upload(photos, self.device)
            found = [
                self._pick(faces, photo)
                for faces, photo in zip(self.detector.detect(tensors), tensors, strict=True)
            ]
            if self.antispoof is not None:
                found = self._with_scores(tensors, found)
            cut = self._cut(tensors, found).to(self.device)  # without a photo there is no device to be on
            embedded = self.embedder(cut, mirror=self.mirror)
        except torch.OutOfMemoryError as error:
            raise DeviceError(
                f"{devices.describe(self.device)} ran out of memory with {len(batch)} photos in a batch: "
                f"use batch_size={max(1, self.batch_size // 4)}."
            ) from error
        except (FacelabError, ValueError) as error:
            # One face that cannot be aligned or embedded must not take its whole batch along: each by itself.
            if len(batch) > 1:
                return [self._process([alone])[0] for alone in batch]
            return [self.nothing(sources[0], FacelabError(f"{name_of(sources[0])}: {error}"))]
        crops, vectors = cut.cpu().numpy(), embedded.cpu().numpy()

        faces: list[list[Face]] = [[] for _ in batch]
        for row, its_faces in zip(readable, found, strict=True):
            faces[row] = its_faces
            if not its_faces:
                errors[row] = NoFaceError(
                    f"{name_of(sources[row])}: {self.names[0]} found no face. Is one there, upright, turned "
                    "to the camera and at least some 20 pixels wide? A lower min_score finds more faces, "
                    "and more things that are none."
                )
        ends = np.cumsum([len(its_faces) for its_faces in faces])
        return [
            Result(
                source,
                its_faces,
                crops[end - len(its_faces) : end],
                vectors[end - len(its_faces) : end],
                error,
                self.min_live,
            )
            for source, its_faces, end, error in zip(sources, faces, ends, errors, strict=True)
        ]

    def nothing(self, source: Source, error: FacelabError) -> Result:
        """The Result of a photo that gave no face, and why."""
        crops, vectors = np.zeros((0, SIDE, SIDE, 3), np.uint8), np.zeros((0, self.embedder.dim), np.float32)
        return Result(source, [], crops, vectors, error)

    def _pick(self, faces: list[Face], photo: Tensor) -> list[Face]:
        if self.faces == "all" or not faces:
            return faces
        if self.faces == "largest":
            return faces[:1]
        central = most_central(faces, *photo.shape[:2])
        return [] if central is None else [central]

    def _with_scores(self, photos: list[Tensor], faces: list[list[Face]]) -> list[list[Face]]:
        """The same faces with their live scores."""
        assert self.antispoof is not None
        return [
            [replace(face, live=float(live)) for face, live in zip(found, scores, strict=True)]
            for found, scores in zip(faces, self.antispoof.score(photos, faces), strict=True)
        ]

    def _cut(self, photos: list[Tensor], faces: list[list[Face]]) -> Tensor:
        """All faces of all photos as (N, 112, 112, 3) uint8, in one warp."""
        index = [row for row, found in enumerate(faces) for _ in found]
        matrices, within = CROPS[self.crop]([face for found in faces for face in found])
        return warp(photos, index, matrices, SIDE, SIDE, within=within)

    # ------------------------------------------------------------------ one photo, two photos

    def one(self, photo: Source) -> Result:
        """The Result of one photo."""
        return self._process([(photo, read(photo))])[0]

    def embed(self, crops) -> np.ndarray:
        """(112, 112, 3) uint8 → (D,); a list or (N, 112, 112, 3) → (N, D). Unit norm, float32.

        Raises ImageError for anything else: a whole photo, say, or numbers between 0 and 1.
        """
        single = isinstance(crops, np.ndarray | Tensor) and crops.ndim == 3
        each = [np.asarray(crop) for crop in ([crops] if single else crops)]
        for crop in each:
            if crop.shape != (SIDE, SIDE, 3) or crop.dtype != np.uint8:
                raise ImageError(
                    f"embed takes crops of {SIDE}×{SIDE}×3 uint8, and this one is {crop.shape} {crop.dtype}: "
                    "cut the face out first, with align(photo, face)."
                )
        stack = np.stack(each) if each else np.zeros((0, SIDE, SIDE, 3), np.uint8)
        vectors = self.embedder(torch.from_numpy(stack).to(self.device), mirror=self.mirror).cpu().numpy()
        return vectors[0] if single else vectors

    def verify(
        self,
        a: Source,
        b: Source,
        *,
        threshold: float | None = None,
        fmr: float | None = None,
        face: int | tuple[int | None, int | None] | None = None,
    ) -> Verification:
        """Do two photos show the same person?

        threshold  the largest cosine distance that counts as the same person, or
        fmr        the false match rate to aim at, 1e-5 … 0.5, from which the threshold is looked up;
                   with neither, the calibrated default (`facelab.calibration`)
        face       which face to take where there are several, 0 being the largest: one number for both
                   photos, or a pair

        With `antispoof=` both photos are asked whether they show a living face: which of the two was
        presented, nobody says.

        Raises ImageError, NoFaceError or AttackError, naming the photo.
        """
        if threshold is not None and fmr is not None:
            raise ValueError("Give threshold= or fmr=, not both.")
        if threshold is None:
            threshold = calibration.threshold_for(self.config, fmr)
        wanted = tuple(face) if isinstance(face, tuple | list) else (face, face)
        if len(wanted) != 2 or not all(one is None or isinstance(one, int | np.integer) for one in wanted):
            raise ValueError(f"face={face!r}: the number of a face, or two of them, one for each photo.")
        results = self._process([(a, read(a)), (b, read(b))])
        rows = [result.one(which) for result, which in zip(results, wanted, strict=True)]
        notes = [note for result, row in zip(results, rows, strict=True) for note in result.note(row)]
        a_vector, b_vector = (result.vectors[row] for result, row in zip(results, rows, strict=True))
        distance = float(cosine_distance(a_vector, b_vector))
        return Verification(
            same=distance <= threshold,
            distance=distance,
            threshold=float(threshold),
            fmr=calibration.fmr_at(self.config, threshold),
            faces=(results[0].faces[rows[0]], results[1].faces[rows[1]]),
            crops=np.stack([result.crops[row] for result, row in zip(results, rows, strict=True)]),
            notes=tuple(notes),
        )


def _counts(value: Any) -> bool:
    return isinstance(value, int | np.integer) and bool(value >= 1)


def cosine_distance(v1, v2) -> float | np.ndarray:
    """1 − F₁·F₂ / (|F₁||F₂|), in [0, 2] (slides, "Feature Distance").

    v1, v2  (D,) and (D,) → float; (N, D) and (D,) or (N, D) → (N,). They need not have unit norm.

    Raises ValueError for a vector of zeros, which has no direction.
    """
    v1, v2 = np.asarray(v1, np.float64), np.asarray(v2, np.float64)
    norms = np.linalg.norm(v1, axis=-1) * np.linalg.norm(v2, axis=-1)
    if not np.all((norms > 0) & np.isfinite(norms)):
        raise ValueError(
            "A vector of zeros, or with NaN or infinity in it, has no direction, so no distance."
        )
    distance = np.clip(1 - (v1 * v2).sum(axis=-1) / norms, 0.0, 2.0)
    return float(distance) if distance.ndim == 0 else distance
