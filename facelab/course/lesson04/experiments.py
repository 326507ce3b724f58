"""The experiments of lesson 04, one for each loss: train, look, and compare with a control."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from facelab import losses, training
from facelab.course.lesson04.common import (
    DIM,
    accuracy,
    degrade,
    digits,
    lengths,
    mislabel,
    own_and_others,
    own_angle,
    rank_correlation,
    right,
    sample,
    train,
)
from facelab.losses import MarginHead

# ---- AdaptiveFace: margins of small and large classes ------------------------------------------------------

SIZES = (4, 8, 16, 32)


def class_margins(seed: int, data: str = "faces") -> dict:
    """Claim: a class with few samples learns a larger margin, and that helps it.

    Classes get 4, 8, 16 or 32 samples by lot, so that size says nothing else about a class.

    margins            (4,) mean learnt margin of the classes of each size
    ρ size, margin     rank correlation over all classes
    AdaptiveFace, few  accuracy on unseen samples of the classes with 4 and 8 samples
    CosFace, few       the same for CosFace whose one margin is AdaptiveFace's mean
    """
    inputs, labels, held, held_labels = sample(data, seed)
    classes = int(labels.max()) + 1
    lot = torch.from_numpy(np.random.default_rng(seed).permutation(classes))
    size = torch.tensor(SIZES)[lot % len(SIZES)]  # (C,)
    rows = torch.cat([torch.nonzero(labels == k).squeeze(1)[: size[k]] for k in range(classes)])
    inputs, labels = inputs[rows], labels[rows]
    net, head, _ = train(
        lambda: losses.AdaptiveFace(DIM, classes, lambda_m=5.0), inputs, labels, seed, epochs=20
    )
    margins = head.margins.detach().clamp(0, 1)
    mean = float(margins.mean())
    other, cosface, _ = train(
        lambda: losses.CosFace(DIM, classes, s=30, m=mean), inputs, labels, seed, epochs=20
    )
    few = size[held_labels] <= 8
    return {
        "margins": [float(margins[size == some].mean()) for some in SIZES],
        "ρ size, margin": _correlation_with_ties(size, margins),
        "AdaptiveFace, few": float(right(net, head, held, held_labels)[few].float().mean()),
        "CosFace, few": float(right(other, cosface, held, held_labels)[few].float().mean()),
    }


def _correlation_with_ties(a, b) -> float:
    from scipy.stats import spearmanr

    return float(spearmanr(a, b).statistic)


# ---- AdaCos: the scale -------------------------------------------------------------------------------------


def scales(seed: int, fixed: Sequence[float] = (1, 64)) -> dict:
    """Claim: a scale computed from the data does as well as one found by trying, and it falls as angles do.

    s        (steps,) the dynamic scale after each step     θ   (steps,) median θ_y of each batch, degrees
    AdaCos   accuracy on unseen digits, and the same for AdaCos with its fixed scale, and for plain
             softmax over s·cos θ with each s in `fixed`
    """
    inputs, labels, held, held_labels = digits(seed)
    scale, theta = [], []

    def look(head, x, y):
        scale.append(float(head.s))
        theta.append(float(own_angle(head, x, y).median()))

    net, head, _ = train(lambda: losses.AdaCos(DIM, 10), inputs, labels, seed, each_step=look)
    found = {"s": scale, "θ": theta, "AdaCos": accuracy(net, head, held, held_labels)}
    heads = {"AdaCos, fixed": lambda: losses.AdaCos(DIM, 10, dynamic=False)}
    heads |= {f"s = {s}": lambda s=s: MarginHead(DIM, 10, s=s) for s in fixed}
    for name, head_of in heads.items():
        net, head, _ = train(head_of, inputs, labels, seed)
        found[name] = accuracy(net, head, held, held_labels)
    return found


# ---- MV-Softmax: t too large -------------------------------------------------------------------------------


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


# ---- CurricularFace: t over training -----------------------------------------------------------------------


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


# ---- GroupFace: are the groups balanced? -------------------------------------------------------------------


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


# ---- Sub-centre ArcFace: false labels ----------------------------------------------------------------------


def noisy_labels(seed: int, data: str = "faces", share: float = 0.25, K: int = 3, epochs: int = 6) -> dict:
    """Claim: falsely labelled samples gather at non-dominant centres; without them one learns better.

    angle, wrong      (N,) degrees to the dominant centre of the label's class; whether the label is false
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


# ---- MagFace (and AdaFace): does the length tell the quality? ----------------------------------------------

LENGTHS = (1.0, 21.0)  # l_a, u_a: the range of the lengths that this small net produces


def magface(classes: int = 10) -> losses.MagFace:
    """MagFace for short embeddings: [l_a, u_a] moved, λ_g as far above its bound as the paper's 35."""
    head = losses.MagFace(DIM, classes, l_a=LENGTHS[0], u_a=LENGTHS[1])
    head.lambda_g = 35 / losses.MagFace(DIM, classes).lambda_g_bound * head.lambda_g_bound
    return head


def adaface(classes: int = 10) -> losses.AdaFace:
    """AdaFace whose running statistics settle within some 30 steps instead of 300: lessons are short."""
    return losses.AdaFace(DIM, classes, t_alpha=0.1)


