"""SFace against onnxruntime and OpenCV on the same file, and the promises that every Embedder makes."""

import threading

import numpy as np
import pytest
import torch

from facelab import weights
from facelab.embed import EMBEDDERS, Embedder, load, network
from facelab.embed.sface import SFace
from facelab.errors import FacelabError, WeightsError
from facelab.packed import PACKED_BATCHES, PackedConv2d, can_pack

# Eyes, nose and corners of the mouth as YuNet finds them, so that this file needs no detector.
PORTRAIT_POINTS = {
    "astronaut": [(200, 102), (247, 103), (220, 125), (199, 143), (240, 144)],
    "hopper": [(228, 194), (308, 196), (267, 240), (229, 268), (302, 270)],
}


@pytest.fixture(scope="module")
def embedder() -> Embedder:
    return load("sface")


def noise(n: int, seed: int = 0) -> torch.Tensor:
    numbers = np.random.default_rng(seed).integers(0, 256, (n, 112, 112, 3), dtype=np.uint8)
    return torch.from_numpy(numbers)


@pytest.fixture
def portraits(astronaut, hopper) -> torch.Tensor:
    """Both portraits, aligned: (2, 112, 112, 3) uint8."""
    from facelab.align import TEMPLATES, similarity, warp

    source = np.array([PORTRAIT_POINTS["astronaut"], PORTRAIT_POINTS["hopper"]], dtype=np.float32)
    matrices = similarity(torch.from_numpy(source), torch.as_tensor(TEMPLATES["112x112"]))
    photos = [torch.from_numpy(astronaut), torch.from_numpy(hopper)]
    return warp(photos, [0, 1], matrices, 112, 112)


@pytest.fixture
def crops(portraits) -> torch.Tensor:
    """Real faces, noise, and the two emptiest crops there are."""
    plain = torch.stack([torch.full((112, 112, 3), value, dtype=torch.uint8) for value in (0, 255)])
    return torch.cat([portraits, noise(3), plain])


@pytest.fixture(scope="module")
def pruned(tmp_path_factory):
    """The weights file without its 29 stale inputs, which onnxruntime and OpenCV refuse."""
    import onnx

    model = onnx.load(weights.find("sface"))
    image = next(i for i in model.graph.input if i.name == "data")
    assert len({i.name for i in model.graph.input} - {t.name for t in model.graph.initializer}) == 30
    del model.graph.input[:]
    model.graph.input.append(image)
    path = tmp_path_factory.mktemp("sface") / "sface.onnx"
    onnx.save(model, path)
    return path


@pytest.fixture(scope="module")
def onnxruntime_vectors(pruned):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(pruned, options, providers=["CPUExecutionProvider"])

    def vectors(crops: torch.Tensor) -> np.ndarray:
        images = crops.permute(0, 3, 1, 2).float().contiguous().numpy()  # RGB, 0 … 255, nothing else
        return np.concatenate([session.run(None, {"data": image[None]})[0] for image in images])

    return vectors


def unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def test_agrees_with_onnxruntime_on_the_quantised_graph(embedder, onnxruntime_vectors, crops):
    expected = onnxruntime_vectors(crops)
    np.testing.assert_allclose(embedder.raw(crops).numpy(), expected, atol=1e-4)
    np.testing.assert_allclose(embedder(crops).numpy(), unit(expected), atol=1e-5)


def test_agrees_with_onnxruntime_on_lfw(embedder, onnxruntime_vectors, lfw):
    from facelab.images import read_image

    # The middle of a deep-funnelled photo is a face; whether it is aligned well does not matter here.
    photos = [read_image(path) for path in lfw.paths[::1200]]
    middles = torch.from_numpy(np.stack([photo[69:181, 69:181] for photo in photos]))
    assert len(middles) >= 10
    np.testing.assert_allclose(embedder(middles).numpy(), unit(onnxruntime_vectors(middles)), atol=1e-5)


def test_agrees_with_opencv(embedder, pruned, crops):
    import cv2

    recogniser = cv2.FaceRecognizerSF.create(str(pruned), "")
    expected = np.concatenate([recogniser.feature(crop[..., ::-1].copy()) for crop in crops.numpy()])
    np.testing.assert_allclose(embedder(crops).numpy(), unit(expected), atol=1e-5)


