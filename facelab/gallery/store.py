"""The gallery's file: what is in it, and how it changes without ever being half changed.

    0 …                512 bytes of header: how long what follows is, and its SHA-256
    512 …              an HDF5 file (these 512 bytes are its "user block", which HDF5 leaves to others):
                       the columns `ids`, `people`, `person`, `vectors` (`facelab.gallery.columns`), each in
                       one piece, and the attributes `format`, `embedder`, `config`, `dimension`, `next_id`
    behind the HDF5    enrolments since it was written, each as the same four columns, byte by byte

There are two ways to change it, and a crash at any instant leaves what was there before, or what was to be:

- **rewrite**: a whole new file beside it, brought to the disk (fsync), then put in its place (os.replace).
  That is how a deletion is real: the new file never held what was deleted.
- **append**, for enrolling: the new rows go behind the end and to the disk; only then does the header, which
  is one sector and is written at once, say that the file is longer. What lies behind the end that the header
  names was never promised to anybody, and is ignored. So enrolling one more person into a gallery of a
  million writes a kilobyte, and not the 0.5 GB that a rewrite would. When the gallery is closed,
  enrolments are folded into the HDF5 part by a rewrite, so that a closed gallery is an ordinary HDF5 file.

HDF5 itself never touches the disk here. Its library ends the process (segmentation fault) when a disk fills
up under it, so it writes through `_Deaf`, which takes the errors upon itself; and when reading, it is asked
only where the columns lie, after the checksum has proven that the file is as it was written. The bytes are
then read directly, within bounds that were checked: a file that claims a terabyte is turned away before
memory is asked for, and nothing that HDF5 could be made to follow (links, virtual or external data, filters)
is.

SHA-256 finds damage, not forgery: whoever can write the file can write its checksum too.
"""

import hashlib
import os
import stat
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from facelab import safe_write
from facelab.errors import GalleryError
from facelab.gallery.columns import Columns

FORMAT = 1
HEADER = 512
MAGIC = b"facelab gallery\n"
# magic, format, end of the HDF5 part, end of the file, SHA-256 of all between header and end
_FIELDS = struct.Struct("<16sQQQ32s")

WIDEST = 65_536
"""The most numbers a vector may have."""

_HDF5 = b"\x89HDF\r\n\x1a\n"
_BLOCK = 2**22

HOW_TO_MAKE = "mode='a', or `facelab gallery enroll`, makes one."
RESTORE = "Bring back a copy of it, or remove it and enrol anew."


class About(NamedTuple):
    """What a gallery is bound to: vectors of another embedder mean nothing beside these."""

    embedder: str
    config: str
    dimension: int

    def __str__(self) -> str:
        return f"{self.config} ({self.dimension} numbers)"


@dataclass(frozen=True, eq=False)
class Head:
    """The header: where the HDF5 part ends, where everything ends, and a hash that can go on from there."""

    hdf5_end: int
    end: int
    sha256: "hashlib._Hash"

    def __bytes__(self) -> bytes:
        fields = _FIELDS.pack(MAGIC, FORMAT, self.hdf5_end, self.end, self.sha256.digest())
        return (fields + hashlib.sha256(fields).digest()).ljust(HEADER, b"\0")

    def after(self, record: bytes) -> "Head":
        longer = self.sha256.copy()
        longer.update(record)
        return Head(self.hdf5_end, self.end + len(record), longer)


@dataclass(frozen=True, eq=False)
class Snapshot:
    """A gallery as it was read."""

    about: About
    next_id: int
    columns: Columns
    head: Head


# ---------------------------------------------------------------------- reading


def read(path: Path) -> Snapshot:
    """All of a gallery, checked. Raises GalleryError for anything that is not a whole, undamaged gallery."""
    with _opened(path) as file:
        try:
            head = _read_head(path, file)
        except OSError as error:
            raise GalleryError(f"{path}: cannot be read ({error.strerror}). {RESTORE}") from error
        try:
            about, next_id, columns = _read_columns(file, head)
            parts = [columns, *_records(file, head, about.dimension)]
            if len(parts) > 1:
                arrays = zip(*(part.arrays.values() for part in parts), strict=True)
                columns = Columns(*(np.concatenate(some) for some in arrays))
                next_id = max(next_id, int(columns.ids[-1]) + 1)
            columns.check(next_id)
        except (ValueError, KeyError, RuntimeError, OSError, TypeError, OverflowError) as error:
            raise GalleryError(
                f"{path}: its checksum is right and its contents are not ({error}). {RESTORE}"
            ) from error
    return Snapshot(about, next_id, columns, head)


