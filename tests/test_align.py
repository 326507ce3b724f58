"""Matrices against independent formulas, `warp` against a float64 loop and against OpenCV."""

import importlib
import math

import cv2
import numpy as np
import pytest
import torch

from facelab.detect.face import Face

align = importlib.import_module("facelab.align")  # the module; `facelab.align` is the function fl.align
TEMPLATE = align.TEMPLATES["112x112"]


def face(box=(0, 0, 10, 10), landmarks=None):
    landmarks = TEMPLATE.numpy() if landmarks is None else landmarks
    return Face(np.asarray(box, np.float32), np.asarray(landmarks, np.float32), 1.0)


def complex_matrix(scale, angle, x, y):
    """A similarity written out by hand, (2, 3)."""
    c, s = scale * math.cos(angle), scale * math.sin(angle)
    return torch.tensor([[c, -s, x], [s, c, y]], dtype=torch.float64)


def noise_photo(height, width, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (height, width, 3), generator=generator, dtype=torch.uint8)


# Eyes, nose and mouth in scikit-image's portrait of Eileen Collins, read off the photo by hand.
ASTRONAUT_LANDMARKS = np.array([[203, 111], [246, 106], [226, 134], [212, 157], [245, 153]], np.float32)
ASTRONAUT_BOX = np.array([174, 66, 276, 188], np.float32)


# --- the similarity ---------------------------------------------------------------------------------


def umeyama(src, dst):
    """The 1991 paper's recipe with its singular value decomposition, equations 38–43, in numpy."""
    mean_src, mean_dst = src.mean(0), dst.mean(0)
    x, y = src - mean_src, dst - mean_dst
    u, d, vt = np.linalg.svd(y.T @ x / len(src))
    s = np.diag([1.0, np.sign(np.linalg.det(u) * np.linalg.det(vt))])
    rotation = u @ s @ vt
    scale = np.trace(np.diag(d) @ s) / x.var(0).sum()
    return np.column_stack([scale * rotation, mean_dst - scale * rotation @ mean_src])


@pytest.mark.parametrize("mirrored", [False, True])
def test_similarity_is_umeyamas(mirrored):
    rng = np.random.default_rng(1)
    src = TEMPLATE.numpy() * 1.7 + rng.normal(0, 9, (40, 5, 2)) + 300
    if mirrored:  # where a plain Procrustes fit would answer with a reflection
        src[..., 0] *= -1
    ours = align.similarity(torch.from_numpy(src), TEMPLATE)
    theirs = np.stack([umeyama(points, TEMPLATE.numpy()) for points in src])
    np.testing.assert_allclose(ours, theirs, atol=1e-9)
    assert (torch.linalg.det(ours[:, :, :2]) > 0).all()


def test_similarity_undoes_a_known_one():
    known = torch.stack([complex_matrix(0.4, 0.3, 5, -7), complex_matrix(3.0, -2.9, 900, 40)])
    src = align.transform_points(TEMPLATE, known)
    again = align.transform_points(src, align.similarity(src, TEMPLATE))
    torch.testing.assert_close(again, TEMPLATE.expand(2, 5, 2), atol=1e-9, rtol=0)


def test_similarity_cannot_be_improved():
    rng = np.random.default_rng(2)
    src = torch.from_numpy(TEMPLATE.numpy() + rng.normal(0, 5, (5, 2)))[None]
    best = align.similarity(src, TEMPLATE)

    def error(matrix):
        return (align.transform_points(src, matrix) - TEMPLATE).square().sum().item()

    for _ in range(200):
        nearby = complex_matrix(*rng.normal(0, 1e-3, 4)) + best
        assert error(nearby) >= error(best)


def test_similarity_takes_collinear_points_but_not_degenerate_ones():
    line = torch.stack([torch.arange(5.0), torch.arange(5.0) * 2], dim=1)
    assert torch.isfinite(align.similarity(line[None], TEMPLATE)).all()
    good = TEMPLATE.clone()
    for bad, reason in (
        (torch.full((5, 2), 50.0), "one point"),
        (torch.full((5, 2), float("nan")), "NaN"),
        (torch.full((5, 2), float("inf")), "infinite"),
    ):
        with pytest.raises(ValueError, match=rf"landmarks 1 of 2 .*{reason}"):
            align.similarity(torch.stack([good, bad.double()]), TEMPLATE)
    square = torch.tensor([[1.0, 0], [0, 1], [-1, 0], [0, -1]])
    with pytest.raises(ValueError, match="resemble"):  # Σ conj(z) w = 0: no rotation is better than another
        align.similarity(square[None], square * torch.tensor([1.0, -1.0]))


