"""The packets of MQTT that come and go by the thousand, as bytes: PUBLISH and its answers, and where one packet ends.

Pure: no socket, no clock, no paho. Everything else that MQTT says is left to paho (`mqtt_client`). Sections are those of the
MQTT 5 standard; 3.1.1 is the same without properties. The structures are msgspec's, the cheapest to make, and untracked by the
garbage collector: they hold bytes only.
"""

from collections.abc import Iterator

import msgspec

PUBLISH, PUBACK, PUBREC, PUBCOMP = 0x30, 0x40, 0x50, 0x70
KIND, RETAIN, QOS_1, QOS_2 = 0xF0, 0x01, 0x02, 0x04
PUBACK_HEAD, PUBCOMP_HEAD = b"\x40\x02", b"\x70\x02"
MAX_LENGTH = 268_435_455
READ_BYTES = 256 * 1024
RESPONSE_TOPIC, CORRELATION = 8, 9
_CONTENT_TYPE, _SUBSCRIPTION, _USER_PROPERTY = 3, 11, 38
_SIZES = {1: 1, 2: 4, 35: 2}
"""Of a PUBLISH's properties that are numbers: payload format, expiry, topic alias."""
_MORE, _SEVEN_BITS = 0x80, 0x7F
_LENGTH_BYTES = 4
_LONGEST_TEXT = 65535

Bytes = bytes | memoryview


class MalformedPacket(ValueError):
    """What came is no MQTT: the connection cannot be used any further."""


class Packet(msgspec.Struct, frozen=True, gc=False):
    """One packet: `body` from `start` to `end`, without its fixed header. What surrounds it belongs to others."""

    first: int
    body: Bytes
    start: int
    end: int


class Publish(msgspec.Struct, frozen=True, gc=False):
    """A message as it came.

    Attributes:
        receipt: the packet that acknowledges it; empty when none is asked for.
    """

    topic: str
    payload: bytes
    retained: bool
    receipt: bytes = b""
    response_topic: str | None = None
    correlation: bytes | None = None


class PacketBuffer:
    """Cuts what comes from a connection into packets: receive into `room`, then take the packets from `received`.

    A packet larger than the buffer gets one of its own size, so that it is copied no more often than a small one.

    Args:
        size: of the buffer, in bytes; at least the five of the longest fixed header.
    """

    def __init__(self, size: int = READ_BYTES) -> None:
        self._size = size
        self._view = memoryview(bytearray(size))
        self._filled = 0
        self._needed = 0

    @property
    def room(self) -> memoryview:
        """Where the next bytes belong. Never empty, once the packets of the last ones were taken."""
        return self._view[self._filled :]

    def received(self, count: int) -> Iterator[Packet]:
        """The packets that are complete now that `count` more bytes stand in `room`. Take all of them before the next.

        Raises:
            MalformedPacket: after the packets that are well-formed.
        """
        self._filled = filled = self._filled + count
        if filled < self._needed:
            return
        large = len(self._view) > self._size
        data: Bytes = self._view if large else bytes(self._view[:filled])
        at = 0
        while at < filled:
            start, length = _fixed_header(data, at, filled)
            if start == 0 or start + length > filled:
                self._keep(data, at, filled, start + length - at if start else 0)
                return
            yield Packet(data[at], data, start, start + length)
            at = start + length
        self._keep(data, at, filled, 0)

    def _keep(self, data: Bytes, at: int, filled: int, needed: int) -> None:
        """Put what is left of `data` in front of a buffer in which the packet that it begins, of `needed` bytes, has room."""
        self._needed = needed
        if len(self._view) != (wanted := max(needed, self._size)):
            self._view = memoryview(bytearray(wanted))
        elif at == 0:
            return
        self._filled = filled - at
        self._view[: self._filled] = data[at:filled]


def _fixed_header(data: Bytes, at: int, filled: int) -> tuple[int, int]:
    """Where the packet at `at` has its body, and how long that is. Zeros while too little has come to know it."""
    if at + 1 < filled and data[at + 1] < _MORE:
        return at + 2, data[at + 1]
    if at + 2 < filled and data[at + 2] < _MORE:
        return at + 3, data[at + 1] & _SEVEN_BITS | data[at + 2] << 7
    return read_number(data, at + 1, filled)


def read_number(data: Bytes, at: int, end: int) -> tuple[int, int]:
    """Where the Variable Byte Integer at `at` ends, and its value (section 1.5.5). Zeros when `end` comes before.

    Raises:
        MalformedPacket: it has more than four bytes.
    """
    value = 0
    for place in range(_LENGTH_BYTES):
        if at + place >= end:
            return 0, 0
        byte = data[at + place]
        value |= (byte & _SEVEN_BITS) << 7 * place
        if byte < _MORE:
            return at + place + 1, value
    raise MalformedPacket("a length of more than four bytes")


