"""Size: how much memory a message takes once it is read, and how much one may. Pure.

A message of a few megabytes can be read into a gigabyte: an empty object is two bytes on the bus and a hundred times as many in
memory. So values are counted before anything is read. Each of them but the first follows a comma, or stands in another alone.
"""

from dataclasses import dataclass
from typing import Final

from dotbus.contracts.messages import MAX_NODES
from dotbus.contracts.topics import Subject

MAX_PAYLOAD_BYTES: Final = 8 * 1024 * 1024
"""As many nodes as a message may name, with five digits behind the point of each price, are seven million bytes."""


@dataclass(frozen=True)
class _Bounds:
    """What one message may have.

    Attributes:
        values: how many.
        value_bytes: the most memory that one takes beside the text that came, as measured.
    """

    values: int
    value_bytes: int


_OF_PRICES = _Bounds(7 * MAX_NODES, 64)
"""A name and five prices of each node, and some to spare."""
_OF_OTHERS = _Bounds(100_000, 200)
"""Two thousand instructions of one resource in one batch; CAISO sends two or three."""


def excess_of(subject: Subject | None, payload: bytes) -> str | None:
    """Why a message is too large to be read, in words for a person; None when it is not."""
    if len(payload) > MAX_PAYLOAD_BYTES:
        return f"{len(payload)} bytes; the largest message that is read has {MAX_PAYLOAD_BYTES}"
    if (values := _values_in(payload)) > (most := _bounds(subject).values):
        return f"{values} values in one message; the most that are read are {most}"
    return None


def memory_bytes(subject: Subject | None, payload: bytes) -> int:
    """The most memory that a message takes from its arrival until it is in the database."""
    bounds, values = _bounds(subject), _values_in(payload)
    is_read = len(payload) <= MAX_PAYLOAD_BYTES and values <= bounds.values
    return 2 * len(payload) + values * bounds.value_bytes if is_read else len(payload)


def _bounds(subject: Subject | None) -> _Bounds:
    return _OF_PRICES if subject is Subject.PRICES else _OF_OTHERS


def _values_in(payload: bytes) -> int:
    return payload.count(b",") + 1
