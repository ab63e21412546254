"""Letters: dead letters in the database, read and marked."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from datetime import datetime

import sqlalchemy as sa

from historian.database import Database
from historian.tables import dead_letter
from historian.write.storing.copying import VISIBLE_NUL

AT_ONCE = 50
"""Of all that wait: each may have megabytes."""


@dataclass(frozen=True)
class DeadLetter:
    """A delivery that could not be stored, or contradicts one that was."""

    id: int
    kind: str
    topic: str
    payload: bytes
    payload_bytes: int
    reason: str
    seen: int
    received_at: datetime
    retried_at: datetime | None

    @property
    def is_whole(self) -> bool:
        """Whether all that came is kept; of what was beyond bounds only the beginning is."""
        return len(self.payload) == self.payload_bytes


def count_letters(connection: sa.Connection) -> dict[str, int]:
    """How many wait, by kind."""
    rows = connection.execute(
        sa.select(dead_letter.c.kind, sa.func.count()).where(dead_letter.c.stored_at.is_(None)).group_by(dead_letter.c.kind)
    )
    return {row[0]: row[1] for row in rows}


def each_letter(database: Database, limit: int, only: Sequence[int] = ()) -> Iterator[DeadLetter]:
    """The same as `letters`, some at a time, so that not all are in memory together."""
    after_id, left = 0, limit
    while left > 0:
        with database.transaction() as connection:
            found = letters(connection, min(left, AT_ONCE), only, after_id)
        if not found:
            return
        yield from found
        after_id, left = found[-1].id, left - len(found)


def letters(connection: sa.Connection, limit: int, only: Sequence[int] = (), after_id: int = 0) -> list[DeadLetter]:
    """Dead letters that wait, the oldest first, beyond a number; of those named only, when any is."""
    columns = [dead_letter.c[field.name] for field in fields(DeadLetter)]
    query = sa.select(*columns).where(dead_letter.c.stored_at.is_(None), dead_letter.c.id > after_id)
    if only:
        query = query.where(dead_letter.c.id.in_(only))
    found = connection.execute(query.order_by(dead_letter.c.id).limit(limit))
    return [DeadLetter(**{**row, "payload": bytes(row["payload"])}) for row in found.mappings()]


def not_waiting(connection: sa.Connection, ids: Sequence[int]) -> list[int]:
    """The numbers under which no dead letter waits, ascending."""
    waiting = sa.select(dead_letter.c.id).where(dead_letter.c.stored_at.is_(None), dead_letter.c.id.in_(ids))
    return sorted(set(ids) - set(connection.scalars(waiting)))


def mark(connection: sa.Connection, letter: DeadLetter, now: datetime, refused: str | None) -> None:
    """Note how another try went: why it is still refused, or None when it is stored."""
    outcome = {"stored_at": now} if refused is None else {"reason": refused.replace("\0", VISIBLE_NUL)}
    connection.execute(sa.update(dead_letter).where(dead_letter.c.id == letter.id).values(retried_at=now, **outcome))
