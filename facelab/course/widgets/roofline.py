"""What a search costs a probe, measured, beside what this computer's memory and arithmetic allow."""

import numpy as np

from facelab.course.lesson11.machine import Machine
from facelab.course.plots import BLACK, BLUE, ORANGE
from facelab.course.widgets.base import LiveWidget, stops
from facelab.course.widgets.picture import LivePicture

SIZES = np.geomspace(1e3, 1e6, 61)


class Roofline(LiveWidget):
    """A slider over how many probes are compared at a time.

    machine  what this computer can do
    times    (people, probes) → seconds, as `lesson11.machine.timed` gives them
    """

    title = "What a probe costs"

    def __init__(self, machine: Machine, times: dict[tuple[int, int], float], dim: int = 128):
        self.machine, self.times, self.dim = machine, times, dim
        self.sizes = sorted({size for size, _ in times})
        counts = sorted({count for _, count in times})
        self.probes = stops(
            "probes at a time",
            counts,
            value=counts[0],
            tip="How many probes share one reading of the gallery",
        )
        self.picture = LivePicture(10.0, 5.0)
        with self.picture.styled():
            axes = self.picture.figure.add_subplot()
            axes.set(xscale="log", yscale="log", xlim=(800, 1.3e6), ylim=(1e-4, 2e2))
            axes.set(xlabel="templates in the gallery", ylabel="milliseconds a probe")
            axes.grid(alpha=0.3)
            live = self.picture.live
            self.memory = live(axes.plot([], [], "--", color=BLUE, label="memory brings the gallery")[0])
            self.sums = live(axes.plot([], [], "-.", color=ORANGE, label="cores multiply and add")[0])
            self.dots = live(axes.plot([], [], "o", ms=10, color=BLACK, label="measured")[0])
            axes.legend(loc="upper left")
        super().__init__([self.probes])

    def update(self) -> str:
        count = self.probes.value
        memory = np.array([self.machine.memory(size, self.dim) / count for size in SIZES])
        sums = np.array([self.machine.arithmetic(size, self.dim, count) / count for size in SIZES])
        self.memory.set_data(SIZES, 1e3 * memory)
        self.sums.set_data(SIZES, 1e3 * sums)
        spent = [1e3 * self.times[size, count] / count for size in self.sizes]
        self.dots.set_data(self.sizes, spent)
        least = max(memory[-1], sums[-1])
        limit = "memory" if memory[-1] > sums[-1] else "arithmetic"
        return (
            f"{count} at a time, {self.sizes[-1]:,} templates: {spent[-1]:.2g} ms a probe. The {limit} asks "
            f"for {1e3 * least:.2g} ms at least: {1e3 * least / spent[-1]:.0%} of what is possible."
        )
