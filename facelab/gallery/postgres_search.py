"""Who is nearest, asked of PostgreSQL: exactly, through every template; or by pgvector's HNSW index.

pgvector's float32 decides who comes into question, float64 decides, as in `facelab.gallery.search`: in
float32 the cosine of two unit vectors is off by less than `margin`. So the nearest templates are fetched,
more and more of them, until there are k people whose float64 cosine lies above anything that was not fetched.

The index comes up with at most `hnsw.ef_search` templates, and now and then misses the nearest. Where they
are of fewer than k people, the search is exact instead.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from facelab.errors import GalleryError
from facelab.gallery.exact import best, cosines, margin, means
from facelab.gallery.postgres_server import Server, literal, unpack
from facelab.gallery.postgres_tables import INDEX

if TYPE_CHECKING:
    import psycopg

WIDEST_INDEXED = 2_000
"""The most numbers that a vector in an HNSW index may have."""

MOST_LISTED = 1_000
"""The largest hnsw.ef_search."""

LOOKUPS = 500
"""How many of the gallery's templates are looked up to count recall."""

_GROWTH = 16  # each step reads all templates again, and a row more costs little
_AT_ONCE = 2**14

# An index can serve what is ordered by the distance itself, so `0 +` keeps it out.
_NEAREST = """SELECT person, vector, {zero}(vector {ip} %(probe)s::{vector}) AS distance
FROM {templates} ORDER BY distance LIMIT %(count)s"""

_MEANS = """SELECT person, avg(-(vector {ip} %(probe)s::{vector})) AS mean
FROM {templates} GROUP BY person ORDER BY mean DESC LIMIT %(count)s"""

_RECALL = """WITH sample AS MATERIALIZED (
    SELECT given::{vector} AS vector FROM unnest(%(given)s::text[]) given
) SELECT count(*) FILTER (WHERE near.distance <= exact.distance), count(*) FROM sample s
CROSS JOIN LATERAL (SELECT min(distance) AS distance FROM (
    SELECT t.vector {ip} s.vector AS distance FROM {templates} t ORDER BY distance LIMIT %(count)s
) listed) near
CROSS JOIN LATERAL (SELECT min(0 + (t.vector {ip} s.vector)) AS distance FROM {templates} t) exact"""

_SOME = "SELECT vector FROM {templates} ORDER BY hashint8(row) LIMIT %s"


