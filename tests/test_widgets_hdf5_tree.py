"""The tree of an HDF5 file: what it shows, what it never reads, and files that mean no good."""

import io
import time

import h5py
import numpy as np
import pytest
from PIL import Image

from facelab.course.widgets.hdf5_tree import MEMBERS, ROWS, Hdf5Tree, drawable, look


@pytest.fixture
def make(tmp_path):
    """`make(write)` calls `write(file)` with a new h5py.File and returns the widget over it."""

    def one(write) -> Hdf5Tree:
        path = tmp_path / "some.hdf"
        with h5py.File(path, "w") as file:
            write(file)
        return Hdf5Tree(path)

    return one


def person(file, number: int = 0, name: str = "JiSoo-Kim") -> None:
    """In the slides' layout."""
    group = file.create_group(str(number))
    group.create_dataset("Name", data=name)
    group.create_group("Feature Map").create_dataset("feature_1", data=np.arange(128, dtype=np.float32))


def rows(widget: Hdf5Tree) -> list[str]:
    return [line.strip() for line in str(widget).splitlines()]


def test_groups_attributes_and_datasets_are_shown(make):
    def write(file):
        person(file)
        file.attrs["embedder"] = "sface"
        file["0"].attrs["weights"] = [0.5, 0.25]
        file["table"] = np.zeros((1000, 3), np.int16)
        file["nothing"] = h5py.Empty("f4")

    widget = make(write)
    assert widget.error is None
    assert rows(widget)[1:] == [
        '@ embedder  = "sface"',
        "▾ 0  group, 2 members",
        "@ weights  = 0.5, 0.25",
        "▾ Feature Map  group, 1 member",
        "▪ feature_1  float32 128: 0, 1, 2, 3 …",
        '▪ Name  text: "JiSoo-Kim"',
        "▪ nothing  float32 0: empty",
        "▪ table  int16 1,000 × 3: 0, 0, 0 …",
    ]
    assert rows(widget)[0].startswith("▾ some.hdf  a file of ")


def test_names_and_texts_are_escaped(make):
    def write(file):
        person(file, name="<img src=x onerror=alert(1)>")
        file["<script>"] = "김지수\n\x07\u202e"
        file.attrs["a'\"&<b>"] = "</bdi><b>"

    widget = make(write)
    assert widget.error is None
    page = widget.body.value
    for tag in ("<img", "<script", "</bdi><b>", "<b>"):
        assert tag not in page
    assert "&lt;img src=x onerror=alert(1)&gt;" in page
    assert "김지수\\n\\u0007" in page
    assert "\n" not in page.split("김지수")[1][:20]


def test_a_name_that_is_no_text_is_shown_all_the_same(make):
    widget = make(lambda file: file.create_group(b"\xff\xfe name"))
    assert widget.error is None
    assert "\\xff\\xfe name" in str(widget)
    widget.body.value.encode()


def test_groups_are_disclosures_that_the_keyboard_knows(make):
    widget = make(lambda file: [person(file, number) for number in range(3)])
    assert widget.body.value.count("<details open>") == 7, "a small file begins open"
    assert widget.body.value.count("<summary") == 7
    widget.all_open.value = False
    assert widget.body.value.count("<details open>") == 1, "the file itself stays open"
    assert widget.body.value.count("<details>") == 6


def test_a_large_group_is_cut_short_and_begins_closed(make):
    widget = make(lambda file: [person(file, number) for number in range(300)])
    assert rows(widget)[-1] == f"… and {300 - MEMBERS} more"
    assert len(rows(widget)) == 1 + MEMBERS * 4 + 1
    assert not widget.all_open.value
    assert widget.body.value.count("<details open>") == 1


def test_no_more_rows_than_a_page_can_hold(make):
    def write(file, depth: int = 0):
        for number in range(MEMBERS):
            group = file.create_group(str(number))
            group.attrs["depth"] = depth
            if depth < 2:
                write(group, depth + 1)

    widget = make(write)
    assert ROWS <= len(rows(widget)) < 2 * ROWS


