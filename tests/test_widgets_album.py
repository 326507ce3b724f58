"""The editor: groups named, merged, split and enrolled through it, nothing private in what is stored."""

import io
import json
import shutil

import h5py
import numpy as np
import pytest
from PIL import Image

import facelab as fl
from facelab.album import Album
from facelab.course import drawn
from facelab.course.widgets import album as module
from facelab.course.widgets.album import AlbumEditor

PEOPLE, PHOTOS = 4, 5


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Drawn people as photos; YuNet finds most of them. Each is given a group by hand."""
    root = tmp_path_factory.mktemp("made")
    people = drawn.identities(PEOPLE, seed=3)
    who = np.repeat(np.arange(PEOPLE), PHOTOS)
    (root / "photos").mkdir()
    for number, image in enumerate(drawn.photos(people, who, seed=1)):
        Image.fromarray(image).resize((224, 224)).save(root / "photos" / f"secret {who[number]} {number}.png")
    pipe = fl.Pipeline(device="cpu", min_score=0.6)
    album = Album.make(root / "photos", root / "album", pipe, 0.0, progress=False)
    (others,) = album.groups
    for person in range(PEOPLE):
        album.split("others", [row for row in others.rows if f"secret {person}" in album.photos[row]])
    assert len(album) > 12
    with h5py.File(album.folder / "faces.h5", "r+") as hdf:
        hdf.attrs["grouped_at"] = 0.5
    return album.folder


class Page:
    """What the page would get, and what it would send."""

    def __init__(self, editor):
        self.editor, self.got = editor, []
        editor.send = lambda content, buffers=None: self.got.append(
            (json.loads(json.dumps(content)), buffers or [])
        )

    def press(self, kind, **content):
        self.editor.receive(None, {"kind": kind, **content}, [])
        return self.shown

    @property
    def shown(self):
        return next(content for content, _ in reversed(self.got) if content["kind"] == "show")


@pytest.fixture
def editor(made, tmp_path):
    shutil.copytree(made, tmp_path / "album")
    return AlbumEditor(Album(tmp_path / "album"), tmp_path / "g.hdf")


@pytest.fixture
def page(editor):
    return Page(editor)


def names(editor):
    return {group.name: len(group) for group in editor.album.groups}


def rows_of(editor, name):
    return next(group.rows.tolist() for group in editor.album.groups if group.name == name)


def test_a_page_that_opens_is_told_everything(editor, page):
    shown = page.press("ready")
    assert [one["name"] for one in shown["groups"]] == [group.name for group in editor.album.groups]
    first = shown["groups"][0]
    assert first["count"] == len(first["faces"]) == len(editor.album.groups[0])
    assert first["faces"][0][1].startswith("secret")
    assert not first["named"]
    assert not first["fixed"]
    assert (shown["pages"], shown["alert"], shown["empty"], shown["done"]) == (1, "", "", False)


def test_thumbnails_come_as_they_lie_on_the_disk(editor, page, monkeypatch):
    rows = list(range(len(editor.album)))
    for most, count in ((module.BATCH, 1), (0, len(rows))):
        monkeypatch.setattr(module, "BATCH", most)
        page.got.clear()
        editor.receive(None, {"kind": "thumbnails", "rows": [*rows, 10**6, -1]}, [])
        assert len(page.got) == count
        sent = {
            row: data
            for content, buffers in page.got
            for row, data in zip(content["rows"], buffers, strict=True)
        }
        assert sent == {row: editor.album.thumbnail(row).read_bytes() for row in rows}
    editor.album.thumbnail(3).write_bytes(bytes(module.LARGEST + 1))
    page.got.clear()
    editor.receive(None, {"kind": "thumbnails", "rows": [3]}, [])
    assert page.got == []


def test_naming_merging_splitting_leaving_out_and_back(editor, page):
    before = names(editor)
    rows = rows_of(editor, "person 001")
    shown = page.press("rename", group="person 001", name=" 지수 ")
    assert shown["said"] == "person 001 is 지수 now."
    assert shown["done"]
    assert shown["names"] == ["지수"]
    shown = page.press("merge", groups=["person 002", "지수", "person 003"])
    assert "one group now, 지수, of" in shown["said"], "the one with a name keeps it"
    shown = page.press("split", rows=rows[:2], name="")
    assert "2 faces of 지수 went to person 005." in shown["said"]
    shown = page.press("split", rows=rows[:1], name="미나")
    assert "1 face of person 005 went to 미나." in shown["said"]
    shown = page.press("leave_out", rows=rows[1:2], groups=["미나"])
    assert "left out: never enrolled" in shown["said"]
    assert shown["groups"][-1]["out"]
    assert shown["groups"][-1]["count"] == 2
    assert shown["changes"] == 5
    for _ in range(5):
        shown = page.press("undo")
        assert shown["said"] == "Taken back."
    assert names(editor) == before
    assert page.press("undo")["said"] == "There is nothing to take back."
    assert editor.error is None


def test_a_name_that_is_there_means_the_same_person(editor, page):
    page.press("rename", group="person 001", name="A")
    shown = page.press("rename", group="person 002", name="a")
    assert "A and person 002 are one group now, A" in shown["said"]
    assert names(editor).keys() == {"A", "person 003", "person 004"}
    page.press("undo")
    assert names(editor).keys() == {"A", "person 002", "person 003", "person 004"}


def test_faces_go_to_a_group_that_is_there(editor, page):
    rows = [rows_of(editor, name)[0] for name in ("person 001", "person 002")]
    shown = page.press("split", rows=rows, name="")
    assert "in several groups (person 001, person 002)" in shown["alert"]
    assert not shown["done"], "what was ticked stays ticked"
    page.press("split", rows=rows, name="person 003")
    assert editor.error is None
    assert set(rows) <= set(rows_of(editor, "person 003"))


@pytest.mark.parametrize(
    ("kind", "content", "says"),
    [
        ("rename", {"group": "person 001", "name": " "}, "Type a name first"),
        ("rename", {"group": "person 001", "name": "a/b"}, "cannot be a folder's name"),
        ("rename", {"group": "gone", "name": "A"}, "no group 'gone'"),
        ("merge", {"groups": ["person 001"]}, "Tick two groups"),
        ("split", {"rows": [], "name": "A"}, "Tick one face"),
        ("leave_out", {"rows": [], "groups": []}, "Tick one face"),
        ("enrol", {}, "No group has a name yet"),
    ],
)
def test_mistakes_are_said_and_change_nothing(editor, page, kind, content, says):
    before = names(editor)
    shown = page.press(kind, **content)
    assert says in shown["alert"]
    assert isinstance(editor.error, fl.errors.FacelabError)
    assert not shown["done"]
    assert names(editor) == before
    assert page.press("look")["alert"] == ""


def test_the_named_are_enrolled(editor, page, tmp_path):
    page.press("enrol")
    assert not (tmp_path / "g.hdf").exists()
    page.press("rename", group="person 001", name="지수")
    vectors = editor.album.vectors[rows_of(editor, "지수")]
    shown = page.press("enrol")
    assert shown["alert"] == ""
    assert f"1 person enrolled, {len(vectors)} vectors of them new" in shown["said"]
    shown = page.press("enrol")
    assert "0 vectors of them new; the gallery has 1 person now." in shown["said"]
    with fl.Gallery(tmp_path / "g.hdf", "r", device="cpu") as gallery:
        np.testing.assert_array_equal(gallery.vectors(0), vectors)


def test_an_open_gallery_is_enrolled_into_and_without_any_it_says_so(editor, page, tmp_path):
    page.press("rename", group="person 001", name="A")
    with fl.Gallery(tmp_path / "h.hdf", device="cpu") as gallery:
        editor.gallery = gallery
        assert "the gallery has 1 person now" in page.press("enrol")["said"]
        assert len(gallery) == 1
    editor.gallery = None
    assert "No gallery was given" in page.press("enrol")["alert"]


def test_close_groups_are_suggested_and_merged(editor, page):
    rows = editor.album.groups[0].rows
    editor.split(rows[:2])
    shown = page.press("suggest")
    assert shown["suggestions"]
    assert "is it one person?" in shown["said"]
    first = shown["suggestions"][0]
    assert len(first["faces"]) == 2
    count = len(editor.album.groups)
    shown = page.press("same", groups=[first["a"], first["b"]])
    assert "are one group now" in shown["said"]
    assert len(editor.album.groups) == count - 1
    assert page.press("look")["suggestions"] == []


def test_more_than_24_groups_are_pages_and_many_faces_are_asked_for(made, tmp_path, monkeypatch):
    shutil.copytree(made, tmp_path / "album")
    album = Album(tmp_path / "album")
    monkeypatch.setattr(module, "PAGE", 3)
    monkeypatch.setattr(module, "FIRST", 2)
    page = Page(AlbumEditor(album))
    shown = page.press("ready")
    assert (shown["page"], shown["pages"], len(shown["groups"])) == (0, 2, 3)
    assert len(shown["groups"][0]["faces"]) == 2 < shown["groups"][0]["count"]
    shown = page.press("all", group=shown["groups"][0]["name"])
    assert len(shown["groups"][0]["faces"]) == shown["groups"][0]["count"]
    shown = page.press("page", page=1)
    assert [one["name"] for one in shown["groups"]] == [page.editor.album.groups[3].name]
    assert page.press("page", page=99)["page"] == 1
    shown = page.press("merge", groups=["person 001", "person 004"])
    assert (shown["page"], shown["pages"]) == (0, 1), "the last page is gone"


def test_files_moved_by_hand_are_seen(editor, page):
    (editor.album.folder / "person 002").rename(editor.album.folder / "Hand")
    assert "Hand" in page.press("look")["names"]
    editor.album.thumbnail(0).unlink()
    shown = page.press("look")
    assert shown["noted"] == len(shown["notes"]) > 0
    shutil.rmtree(editor.album.folder)
    shown = page.press("look")
    assert "cannot be read" in shown["alert"]
    assert shown["groups"] == []


def test_without_an_album_there_are_words(tmp_path, made):
    for page in (Page(AlbumEditor()), Page(AlbumEditor(tmp_path / "later"))):
        for kind, content in (
            ("ready", {}), ("undo", {}), ("enrol", {}), ("suggest", {}), ("merge", {"groups": []}),
            ("thumbnails", {"rows": [0]}), ("page", {"page": 1}), ("look", {}),
        ):  # fmt: skip
            page.editor.receive(None, {"kind": kind, **content}, [])
        assert page.shown["groups"] == []
        assert "facelab cluster PHOTOS" in page.shown["empty"]
        assert page.shown["alert"] == ""
    shutil.copytree(made, tmp_path / "later")
    assert len(page.press("look")["groups"]) == PEOPLE, "it is there by now"
    for folder in (tmp_path / "later").iterdir():
        if folder.is_dir():
            shutil.rmtree(folder)
    assert page.press("look")["empty"] == "There is no face in this album."
    (tmp_path / "other").mkdir()
    page = Page(AlbumEditor(tmp_path / "other"))
    assert "is no album" in page.press("ready")["alert"]
    assert page.shown["empty"] == ""


def test_what_goes_wrong_unexpectedly_is_seen(editor, page, monkeypatch):
    monkeypatch.setattr(Album, "rename", lambda *_: 1 / 0)
    assert "ZeroDivisionError" in page.press("rename", group="person 001", name="A")["alert"]


def test_nothing_that_is_stored_shows_anybody(editor, made, tmp_path):
    editor.rename("person 001", "My Name")
    state = json.dumps(editor.get_state(), default=str)
    bundle = str(editor._repr_mimebundle_())
    for private in ("My Name", "secret", str(tmp_path)):
        assert private not in state
        assert private not in bundle
        assert private not in editor.still_caption()
    still = editor.still_png()
    assert still == AlbumEditor().still_png(), "the same for everybody"
    pixels = np.asarray(Image.open(io.BytesIO(still)).convert("RGB")).astype(int)
    assert np.ptp(pixels, axis=2).max() == 0, "grey"
    assert "live in JupyterLab" in editor.still_caption()
