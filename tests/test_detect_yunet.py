"""YuNet against OpenCV's own implementation, and what it promises beyond that: batches, sizes, edges."""

import math

import cv2
import numpy as np
import pytest
import torch

from facelab import weights
from facelab.detect import DETECTORS, LANDMARKS, YuNet, load
from facelab.detect.boxes import as_photo, chunks, overlap, suppress
from facelab.detect.resample import limit
from facelab.errors import DeviceError, ImageError
from facelab.images import read_image


@pytest.fixture(scope="module")
def yunet():
    return load("yunet")


@pytest.fixture(scope="module")
def opencv():
    """Detects with cv2.FaceDetectorYN on the very same file → rows x, y, w, h, ten landmarks, score; largest
    box first."""
    net = cv2.FaceDetectorYN.create(str(weights.find("yunet")), "", (32, 32), 0.8, 0.3, 5000)

    def detect(photo: np.ndarray, min_score: float = 0.8) -> np.ndarray:
        net.setInputSize(photo.shape[1::-1])
        net.setScoreThreshold(min_score)
        faces = net.detect(np.ascontiguousarray(photo[..., ::-1]))[1]
        return np.zeros((0, 15)) if faces is None else faces[np.argsort(-faces[:, 2] * faces[:, 3])]

    return detect


def resized(photo: np.ndarray, longer: int) -> np.ndarray:
    scale = longer / max(photo.shape[:2])
    size = tuple(round(side * scale) for side in photo.shape[1::-1])
    return cv2.resize(photo, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)


def differences(faces, rows) -> np.ndarray:
    """(n, 3): the largest difference of box, landmarks (pixels) and score of each face from OpenCV's row."""
    assert len(faces) == len(rows)
    return np.array(
        [
            (
                np.abs(np.r_[face.box[:2], face.box[2:] - face.box[:2]] - row[:4]).max(),
                np.abs(face.landmarks.ravel() - row[4:14]).max(),
                abs(face.score - row[14]),
            )
            for face, row in zip(faces, rows, strict=True)
        ]
    ).reshape(-1, 3)


def same(a, b, pixels: float = 1e-4) -> bool:
    """Do two lists hold the same faces?"""
    return len(a) == len(b) and all(
        np.allclose(p.box, q.box, atol=pixels) and np.allclose(p.landmarks, q.landmarks, atol=pixels)
        for p, q in zip(a, b, strict=True)
    )


# --- agreement with OpenCV ----------------------------------------------------------------------------------


@pytest.mark.parametrize("longer", [61, 97, 128, 250, 333, 512])
def test_agrees_with_opencv_on_portraits(yunet, opencv, astronaut, hopper, longer):
    found = 0
    for portrait in (astronaut, hopper, astronaut[:, 100:400]):
        photo = resized(portrait, longer)
        rows = opencv(photo)
        found += len(rows)
        gap = differences(yunet.detect([photo])[0], rows)
        assert gap.size == 0 or (gap.max(0) <= [0.01, 0.01, 1e-4]).all(), gap
    assert found >= (1 if longer < 97 else 2)


def test_agrees_with_opencv_on_a_photo_that_is_looked_at_twice(yunet, opencv, astronaut):
    photo = resized(astronaut, 900)  # the face is 160 pixels wide: the first look answers for it
    gap = differences(yunet.detect([photo])[0], opencv(photo))
    assert gap.shape == (1, 3)
    assert (gap.max(0) <= [0.01, 0.01, 1e-4]).all()


def test_agrees_with_opencv_on_lfw(yunet, opencv, lfw):
    photos = [read_image(path) for path in lfw.paths[::220]]  # 61 photos
    gaps = [differences(f, opencv(p)) for f, p in zip(yunet.detect(photos), photos, strict=True)]
    gap = np.concatenate(gaps)
    assert len(gap) >= len(photos)
    assert (gap.max(0) <= [0.01, 0.01, 1e-4]).all()  # measured: 6e-5 and 3e-5 pixels, 4e-7


def test_agrees_with_opencv_where_suppression_has_work(opencv, hopper):
    """At a low threshold many boxes overlap a little and a lot, and all must go or stay as OpenCV has it."""
    detector = YuNet(min_score=0.1)
    photo = np.concatenate([resized(hopper, 200)] * 2, axis=1)
    rows = opencv(photo, 0.1)
    assert len(rows) >= 2
    assert (differences(detector.detect([photo])[0], rows).max(0) <= [0.01, 0.01, 1e-4]).all()


# --- batches ------------------------------------------------------------------------------------------------


def test_company_does_not_matter(yunet, astronaut, hopper):
    photos = [
        *(
            astronaut,
            hopper,
            resized(astronaut, 250),
            resized(hopper, 250),
            np.zeros((250, 250, 3), np.uint8),
        ),
        *(resized(hopper, 700), astronaut[:250, 100:350], resized(astronaut, 256), resized(hopper, 31)),
    ]
    alone = [yunet.detect([photo])[0] for photo in photos]
    together = yunet.detect(photos)
    backwards = yunet.detect(photos[::-1])[::-1]
    assert sum(map(len, alone)) >= 7
    for one, two, three in zip(alone, together, backwards, strict=True):
        assert same(one, two)
        assert same(one, three)