@contextmanager
def _opened(path: Path, mode: str = "rb"):
    """The file, unbuffered, if it is a file: a pipe or a device of that name would be waited for, for
    ever.
    """
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise GalleryError(f"{path}: is not a file. Give the name of a gallery.")
        file = open(path, mode, buffering=0)  # noqa: SIM115
    except FileNotFoundError as error:
        raise GalleryError(f"{path}: there is no such gallery. {HOW_TO_MAKE}") from error
    except OSError as error:
        raise GalleryError(f"{path}: cannot be opened ({error.strerror}). Is it yours to use?") from error
    with file:
        yield file


def _read_head(path: Path, file) -> Head:
    """The header, and the SHA-256 of what it speaks of. A writer may be at work: a header that was read in
    two halves is read again."""
    for attempt in range(5):
        time.sleep(0.002 * attempt)
        file.seek(0)
        header = file.read(HEADER)
        fields, check = header[: _FIELDS.size], header[_FIELDS.size : _FIELDS.size + 32]
        if not header.startswith(MAGIC):
            break
        if hashlib.sha256(fields).digest() == check and header == (fields + check).ljust(HEADER, b"\0"):
            break
    else:
        raise GalleryError(f"{path}: is damaged (its header does not match its checksum). {RESTORE}")
    size = os.fstat(file.fileno()).st_size
    if not header.startswith(MAGIC):
        kind = (
            "an HDF5 file of another kind; import_slides reads the slides' layout"
            if header.startswith(_HDF5)
            else "empty"
            if size == 0
            else "something else"
        )
        raise GalleryError(f"{path}: is not a facelab gallery ({kind}). It was left as it is.")
    _, version, hdf5_end, end, digest = _FIELDS.unpack(fields)
    if version != FORMAT:
        raise GalleryError(
            f"{path}: is of format {version}, and this facelab reads {FORMAT}. Update facelab."
        )
    if not HEADER <= hdf5_end <= end:
        raise GalleryError(f"{path}: is damaged (its header contradicts itself). {RESTORE}")
    if size < end:
        raise GalleryError(f"{path}: is cut short ({size:,} of {end:,} bytes). {RESTORE}")
    sha256 = _hash(file, HEADER, end)
    if sha256.digest() != digest:
        raise GalleryError(f"{path}: is damaged (its contents do not match their checksum). {RESTORE}")
    return Head(hdf5_end, end, sha256)


def _hash(file, start: int, end: int):
    sha256, block = hashlib.sha256(), memoryview(bytearray(min(_BLOCK, max(1, end - start))))
    file.seek(start)
    while start < end and (count := file.readinto(block[: end - start])):
        sha256.update(block[:count])
        start += count
    return sha256


def _read_columns(file, head: Head) -> tuple[About, int, Columns]:
    import h5py

    with h5py.File(file, "r") as hdf:
        about = About(_text(hdf, "embedder"), _text(hdf, "config"), _integer(hdf, "dimension"))
        next_id = _integer(hdf, "next_id")
        if not 0 < about.dimension <= WIDEST:
            raise ValueError(f"dimension is {about.dimension}")
        places = {
            name: _place(hdf, name, kind, row, head.hdf5_end)
            for name, (kind, row) in _kinds(about.dimension).items()
        }
    return about, next_id, Columns(**{name: _array(file, *place) for name, place in places.items()})


def _kinds(dimension: int) -> dict[str, tuple[np.dtype, tuple[int, ...]]]:
    """Of each column: its type, and the shape of one row."""
    return {
        "ids": (np.dtype("<i8"), ()),
        "people": (np.dtype("u1"), ()),
        "person": (np.dtype("<i8"), ()),
        "vectors": (np.dtype("<f4"), (dimension,)),
    }


def _text(hdf, name: str) -> str:
    attribute = hdf.attrs.get_id(name)
    if attribute.dtype.kind != "S" or attribute.shape != () or attribute.dtype.itemsize > 1024:
        raise ValueError(f"attribute {name} is not a short text")
    return hdf.attrs[name].decode()


def _integer(hdf, name: str) -> int:
    attribute = hdf.attrs.get_id(name)
    if attribute.dtype != np.int64 or attribute.shape != ():
        raise ValueError(f"attribute {name} is not a number")
    return int(hdf.attrs[name])


def _place(hdf, name: str, kind: np.dtype, row: tuple[int, ...], end: int):
    """Where a column's bytes are: plain, contiguous, inside the file and of the size that its shape says."""
    import h5py

    if not isinstance(hdf.get(name, getlink=True), h5py.HardLink) or not isinstance(hdf[name], h5py.Dataset):
        raise ValueError(f"{name} is not a column of this file")
    column = hdf[name]
    if column.dtype != kind or column.ndim != 1 + len(row) or column.shape[1:] != row:
        raise ValueError(f"{name} is {column.dtype} {column.shape}")
    if column.size == 0:
        return kind, column.shape, 0
    if column.id.get_create_plist().get_layout() != h5py.h5d.CONTIGUOUS:
        raise ValueError(f"{name} is not contiguous")
    start, size = column.id.get_offset(), column.size * kind.itemsize
    if start is None or not HEADER <= start <= end - size:
        raise ValueError(f"{name} would lie outside of the file")
    return kind, column.shape, start