def read_publish(packet: Packet, *, five: bool) -> Publish:
    """A PUBLISH of QoS 0 or 1 (section 3.3).

    Raises:
        MalformedPacket: it is none.
    """
    first, body, start, end = packet.first, packet.body, packet.start, packet.end
    receipt, response_topic, correlation = b"", None, None
    try:
        topic_end = at = start + 2 + (body[start] << 8 | body[start + 1])
        if first & QOS_1:
            receipt = PUBACK_HEAD + bytes(body[at : at + 2])
            at += 2
        if five:
            if body[at]:
                at, response_topic, correlation = read_properties(body, at, end)
            else:
                at += 1
        topic = str(body[start + 2 : topic_end], "utf-8")
    except (IndexError, UnicodeDecodeError):
        raise MalformedPacket("a PUBLISH that ends in its header, or whose topic is no text") from None
    if at > end or not topic:
        raise MalformedPacket("a PUBLISH without a topic, or whose header is longer than all of it")
    return Publish(topic, bytes(body[at:end]), first & RETAIN == RETAIN, receipt, response_topic, correlation)


def read_properties(body: Bytes, at: int, end: int) -> tuple[int, str | None, bytes | None]:
    """Where the properties of a PUBLISH end, and its response topic and correlation (section 3.3.2.3).

    Raises:
        MalformedPacket: they are none.
    """
    texts: dict[int, bytes] = {}
    at, length = read_number(body, at, end)
    if at == 0 or (stop := at + length) > end:
        raise MalformedPacket("properties that are longer than their packet")
    while at < stop:
        kind, at = body[at], at + 1
        if kind in _SIZES:
            at += _SIZES[kind]
        elif kind == _SUBSCRIPTION:
            at = read_number(body, at, stop)[0] or stop + 1
        elif kind in (_CONTENT_TYPE, RESPONSE_TOPIC, CORRELATION):
            at, texts[kind] = _text(body, at)
        elif kind == _USER_PROPERTY:
            at = _text(body, _text(body, at)[0])[0]
        else:
            raise MalformedPacket(f"a PUBLISH has no property {kind}")
    if at > stop:
        raise MalformedPacket("a property that is longer than all properties")
    response_topic = texts.get(RESPONSE_TOPIC)
    return stop, None if response_topic is None else response_topic.decode(), texts.get(CORRELATION)


def _text(body: Bytes, at: int) -> tuple[int, bytes]:
    end = at + 2 + (body[at] << 8 | body[at + 1])
    return end, bytes(body[at + 2 : end])


def read_puback(packet: Packet, *, five: bool) -> tuple[int, int]:
    """Which of our messages the broker answers, and with which reason code (section 3.4). What follows may explain the reason.

    A PUBREC, the first answer to one of QoS 2, looks the same (section 3.5).

    Raises:
        MalformedPacket: it is none.
    """
    body, start = packet.body, packet.start
    code_at = start + 2
    if packet.end < code_at or (packet.end > code_at and not five):
        raise MalformedPacket("a PUBACK of a wrong length")
    return body[start] << 8 | body[start + 1], body[code_at] if packet.end > code_at else 0


class Encoded(msgspec.Struct, frozen=True, gc=False):
    """A PUBLISH of QoS 1 or 2 that only lacks its number, which stands between `head` and `properties`."""

    head: bytes
    properties: bytes
    payload: bytes

    @property
    def size(self) -> int:
        """Of the whole packet, in bytes."""
        return len(self.head) + 2 + len(self.properties) + len(self.payload)


def encode_publish(topic: str, payload: bytes, properties: bytes, *, retain: bool, qos: int = QOS_1) -> Encoded:
    """A message as it goes. `properties` are those of `encode_properties`, nothing in MQTT 3.1.1.

    With `qos` QOS_2 it is the first half of one of QoS 2.

    Raises:
        ValueError: nothing can be published so.
    """
    name = topic.encode()
    if not 0 < len(name) <= _LONGEST_TEXT or "+" in topic or "#" in topic or "\0" in topic:
        raise ValueError(f"no topic to publish to: {topic!r}")
    first = PUBLISH | qos | (RETAIN if retain else 0)
    rest = write_number(4 + len(name) + len(properties) + len(payload))
    return Encoded(b"%c%b%b%b" % (first, rest, len(name).to_bytes(2, "big"), name), properties, payload)


def encode_properties(response_topic: str | None, correlation: bytes | None) -> bytes:
    """The properties of a PUBLISH in MQTT 5 (section 3.3.2.3)."""
    if not response_topic and not correlation:
        return b"\0"
    properties = b""
    for kind, value in ((RESPONSE_TOPIC, (response_topic or "").encode()), (CORRELATION, correlation or b"")):
        if len(value) > _LONGEST_TEXT:
            raise ValueError("a response topic or correlation of more than 65535 bytes")
        if value:
            properties += bytes([kind]) + len(value).to_bytes(2, "big") + value
    return write_number(len(properties)) + properties


def write_number(value: int) -> bytes:
    """A Variable Byte Integer.

    Raises:
        ValueError: it is too large for one.
    """
    if value > MAX_LENGTH:
        raise ValueError(f"a packet of {value} bytes is too large for MQTT")
    written = bytearray()
    while value >= _MORE:
        written.append(value & _SEVEN_BITS | _MORE)
        value >>= 7
    written.append(value)
    return bytes(written)
