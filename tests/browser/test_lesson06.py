"""Lesson 06 in the browser: two photos are compared, one of them brought from the disk."""

import io
import re

import numpy as np
import pytest
from PIL import Image


@pytest.fixture(scope="module")
def portrait() -> bytes:
    """Eileen Collins as a PNG, larger than what may be sent as it is: noise does not compress."""
    from skimage.data import astronaut

    photo = np.pad(astronaut(), ((0, 1800), (0, 1000), (0, 0)))
    noise = np.random.default_rng(0).integers(0, 256, photo.shape, dtype=np.uint8)
    noise[:512, :512] = photo[:512, :512]
    file = io.BytesIO()
    Image.fromarray(noise).save(file, "PNG", compress_level=1)
    return file.getvalue()


def distance(widget) -> float:
    return float(re.match(r"[\d.]+", widget.text()).group())


def bring(widget, side: str, name: str, data: bytes) -> None:
    """Choose a file, as the file dialog would."""
    widget.box.get_by_label(f"photo {side} from a file").set_input_files(
        {"name": name, "mimeType": "image/png", "buffer": data}
    )


def test_two_photos_are_compared(open_notebook, portrait, slider_times):
    notebook = open_notebook("06_verify_by_hand_and_deepface.ipynb")
    notebook.run_all()
    assert notebook.errors() == []
    widget = notebook.widget(0)
    assert distance(widget) > 0.6
    words, picture = widget.text(), widget.pixels()
    widget.focus("threshold")
    times = widget.press("ArrowRight", 20)
    assert widget.pixels() != picture
    assert widget.text() != words
    widget.focus("tilt")
    tilts = widget.press("ArrowRight", 10)
    assert widget.alerts() == []

    # A file that the connection could not carry is made smaller on the way; then it is the same person.
    assert len(portrait) > 10_000_000
    bring(widget, "B", "large.png", portrait)
    widget.box.get_by_text(re.compile(r"≤ [\d.]+: the same person")).wait_for(timeout=60_000)
    assert distance(widget) < 0.3

    bring(widget, "A", "notes.txt", b"no photo")
    widget.box.get_by_text("notes.txt is not in a format").wait_for(timeout=20_000)
    bring(widget, "A", "huge.png", bytes(9_000_000))
    widget.box.get_by_text("huge.png is 9.0 MB").wait_for(timeout=20_000)

    widget.box.get_by_role("button", name="Reset").click()
    widget.box.get_by_text(re.compile(r"> [\d.]+: different people")).wait_for(timeout=20_000)
    assert widget.alerts() == []
    assert notebook.errors() == []
    assert notebook.elsewhere == []
    for what, spent in (("threshold", times), ("tilt", tilts)):
        slider_times(f"06, {what}", spent)
