"""A loss over classes whose weights lie in pieces: a piece in each process, and of each piece a sample.

The weights of a head grow with the number of people: 10⁶ classes of 512 numbers are 2 GB, their gradient and
the optimiser's memory as much again, and a batch of 64 has 64 million logits. So each process holds a block
of classes (model parallel), while the backbone is copied (data parallel):

    embeddings and labels of all processes   ──gather──►  each process: cosines with its own classes
    largest logit, sum of exponentials       ──reduce──►  the exact softmax over all classes
    gradient of the embeddings               ◄──reduce──  each process's share, back to whose photo it is

PartialFC (An et al., ICCVW 2021 and CVPR 2022) adds that a step needs the classes of its own batch and only a
sample of the others. There each process draws a fixed number; here each class is in with the same
probability, so that which ones are in depends on seed and step and not on how many processes there are.

The formulas are the hooks of `facelab.losses`, used as they are. With one process and no sampling this is the
ordinary head.
"""

import math
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn import functional as F

from facelab import losses
from facelab.losses.head import at_least_float32, check_batch, cosines, unit
from facelab.training.batches import generator

BLOCK = 8192
"""Classes that share a generator: first weights and samples are drawn block by block."""

UNFIT = {
    "GroupFace": "it makes the embedding itself, in layers beside the classes (lesson 04 trains it with fit)"
}
"""Heads that cannot be taken apart by classes, and why."""


def rank() -> int:
    return dist.get_rank() if dist.is_initialized() else 0


def world() -> int:
    return dist.get_world_size() if dist.is_initialized() else 1


def _sum(tensor: Tensor, how=dist.ReduceOp.SUM) -> Tensor:
    if world() > 1:
        dist.all_reduce(tensor, how)
    return tensor


def _interleaved(tensor: Tensor) -> Tensor:
    """(B, …) of each process → (B·world, …), in the order of the whole batch: row i of process r is row
    i·world + r there."""
    if world() == 1:
        return tensor
    parts = [torch.empty_like(tensor) for _ in range(world())]
    dist.all_gather(parts, tensor.contiguous())
    return torch.stack(parts, 1).flatten(0, 1)


class _Gather(torch.autograd.Function):
    """Embeddings of all processes. Backward: the gradients that all processes found for ours, added up, times
    the number of processes, because DistributedDataParallel will divide by it."""

    @staticmethod
    def forward(ctx, embeddings: Tensor) -> Tensor:
        return _interleaved(embeddings)

    @staticmethod
    def backward(ctx, gradient: Tensor) -> Tensor:
        return _sum(gradient.contiguous())[rank() :: world()] * world()


class _CrossEntropy(torch.autograd.Function):
    """The mean cross-entropy of logits (B, n) of which other processes hold the other columns. `column`
    (B,) is the target's column here, −1 where another process holds it."""

    @staticmethod
    def forward(ctx, logits: Tensor, column: Tensor) -> Tensor:
        here = column >= 0
        rows = here.nonzero().squeeze(1)
        highest = logits.amax(1) if logits.shape[1] else logits.new_full((len(logits),), -torch.inf)
        highest = _sum(highest, dist.ReduceOp.MAX)
        target = _sum(logits.new_zeros(len(logits)).index_copy(0, rows, logits[rows, column[rows]]))
        share = (logits - highest[:, None]).exp_()  # the one tensor of the size of the logits that is kept
        total = _sum(share.sum(1))
        share /= total[:, None]
        ctx.save_for_backward(share, rows, column)
        return (total.log() + highest - target).mean()

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, None]:
        share, rows, column = ctx.saved_tensors
        share[rows, column[rows]] -= 1
        return share.mul_(gradient / len(share)), None


