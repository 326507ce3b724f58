"""RetinaFace's multi-task loss (Deng et al., arXiv:1905.00641, equation 1), term by term.

For each anchor i, p* being 1 on a face and 0 on the background,

    L = L_cls(p, p*) + λ1 · p* · L_box(t, t*) + λ2 · p* · L_pts(l, l*)          λ1 = 0.25, λ2 = 0.1

    L_cls   cross-entropy between face and background
    L_box   smooth L1 between what is said of the box and what `anchors.encode` would say, summed over 4
    L_pts   the same for the landmarks, summed over 10 numbers

The paper of 2019 has a fourth term, a dense one: a mesh of the face is rendered and compared with the photo
pixel by pixel (λ3 = 0.01). It needs a mesh decoder trained elsewhere, the version of CVPR 2020 is without it,
and so are we.

**Which anchor answers for which face.** An anchor that overlaps a face by 0.5 or more answers for that face,
one that overlaps every face by less than 0.3 for the background, and one in between for nothing. The paper
has three anchors in a cell and five maps; here there are two and three, and a face that fits none of them by
0.5 would teach nobody. So the best anchor of each face answers for it, too, as in SSD and in the published
PyTorch program.

**Almost all anchors are background**, so L_cls takes only the hardest of them, three for each anchor on a
face (online hard example mining). Every term is divided by the number of anchors on faces in the batch.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from facelab.detect.anchors import encode

LAMBDA_BOX, LAMBDA_PTS = 0.25, 0.1
FACE_FROM, BACKGROUND_BELOW = 0.5, 0.3  # overlap, intersection over union
NEGATIVES = 3  # for each anchor on a face
BACKGROUND, IGNORED = -1, -2


def overlaps(anchors: Tensor, boxes: Tensor) -> Tensor:
    """Anchors (A, 4), centre and size, with boxes (G, 4), corners: intersection over union → (A, G)."""
    half = anchors[:, None, 2:] / 2
    low, high = anchors[:, None, :2] - half, anchors[:, None, :2] + half  # (A, 1, 2)
    side = torch.minimum(high, boxes[None, :, 2:]) - torch.maximum(low, boxes[None, :, :2])
    shared = side.clamp(min=0).prod(2)
    return shared / (anchors[:, None, 2:].prod(2) + (boxes[:, 2:] - boxes[:, :2]).prod(1) - shared)


def match(anchors: Tensor, boxes: Tensor, unsure: Tensor | None = None) -> Tensor:
    """For each anchor the face that it answers for: a row of `boxes`, BACKGROUND or IGNORED → (A,) int64.

    boxes   (G, 4) corners of the faces; none is fine
    unsure  (U, 4) boxes that may be faces: an anchor that overlaps one by 0.3 or more is not background
    """
    answers = torch.full((len(anchors),), BACKGROUND, device=anchors.device)
    if unsure is not None and len(unsure):
        answers[overlaps(anchors, unsure).amax(1) >= BACKGROUND_BELOW] = IGNORED
    if len(boxes):
        shared = overlaps(anchors, boxes)
        best, face = shared.max(1)
        answers[best >= BACKGROUND_BELOW] = IGNORED
        answers[best >= FACE_FROM] = face[best >= FACE_FROM]
        answers[shared.argmax(0)] = torch.arange(len(boxes), device=anchors.device)
    return answers


@dataclass(frozen=True, eq=False)
class Targets:
    """What the network should say of a batch.

    face  (B, A) int64: the face an anchor answers for, BACKGROUND or IGNORED
    said  (B, A, 14): its box and landmarks as `anchors.encode` has them; 0 where there is no face
    """

    face: Tensor
    said: Tensor


def targets(points: Sequence[Tensor], anchors: Tensor, unsure: Sequence[Tensor] | None = None) -> Targets:
    """points: for each photo its faces (G, 7, 2), two corners and five landmarks; unsure: boxes (U, 4)."""
    answers, said = [], []
    for photo, faces in enumerate(points):
        answer = match(anchors, faces[:, :2].flatten(1), unsure[photo] if unsure else None)
        numbers, on_face = anchors.new_zeros(len(anchors), 14), answer >= 0
        numbers[on_face] = encode(faces[answer[on_face]], anchors[on_face])
        answers.append(answer)
        said.append(numbers)
    return Targets(torch.stack(answers), torch.stack(said))


@dataclass(frozen=True, eq=False)
class Terms:
    """The three terms, each divided by the number of anchors on faces already; and that number."""

    cls: Tensor
    box: Tensor
    pts: Tensor
    faces: int

    def total(self, box: float = LAMBDA_BOX, pts: float = LAMBDA_PTS) -> Tensor:
        """L, with the paper's λ if none are given."""
        return self.cls + box * self.box + pts * self.pts


def multi_task(classes: Tensor, said: Tensor, wanted: Targets) -> Terms:
    """What a network said (`RetinaFaceNet`): classes (B, A, 2) and numbers (B, A, 14) → the loss's terms."""
    on_face = wanted.face >= 0
    count = int(on_face.sum())
    each = F.cross_entropy(classes.flatten(0, 1), on_face.flatten().long(), reduction="none")  # (B·A,)
    background = each[(wanted.face == BACKGROUND).flatten()]
    hardest = background.topk(min(NEGATIVES * max(count, 1), len(background))).values
    cls = each[on_face.flatten()].sum() + hardest.sum()
    off = F.smooth_l1_loss(said[on_face], wanted.said[on_face], reduction="none").sum(0)  # (14,)
    by = max(count, 1)
    return Terms(cls / by, off[:4].sum() / by, off[4:].sum() / by, count)
