"""Rows read back with SQL, as any other reader of the database would."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from dotbus.contracts.alarms import INSTALLATION
from launcher.alarms.figures import Happened


class DatabaseSilent(Exception):
    """The database cannot be reached, or has not what was asked for."""


class Rows:
    """The historian's database, read only.

    Args:
        url: SQLAlchemy's address of it.
        password: of the user in the address, when it is not in there.
    """

    def __init__(self, url: str, password: str | None = None) -> None:
        address = sa.make_url(url).set(drivername="postgresql+psycopg2")
        self._engine = sa.create_engine(address.set(password=password) if password else address, pool_pre_ping=True)

    def dot_mw(self, instruction_uid: str, schedule: str) -> float | None:
        """The DOT of an instruction in its newest revision, None when it is of another schedule."""
        query = "SELECT dot_mw FROM dotbus.dot_latest WHERE instruction_uid = :uid AND schedule = :schedule"
        return self._one(query, uid=instruction_uid, schedule=schedule)

    def dot_points(self, resource_id: str, schedule: str) -> list[tuple[datetime, float]]:
        """The target times and megawatts of a resource's newest DOTs of one schedule."""
        query = """
            SELECT target_at, dot_mw FROM dotbus.dot_latest WHERE resource_id = :resource_id AND schedule = :schedule
            ORDER BY interval_start DESC LIMIT 20"""
        found = self._all(query, resource_id=resource_id, schedule=schedule)
        return sorted((target_at, dot_mw) for target_at, dot_mw in found)

    def dop_batches(self, resource_id: str) -> list[tuple[datetime, list[tuple[datetime, int, float]]]]:
        """The newest trajectory batches of a resource: received, and the points of each."""
        query = """
            SELECT batch_received_at, target_at, sequence_number, dop_mw FROM dotbus.dop_history
            WHERE resource_id = :resource_id ORDER BY batch_received_at DESC LIMIT 100"""
        batches: dict[datetime, list[tuple[datetime, int, float]]] = {}
        for received_at, target_at, number, dop_mw in self._all(query, resource_id=resource_id):
            batches.setdefault(received_at, []).append((target_at, number, dop_mw))
        return list(batches.items())

    def dop_mw(self, dop_uid: str) -> float | None:
        """One point of a trajectory."""
        return self._one("SELECT dop_mw FROM dotbus.dop_history WHERE dop_uid = :uid", uid=dop_uid)

    def lmp_usd_per_mwh(self, market: str, node: str, interval_start: datetime) -> float | None:
        """The newest price of a node in an interval."""
        query = """
            SELECT lmp_usd_per_mwh FROM dotbus.price_latest
            WHERE market = :market AND node = :node AND interval_start = :start"""
        return self._one(query, market=market, node=node, start=interval_start)

    def alarm_events(self, start: datetime, end: datetime, plant: str | None) -> list[Happened]:
        """What happened to alarms, the oldest first: of everything, or of what a plant's operator has before him."""
        query = """
            SELECT changed_at, plant, about, rule, priority, what, state, text, changed_by, comment
            FROM dotbus.alarm_event_history
            WHERE changed_at >= :start AND changed_at < :end AND (:plant IS NULL OR plant IN (:plant, :installation))
            ORDER BY changed_at, event_no"""
        return [Happened(*row) for row in self._all(query, start=start, end=end, plant=plant, installation=INSTALLATION)]

    def close(self) -> None:
        """Give the connections back."""
        self._engine.dispose()

    def _one(self, query: str, **parameters: object) -> float | None:
        rows = self._all(query, **parameters)
        return rows[0][0] if rows else None

    def _all(self, query: str, **parameters: object) -> Sequence[Any]:
        try:
            with self._engine.connect() as connection:
                return connection.execute(sa.text(query), parameters).all()
        except sa.exc.SQLAlchemyError as error:
            cause = getattr(error, "orig", None) or error
            raise DatabaseSilent(str(cause).strip()) from error
