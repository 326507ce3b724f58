"""The tables of a gallery in PostgreSQL. Those of one named "door" are in the schema `facelab_door`:

    about      one row: the pipeline it is bound to, the next id, the number of templates, what was
               measured of the index
    people     id bigint, line bytea: convert_from(line, 'UTF8') is {"name": …, "metadata": {…}}
    templates  row bigint (in the order of enrolment), person bigint, vector vector(D) of unit norm

Every change begins with the row of `about`, so changes to one gallery come one after the other; whoever
only reads does not wait for them, but while a deletion brings its rows out of the files.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from facelab.errors import GalleryError
from facelab.gallery.columns import UNIT_TOLERANCE
from facelab.gallery.postgres_server import Server
from facelab.gallery.recall import Recall
from facelab.gallery.store import About

if TYPE_CHECKING:
    import psycopg

FORMAT = 1

INDEX = "templates_hnsw"

WIDEST = 16_000
"""The most numbers a pgvector may have."""

_WIDEST_PLAIN = 2_000
"""The most that fit into a page of the server's, beside what else is in a row."""

# STORAGE: left alone, PostgreSQL moves vectors of more than 2 KB out of the row, and reading all of them
# took 8 times as long (D = 512). STATISTICS: those of a column would hold some of its values.
_CREATE = """
CREATE SCHEMA {schema};
CREATE TABLE {about} (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    format integer NOT NULL, embedder text NOT NULL, config text NOT NULL, dimension integer NOT NULL,
    next_id bigint NOT NULL DEFAULT 0, templates bigint NOT NULL DEFAULT 0,
    ef_search integer, recall text
);
CREATE TABLE {people} (id bigint PRIMARY KEY, line bytea NOT NULL);
CREATE TABLE {templates} (
    row bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    person bigint NOT NULL REFERENCES {people} ON DELETE CASCADE,
    vector {vector}(DIMENSION) NOT NULL CHECK (abs({norm}(vector) - 1) <= TOLERANCE)
);
CREATE INDEX ON {templates} (person);
ALTER TABLE {people} ALTER line SET STATISTICS 0;
ALTER TABLE {templates} ALTER vector SET STATISTICS 0, ALTER vector SET STORAGE KIND;
"""

_BOUND = "format, embedder, config, dimension"


class State(NamedTuple):
    """What of `about` changes, and whether there is an HNSW index."""

    templates: int
    ef_search: int
    recall: Recall | None
    indexed: bool


class Tables:
    """The tables of one gallery, made where there are none.

    wanted   what the gallery is asked to be bound to, or None
    default  what a new one is bound to then

    Raises GalleryError where they are bound to something else, or were changed by another program.
    """

    def __init__(self, server: Server, wanted: About | None, default: About):
        self._server = server
        with server.transaction(write=True) as connection:
            # One makes them, the others wait and find them.
            connection.execute("SELECT pg_advisory_xact_lock(hashtext('facelab'))")
            has_vectors = server.find_pgvector(connection)
            named = "SELECT FROM pg_namespace WHERE nspname = %s"
            if not connection.execute(named, [server.schema]).rowcount:
                self._create(connection, wanted or default)
            elif not has_vectors:
                raise server.changed("the extension vector is gone")
        with server.transaction() as connection:
            row = connection.execute(server.sql(f"SELECT {_BOUND} FROM {{about}}")).fetchone()
            self.about = About(*row[1:]) if row else default
            self._check(row)
            text = server.sql("SELECT templates, (SELECT count(*) FROM {templates}) FROM {about}")
            counted, there = connection.execute(text).fetchone() or (0, 0)
        if wanted not in (None, self.about):
            raise GalleryError(
                f"{server.where}: holds vectors of {self.about}, and {wanted} was asked for. Open it "
                "without naming one, or give the new gallery another name=."
            )
        if counted != there:
            raise GalleryError(
                f"{server.where}: has {there:,} templates where facelab counted {counted:,}: another "
                f"program changed them. If that was meant, run: UPDATE {server.schema}.about SET templates = "
                f"(SELECT count(*) FROM {server.schema}.templates)"
            )

    def _create(self, connection: psycopg.Connection, about: About) -> None:
        if about.dimension > WIDEST:
            raise GalleryError(f"{self._server.where}: pgvector takes vectors of up to {WIDEST:,} numbers.")
        self._server.create_pgvector(connection)
        kind = "PLAIN" if about.dimension <= _WIDEST_PLAIN else "EXTERNAL"
        text = _CREATE.replace("DIMENSION", str(about.dimension)).replace("KIND", kind)
        connection.execute(self._server.sql(text.replace("TOLERANCE", str(UNIT_TOLERANCE))))
        insert = self._server.sql(f"INSERT INTO {{about}} ({_BOUND}) VALUES (%s, %s, %s, %s)")
        connection.execute(insert, (FORMAT, *about))

    def _check(self, row: Sequence[Any] | None) -> Sequence[Any]:
        """GalleryError unless `about` says of format and pipeline what it said when it was opened."""
        if row is None:
            raise self._server.changed("about has no row")
        if row[0] != FORMAT:
            raise GalleryError(
                f"{self._server.where}: is of format {row[0]}, and this facelab reads {FORMAT}. "
                "Update facelab."
            )
        if (now := About(*row[1:4])) != self.about:
            raise GalleryError(
                f"{self._server.where}: held vectors of {self.about} when it was opened, and now of "
                f"{now}. Open it again."
            )
        return row[4:]

    def state(self, connection: psycopg.Connection) -> State:
        text = self._server.sql(
            f"SELECT {_BOUND}, templates, ef_search, recall, "
            "(SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass(%s)) FROM {about}"
        )
        row = connection.execute(text, [f"{self._server.schema}.{INDEX}"]).fetchone()
        templates, ef_search, recall, valid = self._check(row)
        try:
            measured = None if recall is None else Recall.from_json(recall)
        except ValueError as error:
            raise self._server.changed(f"recall in about: {error}") from error
        return State(templates, ef_search or 0, measured, bool(valid and ef_search))

    @contextmanager
    def change(self, people: int = 0, templates: int = 0) -> Iterator[tuple[psycopg.Connection, int]]:
        """A transaction in which nobody else changes this gallery, and the first of the ids it may give.

        people, templates  how many will be added
        """
        text = self._server.sql(
            "UPDATE {about} SET next_id = next_id + %(people)s, templates = templates + %(templates)s "
            f"RETURNING {_BOUND}, next_id - %(people)s"
        )
        with self._server.transaction(write=True) as connection:
            row = connection.execute(text, {"people": people, "templates": templates}).fetchone()
            (first,) = self._check(row)
            yield connection, first
