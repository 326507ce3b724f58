"""What a margin does to a logit, to a border, and to a gradient: two widgets without any training."""

import math

import numpy as np
import torch
from matplotlib.patches import Polygon, Wedge

from facelab.course.plots import BLACK, BLUE, GREEN, ORANGE, RED, SKY
from facelab.course.widgets.base import LivePicture, LiveWidget, choice, slider
from facelab.losses import ArcFace, CombinedMargin, CosFace, MarginHead, SphereFace

OWN = "my own mixture"
PRESETS = {
    "ArcFace (1, 0.5, 0)": (1.0, 0.5, 0.0),
    "CosFace (1, 0, 0.35)": (1.0, 0.0, 0.35),
    "SphereFace (4, 0, 0)": (4.0, 0.0, 0.0),
    "no margin (1, 0, 0)": (1.0, 0.0, 0.0),
    "ArcFace paper's mixture (0.9, 0.4, 0.15)": (0.9, 0.4, 0.15),
}
"""(m1, m2, m3) of the combined form; the last is Table 2 of the ArcFace paper."""

MOST_CLASSES = 12
SLIDE_COSINES = (1.0, 0.8, 0.6, 0.4, 0.2)
"""The cosines of the Japanese slides' page 25."""


# ---- the arithmetic ----------------------------------------------------------------------------------------


def combined(m1: float, m2: float, m3: float) -> CombinedMargin:
    """The head whose `target_curve` is cos(m1 θ + m2) − m3."""
    return CombinedMargin(2, 2, m1=m1, m2=m2, m3=m3)


def slack(head: MarginHead, classes: int) -> float:
    """By how much (in logits before scaling) a sample on its own centre beats the nearest other class, with
    the margin applied and C classes evenly around the circle. Negative: the margin cannot be met in 2-D."""
    return float(head.target_curve(0.0)) - math.cos(2 * math.pi / classes)


def half_region(head: MarginHead, classes: int) -> float:
    """The largest angle (radians) from its own centre at which a sample still meets the margin against a
    neighbour 2π/C away: T(θ) ≥ cos(2π/C − θ). NaN when not even θ = 0 does."""
    if slack(head, classes) < -1e-9:
        return math.nan
    low, high, between = 0.0, math.pi / classes, 2 * math.pi / classes
    for _ in range(40):  # T falls and the other rises: one crossing
        middle = (low + high) / 2
        if float(head.target_curve(middle)) >= math.cos(between - middle):
            low = middle
        else:
            high = middle
    return low


def border(head: MarginHead, theta: np.ndarray) -> np.ndarray:
    """For two classes: the angle θ₂ to the other centre at which a sample at θ₁ = `theta` from its own just
    meets the margin, cos θ₂ = T(θ₁). NaN where no angle does (T < −1)."""
    target = head.target_curve(theta).numpy()
    return np.where(target >= -1, np.arccos(np.clip(target, -1, 1)), np.nan)


def formula(m1: float, m2: float, m3: float) -> str:
    """cos(m1 θ + m2) − m3 without the parts that do nothing."""
    inside = ("θ" if m1 == 1 else f"{m1:g}θ") + (f" + {m2:g}" if m2 else "")
    return (f"cos({inside})" if len(inside) > 1 else "cos θ") + (f" − {m3:g}" if m3 else "")


def softmax(logits) -> np.ndarray:
    logits = np.asarray(logits, dtype=np.float64)
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def probability_and_gradient(
    head: MarginHead, theta: np.ndarray, classes: int
) -> tuple[np.ndarray, np.ndarray]:
    """p(θ) of the right class, and ∂L/∂θ = −(1 − p)·s·T′(θ) as autograd finds it, for a sample at θ from its
    own centre and at 90° from all others, where high-dimensional classes are (AdaCos, section 3)."""
    theta = torch.as_tensor(theta, dtype=torch.float64).clone().requires_grad_()
    logit = head.s * head.target_curve(theta)
    others = math.log(classes - 1)  # ln Σ e^{s cos 90°}
    loss = torch.nn.functional.softplus(others - logit)  # −ln p
    (gradient,) = torch.autograd.grad(loss.sum(), theta)
    return (-loss).exp().detach().numpy(), gradient.numpy()


