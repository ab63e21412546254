"""The outbox: what an ingest must not lose, on disk before it is said.

A PUBACK does not mean that a broker has a message on disk (measured). So each event gets its sequence number and is kept
here first, in the same transaction that moves CAISO's cursor and replaces the states that follow from it. It stays for a
configured window, to be sent again to a consumer that misses it. SQLite with a write-ahead log and full synchronisation.

The file grows to the largest window or backlog that it ever held and no further: freed pages are used again. What is asked
every second (how many events wait, which states changed) costs the same whatever is kept.
"""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Final

from dotbus.contracts.codec import encode
from dotbus.contracts.messages import AlarmStatus, AlarmSummary, Dot, Instructions, Lmp, OutboxSpan, Trajectory
from dotbus.runtime.outbox import events as outbox_events
from dotbus.runtime.outbox.events import KeptEvent, StoredEvent, unpacked
from dotbus.runtime.outbox.file import OutboxFile, OutboxInUse
from dotbus.runtime.outbox.numbers import ALL, Draft, Numbers, OutgoingEvent, Stream, StreamNumbers, new_stream
from dotbus.runtime.outbox.packing import Packer
from dotbus.runtime.outbox.sequence import Range, SequenceRanges, pieces

__all__ = ["RETRACTED", "KeptEvent", "Outbox", "OutboxInUse", "OutgoingEvent", "OutgoingState"]

OutgoingState = Dot | Trajectory | Instructions | Lmp | AlarmStatus | AlarmSummary

RETRACTED: Final = b""
"""The payload that makes a broker forget what it retains."""
_NOTE: Final = "_"
"""With it begin the names of notes among the cursors."""
_MARKED_TOGETHER: Final = 100
_MARKS_AT_ONCE: Final = 500


