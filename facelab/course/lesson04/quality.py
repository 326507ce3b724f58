"""Losses that read the length of a feature: MagFace, AdaFace."""

import numpy as np
import torch

from facelab import losses
from facelab.course.lesson04.data import degrade, digits
from facelab.course.lesson04.measures import accuracy, lengths, rank_correlation, right
from facelab.course.lesson04.run import DIM, train

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