class Search:
    """Look-ups in the tables of one server, within a transaction of the caller's."""

    def __init__(self, server: Server, dimension: int):
        self._server, self._dimension = server, dimension

    # ------------------------------------------------------------------ exact

    def nearest(
        self, connection: psycopg.Connection, probe: np.ndarray, k: int, most: int | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """The k people with the largest cosine to (D,) float32: ids and cosines, as `exact.best`.

        most  so many templates the index is asked for, and they may be of fewer people; None: no index
        """
        text = self._server.sql(_NEAREST.replace("{zero}", "0 + " if most is None else ""))
        count = 4 * k + 8
        while True:
            count = count if most is None else min(count, most)
            rows = self._rows(connection, text, probe, count)
            person = np.array([row[0] for row in rows], np.int64)
            ids, scores = best(person, self._cosines([row[1] for row in rows], probe), k)
            fetched_all = len(rows) < count or count == most
            if fetched_all or (len(ids) == k and scores[-1] > -rows[-1][2] + margin(self._dimension)):
                return ids, scores
            count *= _GROWTH

    def means(
        self, connection: psycopg.Connection, probe: np.ndarray, k: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """As `nearest`, by the mean of each person's cosines."""
        text = self._server.sql(_MEANS)
        theirs = self._server.sql("SELECT person, vector FROM {templates} WHERE person = ANY(%s)")
        count = k + 8
        while True:
            people = self._rows(connection, text, probe, count)
            if not people:
                return np.empty(0, np.int64), np.empty(0)
            rows = connection.execute(theirs, [[row[0] for row in people]], binary=True).fetchall()
            person = np.array([row[0] for row in rows], np.int64)
            order = np.argsort(person, kind="stable")
            owners, starts = np.unique(person[order], return_index=True)
            own = np.split(self._cosines([row[1] for row in rows], probe)[order], starts[1:])
            ids, scores = best(owners, means(own), k)
            if len(people) < count or scores[-1] > people[-1][1] + margin(self._dimension):
                return ids, scores
            count *= _GROWTH

    def _rows(self, connection: psycopg.Connection, text: Any, probe: np.ndarray, count: int) -> list[Any]:
        values = {"probe": literal(probe), "count": count}
        return connection.execute(text, values, binary=True).fetchall()

    def _cosines(self, cells: list[bytes], probe: np.ndarray) -> np.ndarray:
        parts = [cells[start : start + _AT_ONCE] for start in range(0, len(cells), _AT_ONCE)]
        try:
            found = [cosines(unpack(part, self._dimension), probe) for part in parts]
        except ValueError as error:
            raise self._server.changed(str(error)) from error
        return np.concatenate(found) if found else np.empty(0)

    # ------------------------------------------------------------------ by the index

    def by_index(
        self, connection: psycopg.Connection, probes: np.ndarray, k: int, ef_search: int
    ) -> list[tuple[np.ndarray, np.ndarray] | None]:
        """Of each probe (B, D) the people nearest to it; None where the index finds fewer than k."""
        most = max(ef_search, min(4 * k + 8, MOST_LISTED))
        self._prefer_index(connection, most)
        found = [self.nearest(connection, probe, k, most) for probe in probes]
        connection.execute("SET LOCAL enable_seqscan = on")
        return [answer if len(answer[0]) == k else None for answer in found]

    def _prefer_index(self, connection: psycopg.Connection, ef_search: int) -> None:
        """In a small table the planner would rather read everything."""
        connection.execute(
            "SELECT set_config('hnsw.ef_search', %s, true), set_config('enable_seqscan', 'off', true)",
            [str(ef_search)],
        )

    def build(self, connection: psycopg.Connection, m: int, ef_construction: int, ef_search: int) -> None:
        """A new index in the place of the old one, which serves until then."""
        execute, sql = connection.execute, self._server.sql
        execute(sql("LOCK TABLE {templates} IN SHARE MODE"))
        execute(
            sql(
                f"CREATE INDEX {INDEX}_new ON {{templates}} USING hnsw (vector {{ops}}) "
                f"WITH (m = {m:d}, ef_construction = {ef_construction:d})"
            )
        )
        self.drop(connection)
        execute(sql(f"ALTER INDEX {{schema}}.{INDEX}_new RENAME TO {INDEX}"))
        execute(sql("UPDATE {about} SET ef_search = %s, recall = NULL"), [ef_search])

    def drop(self, connection: psycopg.Connection) -> None:
        connection.execute(self._server.sql(f"DROP INDEX IF EXISTS {{schema}}.{INDEX}"))
        connection.execute(self._server.sql("UPDATE {about} SET ef_search = NULL, recall = NULL"))

    def some(self, connection: psycopg.Connection) -> np.ndarray:
        """(up to LOOKUPS, D) float32: templates of the gallery, the same ones while it does not change."""
        rows = connection.execute(self._server.sql(_SOME), [LOOKUPS], binary=True).fetchall()
        try:
            return unpack([cell for (cell,) in rows], self._dimension)
        except ValueError as error:
            raise self._server.changed(str(error)) from error

    def measure(self, connection: psycopg.Connection, ef_search: int, probes: np.ndarray) -> tuple[int, int]:
        """Of some look-ups, (N, D), how often the index comes up with the nearest template; and N."""
        text = self._server.sql(_RECALL)
        values = {"count": ef_search, "given": [literal(one) for one in probes]}
        self._prefer_index(connection, ef_search)
        plan = connection.execute(self._server.sql("EXPLAIN ") + text, values).fetchall()
        if not any(INDEX in step for (step,) in plan):
            raise GalleryError(
                f"{self._server.where}: the server does not use its HNSW index. Build it anew."
            )
        row = connection.execute(text, values).fetchone()
        assert row is not None, "count gives a row"
        return row
