"""Two photos side by side: what the network sees of each, how far apart they are, and what a verdict at that
distance is worth. Photos of the course, or the reader's own."""

import io

import matplotlib as mpl
import numpy as np
from ipywidgets import HTML, HBox, Layout
from PIL import Image

import facelab as fl
from facelab.calibration import fmr_at, fnmr_at
from facelab.course import portraits
from facelab.course.language import translated
from facelab.course.plots import BLACK, BLUE, ORANGE, YELLOW, style
from facelab.course.widgets.base import LivePicture, LiveWidget, choice, offered, slider
from facelab.course.widgets.crop import tilted
from facelab.course.widgets.photo_source import PhotoSource, usable
from facelab.course.widgets.threshold import HIGH, LOW, STEP, one_in
from facelab.errors import FacelabError

CONFIG = "yunet+aligned+sface"
"""The pipeline whose vectors are compared, and whose error rates are quoted."""

PANEL = 260  # pixels, side of the place where a photo is shown
EDGES = np.arange(0, 1.4 + 0.01, 0.02)
WHITE = 255
PRIVACY = (
    "Your photos stay in this notebook's memory: nothing is written to disk, nothing is sent anywhere. "
    "<b>Reset</b> forgets them."
)


def changes(photo: np.ndarray) -> dict[str, np.ndarray]:
    """The same portrait in seven other ways, a name for each: pairs of the same person, of the easy kind."""
    head = portraits.head(photo, fl.detect(photo)[0])
    return {
        "mirrored": np.ascontiguousarray(photo[:, ::-1]),
        "cut closer": head,
        "a quarter of the light": portraits.darker(photo),
        "a little blurred": portraits.blurred(photo, 3),
        "a quarter of the size": smaller(photo),
        "JPEG at quality 20": jpeg(photo),
        "tilted by 20°": portraits.tilted(photo, 20),
    }


def smaller(photo: np.ndarray, share: float = 0.25) -> np.ndarray:
    """The photo at `share` of its width and height, averaged."""
    image = Image.fromarray(photo)
    return np.asarray(image.resize([max(1, round(s * share)) for s in image.size], Image.Resampling.BOX))


def jpeg(photo: np.ndarray, quality: int = 20) -> np.ndarray:
    """The photo after a trip through JPEG."""
    file = io.BytesIO()
    Image.fromarray(photo).save(file, "JPEG", quality=quality)
    return fl.read_image(file.getvalue())


class Seen:
    """A photo with what was found in it: the largest face, its crop and its vector, and how many faces."""

    def __init__(self, photo: np.ndarray):
        faces = fl.detect(photo)
        self.photo, self.count = photo, len(faces)
        self.face = faces[0] if faces else None
        self.crop = fl.align(photo, self.face) if faces else np.full((112, 112, 3), WHITE, np.uint8)
        self.vector = fl.embed(self.crop) if faces else None
        self.panel = framed(photo, self.face)


def framed(photo: np.ndarray, face: fl.Face | None) -> np.ndarray:
    """The whole photo in the middle of a white square (PANEL, PANEL, 3), the face's box drawn on it."""
    share = PANEL / max(photo.shape[:2])
    size = [max(1, round(side * share)) for side in photo.shape[1::-1]]
    small = np.array(Image.fromarray(photo).resize(size, Image.Resampling.BOX if share < 1 else None))
    if face is not None:
        outline(small, face.box * share)
    square = np.full((PANEL, PANEL, 3), WHITE, np.uint8)
    left, top = (PANEL - size[0]) // 2, (PANEL - size[1]) // 2
    square[top : top + size[1], left : left + size[0]] = small
    return square


def outline(photo: np.ndarray, box: np.ndarray) -> None:
    """Draw a box x1, y1, x2, y2 into the photo: yellow between black, seen on any ground."""
    yellow = [round(255 * part) for part in mpl.colors.to_rgb(YELLOW)]
    x1, y1, x2, y2 = (round(float(edge)) for edge in box)
    for inset, colour in ((-2, 0), (2, 0), (-1, yellow), (0, yellow), (1, yellow)):
        rows = slice(max(0, y1 + inset), max(0, y2 - inset + 1))
        columns = slice(max(0, x1 + inset), max(0, x2 - inset + 1))
        for y in (y1 + inset, y2 - inset):
            if 0 <= y < len(photo):
                photo[y, columns] = colour
        for x in (x1 + inset, x2 - inset):
            if 0 <= x < photo.shape[1]:
                photo[rows, x] = colour


