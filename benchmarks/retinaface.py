"""A small RetinaFace, taught by YuNet on LFW's photos: trained in minutes, compared with its teacher.

    python -m benchmarks.retinaface train           # → facelab/detect/retinaface_small.safetensors
    python -m benchmarks.retinaface compare         # recall and landmarks over size and tilt; LFW's pairs
    python -m benchmarks.retinaface thresholds      # of the score, on people kept back
    python -m benchmarks.retinaface wobble          # how far the teacher agrees with itself
    python -m benchmarks.retinaface lambdas         # what the weights of the loss's terms do in 1,000 steps

Nobody of View 1's test list (963 people) takes part in training: `compare` asks about those alone. YuNet on
the photo in full size is the reference. It is the student's teacher, too, so that what is measured is
**agreement**, not truth: a student that errs as YuNet does scores.
"""

import hashlib
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save
from tqdm import tqdm

from benchmarks.common import report
from benchmarks.retinaface_quilt import SURE, Labels, Quilt, Quilts, labels, read
from facelab.datasets import LFW, lfw
from facelab.detect import Face, RetinaFaceSmall, load, retinaface
from facelab.detect.anchors import anchors
from facelab.detect.face import most_central
from facelab.detect.retinaface import RetinaFaceNet
from facelab.detect.retinaface_loss import LAMBDA_BOX, LAMBDA_PTS, Terms, multi_task, targets
from facelab.evaluation import evaluate, percent, scored_photos
from facelab.pipeline import Pipeline

FILE = Path(retinaface.__file__).with_name("retinaface_small.safetensors")
WIDTH, FEATURES = 8, 32
SEED = 0
STEPS = 2400
PIXELS = 16 * 160 * 160  # in a batch, whatever the side of its quilts
SIDES = (128, 192, 256, 384)
PHOTOS_EACH = 3  # of a person at most
RATE = 3e-3
LAMBDAS = {"box": 2.0, "pts": 1.0}
"""As in the published PyTorch program. `lambdas` compares them with the paper's, 0.25 and 0.1."""
PAPER = {"box": LAMBDA_BOX, "pts": LAMBDA_PTS}
VALIDATION = 200  # people of the training list who are kept back, to choose the threshold of the score


@dataclass(frozen=True, eq=False)
class Split:
    """Rows of photos: of people to learn from, to choose on, and to be judged on. No person is in two."""

    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray


def split(photos: LFW) -> Split:
    """View 1's test people, their first photos; of all others, by lot, 200 to choose on, the rest to learn
    from."""
    pairs = photos.pairs("devtest")
    tested = {name for name, _ in (*pairs.a, *pairs.b)}
    for_test = np.array([name in tested for name in photos.names])
    others = np.random.default_rng(SEED).permutation(np.flatnonzero(~for_test))
    first = photos.number == 1
    return Split(
        np.flatnonzero(np.isin(photos.identity, others[VALIDATION:]) & (photos.number <= PHOTOS_EACH)),
        np.flatnonzero(np.isin(photos.identity, others[:VALIDATION]) & first),
        np.flatnonzero(for_test[photos.identity] & first),
    )


# ---------------------------------------------------------------------- training


