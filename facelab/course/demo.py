"""The course's widgets without the course: a page for each lesson, for a projector or a fair.

    make demo                             opens them in a browser (Voilà)
    python -m facelab.course.demo         the same, without make; --port, --no-browser

A page is a notebook of one cell, `show("05")`, written into a folder of its own; Voilà runs it and shows what
it shows: no code, and an error in words. Everything works without a network and without LFW's photos.
"""

import html
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import webbrowser
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import facelab as fl
from facelab.course import portraits
from facelab.datasets import lfw_templates

STYLE = """<style>
body, .jp-OutputArea, .jupyter-widgets, .widget-html-content, .lm-Widget { font-size: 20px !important; }
.widget-label, .widget-readout, .widget-dropdown > select, .widget-text input, .jupyter-button {
  font-size: 19px !important; height: auto !important; min-height: 1.6em; line-height: 1.5 !important; }
.demo h1 { font-size: 40px; line-height: 1.2; margin: 0.4em 0 0.2em; }
.demo h2 { font-size: 28px; line-height: 1.3; margin: 1.2em 0 0.2em; }
.demo p { font-size: 22px; line-height: 1.45; margin: 0.2em 0 0.6em; max-width: 60em; }
.demo a { font-size: 22px; color: #0072b2; text-decoration: underline; }
.jp-RenderedImage img, .widget-image { max-width: 100%; }
</style>"""


@dataclass(frozen=True)
class Demo:
    """One widget. ask: the sentence that only moving it can answer; make: makes it."""

    ask: str
    make: Callable[[], object]


@dataclass(frozen=True)
class Page:
    """One lesson: its question, and its widgets."""

    question: str
    demos: tuple[Demo, ...]


# ---- what each lesson has to show --------------------------------------------------------------------------


def _threshold():
    from facelab.course.widgets.threshold import Threshold, pairwise_distances

    lfw = lfw_templates()
    pairs = lfw.pairs["lfw"]
    genuine = 1 - lfw.scores("lfw")[pairs.same]
    return Threshold(genuine, pairwise_distances(lfw.vectors[lfw.number == 1]), value=0.645)


def _map():
    from facelab.course.widgets.embedding_map import EmbeddingMap

    return EmbeddingMap(lfw_templates())


def _epochs():
    from facelab.course import lesson01
    from facelab.course.widgets.epochs import Epochs

    data = lesson01.digits(unseen=(8, 9))
    return Epochs(data, [lesson01.learn(method, data, seed=0) for method in ("softmax", "contrastive")])


def _triplet():
    from facelab.course.widgets.triplet import Triplet

    return Triplet()


def _centre():
    from facelab.course.widgets.centre import CentreLoss
    from facelab.course.widgets.fan import faces

    return CentreLoss(faces(8))


def _margins():
    from facelab.course.widgets.margins import MarginExplorer

    return MarginExplorer()


def _gradients():
    from facelab.course.widgets.margins import GradientExplorer

    return GradientExplorer(s=64, m=0.0)


def _trainer():
    from facelab.course.widgets import fan
    from facelab.course.widgets.trainer import Trainer

    toys = {"8 people (LFW)": fan.faces(8), "10 digits": fan.digits()}
    return Trainer(toys, left=("Softmax", None, 64), right=("ArcFace", 0.5, 64))


def _beyond():
    from facelab.course.widgets.beyond import Beyond

    return Beyond("CurricularFace")


def _women() -> dict[str, np.ndarray]:
    return {"Eileen Collins": portraits.collins(), "Grace Hopper": portraits.hopper()}


def _changed() -> dict[str, np.ndarray]:
    from facelab.course.widgets.compare import changes

    return {f"{who}, {what}": new for who, photo in _women().items() for what, new in changes(photo).items()}


def _crop():
    from facelab.course.widgets.crop import CropWidget

    return CropWidget(_women(), fl.calibration.threshold_for("yunet+aligned+sface"))


def _compare():
    from facelab.course.widgets.compare import Compare

    lfw = lfw_templates()
    same, distances = lfw.pairs["lfw"].same, 1 - lfw.scores("lfw")
    threshold = fl.calibration.threshold_for("yunet+aligned+sface")
    return Compare(_women() | _changed(), distances[same], distances[~same], threshold)


def _celebrities():
    from facelab.course import lesson07
    from facelab.course.widgets.celebrities import Celebrities

    study = lesson07.of_templates(lfw_templates())
    three = ("Serena_Williams", "Venus_Williams", "Jennifer_Capriati")
    return Celebrities(study, three, study.threshold_at(1e-3))


def _rates():
    from facelab.course.widgets.rates import Rates

    lfw = lfw_templates()
    sets = {"LFW": "lfw", "look-alikes": "lookalike"}
    return Rates({name: (lfw.scores(which), lfw.pairs[which].same) for name, which in sets.items()}, 0.33)


