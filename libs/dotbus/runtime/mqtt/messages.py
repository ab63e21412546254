"""What goes over the bus, and what can go wrong with it."""

from collections.abc import Callable, Sequence
from datetime import datetime

import msgspec


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


class Outgoing(msgspec.Struct, frozen=True, gc=False):
    """A message to publish, QoS 1."""

    topic: str
    payload: bytes
    retain: bool = False
    response_topic: str | None = None
    correlation: bytes | None = None


class Delivery(msgspec.Struct, frozen=True, gc=False):
    """A message as it came. `retained` tells the last word from before our subscription apart from what is said now.

    Untracked by the garbage collector, which would go through every one that waits: one belongs to no cycle of its own.

    Attributes:
        received_at: when it was read from the connection.
        receipt: the packet that acknowledges it.
        owed: of one that several were given: a receipt for each who has not yet said that it is safe with him, of which all but
            the last are empty. None when it is one's alone.
        connection: the how manieth connection of its bus it came on; an acknowledgement is for that one only.
        acknowledge: its bus's `ack_all`.
    """

    topic: str
    payload: bytes
    retained: bool
    received_at: datetime
    response_topic: str | None = None
    correlation: bytes | None = None
    receipt: bytes = b""
    connection: int = 0
    acknowledge: Callable[[Sequence["Delivery"]], None] = lambda _deliveries: None
    owed: list[bytes] | None = None

    def ack(self) -> None:
        """Tell the broker that the message is safe with us. Does nothing when its connection is gone.

        Of a message that several were given the broker is told once the last of them said so.

        Many are acknowledged more cheaply by their bus's `ack_all`.
        """
        self.acknowledge((self,))

    def take_receipt(self) -> bytes:
        """What the broker is sent now that one who was given the message has it safe; it may be nothing."""
        if self.owed is None:
            return self.receipt
        return self.owed.pop() if self.owed else b""


def owed_by(receivers: int, receipt: bytes) -> list[bytes] | None:
    """The receipts of a message that so many are given, see `Delivery.owed`; the first is taken last."""
    return None if receivers == 1 else [receipt, *[b""] * (receivers - 1)]
