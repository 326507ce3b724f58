"""YuNet: one network, one look, every face with its five landmarks (Wu, Peng, Yu 2023).

The network is tiny, 53,104 numbers. Almost all of it is one brick, `Separable`: a 1×1 convolution that mixes
channels, then a 3×3 convolution on each channel by itself. Five stages of bricks halve the resolution again
and again; at strides 8, 16 and 32 a small feature pyramid hands what the coarse maps understand down to the
fine ones; and at every cell of the three maps a head says

    cls, obj     is there a face here, and does this cell see it well?     score = √(cls · obj)
    box          where is its centre, seen from the cell, and how large is it (as a logarithm)?
    landmarks    where are the five points, seen from the cell?

Small faces answer at stride 8, large ones at stride 32. Neighbouring cells answer for the same face; greedy
non-maximum suppression keeps the best. Weights, decoding and thresholds are those of OpenCV's
`FaceDetectorYN`, 2023mar, and the answers agree with it (tests/test_detect_yunet.py says how well).

**Large photos.** YuNet finds faces of about 15 to 400 pixels. So a photo is first shrunk, without aliasing,
until its longer side is at most `max_side` pixels. A photo whose longer side then still exceeds 512 pixels is
looked at again at a quarter of that size, and so on until it does not: every look answers for the sizes that
it sees well (64 to 400 pixels in its own copy; the first also for smaller, the last also for larger ones),
and suppression merges the answers. Photos up to 512 pixels are looked at once, as they are. What is lost:
faces smaller than about 15 pixels after shrinking, 47 pixels of a 4000-pixel photo at the default `max_side`.

Papers: Wu, Peng, Yu, *YuNet: A Tiny Millisecond-level Face Detector*, Machine Intelligence Research 2023;
Lin et al., *Feature Pyramid Networks*, CVPR 2017.
"""

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import lru_cache

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from facelab import weights
from facelab.detect.boxes import as_photo, chunks, padded_size, sound, suppress, to_faces
from facelab.detect.face import Face
from facelab.detect.resample import limit, limited
from facelab.packed import PackedConv2d, can_pack

STRIDES = (8, 16, 32)
ONE_LOOK = 512  # photos up to this side are looked at once, unscaled
RATIO = 4  # each further look is at a quarter of the size
SEEN_WELL = (64, 400)  # pixels, longer side of a box: the sizes that a look answers for
NMS_OVERLAP = 0.3
TOP_K = 5000


class Separable(nn.Module):
    """1×1 over the channels, 3×3 inside each channel, and (except in the heads) ReLU."""

    def __init__(self, channels_in: int, channels_out: int, relu: bool = True):
        super().__init__()
        self.mix = nn.Conv2d(channels_in, channels_out, 1)
        self.look = nn.Conv2d(channels_out, channels_out, 3, padding=1, groups=channels_out)
        self.relu = relu

    def forward(self, x: Tensor) -> Tensor:
        x = self.look(self.mix(x))
        return F.relu_(x) if self.relu else x

    def pack(self) -> None:
        """The same, faster on a CPU (`facelab.packed`): the ReLU becomes part of the convolution."""
        self.mix, self.look = PackedConv2d(self.mix), PackedConv2d(self.look, relu=self.relu)
        self.relu = False


