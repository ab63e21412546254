"""Database: PostgreSQL behind what the historian needs of it. The only place that knows the driver.

Two things can go wrong, and they are two exceptions everywhere: the database takes nothing now (ask again), or a statement will
never work (do not ask again).
"""

import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager

import psycopg2
import sqlalchemy as sa
from psycopg2 import sql

STATEMENT_TIMEOUT_S = 60
IDLE_TRANSACTION_S = 10
"""Whoever falls silent so long within a transaction (frozen, or its machine gone) gives back what others wait for."""
MAX_CAUSE = 500
_KEY_TAKEN = "23505"
_NO_TABLE = "42P01"
_IN_USE = "55P03"
_LOST = "40"
"""Class of what ends a transaction for the sake of another: a deadlock, a failed serialization."""
# SQLSTATE classes that blame what was said: 22 data exception, 23 integrity constraint, 54 program limit (such as a text too
# long for an index). All others blame the database or us, and may pass.
_BLAMES_THE_MESSAGE = frozenset({"22", "23", "54"})
# Out of memory or another limit, a statement that took too long, an internal error: seen again and again of one batch, fewer
# rows at once may pass. Only the last is ever laid at the door of one row: a slow database must not make dead letters.
_INTERNAL_ERROR = "XX000"
_MAY_BE_OF_ONE_BATCH = frozenset({"53200", "53400", "57014", _INTERNAL_ERROR})
_READ_AT_ONCE = 256 * 1024
_TAKE_TURNS = sa.text("SELECT pg_advisory_xact_lock(:lock, k) FROM unnest(CAST(:keys AS int[])) AS k")
_NO_SUCH_ROLE = re.compile(r'FATAL:\s+(role ".*" does not exist|permission denied to set role)')
_MAKES_ROLES = "deploy/postgres/10-roles.sh makes the roles, and makes our user a member (docs/deployment.md, Roles)"


Connection = sa.Connection


class StoreUnavailable(Exception):
    """The database does not take anything now. What was asked for was not done, or not known to be; ask again.

    Attributes:
        answered: whether it answered, with a fault that fewer rows at once need not meet.
        may_blame: whether that fault may be of one row alone; else that row waits as long as it takes.
    """

    def __init__(self, cause: str, *, answered: bool = False, may_blame: bool = False) -> None:
        super().__init__(cause)
        self.answered = answered
        self.may_blame = may_blame


class StatementRefused(Exception):
    """The database understood and refuses: the same will never work."""


class KeyTaken(StatementRefused):
    """A row with that key is there already."""


class TableGone(StoreUnavailable):
    """A table is not there: a month that was dropped meanwhile, or a database that is being restored."""


class TableInUse(StoreUnavailable):
    """Somebody reads or writes a table for longer than was waited for: whoever comes after us would have waited with us."""


class TransactionLost(StoreUnavailable):
    """It stood in another one's way, and the database chose this one to end: the same may work at once."""


_OF_ITS_OWN: Mapping[str, type[StoreUnavailable] | type[StatementRefused]] = {
    _KEY_TAKEN: KeyTaken,
    _NO_TABLE: TableGone,
    _IN_USE: TableInUse,
}


class Database:
    """Connections to one database.

    Args:
        address: postgresql://USER:PASSWORD@HOST:PORT/DATABASE, with libpq's options as its query.
        schema: where the tables are.
        password: in place of the address's own.
        owner_role: who makes tables; None is who we are anyhow.
        writer_role: who writes rows; None likewise.
    """

    def __init__(
        self,
        address: str,
        schema: str,
        *,
        password: str | None = None,
        owner_role: str | None = None,
        writer_role: str | None = None,
    ) -> None:
        url = sa.make_url(address).set(drivername="postgresql+psycopg2", password=password or sa.make_url(address).password)
        self.schema = schema
        self.owner_role = owner_role
        self.writer_role = writer_role
        self._engine = sa.create_engine(
            url, pool_size=4, pool_pre_ping=True, connect_args=_connect_arguments(url, schema, writer_role)
        )

    @contextmanager
    def transaction(self, *, as_owner: bool = False) -> Iterator[sa.Connection]:
        """One transaction: committed at the end, or nothing of it is done.

        Raises:
            StoreUnavailable: it is not known to be committed.
            StatementRefused: nothing was done, nor would it be the next time.
        """
        try:
            with self._engine.begin() as connection:
                if as_owner and self.owner_role:
                    connection.execute(sa.text(f"SET LOCAL ROLE {quoted(connection, self.owner_role)}"))
                yield connection
        except (sa.exc.SQLAlchemyError, psycopg2.Error) as error:
            raise _meaning_of(error) from error

    def close(self) -> None:
        """Close every connection."""
        self._engine.dispose()


