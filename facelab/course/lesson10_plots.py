"""Lesson 10's pictures: who teaches best, what more people are worth, what breaks a run."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from facelab.course import drawn, lesson10
from facelab.course.lesson08 import PAPERS
from facelab.course.lesson10 import Stored, eer
from facelab.course.plots import BLACK, BLUE, GREEN, ORANGE, RED

WAYS = ("softmax", "ArcFace", "student with ArcFace", "student, their photos only", "SFace's student")
LONGER = ", 180 s"

PUBLISHED = (
    # photos, people, error on LFW (%), what
    (494_414, 10_575, 100 - 99.53, "CASIA, ArcFace R50"),
    (5_800_000, 85_000, 100 - next(p.LFW for p in PAPERS if p.method == "ArcFace"), "MS1MV2, ArcFace R100"),
    (17_000_000, 360_000, 100 - 99.83, "Glint360K, CosFace R100"),
)
"""LFW's View 2, ten folds: Deng et al., CVPR 2019, tables 2 and 4; An et al. (Partial FC), 2020. Another
protocol than ours, whose error at the best threshold lies near its equal error rate."""


def sheet(people: int = 5, photos: int = 8, seed: int = 0):
    """Drawn people, a row each."""
    faces = drawn.identities(people, seed)
    images = drawn.photos(faces, np.repeat(np.arange(people), photos), seed)
    rows = images.reshape(people, photos, 112, 112, 3).transpose(0, 2, 1, 3, 4)
    _, axes = plt.subplots(figsize=(photos * 1.15, people * 1.15))
    axes.imshow(rows.reshape(people * 112, photos * 112, 3))
    axes.set(
        xticks=[], yticks=(np.arange(people) + 0.5) * 112, yticklabels=[f"no. {n}" for n in range(people)]
    )
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)
    return axes


def table(what: Stored, groups: dict[str, list[int]], resamples: int = 400) -> pd.DataFrame:
    """EER of each group of runs, with 95 % over people and seeds."""
    found, _ = lesson10.interval(what, list(groups.values()), eer, resamples)
    return pd.DataFrame(
        [
            {
                "run": name,
                "people": what.rows[places[0]]["people"],
                "photos": what.rows[places[0]]["photos"],
                "seeds": len(places),
                "EER %": 100 * value,
                "from": 100 * low,
                "to": 100 * high,
            }
            for (name, places), (value, low, high) in zip(groups.items(), found, strict=True)
        ]
    ).round(1)


def difference(what: Stored, a: list[int], b: list[int], resamples: int = 400) -> tuple[float, float, float]:
    """EER of a minus that of b, in percentage points, on the same people, with 95 % over people and seeds."""
    (one, other), draws = lesson10.interval(what, [a, b], eer, resamples)
    low, high = np.quantile(draws[:, 0] - draws[:, 1], [0.025, 0.975])
    return 100 * (one[0] - other[0]), 100 * low, 100 * high


def bars(found: pd.DataFrame, controls: dict[str, float], title: str):
    """A dot and its interval for each way, a square for what nobody trained, the best on top."""
    rows = [(row["EER %"], row["from"], row["to"], row["run"]) for _, row in found.iterrows()]
    rows += [(100 * rate, None, None, name) for name, rate in controls.items()]
    rows.sort(reverse=True)
    _, axes = plt.subplots(figsize=(10.5, 0.52 * len(rows) + 1.2))
    for y, (value, low, high, _) in enumerate(rows):
        if low is None:
            axes.plot(value, y, "s", ms=9, color=BLACK)
        else:
            axes.errorbar(
                value, y, xerr=[[value - low], [high - value]], fmt="o", ms=9, color=BLUE, capsize=5, lw=2
            )
    axes.set_yticks(range(len(rows)), [name for *_, name in rows])
    axes.set(xlabel="EER on people never seen (%), 95 % over people and seeds", xlim=(0, 42), title=title)
    axes.grid(axis="x", alpha=0.3)
    return axes


def more_people(what: Stored):
    """EER against the number of people, and the papers' errors on the same axes."""
    _, axes = plt.subplots(figsize=(10.5, 5.2))
    looks = (
        ("ArcFace", "from scratch (ArcFace)", BLUE, "-", "o"),
        ("SFace's student", "SFace's student", RED, "--", "s"),
    )
    for name, label, colour, dashes, mark in looks:
        points: dict[int, list[tuple[int, float]]] = {}
        for place in [*what.of(name, people=True), *what.of(name)]:
            row = what.rows[place]
            points.setdefault(row["asked"] or row["people"], []).append((row["people"], what.eer_of(place)))
        for these in points.values():
            axes.plot(*np.array(these).T * [[1], [100]], mark, color=colour, ms=4, alpha=0.6)
        means = np.array(sorted(np.mean(these, axis=0).tolist() for these in points.values()))
        axes.plot(means[:, 0], 100 * means[:, 1], dashes + mark, color=colour, ms=8, label=label)
        for place in what.of(name + LONGER):
            row = what.rows[place]
            axes.plot(row["people"], 100 * what.eer_of(place), "*", color=colour, ms=17, mec=BLACK)
            axes.annotate(
                f"{row['steps']:,} steps",
                (row["people"], 100 * what.eer_of(place)),
                (10, -12),
                textcoords="offset points",
                fontsize=12,
            )
    for (_, people, error, name), (dx, dy) in zip(PUBLISHED, ((-9, 3), (-9, -16), (-9, 8)), strict=True):
        axes.plot(people, error, "D", color=ORANGE, ms=9)
        axes.annotate(name, (people, error), (dx, dy), textcoords="offset points", fontsize=12, ha="right")
    axes.axhline(100 * eer(what.controls["SFace, the teacher"], what.same), color=GREEN, ls=":", lw=2)
    axes.text(33, 100 * eer(what.controls["SFace, the teacher"], what.same) * 1.08, "SFace, the teacher",
              color=GREEN, fontsize=12)  # fmt: skip
    axes.set(
        xscale="log", yscale="log", xlabel="people in the training set", ylabel="error (%)", ylim=(0.08, 50)
    )
    axes.set_yticks([0.1, 0.3, 1, 3, 10, 30], ["0.1", "0.3", "1", "3", "10", "30"])
    axes.legend(loc="lower left")
    return axes


def curves(rows: dict[str, dict], title: str = ""):
    """Loss and EER of a few runs of `lesson10.run`, side by side."""
    _, (left, right) = plt.subplots(1, 2, figsize=(11, 4.2))
    looks = zip(rows.items(), (BLUE, RED, GREEN, ORANGE), ("-", "--", "-.", ":"), "os^D", strict=False)
    for (name, row), colour, dashes, mark in looks:
        losses = pd.Series(row["losses"]).rolling(5, min_periods=1).mean()
        left.plot(losses, dashes, color=colour, label=name)
        steps, _, errors = np.array(row["curve"]).T
        right.plot(steps, 100 * errors, dashes + mark, color=colour, label=name)
    left.set(xlabel="step", ylabel="training loss", ylim=(0, None))
    right.set(xlabel="step", ylabel="EER, people kept back (%)", ylim=(0, None))
    right.legend()
    if title:
        left.figure.suptitle(title)
    return left, right
