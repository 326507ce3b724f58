"""RetinaFace: names, shapes and forward pass of the checkpoint; anchors and their decoding; detection.

The names and shapes are those of `mobilenet0.25_Final.pth` of the repository biubug6/Pytorch_Retinaface
(`models/net.py`, `models/retinaface.py`). The file cannot be fetched where these tests run, so it is written
here with random numbers, and the forward pass is done again with torch.nn.functional from that dictionary.
"""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from facelab import Pipeline
from facelab.detect import RetinaFace, load
from facelab.detect.anchors import anchors, decode, encode
from facelab.detect.retinaface import RetinaFaceNet
from facelab.errors import WeightsError

pytestmark = pytest.mark.filterwarnings("ignore:.*first use")
RNG = np.random.default_rng(0)
PHOTO = RNG.integers(0, 256, (96, 128, 3), np.uint8)


@pytest.fixture(autouse=True)
def _home(tmp_path, monkeypatch):
    monkeypatch.setenv("FACELAB_HOME", str(tmp_path / "home"))


# ---------------------------------------------------------------------- names and shapes, written out


def layer(name: str, outputs: int, inputs: int, kernel: int, at: int = 0) -> dict[str, tuple]:
    """A convolution in place `at` of a sequence, and the batch norm after it."""
    shapes = {f"{name}.{at}.weight": (outputs, inputs, kernel, kernel)}
    shapes |= {f"{name}.{at + 1}.{part}": (outputs,) for part in ("weight", "bias")}
    shapes |= {f"{name}.{at + 1}.{part}": (outputs,) for part in ("running_mean", "running_var")}
    return shapes | {f"{name}.{at + 1}.num_batches_tracked": ()}


STAGES = {  # inputs, outputs, stride of each separable convolution, as the file numbers them
    "stage1": [(8, 16, 1), (16, 32, 2), (32, 32, 1), (32, 64, 2), (64, 64, 1)],
    "stage2": [(64, 128, 2)] + [(128, 128, 1)] * 5,
    "stage3": [(128, 256, 2), (256, 256, 1)],
}
FIRST = {"stage1": 1, "stage2": 0, "stage3": 0}  # stage 1 begins with a plain convolution


def shapes() -> dict[str, tuple]:
    found = layer("body.stage1.0", 8, 3, 3)
    for stage, blocks in STAGES.items():
        for number, (inputs, outputs, _) in enumerate(blocks, FIRST[stage]):
            name = f"body.{stage}.{number}"
            found |= layer(name, inputs, 1, 3) | layer(name, outputs, inputs, 1, at=3)
    for number, channels in enumerate((64, 128, 256), 1):
        found |= layer(f"fpn.output{number}", 64, channels, 1)
    found |= layer("fpn.merge1", 64, 64, 3) | layer("fpn.merge2", 64, 64, 3)
    for number in (1, 2, 3):
        name = f"ssh{number}"
        found |= layer(f"{name}.conv3X3", 32, 64, 3) | layer(f"{name}.conv5X5_1", 16, 64, 3)
        for part in ("conv5X5_2", "conv7X7_2", "conv7x7_3"):
            found |= layer(f"{name}.{part}", 16, 16, 3)
    for head, numbers in (("ClassHead", 2), ("BboxHead", 4), ("LandmarkHead", 10)):
        for level in range(3):
            found[f"{head}.{level}.conv1x1.weight"] = (2 * numbers, 64, 1, 1)
            found[f"{head}.{level}.conv1x1.bias"] = (2 * numbers,)
    return found


def state(seed: int = 0) -> dict[str, torch.Tensor]:
    rng, found = torch.Generator().manual_seed(seed), {}
    for name, shape in shapes().items():
        if name.startswith("ClassHead"):
            found[name] = 0.05 * torch.randn(shape, generator=rng)  # scores that differ, none rounded to 1
        elif len(shape) == 4:
            found[name] = torch.randn(shape, generator=rng) * (1.5 / np.prod(shape[1:])) ** 0.5
        elif name.endswith("num_batches_tracked"):
            found[name] = torch.tensor(0)
        elif name.endswith(("running_var", "weight")):
            found[name] = 0.5 + torch.rand(shape, generator=rng)
        else:
            found[name] = 0.2 * torch.randn(shape, generator=rng)
    return found


def file(tmp_path, prefix="module.") -> str:
    """As the checkpoint is: saved from DataParallel."""
    path = tmp_path / "mobilenet0.25_Final.pth"
    torch.save({prefix + name: tensor for name, tensor in state().items()}, path)
    return str(path)


