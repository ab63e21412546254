"""Reading: the database as the API has it: it can read and nothing else. The API's only door to the driver.

Every connection is read-only and ends a statement that takes too long. Whoever reads can be told to stop from another thread:
the statement is then cancelled at the database.
"""

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import cast

import psycopg2
import psycopg2.extensions
import sqlalchemy as sa

from historian.api.problems import Problem, Sort
from historian.database import keeping_alive

APPLICATION = "dotbus historian-api"
WAIT_FOR_CONNECTION_S = 10.0
RETRY_AFTER_S = 5
_CANCELLED = "57014"
_NO_SUCH_THING = frozenset({"42P01", "42883", "42703", "3F000"})
"""A table, function, column or schema that is not there: the historian has not made the tables of this version yet."""
_BLAMES_WHAT_WAS_ASKED = "22"

Row = tuple[object, ...]


class Stopped(Exception):
    """Whoever asked is not there any more."""


class Reading:
    """One connection while it is read from. `stop` may be called from any thread, whenever."""

    def __init__(self, driver: psycopg2.extensions.connection) -> None:
        self.driver = driver
        self._lock = threading.Lock()
        self._is_over = False
        self.is_stopped = False

    def rows(self, sql: str, parameters: Mapping[str, object]) -> Sequence[Row]:
        """Every row of a statement.

        Raises:
            Stopped: it was told to stop.
        """
        if self.is_stopped:
            raise Stopped
        with self.driver.cursor() as cursor:
            cursor.execute(sql, dict(parameters))
            return cursor.fetchall()

    def stop(self) -> None:
        """Cancel what is asked now, and ask nothing more."""
        with self._lock:
            self.is_stopped = True
            if not self._is_over:
                with suppress(psycopg2.Error):  # the connection is gone, and its statement with it
                    self.driver.cancel()

    @property
    def is_clean(self) -> bool:
        """Whether the next one may have the connection: no statement is left over, and no word to cancel one is on its way."""
        return not self.is_stopped and self.driver.get_transaction_status() == psycopg2.extensions.TRANSACTION_STATUS_IDLE

    def end(self) -> None:
        """It is not read from any more: a stop must not reach who has the connection next."""
        with self._lock:
            self._is_over = True


class Reader:
    """Connections of a user who may read.

    Args:
        address: postgresql://USER:PASSWORD@HOST:PORT/DATABASE, with libpq's options as its query.
        schema: where the tables are.
        password: in place of the address's own.
        connections: at once, at most.
        statement_timeout_s: a statement that takes longer is cancelled.
    """

    def __init__(
        self, address: str, schema: str, *, password: str | None, connections: int, statement_timeout_s: float
    ) -> None:
        given = sa.make_url(address)
        self.url = given.set(drivername="postgresql+psycopg2", password=password or given.password)
        self.options = session_options(given, schema, statement_timeout_s)
        self._engine = sa.create_engine(
            self.url,
            isolation_level="AUTOCOMMIT",
            pool_size=connections,
            max_overflow=0,
            pool_timeout=WAIT_FOR_CONNECTION_S,
            pool_pre_ping=True,
            connect_args={**keeping_alive(APPLICATION), "options": self.options},
        )

    @contextmanager
    def reading(self) -> Iterator[Reading]:
        """A connection.

        Raises:
            Problem: the database is away, or took too long.
            Stopped: who asked went away.
        """
        with _told():
            pooled = self._engine.raw_connection()
            reading = Reading(cast("psycopg2.extensions.connection", pooled.driver_connection))
            try:
                yield reading
            finally:
                reading.end()
                if not reading.is_clean:
                    pooled.invalidate()
                pooled.close()

    def close(self) -> None:
        """Close every connection."""
        self._engine.dispose()


@contextmanager
def _told() -> Iterator[None]:
    """Faults of the database as problems. What it says itself is not told: it may name what is nobody's business."""
    try:
        yield
    except sa.exc.TimeoutError as error:
        raise Problem(Sort.BUSY, "every connection to the database is in use; ask again later", retry_after_s=1) from error
    except (psycopg2.Error, sa.exc.SQLAlchemyError) as error:
        raise problem_of(getattr(getattr(error, "orig", None) or error, "pgcode", None)) from error


def problem_of(state: str | None) -> Problem:
    """What a fault of the database is to who asked, by its SQLSTATE; none is one that no longer answers."""
    if state == _CANCELLED:
        return Problem(
            Sort.TOO_SLOW, "the database needed too long and was told to stop; ask for a shorter range or less of it"
        )
    if state in _NO_SUCH_THING:
        detail = "the tables are not there yet, or of another version: see that the historian of this version has started once"
        return Problem(Sort.DATABASE_AWAY, detail, retry_after_s=RETRY_AFTER_S)
    if (state or "")[:2] == _BLAMES_WHAT_WAS_ASKED:
        return Problem(Sort.BAD_PARAMETER, "a value is none that the database can hold")
    return Problem(Sort.DATABASE_AWAY, "the database does not answer; ask again later", retry_after_s=RETRY_AFTER_S)


def session_options(url: sa.URL, schema: str, statement_timeout_s: float) -> str:
    """What every session of the API is told: to read only, and to end what takes longer."""
    asked = url.query.get("options", "")
    escaped = schema.replace("\\", "\\\\").replace(" ", "\\ ")
    options = [
        "-c default_transaction_read_only=on",
        f"-c statement_timeout={round(statement_timeout_s * 1000)}",
        "-c idle_in_transaction_session_timeout=10s",
        "-c timezone=UTC",
        "-c client_encoding=UTF8",
        "-c max_parallel_workers_per_gather=0",  # others ask as well
        "-c jit=off",  # to compile a statement takes longer than its first rows may
        f"-c search_path={escaped}",
    ]
    return " ".join([str(asked), *options]).strip()
