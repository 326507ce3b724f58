"""Losses that add centres or groups: Sub-centre ArcFace, GroupFace."""

import torch
from torch import Tensor

from facelab import losses, training
from facelab.course.lesson04.data import digits, mislabel, sample
from facelab.course.lesson04.measures import (
    accuracy,
    own_angle,
)
from facelab.course.lesson04.run import DIM, train


def noisy_labels(seed: int, data: str = "faces", share: float = 0.25, K: int = 3, epochs: int = 6) -> dict:
    """Claim: falsely labelled samples gather at non-dominant centres; without them one learns better.

    angle, wrong      (N,) degrees to the dominant centre of the label's class; whether the label is false
    centres left empty    share of all K·C centres at which no sample lies
    aside, false      share of falsely labelled samples that lie nearest to a non-dominant centre
    aside, true       the same for correctly labelled ones
    flagged, false    share of falsely labelled samples further than 75° from the dominant centre
    flagged, true     the same for correctly labelled ones
    told apart, …     how often a falsely labelled sample lies further from its (dominant) centre than a
                      correctly labelled one does: 0.5 is chance, 1 perfect. ArcFace is the control
    ArcFace, sub-centre, ArcFace cleaned    accuracy on unseen samples: trained on everything (twice), and
                      anew without what was flagged
    """
    inputs, labels, held, held_labels = sample(data, seed)
    classes = int(labels.max()) + 1
    labels, wrong = mislabel(labels, share, seed)
    net, head, _ = train(
        lambda: losses.SubCenterArcFace(DIM, classes, K=K), inputs, labels, seed, epochs=epochs
    )
    x = training.embeddings_of(net, inputs)
    counts = head.count(x, labels)
    cos = head.own_cosines(x, labels)  # (N, K)
    dominant = counts.argmax(dim=1)[labels]
    aside, flagged = cos.argmax(dim=1) != dominant, ~head.clean(x, labels, counts)
    angle = cos.gather(1, dominant.unsqueeze(1)).squeeze(1).clamp(-1, 1).acos()
    arcface = lambda: losses.ArcFace(DIM, classes)  # noqa: E731
    plain = train(arcface, inputs, labels, seed, epochs=epochs)
    plain_angle = own_angle(plain[1], training.embeddings_of(plain[0], inputs), labels)
    clean = train(arcface, inputs[~flagged], labels[~flagged], seed, epochs=epochs)
    return {
        "angle": torch.rad2deg(angle).numpy(),
        "wrong": wrong.numpy(),
        "centres left empty": float((counts == 0).float().mean()),
        "aside, false": float(aside[wrong].float().mean()),
        "aside, true": float(aside[~wrong].float().mean()),
        "flagged, false": float(flagged[wrong].float().mean()),
        "flagged, true": float(flagged[~wrong].float().mean()),
        "told apart, sub-centre": _how_often_larger(angle[wrong], angle[~wrong]),
        "told apart, ArcFace": _how_often_larger(plain_angle[wrong], plain_angle[~wrong]),
        "ArcFace": accuracy(*plain[:2], held, held_labels),
        "sub-centre": accuracy(net, head, held, held_labels),
        "ArcFace, cleaned": accuracy(*clean[:2], held, held_labels),
    }


def _how_often_larger(a: Tensor, b: Tensor) -> float:
    """Share of all pairs in which the one of `a` is larger: the area under the ROC curve."""
    return float((a.unsqueeze(1) > b).float().mean())


class GreedyGroups(losses.GroupFace):
    """GroupFace without the self-distribution: the group label is simply the most probable group."""

    def self_label(self, group_logits: Tensor) -> Tensor:
        return group_logits.argmax(dim=1)


def group_shares(seed: int, K: int = 4) -> dict:
    """Claim: labels relative to the average, argmax (p − E[p]), keep one group from swallowing everybody.

    The share of unseen digits that falls into the largest of K groups (1/K would be perfect balance), with
    self-distributed labels and with greedy ones, for λ = 0.1 (the paper's) and 1; and accuracies.
    """
    inputs, labels, held, held_labels = digits(seed)
    found = {}
    for lambda_g in (0.1, 1.0):
        for name, kind in (("self-distributed", losses.GroupFace), ("greedy", GreedyGroups)):
            head_of = lambda: kind(DIM, 10, K=K, hidden=32, lambda_g=lambda_g)  # noqa: B023, E731
            net, head, _ = train(head_of, inputs, labels, seed)
            with torch.inference_mode():
                logits = head.embed_and_group(training.embeddings_of(net, held))[1]
            shares = logits.argmax(dim=1).bincount(minlength=K) / len(logits)
            found[f"largest group, {name}, λ = {lambda_g:g}"] = float(shares.max())
            if lambda_g == 0.1 and kind is losses.GroupFace:
                found["accuracy, GroupFace"] = accuracy(net, head, held, held_labels)
    net, head, _ = train(lambda: losses.ArcFace(DIM, 10), inputs, labels, seed)
    return found | {"accuracy, ArcFace": accuracy(net, head, held, held_labels)}
