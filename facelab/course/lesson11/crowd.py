"""A crowd for lesson 11: people nobody ever photographed, drawn from a model of LFW's vectors.

    model = fitted()
    templates = crowd(model, 1_000_000)             # (1_000_000, 128), one photo of each
    again = crowd(model, 500, photo=1)              # another photo of the first 500

The model is the plainest there is: a person is a point drawn from one normal distribution, a photo a point
drawn around the person from another (the two-covariance model of speaker recognition: Brümmer & de Villiers,
The Speaker Partitioning Problem, Odyssey 2010), brought to unit length. Covariances are LFW's, from
`fl.datasets.lfw_templates()`. It agrees with LFW on the bulk of impostor scores and not on the last ones
(`tail`), so it may be used to measure time, memory and recall, and must not be used to promise an error rate.
"""

from dataclasses import dataclass

import numpy as np

from facelab.datasets import lfw_templates

AT_ONCE = 2**14
"""People drawn together: the same person whatever the size of the crowd."""


@dataclass(frozen=True, eq=False)
class Model:
    """mean (D,); between and within (D, D): what independent normal numbers are multiplied with."""

    mean: np.ndarray
    between: np.ndarray
    within: np.ndarray


def fitted() -> Model:
    """The model of LFW: within from people with several photos, between from one photo of everybody."""
    templates = lfw_templates()
    vectors, who = templates.vectors.astype(np.float64), templates.identity
    _, first, inverse, counts = np.unique(who, return_index=True, return_inverse=True, return_counts=True)
    means = np.zeros((len(counts), vectors.shape[1]))
    np.add.at(means, inverse, vectors)
    means /= counts[:, None]
    residuals = (vectors - means[inverse])[counts[inverse] > 1]
    freedom = counts[counts > 1].sum() - (counts > 1).sum()
    within = residuals.T @ residuals / freedom
    total = np.cov(vectors[first].T)
    return Model(vectors[first].mean(0), _root(total - within), _root(within))


def _root(covariance: np.ndarray) -> np.ndarray:
    """A matrix R with R Rᵀ = covariance; directions whose variance came out negative have none."""
    values, directions = np.linalg.eigh(covariance)
    return directions * np.sqrt(np.maximum(values, 0))


def crowd(model: Model, people: int, photo: int = 0, seed: int = 0) -> np.ndarray:
    """(people, D) float32 of unit norm: one photo of each. Another `photo` shows the same people, another
    seed other people."""
    out = np.empty((people, len(model.mean)), np.float32)
    for chunk, start in enumerate(range(0, people, AT_ONCE)):
        drawn = [
            np.random.default_rng([seed, chunk, *which]).standard_normal((AT_ONCE, len(model.mean)))
            for which in ([0], [1, photo])
        ]
        some = model.mean + drawn[0] @ model.between.T + drawn[1] @ model.within.T
        some = some[: people - start]
        out[start : start + len(some)] = some / np.linalg.norm(some, axis=1, keepdims=True)
    return out


def tail(vectors: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """The cosines that these shares of all pairs of (N, D) vectors lie above, for N of some thousands."""
    cosines = np.sort((vectors @ vectors.T)[np.triu_indices(len(vectors), 1)])[::-1]
    return cosines[(np.asarray(shares) * len(cosines)).astype(int)]
