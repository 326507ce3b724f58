"""The small RetinaFace that comes with facelab: its file, its door, what it finds, what it learnt from."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
import torch

import facelab as fl
from benchmarks import retinaface as benchmark
from benchmarks.retinaface import Reference, as_file, iou, split
from benchmarks.retinaface_quilt import PART, Labels, Quilts, patches, turned_boxes
from facelab import weights
from facelab.detect import RetinaFaceSmall, load, retinaface
from facelab.detect.retinaface import RetinaFaceNet
from facelab.errors import WeightsError


@pytest.fixture(scope="module")
def small() -> RetinaFaceSmall:
    return load("retinaface-small")


# ---------------------------------------------------------------------- the file


def test_the_file_is_small_and_the_one_that_is_known():
    path = Path(retinaface.__file__).with_name("retinaface_small.safetensors")
    known = weights.KNOWN["retinaface-small"]
    assert path.stat().st_size == known.size < 1_200_000
    assert hashlib.sha256(path.read_bytes()).hexdigest() == known.sha256
    card = path.with_suffix(".md").read_text("utf-8")
    assert known.sha256 in card
    assert "not the published network" in card


def test_a_changed_file_is_refused(tmp_path):
    data = bytearray(weights.find("retinaface-small").read_bytes())
    data[-1] ^= 1
    file = tmp_path / "changed.safetensors"
    file.write_bytes(data)
    with pytest.raises(WeightsError, match=r"'retinaface-small'.*damaged or are another file"):
        RetinaFaceSmall(path=file)


def test_the_file_of_the_user_s_door_takes_it_too(tmp_path, monkeypatch, astronaut, small):
    """A narrower network in a file of one's own: the widths are read off its tensors."""
    monkeypatch.setenv("FACELAB_HOME", str(tmp_path / "home"))
    file = tmp_path / "mine.safetensors"
    file.write_bytes(weights.find("retinaface-small").read_bytes())
    with pytest.warns(UserWarning, match="first use"):
        mine = load(file, max_side=256)
    assert mine.net.fpn.output1[0].out_channels == 32
    one, other = (detector.detect([astronaut])[0] for detector in (mine, small))
    assert [face.score for face in one] == [face.score for face in other if face.score >= mine.min_score]


def test_writing_and_reading_lose_nothing_but_half_precision():
    from safetensors.numpy import load as read

    torch.manual_seed(0)
    net = RetinaFaceNet(4, 16).eval()
    again = RetinaFaceNet.of({k: v.astype(np.float32) for k, v in read(as_file(net)).items()}, "again").eval()
    x = 50 * torch.randn(1, 3, 64, 64)
    for ours, theirs in zip(net(x), again(x), strict=True):
        torch.testing.assert_close(ours, theirs, atol=0.02, rtol=0.02)


# ---------------------------------------------------------------------- what it finds


def test_it_finds_both_portraits_where_yunet_does(small, astronaut, hopper):
    for photo in (astronaut, hopper):
        truth, faces = fl.detect(photo)[0], fl.detect(photo, detector="retinaface-small")
        best = max(faces, key=lambda face: iou(face.box, truth.box))
        assert iou(best.box, truth.box) > 0.6
        apart = np.linalg.norm(truth.landmarks[1] - truth.landmarks[0])
        off = np.linalg.norm(best.landmarks - truth.landmarks, axis=1) / apart
        assert off.mean() < 0.3


def test_in_a_pipeline_by_its_name(astronaut):
    pipe = fl.Pipeline(detector="retinaface-small", device="cpu")
    assert pipe.config == "retinaface-small+aligned+sface"
    assert fl.Pipeline(**pipe.options).config == pipe.config
    assert "retinaface-small" in repr(pipe)
    assert pipe.one(astronaut).faces


def test_answers_are_what_detection_starts_from(astronaut):
    small = load("retinaface-small", max_side=None)
    boxes, probability, said = small.answers(astronaut)
    assert boxes.shape == (10752, 4)
    assert said.shape == (10752, 14)
    best = max(face.score for face in small.detect([astronaut])[0])
    assert float(probability.max()) == pytest.approx(best, abs=1e-5)


# ---------------------------------------------------------------------- what it learnt from


