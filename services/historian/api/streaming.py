"""Streaming: answers that take long, each on a connection of its own that ends with it and can be ended from outside.

One of the places that know a driver: psycopg2, whose COPY gives CSV, and ADBC, which gives Arrow. Neither binds parameters in
what it streams, so that values become literals by psycopg2's own quoting, on a connection that says how.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Final

import adbc_driver_manager
import psycopg2
import pyarrow as pa
import sqlalchemy as sa
from adbc_driver_postgresql import dbapi as adbc
from psycopg2.extensions import connection as PsycopgConnection  # noqa: N812  # the driver's class
from psycopg2.extensions import make_dsn

from historian.api.formats.sink import Sink, as_file
from historian.api.questions.question import Question
from historian.api.reading import Stopped, session_options
from historian.database import keeping_alive

BATCH_BYTES = 1024 * 1024
"""Of rows that come at once: the first byte waits for so many, and memory holds a few of them."""
_BATCH_HINT: Final = "adbc.postgresql.batch_size_hint_bytes"


_STREAMED: Final = (
    "-c datestyle=ISO -c standard_conforming_strings=on -c extra_float_digits=1"  # how values are written, and quoted
    " -c synchronize_seqscans=off"  # rows as they are stored, each time the same
    " -c work_mem=64MB"  # a month's reports stay in memory, or a disk would be written before the first row is told
)
APPLICATION = "dotbus historian-api stream"


class StreamFailed(Exception):
    """The database did not give the rest of an answer, or none of it.

    Attributes:
        state: its SQLSTATE; empty where it said nothing.
    """

    def __init__(self, cause: str, state: str = "") -> None:
        super().__init__(cause)
        self.state = state


class Interruption:
    """Ends, from any thread, the statement that runs and every one that would come after it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._cancel: Callable[[], None] | None = None
        self.given = False

    def give(self) -> None:
        """End it. Takes as long as the database takes to hear of it."""
        with self._lock:
            self.given = True
            if self._cancel:
                self._cancel()

    @contextmanager
    def ends(self, cancel: Callable[[], None]) -> Iterator[None]:
        """Say how to end what is done here.

        Raises:
            Stopped: it was given already.
        """
        with self._lock:
            if self.given:
                raise Stopped
            self._cancel = cancel
        try:
            yield
        finally:
            with self._lock:
                self._cancel = None


@dataclass(frozen=True)
class Streaming:
    """Answers in a stream.

    Args:
        dsn: libpq's connection string, with everything that the session needs.
    """

    dsn: str

    def copy(self, sql: str, question: Question, sink: Sink, interruption: Interruption) -> None:
        """Write what the SQL gives as CSV with a header, as PostgreSQL writes it.

        Raises:
            StreamFailed: the database gave no more.
            Stopped: the interruption was given.
        """
        with self.connected() as connection, interruption.ends(connection.cancel), connection.cursor() as cursor:
            statement = f"COPY ({literal(connection, sql, question)}) TO STDOUT (FORMAT csv, HEADER)"
            with as_file(sink) as file:
                cursor.copy_expert(statement, file)

    @contextmanager
    def batches(self, sql: str, question: Question, interruption: Interruption) -> Iterator[pa.RecordBatchReader]:
        """What the SQL gives as batches of rows, each read when it is asked for.

        Raises:
            StreamFailed: the database gave no more.
            Stopped: the interruption was given.
        """
        with self.connected() as quoting:
            statement = literal(quoting, sql, question)
        try:
            with self._cursor() as cursor, interruption.ends(cursor.adbc_cancel):
                cursor.execute(statement)
                with closing(cursor.fetch_record_batch()) as reader:
                    yield reader
        except (adbc_driver_manager.Error, pa.ArrowException, OSError) as error:
            raise _failed(error, getattr(error, "sqlstate", None)) from error

    @contextmanager
    def _cursor(self) -> Iterator[adbc.Cursor]:
        with adbc.connect(self.dsn, autocommit=True) as connection, connection.cursor() as cursor:
            cursor.adbc_statement.set_options(**{_BATCH_HINT: str(BATCH_BYTES)})
            yield cursor

    @contextmanager
    def connected(self) -> Iterator[PsycopgConnection]:
        """A connection, as streams have one."""
        try:
            with closing(psycopg2.connect(self.dsn)) as connection:
                connection.set_session(autocommit=True)
                yield connection
        except psycopg2.Error as error:
            raise _failed(error, error.pgcode) from error


def literal(connection: PsycopgConnection, sql: str, question: Question) -> str:
    """SQL with the question's parameters as literals, for statements that take no others."""
    with connection.cursor() as cursor:
        return cursor.mogrify(sql, dict(question.parameters)).decode()


def session_dsn(address: str, schema: str, *, password: str | None = None, timeout_s: float) -> str:
    """The connection string of a session that only reads, and that ends what takes longer."""
    given = sa.make_url(address)
    url = given.set(password=password or given.password)
    arguments = {**url.translate_connect_args(username="user", database="dbname"), **url.query}
    own = {**keeping_alive(APPLICATION), "options": f"{session_options(given, schema, timeout_s)} {_STREAMED}"}
    return str(make_dsn(**{**arguments, **own}))


def _failed(error: Exception, state: str | None) -> StreamFailed:
    return StreamFailed(" ".join(str(error).split())[:500], state or "")
