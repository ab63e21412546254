"""Store: rows into PostgreSQL. With `ledger`, schema and migrations the only part that speaks SQL.

A batch of arrivals is one transaction: rows by natural key (what is there already stays as it is), the sequence numbers that
came, service states and dead letters. When the database refuses what a message says, the batch is halved until the message is
found; it becomes a dead letter, and the others are stored all the same.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from datetime import datetime

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from dotbus.contracts.messages import ServiceStatus
from dotbus.runtime.sequence import Range
from historian.ledger import Known, add_positions, keep_dead_letter, keep_status, read_known, write_lost
from historian.migrations import migrate
from historian.record import Meaning, Position, Recorded, Refused, Stream, Values
from historian.schema import EVENT_TABLES, dead_letter

STATEMENT_TIMEOUT_S = 60
MAX_CAUSE = 500
# 22 data exception, 23 integrity constraint, 54 program limit (such as a text too long for an index): classes of SQLSTATE that
# blame what a message says. All others blame the database, and pass.
_BLAMES_THE_MESSAGE = frozenset({"22", "23", "54"})


class StoreUnavailable(Exception):
    """The database does not take anything now. What was asked for was not done, or not known to be; ask again."""


@dataclass(frozen=True)
class Arrival:
    """A delivery and what it means."""

    topic: str
    payload: bytes
    received_at: datetime
    meaning: Meaning


Refusal = tuple[Arrival, Refused]


@dataclass(frozen=True)
class Written:
    """What became of a batch: how many events were stored, and the refusals by topic."""

    events: int
    refusals: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class DeadLetter:
    """A delivery that could not be stored."""

    id: int
    topic: str
    payload: bytes
    reason: str
    seen: int
    received_at: datetime
    retried_at: datetime | None


class Store:
    """The historian's database.

    Args:
        address: postgresql://USER:PASSWORD@HOST:PORT/DATABASE, with libpq's options as its query.
        password: in place of the address's own.
    """

    def __init__(self, address: str, password: str | None = None) -> None:
        url = sa.make_url(address).set(drivername="postgresql+psycopg2", password=password)
        self._engine = sa.create_engine(url, pool_size=2, pool_pre_ping=True, connect_args=_connect_arguments(url))
        self._inserts = {table.name: _insert_of(table) for table in EVENT_TABLES}

    def migrate(self, reader_role: str | None = None) -> bool:
        """Make or update the tables; see `historian.migrations.migrate`.

        Raises:
            StoreUnavailable: the database could not be reached or refused.
            alembic.util.CommandError: the database is of a later version of dotbus.
        """
        with self._transaction() as connection:
            return migrate(connection, reader_role)

    def write(self, arrivals: Sequence[Arrival]) -> Written:
        """Store a batch, all of it or nothing.

        Raises:
            StoreUnavailable: nothing of it is known to be stored.
        """
        with self._transaction() as connection:
            refusals = self._write(connection, arrivals)
            for arrival, refused in refusals:
                keep_dead_letter(connection, arrival.topic, arrival.payload, refused.reason, arrival.received_at)
        refused_events = sum(isinstance(arrival.meaning, Recorded) for arrival, _ in refusals)
        events = sum(isinstance(arrival.meaning, Recorded) for arrival in arrivals)
        return Written(events - refused_events, tuple((arrival.topic, refused.reason) for arrival, refused in refusals))

    def known(self) -> dict[Stream, Known]:
        """Which sequence numbers of each stream came and which are lost.

        Raises:
            StoreUnavailable: the database could not be asked.
        """
        with self._transaction() as connection:
            return read_known(connection)

    def record_lost(self, stream: Stream, ranges: Sequence[Range], reason: str, now: datetime) -> tuple[Range, ...]:
        """Note that events can no longer be had. Returns what of it was news.

        Raises:
            StoreUnavailable: nothing is known to be noted.
        """
        with self._transaction() as connection:
            return write_lost(connection, stream, ranges, reason, now)

    def dead_letters(self, limit: int, only: Sequence[int] = ()) -> list[DeadLetter]:
        """The dead letters that are not stored yet, the oldest first; of those named only, when any is.

        Raises:
            StoreUnavailable: the database could not be asked.
        """
        names = [field.name for field in fields(DeadLetter)]
        query = sa.select(*(dead_letter.c[name] for name in names)).where(dead_letter.c.stored_at.is_(None))
        if only:
            query = query.where(dead_letter.c.id.in_(only))
        with self._transaction() as connection:
            return [DeadLetter(*row) for row in connection.execute(query.order_by(dead_letter.c.id).limit(limit))]

    def retry(self, letter: DeadLetter, meaning: Meaning, now: datetime) -> Refused | None:
        """Store what a dead letter means now. Returns why it is still refused, None when it is stored.

        Raises:
            StoreUnavailable: nothing is known to be done.
        """
        arrival = Arrival(letter.topic, letter.payload, letter.received_at, meaning)
        with self._transaction() as connection:
            refusals = self._write(connection, [arrival])
            outcome = {"reason": refusals[0][1].reason} if refusals else {"stored_at": now}
            connection.execute(sa.update(dead_letter).where(dead_letter.c.id == letter.id).values(retried_at=now, **outcome))
        return refusals[0][1] if refusals else None

    def close(self) -> None:
        """Close every connection."""
        self._engine.dispose()

    @contextmanager
    def _transaction(self) -> Iterator[sa.Connection]:
        try:
            with self._engine.begin() as connection:
                yield connection
        except sa.exc.SQLAlchemyError as error:
            raise StoreUnavailable(_cause(error)) from error

    def _write(self, connection: sa.Connection, arrivals: Sequence[Arrival]) -> list[Refusal]:
        refusals = [(arrival, arrival.meaning) for arrival in arrivals if isinstance(arrival.meaning, Refused)]
        events = [arrival for arrival in arrivals if isinstance(arrival.meaning, Recorded)]
        refusals += self._insert(connection, events) if events else []
        add_positions(connection, _positions(arrivals))
        for arrival, status in _statuses(arrivals):
            try:
                with connection.begin_nested():
                    keep_status(connection, status, arrival.received_at)
            except sa.exc.DBAPIError as error:
                refusals.append((arrival, _blame(error)))
        return refusals

    def _insert(self, connection: sa.Connection, events: Sequence[Arrival]) -> list[Refusal]:
        """Insert the rows of events; those that the database refuses come back with its reason."""
        try:
            with connection.begin_nested():
                self._insert_rows(connection, events)
        except sa.exc.DBAPIError as error:
            refused = _blame(error)
            if len(events) == 1:
                return [(events[0], refused)]
            middle = len(events) // 2
            return self._insert(connection, events[:middle]) + self._insert(connection, events[middle:])
        return []

    def _insert_rows(self, connection: sa.Connection, events: Sequence[Arrival]) -> None:
        by_table: defaultdict[str, list[Values]] = defaultdict(list)
        for event in events:
            for row in event.meaning.rows if isinstance(event.meaning, Recorded) else ():
                by_table[row.table].append(row.values)
        for table, insert_rows in self._inserts.items():
            if table in by_table:
                connection.execute(insert_rows, {"rows": msgspec.json.encode(by_table[table]).decode()})


def _insert_of(table: sa.Table) -> sa.Insert:
    """INSERT ... SELECT from one JSON parameter ON CONFLICT DO NOTHING, in the order of the key.

    One parameter for any number of rows is several times as fast as a row of parameters each; the order keeps two historians
    that store the same batch from waiting for each other.
    """
    columns = [column for column in table.c if column.name != "recorded_at"]
    rows = sa.func.json_to_recordset(sa.cast(sa.bindparam("rows", type_=sa.Text), sa.JSON))
    source = rows.table_valued(*(sa.column(column.name, column.type) for column in columns)).render_derived(with_types=True)
    select = sa.select(*(source.c[column.name] for column in columns))
    ordered = select.order_by(*(source.c[column.name] for column in table.primary_key))
    return insert(table).from_select([column.name for column in columns], ordered).on_conflict_do_nothing()


def _positions(arrivals: Sequence[Arrival]) -> list[Position]:
    meanings = (arrival.meaning for arrival in arrivals)
    return [meaning.position for meaning in meanings if isinstance(meaning, Recorded | Refused) and meaning.position]


def _statuses(arrivals: Sequence[Arrival]) -> list[tuple[Arrival, ServiceStatus]]:
    """By service, each one's in the order in which they came: two historians lock services in the same order."""
    statuses = [(arrival, arrival.meaning) for arrival in arrivals if isinstance(arrival.meaning, ServiceStatus)]
    return sorted(statuses, key=lambda entry: (entry[1].environment, entry[1].source))


def _blame(error: sa.exc.DBAPIError) -> Refused:
    """The refusal of what a message says; raises the error itself when the message is not to blame."""
    if str(getattr(error.orig, "pgcode", None) or "")[:2] not in _BLAMES_THE_MESSAGE:
        raise error
    return Refused(_cause(error))


def _cause(error: Exception) -> str:
    """The database's own words, without the statement and its parameters."""
    cause = getattr(error, "orig", None) or error
    return " ".join(str(cause).split())[:MAX_CAUSE]


def _connect_arguments(url: sa.URL) -> Mapping[str, object]:
    asked = url.query.get("options", "")
    return {
        "application_name": "dotbus historian",
        "connect_timeout": 5,
        "keepalives_idle": 10,
        "keepalives_interval": 5,
        "keepalives_count": 3,
        "tcp_user_timeout": 30_000,
        # An acknowledged message must be on the database's disk, however the server is set up.
        "options": f"{asked} -c statement_timeout={STATEMENT_TIMEOUT_S}s -c synchronous_commit=on -c timezone=UTC",
    }