def dotted() -> tuple[np.ndarray, Labels]:
    """A grey photo of 250 × 250 with a square of its own colour on each of five points."""
    points = np.array([[100, 100], [150, 100], [125, 125], [105, 150], [145, 150]], float)
    photo = np.full((250, 250, 3), 128, np.uint8)
    for (x, y), colour in zip(points.astype(int), COLOURS, strict=True):
        photo[y - 4 : y + 5, x - 4 : x + 5] = colour
    box = np.array([[80, 70], [170, 180]], float)
    return photo, Labels(np.array([0]), np.array([0.95]), np.vstack([box, points])[None])


COLOURS = ((255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0), (255, 0, 255))


def test_the_teacher_s_points_turn_with_the_photo(monkeypatch):
    """Wherever a piece went, whichever way it was turned: each point is on its own colour, or, in a mirrored
    piece, on its partner's."""
    monkeypatch.setattr("benchmarks.retinaface_quilt.lit", lambda patch, rng: patch)
    photo, told = dotted()
    quilts = Quilts.__new__(Quilts)
    quilts.pieces, quilts.told = [photo], [told.of(0)]
    rng, seen, mirrored = np.random.default_rng(0), 0, 0
    for _ in range(40):
        quilt = quilts.sew(192, rng)
        for face in quilt.faces:
            size = (face[1] - face[0]).max()
            places = face[2:].round().astype(int)
            if size < 60 or (places < 0).any() or (places >= 192).any():
                continue
            shown = np.array([quilt.pixels[y, x] for x, y in places]).astype(int)
            own = np.abs(shown - np.array(COLOURS)).max(1) < 60
            partner = np.abs(shown - np.array(COLOURS)[[1, 0, 2, 4, 3]]).max(1) < 60
            assert own.all() or partner.all(), (places, shown)
            seen, mirrored = seen + 1, mirrored + bool(partner.all() and not own.all())
    assert seen > 10
    assert 0 < mirrored < seen


def test_patches_tile_the_quilt():
    rng = np.random.default_rng(1)
    for side in (128, 384):
        covered = np.zeros((side, side), int)
        for x, y, size in patches(side, rng):
            covered[y : y + size, x : x + size] += 1
            assert size >= 24
        assert (covered == 1).all()


def test_a_turned_head_gets_the_box_of_the_turned_ellipse():
    box = np.array([[[0.0, 0], [60, 100]]])
    quarter = turned_boxes(box, box, np.pi / 2, 1.0)[0]
    np.testing.assert_allclose(quarter[1] - quarter[0], [100, 60])
    np.testing.assert_allclose(quarter.mean(0), [30, 50])
    np.testing.assert_allclose(turned_boxes(box, 2 * box, 0.0, 2.0)[0], 2 * box[0])
    assert 0 < PART < 1


def test_a_reference_scales_and_turns_its_points():
    photo, told = dotted()
    person = Reference(photo, told.points[0], told.points[:, :2])
    small_photo, face, _ = person.at(55.0)
    assert small_photo.shape == (125, 125, 3)
    np.testing.assert_allclose(face + 0.5, (told.points[0] + 0.5) / 2)
    turned, face, _ = person.at(110.0, tilt=30)
    for (x, y), colour in zip(face[2:].round().astype(int), COLOURS, strict=True):
        assert np.abs(turned[y, x].astype(int) - colour).max() < 60
    assert face[3, 1] > face[2, 1], "turned clockwise, the eye on the right of the photo has sunk"


def test_training_is_seeded(monkeypatch):
    """Three steps, twice: the same bytes. One thread, so that sums are taken in one order."""
    photo, told = dotted()

    class Dotted(Quilts):
        def __init__(self, photos, rows, labels):
            self.pieces, self.told = [photo], [told.of(0)]

    monkeypatch.setattr(benchmark, "Quilts", Dotted)
    monkeypatch.setattr(benchmark, "SIDES", (64,))
    monkeypatch.setattr(benchmark, "PIXELS", 4 * 64 * 64)
    threads = torch.get_num_threads()
    try:
        first, again = (as_file(benchmark.train(None, None, None, steps=3)) for _ in range(2))
    finally:
        torch.set_num_threads(threads)
    assert first == again
    torch.manual_seed(0)
    assert first != as_file(RetinaFaceNet(benchmark.WIDTH, benchmark.FEATURES)), "nothing was learnt"


def test_nobody_is_in_two_parts_of_the_split(lfw):
    parts = split(lfw)
    people = [set(lfw.identity[rows].tolist()) for rows in (parts.train, parts.validation, parts.test)]
    assert [len(part) for part in people] == [4586, 200, 963]
    assert len(set.union(*people)) == sum(map(len, people)) == 5749
