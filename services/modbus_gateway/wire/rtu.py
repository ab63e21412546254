"""RTU over TCP: serial frames in a stream, as serial device servers and some SCADA send them. Pure.

Modbus over Serial Line V1.02, section 2.5.1: unit id, request, CRC. On a line a silence ends a frame; in a stream its function
and byte count tell where it ends, and for a function that is not known here the first place where the CRC is right.

A frame whose CRC is wrong is passed over in its whole length and never searched for another one: what looks like a request in
the midst of damaged data must not be obeyed. Who is out of step by that comes into step after a silence, or by connecting anew.
"""

import struct
from typing import Final

from modbus_gateway.wire.framing import Asked, Turn
from modbus_gateway.wire.images.image import Refusal
from modbus_gateway.wire.pdu import is_write

SILENCE_S: Final = 0.5
"""Half of what clients commonly wait for a reply: what a client says after it gave up is a new frame."""
FRAME_MOST: Final = 256
OUT_OF_STEP_MOST: Final = 4 * FRAME_MOST
"""Bytes without one right frame among them, after which whoever sends them is no RTU client that will come into step."""

_BROADCAST: Final = 0
_LEAST: Final = 4
_CRC: Final = struct.Struct("<H")
_LENGTHS: Final = {1: 8, 2: 8, 3: 8, 4: 8, 5: 8, 6: 8, 7: 4, 8: 8, 0x0B: 4, 0x0C: 4, 0x11: 4, 0x16: 10, 0x18: 6, 0x2B: 7}
"""Of whole frames, bytes."""
_COUNTED: Final = {0x0F: 6, 0x10: 6, 0x14: 2, 0x15: 2, 0x17: 10}
"""Where in a frame the number of the bytes stands that follow it, before the CRC."""


def _entry(low: int) -> int:
    for _ in range(8):
        low = low >> 1 ^ (0xA001 if low & 1 else 0)
    return low


_TABLE: Final = tuple(_entry(low) for low in range(256))


def crc16(content: bytes | bytearray, crc: int = 0xFFFF) -> int:
    """The CRC of Modbus, which is sent low byte first; `crc` that of what stands before."""
    for byte in content:
        crc = crc >> 8 ^ _TABLE[(crc ^ byte) & 0xFF]
    return crc


def frame(unit_id: int, content: bytes) -> bytes:
    """A whole frame of a request or reply."""
    body = bytes((unit_id,)) + content
    return body + _CRC.pack(crc16(body))


class Rtu:
    """One connection's frames. It counts the bytes that were passed over since the last right frame."""

    silence_s = SILENCE_S

    def __init__(self) -> None:
        self._passed_over = 0

    def answer(self, stream: bytes | bytearray, asked: Asked, most: int) -> Turn:
        """Answer each request that is right and to one of our units; whatever else comes has no reply, as on a line."""
        replies, taken, requests = b"", 0, 0
        for _ in range(most):
            length = _length_at(stream, taken)
            if length is None:
                return Turn(taken, replies, requests)
            body = bytes(stream[taken : taken + length])
            taken += length
            if crc16(body):
                self._passed_over += length
                if self._passed_over > OUT_OF_STEP_MOST:
                    return Turn(taken, replies, requests, is_broken=True)
                continue
            self._passed_over = 0
            requests += 1
            replies += _reply(body, asked)
        return Turn(taken, replies, requests, is_full=True)


def _reply(body: bytes, asked: Asked) -> bytes:
    """The frame that answers a right one; empty where an RTU server says nothing."""
    unit_id, request = body[0], body[1 : -_CRC.size]
    if unit_id == _BROADCAST:
        if is_write(request):
            asked.broadcast(request)
        return b""
    reply = asked.reply(unit_id, request)
    is_elsewhere = reply[0] != request[0] and reply[1] == Refusal.NO_SUCH_UNIT
    return b"" if is_elsewhere else frame(unit_id, reply)


def _length_at(stream: bytes | bytearray, at: int) -> int | None:
    """The length of the frame that begins at a place, None when it is not all there yet."""
    there = len(stream) - at
    if there < _LEAST:
        return None
    function = stream[at + 1]
    if function in _LENGTHS:
        length = _LENGTHS[function]
    elif function in _COUNTED:
        counted = _COUNTED[function]
        if there <= counted:
            return None
        length = counted + 1 + stream[at + counted] + _CRC.size
    else:
        return _length_by_crc(stream[at : at + FRAME_MOST])
    return length if there >= length else None


def _length_by_crc(begun: bytes | bytearray) -> int | None:
    """The least length with a right CRC; all that is there when there is none in a whole frame's length."""
    crc = crc16(begun[: _LEAST - 1])
    for end in range(_LEAST, len(begun) + 1):
        crc = crc16(begun[end - 1 : end], crc)
        if crc == 0:
            return end
    return FRAME_MOST if len(begun) == FRAME_MOST else None
