"""What each lesson shows on its page of the demos: its question, its widgets, and what to ask of each."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

import facelab as fl
from facelab.course import portraits
from facelab.datasets import lfw_templates


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

    return MakeAttack(_women())


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
