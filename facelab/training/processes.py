"""One process or several: what the loop asks of the others.

The engine is torch's own: `torchrun` starts the processes, DistributedDataParallel averages the backbone's
gradients. A framework on top (Lightning Fabric, say) would do the same two things and be one more to know;
what is particular to faces, the sharded classes, none of them has.

    torchrun --nproc-per-node=2 -m facelab.cli train people/ out/

Each process sees every nth photo of a batch. Batch norms take their statistics from their own share, as is
usual.
"""

import os
from datetime import timedelta

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from facelab import device as devices
from facelab.training.sharded import rank, world

__all__ = ["anybody", "averaged", "clip", "device", "join", "leave", "rank", "wait", "world"]


def join() -> None:
    """Meet the others that torchrun started. Without torchrun there are none."""
    if int(os.environ.get("WORLD_SIZE", "1")) > 1 and not dist.is_initialized():
        if torch.cuda.is_available():
            torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
        # torch gives up after 10 to 30 minutes; the others wait for hours while one process cuts faces out
        dist.init_process_group("nccl" if torch.cuda.is_available() else "gloo", timeout=timedelta(days=7))


def leave() -> None:
    if dist.is_initialized():
        dist.destroy_process_group()


def wait() -> None:
    """Until all are here."""
    if world() > 1:
        dist.barrier()


def device(wanted: str | torch.device) -> torch.device:
    """`facelab.device.choose`; of several GPUs each process its own."""
    chosen = devices.choose(wanted)
    if world() > 1 and chosen.type == "cuda" and chosen.index is None:
        return torch.device("cuda", torch.cuda.current_device())
    return chosen


def anybody(flag: bool, where: torch.device) -> bool:
    """Does any process say yes? All get the same answer."""
    if world() == 1:
        return flag
    answer = torch.tensor(int(flag), device=where)
    dist.all_reduce(answer, dist.ReduceOp.MAX)
    return bool(answer)


def averaged(net: nn.Module) -> nn.Module:
    """The net, with gradients averaged over processes."""
    return DistributedDataParallel(net) if world() > 1 else net


def clip(net: nn.Module, head: nn.Module | None, limit: float) -> Tensor:
    """Bring the whole gradient's norm down to `limit` (0: leave it) → the norm that it had.

    The backbone's gradient is the same in all processes, the head's is in pieces.
    """
    shared = [p.grad for p in net.parameters() if p.grad is not None]
    pieces = [p.grad for p in head.parameters() if p.grad is not None] if head is not None else []
    squares = nn.utils.get_total_norm(pieces).square() if pieces else torch.zeros((), device=shared[0].device)
    if world() > 1:
        dist.all_reduce(squares)
    norm = (nn.utils.get_total_norm(shared).square() + squares).sqrt()
    if limit:
        torch._foreach_mul_([*shared, *pieces], (limit / (norm + 1e-6)).clamp(max=1.0))
    return norm
