"""MTCNN: three networks in a row, each stricter than the one before (Zhang, Zhang, Li, Qiao 2016).

    P-Net  proposes.  Fully convolutional, it slides a window of 12×12 pixels over a pyramid of ever smaller
           copies of the photo, so that every face fits the window in one of them: thousands of windows,
           dozens of proposals.
    R-Net  refines.   Looks at each proposal in 24×24 pixels, throws most of them out, corrects the rest.
    O-Net  outputs.   Looks once more in 48×48 pixels, decides, corrects, and places the five landmarks.

Each network gives a probability and four corrections of the box, in parts of its width and height. After each
of them non-maximum suppression removes doubles. The windows are cheap where they are many and dear where they
are few: that is the whole idea of a cascade (Viola and Jones 2001).

A whole batch of photos goes through together: photos of one size share every level of the pyramid, and the
crops of all photos go through R-Net and O-Net in one batch. `stages` shows what each network saw and kept.

One thing is not the paper's. O-Net was trained on squares that fit their faces, and R-Net's squares often do
not; so O-Net looks a second time at the boxes that it has corrected, and the landmarks are those of that look
(the boxes and the scores stay the first's). `python -m benchmarks.lfw` shows what it brings.

The pyramid and the crops are area-averaged (`facelab.detect.resample`). Boxes stay fractional from stage to
stage; the authors' code cuts them to whole pixels. Inside the cascade boxes are in edge coordinates, where a
photo of W columns reaches from 0 to W. Faces leave it in the pixel convention of `facelab.align`, half a
pixel less; the mirror shows that this is right: the landmarks of a mirrored photo are the mirrored landmarks,
to a tenth of a pixel on average over photos of LFW.

Paper: *Joint Face Detection and Alignment using Multi-task Cascaded Convolutional Networks*, IEEE Signal
Processing Letters 2016.
"""

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from facelab import weights
from facelab.detect.boxes import as_photo, chunks, sound, suppress, to_faces
from facelab.detect.face import Face
from facelab.detect.mtcnn_nets import ONet, PNet, RNet, fill
from facelab.detect.resample import SummedArea, limit, limited, shrink

WINDOW = 12  # pixels, what one cell of P-Net sees
STRIDE = 2  # pixels from one cell of P-Net to the next
STEP = 0.709  # from one level of the pyramid to the next: half the area
SMALLEST = 20  # pixels: in photos that had to be shrunk, smaller faces than this are not looked for


@dataclass
class Candidates:
    """Boxes of a batch on their way through the cascade; rows of equal index belong together.

    photo (M,) which photo, boxes (M, 4) in edge coordinates, scores (M,), landmarks (M, 5, 2) after O-Net.
    """

    photo: Tensor
    boxes: Tensor
    scores: Tensor
    landmarks: Tensor | None = None

    def __getitem__(self, rows: Tensor) -> "Candidates":
        landmarks = None if self.landmarks is None else self.landmarks[rows]
        return Candidates(self.photo[rows], self.boxes[rows], self.scores[rows], landmarks)


@dataclass(frozen=True)
class Stage:
    """What one network of the cascade did with one photo, in the photo's pixels.

    name       "P-Net", "R-Net" or "O-Net".
    boxes      (M, 4) what it looked at. P-Net looks everywhere: the windows that reached its threshold.
    scores     (M,) the probability of a face that it gave to each of them.
    kept       (K, 4) what is left after its threshold, its corrections and suppression.
    kept_scores (K,); landmarks (K, 5, 2), of O-Net only.
    """

    name: str
    boxes: np.ndarray
    scores: np.ndarray
    kept: np.ndarray
    kept_scores: np.ndarray
    landmarks: np.ndarray | None = None


@dataclass(frozen=True)
class HeatMap:
    """P-Net's answer on one level of the pyramid.

    scale        size of this level / size of the photo, in x and in y.
    probability  (h, w); cell (row, column) saw 12×12 pixels of this level, from (2·column, 2·row) on.
    """

    scale: tuple[float, float]
    probability: np.ndarray

    def window(self, row: int, column: int) -> np.ndarray:
        """(4,) x1, y1, x2, y2: what a cell saw, in the photo's pixels."""
        corner = np.array([column, row, column, row]) * STRIDE + np.array([0, 0, WINDOW, WINDOW])
        return corner / np.array(self.scale * 2) - 0.5