def test_landmark_matrices_put_a_perfect_face_on_either_template():
    tilted = align.transform_points(TEMPLATE, complex_matrix(2.2, 0.5, 100, 50)[None])[0]
    for name, (width, _) in align.SIZES.items():
        matrices = align.landmark_matrices([face(landmarks=tilted)] * 2, name)
        landed = align.transform_points(tilted, matrices)
        expected = TEMPLATE - torch.tensor([(112 - width) / 2, 0.0])
        torch.testing.assert_close(landed, expected.expand(2, 5, 2), atol=1e-4, rtol=0)
    assert align.landmark_matrices([]).shape == (0, 2, 3)
    with pytest.raises(ValueError, match="'64x64' is not known"):
        align.landmark_matrices([face()], "64x64")


def test_eye_angle_turns_with_the_head():
    assert align.eye_angle(TEMPLATE).item() == pytest.approx(math.atan2(-0.1949, 35.2372))
    level = torch.tensor([[0.0, 0.0], [10.0, 0.0]])
    angles = torch.tensor([0.0, 0.4, -1.2, 3.0])
    turned = torch.cat([align.transform_points(level, complex_matrix(1, a, 3, 4)[None]) for a in angles])
    torch.testing.assert_close(align.eye_angle(turned), angles.double(), atol=1e-6, rtol=0)


# --- crops of the box -------------------------------------------------------------------------------


def test_square_covers_the_longer_side_times_scale():
    matrices = align.square_matrices([face((20, 30, 60, 110))], scale=1.5, size=112)
    # The middle is (40, 70), the side 80 × 1.5 = 120: from (−20, 10) to (100, 130).
    corners = align.transform_points(torch.tensor([[-20.0, 10.0], [100.0, 130.0]]), matrices)
    torch.testing.assert_close(corners[0], torch.tensor([[-0.5, -0.5], [111.5, 111.5]]).double())


def test_square_of_the_whole_photo_is_the_photo():
    photo = noise_photo(112, 112)
    whole = face((-0.5, -0.5, 111.5, 111.5))
    for matrices in (
        align.square_matrices([whole]),
        align.stretch_matrices([whole]),
        align.letterbox_matrices([whole]),
    ):
        assert torch.equal(align.warp([photo], [0], matrices)[0], photo)


def test_square_turned_by_a_quarter_is_rot90():
    photo = noise_photo(112, 112)
    quarter = align.square_matrices([face((-0.5, -0.5, 111.5, 111.5))], angle=math.pi / 2)
    # What pointed down (clockwise from the right by 90°) points to the right afterwards.
    assert torch.equal(align.warp([photo], [0], quarter)[0], torch.rot90(photo, 1, (0, 1)))


def test_square_turned_by_the_eyes_angle_levels_the_eyes():
    tilted = align.transform_points(TEMPLATE, complex_matrix(1.0, 0.6, 40, 10)[None])[0]
    tilted = face((0, 0, 100, 100), tilted)
    angle = align.eye_angle(torch.from_numpy(tilted.landmarks))
    matrices = align.square_matrices([tilted, tilted], angle=torch.stack([angle, torch.zeros(())]))
    landed = align.transform_points(torch.from_numpy(tilted.landmarks), matrices)
    assert align.eye_angle(landed)[0].item() == pytest.approx(0, abs=1e-6)
    assert align.eye_angle(landed)[1].item() == pytest.approx(angle.item())


def test_stretch_fills_both_sides_and_letterbox_keeps_the_proportions():
    tall = face((10, 20, 50, 100))
    corners = torch.tensor([[10.0, 20.0], [50.0, 100.0]])
    stretched = align.transform_points(corners, align.stretch_matrices([tall], (96, 112)))[0]
    torch.testing.assert_close(stretched, torch.tensor([[-0.5, -0.5], [95.5, 111.5]]).double())
    boxed = align.transform_points(corners, align.letterbox_matrices([tall], 112))[0]
    torch.testing.assert_close(boxed, torch.tensor([[27.5, -0.5], [83.5, 111.5]]).double())