def test_the_readable_network_computes_the_same(embedder, crops):
    net = network("sface")
    with torch.no_grad():
        expected = net(net.pixels(crops).float())
    torch.testing.assert_close(embedder.raw(crops), expected, atol=2e-5, rtol=0)


def test_size_is_as_the_docstring_says():
    net = SFace()
    assert sum(p.numel() for p in net.parameters()) == pytest.approx(9.64e6, abs=5e3)
    convolutions = [m for m in net.modules() if isinstance(m, torch.nn.Conv2d)]
    assert len(convolutions) == 27
    products = []
    for conv in convolutions:
        conv.register_forward_hook(lambda m, _, y: products.append(m.weight[0].numel() * y[0].numel()))
    net.eval()(torch.zeros(1, 3, 112, 112))
    assert sum(products) + net.linear.weight.numel() == pytest.approx(574e6, abs=1e6)


def test_preprocessing_comes_from_the_file():
    net = network("sface")
    assert (net.shift.item(), net.scale.item()) == (127.5, 1 / 128)


def test_two_photos_of_one_person_are_closer_than_two_people(embedder, portraits):
    dimmed = (portraits.float() * 0.7).byte()
    same = (embedder(portraits) * embedder(dimmed)).sum(1)
    other = embedder(portraits)[0] @ embedder(portraits)[1]
    assert same.min() > 0.9
    assert other < 0.3


# --- what every Embedder promises ---------------------------------------------------------------------------


def test_vectors_are_float32_of_unit_norm(embedder, crops):
    vectors = embedder(crops)
    assert vectors.shape == (len(crops), embedder.dim) == (len(crops), EMBEDDERS["sface"].dim)
    assert vectors.dtype == torch.float32
    torch.testing.assert_close(vectors.norm(dim=1), torch.ones(len(crops)), atol=1e-6, rtol=0)


