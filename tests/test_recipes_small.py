"""MobileFaceNet and Thumbnet: files recognised by their names, and computed as an independent pass does.

MobileFaceNet's names are those of `backbones/mobilefacenet.py` in deepinsight/insightface (arcface_torch),
written out below from its structure; no published file can be fetched where these tests run. The forward
passes take their numbers from the dictionary and their operations from torch.nn.functional.
"""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from facelab.embed import FILE_RECIPES, load
from facelab.embed.files import network_of
from facelab.embed.mobilefacenet import MobileFaceNet
from facelab.embed.thumbnet import Thumbnet
from facelab.errors import WeightsError

CROPS = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (2, 112, 112, 3), np.uint8))
IMAGES = (CROPS.permute(0, 3, 1, 2).double() / 255 - 0.5) / 0.5


@pytest.fixture(autouse=True)
def _home(tmp_path, monkeypatch):
    monkeypatch.setenv("FACELAB_HOME", str(tmp_path / "home"))


def norm(name, channels):
    parts = ("weight", "bias", "running_mean", "running_var")
    return {f"{name}.{part}": (channels,) for part in parts} | {f"{name}.num_batches_tracked": ()}


def conv(name, outputs, inputs, kernel, slopes=True):
    shapes = {f"{name}.layers.0.weight": (outputs, inputs, kernel, kernel)} | norm(
        f"{name}.layers.1", outputs
    )
    return shapes | ({f"{name}.layers.2.weight": (outputs,)} if slopes else {})


def bottleneck(name, inputs, outputs, inside):
    return (
        conv(f"{name}.layers.0", inside, inputs, 1)
        | conv(f"{name}.layers.1", inside, 1, 3)
        | conv(f"{name}.layers.2", outputs, inside, 1, slopes=False)
    )


def mobilefacenet_shapes(scale, dim):
    a, b = 64 * scale, 128 * scale
    shapes = conv("layers.0", a, 3, 3) | conv("layers.1", a, 1, 3)
    shapes |= bottleneck("layers.2", a, a, 128) | bottleneck("layers.4", a, b, 256)
    shapes |= bottleneck("layers.6", b, b, 512)
    for place, blocks, channels, inside in ((3, 4, a, 128), (5, 6, b, 256), (7, 2, b, 256)):
        for block in range(blocks):
            shapes |= bottleneck(f"layers.{place}.layers.{block}", channels, channels, inside)
    shapes |= conv("conv_sep", 512, b, 1) | conv("features.layers.0", 512, 1, 7, slopes=False)
    return shapes | {"features.layers.2.weight": (dim, 512)} | norm("features.layers.3", dim)


def numbers(shapes, seed=0):
    generator = torch.Generator().manual_seed(seed)
    state = {}
    for name, shape in shapes.items():
        if name.endswith("num_batches_tracked"):
            state[name] = torch.tensor(7)
        elif name.endswith("running_var") or (len(shape) == 1 and name.endswith("weight")):
            state[name] = 0.5 + torch.rand(shape, generator=generator)
        else:
            fan = np.prod(shape[1:]) if len(shape) > 1 else 100
            state[name] = torch.randn(shape, generator=generator) * (1 / fan) ** 0.5
    return state


def batch_norm(x, t, name):
    mean, var, weight, bias = (t[f"{name}.{p}"] for p in ("running_mean", "running_var", "weight", "bias"))
    return F.batch_norm(x, mean, var, weight, bias)


class Plain:
    def __init__(self, state):
        self.t = {name: tensor.double() for name, tensor in state.items()}

    def bn(self, x, name):
        return batch_norm(x, self.t, name)

    def conv(self, x, name, stride=1, groups=1, padding=None, slopes=True):
        weight = self.t[f"{name}.layers.0.weight"]
        padding = weight.shape[-1] // 2 if padding is None else padding
        x = self.bn(F.conv2d(x, weight, stride=stride, padding=padding, groups=groups), f"{name}.layers.1")
        return F.prelu(x, self.t[f"{name}.layers.2.weight"]) if slopes else x

    def bottleneck(self, x, name, stride):
        y = self.conv(x, f"{name}.layers.0")
        y = self.conv(y, f"{name}.layers.1", stride, groups=y.shape[1])
        y = self.conv(y, f"{name}.layers.2", slopes=False)
        return x + y if stride == 1 else y


