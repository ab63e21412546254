"""RTU over TCP: what is a frame, what has no reply, and how a client that is out of step comes into step."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from modbus_device import WRITABLE, Device
from modbus_lines import Line
from pymodbus.framer.rtu import FramerRTU

from dotbus.runtime.installation.modbus import Table
from modbus_gateway.wire.admission import Reason
from modbus_gateway.wire.connection import Door
from modbus_gateway.wire.rtu import OUT_OF_STEP_MOST, SILENCE_S, Rtu, crc16, frame

READ = bytes.fromhex("03 0000 0002")
TWO = frame(1, bytes.fromhex("03 04 1000 1001"))
WRITE = bytes.fromhex("06 0001 abcd")


@pytest.fixture
def device() -> Device:
    return Device()


@pytest.fixture
def line(device: Device) -> Line:
    return Line(Door(framing=Rtu, may_write=True), device.served)


def damaged(content: bytes) -> bytes:
    return content[:-1] + bytes((content[-1] ^ 0x40,))


def test_the_frame_of_the_specification():
    """Modbus over Serial Line V1.02, annex B: 02 07 has the CRC 0x1241, which is sent low byte first."""
    assert frame(2, b"\x07") == bytes.fromhex("02 07 41 12")
    assert crc16(bytes.fromhex("02 07 41 12")) == 0


@given(st.binary(max_size=254))
def test_the_crc_is_that_of_pymodbus(content: bytes):
    theirs = FramerRTU.compute_CRC(content)
    assert crc16(content).to_bytes(2, "little") == theirs.to_bytes(2, "big")


@pytest.mark.parametrize("content", [READ, WRITE, bytes.fromhex("10 0000 0001 02 0001")])
def test_a_frame_with_a_wrong_crc_is_neither_obeyed_nor_answered(line: Line, device: Device, content: bytes):
    assert line.ask(damaged(frame(1, content))) == b""
    assert device.writes == []
    assert not line.connection.has_asked
    assert line.ask(frame(1, READ)) == TWO, "and what comes after it is"


def test_what_looks_like_a_request_in_the_midst_of_damaged_data_is_not_obeyed(line: Line, device: Device):
    inside = frame(1, WRITE)
    content = bytes.fromhex("10 0000 0004 08") + inside
    assert line.ask(damaged(frame(1, content)) + frame(1, READ)) == TWO
    assert device.writes == []


def test_a_unit_that_is_not_there_says_nothing(line: Line):
    assert line.ask(frame(2, READ) + frame(1, READ)) == TWO


def test_a_broadcast_is_obeyed_by_every_unit_and_has_no_reply(line: Line, device: Device):
    assert line.ask(frame(0, WRITE)) == b""
    assert device.registers[Table.HOLDING][1] == 0xABCD
    assert line.ask(frame(0, bytes((6, 0, WRITABLE, 0, 1)))) == b""
    assert line.ask(frame(0, READ)) == b"", "a read is nothing to broadcast"


def test_an_unknown_function_ends_where_its_crc_is_right(line: Line):
    for content in (b"\x64", bytes.fromhex("65 01 02 03 04")):
        asked = frame(1, content)
        assert line.ask(*(asked[i : i + 1] for i in range(len(asked)))) == frame(1, bytes((content[0] | 0x80, 1)))


def test_a_frame_whose_rest_does_not_come_in_time_was_none(line: Line):
    asked = frame(1, READ)
    assert line.ask(asked[:5]) == b""
    line.host.now_s += SILENCE_S + 0.1
    assert line.ask(asked) == TWO
    assert line.ask(asked[:5]) == b""
    line.host.now_s += SILENCE_S - 0.1
    assert line.ask(asked[5:]) == TWO


def test_what_waited_for_a_client_that_did_not_read_was_no_silence(line: Line):
    asked = frame(1, READ)
    line.say(asked[:5])
    line.connection.pause_writing()
    line.host.now_s += 10 * SILENCE_S
    line.connection.resume_writing()
    assert line.ask(asked[5:]) == TWO


@given(st.binary(min_size=1, max_size=300))
def test_after_any_garbage_and_a_silence_a_client_is_in_step(garbage: bytes):
    line = Line(Door(framing=Rtu))
    line.ask(garbage)
    line.host.now_s += SILENCE_S + 0.1
    assert line.ask(frame(1, READ)) == TWO


def test_whoever_is_never_in_step_is_closed_within_a_few_frames(line: Line):
    line.say(b"\x01\x03" * OUT_OF_STEP_MOST)
    assert line.transport.is_closed
    assert line.host.reasons == [Reason.NOT_MODBUS]
