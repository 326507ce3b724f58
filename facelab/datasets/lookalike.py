"""Look-alikes: LFW's protocol with every pair of different people replaced by one that is hard to tell.

LFW pairs different people at random, so most of its negatives differ in sex, age or skin colour and are
easy. FGLFW (Deng et al., Pattern Recognition 2017) replaced them by people who look alike, chosen by
human eyes. Its list is its authors'; this one is made here, by a rule (`data/make_lfw_lookalike.py`),
and always at hand:

- LFW's 3,000 positives and its ten folds stay, and so does the first photo of every negative;
- the second becomes the photo, among those of the same fold, whose SFace vector lies nearest, of another
  person. No two people are paired twice, and people so near that they must be one are left out.

**Rule and network are ours.** The pairs are the worst that SFace can meet within a fold, so SFace's
accuracy on them is a worst case. It cannot be compared with published FGLFW figures, nor with another
network's on the same pairs, which were not chosen against that one.
"""

import functools
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

FILE = Path(__file__).with_name("lookalike.json")
"""For each negative of LFW's list, in its order, where its look-alike stands in that list: 2·line +
side. So it names nobody, and serves photos and templates alike."""


@functools.cache
def replacements() -> np.ndarray:
    """(3000,) int64: 2·line + side, line from 0 among the 6,000 pairs, side 0 (first photo) or 1."""
    return np.array(json.loads(FILE.read_text(encoding="utf-8"))["replacements"])


def second_photos(a: Sequence | np.ndarray, b: Sequence | np.ndarray, same: np.ndarray) -> list:
    """The second photo of each pair of the look-alike protocol, from LFW's list: a, b of 6,000 photos, same
    (6000,) bool. A photo may be anything: a row, or a name and a number."""
    sides, second = (a, b), list(b)
    for row, at in zip(np.flatnonzero(~same), replacements(), strict=True):
        second[row] = sides[at % 2][at // 2]
    return second
