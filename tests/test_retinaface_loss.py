"""RetinaFace's multi-task loss against a loop written from the paper's formula, in plain Python."""

import math

import numpy as np
import pytest
import torch

from facelab.detect import retinaface_loss as loss
from facelab.detect.anchors import anchors
from facelab.detect.retinaface import RetinaFaceNet
from facelab.detect.retinaface_loss import BACKGROUND, IGNORED, Targets, match, multi_task, targets

SIDE = 64
ANCHORS = anchors(SIDE, SIDE)


def faces(rng: np.random.Generator, count: int) -> torch.Tensor:
    """(count, 7, 2) float64: two corners and five points."""
    size = np.exp(rng.uniform(np.log(8), np.log(60), (count, 1, 1))) * (0.8, 1.1)
    low = rng.uniform(-5, SIDE - 8, (count, 1, 2))
    return torch.from_numpy(np.concatenate([low, low + size, low + size * rng.random((count, 5, 2))], 1))


# ---------------------------------------------------------------------- the loop


def by_hand_overlap(anchor, box):
    x, y, w, h = anchor
    wide = max(0.0, min(x + w / 2, box[2]) - max(x - w / 2, box[0]))
    high = max(0.0, min(y + h / 2, box[3]) - max(y - h / 2, box[1]))
    return wide * high / (w * h + (box[2] - box[0]) * (box[3] - box[1]) - wide * high)


def by_hand_match(boxes, unsure=()):
    answers = []
    for anchor in ANCHORS.tolist():
        shares = [by_hand_overlap(anchor, box) for box in boxes]
        best = max(shares, default=0.0)
        if best >= 0.5:
            answers.append(shares.index(best))
        elif best >= 0.3 or any(by_hand_overlap(anchor, box) >= 0.3 for box in unsure):
            answers.append("ignored")
        else:
            answers.append("background")
    for face, box in enumerate(boxes):
        shares = [by_hand_overlap(anchor, box) for anchor in ANCHORS.tolist()]
        answers[shares.index(max(shares))] = face
    return answers


def smooth_l1(x):
    return 0.5 * x * x if abs(x) < 1 else abs(x) - 0.5


def by_hand_loss(classes, said, batch):
    """(L_cls, L_box, L_pts) of a batch: classes (B, A, 2), said (B, A, 14) and the faces of each photo."""
    positive, negative, box, pts = [], [], 0.0, 0.0
    for its_classes, its_said, its_faces in zip(classes, said, batch, strict=True):
        answers = by_hand_match([face[:2].ravel().tolist() for face in its_faces.numpy()])
        for anchor, answer, (no, yes), numbers in zip(
            ANCHORS.tolist(), answers, its_classes.tolist(), its_said.tolist(), strict=True
        ):
            whole = math.log(math.exp(no) + math.exp(yes))
            if answer == "background":
                negative.append(whole - no)
            elif answer != "ignored":
                positive.append(whole - yes)
                (x1, y1), (x2, y2), *points = its_faces[answer].tolist()
                x, y, w, h = anchor
                wanted = [((x1 + x2) / 2 - x) / (0.1 * w), ((y1 + y2) / 2 - y) / (0.1 * h)]
                wanted += [math.log((x2 - x1) / w) / 0.2, math.log((y2 - y1) / h) / 0.2]
                box += sum(smooth_l1(a - b) for a, b in zip(numbers[:4], wanted, strict=True))
                flat = [v for px, py in points for v in ((px - x) / (0.1 * w), (py - y) / (0.1 * h))]
                pts += sum(smooth_l1(a - b) for a, b in zip(numbers[4:], flat, strict=True))
    count = max(len(positive), 1)
    hardest = sorted(negative, reverse=True)[: 3 * count]
    return (sum(positive) + sum(hardest)) / count, box / count, pts / count


@pytest.mark.parametrize("counts", [(3, 1), (0, 2), (0, 0), (6, 5, 0)])
def test_the_loss_is_the_loop(counts):
    rng = np.random.default_rng(len(counts) + sum(counts))
    batch = [faces(rng, count) for count in counts]
    classes = torch.from_numpy(rng.normal(0, 2, (len(batch), len(ANCHORS), 2)))
    said = torch.from_numpy(rng.normal(0, 2, (len(batch), len(ANCHORS), 14)))
    terms = multi_task(classes, said, targets(batch, ANCHORS.double()))
    found = [float(term) for term in (terms.cls, terms.box, terms.pts)]
    wanted = by_hand_loss(classes, said, batch)
    assert found == pytest.approx(wanted, rel=1e-9)
    assert float(terms.total()) == pytest.approx(wanted[0] + 0.25 * wanted[1] + 0.1 * wanted[2], rel=1e-9)
    assert (terms.faces == 0) == (sum(counts) == 0)