class Compare(LiveWidget):
    """Photo A and photo B, each chosen, uploaded or taken; a tilt for B; a threshold.

    photos             dict of name → (H, W, 3) RGB uint8, offered for either side
    genuine, impostor  (N,), (M,) cosine distances for the histograms behind the scale
    threshold          where its slider starts

    distance   between the two largest faces; nan where there is none
    same       distance ≤ threshold

    Own photos are kept in `own` until Reset; the picture that is stored with a notebook never shows them.
    """

    title = "Two photos"

    def __init__(
        self, photos: dict[str, np.ndarray], genuine: np.ndarray, impostor: np.ndarray, threshold: float
    ):
        self.photos = dict(photos)
        self.own: dict[str, np.ndarray] = {}
        self._seen: dict[str, Seen] = {}
        self._tilted: tuple[tuple[str, int], Seen] | None = None
        self.distance, self.same = float("nan"), False
        first, second = list(photos)[:2]
        self.a = choice("photo A", list(photos), value=first)
        self.b = choice("photo B", list(photos), value=second)
        self.tilt = slider("tilt B", -60, 60, value=0, step=1, unit="°", tip="Turn photo B clockwise")
        start = float(
            np.clip(round(threshold / STEP) * STEP, LOW, HIGH)
        )  # a place where the slider can stand
        self.threshold = slider("threshold", LOW, HIGH, value=round(start, 3), step=STEP)
        self._draw(genuine, impostor)
        super().__init__([self.a, self.b, self.tilt, self.threshold])
        self.sources = [
            PhotoSource(f"photo {side}", self._receiver(side), self.complain) for side in ("A", "B")
        ]
        note = HTML(f"<div style='line-height:1.4'>{translated(PRIVACY)}</div>")
        bring = HBox(self.sources, layout=Layout(flex_flow="row wrap", grid_gap="0 2em"))
        controls, *_ = self.children
        self.children = (controls, bring, note, self.alert, self.screen)

    # ---- own photos

    def _receiver(self, side: str):
        return lambda name, data: self.bring(side, name, data)

    def bring(self, side: str, name: str, data: bytes) -> None:
        """Take the bytes of a photo as photo "A" or "B". What is wrong with them is said in the widget."""
        try:
            photo = usable(name, data)
        except FacelabError as error:
            self.complain(str(error))
            return
        label = f"{translated('yours')}: {name}"
        self.own[label] = photo
        self._seen.pop(label, None)
        self._tilted = None
        with self.together():
            self._offer(**{side.lower(): label})
            self.tilt.value = 0

    def _offer(self, **chosen: str) -> None:
        """The lists with the own photos at their end; what was chosen stays chosen, but for `chosen`."""
        for side in ("a", "b"):
            control = getattr(self, side)
            kept = chosen.get(side, control.value)
            control.options = offered([*self.photos, *self.own])
            control.value = kept

    def reset(self) -> None:
        with self.together():
            first, second = self._start[:2]
            self.own.clear()
            self._tilted = None
            self._seen = {name: seen for name, seen in self._seen.items() if name in self.photos}
            self._offer(a=first, b=second)
            self.tilt.value, self.threshold.value = self._start[2:]

    # ---- the picture

    def _draw(self, genuine: np.ndarray, impostor: np.ndarray) -> None:
        """What stays, drawn once; and the artists that `update` moves."""
        self.picture = LivePicture(11.0, 5.6, photo=True)
        with mpl.rc_context(style()):
            grid = self.picture.figure.add_gridspec(2, 4, height_ratios=(1.3, 1))
            panels = [self.picture.figure.add_subplot(grid[0, column]) for column in range(4)]
            axes = self.picture.figure.add_subplot(grid[1, :])
        titles = ("photo A", "A, as the network sees it", "B, as the network sees it", "photo B")
        self.panels = []
        for panel, title, side in zip(panels, titles, (PANEL, 112, 112, PANEL), strict=True):
            panel.set_axis_off()
            panel.set_title(title, fontsize=14)
            self.panels.append(self.picture.pixels(panel, side))
        tops = [
            self._heap(axes, *look)
            for look in (
                (genuine, BLUE, "//", "LFW:\nsame person"),
                (impostor, ORANGE, "\\\\", "LFW:\ndifferent people"),
            )
        ]
        top = 1.4 * max(tops)
        axes.set(xlim=(0, 1.3), ylim=(0, top), yticks=[], xlabel="cosine distance")
        live = self.picture.live
        self.limit = live(axes.axvline(0, color=BLACK, linestyle="--", linewidth=2))
        self.mark = live(axes.plot([], [], "v", color=BLACK, ms=16, clip_on=False)[0])
        box = {"facecolor": "white", "edgecolor": BLACK, "pad": 3}
        self.tag = live(axes.text(0, top * 0.87, "", va="center", bbox=box, fontsize=14))
        self.height = top * 0.87
        for artist in (self.limit, self.mark, self.tag):
            artist.set_in_layout(False)

    def _heap(self, axes, values: np.ndarray, colour: str, hatch: str, label: str) -> float:
        """One histogram, its name written into it; returns its height."""
        density = np.histogram(values, EDGES, density=True)[0]
        axes.stairs(density, EDGES, fill=True, color=colour, alpha=0.3)
        axes.stairs(density, EDGES, color=colour, linewidth=2, hatch=hatch)
        box = {"facecolor": "white", "edgecolor": "none", "alpha": 0.85, "pad": 2}
        axes.text(
            np.median(values), 0.3 * density.max(), label, ha="center", va="center", fontsize=13, bbox=box
        )
        return density.max()

    def seen(self, name: str) -> Seen:
        """A photo of the lists, looked at once."""
        if name not in self._seen:
            self._seen[name] = Seen(self.own[name] if name in self.own else self.photos[name])
        return self._seen[name]

    def seen_tilted(self, name: str, degrees: int) -> Seen:
        """The surroundings of its face, turned clockwise; the last one is kept for the threshold's slider."""
        upright = self.seen(name)
        if degrees == 0 or upright.face is None:
            return upright
        if self._tilted is None or self._tilted[0] != (name, degrees):
            view = tilted(upright.photo, upright.face, np.radians(degrees))
            self._tilted = (name, degrees), Seen(view)
        return self._tilted[1]

    def update(self) -> str:
        return self._show(self.a.value, self.b.value, self.tilt.value, self.threshold.value)

    def _show(self, name_a: str, name_b: str, tilt: int, limit: float) -> str:
        a, b = self.seen(name_a), self.seen_tilted(name_b, tilt)
        for shown, pixels in zip(self.panels, (a.panel, a.crop, b.crop, b.panel), strict=True):
            shown.set_data(pixels)
        self.limit.set_xdata([limit, limit])
        if a.face is None or b.face is None:
            self.distance, self.same = float("nan"), False
            self.mark.set_data([], [])
            self.tag.set_text("")
            return f"No face was found in photo {'A' if a.face is None else 'B'} as it is now."
        self.distance = fl.cosine_distance(a.vector, b.vector)
        self.same = self.distance <= limit
        self.mark.set_data([self.distance], [self.height * 0.8])
        right = self.distance > 0.9  # the tag goes where there is room
        self.tag.set(x=self.distance, text=f"{self.distance:.3f}", ha="right" if right else "left")
        sign, verdict = ("≤", "the same person") if self.same else (">", "different people")
        several = [side for side, one in (("A", a), ("B", b)) if one.count > 1]
        note = f" Several faces in photo {' and '.join(several)}: the largest is used." if several else ""
        return f"{self.distance:.3f} {sign} {limit:.3f}: {verdict}. {worth(limit)}{note}"

    # ---- what is stored with a notebook

    def still_png(self) -> bytes:
        """With the course's portraits only, whatever the reader has brought."""
        if not self.own:
            return super().still_png()
        self._show(*self._start)
        png = self.picture.png()
        self.update()
        return png

    def still_caption(self) -> str:
        if not self.own:
            return super().still_caption()
        return f"*{self.title}: live in JupyterLab once this cell has run.*"


def worth(threshold: float) -> str:
    """What a distance threshold is worth, in a sentence."""
    fmr, fnmr = fmr_at(CONFIG, threshold), fnmr_at(CONFIG, threshold)
    if fmr is None or fnmr is None:
        return "What this threshold is worth was never measured."
    if fmr.value == 0:
        false = f"none of {fmr.pairs:,} pairs of different people"
    else:
        interval = f"95 % interval: {one_in(fmr.low) if fmr.low else '0'} to {one_in(fmr.high)}"
        false = f"{one_in(fmr.value)} pairs of different people ({interval})"
    return (
        f"Worth, on LFW: this threshold takes {false} for the same person, and misses {fnmr.value:.1%} of "
        "the pairs of the same person."
    )
