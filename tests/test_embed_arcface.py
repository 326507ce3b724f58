"""ArcFace's ResNet34 against DeepFace's own class, both given the same file of random weights.

The published weights (130 MB, from the network) are not needed for that: if two implementations agree on
random numbers in every one of the 331 tensors, they agree on the trained ones.
"""

import hashlib
import os
import warnings

import numpy as np
import pytest
import torch

from facelab import weights
from facelab.embed import EMBEDDERS, load, network
from facelab.embed.arcface import ArcFace
from facelab.errors import WeightsError


def random_state() -> dict[str, torch.Tensor]:
    """A state dict in which no two batch norms are alike, with signals that neither die nor explode."""
    generator = torch.Generator().manual_seed(7)
    state = ArcFace().state_dict()
    for name, tensor in state.items():
        if name.endswith("num_batches_tracked"):
            continue
        noise = torch.randn(tensor.shape, generator=generator)
        if name.endswith("running_var") or (tensor.ndim == 1 and name.endswith("weight")):
            state[name] = 0.5 + noise.abs() / 2  # variances, scales, slopes of PReLU
        elif tensor.ndim == 1:
            state[name] = noise / 4  # means and biases
        else:
            state[name] = noise / tensor[0].numel() ** 0.5
    return state


@pytest.fixture(scope="module")
def file(tmp_path_factory) -> str:
    """Where DeepFace looks for its weights, with random ones there."""
    home = tmp_path_factory.mktemp("deepface")
    path = home / ".deepface" / "weights" / "arcface_weights.pth"
    path.parent.mkdir(parents=True)
    torch.save(random_state(), path)
    return path


@pytest.fixture(scope="module")
def deepface_client(file):
    pytest.importorskip("deepface")
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        patch.setenv("DEEPFACE_HOME", str(file.parents[2]))
        patch.setenv("DEEPFACE_BACKEND_ENGINE", "pytorch")
        from deepface.models.facial_recognition.pytorch.ArcFace import ArcFaceClient

        return ArcFaceClient()


@pytest.fixture(scope="module")
def digest(file) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


@pytest.fixture(scope="module")
def embedder(file, digest):
    return load("arcface", path=file, sha256=digest)


@pytest.fixture(scope="module")
def crops() -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(3).integers(0, 256, (6, 112, 112, 3), dtype=np.uint8))


def test_has_the_331_tensors_of_deepface(deepface_client):
    theirs = {name: tensor.shape for name, tensor in deepface_client.model.state_dict().items()}
    ours = {name: tensor.shape for name, tensor in ArcFace().state_dict().items()}
    assert len(ours) == 331
    assert ours == theirs


def test_the_readable_network_is_deepfaces_to_the_last_bit_or_so(deepface_client, file, digest):
    net = network("arcface", file, sha256=digest)
    x = torch.rand(2, 3, 112, 112, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        torch.testing.assert_close(net(x), deepface_client.model(x), atol=1e-5, rtol=1e-5)


def test_agrees_with_deepface_from_the_pixels_on(deepface_client, embedder, crops):
    bgr = crops.numpy()[..., ::-1] / np.float32(255)  # how DeepFace hands an image to the model
    expected = torch.tensor(deepface_client.forward(bgr))
    assert expected.std(dim=1).min() > 0.1  # a comparison of zeros would prove nothing
    lengths = expected.norm(dim=1, keepdim=True)  # thousands, with random weights
    torch.testing.assert_close(embedder.raw(crops) / lengths, expected / lengths, atol=1e-5, rtol=0)
    torch.testing.assert_close(embedder(crops), expected / lengths, atol=1e-5, rtol=0)


def test_colour_order_matters(embedder, crops):
    swapped = embedder(crops.flip(3))
    assert (swapped - embedder(crops)).abs().max() > 1e-3


def test_dimension_is_as_registered(embedder, crops):
    assert embedder(crops[:1]).shape == (1, EMBEDDERS["arcface"].dim) == (1, 512)


def test_a_vector_does_not_depend_on_the_batch(embedder, crops):
    together = embedder(crops)
    for row in (0, 3, 5):
        torch.testing.assert_close(embedder(crops[row : row + 1])[0], together[row], atol=1e-5, rtol=0)


def test_batch_norms_before_a_padded_convolution_are_kept(embedder):
    kept = [m for m in embedder._net.modules() if isinstance(m, torch.nn.modules.batchnorm._BatchNorm)]
    assert len(kept) == 16  # bn_1 of each of the 16 units; the other 39 are folded


@pytest.fixture
def tensors() -> dict[str, np.ndarray]:
    return {name: tensor.numpy() for name, tensor in random_state().items()}


def test_counters_may_be_absent(tensors):
    without = {name: tensor for name, tensor in tensors.items() if not name.endswith("num_batches_tracked")}
    assert len(without) == 276
    ArcFace().load(without)
    ArcFace().load(tensors)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.pop("backbone.conv4.5.bn_3.bias"), r"missing.*backbone\.conv4\.5\.bn_3\.bias"),
        (lambda t: t.update(extra=np.zeros(2, np.float32)), r"too many.*extra"),
        (
            lambda t: t.update({"dense.weight": t["dense.weight"].T}),
            r"dense\.weight should be \(512, 25088\) and is \(25088, 512\)",
        ),
    ],
)
def test_tensors_that_do_not_fit_are_named(tensors, change, message):
    change(tensors)
    with pytest.raises(WeightsError, match=message):
        ArcFace().load(tensors)


def test_a_file_that_does_not_fit_is_refused(tmp_path):
    state = random_state()
    state["dense.weight"] = state["dense.weight"][:, :1].expand(512, 25088)  # stored once: a small file
    del state["embedding.running_mean"]
    path = tmp_path / "arcface_weights.pth"
    torch.save(state, path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    with pytest.raises(WeightsError, match=r"embedding\.running_mean"):
        load("arcface", path=path, sha256=digest)


def test_missing_weights_say_how_to_get_them(monkeypatch, tmp_path):
    monkeypatch.setenv("FACELAB_HOME", os.fspath(tmp_path))
    assert weights.KNOWN["arcface"].package is None
    with pytest.raises(WeightsError, match="facelab weights get arcface"):
        load("arcface")
