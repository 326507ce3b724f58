"""The door for weights that the user brings: a file → tensors by name, and its SHA-256.

    file = UserFile.open("backbone.pth")       # hashed, compared with the pin of that path
    tensors = file.tensors()                   # float32 arrays by name, as `facelab.weights.read` gives them
    file.pin()                                 # once the network has taken them: the hash holds from now on

Nobody publishes hashes of such files, so **the first use decides**: the hash is written down beside the path
(`user_weights.json` in facelab's home), and another file at the same path is refused until somebody says that
it was meant (`facelab weights trust FILE`). Pinning does not say that a file is good. It says that the file
is still the one of which you know what it does.

No file is ever allowed to run code. PyTorch's files are pickles, which can; so they go through `torch.load`
with `weights_only=True`, which builds tensors and plain containers and refuses all else. safetensors is a
table of contents and numbers, and ONNX a graph that onnxruntime runs.

    .pth .pt .ckpt    a state dict, or a checkpoint that holds one under `state_dict` (Lightning) or
                      `state_dict_backbone` (arcface_torch's training)
    .safetensors      the tensors
    .onnx             bytes; `facelab.embed.onnx_file` takes it from there
"""

import hashlib
import io
import os
import pickle
import re
import shlex
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from facelab import kept
from facelab.download import sha256_of
from facelab.errors import WeightsError

SUFFIXES = (".pth", ".pt", ".ckpt", ".safetensors", ".onnx")

TRAINED = "model.safetensors"
"""What `facelab train` calls its result."""

PINS = "user_weights.json"

_WRAPPED = ("state_dict", "state_dict_backbone")
"""Where checkpoints keep the network's tensors, beside the optimiser's and much else."""


def is_path(name: object) -> bool:
    """Does this name a file (or a folder that `facelab train` left), not one of facelab's own networks?"""
    return isinstance(name, os.PathLike) or (
        isinstance(name, str)
        and (
            name.lower().endswith(SUFFIXES)
            or os.sep in name
            or "/" in name
            or (Path(name) / TRAINED).is_file()
        )
    )


def resolve(path: str | os.PathLike) -> Path:
    """The file that is meant: of a folder that `facelab train` left, the weights in it.

    Raises WeightsError for a folder without any.
    """
    path = Path(path)
    if path.is_dir():
        if not (path / TRAINED).is_file():
            raise WeightsError(
                f"{path}: a folder without {TRAINED}. If a training run was stopped there, finish it with "
                "`facelab train … --resume`; else give a file of weights."
            )
        return path / TRAINED
    return path


@dataclass(frozen=True, eq=False)
class UserFile:
    """A file of weights, its bytes read once.

    path    as it was given
    sha256  64 hexadecimal digits
    """

    path: Path
    sha256: str
    content: bytes = field(repr=False)
    trusted: bool = field(default=False, repr=False)  # its hash was given, so nothing has to be pinned

    @classmethod
    def open(cls, path: str | os.PathLike, *, sha256: str | None = None) -> "UserFile":
        """Read and hash a file, and compare it with `sha256`, or else with the hash pinned for this path.

        Raises WeightsError, naming the file, when it cannot be read or is another than it was.
        """
        path = resolve(path)
        if path.suffix.lower() not in SUFFIXES:
            raise WeightsError(f"{path}: no kind of weights that facelab reads ({', '.join(SUFFIXES)}).")
        try:
            content = path.read_bytes()
        except FileNotFoundError as error:
            raise WeightsError(f"{path}: there is no such file.") from error
        except OSError as error:
            raise WeightsError(f"{path}: cannot be read: {error.strerror or error}.") from error
        found = hashlib.sha256(content).hexdigest()
        if sha256 is not None:
            wanted = sha256.strip().lower()
            if wanted != found:
                raise WeightsError(f"{path}: SHA-256 {found}, and {wanted} was asked for. Give another file.")
        elif (pinned := pinned_hash(path)) not in (None, found):
            raise WeightsError(
                f"{path}: is another file than when it was first used. SHA-256 then {pinned}, now {found}. "
                "If you changed it yourself and mean the new one, run: facelab weights trust "
                f"{shlex.quote(str(path))}"
            )
        return cls(path, found, content, trusted=sha256 is not None)

    def without_content(self) -> "UserFile":
        """Path and hash alone, to be kept beside what was built from the content."""
        return replace(self, content=b"")

    def tag(self, recipe: str) -> str:
        """A name for galleries and calibrations: the recipe and 16 digits of the hash."""
        return f"{recipe}-{self.sha256[:16]}"

    def tensors(self) -> dict[str, np.ndarray]:
        """The network's tensors by name, float32. Raises WeightsError for a damaged file, one that holds
        something else, or one that only code could unpack."""
        read = _safetensors if self.path.suffix.lower() == ".safetensors" else _pytorch
        arrays = {}
        for name, tensor in _without_wrapping(read(self)).items():
            if tensor.is_floating_point():  # the rest are counters, which no forward pass needs
                if not bool(torch.isfinite(tensor).all()):
                    raise WeightsError(f"{self.path}: damaged, {name} holds NaN or infinity.")
                arrays[name] = tensor.detach().to(torch.float32).numpy()
        if not arrays:
            raise WeightsError(f"{self.path}: holds no tensors of numbers.")
        return arrays

    def pin(self) -> None:
        """From now on only this content is accepted at this path. Says so, the first time.

        With `sha256=` given there is nothing to pin: whoever gives it holds the file to it each time.
        Raises FacelabError where the pin cannot be written.
        """
        if self.trusted or pinned_hash(self.path) == self.sha256:
            return
        kept.change(PINS, lambda pins: pins.update({_key(self.path): self.sha256}))
        warnings.warn(
            f"{self.path}: first use, SHA-256 {self.sha256}. It is pinned in {kept.place(PINS)}: another "
            "file at this path will be refused.",
            stacklevel=2,
        )


