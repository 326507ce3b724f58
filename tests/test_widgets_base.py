"""What every live widget does: redraws at a change, shows its errors, resets, and leaves a picture behind."""

import io

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from facelab.course.widgets.base import LivePicture, LiveWidget, choice, control_text, slider, tick
from facelab.course.widgets.picture import StampCanvas, png


class Grey(LiveWidget):
    """A square as bright as its slider; brightness 13 is unlucky."""

    title = "Grey"

    def __init__(self):
        self.level = slider("level", 0, 255, value=100, step=1)
        self.invert = tick("invert")
        self.picture = LivePicture(4, 3, layout="none")
        axes = self.picture.figure.add_axes((0, 0, 1, 1))
        axes.set_axis_off()
        self.shown = self.picture.live(
            axes.imshow(np.zeros((2, 2)), vmin=0, vmax=255, cmap="gray", aspect="auto")
        )
        super().__init__([self.level, self.invert])

    def update(self):
        if self.level.value == 13:
            raise ValueError("unlucky <13>")
        value = 255 - self.level.value if self.invert.value else self.level.value
        self.shown.set_data(np.full((2, 2), value))
        return f"grey level {value} & nothing else"


def middle(widget) -> int:
    picture = Image.open(io.BytesIO(widget.screen.value))
    assert picture.size == (400, 300)
    return picture.getpixel((200, 150))[0]


def test_a_change_redraws_the_picture_and_the_line_of_text():
    widget = Grey()
    assert middle(widget) == 100
    widget.level.value = 201
    assert middle(widget) == 201
    assert "grey level 201 & nothing else" in widget.screen.words
    assert widget.draws == 2
    assert widget.last_ms > 0
    assert widget.error is None


def test_an_error_is_shown_and_kept_and_the_next_good_change_clears_it():
    widget = Grey()
    before = widget.screen.value
    widget.level.value = 13  # as a student's hand would: nothing is raised here
    assert isinstance(widget.error, ValueError)
    assert "role='alert'" in widget.alert.value
    assert "⚠" in widget.alert.value
    assert "unlucky &lt;13&gt;" in widget.alert.value
    assert widget.screen.value == before
    widget.level.value = 14
    assert widget.error is None
    assert widget.alert.value == ""


def test_several_changes_together_and_reset_make_one_picture():
    widget = Grey()
    with widget.together():
        widget.level.value = 10
        widget.invert.value = True
    assert (widget.draws, middle(widget)) == (2, 245)
    widget.reset()
    assert (widget.draws, middle(widget)) == (3, 100)
    assert (widget.level.value, widget.invert.value) == (100, False)


def test_the_still_picture_stands_beside_the_live_view():
    data = Grey()._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in data
    assert data["image/png"].startswith("iVBOR")
    assert (
        data["text/plain"]
        == "*Grey: live in JupyterLab once this cell has run. Here: level 100, invert off.*"
    )


def test_the_background_is_drawn_once_and_live_artists_each_time():
    picture = LivePicture(3, 2)
    axes = picture.figure.add_subplot()
    axes.set(xlim=(0, 1), ylim=(0, 1))
    (line,) = axes.plot([0, 1], [0, 0])
    picture.live(line)
    first = picture.png()
    assert picture.png() == first
    line.set_ydata([1, 1])
    assert picture.png() != first
    line.set_ydata([0, 0])
    assert picture.png() == first
    axes.set_title("new")
    assert picture.png() == first  # a still artist: not until the background is forgotten
    picture.forget()
    assert picture.png() != first


def test_a_png_holds_every_pixel_and_is_no_larger_than_pillows():
    noise = np.random.default_rng(0).integers(0, 256, (37, 61, 3), dtype=np.uint8)
    assert (np.asarray(Image.open(io.BytesIO(png(Image.fromarray(noise))))) == noise).all()
    picture = LivePicture(9, 4)
    picture.figure.add_subplot().plot([0, 1], [1, 0])
    drawn, buffer = picture.drawn(), io.BytesIO()
    assert drawn.mode == "RGB"
    drawn.save(buffer, "PNG", compress_level=1)
    assert len(png(drawn)) < 1.1 * len(buffer.getvalue())