class Outbox:
    """The events, states and cursors of one source. Safe to use from several threads, by one process at a time.

    Args:
        path: the database file; its folder is made when it is not there.
        max_age_s: how long a published event stays.
        max_bytes: how much the kept payloads may take together; the oldest published ones go first.

    Attributes:
        states_version: counts up with each change of any state.

    Raises:
        OutboxInUse: another process has it.
        CannotStart: a newer version of dotbus made it.
        sqlite3.Error: the file cannot be opened or is none.
    """

    def __init__(self, path: Path, *, max_age_s: float, max_bytes: int) -> None:
        self._max_age = timedelta(seconds=max_age_s)
        self._max_bytes = max_bytes
        self._file = OutboxFile(path)
        self._lock, self._database, self._transaction = self._file.lock, self._file.database, self._file.transaction
        self._kept_bytes = int(self._database.execute("SELECT coalesce(sum(length(payload)), 0) FROM event").fetchone()[0])
        self._numbers = self._read_numbers()
        self._acknowledged = SequenceRanges()
        self._packer = Packer()
        self.states_version = 0

    def _read_numbers(self) -> Numbers:
        with self._transaction():
            (newest,) = self._database.execute("SELECT coalesce(max(seq), 0) FROM event").fetchone()
            streams = [Stream(*row) for row in self._database.execute("SELECT id, base FROM stream ORDER BY base, rowid")]
            counts = dict(self._database.execute("SELECT scope, last FROM count"))
            last = max(newest, counts.pop(ALL, 0))  # newest: a version of before went on with the file
            return Numbers(tuple(streams or [self._write_stream(last)]), last, counts)

    def _write_stream(self, base: int) -> Stream:
        stream = new_stream(base)
        self._database.execute("INSERT INTO stream (id, base) VALUES (?, ?)", (stream.id, stream.base))
        return stream

    @property
    def stream(self) -> str:
        """Names the run of sequence numbers. Another file begins another, and so does one that is older than what was said."""
        return self._numbers.stream.id

    @property
    def last_seq(self) -> int:
        """The last sequence number that was given in the stream, 0 before the first."""
        return self._numbers.last_seq

    @property
    def last_number(self) -> int:
        """The last of the outbox's own numbers, which go on over all its streams; 0 before the first."""
        return self._numbers.last

    def number_of(self, event_id: str) -> int | None:
        """The number that a kept event has now, None when it is not kept."""
        with self._lock:
            found = outbox_events.of_id(self._database, event_id)
        return found.number if found else None

    def numbers_of(self, stream: str) -> StreamNumbers | None:
        """Which of the outbox's numbers are those of a stream, None when it was never one of this outbox."""
        return self._numbers.of_stream(stream)

    def commit(
        self,
        now: datetime,
        *,
        events: Sequence[tuple[str, OutgoingEvent]] = (),
        states: Sequence[tuple[str, OutgoingState]] = (),
        cursors: Mapping[str, str] | None = None,
        notes: Mapping[str, str | None] | None = None,
    ) -> int:
        """Keep events, replace states and move cursors, all or nothing. Returns how many events were new.

        An event whose id is kept already is the same fact seen again and is passed over. A note that is None is forgotten.

        Raises:
            sqlite3.Error: the disk is full or broken; nothing of it was kept.
        """
        with self._lock:
            draft = Draft(self._numbers)
            with self._transaction():
                kept_bytes = self._keep(draft, events, now) if events else []
                self._write_counts(draft)
                self._write_states(states, cursors or {})
                self._write_notes(notes or {})
            self._numbers = draft.kept()
            self._kept_bytes += sum(kept_bytes)
            self.states_version += bool(states)
        return len(kept_bytes)

    def _keep(self, draft: Draft, events: Sequence[tuple[str, OutgoingEvent]], now: datetime) -> list[int]:
        """Keep the events that are not kept already. Returns the bytes that each of them takes."""
        known = outbox_events.known_ids(self._database, [event.id for _topic, event in events])
        kept: list[StoredEvent] = []
        ids: list[str] = []
        for topic, event in events:
            if event.id in known:
                continue
            known.add(event.id)
            payload = self._packer.pack(encode(draft.stamped(event)))
            kept.append((draft.last, topic, payload))
            ids.append(event.id)
        outbox_events.insert(self._database, kept, ids, now)
        return [len(payload) for _number, _topic, payload in kept]

    def _write_counts(self, draft: Draft) -> None:
        for count in (*draft.counts.items(), *([(ALL, draft.last)] if draft.last > self._numbers.last else ())):
            self._database.execute(
                "INSERT INTO count VALUES (?, ?) ON CONFLICT (scope) DO UPDATE SET last = excluded.last", count
            )

    def _write_states(self, states: Sequence[tuple[str, OutgoingState]], cursors: Mapping[str, str]) -> None:
        self._replace_states([(topic, encode(state)) for topic, state in states])
        said = json.dumps([topic for topic, _state in states])
        self._database.execute("DELETE FROM retraction WHERE topic IN (SELECT value FROM json_each(?))", (said,))
        self._write_cursors(cursors)

    def _write_cursors(self, cursors: Mapping[str, str]) -> None:
        move = "INSERT INTO cursor VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET position = excluded.position"
        self._database.executemany(move, cursors.items())

    def _write_notes(self, notes: Mapping[str, str | None]) -> None:
        self._write_cursors({_NOTE + name: text for name, text in notes.items() if text is not None})
        gone = [(_NOTE + name,) for name, text in notes.items() if text is None]
        self._database.executemany("DELETE FROM cursor WHERE name = ?", gone)

    def begin_stream(self, *, again: bool = False) -> int:
        """Count from 1 under a new name: in the stream so far, later events than this file has were published.

        What no broker has acknowledged gets numbers of the new stream; what was published keeps its own and can be sent again
        under the old name. Returns how many got new numbers.

        Args:
            again: what was published in the stream so far counts as not acknowledged.

        Raises:
            sqlite3.Error: the disk is full or broken; the stream goes on.
        """
        with self._lock:
            self._mark_acknowledged()
            before, kept_bytes, renumbered = self._numbers, 0, 0
            with self._transaction():
                if again:
                    outbox_events.unmark(self._database, before.stream.base)
                stream = self._write_stream(before.last)
                self._database.execute("DELETE FROM count WHERE scope <> ?", (ALL,))
                draft = Draft(before.beginning(stream))
                while sizes := outbox_events.renumber_some(self._database, draft, stream.base):
                    renumbered += len(sizes)
                    kept_bytes += sum(sizes)
                self._write_counts(draft)
            self._numbers = draft.kept()
            self._kept_bytes += kept_bytes
            return renumbered

    def _replace_states(self, states: Sequence[tuple[str, bytes]]) -> None:
        self._database.executemany(
            "INSERT INTO state VALUES (?, ?, 1) ON CONFLICT (topic) "
            "DO UPDATE SET payload = excluded.payload, revision = revision + 1",
            states,
        )

    def retract(self, topics: Iterable[str], now: datetime) -> None:
        """Take states back: the broker is told to forget them, on each connection until `forget_retracted`.

        Raises:
            sqlite3.Error: the disk is full or broken; nothing was taken back.
        """
        with self._transaction():
            gone = list(topics)
            self._replace_states([(topic, RETRACTED) for topic in gone])
            retractions = [(topic, now.timestamp()) for topic in gone]
            self._database.executemany("INSERT OR REPLACE INTO retraction VALUES (?, ?)", retractions)
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

    def unpublished(self, limit: int, after_number: int = 0) -> list[KeptEvent]:
        """The oldest events beyond a number that no broker has acknowledged, at most `limit`."""
        waiting: list[StoredEvent] = []
        with self._lock:
            while not waiting:
                after_number = self._acknowledged.end_of(after_number + 1) or after_number
                events = outbox_events.unpublished(self._database, limit, after_number)
                waiting = [event for event in events if self._acknowledged.end_of(event[0]) is None]
                if not events:
                    break
                after_number = events[-1][0]
        return unpacked(waiting)

    def between(self, first: int, last: int, limit: int) -> list[KeptEvent]:
        """The kept events of a range of the outbox's numbers, in order, at most `limit`."""
        return self.among([(first, last)], limit)

    def among(self, ranges: Sequence[Range], limit: int) -> list[KeptEvent]:
        """The kept events of several ranges of the outbox's numbers, in order, at most `limit`. One question for all."""
        with self._lock:
            events = outbox_events.among(self._database, ranges, limit)
        return unpacked(events)

    def events_of(self, id_prefix: str) -> list[KeptEvent]:
        """The kept events whose ids begin so, in the order of their numbers."""
        with self._lock:
            return unpacked(outbox_events.of_ids(self._database, id_prefix))

    def is_published(self, event_id: str) -> bool:
        """Whether a broker acknowledged an event."""
        with self._lock:
            found = outbox_events.of_id(self._database, event_id)
            return found is not None and (found.published or self._acknowledged.end_of(found.number) is not None)

    def mark_published(self, numbers: Iterable[int]) -> None:
        """Note that a broker acknowledged these events: for this run at once, for the next one as soon as the disk takes it.

        Raises:
            sqlite3.Error: the disk is full or broken; with the next call it is tried again.
        """
        with self._lock:
            self._acknowledged = self._acknowledged.adding(numbers)
            self._mark_acknowledged()

    def _mark_acknowledged(self) -> None:
        marks = pieces(self._acknowledged.ranges, _MARKED_TOGETHER)
        while some := list(islice(marks, _MARKS_AT_ONCE)):
            with self._transaction():
                self._database.executemany("UPDATE event SET published = 1 WHERE published = 0 AND seq BETWEEN ? AND ?", some)
            self._acknowledged = self._acknowledged.after(some[-1][1])

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
        question = "SELECT state.topic, payload FROM json_each(?) AS asked CROSS JOIN state ON state.topic = asked.value"
        with self._lock:
            return dict(self._database.execute(question, (json.dumps(list(topics)),)))

    def cursors(self) -> dict[str, str]:
        """Where we are with CAISO."""
        return {name: position for name, position in self._positions().items() if not name.startswith(_NOTE)}

    def note(self, name: str) -> str | None:
        """What was noted under a name, None when nothing was."""
        return self._positions().get(_NOTE + name)

    def notes(self, prefix: str) -> Mapping[str, str]:
        """What was noted under all names that begin so."""
        start = _NOTE + prefix
        found = self._positions().items()
        return {name.removeprefix(_NOTE): text for name, text in found if name.startswith(start)}

    def keep_note(self, name: str, text: str) -> None:
        """Note something beside the cursors that is nobody else's matter.

        Raises:
            sqlite3.Error: the disk is full or broken; it was not kept.
        """
        with self._transaction():
            self._write_notes({name: text})

    def _positions(self) -> dict[str, str]:
        with self._lock:
            return dict(self._database.execute("SELECT name, position FROM cursor"))

    def span(self) -> OutboxSpan:
        """Which events of the stream can be sent again. `last_seq` counts on after a pruning that left none."""
        with self._lock:
            base = self._numbers.stream.base
            (unpublished,) = self._database.execute("SELECT count(*) FROM event WHERE published = 0").fetchone()
            (first,) = self._database.execute("SELECT min(seq) FROM event WHERE seq > ?", (base,)).fetchone()
            return OutboxSpan(
                stream=self.stream,
                first_seq=None if first is None else first - base,
                last_seq=self.last_seq or None,
                unpublished=unpublished - self._acknowledged.size,
            )

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
            gone = outbox_events.too_old(self._database, now - self._max_age)
            gone = gone or outbox_events.too_much(self._database, self._kept_bytes - self._max_bytes)
            self._database.executemany("DELETE FROM event WHERE seq = ?", [(seq,) for seq, _ in gone])
        with self._lock:
            self._kept_bytes -= sum(size for _, size in gone)
        return len(gone)

    def close(self) -> None:
        """Give the file back."""
        self._file.close()