def test_letterbox_bars_are_black_when_only_the_box_shows():
    photo = torch.full((120, 120, 3), 200, dtype=torch.uint8)
    tall = face((39.5, 19.5, 79.5, 99.5))  # whole pixels: columns 40 … 79, rows 20 … 99
    matrices = align.letterbox_matrices([tall])
    crop = align.warp([photo], [0], matrices, within=align.box_corners([tall]))[0]
    assert (crop[:, :27] == 0).all()
    assert (crop[:, 85:] == 0).all()
    assert (crop[2:-2, 30:82] == 200).all()
    assert (align.warp([photo], [0], matrices)[0] == 200).all()


@pytest.mark.parametrize("box", [(5, 5, 5, 9), (5, 9, 9, 5), (0, 0, math.nan, 4), (0, 0, math.inf, 4)])
@pytest.mark.parametrize("make", [align.square_matrices, align.stretch_matrices, align.letterbox_matrices])
def test_box_crops_refuse_empty_boxes(make, box):
    with pytest.raises(ValueError, match=r"box 1 of 2 (is empty|holds NaN)"):
        make([face(), face(box)])


@pytest.mark.parametrize("make", [align.square_matrices, align.stretch_matrices, align.letterbox_matrices])
def test_box_crops_of_nobody(make):
    assert make([]).shape == (0, 2, 3)


def test_square_refuses_a_senseless_scale():
    for scale in (0, -1, math.nan, math.inf):
        with pytest.raises(ValueError, match="scale"):
            align.square_matrices([face()], scale=scale)


def test_invert_goes_back():
    matrices = torch.stack([complex_matrix(0.4, 0.3, 5, -7), complex_matrix(30, -2, 1e4, 40)])
    points = torch.rand(2, 7, 2, dtype=torch.float64) * 100
    there = align.transform_points(points, matrices)
    torch.testing.assert_close(align.transform_points(there, align.invert(matrices)), points)


# --- warp -------------------------------------------------------------------------------------------


def slow_warp(photo, matrix, width, height):
    """Bilinear sampling, one pixel after the other, in float64; not rounded."""
    photo = photo.numpy().astype(np.float64)
    back = np.linalg.inv(np.vstack([matrix, [0, 0, 1]]))
    out = np.zeros((height, width, 3))
    for v in range(height):
        for u in range(width):
            x, y, _ = back @ (u, v, 1)
            x0, y0 = math.floor(x), math.floor(y)
            for column, row in ((x0, y0), (x0 + 1, y0), (x0, y0 + 1), (x0 + 1, y0 + 1)):
                if 0 <= row < photo.shape[0] and 0 <= column < photo.shape[1]:
                    out[v, u] += (1 - abs(x - column)) * (1 - abs(y - row)) * photo[row, column]
    return out


def assert_rounded(crop, exact):
    """Every grey level is `exact` rounded; where `exact` is a near tie, either neighbour will do."""
    assert np.abs(crop.numpy() - exact).max() < 0.5 + 1e-2


def test_warp_agrees_with_a_float64_loop():
    photos = [noise_photo(40, 60, 1), noise_photo(33, 21, 2), noise_photo(1, 1, 3)]
    index = [0, 1, 0, 2, 1, 0]
    matrices = torch.stack(
        [
            complex_matrix(0.8, 0.4, 3.3, -2.1),  # shrinks a little, and reaches over edges
            complex_matrix(2.5, -1.0, -11, 40),  # enlarges
            torch.tensor([[0.7, 0.2, -5.0], [-0.1, 1.9, 4.5]], dtype=torch.float64),  # shears
            complex_matrix(9.0, 0.7, 10.2, 9.6),  # one single pixel, fading into black
            complex_matrix(1.0, 0.0, 1000, 0),  # entirely outside
            complex_matrix(1.3, 3.1, 35, 30),  # upside down
        ]
    )
    crops = align.warp(photos, index, matrices, 24, 31)
    assert crops.shape == (6, 31, 24, 3)
    assert crops.dtype == torch.uint8
    for crop, i, matrix in zip(crops, index, matrices, strict=True):
        assert_rounded(crop, slow_warp(photos[i], matrix.numpy(), 24, 31))
    assert (crops[4] == 0).all()


