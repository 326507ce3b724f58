"""Tensors of a file into a network, by name, with nothing left over and nothing left out."""

from collections.abc import Mapping

import numpy as np
import torch
from torch import nn

from facelab.errors import WeightsError

COUNTER = "num_batches_tracked"  # a training counter of batch norms; no forward pass needs it


def load_by_name(
    net: nn.Module, tensors: Mapping[str, np.ndarray], what: str, names: Mapping[str, str] | None = None
) -> None:
    """Copy `tensors` into the parameters and buffers of `net`.

    what   the name of the weights, for messages
    names  {name in the net: name in the file}; without it the two are the same

    Raises WeightsError, naming the tensor, when one is missing, unknown to the net, or of another shape.
    """
    slots = {name: slot for name, slot in net.state_dict().items() if not name.endswith(COUNTER)}
    in_file = {name: names[name] if names else name for name in slots}
    tensors = {name: tensor for name, tensor in tensors.items() if not name.endswith(COUNTER)}

    missing = sorted(set(in_file.values()) - set(tensors))
    unknown = sorted(set(tensors) - set(in_file.values()))
    if missing or unknown:
        raise WeightsError(
            f"the weights {what!r} are another network's: "
            + "; ".join(
                f"{len(found)} tensors {problem}, the first is {' then '.join(found[:3])}"
                for problem, found in (("missing", missing), ("too many", unknown))
                if found
            )
            + f". Expected are {len(slots)} tensors."
        )
    for name, slot in slots.items():
        tensor = torch.from_numpy(np.ascontiguousarray(tensors[in_file[name]]))
        if tensor.shape != slot.shape:
            raise WeightsError(
                f"the weights {what!r} are another network's: {in_file[name]} should be {tuple(slot.shape)} "
                f"and is {tuple(tensor.shape)}."
            )
        slot.copy_(tensor)
