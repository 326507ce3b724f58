"""`PostgresGallery`: a gallery in a PostgreSQL database with pgvector, for many programs at once."""

from __future__ import annotations  # inside the class, `list` is the method

import builtins
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from facelab import device as devices
from facelab.errors import GalleryError
from facelab.gallery import binding
from facelab.gallery.answers import Person
from facelab.gallery.approximate import at_the_edge
from facelab.gallery.base import BaseGallery, Found, possible
from facelab.gallery.columns import LAST_ID, line, read_line
from facelab.gallery.open_set import DEFAULT_FPIR
from facelab.gallery.postgres_search import MOST_LISTED, WIDEST_INDEXED, Search
from facelab.gallery.postgres_server import Server, copy_stream, unpack
from facelab.gallery.postgres_tables import State, Tables
from facelab.gallery.recall import Recall
from facelab.gallery.sources import unit
from facelab.pipeline import Pipeline

if TYPE_CHECKING:
    import psycopg

SEARCHES = ("exact", "hnsw")


class PostgresGallery(BaseGallery):
    """People, each with one or more vectors ("templates"), in a database that many programs use at once.

        with PostgresGallery("postgresql://me@localhost/faces") as g:
            pid = g.enroll("JiSoo-Kim", "photo.jpg", department="black pink")
            m = g.identify("new.jpg")

    dsn        a libpq connection string. A password in it is shown in no message
    name       which gallery of the database, made where there is none: a-z, 0-9 and _, at most 40
    pipeline, embedder, dimension, threshold, fpir, device    as in `facelab.Gallery`
    search     "exact", through all templates; or "hnsw", by the index of `build_index`, which now and
               then misses the nearest: each answer's `notes` say how often
    connect_timeout  seconds

    What is promised: a change is either whole in the database or not in it at all, whatever dies when.
    Changes of several programs come one after the other; each answer is of one instant, and what was
    deleted is in none that begins afterwards. An id is given once. Unless "hnsw" was asked for, answers are
    those of `facelab.Gallery` with the same vectors. Photos are never stored.

    Raises GalleryError where there is no server, no pgvector, no right to use it, or tables that another
    program changed; FacelabError where psycopg is not installed.
    """

    def __init__(
        self,
        dsn: str,
        name: str = "gallery",
        *,
        pipeline: Pipeline | None = None,
        embedder: str | None = None,
        dimension: int | None = None,
        threshold: float | None = None,
        fpir: float = DEFAULT_FPIR,
        search: str = "exact",
        device: str | torch.device = "auto",
        connect_timeout: float = 5,
    ):
        binding.check(threshold, fpir)
        if search not in SEARCHES:
            raise ValueError(f"search={search!r}: choose one of {', '.join(SEARCHES)}.")
        if not re.fullmatch(r"[a-z][a-z0-9_]{0,39}", name):
            raise ValueError(f"name={name!r}: 1 to 40 of a-z, 0-9 and _, with a letter first.")
        super().__init__(pipeline)
        self.name, self.threshold, self.fpir, self.search = name, threshold, fpir, search
        self.device = devices.choose(device if pipeline is None else pipeline.device)
        wanted = binding.asked_for(pipeline, embedder, dimension)
        self._server = Server(dsn, name, f"facelab_{name}", connect_timeout, self._mutex)
        try:
            self._tables = Tables(self._server, wanted, binding.DEFAULT)
        except BaseException:
            self._server.close()
            raise
        self.about = self._tables.about
        self._searcher = Search(self._server, self.about.dimension)

    def close(self) -> None:
        """Let go of the server."""
        self._server.close()

    def __enter__(self) -> PostgresGallery:
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def __repr__(self) -> str:
        if self._server.closed:
            return f"PostgresGallery({self._where}, closed)"
        return (
            f"PostgresGallery({self._where}, {len(self):,} people, {self.templates:,} templates, "
            f"{self.about}, search={self.search!r}, {self.device})"
        )

    # ------------------------------------------------------------------ what is in it

    @property
    def _where(self) -> str:
        return self._server.where

    def _sql(self, text: str):
        return self._server.sql(text)

    def __len__(self) -> int:
        """How many people."""
        with self._server.transaction() as connection:
            (count,) = connection.execute(self._sql("SELECT count(*) FROM {people}")).fetchone() or (0,)
        return count

    @property
    def templates(self) -> int:
        """How many vectors, of all people together."""
        with self._server.transaction() as connection:
            return self._tables.state(connection).templates

    def list(self) -> builtins.list[Person]:
        """Everybody, by id."""
        text = (
            "SELECT id, line, count(row) FROM {people} LEFT JOIN {templates} ON person = id "
            "GROUP BY id ORDER BY id"
        )
        with self._server.transaction() as connection:
            rows = connection.execute(self._sql(text), binary=True).fetchall()
        entries = ((id, count, *self._entry(id, text)) for id, text, count in rows)
        return [Person(id, name, count, metadata) for id, count, name, metadata in entries]

    def vectors(self, id: int) -> np.ndarray:
        """(n, D) float32: the templates of one person. Raises GalleryError for an id that nobody has."""
        with self._server.transaction() as connection:
            self._line(connection, id)
            text = self._sql("SELECT vector FROM {templates} WHERE person = %s ORDER BY row")
            rows = connection.execute(text, [int(id)], binary=True).fetchall()
        return self._unpack([cell for (cell,) in rows])

    def _unpack(self, cells: builtins.list[bytes]) -> np.ndarray:
        try:
            return unpack(cells, self.about.dimension)
        except ValueError as error:
            raise self._server.changed(str(error)) from error

    def _somebody(self, id: int) -> None:
        with self._server.transaction() as connection:
            self._line(connection, id)

    def _line(self, connection: psycopg.Connection, id: int) -> bytes:
        if not possible(id):
            raise self._nobody(id)
        text = self._sql("SELECT line FROM {people} WHERE id = %s")
        row = connection.execute(text, [int(id)], binary=True).fetchone()
        if row is None:
            raise self._nobody(id)
        return row[0]

    def _entry(self, id: int, text: bytes) -> tuple[str, dict]:
        try:
            return read_line(text)
        except ValueError as error:
            raise self._server.changed(f"id {id} of people: {error}") from error

    # ------------------------------------------------------------------ changing

    def _writable(self) -> None:
        self._server.connection()

    def _add(self, lines: builtins.list[bytes], owner: np.ndarray, vectors: np.ndarray) -> tuple[int, ...]:
        with self._tables.change(len(lines), len(vectors)) as (connection, first):
            ids = range(first, first + len(lines))
            if ids[-1] >= LAST_ID:
                raise GalleryError(f"{self._where}: has given all its ids. Make a new gallery.")
            text = self._sql("COPY {people} (id, line) FROM STDIN (FORMAT BINARY)")
            with connection.cursor() as cursor, cursor.copy(text) as copy:
                copy.set_types(["int8", "bytea"])
                for person in zip(ids, lines, strict=True):
                    copy.write_row(person)
            self._copy(connection, owner + first, vectors)
        return tuple(ids)

    def _extend(self, id: int, vectors: np.ndarray) -> None:
        with self._tables.change(templates=len(vectors)) as (connection, _):
            self._line(connection, id)
            self._copy(connection, np.full(len(vectors), id), vectors)

    def _copy(self, connection: psycopg.Connection, person: np.ndarray, vectors: np.ndarray) -> None:
        text = self._sql("COPY {templates} (person, vector) FROM STDIN (FORMAT BINARY)")
        with connection.cursor() as cursor, cursor.copy(text) as copy:
            for block in copy_stream(person, vectors):
                copy.write(block)

    def rename(self, id: int, name: str) -> None:
        """Another name for somebody. The old one is gone, as after `delete`."""
        with self._tables.change() as (connection, _):
            _, metadata = self._entry(id, self._line(connection, id))
            text = self._sql("UPDATE {people} SET line = %s WHERE id = %s")
            connection.execute(text, (line(name, metadata), int(id)))
        self._server.vacuum("people", full=True)

    def delete(self, *ids: int) -> None:
        """People are forgotten: names, metadata and templates are in no answer that begins after this
        returns, whoever asks, and not in the tables' files either. For that the tables are written anew
        (VACUUM FULL) while readers wait: some 4 s for a million templates, so delete many people at once.

        An HNSW index would have to be built anew with the templates' table. Where there is one, that table
        is therefore only vacuumed: in the index zeros take the vectors' place, but an unused part of one of
        the table's pages may keep their bytes until it is written over, or until you call `rewrite`.

        Out of reach are the server's write-ahead log (until it is recycled) and archives of it, replicas,
        backups, its own log where it holds parameters, and what a file system keeps of removed files.

        Raises GalleryError for an id that nobody has, and then forgets nobody; and where the rows are
        deleted but the files cannot be rewritten yet.
        """
        for id in ids:
            if not possible(id):
                raise self._nobody(id)
        if ids:
            wanted = [int(id) for id in ids]
            with self._tables.change() as (connection, _):
                text = self._sql("SELECT id FROM {people} WHERE id = ANY(%s)")
                there = {id for (id,) in connection.execute(text, [wanted])}
                for id in wanted:
                    if id not in there:
                        raise self._nobody(id)
                self._remove(connection, "= ANY(%s)", [wanted])
            self._tidy()

    def clear(self) -> None:
        """Everybody is forgotten, as by `delete`. Their ids are not given again."""
        with self._tables.change() as (connection, _):
            self._remove(connection, ">= 0", [])
        self._tidy()

    def _remove(self, connection: psycopg.Connection, which: str, values: Sequence[Any]) -> None:
        count = connection.execute(
            self._sql(f"DELETE FROM {{templates}} WHERE person {which}"), values
        ).rowcount
        connection.execute(self._sql(f"DELETE FROM {{people}} WHERE id {which}"), values)
        connection.execute(self._sql("UPDATE {about} SET templates = templates - %s"), [count])

    def _tidy(self) -> None:
        with self._server.transaction() as connection:
            state = self._tables.state(connection)
        self._server.vacuum("people", full=True)
        self._server.vacuum("templates", full=not state.indexed or state.templates == 0)

    def rewrite(self) -> None:
        """Write the tables anew, and with them the HNSW index where there is one, so that their files
        hold nothing that was deleted. Readers wait as long as it takes. Raises GalleryError as `delete`."""
        self._server.vacuum("people", full=True)
        self._server.vacuum("templates", full=True)

    # ------------------------------------------------------------------ who is it?

    def _find(self, probes: np.ndarray, k: int, score: str) -> Found:
        exact = {"max": self._searcher.nearest, "mean": self._searcher.means}[score]
        with self._server.transaction() as connection:
            state = self._tables.state(connection)
            found: builtins.list[Any] = [None] * len(probes)
            note = self._note(state) if self.search == "hnsw" else ""
            if note and score == "max":  # a mean is one of all templates: no index knows it
                found = self._searcher.by_index(connection, probes, k, state.ef_search)
            notes: builtins.list[tuple[str, ...]] = [() if one is None else (note,) for one in found]
            for i, probe in enumerate(probes):
                found[i] = found[i] or exact(connection, probe, k)
            names = self._names(connection, found)
        return Found(state.templates, found, names, notes)

    def _names(self, connection: psycopg.Connection, found) -> dict[int, str]:
        if not found:
            return {}
        ids = np.unique(np.concatenate([ids for ids, _ in found])).tolist()
        text = self._sql("SELECT id, line FROM {people} WHERE id = ANY(%s)")
        rows = connection.execute(text, [ids], binary=True)
        return {id: self._entry(id, written)[0] for id, written in rows}

    def _note(self, state: State) -> str:
        if not state.indexed:
            raise GalleryError(f"{self._where}: has no HNSW index. build_index() makes it.")
        if state.recall is None:
            return "looked up by an HNSW index whose recall was not measured: measure_recall() does that"
        return f"looked up by an HNSW index, which {state.recall}; there are {state.templates:,} now"

    def build_index(self, m: int = 16, ef_construction: int = 64, ef_search: int = 200) -> Recall:
        """Make the HNSW index that search="hnsw" uses, or make it anew; then `measure_recall`.

        m, ef_construction    pgvector's: links of each vector; how many are looked at to find them
        ef_search             how many are looked at in a search, up to 1,000: more take longer, and miss less

        Writers wait meanwhile, readers do not: 3 to 5 minutes for 200,000 templates of 128 numbers, with the
        server's settings left alone. A maintenance_work_mem that holds the index makes it faster.

        Raises GalleryError for vectors too long for it, or fewer than two of them.
        """
        if not (2 <= m <= 100 and 2 * m <= ef_construction <= 1000 and 1 <= ef_search <= MOST_LISTED):
            raise ValueError("m: 2 to 100; ef_construction: 2·m to 1,000; ef_search: 1 to 1,000.")
        if self.about.dimension > WIDEST_INDEXED:
            raise GalleryError(
                f"{self._where}: an HNSW index takes vectors of up to {WIDEST_INDEXED:,} numbers."
            )
        with self._tables.change() as (connection, _):
            if self._tables.state(connection).templates < 2:
                raise GalleryError(f"{self._where}: too few templates for an index. Enrol people first.")
            self._searcher.build(connection, m, ef_construction, ef_search)
        return self.measure_recall()

    def drop_index(self) -> None:
        """Remove the HNSW index. `delete` then rewrites all tables again."""
        with self._tables.change() as (connection, _):
            self._searcher.drop(connection)

    def measure_recall(self, vectors: Any = None) -> Recall:
        """How often the HNSW index comes up with the nearest template: stored, and told with each answer.

        vectors  (N, D) to look up, of faces that are not enrolled. None: 500 of the gallery's templates,
                 each moved as far as a photo may be and still get its name (`approximate.at_the_edge`)

        Each is also looked up exactly, so in a gallery of a million it takes minutes. Raises GalleryError
        where there is no index.
        """
        with self._server.transaction() as connection:
            state = self._tables.state(connection)
            self._note(state)
            if vectors is None:
                own = self._searcher.some(connection)
                edge = self._edge(state.templates)
                probes = at_the_edge(own, np.arange(len(own)), edge, np.random.default_rng(0))
            else:
                edge, probes = None, unit(vectors, self.about.dimension)
            counted = self._searcher.measure(connection, state.ef_search, probes)
        recall = Recall(*counted, state.templates, own=vectors is None, edge=edge)
        with self._tables.change() as (connection, _):
            connection.execute(self._sql("UPDATE {about} SET recall = %s"), [recall.to_json()])
        return recall