def mobilefacenet_forward(state, x):
    p = Plain(state)
    x = p.conv(x, "layers.0", 2)
    x = p.conv(x, "layers.1", groups=x.shape[1])
    for halving, keeping, blocks in ((2, 3, 4), (4, 5, 6), (6, 7, 2)):
        x = p.bottleneck(x, f"layers.{halving}", 2)
        for block in range(blocks):
            x = p.bottleneck(x, f"layers.{keeping}.layers.{block}", 1)
    x = p.conv(x, "conv_sep")
    x = p.conv(x, "features.layers.0", groups=512, padding=0, slopes=False).flatten(1)
    return p.bn(x @ p.t["features.layers.2.weight"].T, "features.layers.3")


@pytest.mark.parametrize(("scale", "dim"), [(1, 128), (2, 512)])
@pytest.mark.filterwarnings("ignore:.*first use")
def test_mobilefacenet_from_a_file(tmp_path, scale, dim):
    state = numbers(mobilefacenet_shapes(scale, dim))
    with torch.device("meta"):
        net = MobileFaceNet(scale, dim)
    assert {name: tuple(t.shape) for name, t in net.state_dict().items()} == mobilefacenet_shapes(scale, dim)
    torch.save(state, tmp_path / "backbone.pth")
    embedder = load(tmp_path / "backbone.pth")
    assert embedder.name.startswith("mobilefacenet-" if scale == 1 else "mobilefacenet-x2-")
    expected = mobilefacenet_forward(state, IMAGES)
    torch.testing.assert_close(embedder(CROPS).double(), F.normalize(expected), atol=5e-4, rtol=0)
    assert expected[0] @ expected[1] < 0.99 * expected[0].norm() * expected[1].norm(), "photos differ"


def test_mobilefacenet_is_as_large_as_its_paper_says():
    net = MobileFaceNet(1, 128)
    assert sum(p.numel() for p in net.parameters()) / 1e6 == pytest.approx(0.99, abs=0.02)


def test_other_files_are_not_taken_for_them():
    tensors = {n: np.zeros(s, np.float32) for n, s in mobilefacenet_shapes(1, 128).items() if s}
    del tensors["layers.5.layers.3.layers.1.layers.0.weight"]
    with pytest.raises(WeightsError, match=r"mine\.pth: taken for 'mobilefacenet'.*1 tensors missing"):
        network_of(tensors, "mine.pth")


def thumbnet_forward(state, x):
    t = {name: tensor.double() for name, tensor in state.items()}

    def bn(x, name):
        return batch_norm(x, t, name)

    def halving(x, name):
        x = bn(F.conv2d(x, t[f"{name}.0.weight"], stride=2, padding=1), f"{name}.1")
        return F.prelu(x, t[f"{name}.2.weight"])

    def unit(x, name):
        y = F.conv2d(bn(x, f"{name}.bn1"), t[f"{name}.conv1.weight"], padding=1)
        y = F.prelu(bn(y, f"{name}.bn2"), t[f"{name}.prelu.weight"])
        return x + bn(F.conv2d(y, t[f"{name}.conv2.weight"], padding=1), f"{name}.bn3")

    x = (x[:, :, ::2, ::2] + x[:, :, 1::2, ::2] + x[:, :, ::2, 1::2] + x[:, :, 1::2, 1::2]) / 4
    x = unit(halving(halving(x, "stem"), "down1"), "units1.0")
    x = unit(unit(halving(x, "down2"), "units2.0"), "units2.1")
    return bn(bn(x, "norm").flatten(1) @ t["fc.weight"].T + t["fc.bias"], "features")


@pytest.mark.parametrize("width", [16, 32])
@pytest.mark.filterwarnings("ignore:.*first use")
def test_thumbnet_from_a_file(tmp_path, width):
    state = numbers({name: tuple(t.shape) for name, t in Thumbnet(width).state_dict().items()})
    torch.save(state, tmp_path / "thumb.pt")
    embedder = load(tmp_path / "thumb.pt")
    assert embedder.name.startswith("thumbnet-" if width == 16 else "thumbnet-x2-")
    torch.testing.assert_close(
        embedder.raw(CROPS).double(), thumbnet_forward(state, IMAGES), atol=1e-4, rtol=1e-4
    )
    net = FILE_RECIPES["thumbnet" if width == 16 else "thumbnet-x2"].build()
    net.load_state_dict(state)
    images = IMAGES.float()
    torch.testing.assert_close(
        net.eval()(images), net(F.avg_pool2d(images, 2)), msg="56×56 is taken as it is"
    )
