"""Names for what users bring: a gallery is bound to them, so two trainings must not share one."""

import hashlib
from collections.abc import Callable

import torch
from torch import Tensor, nn


def digest(network: nn.Module) -> str:
    """SHA-256 over a network's weights and buffers, with their names: 64 hexadecimal digits."""
    found = hashlib.sha256()
    for name, tensor in network.state_dict().items():
        found.update(name.encode())
        if isinstance(tensor, Tensor):
            raw = tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8)
            found.update(f"{tensor.dtype}{tuple(tensor.shape)}".encode())
            found.update(raw.numpy().tobytes())
    return found.hexdigest()


def name_of(call: Callable) -> str:
    """What an embedder or detector of the user's own is called. Raises ValueError for an unusable name."""
    name = getattr(call, "name", None) or getattr(call, "__name__", None)
    if name is None and isinstance(call, nn.Module):
        name = f"{type(call).__name__}-{digest(call)[:8]}"
    return checked_name(str(name or type(call).__name__))


def checked_name(name: str) -> str:
    """The name again. A gallery keeps it as a part of `detector+crop+embedder`."""
    if not (0 < len(name) <= 60 and name.isprintable()) or "+" in name:
        raise ValueError(f"name={name!r}: 1 to 60 printable characters, none of them a plus sign.")
    return name
