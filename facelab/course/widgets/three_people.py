"""Three people of one's own, several photos of each: the slides' histograms, with whoever one likes."""

import html

import ipywidgets as widgets
import numpy as np

import facelab as fl
from facelab.course.language import translated
from facelab.course.lesson07 import Study
from facelab.course.plots import BLUE
from facelab.course.widgets.base import StillPicture, alert
from facelab.course.widgets.celebrities import Celebrities
from facelab.course.widgets.photo_source import PhotoSource, usable
from facelab.course.widgets.picture import LivePicture
from facelab.errors import FacelabError

CONFIG = "yunet+aligned+sface"
FEWEST = 2
"""Photos of each, at least: one to make a mean of, one to compare with it."""


class Person(widgets.VBox):
    """A name, a place for photos, and what became of them.

    vectors  list of (D,) arrays, one for each photo
    """

    def __init__(self, name: str, changed):
        self.vectors: list[np.ndarray] = []
        self._changed = changed
        self.name = widgets.Text(value=name, description="name", layout=widgets.Layout(width="16em"))
        self.clear = widgets.Button(
            description="Forget the photos", icon="trash", tooltip=f"{name}: begin again",
            layout=widgets.Layout(width="auto"),
        )  # fmt: skip
        self.clear.on_click(lambda _: self.forget())
        self.source = PhotoSource(name, self.bring, self.complain, several=True)
        self.line, self.alert = widgets.HTML(), widgets.HTML()
        row = widgets.HBox([self.name, self.source, self.clear], layout=widgets.Layout(flex_flow="row wrap"))
        super().__init__([row, self.line, self.alert])
        self._say()

    def bring(self, name: str, data: bytes) -> None:
        """Take the bytes of a photo: the largest face in it counts. What is wrong with them is said here."""
        try:
            photo = usable(name, data)
            self.vectors.append(fl.embed(fl.align(photo, fl.detect(photo)[0])))
            self.alert.value = ""
        except FacelabError as error:
            self.complain(str(error))
        except Exception as error:  # raised in a message's handler it would vanish
            self.alert.value = alert(error)
        self._say()
        self._changed()

    def complain(self, text: str) -> None:
        self.alert.value = f"<div role='alert' style='color:#B00020'>⚠ {html.escape(translated(text))}</div>"

    def forget(self) -> None:
        self.vectors.clear()
        self.alert.value = ""
        self._say()
        self._changed()

    def _say(self) -> None:
        count = len(self.vectors)
        said = f"{count} photo{'s' * (count != 1)}"
        if count < FEWEST:
            said = f"{count} photo{'s' * (count != 1)}: {FEWEST - count} more at least"
        self.line.value = f"<div role='status'>{translated(said)}</div>"


class ThreePeople(StillPicture, widgets.VBox):
    """Three places for people, and a button that compares them.

    others     a study of further people, who play the strangers (`lesson07.of_templates`); None: nobody else
    threshold  where the slider of the histograms begins

    shown      the Celebrities that was made last, or None

    Photos are read, turned into vectors and forgotten; vectors stay in this notebook's memory.
    """

    title = "Three people of your own"

    def __init__(self, others: Study | None = None, threshold: float = 0.62):
        self.others, self.threshold = others, threshold
        self.shown: Celebrities | None = None
        self.people = [Person(f"person {letter}", self._count) for letter in "ABC"]
        self.go = widgets.Button(
            description="Compare the three", icon="bar-chart", button_style="primary", disabled=True,
            tooltip=f"{FEWEST} photos of each at least", layout=widgets.Layout(width="auto"),
        )  # fmt: skip
        self.go.on_click(lambda _: self.compare())
        self.alert, self.place = widgets.HTML(), widgets.VBox()
        super().__init__([*self.people, self.go, self.alert, self.place])

    def _count(self) -> None:
        self.go.disabled = any(len(person.vectors) < FEWEST for person in self.people)

    def study(self) -> Study:
        """The three as a study, the others as strangers. Raises ValueError unless there are three names."""
        names = [person.name.value.strip() for person in self.people]
        if len(set(names)) < 3 or not all(names):
            raise ValueError("Give each of the three a name of their own.")
        order = sorted(range(3), key=lambda k: names[k])
        counts = [len(self.people[k].vectors) for k in order]
        mine = Study(
            names=tuple(names[k] for k in order),
            vectors=np.concatenate([self.people[k].vectors for k in order]).astype(np.float32),
            person=np.repeat(np.arange(3), counts),
            number=np.concatenate([np.arange(1, count + 1) for count in counts]),
            config=CONFIG,
        )
        return mine if self.others is None else mine.joined(self.others)

    def compare(self) -> None:
        """The histograms of the three, below the button."""
        try:
            study = self.study()
            self.shown = Celebrities(study, study.names[:3], self.threshold)
            self.place.children = (self.shown,)
            self.alert.value = ""
        except Exception as error:
            self.alert.value = alert(error)

    def still_png(self) -> bytes:
        picture = LivePicture(8.4, 1.9)
        with picture.styled():
            for row, letter in enumerate("ABC"):
                y = 0.82 - 0.3 * row
                look = {"boxstyle": "round,pad=0.45", "facecolor": "white", "edgecolor": BLUE}
                picture.figure.text(0.02, y, f"person {letter}", bbox=look, va="center")
                picture.figure.text(
                    0.22, y, "photos: a file, dropped here, or the camera", va="center", fontsize=13
                )
        return picture.png()

    def still_caption(self) -> str:
        return "*Three people of your own: live in JupyterLab, once this cell has run. Nothing is kept.*"
