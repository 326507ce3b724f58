"""Grouping faces into people when nobody has said whose they are.

    rows, cosines = neighbours(vectors, k=64)
    labels = graph_clusters(rows, cosines, threshold=grouping_threshold(pipe.config))

A face is a node, and two faces at least as alike as the threshold are joined by an edge. Who belongs
together is then read off that graph: by connected components, where one wrong edge joins two people, or
by Chinese Whispers, where a few wrong edges are outvoted. How many people there are need not be known.
k-means, the slides' method, has to be told.
"""

import numpy as np
import torch
from scipy import sparse
from scipy.sparse import csgraph

from facelab import calibration
from facelab import device as devices

METHODS = ("whispers", "components")

GROUPING_FMR = 1e-5
"""The false match rate of `grouping_threshold`. At verification's 1 in 1,000 a graph would be full of
wrong edges: n photos make n²/2 pairs, so that 2,000 photos, almost two million pairs, would be joined
wrongly some 2,000 times, and at 1 in 100,000 some 20 times. (It is also the lowest rate that LFW can
vouch for.)"""

_AT_ONCE = {"cpu": 2**25, "cuda": 2**28}
"""Cosines held at a time: 128 MB, 1 GB."""

_PASSES = 100
_PARTS = 32
"""Chinese Whispers updates a 32nd of the nodes at a time; see `_whispers`."""


def grouping_threshold(config: str, fmr: float = GROUPING_FMR) -> float:
    """The smallest cosine at which two faces are joined: 1 − the pipeline's distance at a false match
    rate.

    config  a pipeline's name, as `Pipeline.config` gives it
    fmr     1e-5 … 0.5; `GROUPING_FMR` says why the default is so low

    Raises FacelabError for a pipeline that was never calibrated, or on too few pairs for that rate, and
    ValueError for a rate outside the range.
    """
    return round(1 - calibration.threshold_for(config, fmr), 3)