class ShardedHead(nn.Module):
    """A head of `facelab.losses.HEADS` over all processes.

        loss = head(embeddings, labels, step)      # this process's rows, as many as every other's
        loss.backward()
        with head.rows_of(optimizer): optimizer.step()

    name, embedding_dim, num_classes, options   as in HEADS
    sample  probability for each class outside the batch to be in a step, 0 … 1; 1: all classes
    seed    of the first weights and of the samples

    The loss is the mean over the batch of all processes and the same in each. `weight` (n, D), or (n, K, D),
    holds this process's classes, from `start` on; `rows` is the parameter: the classes of the present step.
    The rows of classes that are not in a step do not move: their momentum and their decay wait with them.
    Softmax's bias (under AdamW) and AdaptiveFace's margins are not sampled and move in every step.

    Raises ValueError for a head that cannot be sharded, more processes than classes, and bad labels.
    """

    def __init__(
        self,
        name: str,
        embedding_dim: int,
        num_classes: int,
        *,
        sample: float = 1.0,
        seed: int = 0,
        **options: Any,
    ):
        super().__init__()
        if name in UNFIT:
            raise ValueError(f"{name} cannot be sharded: {UNFIT[name]}.")
        if options.get("hard_prototypes") is not None:
            raise ValueError("hard_prototypes compares weights of all processes: use sample= instead.")
        if not 0 < sample <= 1:
            raise ValueError(f"sample={sample}: a share of the classes, above 0 and at most 1.")
        each = math.ceil(num_classes / world())
        self.start = min(rank() * each, num_classes)
        count = min(each, num_classes - self.start)
        if count < 1:
            raise ValueError(f"{num_classes} classes do not fill {world()} processes: use fewer processes.")
        self.name, self.num_classes, self.sample, self.seed = name, num_classes, sample, seed
        with torch.device("meta"):  # the shape of its weights, without drawing them
            shape = losses.HEADS[name](embedding_dim, 3, **options).weight.shape[1:]
        with torch.random.fork_rng(devices=[]):
            head = losses.HEADS[name](embedding_dim, max(count, 3), **options)
        if isinstance(head, losses.AdaCos):
            head.s = torch.tensor(losses.fixed_scale(num_classes))
        for key in ("margins", "bias"):
            if isinstance(getattr(head, key, None), nn.Parameter):
                setattr(head, key, nn.Parameter(getattr(head, key).data[:count].clone()))
        head.num_classes = count
        del head.weight
        self.head = head
        self.count = count
        first = self._first_weights(count, shape)
        if sample < 1:
            self.register_buffer("stored", first)
        self.rows = nn.Parameter(first if sample == 1 else first[:0].clone())
        self.known = [self.rows]  # to the optimiser; a list, so that it is not taken for a second parameter
        self.waiting: dict[str, Tensor] = {}  # what the optimiser keeps for each class
        self.register_buffer("taken", torch.arange(count), persistent=False)

    @property
    def weight(self) -> Tensor:
        """(n, D) or (n, K, D): this process's classes, all of them."""
        return self.rows.data if self.sample == 1 else self.stored

    def _blocks(self, count: int):
        """(block, its first class, and which part of it is ours)."""
        for block in range(self.start // BLOCK, (self.start + count - 1) // BLOCK + 1):
            low, high = max(self.start, block * BLOCK), min(self.start + count, (block + 1) * BLOCK)
            yield (
                block,
                slice(low - block * BLOCK, high - block * BLOCK),
                slice(low - self.start, high - self.start),
            )

    def _first_weights(self, count: int, shape: torch.Size) -> Tensor:
        weight = torch.empty(count, *shape)
        for block, within, ours in self._blocks(count):
            size = min(BLOCK, self.num_classes - block * BLOCK)
            drawn = torch.randn(size, *shape, generator=generator(self.seed, 5, block))
            weight[ours] = unit(drawn[within])[0]
        return weight

    def _chosen(self, labels: Tensor, step: int) -> Tensor:
        """Places of this process's classes in this step, rising."""
        count = self.count
        inside = torch.zeros(count, dtype=torch.bool)
        for block, within, ours in self._blocks(count):
            size = min(BLOCK, self.num_classes - block * BLOCK)
            inside[ours] = (torch.rand(size, generator=generator(self.seed, 6, step, block)) < self.sample)[
                within
            ]
        here = labels - self.start
        inside[here[(here >= 0) & (here < count)].cpu()] = True
        return inside.nonzero().squeeze(1).to(labels.device)

    def forward(self, embeddings: Tensor, labels: Tensor, step: int = 0) -> Tensor:
        labels = check_batch(embeddings, labels, None, self.num_classes)
        labels, x = _interleaved(labels), _Gather.apply(embeddings)
        x = x.to(at_least_float32(x, self.weight))
        if self.sample < 1:
            self.taken = self._chosen(labels, step)
            self.rows = nn.Parameter(self.weight[self.taken])
        here = labels - self.start
        mine = (here >= 0) & (here < self.count)
        here = torch.where(mine, here, 0)
        column = torch.where(mine, torch.searchsorted(self.taken, here), -1)
        if isinstance(self.head, losses.Softmax):
            bias = None if self.head.bias is None else self.head.bias[self.taken].to(x.dtype)
            return _CrossEntropy.apply(F.linear(x, self.rows.to(x.dtype), bias), column)
        cos, norm = self._cosine(x)
        at = mine.nonzero().squeeze(1), column[mine]
        own = cos.new_zeros(len(x)).index_copy(0, at[0], cos[at])
        target_cos = own + (
            _sum(own.detach().clone()) - own.detach()
        )  # known to all, with a gradient for ours
        if self.training:
            with torch.no_grad():
                self._observe(cos, norm, target_cos, at)
        margin = self.head.sample_margin(target_cos, norm, here)
        target = self.head.target_logit(target_cos, margin)
        known = _sum(torch.where(mine, target, 0).detach())
        cos = self.head.other_logits(cos, known)
        cos[at] = target[mine].to(cos.dtype)
        return _CrossEntropy.apply(self.head.scaled(cos, norm), column) + self._penalty(norm)

    def _cosine(self, x: Tensor) -> tuple[Tensor, Tensor]:
        rows = self.rows
        if rows.ndim == 2:
            return cosines(x, rows)
        cos, norm = cosines(x, rows.flatten(0, 1))  # sub-centres: the nearest counts
        return cos.unflatten(1, rows.shape[:2]).max(dim=2).values, norm

    def _observe(self, cos: Tensor, norm: Tensor, target_cos: Tensor, at) -> None:
        if not (isinstance(self.head, losses.AdaCos) and self.head.dynamic):
            alone = torch.zeros(len(norm), dtype=torch.long, device=norm.device)
            self.head.observe(target_cos[:, None], norm, alone)  # all others ask for the target's cosine
            return
        others = (self.head.s * cos).index_put(at, cos.new_tensor(-torch.inf))
        highest = _sum(others.amax() if others.numel() else others.new_tensor(-torch.inf), dist.ReduceOp.MAX)
        summed = _sum((others - highest).exp().sum())
        classes = _sum(torch.tensor(float(len(self.taken)), device=cos.device))
        share = (self.num_classes - 1) / (classes - 1)  # a sample of the others stands for all of them
        log_b = summed.log() + highest - math.log(len(norm)) + share.log()
        s = log_b / target_cos.clamp(-1, 1).acos().median().clamp_max(math.pi / 4).cos()
        self.head.s = torch.where(log_b > 0, s, self.head.s).to(self.head.s.dtype)

    def _penalty(self, norm: Tensor) -> Tensor:
        """The head's own, once: its value in every process, its gradient in those whose weights it is
        about."""
        found = torch.as_tensor(self.head.penalty(norm), dtype=norm.dtype, device=norm.device)
        if isinstance(self.head, losses.AdaptiveFace):  # about margins, each process's mean over its own
            found = found * (self.count / self.num_classes)
        elif rank():
            found = found * 0.0
        return found + (_sum(found.detach().clone()) - found.detach())

    # --- the optimiser's side -------------------------------------------------------------------------------

    def rows_of(self, optimizer: torch.optim.Optimizer) -> "_Rows":
        """A block around `optimizer.step()`: the classes of this step bring along what was kept for them."""
        return _Rows(self, optimizer)

    # --- on its way to and from the disk --------------------------------------------------------------------

    def state(self, optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
        """Weights of all classes, buffers, and what the optimiser keeps for them, in process 0; {}
        elsewhere. It says nothing of processes: one may read what two wrote."""
        pieces = {"weight": self.weight, **{f"waiting.{k}": v for k, v in self.waiting.items()}}
        for name, parameter in self.head.named_parameters():
            pieces[f"head.{name}"] = parameter.data
            pieces |= {f"small.{name}.{k}": v for k, v in optimizer.state.get(parameter, {}).items()}
        whole = {f"head.{name}": buffer for name, buffer in self.head.named_buffers()}
        split = {name: t for name, t in pieces.items() if t.ndim}
        whole |= {name: t for name, t in pieces.items() if not t.ndim}
        split = {name: t.detach().cpu() for name, t in split.items()}
        if world() > 1:
            parts = [None] * world() if rank() == 0 else None
            dist.gather_object(split, parts)
            if parts is None:
                return {}
            split = {name: torch.cat([part[name] for part in parts]) for name in split}
        return split | whole

    def load_state(self, state: dict[str, Tensor], optimizer: torch.optim.Optimizer) -> None:
        ours = slice(self.start, self.start + self.count)
        state = {name: t[ours] if t.ndim else t for name, t in state.items()}
        device = self.weight.device
        self.weight.copy_(state["weight"])
        self.waiting = {
            name.removeprefix("waiting."): t.clone().to(device)
            for name, t in state.items()
            if name.startswith("waiting.")
        }
        if self.sample == 1 and self.waiting:
            optimizer.state[self.rows] = dict(self.waiting)
        for name, parameter in self.head.named_parameters():
            parameter.data.copy_(state[f"head.{name}"])
            kept = {
                k.removeprefix(f"small.{name}."): t
                for k, t in state.items()
                if k.startswith(f"small.{name}.")
            }
            if kept:
                optimizer.state[parameter] = {
                    k: t.clone().to(device if t.ndim else "cpu") for k, t in kept.items()
                }
        for name, buffer in self.head.named_buffers():
            buffer.copy_(state[f"head.{name}"])


class _Rows:
    """Hands an optimiser the rows of a step, and takes them back."""

    def __init__(self, head: ShardedHead, optimizer: torch.optim.Optimizer):
        self.head, self.optimizer = head, optimizer

    def __enter__(self) -> None:
        head, state = self.head, self.optimizer.state
        for group in self.optimizer.param_groups:
            group["params"] = [
                head.rows if weights is head.known[0] else weights for weights in group["params"]
            ]
        head.known = [head.rows]
        if head.sample < 1 and head.waiting:
            state[head.rows] = {k: t[head.taken] if t.ndim else t for k, t in head.waiting.items()}

    def __exit__(self, *error) -> None:
        head = self.head
        kept = {k: t for k, t in self.optimizer.state.get(head.rows, {}).items() if isinstance(t, Tensor)}
        if head.sample == 1:
            head.waiting = kept
            return
        if head.rows.grad is None:
            return
        head.weight[head.taken] = head.rows.data
        for name, tensor in kept.items():
            if not tensor.ndim:
                head.waiting[name] = tensor
                continue
            whole = head.waiting.setdefault(name, torch.zeros_like(head.weight))
            whole[head.taken] = tensor
        self.optimizer.state.pop(head.rows, None)
