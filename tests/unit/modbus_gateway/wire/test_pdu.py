"""A request to its reply: the frames of `modbus_frames`, and what the product's own map makes of them."""

from dataclasses import replace

import pytest
from gateway_story import Gateway, point, trajectory
from hypothesis import given
from hypothesis import strategies as st
from modbus_device import READER, UNIT, WRITER, Device
from modbus_frames import EXCHANGES, WRITES, Exchange

from modbus_gateway.wire.identification import OBJECT_MOST, PDU_MOST, Identification
from modbus_gateway.wire.pdu import FUNCTIONS, Served, answer
from modbus_gateway.wire.writing import NothingWritable


@pytest.fixture
def device() -> Device:
    return Device()


@pytest.fixture(scope="module")
def classic() -> Served:
    """The classic profile, as the gateway serves it."""
    gateway = Gateway(block=[{"profile": "classic", "unit_id": 1}])
    gateway.hear(*(trajectory(point(60, 12.5), resource=resource) for resource in ("SOLAR", "BESS", "HYDRO", "PUMP")))
    gateway.render(1)
    return Served(gateway.map.units, gateway.images.look, NothingWritable(), Identification.of("1", "sierra"))


def ask(served: Served, request: str, unit_id: int = 1) -> str:
    return answer(served, unit_id, bytes.fromhex(request), WRITER).hex(" ")


@pytest.mark.parametrize("exchange", EXCHANGES, ids=str)
def test_a_request_has_the_reply_that_the_specification_gives_it(device: Device, exchange: Exchange):
    assert answer(device.served, exchange.unit_id, exchange.asked, WRITER).hex(" ") == exchange.answered.hex(" ")
    for table, values in exchange.after.items():
        rows = {**device.registers, **device.bits}[table]
        assert {address: rows[address] for address in values} == values


def test_each_function_has_frames_and_each_exception_one():
    assert {exchange.asked[0] for exchange in EXCHANGES} >= set(FUNCTIONS)
    refused = {exchange.answered[1] for exchange in EXCHANGES if exchange.answered[0] & 0x80}
    assert refused == {1, 2, 3, 4, 0x0B}


@pytest.mark.parametrize("exchange", WRITES, ids=str)
def test_who_may_not_write_is_told_that_there_is_no_such_function_and_nothing_is_written(device: Device, exchange: Exchange):
    before = (list(device.registers.values()), list(device.bits.values()))
    function = exchange.asked[0]
    assert answer(device.served, UNIT, exchange.asked, READER) == bytes((function | 0x80, 1))
    assert (list(device.registers.values()), list(device.bits.values())) == before
    assert device.writes == []


@pytest.mark.parametrize("exchange", WRITES, ids=str)
def test_a_map_without_a_writable_point_has_no_function_that_writes(device: Device, exchange: Exchange):
    served = replace(device.served, writing=NothingWritable())
    assert answer(served, UNIT, exchange.asked, WRITER) == bytes((exchange.asked[0] | 0x80, 1))


def test_who_wrote_is_told_with_what_was_written(device: Device):
    for request in (
        "05 0001 ff00",
        "06 0001 0001",
        "0f 0000 0001 01 01",
        "10 0000 0001 02 0001",
        "17 0000 0001 0000 0001 02 0001",
    ):
        ask(device.served, request)
    assert device.writes == [WRITER] * 5


def test_reads_that_are_not_up_to_date_fail_and_writes_do_not_wait_for_them(device: Device):
    served = replace(device.served, tables=lambda _unit_id: None)
    assert [ask(served, f"0{function} 0000 0001") for function in (1, 2, 3, 4)] == ["81 04", "82 04", "83 04", "84 04"]
    assert ask(served, "06 0001 abcd") == "06 00 01 ab cd"
    assert ask(served, "17 0000 0001 0000 0001 02 0001") == "97 04"
    assert len(device.writes) == 1


@given(st.integers(0, 3), st.binary(min_size=1, max_size=260))
def test_whatever_is_asked_has_a_reply_that_fits_and_names_its_function(unit_id: int, request: bytes):
    reply = answer(Device().served, unit_id, request, WRITER)
    assert 2 <= len(reply) <= PDU_MOST
    assert reply[0] & 0x7F == request[0] & 0x7F


@given(st.sampled_from(FUNCTIONS), st.binary(max_size=255))
def test_whatever_follows_a_function_of_it_is_answered(function: int, rest: bytes):
    reply = answer(Device().served, UNIT, bytes((function,)) + rest, WRITER)
    assert reply[0] == function or (reply[0] == function | 0x80 and reply[1] in (1, 2, 3, 4))


@given(st.dictionaries(st.integers(0, 6), st.binary(max_size=OBJECT_MOST)))
def test_a_stream_of_objects_brings_each_one_whole_and_once_however_long_they_are(objects: dict[int, bytes]):
    objects = {0: b"dotbus", **objects}
    heard, following = {}, 0
    for _ in range(len(objects)):
        reply = Identification(objects).answer(bytes((0x2B, 0x0E, 0x02, following)))
        assert isinstance(reply, bytes)
        assert len(reply) <= PDU_MOST
        body, count = reply[7:], reply[6]
        for _ in range(count):
            number, size = body[0], body[1]
            assert number not in heard
            heard[number], body = body[2 : 2 + size], body[2 + size :]
        assert body == b""
        if not reply[4]:
            break
        following = reply[5]
    assert heard == objects


def test_a_text_that_no_reply_has_room_for_is_cut_and_what_is_not_ascii_replaced():
    objects = Identification.of("1", "Größe " * 100).objects
    assert len(objects[6]) == OBJECT_MOST
    assert objects[6].startswith(b"Gr??e ")
    assert objects[6].endswith(b"...")


@pytest.mark.parametrize(
    ("request_", "reply"),
    [
        ("03 0000 0002", "03 04 00 00 41 48"),
        ("04 0000 0001", "04 02 00 00"),
        ("01 0000 0003", "01 01 04"),
        ("02 0002 0009", "02 02 01 00"),
    ],
)
def test_reads_are_answered_alike_by_both_functions_of_a_table(classic: Served, request_: str, reply: str):
    assert ask(classic, request_) == reply


@pytest.mark.parametrize(
    "request_", ["03 0040 0001", "03 003f 0002", "03 ffff 0001", "03 0000 007d", "01 0010 0001", "02 0000 07d0"]
)
def test_addresses_outside_every_block_are_refused(classic: Served, request_: str):
    assert ask(classic, request_).endswith(" 02")


@pytest.mark.parametrize("function", ["05 0000 ff00", "06 0000 0001", "0f 0000 0001 01 01", "10 0000 0001 02 0001", "17 0000"])
def test_every_write_to_the_gateway_is_refused_as_a_function(classic: Served, function: str):
    assert ask(classic, function) == f"{int(function[:2], 16) | 0x80:02x} 01"
