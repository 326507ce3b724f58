"""RetinaFace with MobileNet-0.25 (Deng et al., CVPR 2020, arXiv:1905.00641): from a file of the user's, or
the small one that facelab trained itself.

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

The network trains, too: `retinaface_loss` says how far it is from what `anchors.encode` says it should say.
`python -m benchmarks.retinaface train` has trained a narrower one in minutes, with YuNet for a teacher:
`RetinaFaceSmall`. It shows how RetinaFace works; it is not the published network, and no rival of YuNet.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from os import PathLike

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from facelab import weights
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
SMALL_MIN_SCORE, SMALL_MAX_SIDE = 0.6, 256
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
    """Pixels → maps at strides 8, 16, 32 with 8, 16, 32 times `width` channels."""

    def __init__(self, width: int):
        super().__init__()
        one, two, four, eight, sixteen, most = (width * factor for factor in (1, 2, 4, 8, 16, 32))
        self.stage1 = nn.Sequential(
            nn.Sequential(*conv_norm(3, one, stride=2), leaky()),  # stride 2
            separable(one, two),
            separable(two, four, stride=2),  # stride 4
            separable(four, four),
            separable(four, eight, stride=2),  # stride 8
            separable(eight, eight),
        )
        again = [separable(sixteen, sixteen) for _ in range(5)]
        self.stage2 = nn.Sequential(separable(eight, sixteen, stride=2), *again)
        self.stage3 = nn.Sequential(separable(sixteen, most, stride=2), separable(most, most))

    def forward(self, x: Tensor) -> list[Tensor]:
        fine = self.stage1(x)
        middle = self.stage2(fine)
        return [fine, middle, self.stage3(middle)]


class Pyramid(nn.Module):
    """The FPN: 8, 16, 32 times `width` channels → `features` each, coarse maps added to the finer ones."""

    def __init__(self, width: int, features: int):
        super().__init__()
        self.output1, self.output2, self.output3 = (
            nn.Sequential(*conv_norm(factor * width, features, kernel=1), leaky()) for factor in (8, 16, 32)
        )
        self.merge1, self.merge2 = (nn.Sequential(*conv_norm(features, features), leaky()) for _ in range(2))

    def forward(self, maps: list[Tensor]) -> list[Tensor]:
        fine, middle, coarse = self.output1(maps[0]), self.output2(maps[1]), self.output3(maps[2])
        middle = self.merge2(middle + F.interpolate(coarse, size=middle.shape[2:]))
        fine = self.merge1(fine + F.interpolate(middle, size=fine.shape[2:]))
        return [fine, middle, coarse]


class SSH(nn.Module):
    """The channels again: half of them see 3×3, a quarter 5×5, a quarter 7×7."""

    def __init__(self, features: int):
        super().__init__()
        quarter = features // 4
        self.conv3X3 = nn.Sequential(*conv_norm(features, features // 2))
        self.conv5X5_1 = nn.Sequential(*conv_norm(features, quarter), leaky())
        self.conv5X5_2 = nn.Sequential(*conv_norm(quarter, quarter))
        self.conv7X7_2 = nn.Sequential(*conv_norm(quarter, quarter), leaky())
        self.conv7x7_3 = nn.Sequential(*conv_norm(quarter, quarter))

    def branches(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """What the windows of 3×3, 5×5 and 7×7 say, before the ReLU."""
        shared = self.conv5X5_1(x)  # the first 3×3 of the wider windows
        return self.conv3X3(x), self.conv5X5_2(shared), self.conv7x7_3(self.conv7X7_2(shared))

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(torch.cat(self.branches(x), dim=1))


class Head(nn.Module):
    """(B, features, h, w) → (B, h·w·2, numbers): what is said for the two anchors of each cell."""

    def __init__(self, features: int, numbers: int):
        super().__init__()
        self.conv1x1 = nn.Conv2d(features, 2 * numbers, 1)
        self.numbers = numbers

    def forward(self, x: Tensor) -> Tensor:
        return self.conv1x1(x).permute(0, 2, 3, 1).flatten(1).unflatten(1, (-1, self.numbers))


class RetinaFaceNet(nn.Module):
    """(B, 3, H, W) float BGR minus MEAN_BGR → for each of the anchors(H, W) A: its classes (B, A, 2), not a
    face and a face, before the softmax; and (B, A, 14) box and landmarks as `anchors.encode` has them.

    width     channels of the first convolution: 8 is a quarter of MobileNet's
    features  channels of the pyramid
    """

    def __init__(self, width: int = 8, features: int = 64):
        super().__init__()
        self.body, self.fpn = Body(width), Pyramid(width, features)
        self.ssh1, self.ssh2, self.ssh3 = (SSH(features) for _ in range(3))
        self.ClassHead, self.BboxHead, self.LandmarkHead = (
            nn.ModuleList(Head(features, numbers) for _ in range(3)) for numbers in (2, 4, 10)
        )

    @classmethod
    def of(cls, tensors: Mapping[str, np.ndarray], what: str) -> "RetinaFaceNet":
        """The network of a file's tensors, as wide as they are. Raises WeightsError for another network's."""
        first, lateral = tensors.get("body.stage1.0.0.weight"), tensors.get("fpn.output1.0.weight")
        net = cls() if first is None or lateral is None else cls(len(first), len(lateral))
        load_by_name(net, tensors, what)
        return net

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
    """The detector of a file of weights, as wide as the file has it.

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
        file = UserFile.open(path, sha256=sha256)
        try:
            net = RetinaFaceNet.of(file.tensors(), str(file.path))
        except WeightsError as error:
            raise WeightsError(
                f"{file.path}: taken for RetinaFace's (MobileNet-0.25), but {error}"
            ) from error
        self._set_up(net, min_score, min_face, max_faces, max_side, half, device)
        self.file, self.name = file.without_content(), file.tag("retinaface")
        file.pin()

    def _set_up(self, net: RetinaFaceNet, min_score, min_face, max_faces, max_side, half, device) -> None:
        self.min_score, self.min_face = min_score, min_face
        self.max_faces, self.max_side, self.device = max_faces, max_side, torch.device(device)
        self.dtype = torch.float16 if half else torch.float32
        net = net.eval().requires_grad_(False)
        self.net = net.to(device=self.device, dtype=self.dtype, memory_format=torch.channels_last)

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

    @torch.inference_mode()
    def answers(self, photo: np.ndarray | Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """What the network says of one photo as it is, not shrunk: the A anchors (A, 4), the probability of a
        face (A,), and box and landmarks as `anchors.encode` has them (A, 14). On the CPU, float32."""
        picture = as_photo(photo, self.device)
        height, width = padded_size(*picture.shape[:2])
        classes, said = self.net(self._canvas([picture], height, width))
        return anchors(height, width), classes[0].float().softmax(1)[:, 1].cpu(), said[0].float().cpu()

    def _canvas(self, pictures: list[Tensor], height: int, width: int) -> Tensor:
        """Photos, the mean colour below and to the right of them, as the network eats them."""
        canvas = torch.zeros((len(pictures), 3, height, width), dtype=self.dtype, device=self.device)
        for place, picture in zip(canvas, pictures, strict=True):
            place[:, : picture.shape[0], : picture.shape[1]] = self.net.pixels(picture[None])[0]
        return canvas.contiguous(memory_format=torch.channels_last)

    def _look(self, pictures: list[Tensor], photos: list[int], height: int, width: int) -> list[Tensor]:
        """One pass → rows of the anchors that score: photo, score, seven points; (M, 16)."""
        classes, said = self.net(self._canvas(pictures, height, width))
        scores = classes.float().softmax(2)[..., 1]
        which, place = (scores >= self.min_score).nonzero(as_tuple=True)
        points = decode(said[which, place].float(), anchors(height, width, self.device)[place])
        index = torch.tensor(photos, device=self.device)[which]
        return [torch.cat((index[:, None], scores[which, place, None], points.flatten(1)), dim=1)]


class RetinaFaceSmall(RetinaFace):
    """The small one that comes with facelab: half of the pyramid's channels, trained in minutes on LFW's
    photos, with YuNet's boxes and landmarks for the truth. It is there to be looked into:
    YuNet's points are nearer, and it invents no faces (`retinaface_small.md`, beside the weights).

    min_score  chosen on people kept back from training (`python -m benchmarks.retinaface train` prints it)
    max_side   256, about what LFW's photos have. They end at the shoulders, so that it never saw a whole
               person: in larger photos it takes some for a face (lesson 05 shows one)
    path       where the file lies; None: `facelab.weights` finds it

    Everything else as in RetinaFace.
    """

    name = "retinaface-small"

    def __init__(
        self,
        *,
        min_score: float = SMALL_MIN_SCORE,
        min_face: float = 0,
        max_faces: int | None = None,
        max_side: int | None = SMALL_MAX_SIDE,
        half: bool = False,
        device: torch.device | str = "cpu",
        path: str | PathLike | None = None,
    ):
        net = RetinaFaceNet.of(weights.read(self.name, path), self.name)
        self._set_up(net, min_score, min_face, max_faces, max_side, half, device)

    @classmethod
    def of(cls, net: RetinaFaceNet, *, min_score: float = SMALL_MIN_SCORE) -> "RetinaFaceSmall":
        """The detector of a network at hand, one that was just trained, say."""
        detector = cls.__new__(cls)
        detector._set_up(net, min_score, 0, None, SMALL_MAX_SIDE, False, "cpu")
        return detector

    def __repr__(self) -> str:
        return f"RetinaFaceSmall({self.device})"
