"""Any loss after ArcFace beside ArcFace: what it does to the target, to a rival, and to the pull on a sample.

Three curves, all from the losses' own code: T(θ_y), N(θ_j), and how hard a sample at θ_y is drawn to its
centre,

    pull = −(1/s) ∂L/∂θ_y = (1 − P)·(−dT/dθ_y),   P = e^{sT} / (e^{sT} + e^{sN(θ_j)} + (C − 2)·e⁰)

for one rival class at θ_j and all the others at 90°, where they are observed to stay. All have ArcFace's
s = 64, so that what differs is what the loss changes; AdaCos, which changes s, has its own.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch

from facelab import losses
from facelab.course.plots import BLACK, BLUE, ORANGE
from facelab.course.widgets.base import LivePicture, LiveWidget, choice, control_text, slider

GRID = torch.linspace(0, math.pi, 361, dtype=torch.float64)
DEGREES = np.degrees(GRID.numpy())
CLASSES = (("10 people", 10), ("3,001 people", 3001), ("30,001 people", 30001), ("1,000,000 people", 10**6))
ARCFACE = losses.ArcFace(2, 3)


@dataclass(frozen=True)
class Setting:
    """A head as the sliders have it: its margin for this sample, and in words what the sliders did."""

    head: losses.MarginHead
    margin: float | None
    words: str
    centres: tuple[float, ...] = (0.0,)  # of the sample's own class, radians along the arc
    band: tuple[float, float] | None = None  # margins between which most samples lie


def adaptiveface(m: float) -> Setting:
    return Setting(
        losses.AdaptiveFace(2, 3, s=ARCFACE.s), m, f"this class's own margin is {m:.2f}, taken off the cosine"
    )


def adacos(theta_med: float, classes: int) -> Setting:
    head = losses.AdaCos(2, 3)
    s = math.log(classes - 1) / math.cos(min(math.pi / 4, math.radians(theta_med)))
    head.s = torch.tensor(s)
    return Setting(head, None, f"no margin; s = ln(C − 1) / cos(min(45°, θ_med)) = {s:.1f}")


def mvsoftmax(t: float) -> Setting:
    head = losses.MVSoftmax(2, 3, s=ARCFACE.s, t=t)
    return Setting(head, None, f"a hard rival becomes {t:.2f}·cos θ_j + {t - 1:.2f}")


def curricularface(t: float) -> Setting:
    head = losses.CurricularFace(2, 3)
    head.t.fill_(t)
    return Setting(head, None, f"a hard rival is weighted by {t:.2f} + cos θ_j")


def groupface() -> Setting:
    head = losses.GroupFace(2, 3, K=1, hidden=1)
    return Setting(head, None, "not one curve moves: what changes is the network that makes x")


def subcenter(K: int) -> Setting:
    centres = tuple(math.pi * k / K for k in range(K))
    places = ", ".join(f"{math.degrees(place):.0f}°" for place in centres)
    return Setting(ARCFACE, None, f"the nearest of the class's centres counts (here at {places})", centres)


def magface(norm: float) -> Setting:
    head = losses.MagFace(2, 3)
    margin = float(head.margin_of(torch.tensor(norm, dtype=torch.float64)))
    return Setting(head, margin, f"‖x‖ = {norm:.0f} gives m(a) = {margin:.2f}")


def elasticface(sigma: float, draw: float) -> Setting:
    head = losses.ElasticFace(2, 3, sigma=sigma)
    margin = head.m + draw * sigma
    band = (head.m - 2 * sigma, head.m + 2 * sigma)
    return Setting(head, margin, f"this draw's margin is {margin:.2f} (thin lines: m ± 2σ)", band=band)


def adaface(deviations: float) -> Setting:
    head = losses.AdaFace(2, 3)
    head.batch_mean.fill_(0.0)
    head.batch_std.fill_(1.0)
    z = float(head.quality_of(torch.tensor(deviations)))
    words = f"ẑ = {z:+.2f}: θ − m·ẑ turns by {-head.m * z:+.2f}, and {head.m + head.m * z:.2f} is taken off"
    return Setting(head, z, words)


MAKERS = {
    "AdaptiveFace": adaptiveface,
    "AdaCos": adacos,
    "MV-Softmax": mvsoftmax,
    "CurricularFace": curricularface,
    "GroupFace": groupface,
    "Sub-centre ArcFace": subcenter,
    "MagFace": magface,
    "ElasticFace": elasticface,
    "AdaFace": adaface,
}


def target(setting: Setting, theta: torch.Tensor) -> torch.Tensor:
    """T at θ (radians), θ counted from the first of the class's centres along the arc through all of them."""
    nearest = (theta.unsqueeze(-1) - torch.tensor(setting.centres, dtype=theta.dtype)).abs().amin(-1)
    return setting.head.target_curve(nearest, setting.margin)


