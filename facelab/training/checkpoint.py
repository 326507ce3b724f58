"""Where a run stands, in one file: the numbers as safetensors, what they mean in its header.

    net.…  ema.…  head.…     weights and buffers by name
    optim.<n>.<name>         what the optimiser keeps for its nth weight (momentum, second moments)
    header                   step, recipe, hash of the data, people kept back, facelab's version

One file and one rename: a run that is ended at any instant leaves the old state or the new one, never a pair
that does not fit together. Nothing random is kept, because all that is drawn depends on seed and step.
"""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from facelab.errors import FacelabError, WeightsError
from facelab.kept import write_atomically
from facelab.training.card import MODEL

FILE = "checkpoint.safetensors"


def make_folder(folder: Path, resume: bool) -> None:
    """Raises FacelabError for a folder that cannot be written to, or that holds a run which is not to go
    on."""
    there = (folder / FILE).is_file() or (folder / MODEL).is_file()
    if there and not resume:
        raise FacelabError(
            f"{folder}: holds a run already. Go on with it (--resume, resume=True), or give another folder."
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FacelabError(f"{folder}: cannot be made ({error.strerror or error}).") from error
    if not os.access(folder, os.W_OK):
        raise FacelabError(f"{folder}: cannot be written to. Check its permissions, or give another folder.")


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """tensors by name, as above; told: the header."""

    tensors: dict[str, Tensor]
    told: dict[str, Any]

    def part(self, name: str) -> dict[str, Tensor]:
        """The tensors under `name.`, by what follows."""
        return {
            key.removeprefix(f"{name}."): value
            for key, value in self.tensors.items()
            if key.startswith(f"{name}.")
        }

    def into_optimizer(self, optimizer: torch.optim.Optimizer) -> None:
        state: dict[int, dict[str, Tensor]] = {}
        for key, tensor in self.part("optim").items():
            number, _, name = key.partition(".")
            state.setdefault(int(number), {})[name] = tensor
        optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})


def save(folder: Path, modules: dict[str, dict[str, Tensor]], optimizer_state: dict, told: dict) -> None:
    """modules: state dicts by part. Raises OSError; the checkpoint from before then stays as it is."""
    from safetensors.torch import save as to_bytes

    tensors = {f"{part}.{name}": t for part, state in modules.items() for name, t in state.items()}
    for number, state in optimizer_state["state"].items():
        tensors |= {f"optim.{number}.{name}": t for name, t in state.items() if isinstance(t, Tensor)}
    tensors = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
    try:
        write_atomically(folder / FILE, to_bytes(tensors, {"facelab": json.dumps(told)}))
    except OSError:
        (folder / f"{FILE}.new").unlink(missing_ok=True)  # on a full disk half of it lies there
        raise


def read(folder: Path) -> Checkpoint:
    """Raises WeightsError when there is none, or it is damaged."""
    from safetensors import SafetensorError, safe_open

    path = folder / FILE
    if not path.is_file():
        raise WeightsError(f"{path}: there is no checkpoint to go on from. Begin without --resume.")
    try:
        with safe_open(path, "pt") as file:
            told = json.loads(file.metadata()["facelab"])
            return Checkpoint({name: file.get_tensor(name) for name in file.keys()}, told)  # noqa: SIM118
    except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
        raise WeightsError(
            f"{path}: damaged ({error}). Delete {os.fspath(folder)} and begin again."
        ) from error
