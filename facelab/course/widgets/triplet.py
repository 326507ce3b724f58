"""Three points to drag: the triplet loss, its zones, and where gradient descent would move each point.

The arithmetic runs in the browser (triplet.js), so that nothing lags behind the hand; `measure` below is the
same in Python, for cells that drive the widget and for the stored picture. A test compares the two.
"""

import math
from dataclasses import dataclass
from pathlib import Path

import anywidget
import numpy as np
import traitlets
from matplotlib.patches import Circle

from facelab.course.plots import BLACK, BLUE, GREEN, ORANGE, RED
from facelab.course.widgets.base import LivePicture, StillPicture
from facelab.course.widgets.page import Speaking
from facelab.losses import triplet_kind

RATE = 0.15  # of the arrows and of one step: a point moves by −RATE · gradient
LIMIT = (1.75, 1.25)  # |x| and |y| that a point can have
START = {"anchor": (-0.6, -0.25), "positive": (0.1, 0.35), "negative": (0.28, -0.6)}
POINTS = tuple(START)
LOOKS = {"anchor": ("a", BLACK, "o"), "positive": ("p", BLUE, "s"), "negative": ("n", RED, "D")}
ZONES = {"hard": (ORANGE, "//"), "semi-hard": ("#F0E442", ".."), "easy": (GREEN, "")}


@dataclass(frozen=True, eq=False)
class Measures:
    """What one position of the three points gives.

    d1, d2     squared distances from the anchor to the positive and to the negative
    loss       max(0, d1 − d2 + α)
    kind       "easy", "semi-hard" or "hard": the zone in which the negative lies
    gradients  (3, 2): of the loss by anchor, positive and negative; along the circle's tangent in circle mode
    """

    d1: float
    d2: float
    loss: float
    kind: str
    gradients: np.ndarray


def on_circle(point) -> np.ndarray:
    """x / ‖x‖; the middle, which has no direction, becomes (1, 0)."""
    length = math.hypot(*point)
    return np.array(point) / length if length else np.array([1.0, 0.0])


def measure(anchor, positive, negative, margin: float, circle: bool = False) -> Measures:
    """FaceNet (Schroff et al., CVPR 2015), eq. 2, for one triplet in the plane, and its gradients.

    circle  normalise the points first. A gradient then has no part along the point itself: by the
            normalised point x it is g − (g·x)x.
    """
    a, p, n = (on_circle(x) if circle else np.asarray(x, float) for x in (anchor, positive, negative))
    d1, d2 = float(((a - p) ** 2).sum()), float(((a - n) ** 2).sum())
    loss = max(0.0, d1 - d2 + margin)
    gradients = np.array([2 * (n - p), 2 * (p - a), 2 * (a - n)]) * (loss > 0)
    if circle:
        points = np.array([a, p, n])
        gradients = gradients - (gradients * points).sum(1, keepdims=True) * points
    return Measures(d1, d2, loss, triplet_kind(d1, d2, margin), gradients)


class Point(traitlets.TraitType):
    """Two finite numbers within LIMIT, kept as a list of floats."""

    info_text = f"two numbers, |x| ≤ {LIMIT[0]} and |y| ≤ {LIMIT[1]}"

    def validate(self, obj, value):
        try:
            x, y = (float(part) for part in value)
        except (TypeError, ValueError):
            self.error(obj, value)
        if not (abs(x) <= LIMIT[0] and abs(y) <= LIMIT[1]):
            self.error(obj, value)
        return [x, y]