# ---------------------------------------------------------------------- an independent forward pass


def forward(t, x):
    t = {name: tensor.to(x.dtype) for name, tensor in t.items()}

    def step(x, name, at=0, stride=1, groups=1, relu=True):
        weight = t[f"{name}.{at}.weight"]
        x = F.conv2d(x, weight, stride=stride, padding=weight.shape[-1] // 2, groups=groups)
        norm = [t[f"{name}.{at + 1}.{p}"] for p in ("running_mean", "running_var", "weight", "bias")]
        x = F.batch_norm(x, *norm, eps=1e-5)
        return F.leaky_relu(x, 0.1) if relu else x

    x = step(x, "body.stage1.0", stride=2)
    maps = []
    for stage, blocks in STAGES.items():
        for number, (inputs, _, stride) in enumerate(blocks, FIRST[stage]):
            name = f"body.{stage}.{number}"
            x = step(step(x, name, stride=stride, groups=inputs), name, at=3)
        maps.append(x)
    p1, p2, p3 = (step(x, f"fpn.output{number}") for number, x in enumerate(maps, 1))
    p2 = step(p2 + F.interpolate(p3, scale_factor=2, mode="nearest"), "fpn.merge2")
    p1 = step(p1 + F.interpolate(p2, scale_factor=2, mode="nearest"), "fpn.merge1")
    said = {"ClassHead": [], "BboxHead": [], "LandmarkHead": []}
    for level, x in enumerate((p1, p2, p3)):
        name = f"ssh{level + 1}"
        five = step(x, f"{name}.conv5X5_1")
        seven = step(step(five, f"{name}.conv7X7_2"), f"{name}.conv7x7_3", relu=False)
        parts = (step(x, f"{name}.conv3X3", relu=False), step(five, f"{name}.conv5X5_2", relu=False), seven)
        x = F.relu(torch.cat(parts, 1))
        for head, rows in said.items():
            weight, bias = t[f"{head}.{level}.conv1x1.weight"], t[f"{head}.{level}.conv1x1.bias"]
            rows.append(F.conv2d(x, weight, bias).permute(0, 2, 3, 1).reshape(len(x), -1, len(bias) // 2))
    return [torch.cat(rows, 1) for rows in said.values()]


def pixels(photo, dtype=torch.float64):
    bgr = photo[..., ::-1].astype(np.float64) - (104, 117, 123)
    return torch.from_numpy(bgr.transpose(2, 0, 1)[None].copy()).to(dtype)


# ---------------------------------------------------------------------- the network


def test_names_shapes_and_size():
    net = RetinaFaceNet()
    assert {name: tuple(t.shape) for name, t in net.state_dict().items()} == shapes()
    assert sum(p.numel() for p in net.parameters()) / 1e6 == pytest.approx(0.43, abs=0.005)


def test_the_forward_pass(tmp_path):
    net = load(file(tmp_path)).net
    classes, said = net(net.pixels(torch.from_numpy(PHOTO[None])))
    wanted_classes, boxes, landmarks = forward(state(), pixels(PHOTO))
    torch.testing.assert_close(classes.double(), wanted_classes, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(said.double(), torch.cat((boxes, landmarks), 2), atol=1e-4, rtol=1e-4)
    assert classes.shape == (1, len(anchors(96, 128)), 2)


# ---------------------------------------------------------------------- anchors


def test_anchors_lie_as_the_paper_has_them():
    found = anchors(64, 96).tolist()
    assert len(found) == 2 * (8 * 12 + 4 * 6 + 2 * 3)
    assert found[0] == [4, 4, 16, 16]
    assert found[1] == [4, 4, 32, 32]
    assert found[2] == [12, 4, 16, 16], "the next column comes before the next row"
    assert found[2 * 12] == [4, 12, 16, 16]
    assert found[2 * 96] == [8, 8, 64, 64]
    assert found[-1] == [80, 48, 512, 512]
    assert len(anchors(65, 97)) == 2 * (9 * 13 + 5 * 7 + 3 * 4), "part of a cell is a cell"


def test_a_box_that_is_the_anchor_is_nothing_to_say():
    anchor = torch.tensor([[50.0, 40.0, 32.0, 32.0]])
    points = torch.tensor([[[34.0, 24.0], [66.0, 56.0], [50.0, 40.0], [53.2, 40.0]]])
    torch.testing.assert_close(encode(points, anchor), torch.tensor([[0.0, 0, 0, 0, 0, 0, 1, 0]]))


def test_decoding_undoes_encoding():
    rng = torch.Generator().manual_seed(0)
    all_anchors = anchors(256, 256)
    low = 200 * torch.rand((len(all_anchors), 1, 2), generator=rng)
    points = torch.cat((low, low + 8 + 40 * torch.rand(low.shape, generator=rng)), 1)
    points = torch.cat((points, 250 * torch.rand((len(low), 5, 2), generator=rng)), 1)
    said = encode(points, all_anchors)
    assert said.shape == (len(low), 14)
    torch.testing.assert_close(decode(said, all_anchors), points, atol=1e-3, rtol=1e-4)


# ---------------------------------------------------------------------- detection


def by_hand(photo, min_score, overlap=0.4):
    """Scores, decoding and suppression face by face, in plain Python."""
    classes, boxes, landmarks = (x[0] for x in forward(state(), pixels(photo)))
    rows = []
    for anchor, score, box, points in zip(
        anchors(*photo.shape[:2]).double().numpy(),
        classes.softmax(1)[:, 1].numpy(),
        boxes.numpy(),
        landmarks.numpy(),
        strict=True,
    ):
        if score >= min_score:
            centre = anchor[:2] + 0.1 * box[:2] * anchor[2:]
            size = anchor[2:] * np.exp(0.2 * box[2:])
            marks = anchor[:2] + 0.1 * points.reshape(5, 2) * anchor[2:]
            rows.append((score, np.concatenate([centre - size / 2, centre + size / 2]), marks))
    kept = []
    for row in sorted(rows, key=lambda row: -row[0]):
        if all(iou(row[1], other[1]) <= overlap for other in kept):
            kept.append(row)
    return kept


def iou(a, b):
    side = np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2])
    shared = np.prod(np.maximum(side, 0))
    return shared / (np.prod(a[2:] - a[:2]) + np.prod(b[2:] - b[:2]) - shared)


def test_detection_is_what_it_is_by_hand(tmp_path):
    min_score = 0.7
    wanted = by_hand(PHOTO, min_score)
    found = RetinaFace(file(tmp_path), min_score=min_score).detect([PHOTO])[0]
    assert len(found) == len(wanted) > 3
    found = sorted(found, key=lambda face: -face.score)
    for face, (score, box, marks) in zip(found, wanted, strict=True):
        assert face.score == pytest.approx(score, abs=1e-4)
        np.testing.assert_allclose(face.box, box, atol=0.02)
        np.testing.assert_allclose(face.landmarks, marks, atol=0.02)


def test_company_padding_and_shrinking(tmp_path):
    detector = load(file(tmp_path), min_score=0.7)
    small, odd = PHOTO[:64, :64].copy(), PHOTO[:70, :90].copy()
    together = detector.detect([PHOTO, small, odd, PHOTO])
    for photo, faces in zip([PHOTO, small, odd, PHOTO], together, strict=True):
        (alone,) = detector.detect([photo])
        assert len(alone) == len(faces) > 0
        for one, other in zip(alone, faces, strict=True):
            np.testing.assert_allclose(one.box, other.box, atol=0.02)
    assert detector.detect([]) == []
    # a photo twice as large, halved again before it is looked at: the same faces, twice as large
    doubled = PHOTO.repeat(2, 0).repeat(2, 1)
    halved = RetinaFace(file(tmp_path), min_score=0.7, max_side=128)
    wanted = halved.detect([halved_by_hand(doubled)])[0]
    assert wanted
    for face, other in zip(halved.detect([doubled])[0], wanted, strict=True):
        np.testing.assert_allclose(face.box, 2 * (other.box + 0.5) - 0.5, atol=0.05)


def halved_by_hand(photo):
    from facelab.detect.resample import limit

    return limit(torch.from_numpy(photo), 128).numpy()


def test_what_does_not_fit_is_named(tmp_path):
    path = tmp_path / "f.pth"
    torch.save({"conv1.weight": torch.ones(3)}, path)
    with pytest.raises(WeightsError, match=r"f\.pth: taken for RetinaFace.*missing.*BboxHead"):
        load(path)
    with pytest.raises(WeightsError, match=r"RetinaFace's: give it as detector="):
        Pipeline(embedder=file(tmp_path, prefix=""))


def test_in_a_pipeline_by_its_path(tmp_path):
    path = file(tmp_path)
    pipe = Pipeline(detector=path, device="cpu", min_score=0.7, faces="largest")
    assert pipe.config == f"retinaface-{pipe.detector.file.sha256[:16]}+aligned+sface"
    assert pipe.one(PHOTO).faces
    assert Pipeline(detector=pipe.detector).detector is pipe.detector