# ---- the margin explorer -----------------------------------------------------------------------------------


class MarginExplorer(LiveWidget):
    """Sliders m1, m2, m3 of cos(m1 θ + m2) − m3, and the number of classes.

    Left: the target logit over the angle. Middle: the border in the plane of both angles, two classes.
    Right: C classes around the circle, and where samples may lie.

    head      the `CombinedMargin` of the sliders
    feasible  whether C classes can meet the margin in 2-D
    half      largest angle (radians) from the own centre that meets it; NaN when infeasible
    """

    title = "What a margin asks for"

    def __init__(self, m1: float = 1.0, m2: float = 0.5, m3: float = 0.0, classes: int = 8):
        self.m1 = slider("m1 ×", 0.5, 4.0, value=m1, step=0.1, tip="SphereFace: multiplies the angle")
        self.m2 = slider("m2 +", 0.0, 1.5, value=m2, step=0.01, unit="rad", tip="ArcFace: added to the angle")
        self.m3 = slider("m3 −", 0.0, 1.0, value=m3, step=0.01, tip="CosFace: taken from the cosine")
        self.classes = slider("classes C", 2, MOST_CLASSES, value=classes, step=1)
        self.preset = choice("set to", [OWN, *PRESETS])
        self.preset.observe(self._apply_preset, names="value")
        self.theta = np.radians(np.linspace(0, 180, 181))
        self._draw_background()
        super().__init__([self.m1, self.m2, self.m3, self.classes, self.preset])

    def _apply_preset(self, change) -> None:
        if change["new"] != OWN:
            with self.together():
                self.m1.value, self.m2.value, self.m3.value = PRESETS[change["new"]]

    def _draw_background(self) -> None:
        self.picture = LivePicture(12.2, 4.5, layout="none")
        figure, live = self.picture.figure, self.picture.live
        with self.picture.styled():
            curve = figure.add_axes((0.055, 0.15, 0.31, 0.73))
            plane = figure.add_axes((0.435, 0.15, 0.245, 0.73))
            circle = figure.add_axes((0.695, 0.03, 0.305, 0.87))
            shown = np.degrees(self.theta)
            for head, colour, dashes, label in (
                (CosFace(2, 2, m=0.35), GREEN, "-.", "CosFace 0.35"),
                (SphereFace(2, 2, m=4, anneal=False), ORANGE, ":", "SphereFace 4"),
                (ArcFace(2, 2, m=0.5), BLUE, "--", "ArcFace 0.5"),
            ):
                curve.plot(shown, head.target_curve(self.theta), dashes, color=colour, lw=1.8, label=label)
            curve.plot(shown, np.cos(self.theta), color="#999999", lw=1.8, label="cos θ")
            curve.set(xlim=(0, 180), ylim=(-2.6, 1.15), xticks=(0, 45, 90, 135, 180))
            curve.set(xlabel="angle θ to the own centre (°)", title="target logit T(θ)")
            curve.legend(loc="upper right", fontsize=12, handlelength=2.2, borderaxespad=0, labelspacing=0.2)
            self._curve = live(curve.plot([], [], color=RED, lw=4)[0])

            plane.set(xlim=(0, 90), ylim=(0, 90), xticks=(0, 30, 60, 90), yticks=(0, 30, 60, 90))
            plane.set(xlabel="θ₁, to centre 1 (°)", title="two classes", aspect="equal")
            plane.set_ylabel("θ₂, to centre 2 (°)", labelpad=0)
            self._regions = [
                live(plane.add_patch(Polygon([(0, 0)], closed=True, fc=fc, ec=BLACK, lw=1.5, hatch=hatch)))
                for fc, hatch in ((SKY, "//"), ("#F3C98B", "\\\\"))
            ]
            plane.plot([0, 90], [0, 90], color=BLACK, linestyle=":", lw=1.5)
            box = {"facecolor": "white", "edgecolor": "none", "pad": 1.5, "alpha": 0.85}
            self._names = [
                live(plane.text(x, y, words, ha="center", va="center", fontsize=13, bbox=box))
                for x, y, words in ((24, 74, "class 1"), (72, 18, "class 2"))
            ]
            circle.set(xlim=(-1.25, 1.25), ylim=(-1.3, 1.2), aspect="equal")
            circle.set_axis_off()
            circle.set_title("where samples may lie in 2-D")
            around = np.linspace(0, 2 * np.pi, 200)
            circle.plot(np.cos(around), np.sin(around), color="#BBBBBB", lw=1.2)
            self._wedges, self._rays = [], []
            for number in range(MOST_CLASSES):
                look = {"fc": SKY if number % 2 else "#F3C98B", "hatch": "//" if number % 2 else "\\\\"}
                wedge = Wedge((0, 0), 1, 0, 1, ec=BLACK, lw=1.2, **look)
                self._wedges.append(live(circle.add_patch(wedge)))
                self._rays.append(live(circle.plot([], [], color=BLACK, lw=1.6)[0]))
            words = circle.text(
                0, 0, "", ha="center", va="center", fontsize=16, weight="bold", color=RED,
                bbox={"facecolor": "white", "edgecolor": RED, "linewidth": 2.5, "pad": 6},
            )  # fmt: skip
            self._stamp = live(words)
            self._gap = live(circle.text(0, -1.24, "", ha="center", fontsize=13))

    def update(self) -> str:
        m1, m2, m3, count = round(self.m1.value, 2), self.m2.value, self.m3.value, self.classes.value
        self.head = head = combined(m1, m2, m3)
        if self.preset.value != OWN and PRESETS[self.preset.value] != (m1, m2, m3):
            self.preset.value = OWN
        self._curve.set_data(np.degrees(self.theta), head.target_curve(self.theta))
        self._draw_plane(head)
        self.half = half_region(head, count)
        self.feasible = not math.isnan(self.half)
        self._draw_circle(count)
        between, room = 360 / count, slack(head, count)
        asks = f"T(θ) = {formula(m1, m2, m3)}, {count} classes {between:.0f}° apart"
        if not self.feasible:
            cos = math.cos(math.radians(between))
            return (
                f"{asks}: infeasible in 2-D. Even a sample exactly on its centre has {cos + room:.2f} "
                f"against its neighbour's cos {between:.0f}° = {cos:.2f}."
            )
        half, gap = math.degrees(self.half), between - 2 * math.degrees(self.half)
        return (
            f"{asks}: samples may lie up to {half:.1f}° from their centre, and {gap:.1f}° between two "
            f"classes stay empty. On its centre a sample is ahead by {room:.2f}."
        )

    def _draw_plane(self, head: MarginHead) -> None:
        theta = np.radians(np.linspace(0, 90, 91))
        other = np.degrees(border(head, theta))
        some = np.isfinite(other)
        x, y = np.degrees(theta[some]), np.clip(other[some], 0, 180)
        first = np.column_stack([np.r_[0, x, x[-1:]], np.r_[180, y, 180]]) if len(x) else np.zeros((1, 2))
        self._regions[0].set_xy(first)
        self._regions[1].set_xy(first[:, ::-1])

    def _draw_circle(self, count: int) -> None:
        half = math.degrees(self.half) if self.feasible else 0.0
        for number, (wedge, ray) in enumerate(zip(self._wedges, self._rays, strict=True)):
            here = number < count
            at = 90 + 360 * number / count
            ray.set_visible(here)
            wedge.set_visible(here and half > 0.05)
            wedge.set_theta1(at - half)
            wedge.set_theta2(at + half)
            ray.set_data([0, math.cos(math.radians(at))], [0, math.sin(math.radians(at))])
        self._stamp.set_visible(not self.feasible)
        self._stamp.set_text("infeasible\nin 2-D")
        self._gap.set_text(f"empty between classes: {360 / count - 2 * half:.1f}°" if self.feasible else "")