class Triplet(Speaking, StillPicture, anywidget.AnyWidget):
    """Drag anchor, positive and negative with the mouse, or Tab to one and move it with the arrow keys.

    A cell drives it by assigning to `anchor`, `positive`, `negative`, `margin` and `circle`, by `step()`, and
    reads `d1`, `d2`, `loss`, `kind`, `gradients`. `error` holds what the browser could not draw, or None.
    """

    title = "A triplet to drag"
    _esm = Path(__file__).with_name("triplet.js")
    _css = Path(__file__).with_name("triplet.css")
    WORDS = (
        "margin α",
        "on the unit circle",
        "One step",
        "Each point follows its arrow: one step of gradient descent",
        "Reset",
        "Anchor, positive and negative. Tab goes to a point, arrow keys move it.",
        "d2 ≥ d1 + α: loss 0",
        "anchor",
        "positive",
        "negative",
        "{0} at ({1}). Arrow keys move it.",
        "loss = max(0, d1 − d2 + α) = {0}",
        "length of the gradient: a {0}, p {1}, n {2}",
        "This change could not be drawn.",
    )

    anchor = Point(list(START["anchor"])).tag(sync=True)
    positive = Point(list(START["positive"])).tag(sync=True)
    negative = Point(list(START["negative"])).tag(sync=True)
    margin = traitlets.Float(0.2, min=0.0, max=1.0).tag(sync=True)
    circle = traitlets.Bool(False).tag(sync=True)
    error = traitlets.Unicode(None, allow_none=True).tag(sync=True)

    @property
    def measures(self) -> Measures:
        return measure(self.anchor, self.positive, self.negative, self.margin, self.circle)

    @property
    def d1(self) -> float:
        return self.measures.d1

    @property
    def d2(self) -> float:
        return self.measures.d2

    @property
    def loss(self) -> float:
        return self.measures.loss

    @property
    def kind(self) -> str:
        return self.measures.kind

    @property
    def gradients(self) -> np.ndarray:
        return self.measures.gradients

    @property
    def places(self) -> np.ndarray:
        """(3, 2): where the points are shown; on the circle in circle mode."""
        points = [getattr(self, name) for name in POINTS]
        return np.array([on_circle(point) for point in points] if self.circle else points)

    def step(self, times: int = 1) -> None:
        """Gradient descent: every point moves by −RATE times its gradient, `times` times over."""
        for _ in range(times):
            moved = self.places - RATE * self.gradients
            moved = (
                [on_circle(x) for x in moved] if self.circle else np.clip(moved, *np.outer((-1, 1), LIMIT))
            )
            for name, place in zip(POINTS, moved, strict=True):
                setattr(self, name, place.tolist())

    def words(self) -> str:
        m = self.measures
        return (
            f"d1 = {m.d1:.2f}   d2 = {m.d2:.2f}   α = {self.margin:.2f}   "
            f"loss = max(0, d1 − d2 + α) = {m.loss:.2f}   {m.kind}"
        )

    def still_png(self) -> bytes:
        picture = LivePicture(7.2, 5.7)
        with picture.styled():
            self._paint(picture.figure.add_subplot())
        return picture.png()

    def _paint(self, axes) -> None:
        m, (a, p, n) = self.measures, self.places
        axes.set(xlim=(-LIMIT[0], LIMIT[0]), ylim=(-LIMIT[1], LIMIT[1]), aspect="equal", xticks=[], yticks=[])
        axes.set_facecolor(ZONES["easy"][0] + "40")
        for kind, radius in (("semi-hard", math.sqrt(m.d1 + self.margin)), ("hard", math.sqrt(m.d1))):
            colour, hatch = ZONES[kind]
            axes.add_patch(Circle(a, radius, facecolor="white", edgecolor="none"))
            axes.add_patch(Circle(a, radius, facecolor=colour + "66", edgecolor="#666", hatch=hatch, lw=1.5))
        if self.circle:
            axes.add_patch(Circle((0, 0), 1, fill=False, edgecolor=BLACK, lw=2))
        axes.plot(*zip(a, p, strict=True), color=BLUE, lw=2)
        axes.plot(*zip(a, n, strict=True), color=RED, lw=2, ls="--")
        for place, gradient, (letter, colour, marker) in zip(
            (a, p, n), m.gradients, LOOKS.values(), strict=True
        ):
            if np.hypot(*gradient) > 1e-9:
                tip = {"arrowstyle": "-|>", "lw": 3, "color": colour, "mutation_scale": 20}
                axes.annotate("", place - RATE * gradient, place, arrowprops=tip)
            axes.plot(*place, marker, ms=17, mfc="white", mec=colour, mew=3)
            axes.text(*place, letter, ha="center", va="center_baseline", color=colour, weight="bold")
        axes.set_title(self.words().replace("loss =", "\nloss ="), fontsize=13)

    def still_caption(self) -> str:
        return f"*{self.title}: live in JupyterLab once this cell has run. Here: {self.words()}.*"
