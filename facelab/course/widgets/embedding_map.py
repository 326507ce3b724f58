"""A map of faces with names, and beside it the world as one of them sees it: every other face at its true
distance, and a circle to draw.

A map of two dimensions has to lie about distances. The dial cannot: its radius *is* the cosine distance from
the chosen face, and only the angle is free (a sector for each person). So a circle on the dial is a real
threshold, and on the map its members can be anywhere.

The arithmetic runs in the browser (embedding_map.js); `nearest`, `inside` and `towards` are the same in
Python, for cells that drive the widget and for the stored picture. A test compares them.
"""

import hashlib
import importlib
import json
import math
from pathlib import Path

import anywidget
import matplotlib as mpl
import numpy as np
import traitlets
from matplotlib.patches import Circle

from facelab.course.language import translated
from facelab.course.lesson07 import plain
from facelab.course.plots import BLACK, BLUE, GREEN, ORANGE, PURPLE, RED, SKY
from facelab.course.widgets.base import LivePicture, StillPicture
from facelab.course.widgets.page import Speaking
from facelab.datasets import Templates

LIMIT = 1.2  # the dial's rim, as a cosine distance
PEOPLE = (
    "Serena_Williams",
    "Jennifer_Capriati",
    "Colin_Powell",
    "Kofi_Annan",
    "Junichiro_Koizumi",
    "Roh_Moo-hyun",
    "Gloria_Macapagal_Arroyo",
    "Megawati_Sukarnoputri",
    "Arnold_Schwarzenegger",
    "David_Beckham",
)
MOST = 12  # people on one map: the colours and shapes that can be told apart
CHOICES = 48  # people to choose from: those with the most photos, and whoever is shown
LOOKS = tuple(
    zip(
        (BLUE, ORANGE, GREEN, RED, PURPLE, SKY, BLACK, "#8C6D1F", "#882255", "#999999", "#332288", "#44AA99"),
        ("o", "s", "^", "D", "v", "P", "X", "p", "D", "v", "X", "o"),
        strict=True,
    )
)
"""Colour and matplotlib's marker of each person in turn; embedding_map.js draws the same."""
PROJECTIONS = ("PCA", "t-SNE", "UMAP, seed 1", "UMAP, seed 2", "UMAP, fitted now")
SHIPPED = Path(__file__).with_name("umap_maps.json")
"""Two of UMAP's maps of PEOPLE, made by data/make_umap_maps.py: a first fit takes some ten seconds, in every
kernel."""


# ---- the arithmetic, twins of those in embedding_map.js ----------------------------------------------------


def distances_from(vectors: np.ndarray, row: int) -> np.ndarray:
    """Cosine distance of every row (N, D), of unit length, from one of them: (N,) float64."""
    return 1 - vectors.astype(np.float64) @ vectors[row].astype(np.float64)


def nearest(vectors: np.ndarray, row: int, count: int = 5) -> list[int]:
    """The `count` rows nearest to this one, itself left out, nearest first; ties by row."""
    order = np.argsort(distances_from(vectors, row), kind="stable")
    return [int(other) for other in order if other != row][:count]


def inside(vectors: np.ndarray, person: np.ndarray, row: int, radius: float) -> tuple[int, int]:
    """How many others lie at this distance or nearer: of the same person, and of other people."""
    person = np.asarray(person)
    near = distances_from(vectors, row) <= radius
    near[row] = False
    own = person == person[row]
    return int((near & own).sum()), int((near & ~own).sum())


def towards(points: np.ndarray, row: int, way: tuple[int, int]) -> int:
    """The point (N, 2) that an arrow key goes to: the nearest one within 45° of its direction, where the
    way aside counts double; the same row if there is none. y grows upwards."""
    best, least = row, math.inf
    for other, (x, y) in enumerate(points - points[row]):
        along, aside = x * way[0] + y * way[1], abs(x * way[1] - y * way[0])
        if along > 1e-9 and aside <= along and along + 2 * aside < least:
            best, least = other, along + 2 * aside
    return best


