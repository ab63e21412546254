"""Kept events: what this service said before a restart, as the outbox has it."""

from collections.abc import Iterator
from typing import TypeVar

from dotbus.contracts.codec import UndecodableMessage, decode_as
from dotbus.contracts.messages import InstructionAnswered, UpstreamGap
from dotbus.runtime.outbox.outbox import Outbox

E = TypeVar("E", InstructionAnswered, UpstreamGap)


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
