"""A common look for the course's figures, and the few pictures that many lessons need.

Readable from the back of a room: 13-point letters and more, Okabe and Ito's colours (told apart by all
kinds of eyes), and never colour alone: lines differ in dash or marker, bars in hatching.
"""

from collections.abc import Sequence

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes

from facelab.detect.face import Face

# Okabe and Ito, "Color Universal Design" (2008).
BLACK, ORANGE, SKY, GREEN = "#000000", "#E69F00", "#56B4E9", "#009E73"
YELLOW, BLUE, RED, PURPLE = "#F0E442", "#0072B2", "#D55E00", "#CC79A7"
COLOURS = (BLUE, ORANGE, GREEN, RED, PURPLE, SKY, BLACK, YELLOW)
DASHES = ("-", "--", "-.", ":")
MARKERS = ("o", "s", "^", "D", "P")  # one for each landmark, in the order of facelab.detect.face.LANDMARKS
DPI = 100


def style() -> dict:
    """The settings of `use_style`, for those who want them in a `with mpl.rc_context(style()):` only."""
    return {
        "figure.dpi": DPI,
        "savefig.dpi": DPI,
        "figure.constrained_layout.use": True,
        "figure.figsize": (9.0, 4.2),
        "figure.facecolor": "white",
        "font.size": 14,
        "axes.titlesize": 15,
        "axes.labelsize": 14,
        "xtick.labelsize": 13,
        "ytick.labelsize": 13,
        "legend.fontsize": 13,
        "legend.frameon": False,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.prop_cycle": mpl.cycler(color=COLOURS),
        "lines.linewidth": 2.2,
        "image.cmap": "cividis",
        "hatch.linewidth": 0.8,
    }


def use_style() -> None:
    """Make every figure of this session look like the course's."""
    mpl.rcParams.update(style())


