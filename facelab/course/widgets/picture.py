"""The picture of a live widget: drawn by matplotlib, quickly enough for a slider.

What does not change is drawn once and kept. Of the rest, text and photographs cost matplotlib most, so text
is stamped and photographs are put in place as they are; and the PNG is written without a search for the
smallest. Together that halves what a change costs in the kernel.
"""

import io
import math
import struct
import zlib

import matplotlib as mpl
import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg, RendererAgg
from matplotlib.figure import Figure
from PIL import Image

from facelab.course.plots import DPI, style


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
    """A photo or a crop that fills its axes: `imshow`'s work in a fraction of its time."""

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
