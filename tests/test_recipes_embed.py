"""Files of weights as users have them: recognised, loaded, and computed as an independent forward pass does.

No published checkpoint can be fetched where these tests run. So each is written here, with random numbers
under the names and shapes of the real one:

- `backbone.pth` of arcface_torch: `backbones/iresnet.py` in the repository deepinsight/insightface;
- AdaFace's `adaface_ir50_*.ckpt`: `net.py` in the repository mk-minchul/AdaFace, under Lightning's prefix.

The forward passes below take their numbers from that dictionary and their operations from
torch.nn.functional; no module of facelab is in them.
"""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from facelab.embed import FILE_RECIPES, IResNet, load
from facelab.embed.adaface_ir import AdaFaceIR
from facelab.embed.files import network_of
from facelab.errors import WeightsError

UNITS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 14, 3), 100: (3, 13, 30, 3)}
CROPS = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (2, 112, 112, 3), np.uint8))


@pytest.fixture(autouse=True)
def _home(tmp_path, monkeypatch):
    monkeypatch.setenv("FACELAB_HOME", str(tmp_path / "home"))


# ---------------------------------------------------------------------- names and shapes, written out


def norm(name: str, channels: int, affine: bool = True) -> dict:
    parts = [*(("weight", "bias") if affine else ()), "running_mean", "running_var"]
    return {f"{name}.{part}": (channels,) for part in parts} | {f"{name}.num_batches_tracked": ()}


def iresnet_shapes(depth: int) -> dict[str, tuple]:
    shapes = {"conv1.weight": (64, 3, 3, 3)} | norm("bn1", 64) | {"prelu.weight": (64,)}
    before = 64
    for stage, (channels, units) in enumerate(zip((64, 128, 256, 512), UNITS[depth], strict=True), 1):
        for unit in range(units):
            name = f"layer{stage}.{unit}"
            shapes |= norm(f"{name}.bn1", before)
            shapes[f"{name}.conv1.weight"] = (channels, before, 3, 3)
            shapes |= norm(f"{name}.bn2", channels) | {f"{name}.prelu.weight": (channels,)}
            shapes[f"{name}.conv2.weight"] = (channels, channels, 3, 3)
            shapes |= norm(f"{name}.bn3", channels)
            if unit == 0:
                shapes[f"{name}.downsample.0.weight"] = (channels, before, 1, 1)
                shapes |= norm(f"{name}.downsample.1", channels)
            before = channels
    shapes |= norm("bn2", 512) | {"fc.weight": (512, 512 * 49), "fc.bias": (512,)}
    return shapes | norm("features", 512)


def adaface_shapes(depth: int) -> dict[str, tuple]:
    shapes = {"input_layer.0.weight": (64, 3, 3, 3)} | norm("input_layer.1", 64)
    shapes["input_layer.2.weight"] = (64,)
    before, number = 64, 0
    for channels, units in zip((64, 128, 256, 512), UNITS[depth], strict=True):
        for _ in range(units):
            name = f"body.{number}"
            if before != channels:
                shapes[f"{name}.shortcut_layer.0.weight"] = (channels, before, 1, 1)
                shapes |= norm(f"{name}.shortcut_layer.1", channels)
            shapes |= norm(f"{name}.res_layer.0", before)
            shapes[f"{name}.res_layer.1.weight"] = (channels, before, 3, 3)
            shapes |= norm(f"{name}.res_layer.2", channels) | {f"{name}.res_layer.3.weight": (channels,)}
            shapes[f"{name}.res_layer.4.weight"] = (channels, channels, 3, 3)
            shapes |= norm(f"{name}.res_layer.5", channels)
            before, number = channels, number + 1
    shapes |= norm("output_layer.0", 512)
    shapes |= {"output_layer.3.weight": (512, 512 * 49), "output_layer.3.bias": (512,)}
    return shapes | norm("output_layer.4", 512, affine=False)


def numbers(shapes: dict[str, tuple], seed: int = 0) -> dict[str, torch.Tensor]:
    """Random, and such that signals neither fade nor explode; no batch norm is an identity."""
    rng, state = torch.Generator().manual_seed(seed), {}
    for name, shape in shapes.items():
        if name.endswith("num_batches_tracked"):
            state[name] = torch.tensor(7)
        elif len(shape) > 1:
            state[name] = torch.randn(shape, generator=rng) * (1.5 / np.prod(shape[1:])) ** 0.5
        elif name.endswith("running_var"):
            state[name] = 0.5 + torch.rand(shape, generator=rng)
        elif name.endswith("weight"):
            state[name] = 0.3 + torch.rand(shape, generator=rng)
        else:
            state[name] = 0.2 * torch.randn(shape, generator=rng)
    if "features.weight" in state:
        state["features.weight"].fill_(1)
    return state


