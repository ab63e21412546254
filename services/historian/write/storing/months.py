"""Months: into which table a month's rows are copied. Parts that are missing are made before they are needed."""

from collections.abc import Iterable
from datetime import datetime

from historian.database import Database
from historian.upkeep.months import add_months, begin_of, is_divided, part_name, parts
from historian.write.storing.rows import Part


class Months:
    """What is known of the parts of tables."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._parts: frozenset[str] = frozenset()

    def forget(self) -> None:
        """Ask again which parts there are."""
        self._parts = frozenset()

    def tables(self, needed: Iterable[Part], now: datetime) -> dict[Part, str]:
        """The table to copy into, for each month of each table: its part, or the whole where none is of its own."""
        tables = {part: self._table(part, now) for part in needed}
        if any(name not in self._parts for part, name in tables.items() if name != part[0]):
            self._make([part for part, name in tables.items() if name != part[0] and name not in self._parts])
        return tables

    def _table(self, part: Part, now: datetime) -> str:
        table, month = part
        return table if month is None or not is_divided(begin_of(month), now) else part_name(table, begin_of(month))

    def _make(self, missing: Iterable[Part]) -> None:
        with self._database.transaction() as connection:
            self._parts = parts(connection)
        wanted = [(table, begin_of(month)) for table, month in missing if month is not None]
        gone = [(table, month) for table, month in wanted if part_name(table, month) not in self._parts]
        if not gone:
            return
        with self._database.transaction(as_owner=True) as connection:
            for table, month in gone:
                add_months(connection, [month], [table])
            self._parts = parts(connection)