def show(
    photos: Sequence[np.ndarray],
    titles: Sequence[str] = (),
    *,
    faces: Sequence[Sequence[Face]] = (),
    columns: int | None = None,
    height: float = 3.4,
) -> np.ndarray:
    """Photos or crops side by side at one height, with what a detector found drawn on each.

    photos  (H, W, 3) RGB uint8 or (H, W) grey each
    faces   for each photo the list of faces to draw; shorter lists are fine
    columns photos a row (all in one row if not given)
    height  of a row, in inches
    Returns the array of axes, (len(photos),).
    """
    photos = [np.asarray(photo) for photo in photos]
    columns = min(columns or len(photos), len(photos))
    rows = -(-len(photos) // columns)
    width = max(photo.shape[1] / photo.shape[0] for photo in photos) * height
    lines = max((title.count("\n") + 1 for title in titles), default=0)
    _, grid = plt.subplots(
        rows,
        columns,
        figsize=(width * columns, (height + 0.32 * lines) * rows),
        squeeze=False,
        layout="constrained",
    )
    for number, axes in enumerate(grid.flat):
        axes.set_axis_off()
        if number >= len(photos):
            continue
        photo = photos[number]
        axes.imshow(
            photo, cmap="gray", interpolation="nearest" if max(photo.shape[:2]) < 160 else "antialiased"
        )
        if number < len(titles):
            axes.set_title(titles[number])
        for face in faces[number] if number < len(faces) else ():
            draw_face(axes, face)
    return grid.ravel()[: len(photos)]


def draw_face(axes: Axes, face: Face, colour: str = YELLOW, *, score: bool = True) -> None:
    """The box, the score and the five landmarks of a face (a marker each: left and right can be told)."""
    outlined_box(axes, face.box, colour)
    for (x, y), marker in zip(face.landmarks, MARKERS, strict=True):
        axes.plot(x, y, marker, ms=7, mfc=colour, mec=BLACK, mew=1.0, clip_on=True)
    if score:
        label = axes.annotate(
            f"{face.score:.2f}", face.box[:2], xytext=(3, -3), textcoords="offset points", va="top"
        )
        label.set(color=BLACK, fontsize=13, bbox={"facecolor": colour, "edgecolor": "none", "pad": 1.5})


def outlined_box(
    axes: Axes, box: np.ndarray, colour: str = YELLOW, *, dashes: str = "-", width: float = 2.2
) -> None:
    """A box x1, y1, x2, y2 that is seen on light and dark ground: the coloured line lies on a black one."""
    x1, y1, x2, y2 = box
    x, y = [x1, x2, x2, x1, x1], [y1, y1, y2, y2, y1]
    axes.plot(x, y, color=BLACK, linewidth=width + 1.6, clip_on=True)
    axes.plot(x, y, color=colour, linewidth=width, linestyle=dashes, clip_on=True)


def histogram(
    genuine: np.ndarray,
    impostor: np.ndarray,
    *,
    threshold: float | None = None,
    xlabel: str = "cosine distance",
    bins: int = 60,
    axes: Axes | None = None,
) -> Axes:
    """Two densities over one axis: pairs of the same person and pairs of different people, and the threshold.

    genuine, impostor  (N,), (M,) distances or scores
    """
    axes = axes or plt.subplots()[1]
    both = np.concatenate([np.ravel(genuine), np.ravel(impostor)])
    edges = np.linspace(both.min(), both.max(), bins + 1)
    looks = ((genuine, "same person", BLUE, "//"), (impostor, "different people", ORANGE, "\\\\"))
    for values, label, colour, hatch in looks:
        axes.hist(values, edges, density=True, histtype="stepfilled", alpha=0.35, color=colour)
        axes.hist(
            values, edges, density=True, histtype="step", color=colour, linewidth=2, hatch=hatch, label=label
        )
    if threshold is not None:
        axes.axvline(threshold, color=BLACK, linestyle="--", label=f"threshold {threshold:.3g}")
    axes.set(xlabel=xlabel, ylabel="density")
    axes.set_yticks([])
    axes.legend()
    return axes


def heat(
    photo: np.ndarray, maps: Sequence[np.ndarray], titles: Sequence[str] = (), *, extents=None
) -> np.ndarray:
    """Score maps (h, w) in 0 … 1, each laid over the photo in grey. Returns the axes, (len(maps),).

    extents  for each map the (x1, x2, y1, y2) that it covers, edges of pixels; the whole photo if None
    """
    height, width = photo.shape[:2]
    every = show([photo.mean(axis=2)] * len(maps), titles)
    for number, (axes, scores) in enumerate(zip(every, maps, strict=True)):
        x1, x2, y1, y2 = extents[number] if extents else (-0.5, width - 0.5, -0.5, height - 0.5)
        shown = axes.imshow(
            scores,
            extent=(x1, x2, y2, y1),
            vmin=0,
            vmax=1,
            alpha=np.clip(0.25 + scores, 0, 0.85),
            cmap="inferno",
        )
        axes.set(xlim=(-0.5, width - 0.5), ylim=(height - 0.5, -0.5))
    bar = axes.figure.colorbar(shown, ax=list(every), shrink=0.8, label="score")
    bar.solids.set_alpha(1)
    return every


def extent(level) -> tuple[float, float, float, float]:
    """What one of MTCNN's heat maps covers, for `heat`: each cell stands in the middle of its window."""
    rows, columns = level.probability.shape
    first, last = level.window(0, 0), level.window(rows - 1, columns - 1)
    x1, y1, x2, y2 = *(first[:2] + first[2:]) / 2, *(last[:2] + last[2:]) / 2
    half_x, half_y = (x2 - x1) / max(columns - 1, 1) / 2, (y2 - y1) / max(rows - 1, 1) / 2
    return x1 - half_x, x2 + half_x, y1 - half_y, y2 + half_y


def show_boxes(photo: np.ndarray, boxes: Sequence[np.ndarray], titles: Sequence[str] = ()) -> np.ndarray:
    """The same photo again and again, each time with other boxes (K, 4). Returns the axes, (len(boxes),)."""
    every = show([photo] * len(boxes), titles)
    for axes, some in zip(every, boxes, strict=True):
        for box in some:
            outlined_box(axes, box, width=1.4)
        axes.set(xlim=(-0.5, photo.shape[1] - 0.5), ylim=(photo.shape[0] - 0.5, -0.5))
    return every