def pinned_hash(path: str | os.PathLike) -> str | None:
    """The SHA-256 that a path is held to, or None."""
    return kept.read(PINS).get(_key(path))


def find(name: str) -> Path | None:
    """The pinned file of a name such as `iresnet50-4be72a09c13fd586` (`UserFile.tag`); None: none is left."""
    digits = name.rpartition("-")[2]
    if not re.fullmatch("[0-9a-f]{16}", digits):
        return None
    paths = (Path(path) for path, sha256 in kept.read(PINS).items() if sha256.startswith(digits))
    return next((path for path in paths if path.is_file()), None)


def trust(path: str | os.PathLike) -> tuple[str | None, str]:
    """Hold a path to what lies there now → the SHA-256 before (None: it was not pinned) and now."""
    before = pinned_hash(path)
    now = sha256_of(path)
    kept.change(PINS, lambda pins: pins.update({_key(path): now}))
    return before, now


def _key(path: str | os.PathLike) -> str:
    return str(Path(path).resolve())


# ---------------------------------------------------------------------- what lies in the files


def _pytorch(file: UserFile) -> Mapping[str, Tensor]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # whatever it warns of ends in an error below, or is read
            found = torch.load(io.BytesIO(file.content), map_location="cpu", weights_only=True)
    except Exception as error:
        raise WeightsError(f"{file.path}: {_why_not(file.content, error)}") from error
    for key in _WRAPPED:
        if isinstance(found, dict) and isinstance(found.get(key), Mapping):
            found = found[key]
    if not (isinstance(found, Mapping) and found and all(isinstance(t, Tensor) for t in found.values())):
        raise WeightsError(
            f"{file.path}: holds no state dict (tensors by name), and none under "
            f"{' or '.join(_WRAPPED)}. Save one with torch.save(network.state_dict(), FILE)."
        )
    return found


def _why_not(content: bytes, error: Exception) -> str:
    """What keeps a file from being PyTorch's, and what to do."""
    start = content[:256].lstrip().lower()
    if not content:
        return "is empty. Fetch it again."
    if start.startswith(b"<"):
        return (
            "is a web page, not weights: what was saved is the page around the download. Fetch the file "
            "itself."
        )
    if start.startswith(b"version https://git-lfs"):
        return "is Git LFS's pointer to the weights, not the weights. Run `git lfs pull` where it came from."
    if named := re.search(r"GLOBAL ([\w.]+)", str(error)):
        return (
            f"refused: to unpack it, code that the file names ({named[1]}) would have to run, and a file of "
            "weights has no need of that. Where you trust its source, save the tensors alone, on a machine "
            'that may be harmed: torch.save(torch.load(FILE, weights_only=False)["state_dict"], NEW), or as '
            "safetensors."
        )
    if "TorchScript" in str(error):
        return (
            "is a TorchScript archive, which is code with weights. Save its tensors: "
            "torch.save(torch.jit.load(FILE).state_dict(), NEW)."
        )
    if start.startswith(b"\x80") and isinstance(error, pickle.UnpicklingError):
        return "refused: a Python pickle that torch.save did not write. Save the tensors as safetensors."
    return "damaged, cut short, or no file of weights. Fetch it again."


def _safetensors(file: UserFile) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load

    try:
        return load(file.content)
    except (SafetensorError, ValueError, KeyError, RuntimeError) as error:
        why = _why_not(file.content, error)
        raise WeightsError(f"{file.path}: is not safetensors ({error}): {why}") from error


def _without_wrapping(tensors: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    """The names that the network itself gives: without DataParallel's `module.`, and of a Lightning
    checkpoint (`model.…`, and the training's `head.…`) the model's."""
    if all(name.startswith("module.") for name in tensors):
        tensors = {name.removeprefix("module."): tensor for name, tensor in tensors.items()}
    model = {name.removeprefix("model."): t for name, t in tensors.items() if name.startswith("model.")}
    if model and all(name.startswith(("model.", "head.")) for name in tensors):
        return model
    return tensors
