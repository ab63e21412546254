"""Codec: messages to JSON bytes and back.

The only place where a payload is judged: what comes out of `decode` is a whole message of a version that we speak.
"""

import math
from functools import cache
from typing import TypeVar, get_args

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
_probe = msgspec.json.Decoder(_Probe)
_decoder: msgspec.json.Decoder[AnyMessage] = msgspec.json.Decoder(AnyMessage)


def encode(message: AnyMessage) -> bytes:
    """JSON of a message, UTC times with Z, absent values as null.

    Raises:
        ValueError: a number in it is not finite. It would become null and so pass for absent.
    """
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


def _refuse_non_finite(value: object, where: str) -> None:
    match value:
        case msgspec.Struct():
            for name in _names_with_floats(type(value)):
                held = getattr(value, name)
                if held is not None and (type(held) is not float or not math.isfinite(held)):  # spares most of the calls
                    _refuse_non_finite(held, f"{where}.{name}")
        case tuple() if not _are_finite(value):
            for index, entry in enumerate(value):
                _refuse_non_finite(entry, f"{where}[{index}]")
        case float() if not math.isfinite(value):
            raise ValueError(f"{where} is {value}: a message carries finite numbers or null")


def _are_finite(values: tuple[object, ...]) -> bool:
    """Whether these are numbers, and finite: a column of prices at once. False where only a closer look can tell."""
    kinds = set(map(type, values))
    return kinds <= {float, type(None)} and math.isfinite(sum(filter(None, values)))  # type: ignore[arg-type]  # all of them floats


@cache
def _names_with_floats(kind: type[msgspec.Struct]) -> tuple[str, ...]:
    """The fields that may hold a float somewhere. The others need no look, which is most of a message."""
    return tuple(field.name for field in msgspec.structs.fields(kind) if _may_hold_floats(field.type))


def _may_hold_floats(kind: object) -> bool:
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return bool(_names_with_floats(kind))
    return kind is float or any(_may_hold_floats(part) for part in get_args(kind))
