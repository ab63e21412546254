"""An outbox under anything that may happen to it, beside a model that is simple enough to be right."""

import math
import shutil
import sqlite3
import tempfile
from collections import Counter
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from dotbus.contracts.codec import decode
from dotbus.runtime.outbox.outbox import Outbox
from dotbus.testing import samples

NOW = samples.AT
FACTS = st.lists(st.integers(1, 40), max_size=6)
PLANTS = ("sierra", "delta", "lodi")


def fact(number: int):
    plant = PLANTS[number % len(PLANTS)]
    return f"t/{plant}", msgspec.structs.replace(samples.dispatch(), id=f"id-{number}", plant=plant)


class AnOutbox(RuleBasedStateMachine):
    """The model: which facts are kept under which number of the stream, and which of them a broker has.

    `world` is what every subscriber ever saw; the promise is that no number in it ever means two facts.
    """

    def __init__(self) -> None:
        super().__init__()
        self._folder = tempfile.TemporaryDirectory()
        self._path = Path(self._folder.name) / "outbox.sqlite"
        self._backup = Path(self._folder.name) / "backup.sqlite"
        self._open()
        self.stream, self.last_seq = self.box.stream, 0
        self.waiting: dict[int, int] = {}
        self.has: dict[int, tuple[str, int]] = {}
        self.marked_late: set[int] = set()
        self.counts = Counter[int]()
        self.plant_seqs: dict[tuple[str, int], int] = {}
        self.world: dict[tuple[str, int], str] = {}
        self.kept_back = None

    def _open(self) -> None:
        self.box = Outbox(self._path, max_age_s=3600, max_bytes=10**9)

    def _give(self, number: int) -> None:
        self.last_seq += 1
        self.waiting[number] = self.last_seq
        self.counts[number % len(PLANTS)] += 1
        self.plant_seqs[self.stream, self.last_seq] = self.counts[number % len(PLANTS)]

    @rule(numbers=FACTS)
    def commit(self, numbers: list[int]) -> None:
        new = [n for n in dict.fromkeys(numbers) if n not in self.waiting and n not in self.has]
        assert self.box.commit(NOW, events=[fact(n) for n in numbers], cursors={"c": str(numbers)}) == len(new)
        for number in new:
            self._give(number)
        assert self.box.cursors() == {"c": str(numbers)}

    @rule(numbers=FACTS)
    def commit_what_cannot_be(self, numbers: list[int]) -> None:
        _, broken = fact(99)
        broken = msgspec.structs.replace(
            broken, instructions=(msgspec.structs.replace(samples.instruction(), dot_mw=math.nan),)
        )
        with pytest.raises(ValueError, match="finite"):
            self.box.commit(NOW, events=[*map(fact, numbers), ("t", broken)])

    @rule(limit=st.integers(1, 5), disk_is_full=st.booleans())
    def publish(self, limit: int, disk_is_full: bool) -> None:  # noqa: FBT001  # hypothesis gives it
        events = self.box.unpublished(limit)
        for event in events:
            message = decode(event.payload)
            assert self.world.setdefault((message.stream, message.seq), message.id) == message.id
        if disk_is_full:
            self.box._database.execute("PRAGMA query_only = 1")
            if events:
                with pytest.raises(sqlite3.Error):
                    self.box.mark_published(event.number for event in events)
            self.box._database.execute("PRAGMA query_only = 0")
        else:
            self.box.mark_published(event.number for event in events)
            self.marked_late.clear()
        for number in sorted(self.waiting, key=self.waiting.__getitem__)[: len(events)]:
            self.has[number] = (self.stream, self.waiting.pop(number))
            self.marked_late |= {number} if disk_is_full else set()

    @rule()
    def prune(self) -> None:
        self.box.prune(NOW + timedelta(hours=2))
        self.has = {number: place for number, place in self.has.items() if number in self.marked_late}

    @rule()
    def restart(self) -> None:
        self.box.close()
        self._open()
        for number in self.marked_late:
            self.waiting[number] = self.has.pop(number)[1]
        self.marked_late = set()

    @rule()
    def back_up(self) -> None:
        self.restart()
        self.box.close()
        shutil.copy(self._path, self._backup)
        self._open()
        self.kept_back = self.stream, self.last_seq, dict(self.waiting), dict(self.has), Counter(self.counts)

    @rule()
    def restore(self) -> None:
        if self.kept_back is None:
            return
        self.box.close()
        shutil.copy(self._backup, self._path)
        self._open()
        self.stream, self.last_seq, waiting, has, counts = self.kept_back
        self.waiting, self.has, self.counts = dict(waiting), dict(has), Counter(counts)
        self.marked_late = set()
        if max((seq for stream, seq in self.world if stream == self.stream), default=0) > self.last_seq:
            assert self.box.begin_stream() == len(self.waiting)
            self.stream, self.last_seq, self.counts = self.box.stream, 0, Counter()
            for number in sorted(self.waiting, key=self.waiting.__getitem__):
                self._give(number)

    @invariant()
    def what_waits_is_what_the_model_says(self) -> None:
        said = [decode(event.payload) for event in self.box.unpublished(100)]
        assert {(message.id, message.stream, message.seq) for message in said} == {
            (f"id-{number}", self.stream, seq) for number, seq in self.waiting.items()
        }
        assert [message.seq for message in said] == sorted(message.seq for message in said)

    @invariant()
    def what_is_kept_is_what_the_model_says(self) -> None:
        said = [decode(event.payload) for event in self.box.between(1, 10**6, 10**6)]
        waiting = {(f"id-{number}", self.stream, seq) for number, seq in self.waiting.items()}
        assert {(message.id, message.stream, message.seq) for message in said} == waiting | {
            (f"id-{number}", *place) for number, place in self.has.items()
        }
        assert all(self.world.get((m.stream, m.seq), m.id) == m.id for m in said)

    @invariant()
    def each_plant_counts_without_gaps(self) -> None:
        for message in (decode(event.payload) for event in self.box.between(1, 10**6, 10**6)):
            assert message.plant_seq == self.plant_seqs[message.stream, message.seq]

    @invariant()
    def the_span_is_what_the_model_says(self) -> None:
        span = self.box.span()
        seqs = [*self.waiting.values(), *(seq for stream, seq in self.has.values() if stream == self.stream)]
        assert (span.stream, span.last_seq or 0, span.unpublished) == (self.stream, self.last_seq, len(self.waiting))
        assert span.first_seq == min(seqs, default=None)

    def teardown(self) -> None:
        self.box.close()
        self._folder.cleanup()


TestAnOutbox = AnOutbox.TestCase
TestAnOutbox.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)
