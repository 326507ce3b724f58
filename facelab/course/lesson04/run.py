"""One short training run: what every experiment of lesson 04 repeats."""

from collections.abc import Callable

from torch import Tensor, nn

from facelab import training
from facelab.course.widgets.fan import one_thread
from facelab.losses import MarginHead

DIM = 16  # of the embeddings
RATE = 0.01


def train(
    head_of: Callable[[], MarginHead],
    inputs: Tensor,
    labels: Tensor,
    seed: int,
    *,
    epochs: int = 10,
    neck: bool = False,
    each_step: Callable[[MarginHead, Tensor, Tensor], None] | None = None,
    each_epoch: Callable[[nn.Module, MarginHead], None] | None = None,
) -> tuple[nn.Module, MarginHead, training.History]:
    """A small net and the head that `head_of` builds, started by the seed, trained by `training.fit`.

    neck        whether the net ends in a batch norm, as networks for face recognition do (slides, page 15)
    each_step   called with the head, the embeddings and the labels of each batch
    each_epoch  called with the net and the head after each epoch, and before the first
    """
    with one_thread():
        with training.seeded(seed):
            net = training.toy_net(inputs[0].numel(), DIM, neck=neck)
            head = head_of()
        history = training.fit(
            net,
            head,
            inputs,
            labels,
            epochs=epochs,
            lr=RATE,
            seed=seed,
            device="cpu",
            keep=[0],
            progress=False,
            after_batch=None if each_step is None else lambda rows, x: each_step(head, x, labels[rows]),
            on_epoch=None if each_epoch is None else lambda snapshot, history: each_epoch(net, head),
        )
    return net, head, history
