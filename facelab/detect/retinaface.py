"""RetinaFace with MobileNet-0.25 (Deng et al., CVPR 2020, arXiv:1905.00641), from a file of the user's.

Four parts, each with a name of its own in the papers:

- **body**, MobileNet-v1 with a quarter of its channels: three stages that end at strides 8, 16 and 32;
- **FPN** (Lin et al., CVPR 2017): brings the three maps to 64 channels, and hands what the coarse ones
  understand down to the fine ones;
- **SSH** (Najibi et al., ICCV 2017): looks at each map through 3×3, 5×5 and 7×7 windows side by side, made
  of 3×3 convolutions in a row, because a face is known by its surroundings;
- **heads**: 1×1 convolutions that say, for the two anchors of each cell (`anchors.py`), face or not, box, and
  landmarks.

The names of the layers are those of the widely used PyTorch checkpoint `mobilenet0.25_Final.pth`
(biubug6/Pytorch_Retinaface), so it loads by name. Input: (B, 3, H, W) float, BGR, minus (104, 117, 123).

The network trains, too: `RetinaFaceNet()` gives what `anchors.encode` says it should.
"""

from collections import defaultdict
from collections.abc import Sequence
from os import PathLike

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from facelab.detect.anchors import anchors, decode
from facelab.detect.boxes import as_photo, chunks, padded_size, sound, suppress, to_faces
from facelab.detect.face import Face
from facelab.detect.resample import limit
from facelab.errors import WeightsError
from facelab.loading import load_by_name
from facelab.user_weights import UserFile

MEAN_BGR = (104.0, 117.0, 123.0)
SLOPE = 0.1  # of all leaky ReLUs
NMS_OVERLAP = 0.4
TOP_K = 5000
PIXELS_AT_ONCE = {"cpu": 1 << 20}  # through the network; elsewhere 16 times as many


def conv_norm(
    inputs: int, outputs: int, kernel: int = 3, stride: int = 1, groups: int = 1
) -> list[nn.Module]:
    return [
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(outputs),
    ]


def leaky() -> nn.Module:
    return nn.LeakyReLU(SLOPE)


