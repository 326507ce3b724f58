"""Files that are never half written: a new one beside the old, brought to the disk, then put in its place.

HDF5 never touches the disk itself. Its library ends the process (segmentation fault) when a disk fills up
under it, so it writes through `_Deaf`, which takes the errors upon itself.
"""

import os
import stat
from contextlib import contextmanager, suppress
from pathlib import Path

from facelab.errors import GalleryError


@contextmanager
def replacement(path: Path, part: Path):
    """A new file, open for writing, that takes the place of `path` once it is whole and on the disk. Until
    then it is called `part`.

    Only its owner may read it, unless the file that it replaces was open to others.
    """
    part.unlink(missing_ok=True)
    descriptor = os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600)
    try:
        with open(descriptor, "r+b", buffering=0) as file:
            with suppress(FileNotFoundError):
                os.chmod(part, stat.S_IMODE(os.stat(path).st_mode))
            yield file
            os.fsync(file.fileno())
        os.replace(part, path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    """Bring the folder's entries to the disk. Windows does that by itself, and cannot be asked to."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


@contextmanager
def hdf5_into(file, **options):
    """An h5py.File that is written into an open file. Raises OSError where that file could not be written."""
    import h5py

    deaf = _Deaf(file)
    with h5py.File(deaf, "w", **options) as hdf:
        yield hdf
    if deaf.error is not None:
        raise deaf.error


class _Deaf:
    """A file that never tells HDF5 that a write failed, and keeps the error for whoever asks afterwards."""

    def __init__(self, file):
        self._file, self.error = file, None
        self.seek, self.tell, self.read, self.readinto = file.seek, file.tell, file.read, file.readinto

    def _try(self, action) -> None:
        if self.error is None:
            try:
                action()
            except BaseException as error:  # Ctrl-C among them: HDF5 must not be left in mid-call
                self.error = error

    def write(self, data) -> int:
        self._try(lambda: write_all(self._file, data))
        return len(data)

    def truncate(self, size: int) -> int:
        self._try(lambda: self._file.truncate(size))
        return size

    def flush(self) -> None:
        """There is nothing to flush: the file has no buffer."""


def write_all(file, data) -> None:
    """All of it: a write to a disk that is nearly full takes a part, and says so only the next time."""
    rest = memoryview(data).cast("B")
    while len(rest):
        rest = rest[file.write(rest) :]


@contextmanager
def writing(path: Path):
    """Turns what the system says into a GalleryError that says what is left, and what to do."""
    try:
        yield
    except OSError as error:
        raise GalleryError(
            f"{path}: cannot be written ({error.strerror or error}). The file itself is whole. "
            "Is the folder writable, and the disk not full?"
        ) from error