class YuNet(nn.Module):
    """The detector: `detect` for photos, `maps` and `candidates` to look inside, `forward` the bare network.

    min_score   faces below it are not reported. At 0.8 the face in the middle is found in all 7,701 photos of
                LFW's pairs (the least sure scores 0.858); at 0.9, OpenCV's default, 110 of them are missed.
    min_face    smallest face reported, longer side of its box in pixels of the photo.
    max_faces   at most so many a photo, the largest ones; None: all.
    max_side    photos are shrunk to this longer side first (module docstring); None: never.
    half        float16 inside the network. Meant for GPUs.
    path        weights file; None: `facelab.weights` finds it.
    """

    name = "yunet"

    def __init__(
        self,
        *,
        min_score: float = 0.8,
        min_face: float = 0,
        max_faces: int | None = None,
        max_side: int | None = 1280,
        half: bool = False,
        device: torch.device | str = "cpu",
        path: str | None = None,
    ):
        super().__init__()
        self.min_score, self.min_face, self.max_faces, self.max_side = (
            min_score,
            min_face,
            max_faces,
            max_side,
        )

        self.stem = nn.Conv2d(3, 16, 3, stride=2, padding=1)  # stride 2
        self.stages = nn.ModuleList(
            (
                Separable(16, 16),  # stride 2
                nn.Sequential(Separable(16, 16), Separable(16, 32)),  # stride 4
                nn.Sequential(Separable(32, 32), Separable(32, 64)),  # stride 4
                nn.Sequential(Separable(64, 64), Separable(64, 64)),  # stride 8
                nn.Sequential(Separable(64, 64), Separable(64, 64)),  # stride 16
                nn.Sequential(Separable(64, 64), Separable(64, 64)),  # stride 32
            )
        )
        self.lateral = nn.ModuleList(Separable(64, 64) for _ in STRIDES)
        # cls, obj, 4 of the box, 10 of the landmarks: four small heads, run as one of 16 channels
        self.heads = nn.ModuleList(Separable(64, 1 + 1 + 4 + 10, relu=False) for _ in STRIDES)

        self._load(weights.read("yunet", path))
        # channels_last is how photos lie in memory anyway, and twice as fast on a CPU
        dtype = torch.float16 if half else torch.float32
        self.eval().requires_grad_(False)
        self.to(device=device, dtype=dtype, memory_format=torch.channels_last)
        if can_pack(self.device, dtype):
            for brick in [module for module in self.modules() if isinstance(module, Separable)]:
                brick.pack()

    @property
    def device(self) -> torch.device:
        return self.stem.weight.device

    # --- the network ----------------------------------------------------------------------------------------

    def forward(self, x: Tensor) -> list[Tensor]:
        """RGB 0 … 255, (B, 3, H, W), H and W multiples of 32 → for each stride s what the heads say,
        (B, 16, H/s, W/s): cls, obj (before the sigmoid), box, landmarks."""
        x = F.relu_(self.stem(x))  # (B, 16, H/2, W/2)
        x = F.max_pool2d(self.stages[0](x), 2)  # (B, 16, H/4, W/4)
        x = F.max_pool2d(self.stages[2](self.stages[1](x)), 2)  # (B, 64, H/8, W/8)
        c8 = self.stages[3](x)
        c16 = self.stages[4](F.max_pool2d(c8, 2))  # (B, 64, H/16, W/16)
        c32 = self.stages[5](F.max_pool2d(c16, 2))  # (B, 64, H/32, W/32)
        p32 = self.lateral[2](c32)
        p16 = self.lateral[1](c16 + F.interpolate(p32, scale_factor=2))
        p8 = self.lateral[0](c8 + F.interpolate(p16, scale_factor=2))
        return [head(p) for head, p in zip(self.heads, (p8, p16, p32), strict=True)]

    def _load(self, tensors: dict[str, np.ndarray]) -> None:
        """The ONNX file's tensors into the modules. Convolutions that were fused with a batch norm lost
        their names: they are numbered 420, 423, 426 … in the order of the forward pass, biases one more."""
        numbered = iter(range(420, 463, 3))

        def fill(convolution: nn.Conv2d, weight: list[str], bias: list[str]) -> None:
            convolution.weight.data.copy_(
                torch.from_numpy(np.concatenate([tensors[name] for name in weight]))
            )
            convolution.bias.data.copy_(torch.from_numpy(np.concatenate([tensors[name] for name in bias])))

        def fill_separable(brick: Separable, name: str) -> None:
            number = next(numbered)
            fill(brick.mix, [f"{name}.conv1.weight"], [f"{name}.conv1.bias"])
            fill(brick.look, [str(number)], [str(number + 1)])

        number = next(numbered)
        fill(self.stem, [str(number)], [str(number + 1)])
        self.stem.weight.data = self.stem.weight.data.flip(1)  # trained on BGR; from here on it eats RGB
        fill_separable(self.stages[0], "backbone.model0.conv2")
        for stage in range(1, 6):
            fill_separable(self.stages[stage][0], f"backbone.model{stage}.conv1")
            fill_separable(self.stages[stage][1], f"backbone.model{stage}.conv2")
        for level in (2, 1, 0):
            fill_separable(self.lateral[level], f"neck.lateral_convs.{level}")
        for level, head in enumerate(self.heads):
            parts = [f"bbox_head.multi_level_{part}.{level}" for part in ("cls", "obj", "bbox", "kps")]
            fill(head.mix, [f"{p}.conv1.weight" for p in parts], [f"{p}.conv1.bias" for p in parts])
            fill(head.look, [f"{p}.conv2.weight" for p in parts], [f"{p}.conv2.bias" for p in parts])

    # --- from heads to faces --------------------------------------------------------------------------------

    @staticmethod
    def score(said: Tensor) -> Tensor:
        """How sure the heads are: (…, 16) as they say it → (…), 0 … 1, the geometric mean of cls and obj."""
        return said[..., :2].sigmoid().prod(-1).sqrt()

    @staticmethod
    def decode(said: Tensor, cells: Tensor) -> Tensor:
        """What the heads say at some cells (M, 16), and which cells (M, 3) as `_cells` lists them → (M, 7, 2)
        points x, y in pixels of the network's input: two corners of the box, five landmarks. All offsets
        count in strides from the cell's own corner, (column, row) · stride; sizes are logarithms."""
        cell, stride = cells[:, None, :2], cells[:, None, 2:]  # (M, 1, 2), (M, 1, 1)
        offsets = said[:, 2:].unflatten(1, (7, 2))  # centre, size, five landmarks
        points = (offsets + cell) * stride
        center, half_size = points[:, :1], offsets[:, 1:2].exp() * stride / 2
        return torch.cat((center - half_size, center + half_size, points[:, 2:]), dim=1)

    @torch.inference_mode()
    def detect(self, photos: Sequence[Tensor | np.ndarray]) -> list[list[Face]]:
        """The faces of each photo, largest first.

        photos  uint8 (H, W, 3) RGB, of any sizes, best already on the detector's device. Photos that pad to
                the same size share forward passes; the answer for a photo does not depend on its company.
        """
        photo, boxes, landmarks, scores = self._candidates([as_photo(p, self.device) for p in photos])
        kept = suppress(_whole_pixels(boxes), scores, photo, NMS_OVERLAP, top_k=TOP_K)
        found = photo[kept], boxes[kept], landmarks[kept], scores[kept]
        return to_faces(len(photos), *found, min_face=self.min_face, max_faces=self.max_faces)

    @torch.inference_mode()
    def candidates(self, photo: Tensor | np.ndarray) -> list[Face]:
        """Everything that scores at least `min_score` in one photo, before suppression, largest first."""
        return to_faces(1, *self._candidates([as_photo(photo, self.device)]), min_face=0, max_faces=None)[0]

    @torch.inference_mode()
    def maps(self, photo: Tensor | np.ndarray) -> dict[int, dict[str, np.ndarray]]:
        """What the heads say about one photo as it is (never shrunk), for every stride s: a dictionary of
        `cls`, `obj` and `score` (h, w), `boxes` (h, w, 4) and `landmarks` (h, w, 5, 2) in the photo's pixels.
        Cell (row, column) begins at pixel (column·s, row·s); h and w count the padding, too."""
        photo = as_photo(photo, self.device)
        padded = padded_size(*photo.shape[:2])
        said = self._all_cells(self._canvas([photo], padded))[0].cpu()  # (cells, 16)
        cells = _cells(padded, torch.device("cpu"))
        maps = {}
        for stride in STRIDES:
            here = cells[:, 2] == stride
            points = self.decode(said[here], cells[here])
            shape = padded[0] // stride, padded[1] // stride
            maps[stride] = {
                "cls": said[here, 0].sigmoid().view(shape).numpy(),
                "obj": said[here, 1].sigmoid().view(shape).numpy(),
                "score": self.score(said[here]).view(shape).numpy(),
                "boxes": points[:, :2].reshape(*shape, 4).numpy(),
                "landmarks": points[:, 2:].reshape(*shape, 5, 2).numpy(),
            }
        return maps

    def _all_cells(self, canvas: Tensor) -> Tensor:
        """What the three heads say, the cells of all strides in one row → (B, cells, 16) float32."""
        return torch.cat([head.permute(0, 2, 3, 1).flatten(1, 2) for head in self(canvas)], dim=1).float()

    def _candidates(self, photos: list[Tensor]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """All cells of all photos that score at least min_score: which photo (M,), box (M, 4), landmarks
        (M, 5, 2) in the photo's pixels and score (M,), on the CPU, in one transfer."""
        found = [torch.zeros(0, 20, device=self.device)]
        for looks, canvas in self._looks(photos):
            said = self._all_cells(canvas)
            scores = self.score(said)  # (B, cells)
            which, cell = (scores >= self.min_score).nonzero(as_tuple=True)  # in the order of the cells
            points = self.decode(said[which, cell], _cells(tuple(canvas.shape[2:]), self.device)[cell])
            found.append(torch.cat((looks[which], scores[which, cell, None], points.flatten(1)), dim=1))
        rows = torch.cat(found).cpu()

        photo, scale, smallest, largest, scores = rows[:, 0].long(), rows[:, 1:3], *rows[:, 3:6].unbind(1)
        points = rows[:, 6:].unflatten(1, (7, 2))
        size = (points[:, 1] - points[:, 0]).amax(1)  # longer side, in the pixels of the look
        good = sound(points) & (size >= smallest) & (size <= largest)
        # Back to the photo's pixels; a photo that was not scaled keeps its digits.
        scale = scale[:, None]
        points = torch.where(scale == 1, points, (points + 0.5) / scale - 0.5)
        return photo[good], points[good, :2].flatten(1), points[good, 2:], scores[good]

    def _looks(self, photos: list[Tensor]) -> Iterator[tuple[Tensor, Tensor]]:
        """Yields the batches for the network: (B, 5) for each picture the photo's index, its scale in x and
        in y, and the smallest and largest size that this look answers for; and the canvas (B, 3, H, W)."""
        order = sorted(range(len(photos)), key=lambda index: photos[index].shape)
        sizes = [photos[index].shape for index in order]
        pixels = [math.prod(limited(height, width, self.max_side)) for height, width, _ in sizes]
        for part in chunks(order, pixels, 16 * self._pixels_at_once):  # bounds the memory for shrunk photos
            buckets = defaultdict(list)  # padded size → [(picture, look)]
            for index in part:
                for picture, look in self._looks_at(photos[index]):
                    buckets[padded_size(*picture.shape[:2])].append((picture, (index, *look)))
            for padded, bucket in buckets.items():
                for chunk in chunks(bucket, [math.prod(padded)] * len(bucket), self._pixels_at_once):
                    pictures, looks = zip(*chunk, strict=True)
                    yield torch.tensor(looks).to(self.device), self._canvas(pictures, padded)

    def _looks_at(self, photo: Tensor) -> Iterator[tuple[Tensor, tuple[float, float, float, float]]]:
        """The pictures of one photo that are looked at, largest first, each with its scale in x and in y and
        the smallest and largest size that it answers for."""
        picture, longest, smallest = photo, self.max_side, 0.0
        while True:
            picture = limit(picture, longest)
            height, width = picture.shape[:2]
            last = max(height, width) <= ONE_LOOK
            largest = math.inf if last else SEEN_WELL[1]
            yield picture, (width / photo.shape[1], height / photo.shape[0], smallest, largest)
            if last:
                return
            smallest, longest = SEEN_WELL[0], max(height, width) / RATIO

    @property
    def _pixels_at_once(self) -> int:
        """Through the network. On a CPU few, so that all its maps stay in the cache; elsewhere many."""
        return 1 << 16 if self.device.type == "cpu" else 1 << 24

    def _canvas(self, pictures: Sequence[Tensor], padded: tuple[int, int]) -> Tensor:
        """Pictures (H, W, 3), black added at the right and at the bottom → (B, 3, *padded)."""
        canvas = torch.zeros((len(pictures), *padded, 3), dtype=self.stem.weight.dtype, device=self.device)
        for place, picture in zip(canvas, pictures, strict=True):
            place[: picture.shape[0], : picture.shape[1]] = picture
        return canvas.permute(0, 3, 1, 2)


@lru_cache(maxsize=32)
def _cells(padded: tuple[int, int], device: torch.device) -> Tensor:
    """Column, row and stride of every cell, stride by stride and row by row → (cells, 3) float32."""
    cells = []
    for stride in STRIDES:
        row = torch.arange(padded[0] // stride).repeat_interleave(padded[1] // stride)
        column = torch.arange(padded[1] // stride).repeat(padded[0] // stride)
        cells.append(torch.stack((column, row, torch.full_like(row, stride)), dim=1))
    return torch.cat(cells).float().to(device)


def _whole_pixels(boxes: Tensor) -> Tensor:
    """Boxes as OpenCV compares them in its suppression: corner and size cut to whole pixels."""
    corner, size = boxes[:, :2].trunc(), (boxes[:, 2:] - boxes[:, :2]).trunc()
    return torch.cat((corner, corner + size), dim=1)
