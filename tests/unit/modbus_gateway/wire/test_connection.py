"""A connection: bytes to replies, whatever the segments are, and never more at once than is fair. No socket."""

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from modbus_device import UNIT, Device
from modbus_frames import EXCHANGES, Exchange
from modbus_lines import Line, cut

from modbus_gateway.wire.admission import Reason
from modbus_gateway.wire.connection import AT_ONCE, WAITING_MOST, Door
from modbus_gateway.wire.framing import Mbap
from modbus_gateway.wire.identification import PDU_MOST
from modbus_gateway.wire.rtu import Rtu, frame

READ = "03 0000 0002"
TWO = bytes.fromhex("03 04 1000 1001")


def mbap(number: int, content: bytes, unit_id: int = UNIT) -> bytes:
    return struct.pack(">HHHB", number, 0, len(content) + 1, unit_id) + content


def ask(number: int, request: str = READ) -> bytes:
    return mbap(number, bytes.fromhex(request))


def spoken(exchanges: list[Exchange]) -> tuple[bytes, bytes]:
    """Requests and replies as Modbus TCP."""
    asked = b"".join(mbap(i, one.asked, one.unit_id) for i, one in enumerate(exchanges))
    return asked, b"".join(mbap(i, one.answered, one.unit_id) for i, one in enumerate(exchanges))


def spoken_rtu(exchanges: list[Exchange]) -> tuple[bytes, bytes]:
    """The same as RTU, where what is for another unit has no reply."""
    asked = b"".join(frame(one.unit_id, one.asked) for one in exchanges)
    ours = [one for one in exchanges if one.unit_id == UNIT]
    return asked, b"".join(frame(one.unit_id, one.answered) for one in ours)


def is_whole(exchange: Exchange) -> bool:
    """Whether a request has the length that its function says: no other can be told apart in RTU."""
    line = Line(Door(framing=Rtu, may_write=True))
    line.say(frame(UNIT, exchange.asked))
    return bool(line.transport.written) and not line.connection._waiting


FITTING = [one for one in EXCHANGES if len(one.asked) <= PDU_MOST]
RTU_EXCHANGES = [one for one in EXCHANGES if is_whole(one)]
READING = [one for one in EXCHANGES if not one.after and one.asked[0] in (1, 2, 3, 4, 0x2B, 0x64)]
"""What leaves the device as it was: the replies are the same in any order."""


@pytest.mark.parametrize("exchange", FITTING, ids=str)
def test_a_frame_of_modbus_tcp_is_answered(exchange: Exchange):
    asked, answered = spoken([exchange])
    assert Line().ask(asked) == answered


@pytest.mark.parametrize("exchange", RTU_EXCHANGES, ids=str)
def test_a_frame_of_rtu_is_answered(exchange: Exchange):
    asked, answered = spoken_rtu([exchange])
    assert Line(Door(framing=Rtu, may_write=True)).ask(asked) == answered


def test_each_function_can_be_asked_by_rtu():
    assert {one.asked[0] for one in RTU_EXCHANGES} >= {1, 2, 3, 4, 5, 6, 0x0F, 0x10, 0x17, 0x2B}


@settings(max_examples=200)
@given(st.lists(st.sampled_from(READING), min_size=1, max_size=60), st.lists(st.integers(0), max_size=40), st.booleans())
def test_any_split_of_any_frames_gives_the_same_replies(exchanges: list[Exchange], places: list[int], is_rtu: bool):  # noqa: FBT001
    exchanges = [one for one in exchanges if one in RTU_EXCHANGES] if is_rtu else exchanges
    asked, answered = (spoken_rtu if is_rtu else spoken)(exchanges)
    line = Line(Door(framing=Rtu) if is_rtu else Door())
    assert line.ask(*cut(asked, places)) == answered
    assert not line.transport.is_closed
    assert line.connection.unfinished_since_s is None


DEEDS = st.lists(st.sampled_from(["say", "turn", "pause", "resume"]), max_size=60)


@settings(max_examples=200)
@given(st.lists(st.sampled_from(READING), min_size=1, max_size=80), st.lists(st.integers(0), max_size=20), DEEDS)
def test_turns_and_a_client_that_stops_reading_change_no_reply(exchanges: list[Exchange], places: list[int], deeds: list[str]):
    """The system pauses and resumes the connection when it likes, and turns come when others had theirs."""
    asked, answered = spoken(exchanges)
    chunks, line, is_paused = cut(asked, places), Line(), False
    for deed in [*deeds, "resume"]:
        if deed == "say" and chunks and line.transport.is_reading:
            line.connection.data_received(chunks.pop(0))
        elif deed == "turn":
            line.host.one_turn()
        elif deed == "pause" and not is_paused:
            line.connection.pause_writing()
            is_paused = True
        elif deed == "resume" and is_paused:
            line.connection.resume_writing()
            is_paused = False
    line.say(*chunks)
    assert line.hear() == answered
    assert line.transport.is_reading


