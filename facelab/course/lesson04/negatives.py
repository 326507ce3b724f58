"""Losses that weigh hard negatives: MV-Softmax, CurricularFace."""

from collections.abc import Sequence

import numpy as np
import torch

from facelab import losses
from facelab.course.lesson04.data import digits
from facelab.course.lesson04.measures import (
    accuracy,
    own_and_others,
)
from facelab.course.lesson04.run import DIM, train


def hard_weights(seed: int, ts: Sequence[float] = (1.0, 1.2, 1.4, 2.0, 4.0)) -> dict:
    """Claim: t = 1.2 helps, and beyond 1.4 training hardly converges.

    For each t:   learnt   accuracy on the digits trained on      held   on unseen ones
                  hard     share of the last epoch's samples that have a hard negative
    """
    inputs, labels, held, held_labels = digits(seed)
    found = {"learnt": [], "held": [], "hard": []}
    for t in ts:
        share = []

        def look(head, x, y, share=share):
            share.append(float(own_and_others(head, x, y)[2].any(dim=1).float().mean()))

        head_of = lambda t=t: losses.MVSoftmax(DIM, 10, t=t)  # noqa: E731
        net, head, history = train(head_of, inputs, labels, seed, each_step=look)
        found["learnt"].append(history.snapshots[-1].accuracy)
        found["held"].append(accuracy(net, head, held, held_labels))
        found["hard"].append(float(np.mean(share[-10:])))
    return found


def curriculum(seed: int) -> dict:
    """Claim: t grows with the network's success, so hard negatives count for little first, later for more.

    t       (epochs,) at the end of each epoch
    hard    (epochs,) share of samples with a hard negative
    weight  (epochs,) mean of t + cos θ_j over the hard negatives, NaN where there was none
    CurricularFace, ArcFace    accuracy on unseen digits
    """
    inputs, labels, held, held_labels = digits(seed)
    t, hard, weight, steps = [], [], [], []

    def look(head, x, y):
        _, cos, is_hard = own_and_others(head, x, y)
        steps.append((float(is_hard.any(dim=1).float().mean()), (head.t + cos)[is_hard]))

    def close(net, head):
        if steps:  # not before the first epoch
            shares, weights = zip(*steps, strict=True)
            t.append(float(head.t))
            hard.append(float(np.mean(shares)))
            weight.append(float(torch.cat(weights).mean()))
            steps.clear()

    net, head, _ = train(
        lambda: losses.CurricularFace(DIM, 10),
        inputs,
        labels,
        seed,
        epochs=16,
        each_step=look,
        each_epoch=close,
    )
    other, arcface, _ = train(lambda: losses.ArcFace(DIM, 10), inputs, labels, seed, epochs=16)
    return {
        "t": t,
        "hard": hard,
        "weight": weight,
        "CurricularFace": accuracy(net, head, held, held_labels),
        "ArcFace": accuracy(other, arcface, held, held_labels),
    }