def _array(file, kind: np.dtype, shape: tuple[int, ...], start: int) -> np.ndarray:
    array = np.empty(shape, kind)
    file.seek(start)
    rest = array.reshape(-1).view(np.uint8).data
    while len(rest) and (count := file.readinto(rest)):
        rest = rest[count:]
    if len(rest):
        raise ValueError("the file ended early")
    return array


def _record(columns: Columns) -> bytes:
    """Enrolments as bytes: of each column its length in bytes, and the bytes."""
    raw = [np.ascontiguousarray(array).tobytes() for array in columns.arrays.values()]
    return b"".join(part for bytes_ in raw for part in (struct.pack("<Q", len(bytes_)), bytes_))


def _records(file, head: Head, dimension: int) -> Iterator[Columns]:
    """The enrolments behind the HDF5 part. Lengths are checked before anything is read by them."""
    at = head.hdf5_end
    while at < head.end:
        arrays = {}
        for name, (kind, row) in _kinds(dimension).items():
            (length,) = _array(file, np.dtype("<u8"), (1,), at).tolist()
            rows, rest = divmod(length, kind.itemsize * int(np.prod(row, dtype=int)))
            at += 8
            if rest or length > head.end - at:
                raise ValueError("an enrolment is longer than the file")
            arrays[name] = _array(file, kind, (rows, *row), at)
            at += length
        yield Columns(**arrays)


# ---------------------------------------------------------------------- writing


def append(path: Path, head: Head, columns: Columns) -> Head:
    """Add enrolments behind the end. Returns the new header.

    Raises GalleryError; the file is then what it was, or, where the very last step failed, what it was to be.
    """
    record = _record(columns)
    new = head.after(record)
    with safe_write.writing(path), _opened(path, "r+b") as file:
        _unchanged(path, file, head)
        file.truncate(head.end)  # what a writer that died may have left there
        file.seek(head.end)
        safe_write.write_all(file, record)
        os.fsync(file.fileno())
        file.seek(0)
        safe_write.write_all(file, bytes(new))
        os.fsync(file.fileno())
    return new


def rewrite(path: Path, head: Head | None, about: About, next_id: int, columns: Columns) -> Head:
    """Put a whole new file in the place of the old one (of none, when head is None). Returns its header.

    Raises GalleryError, as `append`.
    """
    with safe_write.writing(path):
        if head is not None:
            with _opened(path) as file:
                _unchanged(path, file, head)
        with safe_write.replacement(path, unfinished(path)) as file:
            with safe_write.hdf5_into(
                file, userblock_size=HEADER, alignment_threshold=1, alignment_interval=64
            ) as hdf:
                hdf.attrs.update(
                    format=np.int64(FORMAT),
                    embedder=np.bytes_(about.embedder.encode()),
                    config=np.bytes_(about.config.encode()),
                    dimension=np.int64(about.dimension),
                    next_id=np.int64(next_id),
                )
                for name, array in columns.arrays.items():
                    hdf.create_dataset(name, data=array)
            end = file.seek(0, os.SEEK_END)
            new = Head(end, end, _hash(file, HEADER, end))
            file.seek(0)
            safe_write.write_all(file, bytes(new))
    return new


def drop_unfinished(path: Path) -> None:
    """Remove the unfinished new file of a writer that was killed: it holds templates. Only for the one who
    holds the lock, as everything that writes."""
    with safe_write.writing(path):
        unfinished(path).unlink(missing_ok=True)


def drop_tail(path: Path, head: Head) -> None:
    """Cut off what lies behind the end, for the same reason."""
    with safe_write.writing(path), _opened(path, "r+b") as file:
        if os.fstat(file.fileno()).st_size > head.end:
            file.truncate(head.end)


def unfinished(path: Path) -> Path:
    """There is one writer, so there is one unfinished file."""
    return path.with_name(f".{path.name}.unfinished")


def _unchanged(path: Path, file, head: Head) -> None:
    """The lock keeps facelab's writers apart; a copy put in place by hand knows nothing of it."""
    if file.read(HEADER) != bytes(head):
        raise GalleryError(
            f"{path}: is no longer as this gallery left it (another program replaced it, or the last change "
            "failed half-way). Nothing was written; open it again to see what it holds."
        )