def test_photos_are_chunked_by_their_pixels():
    assert chunks("abcde", [4, 4, 1, 9, 1], 8) == [["a", "b"], ["c"], ["d"], ["e"]]
    assert chunks([], [], 8) == []


def test_numpy_tensors_and_views_are_all_photos(yunet, astronaut):
    expected = yunet.detect([astronaut])[0]
    astronaut.flags.writeable = False
    doubled = np.repeat(astronaut, 2, axis=1)
    for photo in (astronaut, torch.from_numpy(astronaut.copy()), doubled[:, ::2]):
        assert same(yunet.detect([photo])[0], expected)


# --- large photos and large faces ---------------------------------------------------------------------------


@pytest.mark.parametrize("longer", [120, 700, 2000, 4000])
def test_finds_the_portrait_at_every_size(yunet, astronaut, hopper, longer):
    for portrait in (astronaut, hopper):
        expected = yunet.detect([portrait])[0][0]
        photo = resized(portrait, longer)
        (face,) = yunet.detect([photo])[0]
        scale = photo.shape[1] / portrait.shape[1]
        landmarks = (face.landmarks + 0.5) / scale - 0.5
        eyes = np.linalg.norm(expected.landmarks[1] - expected.landmarks[0])
        assert np.linalg.norm(landmarks - expected.landmarks, axis=1).mean() < 0.15 * eyes


def test_coordinates_come_back_from_a_shrunk_photo(yunet, hopper):
    """Detecting in a shrunk photo equals shrinking by hand, detecting, and mapping pixel centres back."""
    large = resized(hopper, 2400)
    by_hand = YuNet(max_side=None).detect([limit(torch.from_numpy(large), 1280)])[0]
    (face,) = yunet.detect([large])[0]
    scale = np.array([1092 / 2048, 1280 / 2400])
    assert np.allclose(face.landmarks, (by_hand[0].landmarks + 0.5) / scale - 0.5, atol=1e-2)
    assert np.allclose(face.box, (by_hand[0].box + 0.5) / np.tile(scale, 2) - 0.5, atol=1e-2)


def test_one_look_would_miss_the_large_face(yunet, opencv, hopper):
    """Why there is more than one look: a face of 480 pixels, of which the bare network is no longer sure."""
    photo = resized(hopper, 1680)
    (face,) = yunet.detect([photo])[0]
    assert 450 < face.width < 510
    assert len(opencv(photo)) == 0


# --- edges --------------------------------------------------------------------------------------------------


def test_awkward_photos(yunet):
    noise = np.random.default_rng(0).integers(0, 256, (300, 300, 3), dtype=np.uint8)
    photos = [
        np.full((1, 1, 3), 128, np.uint8),
        np.zeros((10, 3000, 3), np.uint8),
        np.zeros((250, 250, 3), np.uint8),
        np.full((3000, 4000, 3), 255, np.uint8),
        noise,
    ]
    assert yunet.detect([]) == []
    assert yunet.detect(photos) == [[], [], [], [], []]


@pytest.mark.parametrize(
    "photo",
    [
        np.zeros((4, 4), np.uint8),
        np.zeros((4, 4, 4), np.uint8),
        np.zeros((4, 4, 3), np.float32),
        np.zeros((0, 4, 3), np.uint8),
    ],
)
def test_what_is_no_photo_is_refused(yunet, photo):
    with pytest.raises(ImageError, match="RGB photo, uint8"):
        yunet.detect([photo])


@pytest.mark.parametrize("poison", [math.nan, math.inf, 200.0])
def test_senseless_boxes_never_come_out(astronaut, poison):
    """A head that says NaN, or sizes whose exponential overflows."""
    detector = YuNet(min_score=0.0)
    for head in detector.heads:
        head.look.bias[4] = poison  # logarithm of the width
    for face in detector.detect([astronaut[:96, :96]])[0]:
        assert np.isfinite(face.box).all()
        assert np.isfinite(face.landmarks).all()
        assert face.width > 0
        assert face.height > 0


def test_min_face_and_max_faces(yunet, astronaut, hopper):
    photo = np.zeros((600, 1024, 3), np.uint8)
    photo[:512, :512], photo[:, 512:] = astronaut, hopper
    both = yunet.detect([photo])[0]
    assert [round(face.height, -1) for face in both] == [210, 110]
    assert same(YuNet(max_faces=1).detect([photo])[0], both[:1])
    assert same(YuNet(min_face=150).detect([photo])[0], both[:1])


def test_half_precision_keeps_the_faces(astronaut, hopper):
    photos = [astronaut, hopper, resized(astronaut, 250)]
    half = YuNet(half=True).detect(photos)
    for a, b in zip(YuNet().detect(photos), half, strict=True):
        assert same(a, b, pixels=1.0)


# --- what a lesson looks at ---------------------------------------------------------------------------------


