"""What every live widget of the course has: labelled controls, one picture kept and updated in place, a line
of text that says the same in words, and errors that are seen.

A widget subclasses `LiveWidget`, builds its controls and a `LivePicture`, and writes `update()`:

    class Tilt(LiveWidget):
        title = "Turn the face"

        def __init__(self, photo):
            self.angle = slider("angle", -90, 90, value=0, step=1, unit="°")
            self.picture = LivePicture(9, 4)
            with self.picture.styled():
                axes = self.picture.figure.add_subplot()
            self.crop = self.picture.live(axes.imshow(photo))  # redrawn at each change, the rest only once
            super().__init__([self.angle])

        def update(self):
            self.crop.set_data(turn(self.photo, self.angle.value))
            return f"turned by {self.angle.value}°"                # the line of text

A notebook cell drives it as a student's hand would, and sees what went wrong:

    widget.angle.value = 20
    assert widget.error is None

While the kernel is busy with one change the browser holds back and then sends only the latest value, so a
fast drag makes as many pictures as the machine can draw, and the last one is of where the handle stopped.
"""

import base64
import html
import io
import math
import struct
import threading
import time
import traceback
import zlib
from contextlib import contextmanager

import ipywidgets as widgets
import matplotlib as mpl
import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg, RendererAgg
from matplotlib.figure import Figure
from PIL import Image
from traitlets import CFloat

from facelab.plots import DPI, style

LABEL = {"description_width": "initial"}
GAP = "2px 1em 2px 2px"  # between the controls of a row


# ---- controls ----------------------------------------------------------------------------------------------


def in_browser(value: float, slider: widgets.FloatSlider) -> float:
    """What the browser's slider makes of a value: the nearest step, by the browser's arithmetic."""
    low, width = slider.min, slider.max - slider.min
    share = (value - low) * 100 / width if low >= 0 else (value + abs(low)) * 100 / width
    if width <= 0 or share >= 100:
        return slider.max
    step = slider.step * 100 / width
    return math.floor(share / step + 0.5) * step * width / 100 + low


def decimals(number: float) -> int:
    """How many digits stand after the point: 0.05 → 2."""
    return len(f"{number:.10f}".rstrip("0").partition(".")[2])


def from_browser(value: float, slider: widgets.FloatSlider) -> float:
    """1.2999999999999998, as the browser counts, is 1.3 here."""
    return round(value, max(decimals(slider.step), decimals(slider.min)))


class StepSlider(widgets.FloatSlider):
    """A FloatSlider that does not talk back.

    The browser moves every value to the nearest step, and 0.6 + 14 · 0.05 is 1.2999999999999998 to it. When
    code sets a plain FloatSlider to 1.3, the browser therefore answers "you mean 1.2999999999999998"; and
    when code has gone on to 1.0 meanwhile, that answer undoes it. So it is sent the very number it makes.
    """

    value = CFloat(0.0).tag(sync=True, to_json=in_browser, from_json=from_browser)


def slider(
    label: str, low: float, high: float, *, value: float, step: float, unit: str = "", tip: str = ""
) -> widgets.Widget:
    """A slider named `label (unit)`. Arrow keys move it by `step`, page keys by more."""
    whole = all(isinstance(number, int) for number in (low, high, value, step))
    kind = widgets.IntSlider if whole else StepSlider
    return kind(
        value=value,
        min=low,
        max=high,
        step=step,
        description=f"{label} ({unit})" if unit else label,
        readout_format="d" if whole else f".{decimals(step)}f",
        tooltip=tip or label,
        style=LABEL,
        layout=widgets.Layout(flex="1 1 20em", width="auto", min_width="18em", max_width="34em", margin=GAP),
    )


def choice(label: str, options, *, value=None, tip: str = "") -> widgets.Widget:
    """A drop-down list named `label`; options as in ipywidgets (a list, or pairs of text and value)."""
    chosen = {} if value is None else {"value": value}
    return widgets.Dropdown(
        options=options,
        description=label,
        tooltip=tip or label,
        style=LABEL,
        layout=widgets.Layout(width="auto", min_width="14em", margin=GAP),
        **chosen,
    )


