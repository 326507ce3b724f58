"""What a crash leaves of an HDF5 file: each write recorded, and the file as it was after each of them.

A program that dies while it changes a file leaves the writes that it had made, and not the others. How many
that were is chance; so here is every possibility, in order. (A machine that loses its power may even lose
earlier writes and keep later ones. That is left out: it is bad enough without.)
"""

import io
from collections.abc import Callable
from typing import Any


class Recorder:
    """A file in memory, as h5py wants one, that remembers what it held after each write."""

    def __init__(self, data: bytes):
        self._file = io.BytesIO(data)
        self.states = [data]
        self.seek, self.tell, self.read = self._file.seek, self._file.tell, self._file.read
        self.readinto = self._file.readinto

    def write(self, data) -> int:
        count = self._file.write(data)
        self._remember()
        return count

    def truncate(self, size: int | None = None) -> int:
        size = self._file.truncate(size)
        self._remember()
        return size

    def flush(self) -> None:
        """Nothing is held back."""

    def _remember(self) -> None:
        now = self._file.getvalue()
        if now != self.states[-1]:  # a write of what is there already changes nothing
            self.states.append(now)


def crash_states(data: bytes, change: Callable[[Any], object]) -> list[bytes]:
    """Everything that a crash can leave of an HDF5 file while `change` is made to it, and it is closed.

    data    the file before; b"" begins a new one
    change  called with the open h5py.File

    Returns the file after none, one, two … of the writes: the first is `data`, the last is the changed file.
    """
    import h5py

    recorder = Recorder(data)
    with h5py.File(recorder, "r+" if data else "w") as hdf_file:
        change(hdf_file)
    return recorder.states
