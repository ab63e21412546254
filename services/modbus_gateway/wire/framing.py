"""Framing: requests out of a stream, replies into it. Pure.

Whoever sends may pack bytes into segments as it likes: what comes out depends on the bytes alone.
"""

import math
import struct
from typing import Final, Protocol

import msgspec

_HEADER: Final = struct.Struct(">HHHB")
_LENGTH_LEAST, _LENGTH_MOST = 2, 254  # unit id and function code; MBAP length of the longest PDU


class Asked(Protocol):
    """Who knows the replies."""

    def reply(self, unit_id: int, request: bytes) -> bytes:
        """The reply of a unit to a request, both from the function code on."""
        ...

    def broadcast(self, request: bytes) -> None:
        """A request to every unit, which has no reply."""
        ...


class Turn(msgspec.Struct, frozen=True, gc=False):
    """What became of the beginning of a stream.

    Attributes:
        taken: bytes of it that are done with.
        replies: to be sent.
        asked: how many requests were answered or obeyed.
        is_full: as many as were allowed at once; more may wait.
        is_broken: nothing after what was taken can be understood.
    """

    taken: int
    replies: bytes
    asked: int
    is_full: bool = False
    is_broken: bool = False


class Framing(Protocol):
    """One connection's way to pack requests and replies.

    Attributes:
        silence_s: a request whose rest does not come for so long was none.
    """

    silence_s: float

    def answer(self, stream: bytes | bytearray, asked: Asked, most: int) -> Turn:
        """Answer the requests that a stream begins with, at most so many."""
        ...


class Mbap:
    """Modbus TCP: a header with the length. Modbus Messaging on TCP/IP V1.0b, section 3.1.3."""

    silence_s = math.inf

    def answer(self, stream: bytes | bytearray, asked: Asked, most: int) -> Turn:
        """Answer each request with its transaction number. A header that cannot be is broken: it was no Modbus."""
        replies, taken, size = b"", 0, len(stream)
        for count in range(most):
            first = taken + _HEADER.size
            if size < first:
                return Turn(taken, replies, count)
            transaction, protocol, length, unit_id = _HEADER.unpack_from(stream, taken)
            if protocol or not _LENGTH_LEAST <= length <= _LENGTH_MOST:
                return Turn(taken, replies, count, is_broken=True)
            end = first - 1 + length
            if end > size:
                return Turn(taken, replies, count)
            reply = asked.reply(unit_id, bytes(stream[first:end]))
            replies += _HEADER.pack(transaction, 0, len(reply) + 1, unit_id) + reply
            taken = end
        return Turn(taken, replies, most, is_full=True)
