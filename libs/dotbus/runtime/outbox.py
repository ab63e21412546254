"""The outbox: what an ingest must not lose, on disk before it is said.

A PUBACK does not mean that a broker has a message on disk (measured). So each event gets its sequence number and is kept
here first, in the same transaction that moves CAISO's cursor and replaces the states that follow from it. It stays for a
configured window, to be sent again to a consumer that misses it. SQLite with a write-ahead log and full synchronisation.
"""

import sqlite3
import threading
import uuid
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import msgspec

from dotbus.contracts.codec import encode
from dotbus.contracts.messages import Dispatch, Dot, Lmp, OutboxSpan, Prices, Trajectory, TrajectoryBatch

OutgoingEvent = Dispatch | TrajectoryBatch | Prices
OutgoingState = Dot | Trajectory | Lmp

_SCHEMA = """
CREATE TABLE IF NOT EXISTS stream (id TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS event (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, topic TEXT NOT NULL, payload BLOB NOT NULL,
  kept_at REAL NOT NULL, published INTEGER NOT NULL DEFAULT 0);
CREATE INDEX IF NOT EXISTS unpublished ON event (seq) WHERE published = 0;
CREATE TABLE IF NOT EXISTS state (topic TEXT PRIMARY KEY, payload BLOB NOT NULL, revision INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS cursor (name TEXT PRIMARY KEY, position TEXT NOT NULL);
"""
_BUSY_TIMEOUT_S = 10.0


class OutboxInUse(Exception):
    """Another process has this outbox open: two instances would give one sequence number to two events."""


@dataclass(frozen=True)
class KeptEvent:
    """An event as it is kept: its payload carries `seq` and the stream."""

    seq: int
    topic: str
    payload: bytes


