"""Two losses on the same faces, trained while you watch, and played again epoch by epoch."""

import math
import threading
import time

import ipywidgets as widgets
import numpy as np

from facelab.course.language import translated
from facelab.course.plots import BLACK, BLUE, RED
from facelab.course.widgets import fan
from facelab.course.widgets.base import LivePicture, LiveWidget, choice, slider
from facelab.losses import max_margin_2d
from facelab.training import Stop

LOSSES = ("Softmax", "ModifiedSoftmax", "SphereFace", "CosFace", "ArcFace")
MARGINS = {
    "SphereFace": (1.0, 4.0, 1.0, 4.0),
    "CosFace": (0.0, 0.6, 0.01, 0.2),
    "ArcFace": (0.0, 1.2, 0.01, 0.5),
}
"""Lowest, highest, step, and where the slider starts."""
NAMES = {"Softmax": "softmax", "ModifiedSoftmax": "modified softmax", "SphereFace": "A-Softmax (SphereFace)"}
VIEWS = (("on the circle (ArcFace, Fig. 3)", "circle"), ("lengths kept (SphereFace, Fig. 2)", "lengths"))
STARTS = (("evenly around the circle", True), ("at random", False))
PHOTOS = (("learnt from", False), ("kept back", True))
BETWEEN_EPOCHS = 0.15  # seconds, while playing
BETWEEN_PICTURES = 0.3  # seconds, while training
SIDES = {
    "left": ("left loss", "left margin m", "left scale s"),
    "right": ("right loss", "right margin m", "right scale s"),
}
SCALES = (1, 2, 4, 8, 16, 32, 64, 128)


class Side:
    """The controls of one of the two losses."""

    def __init__(self, name: str, loss: str, m: float | None = None, s: float = 64):
        loss_label, margin_label, scale_label = SIDES[name]
        self.loss = choice(loss_label, [(NAMES.get(loss, loss), loss) for loss in LOSSES], value=loss)
        self.margin = slider(margin_label, 0.0, 1.2, value=0.5, step=0.01)
        self.scale = choice(scale_label, SCALES, value=s)
        self.loss.observe(lambda _: self.fit_controls(), names="value")
        self.fit_controls()
        if m is not None:
            self.margin.value = m

    def fit_controls(self) -> None:
        """Each loss has its own range of margins; two have none, three take s from ‖x‖."""
        loss = self.loss.value
        low, high, step, value = MARGINS.get(loss, (0.0, 0.0, 0.01, 0.0))
        self.margin.min, self.margin.max = min(low, self.margin.min), max(high, self.margin.max)
        self.margin.value, self.margin.step = value, step
        self.margin.min, self.margin.max = low, high
        self.margin.readout_format = ".0f" if step == 1 else ".2f"
        self.margin.disabled = loss not in MARGINS
        self.scale.disabled = loss not in ("CosFace", "ArcFace")

    @property
    def options(self) -> dict:
        """What the head is built with."""
        loss = self.loss.value
        if loss == "SphereFace":
            return {"m": int(self.margin.value), "anneal": False}  # 5,000 steps of easing in; a run has 150
        if loss in MARGINS:
            return {"s": float(self.scale.value), "m": float(self.margin.value)}
        return {}

    def infeasible(self, classes: int) -> str:
        """Why the margin cannot be met by this many classes in the plane; empty when it can."""
        if self.loss.value not in ("CosFace", "ArcFace"):
            return ""
        most = max_margin_2d(self.loss.value, classes)
        if self.margin.value <= most:
            return ""
        return (
            f"{self.loss.value} m = {self.margin.value:.2f} is infeasible in 2-D: {classes} classes leave "
            f"room for {math.floor(most * 100) / 100:.2f}."
        )


