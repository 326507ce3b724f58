"""Lesson 11's figures that stand still."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from facelab.course.lesson11.codes import compressed
from facelab.course.lesson11.extremes import Tail, fit, interval
from facelab.course.plots import BLACK, BLUE, GREEN, ORANGE
from facelab.metrics import bootstrap_fnir_at_fpir


def quantiles(real: Tail, drawn: Tail) -> pd.DataFrame:
    """The cosine that so many pairs of different people lie above, in LFW and in the crowd."""
    shares = (1e-3, 1e-4, 1e-5, 1e-6)
    rows = {f"1 pair in {1 / s:,.0f}": [t.threshold(s * 0.999) for t in (real, drawn)] for s in shares}
    return pd.DataFrame(rows, index=["LFW", "crowd"]).round(3)


def thresholds_by_size(best: np.ndarray, sizes, tail: Tail, share: float = 1e-3, fpir: float = 0.01):
    """The cosine that a share `fpir` of strangers exceed with somebody, as counted, with 95 % over
    strangers; and as a tail of pairs predicts it, with 95 % over its people. best (S, len(sizes)) from
    `extremes.best_of`."""
    rng = np.random.default_rng(0)
    draws = [np.quantile(best[rng.integers(len(best), size=len(best))], 1 - fpir, axis=0) for _ in range(500)]
    counted = np.quantile(best, 1 - fpir, axis=0)
    low, high = np.quantile(draws, [0.025, 0.975], axis=0)
    many = np.geomspace(sizes[0], sizes[-1], 31)
    needed = -np.expm1(np.log1p(-fpir) / many)
    _, axes = plt.subplots(figsize=(9.5, 4.4))
    axes.errorbar(sizes, counted, yerr=[counted - low, high - counted], fmt="o", ms=9, capsize=5, color=BLUE,
                  label="counted, 95 % over strangers")  # fmt: skip
    axes.plot(many, fit(tail, share).threshold(needed), "--", color=ORANGE,
              label=f"from {tail.pairs / 1e6:.1f} million pairs of other people, 95 %")  # fmt: skip
    axes.fill_between(many, *interval(tail, share, needed, 40), color=ORANGE, alpha=0.2)
    axes.set(xscale="log", xlabel="people enrolled", ylabel="cosine at an FPIR of 1 %")
    axes.grid(alpha=0.3)
    axes.legend()
    return axes


def cost_of_codes(
    gallery: np.ndarray, probes: np.ndarray, strangers: np.ndarray, fpir: float, resamples: int = 200
) -> pd.DataFrame:
    """FNIR at one FPIR for each way to store the gallery, in percent, with 95 % over probes and strangers
    (the threshold chosen anew each time). Row i of probes is row i of the gallery."""
    asked = np.concatenate([probes, strangers])
    truth = [*range(len(probes)), *[None] * len(strangers)]
    rows = []
    for name, (size, vectors) in compressed(gallery).items():
        top, score = np.zeros(len(asked), int), np.full(len(asked), -2, np.float32)
        for start in range(0, len(vectors), 2**14):
            cosines = vectors[start : start + 2**14] @ asked.T
            highest = cosines.max(axis=0)
            better = highest > score
            score[better], top[better] = highest[better], start + cosines[:, better].argmax(axis=0)
        found = bootstrap_fnir_at_fpir(top.tolist(), score, truth, fpir, resamples=resamples)
        rows.append([name, size, 100 * found.value, 100 * found.low, 100 * found.high])
    return pd.DataFrame(rows, columns=["stored as", "bytes", "FNIR %", "from", "to"])


def codes(tables: dict[str, pd.DataFrame]):
    """FNIR against bytes, a line for each gallery."""
    _, axes = plt.subplots(figsize=(10.5, 4.8))
    for (name, table), colour, dashes, mark in zip(
        tables.items(), (BLUE, ORANGE), ("-", "--"), "os", strict=True
    ):
        line = table[table["stored as"] != "signs"]
        low, high = line["FNIR %"] - line["from"], line["to"] - line["FNIR %"]
        axes.errorbar(line["bytes"], line["FNIR %"], yerr=[low.clip(0), high.clip(0)], fmt=dashes + mark,
                      ms=8, capsize=4, color=colour, label=name)  # fmt: skip
        bits = table[table["stored as"] == "signs"]
        axes.plot(bits["bytes"] * 1.07, bits["FNIR %"], "*", ms=17, color=colour, mec=BLACK)
    axes.set(xscale="log", yscale="log", xlabel="bytes a template", ylabel="FNIR, %")
    axes.set_xticks([8, 16, 32, 64, 128, 256, 512], ["8", "16", "32", "64", "128", "256", "512"])
    axes.set_xticks([], minor=True)
    axes.set_yticks([0.3, 1, 3, 10, 30, 100], ["0.3", "1", "3", "10", "30", "100"])
    axes.grid(alpha=0.3)
    axes.legend(title="star: one bit a number")
    return axes


def grouped_million(rows: list[dict]):
    """F over the threshold, 100,000 and a million drawn photos."""
    _, axes = plt.subplots(figsize=(10.5, 4.4))
    sizes = sorted({row["photos"] for row in rows})
    for method, colour, mark in (("whispers", BLUE, "o"), ("components", ORANGE, "s")):
        for size, dashes in zip(sizes, ("--", "-"), strict=False):
            some = [row for row in rows if row["method"] == method and row["photos"] == size]
            axes.plot(
                [row["cosine"] for row in some], [100 * row["b3"][2] for row in some], dashes + mark,
                color=colour, label=f"{method}, {size:,} photos",
            )  # fmt: skip
    axes.set(xlabel="joined from a cosine of", ylabel="B-cubed F, %", ylim=(0, 104))
    axes.grid(alpha=0.3)
    axes.legend(loc="lower right", fontsize=12)
    return axes


def search_times(rows: list[dict], aim: float = 0.95):
    """What must be done so that `aim` of those enrolled are found, over the size: templates compared, and
    milliseconds for a probe that comes alone."""
    _, (axes, clock) = plt.subplots(1, 2, figsize=(13, 4.6))
    looks = {"ivf": ("cells", BLUE, "-o"), "hnsw": ("graph", GREEN, "-.^")}
    for kind, (name, colour, look) in looks.items():
        some = [row for row in rows if row["of"] == "crowd" and row["kind"] == kind]
        for where, key in ((axes, "compared"), (clock, "ms")):
            points = [(row["people"], _needed(row, aim, key)) for row in some]
            where.plot(*zip(*points, strict=True), look, color=colour, label=name, ms=9)
    sizes = sorted({row["people"] for row in rows if row["of"] == "crowd"})
    axes.plot(sizes, sizes, ":", color=BLACK, label="all of them (exact)")
    for where, title in ((axes, "templates compared a probe"), (clock, "milliseconds a probe")):
        where.set(xscale="log", yscale="log", xlabel="people enrolled", ylabel=title)
        where.set_title(f"until {aim:.0%} of the enrolled are found")
        where.grid(alpha=0.3)
        where.legend()
    return axes


def _needed(row: dict, aim: float, key: str) -> float:
    """Between the two breadths that were tried, on the line through them."""
    known, compared = ([point[name] for point in row["points"]] for name in ("known", key))
    at = next((n for n, value in enumerate(known) if value >= aim), None)
    if at is None:
        return float("nan")
    if at == 0:
        return compared[0]
    share = (aim - known[at - 1]) / (known[at] - known[at - 1])
    return float(np.exp((1 - share) * np.log(compared[at - 1]) + share * np.log(compared[at])))
