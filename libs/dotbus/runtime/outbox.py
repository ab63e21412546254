"""The outbox: what an ingest must not lose, on disk before it is said.

A PUBACK does not mean that a broker has a message on disk (measured). So each event gets its sequence number and is kept
here first, in the same transaction that moves CAISO's cursor and replaces the states that follow from it. It stays for a
configured window, to be sent again to a consumer that misses it. SQLite with a write-ahead log and full synchronisation.

The file grows to the largest window or backlog that it ever held and no further: freed pages are used again. What is asked
every second (how many events wait, which states changed) costs the same whatever is kept.
"""

import sqlite3
import threading
import uuid
import zlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import msgspec

from dotbus.contracts.codec import encode
from dotbus.contracts.messages import Dispatch, Dot, Lmp, OutboxSpan, Prices, Trajectory, TrajectoryBatch
from dotbus.runtime.starting import CannotStart

OutgoingEvent = Dispatch | TrajectoryBatch | Prices
OutgoingState = Dot | Trajectory | Lmp

_SCHEMA = """
CREATE TABLE IF NOT EXISTS stream (id TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS event (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, topic TEXT NOT NULL, payload BLOB NOT NULL,
  kept_at REAL NOT NULL, published INTEGER NOT NULL DEFAULT 0);
CREATE INDEX IF NOT EXISTS unpublished ON event (seq) WHERE published = 0;
CREATE INDEX IF NOT EXISTS published_age ON event (kept_at) WHERE published = 1;
CREATE TABLE IF NOT EXISTS state (topic TEXT PRIMARY KEY, payload BLOB NOT NULL, revision INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS state_revision ON state (topic, revision);
CREATE TABLE IF NOT EXISTS retraction (topic TEXT PRIMARY KEY, retracted_at REAL NOT NULL);
CREATE TABLE IF NOT EXISTS cursor (name TEXT PRIMARY KEY, position TEXT NOT NULL);
"""
_LOG_LIMIT_BYTES = 64 * 1024 * 1024
"""What SQLite's write-ahead log is cut to after a large transaction."""
_PRUNED_AT_ONCE = 1000
RETRACTED = b""
"""The payload that makes a broker forget what it retains."""