# ---------------------------------------------------------------------- independent forward passes


class Plain:
    def __init__(self, state, dtype):
        self.t = {name: tensor.to(dtype) for name, tensor in state.items()}

    def bn(self, x, name):
        t = self.t
        mean, var = t[f"{name}.running_mean"], t[f"{name}.running_var"]
        return F.batch_norm(x, mean, var, t.get(f"{name}.weight"), t.get(f"{name}.bias"), eps=1e-5)

    def conv(self, x, name, stride=1):
        weight = self.t[f"{name}.weight"]
        return F.conv2d(x, weight, stride=stride, padding=weight.shape[-1] // 2)

    def prelu(self, x, name):
        return F.prelu(x, self.t[f"{name}.weight"])


def iresnet_forward(state, images, depth):
    p = Plain(state, images.dtype)
    x = p.prelu(p.bn(p.conv(images, "conv1"), "bn1"), "prelu")
    for stage in range(1, 5):
        for unit in range(UNITS[depth][stage - 1]):
            name, stride = f"layer{stage}.{unit}", 2 if unit == 0 else 1
            y = p.prelu(p.bn(p.conv(p.bn(x, f"{name}.bn1"), f"{name}.conv1"), f"{name}.bn2"), f"{name}.prelu")
            y = p.bn(p.conv(y, f"{name}.conv2", stride), f"{name}.bn3")
            if unit == 0:
                x = p.bn(p.conv(x, f"{name}.downsample.0", 2), f"{name}.downsample.1")
            x = x + y
    return p.bn(F.linear(p.bn(x, "bn2").flatten(1), p.t["fc.weight"], p.t["fc.bias"]), "features")


def adaface_forward(state, images, depth):
    p = Plain(state, images.dtype)
    x = p.prelu(p.bn(p.conv(images, "input_layer.0"), "input_layer.1"), "input_layer.2")
    firsts = np.cumsum((0, *UNITS[depth][:3]))
    for number in range(sum(UNITS[depth])):
        name, stride = f"body.{number}", 2 if number in firsts else 1
        y = p.conv(p.bn(x, f"{name}.res_layer.0"), f"{name}.res_layer.1")
        y = p.prelu(p.bn(y, f"{name}.res_layer.2"), f"{name}.res_layer.3")
        y = p.bn(p.conv(y, f"{name}.res_layer.4", stride), f"{name}.res_layer.5")
        if f"{name}.shortcut_layer.0.weight" in state:
            x = p.bn(p.conv(x, f"{name}.shortcut_layer.0", stride), f"{name}.shortcut_layer.1")
        else:
            x = F.max_pool2d(x, 1, stride)
        x = x + y
    x = p.bn(x, "output_layer.0").flatten(1)
    return p.bn(F.linear(x, p.t["output_layer.3.weight"], p.t["output_layer.3.bias"]), "output_layer.4")


def pixels(dtype, order):
    crops = CROPS.flip(3) if order == "BGR" else CROPS
    return (crops.permute(0, 3, 1, 2).to(dtype) / 255 - 0.5) / 0.5


# ---------------------------------------------------------------------- what is tested


@pytest.mark.filterwarnings("ignore:.*first use")
def test_iresnet_from_backbone_pth(tmp_path):
    state = numbers(iresnet_shapes(18))
    torch.save(state, tmp_path / "backbone.pth")
    embedder = load(tmp_path / "backbone.pth")
    expected = iresnet_forward(state, pixels(torch.float64, "RGB"), 18)
    torch.testing.assert_close(embedder.raw(CROPS).double(), expected, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(embedder(CROPS).double(), F.normalize(expected), atol=1e-5, rtol=0)
    assert embedder.name == f"iresnet18-{embedder.file.sha256[:16]}"
    assert embedder.file.sha256 in repr(embedder)
    assert load("iresnet18", path=tmp_path / "backbone.pth").name == embedder.name
    swapped = iresnet_forward(state, pixels(torch.float32, "BGR")[:1], 18).double()
    assert not torch.allclose(F.normalize(swapped), F.normalize(expected[:1]), atol=1e-3), "the order matters"


@pytest.mark.filterwarnings("ignore:.*first use")
def test_adaface_from_a_lightning_checkpoint(tmp_path):
    state = numbers(adaface_shapes(50))
    inside = {f"model.{name}": tensor for name, tensor in state.items()}
    inside |= {"head.kernel": torch.ones(512, 10), "head.batch_mean": torch.tensor([20.0])}
    torch.save({"epoch": 25, "state_dict": inside, "hyper_parameters": {"lr": 0.1}}, tmp_path / "ir50.ckpt")
    embedder = load(tmp_path / "ir50.ckpt")
    expected = adaface_forward(state, pixels(torch.float64, "BGR"), 50)
    assert embedder.name.startswith("adaface-ir50-")
    # AdaFace's own code returns (direction, length): both are there
    torch.testing.assert_close(embedder(CROPS).double(), F.normalize(expected), atol=1e-4, rtol=0)
    lengths = embedder.raw(CROPS).norm(dim=1).double()
    torch.testing.assert_close(lengths, expected.norm(dim=1), rtol=1e-4, atol=0)


CUDA = pytest.param("cuda", marks=pytest.mark.gpu)


@pytest.mark.parametrize("device", ["cpu", CUDA])
@pytest.mark.filterwarnings("ignore:.*first use")
def test_half_precision_keeps_the_direction(tmp_path, device):
    if device == "cuda" and not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    torch.save(numbers(iresnet_shapes(18)), tmp_path / "backbone.pth")
    whole, half = load(tmp_path / "backbone.pth"), load(tmp_path / "backbone.pth", device, half=True)
    assert half.dtype == (torch.bfloat16 if device == "cpu" else torch.float16)
    cosines = (whole(CROPS) * half(CROPS.to(device)).cpu()).sum(1)
    assert cosines.min() > 0.999


PUBLISHED = {18: 24.02, 34: 34.14, 50: 43.59, 100: 65.15}  # millions of numbers


RESIDUAL = [name for name, its in FILE_RECIPES.items() if issubclass(its.network, IResNet)]


@pytest.mark.parametrize("name", RESIDUAL)
def test_every_recipe_has_the_files_names_and_shapes(name):
    its = FILE_RECIPES[name]
    wanted = (adaface_shapes if its.network is AdaFaceIR else iresnet_shapes)(its.size)
    with torch.device("meta"):
        net = its.network(its.size)
    there = {its.network.file_name(key, its.size): tuple(t.shape) for key, t in net.state_dict().items()}
    assert there == wanted
    assert its.network.size_of(wanted) == its.size
    if its.network is IResNet:
        assert sum(p.numel() for p in net.parameters()) / 1e6 == pytest.approx(PUBLISHED[its.size], abs=0.01)


def test_it_can_be_trained():
    torch.manual_seed(0)
    net = IResNet(18, dim=16, dropout=0.4)
    vectors = net(torch.randn(4, 3, 112, 112))
    assert 0.5 < vectors.std() < 2
    vectors.square().sum().backward()
    fixed = [name for name, p in net.named_parameters() if p.grad is None]
    assert fixed == ["features.weight"], "the scale of the last batch norm stays 1"
    with pytest.raises(ValueError, match="18, 34, 50, 100"):
        IResNet(101)


def arrays(shapes):
    return {name: np.zeros(shape, np.float32) for name, shape in shapes.items()}


def test_what_does_not_fit_is_named():
    tensors = arrays(iresnet_shapes(18))
    del tensors["layer3.1.conv2.weight"]
    with pytest.raises(
        WeightsError, match=r"f\.pth: taken for 'iresnet18'.*1 tensors missing.*layer3\.1\.conv2"
    ):
        network_of(tensors, "f.pth")
    with pytest.raises(
        WeightsError, match=r"taken for 'iresnet34'.*missing.*Its names are those of 'iresnet18'"
    ):
        network_of(arrays(iresnet_shapes(18)), "f.pth", "iresnet34")
    tensors = arrays(iresnet_shapes(18)) | {"fc.weight": np.zeros((512, 999), np.float32)}
    with pytest.raises(WeightsError, match=r"fc\.weight should be \(512, 25088\) and is \(512, 999\)"):
        network_of(tensors, "f.pth")
    tensors = arrays(iresnet_shapes(18)) | {
        "layer1.2.extra": np.zeros(1, np.float32)
    }  # (3, 2, 2, 2): no depth
    with pytest.raises(WeightsError, match=r"'iresnet18'.*1 tensors too many.*layer1\.2\.extra"):
        network_of(tensors, "f.pth")
    with pytest.raises(WeightsError, match=r"of no embedder.*conv9\.w.*adaface-ir101.*OwnNetwork"):
        network_of({"conv9.w": np.zeros(3, np.float32)}, "f.pth")


def test_other_dimensions_are_read_from_the_file():
    shapes = {
        n: (128, *s[1:]) if n.startswith(("fc", "features")) and s else s
        for n, s in iresnet_shapes(18).items()
    }
    name, net = network_of(arrays(shapes), "f.pth")
    assert (name, net.dim) == ("iresnet18", 128)
