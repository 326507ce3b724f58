"""A head's classes shared out over devices: what each of them holds."""

import numpy as np

from facelab.course.lesson11.shards import CARD, PARTS, memory
from facelab.course.plots import BLACK, COLOURS
from facelab.course.widgets.base import LiveWidget, choice, slider
from facelab.course.widgets.picture import LivePicture

DEVICES = (1, 2, 8, 64)
HATCHES = ("", "//", "..", "\\\\", "xx")


class Shards(LiveWidget):
    """A slider over the number of people, and how many of the classes a step looks at."""

    title = "Classes over devices"

    def __init__(self):
        self.people = slider(
            "people, powers of ten",
            4.0,
            9.0,
            value=6.0,
            step=0.25,
            tip="10 to the power of this many classes",
        )
        self.sample = choice("a step looks at", (("all classes", 1.0), ("a tenth of them", 0.1)))
        self.picture = LivePicture(10.0, 5.0)
        with self.picture.styled():
            axes = self.picture.figure.add_subplot()
            axes.set(yscale="log", ylim=(1e-3, 3e5), xlim=(-0.6, len(DEVICES) - 0.4))
            axes.set_xticks(range(len(DEVICES)), [f"{n} device{'s' * (n > 1)}" for n in DEVICES])
            axes.set(ylabel="GB in each device")
            axes.axhline(CARD, color=BLACK, ls="--", lw=1.5)
            axes.text(len(DEVICES) - 0.45, 1.15 * CARD, f"a card of {CARD:.0f} GB", ha="right", fontsize=12)
            width = 0.16
            self.bars = []
            for part, (name, colour, hatch) in enumerate(zip(PARTS, COLOURS, HATCHES, strict=False)):
                places = np.arange(len(DEVICES)) + (part - 2) * width
                drawn = axes.bar(places, 1, width, color=colour, hatch=hatch, edgecolor="white", label=name)
                self.bars.append([self.picture.live(bar) for bar in drawn])
            self.sums = [
                self.picture.live(
                    axes.text(place, 1, "", ha="center", va="bottom", fontsize=13, weight="bold")
                )
                for place in range(len(DEVICES))
            ]
            axes.legend(loc="upper right", fontsize=12, ncols=2)
        super().__init__([self.people, self.sample])

    def update(self) -> str:
        people, totals = 10**self.people.value, []
        for place, devices in enumerate(DEVICES):
            parts = memory(people, devices, self.sample.value)
            for bars, value in zip(self.bars, parts, strict=True):
                bars[place].set_height(value)
            totals.append(sum(parts))
            self.sums[place].set_text(f"{sum(parts):,.3g} GB")
            self.sums[place].set_y(1.25 * max(parts))
        fits = [devices for devices, total in zip(DEVICES, totals, strict=True) if total <= CARD]
        words = f"fits into cards of {CARD:.0f} GB from {fits[0]} on" if fits else "fits into none of these"
        return f"{people:,.0f} people, 512 numbers each, 64 photos a device: the head {words}."