@given(st.lists(st.binary(max_size=400), max_size=8), st.booleans())
def test_no_bytes_end_the_server_or_stay_in_its_memory(chunks: list[bytes], is_rtu: bool):  # noqa: FBT001
    line = Line(Door(framing=Rtu if is_rtu else Mbap, may_write=True))
    line.say(*chunks)
    assert len(line.connection._waiting) <= 268
    assert line.transport.is_closed == (line.host.reasons == [Reason.NOT_MODBUS])


@given(
    st.binary(min_size=7, max_size=7).filter(lambda header: header[2:4] != b"\0\0" or header[4] or not 2 <= header[5] <= 254)
)
def test_a_header_that_cannot_be_closes_after_the_replies_before_it(header: bytes):
    line = Line()
    assert line.ask(ask(1) + header + ask(2)) == mbap(1, TWO)
    assert (line.transport.is_closed, line.host.reasons) == (True, [Reason.NOT_MODBUS])


def test_a_request_that_is_longer_than_a_frame_can_be_is_not_modbus():
    line = Line()
    assert line.ask(mbap(1, b"\x10" + bytes(PDU_MOST))) == b""
    assert line.host.reasons == [Reason.NOT_MODBUS]


def test_thousands_of_requests_in_one_segment_are_answered_a_few_at_a_time():
    line = Line()
    line.connection.data_received(b"".join(ask(i) for i in range(1000)))
    size = len(mbap(0, TWO))
    assert len(line.hear()) == AT_ONCE * size
    line.host.one_turn()
    assert len(line.hear()) == AT_ONCE * size
    line.host.all_turns()
    assert len(line.hear()) == (1000 - 2 * AT_ONCE) * size


def test_whoever_sends_more_than_its_turns_take_is_left_to_the_system_until_they_do():
    line = Line()
    flood = b"".join(ask(i) for i in range(3000))
    for _ in range(5):
        if line.transport.is_reading:
            line.connection.data_received(flood)
    assert len(line.connection._waiting) <= WAITING_MOST + len(flood)
    assert not line.transport.is_reading
    line.host.all_turns()
    assert line.transport.is_reading
    assert line.connection._waiting == b""


def test_a_client_that_says_that_it_is_done_hears_all_its_replies():
    line = Line()
    line.connection.data_received(b"".join(ask(i) for i in range(100)))
    assert line.connection.eof_received(), "stays open for what is left"
    line.host.all_turns()
    assert len(line.hear()) == 100 * len(mbap(0, TWO))
    assert line.transport.is_closed
    assert not Line().connection.eof_received()


def test_a_request_that_is_never_finished_is_known_by_when_it_began():
    line = Line()
    assert line.connection.unfinished_since_s is None
    line.say(ask(1) + ask(2)[:5])
    line.host.now_s += 3
    line.say(ask(2)[5:8])
    assert line.connection.unfinished_since_s == 1000.0, "a byte now and then does not begin it anew"
    line.say(ask(2)[8:] + ask(3)[:1])
    assert line.connection.unfinished_since_s == 1003.0
    line.say(ask(3)[1:])
    assert line.connection.unfinished_since_s is None


def test_bytes_that_are_no_whole_request_are_no_sign_of_life():
    line = Line()
    line.host.now_s += 5
    line.say(ask(1)[:9])
    assert (line.connection.idle_since_s, line.connection.has_asked) == (1000.0, False)
    line.say(ask(1)[9:])
    assert (line.connection.idle_since_s, line.connection.has_asked) == (1005.0, True)


def test_a_client_of_a_plain_port_is_its_address_and_may_write_only_where_that_port_lets_it():
    device = Device()
    reading, writing = Line(Door(), device.served), Line(Door(may_write=True), device.served, address="::ffff:10.0.0.7")
    assert reading.ask(ask(1, "06 0001 abcd")) == mbap(1, bytes((0x86, 1)))
    assert device.writes == []
    assert writing.ask(ask(1, "06 0001 abcd")) == ask(1, "06 0001 abcd")
    (client,) = device.writes
    assert (client.address, client.subject, client.role) == ("10.0.0.7", None, None)


def test_a_client_that_is_gone_before_it_was_let_in_takes_nobodys_place():
    line = Line(address=None)
    assert line.transport.is_closed
    assert line.host.present == set()
    line.connection.connection_lost(None)
    assert line.host.reasons == []
