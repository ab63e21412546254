"""Arrivals: deliveries with what they mean, and what became of a batch of them."""

from datetime import datetime

import msgspec

from historian.write.reading.record import Meaning, Position, Recorded, Stream

REFUSED, CONTRADICTION = "refused", "contradiction"
"""Kinds of dead letters."""


class Arrival(msgspec.Struct, frozen=True):
    """A delivery and what it means."""

    topic: str
    payload: bytes
    received_at: datetime
    meaning: Meaning


class Rejection(msgspec.Struct, frozen=True):
    """A delivery that is kept as a dead letter, and why."""

    arrival: Arrival
    reason: str
    kind: str = REFUSED


class Written(msgspec.Struct):
    """What became of a batch.

    Attributes:
        events: how many events are stored now that were not before.
        points: how much of what plants said of points is stored now that was not before.
        repeats: events that were stored already.
        rejections: what became a dead letter.
        statuses: how many statuses of the batch are kept, in the order in which they are written.
        renumbered: by stream, numbers that had come already with another event.
        strangers: how many of the rejections are of streams beyond the bounds.
    """

    events: int = 0
    points: int = 0
    repeats: list[Position] = []
    rejections: list[Rejection] = []
    statuses: int = 0
    renumbered: dict[Stream, str] = {}
    strangers: int = 0


def recorded_of(arrival: Arrival) -> Recorded:
    """What an event means.

    Raises:
        TypeError: it is none.
    """
    if not isinstance(arrival.meaning, Recorded):
        raise TypeError(f"a {type(arrival.meaning).__name__} is no event")
    return arrival.meaning