# ---- the gradient explorer ---------------------------------------------------------------------------------

KINDS = ("ArcFace", "CosFace")


class GradientExplorer(LiveWidget):
    """How sure the softmax is, and how hard a sample is pulled, over its angle; s and m on sliders.

    Left: the slides' demo, softmax of s·[1.0, 0.8, 0.6, 0.4, 0.2]. Middle: p(θ). Right: ∂L/∂θ, exact and, for
    ArcFace, as the widely used implementation computes it (the angle detached from the graph).

    p, pull     (181,) probability and ∂L/∂θ at whole degrees; detached: ∂L/∂θ of the other kind of gradient
    demo        (5,) the softmax of the slides' cosines
    """

    title = "What the scale does"

    def __init__(self, s: float = 64, m: float = 0.5, classes: int = 1000):
        self.scale = slider("scale s", 1, 128, value=int(s), step=1)
        self.kind = choice("loss", KINDS)
        self.margin = slider("margin m", 0.0, 1.0, value=m, step=0.01)
        self.classes = choice(
            "classes", [(f"{c:,}", c) for c in (8, 100, 1000, 10_000, 1_000_000)], value=classes
        )
        self.theta = np.radians(np.linspace(0, 180, 181))
        self._draw_background()
        super().__init__([self.scale, self.margin, self.kind, self.classes])

    def _draw_background(self) -> None:
        self.picture = LivePicture(12.2, 4.3, layout="none")
        figure, live = self.picture.figure, self.picture.live
        with self.picture.styled():
            bars = figure.add_axes((0.05, 0.16, 0.235, 0.72))
            sure = figure.add_axes((0.345, 0.16, 0.265, 0.72))
            pull = figure.add_axes((0.68, 0.16, 0.305, 0.72))
            places = np.arange(len(SLIDE_COSINES))
            self._bars = [
                live(bar) for bar in bars.bar(places, places * 0, color=SKY, edgecolor=BLACK, hatch="//")
            ]
            self._shares = [live(bars.text(x, 0, "", ha="center", va="bottom", fontsize=12)) for x in places]
            bars.set(xticks=places, xticklabels=SLIDE_COSINES, ylim=(0, 1.12), yticks=(0, 0.5, 1))
            bars.set(xlabel="cosine", title="softmax of s · cosine")
            angles = {
                "xlim": (0, 180),
                "xticks": (0, 45, 90, 135, 180),
                "xlabel": "angle θ to the own centre (°)",
            }
            sure.set(ylim=(-0.03, 1.05), yticks=(0, 0.5, 1), title="p: how sure it is", **angles)
            pull.set(title="∂L/∂θ as a share of s", ylim=(-0.05, 1.3), yticks=(0, 0.5, 1), **angles)
            self._sure = live(sure.plot([], [], color=BLUE, lw=3)[0])
            self._pull = live(pull.plot([], [], color=BLUE, lw=3, label="exact")[0])
            self._detached = live(pull.plot([], [], "--", color=ORANGE, lw=3, label="detached")[0])
            pull.legend(loc="upper right", ncols=2, fontsize=12, borderaxespad=0)

    def update(self) -> str:
        s, m, count = self.scale.value, self.margin.value, self.classes.value
        heads = [ArcFace(2, 2, s=s, m=m, gradient=kind) for kind in ("exact", "detached")]
        if self.kind.value == "CosFace":
            heads = [CosFace(2, 2, s=s, m=m)]
        curves = [probability_and_gradient(head, self.theta, count) for head in heads]
        (self.p, self.pull), self.detached = curves[0], curves[-1][1]
        self.demo = softmax(s * np.array(SLIDE_COSINES))
        for bar, words, share in zip(self._bars, self._shares, self.demo, strict=True):
            bar.set_height(share)
            words.set(y=share + 0.01, text=f"{share:.2f}")
        degrees = np.degrees(self.theta)
        self._sure.set_data(degrees, self.p)
        self._pull.set_data(degrees, self.pull / s)
        self._detached.set_data(degrees, self.detached / s)
        self._detached.set_visible(len(heads) == 2)
        half = degrees[self.p >= 0.5]
        where = f"at least half sure up to {half.max():.0f}°" if len(half) else "never half sure"
        pull = (
            f"Pull at 10°: {self.pull[10]:.3g} exact, {self.detached[10]:.3g} detached."
            if len(heads) == 2
            else f"Pull at 10°: {self.pull[10]:.3g} exact."
        )
        return f"s = {s}, m = {m:.2f}, {count:,} classes: on its centre p = {self.p[0]:.4f}, {where}. {pull}"
