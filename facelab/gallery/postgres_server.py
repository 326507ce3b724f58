"""A PostgreSQL server with pgvector, as `postgres.PostgresGallery` needs it: a connection, transactions,
errors in words, vectors as the server's bytes.

The password stays inside the connection string and is in no message, not even where it was written
without escapes, so that a piece of it would pass for the host.
"""

from __future__ import annotations

import os
import re
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from facelab.errors import FacelabError, GalleryError

if TYPE_CHECKING:
    import psycopg
    from psycopg.sql import Composed

PATIENCE = 60
"""Seconds to wait for another program's lock; and a transaction's idleness before the server ends it."""

_SETTINGS = {
    "lock_timeout": f"{PATIENCE}s",
    "idle_in_transaction_session_timeout": f"{PATIENCE}s",
    "tcp_keepalives_idle": f"{PATIENCE}",  # else it takes hours to notice that a client's machine died
}

_PAUSES = (0, 0.1, 0.5, 2, 5)
"""Seconds before each attempt to bring deleted rows out of the files that somebody may still see."""

_REMEDIES = {
    "42501": "That needs a right which this user lacks: the owner of the tables can GRANT it",
    "55P03": "Another program holds the tables. Try again, or look in pg_stat_activity who that is",
    "25006": "This server only answers queries. Give the address of the one that is written to",
    "53100": "Nothing was changed. Make room on the server's disk",
    "57014": "Nothing was changed. The server stopped it (statement_timeout?)",
}
_CHANGED = {
    *("3F000", "42P01", "42703", "42704", "42804", "42883"),  # no such schema, table, column, type …
    *("22000", "22P03", "23502", "23503", "23505", "23514"),  # rows that the tables do not take
}


def psycopg_here() -> Any:
    """The driver. Raises FacelabError where it is not installed."""
    try:
        import psycopg
    except ImportError as error:
        raise FacelabError(
            f"PostgreSQL is spoken to by psycopg, which cannot be imported ({error}). "
            "Run: pip install 'facelab[postgres]'"
        ) from error
    return psycopg


