"""Sizes: how large the tables are, how far ahead their months are made, and how many dead letters wait."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import count, takewhile

import sqlalchemy as sa

from historian.tables import DIVIDED
from historian.upkeep.letters import count_letters
from historian.upkeep.months import month_after, month_of, part_name, parts

_SIZES = sa.text("""
    SELECT coalesce(parent.relname, child.relname) AS name, sum(pg_total_relation_size(child.oid))::bigint AS size_bytes
    FROM pg_class AS child
    LEFT JOIN pg_inherits ON inhrelid = child.oid
    LEFT JOIN pg_class AS parent ON parent.oid = inhparent
    WHERE child.relkind = 'r' AND child.relnamespace = current_schema()::regnamespace
    GROUP BY 1 ORDER BY 1""")


@dataclass(frozen=True)
class Sizes:
    """What a database of ours holds.

    Attributes:
        table_bytes: of each table with its indexes, all months of a divided one together.
        months: from this one on, those that every divided table has a part for, without a gap.
        parts: of all divided tables.
        letters: dead letters that wait, by kind.
    """

    table_bytes: Mapping[str, int]
    months: int
    parts: int
    letters: Mapping[str, int]


def read_sizes(connection: sa.Connection, now: datetime) -> Sizes:
    """What there is now."""
    there = parts(connection)
    return Sizes(
        {row.name: row.size_bytes for row in connection.execute(_SIZES)},
        months_from(now, there),
        len(there),
        count_letters(connection),
    )


def months_from(now: datetime, there: frozenset[str]) -> int:
    """How many months from this one on have all their parts, without a gap. `there` are the parts that exist."""
    months = (month_after(month_of(now), ahead) for ahead in count())
    return sum(1 for _ in takewhile(lambda month: all(part_name(table.name, month) in there for table in DIVIDED), months))
