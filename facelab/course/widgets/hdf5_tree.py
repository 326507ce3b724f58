"""An HDF5 file as a tree: groups, their attributes, and datasets with type, shape and first values.

A file is not trusted. Of a group with a million members the first few are asked for; of a dataset the first
few values, and none where even those would mean reading much; a link is named and not followed; every name
and text is escaped. The file is open only while it is read.
"""

import html
import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path

import ipywidgets as widgets
import numpy as np
from matplotlib import font_manager

from facelab.course.plots import BLACK
from facelab.course.widgets.base import GAP, StillPicture, alert, tick
from facelab.course.widgets.picture import LivePicture

MEMBERS = 12  # of a group that are shown
ROWS = 400  # of a file that are shown
DEPTH = 16  # groups in groups
VALUES = 4  # of a dataset
LETTERS = 60  # of a text
READ = 2**20  # bytes: what may be read of one dataset to show its first values
OPEN_ROWS = 16  # a file with no more rows begins with all its groups open

DAMAGED = (OSError, RuntimeError, ValueError, TypeError, KeyError)
"""What h5py raises for a file, or a part of one, that it cannot read."""

FONT = "DejaVu Sans Mono"


@dataclass
class Node:
    """One row of the tree: a group, a dataset, an attribute, a link, or "… and 2,988 more".

    says  what it is, in a few words; children  the rows inside
    """

    kind: str
    name: str
    says: str
    children: list["Node"] = field(default_factory=list)

    def __len__(self) -> int:
        """Rows, this one included."""
        return 1 + sum(len(child) for child in self.children)


def look(path: str | PathLike) -> Node:
    """The file's tree. Raises OSError when there is no such file, or it is not one of HDF5."""
    import h5py

    path = Path(path)
    size = path.stat().st_size
    with h5py.File(path, "r") as file:
        return _group(file, path.name, f"a file of {size:,} bytes", (), itertools.count())


def _group(group, name: str, says: str, above: tuple, rows: Iterator[int]) -> Node:
    node = Node("group", printable(name), says)
    node.children += _attributes(group, rows)
    names = _first_names(group, MEMBERS)
    for number, member in enumerate(names):
        if next(rows) >= ROWS:
            names = names[:number]
            break
        try:
            node.children.append(_member(group, member, (*above, group), rows))
        except DAMAGED as error:
            node.children.append(Node("damaged", _decoded(member), f"cannot be read: {short(str(error))}"))
    if rest := len(group) - len(names):
        node.children.append(Node("more", f"… and {rest:,} more", ""))
    return node


def _member(group, name: bytes, above: tuple, rows: Iterator[int]) -> Node:
    import h5py

    link, shown = group.get(name, getlink=True), _decoded(name)
    if isinstance(link, h5py.ExternalLink):
        return Node("link", shown, f"link to {text(link.path)} in the file {text(link.filename)}")
    if isinstance(link, h5py.SoftLink):
        return Node("link", shown, f"link to {text(link.path)}")
    member = group[name]
    if isinstance(member, h5py.Dataset):
        return Node("dataset", shown, _about(member), _attributes(member, rows))
    if not isinstance(member, h5py.Group):
        return Node("type", shown, "a named type")
    count = f"group, {len(member):,} member{'s' * (len(member) != 1)}"
    if member in above:
        return Node("link", shown, "the same group as one above")
    if len(above) >= DEPTH:
        return Node("group", shown, f"{count}, too deep to show")
    return _group(member, shown, count, above, rows)


def _first_names(group, count: int) -> list[bytes]:
    """The names of the first members. Asking h5py for `list(group)` would fetch a million of them."""
    names: list[bytes] = []

    def take(name: bytes):
        names.append(name)
        return True if len(names) >= count else None  # anything but None stops

    if len(group):
        group.id.links.iterate(take)
    return names


def _attributes(member, rows: Iterator[int]) -> list[Node]:
    nodes = []
    for name in itertools.islice(member.attrs, MEMBERS):
        if next(rows) >= ROWS:
            break
        try:
            of = member.attrs.get_id(name)
            value = shown(member.attrs[name]) if of.get_storage_size() <= READ else "too large to show"
        except DAMAGED as error:
            value = f"cannot be read: {short(str(error))}"
        nodes.append(Node("attribute", printable(name), f"= {value}"))
    if rest := len(member.attrs) - len(nodes):
        nodes.append(Node("more", f"… and {rest:,} more attributes", ""))
    return nodes


def _about(dataset) -> str:
    """Type, shape and first values."""
    import h5py

    kind = "text" if h5py.check_string_dtype(dataset.dtype) else short(str(dataset.dtype))
    shape = "" if dataset.shape == () else f" {' × '.join(f'{side:,}' for side in dataset.shape or (0,))}"
    return f"{kind}{shape}: {_first_values(dataset)}"


def _first_values(dataset) -> str:
    if dataset.external or dataset.is_virtual:
        return "its values lie in another file"
    if not dataset.size:
        return "empty"
    piece = np.prod(dataset.chunks, dtype=float) if dataset.chunks else VALUES
    if piece * dataset.dtype.itemsize > READ:
        return "not shown, they come in large pieces"
    if dataset.shape == ():
        return shown(dataset[()])
    first = dataset[(0,) * (dataset.ndim - 1) + (slice(VALUES),)]
    return shown(first) + (" …" if dataset.size > len(first) else "")