def train(
    photos: LFW, rows: np.ndarray, told: Labels, steps: int, weights: dict[str, float] = LAMBDAS
) -> RetinaFaceNet:
    """The network after so many batches of quilts. Seeded: one thread gives the same numbers again."""
    torch.manual_seed(SEED)
    torch.set_num_threads(1)
    rng = np.random.default_rng(SEED)
    quilts = Quilts(photos, rows, told)
    net = RetinaFaceNet(WIDTH, FEATURES).to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(net.parameters(), RATE, weight_decay=0.01)
    plan = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=steps, pct_start=0.1)
    start, seen = time.perf_counter(), []
    for step in tqdm(range(steps), disable=None):
        side = int(rng.choice(SIDES))
        batch = [quilts.sew(side, rng) for _ in range(PIXELS // side**2)]
        terms = loss_of(net, batch)
        optimizer.zero_grad()
        terms.total(**weights).backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 20.0)
        optimizer.step()
        plan.step()
        seen.append([term.item() for term in (terms.cls, terms.box, terms.pts)])
        if (step + 1) % 100 == 0:
            cls, box, pts = np.mean(seen[-100:], 0)
            spent = time.perf_counter() - start
            print(
                f"step {step + 1}: L_cls {cls:.3f}  L_box {box:.3f}  L_pts {pts:.3f}  ({spent:.0f} s)",
                flush=True,
            )
    return net.eval()


def loss_of(net: RetinaFaceNet, batch: list[Quilt]) -> Terms:
    pixels = net.pixels(torch.from_numpy(np.stack([quilt.pixels for quilt in batch])))
    classes, said = net(pixels.contiguous(memory_format=torch.channels_last))
    faces = [torch.from_numpy(quilt.faces).float() for quilt in batch]
    unsure = [torch.from_numpy(quilt.unsure).float() for quilt in batch]
    return multi_task(classes, said, targets(faces, anchors(*pixels.shape[2:]), unsure))


def as_file(net: RetinaFaceNet) -> bytes:
    """The tensors in half precision, as safetensors, without the counters of the batch norms."""
    state = net.state_dict().items()
    kept = {
        name: tensor.half().contiguous() for name, tensor in state if not name.endswith("num_batches_tracked")
    }
    assert all(tensor.isfinite().all() for tensor in kept.values()), "too large for half precision"
    return save(kept)


# ---------------------------------------------------------------------- comparing

SIZES = (16, 24, 32, 48, 64, 96, 128)  # of the face: the longer side of its box, pixels
TILTS = (-30, 0, 30)
TILTED_SIZE = 96
FOUND = 0.5  # overlap with the reference's box from which on a face counts as found
NOWHERE = 0.3  # overlap with every box of the reference below which a face counts as invented
RESAMPLES = 1000


@dataclass(frozen=True, eq=False)
class Reference:
    """A person's face in the photo in full size, as YuNet has it, and whatever else may be a face there."""

    photo: np.ndarray
    face: np.ndarray  # (7, 2) two corners and five landmarks
    all: np.ndarray  # (K, 2, 2) boxes

    @property
    def size(self) -> float:
        """The longer side of the face's box in the photo as it is."""
        return float((self.face[1] - self.face[0]).max())

    def at(self, size: float, tilt: float = 0.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The photo scaled so that the face is `size` pixels long, turned clockwise by `tilt` degrees about
        it: the photo, the face's points, all boxes (which do not turn: mind them at tilt 0 only)."""
        photo, face, boxes = self.photo, self.face.copy(), self.all
        middle = face[:2].mean(0)
        if tilt:
            image = Image.fromarray(photo)
            turned = image.rotate(-tilt, Image.Resampling.BICUBIC, center=tuple(middle + 0.5))
            photo, (c, s) = np.asarray(turned), (np.cos(np.radians(tilt)), np.sin(np.radians(tilt)))
            face[2:] = middle + (face[2:] - middle) @ np.array([[c, s], [-s, c]])
        height, width = photo.shape[:2]
        scale = size / self.size
        new = max(1, round(width * scale)), max(1, round(height * scale))
        small = Image.fromarray(photo).resize(new, Image.Resampling.BILINEAR)  # which smooths as it shrinks
        by = np.array(new) / (width, height)
        return np.asarray(small), (face + 0.5) * by - 0.5, (boxes + 0.5) * by - 0.5


def references(photos: LFW, rows: np.ndarray, told: Labels) -> list[Reference]:
    """Of each photo the sure face nearest its middle."""
    found = []
    for row in rows:
        photo, (points, scores) = read(photos.paths[row]), told.of(row)
        faces = [Face(p[:2].ravel(), p[2:], s) for p, s in zip(points, scores, strict=True) if s >= SURE]
        if (face := most_central(faces, *photo.shape[:2])) is not None:
            found.append(Reference(photo, np.vstack([face.box.reshape(2, 2), face.landmarks]), points[:, :2]))
    return found


@dataclass(frozen=True, eq=False)
class Seen:
    """How a detector did, one number for each person: was the face found, how far off were its points (of the
    distance between the eyes; nan if it was not), how far off was the line through the eyes (degrees), and
    how many faces were there that the reference knows nothing of."""

    found: np.ndarray
    error: np.ndarray
    turn: np.ndarray
    invented: np.ndarray


def seen(detector, people: list[Reference], size: float, tilt: float = 0.0) -> Seen:
    looks = [detector.detect([person.at(size, tilt)[0]])[0] for person in people]
    return judged(looks, people, size, tilt)


def judged(looks: list[list[Face]], people: list[Reference], size: float, tilt: float = 0.0) -> Seen:
    """What a detector found in each person's photo → how it did."""
    rows = []
    for faces, person in zip(looks, people, strict=True):
        _, truth, boxes = person.at(size, tilt)
        shares = [iou(face.box, truth[:2].ravel()) for face in faces]
        best = int(np.argmax(shares)) if faces and max(shares) >= FOUND else None
        error = turn = np.nan
        if best is not None:
            points, apart = faces[best].landmarks, np.linalg.norm(truth[3] - truth[2])
            error = float(np.linalg.norm(points - truth[2:], axis=1).mean() / apart)
            turn = (angle(points) - angle(truth[2:]) + 180) % 360 - 180
        invented = sum(all(iou(f.box, b.ravel()) < NOWHERE for b in boxes) for f in faces)
        rows.append((best is not None, error, turn, invented))
    found, error, turn, invented = np.array(rows, float).T
    return Seen(found, error, turn, invented)


def iou(a: np.ndarray, b: np.ndarray) -> float:
    shared = np.clip(np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2]), 0, None).prod()
    return float(shared / ((a[2:] - a[:2]).prod() + (b[2:] - b[:2]).prod() - shared))


