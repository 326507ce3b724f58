"""What `test_training_sharded.py` starts twice: a small backbone under DistributedDataParallel, every head.

python two_processes.py STORE RANK WORLD OUT        the results of rank 0 go to OUT
"""

import sys
from datetime import timedelta

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from facelab import losses
from facelab.training.processes import clip
from facelab.training.sharded import UNFIT, ShardedHead

CLASSES, DIM, BATCH, STEPS = 37, 6, 12, 8
HEADS = [name for name in losses.HEADS if name not in UNFIT]
OPTIMIZERS = {
    "sgd": lambda weights: torch.optim.SGD(weights, 0.05, momentum=0.9, weight_decay=0.01),
    "adamw": lambda weights: torch.optim.AdamW(weights, 0.01, weight_decay=0.01),
}


def data():
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(CLASSES, (STEPS, BATCH), generator=generator)
    return torch.randn(STEPS, BATCH, 10, generator=generator, dtype=torch.float64), labels


def backbone() -> nn.Module:
    """Without a batch norm: its statistics are each process's own."""
    torch.manual_seed(1)
    return nn.Sequential(nn.Linear(10, 16), nn.PReLU(), nn.Linear(16, DIM)).double()


def run(name: str, sample: float, kind: str, rank: int, world: int) -> dict:
    inputs, labels = data()
    net = backbone()
    called = DistributedDataParallel(net) if world > 1 else net
    head = ShardedHead(name, DIM, CLASSES, sample=sample, seed=3).double()
    one, other = OPTIMIZERS[kind](net.parameters()), OPTIMIZERS[kind](head.parameters())
    curve = []
    for step in range(STEPS):
        torch.manual_seed(100 + step)  # margins that are drawn
        loss = head(called(inputs[step, rank::world]), labels[step, rank::world], step)
        one.zero_grad(), other.zero_grad()
        loss.backward()
        norm = clip(net, head, 5.0)
        with head.rows_of(other):
            one.step(), other.step()
        curve += [float(loss.detach()), float(norm)]
    state = head.state(other)
    return {"curve": curve, "net": net.state_dict(), "head": state}


def everything(rank: int, world: int) -> dict:
    runs = [(name, sample, "sgd") for name in HEADS for sample in (1.0, 0.3)]
    runs += [("ArcFace", 0.3, "adamw"), ("SubCenterArcFace", 1.0, "adamw")]
    return {one: run(*one, rank, world) for one in runs}


if __name__ == "__main__":
    store, rank, world, out = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
    dist.init_process_group(
        "gloo", f"file://{store}", timeout=timedelta(seconds=60), rank=rank, world_size=world
    )
    found = everything(rank, world)
    if rank == 0:
        torch.save(found, out)
    dist.destroy_process_group()
