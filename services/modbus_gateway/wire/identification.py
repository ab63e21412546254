"""Identification: what the server says of itself, function 43/14 (Read Device Identification). Pure.

Modbus Application Protocol V1.1b3, section 6.21. A reply carries whole objects only; those that find no room in it come with
the next request, which begins where the reply said.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from modbus_gateway.wire.images.image import Refusal

FUNCTION: Final = 0x2B
DEVICE_IDENTIFICATION: Final = 0x0E
PDU_MOST: Final = 253
OBJECT_MOST: Final = 244
"""What a reply has room for beside its seven bytes of header and the two before the object, bytes."""

_LENGTH: Final = 4
_CONFORMITY: Final = 0x82
"""Regular objects, in a stream and each by itself."""
_MORE: Final = 0xFF
_CUT: Final = "..."


class Code(IntEnum):
    """What is asked for."""

    BASIC = 0x01
    REGULAR = 0x02
    EXTENDED = 0x03
    INDIVIDUAL = 0x04


class Object(IntEnum):
    """The objects with a meaning of their own."""

    VENDOR_NAME = 0x00
    PRODUCT_CODE = 0x01
    REVISION = 0x02
    VENDOR_URL = 0x03
    PRODUCT_NAME = 0x04
    MODEL_NAME = 0x05
    APPLICATION_NAME = 0x06


_CODES: Final = frozenset(Code)
_LAST: Final = {Code.BASIC: Object.REVISION, Code.REGULAR: Object.APPLICATION_NAME, Code.EXTENDED: Object.APPLICATION_NAME}
"""A client that asks for more than there is gets what there is."""


@dataclass(frozen=True)
class Identification:
    """The objects, by number. The three basic ones are never missing; a text that no reply has room for is cut."""

    objects: Mapping[int, bytes]

    @classmethod
    def of(cls, version: str, application: str) -> "Identification":
        """Of this server in a version.

        Args:
            version: of dotbus.
            application: what this installation is called.
        """
        texts = {
            Object.VENDOR_NAME: "dotbus",
            Object.PRODUCT_CODE: "modbus-gateway",
            Object.REVISION: version,
            Object.PRODUCT_NAME: "dotbus Modbus gateway",
            Object.APPLICATION_NAME: application,
        }
        return cls({number: _encoded(text) for number, text in texts.items()})

    def answer(self, request: bytes) -> bytes | Refusal:
        """The reply to a request, function code included."""
        if len(request) > 1 and request[1] != DEVICE_IDENTIFICATION:
            return Refusal.FUNCTION
        if len(request) != _LENGTH or request[2] not in _CODES:
            return Refusal.COUNT
        code, first = Code(request[2]), request[3]
        if code is Code.INDIVIDUAL:
            value = self.objects.get(first)
            return Refusal.ADDRESS if value is None else _reply(code, [(first, value)])
        asked = sorted((number, value) for number, value in self.objects.items() if number <= _LAST[code])
        if first not in dict(asked):
            first = Object.VENDOR_NAME  # an object that is none begins anew, says the specification
        return _reply(code, [(number, value) for number, value in asked if number >= first])


def _reply(code: Code, objects: list[tuple[int, bytes]]) -> bytes:
    """As many of the objects as there is room for, and where to go on."""
    body, carried = b"", 0
    for number, value in objects:
        entry = bytes((number, len(value))) + value
        if len(body) + len(entry) > OBJECT_MOST + 2:
            break
        body, carried = body + entry, carried + 1
    more, following = (_MORE, objects[carried][0]) if carried < len(objects) else (0, 0)
    return bytes((FUNCTION, DEVICE_IDENTIFICATION, code, _CONFORMITY, more, following, carried)) + body


def _encoded(text: str) -> bytes:
    """As ASCII, which the specification asks for, and no longer than a reply can carry."""
    encoded = text.encode("ascii", "replace")
    return encoded if len(encoded) <= OBJECT_MOST else encoded[: OBJECT_MOST - len(_CUT)] + _CUT.encode()