def angle(points: np.ndarray) -> float:
    """Of the line from the right eye to the left, degrees."""
    dx, dy = points[1] - points[0]
    return float(np.degrees(np.arctan2(dy, dx)))


def over_people(values: np.ndarray, statistic: Callable = np.nanmean) -> str:
    """`12.3 [11.0, 13.6]`: the statistic and its 95 % interval, people drawn with replacement."""
    if np.isnan(values).all():
        return "none found"
    rng = np.random.default_rng(0)
    draws = [statistic(values[rng.integers(len(values), size=len(values))]) for _ in range(RESAMPLES)]
    low, high = np.nanpercentile(draws, [2.5, 97.5])
    return f"{statistic(values):.1f} [{low:.1f}, {high:.1f}]"


def at_thresholds(net: RetinaFaceNet, people: list[Reference]) -> list[list]:
    """What each threshold of the score finds and invents, over all sizes."""
    thresholds = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
    detector, rows = RetinaFaceSmall.of(net, min_score=thresholds[0]), []
    looks = {size: [detector.detect([person.at(size)[0]])[0] for person in people] for size in SIZES}
    for (
        threshold
    ) in thresholds:  # suppression keeps the surest, so that a threshold may as well come after it
        sure = {size: [[f for f in faces if f.score >= threshold] for faces in looks[size]] for size in SIZES}
        each = [judged(sure[size], people, size) for size in SIZES]
        recall = [f"{100 * one.found.mean():.1f}" for one in each]
        invented = np.mean([one.invented.mean() for one in each])
        rows.append([threshold, *recall, f"{100 * invented:.1f}"])
    return rows


# ---------------------------------------------------------------------- the commands


def training(steps: str = str(STEPS)) -> None:
    photos = lfw()
    its, told = split(photos), labels(photos)
    start = time.perf_counter()
    net = train(photos, its.train, told, int(steps))
    seconds = time.perf_counter() - start
    data = as_file(net)
    FILE.write_bytes(data)
    size = sum(tensor.numel() for tensor in net.parameters())
    people = len(np.unique(photos.identity[its.train]))
    print(f"{FILE.name}: {size:,} numbers, {len(data):,} bytes, SHA-256 {hashlib.sha256(data).hexdigest()}")
    print(f"{steps} steps in {seconds:.0f} s, {len(its.train):,} photos of {people:,} people")
    thresholds(net)


def thresholds(net: RetinaFaceNet | None = None) -> None:
    """What a threshold of the score finds and invents, of the network given or of the file."""
    photos = lfw()
    people = references(photos, split(photos).validation, labels(photos))
    report(
        f"Thresholds of the score, on {len(people)} people kept back",
        ("min_score", *(f"{size} px: found, %" for size in SIZES), "invented, in 100 photos"),
        at_thresholds(net or load("retinaface-small").net, people),
    )