def neighbours(
    vectors,
    k: int = 64,
    chunk: int | None = None,
    *,
    device: str | torch.device = "auto",
    progress: bool | None = False,
) -> tuple[np.ndarray, np.ndarray]:
    """The k nearest others of each vector, exactly, by N²·D multiplications in blocks.

    vectors   (N, D) floating point, unit norm
    k         neighbours of each; there are never more than N − 1
    chunk     rows whose cosines with all others are held at a time; None: as many as fit 128 MB (1 GB on
              a GPU)
    device    "auto" (the GPU where there is one), "cpu", "cuda"
    progress  a bar on standard error; None means: only in a terminal or a notebook

    Returns rows (N, k) int64 and cosines (N, k) float32 in [−1, 1], nearest first, never a vector
    itself. For a million faces an approximate index gives the same two arrays in less time, with −1 for
    a row that it did not find.

    Raises ValueError for vectors that are not of unit norm, or a k or chunk below 1.
    """
    from tqdm.auto import tqdm

    vectors = _unit(vectors)
    if k < 1 or (chunk is not None and chunk < 1):
        raise ValueError(f"k={k}, chunk={chunk}: at least 1.")
    total, where = len(vectors), devices.choose(device)
    k = min(k, max(0, total - 1))
    rows, cosines = np.empty((total, k), np.int64), np.empty((total, k), np.float32)
    if k == 0:
        return rows, cosines
    step = min(total, chunk or max(1, _AT_ONCE.get(where.type, 2**25) // total))
    every = torch.from_numpy(vectors).to(where)
    bar = tqdm(total=total, unit="face", disable=None if progress is None else not progress)
    with torch.inference_mode(), bar:
        held = torch.empty(step, total, device=where)
        for start in range(0, total, step):
            end = min(start + step, total)
            block = torch.mm(every[start:end], every.T, out=held[: end - start])
            block[:, start:end].fill_diagonal_(-torch.inf)  # nobody is a neighbour of oneself
            values, places = block.topk(k)
            rows[start:end], cosines[start:end] = places.cpu().numpy(), values.cpu().numpy()
            bar.update(end - start)
    return rows, cosines.clip(-1, 1, out=cosines)


def _unit(vectors) -> np.ndarray:
    vectors = np.ascontiguousarray(vectors, np.float32)
    if vectors.ndim != 2:
        raise ValueError(f"vectors of shape {vectors.shape}: (N, D), a row for each face.")
    norms = np.linalg.norm(vectors, axis=1)
    bad = np.flatnonzero(~(np.abs(norms - 1) <= 1e-3))  # NaN is close to nothing
    if len(bad):
        raise ValueError(f"vector {bad[0]} has norm {norms[bad[0]]:g}: scale the vectors to unit norm first.")
    return vectors


def graph_clusters(
    neighbours, cosines, threshold: float, method: str = "whispers", seed: int = 0
) -> np.ndarray:
    """Who belongs together, (N,) int64: equal numbers are one person, 0 the largest group.

    neighbours  (N, k) int: for each face the rows of others, as `neighbours` or any index gives them; −1
                where there is none. An edge counts if either of its two ends lists it
    cosines     (N, k): how alike they are
    threshold   the smallest cosine that joins two faces (`grouping_threshold`)
    method      "components": everything that edges connect is one person (single linkage)
                "whispers": Chinese Whispers (Biemann, TextGraphs workshop, 2006), which dlib groups
                faces with too: all begin with a label of their own; again and again a face takes over
                the label that most edges lead to, weighted, until nothing changes. An edge weighs cosine
                − threshold
    seed        whispers only: the order in which faces are asked. The same seed, the same groups

    Groups of one size are in the order of their first faces. Whoever has no edge is a group of one.

    Raises ValueError for arrays that do not fit together, or another method.
    """
    if method not in METHODS:
        raise ValueError(f"method={method!r}: choose one of {', '.join(METHODS)}.")
    graph = _edges(np.asarray(neighbours), np.asarray(cosines), threshold)
    if method == "components":
        labels = csgraph.connected_components(graph, directed=False)[1]
    else:
        labels = _whispers(graph, np.random.default_rng(seed))
    return _by_size(labels)


def _edges(neighbours: np.ndarray, cosines: np.ndarray, threshold: float) -> sparse.csr_array:
    """(N, N), symmetric: cosine − threshold of every edge, and a trifle more, for a zero would be no
    edge."""
    if neighbours.ndim != 2 or neighbours.shape != cosines.shape or neighbours.dtype.kind not in "iu":
        raise ValueError(
            f"neighbours {neighbours.dtype} {neighbours.shape} and cosines {cosines.shape}: row numbers and "
            "cosines of one shape, (N, k)."
        )
    if not -1 <= threshold <= 1:
        raise ValueError(f"threshold={threshold}: a cosine lies between −1 and 1.")
    total = len(neighbours)
    if neighbours.size and not -1 <= neighbours.min() <= neighbours.max() < total:
        raise ValueError(f"neighbours holds rows outside 0 … {total - 1} (and −1, for none).")
    joined = (cosines >= threshold) & (neighbours >= 0) & (neighbours != np.arange(total)[:, None])
    a, column = np.nonzero(joined)
    b = neighbours[a, column].astype(np.int64)
    weights = cosines[a, column].astype(np.float64) - threshold + 1e-9
    one_way = sparse.csr_array((weights, (a, b)), (total, total))
    return one_way.maximum(one_way.T).tocsr()


def _whispers(graph: sparse.csr_array, rng: np.random.Generator) -> np.ndarray:
    """Chinese Whispers. Published, it asks one node after the other, in a new random order each pass.
    Here a 32nd of the nodes is asked at once, by a sparse product. Asked all at once, two neighbours
    would swap labels for ever; but two that share a part once are apart in the next pass.

    Labels are drawn in random order to begin with, and of two that weigh the same the larger wins: a
    random choice, as published, but one that stays and does not keep nodes moving.
    """
    total = graph.shape[0]
    labels = rng.permutation(total)
    linked = np.flatnonzero(np.diff(graph.indptr))
    for _ in range(_PASSES):
        before = labels.copy()
        for part in np.array_split(rng.permutation(linked), min(_PARTS, len(linked)) or 1):
            if len(part):
                labels[part] = _loudest(graph[part], labels)
        if np.array_equal(before, labels):
            break
    return labels


def _loudest(edges: sparse.csr_array, labels: np.ndarray) -> np.ndarray:
    """(n,): for each of n nodes, none of them without an edge, the label with most weight among its
    neighbours."""
    total = len(labels)
    has_label = sparse.csr_array((np.ones(total), labels, np.arange(total + 1)), (total, total))
    weights = edges @ has_label
    starts, counts = weights.indptr[:-1], np.diff(weights.indptr)
    most = np.repeat(np.maximum.reduceat(weights.data, starts), counts)
    return np.maximum.reduceat(np.where(weights.data == most, weights.indices, -1), starts)


def closest_groups(
    vectors, labels, cosine: float, apart: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pairs of groups with two faces that are alike, one in each: where a group may have been torn in
    two.

    vectors  (N, D) floating point, unit norm
    labels   (N,) int, from 0; faces with −1 are in no group
    cosine   how alike at least
    apart    (groups,) bool: of those for which it is True no two are a pair

    Returns, the most alike first: pairs (P, 2) int64 of labels, the smaller first; the closest faces of
    each pair (P, 2) int64, in the same order; their cosines (P,) float32.
    """
    vectors, labels = _unit(vectors), np.asarray(labels)
    order = np.argsort(labels, kind="stable")
    order = order[labels[order] >= 0]
    groups, starts = np.unique(labels[order], return_index=True)
    apart = np.zeros(labels.max(initial=-1) + 1, bool) if apart is None else np.asarray(apart, bool)
    ends = np.append(starts[1:], len(order))
    every = torch.from_numpy(vectors[order])
    place = np.searchsorted(groups, labels[order])
    step = max(1, _AT_ONCE["cpu"] // max(1, len(order)))
    found: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
    for start in range(0, len(order), step):
        cosines = torch.mm(every[start : start + step], every.T).numpy()
        best = np.maximum.reduceat(cosines, starts, axis=1)
        row, group = np.nonzero(best >= cosine)
        own = place[start + row]
        kept = (own < group) & ~(apart[groups[own]] & apart[groups[group]])
        found.append((start + row[kept], group[kept], best[row[kept], group[kept]]))
    rows, others, values = (np.concatenate(part) for part in zip(*found, strict=True)) if found else (
        np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.float32)
    )  # fmt: skip
    best_first = np.argsort(-values, kind="stable")
    key = place[rows[best_first]] * len(groups) + others[best_first]
    best_first = best_first[np.sort(np.unique(key, return_index=True)[1])]
    rows, others = rows[best_first], others[best_first]
    faces = np.empty((len(rows), 2), np.int64)
    for number, (row, group) in enumerate(zip(rows, others, strict=True)):
        its = slice(starts[group], ends[group])
        faces[number] = order[row], order[its][int((every[its] @ every[row]).argmax())]
    return np.stack([groups[place[rows]], groups[others]], axis=1), faces, values[best_first]


def kmeans_clusters(vectors, people: int, seed: int = 0) -> np.ndarray:
    """k-means (scikit-learn's, on vectors of unit norm) as (N,) int64 labels, 0 the largest group.

    vectors  (N, D), any norm but zero
    people   how many groups, 1 … N: k-means must be told, and a folder of photos does not say
    seed     of its starting points

    Above 20,000 vectors by mini-batches, which are quicker and a little worse.
    """
    from sklearn.cluster import KMeans, MiniBatchKMeans
    from sklearn.preprocessing import normalize

    vectors = normalize(np.asarray(vectors, np.float32))
    kind = KMeans if len(vectors) <= 20_000 else MiniBatchKMeans
    return _by_size(kind(people, n_init=1, random_state=seed).fit_predict(vectors))


def _by_size(labels: np.ndarray) -> np.ndarray:
    """The same groups, numbered from 0: the largest first; of equals, the one whose first face is
    first."""
    _, first, group, counts = np.unique(labels, return_index=True, return_inverse=True, return_counts=True)
    number = np.empty(len(counts), np.int64)
    number[np.lexsort((first, -counts))] = np.arange(len(counts))
    return number[group]
