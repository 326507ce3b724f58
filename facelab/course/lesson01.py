"""What lesson 01 measures: whether a learnt space keeps apart what training never saw.

scikit-learn's handwritten digits, 8 × 8 pixels. A network learns from some classes; the others, and some
images of the learnt ones, are kept back. `facelab.training` trains; here is only what looks on.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import torch

from facelab import losses, training

EPOCHS = 15
METHODS = ("softmax", "contrastive", "DeepID2")


@dataclass(frozen=True, eq=False)
class Digits:
    """Images and which of them serve for what.

    images   (1797, 64) float32 in 0 … 1           labels  (1797,) int64
    learn    rows to learn from                    fresh   rows of the same classes, kept back
    unseen   rows of classes that nobody learns    classes those learnt, ascending
    """

    images: np.ndarray
    labels: np.ndarray
    learn: np.ndarray
    fresh: np.ndarray
    unseen: np.ndarray
    classes: np.ndarray


def digits(unseen: tuple[int, ...] = (8, 9), classes: tuple[int, ...] | None = None) -> Digits:
    """The split: two thirds of the images of `classes` (all but `unseen`, if not given) to learn from."""
    from sklearn.datasets import load_digits

    loaded = load_digits()
    labels = loaded.target.astype(np.int64)
    learnt = np.setdiff1d(np.arange(10), unseen) if classes is None else np.sort(classes)
    seen = np.random.default_rng(0).permutation(np.flatnonzero(np.isin(labels, learnt)))
    cut = len(seen) * 2 // 3
    return Digits(
        (loaded.data / 16).astype(np.float32),
        labels,
        np.sort(seen[:cut]),
        np.sort(seen[cut:]),
        np.flatnonzero(np.isin(labels, unseen)),
        learnt,
    )


@dataclass(frozen=True, eq=False)
class Run:
    """One training: the method, its seed, and the embeddings (N, D) of *all* images after every epoch."""

    method: str
    seed: int
    frames: list[np.ndarray]

    @property
    def embeddings(self) -> np.ndarray:
        return self.frames[-1]


def loss_of(method: str, dim: int, classes: int) -> torch.nn.Module:
    """The loss that a method trains with. DeepID2's λ is 0.5 here, so that both of its terms are felt."""
    if method == "softmax":
        return losses.Softmax(dim, classes)
    if method == "contrastive":
        return losses.ContrastiveLoss(margin=1.0)
    if method == "DeepID2":
        return losses.DeepID2(dim, classes, margin=1.0, lambda_v=0.5)
    raise ValueError(f"method {method!r} is none of {', '.join(METHODS)}.")


def learn(method: str, data: Digits, dim: int = 2, seed: int = 0, epochs: int = EPOCHS) -> Run:
    """Train a toy network on the learnt classes only; the same call gives the same run."""
    with training.seeded(seed):
        net = training.toy_net(64, dim)
        loss = loss_of(method, dim, len(data.classes))
    frames = []

    def look(snapshot, history):
        frames.append(training.embeddings_of(net, data.images).cpu().numpy())

    known = np.searchsorted(data.classes, data.labels[data.learn])
    options = {"epochs": epochs, "seed": seed, "device": "cpu", "progress": False, "keep": [0]}
    training.fit(net, loss, data.images[data.learn], known, on_epoch=look, **options)
    return Run(method, seed, frames)


def two_way(vectors: np.ndarray, labels: np.ndarray, shots: int = 5, draws: int = 10) -> float:
    """How often the nearest neighbour tells two classes apart, when `shots` images of each are known.

    For every pair of classes, `draws` times: a gallery of `shots` random images of both, every other image a
    probe that gets the class of its nearest in the gallery. The mean share of right answers; guessing gives
    0.5 for any number of classes, so that seen and unseen classes can be compared.
    """
    random = np.random.default_rng(0)
    squares = (vectors**2).sum(1)
    distance = squares[:, None] + squares - 2 * vectors @ vectors.T
    shares = []
    for pair in combinations(np.unique(labels), 2):
        own = [np.flatnonzero(labels == label) for label in pair]
        for _ in range(draws):
            mixed = [random.permutation(rows) for rows in own]
            gallery = np.concatenate([rows[:shots] for rows in mixed])
            probes = np.concatenate([rows[shots:] for rows in mixed])
            nearest = gallery[distance[np.ix_(probes, gallery)].argmin(1)]
            shares.append(np.mean(labels[nearest] == labels[probes]))
    return float(np.mean(shares))


def both(vectors: np.ndarray, data: Digits) -> tuple[float, float]:
    """`two_way` on fresh images of the learnt classes, and on the classes never learnt."""
    return tuple(two_way(vectors[rows], data.labels[rows]) for rows in (data.fresh, data.unseen))


