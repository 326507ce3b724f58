"""What a distance threshold is worth: false match rates measured on LFW, and thresholds for a wanted rate.

`calibration.json` beside this file holds, for every pipeline that was measured (detector, crop, embedder,
mirrored or not), how many pairs of different people fall below each distance. It is made by `python -m
benchmarks.calibrate`:

- impostors: one photo (the first) of each person, each with each: 5,749 · 5,748 / 2 = 16,522,626 pairs;
- genuine: the 3,000 same-person pairs of LFW's protocol (View 2).

The pairs share people, so they are not independent, and an interval that treats them as if they were is too
narrow: somebody who looks like many is in 5,748 pairs at once. The intervals therefore come from a
bootstrap over *people* (each resample draws 5,749 people with replacement and weights a pair by how often
its two were drawn), and where that comes out narrower than Clopper and Pearson's exact binomial interval,
from the latter: at a handful of matches the bootstrap cannot see what did not happen. Where no match at all
was seen the upper end is 3 / pairs, the rule of three.

A model that the user brings is in no such table. `facelab calibrate PEOPLE/ --embedder FILE` measures it on
people of the user's own, and keeps a row of the same form in `calibrations.json` in facelab's home (`keep`),
under the pipeline's name, in which a file of weights has its hash: other weights find no threshold there.

What the numbers do not say: LFW's people are public figures photographed by the press, mostly men, mostly
from North America and Europe, and pairs of random people differ in sex, age and skin colour more often than
two people before the same door do. Among look-alikes or relatives the same threshold lets through far more.
"""

import functools
import json
import re
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from facelab import kept
from facelab.errors import FacelabError

FILE = Path(__file__).with_name("calibration.json")

OWN = "calibrations.json"
"""The user's own rows, in facelab's home."""

DEFAULT_FMR = 1e-3
"""The default threshold of every pipeline is the one that lets through one pair of different people in
1,000."""

LOWEST_FMR = 1e-5
"""Below this LFW cannot be asked: what is left are its label errors and a handful of people."""

HIGHEST_FMR = 0.5

STEP = 0.005
GRID = np.round(np.arange(0, 401) * STEP, 3)
"""The distances at which the rates were measured: 0, 0.005, … 2."""


@dataclass(frozen=True)
class Estimate:
    """A measured error rate.

    value      the rate, 0 … 1
    low, high  its 95 % interval (the module's docstring says how it is found)
    pairs      how many pairs were compared
    people     how many people they show
    source     whose photos: "LFW", or where the user's own lie
    """

    value: float
    low: float
    high: float
    pairs: int
    people: int
    source: str = field(default="LFW", kw_only=True)

    def __str__(self) -> str:
        say = _percent if self.value > 0.05 else _one_in
        seen = f"{self.source}, {self.pairs:,} pairs of {self.people:,} people"
        if self.value == 0:
            return f"below {_one_in(self.high)}, none seen; {seen}"
        return f"{say(self.value)}, 95 % interval {say(self.low)} to {say(self.high)}; {seen}"


class FmrEstimate(Estimate):
    """A false match rate: the share of pairs of different people that are taken for the same person."""


class FnmrEstimate(Estimate):
    """A false non-match rate: the share of pairs of the same person that are taken for different people."""


def _one_in(rate: float) -> str:
    """`1 in 1,000`, to three digits."""
    return f"1 in {float(f'{1 / rate:.3g}'):,.0f}" if rate > 0 else "0"


def _percent(rate: float) -> str:
    return f"{rate:.1%}"


@functools.cache
def _table() -> dict:
    return json.loads(FILE.read_text(encoding="utf-8"))["configs"]


def _row(config: str) -> dict | None:
    """What was measured of a pipeline: here, or else by the user."""
    return _table().get(config) or kept.read(OWN).get(config)


def shipped() -> tuple[str, ...]:
    """The pipelines that facelab has measured itself."""
    return tuple(_table())


def calibrated() -> tuple[str, ...]:
    """The pipelines that were measured, by name: `yunet+aligned+sface`, `yunet+aligned+sface+mirror` …, the
    user's own last."""
    return tuple({**_table(), **kept.read(OWN)})


def keep(config: str, row: dict) -> Path:
    """Keep what the user measured (`facelab.metrics.rates` makes the row) → the file it went to.

    Raises ValueError for a pipeline that facelab has measured itself, and for one whose name says nothing of
    its weights: a function's name may mean another function tomorrow.
    """
    if config in _table():
        raise ValueError(f"{config}: was measured on LFW, and stays as it is.")
    if not is_bound(config):
        raise ValueError(
            f"{config}: its name is not bound to weights, so that a threshold could go to others. Put the "
            "network into facelab.embed.OwnNetwork, or load it from a file."
        )
    kept.change(OWN, lambda rows: rows.update({config: row}))
    return kept.place(OWN)


