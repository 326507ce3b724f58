"""Diagrams drawn for the lessons: boxes and arrows, and a timeline. Names stand inside the pictures."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

from facelab.course.plots import BLACK, BLUE, GREEN, ORANGE, SKY


def chain(axes: Axes, boxes: list[tuple[str, str]], y: float = 0.0, colours: tuple[str, ...] = ()) -> None:
    """Boxes from left to right with arrows between them: (what stands inside, what stands on its arrow)."""
    for place, (words, out) in enumerate(boxes):
        x = 2.6 * place
        colour = colours[place] if place < len(colours) else SKY
        axes.add_patch(
            FancyBboxPatch((x - 0.85, y - 0.5), 1.7, 1.0, "round,pad=0.06", fc=colour, ec=BLACK, alpha=0.35)
        )
        axes.text(x, y, words, ha="center", va="center", fontsize=12)
        if place + 1 < len(boxes):
            axes.add_patch(FancyArrowPatch((x + 0.95, y), (x + 1.65, y), arrowstyle="-|>", mutation_scale=18))
            axes.text(x + 1.3, y + 0.62, out, ha="center", va="bottom", fontsize=11)


def _canvas(wide: float, high: float, xlim: tuple, ylim: tuple) -> Axes:
    axes = plt.subplots(figsize=(wide, high))[1]
    axes.set(xlim=xlim, ylim=ylim, aspect="equal")
    axes.set_axis_off()
    return axes


def embedding_to_distance() -> Axes:
    """The slides' picture: two photos, one network, two vectors, one number and a threshold."""
    axes = _canvas(11, 4, (-1.2, 11.6), (-2.2, 1.4))
    for y, name in ((0.6, "photo A"), (-1.2, "photo B")):
        chain(axes, [(name, ""), ("backbone\n(the same)", "features"), ("embedding\n128 numbers", "")], y)
    axes.text(6.75, -0.3, "1 − cos", fontsize=14, ha="center", va="center", color=BLUE)
    for y in (0.6, -1.2):
        axes.add_patch(
            FancyArrowPatch((6.15, y), (6.6, -0.3 + 0.25 * np.sign(y)), arrowstyle="-|>", mutation_scale=18)
        )
    axes.add_patch(FancyArrowPatch((7.4, -0.3), (8.2, -0.3), arrowstyle="-|>", mutation_scale=18))
    axes.text(8.4, -0.3, "≤ threshold: same person\n> threshold: different people", va="center", fontsize=12)
    return axes


def neck_and_head() -> Axes:
    """ArcFace's network in training and in use (Japanese slides, pages 15–16)."""
    axes = _canvas(13, 3.6, (-1.2, 14.4), (-2.6, 1.5))
    boxes = [
        ("photo\n112 × 112", ""),
        ("backbone\nIResNet", "512 × 7 × 7"),
        ("neck\nBN, drop-out,\nlinear, BN", "512"),
        ("head\nW: C × 512\nmargin, s", "C logits"),
        ("softmax,\ncross-entropy", ""),
    ]
    chain(axes, boxes, 0.3, (SKY, SKY, ORANGE, GREEN, GREEN))
    axes.annotate("", (11.4, -0.9), (6.4, -0.9), arrowprops={"arrowstyle": "<->"})
    axes.text(8.9, -1.05, "only in training: thrown away afterwards", ha="center", va="top", fontsize=12)
    axes.annotate("", (6.1, -1.7), (-0.9, -1.7), arrowprops={"arrowstyle": "<->"})
    axes.text(
        2.6, -1.85, "what is used: the embedding of anybody, seen or not", ha="center", va="top", fontsize=12
    )
    return axes


def open_and_closed() -> Axes:
    """SphereFace's two by two: is the person known from training, and what is asked?"""
    axes = _canvas(9.5, 4.4, (-3.2, 7.2), (-1.9, 2.9))
    cells = {
        (0, 1): "closed-set\nidentification\n= classification",
        (3.6, 1): "open-set\nidentification\n= nearest neighbour\n+ threshold",
        (0, -1): "closed-set\nverification\n= same class?",
        (3.6, -1): "open-set\nverification\n= distance\n≤ threshold",
    }
    for (x, y), words in cells.items():
        colour = GREEN if x else SKY
        axes.add_patch(FancyBboxPatch((x - 1.5, y - 0.8), 3.0, 1.6, "round,pad=0.05", fc=colour, alpha=0.3))
        axes.text(x, y, words, ha="center", va="center", fontsize=12)
    axes.text(0, 2.15, "people of the training:\nseparable is enough", ha="center", fontsize=12)
    axes.text(3.6, 2.15, "people never seen:\na metric is needed", ha="center", fontsize=12)
    for y, words in ((1, "who?"), (-1, "the same?")):
        axes.text(-2.9, y, words, ha="left", va="center", fontsize=13)
    return axes


LOSSES = (
    (2014.4, "DeepFace, DeepID2", "softmax, contrastive"),
    (2015.2, "FaceNet", "triplets"),
    (2016.7, "centre loss", "softmax + pull"),
    (2016.95, "L-softmax", "angle × m"),
    (2017.4, "SphereFace", "angle × m, W normalised"),
    (2018.05, "CosFace", "cos − m"),
    (2018.1, "ArcFace", "angle + m"),
    (2019.4, "AdaCos", "s computed"),
    (2020.2, "CurricularFace", "hard ones later"),
    (2020.6, "sub-centre ArcFace", "K centres"),
    (2021.2, "MagFace", "m by length"),
    (2022.2, "AdaFace, ElasticFace", "m by quality, by lot"),
)
"""When each loss was first published (year and part of it, arXiv), its name, and its change in few words."""


def timeline() -> Axes:
    """The losses of lessons 02 to 04 in the order in which they came (after the survey on page 13)."""
    axes = plt.subplots(figsize=(13, 4.6))[1]
    axes.axhline(0, color=BLACK, linewidth=1.5)
    for place, (year, name, change) in enumerate(LOSSES):
        level = (1, -1, 2, -2, 3, -3)[place % 6]
        axes.plot([year, year], [0, level], color="0.7", linewidth=1, zorder=0)
        axes.plot(year, 0, "o", color=BLUE, ms=8)
        align = "bottom" if level > 0 else "top"
        axes.text(year, level, f"{name}\n{change}", ha="center", va=align, fontsize=11)
    axes.set(xlim=(2013.4, 2023.2), ylim=(-4.2, 4.2), xticks=range(2014, 2024), yticks=[])
    axes.spines["left"].set_visible(False)
    return axes
