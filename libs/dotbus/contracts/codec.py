"""Codec: messages to JSON bytes and back.

The only place where a payload is judged: what comes out of `decode` is a whole message of a version that we speak.
"""

import math
import re
from typing import TypeVar

import msgspec

from dotbus.contracts.messages import VERSION, AnyMessage, Event

M = TypeVar("M")


class UndecodableMessage(Exception):
    """A payload that is not one of our messages.

    Attributes:
        reason: what is wrong with it, and where.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class UnknownVersion(UndecodableMessage):
    """A payload of a major version that this software does not speak."""


class _Probe(msgspec.Struct):
    version: int


NOT_OURS = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What msgspec raises for bytes from anyone; the last for brackets nested without end."""

_encoder = msgspec.json.Encoder()
_in_bits = msgspec.msgpack.Encoder()
_NOT_FINITE = re.compile(rb"\xcb[\x7f\xff][\xf0-\xff]")
"""A number that is not finite, in MessagePack, which shows the bits of a float: its exponent is all ones. No text has these
bytes, and another number hardly ever. So messages are known to be finite in half of the time of a look at each number."""
_probe = msgspec.json.Decoder(_Probe)
_decoder: msgspec.json.Decoder[AnyMessage] = msgspec.json.Decoder(AnyMessage)


def encode(message: AnyMessage) -> bytes:
    """JSON of a message, UTC times with Z, absent values as null.

    Raises:
        ValueError: a number in it is not finite. It would become null and so pass for absent.
    """
    if _may_hold_what_is_not_finite(message):
        _refuse_non_finite(message, type(message).__name__)
    return _encoder.encode(message)


def decode(payload: bytes) -> AnyMessage:
    """The message that a payload holds.

    Raises:
        UnknownVersion: its major version is not ours.
        UndecodableMessage: it is not JSON, not a message, or lacks what a message must have.
    """
    try:
        version = _probe.decode(payload).version
    except NOT_OURS as error:
        raise UndecodableMessage(f"not a message: {error}") from error
    if version != VERSION:
        raise UnknownVersion(f"version {version} of a message; this software speaks version {VERSION}")
    try:
        message = _decoder.decode(payload)
    except NOT_OURS as error:
        raise UndecodableMessage(str(error)) from error
    for name in required_besides(type(message)):
        if not getattr(message, name):  # what was said lies within its bounds, so this is the default
            raise UndecodableMessage(f"Object missing required field `{name}`")
    return message


def required_besides(kind: type[msgspec.Struct]) -> tuple[str, ...]:
    """The fields that a payload must have, though a message can be made without: others give them before it is encoded."""
    return ("version", "stream", "seq") if issubclass(kind, Event) else ("version",)


def decode_as(payload: bytes, kind: type[M]) -> M:
    """The message of one expected kind.

    Raises:
        UndecodableMessage: as `decode`, and when the message is of another kind.
    """
    message = decode(payload)
    if not isinstance(message, kind):
        raise UndecodableMessage(f"a {type(message).__name__} where a {kind.__name__} belongs")
    return message


def _may_hold_what_is_not_finite(message: AnyMessage) -> bool:
    try:
        return _NOT_FINITE.search(_in_bits.encode(message)) is not None
    except OverflowError:  # an integer that MessagePack has no bits for
        return True


def _refuse_non_finite(value: object, where: str) -> None:
    match value:
        case msgspec.Struct():
            for name in value.__struct_fields__:
                _refuse_non_finite(getattr(value, name), f"{where}.{name}")
        case tuple():
            for index, entry in enumerate(value):
                _refuse_non_finite(entry, f"{where}[{index}]")
        case float() if not math.isfinite(value):
            raise ValueError(f"{where} is {value}: a message carries finite numbers or null")
