"""Packets as bytes, held against paho's own reader and writer."""

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from paho.mqtt import _packet
from paho.mqtt.enums import MQTTProtocolVersion
from paho.mqtt.exception import MalformedPacket as PahoMalformedPacket
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties, VariableByteIntegers

from dotbus.runtime.mqtt.packets import (
    MAX_LENGTH,
    QOS_1,
    QOS_2,
    MalformedPacket,
    Packet,
    PacketBuffer,
    encode_properties,
    encode_publish,
    read_puback,
    read_publish,
    write_number,
)

TEXT = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0\ufeff"), max_size=20)
TOPIC = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0+#"), min_size=1, max_size=40)
ANY_PACKET = st.builds(
    lambda first, body: bytes([first]) + write_number(len(body)) + body,
    st.integers(0, 255),
    st.one_of(st.binary(max_size=8), st.binary(min_size=120, max_size=140), st.binary(min_size=300, max_size=400)),
)


def given_to(buffer: PacketBuffer, piece: bytes) -> list[bytes]:
    """What comes out of a buffer when a piece is received, as often as it has room for."""
    out: list[bytes] = []
    while piece:
        count = min(len(piece), len(buffer.room))
        buffer.room[:count] = piece[:count]
        out += [
            bytes([packet.first]) + write_number(packet.end - packet.start) + bytes(packet.body[packet.start : packet.end])
            for packet in buffer.received(count)
        ]
        piece = piece[count:]
    return out


@given(st.lists(ANY_PACKET, max_size=12), st.data())
def test_packets_come_out_whole_and_in_order_wherever_the_stream_is_cut(packets: list[bytes], data: st.DataObject):
    stream = b"".join(packets)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=20)))
    buffer = PacketBuffer(size=64)  # most packets are larger than it
    out = [
        packet
        for begin, end in zip([0, *cuts], [*cuts, len(stream)], strict=True)
        for packet in given_to(buffer, stream[begin:end])
    ]
    assert out == packets


@pytest.mark.parametrize("size", [5, 64, 4096])
def test_a_stream_may_be_cut_at_every_byte(size: int):
    packets = [b"\xd0\x00", bytes([0x30, 200, 1]) + bytes(200), b"\x40\x02\x00\x01", bytes([0x30, 130, 1]) + bytes(130)]
    stream = b"".join(packets)
    for cut in range(len(stream) + 1):
        buffer = PacketBuffer(size)
        assert given_to(buffer, stream[:cut]) + given_to(buffer, stream[cut:]) == packets
    buffer = PacketBuffer(size)
    assert [packet for byte in stream for packet in given_to(buffer, bytes([byte]))] == packets


def test_a_packet_comes_out_as_soon_as_its_last_byte_is_there():
    buffer = PacketBuffer(64)
    assert given_to(buffer, b"\x30\x05abcd") == []
    assert given_to(buffer, b"e\xd0") == [b"\x30\x05abcde"]
    assert given_to(buffer, b"\x00") == [b"\xd0\x00"]


def test_what_comes_before_a_malformed_packet_comes_out():
    buffer = PacketBuffer(64)
    stream = b"\xd0\x00\x30\x80\x80\x80\x80\x01"
    buffer.room[: len(stream)] = stream
    packets = buffer.received(len(stream))
    assert next(packets).first == 0xD0
    with pytest.raises(MalformedPacket):
        next(packets)


def alone(packet: bytes, before: bytes = b"", after: bytes = b"") -> Packet:
    """A packet among others in one buffer: what surrounds it must not be taken for a part of it."""
    header = 1 + VariableByteIntegers.decode(packet[1:])[1]
    return Packet(packet[0], before + packet + after, len(before) + header, len(before) + len(packet))


def packed(topic: str, payload: bytes, properties: bytes, number: int, *, retain: bool) -> bytes:
    encoded = encode_publish(topic, payload, properties, retain=retain)
    packet = encoded.head + number.to_bytes(2, "big") + encoded.properties + encoded.payload
    assert len(packet) == encoded.size
    return packet


