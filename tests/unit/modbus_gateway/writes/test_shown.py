"""What clients read back of what they wrote."""

import struct

import pytest
from write_story import ACTUAL, COMMIT, CONFIRMED, HEARTBEAT, SCADA, SECOND, SWITCH, UNIT, Plant

from dotbus.runtime.installation.modbus import Table
from modbus_gateway.wire.images.image import Refusal
from modbus_gateway.writes.shown import NOT_SAID, written_tables
from modbus_gateway.writes.unit import Result

NAN = bytes.fromhex("7FC00000")


class Others:
    """The tables that show CAISO's values."""

    def read_registers(self, _table: Table, _address: int, count: int) -> bytes | Refusal:
        return b"\xca\xfe" * count

    def read_bits(self, _table: Table, _address: int, _count: int) -> bytes | Refusal:
        return b"\1"


class Device:
    def __init__(self) -> None:
        self.plant = Plant()
        others = Others()
        self.tables = written_tables(
            lambda unit: others if unit < 3 else None, self.plant.writables, self.plant.taking.state, lambda _answer: b""
        )
        self.write = lambda address, words: self.plant.taking.write_registers(UNIT, address, words, SCADA)

    def read(self, address: int, count: int, table: Table = Table.HOLDING) -> bytes | Refusal:
        tables = self.tables(UNIT)
        assert tables
        return tables.read_registers(table, address, count)

    def numbers(self, address: int, count: int) -> list[int]:
        content = self.read(address, count)
        assert isinstance(content, bytes)
        return list(struct.unpack(f">{count}H", content))

    def bits(self, address: int, count: int) -> bytes | Refusal:
        tables = self.tables(UNIT)
        assert tables
        return tables.read_bits(Table.COIL, address, count)


@pytest.fixture
def device() -> Device:
    return Device()


def test_a_register_reads_no_value_before_and_what_was_taken_after(device):
    assert device.read(ACTUAL, 3) == NAN + b"\0\0"
    device.write(ACTUAL, struct.pack(">f", 12.5))
    assert device.read(ACTUAL, 3) == struct.pack(">fH", 12.5, 192)


def test_what_counts_no_more_reads_as_no_value(device):
    device.write(ACTUAL, struct.pack(">f", 12.5))
    device.plant.clock.seconds += 31
    assert device.read(ACTUAL, 3) == NAN + b"\0\0"


def test_what_was_refused_leaves_what_was_taken(device):
    device.write(ACTUAL, struct.pack(">f", 12.5))
    device.write(ACTUAL, struct.pack(">f", 99))
    assert device.read(ACTUAL, 2) == struct.pack(">f", 12.5)


def test_what_is_staged_reads_nowhere_until_it_is_taken(device):
    device.write(CONFIRMED, struct.pack(">f", 50))
    device.write(SECOND, b"\0\x7d")
    assert device.read(CONFIRMED, 3) == NAN + b"\x80\0"
    assert device.numbers(COMMIT, 12)[6:8] == [2, 20]
    device.write(COMMIT, b"\0\7")
    assert device.read(CONFIRMED, 3) == struct.pack(">fh", 50, 125)
    assert device.numbers(COMMIT, 12) == [7, 0, 7, Result.TAKEN, NOT_SAID, NOT_SAID, 0, NOT_SAID, 1, 0, 2, 4]


def test_the_point_that_was_wrong_is_told_by_its_table_and_address(device):
    device.write(CONFIRMED, struct.pack(">f", 61))
    device.write(COMMIT, b"\0\7")
    assert device.numbers(COMMIT, 6) == [7, 0, 7, Result.LIMITS, 4, CONFIRMED]


def test_the_watchdog_is_read_beside_how_long_nobody_wrote(device):
    assert device.numbers(COMMIT + 8, 2) == [0, NOT_SAID]
    device.write(HEARTBEAT, b"\0\5")
    device.plant.clock.seconds += 59.5
    assert device.numbers(COMMIT + 8, 2) == [1, 60]
    device.plant.clock.seconds += 1
    assert device.numbers(COMMIT + 8, 2) == [0, 61]
    assert device.numbers(HEARTBEAT, 1) == [5]


def test_a_coil_reads_back_with_its_quality_beside_it(device):
    assert device.bits(SWITCH, 2) == b"\0"
    device.plant.taking.write_bits(UNIT, SWITCH, (True,), SCADA)
    assert device.bits(SWITCH, 2) == b"\3"
    assert device.bits(SWITCH + 1, 1) == b"\1"


def test_only_what_stands_beside_each_other_is_read_at_once(device):
    assert device.read(ACTUAL, 4) is Refusal.ADDRESS
    assert device.read(CONFIRMED + 2, 2) is Refusal.ADDRESS
    assert device.bits(SWITCH, 3) is Refusal.ADDRESS
    assert device.read(ACTUAL, 1, Table.INPUT) == b"\xca\xfe"


def test_all_else_is_read_as_before(device):
    assert device.read(0, 2) == b"\xca\xfe" * 2
    assert device.bits(100, 1) == b"\1"
    other = device.tables(2)
    assert isinstance(other, Others)
    assert device.tables(3) is None
