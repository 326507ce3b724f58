"""The slides' table of accuracies (ArcFace's Table 4), and which of its differences mean anything.

Every row is a share of right answers among the same few thousand pairs, so it carries an interval, and
two rows differ by chance as well. The papers do not say *which* pairs they got wrong, so the rows can
only be compared as if each had been measured on pairs of its own. With the answers in hand a paired test
(`fl.metrics.mcnemar`) may decide what this one cannot.
"""

from dataclasses import dataclass
from itertools import combinations

import numpy as np

PAIRS = {"LFW": 6000, "YTF": 5000}
"""Pairs in each benchmark's protocol: photos of LFW's View 2, videos of YouTube Faces."""


@dataclass(frozen=True)
class Paper:
    """A row of the table: photos trained on, and accuracy in % (None: not reported)."""

    method: str
    images: float
    LFW: float
    YTF: float | None

    def wrong(self, benchmark: str) -> int:
        """How many pairs of the benchmark that accuracy leaves wrong."""
        return round(PAIRS[benchmark] * (1 - getattr(self, benchmark) / 100))


PAPERS = (
    Paper("DeepID", 0.2e6, 99.47, 93.20),
    Paper("Deep Face", 4.4e6, 97.35, 91.4),
    Paper("VGG Face", 2.6e6, 98.95, 97.30),
    Paper("FaceNet", 200e6, 99.63, 95.10),
    Paper("Baidu", 1.3e6, 99.13, None),
    Paper("Center Loss", 0.7e6, 99.28, 94.9),
    Paper("Range Loss", 5e6, 99.52, 93.70),
    Paper("Marginal Loss", 3.8e6, 99.48, 95.98),
    Paper("SphereFace", 0.5e6, 99.42, 95.0),
    Paper("SphereFace+", 0.5e6, 99.47, None),
    Paper("CosFace", 5e6, 99.73, 97.6),
    Paper("ArcFace", 5.8e6, 99.83, 98.02),
)
"""J. Deng et al., ArcFace, CVPR 2019, Table 4, as on the slides; 0.2M is 0.2 million."""


def reported(benchmark: str) -> list[Paper]:
    """The rows with a figure for the benchmark, best first."""
    rows = [paper for paper in PAPERS if getattr(paper, benchmark) is not None]
    return sorted(rows, key=lambda paper: -getattr(paper, benchmark))


def p_value(wrong_a, wrong_b, pairs: int):
    """Two-sided p of the difference of two shares of `pairs` pairs each (pooled z test; scalars or arrays).

    How often two equally good methods would differ by as much or more, measured on pairs of their own.
    """
    from scipy.special import ndtr

    a, b = np.asarray(wrong_a) / pairs, np.asarray(wrong_b) / pairs
    pooled = (a + b) / 2
    spread = np.sqrt(np.maximum(2 * pooled * (1 - pooled) / pairs, 1e-300))
    return 2 * ndtr(-np.abs(a - b) / spread)


def differences(benchmark: str, times: int = 1) -> dict[tuple[str, str], float]:
    """The p value of every two rows, as if the test had had `times` as many pairs."""
    rows = reported(benchmark)
    names = combinations([paper.method for paper in rows], 2)
    a, b = np.array(list(combinations([paper.wrong(benchmark) * times for paper in rows], 2))).T
    return dict(zip(names, p_value(a, b, PAIRS[benchmark] * times).tolist(), strict=True))
