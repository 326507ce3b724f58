"""What the names in an album mean: of groups, which are folders, and of thumbnails, which are faces."""

import re
from pathlib import PurePath

from facelab.datasets.photos import person_name
from facelab.errors import AlbumError

FACES = "faces.h5"
OTHERS = "others"
LEFT_OUT = "left out"

_NUMBERED = re.compile(r"person \d+", re.IGNORECASE)
_THUMBNAIL = re.compile(r"(\d{6,18})(?: (.+))?\.(?:jpe?g|png)", re.IGNORECASE | re.DOTALL)
_FORBIDDEN = '<>:"/\\|?*'
_DEVICES = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)
_LONGEST = 200
"""Bytes of UTF-8 in a folder's name; file systems take 255."""


def is_named(name: str) -> bool:
    """Whether somebody gave this name to a group: not `person 012`, not `others`, not `left out`."""
    return not _NUMBERED.fullmatch(name) and not is_reserved(name)


def is_reserved(name: str) -> bool:
    return name.casefold() in (OTHERS, LEFT_OUT)


def numbered(number: int, width: int = 3) -> str:
    """`person 012`"""
    return f"person {number:0{width}d}"


def number_of(name: str) -> int:
    """12 of `person 012`, 0 of any other name."""
    return int(name.split()[1]) if _NUMBERED.fullmatch(name) else 0


def checked(name: str) -> str:
    """A name that can be a folder's on every system, in Unicode's composed form, without spaces around
    it.

    Raises AlbumError for any other.
    """
    if not isinstance(name, str):
        raise AlbumError(f"{name!r} is not a name: give a text.")
    name = person_name(name.strip())
    reason = None
    if not name:
        reason = "it is empty"
    elif bad := [letter for letter in name if letter in _FORBIDDEN or not letter.isprintable()]:
        reason = f"{bad[0]!r} is in it"
    elif name.startswith("."):
        reason = "it begins with a dot, which hides a folder"
    elif name.endswith("."):
        reason = "it ends with a dot"
    elif _DEVICES.fullmatch(name):
        reason = "Windows keeps that name for a device"
    elif len(name.encode()) > _LONGEST:
        reason = f"it is longer than {_LONGEST} bytes"
    elif name.casefold() == FACES:
        reason = f"{FACES} holds the album's vectors"
    if reason is not None:
        raise AlbumError(f"{name!r} cannot be a folder's name, as {reason}. Choose another name.")
    return name


def thumbnail(row: int, photo: str) -> str:
    """`000123 holiday.jpg`: the file of a face's thumbnail."""
    return f"{row:06d} {tail(photo)}".strip() + ".jpg"


def tail(photo: str) -> str:
    """What of a photo's path goes into a thumbnail's name: enough to know it by."""
    stem = PurePath(photo.replace("\\", "/")).stem
    kept = "".join("_" if c in _FORBIDDEN or not c.isprintable() else c for c in person_name(stem))
    return kept.encode()[:120].decode(errors="ignore").strip(" .")


def row_of(file: str) -> tuple[int, str] | None:
    """The row, and what follows it, of a thumbnail's file name; None for any other file."""
    found = _THUMBNAIL.fullmatch(person_name(file))
    return None if found is None else (int(found[1]), found[2] or "")