def shown(value) -> str:
    """A value, or several, as text: numbers to four digits."""
    if isinstance(value, bytes):
        value = value.decode("utf-8", "backslashreplace")
    if isinstance(value, str):
        return text(value)
    if isinstance(value, float | np.floating):
        return f"{value:.4g}"
    if isinstance(value, np.ndarray) and value.dtype.names is None:
        parts = [shown(part) for part in value.ravel()[:VALUES]]
        return ", ".join(parts) + (" …" if value.size > VALUES else "")
    return short(str(value))


def text(value: str) -> str:
    """In quotes, on one line, not too long."""
    return short(json.dumps(printable(value), ensure_ascii=False))


def short(value: str) -> str:
    return value if len(value) <= LETTERS else value[: LETTERS - 1] + "…"


def printable(value: str) -> str:
    """What UTF-8 cannot hold (bytes that were none, as h5py hands them on) written as \\udc80."""
    return value.encode("utf-8", "backslashreplace").decode()


def _decoded(name: bytes) -> str:
    return short(name.decode("utf-8", "backslashreplace"))


# ---- as HTML and as plain lines ----------------------------------------------------------------------------


def as_html(node: Node, *, opened: bool) -> str:
    """Nested lists; a group is a <details>, so that the keyboard (Tab, Enter) and screen readers know it."""
    label = (
        f"<bdi style='font-family:monospace;font-weight:600'>{html.escape(node.name)}</bdi> "
        f"<span style='opacity:0.75'>{SIGNS[node.kind][1]}</span> <bdi>{html.escape(node.says)}</bdi>"
    )
    if not node.children:
        return f"<li style='list-style:none;padding:1px 0 1px 1.1em'>{label}</li>"
    rows = "".join(as_html(child, opened=opened) for child in node.children)
    return (
        f"<li style='list-style:none;padding:1px 0'><details{' open' * opened}>"
        f"<summary style='cursor:pointer'>{label}</summary>"
        f"<ul style='margin:0 0 0 0.4em;padding-left:1em;border-left:1px solid #999'>{rows}</ul>"
        "</details></li>"
    )


SIGNS = {  # in front of a plain line, and after the name in the live tree
    "group": ("▾ ", ""),
    "dataset": ("▪ ", "dataset,"),
    "attribute": ("@ ", "attribute"),
    "link": ("→ ", ""),
    "type": ("  ", ""),
    "damaged": ("! ", ""),
    "more": ("", ""),
}


def lines(node: Node, depth: int = 0) -> list[str]:
    """The tree as plain text, a line a row."""
    here = f"{'    ' * depth}{SIGNS[node.kind][0]}{node.name}  {node.says}".rstrip()
    return [here, *(line for child in node.children for line in lines(child, depth + 1))]


def drawable(line: str) -> str:
    """With \\u… for every letter that the figure's font lacks."""
    font = font_manager.get_font(font_manager.findfont(FONT))
    return "".join(c if font.get_char_index(ord(c)) else c.encode("unicode_escape").decode() for c in line)


class Hdf5Tree(StillPicture, widgets.VBox):
    """The tree of a file, with a button that reads it again and a box that opens every group.

    path   the file
    tree   Node, as last read
    error  what the last reading raised, or None

    `str(widget)` is the tree as plain text.
    """

    def __init__(self, path: str | PathLike):
        self.path = Path(path)
        self.tree: Node | None = None
        self.error: Exception | None = None
        again = widgets.Button(description="Read again", icon="refresh", tooltip="Read the file once more")
        again.layout.width = "auto"
        again.on_click(lambda _: self.read())
        self.all_open = tick("all groups open", tip="Open or close every group of the tree")
        self.all_open.observe(lambda _: self._show(), names="value")
        self.body, self.alert = widgets.HTML(), widgets.HTML()
        row = widgets.HBox([again, self.all_open], layout=widgets.Layout(margin=GAP, align_items="center"))
        super().__init__([row, self.body, self.alert])
        self.add_class("facelab-tree")
        self.read()
        self.all_open.value = self.tree is not None and len(self.tree) <= OPEN_ROWS

    def read(self) -> None:
        """Read the file again. What is wrong with it is shown in the widget and kept in `error`."""
        try:
            self.tree, self.error, self.alert.value = look(self.path), None, ""
        except DAMAGED as error:
            self.tree, self.error, self.alert.value = None, error, alert(error)
        self._show()

    def _show(self) -> None:
        if self.tree is None:
            self.body.value = ""
            return
        opened = self.all_open.value
        self.body.value = (
            f"<div role='group' aria-label='contents of {html.escape(self.tree.name, quote=True)}' "
            "style='line-height:1.5'><ul style='margin:0;padding:0'>"
            + as_html(self.tree, opened=opened).replace("<details>", "<details open>", 1)  # the file itself
            + "</ul></div>"
        )

    def __str__(self) -> str:
        return "\n".join(lines(self.tree)) if self.tree else f"{self.path.name}: {self.error}"

    def still_png(self) -> bytes:
        rows = [drawable(row) for row in str(self).splitlines()]
        rows = rows[:40] + ["…"] * (len(rows) > 40)
        picture = LivePicture(9.0, 0.27 * len(rows) + 0.2, layout="none")
        for number, row in enumerate(rows):
            y = 1 - (number + 0.7) / (len(rows) + 0.5)
            picture.figure.text(0.01, y, row, family=FONT, fontsize=12, color=BLACK, parse_math=False)
        return picture.png()

    def still_caption(self) -> str:
        return f"*{drawable(self.path.name)} as a tree: groups open and close in JupyterLab.*"