def test_the_first_half_of_one_of_qos_2_differs_from_one_of_qos_1_in_its_first_byte_alone():
    one, half = (encode_publish("t", b"p", b"\0", retain=False, qos=qos) for qos in (QOS_1, QOS_2))
    assert (one.head[0], half.head[0]) == (0x32, 0x34)
    assert (one.head[1:], one.properties, one.payload) == (half.head[1:], half.properties, half.payload)


@given(TOPIC, st.binary(max_size=300), st.booleans(), st.integers(1, 65535), st.one_of(st.none(), TEXT), st.binary(max_size=9))
def test_what_is_encoded_is_what_paho_and_we_read(
    topic: str,
    payload: bytes,
    retain: bool,  # noqa: FBT001  # drawn
    number: int,
    response_topic: str | None,
    correlation: bytes,
):
    properties = encode_properties(response_topic, correlation)
    packet = alone(packed(topic, payload, properties, number, retain=retain), b"\x01\x02", b"\x03\x04")

    body = bytes(packet.body[packet.start : packet.end])
    paho = _packet.decode_publish(packet.first, body, MQTTProtocolVersion.MQTTv5)
    assert (paho.topic, paho.payload, paho.retain, paho.mid, paho.qos) == (topic.encode(), payload, retain, number, 1)

    ours = read_publish(packet, five=True)
    assert (ours.topic, ours.payload, ours.retained) == (topic, payload, retain)
    assert ours.receipt == b"\x40\x02" + number.to_bytes(2, "big")
    assert ours.response_topic == getattr(paho.properties, "ResponseTopic", None) == (response_topic or None)
    assert ours.correlation == getattr(paho.properties, "CorrelationData", None) == (correlation or None)


@given(TOPIC, st.binary(max_size=300), st.integers(1, 65535))
def test_without_properties_it_is_a_packet_of_3_1_1(topic: str, payload: bytes, number: int):
    packet = alone(packed(topic, payload, b"", number, retain=False), b"", b"\0\0")
    paho = _packet.decode_publish(packet.first, bytes(packet.body[packet.start : packet.end]), MQTTProtocolVersion.MQTTv311)
    assert (paho.topic, paho.payload, paho.mid) == (topic.encode(), payload, number)
    ours = read_publish(packet, five=False)
    assert (ours.topic, ours.payload, ours.receipt[2:]) == (topic, payload, number.to_bytes(2, "big"))


def test_a_message_of_qos_0_asks_for_no_receipt():
    message = read_publish(alone(b"\x31\x04\x00\x01tx"), five=False)
    assert (message.topic, message.payload, message.retained, message.receipt) == ("t", b"x", True, b"")


def test_every_property_of_a_message_is_passed_over_but_the_two_that_are_asked_for():
    properties = Properties(PacketTypes.PUBLISH)
    properties.PayloadFormatIndicator = 1
    properties.MessageExpiryInterval = 70000
    properties.ContentType = "application/json"
    properties.ResponseTopic = "reply/to"
    properties.CorrelationData = b"\x00\x01"
    properties.SubscriptionIdentifier = [3, 268435455]
    properties.TopicAlias = 9
    properties.UserProperty = [("a", "b"), ("c", "")]
    body = b"\x00\x01t\x00\x07" + properties.pack() + b"payload"
    message = read_publish(alone(b"\x32" + write_number(len(body)) + body, after=b"\x30\x00"), five=True)
    assert (message.response_topic, message.correlation, message.payload) == ("reply/to", b"\x00\x01", b"payload")