class Outbox:
    """The events, states and cursors of one source. Safe to use from several threads, by one process at a time.

    Args:
        path: the database file; its folder is made when it is not there.
        max_age_s: how long a published event stays.
        max_bytes: how much the kept payloads may take together; the oldest published ones go first.

    Raises:
        OutboxInUse: another process has it.
    """

    def __init__(self, path: Path, *, max_age_s: float, max_bytes: int) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._max_age = timedelta(seconds=max_age_s)
        self._max_bytes = max_bytes
        self._lock = threading.RLock()
        self._database = sqlite3.connect(path, timeout=_BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False)
        self._claim(path)
        self._database.executescript(_SCHEMA)
        self.stream = self._open_stream()

    def _claim(self, path: Path) -> None:
        self._database.execute("PRAGMA busy_timeout = 200")
        self._database.execute("PRAGMA locking_mode = EXCLUSIVE")
        try:
            self._database.execute("PRAGMA journal_mode = WAL")
            self._database.execute("PRAGMA synchronous = FULL")
            self._database.execute("BEGIN IMMEDIATE")
            self._database.execute("COMMIT")
        except sqlite3.OperationalError as error:
            self._database.close()
            raise OutboxInUse(f"{path} is in use by another process: give each instance its own folder") from error

    def _open_stream(self) -> str:
        with self._transaction():
            row = self._database.execute("SELECT id FROM stream").fetchone()
            if row:
                return str(row[0])
            stream = uuid.uuid4().hex
            self._database.execute("INSERT INTO stream VALUES (?)", (stream,))
            return stream

    def commit(
        self,
        now: datetime,
        *,
        events: Sequence[tuple[str, OutgoingEvent]] = (),
        states: Sequence[tuple[str, OutgoingState]] = (),
        cursors: Mapping[str, str] | None = None,
    ) -> int:
        """Keep events, replace states and move cursors, all or nothing. Returns how many events were new.

        An event whose id is kept already is the same fact seen again and is passed over.

        Raises:
            sqlite3.Error: the disk is full or broken; nothing of it was kept.
        """
        with self._transaction():
            stored = sum(self._keep(topic, event, now) for topic, event in events)
            for topic, state in states:
                self._database.execute(
                    "INSERT INTO state VALUES (?, ?, 1) ON CONFLICT (topic) "
                    "DO UPDATE SET payload = excluded.payload, revision = revision + 1",
                    (topic, encode(state)),
                )
            self._database.executemany("INSERT OR REPLACE INTO cursor VALUES (?, ?)", list((cursors or {}).items()))
            return stored

    def _keep(self, topic: str, event: OutgoingEvent, now: datetime) -> bool:
        if self._database.execute("SELECT 1 FROM event WHERE id = ?", (event.id,)).fetchone():
            return False
        row = self._database.execute(
            "INSERT INTO event (id, topic, payload, kept_at) VALUES (?, ?, x'', ?) RETURNING seq",
            (event.id, topic, now.timestamp()),
        ).fetchone()
        stamped = msgspec.structs.replace(event, stream=self.stream, seq=row[0])
        self._database.execute("UPDATE event SET payload = ? WHERE seq = ?", (zlib.compress(encode(stamped)), row[0]))
        return True

    def unpublished(self, limit: int) -> list[KeptEvent]:
        """The oldest events that no broker has acknowledged."""
        return self._read("WHERE published = 0 ORDER BY seq LIMIT ?", limit)

    def between(self, first_seq: int, last_seq: int, limit: int) -> list[KeptEvent]:
        """The kept events of a range, in order, at most `limit`."""
        return self._read("WHERE seq BETWEEN ? AND ? ORDER BY seq LIMIT ?", first_seq, last_seq, limit)

    def _read(self, condition: str, *parameters: int) -> list[KeptEvent]:
        with self._lock:
            rows = self._database.execute(f"SELECT seq, topic, payload FROM event {condition}", parameters)  # noqa: S608  # literals
            return [KeptEvent(seq, topic, zlib.decompress(payload)) for seq, topic, payload in rows]

    def mark_published(self, seqs: Sequence[int]) -> None:
        """Note that a broker acknowledged these events."""
        with self._transaction():
            self._database.executemany("UPDATE event SET published = 1 WHERE seq = ?", [(seq,) for seq in seqs])

    def states(self) -> dict[str, bytes]:
        """The last state of each topic, as it was or will be published."""
        with self._lock:
            return dict(self._database.execute("SELECT topic, payload FROM state"))

    def state_revisions(self) -> dict[str, int]:
        """How often each topic's state was replaced; tells which of them changed."""
        with self._lock:
            return dict(self._database.execute("SELECT topic, revision FROM state"))

    def cursors(self) -> dict[str, str]:
        """Where we are with CAISO."""
        with self._lock:
            return dict(self._database.execute("SELECT name, position FROM cursor"))

    def span(self) -> OutboxSpan:
        """Which events can be sent again. `last_seq` counts on after a pruning that left none."""
        with self._lock:
            first, unpublished = self._database.execute("SELECT min(seq), sum(published = 0) FROM event").fetchone()
            last = self._database.execute("SELECT seq FROM sqlite_sequence WHERE name = 'event'").fetchone()
            return OutboxSpan(
                stream=self.stream, first_seq=first, last_seq=last[0] if last else None, unpublished=unpublished or 0
            )

    def prune(self, now: datetime) -> int:
        """Let go of published events beyond the window, the oldest first. Returns how many went.

        What no broker has acknowledged stays, whatever its age and size.
        """
        with self._transaction():
            aged = self._database.execute(
                "DELETE FROM event WHERE published = 1 AND kept_at < ?", ((now - self._max_age).timestamp(),)
            ).rowcount
            oversize = self._database.execute(
                "DELETE FROM event WHERE published = 1 AND seq IN (SELECT seq FROM "
                "(SELECT seq, sum(length(payload)) OVER (ORDER BY seq DESC) AS bytes FROM event) WHERE bytes > ?)",
                (self._max_bytes,),
            ).rowcount
            return aged + oversize

    def close(self) -> None:
        """Give the file back."""
        with self._lock:
            self._database.close()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._lock:
            self._database.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._database.execute("ROLLBACK")
                raise
            self._database.execute("COMMIT")