def _papers():
    from facelab.course.widgets.papers import Papers

    return Papers()


def _open_set():
    from facelab.course import lesson09
    from facelab.course.widgets.open_set import OpenSet

    one = lesson09.split(lfw_templates(), seed=0)
    return OpenSet(one.gallery, one.probes, one.strangers, value=0.645)


def _mirror():
    from facelab.course.widgets.mirror import Mirror

    return Mirror()


def _desk():
    from facelab.course.widgets.gallery import GalleryDesk

    lfw = lfw_templates()
    stock = {name: lfw.of(name)[0] for name in lfw.names.values()}
    return GalleryDesk(_women() | _changed(), stock)


def _runs():
    from facelab.course import lesson10
    from facelab.course.widgets.runs import CompareRuns

    return CompareRuns(lesson10.stored(), "ArcFace", "no augmentation")


def _live_run():
    from facelab.course import lesson10
    from facelab.course.widgets.live_run import LiveRun
    from facelab.training import Recipe

    recipe = Recipe(batch_size=64, head="ArcFace", head_options={"s": 16.0, "m": 0.1})
    return LiveRun({"drawn people": lesson10.drawn_task(people=100)}, 120, recipe)


def _growth():
    from facelab.course.lesson11 import extremes
    from facelab.course.lesson11.crowd import crowd, fitted
    from facelab.course.widgets.growth import Growth

    lfw, model = lfw_templates(), fitted()
    first, second = (lfw.vectors[lfw.number == number] for number in (1, 2))
    owner = np.searchsorted(lfw.identity[lfw.number == 1], lfw.identity[lfw.number == 2])
    tails = {"LFW": extremes.tail(first), "crowd": extremes.tail(crowd(model, len(first), seed=5))}
    drawn = (crowd(model, 2000) * crowd(model, 2000, photo=1)).sum(1)
    return Growth(tails, {"LFW": (second * first[owner]).sum(1), "crowd": drawn})


def _breadth():
    from facelab.course.lesson11.stored import stored
    from facelab.course.widgets.breadth import Breadth

    return Breadth(stored("search")["rows"])


def _shards():
    from facelab.course.widgets.shards import Shards

    return Shards()


def _make_attack():
    from facelab.course.widgets.attack import MakeAttack

    return MakeAttack({"Eileen Collins": portraits.collins(), "Grace Hopper": portraits.hopper()})


def _turn():
    from facelab.course.widgets.turn import Turn

    return Turn()


PAGES = {
    "00": Page(
        'What does "the same person" mean to a computer?',
        (Demo("Where would you put the line between the same person and two people?", _threshold),),
    ),
    "01": Page(
        "How does a network learn a space in which distance means identity?",
        (
            Demo("Ten people, each dot a photo. Is the nearest island the person who is nearest?", _map),
            Demo("Digits 8 and 9 were never learnt from. What becomes of them while the rest draws together?",
                 _epochs),
        ),
    ),
    "02": Page(
        "What do three photos teach that two do not?",
        (
            Demo("Drag the three points. Where must n be so that nothing pushes it?", _triplet),
            Demo("Pull everybody to the middle of their class: when do two classes meet?", _centre),
        ),
    ),
    "03": Page(
        "Why did everybody move to the hypersphere?",
        (
            Demo("How much room does a margin leave, and at how many people is there none?", _margins),
            Demo("With s = 64 and no margin: up to what angle does a photo feel nothing?", _gradients),
            Demo("Press Start: softmax and ArcFace learn the same people side by side.", _trainer),
        ),
    ),
    "04": Page(
        "What have nine later losses changed, and does it show?",
        (Demo("Which of the three pictures does each loss change?", _beyond),),
    ),
    "05": Page(
        "Why does the crop decide more than the network?",
        (Demo("At what tilt does the computer no longer believe that it is the same woman?", _crop),),
    ),
    "06": Page(
        "The same weights, two libraries, two answers: why?",
        (Demo("Take two photos of your own, and tilt one until the verdict changes.", _compare),),
    ),
    "07": Page(
        "Who could unlock whose phone?",
        (Demo("Two sisters and a rival: at which threshold does one phone open for another?", _celebrities),),
    ),
    "08": Page(
        "Which differences between papers mean anything?",
        (
            Demo("Switch to the look-alikes: which two of the four counts changed?", _rates),
            Demo("How many times larger must a test be before two methods come apart?", _papers),
        ),
    ),
    "09": Page(
        "Who is this, or is it nobody I know?",
        (
            Demo("Let the gallery grow. Which of the three heaps moves?", _open_set),
            Demo("Press Start, have it remember you, then turn away: how far until it lets go?", _mirror),
            Demo("Enrol yourself, look yourself up, and delete yourself again.", _desk),
        ),
    ),
    "10": Page(
        "Can I train one myself?",
        (
            Demo("Press Start, then start again without augmentation: which of the two knows strangers?",
                 _live_run),
            Demo("Of two runs: what does the loss say, and what do people say who were never seen?", _runs),
        ),
    ),
    "11": Page(
        "What changes when the gallery has a million faces?",
        (
            Demo("Let the gallery grow to a million: is there a cosine that is high enough?", _growth),
            Demo("How much of the gallery must be looked at until 95 % are found?", _breadth),
            Demo("How many devices does a head of ten million people need?", _shards),
        ),
    ),
    "12": Page(
        "Is it a living face?",
        (
            Demo("Make a print that is let in: what must nobody see?", _make_attack),
            Demo("Turn a head, a photo and a bent photo: which number tells them apart?", _turn),
        ),
    ),
}  # fmt: skip