@pytest.mark.parametrize("batch", [2, 3, 4, 5, 64, 70])
def test_a_vector_does_not_depend_on_the_batch(embedder, batch):
    crops = noise(batch)
    alone = torch.cat([embedder(crops[row : row + 1]) for row in (0, batch // 2, batch - 1)])
    torch.testing.assert_close(embedder(crops)[[0, batch // 2, batch - 1]], alone, atol=1e-5, rtol=0)


def test_no_crops_give_no_vectors(embedder):
    nothing = noise(1)[:0]
    for mirror in (False, True):
        assert embedder(nothing, mirror=mirror).shape == (0, 128)
        assert embedder.raw(nothing, mirror=mirror).dtype == torch.float32


def test_mirror_averages_the_raw_vectors(embedder, portraits):
    flipped = portraits.flip(2)
    mean = (embedder.raw(portraits) + embedder.raw(flipped)) / 2
    torch.testing.assert_close(embedder.raw(portraits, mirror=True), mean, atol=2e-5, rtol=0)
    vectors = embedder(portraits, mirror=True)
    torch.testing.assert_close(vectors, mean / mean.norm(dim=1, keepdim=True), atol=1e-5, rtol=0)
    # left and right are treated alike, and it is the columns that are mirrored, not the rows
    torch.testing.assert_close(vectors, embedder(flipped, mirror=True), atol=1e-5, rtol=0)
    assert (embedder(portraits) - embedder(flipped)).abs().max() > 1e-3


def test_order_of_memory_does_not_matter(embedder, portraits):
    turned = portraits.permute(0, 3, 2, 1).contiguous().permute(0, 3, 2, 1)
    assert not turned.is_contiguous()
    torch.testing.assert_close(embedder(turned), embedder(portraits), atol=1e-6, rtol=0)


def test_half_precision_on_a_cpu_stays_close(embedder, portraits):
    half = load("sface", half=True)
    assert half.dtype == torch.bfloat16
    crops = torch.cat([portraits, noise(3)])
    vectors = half(crops)
    assert vectors.dtype == torch.float32
    assert (vectors * embedder(crops)).sum(1).min() > 0.999  # on an all-black crop it is 0.995


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_half_precision_on_a_gpu_stays_close(embedder, crops):
    half = load("sface", device="cuda", half=True)
    assert half.dtype == torch.float16
    assert (half(crops.cuda()).cpu() * embedder(crops)).sum(1).min() > 0.999


@pytest.mark.parametrize(
    ("crops", "error", "message"),
    [
        (np.zeros((1, 112, 112, 3), np.uint8), TypeError, "torch.from_numpy"),
        (torch.zeros(1, 112, 112, 3), TypeError, "uint8"),
        (torch.zeros(112, 112, 3, dtype=torch.uint8), ValueError, r"crops\[None\]"),
        (torch.zeros(1, 3, 112, 112, dtype=torch.uint8), ValueError, r"\(1, 3, 112, 112\)"),
        (torch.zeros(1, 112, 96, 3, dtype=torch.uint8), ValueError, r"\(1, 112, 96, 3\)"),
        (torch.zeros(1, 112, 112, 3, dtype=torch.uint8, device="meta"), ValueError, "meta"),
    ],
)
def test_anything_but_crops_is_refused(embedder, crops, error, message):
    with pytest.raises(error, match=message):
        embedder(crops)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 0.0])
def test_a_vector_without_direction_is_an_error(value):
    net = network("sface")
    with torch.no_grad():
        net.last_norm.weight.fill_(value)
        net.last_norm.bias.fill_(value)
    broken = Embedder("sface", 128, net, torch.device("cpu"))
    with pytest.raises(FacelabError, match=r"sface gave crop 0 of 2 .* no direction"):
        broken(noise(2))


def test_threads_do_not_disturb_each_other(crops):
    embedder = load("sface")  # a fresh one, so that the threads meet its unpacked weights at once
    batches = [crops[:k] for k in (1, 2, 4, 7)]
    found: dict[int, torch.Tensor] = {}

    def work(k: int) -> None:
        for _ in range(3):
            found[k] = embedder(batches[k])

    threads = [threading.Thread(target=work, args=(k,)) for k in range(len(batches))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    expected = embedder(crops)
    for k, batch in enumerate(batches):
        torch.testing.assert_close(found[k], expected[: len(batch)], atol=1e-5, rtol=0)


def test_vectors_can_be_used_outside_inference_mode(embedder):
    vectors = embedder(noise(1))
    weight = torch.ones(128, requires_grad=True)
    (vectors @ weight).sum().backward()
    torch.testing.assert_close(weight.grad, vectors[0])


@pytest.mark.skipif(
    not can_pack(torch.device("cpu")), reason="this torch has no oneDNN, so nothing is packed"
)
def test_packed_weights_compute_the_same(embedder):
    packed = [m for m in embedder._net.modules() if isinstance(m, PackedConv2d)]
    assert len(packed) == 27
    for conv in (packed[0], packed[1], packed[5], packed[-1]):  # stem, depthwise, stride 2, pointwise
        for n in (*PACKED_BATCHES, 3):
            x = torch.randn(n, conv.in_channels, 14, 14).to(memory_format=torch.channels_last)
            with torch.inference_mode():
                expected = torch.nn.Conv2d.forward(conv, x)
                torch.testing.assert_close(conv(x), expected, atol=1e-4, rtol=1e-4)


# --- weights that do not fit --------------------------------------------------------------------------------


@pytest.fixture
def tensors() -> dict[str, np.ndarray]:
    return dict(weights.read("sface"))


def test_a_missing_tensor_is_named(tensors):
    del tensors["conv_7_dw_batchnorm_beta"]
    with pytest.raises(WeightsError, match="1 tensors missing, the first is conv_7_dw_batchnorm_beta"):
        SFace().load(tensors)


def test_an_unknown_tensor_is_named(tensors):
    tensors["conv_15_conv2d_weight"] = np.zeros(3, np.float32)
    with pytest.raises(WeightsError, match="1 tensors too many, the first is conv_15_conv2d_weight"):
        SFace().load(tensors)


def test_a_misshapen_tensor_is_named(tensors):
    tensors["pre_fc1_weight"] = tensors["pre_fc1_weight"].T
    with pytest.raises(WeightsError, match=r"pre_fc1_weight should be \(128, 50176\) and is \(50176, 128\)"):
        SFace().load(tensors)


def test_an_unknown_embedder_is_refused():
    with pytest.raises(ValueError, match="'vgg'; choose one of sface, arcface"):
        load("vgg")