def tick(label: str, *, value: bool = False, tip: str = "") -> widgets.Widget:
    """A box to tick named `label`."""
    return widgets.Checkbox(
        value=value,
        description=label,
        tooltip=tip or label,
        indent=False,
        layout=widgets.Layout(width="auto"),
    )


# ---- the picture -------------------------------------------------------------------------------------------


class StampRenderer(RendererAgg):
    """Matplotlib's renderer, but for one thing: a line of text is drawn once, kept as a small image, and
    stamped from then on (at whole pixels). Setting type is most of the price of a live picture: about a
    millisecond a line."""

    KEPT = 512  # lines; the oldest is forgotten first
    PAD = 3  # pixels around a line, for what hangs over

    def __init__(self, width: float, height: float, dpi: float):
        super().__init__(width, height, dpi)
        self._stamps: dict[tuple, tuple[np.ndarray, int]] = {}

    def draw_text(self, gc, x, y, s, prop, angle, ismath=False, mtext=None) -> None:
        if angle or gc.get_alpha() != 1:
            return super().draw_text(gc, x, y, s, prop, angle, ismath, mtext)
        key = s, hash(prop), gc.get_rgb()
        if key not in self._stamps:
            if len(self._stamps) >= self.KEPT:
                del self._stamps[next(iter(self._stamps))]
            self._stamps[key] = self._stamp(gc, s, prop, ismath)
        stamp, below = self._stamps[key]
        # y of a text counts downwards, y of an image upwards and from its lower edge.
        self.draw_image(gc, round(x) - self.PAD, int(self.height) - round(y) - below, stamp)

    def _stamp(self, gc, s, prop, ismath) -> tuple[np.ndarray, int]:
        """The line in its colour on nothing: (h, w, 4), the lowest row first; how many rows lie below its
        foot."""
        width, height, descent = self.get_text_width_height_descent(s, prop, ismath)
        below = math.ceil(descent) + self.PAD
        small = RendererAgg(
            math.ceil(width) + 2 * self.PAD, math.ceil(height - descent) + self.PAD + below, self.dpi
        )
        ink = small.new_gc()
        ink.set_foreground(gc.get_rgb(), isRGBA=True)
        small.draw_text(ink, self.PAD, int(small.height) - below, s, prop, 0, ismath)
        return np.ascontiguousarray(np.asarray(small.buffer_rgba())[::-1]), below


class StampCanvas(FigureCanvasAgg):
    """A canvas that draws with one `StampRenderer` all its life; its figure keeps its size."""

    def get_renderer(self) -> StampRenderer:
        if not hasattr(self, "renderer"):
            self.renderer = StampRenderer(*self.figure.bbox.size, self.figure.dpi)
        return self.renderer


class Pixels(Artist):
    """A photo or a crop that fills its axes: `imshow`'s work in a tenth of its time."""

    def __init__(self, axes: Axes):
        super().__init__()
        self._photo: Image.Image | None = None
        self.set_in_layout(False)
        axes.add_artist(self)

    def set_data(self, photo: np.ndarray) -> None:
        """(H, W, 3) uint8. Enlarged twice or more its pixels stay squares; otherwise it is smoothed."""
        self._photo = Image.fromarray(photo).convert("RGBA")

    def draw(self, renderer) -> None:
        if self._photo is None or not self.get_visible():
            return
        left, low, right, high = np.rint(self.axes.bbox.extents).astype(int)
        size = (int(right - left), int(high - low))
        squares = size[0] >= 2 * self._photo.width
        shown = self._photo.resize(size, Image.Resampling.NEAREST if squares else Image.Resampling.BILINEAR)
        gc = renderer.new_gc()
        renderer.draw_image(gc, left, low, np.ascontiguousarray(np.asarray(shown)[::-1]))
        gc.restore()


