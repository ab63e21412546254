"""The outbox's table of events: how it is read, renumbered and made shorter. The caller holds the lock, or a transaction."""

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple

from dotbus.runtime.outbox.numbers import Draft
from dotbus.runtime.outbox.packing import Packer
from dotbus.runtime.outbox.sequence import Range

PRUNED_AT_ONCE: Final = 1000
RENUMBERED_AT_ONCE: Final = 500
_READ: Final = "SELECT seq, topic, payload FROM"
_LIMITED: Final = "ORDER BY seq LIMIT ?"
# A cross join keeps its order: a search for each range, never a walk through all events.
_AMONG: Final = (
    f"{_READ} json_each(?) AS wanted CROSS JOIN event"
    f" ON seq BETWEEN json_extract(wanted.value, '$[0]') AND json_extract(wanted.value, '$[1]') {_LIMITED}"
)


@dataclass(frozen=True)
class KeptEvent:
    """An event as it is kept. Its payload carries `seq` and the stream; `number` is the outbox's own, over all streams."""

    number: int
    topic: str
    payload: bytes


class Mark(NamedTuple):
    """An event's number, and whether the file says that it was published."""

    number: int
    published: bool


StoredEvent = tuple[int, str, bytes]
"""Number, topic and packed payload."""


def unpublished(database: sqlite3.Connection, limit: int, after_number: int) -> list[StoredEvent]:
    """The oldest events beyond a number that are not marked as published."""
    question = f"{_READ} event WHERE published = 0 AND seq > ? {_LIMITED}"
    return database.execute(question, (after_number, limit)).fetchall()


def among(database: sqlite3.Connection, ranges: Sequence[Range], limit: int) -> list[StoredEvent]:
    """The events of some ranges, in order. Several ranges are one question; a single one may be of any width."""
    if len(ranges) == 1:
        return database.execute(f"{_READ} event WHERE seq BETWEEN ? AND ? {_LIMITED}", (*ranges[0], limit)).fetchall()
    return database.execute(_AMONG, (json.dumps(ranges), limit)).fetchall()


def of_id(database: sqlite3.Connection, event_id: str) -> Mark | None:
    """How far an event is; None when it is not kept."""
    row = database.execute("SELECT seq, published FROM event WHERE id = ?", (event_id,)).fetchone()
    return row and Mark(row[0], bool(row[1]))


def of_ids(database: sqlite3.Connection, prefix: str) -> list[StoredEvent]:
    """The events whose ids begin with a text that is not empty. By the index of ids, whatever else is kept."""
    after = prefix[:-1] + chr(ord(prefix[-1]) + 1)
    return database.execute(f"{_READ} event WHERE id >= ? AND id < ? ORDER BY seq", (prefix, after)).fetchall()


def unpacked(events: Sequence[StoredEvent]) -> list[KeptEvent]:
    """Events as they are published."""
    packer = Packer()
    return [KeptEvent(number, topic, packer.unpack(payload)) for number, topic, payload in events]


def unmark(database: sqlite3.Connection, base: int) -> None:
    """Whatever has a number beyond `base` waits again."""
    database.execute("UPDATE event SET published = 0 WHERE published = 1 AND seq > ?", (base,))


def renumber_some(database: sqlite3.Connection, draft: Draft, base: int) -> list[int]:
    """Give the next numbers to some of what waits with a number up to `base`. Returns by how many bytes each grew."""
    question = f"{_READ} event WHERE published = 0 AND seq <= ? {_LIMITED}"
    grown, packer = [], Packer()
    for number, _topic, payload in database.execute(question, (base, RENUMBERED_AT_ONCE)).fetchall():
        stamped = packer.pack(draft.restamped(packer.unpack(payload)))
        database.execute("UPDATE event SET seq = ?, payload = ? WHERE seq = ?", (draft.last, stamped, number))
        grown.append(len(stamped) - len(payload))
    return grown


def known_ids(database: sqlite3.Connection, ids: Sequence[str]) -> set[str]:
    """Those of some ids whose events are kept. One question for all."""
    question = "SELECT event.id FROM json_each(?) AS asked CROSS JOIN event ON event.id = asked.value"
    return {event_id for (event_id,) in database.execute(question, (json.dumps(ids),))}


def insert(database: sqlite3.Connection, events: Sequence[StoredEvent], ids: Sequence[str], now: datetime) -> None:
    """Keep events, each with its id."""
    rows = ((*event, event_id, now.timestamp()) for event, event_id in zip(events, ids, strict=True))
    database.executemany("INSERT INTO event (seq, topic, payload, id, kept_at) VALUES (?, ?, ?, ?, ?)", rows)


def too_old(database: sqlite3.Connection, before: datetime) -> list[tuple[int, int]]:
    """Numbers and sizes of published events of before a time, some at once."""
    return database.execute(
        "SELECT seq, length(payload) FROM event WHERE published = 1 AND kept_at < ? ORDER BY kept_at LIMIT ?",
        (before.timestamp(), PRUNED_AT_ONCE),
    ).fetchall()


def too_much(database: sqlite3.Connection, excess_bytes: int) -> list[tuple[int, int]]:
    """Numbers and sizes of the oldest published events that are in excess, some at once."""
    if excess_bytes <= 0:
        return []
    gone: list[tuple[int, int]] = []
    rows = "SELECT seq, length(payload) FROM event WHERE published = 1 ORDER BY seq LIMIT ?"
    for number, size in database.execute(rows, (PRUNED_AT_ONCE,)).fetchall():
        if excess_bytes <= 0:
            break
        gone.append((number, size))
        excess_bytes -= size
    return gone