def ink(canvas, words: str, **options) -> np.ndarray:
    """A line of text alone, drawn twice over: how dark each pixel is, (H, W)."""
    text = canvas.figure.text(0.3, 0.4, words, **options)
    for _ in range(2):  # the second time a kept stamp is used
        canvas.draw()
    text.remove()
    return 255.0 - np.asarray(canvas.buffer_rgba())[..., :3].mean(axis=2)


@pytest.mark.parametrize(
    ("words", "options"),
    [
        ("Jiggle, 45°", {}),
        ("right, top", {"ha": "right", "va": "top", "fontsize": 18, "weight": "bold"}),
        ("two\nlines", {"ha": "center", "color": "red"}),
        (r"$T(\theta_y) = \frac{1}{2}$", {}),
        ("upwards", {"rotation": 90}),
        ("faint", {"alpha": 0.3}),
    ],
)
def test_stamped_text_is_matplotlibs_to_within_a_pixel(words, options):
    stamped, usual = (ink(kind(Figure((4, 3))), words, **options) for kind in (StampCanvas, FigureCanvasAgg))
    assert stamped.sum() == pytest.approx(usual.sum(), rel=0.03)
    middles = [
        np.array([(one.sum(axis=1 - axis) * np.arange(one.shape[axis])).sum() for axis in (0, 1)]) / one.sum()
        for one in (stamped, usual)
    ]
    assert np.abs(middles[0] - middles[1]).max() <= 1


def test_the_same_words_in_another_colour_are_another_stamp():
    canvas = StampCanvas(Figure((2, 1)))
    red = ink(canvas, "word", color="red").sum()
    assert ink(canvas, "word", color="black").sum() > 1.2 * red
    assert ink(canvas, "words", color="black").sum() > ink(canvas, "word", color="black").sum()


def test_a_photo_fills_its_axes_and_points_over_it_count_in_its_pixels():
    photo = np.random.default_rng(0).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    picture = LivePicture(4, 3, layout="none")
    axes = picture.figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    shown = picture.pixels(axes, 8)
    dot = picture.live(axes.plot([], [], "s", color="red", ms=8)[0])
    assert np.asarray(picture.drawn()).min() == 255  # nothing to show yet
    shown.set_data(photo)
    drawn = np.asarray(picture.drawn())  # 300 × 300 pixels in the middle
    places = (np.arange(8) * 37.5 + 18).astype(int)
    assert (drawn[np.ix_(places, places + 50)] == photo).all()
    dot.set_data([5], [2])
    assert (np.asarray(picture.drawn())[places[2], places[5] + 50] == (255, 0, 0)).all()


@pytest.mark.parametrize(
    ("control", "description", "text"),
    [
        (slider("angle", -90, 90, value=5, step=1, unit="°"), "angle (°)", "5"),
        (slider("scale", 0.5, 2.0, value=1.25, step=0.05), "scale", "1.25"),
        (choice("photo", [("Eileen Collins", 0), ("Grace Hopper", 1)], value=1), "photo", "Grace Hopper"),
        (tick("mirror", value=True), "mirror", "on"),
    ],
)
def test_controls_are_labelled_with_their_units(control, description, text):
    assert control.description == description
    assert control_text(control) == text


def test_a_value_is_what_was_set_whatever_the_browser_makes_of_it():
    scale = slider("scale", 0.6, 2.0, value=1.0, step=0.05)
    scale.value = 1.3
    assert scale.value == 1.3
    assert scale.get_state("value")["value"] == 1.2999999999999998  # as measured in the browser
    scale.set_state({"value": 1.3499999999999999})
    assert scale.value == 1.35
    low = slider("low", -1.0, 1.0, value=-0.3, step=0.1)
    assert low.get_state("value")["value"] == pytest.approx(-0.3, abs=1e-12)
    low.value = 1.0
    assert low.get_state("value")["value"] == 1.0


def test_slider_steps_decide_the_readout():
    assert slider("s", 0.0, 1.0, value=0.5, step=0.05).readout_format == ".2f"
    assert slider("s", 0.0, 1.0, value=0.5, step=0.1).readout_format == ".1f"
    assert slider("s", 0, 10, value=5, step=1).readout_format == "d"