def rival(setting: Setting, theta_j: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
    """N at θ_j, given the target's logit t; both broadcast."""
    cos = theta_j.cos().expand(torch.broadcast_shapes(theta_j.shape, t.shape))
    return setting.head.other_logits(cos.unsqueeze(-1).clone(), t.expand_as(cos)).squeeze(-1)


def pull(setting: Setting, theta: torch.Tensor, theta_j: torch.Tensor, classes: int) -> torch.Tensor:
    """(1 − P)·(−dT/dθ) at θ (N,); see the module's docstring."""
    theta = theta.clone().requires_grad_()
    t = target(setting, theta)
    slope = torch.autograd.grad(t.sum(), theta)[0]
    with torch.no_grad():
        s = float(setting.head.s)
        others = torch.stack([s * rival(setting, theta_j, t), torch.full_like(t, math.log(classes - 2))])
        return torch.sigmoid(others.logsumexp(0) - s * t) * -slope


class Beyond(LiveWidget):
    """Nine losses beside ArcFace. `loss` is the first one shown; its own sliders appear with it."""

    title = "Beside ArcFace"

    def __init__(self, loss: str = "MagFace", *, theta: int = 50, rival: int = 65, classes: int = 3001):
        self.loss = choice("loss", list(MAKERS), value=loss)
        self.theta = slider("sample at θ_y", 0, 180, value=theta, step=1, unit="°")
        self.rival = slider("nearest rival at θ_j", 0, 180, value=rival, step=1, unit="°")
        self.classes = choice("classes C", CLASSES, value=classes)
        self.m = slider("margin m of the class", 0.0, 1.0, value=0.5, step=0.01)
        self.theta_med = slider("median angle θ_med", 0, 90, value=60, step=1, unit="°")
        self.t_mv = slider("t, fixed", 1.0, 3.0, value=1.2, step=0.05)
        self.t_curricular = slider("t, as training goes on", 0.0, 1.0, value=0.0, step=0.01)
        self.K = slider("centres K a class", 1, 4, value=3, step=1)
        self.norm = slider("length ‖x‖", 10, 110, value=60, step=1)
        self.sigma = slider("σ of the margin", 0.0, 0.2, value=0.05, step=0.01)
        self.draw = slider("this draw, in σ", -3.0, 3.0, value=1.0, step=0.1)
        self.deviations = slider("‖x‖ above its mean, in σ", -4.0, 4.0, value=-3.0, step=0.1)
        self.own = {
            "AdaptiveFace": [self.m],
            "AdaCos": [self.theta_med],
            "MV-Softmax": [self.t_mv],
            "CurricularFace": [self.t_curricular],
            "GroupFace": [],
            "Sub-centre ArcFace": [self.K],
            "MagFace": [self.norm],
            "ElasticFace": [self.sigma, self.draw],
            "AdaFace": [self.deviations],
        }
        self._draw_still_parts()
        every = [control for controls in self.own.values() for control in controls]
        super().__init__([self.loss, *every, self.theta, self.rival, self.classes])

    def _draw_still_parts(self) -> None:
        self.picture = LivePicture(12, 4.3)
        live = self.picture.live
        with self.picture.styled():
            left, middle, right = self.axes = self.picture.figure.subplots(1, 3)
            left.plot(DEGREES, GRID.cos(), color="#999999", lw=1.2, ls=":", label="cos θ")
            left.plot(DEGREES, ARCFACE.target_curve(GRID), color=ORANGE, ls="--", label="ArcFace")
            middle.plot(DEGREES, GRID.cos(), color=ORANGE, ls="--")
            self.arcface_pull = live(right.plot([], [], color=ORANGE, ls="--")[0])
            self.hard = live(middle.axvspan(0, 1, color="#BBBBBB", alpha=0.4, lw=0))
            self.edges = [live(left.plot([], [], color=BLUE, lw=1)[0]) for _ in range(2)]
            self.curves = [live(axes.plot([], [], color=BLUE, lw=2.6)[0]) for axes in self.axes]
            self.beside = live(middle.axvline(0, color=BLACK, lw=1, ls=":"))
            self.dots = [live(axes.plot([], [], "o", color=BLUE, mec=BLACK, ms=10)[0]) for axes in self.axes]
            self.curves[0].set_label("this loss")
            titles = (
                r"target: $T(\theta_y)$",
                r"rival: $N(\theta_j)$  (grey: hard)",
                "pull to the own centre",
            )
            labels = (r"$\theta_y$, degrees", r"$\theta_j$, degrees", r"$\theta_y$, degrees")
            for axes, title, label in zip(self.axes, titles, labels, strict=True):
                axes.set(xlim=(0, 180), xticks=range(0, 181, 45), xlabel=label, title=title)
                axes.axhline(0, color="#999999", lw=0.8, zorder=0)
            left.set(ylim=(-2.3, 1.1))
            middle.set(ylim=(-2.3, 2.1))
            right.set(ylim=(-1.15, 1.45))
            left.legend(loc="lower left")
        for artist in self.picture.artists:
            artist.set_in_layout(False)

    def setting(self) -> Setting:
        """The loss as the sliders have it."""
        name = self.loss.value
        values = [control.value for control in self.own[name]]
        if name == "AdaCos":
            values.append(self.classes.value)
        return MAKERS[name](*values)

    def numbers(self) -> dict[str, float]:
        """What the line of text reads out, for the chosen loss and for ArcFace ("… of ArcFace")."""
        at = torch.tensor([math.radians(self.theta.value)], dtype=torch.float64)
        beside = torch.tensor(math.radians(self.rival.value), dtype=torch.float64)
        found = {}
        for suffix, setting in (("", self.setting()), (" of ArcFace", Setting(ARCFACE, None, ""))):
            t = target(setting, at)
            found |= {
                f"T{suffix}": float(t),
                f"N{suffix}": float(rival(setting, beside, t)),
                f"pull{suffix}": float(pull(setting, at, beside, self.classes.value)),
            }
        return found

    def update(self) -> str:
        name, classes = self.loss.value, self.classes.value
        for other, controls in self.own.items():
            for control in controls:
                control.layout.display = None if other == name else "none"
        setting, numbers = self.setting(), self.numbers()
        beside = torch.tensor(math.radians(self.rival.value), dtype=torch.float64)
        t = torch.tensor(numbers["T"], dtype=torch.float64)
        t_curve, n_curve = target(setting, GRID), rival(setting, GRID, t)
        for curve, values in zip(
            self.curves, (t_curve, n_curve, pull(setting, GRID, beside, classes)), strict=True
        ):
            curve.set_data(DEGREES, values)
        self.arcface_pull.set_data(DEGREES, pull(Setting(ARCFACE, None, ""), GRID, beside, classes))
        for edge, margin in zip(self.edges, setting.band or (None, None), strict=True):
            edge.set_data(
                *(([], []) if margin is None else (DEGREES, setting.head.target_curve(GRID, margin)))
            )
        angles = (self.theta.value, self.rival.value, self.theta.value)
        for dot, angle, value in zip(self.dots, angles, ("T", "N", "pull"), strict=True):
            dot.set_data([angle], [numbers[value]])
        self.beside.set_xdata([self.rival.value] * 2)
        reach = math.degrees(math.acos(max(-1.0, min(1.0, numbers["T"]))))  # rivals nearer than this are hard
        self.hard.set_width(reach)
        hard = "hard" if math.cos(float(beside)) > numbers["T"] else "easy"
        return (
            f"{name}: {setting.words}. At θ_y = {self.theta.value}° T = {numbers['T']:.2f} "
            f"(ArcFace {numbers['T of ArcFace']:.2f}); the rival at {self.rival.value}° is {hard} and counts "
            f"{numbers['N']:.2f} ({numbers['N of ArcFace']:.2f}); the pull is {numbers['pull']:.2f} "
            f"({numbers['pull of ArcFace']:.2f})."
        )

    def still_caption(self) -> str:
        shown = [control for control in self.controls if control.layout.display is None]
        state = ", ".join(f"{control.description} {control_text(control)}" for control in shown)
        return f"*{self.title}: live in JupyterLab once this cell has run. Here: {state}.*"
