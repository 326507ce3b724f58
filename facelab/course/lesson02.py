"""What lesson 02 measures: people to train on, others to test on, and how hard the triplets are.

`facelab.losses.triplet` mines and `facelab.training` trains; here is only what looks on.
"""

from dataclasses import dataclass

import numpy as np

from facelab.datasets import Templates

KINDS = ("easy", "semi-hard", "hard")


@dataclass(frozen=True, eq=False)
class Pairs:
    """Rows a, b (N,) of a set of vectors, and whether they show the same person, (N,) bool."""

    a: np.ndarray
    b: np.ndarray
    same: np.ndarray

    def scores(self, vectors) -> np.ndarray:
        """(M, D) of any length → cosines (N,): higher is more alike."""
        unit = unit_rows(vectors)
        return np.einsum("nd,nd->n", unit[self.a], unit[self.b])


def unit_rows(vectors) -> np.ndarray:
    """(N, D) → the same directions, length 1; a row of zeros stays."""
    vectors = np.asarray(vectors, dtype=np.float32)
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)


def split_people(templates: Templates, train_from: int = 4) -> tuple[np.ndarray, np.ndarray]:
    """Rows to train on: people with `train_from` photos and more. Rows to test on: people with fewer, but
    at least two. No person is in both."""
    photos = templates.counts[templates.identity]
    return np.flatnonzero(photos >= train_from), np.flatnonzero((photos >= 2) & (photos < train_from))


def verification_pairs(labels: np.ndarray, impostors: int = 40_000, seed: int = 0) -> Pairs:
    """Every pair of the same person, and about `impostors` random pairs of two people (drawn once)."""
    labels = np.asarray(labels)
    together = [np.flatnonzero(labels == label) for label in np.unique(labels)]
    genuine = np.concatenate([rows[np.array(np.triu_indices(len(rows), 1))] for rows in together], axis=1)
    random = np.random.default_rng(seed)
    a, b = random.integers(len(labels), size=(2, impostors))
    two = labels[a] != labels[b]
    same = np.repeat([True, False], [genuine.shape[1], two.sum()])
    return Pairs(np.concatenate([genuine[0], a[two]]), np.concatenate([genuine[1], b[two]]), same)


def random_triplets(labels: np.ndarray, count: int, seed: int = 0) -> np.ndarray:
    """(3, T) rows of anchors, positives and negatives; T is `count` less the few draws that do not fit.

    Anchors are drawn with equal chance among the photos of people who have two or more, then a positive
    among that person's other photos, then a negative among everybody else's.
    """
    labels = np.asarray(labels)
    random = np.random.default_rng(seed)
    order = np.argsort(labels, kind="stable")
    sizes = np.bincount(labels)
    first = np.cumsum(sizes) - sizes
    a = random.choice(np.flatnonzero(sizes[labels] >= 2), count)
    p = order[first[labels[a]] + (random.random(count) * sizes[labels[a]]).astype(int)]
    n = random.integers(len(labels), size=count)
    fits = (p != a) & (labels[n] != labels[a])
    return np.stack([a, p, n])[:, fits]


def squared_distances(vectors, triplets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """d1 and d2, (T,) each, after the vectors (N, D) are brought to length 1."""
    a, p, n = unit_rows(vectors)[triplets]
    return ((a - p) ** 2).sum(1), ((a - n) ** 2).sum(1)


def shares(d1: np.ndarray, d2: np.ndarray, margin: float) -> dict[str, float]:
    """The share of easy, semi-hard and hard triplets among these squared distances."""
    hard, easy = d2 <= d1, d2 >= d1 + margin
    return {
        "easy": float(easy.mean()),
        "semi-hard": float((~hard & ~easy).mean()),
        "hard": float(hard.mean()),
    }