class OutboxInUse(CannotStart):
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

    Attributes:
        stream: names the run of sequence numbers; another file begins another.
        states_version: counts up with each change of any state.

    Raises:
        OutboxInUse: another process has it.
        sqlite3.Error: the file cannot be opened or is none.
    """

    def __init__(self, path: Path, *, max_age_s: float, max_bytes: int) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._max_age = timedelta(seconds=max_age_s)
        self._max_bytes = max_bytes
        self._lock = threading.RLock()
        self._database = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._claim(path)
        self._database.executescript(_SCHEMA)
        self._kept_bytes = int(self._database.execute("SELECT coalesce(sum(length(payload)), 0) FROM event").fetchone()[0])
        self.stream = self._open_stream()
        self.states_version = 0

    def _claim(self, path: Path) -> None:
        self._database.execute("PRAGMA busy_timeout = 200")
        self._database.execute("PRAGMA locking_mode = EXCLUSIVE")
        try:
            self._database.execute("PRAGMA journal_mode = WAL")
            self._database.execute(f"PRAGMA journal_size_limit = {_LOG_LIMIT_BYTES}")
            self._database.execute("PRAGMA synchronous = FULL")
            self._database.execute("BEGIN IMMEDIATE")
            self._database.execute("COMMIT")
        except sqlite3.DatabaseError as error:
            self._database.close()
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY:
                raise
            raise OutboxInUse(f"{path} is in use by another process: give each instance its own folder (STATE_DIR)") from error

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
            kept_bytes = [self._keep(topic, event, now) for topic, event in events]
            for topic, state in states:
                self._replace_state(topic, encode(state))
                self._database.execute("DELETE FROM retraction WHERE topic = ?", (topic,))
            self._database.executemany("INSERT OR REPLACE INTO cursor VALUES (?, ?)", list((cursors or {}).items()))
        with self._lock:
            self._kept_bytes += sum(kept_bytes)
            self.states_version += bool(states)
        return sum(size > 0 for size in kept_bytes)

    def _keep(self, topic: str, event: OutgoingEvent, now: datetime) -> int:
        """Keep an event unless it is kept already. Returns the bytes that it takes."""
        if self._database.execute("SELECT 1 FROM event WHERE id = ?", (event.id,)).fetchone():
            return 0
        row = self._database.execute(
            "INSERT INTO event (id, topic, payload, kept_at) VALUES (?, ?, x'', ?) RETURNING seq",
            (event.id, topic, now.timestamp()),
        ).fetchone()
        payload = zlib.compress(encode(msgspec.structs.replace(event, stream=self.stream, seq=row[0])))
        self._database.execute("UPDATE event SET payload = ? WHERE seq = ?", (payload, row[0]))
        return len(payload)

    def _replace_state(self, topic: str, payload: bytes) -> None:
        self._database.execute(
            "INSERT INTO state VALUES (?, ?, 1) ON CONFLICT (topic) "
            "DO UPDATE SET payload = excluded.payload, revision = revision + 1",
            (topic, payload),
        )

    def retract(self, topics: Iterable[str], now: datetime) -> None:
        """Take states back: the broker is told to forget them, on each connection until `forget_retracted`.

        Raises:
            sqlite3.Error: the disk is full or broken; nothing was taken back.
        """
        with self._transaction():
            for topic in topics:
                self._replace_state(topic, RETRACTED)
                self._database.execute("INSERT OR REPLACE INTO retraction VALUES (?, ?)", (topic, now.timestamp()))
        with self._lock:
            self.states_version += 1

    def forget_retracted(self, said: Collection[str], before: datetime) -> None:
        """Let go of what was retracted before a time, as far as the broker was told."""
        with self._transaction():
            old = self._database.execute(
                "SELECT topic FROM retraction WHERE retracted_at < ?", (before.timestamp(),)
            ).fetchall()
            gone = [(topic,) for (topic,) in old if topic in said]
            self._database.executemany("DELETE FROM state WHERE topic = ?", gone)
            self._database.executemany("DELETE FROM retraction WHERE topic = ?", gone)

    def unpublished(self, limit: int, after_seq: int = 0) -> list[KeptEvent]:
        """The oldest events beyond a number that no broker has acknowledged."""
        return self._read("WHERE published = 0 AND seq > ? ORDER BY seq LIMIT ?", after_seq, limit)

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
        """The last state of each topic, as it was or will be published; without those that were retracted."""
        with self._lock:
            return dict(self._database.execute("SELECT topic, payload FROM state WHERE length(payload) > 0"))

    def state_revisions(self) -> dict[str, int]:
        """How often each topic's state was replaced or retracted; tells which of them changed."""
        with self._lock:
            return dict(self._database.execute("SELECT topic, revision FROM state"))

    def state_payloads(self, topics: Iterable[str]) -> dict[str, bytes]:
        """What is to be said on some topics, RETRACTED where the last word is that there is none."""
        with self._lock:
            rows = (
                self._database.execute("SELECT topic, payload FROM state WHERE topic = ?", (topic,)).fetchone()
                for topic in topics
            )
            return dict(row for row in rows if row)

    def cursors(self) -> dict[str, str]:
        """Where we are with CAISO."""
        with self._lock:
            return dict(self._database.execute("SELECT name, position FROM cursor"))

    def span(self) -> OutboxSpan:
        """Which events can be sent again. `last_seq` counts on after a pruning that left none."""
        with self._lock:
            (unpublished,) = self._database.execute("SELECT count(*) FROM event WHERE published = 0").fetchone()
            (first,) = self._database.execute("SELECT min(seq) FROM event").fetchone()
            last = self._database.execute("SELECT seq FROM sqlite_sequence WHERE name = 'event'").fetchone()
            return OutboxSpan(stream=self.stream, first_seq=first, last_seq=last[0] if last else None, unpublished=unpublished)

    def prune(self, now: datetime) -> int:
        """Let go of published events beyond the window, the oldest first. Returns how many went.

        What no broker has acknowledged stays, whatever its age and size.
        """
        pruned = 0
        while some := self._prune_some(now):  # in pieces, between which others get their turn
            pruned += some
        return pruned

    def _prune_some(self, now: datetime) -> int:
        with self._transaction():
            gone = self._too_old(now) or self._too_much()
            self._database.executemany("DELETE FROM event WHERE seq = ?", [(seq,) for seq, _ in gone])
        with self._lock:
            self._kept_bytes -= sum(size for _, size in gone)
        return len(gone)

    def _too_old(self, now: datetime) -> list[tuple[int, int]]:
        return self._database.execute(
            "SELECT seq, length(payload) FROM event WHERE published = 1 AND kept_at < ? ORDER BY kept_at LIMIT ?",
            ((now - self._max_age).timestamp(), _PRUNED_AT_ONCE),
        ).fetchall()

    def _too_much(self) -> list[tuple[int, int]]:
        excess_bytes, gone = self._kept_bytes - self._max_bytes, []
        if excess_bytes > 0:
            rows = "SELECT seq, length(payload) FROM event WHERE published = 1 ORDER BY seq LIMIT ?"
            for seq, size in self._database.execute(rows, (_PRUNED_AT_ONCE,)).fetchall():
                if excess_bytes <= 0:
                    break
                gone.append((seq, size))
                excess_bytes -= size
        return gone

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
                self._database.execute("COMMIT")
            except BaseException:
                if self._database.in_transaction:  # a full disk makes SQLite roll back by itself
                    self._database.execute("ROLLBACK")
                raise