@contextmanager
def savepoint(connection: Connection) -> Iterator[None]:
    """A part of a transaction that may be refused alone.

    Raises:
        StatementRefused: the part was not done; the transaction goes on.
        StoreUnavailable: the transaction is lost.
    """
    try:
        with connection.begin_nested():
            yield
    except (sa.exc.SQLAlchemyError, psycopg2.Error) as error:
        raise _meaning_of(error) from error


def take_turns(connection: Connection, first_key: int, second_keys: Iterable[int]) -> None:
    """Have advisory locks until the transaction ends, taken in one order so that nobody waits for who waits for him."""
    connection.execute(_TAKE_TURNS, {"lock": first_key, "keys": sorted(second_keys)})


def copy_rows(connection: sa.Connection, table: str, columns: Sequence[str], lines: Iterable[bytes], options: str) -> None:
    """COPY lines of text, in the format that the options say, into a table as they come."""
    names = sql.SQL(", ").join(map(sql.Identifier, columns))
    statement = sql.SQL("COPY {} ({}) FROM STDIN ({})").format(sql.Identifier(table), names, sql.SQL(options))
    with closing(connection.connection.cursor()) as cursor:
        cursor.copy_expert(statement, _Lines(lines), size=_READ_AT_ONCE)


def quoted(connection: sa.Connection, name: str) -> str:
    """A name as an identifier of SQL."""
    return connection.dialect.identifier_preparer.quote_identifier(name)


class _Lines(io.RawIOBase):
    """Lines as a file, made as they are read, so that a large message is never there twice."""

    def __init__(self, lines: Iterable[bytes]) -> None:
        self._lines = iter(lines)
        self._rest = b""

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        taken = [self._rest]
        length = len(self._rest)
        for line in self._lines:
            taken.append(line)
            length += len(line)
            if 0 <= size <= length:
                break
        whole = b"".join(taken)
        if size < 0:
            size = len(whole)
        self._rest = whole[size:]
        return whole[:size]


def _meaning_of(error: Exception) -> StoreUnavailable | StatementRefused:
    driver = getattr(error, "orig", None) or error
    state = str(getattr(driver, "pgcode", None) or "")
    cause = " ".join(str(driver).split())[:MAX_CAUSE]
    if not state and _NO_SUCH_ROLE.search(cause):
        return StoreUnavailable(f"{cause}: {_MAKES_ROLES}")
    if kind := _OF_ITS_OWN.get(state):
        return kind(cause)
    if state[:2] == _LOST:
        return TransactionLost(cause)
    if state[:2] in _BLAMES_THE_MESSAGE or isinstance(driver, psycopg2.DataError | OverflowError | ValueError):
        return StatementRefused(cause)
    # Its context quotes the row that was at hand, another at each try: the cause is the same.
    return StoreUnavailable(
        cause.partition(" CONTEXT: ")[0], answered=state in _MAY_BE_OF_ONE_BATCH, may_blame=state == _INTERNAL_ERROR
    )


def _connect_arguments(url: sa.URL, schema: str, role: str | None) -> Mapping[str, object]:
    asked = url.query.get("options", "")
    options = [
        f"-c statement_timeout={STATEMENT_TIMEOUT_S}s",
        f"-c idle_in_transaction_session_timeout={IDLE_TRANSACTION_S}s",
        "-c synchronous_commit=on",  # an acknowledged message must be on the database's disk, however the server is set up
        "-c timezone=UTC",
        "-c client_encoding=UTF8",
        f"-c search_path={_escaped(schema)}",
        *([f"-c role={_escaped(role)}"] if role else []),
    ]
    return {**keeping_alive("dotbus historian"), "options": " ".join([str(asked), *options])}


def keeping_alive(application: str) -> Mapping[str, object]:
    """How every connection of ours is told apart, and how soon one is known to be dead."""
    return {
        "application_name": application,
        "connect_timeout": 5,
        "keepalives_idle": 10,
        "keepalives_interval": 5,
        "keepalives_count": 3,
        "tcp_user_timeout": 30_000,
    }


def _escaped(name: str) -> str:
    """A name within libpq's options."""
    return name.replace("\\", "\\\\").replace(" ", "\\ ")