def test_identity_copies_and_half_a_pixel_averages():
    photo = noise_photo(20, 30)
    assert torch.equal(align.warp([photo], [0], complex_matrix(1, 0, 0, 0)[None], 30, 20)[0], photo)
    shifted = align.warp([photo], [0], complex_matrix(1, 0, -3, -2)[None], 30, 20)[0]
    assert torch.equal(shifted[:-2, :-3], photo[2:, 3:])
    assert (shifted[-2:] == 0).all()
    half = align.warp([photo], [0], complex_matrix(1, 0, -0.5, 0)[None], 29, 20)[0].numpy()
    middle = photo.numpy().astype(np.float64)
    assert np.abs(half - (middle[:, 1:] + middle[:, :-1]) / 2).max() <= 0.5


def test_a_crop_does_not_depend_on_its_neighbours_in_the_batch():
    photos = [noise_photo(50 + 7 * i, 90 - 5 * i, i) for i in range(5)]
    index = torch.arange(60) % 5
    rng = np.random.default_rng(3)
    matrices = torch.stack(
        [
            complex_matrix(s, a, 30, 30)
            for s, a in zip(rng.uniform(0.1, 3, 60), rng.uniform(-3, 3, 60), strict=True)
        ]
    )
    together = align.warp(photos, index, matrices)
    for i in range(60):
        assert torch.equal(align.warp([photos[index[i]]], [0], matrices[i : i + 1])[0], together[i])


def test_crops_of_parts_of_a_large_photo_and_views_of_it():
    photo = noise_photo(3000, 4000)
    matrices = complex_matrix(1.0, 0.2, 0, 0)[None].repeat(2, 1, 1)
    matrices[:, :, 2] = torch.tensor([50.0, 60.0]) - align.transform_points(
        torch.tensor([[3900.25, 2950.5]]), matrices
    ).squeeze(1)
    crop = align.warp([photo], [0], matrices[:1], 40, 40)[0]
    assert_rounded(crop, slow_warp(photo, matrices[0].numpy(), 40, 40))
    mirrored = photo.flip(1)
    crop = align.warp([mirrored.transpose(0, 1)], [0], matrices[:1], 40, 40)[0]  # not contiguous
    assert_rounded(crop, slow_warp(mirrored.transpose(0, 1), matrices[0].numpy(), 40, 40))


def test_warp_agrees_with_opencv_on_a_real_photo(astronaut):
    rng = np.random.default_rng(4)
    landmarks = TEMPLATE.numpy() * rng.uniform(0.3, 1.9, (40, 1, 1)) + rng.normal(0, 2, (40, 5, 2))
    landmarks += rng.uniform(-40, 400, (40, 1, 2))  # anywhere, some reaching over the edges
    matrices = align.similarity(torch.from_numpy(landmarks), TEMPLATE)
    ours = align.warp([torch.from_numpy(astronaut)], [0] * 40, matrices).numpy().astype(int)
    theirs = np.stack([cv2.warpAffine(astronaut, m, (112, 112)) for m in matrices.numpy()])
    difference = np.abs(ours - theirs)
    # OpenCV rounds positions to 1/32 px, so at sharp edges it is off by up to 255/64 grey levels.
    assert difference.max() <= 5
    assert difference.mean() < 0.2
    assert (difference <= 2).mean() > 0.999


def test_shrinking_by_a_whole_number_is_the_mean_of_each_block():
    photo = noise_photo(56 * 4, 56 * 3)
    whole = face((-0.5, -0.5, 56 * 3 - 0.5, 56 * 4 - 0.5))
    crop = align.warp([photo], [0], align.stretch_matrices([whole], 56), 56, 56)[0]
    blocks = photo.numpy().reshape(56, 4, 56, 3, 3).mean((1, 3))
    assert np.abs(crop.numpy() - blocks).max() < 0.5 + 1e-3


def test_an_enlarged_portrait_gives_the_same_crop(astronaut):
    factor = 8
    large = cv2.resize(astronaut, None, fx=factor, fy=factor, interpolation=cv2.INTER_LINEAR)
    small_face = face(ASTRONAUT_BOX, ASTRONAUT_LANDMARKS)
    # (x, y) is the middle of a pixel, so its block's middle is 8x + 3.5.
    large_face = face(
        ASTRONAUT_BOX * factor + (factor - 1) / 2, ASTRONAUT_LANDMARKS * factor + (factor - 1) / 2
    )
    for matrices in (align.landmark_matrices, align.square_matrices, align.stretch_matrices):
        small = align.warp([torch.from_numpy(astronaut)], [0], matrices([small_face])).float()
        big = align.warp([torch.from_numpy(large)], [0], matrices([large_face])).float()
        assert (small - big).abs().mean() < 1.5
        assert (small - big).abs().max() < 30