class MTCNN(nn.Module):
    """The detector: `detect` for photos, `heat_maps` and `stages` to look inside.

    min_score   O-Net's threshold: faces below it are not reported.
    min_face    smallest face looked for, pixels of the photo (12, P-Net's window, is the least). The finest
                level of the pyramid depends on it, and so does the time: half the size, four times the time.
    max_faces   at most so many a photo, the largest ones; None: all.
    max_side    photos are shrunk to this longer side first, and then searched for faces from 20 pixels on;
                None: never.
    thresholds  of P-Net and R-Net.
    half        float16 inside the networks. Meant for GPUs.
    paths       files of P-Net, R-Net and O-Net; None: `facelab.weights` finds them.
    """

    name = "mtcnn"

    def __init__(
        self,
        *,
        min_score: float = 0.8,
        min_face: float = 20,
        max_faces: int | None = None,
        max_side: int | None = 1280,
        thresholds: tuple[float, float] = (0.6, 0.7),
        half: bool = False,
        device: torch.device | str = "cpu",
        paths: tuple[str, str, str] | None = None,
    ):
        super().__init__()
        self.min_score, self.min_face, self.max_faces, self.max_side = (
            min_score,
            min_face,
            max_faces,
            max_side,
        )
        self.thresholds = thresholds
        self.pnet, self.rnet, self.onet = PNet(), RNet(), ONet()
        for net, path in zip(("pnet", "rnet", "onet"), paths or (None, None, None), strict=True):
            fill(getattr(self, net), weights.read(f"mtcnn-{net}", path))
        self.eval().requires_grad_(False)
        dtype = torch.float16 if half else torch.float32
        self.to(device=device, dtype=dtype, memory_format=torch.channels_last)

    @property
    def device(self) -> torch.device:
        return self.pnet.face.weight.device

    # --- the three stages: a batch of candidates in, what was looked at and what was kept out ---------------

    def propose(self, pictures: list[Tensor], scales: Tensor) -> tuple[Candidates, Candidates]:
        """P-Net: pictures and their `scales` → (windows that reached its threshold, squares for R-Net)."""
        found = []
        for level, (which, scale, face, box) in enumerate(self._pyramids(pictures, scales)):
            photo, row, column = (face >= self.thresholds[0]).nonzero(as_tuple=True)
            corner = torch.stack((column, row), dim=1) * STRIDE
            windows = torch.cat((corner, corner + WINDOW), dim=1)  # (m, 4) pixels of the level
            corrected = windows + box[photo, :, row, column] * WINDOW
            scale = torch.tensor(scale * 2, device=face.device)
            photo_of = torch.tensor(which, device=face.device)[photo]
            group = torch.stack((photo_of, torch.full_like(photo, level)), dim=1)
            score = face[photo, row, column, None]
            found.append(torch.cat((group, score, windows / scale, corrected / scale), dim=1))
        rows = torch.cat(found).cpu() if found else torch.zeros(0, 11)
        photo, level, scores, windows, corrected = rows.split((1, 1, 1, 4, 4), dim=1)
        photo, level, scores = photo[:, 0].long(), level[:, 0].long(), scores[:, 0]
        windows = Candidates(photo, windows, scores)
        proposals = Candidates(photo, corrected, scores)

        good = sound(corrected.unflatten(1, (2, 2))).nonzero()[:, 0]
        # First inside each level, then across levels.
        group = photo[good] * (len(found) + 1) + level[good]
        kept = proposals[good[suppress(corrected[good], scores[good], group, 0.5)]]
        kept = kept[suppress(kept.boxes, kept.scores, kept.photo, 0.7)]
        kept.boxes = _squares(kept.boxes)
        return windows, kept

    def refine(self, areas: SummedArea, squares: Candidates) -> tuple[Candidates, Candidates]:
        """R-Net: → (the squares with the scores it gave them, squares for O-Net)."""
        face, box = self._look(self.rnet, areas, squares, 24)
        seen = Candidates(squares.photo, squares.boxes, face)
        kept = Candidates(squares.photo, _corrected(squares.boxes, box), face)
        kept = kept[(face >= self.thresholds[1]) & sound(kept.boxes.unflatten(1, (2, 2)))]
        kept = kept[suppress(kept.boxes, kept.scores, kept.photo, 0.7)]
        kept.boxes = _squares(kept.boxes)
        return seen, kept

    def output(self, areas: SummedArea, squares: Candidates) -> tuple[Candidates, Candidates]:
        """O-Net: → (the squares with the scores it gave them, the faces).

        It looks twice at what it keeps: the landmarks are those of a second look, at the corrected box.
        """
        face, box, _ = self._look(self.onet, areas, squares, 48)
        seen = Candidates(squares.photo, squares.boxes, face)
        kept = Candidates(squares.photo, _corrected(squares.boxes, box), face)
        kept = kept[(face >= self.min_score) & sound(kept.boxes.unflatten(1, (2, 2)))]
        kept = kept[suppress(kept.boxes, kept.scores, kept.photo, 0.7, over="smaller")]

        closer = Candidates(kept.photo, _squares(kept.boxes), kept.scores)
        *_, points = self._look(self.onet, areas, closer, 48)
        kept.landmarks = _within(closer.boxes, points)
        return seen, kept[kept.landmarks.isfinite().flatten(1).all(1)]

    # --- for photos -----------------------------------------------------------------------------------------

    @torch.inference_mode()
    def detect(self, photos: Sequence[Tensor | np.ndarray]) -> list[list[Face]]:
        """The faces of each photo, largest first.

        photos  uint8 (H, W, 3) RGB, of any sizes, best already on the detector's device. The answer for a
                photo does not depend on its company.
        """
        photos = [as_photo(photo, self.device) for photo in photos]
        faces: list[list[Face]] = [[] for _ in photos]
        # Photos of one size side by side: they share the levels of the pyramid.
        order = sorted(range(len(photos)), key=lambda index: photos[index].shape)
        sizes = [photos[index].shape for index in order]
        pixels = [math.prod(limited(height, width, self.max_side)) for height, width, _ in sizes]
        for chunk in chunks(order, pixels, self._pixels_at_once):
            *_, (_, kept) = self._cascade([photos[index] for index in chunk])
            found = to_faces(
                len(chunk),
                kept.photo,
                kept.boxes,
                kept.landmarks,
                kept.scores,
                min_face=self.min_face,
                max_faces=self.max_faces,
            )
            for index, faces_of_one in zip(chunk, found, strict=True):
                faces[index] = faces_of_one
        return faces

    @torch.inference_mode()
    def stages(self, photo: Tensor | np.ndarray) -> list[Stage]:
        """What P-Net, R-Net and O-Net each looked at in one photo, and what they kept."""
        steps = self._cascade([as_photo(photo, self.device)])
        return [
            Stage(
                name,
                boxes=seen.boxes.numpy(),
                scores=seen.scores.numpy(),
                kept=kept.boxes.numpy(),
                kept_scores=kept.scores.numpy(),
                landmarks=None if kept.landmarks is None else kept.landmarks.numpy(),
            )
            for name, (seen, kept) in zip(("P-Net", "R-Net", "O-Net"), steps, strict=True)
        ]

    @torch.inference_mode()
    def heat_maps(self, photo: Tensor | np.ndarray) -> list[HeatMap]:
        """P-Net's probabilities on every level of one photo's pyramid, finest level first."""
        photo = as_photo(photo, self.device)
        pictures, scales = self._pictures([photo])
        shrunk = scales[0].tolist()
        return [
            HeatMap((scale[0] * shrunk[0], scale[1] * shrunk[1]), face[0].cpu().numpy())
            for _, scale, face, _ in self._pyramids(pictures, scales)
        ]

    # --- plumbing -------------------------------------------------------------------------------------------

    @property
    def _pixels_at_once(self) -> int:
        """Pixels of photos that go through the cascade together: bounds the memory."""
        return 1 << 20 if self.device.type == "cpu" else 1 << 24

    def _cascade(self, photos: list[Tensor]) -> list[tuple[Candidates, Candidates]]:
        """The three stages' answers (what was looked at, what was kept), in the pixels of the photos."""
        pictures, scales = self._pictures(photos)
        areas = SummedArea(pictures)
        steps = [self.propose(pictures, scales)]
        steps.append(self.refine(areas, steps[-1][1]))
        steps.append(self.output(areas, steps[-1][1]))
        return [(_in_pixels(seen, scales), _in_pixels(kept, scales)) for seen, kept in steps]

    def _pictures(self, photos: list[Tensor]) -> tuple[list[Tensor], Tensor]:
        """The photos, shrunk to max_side, and by how much in x and in y (B, 2)."""
        pictures, scales = [], []
        for photo in photos:
            picture = limit(photo, self.max_side)
            pictures.append(picture)
            scales.append((picture.shape[1] / photo.shape[1], picture.shape[0] / photo.shape[0]))
        return pictures, torch.tensor(scales)

    def _pyramids(
        self, pictures: list[Tensor], scales: Tensor
    ) -> Iterator[tuple[list, tuple, Tensor, Tensor]]:
        """P-Net over every level: yields which pictures (they have one size), the level's scale in x and y,
        face probability (b, h, w) and box corrections (b, 4, h, w)."""
        alike = defaultdict(list)  # pictures of one size that begin their pyramids at one scale
        for index, (picture, scale) in enumerate(zip(pictures, scales.amax(1).tolist(), strict=True)):
            smallest = max(self.min_face * scale, min(self.min_face, SMALLEST))  # pixels of the picture
            finest = min(1.0, WINDOW / smallest)
            alike[*picture.shape[:2], finest].append(index)
        for (height, width, scale), which in alike.items():
            stack = torch.stack([pictures[index] for index in which])
            while min(height, width) * scale >= WINDOW:
                size = round(height * scale), round(width * scale)
                level = _normalised(shrink(stack, *size), self.pnet.face.weight.dtype)
                yield which, (size[1] / width, size[0] / height), *self.pnet(level)
                scale *= STEP

    def _look(self, net: nn.Module, areas: SummedArea, squares: Candidates, size: int) -> list[Tensor]:
        """Crops of the squares through R-Net or O-Net, all photos together → its answers, on the CPU."""
        photo, boxes = squares.photo.to(self.device), squares.boxes.to(self.device)
        at_once = max(1, self._pixels_at_once // (size * size * 16))
        answers = [
            net(_normalised(areas.crops(photo[part], boxes[part], size), net.face.weight.dtype))
            for part in torch.arange(len(photo), device=self.device).split(at_once)
        ]
        return [torch.cat(parts).cpu() for parts in zip(*answers, strict=True)]


def _normalised(pictures: Tensor, dtype: torch.dtype) -> Tensor:
    """(B, H, W, 3), 0 … 255 → (B, 3, H, W) as the networks were trained on, about −1 … 1."""
    return ((pictures - 127.5) / 128).to(dtype).permute(0, 3, 1, 2)


def _corrected(boxes: Tensor, by: Tensor) -> Tensor:
    """Boxes (M, 4) moved by corrections (M, 4) that count in widths and heights."""
    size = boxes[:, 2:] - boxes[:, :2]
    return boxes + by * torch.cat((size, size), dim=1)


def _within(boxes: Tensor, points: Tensor) -> Tensor:
    """Points (M, 5, 2) that count from 0 to 1 in their boxes (M, 4), in the boxes' coordinates."""
    return boxes[:, None, :2] + points * (boxes[:, 2:] - boxes[:, :2])[:, None]


def _squares(boxes: Tensor) -> Tensor:
    """Squares around the same centres, with the longer sides (M, 4)."""
    center = (boxes[:, :2] + boxes[:, 2:]) / 2
    half = (boxes[:, 2:] - boxes[:, :2]).amax(1, keepdim=True) / 2
    return torch.cat((center - half, center + half), dim=1)


def _in_pixels(found: Candidates, scales: Tensor) -> Candidates:
    """From edge coordinates of the shrunk pictures to pixel coordinates of the photos."""
    scale = scales[found.photo]  # (M, 2)
    boxes = found.boxes / torch.cat((scale, scale), dim=1) - 0.5
    landmarks = None if found.landmarks is None else found.landmarks / scale[:, None] - 0.5
    return Candidates(found.photo, boxes, found.scores, landmarks)
