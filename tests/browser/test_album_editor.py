"""The album's editor as its users see it: by keyboard alone, and nothing leaves the machine."""

import time

import pytest

CELL = """\
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

import facelab as fl
from facelab.album import Album
from facelab.course import drawn
from facelab.course.widgets.album import AlbumEditor

root = Path(tempfile.mkdtemp())
(root / "photos").mkdir()
who = np.repeat(np.arange(4), 5)
for number, image in enumerate(drawn.photos(drawn.identities(4, seed=3), who, seed=1)):
    Image.fromarray(image).resize((224, 224)).save(root / "photos" / f"{who[number]} {number}.png")
album = Album.make(root / "photos", root / "album", fl.Pipeline(device="cpu", min_score=0.6), 0.0)
(others,) = album.groups
for person in range(4):
    album.split("others", [row for row in others.rows if Path(album.photos[row]).name[0] == str(person)])
editor = AlbumEditor(album, root / "gallery.hdf")
editor
"""


@pytest.fixture
def editor(lab, open_notebook):
    lab.store("album.ipynb", [CELL])
    opened = open_notebook("album.ipynb", height=1100)
    opened.run_all()
    box = opened.page.locator(".facelab-album")
    box.locator(".row").first.wait_for()
    yield opened, box
    assert opened.errors() == []
    assert opened.elsewhere == []


def until(box, words):
    """Wait for the line of text, and return the milliseconds that it took."""
    start = time.perf_counter()
    box.locator("[role=status]").filter(has_text=words).wait_for(timeout=20_000)
    return 1000 * (time.perf_counter() - start)


def test_an_album_is_sorted_by_keyboard_alone(editor):
    opened, box = editor
    keys = opened.page.keyboard
    opened.page.wait_for_function(
        "() => [...document.querySelectorAll('.facelab-album img')].every(one => one.naturalWidth === 112)"
    )
    rows = box.locator(".row")
    assert rows.count() == 4
    heads = [rows.nth(k).get_attribute("aria-label") for k in range(4)]

    name = box.get_by_label(f"name of {heads[0]}")
    name.focus()
    keys.type("dd Jisoo")  # "dd" would delete the cell, were it the notebook's
    keys.press("Enter")
    until(box, "is dd Jisoo now")
    focused = "() => document.activeElement.getAttribute('aria-label')"
    assert opened.page.evaluate(focused) == f"name of {heads[1]}", "on to the next"
    keys.type("Mina")
    keys.press("Enter")
    until(box, "is Mina now")

    for label in ("the group dd Jisoo", "the group Mina"):
        box.get_by_label(label).focus()
        keys.press("Space")
    assert box.locator(".ticked").inner_text() == "2 groups ticked"
    box.get_by_role("button", name="Merge", exact=True).focus()
    keys.press("Enter")
    assert until(box, "are one group now") < 2000
    assert rows.count() == 3
    assert box.locator(".ticked").inner_text() == ""

    first = rows.first.locator(".faces input").first
    first.focus()
    keys.press("Space")
    keys.press("ArrowRight")
    keys.press("Space")
    assert box.locator(".ticked").inner_text() == "2 faces ticked"
    keys.press("Tab")
    assert "faces" not in opened.page.evaluate("() => document.activeElement.parentNode.parentNode.className")
    box.get_by_label("Split off to the group").fill("Momo")
    keys.press("Enter")
    until(box, "2 faces of")
    assert rows.count() == 4
    box.get_by_role("button", name="Undo").click()
    until(box, "Taken back.")
    assert rows.count() == 3


def test_mistakes_are_alerts_and_the_named_are_enrolled(editor):
    _, box = editor
    box.get_by_role("button", name="Enrol the named").click()
    box.locator("[role=alert]").filter(has_text="No group has a name yet").wait_for()
    row = box.locator(".row").first
    label = row.get_attribute("aria-label")
    name = box.get_by_label(f"name of {label}")
    name.fill("a/b")
    row.get_by_role("button", name="Name", exact=True).click()
    box.locator("[role=alert]").filter(has_text="cannot be a folder's name").wait_for()
    assert name.input_value() == "a/b", "what was typed stays"
    name.fill("<b>Jisoo</b>")
    row.get_by_role("button", name="Name", exact=True).click()
    box.locator("[role=alert]").filter(has_text="'<' is in it").wait_for()
    name.fill("지수")
    row.get_by_role("button", name="Name", exact=True).click()
    until(box, "is 지수 now")
    assert box.locator("[role=alert]").count() == 0
    box.get_by_role("button", name="Enrol the named").click()
    until(box, "the gallery has 1 person now")
