"""What a gallery holds, as columns: four arrays, whether there are three people in it or a million.

    ids      (P,) int64     the people, ascending; an id is never given twice
    people   (T,) uint8     a line of JSON for each of them, UTF-8: {"name": …, "metadata": {…}}
    person   (N,) int64     whose template each row of vectors is
    vectors  (N, D) float32 unit norm

A name may hold any character that Python can hold (control characters, half a surrogate pair): JSON writes
a line break as \\n, so a line is a person, and names need no column of lengths that could be wrong.
"""

import json
from dataclasses import dataclass

import numpy as np

from facelab.errors import GalleryError

UNIT_TOLERANCE = 1e-5
"""How far the norm of a stored vector may be from 1. Rounding to float32 moves it by less than 1e-7."""

NEWLINE = ord("\n")
LAST_ID = 2**53
"""Beyond it, programs that read JSON numbers as floating point would take two ids for one."""


@dataclass(frozen=True, eq=False)
class Columns:
    """The four arrays of the module's docstring. Of a few enrolments `person` may also name people before."""

    ids: np.ndarray
    people: np.ndarray
    person: np.ndarray
    vectors: np.ndarray

    @classmethod
    def of(cls, ids, lines: bytes, person, vectors) -> "Columns":
        return cls(
            np.asarray(ids, np.int64),
            np.frombuffer(lines, np.uint8),
            np.asarray(person, np.int64),
            np.ascontiguousarray(vectors, np.float32),
        )

    @classmethod
    def nobody(cls, dimension: int) -> "Columns":
        return cls.of([], b"", [], np.empty((0, dimension), np.float32))

    @property
    def arrays(self) -> dict[str, np.ndarray]:
        return {"ids": self.ids, "people": self.people, "person": self.person, "vectors": self.vectors}

    @property
    def nbytes(self) -> int:
        return sum(array.nbytes for array in self.arrays.values())

    @property
    def rows(self) -> np.ndarray:
        """(N,) int64: the place in `ids` of whose template each is."""
        return np.searchsorted(self.ids, self.person)

    @property
    def counts(self) -> np.ndarray:
        """(P,) int64: how many templates each person has."""
        return np.bincount(self.rows, minlength=len(self.ids))

    def check(self, next_id: int) -> None:
        """ValueError unless these columns belong together: what a file claims is believed only after this."""
        if not 0 <= next_id <= LAST_ID:
            raise ValueError(f"next_id is {next_id}")
        if len(self.ids) and not (
            self.ids[0] >= 0 and self.ids[-1] < next_id and (np.diff(self.ids) > 0).all()
        ):
            raise ValueError("ids are not ascending")
        ends = line_ends(self.people)
        if len(ends) != len(self.ids) or (ends[-1] if len(ends) else 0) != len(self.people):
            raise ValueError("people and ids differ in number")
        if len(self.person) != len(self.vectors):
            raise ValueError("vectors and person differ in length")
        if not np.array_equal(self.ids.take(self.rows, mode="clip") if len(self.ids) else [], self.person):
            raise ValueError("a template of nobody")
        if len(self.ids) and self.counts.min() == 0:
            raise ValueError("somebody without a template")
        for start in range(0, len(self.vectors), 65_536):
            some = self.vectors[start : start + 65_536]
            squares = np.einsum("nd,nd->n", some, some)  # NaN fails every comparison
            if not (np.abs(squares - 1) <= 2 * UNIT_TOLERANCE).all():
                raise ValueError("a vector has not unit norm")


_DECODE = json.JSONDecoder().decode
_ENCODE = json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode


def line(name: str, metadata: dict) -> bytes:
    """A person as one line. Raises GalleryError for what JSON cannot hold."""
    if not isinstance(name, str) or not name:
        raise GalleryError(f"name={name!r}: a name is a string of at least one character.")
    try:
        text = _ENCODE({"name": name, "metadata": metadata})
        if metadata and json.loads(text)["metadata"] != metadata:
            raise ValueError("it would be read back as something else")
    except (TypeError, ValueError, RecursionError) as error:
        raise GalleryError(
            f"{name!r}: the metadata cannot be kept as JSON ({error}). Use text, numbers, True, False, None, "
            "and lists or dictionaries of those."
        ) from error
    return text.encode("utf-8", "surrogatepass") + b"\n"


def read_line(text: bytes) -> tuple[str, dict]:
    """The name and the metadata of a line. Raises ValueError when it is not one that `line` wrote."""
    try:
        entry = _DECODE(text.decode("utf-8", "surrogatepass"))
    except RecursionError as error:
        raise ValueError("nested too deep") from error
    if not isinstance(entry, dict) or not isinstance(entry.get("name"), str):
        raise ValueError("not a person")
    if not isinstance(entry.get("metadata"), dict):
        raise ValueError("metadata is not a dictionary")
    return entry["name"], entry["metadata"]


def line_ends(people: np.ndarray) -> np.ndarray:
    """(P,) int64: where each line ends, its line break included."""
    parts = range(0, len(people), 2**20)  # a mask of all of it at once would be as large again
    found = [np.flatnonzero(people[a : a + 2**20] == NEWLINE) + (a + 1) for a in parts]
    return np.concatenate(found) if found else np.empty(0, np.int64)


class Growing:
    """An array that grows at its end, not copied each time. `rows` taken earlier stay as they were."""

    def __init__(self, rows: np.ndarray):
        self._buffer, self._count = rows, len(rows)

    @property
    def rows(self) -> np.ndarray:
        return self._buffer[: self._count]

    def append(self, rows: np.ndarray) -> None:
        end = self._count + len(rows)
        if end > len(self._buffer):
            larger = np.empty((end + end // 8, *self._buffer.shape[1:]), self._buffer.dtype)
            larger[: self._count] = self.rows
            self._buffer = larger
        self._buffer[self._count : end] = rows
        self._count = end


class Table:
    """A gallery in memory: columns that grow, and where to find a person in them."""

    def __init__(self, columns: Columns):
        self._columns = {name: Growing(array) for name, array in columns.arrays.items()}
        self._ends = Growing(line_ends(columns.people))
        self.names: dict[int, str] = {}  # of those who were found, by id; they go when the table goes

    @property
    def columns(self) -> Columns:
        return Columns(**{name: column.rows for name, column in self._columns.items()})

    def append(self, columns: Columns) -> None:
        self._ends.append(line_ends(columns.people) + len(self.columns.people))
        for name, array in columns.arrays.items():
            self._columns[name].append(array)

    def row(self, person: int) -> int | None:
        """The place of an id in `ids`; None when nobody has it."""
        ids = self._columns["ids"].rows
        row = int(np.searchsorted(ids, person))
        return row if row < len(ids) and ids[row] == person else None

    def line(self, row: int) -> bytes:
        ends = self._ends.rows
        start = ends[row - 1] if row else 0
        return self._columns["people"].rows[start : ends[row]].tobytes()

    def without(self, people: list[int]) -> Columns:
        """Everything but some people."""
        now = self.columns
        keep, keep_rows = ~np.isin(now.ids, people), ~np.isin(now.person, people)
        keep_text = np.repeat(keep, np.diff(self._ends.rows, prepend=0))
        return Columns(now.ids[keep], now.people[keep_text], now.person[keep_rows], now.vectors[keep_rows])

    def with_line(self, person: int, text: bytes) -> Columns:
        """Everything, with another line for one person."""
        now, row = self.columns, self.row(person)
        assert row is not None, "the caller has looked the person up"
        start, end = self._ends.rows[row] - len(self.line(row)), self._ends.rows[row]
        people = np.concatenate([now.people[:start], np.frombuffer(text, np.uint8), now.people[end:]])
        return Columns(now.ids, people, now.person, now.vectors)
