"""A training run that one sees: choose, start, watch the loss and what it is worth, stop."""

import threading
import time
from dataclasses import replace

import ipywidgets as widgets

from facelab.course import lesson10
from facelab.course.language import named
from facelab.course.plots import BLUE, COLOURS, RED
from facelab.course.widgets.base import LivePicture, LiveWidget, choice, slider, tick
from facelab.training import Augment, Recipe, Stop

BETWEEN_PICTURES = 0.4  # seconds, while training
LOSSES = {
    "softmax": {"head": "Softmax", "head_options": {}},
    "CosFace": {"head": "CosFace"},
    "ArcFace": {"head": "ArcFace"},
    "the teacher's vectors": {"head": None, "distil": 1.0},
}


class LiveRun(LiveWidget):
    """One run after another on the same task; the last four stay in the picture.

    tasks   name → `lesson10.Task`; the first is chosen
    steps   of a run
    recipe  what is not chosen here

    `train()` starts and waits, for cells. `done` holds (label, row) of the finished runs.
    """

    title = "A training run"

    def __init__(self, tasks: dict[str, lesson10.Task], steps: int, recipe: Recipe):
        self.tasks, self.steps, self.recipe = tasks, steps, recipe
        teachers = (
            {"the teacher's vectors"} if not any(t.crops.vectors.shape[1] for t in tasks.values()) else set()
        )
        self.loss = choice("taught by", [name for name in LOSSES if name not in teachers], value="ArcFace")
        self.scale = choice("s", (4, 8, 16, 32, 64), value=16)
        self.margin = slider("m", 0.0, 0.8, value=0.1, step=0.05, tip="the margin, radians or cosine")
        self.people = slider("people", 10, 100, value=100, step=10, tip="how many it may learn from")
        self.warm = tick("warm-up", value=True)
        self.augment = tick("augmentation", value=True)
        self.wrong = slider("wrong names", 0, 50, value=0, step=10, unit="%")
        self.data = choice("faces", list(tasks))
        self.done: list[tuple[str, dict]] = []
        self._now: dict = {}
        self._stop, self._thread, self._drawn, self._failure = Stop(), None, 0.0, None
        self.picture = LivePicture(11.0, 4.4)
        with self.picture.styled():
            self.axes = self.picture.figure.subplots(1, 2)
            self.axes[0].set(ylabel="loss, as a share of the first", ylim=(0, 1.6))
            self.axes[1].set(ylabel="EER, people never seen (%)", ylim=(0, 45))
            for axes in self.axes:
                axes.set(xlabel="step", xlim=(0, steps * 1.05))
            place = {"ha": "right", "va": "top", "fontsize": 12, "transform": self.axes[1].transAxes}
            looks = zip((BLUE, RED, COLOURS[2], COLOURS[4]), ("-", "--", "-.", ":"), "os^D", strict=True)
            self.curves = [
                [
                    self.picture.live(self.axes[0].plot([], [], dashes, color=colour, lw=1.8)[0]),
                    self.picture.live(self.axes[1].plot([], [], dashes + mark, color=colour, ms=6)[0]),
                    self.picture.live(self.axes[1].text(0.99, 0.99 - 0.08 * row, "", color=colour, **place)),
                ]
                for row, (colour, dashes, mark) in enumerate(looks)
            ]
        controls = [
            self.loss,
            self.scale,
            self.margin,
            self.people,
            self.warm,
            self.augment,
            self.wrong,
            self.data,
        ]
        super().__init__(controls)
        self._arrange()

    def _arrange(self) -> None:
        self.go = widgets.Button(description="Start", icon="play", button_style="primary", tooltip="Train")
        self.halt = widgets.Button(description="Stop", icon="stop", disabled=True, tooltip="End this run now")
        for button in (self.go, self.halt):
            button.layout.width = "auto"
        self.go.on_click(lambda _: self.start())
        self.halt.on_click(lambda _: self._stop.set())
        self.bar = widgets.IntProgress(max=self.steps, layout=widgets.Layout(width="14em"))
        row = widgets.HBox([self.go, self.halt, self.bar], layout=widgets.Layout(align_items="center"))
        self.children = [self.children[0], row, *self.children[1:]]

    @property
    def training(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    @property
    def label(self) -> str:
        """What is chosen, in few words."""
        parts = [self.loss.value]
        if self.loss.value in ("ArcFace", "CosFace"):
            parts[0] += f" s={self.scale.value} m={self.margin.value:g}"
        if self.limited is not None:
            parts.append(f"{self.limited} people")
        parts += [] if self.warm.value else ["no warm-up"]
        parts += [] if self.augment.value else ["no augmentation"]
        parts += [f"{self.wrong.value} % wrong"] if self.wrong.value else []
        return ", ".join(parts)

    @property
    def limited(self) -> int | None:
        """How many people it may learn from: hundreds where there are thousands; None: all."""
        many = len(self.tasks[self.data.value].crops.names) > 1000
        return None if self.people.value == 100 else self.people.value * (10 if many else 1)

    def chosen(self) -> Recipe:
        its = {"head_options": {"s": float(self.scale.value), "m": float(self.margin.value)}}
        its |= LOSSES[self.loss.value]
        if not self.warm.value:
            its["warm_up"] = 0.0
        if not self.augment.value:
            its["augment"] = Augment.none()
        return replace(self.recipe, **its)

    def start(self) -> None:
        """Train in the background."""
        if self.training:
            return
        self._stop, self._failure = Stop(), None
        self.go.disabled, self.halt.disabled = True, False
        self._now = {"label": self.label, "losses": [], "curve": []}
        self._thread = threading.Thread(
            target=self._train, args=(self.tasks[self.data.value], self.chosen(), self.limited), daemon=True
        )
        self._thread.start()

    def train(self) -> "LiveRun":
        """Start, and wait for the end: for cells."""
        self.start()
        if self._thread is not None:
            self._thread.join()
        return self

    def _train(self, task: lesson10.Task, recipe: Recipe, people: int | None) -> None:
        try:
            row = lesson10.run(
                task,
                recipe,
                self.steps,
                people=people,
                wrong=self.wrong.value / 100,
                on_step=self._saw_step,
                on_look=lambda step, error: self._now["curve"].append((step, error)),
                stop=self._stop,
            )
            if row["scores"].size:
                self._now["eer"] = lesson10.eer(row["scores"], task.pairs.same)
                self._now["curve"].append((row["steps"], self._now["eer"]))
            self._now["seconds"] = row["seconds"]
            self.done.append((self._now["label"], self._now))
        except Exception as error:  # raised in a thread it would vanish: `update` raises it again
            self._failure = error
        finally:
            self._now = {}
            self.go.disabled, self.halt.disabled = False, True
            self.redraw()

    def _saw_step(self, step: int, loss: float) -> None:
        self._now["losses"].append(loss)
        if time.perf_counter() - self._drawn > BETWEEN_PICTURES:
            self._drawn = time.perf_counter()
            self.bar.value = step
            self.redraw()

    def update(self) -> str:
        if self._failure is not None:
            failure, self._failure = self._failure, None
            raise failure
        shown = [run for _, run in self.done[-4:]]
        shown = [*shown[-3:], self._now] if self._now else shown
        for curves, run in zip(self.curves, [*shown, *[{}] * 4], strict=False):
            losses, points = run.get("losses", []), run.get("curve", [])
            smooth = [
                sum(losses[max(0, i - 4) : i + 1]) / (i + 1 - max(0, i - 4)) for i in range(len(losses))
            ]
            curves[0].set_data(range(len(smooth)), [value / smooth[0] for value in smooth])
            curves[1].set_data([step for step, _ in points], [100 * error for _, error in points])
            curves[2].set_text(run.get("label", ""))
        ends = [f"{named(run['label'])}: EER {run['eer']:.1%}" for run in shown if "eer" in run]
        now = (
            [f"{named(self._now['label'])}: step {len(self._now['losses'])} of {self.steps}."]
            if self._now
            else []
        )
        return " ".join([*(f"{end}." for end in ends), *now]) or f"Press Start: {named(self.label)}."