def compare() -> None:
    torch.set_num_threads(1)
    photos = lfw()
    people = references(photos, split(photos).test, labels(photos))
    detectors = {name: load(name) for name in ("retinaface-small", "yunet", "mtcnn")}
    rows = []
    for size in SIZES:
        for name, detector in detectors.items():
            its = seen(detector, people, size)
            rows.append([size, name, *shown(its), f"{100 * its.invented.mean():.1f}"])
    report(
        f"Faces found, and their landmarks, over size: {len(people)} people never trained on",
        ("face, px", "detector", "found, % [95 %]", "landmarks off, % [95 %]", "invented, in 100 photos"),
        rows,
        notes=[
            "reference: YuNet on the photo in full size, where faces have some 120 pixels. It taught the "
            "student, so that this is agreement with it, not truth. At 128 px the photo was enlarged.",
            f"found: a box that overlaps the reference's by {FOUND} or more. Landmarks off: mean distance of "
            "the five, as a share of the distance between the eyes, where the face was found.",
            "each at its own threshold: 0.6, YuNet 0.8, MTCNN's three; MTCNN looks for no face below 20 px.",
            f"invented: boxes that overlap nothing by {NOWHERE} of which the reference is sure at 0.4. YuNet "
            "is the reference, so that a face which it invents in full size counts as one.",
            "intervals: people drawn with replacement, one photo each.",
        ],
    )
    rows = []
    for tilt in TILTS:
        for name, detector in detectors.items():
            its = seen(detector, people, TILTED_SIZE, tilt)
            turn = over_people(np.abs(its.turn), np.nanmedian)
            rows.append([tilt, name, *shown(its), turn])
    report(
        f"The same at {TILTED_SIZE} px, the photo turned",
        ("tilt, °", "detector", "found, % [95 %]", "landmarks off, % [95 %]", "eyes' line off, ° [95 %]"),
        rows,
        notes=[
            "the reference is YuNet on the upright photo, its points turned with the photo: YuNet itself, "
            "asked about the turned photo, does not follow. Eyes' line: median."
        ],
    )
    pairs()


def wobble() -> None:
    """How far YuNet agrees with itself on a photo that was scaled a little: nothing agrees with it better."""
    photos = lfw()
    people, teacher, rows = references(photos, split(photos).test, labels(photos)), load("yunet"), []
    for by in (1.0, 1.02, 1.1):
        looks = [teacher.detect([person.at(by * person.size)[0]])[0] for person in people]
        each = [
            judged([look], [person], by * person.size) for look, person in zip(looks, people, strict=True)
        ]
        rows.append([by, over_people(100 * np.concatenate([one.error for one in each]))])
    report(
        f"YuNet beside itself: {len(people)} people, photos enlarged a little",
        ("enlarged by", "landmarks off, % [95 %]"),
        rows,
    )


def lambdas(steps: str = "1000") -> None:
    """The same short training with the paper's weights and the published program's; on those kept back."""
    photos = lfw()
    its, told = split(photos), labels(photos)
    people, rows = references(photos, its.validation, told), []
    for name, weights in (("the paper's", PAPER), ("the published program's", LAMBDAS)):
        detector = RetinaFaceSmall.of(train(photos, its.train, told, int(steps), weights))
        for tilt in (0, 30):
            figures = seen(detector, people, TILTED_SIZE, tilt)
            turn = over_people(np.abs(figures.turn), np.nanmedian)
            rows.append([name, weights["box"], weights["pts"], tilt, *shown(figures), turn])
    report(
        f"What λ does in {steps} steps: {len(people)} people kept back, {TILTED_SIZE} px",
        (
            "λ",
            "λ1, box",
            "λ2, points",
            "tilt, °",
            "found, % [95 %]",
            "landmarks off, % [95 %]",
            "eyes' line off, °",
        ),
        rows,
    )


def shown(its: Seen) -> list[str]:
    return [over_people(100 * its.found), over_people(100 * its.error)]


def pairs() -> None:
    """View 1: the threshold on devtrain's pairs, the figures on devtest's, whose people are new to it."""
    rows = []
    for name in ("retinaface-small", "yunet"):
        pipe = Pipeline(detector=name, faces="central", device="cpu")
        its = evaluate(scored_photos("devtest", pipe), scored_photos("devtrain", pipe))
        rows.append(
            [
                name,
                f"{float(its.right):.2%} [{its.right.low:.2%}, {its.right.high:.2%}]",
                percent(its.eer),
                percent(its.tar[1e-2]),
                f"{its.auc:.4f}",
                its.scored.missing,
            ]
        )
    report(
        "LFW, View 1's 1,000 test pairs, end to end from JPEG, aligned, SFace",
        ("detector", "right [95 %]", "EER [95 %]", "TAR at FAR 1e-2 [95 %]", "AUC", "photos without a face"),
        rows,
        notes=[
            "the threshold is chosen on View 1's 2,200 training pairs, whose people the detector has seen"
        ],
    )


if __name__ == "__main__":
    commands = {
        "train": training,
        "thresholds": thresholds,
        "compare": compare,
        "pairs": pairs,
        "lambdas": lambdas,
        "wobble": wobble,
    }
    if len(sys.argv) < 2 or sys.argv[1] not in commands:
        raise SystemExit(__doc__)
    commands[sys.argv[1]](*sys.argv[2:])