def test_of_a_huge_dataset_only_the_first_values_are_read(make):
    def write(file):
        file.create_dataset("contiguous", (10**13,), np.float64)  # 80 TB, none of it written
        file.create_dataset("chunked", (10**9,), np.float64, chunks=(10**8,), compression="gzip")
        file.create_dataset("small chunks", (10**9, 4), np.float32, chunks=(100, 4), fillvalue=7)

    start = time.perf_counter()
    widget = make(write)
    assert time.perf_counter() - start < 2
    assert "▪ contiguous  float64 10,000,000,000,000: 0, 0, 0, 0 …" in rows(widget)
    assert "▪ chunked  float64 1,000,000,000: not shown, they come in large pieces" in rows(widget)
    assert "▪ small chunks  float32 1,000,000,000 × 4: 7, 7, 7, 7 …" in rows(widget)


def test_links_are_named_and_not_followed(make, tmp_path):
    secret = tmp_path / "secret.hdf"
    with h5py.File(secret, "w") as file:
        file["secret"] = "secret words"

    def write(file):
        person(file)
        file["0/round"] = file["/"]
        file["soft"] = h5py.SoftLink("/0/Name")
        file["nowhere"] = h5py.SoftLink("/gone")
        file["elsewhere"] = h5py.ExternalLink(str(secret), "/secret")
        layout = h5py.VirtualLayout((1,), "i4")
        layout[0] = h5py.VirtualSource(str(secret), "numbers", (1,))
        file.create_virtual_dataset("virtual", layout)
        file.create_dataset("external", (3,), "u1", external=[(str(secret), 0, 3)])

    widget = make(write)
    assert widget.error is None
    text = str(widget)
    assert "→ round  the same group as one above" in text
    assert '→ soft  link to "/0/Name"' in text
    assert '→ nowhere  link to "/gone"' in text
    assert '→ elsewhere  link to "/secret" in the file ' in text
    assert text.count("its values lie in another file") == 2
    assert "secret words" not in text


def test_groups_in_groups_without_end(make):
    def write(file):
        for _ in range(200):
            file = file.create_group("in")

    widget = make(write)
    assert widget.error is None
    assert "too deep to show" in rows(widget)[-1]


@pytest.mark.parametrize("kind", ["missing", "text", "cut short", "folder"])
def test_a_file_that_cannot_be_read_is_said(tmp_path, kind):
    path = tmp_path / "bad.hdf"
    if kind == "text":
        path.write_text("no HDF5")
    elif kind == "folder":
        path.mkdir()
    elif kind == "cut short":
        with h5py.File(path, "w") as file:
            file["a"] = np.zeros(10_000)
        path.write_bytes(path.read_bytes()[:5000])
    widget = Hdf5Tree(path)
    assert isinstance(widget.error, OSError)
    assert "role='alert'" in widget.alert.value
    assert widget.body.value == ""
    assert widget.still_png()


def test_reading_again_shows_what_has_changed_and_forgets_an_error(tmp_path):
    path = tmp_path / "some.hdf"
    widget = Hdf5Tree(path)
    assert widget.error is not None
    with h5py.File(path, "w") as file:
        person(file)
    widget.read()
    assert widget.error is None
    assert widget.alert.value == ""
    with h5py.File(path, "a") as file:  # and the widget keeps no hold of the file
        file["more"] = 1
    widget.read()
    assert "▪ more  int64: 1" in rows(widget)


def test_a_file_that_is_open_elsewhere_can_be_looked_at(tmp_path):
    path = tmp_path / "some.hdf"
    with h5py.File(path, "w") as file:
        person(file)
        file.flush()
        assert look(path).children[0].name == "0"


def test_the_stored_picture_shows_the_tree_in_letters_that_it_has(make):
    widget = make(lambda file: person(file, name="김지수"))
    assert drawable('"김é▪…"') == '"\\uae40é▪…"'
    picture = np.asarray(Image.open(io.BytesIO(widget.still_png())).convert("L"))
    assert picture.shape[1] == 900
    assert (picture < 128).any(axis=1).sum() > 5 * 8, "five rows of letters"
    assert "image/png" in widget._repr_mimebundle_()
