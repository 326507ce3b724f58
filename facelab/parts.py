"""Long work in parts, each a small file that is there whole or not at all: a death costs what was in hand.

The parts lie in a folder beside the file that they become, OUT.parts/, with a note of what the work is: parts
of other work are of no use and are removed. One process, or one cluster, works on them at a time.
"""

import hashlib
import json
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from os import PathLike
from pathlib import Path

from facelab.errors import FacelabError

NOTE = "key.json"

_OWN = re.compile(r"\.?(\d{9}\.|key\.json).*")
"""Files that are written here, unfinished ones too."""


class Parts:
    """The parts of `count` pieces of work that become `target`, `size` pieces in each.

    key     what the work is, down to what it is done with; of another key nothing is kept
    suffix  of the parts' files
    """

    def __init__(self, target: Path, key: str, count: int, size: int, suffix: str):
        self.folder = target.with_name(f"{target.name}.parts")
        self.target, self.key, self.count, self.size, self.suffix = target, key, count, size, suffix
        self.starts = range(0, count, size)

    def path(self, start: int) -> Path:
        return self.folder / f"{start:09d}{self.suffix}"

    def rows(self, start: int) -> range:
        return range(start, min(start + self.size, self.count))

    def missing(self) -> list[int]:
        """Where the parts begin that are still to be made."""
        return [start for start in self.starts if not self.path(start).is_file()]

    def done(self) -> int:
        """How many pieces are in parts that are whole."""
        return self.count - sum(len(self.rows(start)) for start in self.missing())

    @contextmanager
    def held(self) -> Iterator[None]:
        """While this process works on them. Raises FacelabError where another one does, OSError where the
        folder cannot be written."""
        import filelock

        self.folder.mkdir(parents=True, exist_ok=True)
        lock = filelock.FileLock(self.folder / ".lock")
        try:
            lock.acquire(timeout=1)
        except filelock.Timeout as error:
            raise FacelabError(
                f"{self.target}: another process is at work on it (it holds {self.folder}). Wait for it, or "
                "give another name."
            ) from error
        try:
            self._begin()
            yield
        finally:
            lock.release()

    def _begin(self) -> None:
        note, what = self.folder / NOTE, json.dumps({"key": self.key, "size": self.size})
        if note.is_file() and note.read_text() == what:
            return
        if strange := self._strange():
            raise FacelabError(
                f"{self.folder}: is where the parts of {self.target} are kept, and holds {strange[0].name}, "
                "which is none of them. Move it, or give another name."
            )
        for old in self._own():
            old.unlink()
        note.write_text(what)

    def _own(self) -> list[Path]:
        return [path for path in self.folder.iterdir() if path.is_file() and _OWN.fullmatch(path.name)]

    def _strange(self) -> list[Path]:
        own = {path.name for path in self._own()} | {".lock"}
        return sorted(path for path in self.folder.iterdir() if path.name not in own)

    def remove(self) -> None:
        """The target holds all of it now. What is not ours stays."""
        for path in [*self._own(), self.folder / ".lock"]:
            path.unlink(missing_ok=True)
        with suppress(OSError):
            self.folder.rmdir()


def key_of(paths: Sequence[str | PathLike], root: str | PathLike, made_by: str) -> str:
    """What the work is: names (below root), sizes and times of change of files, and what is done with them.
    A folder that was moved is the same work."""
    found = hashlib.sha256(made_by.encode())
    for path in paths:
        name = os.path.relpath(path, root)
        try:
            state = os.stat(path)
            told = f"{name}|{state.st_size}|{state.st_mtime_ns}\n"
        except OSError as error:  # whoever reads it will say so
            told = f"{name}|{error.errno}\n"
        found.update(told.encode("utf-8", "surrogateescape"))
    return found.hexdigest()
