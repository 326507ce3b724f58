"""The door for files that users bring: what is read, what is refused and why, and hashes that are held to."""

import fractions
import io
import json
import os
import pickle
import re
import struct
import warnings

import numpy as np
import pytest
import torch
from torch import nn

from facelab import kept, user_weights
from facelab.embed import load
from facelab.errors import FacelabError, WeightsError
from facelab.user_weights import UserFile

STATE = {"a.weight": torch.arange(6.0).reshape(2, 3), "a.bias": torch.tensor([1.5, -2.0])}


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("FACELAB_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def saved(thing, **options) -> bytes:
    stream = io.BytesIO()
    torch.save(thing, stream, **options)
    return stream.getvalue()


def safetensors(table: dict, numbers: bytes) -> bytes:
    """By hand, from the format's description: length, table of contents, numbers."""
    head = json.dumps(table).encode()
    return struct.pack("<Q", len(head)) + head + numbers


def tensors(path, content: bytes):
    path.write_bytes(content)
    return UserFile.open(path).tensors()


def same(found, wanted=STATE):
    assert list(found) == list(wanted)
    for name, array in found.items():
        assert array.dtype == np.float32
        np.testing.assert_array_equal(array, wanted[name].float().numpy())


@pytest.mark.parametrize(
    "thing",
    [
        STATE,
        {"state_dict": STATE, "epoch": 3},
        {"state_dict_backbone": STATE, "state_optimizer": {"lr": 0.1}},
        {f"module.{name}": tensor for name, tensor in STATE.items()},
        {"state_dict": {f"model.{n}": t for n, t in STATE.items()} | {"head.kernel": torch.ones(2)}},
        {name: nn.Parameter(tensor) for name, tensor in STATE.items()},
        {name: tensor.half() for name, tensor in STATE.items()},
        {**STATE, "bn.num_batches_tracked": torch.tensor(3)},
    ],
)
def test_checkpoints_of_many_shapes_give_the_same_tensors(tmp_path, thing):
    same(tensors(tmp_path / "f.pth", saved(thing)))


def test_the_old_format_of_torch_save(tmp_path):
    same(tensors(tmp_path / "f.pt", saved(STATE, _use_new_zipfile_serialization=False)))


def test_safetensors(tmp_path):
    weight, bias = (STATE[name] for name in ("a.weight", "a.bias"))
    table = {
        "__metadata__": {"format": "pt"},
        "a.weight": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]},
        "a.bias": {"dtype": "BF16", "shape": [2], "data_offsets": [24, 28]},
    }
    numbers = weight.numpy().tobytes() + bias.bfloat16().view(torch.int16).numpy().tobytes()
    found = tensors(tmp_path / "f.safetensors", safetensors(table, numbers))
    same({name: found[name] for name in STATE})  # the file may have another order
    with pytest.raises(WeightsError, match=r"not fully covered.*cut short"):
        tensors(tmp_path / "g.safetensors", safetensors(table, numbers[:-1]))
    table["a.weight"]["shape"] = [2, 4]
    with pytest.raises(WeightsError, match="is not safetensors"):
        tensors(tmp_path / "h.safetensors", safetensors(table, numbers))
    table["a.weight"]["shape"] = [-2, -3]
    with pytest.raises(WeightsError, match="is not safetensors"):
        tensors(tmp_path / "h.safetensors", safetensors(table, numbers))
    with pytest.raises(WeightsError, match="web page"):
        tensors(tmp_path / "i.safetensors", b"<html>")


class Runs:
    """A pickle of this runs a command when it is unpacked."""

    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return os.system, (f"touch {self.marker}",)


@pytest.mark.parametrize(
    "packed",
    [
        lambda thing: saved({**STATE, "extra": thing}),
        lambda thing: pickle.dumps({"state_dict": thing}, protocol=2),
        lambda thing: pickle.dumps(thing, protocol=4),
    ],
)
def test_code_in_a_file_is_refused_and_not_run(tmp_path, packed):
    marker, content = tmp_path / "ran", packed(Runs(tmp_path / "ran"))
    pickle.loads(pickle.dumps(Runs(tmp_path / "control")))
    assert (tmp_path / "control").exists(), "the trap works"
    with pytest.raises(WeightsError, match=r"f\.pth: refused.*safetensors"):
        tensors(tmp_path / "f.pth", content)
    assert not marker.exists()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (saved(STATE)[:-100], "cut short"),
        (saved(STATE)[:300], "cut short"),
        (saved(STATE, _use_new_zipfile_serialization=False)[:-3], "cut short"),
        (b"", "is empty"),
        (b"\n<!DOCTYPE html><html>Sign in</html>", "web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0", "git lfs pull"),
        (b"hello, this is no file of weights", "no file of weights"),
        (saved({**STATE, "x": fractions.Fraction(1, 2)}), r"fractions\.Fraction.*weights_only=False"),
        (saved(nn.Linear(2, 2)), r"torch\.nn\.modules\.linear\.Linear"),
        (saved([1, 2, 3]), "no state dict"),
        (saved({"lr": 0.1}), "no state dict"),
        (saved({"n": torch.tensor(3)}), "no tensors of numbers"),
        (saved({"w": torch.tensor([1.0, float("nan")])}), "damaged, w holds NaN"),
    ],
)
def test_damaged_and_wrong_files_say_what_they_are(tmp_path, content, says):
    with pytest.raises(WeightsError, match=rf"f\.ckpt: .*{says}"):
        tensors(tmp_path / "f.ckpt", content)


