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
            self.crop = self.picture.pixels(axes, 112)         # redrawn at each change, the rest only once
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
import math
import threading
import time
import traceback
from contextlib import contextmanager

import ipywidgets as widgets
from traitlets import CFloat

from facelab.course.language import current, localise, named, translated
from facelab.course.widgets.picture import LivePicture
from facelab.course.widgets.screen import Screen
from facelab.errors import FacelabError

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


class Quiet:
    """A control of which the kernel does not repeat to the page what the page has just told it: one message
    less before the picture comes. (In a second window on the same kernel the picture changes all the same,
    and the handle stays where it is.)"""

    def trait_metadata(self, traitname, key, default=None):
        return False if key == "echo_update" else super().trait_metadata(traitname, key, default)


class WholeSlider(Quiet, widgets.IntSlider):
    pass


class Stops(Quiet, widgets.SelectionSlider):
    pass


class Choice(Quiet, widgets.Dropdown):
    pass


class Tick(Quiet, widgets.Checkbox):
    pass


class StepSlider(Quiet, widgets.FloatSlider):
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
    label, unit, tip = translated(label), translated(unit), translated(tip)
    whole = all(isinstance(number, int) for number in (low, high, value, step))
    kind = WholeSlider if whole else StepSlider
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


def stops(label: str, options, *, value, tip: str) -> widgets.Widget:
    """A slider named `label` over a few values; options as in `choice`."""
    return Stops(
        options=options,
        value=value,
        description=translated(label),
        tooltip=translated(tip),
        style=LABEL,
        layout=widgets.Layout(flex="1 1 18em", width="auto", min_width="16em", margin=GAP),
    )


def offered(options) -> list:
    """What a list offers, in the course's language; the values behind the words stay what they are."""
    if current() == "en":
        return options
    pairs = [one if isinstance(one, tuple) else (str(one), one) for one in options]
    return [(named(text), value) for text, value in pairs]


def choice(label: str, options, *, value=None, tip: str = "") -> widgets.Widget:
    """A drop-down list named `label`; options as in ipywidgets (a list, or pairs of text and value)."""
    chosen = {} if value is None else {"value": value}
    label, tip, options = translated(label), translated(tip), offered(options)
    return Choice(
        options=options,
        description=label,
        tooltip=tip or label,
        style=LABEL,
        layout=widgets.Layout(width="auto", min_width="14em", margin=GAP),
        **chosen,
    )


def tick(label: str, *, value: bool = False, tip: str = "") -> widgets.Widget:
    """A box to tick named `label`."""
    label, tip = translated(label), translated(tip)
    return Tick(
        value=value,
        description=label,
        tooltip=tip or label,
        indent=False,
        layout=widgets.Layout(width="auto"),
    )


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
        localise(self)
        data["image/png"] = base64.b64encode(self.still_png()).decode()
        data["text/plain"] = translated(self.still_caption())
        return (data, metadata) if isinstance(bundle, tuple) else data


class LiveWidget(StillPicture, widgets.VBox):
    """Controls above, one picture below, a line of text under it; see the module's docstring.

    picture   LivePicture, made by the subclass before it calls `super().__init__(controls)`
    screen    what the page shows: `screen.value`, the picture as PNG or JPEG, and `screen.words` under it
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
        self.screen = Screen(title=translated(self.title), language=current())
        self.alert = widgets.HTML()
        reset = widgets.Button(
            description="Reset", icon="undo", tooltip="All controls back to where they began"
        )
        reset.layout.width = "auto"
        reset.on_click(lambda _: self.reset())
        row = widgets.HBox(
            [*controls, reset], layout=widgets.Layout(flex_flow="row wrap", align_items="center")
        )
        super().__init__([row, self.screen, self.alert])
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
            if self.error is not None:
                self.error = None
                self.alert.value = ""
            self.screen.show(picture, translated(text))
            self.last_ms = (time.perf_counter() - start) * 1000
            self.draws += 1

    def complain(self, sentence: str) -> None:
        """Say in the widget what went wrong, in one sentence; the picture stays as it was."""
        sentence = translated(sentence)
        self.error = FacelabError(sentence)
        self.alert.value = framed(f"⚠ {html.escape(sentence)}")

    def still_png(self) -> bytes:
        return self.picture.png()

    def still_caption(self) -> str:
        state = ", ".join(f"{control.description} {control_text(control)}" for control in self.controls)
        return f"*{self.title}: live in JupyterLab once this cell has run. Here: {state}.*"


def control_text(control: widgets.Widget) -> str:
    """A control's value as the reader sees it."""
    if isinstance(control, widgets.Checkbox):
        return translated("on" if control.value else "off")
    if getattr(control, "label", ""):  # a list that was never moved has none
        return str(control.label)
    return f"{control.value:g}" if isinstance(control.value, int | float) else str(control.value)


def alert(error: Exception) -> str:
    """An error in the widget's own words: a sign, the message, and where it came from, folded."""
    where = html.escape("".join(traceback.format_exception(error)))
    message = html.escape(f"{type(error).__name__}: {error}")
    return framed(
        f"<b>⚠ {translated('This change could not be drawn.')}</b> {message}"
        f"<details><summary>{translated('Where it happened')}</summary>"
        f"<pre style='color:#333;overflow:auto'>{where}</pre></details>"
    )


def framed(content: str) -> str:
    """HTML in the frame of an error, which screen readers read out."""
    return (
        "<div role='alert' style='border:2px solid #B00020;border-left-width:8px;padding:0.4em 0.8em;"
        f"color:#B00020;background:#FFF5F5;line-height:1.4'>{content}</div>"
    )