@pytest.mark.parametrize(
    "packet",
    [
        b"\x32\x00",
        b"\x32\x01\x00",
        b"\x30\x03\x00\x09t",
        b"\x32\x04\x00\x01t\x00",
        b"\x32\x05\x00\x00\x00\x01\x00",
        b"\x30\x05\x00\x02\xff\xfe\x00",
        b"\x32\x05\x00\x01t\x00\x01",
        b"\x32\x07\x00\x01t\x00\x01\x05\x01",
        b"\x32\x0a\x00\x01t\x00\x01\x80\x80\x80\x80\x01",
        b"\x32\x08\x00\x01t\x00\x01\x02\x02\x00",
        b"\x32\x08\x00\x01t\x00\x01\x02\x7f\x00",
        b"\x32\x0a\x00\x01t\x00\x01\x04\x08\x00\x09x",
        b"\x32\x0a\x00\x01t\x00\x01\x04\x08\x00\x01\xff",
    ],
    ids=[
        "nothing",
        "half a topic's length",
        "a topic longer than the packet",
        "half a number",
        "no topic",
        "a topic that is no text",
        "no properties' length",
        "properties longer than the packet",
        "a properties' length of five bytes",
        "a property longer than all properties",
        "a property of another packet",
        "a text longer than all properties",
        "a response topic that is no text",
    ],
)
@pytest.mark.parametrize("after", [b"", bytes(40), b"\xff" * 40])
def test_a_malformed_message_is_refused_whatever_follows_it(packet: bytes, after: bytes):
    with pytest.raises(MalformedPacket):
        read_publish(alone(packet, after=after), five=True)


@settings(max_examples=500)
@given(st.integers(0, 1), st.binary(max_size=40), st.booleans())
def test_any_bytes_are_no_message_or_the_one_that_paho_reads(qos: int, body: bytes, five: bool):  # noqa: FBT001  # drawn
    first = 0x30 | qos << 1
    try:
        ours = read_publish(alone(bytes([first, len(body)]) + body, after=b"\xff" * 9), five=five)
        protocol = MQTTProtocolVersion.MQTTv5 if five else MQTTProtocolVersion.MQTTv311
        paho = _packet.decode_publish(first, body, protocol)
    except (MalformedPacket, PahoMalformedPacket):  # paho knows more properties' values that are wrong
        return
    assert (ours.topic.encode(), ours.payload) == (paho.topic, paho.payload)


@pytest.mark.parametrize(
    ("packet", "five", "answer"),
    [
        (b"\x40\x02\x12\x34", False, (0x1234, 0)),
        (b"\x40\x02\x12\x34", True, (0x1234, 0)),
        (b"\x40\x03\x00\x01\x87", True, (1, 0x87)),
        (b"\x40\x08\x00\x01\x87\x04\x1f\x00\x01x", True, (1, 0x87)),
    ],
)
def test_an_answer_names_the_message_and_the_reason(packet: bytes, five: bool, answer: tuple[int, int]):  # noqa: FBT001  # a parameter of the table
    assert read_puback(alone(packet, b"\xff", b"\xff"), five=five) == answer


@pytest.mark.parametrize(("packet", "five"), [(b"\x40\x00", True), (b"\x40\x01\x00", True), (b"\x40\x03\x00\x01\x00", False)])
def test_an_answer_of_a_wrong_length_is_refused(packet: bytes, five: bool):  # noqa: FBT001  # a parameter of the table
    with pytest.raises(MalformedPacket):
        read_puback(alone(packet, after=b"\x00\x00"), five=five)


@given(st.integers(0, MAX_LENGTH))
def test_numbers_are_written_as_paho_writes_them(value: int):
    assert write_number(value) == VariableByteIntegers.encode(value)


def test_a_packet_too_large_for_mqtt_cannot_be_made():
    with pytest.raises(ValueError, match="too large"):
        write_number(MAX_LENGTH + 1)


@pytest.mark.parametrize("topic", ["", "a/+", "#", "a\0", "x" * 65536, "\ud800"])
def test_what_is_no_topic_cannot_be_published_to(topic: str):
    with pytest.raises(ValueError, match=r"topic|surrogates"):
        encode_publish(topic, b"", b"", retain=False)


@pytest.mark.parametrize("properties", [("x" * 65536, None), (None, bytes(65536))])
def test_a_property_too_large_for_mqtt_is_refused(properties: Sequence):
    with pytest.raises(ValueError, match="65535"):
        encode_properties(*properties)