def after_learning(count: int, seed: int, dim: int = 16) -> float:
    """`two_way` on 8 and 9, after softmax training on `count` of the other digits, drawn by the seed."""
    classes = np.random.default_rng(seed).permutation(8)[:count]
    part = digits(unseen=(8, 9), classes=tuple(classes.tolist()))
    return both(learn("softmax", part, dim, seed).embeddings, part)[1]


# ---- the price of two dimensions, and that of training ---------------------------------------------------


def pca(data: Digits, dim: int) -> np.ndarray:
    """All images on the `dim` principal axes of those to learn from: (N, dim)."""
    learn = data.images[data.learn]
    axes = np.linalg.svd(learn - learn.mean(0), full_matrices=False)[2][:dim]
    return (data.images - learn.mean(0)) @ axes.T


def untrained(data: Digits, dim: int, seed: int) -> np.ndarray:
    """What the network makes of the images before it has learnt anything: (N, dim)."""
    with training.seeded(seed):
        net = training.toy_net(64, dim)
    return training.embeddings_of(net, data.images).cpu().numpy()


def controls(data: Digits, seeds: Iterable[int]) -> list[dict]:
    """`two_way` on the classes never learnt, in 2 and in 16 dimensions: rows for a plot, one for each seed.

    The network that learnt from a seed begins where the untrained one of that seed stands, so that the two
    may be compared seed by seed.
    """
    rows = []
    for dim in (2, 16):
        spaces = {"PCA": [(0, pca(data, dim))]}
        spaces["untrained network"] = [(seed, untrained(data, dim, seed)) for seed in seeds]
        spaces["trained (softmax)"] = [(seed, learn("softmax", data, dim, seed).embeddings) for seed in seeds]
        rows += [
            {"space": space, "dimensions": dim, "seed": seed, "share": both(vectors, data)[1]}
            for space, some in spaces.items()
            for seed, vectors in some
        ]
    return rows


# ---- what a map keeps --------------------------------------------------------------------------------------


def gaps(points: np.ndarray, who: np.ndarray) -> np.ndarray:
    """The distances between the people's mean points on a map, each pair of people once: (P·(P−1)/2,)."""
    means = np.stack([points[who == one].mean(0) for one in np.unique(who)])
    i, j = np.triu_indices(len(means), 1)
    return np.linalg.norm(means[i] - means[j], axis=1)


# ---- weighted χ² -----------------------------------------------------------------------------------------


def balanced_pairs(labels: np.ndarray, rows: np.ndarray, count: int = 2_000, seed: int = 0):
    """Random pairs among these rows, half of them of one class: a, b (2·count,) and same (2·count,)."""
    random = np.random.default_rng(seed)
    a, b = random.choice(rows, (2, 30 * count))
    same = labels[a] == labels[b]
    kept = np.concatenate([np.flatnonzero(same)[:count], np.flatnonzero(~same)[:count]])
    return a[kept], b[kept], same[kept]


def chi_squared_weights(f1: np.ndarray, f2: np.ndarray, same: np.ndarray) -> np.ndarray:
    """The weights w ≥ 0 of the χ² distance, learnt from pairs (N, D) by a linear SVM: (D,) float32.

    DeepFace (Taigman et al., CVPR 2014), section 4.1. Negative weights, which would make no distance, become
    0.
    """
    from sklearn.svm import LinearSVC

    total = f1 + f2
    terms = (f1 - f2) ** 2 / np.where(total == 0, np.inf, total)
    svm = LinearSVC(C=0.1, dual=False).fit(terms, ~same)
    return np.maximum(svm.coef_[0], 0).astype(np.float32)


# ---- clusters --------------------------------------------------------------------------------------------


def k_means(vectors: np.ndarray, k: int, seed: int = 0) -> np.ndarray:
    """(N, D) → the cluster of each row, 0 … k − 1; the best of five starts."""
    from sklearn.cluster import KMeans

    return KMeans(k, n_init=5, random_state=seed).fit_predict(vectors)


def majority(clusters: np.ndarray, labels: np.ndarray) -> float:
    """Share of rows whose label is the commonest one of their cluster (purity)."""
    right = sum(np.unique(labels[clusters == c], return_counts=True)[1].max() for c in np.unique(clusters))
    return right / len(labels)


def pieces(clusters: np.ndarray, labels: np.ndarray) -> dict[int, int]:
    """For each label, into how many clusters its rows fell."""
    return {int(label): len(np.unique(clusters[labels == label])) for label in np.unique(labels)}