def test_maps_hold_what_detect_reports(yunet, astronaut):
    (face,) = yunet.detect([astronaut])[0]
    maps = yunet.maps(astronaut)
    assert {stride: m["score"].shape for stride, m in maps.items()} == {
        8: (64, 64),
        16: (32, 32),
        32: (16, 16),
    }
    best = max(maps.values(), key=lambda m: m["score"].max())
    row, column = np.unravel_index(best["score"].argmax(), best["score"].shape)
    assert best["score"][row, column] == pytest.approx(face.score)
    assert best["score"][row, column] == pytest.approx(
        math.sqrt(best["cls"][row, column] * best["obj"][row, column])
    )
    assert np.allclose(best["boxes"][row, column], face.box, atol=1e-4)
    assert np.allclose(best["landmarks"][row, column], face.landmarks, atol=1e-4)


def test_candidates_are_many_and_suppression_leaves_one(yunet, astronaut):
    candidates = yunet.candidates(astronaut)
    (face,) = yunet.detect([astronaut])[0]
    assert len(candidates) > 3
    assert max(candidates, key=lambda c: c.score).score == face.score
    assert all(c.score >= yunet.min_score for c in candidates)


def test_landmarks_are_where_their_names_say(yunet, hopper):
    (face,) = yunet.detect([hopper])[0]
    at = dict(zip(LANDMARKS, face.landmarks, strict=True))
    assert at["right eye"][0] < at["nose"][0] < at["left eye"][0]
    assert at["right mouth corner"][0] < at["left mouth corner"][0]
    assert at["right eye"][1] < at["nose"][1] < at["right mouth corner"][1]


# --- suppression and its geometry ---------------------------------------------------------------------------


def test_overlap():
    a = torch.tensor([[0.0, 0, 10, 10], [0, 0, 10, 10], [0, 0, 10, 10], [0, 0, 4, 4]])
    b = torch.tensor([[0.0, 0, 10, 10], [5, 0, 15, 10], [10, 0, 20, 10], [0, 0, 10, 10]])
    assert overlap(a, b).tolist() == pytest.approx([1, 50 / 150, 0, 0.16])
    assert overlap(a, b, "smaller").tolist() == pytest.approx([1, 0.5, 0, 1])


def greedy(boxes: np.ndarray, scores: np.ndarray, threshold: float) -> list[int]:
    """Suppression in one photo as the textbook says it, box by box."""
    rest, kept = sorted(range(len(boxes)), key=lambda i: -scores[i]), []
    while rest:
        best = rest.pop(0)
        kept.append(best)
        low = np.maximum(boxes[best, :2], boxes[rest, :2])
        high = np.minimum(boxes[best, 2:], boxes[rest, 2:])
        shared = np.clip(high - low, 0, None).prod(1)
        union = (
            (boxes[rest, 2:] - boxes[rest, :2]).prod(1) + (boxes[best, 2:] - boxes[best, :2]).prod() - shared
        )
        rest = [i for i, part in zip(rest, shared / union, strict=True) if part <= threshold]
    return kept


@pytest.mark.parametrize("seed", range(5))
def test_suppression_of_a_batch_equals_the_textbook_in_each_photo(seed):
    random = np.random.default_rng(seed)
    corner = random.uniform(0, 60, (300, 2))
    boxes = np.concatenate((corner, corner + random.uniform(5, 40, (300, 2))), axis=1).astype(np.float32)
    scores = random.choice([0.3, 0.5, 0.7, 0.9], 300).astype(np.float32)  # many ties
    group = random.choice([0, 1, 5, 6], 300)
    kept = suppress(*map(torch.from_numpy, (boxes, scores, group)), 0.3).tolist()
    expected = []
    for photo in (0, 1, 5, 6):
        (rows,) = np.nonzero(group == photo)
        expected += rows[greedy(boxes[rows], scores[rows], 0.3)].tolist()
    assert kept == expected


def test_suppression_with_top_k():
    boxes = torch.tensor([[0.0, 0, 1, 1]]) + torch.arange(6)[:, None] * 10
    kept = suppress(boxes, torch.tensor([1.0, 2, 3, 4, 5, 6]), torch.tensor([0, 0, 0, 0, 1, 1]), 0.3, top_k=2)
    assert kept.tolist() == [3, 2, 5, 4]


# --- loading ------------------------------------------------------------------------------------------------


def test_load_says_what_there_is():
    assert DETECTORS == ("yunet", "mtcnn", "retinaface-small")
    with pytest.raises(ValueError, match=r"no detector 'retinaface'.*'yunet', 'mtcnn'"):
        load("retinaface")
    with pytest.raises(DeviceError):
        load("yunet", device="cuda:7")


def test_nothing_needs_a_gradient(yunet):
    assert not yunet.training
    assert not any(parameter.requires_grad for parameter in yunet.parameters())
    assert sum(parameter.numel() for parameter in yunet.parameters()) == 53_104  # as the docstring says


def test_a_photo_goes_to_the_detectors_device(astronaut):
    assert as_photo(astronaut, torch.device("meta")).device.type == "meta"