# ---- showing -----------------------------------------------------------------------------------------------


def show(number: str) -> None:
    """A lesson's page, in the notebook that calls it. What fails says so in its place, and the rest goes
    on."""
    import ipywidgets as widgets
    from IPython.display import display

    from facelab.course import plots
    from facelab.course.widgets.base import alert

    plots.use_style()
    page = PAGES[number]
    numbers = list(PAGES)
    at = numbers.index(number)
    links = [("All lessons", "index")]
    links += [(f"← {n}", n) for n in numbers[max(0, at - 1) : at]]
    links += [(f"{n} →", n) for n in numbers[at + 1 : at + 2]]
    way = " &nbsp; ".join(f"<a href='{_address(name)}'>{words}</a>" for words, name in links)
    display(widgets.HTML(f"{STYLE}<div class='demo'>{way}<h1>{html.escape(page.question)}</h1></div>"))
    for demo in page.demos:
        display(widgets.HTML(f"<div class='demo'><h2>{html.escape(demo.ask)}</h2></div>"))
        try:
            display(demo.make())
        except Exception as error:
            display(widgets.HTML(alert(error)))


def contents() -> None:
    """The first page: a link to each lesson."""
    import ipywidgets as widgets
    from IPython.display import display

    lines = "".join(
        f"<p><a href='{_address(number)}'>{number} · {html.escape(page.question)}</a></p>"
        for number, page in PAGES.items()
    )
    head = "<h1>How does a computer know a face?</h1><p>Everything runs on this machine; nothing is kept.</p>"
    display(widgets.HTML(f"{STYLE}<div class='demo'>{head}{lines}</div>"))


def _address(name: str) -> str:
    return f"{name}.ipynb"


def write(folder: Path) -> None:
    """The pages as notebooks."""
    import nbformat
    from nbformat.v4 import new_code_cell, new_notebook

    folder.mkdir(parents=True, exist_ok=True)
    cells = {"index": "contents()"} | {number: f'show("{number}")' for number in PAGES}
    for name, call in cells.items():
        book = new_notebook(cells=[new_code_cell(f"from facelab.course.demo import *\n{call}")])
        book.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
        book.metadata["title"] = PAGES[name].question if name in PAGES else "facelab"
        nbformat.write(book, folder / f"{name}.ipynb")


__all__ = ["contents", "show"]


def main(arguments: list[str] | None = None) -> int:
    """Writes the pages into a temporary folder and serves them until Ctrl-C."""
    import argparse

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--port", type=int, default=8866)
    parser.add_argument("--no-browser", action="store_true")
    asked = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # so that the server ends with us
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder))
        print(f"The demos: {address(asked.port)}   (Ctrl-C ends them)", flush=True)
        server = subprocess.Popen(command(folder, asked.port), env=environment())
        try:
            if not asked.no_browser:
                when_it_answers(asked.port, server)
            return server.wait()
        except KeyboardInterrupt:
            return 0
        finally:
            server.terminate()
            server.wait()


def address(port: int) -> str:
    return f"http://127.0.0.1:{port}/voila/render/index.ipynb"


def command(folder: str, port: int) -> list[str]:
    return [
        sys.executable, "-m", "voila", folder, f"--port={port}", "--no-browser", "--Voila.ip=127.0.0.1",
        "--template=facelab", "--show_tracebacks=True",
    ]  # fmt: skip


def environment() -> dict[str, str]:
    """With our template among Jupyter's data; one thread, since several pages may be open."""
    ours = os.pathsep.join(filter(None, [str(Path(__file__).parent), os.environ.get("JUPYTER_PATH")]))
    return os.environ | {"JUPYTER_PATH": ours, "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "1")}


def when_it_answers(port: int, server: subprocess.Popen, seconds: float = 60) -> None:
    """Open the browser as soon as there is something to see."""
    until = time.monotonic() + seconds
    while server.poll() is None and time.monotonic() < until:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            webbrowser.open(address(port))
            return
        time.sleep(0.2)


if __name__ == "__main__":
    sys.exit(main())
