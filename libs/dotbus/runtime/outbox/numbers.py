"""The numbers that an outbox gives: of its events, and within them of each plant's and each market's. Pure.

What CAISO did not say is counted apart from what it tells the plant: answers to instructions in `response_seq`, writes in
`write_seq`, and what happens to alarms in `alarm_seq`.

An outbox counts its events on for ever. A stream is what it published under one name: it begins after a number of the outbox
(its base) and counts from 1, so that a sequence number is the outbox's number less the base.
"""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

import msgspec

from dotbus.contracts.messages import (
    AlarmChanged,
    Dispatch,
    InstructionAnswered,
    PointWritten,
    Prices,
    TrajectoryBatch,
    UpstreamGap,
)

OutgoingEvent = Dispatch | TrajectoryBatch | InstructionAnswered | PointWritten | Prices | UpstreamGap | AlarmChanged
ALL: Final = ""
"""The scope of the outbox's own numbers, beside those of plants and markets."""
_COUNTED_APART: Final = frozenset(kind.__struct_config__.tag for kind in (InstructionAnswered, PointWritten, AlarmChanged))
"""Kinds of a plant's events that are counted by themselves."""


@dataclass(frozen=True)
class Stream:
    """A stream: its name, and the outbox's number after which it begins."""

    id: str
    base: int


def new_stream(base: int) -> Stream:
    """A stream that no other is called after."""
    return Stream(uuid.uuid4().hex, base)


@dataclass(frozen=True)
class StreamNumbers:
    """Which of the outbox's numbers belong to a stream: those above `base`, up to `last`.

    `ended`: another stream followed, so that it has no later ones.
    """

    base: int
    last: int
    ended: bool


@dataclass(frozen=True)
class Numbers:
    """What was given so far.

    Attributes:
        streams: in the order in which they began; the last one goes on.
        last: the outbox's last number.
        counts: the last number of each plant and market within the stream.
    """

    streams: tuple[Stream, ...]
    last: int
    counts: Mapping[str, int] = field(default_factory=dict)

    @property
    def stream(self) -> Stream:
        """The one that goes on."""
        return self.streams[-1]

    @property
    def last_seq(self) -> int:
        """The last sequence number of the stream, 0 before the first."""
        return self.last - self.stream.base

    def of_stream(self, stream_id: str) -> StreamNumbers | None:
        """Which of the outbox's numbers belong to a stream, None when it is not of this outbox."""
        ends = (*(stream.base for stream in self.streams[1:]), None)
        for stream, end in zip(self.streams, ends, strict=True):
            if stream.id == stream_id:
                return StreamNumbers(stream.base, self.last if end is None else end, end is not None)
        return None

    def beginning(self, stream: Stream) -> "Numbers":
        """The same, after another stream began: everything counts from 1 in it."""
        return Numbers((*self.streams, stream), self.last)


class Draft:
    """Numbers that are given in one transaction, and hold only when it does.

    Attributes:
        last: the outbox's last number.
        counts: the last numbers of the plants and markets that got one.
    """

    def __init__(self, numbers: Numbers) -> None:
        self._before = numbers
        self.last = numbers.last
        self.counts: dict[str, int] = {}

    def stamped(self, event: OutgoingEvent) -> OutgoingEvent:
        """The event with the next numbers."""
        stream = self._before.stream
        self.last += 1
        if isinstance(event, Prices):
            market_seq = self._next(f"market/{event.market}")
            return msgspec.structs.replace(event, stream=stream.id, seq=self.last - stream.base, market_seq=market_seq)
        if isinstance(event, InstructionAnswered):
            response_seq = self._next(f"response/{event.plant}")
            return msgspec.structs.replace(event, stream=stream.id, seq=self.last - stream.base, response_seq=response_seq)
        if isinstance(event, PointWritten):
            write_seq = self._next(f"write/{event.plant}")
            return msgspec.structs.replace(event, stream=stream.id, seq=self.last - stream.base, write_seq=write_seq)
        if isinstance(event, AlarmChanged):
            alarm_seq = self._next(f"alarm/{event.plant}")
            return msgspec.structs.replace(event, stream=stream.id, seq=self.last - stream.base, alarm_seq=alarm_seq)
        if isinstance(event, UpstreamGap):  # of no plant and no market
            return msgspec.structs.replace(event, stream=stream.id, seq=self.last - stream.base)
        plant_seq = self._next(f"plant/{event.plant}")
        return msgspec.structs.replace(event, stream=stream.id, seq=self.last - stream.base, plant_seq=plant_seq)

    def restamped(self, payload: bytes) -> bytes:
        """A payload that had numbers of an earlier stream, with the next ones; whatever version of the message it is."""
        stream = self._before.stream
        message = msgspec.json.decode(payload)
        self.last += 1
        message |= {"stream": stream.id, "seq": self.last - stream.base}
        if (kind := message["kind"]) in _COUNTED_APART:
            return msgspec.json.encode(message | {f"{kind}_seq": self._next(f"{kind}/{message['plant']}")})
        for scope in ("plant", "market"):
            if scope in message:
                message[f"{scope}_seq"] = self._next(f"{scope}/{message[scope]}")
        return msgspec.json.encode(message)

    def _next(self, scope: str) -> int:
        count = self.counts.get(scope, self._before.counts.get(scope, 0)) + 1
        self.counts[scope] = count
        return count

    def kept(self) -> Numbers:
        """The numbers after the transaction."""
        return replace(self._before, last=self.last, counts={**self._before.counts, **self.counts})