# ---------------------------------------------------------------------- who answers for whom


def test_matching_is_the_loop():
    rng = np.random.default_rng(5)
    boxes, unsure = (faces(rng, count)[:, :2].flatten(1) for count in (5, 3))
    found = match(ANCHORS.double(), boxes, unsure).tolist()
    names = {BACKGROUND: "background", IGNORED: "ignored"}
    wanted = by_hand_match(boxes.tolist(), unsure.tolist())
    assert [names.get(answer, answer) for answer in found] == wanted
    assert {"background", "ignored", 0} <= set(wanted)


def test_a_face_that_no_anchor_fits_still_has_one():
    narrow = torch.tensor([[10.0, 5.0, 16.0, 60.0]])
    assert loss.overlaps(ANCHORS, narrow).max() < 0.5
    assert (match(ANCHORS, narrow) == 0).sum() == 1


def test_unsure_boxes_teach_neither_yes_nor_no():
    box = torch.tensor([[16.0, 16.0, 48.0, 48.0]])
    answers = match(ANCHORS, torch.zeros(0, 4), box)
    assert set(answers.tolist()) == {BACKGROUND, IGNORED}
    assert (match(ANCHORS, torch.zeros(0, 4)) == BACKGROUND).all()


# ---------------------------------------------------------------------- what moves which term


def test_each_term_moves_for_its_own_numbers_only():
    batch = [faces(np.random.default_rng(1), 3)]
    wanted = targets(batch, ANCHORS.double())
    classes, said = torch.zeros(1, len(ANCHORS), 2).double(), wanted.said.clone()
    right = multi_task(classes, said, wanted)
    assert float(right.box) == float(right.pts) == 0
    assert float(right.cls) == pytest.approx(4 * math.log(2)), "one on a face and three hard ones, undecided"

    moved = said.clone()
    moved[..., :4] += 2.0
    terms = multi_task(classes, moved, wanted)
    assert float(terms.box) == pytest.approx(4 * 1.5)
    assert float(terms.pts) == 0
    assert float(terms.cls) == float(right.cls)

    on_background = said.clone()
    on_background[wanted.face < 0] += 100.0
    terms = multi_task(classes, on_background, wanted)
    assert float(terms.box) == float(terms.pts) == 0, "nobody asks a background anchor where its box is"


def test_only_the_hardest_negatives_and_the_faces_get_a_gradient():
    batch = [faces(np.random.default_rng(2), 2)]
    wanted = targets(batch, ANCHORS.double())
    classes = torch.from_numpy(np.random.default_rng(3).normal(size=(1, len(ANCHORS), 2))).requires_grad_()
    terms = multi_task(classes, wanted.said, wanted)
    terms.cls.backward()
    felt = classes.grad.abs().sum(2) > 0
    assert felt[wanted.face >= 0].all()
    assert not felt[wanted.face == IGNORED].any()
    assert int((felt & (wanted.face == BACKGROUND)).sum()) == 3 * terms.faces


def test_gradcheck():
    rng = np.random.default_rng(4)
    wanted = targets([faces(rng, 2)], ANCHORS.double())
    keep = torch.cat([(wanted.face[0] >= 0).nonzero()[:2], (wanted.face[0] == BACKGROUND).nonzero()[:4]])[
        :, 0
    ]
    few = Targets(wanted.face[:, keep], wanted.said[:, keep])
    inputs = [torch.from_numpy(rng.normal(size=(1, len(keep), n))).requires_grad_() for n in (2, 14)]
    assert torch.autograd.gradcheck(lambda c, s: multi_task(c, s, few).total(), inputs)


def test_a_network_learns_one_picture_by_it():
    """Forty steps on one picture with two faces: every term falls, and the faces are what it says."""
    torch.manual_seed(0)
    net = RetinaFaceNet(4, 16)
    pixels = 50 * torch.randn(2, 3, SIDE, SIDE)
    batch = [faces(np.random.default_rng(6), 2).float() for _ in range(2)]
    wanted = targets(batch, ANCHORS)
    optimizer = torch.optim.AdamW(net.parameters(), 3e-3)
    seen = []
    for _ in range(40):
        terms = multi_task(*net(pixels), wanted)
        optimizer.zero_grad()
        terms.total().backward()
        optimizer.step()
        seen.append([term.item() for term in (terms.cls, terms.box, terms.pts)])
    first, last = np.mean(seen[:2], 0), np.mean(seen[-2:], 0)
    assert (last < 0.5 * first).all(), (first, last)
