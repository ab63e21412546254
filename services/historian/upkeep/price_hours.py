"""Price hours: means of prices by the hour are made once an hour has been quiet for a while, and anew when it has prices again.

Whoever stores prices marks their hours in the same transaction. Here an hour is made of all prices that one snapshot shows, and
marks that it shows are taken away, in one transaction. So prices that it does not show have a mark that stays, and that tells
whoever asks to ask the prices. Of two who make one hour at once the second fails, and nothing of it is kept.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import sqlalchemy as sa

from historian.database import Database, KeyTaken, TransactionLost
from historian.tables.means import mean_columns
from historian.upkeep.months import add_months, drop_months, is_divided, month_of

AT_ONCE: Final = 24
"""Hours of one turn: of all of CAISO's nodes each takes half a second, and nobody else's upkeep waits long."""
QUIET: Final = timedelta(minutes=20)
"""Longer than from one interval to the next of any market whose intervals are shorter than an hour."""
_LOCK: Final = 0x686F757273
"""Key of the advisory lock: "hours" in ASCII."""
_COMPONENTS: Final = tuple(f"{name}_usd_per_mwh" for name in ("lmp", "energy", "congestion", "loss", "ghg"))
_DUE = sa.text("""
    SELECT environment, market, hour_start, array_agg(mark_no) AS marks FROM price_hour_due
    GROUP BY environment, market, hour_start HAVING max(marked_at) <= now() - CAST(:quiet AS interval)
    ORDER BY hour_start DESC, market, environment LIMIT :at_once""")
_FORGET_ROWS = sa.text("""
    DELETE FROM price_hour WHERE hour_start = :hour_start AND hour_no IN (
      SELECT hour_no FROM price_hour_made WHERE hour_start = :hour_start AND market = :market AND environment = :environment
    )""")
_FORGET = sa.text(
    "DELETE FROM price_hour_made WHERE hour_start = :hour_start AND market = :market AND environment = :environment"
)
_NOTE = sa.text("""
    INSERT INTO price_hour_made (environment, market, hour_start) VALUES (:environment, :market, :hour_start)
    RETURNING hour_no""")
# Which of several prices counts is as price_latest says it.
_MAKE = sa.text(f"""
    INSERT INTO price_hour (hour_start, hour_no, node_no, {", ".join(_COMPONENTS)}, covered_s, fetched_at, imported_s)
    SELECT :hour_start, :hour_no, node_no, {mean_columns(_COMPONENTS)}
    FROM (
      SELECT DISTINCT ON (price.node_no, price.interval_start)
        price.node_no, {", ".join(f"price.{name}" for name in _COMPONENTS)},
        date_part('epoch', report.interval_end - report.interval_start) AS seconds,
        CASE WHEN NOT starts_with(origin.source, 'import/') THEN report.fetched_at END AS told_at
      FROM price JOIN price_report AS report USING (report_no) JOIN origin USING (origin_no)
      WHERE price.interval_start >= :hour_start AND price.interval_start < :hour_end
        AND report.interval_start >= :hour_start AND report.interval_start < :hour_end
        AND report.market = :market AND report.environment = :environment
      ORDER BY price.node_no, price.interval_start, report.fetched_at DESC, report.report_no
    ) AS weighed
    WHERE lmp_usd_per_mwh IS NOT NULL
    GROUP BY node_no ORDER BY node_no""")  # noqa: S608  # names of ours
_FORGET_MARKS = sa.text("DELETE FROM price_hour_due WHERE mark_no = ANY(:marks)")


@dataclass(frozen=True)
class _Hour:
    """An hour that is to be made.

    Attributes:
        marks: those that are seen, and go with it.
    """

    environment: str
    market: str
    hour_start: datetime
    marks: tuple[int, ...]


def make_hours(database: Database, now: datetime, quiet: timedelta = QUIET, at_once: int = AT_ONCE) -> int:
    """Make some of the hours that are due and have had no prices for a while, the newest first. Returns how many were.

    Raises:
        StoreUnavailable: some of them may be made.
    """
    made, due = 0, _due(database, quiet, at_once)
    if months := [month for month in {month_of(hour.hour_start) for hour in due} if is_divided(month, now)]:
        with database.transaction(as_owner=True) as connection:
            add_months(connection, months, ["price_hour"])  # prices may be of years ago
    for hour in due:
        try:
            made += _make(database, hour)
        except (KeyTaken, TransactionLost):  # another historian is at it
            return made
    return made


def drop_hours(connection: sa.Connection, before: datetime) -> Iterable[str]:
    """Drop what is of hours before a month. In the transaction in which their prices go. Returns the names of what went."""
    for table in ("price_hour_made", "price_hour_due"):
        connection.execute(sa.text(f"DELETE FROM {table} WHERE hour_start < :before"), {"before": before})  # noqa: S608  # ours
    gone = drop_months(connection, "price_hour", before)
    connection.execute(sa.text("DELETE FROM price_hour_other WHERE hour_start < :before"), {"before": before})
    return gone


def _due(database: Database, quiet: timedelta, at_once: int) -> list[_Hour]:
    with database.transaction(as_owner=True) as connection:
        rows = connection.execute(_DUE, {"quiet": quiet, "at_once": at_once}).all()
    return [_Hour(row.environment, row.market, row.hour_start, tuple(row.marks)) for row in rows]


def _make(database: Database, hour: _Hour) -> bool:
    """Make one in one snapshot, unless somebody else is at hours now. Marks that came since it was found stay."""
    with database.transaction(as_owner=True) as connection:
        connection.execute(sa.text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"))
        if not connection.scalar(sa.select(sa.func.pg_try_advisory_xact_lock(_LOCK))):
            return False
        of_it = {"environment": hour.environment, "market": hour.market, "hour_start": hour.hour_start}
        connection.execute(_FORGET_ROWS, of_it)
        connection.execute(_FORGET, of_it)
        hour_no = connection.scalar(_NOTE, of_it)
        connection.execute(_MAKE, {**of_it, "hour_no": hour_no, "hour_end": hour.hour_start + timedelta(hours=1)})
        connection.execute(_FORGET_MARKS, {"marks": list(hour.marks)})
    return True