def test_antialiasing_removes_false_patterns():
    # Stripes of one pixel: at an eighth of the size they are an even grey, and nothing else.
    stripes = torch.zeros(896, 896, 3, dtype=torch.uint8)
    stripes[:, ::2] = 255
    shrink = align.square_matrices([face((-0.5, -0.5, 895.5, 895.5))], scale=1.03, angle=0.1)
    inner = (slice(None), slice(20, 92), slice(20, 92))
    aliased = align.warp([stripes], [0], shrink, antialias=False)[inner].float()
    smooth = align.warp([stripes], [0], shrink)[inner].float()
    assert aliased.std() > 30
    assert smooth.std() < 5
    assert smooth.mean().item() == pytest.approx(127.5, abs=1)


def test_huge_and_tiny_matrices_are_safe():
    photo = noise_photo(50, 50)
    matrices = torch.stack(
        [
            complex_matrix(1e-6, 0, 56, 56),  # the whole photo in less than a pixel
            complex_matrix(1e12, 1, 0, 0),  # one point of it fills the crop
            complex_matrix(1e-40, 0, 1e20, 0),  # its inverse leaves float32's range
            complex_matrix(1, 0, -1e15, 1e15),
        ]
    )
    crops = align.warp([photo], [0] * 4, matrices)
    assert torch.equal(crops[1].unique(dim=0), crops[1][:1])  # no change from row to row
    assert (crops[2:] == 0).all()


def test_nothing_to_do_is_fine():
    empty = torch.zeros(0, 2, 3)
    assert align.warp([], [], empty).shape == (0, 112, 112, 3)
    assert align.warp([noise_photo(5, 5)], [], empty, 96, 112).shape == (0, 112, 96, 3)


def test_within_a_box_outside_the_photo_is_black():
    photo = torch.full((20, 20, 3), 255, dtype=torch.uint8)
    identity = complex_matrix(1, 0, 0, 0)[None]
    for box in ((-9, -9, -1, -1), (30, 3, 40, 9), (5, 5, 4, 4)):
        assert (align.warp([photo], [0], identity, 20, 20, within=torch.tensor([box])) == 0).all()
    part = align.warp([photo], [0], identity, 20, 20, within=torch.tensor([[5, 6, 7, 30]]))[0, :, :, 0]
    assert part.sum() == 255 * 3 * 14
    assert (part[6:, 5:8] == 255).all()


def test_wrong_input_is_refused():
    photo, identity = noise_photo(5, 5), complex_matrix(1, 0, 0, 0)[None]
    with pytest.raises(ValueError, match="matrix 0 of 1 holds NaN"):
        align.warp([photo], [0], identity * math.nan)
    with pytest.raises(ValueError, match="no inverse"):
        align.warp([photo], [0], identity * 0)
    with pytest.raises(ValueError, match=r"0 … 0: got 1"):
        align.warp([photo], [1], identity)
    with pytest.raises(ValueError, match="2 photo numbers for 1 matrices"):
        align.warp([photo], [0, 0], identity)
    with pytest.raises(ValueError, match=r"photo 1 is torch\.float32"):
        align.warp([photo, photo.float()], [0], identity)
    with pytest.raises(ValueError, match="photo 0"):
        align.warp([photo[:0]], [0], identity)
    with pytest.raises(ValueError, match="0 × 112"):
        align.warp([photo], [0], identity, width=0)
    with pytest.raises(ValueError, match="within"):
        align.warp([photo], [0], identity, within=torch.zeros(2, 4))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no CUDA device")
def test_gpu_makes_the_same_crops():
    photos = [noise_photo(300, 200, i) for i in range(3)]
    matrices = torch.stack([complex_matrix(s, 0.3, 20, -5) for s in (0.9, 0.3, 1.7)])
    here = align.warp(photos, range(3), matrices)
    there = align.warp([photo.cuda() for photo in photos], range(3), matrices)
    assert there.is_cuda
    difference = (here.int() - there.cpu().int()).abs()
    assert difference.max() <= 1
    assert difference.float().mean() < 1e-3
