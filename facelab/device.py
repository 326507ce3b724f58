"""Which device the networks run on, and how to say so."""

import torch

from facelab.errors import DeviceError


def choose(device: str | torch.device = "auto") -> torch.device:
    """`"auto"` takes the GPU where there is one; "cpu", "cuda" and "cuda:1" must exist on this machine.

    Raises DeviceError when a device is named that this machine does not have, or on which facelab was never
    tried: a silent step down to the CPU would make every timing that follows a lie.
    """
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        chosen = torch.device(device)
    except (RuntimeError, TypeError) as error:
        raise DeviceError(f"device={device!r} is not a device name; use 'auto', 'cpu' or 'cuda'.") from error
    if chosen.type not in ("cpu", "cuda"):
        raise DeviceError(f"device={str(device)!r}: facelab runs on 'cpu' and 'cuda'. Use device='auto'.")
    if chosen.type == "cuda" and (chosen.index or 0) >= torch.cuda.device_count():
        raise DeviceError(
            f"device={str(device)!r}: torch {torch.__version__} sees {torch.cuda.device_count()} CUDA "
            "devices here. Use device='auto', or install the CUDA build of torch (README, 'GPU')."
        )
    return chosen


def describe(device: torch.device) -> str:
    """One line for people: `cpu (2 threads)` or `cuda:0 (NVIDIA H100, 79 GiB)`."""
    if device.type == "cuda":
        properties = torch.cuda.get_device_properties(device)
        return f"cuda:{device.index or 0} ({properties.name}, {properties.total_memory / 2**30:.0f} GiB)"
    return f"cpu ({torch.get_num_threads()} threads)"