def quality(seed: int, kind: str = "blur", neck: bool = False) -> dict:
    """Claim: ‖x‖ falls as the image gets worse. All heads see the same digits, each degraded by chance.

    For plain softmax, ArcFace, MagFace, AdaFace:
    ρ …            rank correlation of ‖x‖ and strength on unseen digits: −1 would be a perfect measure
    long half, …   accuracy on the half with the longest ‖x‖      all, …   on all
    lengths        (4 heads, 4) mean ‖x‖ in each quarter of the strength, from good to bad, over the first's
    """
    inputs, labels, held, held_labels = digits(seed)
    random = np.random.default_rng(seed)
    strength, held_strength = (
        torch.from_numpy(random.random(len(some), dtype=np.float32)) for some in (inputs, held)
    )
    inputs = degrade(inputs, strength, kind, seed)
    held = degrade(held, held_strength, kind, seed + 1000)
    heads = {
        "softmax": lambda: losses.Softmax(DIM, 10),
        "ArcFace": lambda: losses.ArcFace(DIM, 10),
        "MagFace": magface,
        "AdaFace": adaface,
    }
    found: dict = {"lengths": []}
    quarter = (held_strength * 4).long().clamp_max(3)
    for name, head_of in heads.items():
        net, head, _ = train(head_of, inputs, labels, seed, neck=neck)
        norm, ok = lengths(net, held), right(net, head, held, held_labels).float()
        long = norm.argsort(descending=True)[: len(norm) // 2]
        found[f"ρ {name}"] = rank_correlation(norm, held_strength)
        found[f"all, {name}"] = float(ok.mean())
        found[f"long half, {name}"] = float(ok[long].mean())
        means = torch.stack([norm[quarter == part].mean() for part in range(4)])
        found["lengths"].append((means / means[0]).tolist())
    return found


# ---- ElasticFace: random margins ---------------------------------------------------------------------------


def official_plus(margin: Tensor, cos: Tensor) -> Tensor:
    """How the official code of ElasticFace+ hands out margins: sorted, then indexed by `argsort`.

    Indexing needs the rank of each sample; `argsort` gives which sample comes at each rank. The two are
    inverse permutations, and they differ as soon as three samples change places in a ring.
    """
    return margin.sort().values[cos.argsort(descending=True)]


def sorted_plus(margin: Tensor, cos: Tensor) -> Tensor:
    """As the paper says: the largest margin to the smallest cosine."""
    rank = cos.argsort(descending=True).argsort()  # 0 for the largest cosine
    return margin.sort().values[rank]


def elastic(seed: int) -> dict:
    """Claim: random margins leave classes the room they need, and faces are recognised better.

    For ArcFace, ElasticFace (σ = 0.05 and 0.2) and ElasticFace+ (σ = 0.2), all with m = 0.5:
    θ, …       mean angle between an unseen digit and its centre, degrees
    held, …    accuracy on unseen digits
    classes, … how much classes differ: standard deviation over classes of the mean θ of learnt digits
    """
    inputs, labels, held, held_labels = digits(seed)
    heads = {
        "ArcFace": lambda: losses.ArcFace(DIM, 10),
        "σ = 0.05": lambda: losses.ElasticFace(DIM, 10, sigma=0.05),
        "σ = 0.2": lambda: losses.ElasticFace(DIM, 10, sigma=0.2),
        "σ = 0.2, +": lambda: losses.ElasticFace(DIM, 10, sigma=0.2, plus=True),
    }
    found = {}
    for name, head_of in heads.items():
        net, head, _ = train(head_of, inputs, labels, seed)
        learnt = own_angle(head, training.embeddings_of(net, inputs), labels)
        found[f"θ, {name}"] = float(own_angle(head, training.embeddings_of(net, held), held_labels).mean())
        found[f"classes, {name}"] = float(torch.stack([learnt[labels == k].mean() for k in range(10)]).std())
        found[f"held, {name}"] = accuracy(net, head, held, held_labels)
    return found


# ---- AdaFace: unrecognisable images in the training data ---------------------------------------------------


def unrecognisable(seed: int, kind: str = "noise", share: float = 0.4, neck: bool = False) -> dict:
    """Claim: images that nobody could recognise have short features, and AdaFace lets them weigh less.

    That `share` of the training digits is degraded (`kind`) until nothing is left; their labels stay.

    good, bad     (epochs + 1,) mean ‖x‖ of AdaFace's training digits, and of the spoilt ones among them
    ẑ, good, bad  AdaFace's quality at the end
    held, …       accuracy on unseen digits as they are: AdaFace, and ArcFace with the same m = 0.4
    """
    inputs, labels, held, held_labels = digits(seed)
    bad = torch.from_numpy(np.random.default_rng(seed).random(len(labels)) < share)
    inputs = degrade(inputs, bad.float(), kind, seed)
    good_lengths, bad_lengths = [], []

    def look(net, head):
        norm = lengths(net, inputs)
        good_lengths.append(float(norm[~bad].mean()))
        bad_lengths.append(float(norm[bad].mean()))

    net, head, _ = train(adaface, inputs, labels, seed, neck=neck, each_epoch=look)
    z = head.quality_of(lengths(net, inputs))
    other, arcface, _ = train(lambda: losses.ArcFace(DIM, 10, m=head.m), inputs, labels, seed, neck=neck)
    return {
        "good": good_lengths,
        "bad": bad_lengths,
        "ẑ, good": float(z[~bad].mean()),
        "ẑ, bad": float(z[bad].mean()),
        "held, AdaFace": accuracy(net, head, held, held_labels),
        "held, ArcFace": accuracy(other, arcface, held, held_labels),
    }
