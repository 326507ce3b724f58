"""Rows of LFW's photos beside what a widget says about them, where the photos are on this machine."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from facelab.course.lesson07 import Study, plain
from facelab.course.widgets.base import LivePicture, LiveWidget
from facelab.course.widgets.pairs import EMPTY, SIDE, photo_of, photos_if_here
from facelab.datasets import LFW, Templates

COLUMNS = 6


class Line(NamedTuple):
    """title: above the row. photos: rows of the templates; captions: a text under each."""

    title: str
    photos: list[int]
    captions: list[str]


class FaceStrip(LiveWidget):
    """Photos in rows of six.

    lines   called for what is to be seen: as many `Line`s each time
    follow  a widget; when its picture changes, `lines` is asked again

    The picture that is stored with a notebook holds captions only: photos may be looked at, not handed on.
    """

    title = "Faces"

    def __init__(self, lines: Callable[[], list[Line]], follow: LiveWidget | None = None):
        self.lines, self.photos = lines, photos_if_here()
        self._last: list[Line] | None = None
        count = len(lines())
        self.picture = LivePicture(11.0, 2.25 * count, layout="none", photo=True)
        self.panels, self.captions, self.titles = [], [], []
        with self.picture.styled():
            for row in range(count):
                top = 1 - row / count
                title = self.picture.figure.text(0.01, top - 0.06 / count, "", va="top", fontsize=13)
                self.titles.append(self.picture.live(title))
                for column in range(COLUMNS):
                    box = (0.01 + column * 0.165, top - 0.88 / count, 0.15, 0.68 / count)
                    axes = self.picture.figure.add_axes(box)
                    axes.set_axis_off()
                    self.panels.append(self.picture.pixels(axes, SIDE))
                    text = axes.text(SIDE / 2, SIDE + 8, "", ha="center", va="top", fontsize=11)
                    self.captions.append(self.picture.live(text))
        super().__init__([])
        self.children = self.children[1:]  # no controls, so nothing to reset
        if follow is not None:
            follow.screen.observe(self._followed, names="value")

    def _followed(self, _change) -> None:
        if self.lines() != self._last:
            self.redraw()

    def look(self) -> None:
        """The photos may have come."""
        self.photos = photos_if_here()
        self.redraw()

    def update(self) -> str:
        self._last = self.lines()
        return self._show(self._last, self.photos)

    def _show(self, lines: list[Line], photos: LFW | None) -> str:
        for row, line in enumerate(lines):
            self.titles[row].set_text(line.title)
            for column in range(COLUMNS):
                at = row * COLUMNS + column
                here = column < len(line.photos)
                shown = photo_of(photos, line.photos[column]) if here and photos is not None else EMPTY
                self.panels[at].set_visible(here)
                self.panels[at].set_data(shown)
                self.captions[at].set_text(line.captions[column] if here else "")
        if photos is None:
            return "LFW's photos are not on this machine: the button brings them, and they appear here."
        return "LFW's photos, from this machine's disk. They are not stored with the notebook."

    def still_png(self) -> bytes:
        self._show(self._last or [], None)
        without = self.picture.png()
        self._show(self._last or [], self.photos)
        return without


# ---- what the lessons show ------------------------------------------------------------------------------


def farthest_and_nearest(study: Study, templates: Templates, who: Callable[[], list[int]]):
    """For three subjects of a study of LFW: the three farthest of their own photos, and the three nearest of
    other people's."""
    rows = rows_of(templates, study.vectors)
    distances = study.distances()

    def lines() -> list[Line]:
        out = []
        for k in who():
            own = np.arange(*study.rows(k).indices(len(study.person)))
            far = own[np.argsort(-distances[k, own])[:3]]
            others = np.flatnonzero(study.person != k)
            near = others[np.argsort(distances[k, others])[:3]]
            chosen = [*far, *near]
            captions = [f"own, {distances[k, at]:.2f}" for at in far]
            captions += [f"{_name(templates, rows[at])}, {distances[k, at]:.2f}" for at in near]
            title = f"{plain(study.names[k])}: the three farthest own photos, the three nearest of others"
            out.append(Line(title, [int(rows[at]) for at in chosen], captions))
        return out

    return lines


def rows_of(templates: Templates, vectors: np.ndarray) -> np.ndarray:
    """Where each of some of the templates' own vectors stands among them."""
    places = {vector.tobytes(): row for row, vector in enumerate(templates.vectors.astype(np.float32))}
    return np.array([places[vector.tobytes()] for vector in vectors.astype(np.float32)])


def _name(templates: Templates, row: int) -> str:
    person = int(templates.identity[row])
    return plain(templates.names.get(person, f"person {person}"))[:18]


def names_given(
    templates: Templates,
    gallery: np.ndarray,
    probes: np.ndarray,
    strangers: np.ndarray,
    threshold: Callable[[], float],
):
    """Probes beside whoever they were taken for, three pairs in a row: found, a stranger named, left without
    a name.

    gallery, probes  vectors of the templates; row i of both is one person for the first P probes
    strangers        vectors of people who are not enrolled
    threshold        called for the distance at which a name is given
    """
    asked = np.concatenate([probes, strangers])
    cosines = asked @ gallery.T
    nearest, distance = cosines.argmax(1), 1 - cosines.max(1)
    known = np.arange(len(asked)) < len(probes)
    right = nearest == np.arange(len(asked))
    shown, enrolled = rows_of(templates, asked), rows_of(templates, gallery)

    def lines() -> list[Line]:
        named = distance <= threshold()
        kinds = (
            ("Found, by a hair", known & right & named, -1),
            ("A stranger who gets a name", ~known & named, 1),
            ("Enrolled, and turned away", known & ~named, 1),
        )
        out = []
        for title, which, sign in kinds:
            rows = np.flatnonzero(which)
            rows = rows[np.argsort(sign * distance[rows])][:3]
            photos = [int(at) for row in rows for at in (shown[row], enrolled[nearest[row]])]
            captions = [words for row in rows for words in ("probe", f"nearest, {distance[row]:.2f}")]
            out.append(Line(f"{title}: {np.sum(which):,}", photos, captions))
        return out

    return lines