def dial(vectors: np.ndarray, person: np.ndarray, row: int) -> np.ndarray:
    """(N, 2): where each face lies on the dial. The radius is its distance, at most LIMIT; within a person's
    sector the photos are spread in their order."""
    person = np.asarray(person)
    people = int(person.max()) + 1
    away = np.minimum(distances_from(vectors, row), LIMIT)
    share = np.zeros(len(person))
    for who in range(people):
        own = person == who
        share[own] = 0.12 + 0.76 * (np.arange(own.sum()) + 0.5) / own.sum()
    angle = np.pi / 2 - 2 * np.pi * (person + share) / people
    return away[:, None] * np.column_stack([np.cos(angle), np.sin(angle)])


# ---- flat maps ---------------------------------------------------------------------------------------------


class NoUmap(Exception):
    """umap-learn is not installed."""


def flatten(vectors: np.ndarray, projection: str, seed: int = 0) -> np.ndarray:
    """(N, D) → (N, 2), fitted into −1 … 1. On one thread: t-SNE with two is slower where another runs.

    seed  UMAP's; PCA has none, and t-SNE starts from PCA
    """
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):
        if projection == "PCA":
            centred = vectors - vectors.mean(axis=0)
            axes = np.linalg.svd(centred, full_matrices=False)[2][:2]
            flat = centred @ (axes * np.sign(axes.sum(axis=1, keepdims=True))).T
        elif projection == "t-SNE":
            from sklearn.manifold import TSNE

            perplexity = min(20, (len(vectors) - 1) / 3)
            flat = TSNE(2, perplexity=perplexity, metric="cosine", init="pca", random_state=0)
            flat = flat.fit_transform(vectors)
        else:
            try:
                umap = importlib.import_module("umap")
            except ModuleNotFoundError as error:
                raise NoUmap from error
            flat = umap.UMAP(metric="cosine", random_state=seed, n_jobs=1).fit_transform(vectors)
    low, high = flat.min(axis=0), flat.max(axis=0)
    return (flat - (low + high) / 2) * (1.84 / float((high - low).max()))


def shipped(rows: np.ndarray) -> dict[str, list]:
    """UMAP's maps that came with the course, if they are of these very vectors; else none."""
    made = json.loads(SHIPPED.read_text("utf-8"))
    return made["maps"] if made["sha256"] == digest(rows) else {}


def digest(rows: np.ndarray) -> str:
    return hashlib.sha256(rows.astype("<f4").tobytes()).hexdigest()


# ---- the widget --------------------------------------------------------------------------------------------