class Server:
    """One connection, made when first needed and made anew where it was lost, for one thread at a time.

    dsn      a libpq connection string, "postgresql://user@host/db" or "host=… dbname=…"
    gallery  the name that messages begin with
    schema   where the tables are
    timeout  seconds to wait for a connection
    mutex    what the threads take turns by

    Raises GalleryError for a `dsn` that is none, FacelabError without psycopg.
    """

    def __init__(self, dsn: str, gallery: str, schema: str, timeout: float, mutex: threading.RLock):
        self._psycopg = psycopg_here()
        self._dsn, self.schema, self._timeout = dsn, schema, timeout
        self.where = f"gallery {gallery!r} at {self._name_of(dsn)}"
        self.mutex = mutex
        self._connection: psycopg.Connection | None = None
        self._closed = False
        self._pid = os.getpid()
        self._names: dict[str, Any] = {}

    def _name_of(self, dsn: str) -> str:
        """user@host:port/db: of the connection string what may be shown."""
        from psycopg.conninfo import conninfo_to_dict

        try:
            told = {key: str(value) for key, value in conninfo_to_dict(dsn).items()}
        except self._psycopg.Error:
            told = None  # and not a word of the parser's, which may quote the password
        host, port, db = ((told or {}).get(key, "") for key in ("host", "port", "dbname"))
        if told is None or not re.fullmatch(r"[\d,]*", port) or "@" in host + db:
            raise GalleryError(
                "dsn is no connection string of libpq. Such a one is postgresql://user:password@host/db (in "
                "a password, @ is written %40, / %2F, : %3A and % %25) or host=… dbname=… user=…"
            )
        user, host = told.get("user", ""), host or told.get("hostaddr", "") or "this machine"
        return f"{user}{'@' * bool(user)}{host}{':' * bool(port)}{port}/{db}".rstrip("/")

    # ------------------------------------------------------------------ the connection

    def close(self) -> None:
        with self.mutex:
            self._closed = True
            if self._connection is not None:
                self._connection.close()

    @property
    def closed(self) -> bool:
        return self._closed

    def connection(self) -> psycopg.Connection:
        """Raises GalleryError where there is no server, or none that lets us in."""
        if self._closed:
            raise GalleryError(f"{self.where}: is closed. Open it again.")
        if self._pid != os.getpid():
            raise GalleryError(
                f"{self.where}: was opened before this process was forked, and two cannot share a "
                "connection. Open it in this one."
            )
        with self.mutex:
            if self._connection is None or self._connection.closed:
                self._connection = self._connect()
            return self._connection

    def _connect(self) -> psycopg.Connection:
        try:
            # A prepared statement would keep the plan that one kind of search wants, for the other.
            connection = self._psycopg.connect(
                self._dsn,
                autocommit=True,
                prepare_threshold=None,
                client_encoding="utf8",
                connect_timeout=self._timeout,
            )
            for key, value in _SETTINGS.items():
                connection.execute("SELECT set_config(%s, %s, false)", (key, value))
        except self._psycopg.Error as error:
            spoke = error.pgconn
            remedy = (
                "Are user, database and password right? A password may be in dsn, PGPASSWORD or ~/.pgpass."
                if spoke is not None and (spoke.needs_password or spoke.used_password)
                else "Is a server started there, and are host, port, user and database right? "
                "docs/postgres.md says how to start one."
            )
            text = f"{self.where}: cannot be connected to ({words(error)}). {remedy}"
        else:
            return connection
        raise GalleryError(text)  # with no trace of what psycopg was given

    @contextmanager
    def transaction(self, write: bool = False) -> Iterator[psycopg.Connection]:
        """All or nothing. Without `write`, all of it sees the tables as they are at its first query.

        Raises GalleryError for whatever the server has to say.
        """
        with self.mutex, self.speaking():
            connection = self.connection()
            with connection.transaction():
                if not write:
                    connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
                yield connection

    @contextmanager
    def speaking(self) -> Iterator[None]:
        """The server's errors as GalleryError, with what to do."""
        try:
            yield
        except self._psycopg.Error as error:
            said = words(error)
            if self._connection is not None and self._connection.closed and not self._closed:
                raise GalleryError(
                    f"{self.where}: the connection was lost ({said}). A change under way was done whole "
                    "or not at all, so look before you repeat it; the next call connects anew."
                ) from error
            if error.sqlstate in _CHANGED:
                raise self.changed(said) from error
            remedy = _REMEDIES.get(error.sqlstate or "", "Nothing was changed")
            raise GalleryError(f"{self.where}: {said}. {remedy}.") from error

    def changed(self, what: str) -> GalleryError:
        return GalleryError(
            f"{self.where}: its tables are not as facelab left them ({what}): another program changed "
            f'them. Restore the schema "{self.schema}" from a backup, or drop it and enrol anew.'
        )

    # ------------------------------------------------------------------ SQL

    def sql(self, text: str) -> Composed:
        """SQL in which {people}, {templates}, … stand for the tables, and {vector}, {ip}, {norm} for
        what pgvector defines. Everything is named in full: the search path is somebody else's."""
        from psycopg.sql import SQL, Identifier

        if not self._names:
            tables = ("about", "people", "templates")
            self._names = {name: Identifier(self.schema, name) for name in tables}
            self._names["schema"] = Identifier(self.schema)
        return SQL(text).format(**self._names)  # type: ignore[arg-type]  # the text is facelab's own

    def find_pgvector(self, connection: psycopg.Connection) -> bool:
        """Whether the database has the extension, and in which schema."""
        from psycopg.sql import SQL, Identifier

        found = connection.execute(
            "SELECT nspname FROM pg_extension e JOIN pg_namespace n ON n.oid = extnamespace "
            "WHERE extname = 'vector'"
        ).fetchone()
        if found is not None:
            self.sql("")
            self._names["ip"] = SQL("OPERATOR({}.<#>)").format(Identifier(found[0]))
            for key, name in (("vector", "vector"), ("norm", "vector_norm"), ("ops", "vector_ip_ops")):
                self._names[key] = Identifier(found[0], name)
        return found is not None

    def create_pgvector(self, connection: psycopg.Connection) -> None:
        """Raises GalleryError where it is not installed, or may not be created."""
        try:
            connection.execute("CREATE EXTENSION IF NOT EXISTS vector")
        except self._psycopg.errors.InsufficientPrivilege as error:
            raise GalleryError(
                f"{self.where}: the database lacks pgvector, and this user may not add it "
                f"({words(error)}). Let the database's owner run: CREATE EXTENSION vector"
            ) from error
        except (self._psycopg.errors.FeatureNotSupported, self._psycopg.errors.UndefinedFile) as error:
            raise GalleryError(
                f"{self.where}: the server lacks pgvector ({words(error)}). On its machine run: apt "
                "install postgresql-16-pgvector (with its version), or take the image pgvector/pgvector."
            ) from error
        self.find_pgvector(connection)

    # ------------------------------------------------------------------ files

    def vacuum(self, table: str, full: bool = False) -> None:
        """Take deleted rows out of a table; `full` writes a new file without them in place of the old.

        Raises GalleryError where the server did not, or had to keep them because an older transaction
        may still see them.
        """
        why = "a transaction that began before may still see it (pg_stat_activity shows which)"
        with self.mutex:
            connection = self.connection()
            for pause in _PAUSES:
                time.sleep(pause)
                try:
                    if not self._vacuum(connection, table, full):
                        return
                except self._psycopg.Error as error:
                    why = words(error)
                    break
        raise GalleryError(
            f"{self.where}: done, and no query shows what was deleted; but it is still in the server's "
            f"files: {why}. Call rewrite() when that is over."
        )

    def _vacuum(self, connection: psycopg.Connection, table: str, full: bool) -> int:
        """How many deleted rows had to be kept; known only of `full`."""
        said: list[tuple[str | None, str, str]] = []

        def hear(told) -> None:
            text, detail = told.message_primary, told.message_detail
            said.append((told.severity_nonlocalized, text or "", detail or ""))

        connection.add_notice_handler(hear)
        try:
            options = "FULL, VERBOSE" if full else "VERBOSE"
            connection.execute(self.sql(f"VACUUM ({options}) {{{table}}}"))
        finally:
            connection.remove_notice_handler(hear)
        for severity, text, _ in said:
            if severity == "WARNING":  # to pass over what one does not own is no error to the server
                raise self._psycopg.errors.InsufficientPrivilege(text)
        # "3 dead row versions cannot be removed yet", in the server's language
        counts = (re.match(r"\D*(\d+)", detail) for *_, detail in said) if full else ()
        return sum(int(count[1]) for count in counts if count)