@pytest.mark.filterwarnings("ignore")  # torch's own about TorchScript
def test_torchscript_says_how_to_get_its_tensors(tmp_path):
    torch.jit.save(torch.jit.script(nn.Linear(2, 2)), tmp_path / "f.pt")
    with pytest.raises(WeightsError, match="TorchScript"):
        UserFile.open(tmp_path / "f.pt").tensors()


def test_files_that_are_none(tmp_path):
    with pytest.raises(WeightsError, match="no such file"):
        load(tmp_path / "f.pth")
    (tmp_path / "f.tar").touch()
    with pytest.raises(WeightsError, match=r"no kind of weights.*\.safetensors"):
        load(tmp_path / "f.tar")
    (tmp_path / "d.pth").mkdir()
    with pytest.raises(WeightsError, match=r"d\.pth: a folder without model\.safetensors"):
        load(tmp_path / "d.pth")


# ---------------------------------------------------------------------- hashes


def test_the_first_use_pins_and_another_file_is_refused(tmp_path, home):
    path = tmp_path / "f.pth"
    path.write_bytes(saved(STATE))
    first = UserFile.open(path)
    assert user_weights.pinned_hash(path) is None
    with pytest.warns(UserWarning, match=rf"f\.pth: first use, SHA-256 {first.sha256}.*will be refused"):
        first.pin()
    assert json.loads((home / "user_weights.json").read_text()) == {str(path.resolve()): first.sha256}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        UserFile.open(path).pin()  # the same file: nothing is said

    path.write_bytes(saved({"b": torch.ones(1)}))
    with pytest.raises(WeightsError) as refused:
        UserFile.open(path)
    now = UserFile.open(path, sha256=user_weights.hashlib.sha256(path.read_bytes()).hexdigest()).sha256
    assert first.sha256 in str(refused.value)
    assert now in str(refused.value)
    assert f"facelab weights trust {path}" in str(refused.value)

    assert user_weights.trust(path) == (first.sha256, now)
    assert UserFile.open(path).sha256 == now


def test_a_file_that_no_network_takes_is_not_pinned(tmp_path, home):
    (tmp_path / "f.pth").write_bytes(saved(STATE))
    with pytest.raises(WeightsError, match="of no embedder"):
        load(tmp_path / "f.pth")
    assert not home.exists(), "else the whole file, fetched again, would be refused"


def test_a_hash_that_is_given_decides_alone(tmp_path, home):
    path = tmp_path / "f.pth"
    path.write_bytes(saved(STATE))
    with pytest.raises(WeightsError, match=f"{'0' * 64} was asked for"):
        UserFile.open(path, sha256="0" * 64)
    right = UserFile.open(path).sha256
    UserFile.open(path, sha256=f" {right.upper()}\n").pin()
    assert not home.exists()


def test_the_same_file_by_another_way_is_the_same_pin(tmp_path, monkeypatch):
    (tmp_path / "f.pth").write_bytes(saved(STATE))
    user_weights.trust(tmp_path / "f.pth")
    (tmp_path / "link.pth").symlink_to(tmp_path / "f.pth")
    monkeypatch.chdir(tmp_path)
    assert user_weights.pinned_hash("f.pth") == user_weights.pinned_hash("link.pth") is not None


@pytest.mark.parametrize("content", ["{", "[1]"])
def test_damaged_pins_are_an_error(tmp_path, home, content):
    home.mkdir()
    (home / "user_weights.json").write_text(content)
    (tmp_path / "f.pth").write_bytes(saved(STATE))
    with pytest.raises(FacelabError, match=r"user_weights\.json.*[Dd]elete it"):
        UserFile.open(tmp_path / "f.pth")


def test_pins_that_cannot_be_written_are_an_error(tmp_path, home):
    home.touch()  # a file where the folder should be
    (tmp_path / "f.pth").write_bytes(saved(STATE))
    file = UserFile(tmp_path / "f.pth", "0" * 64, b"")
    with pytest.raises(FacelabError, match="FACELAB_HOME"):
        file.pin()


def test_two_that_change_the_same_file_take_turns(home):
    from concurrent.futures import ThreadPoolExecutor

    def add(number):
        kept.change("n.json", lambda content: content.update({str(number): number}))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(add, range(40)))
    assert len(kept.read("n.json")) == 40
    assert [path.name for path in home.iterdir() if re.search(r"\.new$", path.name)] == []