class Trainer(LiveWidget):
    """Choose two losses, press Start, watch both fans; then move the epoch or press play.

    toys    dict of name → `fan.Toy`; the first is chosen
    left, right  (loss, margin, scale) to begin with

    Training runs in a thread of its own; `Stop` ends it after the batch it is in. `train()` does the same and
    waits, for cells. `runs` holds the last two runs, left and right.
    """

    title = "Two losses, eight people, two dimensions"

    def __init__(self, toys: dict, left=("Softmax", None, 64), right=("ArcFace", 0.5, 64), seed: int = 0):
        self.toys, self.runs = toys, [None, None]
        self.sides = [Side("left", *left), Side("right", *right)]
        self.data = choice("data", list(toys))
        self.start_from = choice("centres begin", STARTS)
        self.seed = slider("seed", 0, 9, value=seed, step=1)
        self.epoch = slider(
            "epoch", 0, fan.EPOCHS, value=fan.EPOCHS, step=1, tip="Drag to see how it came about"
        )
        self.view = choice("draw", VIEWS)
        self.photos = choice("samples", PHOTOS)
        self._stop, self._thread, self._drawn = Stop(), None, 0.0
        self._held, self._film = threading.Event(), None
        self._trained, self._failure = [None, None], None
        self._draw_background()
        every = [c for side in self.sides for c in (side.loss, side.margin, side.scale)]
        super().__init__([*every, self.data, self.start_from, self.seed, self.epoch, self.view, self.photos])
        self._arrange()

    @property
    def toy(self) -> fan.Toy:
        return self.toys[self.data.value]

    def plan(self, which: int) -> tuple:
        """What Start would train on this side: loss, options, data, start, seed."""
        side = self.sides[which]
        return side.loss.value, side.options, self.data.value, self.start_from.value, self.seed.value

    @property
    def training(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    # ---- buttons -----------------------------------------------------------------------------------------

    def _arrange(self) -> None:
        """Rows in the order of use: what to train, how, the buttons, and what to look at."""
        wrap = widgets.Layout(flex_flow="row wrap", align_items="center")
        reset = self.children[0].children[-1]
        self.go = widgets.Button(
            description="Start", icon="play", button_style="primary", tooltip="Train both"
        )
        self.halt = widgets.Button(description="Stop", icon="stop", disabled=True, tooltip="End this run now")
        self.film = widgets.Button(description="Play", icon="film", tooltip="Play the epochs; again: hold")
        for button in (self.go, self.halt, self.film):
            button.layout.width = "auto"
        self.go.on_click(lambda _: self.start())
        self.halt.on_click(lambda _: self.stop())
        self.film.on_click(lambda _: self.play())
        self.bar = widgets.IntProgress(max=2 * fan.EPOCHS, layout=widgets.Layout(width="14em"))
        self.progress = widgets.HTML()
        sides = [widgets.HBox([side.loss, side.margin, side.scale], layout=wrap) for side in self.sides]
        run = [self.data, self.start_from, self.seed]
        look = [self.film, self.epoch, self.view, self.photos]
        self.children = [
            *sides,
            widgets.HBox([*run, reset], layout=wrap),
            widgets.HBox([self.go, self.halt, self.bar, self.progress], layout=wrap),
            widgets.HBox(look, layout=wrap),
            *self.children[1:],
        ]

    def start(self) -> None:
        """Train both in the background."""
        if self.training:
            return
        self._stop = Stop()
        self._held.set()
        self.go.disabled, self.halt.disabled = True, False
        self._thread = threading.Thread(target=self._train, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the run after the batch it is in; what was learnt so far is kept."""
        self._stop.set()

    def play(self) -> None:
        """Show the epochs one after the other, in the background; called again, hold."""
        if self.playing:
            self._held.set()
            return
        self._held = threading.Event()  # of this film: an older one that still ends does not end it
        self._film = threading.Thread(target=self._play, args=(self._held,), daemon=True)
        self._film.start()

    @property
    def playing(self) -> bool:
        return self._film is not None and self._film.is_alive() and not self._held.is_set()

    def _play(self, held: threading.Event) -> None:
        first = self.epoch.value + 1 if self.epoch.value < fan.EPOCHS else 0
        for epoch in range(first, fan.EPOCHS + 1):
            if held.is_set():
                break
            self.epoch.value = epoch
            held.wait(BETWEEN_EPOCHS)

    def reset(self) -> None:
        self._held.set()
        super().reset()

    def train(self) -> "Trainer":
        """Start, and wait for the end: for cells."""
        self.start()
        self._thread.join()
        return self

    def _train(self) -> None:
        self.runs, self._failure = [None, None], None
        self._trained = [self.plan(0), self.plan(1)]
        self.bar.value = 0
        try:
            for which, (loss, options, data, even, seed) in enumerate(self._trained):
                if self._stop.is_set():
                    break

                def watch(frame: fan.Frame, run: fan.Run, which=which) -> None:
                    self.runs[which] = run
                    self._tell(
                        f"{run.title}: epoch {frame.epoch} of {fan.EPOCHS}", which * fan.EPOCHS + frame.epoch
                    )
                    if time.perf_counter() - self._drawn > BETWEEN_PICTURES:
                        self._look_at(frame.epoch)
                        self._drawn = time.perf_counter()

                toy = self.toys[data]
                fan.train(toy, loss, seed=seed, even=even, on_frame=watch, stop=self._stop, **options)
            done = [run for run in self.runs if run]
            words = f"done in {sum(run.seconds for run in done):.1f} s"
            self._tell("stopped" if self._stop.is_set() else words, 2 * fan.EPOCHS)
        except Exception as error:  # raised in a thread it would vanish: `update` raises it again
            self._tell("not finished", 0)
            self._failure = error
        finally:
            self.go.disabled, self.halt.disabled = False, True
            self._look_at(fan.EPOCHS)

    def _tell(self, words: str, done: int) -> None:
        self.bar.value = done
        self.progress.value = f"<span role='log'>{translated(words)}</span>"

    def _look_at(self, epoch: int) -> None:
        """Move the epoch slider there, or draw again where it stands."""
        if self.epoch.value != epoch:
            self.epoch.value = epoch
        else:
            self.redraw()

    # ---- the picture -------------------------------------------------------------------------------------

    def _draw_background(self) -> None:
        self.picture = LivePicture(12.2, 4.6, layout="none")
        figure, live = self.picture.figure, self.picture.live
        with self.picture.styled():
            self._panels = [
                figure.add_axes((0.0, 0.06, 0.34, 0.85)),
                figure.add_axes((0.335, 0.06, 0.34, 0.85)),
            ]
            for axes in self._panels:
                axes.set_axis_off()
            self._titles = [
                live(figure.text(x, 0.94, "", ha="center", fontsize=14, color=colour, weight="bold"))
                for x, colour in ((0.17, BLUE), (0.505, RED))
            ]
            self._feet = [live(figure.text(x, 0.015, "", ha="center", fontsize=12)) for x in (0.17, 0.505)]
            charts = [figure.add_axes((0.735, 0.59, 0.255, 0.3)), figure.add_axes((0.735, 0.13, 0.255, 0.3))]
            for axes, name, top in zip(
                charts, ("spread inside a class (°)", "between closest centres (°)"), (30, 50), strict=True
            ):
                axes.set(xlim=(0, fan.EPOCHS), ylim=(0, top))
                axes.set_title(name, fontsize=13)
            charts[0].set(yscale="log", ylim=(0.3, 60), yticks=(1, 10), yticklabels=("1", "10"))
            charts[1].set_xlabel("epoch", fontsize=13, labelpad=1)
            self._lines = [
                [live(axes.plot([], [], dashes, color=colour)[0]) for axes in charts]
                for dashes, colour in (("-", BLUE), ("--", RED))
            ]
            self._now = [live(axes.axvline(0, color=BLACK, lw=1.2)) for axes in charts]
            self._fans = {
                name: [fan.Fan(axes, toy, live) for axes in self._panels] for name, toy in self.toys.items()
            }

    def _shows(self, which: int) -> bool:
        """Whether this side holds a run of the data chosen."""
        run = self.runs[which]
        return run is not None and run.toy is self.toy and bool(run.frames)

    def update(self) -> str:
        if self._failure is not None:
            raise self._failure
        epoch, held = self.epoch.value, self.photos.value
        for name, fans in self._fans.items():
            for which, one in enumerate(fans):
                shown = name == self.data.value and self._shows(which)
                for artist in (*one.rays, *one.dots, *one.labels):
                    artist.set_visible(shown)
        words = [self._side(which, epoch, held) for which in (0, 1)]
        for line in self._now:
            line.set_xdata([epoch, epoch])
        words += [side.infeasible(self.toy.classes) for side in self.sides]
        if not self.training and [self.plan(0), self.plan(1)] != self._trained:
            words.append("These settings are not trained yet: press Start.")
        return " ".join(filter(None, words))

    def _side(self, which: int, epoch: int, held: bool) -> str:
        """Title, fan and curves of one side; the words for it."""
        run, side = self.runs[which], self.sides[which]
        if not self._shows(which):
            self._titles[which].set_text(fan.title(side.loss.value, **side.options))
            self._feet[which].set_text("")
            for line in self._lines[which]:
                line.set_data([], [])
            return ""
        frames = list(run.frames)
        frame = frames[min(epoch, len(frames) - 1)]
        scale = fan.longest(run) if self.view.value == "lengths" else None
        self._fans[self.data.value][which].show(frame, held=held, lengths=scale)
        self._titles[which].set_text(run.title)
        rim = f"circle: ‖x‖ = {scale:.0f}" if scale else f"mean ‖x‖ {frame.length:.1f}"
        self._feet[which].set_text(rim)
        width = [frame.held_spread if held else frame.spread for frame in frames]
        epochs = np.arange(len(frames))
        for line, values in zip(self._lines[which], (width, [f.between for f in frames]), strict=True):
            line.set_data(epochs, values)
        now = width[min(epoch, len(frames) - 1)]
        return (
            f"{run.title}, epoch {frame.epoch}: spread {now:.1f}°, closest centres {frame.between:.0f}° "
            f"apart, {frame.accuracy:.0%} of the kept-back samples right."
        )