def is_bound(config: str) -> bool:
    """Does the pipeline's name say which weights it has? Facelab's own names do, and those with a hash."""
    from facelab.detect import DETECTORS
    from facelab.embed import EMBEDDERS

    detector, _, embedder = [*config.split("+"), "", ""][:3]
    hashed = re.compile(r".*-([0-9a-f]{8}|[0-9a-f]{16})")
    return all(
        name in known or hashed.fullmatch(name) is not None
        for name, known in ((detector, DETECTORS), (embedder, EMBEDDERS))
    )


def fmr_at(config: str, threshold: float) -> FmrEstimate | None:
    """What share of pairs of different people lies at or below a distance threshold.

    config     a pipeline's name, as `Pipeline.config` gives it
    threshold  cosine distance, in [0, 2]; between two measured distances the rate is interpolated (its
               logarithm is, where there is one)

    Returns None for a pipeline that was never measured: another pipeline's rates say nothing about it.
    Raises ValueError for a threshold outside [0, 2].
    """
    return _estimate(config, threshold, "impostor", FmrEstimate)


def fnmr_at(config: str, threshold: float) -> FnmrEstimate | None:
    """What share of pairs of the same person lies above a distance threshold; otherwise as `fmr_at`."""
    return _estimate(config, threshold, "genuine", FnmrEstimate)


def _estimate(config: str, threshold: float, kind: str, result: type[Estimate]):
    if not 0 <= threshold <= 2:
        raise ValueError(f"threshold={threshold}: a cosine distance lies between 0 and 2.")
    whole = _row(config)
    if whole is None or kind not in whole:  # the user may have but one photo of each person
        return None
    row = whole[kind]
    rates = np.array([row["errors"], row["low"], row["high"]], float)
    rates[0] /= row["pairs"]
    value, low, high = (_between(threshold, rate) for rate in rates)
    return result(value, low, high, row["pairs"], row["people"], source=whole.get("source", "LFW"))


def _between(threshold: float, rates: np.ndarray) -> float:
    """The rate at a threshold that may lie between two points of GRID."""
    right = int(np.searchsorted(GRID, threshold))
    if GRID[right] == threshold:
        return float(rates[right])
    a, b = rates[right - 1], rates[right]
    share = (threshold - GRID[right - 1]) / STEP
    return float(a ** (1 - share) * b**share if min(a, b) > 0 else a + share * (b - a))


def threshold_for(config: str, fmr: float | None = None) -> float:
    """The largest distance, in steps of 0.001, at which at most `fmr` of pairs of different people match.

    fmr  the wanted false match rate, 1e-5 … 0.5; None takes the default, 1 in 1,000

    Raises FacelabError for a pipeline that was never measured (no other pipeline's threshold is lent to
    it), or on too few pairs for this rate, and ValueError for a rate that LFW cannot support.
    """
    fmr = DEFAULT_FMR if fmr is None else fmr
    if not LOWEST_FMR <= fmr <= HIGHEST_FMR:
        raise ValueError(
            f"fmr={fmr}: thresholds are known for rates from {LOWEST_FMR} to {HIGHEST_FMR}. Below that LFW "
            "has too few people, and too many label errors, to say anything: measure on pairs of your own "
            "(fl.metrics.threshold_at_fmr)."
        )
    whole = _row(config)
    if whole is None:
        raise FacelabError(
            f"The pipeline {config!r} has no calibrated threshold (these have one: "
            f"{', '.join(calibrated()) or 'none'}). Give threshold= yourself, or measure it on people of "
            "your own, a folder with a sub-folder for each person: facelab calibrate PEOPLE/ --embedder FILE "
            "keeps what it finds (in Python: fl.metrics.threshold_at_fmr)."
        )
    row = whole["impostor"]
    if (floor := 3 / row["pairs"]) > fmr:
        raise FacelabError(
            f"The pipeline {config!r} was calibrated on {row['pairs']:,} pairs of different people "
            f"({whole.get('source', 'LFW')}), which show no false match rate below {floor:.2g} (rule of "
            f"three), and {fmr:g} was asked for. "
            f"Give fmr={_rounded_up(floor):g} or threshold=, or calibrate with more people."
        )
    rates = np.array(row["errors"]) / row["pairs"]
    low_enough = np.flatnonzero(rates <= fmr)
    if not len(low_enough):
        raise FacelabError(
            f"The pipeline {config!r} finds more than {fmr:g} of the pairs of different people alike even at "
            f"distance 0 ({whole.get('source', 'LFW')}): it tells these people apart too badly."
        )
    below = GRID[low_enough[-1]]
    candidates = np.round(below + np.arange(0, STEP, 0.001), 3)
    candidates = candidates[candidates <= 2].tolist()
    return max(distance for distance in candidates if _between(distance, rates) <= fmr)


def _rounded_up(rate: float) -> float:
    """To two digits, never below the rate itself."""
    digits = 1 - int(np.floor(np.log10(rate)))
    return float(round(np.ceil(rate * 10**digits) / 10**digits, digits))
