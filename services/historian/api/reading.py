"""Reading: the database as the API has it: it can read and nothing else. The API's only door to the driver.

Every connection is read-only and ends a statement that takes too long. Whoever reads can be told to stop from another thread:
the statement is then cancelled at the database.
"""

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import partial
from typing import TypeVar, cast

import psycopg2
import psycopg2.extensions
import sqlalchemy as sa

from historian.api.problems import Problem, Sort
from historian.api.pulse import WITHIN_S, Pulse, Waits, Wires
from historian.database import keeping_alive

APPLICATION = "dotbus historian-api"
WAIT_FOR_CONNECTION_S = 10.0
RETRY_AFTER_S = 5
PLANNED_MOST = 50
"""Statements that a session keeps a plan of. They differ in what may be said of a question, not in what is: there are a few."""
_CANCELLED = "57014"
_NO_SUCH_THING = frozenset({"42P01", "42883", "42703", "3F000"})
"""A table, function, column or schema that is not there: the historian has not made the tables of this version yet."""
_BLAMES_WHAT_WAS_ASKED = "22"
_NOT_HELD = "a value is none that the database can hold"
_OVER_TIME = "so much was told that it takes too long to put it together; ask for a shorter range, or in smaller pages (limit)"

T = TypeVar("T")
Row = tuple[object, ...]


class Stopped(Exception):
    """Whoever asked is not there any more."""


