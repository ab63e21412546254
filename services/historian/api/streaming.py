"""Streaming: answers that take long, each on a connection of its own that ends with it and can be ended from outside.

One of the places that know a driver: psycopg2, whose COPY gives CSV, and ADBC, which gives Arrow. Neither binds parameters in
what it streams, so that values become literals by psycopg2's own quoting, on a connection that says how. ADBC is asked by its
own interface: that of Python's databases loads pandas, polars and Arrow's data sets where they are, which is 75 MiB.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from typing import Final

import adbc_driver_manager as adbc
import adbc_driver_postgresql
import psycopg2
import pyarrow as pa
import sqlalchemy as sa
from psycopg2.extensions import connection as PsycopgConnection  # noqa: N812  # the driver's class
from psycopg2.extensions import make_dsn

from historian.api.formats.sink import Sink, as_file
from historian.api.pulse import Wires
from historian.api.questions.question import Question
from historian.api.reading import Stopped, only_what_can_be_held, session_options
from historian.database import keeping_alive

BATCH_BYTES = 1024 * 1024
"""Of rows that come at once: the first byte waits for so many, and memory holds a few of them."""
_BATCH_HINT: Final = "adbc.postgresql.batch_size_hint_bytes"


_STREAMED: Final = (
    "-c datestyle=ISO -c standard_conforming_strings=on -c extra_float_digits=1"  # how values are written, and quoted
    " -c synchronize_seqscans=off"  # rows as they are stored, each time the same
    " -c random_page_cost=4"  # all rows of a range are read from a disk one after the other
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
        """End it. Takes as long as the database takes to hear of it, and may come between two statements: give it again."""
        with self._lock:
            self.given = True
            if self._cancel:
                with suppress(psycopg2.Error, adbc.Error):  # the connection is gone, and its statement with it
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
        wires: the sockets of psycopg2's connections, for whoever cuts them. ADBC tells none of its own.
    """

    dsn: str
    wires: Wires = field(default_factory=Wires)

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
            with self._statement() as asked, interruption.ends(asked.cancel):
                asked.set_sql_query(statement)
                stream, _rows = asked.execute_query()
                with closing(pa.RecordBatchReader.from_stream(stream)) as reader:
                    yield reader
        except (adbc.Error, pa.ArrowException, OSError) as error:
            raise _failed(error, getattr(error, "sqlstate", None)) from error

    @contextmanager
    def _statement(self) -> Iterator[adbc.AdbcStatement]:
        with (
            adbc_driver_postgresql.connect(self.dsn) as database,
            adbc.AdbcConnection(database) as connection,
            adbc.AdbcStatement(connection) as statement,
        ):
            statement.set_options(**{_BATCH_HINT: str(BATCH_BYTES)})
            yield statement

    @contextmanager
    def connected(self) -> Iterator[PsycopgConnection]:
        """A connection, as streams have one."""
        try:
            with closing(psycopg2.connect(self.dsn)) as connection:
                connection.set_session(autocommit=True)
                self.wires.add(connection)
                try:
                    yield connection
                finally:
                    self.wires.remove(connection)
        except psycopg2.Error as error:
            raise _failed(error, error.pgcode) from error


def literal(connection: PsycopgConnection, sql: str, question: Question) -> str:
    """SQL with the question's parameters as literals, for statements that take no others.

    Raises:
        Problem: no statement can say one of them.
    """
    with connection.cursor() as cursor, only_what_can_be_held():
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
