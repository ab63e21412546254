"""Retention: what is too old is dropped, a whole month of a table at once; dead letters are bounded by their size."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from historian.database import Database
from historian.upkeep.months import OTHER, drop_months, month_of

AT_ONCE = 10_000
# A batch of the last minutes of a month has instructions of the next.
_OVERLAP = timedelta(days=1)


@dataclass(frozen=True)
class Retention:
    """How many days of each are kept; None is for ever."""

    dispatch_days: int | None = None
    trajectory_days: int | None = None
    prices_days: int | None = None
    statuses_days: int | None = None


@dataclass(frozen=True)
class _Kept:
    days: int | None
    divided: tuple[tuple[str, str], ...]
    whole: str
    time: str


def drop_old(database: Database, retention: Retention, now: datetime) -> Iterator[str]:
    """Drop what is beyond retention. Yields what went.

    Raises:
        StoreUnavailable: some of it may be there still.
    """
    for kept in _kept(retention):
        if kept.days is None:
            continue
        before = month_of(now - timedelta(days=kept.days))
        for table, column in kept.divided:
            with database.transaction(as_owner=True) as connection:
                yield from drop_months(connection, table, before)
                connection.execute(sa.text(f"DELETE FROM {table}_{OTHER} WHERE {column} < :before"), {"before": before})  # noqa: S608  # names of ours
        if count := _delete(database, kept.whole, kept.time, before - _OVERLAP if kept.divided else before):
            yield f"{count} rows of {kept.whole}"


def shed_dead_letters(database: Database, max_bytes: int) -> int:
    """Let go of dead letters beyond a size: those stored meanwhile, then the oldest of the topic that has the most.

    Returns how many went that nobody had stored.
    """
    shed = 0
    while True:
        with database.transaction(as_owner=True) as connection:
            total = connection.scalar(sa.text("SELECT coalesce(sum(length(payload) + 500), 0) FROM dead_letter"))
            if total <= max_bytes:
                return shed
            if connection.execute(_SHED_STORED, {"at_once": AT_ONCE}).rowcount == 0:
                shed += connection.execute(_SHED_MOST, {"at_once": AT_ONCE, "excess_bytes": total - max_bytes}).rowcount


def _kept(retention: Retention) -> tuple[_Kept, ...]:
    instructions = (("instruction", "interval_start"), ("instruction_detail", "interval_start"))
    curves = (("dop", "target_at"), ("compliance", "start_at"))
    return (
        _Kept(retention.dispatch_days, instructions, "dispatch_batch", "coalesce(start_at, time)"),
        _Kept(retention.dispatch_days, (), "instruction_response", "time"),
        _Kept(retention.trajectory_days, curves, "trajectory_batch", "coalesce(batch_received_at, time)"),
        _Kept(retention.prices_days, (("price", "interval_start"),), "price_report", "interval_start"),
        _Kept(retention.statuses_days, (), "service_state", "heard_at"),
    )


def _delete(database: Database, table: str, time: str, before: datetime) -> int:
    """Delete rows of before a time, some at once, so that nobody waits long."""
    statement = sa.text(
        f"DELETE FROM {table} WHERE ctid = ANY(ARRAY(SELECT ctid FROM {table} WHERE {time} < :before LIMIT :at_once))"  # noqa: S608  # names of ours
    )
    count = 0
    while True:
        with database.transaction(as_owner=True) as connection:
            gone = connection.execute(statement, {"before": before, "at_once": AT_ONCE}).rowcount
        count += gone
        if gone < AT_ONCE:
            return count


_SHED_STORED = sa.text(
    "DELETE FROM dead_letter WHERE id IN (SELECT id FROM dead_letter WHERE stored_at IS NOT NULL ORDER BY id LIMIT :at_once)"
)
_SHED_MOST = sa.text("""
    DELETE FROM dead_letter WHERE id IN (
      SELECT id FROM (
        SELECT id, sum(length(payload) + 500) OVER (ORDER BY id) - length(payload) - 500 AS before_bytes FROM dead_letter
        WHERE topic = (SELECT topic FROM dead_letter GROUP BY topic ORDER BY sum(length(payload)) DESC, topic LIMIT 1)
      ) AS oldest WHERE before_bytes < :excess_bytes ORDER BY id LIMIT :at_once)""")