def separable(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    """3×3 inside each channel, then 1×1 over the channels."""
    depthwise = conv_norm(inputs, inputs, stride=stride, groups=inputs)
    return nn.Sequential(*depthwise, leaky(), *conv_norm(inputs, outputs, kernel=1), leaky())


class Body(nn.Module):
    """Pixels → maps at strides 8, 16, 32 with 64, 128, 256 channels."""

    def __init__(self):
        super().__init__()
        self.stage1 = nn.Sequential(
            nn.Sequential(*conv_norm(3, 8, stride=2), leaky()),  # stride 2
            separable(8, 16),
            separable(16, 32, stride=2),  # stride 4
            separable(32, 32),
            separable(32, 64, stride=2),  # stride 8
            separable(64, 64),
        )
        self.stage2 = nn.Sequential(separable(64, 128, stride=2), *[separable(128, 128) for _ in range(5)])
        self.stage3 = nn.Sequential(separable(128, 256, stride=2), separable(256, 256))

    def forward(self, x: Tensor) -> list[Tensor]:
        fine = self.stage1(x)
        middle = self.stage2(fine)
        return [fine, middle, self.stage3(middle)]


class Pyramid(nn.Module):
    """The FPN: 64, 128, 256 channels → 64 each, coarse maps added to the finer ones."""

    def __init__(self):
        super().__init__()
        self.output1, self.output2, self.output3 = (
            nn.Sequential(*conv_norm(channels, 64, kernel=1), leaky()) for channels in (64, 128, 256)
        )
        self.merge1, self.merge2 = (nn.Sequential(*conv_norm(64, 64), leaky()) for _ in range(2))

    def forward(self, maps: list[Tensor]) -> list[Tensor]:
        fine, middle, coarse = self.output1(maps[0]), self.output2(maps[1]), self.output3(maps[2])
        middle = self.merge2(middle + F.interpolate(coarse, size=middle.shape[2:]))
        fine = self.merge1(fine + F.interpolate(middle, size=fine.shape[2:]))
        return [fine, middle, coarse]


class SSH(nn.Module):
    """64 channels → 32 that see 3×3, 16 that see 5×5, 16 that see 7×7."""

    def __init__(self):
        super().__init__()
        self.conv3X3 = nn.Sequential(*conv_norm(64, 32))
        self.conv5X5_1 = nn.Sequential(*conv_norm(64, 16), leaky())
        self.conv5X5_2 = nn.Sequential(*conv_norm(16, 16))
        self.conv7X7_2 = nn.Sequential(*conv_norm(16, 16), leaky())
        self.conv7x7_3 = nn.Sequential(*conv_norm(16, 16))

    def forward(self, x: Tensor) -> Tensor:
        shared = self.conv5X5_1(x)  # the first 3×3 of the wider windows
        wide = self.conv7x7_3(self.conv7X7_2(shared))
        return F.relu(torch.cat((self.conv3X3(x), self.conv5X5_2(shared), wide), dim=1))


class Head(nn.Module):
    """(B, 64, h, w) → (B, h·w·2, numbers): what is said for the two anchors of each cell."""

    def __init__(self, numbers: int):
        super().__init__()
        self.conv1x1 = nn.Conv2d(64, 2 * numbers, 1)
        self.numbers = numbers

    def forward(self, x: Tensor) -> Tensor:
        return self.conv1x1(x).permute(0, 2, 3, 1).flatten(1).unflatten(1, (-1, self.numbers))


class RetinaFaceNet(nn.Module):
    """(B, 3, H, W) float BGR minus MEAN_BGR → for each of the anchors(H, W) A: its classes (B, A, 2), not a
    face and a face, before the softmax; and (B, A, 14) box and landmarks as `anchors.encode` has them."""

    def __init__(self):
        super().__init__()
        self.body, self.fpn = Body(), Pyramid()
        self.ssh1, self.ssh2, self.ssh3 = SSH(), SSH(), SSH()
        self.ClassHead, self.BboxHead, self.LandmarkHead = (
            nn.ModuleList(Head(numbers) for _ in range(3)) for numbers in (2, 4, 10)
        )

    @staticmethod
    def pixels(photos: Tensor) -> Tensor:
        """(B, H, W, 3) uint8 RGB → (B, 3, H, W) float32 BGR minus the mean."""
        return (photos.flip(3) - torch.tensor(MEAN_BGR, device=photos.device)).permute(0, 3, 1, 2)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        maps = self.fpn(self.body(x))
        maps = [ssh(each) for ssh, each in zip((self.ssh1, self.ssh2, self.ssh3), maps, strict=True)]
        classes, boxes, landmarks = (
            torch.cat([head(each) for head, each in zip(heads, maps, strict=True)], dim=1)
            for heads in (self.ClassHead, self.BboxHead, self.LandmarkHead)
        )
        return classes, torch.cat((boxes, landmarks), dim=2)


class RetinaFace:
    """The detector of a file of weights.

    path        the file; `file` keeps its path and SHA-256, pinned on first use (`facelab.user_weights`)
    min_score   faces below it are not reported. 0.6 is what the checkpoint's own program shows; nothing was
                measured here, as the file cannot be carried
    min_face    smallest face reported, longer side of its box in pixels of the photo
    max_faces   at most so many a photo, the largest ones; None: all
    max_side    photos are shrunk to this longer side first; None: never
    half        float16 inside the network; meant for GPUs
    sha256      the hash that the file must have

    Raises WeightsError, naming the file, when it is damaged or another network's.
    """

    def __init__(
        self,
        path: str | PathLike,
        *,
        min_score: float = 0.6,
        min_face: float = 0,
        max_faces: int | None = None,
        max_side: int | None = 1280,
        half: bool = False,
        device: torch.device | str = "cpu",
        sha256: str | None = None,
    ):
        self.min_score, self.min_face = min_score, min_face
        self.max_faces, self.max_side, self.device = max_faces, max_side, torch.device(device)
        file = UserFile.open(path, sha256=sha256)
        net = RetinaFaceNet()
        try:
            load_by_name(net, file.tensors(), str(file.path))
        except WeightsError as error:
            raise WeightsError(
                f"{file.path}: taken for RetinaFace's (MobileNet-0.25), but {error}"
            ) from error
        self.dtype = torch.float16 if half else torch.float32
        net = net.eval().requires_grad_(False)
        self.net = net.to(device=self.device, dtype=self.dtype, memory_format=torch.channels_last)
        self.file, self.name = file.without_content(), file.tag("retinaface")
        file.pin()

    def __repr__(self) -> str:
        return f"RetinaFace({self.device}, {self.file.path} with SHA-256 {self.file.sha256})"

    @torch.inference_mode()
    def detect(self, photos: Sequence[Tensor | np.ndarray]) -> list[list[Face]]:
        """The faces of each photo, largest first.

        photos  uint8 (H, W, 3) RGB, of any sizes. They are padded with the mean colour to multiples of 32;
                those of one padded size share forward passes. What is found in a photo does not depend on
                its company.
        """
        pictures = [limit(as_photo(photo, self.device), self.max_side) for photo in photos]
        buckets = defaultdict(list)  # padded size → photos
        for index, picture in enumerate(pictures):
            buckets[padded_size(*picture.shape[:2])].append(index)
        rows = [torch.zeros(0, 16, device=self.device)]
        budget = PIXELS_AT_ONCE.get(self.device.type, 1 << 24)
        for (height, width), bucket in buckets.items():
            for chunk in chunks(bucket, [height * width] * len(bucket), budget):
                rows += self._look([pictures[index] for index in chunk], chunk, height, width)
        said = torch.cat(rows).cpu()
        photo, scores, points = said[:, 0].long(), said[:, 1], said[:, 2:].unflatten(1, (7, 2))
        for index, picture in enumerate(pictures):  # back to the photo's own pixels
            if picture.shape[:2] != photos[index].shape[:2]:
                scale = torch.tensor([p / q for p, q in zip(picture.shape, photos[index].shape, strict=True)])
                own = photo == index
                points[own] = (points[own] + 0.5) / scale[[1, 0]] - 0.5
        good = sound(points)
        photo, scores, points = photo[good], scores[good], points[good]
        boxes, landmarks = points[:, :2].flatten(1), points[:, 2:]
        kept = suppress(boxes, scores, photo, NMS_OVERLAP, top_k=TOP_K)
        found = photo[kept], boxes[kept], landmarks[kept], scores[kept]
        return to_faces(len(photos), *found, min_face=self.min_face, max_faces=self.max_faces)

    def _look(self, pictures: list[Tensor], photos: list[int], height: int, width: int) -> list[Tensor]:
        """One pass → rows of the anchors that score: photo, score, seven points; (M, 16)."""
        canvas = torch.zeros((len(pictures), 3, height, width), dtype=self.dtype, device=self.device)
        for place, picture in zip(canvas, pictures, strict=True):
            place[:, : picture.shape[0], : picture.shape[1]] = self.net.pixels(picture[None])[0]
        classes, said = self.net(canvas.contiguous(memory_format=torch.channels_last))
        scores = classes.float().softmax(2)[..., 1]
        which, place = (scores >= self.min_score).nonzero(as_tuple=True)
        points = decode(said[which, place].float(), anchors(height, width, self.device)[place])
        index = torch.tensor(photos, device=self.device)[which]
        return [torch.cat((index[:, None], scores[which, place, None], points.flatten(1)), dim=1)]
