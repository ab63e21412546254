"""Publishing: events, the states that follow from them and the cursor into the outbox, all or nothing."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import chain
from typing import Any, Generic, TypeVar

import msgspec

from ads_ingest.batches.contradictions import ToldOtherwise
from ads_ingest.batches.passed_over import Named
from ads_ingest.known.from_batches import KnownInstructions
from ads_ingest.known.state import B, KnownState, S
from caiso.ads.records import WHOLE_CACHE
from dotbus.contracts.codec import UndecodableMessage, decode, decode_as, encode
from dotbus.contracts.messages import (
    Dispatch,
    DispatchBatchHeader,
    InstructionAnswered,
    TrajectoryBatch,
    UpstreamGap,
)
from dotbus.contracts.topics import UNASSIGNED, Topics
from dotbus.runtime.logs import get_logger
from dotbus.runtime.outbox.outbox import Outbox

E = TypeVar("E", InstructionAnswered, UpstreamGap)
_CONTRADICTED = "contradicted"
_told_otherwise = msgspec.json.Decoder(tuple[ToldOtherwise, ...])
_missing = msgspec.json.Decoder(tuple[DispatchBatchHeader, ...])
_header = msgspec.json.Decoder(DispatchBatchHeader)
_named = msgspec.json.Decoder(dict[str, Named])


def kept_events(outbox: Outbox, id_prefix: str, kind: type[E]) -> Iterator[E]:
    """The events of one kind whose ids begin so, in their order, but for those of another version of this software.

    Raises:
        sqlite3.Error: the outbox cannot be read.
    """
    for kept in outbox.events_of(id_prefix):
        try:
            yield decode_as(kept.payload, kind)
        except UndecodableMessage:
            continue


class UnassignedResources:
    """Resources that no configured plant claims, each told once: what CAISO says of them goes out, and nobody follows it."""

    def __init__(self) -> None:
        self._told: set[str] = set()
        self._log = get_logger("ads")

    def note(self, plant: str, resource_id: str) -> None:
        """A resource was named by CAISO."""
        if plant == UNASSIGNED and resource_id not in self._told:
            self._told.add(resource_id)
            self._log.warning("no plant claims a resource", resource_id=resource_id, published_under=UNASSIGNED)


class Publisher(Generic[B, S]):
    """What one stream of ADS says and where it is.

    Args:
        outbox: where it goes.
        known_state: what holds for each resource.
        topics: of this installation.
        cursor_name: of this stream's cursor in the outbox.
        committed: called when there is something new to deliver.
        unassigned: who tells of resources without a plant.
        instructions: what else the same events say, where that is published, too.

    Attributes:
        cursor: the UID to continue from.
        named: every batch as CAISO's lists named it last, now or before a restart.
        had: the open batches that were passed on, now or before a restart, as they were had last.
        lock: of its known states.
    """

    def __init__(
        self,
        outbox: Outbox,
        known_state: KnownState[B, S],
        topics: Topics,
        cursor_name: str,
        *,
        committed: Callable[[], None],
        unassigned: UnassignedResources,
        instructions: KnownInstructions | None = None,
    ) -> None:
        self._outbox = outbox
        self._topics = topics
        self._cursor_name = cursor_name
        self._committed = committed
        self._unassigned = unassigned
        self._log = get_logger("ads")
        self.known_state = known_state
        self.lock = known_state.lock
        self.instructions = instructions
        self.cursor = outbox.cursors().get(cursor_name, WHOLE_CACHE)
        self._missing_name = f"missing/{cursor_name}"
        self._missing = outbox.note(self._missing_name) or "[]"
        self._named_name = f"named/{cursor_name}"
        self.named: Mapping[str, Named] = _named.decode(outbox.note(self._named_name) or "{}")
        self._had_name = f"had/{cursor_name}:"
        kept_had = outbox.notes(self._had_name)
        self.had = {name.removeprefix(self._had_name): _header.decode(text) for name, text in kept_had.items()}

    @property
    def heard_at(self) -> datetime | None:
        """When CAISO last answered this stream's question, never later than that; until then nothing is said of states."""
        return self.known_state.heard_at

    def is_over_by(self, at: datetime) -> bool:
        """Whether what rests on CAISO's last answer is not valid any more; False before the first one."""
        return self.heard_at is not None and self.heard_at + self.known_state.valid_for < at

    def note_heard(self, at: datetime) -> None:
        """CAISO answered this stream's question."""
        for known_state in self._known_states:
            known_state.heard_at = at
            known_state.is_failing = False

    def note_failing(self) -> None:
        """CAISO did not answer it."""
        for known_state in self._known_states:
            known_state.is_failing = True

    @property
    def missing(self) -> tuple[DispatchBatchHeader, ...]:
        """What CAISO listed and was not had, as it was kept last."""
        return _missing.decode(self._missing)

    def keep_listed(self, missing: Sequence[DispatchBatchHeader], named: Mapping[str, Named], now: datetime) -> None:
        """Remember what CAISO listed and was not had, and what it listed at all: after a restart its list may begin behind it.

        Raises:
            sqlite3.Error: nothing of it was kept.
        """
        text, notes = msgspec.json.encode(missing).decode(), dict[str, str | None]()
        if text != self._missing:
            notes[self._missing_name] = text
        if named != self.named:
            notes[self._named_name] = msgspec.json.encode(named).decode()
        if notes:
            self._outbox.commit(now, notes=notes)
            self._missing, self.named = text, dict(named)

    def forget_had(self, still_open: Collection[str], now: datetime) -> None:
        """Forget what was had of batches that are not open any more.

        Raises:
            sqlite3.Error: it was not forgotten.
        """
        gone = self.had.keys() - still_open
        if gone:
            self._outbox.commit(now, notes={self._had_name + uid: None for uid in gone})
            self.had = {uid: header for uid, header in self.had.items() if uid not in gone}

    @property
    def told_otherwise(self) -> tuple[ToldOtherwise, ...]:
        """What the accounts were told that contradicts each other, as it was kept last."""
        return _told_otherwise.decode(self._outbox.note(_CONTRADICTED) or "[]")

    def keep_told_otherwise(self, told: Sequence[ToldOtherwise]) -> None:
        """Remember that: until a restart is over, nobody else knows that what a state says was contradicted.

        Raises:
            sqlite3.Error: it was not kept.
        """
        text = msgspec.json.encode(told).decode()
        if text != (self._outbox.note(_CONTRADICTED) or "[]"):
            self._outbox.keep_note(_CONTRADICTED, text)

    def kept(self, event_id: str) -> list[Dispatch | TrajectoryBatch]:
        """The kept events whose ids begin so, those of a version that said them otherwise left out."""
        found = (_kept_event(kept.payload) for kept in self._outbox.events_of(event_id))
        return [event for event in found if event]

    def begin_anew(self, set_back_by: timedelta, now: datetime) -> None:
        """The clock was set back: ask for everything that CAISO has again; what is kept already is passed over.

        What was said by the clock that was ahead is said again by the one that is right, whether CAISO is heard or not.
        """
        if self.heard_at is not None:
            self.note_heard(self.heard_at - set_back_by)
        self.cursor = WHOLE_CACHE
        self.commit(now, (), self.cursor)

    def commit(
        self,
        now: datetime,
        events: Sequence[Dispatch | TrajectoryBatch],
        cursor: str,
        *,
        had: DispatchBatchHeader | None = None,
        news_only: bool = False,
        events_only: bool = False,
    ) -> None:
        """Keep events with every state that is due, and that their batch was had, and move the cursor.

        `news_only` leaves out states that would only be said again, `events_only` all states and the cursor with them: after a
        restart what is known is made of kept states, and of what CAISO lists behind the cursor.

        Raises:
            sqlite3.Error: nothing of it was kept; what the known state holds will be due again.
        """
        for known_state in self._known_states:
            self._let_go_of_strangers(known_state, now)
        due = [known_state.due(now, news_only=news_only) if self.heard_at else [] for known_state in self._known_states]
        if events_only:
            for each in chain.from_iterable(due):
                encode(each.state)  # what cannot be said is the fault of what has just been put into it
            due, cursor = [[] for _ in due], self.cursor
        states = [(each.topic, each.state) for each in chain.from_iterable(due)]
        moved = {self._cursor_name: cursor} if cursor != self.cursor else {}
        notes = {self._had_name + had.batch_uid: msgspec.json.encode(had).decode()} if had else {}
        if not (events or states or moved or notes):
            return
        of_topics = [(self._topic(event), event) for event in events]
        if self._outbox.commit(now, events=of_topics, states=states, cursors=moved, notes=notes):
            self._tell(events)
        self.had |= {had.batch_uid: had} if had else {}
        for known_state, of_board in zip(self._known_states, due, strict=True):
            known_state.note_said(of_board)
        self.cursor = cursor
        self._committed()
        for event in events:
            self._unassigned.note(event.plant, event.resource_id)

    def _tell(self, events: Sequence[Dispatch | TrajectoryBatch]) -> None:
        """One line for each batch."""
        for batch in {event.batch.batch_uid: event.batch for event in events}.values():
            resources = sum(event.batch.batch_uid == batch.batch_uid for event in events)
            self._log.info("batch", stream=self._cursor_name, batch_uid=batch.batch_uid, resources=resources)

    @property
    def _known_states(self) -> tuple[KnownState[Any, Any], ...]:
        return (self.known_state, self.instructions) if self.instructions else (self.known_state,)

    def _let_go_of_strangers(self, known_state: KnownState[Any, Any], now: datetime) -> None:
        past = known_state.past_strangers(now)
        if past:
            self._outbox.retract(past.values(), now)
            known_state.forget(past)
            self._committed()

    def _topic(self, event: Dispatch | TrajectoryBatch) -> str:
        match event:
            case Dispatch():
                return self._topics.dispatch(event.plant, event.resource_id)
            case TrajectoryBatch():
                return self._topics.trajectory_batch(event.plant, event.resource_id)


def _kept_event(payload: bytes) -> Dispatch | TrajectoryBatch | None:
    try:
        event = decode(payload)
    except UndecodableMessage:
        return None
    return event if isinstance(event, Dispatch | TrajectoryBatch) else None