class Reading:
    """One connection while it is read from. `stop` may be called from any thread, whenever.

    Args:
        driver: the connection.
        planned: the statements that its session has planned, by their SQL; it is as old as the session.
        is_over_time: whether it has been read from for too long.
        bounded: within it the driver waits for the database, and no longer than any statement may take.
    """

    def __init__(
        self,
        driver: psycopg2.extensions.connection,
        planned: dict[str, str],
        is_over_time: Callable[[], bool],
        bounded: Callable[[], AbstractContextManager[None]],
    ) -> None:
        self.driver = driver
        self._planned = planned
        self._is_over_time = is_over_time
        self._bounded = bounded
        self._has_failed = False
        self._lock = threading.Lock()
        self._is_over = False
        self.is_stopped = False

    def rows(self, sql: str, parameters: Mapping[str, object]) -> Sequence[Row]:
        """Every row of a statement.

        Raises:
            Stopped: it was told to stop.
            Problem: no statement can say one of the values.
        """
        if self.is_stopped:
            raise Stopped
        with self.driver.cursor() as cursor:
            with only_what_can_be_held():
                statement = cursor.mogrify(sql, dict(parameters))
            with self._bounded():
                cursor.execute(statement)
            return cursor.fetchall()

    def go_on(self) -> None:
        """Whether to go on making something of rows. Who does that for long asks again and again: nothing else ends it.

        Raises:
            Stopped: it was told to stop.
            Problem: it has taken too long.
        """
        if self.is_stopped:
            raise Stopped
        if self._is_over_time():
            raise Problem(Sort.TOO_SLOW, _OVER_TIME)

    def each(self, things: Iterable[T]) -> Iterator[T]:
        """Things one by one, for as long as it is to go on.

        Raises:
            Stopped, Problem: as `go_on`.
        """
        for thing in things:
            self.go_on()
            yield thing

    def rows_as_planned(self, sql: str, parameters: Mapping[str, object]) -> Sequence[Row]:
        """Every row of a statement that the session plans once, for whatever values. One that fails ends with its session.

        Raises:
            Stopped: it was told to stop.
        """
        try:
            return self.rows(self._planned.get(sql) or self._plan(sql, parameters), parameters)
        except psycopg2.Error:  # after a migration it may be the plan that does not fit any more
            self._has_failed = True
            raise

    def _plan(self, sql: str, parameters: Mapping[str, object]) -> str:
        """Plan a statement. Returns the one that has it done."""
        if len(self._planned) >= PLANNED_MOST:
            with self.driver.cursor() as cursor, self._bounded():
                cursor.execute("DEALLOCATE ALL")
            self._planned.clear()
        name = f"planned_{len(self._planned)}"
        with self.driver.cursor() as cursor, self._bounded():
            cursor.execute(f"PREPARE {name} AS {numbered(sql, parameters)}")
        values = ", ".join(f"%({parameter})s" for parameter in parameters)
        self._planned[sql] = f"EXECUTE {name}" + (f" ({values})" if values else "")
        return self._planned[sql]

    def let_stop(self) -> bool:
        """Ask nothing more, and make nothing more of rows. Returns whether a statement may be left to cancel."""
        with self._lock:
            self.is_stopped = True
            return not self._is_over

    def stop(self) -> None:
        """The same, and cancel what is asked now."""
        if self.let_stop():  # nobody has the connection after one that was stopped, so that it may end meanwhile
            with suppress(psycopg2.Error):  # the connection is gone, and its statement with it
                self.driver.cancel()

    @property
    def is_clean(self) -> bool:
        """Whether the next one may have the connection: no statement is left over, and no word to cancel one is on its way."""
        if self.is_stopped or self._has_failed:
            return False
        return self.driver.get_transaction_status() == psycopg2.extensions.TRANSACTION_STATUS_IDLE

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
        statement_timeout_s: a statement that takes longer is cancelled, and what is made of rows is ended after that time.
        monotonic: seconds that no clock change touches, by which what is made of rows is ended.
    """

    def __init__(
        self,
        address: str,
        schema: str,
        *,
        password: str | None,
        connections: int,
        statement_timeout_s: float,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._timeout_s = statement_timeout_s
        self._monotonic = monotonic
        given = sa.make_url(address)
        self.url = given.set(drivername="postgresql+psycopg2", password=password or given.password)
        self.options = session_options(given, schema, statement_timeout_s)
        arguments = {**keeping_alive(APPLICATION), "options": self.options}
        self._engine = sa.create_engine(
            self.url,
            isolation_level="AUTOCOMMIT",
            pool_size=connections,
            max_overflow=0,
            pool_timeout=WAIT_FOR_CONNECTION_S,
            connect_args=arguments,
        )
        self.wires = Wires()
        self._waits = Waits(self.wires.cut_one)
        self._pulse = Pulse(partial(_begun, self._engine, arguments), self.wires.cut, self._waits.end_overdue)
        self._watch(self._engine)

    def _watch(self, engine: sa.Engine) -> None:
        """Have the sockets of its connections, and none begun that nobody would answer."""
        sa.event.listen(engine, "do_connect", lambda *_: self.require_pulse())
        sa.event.listen(engine, "connect", lambda driver, _record: self.wires.add(driver))
        sa.event.listen(engine, "close", lambda driver, _record: self.wires.remove(driver))
        sa.event.listen(engine, "checkout", lambda driver, *_: self._require_answer(driver))

    def _require_answer(self, driver: psycopg2.extensions.connection) -> None:
        """Have the pool make another connection in the place of one that is gone, or whose session stands still."""
        try:
            with self._waits.bounded(driver, WITHIN_S), driver.cursor() as cursor:
                cursor.execute("SELECT 1")
        except psycopg2.Error as error:
            raise sa.exc.DisconnectionError from error

    def watched(self) -> AbstractContextManager[None]:
        """See meanwhile whether the database answers at all."""
        return self._pulse.felt()

    def require_pulse(self) -> None:
        """Go on where the database answers, as far as is known.

        Raises:
            Problem: it does not.
        """
        if self._pulse.is_lost:
            raise problem_of(None)

    @contextmanager
    def reading(self) -> Iterator[Reading]:
        """A connection.

        Raises:
            Problem: the database is away, does not answer, or took too long.
            Stopped: who asked went away.
        """
        self.require_pulse()
        with _told():
            pooled = self._engine.raw_connection()
            driver = cast("psycopg2.extensions.connection", pooled.driver_connection)
            bounded = partial(self._waits.bounded, driver, self._timeout_s + WITHIN_S)
            reading = Reading(driver, _planned_by(pooled), self._timer(), bounded)
            try:
                yield reading
            finally:
                reading.end()
                if not reading.is_clean:
                    pooled.invalidate()
                pooled.close()

    def _timer(self) -> Callable[[], bool]:
        until_s = self._monotonic() + self._timeout_s
        return lambda: self._monotonic() > until_s

    def close(self) -> None:
        """Close every connection."""
        self._engine.dispose()


def numbered(sql: str, parameters: Mapping[str, object]) -> str:
    """A statement as PREPARE has it: $1 and so on in the place of parameters, in their order."""
    return sql % {parameter: f"${number}" for number, parameter in enumerate(parameters, 1)}


def _begun(engine: sa.Engine, arguments: Mapping[str, object]) -> "psycopg2.extensions.connection":
    """A connection that waits for nothing; whoever began it sees to that it gets ready."""
    _, given = engine.dialect.create_connect_args(engine.url)
    return cast("psycopg2.extensions.connection", psycopg2.connect(**{**given, **arguments}, async_=True))


def _planned_by(pooled: sa.PoolProxiedConnection) -> dict[str, str]:
    planned: dict[str, str] = pooled.info.setdefault("planned", {})
    return planned


@contextmanager
def _told() -> Iterator[None]:
    """Faults of the database as problems. What it says itself is not told: it may name what is nobody's business."""
    try:
        yield
    except sa.exc.TimeoutError as error:
        raise Problem(Sort.BUSY, "every connection to the database is in use; ask again later", retry_after_s=1) from error
    except (psycopg2.Error, sa.exc.SQLAlchemyError) as error:
        raise problem_of(getattr(getattr(error, "orig", None) or error, "pgcode", None)) from error


@contextmanager
def only_what_can_be_held() -> Iterator[None]:
    """Bind values, of which one may be no text of the database: U+0000 or half a surrogate pair, also out of a page key.

    Raises:
        Problem: one is.
    """
    try:
        yield
    except ValueError as error:  # the driver's own word for it
        raise Problem(Sort.BAD_PARAMETER, _NOT_HELD) from error


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
        return Problem(Sort.BAD_PARAMETER, _NOT_HELD)
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
        "-c plan_cache_mode=force_generic_plan",  # what is planned once is not planned again for its values
        "-c random_page_cost=1.1",  # most is in memory: a price's report is looked up, and not all of them are gone through
        "-c jit=off",  # to compile a statement takes longer than its first rows may
        f"-c search_path={escaped}",
    ]
    return " ".join([str(asked), *options]).strip()