def png(picture: Image.Image) -> bytes:
    """An RGB picture as PNG, without a filter and lightly compressed: twice as quick as Pillow, which tries
    all filters on every row, and no larger where most of it is white."""
    pixels = np.asarray(picture)
    rows = np.zeros((picture.height, 1 + 3 * picture.width), np.uint8)  # each row begins with its filter: 0
    rows[:, 1:] = pixels.reshape(picture.height, -1)
    header = struct.pack(">IIBBBBB", picture.width, picture.height, 8, 2, 0, 0, 0)  # 8 bits, RGB
    parts = ((b"IHDR", header), (b"IDAT", zlib.compress(rows, level=1)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in parts
    )


class LivePicture:
    """A figure that is drawn once; after that only the artists named with `live` are, onto what was kept.

    width, height  inches, at 100 pixels an inch
    layout         as in matplotlib; "none" where the axes are placed by hand
    photo          there are photographs in it: it is sent as JPEG, a quarter of the size
    """

    def __init__(
        self, width: float = 9.0, height: float = 4.0, layout: str = "constrained", *, photo: bool = False
    ):
        with self.styled():
            self.figure = Figure(figsize=(width, height), dpi=DPI, layout=layout)
        self.canvas = StampCanvas(self.figure)
        self.photo = photo
        self.artists: list[Artist] = []
        self._background = None

    def styled(self):
        """`with picture.styled():` around the making of axes and text gives them the course's look."""
        return mpl.rc_context(style())

    def live(self, artist: Artist) -> Artist:
        """Have this artist redrawn at every `png()`. Returns it."""
        artist.set_animated(True)
        self.artists.append(artist)
        return artist

    def pixels(self, axes: Axes, side: int) -> Pixels:
        """A live photo or crop that fills `axes`, `side` pixels square: points drawn over it count in those.
        Shown with `.set_data(photo)`."""
        axes.set(xlim=(-0.5, side - 0.5), ylim=(side - 0.5, -0.5), aspect="equal")
        return self.live(Pixels(axes))

    def forget(self) -> None:
        """Draw the background anew next time: for when a title, an axis or another still artist changed."""
        self._background = None

    def encoded(self) -> bytes:
        """The picture as it is now, as the browser is sent it: JPEG if it holds photographs, else PNG."""
        if not self.photo:
            return self.png()
        buffer = io.BytesIO()
        self.drawn().save(buffer, "JPEG", quality=88, subsampling=0)
        return buffer.getvalue()

    def png(self) -> bytes:
        """The picture as it is now, as PNG."""
        return png(self.drawn())

    def drawn(self) -> Image.Image:
        """The kept background with the live artists on it: RGB."""
        if self._background is None:
            with self.styled():
                self.canvas.draw()  # with constrained layout: it finds a place for everything
            self._background = self.canvas.copy_from_bbox(self.figure.bbox)
        self.canvas.restore_region(self._background)
        for artist in self.artists:
            artist.axes.draw_artist(artist) if artist.axes else self.figure.draw_artist(artist)
        rgba = self.canvas.buffer_rgba()
        return Image.frombuffer("RGBA", rgba.shape[1::-1], rgba, "raw", "RGBA", 0, 1).convert("RGB")


# ---- the widget --------------------------------------------------------------------------------------------


class StillPicture:
    """For any widget (an anywidget too): stores a picture beside the live view, for pages where nothing runs.

    Mix it in before the widget class, and have `still_png()` return PNG bytes and `still_caption()` one line.
    """

    def still_png(self) -> bytes:
        raise NotImplementedError

    def still_caption(self) -> str:
        raise NotImplementedError

    def _repr_mimebundle_(self, **kwargs):
        bundle = super()._repr_mimebundle_(**kwargs)
        data, metadata = bundle if isinstance(bundle, tuple) else (bundle, {})
        data["image/png"] = base64.b64encode(self.still_png()).decode()
        data["text/plain"] = self.still_caption()
        return (data, metadata) if isinstance(bundle, tuple) else data


class LiveWidget(StillPicture, widgets.VBox):
    """Controls above, one picture below, a line of text under it; see the module's docstring.

    picture   LivePicture, made by the subclass before it calls `super().__init__(controls)`
    error     what the last change raised, or None
    last_ms   milliseconds from the change to the new picture, in the kernel
    draws     pictures made so far
    """

    title = "Live figure"
    picture: LivePicture

    def __init__(self, controls: list[widgets.Widget]):
        self.controls = controls
        self.error: Exception | None = None
        self.last_ms = float("nan")
        self.draws = 0
        self._lock = threading.RLock()  # JupyterLab may call from another thread than the cell's
        self._quiet = False
        self._start = [control.value for control in controls]
        kind = "jpeg" if self.picture.photo else "png"
        self.image = widgets.Image(format=kind, layout=widgets.Layout(width="100%", max_width="max-content"))
        self.line = widgets.HTML()
        self.alert = widgets.HTML()
        reset = widgets.Button(
            description="Reset", icon="undo", tooltip="All controls back to where they began"
        )
        reset.layout.width = "auto"
        reset.on_click(lambda _: self.reset())
        row = widgets.HBox(
            [*controls, reset], layout=widgets.Layout(flex_flow="row wrap", align_items="center")
        )
        super().__init__([row, self.image, self.line, self.alert])
        self.add_class("facelab-live")  # a handle for tests and style sheets
        for control in controls:
            control.observe(self._changed, names="value")
        self.redraw()

    def update(self) -> str | None:
        """Bring the live artists in line with the controls; return the line of text under the picture."""
        raise NotImplementedError

    def reset(self) -> None:
        """Every control back to where it began, in one redraw."""
        with self.together():
            for control, value in zip(self.controls, self._start, strict=True):
                control.value = value

    @contextmanager
    def together(self):
        """Several controls changed inside make one picture."""
        self._quiet = True
        try:
            yield
        finally:
            self._quiet = False
        self.redraw()

    def _changed(self, change) -> None:
        if not self._quiet:
            self.redraw()

    def redraw(self) -> None:
        """Make the picture anew. An error is shown in the widget and kept in `error`, not raised: raised in a
        callback it would vanish."""
        with self._lock:
            start = time.perf_counter()
            try:
                text = self.update() or ""
                picture = self.picture.encoded()
            except Exception as error:
                self.error = error
                self.alert.value = alert(error)
                return
            self.line.value = (
                f"<div role='status' style='font-size:1.05em;line-height:1.5'>{html.escape(text)}</div>"
            )
            if self.error is not None:
                self.error = None
                self.alert.value = ""
            self.image.value = picture  # last: who sees the new picture finds its words there already
            self.last_ms = (time.perf_counter() - start) * 1000
            self.draws += 1

    def still_png(self) -> bytes:
        return self.picture.png()

    def still_caption(self) -> str:
        state = ", ".join(f"{control.description} {control_text(control)}" for control in self.controls)
        return f"*{self.title}: live in JupyterLab once this cell has run. Here: {state}.*"


def control_text(control: widgets.Widget) -> str:
    """A control's value as the reader sees it."""
    if isinstance(control, widgets.Checkbox):
        return "on" if control.value else "off"
    if hasattr(control, "label"):
        return str(control.label)
    return f"{control.value:g}" if isinstance(control.value, int | float) else str(control.value)


def alert(error: Exception) -> str:
    """An error in the widget's own words: a sign, the message, and where it came from, folded."""
    where = html.escape("".join(traceback.format_exception(error)))
    message = html.escape(f"{type(error).__name__}: {error}")
    return (
        "<div role='alert' style='border:2px solid #B00020;border-left-width:8px;padding:0.4em 0.8em;"
        "color:#B00020;background:#FFF5F5;line-height:1.4'>"
        f"<b>⚠ This change could not be drawn.</b> {message}<details><summary>Where it happened</summary>"
        f"<pre style='color:#333;overflow:auto'>{where}</pre></details></div>"
    )
