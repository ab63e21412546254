"""Months: the parts that large tables are divided into, made ahead, made when an old month comes, dropped when it is too old.

Each divided table has a part for each month and one for all that is of no month: without a time, or with one beyond bounds.
"""

from collections.abc import Iterable
from datetime import UTC, datetime

import sqlalchemy as sa

from historian.tables import DIVIDED

FIRST_YEAR = 2009
"""When CAISO's present markets began; what claims to be older is kept, but makes no part of its own."""
AHEAD_MONTHS = 3
LATEST_AHEAD_MONTHS = 14
OTHER = "other"
WAIT_FOR_READERS = "1s"
_LOCK = 0x6D6F6E746873
"""Key of the advisory lock: "months" in ASCII."""


def month_of(time: datetime) -> datetime:
    """The first instant of its month, UTC."""
    return datetime(time.year, time.month, 1, tzinfo=UTC)


def month_after(month: datetime, count: int = 1) -> datetime:
    """The month that comes so many later."""
    return begin_of(month.year * 12 + month.month - 1 + count)


def begin_of(month: int) -> datetime:
    """The first instant of a month that is counted from year 0, UTC."""
    return datetime(month // 12, month % 12 + 1, 1, tzinfo=UTC)


def is_divided(month: datetime, now: datetime) -> bool:
    """Whether rows of that month have a part of their own."""
    return month.year >= FIRST_YEAR and month <= month_after(month_of(now), LATEST_AHEAD_MONTHS)


def months_ahead(now: datetime) -> list[datetime]:
    """The months to have parts for by all means: this one, the one before, and those to come."""
    return [month_after(month_of(now), count) for count in range(-1, AHEAD_MONTHS + 1)]


def part_name(table: str, month: datetime) -> str:
    """The table that holds a month."""
    return f"{table}_{month:%Y_%m}"


def parts(connection: sa.Connection) -> frozenset[str]:
    """The names of all parts that are there."""
    of_ours = sa.text(
        "SELECT child.relname FROM pg_inherits JOIN pg_class AS child ON child.oid = inhrelid "
        "WHERE child.relnamespace = current_schema()::regnamespace AND child.relkind = 'r'"
    )
    return frozenset(connection.scalars(of_ours))


def wait_for_no_reader(connection: sa.Connection) -> None:
    """Give up what is done here to months rather than wait for who reads their table: whoever comes after would wait as well.

    What is done then raises TableInUse.
    """
    connection.execute(sa.text(f"SET LOCAL lock_timeout = '{WAIT_FOR_READERS}'"))


def add_months(connection: sa.Connection, months: Iterable[datetime], tables: Iterable[str] | None = None) -> None:
    """Make the parts that are missing. Rows of such a month that are among the others move into it."""
    # Of two historians that miss the same part the second waits, and finds it there.
    connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))
    there = parts(connection)
    wanted = set(tables) if tables is not None else {table.name for table in DIVIDED}
    for table, column in sorted((table.name, column) for table, column in DIVIDED.items() if table.name in wanted):
        if f"{table}_{OTHER}" not in there:
            connection.execute(sa.text(f"CREATE TABLE {table}_{OTHER} PARTITION OF {table} DEFAULT"))
        for month in sorted(set(months)):
            if part_name(table, month) not in there:
                _add(connection, table, column, month)


def drop_months(connection: sa.Connection, table: str, before: datetime) -> list[str]:
    """Drop the parts of a table that end before a time. Returns their names."""
    prefix = f"{table}_"
    old = sorted(
        name
        for name in parts(connection)
        if name.startswith(prefix) and name < part_name(table, before) and name.removeprefix(prefix)[:1].isdigit()
    )
    for name in old:
        connection.execute(sa.text(f"DROP TABLE {name}"))
    return old


def _add(connection: sa.Connection, table: str, column: str, month: datetime) -> None:
    name, other = part_name(table, month), f"{table}_{OTHER}"
    first, end = month.isoformat(), month_after(month).isoformat()
    # Nothing may come into the others between the move and the moment at which the part takes its month.
    connection.execute(sa.text(f"LOCK TABLE {other} IN ACCESS EXCLUSIVE MODE"))
    connection.execute(sa.text(f"CREATE TABLE {name} (LIKE {table} INCLUDING ALL)"))
    connection.execute(
        sa.text(
            f"WITH moved AS (DELETE FROM {other} WHERE {column} >= '{first}' AND {column} < '{end}' RETURNING *) "  # noqa: S608  # names and times of ours
            f"INSERT INTO {name} SELECT * FROM moved"
        )
    )
    connection.execute(sa.text(f"ALTER TABLE {table} ATTACH PARTITION {name} FOR VALUES FROM ('{first}') TO ('{end}')"))