class EmbeddingMap(Speaking, StillPicture, anywidget.AnyWidget):
    """Point at a face for its name, click to choose it; or Tab to the map and go on with the arrow keys.

    templates  LFW's vectors              people  names to show at first, as in `templates.names`
    photos     of each person, the first ones

    A cell drives it by assigning to `people`, `chosen` (a row), `radius` and `projection`, or with
    `choose(name, photo)`; it reads `neighbours()` and `inside`. `error` is what went wrong, or None.
    """

    title = "A map of faces, and a circle around one of them"
    _esm = Path(__file__).with_name("embedding_map.js")
    _css = Path(__file__).with_name("embedding_map.css")
    WORDS = (
        "person",
        "photo",
        "radius",
        "radius of the circle, a cosine distance",
        "map",
        "UMAP, seed 1",
        "UMAP, seed 2",
        "UMAP, fitted now (slow)",
        "The map",
        "Map of faces. Arrow keys go to the next face in that direction.",
        "True distances from the chosen face",
        "Dial: the chosen face in the middle, every other at its distance. Up and down change the circle.",
        "Choose the people (2 to {0})",
        "A new map is being made …",
        "Circle of {0} around {1}: **{2} of {3}** other photos of the same person inside, "
        "**{4} of {5}** of other people.",
        "Nearest: {0}",
        "This change could not be drawn.",
    )

    vectors = traitlets.Bytes().tag(sync=True)  # (N, D) float32, little-endian
    person = traitlets.List(traitlets.Int()).tag(sync=True)  # of each row, its place in `people`
    number = traitlets.List(traitlets.Int()).tag(sync=True)  # of each row, which photo of that person
    people = traitlets.List(traitlets.Unicode()).tag(sync=True)
    choices = traitlets.List(traitlets.Unicode()).tag(sync=True)
    maps = traitlets.Dict().tag(sync=True)  # projection → N pairs
    projection = traitlets.Enum(PROJECTIONS, "PCA").tag(sync=True)
    chosen = traitlets.Int(0, min=0).tag(sync=True)
    radius = traitlets.Float(0.6, min=0.0, max=LIMIT).tag(sync=True)
    message = traitlets.Unicode("").tag(sync=True)
    error = traitlets.Unicode(None, allow_none=True).tag(sync=True)

    def __init__(self, templates: Templates, people=PEOPLE, photos: int = 30, radius: float = 0.6):
        self.templates, self.photos, self.fits = templates, photos, 2  # fits: UMAP's seeds so far
        most = sorted(templates.names, key=lambda person: (-templates.counts[person], person))[:CHOICES]
        names = sorted({templates.names[person] for person in most} | set(people))
        self._show(list(people))
        super().__init__(
            people=list(people), choices=names, radius=radius, **self._columns, maps=self._flat()
        )
        self.observe(self._other_people, names="people")
        self.observe(self._other_projection, names="projection")

    def _show(self, people: list[str]) -> None:
        """Take the photos of these people. Raises DatasetError for a name that the templates lack."""
        blocks = [self.templates.of(name)[: self.photos] for name in people]
        self.rows = np.concatenate(blocks)
        self._columns = {
            "vectors": self.rows.astype("<f4").tobytes(),
            "person": [who for who, block in enumerate(blocks) for _ in block],
            "number": [photo + 1 for block in blocks for photo in range(len(block))],
        }

    def _flat(self) -> dict:
        quick = {name: np.round(flatten(self.rows, name), 4).tolist() for name in PROJECTIONS[:2]}
        return quick | shipped(self.rows)

    @traitlets.validate("people")
    def _some_people(self, proposal):
        people = list(dict.fromkeys(proposal["value"]))
        if not 2 <= len(people) <= MOST:
            raise traitlets.TraitError(f"Between 2 and {MOST} people fit on the map, not {len(people)}.")
        return people

    def _other_people(self, change) -> None:
        self._show(change["new"])
        with self.hold_sync():
            self.set_trait("chosen", 0)
            for name, values in self._columns.items():
                self.set_trait(name, values)
            self.projection = "t-SNE" if self.projection.startswith("UMAP") else self.projection
            self.maps = self._flat()
            self.message = ""

    def _other_projection(self, change) -> None:
        """UMAP is fitted only when somebody asks for it: the first time costs some 10 s."""
        name = change["new"]
        if name in self.maps and name != PROJECTIONS[-1]:
            return
        self.fits += name == PROJECTIONS[-1]
        seed = self.fits if name == PROJECTIONS[-1] else int(name[-1])
        self.message = translated(f"UMAP is being fitted with seed {seed}: some ten seconds the first time …")
        try:
            flat = np.round(flatten(self.rows, name, seed), 4).tolist()
            self.maps = self.maps | {name: flat}
            self.message = translated(f"Fitted just now, with seed {seed}.")
        except NoUmap:
            self.projection = change["old"]
            self.message = translated(
                "UMAP needs the package umap-learn, which is not installed (pip install umap-learn)."
            )

    # What a cell asks.

    def choose(self, name: str, photo: int = 1) -> None:
        """Choose a photo of a person on the map. Raises ValueError if it is not there."""
        rows = zip((self.people[who] for who in self.person), self.number, strict=True)
        try:
            self.chosen = list(rows).index((name, photo))
        except ValueError:
            raise ValueError(f"photo {photo} of {name!r} is not on this map; see `.people`.") from None

    def neighbours(self, count: int = 5) -> list[tuple[str, int, float]]:
        """(name, photo, distance) of the nearest faces, nearest first."""
        away = distances_from(self.rows, self.chosen)
        return [
            (self.people[self.person[row]], self.number[row], float(away[row]))
            for row in nearest(self.rows, self.chosen, count)
        ]

    @property
    def inside(self) -> tuple[int, int]:
        """Others within the circle: of the same person, and of other people."""
        return inside(self.rows, np.array(self.person), self.chosen, self.radius)

    def words(self) -> str:
        who = self.person[self.chosen]
        own, others = self.inside
        same = self.person.count(who) - 1
        return (
            f"Circle of {self.radius:.2f} around {plain(self.people[who])}, "
            f"photo {self.number[self.chosen]}: {own} of {same} other photos of the same person inside, "
            f"{others} of {len(self.person) - same - 1} of other people"
        )

    # What is stored for pages where nothing runs.

    def still_png(self) -> bytes:
        picture = LivePicture(11.4, 5.9)
        with picture.styled(), mpl.rc_context({"font.size": 12}):
            left, right = picture.figure.subplots(1, 2)
            person = np.array(self.person)
            spots = np.array(self.maps[self.projection]), dial(self.rows, person, self.chosen)
            near = distances_from(self.rows, self.chosen) <= self.radius
            for axes, points in zip((left, right), spots, strict=True):
                for who, (colour, marker) in zip(range(len(self.people)), LOOKS, strict=False):
                    for edge, some in (("none", ~near), (BLACK, near)):
                        shown = points[(person == who) & some]
                        axes.plot(
                            *shown.T, marker, color=colour, mec=edge, ms=7, alpha=1 if edge == BLACK else 0.6
                        )
                axes.plot(*points[self.chosen], "o", ms=17, mfc="none", mec=BLACK, mew=2.5)
                axes.set(aspect="equal", xticks=[], yticks=[])
                axes.set_axis_off()
            for who, ((x, y), name) in enumerate(zip(self._labels(spots[0]), self.people, strict=True)):
                box = {"facecolor": "white", "alpha": 0.75, "edgecolor": "none", "pad": 1}
                left.text(x, y, plain(name), ha="center", va="bottom", fontsize=12, bbox=box)
                angle = np.pi / 2 - 2 * np.pi * (who + 0.5) / len(self.people)
                side = "center" if abs(np.cos(angle)) < 0.35 else "left" if np.cos(angle) > 0 else "right"
                x, y = 1.06 * LIMIT * np.array([np.cos(angle), np.sin(angle)])
                right.text(x, y, plain(name).replace(" ", "\n", 1), ha=side, va="center", fontsize=12)
            for reach in (0.4, 0.8, LIMIT):
                right.add_patch(Circle((0, 0), reach, fill=False, ec="#BBBBBB", lw=1))
                right.text(0, -reach, f"{reach:g}", ha="center", va="top", fontsize=12, color="#555555")
            right.add_patch(Circle((0, 0), self.radius, fill=False, ec=BLACK, lw=2.5))
            left.set_title(f"map: {self.projection}", loc="left")
            right.set_title("true distances from the chosen face")
        return picture.png()

    def _labels(self, points: np.ndarray) -> list[tuple[float, float]]:
        """Where each name goes on the map: above its people or below them, where it covers no other name."""
        person, placed = np.array(self.person), []
        for who, name in enumerate(self.people):
            own = points[person == who]
            x, wide = float(np.median(own[:, 0])), 0.043 * len(name)
            above, below = (
                float(np.quantile(own[:, 1], 0.9)) + 0.05,
                float(np.quantile(own[:, 1], 0.1)) - 0.16,
            )

            def free(y, x=x, wide=wide):
                return all(abs(x - ox) >= (wide + ow) / 2 or abs(y - oy) >= 0.13 for ox, oy, ow in placed)

            steps = [y + way * 0.13 * step for step in range(20) for y, way in ((above, 1), (below, -1))]
            placed.append((x, next(filter(free, steps)), wide))
        return [(x, y) for x, y, _ in placed]

    def still_caption(self) -> str:
        return f"*{self.title}: live in JupyterLab once this cell has run. Here: {self.words()}.*"