def words(error: Exception) -> str:
    """What psycopg says, in one line."""
    return " ".join(str(error).split()) or type(error).__name__


# ---------------------------------------------------------------------- vectors


def literal(vector: np.ndarray) -> str:
    """(D,) float32 as pgvector reads it, every bit of it."""
    return "[" + ",".join(map(repr, vector.tolist())) + "]"


def unpack(cells: list[bytes], dimension: int) -> np.ndarray:
    """(n, D) float32 of what pgvector sends: two 16-bit numbers (D and 0), D floats, all big-endian.
    Raises ValueError for vectors of another length."""
    if any(len(cell) != 4 + 4 * dimension for cell in cells):
        raise ValueError(f"vectors that have not {dimension} numbers")
    row = np.dtype([("head", "V4"), ("vector", ">f4", (dimension,))])
    return np.frombuffer(b"".join(cells), row)["vector"].astype(np.float32)


def copy_stream(person: np.ndarray, vectors: np.ndarray) -> Iterator[bytes]:
    """Templates (n,) int64 and (n, D) float32 as `COPY … (person, vector) FROM STDIN (FORMAT BINARY)`
    takes them: of each row the number of its fields, and of each field its length and its bytes."""
    dimension = vectors.shape[1]
    head = [("fields", ">i2"), ("bytes", ">i4"), ("person", ">i8"), ("size", ">i4")]
    row = np.dtype([*head, ("dimension", ">i2"), ("zero", ">i2"), ("vector", ">f4", (dimension,))])
    yield b"PGCOPY\n\xff\r\n\0" + struct.pack(">ii", 0, 0)
    for start in range(0, len(person), 4096):
        rows = np.zeros(len(person[start : start + 4096]), row)
        rows["fields"], rows["bytes"] = 2, 8
        rows["size"], rows["dimension"] = 4 + 4 * dimension, dimension
        rows["person"], rows["vector"] = person[start : start + 4096], vectors[start : start + 4096]
        yield rows.tobytes()
    yield struct.pack(">h", -1)
