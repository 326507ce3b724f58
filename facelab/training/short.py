"""One short training loop for every lesson: any backbone, any loss of `facelab.losses`, a class watching.

    with seeded(0):
        net, head = toy_net(64), losses.ArcFace(2, num_classes=10)
    history = fit(net, head, images, labels, epochs=20)
    history.snapshots[-1].embeddings            # (N, 2): where every sample ended up

Everything is seeded: the same call on the same device gives the same history. `Stop` ends a run after the
batch it is in, and what was learnt so far is kept.
"""

import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor, nn

from facelab import device as devices
from facelab.training.batches import shuffled_batches
from facelab.training.toys import seeded


@dataclass(frozen=True, eq=False)
class Snapshot:
    """Where training stood after an epoch (epoch 0: before the first step).

    embeddings  (N, D) float32: every sample through the network in evaluation mode
    weight      (C, D), or (C, K, D), float32: the class centres; None for a loss without any
    accuracy    share of samples whose nearest class is their own; NaN for a loss without classes
    """

    epoch: int
    embeddings: np.ndarray
    weight: np.ndarray | None
    accuracy: float


@dataclass
class History:
    """What happened in a run.

    loss       one number a step              snapshots  one an epoch, the start included
    seconds    how long it took               device     where
    stopped    whether it was ended early
    """

    loss: list[float] = field(default_factory=list)
    snapshots: list[Snapshot] = field(default_factory=list)
    seconds: float = 0.0
    device: str = ""
    stopped: bool = False


class Stop(threading.Event):
    """Pass one to `fit` and `.set()` it from elsewhere (a button): the run ends after its batch."""


def fit(
    backbone: nn.Module,
    loss: nn.Module,
    inputs: Tensor | np.ndarray,
    labels: Tensor | np.ndarray,
    *,
    epochs: int = 20,
    batch_size: int = 64,
    lr: float = 0.01,
    seed: int = 0,
    device: str | torch.device = "auto",
    batches: Callable[[int, torch.Generator], Iterable[Tensor]] | None = None,
    after_batch: Callable[[Tensor, Tensor], None] | None = None,
    on_epoch: Callable[[Snapshot, History], None] | None = None,
    keep: Tensor | np.ndarray | None = None,
    progress: bool | None = None,
    stop: Stop | None = None,
) -> History:
    """Train `backbone` and `loss` together by Adam whose learning rate falls along a cosine to zero.

    The papers train for days by SGD with a rate tuned for each loss; in the plane and in twenty epochs, Adam
    at its 0.01 brings every loss of this package to an end, so that they can be compared (notebook 03).

    inputs, labels  (N, …) float32 and (N,) integers
    lr              of the backbone and the loss's own weights alike, at the start
    batches         (epoch, generator) → index tensors; by default every sample once, shuffled
    after_batch     called with the batch's indices and its embeddings (detached), for samplers that adapt
    on_epoch        called with every snapshot, for animation
    keep            indices of the samples whose embeddings snapshots hold; None: all
    progress        a bar; None: only in a terminal or a notebook

    backbone and loss are trained in place, moved to the device, and left in evaluation mode.
    Raises ValueError when a loss is not finite: the learning rate is too high, or a margin cannot be met.
    """
    from tqdm.auto import tqdm

    device = devices.choose(device)
    backbone, loss = backbone.to(device), loss.to(device)
    inputs = torch.as_tensor(inputs, dtype=torch.float32).to(device)
    labels = torch.as_tensor(labels).long().to(device)
    generator = torch.Generator().manual_seed(seed)
    if batches is None:
        batches = lambda epoch, generator: shuffled_batches(len(inputs), batch_size, generator)  # noqa: E731
    optimizer = torch.optim.Adam([*backbone.parameters(), *loss.parameters()], lr)
    history = History(device=devices.describe(device))
    started = time.perf_counter()

    def look(epoch: int) -> None:
        snapshot = _snapshot(epoch, backbone, loss, inputs, labels, keep)
        history.snapshots.append(snapshot)
        if on_epoch is not None:
            on_epoch(snapshot, history)

    with seeded(seed):  # losses that draw (ElasticFace) draw the same each time
        look(0)
        bar = tqdm(range(1, epochs + 1), unit="epoch", disable=None if progress is None else not progress)
        for epoch in bar:
            backbone.train()
            loss.train()
            steps = list(batches(epoch, generator))
            for step, rows in enumerate(steps):
                for group in optimizer.param_groups:
                    done = (epoch - 1 + step / len(steps)) / epochs
                    group["lr"] = lr * (1 + np.cos(np.pi * done)) / 2
                embeddings = backbone(inputs[rows.to(device)])
                value = loss(embeddings, labels[rows.to(device)])
                optimizer.zero_grad()
                value.backward()
                optimizer.step()
                history.loss.append(float(value.detach()))
                if not np.isfinite(history.loss[-1]):
                    raise ValueError(
                        f"the loss is {history.loss[-1]} at epoch {epoch}, step {step}: take a lower lr than "
                        f"{lr}, or a smaller margin."
                    )
                if after_batch is not None:
                    after_batch(rows, embeddings.detach())
                if stop is not None and stop.is_set():
                    history.stopped = True
                    break
            look(epoch)
            bar.set_postfix(loss=f"{history.loss[-1]:.3f}", accuracy=f"{history.snapshots[-1].accuracy:.1%}")
            if history.stopped:
                break
        bar.close()
    history.seconds = time.perf_counter() - started
    return history


@torch.inference_mode()
def embeddings_of(backbone: nn.Module, inputs: Tensor | np.ndarray, batch_size: int = 1024) -> Tensor:
    """(N, …) → (N, D) on the network's device, in evaluation mode."""
    backbone.eval()
    device = next(backbone.parameters()).device
    inputs = torch.as_tensor(inputs, dtype=torch.float32)
    return torch.cat([backbone(some.to(device)) for some in inputs.split(batch_size)])


@torch.inference_mode()
def _snapshot(epoch, backbone, loss, inputs, labels, keep) -> Snapshot:
    loss.eval()
    embeddings = embeddings_of(backbone, inputs)
    accuracy, weight = float("nan"), getattr(loss, "weight", None)
    if hasattr(loss, "logits"):
        guesses = torch.cat([loss.logits(some).argmax(1) for some in embeddings.split(1024)])
        accuracy = float((guesses == labels).float().mean())
    if hasattr(loss, "embed"):  # GroupFace: the loss makes the final embedding
        embeddings = loss.embed(embeddings)
    if keep is not None:
        embeddings = embeddings[torch.as_tensor(keep, device=embeddings.device)]
    return Snapshot(
        epoch,
        embeddings.float().cpu().numpy(),
        None if weight is None else weight.detach().float().cpu().numpy().copy(),
        accuracy,
    )
