"""Lesson 12's own pieces: drawn people under attack, a training in a minute, and what the detector looks at.

    photo, face = scene(seed=3)                       # somebody who does not exist, and where the face is
    data = drawn_captures(people=120)                 # bona fide captures and four kinds of attack of each
    net = quick_fit(data.of(train).without("replay"))  # a minute; then scores(net, data.crops)

Nobody's photo is needed: people are drawn (`facelab.course.drawn`), and everything is made when it is
asked for, from a seed. The two portraits of `facelab.course.portraits` can be attacked too.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from PIL import Image, ImageFilter

from facelab.antispoof import crops, fit
from facelab.antispoof.attacks import KINDS, Attack, Behind
from facelab.antispoof.camera import Camera
from facelab.antispoof.captures import BONA_FIDE, Captures, make_captures
from facelab.antispoof.detector import OwnDetector, load
from facelab.antispoof.net import TwoScales, scores
from facelab.course import drawn
from facelab.course.widgets.fan import one_thread
from facelab.detect.face import Face

SIDE, FRAME = 112, 200
"""Of the drawing, and of the photo around it, pixels."""

EYES, NOSE, MOUTH = (0.24, -0.08), 0.21, (0.2, 0.47)
"""Where the drawn faces' landmarks lie on average, in half sides of the drawing."""


# --------------------------------------------------------------------------- drawn people and their faces


def scenes(people: int, seed: int = 0, photos: int = 1) -> list[tuple[np.ndarray, Face]]:
    """`photos` photos of each of so many drawn people, person after person: (200, 200, 3) uint8, with the
    face.

    The face is where the drawing puts it on average: no detector has to find drawings.
    """
    who = np.repeat(np.arange(people), photos)
    faces = drawn.photos(drawn.identities(people, seed), who, seed=seed, side=SIDE)
    return [
        (_framed(face, np.random.default_rng([seed, row])), face_of_drawing())
        for row, face in enumerate(faces)
    ]


def scene(seed: int = 0) -> tuple[np.ndarray, Face]:
    """One photo of one drawn person."""
    return scenes(1, seed)[0]


def face_of_drawing() -> Face:
    middle, half = (FRAME - 1) / 2, SIDE / 2
    (ex, ey), (mx, my) = EYES, MOUTH
    points = np.array([(-ex, ey), (ex, ey), (0, NOSE), (-mx, my), (mx, my)], np.float32)
    box = np.array([-0.56, -0.62, 0.56, 0.86], np.float32)
    return Face(middle + half * box, middle + half * points, 1.0)


