"""Retention: what is too old is dropped, a whole month of a table at once; dead letters are bounded by their size.

The row that says where an event came from goes once it is too old itself and nothing of the event is left, so no row stands
without it: a curve of the last minutes of a month has points of the next, and what a batch without a start instructs may begin
days after it.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from historian.database import Database
from historian.upkeep.months import OTHER, drop_months, month_of, wait_for_no_reader
from historian.upkeep.price_hours import drop_hours

AT_ONCE = 10_000
_LETTER_BYTES = "(length(payload) + octet_length(dead_letter.topic) + 500)"


@dataclass(frozen=True)
class Retention:
    """How many days of each are kept; None is for ever."""

    dispatch_days: int | None = None
    trajectory_days: int | None = None
    prices_days: int | None = None
    statuses_days: int | None = None
    telemetry_days: int | None = None


@dataclass(frozen=True)
class _Kept:
    """What is kept for some days.

    Attributes:
        whole: the table that goes row by row.
        is_old: which of its rows are too old, as SQL with `:before`.
        divided: the tables with the rest of its events, which go by months, each with the column that says of which month.
        number: what rows of one event share; None where the event and the rest of it are of one time, and so go together.
        made_of_it: drops, in the same transaction, what is made of the divided tables.
    """

    days: int | None
    whole: str
    is_old: str
    divided: tuple[tuple[str, str], ...] = ()
    number: str | None = None
    made_of_it: Callable[[sa.Connection, datetime], Iterable[str]] | None = None


def drop_old(database: Database, retention: Retention, now: datetime) -> Iterator[str]:
    """Drop what is beyond retention. Yields what went.

    Raises:
        TableInUse: some of it is there still, because somebody reads it for longer, as an export does.
        StoreUnavailable: some of it may be there still.
    """
    for kept in _kept(retention):
        if kept.days is None:
            continue
        before = month_of(now - timedelta(days=kept.days))
        for table, column in kept.divided:
            with database.transaction(as_owner=True) as connection:
                wait_for_no_reader(connection)
                yield from drop_months(connection, table, before)
                connection.execute(sa.text(_of_no_month(kept, table, column)), {"before": before})
                if kept.made_of_it:
                    yield from kept.made_of_it(connection, before)
        if count := _delete(database, kept, before):
            yield f"{count} rows of {kept.whole}"


def _of_no_month(kept: _Kept, table: str, column: str) -> str:
    """Deletes what is too old of what is of no month. What has no time is as old as its event."""
    statement = f"DELETE FROM {table}_{OTHER} WHERE {column} < :before"  # noqa: S608  # names of ours
    if kept.number is None:
        return statement
    old = f"SELECT {kept.number} FROM {kept.whole} WHERE {kept.is_old}"  # noqa: S608  # names of ours
    return f"{statement} OR ({column} IS NULL AND {kept.number} IN ({old}))"


def shed_dead_letters(database: Database, max_bytes: int) -> int:
    """Let go of dead letters beyond a size: those stored meanwhile, then the oldest of the topic that has the most.

    Returns how many went that nobody had stored.
    """
    shed = 0
    while True:
        with database.transaction(as_owner=True) as connection:
            total = connection.scalar(_ALL_LETTERS)
            if total <= max_bytes:
                return shed
            if connection.execute(_SHED_STORED, {"at_once": AT_ONCE}).rowcount == 0:
                shed += connection.execute(_SHED_MOST, {"at_once": AT_ONCE, "total": total, "max_bytes": max_bytes}).rowcount


def _kept(retention: Retention) -> tuple[_Kept, ...]:
    instructions = (("instruction", "interval_start"), ("instruction_detail", "interval_start"))
    curves = (("dop", "target_at"), ("compliance", "start_at"))
    return (
        _Kept(retention.dispatch_days, "dispatch_batch", _old("start_at"), instructions, "event_no"),
        _Kept(retention.dispatch_days, "instruction_response", "time < :before"),
        _Kept(retention.trajectory_days, "trajectory_batch", _old("batch_received_at"), curves, "event_no"),
        _Kept(
            retention.prices_days,
            "price_report",
            "interval_start < :before",
            (("price", "interval_start"),),
            made_of_it=drop_hours,
        ),
        _Kept(retention.telemetry_days, "point_write", "time < :before", (("telemetry", "time"),)),
        _Kept(retention.statuses_days, "service_state", "heard_at < :before"),
    )


def _old(column: str) -> str:
    """Of a batch that need not have that time. In a form that the index on it answers."""
    return f"({column} < :before OR {column} IS NULL AND time < :before)"


def _delete(database: Database, kept: _Kept, before: datetime) -> int:
    """Delete rows that are too old and of whose events nothing else is left, some at once, so that nobody waits long."""
    tables = [table for table, _ in kept.divided if kept.number]
    left = [f"NOT EXISTS (SELECT FROM {table} AS r WHERE r.{kept.number} = w.{kept.number})" for table in tables]
    conditions = " AND ".join([kept.is_old, *left])
    old = f"SELECT ctid FROM {kept.whole} AS w WHERE {conditions} LIMIT :at_once"  # noqa: S608  # names of ours
    statement = sa.text(f"DELETE FROM {kept.whole} WHERE ctid = ANY(ARRAY({old}))")  # noqa: S608  # names of ours
    count = 0
    while True:
        with database.transaction(as_owner=True) as connection:
            # By the index of each month. To read all months at each step would take the database longer than it may.
            connection.execute(sa.text("SET LOCAL enable_hashjoin = off"))
            connection.execute(sa.text("SET LOCAL enable_mergejoin = off"))
            gone = connection.execute(statement, {"before": before, "at_once": AT_ONCE}).rowcount
        count += gone
        if gone < AT_ONCE:
            return count


_ALL_LETTERS = sa.text(f"SELECT coalesce(sum({_LETTER_BYTES}), 0) FROM dead_letter")  # noqa: S608  # names of ours
_SHED_STORED = sa.text(
    "DELETE FROM dead_letter WHERE id IN (SELECT id FROM dead_letter WHERE stored_at IS NOT NULL ORDER BY id LIMIT :at_once)"
)
# Whoever may choose topics could give each letter its own: where no topic has a hundredth of all, the oldest of all go.
_SHED_MOST = sa.text(f"""
    WITH most AS MATERIALIZED (
      SELECT topic, sum({_LETTER_BYTES}) AS bytes FROM dead_letter GROUP BY topic ORDER BY bytes DESC, topic LIMIT 1
    )
    DELETE FROM dead_letter WHERE id IN (
      SELECT id FROM (
        SELECT id, sum({_LETTER_BYTES}) OVER (ORDER BY id) - {_LETTER_BYTES} AS before_bytes
        FROM dead_letter CROSS JOIN most WHERE dead_letter.topic = most.topic OR most.bytes * 100 < :total
      ) AS oldest WHERE before_bytes < CAST(:total AS bigint) - :max_bytes ORDER BY id LIMIT :at_once)""")  # noqa: S608  # names of ours
