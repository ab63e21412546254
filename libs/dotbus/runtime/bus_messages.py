"""What goes over the bus, and what can go wrong with it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime


class BusError(Exception):
    """A message that is not known to be with the broker."""


class NotConnected(BusError):
    """There is no connection, or it was lost before the broker acknowledged."""


class PublishRefused(BusError):
    """The broker does not take a message (its ACL, a quota, the size). It has taken the others that were sent with it.

    Attributes:
        refused: the messages that it does not take.
    """

    def __init__(self, what: str, refused: Sequence["Outgoing"] = ()) -> None:
        super().__init__(what)
        self.refused = tuple(refused)


class PublishTimedOut(BusError):
    """The broker did not acknowledge in time. It may have the message nevertheless."""


@dataclass(frozen=True)
class Outgoing:
    """A message to publish, QoS 1."""

    topic: str
    payload: bytes
    retain: bool = False
    response_topic: str | None = None
    correlation: bytes | None = None


@dataclass(frozen=True)
class Delivery:
    """A message as it came. `retained` tells the last word from before our subscription apart from what is said now."""

    topic: str
    payload: bytes
    retained: bool
    received_at: datetime
    response_topic: str | None = None
    correlation: bytes | None = None
    acknowledge: Callable[[], None] = field(default=lambda: None, repr=False, compare=False)

    def ack(self) -> None:
        """Tell the broker that the message is safe with us. Does nothing when its connection is gone."""
        self.acknowledge()
