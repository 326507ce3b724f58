"""How broadly an approximate index has to search: recall against the templates that are compared."""

from facelab.course.plots import BLACK, BLUE, ORANGE
from facelab.course.widgets.base import LiveWidget, choice, stops
from facelab.course.widgets.picture import LivePicture

KINDS = {"ivf": "cells (IVF)", "ivfpq": "cells, codes of 32 bytes (IVF-PQ)", "hnsw": "graph (HNSW)"}
MOST = 1024


def named(of: str, people: int) -> str:
    """A gallery: whose faces, and how many."""
    return f"{people:,} people of LFW" if of == "LFW" else f"{people:,} people who are drawn"


class Breadth(LiveWidget):
    """A slider over the breadth of the search, lists for the gallery and the kind of index.

    rows  `lesson11.stored.stored("search")["rows"]`

    point  the numbers where the controls stand
    """

    title = "How broadly to search"

    def __init__(self, rows: list[dict]):
        self.rows = {(row["of"], row["people"], row["kind"]): row for row in rows}
        whose = list(dict.fromkeys((row["of"], row["people"]) for row in rows))
        self.gallery = choice("gallery", [(named(*one), one) for one in whose], value=whose[-1])
        self.kind = choice("index", [(text, kind) for kind, text in KINDS.items()])
        self.breadth = stops(
            "searched",
            [2**n for n in range(11)],
            value=8,
            tip="Cells that are searched; of a graph: templates that are kept in mind",
        )
        self.picture = LivePicture(10.0, 5.0)
        with self.picture.styled():
            axes = self.picture.figure.add_subplot()
            axes.set(xscale="log", xlim=(0.01, 130), ylim=(0, 104))
            axes.set_xticks([0.01, 0.1, 1, 10, 100], ["0.01", "0.1", "1", "10", "100"])
            axes.set(xlabel="templates compared, % of the gallery", ylabel="the nearest is found, %")
            axes.axhline(95, color=BLACK, lw=1, ls=":")
            axes.text(0.011, 94, "95 %", va="top", fontsize=12)
            axes.grid(alpha=0.3)
            live = self.picture.live
            looks = (
                ("known", "people who are enrolled", BLUE, "-o"),
                ("strangers", "strangers", ORANGE, "--s"),
            )
            self.lines = {
                name: live(axes.plot([], [], look, ms=6, color=colour, label=label)[0])
                for name, label, colour, look in looks
            }
            self.here = live(axes.plot([], [], "o", ms=16, mfc="none", mec=BLACK, mew=2)[0])
            axes.legend(loc="lower right")
        super().__init__([self.gallery, self.kind, self.breadth])

    @property
    def row(self) -> dict:
        return self.rows[(*self.gallery.value, self.kind.value)]

    @property
    def point(self) -> dict:
        return max(
            (point for point in self.row["points"] if point["breadth"] <= self.breadth.value),
            key=lambda point: point["breadth"],
        )

    def update(self) -> str:
        row, point, people = self.row, self.point, self.row["people"]
        share = [100 * p["compared"] / people for p in row["points"]]
        for name, line in self.lines.items():
            line.set_data(share, [100 * p[name] for p in row["points"]])
        at = 100 * point["compared"] / people
        self.here.set_data([at, at], [100 * point["known"], 100 * point["strangers"]])
        what = (
            f"{point['breadth']:,} of {row['cells']:,} cells"
            if row["cells"]
            else f"breadth {point['breadth']}"
        )
        return (
            f"{what}: {point['compared']:,.0f} templates compared ({at:.2g} % of {people:,}), "
            f"{point['ms']:.2g} ms. The nearest is found for {point['known']:.1%} of those enrolled, "
            f"{point['strangers']:.1%} of strangers. Built in {row['seconds']:,.0f} s, "
            f"{row['bytes'] / 1e6:,.0f} MB."
        )
