"""MTCNN: its networks, its cascade, the resampling under it, and how it stands beside YuNet."""

from itertools import pairwise

import cv2
import numpy as np
import pytest
import torch
from torch.nn import functional as F

from facelab import weights
from facelab.detect import LANDMARKS, MTCNN, load
from facelab.detect.resample import SummedArea, limit, limited, shrink
from facelab.errors import ImageError
from facelab.images import read_image


@pytest.fixture(scope="module")
def mtcnn():
    return load("mtcnn")


def resized(photo: np.ndarray, longer: int) -> np.ndarray:
    scale = longer / max(photo.shape[:2])
    size = tuple(round(side * scale) for side in photo.shape[1::-1])
    return cv2.resize(photo, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)


def same(a, b, pixels: float = 1e-3) -> bool:
    """Do two lists hold the same faces?"""
    return len(a) == len(b) and all(
        np.allclose(p.box, q.box, atol=pixels) and np.allclose(p.landmarks, q.landmarks, atol=pixels)
        for p, q in zip(a, b, strict=True)
    )


# --- the networks, against the layout of the file -----------------------------------------------------------


class Keras:
    """A network run as Keras would, in numpy, taking the file's arrays one after the other: pictures stay
    (H, W, C), and the last map is swapped to (W, H, C) before it is flattened."""

    def __init__(self, name: str):
        self.values = iter(array.astype(np.float64) for array in weights.read(name).values())

    def convolve(self, x):
        kernel, bias = next(self.values), next(self.values)
        windows = np.lib.stride_tricks.sliding_window_view(x, kernel.shape[:2], axis=(0, 1))
        return np.einsum("hwcij,ijco->hwo", windows, kernel) + bias

    def prelu(self, x):
        return np.where(x > 0, x, x * next(self.values).reshape(-1))

    def dense(self, x):
        return x @ next(self.values) + next(self.values)

    @staticmethod
    def pool(x, size, padding):
        if padding == "same":  # as many outputs as half the inputs, rounded up; what is missing is at the end
            end = [(0, max(0, (-(-side // 2) - 1) * 2 + size - side)) for side in x.shape[:2]]
            x = np.pad(x, [*end, (0, 0)], constant_values=-np.inf)
        windows = np.lib.stride_tricks.sliding_window_view(x, (size, size), axis=(0, 1))[::2, ::2]
        return windows.max((-1, -2))

    @staticmethod
    def face(x):
        return (np.exp(x) / np.exp(x).sum(-1, keepdims=True))[..., 1]


def picture(*shape: int) -> tuple[np.ndarray, torch.Tensor]:
    x = np.random.default_rng(sum(shape)).normal(0, 0.5, shape)
    return x, torch.from_numpy(x).float().permute(2, 0, 1)[None]


def test_pnet_computes_what_its_file_says(mtcnn):
    x, batch = picture(31, 44, 3)
    net = Keras("mtcnn-pnet")
    x = net.pool(net.prelu(net.convolve(x)), 2, "same")
    x = net.prelu(net.convolve(net.prelu(net.convolve(x))))
    face, box = mtcnn.pnet(batch)
    assert np.allclose(box[0].permute(1, 2, 0), net.convolve(x), atol=1e-4)
    assert np.allclose(face[0], net.face(net.convolve(x)), atol=1e-4)


def test_rnet_computes_what_its_file_says(mtcnn):
    x, batch = picture(24, 24, 3)
    net = Keras("mtcnn-rnet")
    x = net.pool(net.prelu(net.convolve(x)), 3, "same")
    x = net.pool(net.prelu(net.convolve(x)), 3, "valid")
    x = net.prelu(net.convolve(x)).swapaxes(0, 1).reshape(-1)
    x = net.prelu(net.dense(x))
    face, box = mtcnn.rnet(batch)
    assert np.allclose(box[0], net.dense(x), atol=1e-4)
    assert np.allclose(face[0], net.face(net.dense(x)), atol=1e-4)


def test_onet_computes_what_its_file_says(mtcnn):
    x, batch = picture(48, 48, 3)
    net = Keras("mtcnn-onet")
    x = net.pool(net.prelu(net.convolve(x)), 3, "same")
    x = net.pool(net.prelu(net.convolve(x)), 3, "valid")
    x = net.pool(net.prelu(net.convolve(x)), 2, "same")
    x = net.prelu(net.convolve(x)).swapaxes(0, 1).reshape(-1)
    x = net.prelu(net.dense(x))
    face, box, landmarks = mtcnn.onet(batch)
    assert np.allclose(box[0], net.dense(x), atol=1e-4)
    assert np.allclose(landmarks[0].T.flatten(), net.dense(x), atol=1e-4)  # the file has all x before all y
    assert np.allclose(face[0], net.face(net.dense(x)), atol=1e-4)


# --- resampling ---------------------------------------------------------------------------------------------


def averaging(old: int, new: int) -> np.ndarray:
    """(new, old): the part of each output that each input contributes, from the definition."""
    step = old / new
    covered = [[min(j + 1, (i + 1) * step) - max(j, i * step) for j in range(old)] for i in range(new)]
    return np.clip(covered, 0, None) / step


@pytest.mark.parametrize("size", [(33, 47), (50, 61), (1, 1), (7, 60), (49, 61)])
def test_shrinking_is_area_averaging(size):
    photo = np.random.default_rng(2).integers(0, 256, (50, 61, 3), dtype=np.uint8)
    got = shrink(torch.from_numpy(photo)[None], *size)[0]
    expected = np.einsum("ij,jkc,lk->ilc", averaging(50, size[0]), photo, averaging(61, size[1]))
    assert np.allclose(got, expected, atol=1e-3)


def test_limit_keeps_what_fits_and_the_proportions_of_the_rest(hopper):
    photo = torch.from_numpy(hopper)
    assert limit(photo, 600) is photo
    assert limit(photo, None) is photo
    assert limit(photo, 300).shape == (300, 256, 3)
    assert limited(10, 3000, 1280) == (4, 1280)
    assert limited(1, 3000, 1280) == (1, 1280)
    # It keeps positions: the same as area averaging, up to the shape of the filter.
    assert (limit(photo, 100).float() - shrink(photo[None], 100, 85)[0]).abs().mean() < 3


def test_wide_crops_are_area_averaged_and_black_outside():
    random = np.random.default_rng(3)
    photos = [random.integers(0, 256, shape, dtype=np.uint8) for shape in ((20, 30, 3), (61, 50, 3))]
    areas = SummedArea([torch.from_numpy(photo) for photo in photos])
    whole, over_the_edge = areas.crops(
        torch.tensor([1, 1]), torch.tensor([[0, 0, 50, 50], [-25, 36, 25, 86]]), 24
    )
    weight = averaging(50, 24)
    assert np.allclose(whole, np.einsum("ij,jkc,lk->ilc", weight, photos[1][:50], weight), atol=1e-3)
    black = np.zeros((50, 50, 3))
    black[:25, 25:] = photos[1][36:, :25]
    assert np.allclose(over_the_edge, np.einsum("ij,jkc,lk->ilc", weight, black, weight), atol=1e-3)


def test_narrow_crops_are_bilinear():
    photo = np.random.default_rng(4).integers(0, 256, (40, 40, 3), dtype=np.uint8)
    areas = SummedArea([torch.from_numpy(photo)])
    (crop,) = areas.crops(torch.tensor([0]), torch.tensor([[8.0, 12, 20, 24]]), 48)
    inputs = (
        torch.from_numpy(photo[11:25, 7:21]).float().permute(2, 0, 1)[None]
    )  # one pixel more on each side
    expected = F.interpolate(inputs, scale_factor=4, mode="bilinear")[0, :, 4:-4, 4:-4].permute(1, 2, 0)
    assert np.allclose(crop, expected, atol=1e-3)


def test_no_crops_at_all():
    areas = SummedArea([torch.zeros(5, 5, 3, dtype=torch.uint8)])
    assert areas.crops(torch.zeros(0, dtype=torch.long), torch.zeros(0, 4), 24).shape == (0, 24, 24, 3)


# --- the detector -------------------------------------------------------------------------------------------


def test_finds_the_portraits_with_their_landmarks(mtcnn, astronaut, hopper):
    yunet = load("yunet")
    for photo in (astronaut, hopper):
        face, reference = mtcnn.detect([photo])[0][0], yunet.detect([photo])[0][0]
        eyes = np.linalg.norm(reference.landmarks[1] - reference.landmarks[0])
        assert face.score > 0.99
        assert np.linalg.norm(face.landmarks - reference.landmarks, axis=1).mean() < 0.15 * eyes
        at = dict(zip(LANDMARKS, face.landmarks, strict=True))
        assert at["right eye"][0] < at["nose"][0] < at["left eye"][0]
        assert at["right mouth corner"][0] < at["left mouth corner"][0]


def test_agrees_with_yunet_on_lfw_and_with_itself_in_the_mirror(mtcnn, lfw):
    def central(faces):
        (face,) = sorted(faces, key=lambda f: np.hypot(f.center[0] - 124.5, f.center[1] - 124.5))[:1]
        assert (np.abs(np.array(face.center) - 124.5) < 50).all()
        return face.landmarks

    photos = [read_image(path) for path in lfw.paths[::400]]  # 34 photos
    ours = np.array([central(faces) for faces in mtcnn.detect(photos)])
    yunets = np.array([central(faces) for faces in load("yunet").detect(photos)])
    assert np.median(np.linalg.norm(ours - yunets, axis=-1)) < 5  # measured 4.0; the eyes are 43 apart

    mirrored = np.array([central(faces) for faces in mtcnn.detect([photo[:, ::-1] for photo in photos])])
    mirrored = mirrored[:, [1, 0, 2, 4, 3]]  # right is left
    mirrored[..., 0] = 249 - mirrored[..., 0]  # pixel centres: column x goes to 249 − x
    assert np.median(np.linalg.norm(ours - mirrored, axis=-1)) < 2  # measured 1.2
    assert (np.abs(np.median(ours - mirrored, axis=(0, 1))) < 0.5).all()  # half a pixel off would give 1


@pytest.mark.parametrize("longer", [120, 700, 2500])
def test_finds_the_portrait_at_every_size(mtcnn, astronaut, longer):
    expected = mtcnn.detect([astronaut])[0][0]
    (face, *_) = mtcnn.detect([resized(astronaut, longer)])[0]
    landmarks = (face.landmarks + 0.5) * 512 / longer - 0.5
    assert np.linalg.norm(landmarks - expected.landmarks, axis=1).mean() < 2.5  # the eyes are 43 apart


def test_company_does_not_matter(mtcnn, astronaut, hopper):
    photos = [
        *(resized(astronaut, 250), resized(hopper, 250), np.zeros((250, 250, 3), np.uint8)),
        *(resized(hopper, 300), resized(astronaut, 250)[:, ::-1], resized(hopper, 61)),
    ]
    alone = [mtcnn.detect([photo])[0] for photo in photos]
    assert sum(map(len, alone)) >= 5
    for one, two in zip(alone, mtcnn.detect(photos), strict=True):
        assert same(one, two)
    for one, two in zip(alone[::-1], mtcnn.detect(photos[::-1]), strict=True):
        assert same(one, two)


def test_awkward_photos(mtcnn):
    photos = [
        np.full((1, 1, 3), 128, np.uint8),
        np.zeros((10, 3000, 3), np.uint8),
        np.zeros((250, 250, 3), np.uint8),
        np.full((1500, 2000, 3), 255, np.uint8),
        np.random.default_rng(0).integers(0, 256, (200, 200, 3), dtype=np.uint8),
    ]
    assert mtcnn.detect([]) == []
    assert mtcnn.detect(photos) == [[], [], [], [], []]
    with pytest.raises(ImageError, match="RGB photo, uint8"):
        mtcnn.detect([np.zeros((40, 40), np.uint8)])


def test_min_face_and_max_faces(mtcnn, astronaut, hopper):
    photo = np.zeros((256, 512, 3), np.uint8)
    photo[:, :256], photo[:, 256:] = resized(astronaut, 256), resized(hopper, 300)[:256]
    both = mtcnn.detect([photo])[0]
    assert [round(face.height, -1) for face in both] == [110, 60]
    assert same(MTCNN(max_faces=1).detect([photo])[0], both[:1])
    large_only = MTCNN(min_face=80)
    assert [round(face.height, -1) for face in large_only.detect([photo])[0]] == [110]
    assert len(large_only.heat_maps(photo)) < len(mtcnn.heat_maps(photo))  # it does not even look


def test_half_precision_keeps_the_faces(mtcnn, astronaut):
    photo = resized(astronaut, 250)
    assert same(MTCNN(half=True).detect([photo])[0], mtcnn.detect([photo])[0], pixels=1.0)


# --- what a lesson looks at ---------------------------------------------------------------------------------


def test_stages_are_a_cascade(mtcnn, astronaut):
    pnet, rnet, onet = mtcnn.stages(astronaut)
    assert [stage.name for stage in (pnet, rnet, onet)] == ["P-Net", "R-Net", "O-Net"]
    assert len(pnet.boxes) > len(pnet.kept) > len(rnet.kept) > 0
    assert (pnet.scores >= 0.6).all()
    # Each network looks at what the one before it kept, and keeps what it is sure of.
    assert np.array_equal(rnet.boxes, pnet.kept)
    assert np.array_equal(onet.boxes, rnet.kept)
    assert len(rnet.scores) == len(rnet.boxes)
    assert len(rnet.kept) <= (rnet.scores >= 0.7).sum() < len(rnet.boxes)
    assert np.allclose(
        rnet.kept[:, 2:] - rnet.kept[:, :2], (rnet.kept[:, 2:] - rnet.kept[:, :2])[:, ::-1], atol=0.01
    )
    # The last of them is what `detect` reports.
    (face, *_) = mtcnn.detect([astronaut])[0]
    best = onet.kept_scores.argmax()
    assert np.allclose(onet.kept[best], face.box, atol=1e-3)
    assert np.allclose(onet.landmarks[best], face.landmarks, atol=1e-3)
    assert pnet.landmarks is None
    assert rnet.landmarks is None


def test_heat_maps_are_hot_where_the_face_is(mtcnn, astronaut):
    maps = mtcnn.heat_maps(astronaut)
    assert len(maps) == 10  # 512 · 0.6 · 0.709^k ≥ 12
    steps = [b.scale[0] / a.scale[0] for a, b in pairwise(maps)]
    assert np.allclose(steps, 0.709, atol=0.03)
    best = max(maps, key=lambda heat: heat.probability.max())
    window = best.window(*np.unravel_index(best.probability.argmax(), best.probability.shape))
    (face, *_) = mtcnn.detect([astronaut])[0]
    center = (window[:2] + window[2:]) / 2
    assert (face.box[:2] < center).all()
    assert (center < face.box[2:]).all()
    # The windows that P-Net proposes are the cells over its threshold.
    assert len(mtcnn.stages(astronaut)[0].boxes) == sum((heat.probability >= 0.6).sum() for heat in maps)


def test_nothing_needs_a_gradient(mtcnn):
    assert not mtcnn.training
    assert not any(parameter.requires_grad for parameter in mtcnn.parameters())