def _framed(face: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The drawing with its surroundings drawn on, softly, to the photo's edges."""
    around = (FRAME - SIDE) // 2
    blurred = np.asarray(Image.fromarray(face).filter(ImageFilter.BoxBlur(4)))
    photo = np.pad(blurred, ((around, around), (around, around), (0, 0)), mode="edge").astype(np.float32)
    # Hair that the drawing's edge cuts off ends softly; the neck goes on.
    left, right = (face[:8, corner].mean((0, 1)) for corner in (slice(8), slice(-8, None)))
    wall = left + np.linspace(0, 1, FRAME)[None, :, None] * (right - left)
    line = np.arange(FRAME)
    beyond = np.maximum(np.maximum(around - line, 0), np.maximum(line - around - SIDE + 1, 0))
    far = np.hypot(np.maximum(around - line, 0)[:, None], beyond[None, :])
    photo = wall + (photo - wall) * np.exp(-far / 9)[:, :, None]
    photo += rng.normal(0, 7.6, photo.shape)  # as much as the drawing has
    photo[around : around + SIDE, around : around + SIDE] = face
    return np.clip(np.rint(photo), 0, 255).astype(np.uint8)


@dataclass(frozen=True, eq=False)
class Data:
    """Captures of drawn people, and which people are for what: nobody is in two parts."""

    captures: Captures
    train: np.ndarray
    held: np.ndarray

    def of(self, people: np.ndarray) -> Captures:
        return self.captures.where(np.isin(self.captures.person, people))


@cache
def drawn_captures(people: int = 120, seed: int = 0, side: int = 64) -> Data:
    """Two bona fide captures and one attack of each kind of so many drawn people; two thirds are for
    training.

    Some 35 ms a capture; the result is kept, so that a second cell has it at once.
    """
    with one_thread():  # of pictures so small, two threads wait for one another
        captures = make_captures(scenes(people, seed), range(people), seed=seed, side=side)
    order = np.random.default_rng(seed).permutation(people)
    return Data(captures, np.sort(order[: 2 * people // 3]), np.sort(order[2 * people // 3 :]))


@cache
def honest_captures(people: int = 60, seed: int = 1, side: int = 64) -> Captures:
    """Two bona fide captures each of other drawn people than `drawn_captures`'s, to set a threshold on."""
    with one_thread():
        return make_captures(scenes(people, seed), range(people), kinds=(), seed=seed, side=side)


# --------------------------------------------------------------------------- a training in a minute


def quick_fit(
    captures: Captures,
    epochs: int = 8,
    seed: int = 0,
    on_epoch: Callable[[int, float], None] | None = None,
    stop: Callable[[], bool] | None = None,
) -> TwoScales:
    """facelab's own training, shortened: smaller batches and a shorter running mean. See `fit.fit`."""
    recipe = replace(fit.RECIPE, epochs=epochs, batch_size=32, ema=0.9, seed=seed)
    with one_thread():
        return fit.fit(captures, recipe, on_epoch, stop)


# --------------------------------------------------------------------------- for sliders


def attacked(
    photo: np.ndarray,
    face: Face,
    kind: str,
    behind: Behind | None = None,
    camera: Camera | None = None,
    **numbers,
) -> np.ndarray:
    """The photo of one attack with these numbers (`KINDS[kind].ranges()`), the rest being defaults, taken
    by `camera` (None: a plain one, slightly soft, with little noise)."""
    if camera is None:
        camera = Camera(blur=0.4, noise=1.5, quality=90)
    attack: Attack = KINDS[kind](**numbers)
    with one_thread():
        return camera.apply(attack.apply(photo, face, behind))


def live_score(
    photo: np.ndarray, face: Face, net: TwoScales | None = None, border: bool = True, side: int = 80
) -> float:
    """The score of one face, 0 … 1; border=False greys out what lies around the tight crop.

    net   another network than facelab's own; then `side` is what it was trained on (64 for `drawn_captures`)
    """
    pair = crops.pair(photo, face, side)
    return float(scores(net or _own(), (pair if border else crops.without_border(pair))[None])[0])


@cache
def _own() -> TwoScales:
    detector = load(True)
    assert isinstance(detector, OwnDetector)
    return detector.net


def occlusion(
    photo: np.ndarray, face: Face, net: TwoScales | None = None, steps: int = 12, side: int = 80
) -> tuple[np.ndarray, np.ndarray]:
    """Where does it look? A grey patch is laid over the wide view, place after place, and the score taken.

    Returns (the wide crop (side, side, 3) uint8, change of the logit (steps, steps) float32: above 0, the
    score rose when the patch was there, so what it covers spoke for an attack). The tight crop is covered
    where it shows the same place.
    """
    pair = crops.pair(photo, face, side)
    patch = side / steps * 1.5
    many = np.repeat(pair[None], steps * steps, 0)
    share = crops.SCALES[1] / crops.SCALES[0]
    for row in range(steps):
        for column in range(steps):
            middle = (np.array([row, column]) + 0.5) * side / steps
            for which, zoom in ((1, 1.0), (0, share)):
                centre = (middle - side / 2) * zoom + side / 2
                low = np.clip(np.rint(centre - zoom * patch / 2), 0, side).astype(int)
                high = np.clip(np.rint(centre + zoom * patch / 2), 0, side).astype(int)
                many[row * steps + column, which, low[0] : high[0], low[1] : high[1]] = crops.GREY
    network = net or _own()
    told = np.clip(scores(network, np.concatenate([pair[None], many])), 1e-6, 1 - 1e-6)
    logit = np.log(told / (1 - told))
    return pair[1], (logit[1:] - logit[0]).reshape(steps, steps).astype(np.float32)


# --------------------------------------------------------------------------- tables and figures


def rates_table(
    its: Captures,
    told: dict[str, np.ndarray],
    honest: Captures,
    told_honest: dict[str, np.ndarray],
    bpcer: float = 0.05,
    resamples: int = 500,
):
    """APCER of each kind and BPCER, %, of several networks: a pandas table. The threshold is set on other,
    honest people (`honest`), and the 95 % intervals draw both those people and these anew.

    told, told_honest   name of a network → its scores of `its`, of `honest`
    """
    import pandas as pd

    from facelab.metrics import threshold_at_bpcer

    rng = np.random.default_rng(0)
    draws = [(_drawn(its.person, rng), _drawn(honest.person, rng)) for _ in range(resamples)]
    columns = {}
    for name, scored in told.items():

        def shares(rows, others, scored=scored, own=told_honest[name]) -> list[float]:
            passed, kinds = scored[rows] >= threshold_at_bpcer(own[others], bpcer), its.kind[rows]
            apcers = [passed[kinds == kind].mean() for kind in KINDS]
            return [*apcers, 1 - passed[kinds == BONA_FIDE].mean()]

        point = shares(np.arange(len(its)), np.arange(len(honest)))
        low, high = np.quantile([shares(*drawn) for drawn in draws], (0.025, 0.975), axis=0)
        columns[name] = [
            f"{100 * p:.0f} ({100 * a:.0f} to {100 * b:.0f})"
            for p, a, b in zip(point, low, high, strict=True)
        ]
    return pd.DataFrame(columns, index=[*(f"APCER, {kind}" for kind in KINDS), "BPCER"])


def _drawn(person: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Rows of as many people as there are, drawn with replacement, each with all rows of theirs."""
    people = np.unique(person)
    return np.concatenate([np.flatnonzero(person == who) for who in rng.choice(people, len(people))])


def looked_at(photos: dict[str, np.ndarray], face: Face, steps: int = 10) -> None:
    """What facelab's own network looks at in photos with the face at one place, by `occlusion`."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(2, len(photos), figsize=(3 * len(photos), 6.4), squeeze=False)
    for (name, photo), (above, below) in zip(photos.items(), axes.T, strict=True):
        crop, change = occlusion(photo, face, steps=steps)
        above.imshow(crop)
        above.set_title(f"{name}\nscore {live_score(photo, face):.2f}")
        below.imshow(crop.mean(2), cmap="gray", vmin=0, vmax=255)
        shown = below.imshow(
            change, cmap="PuOr_r", vmin=-2, vmax=2, alpha=0.7, extent=(-0.5, 79.5, 79.5, -0.5)
        )
        for one in (above, below):
            one.set_axis_off()
    figure.colorbar(shown, ax=axes[1], label="covered: change of the logit", shrink=0.9)


__all__ = [
    "BONA_FIDE",
    "KINDS",
    "Data",
    "attacked",
    "drawn_captures",
    "face_of_drawing",
    "honest_captures",
    "live_score",
    "looked_at",
    "occlusion",
    "quick_fit",
    "rates_table",
    "scene",
    "scenes",
]
