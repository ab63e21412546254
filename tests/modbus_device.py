"""A device with four tables that differ, for what the protocol itself says; most of it can be written."""

from dotbus.runtime.installation.modbus import Table
from modbus_gateway.wire.identification import Identification
from modbus_gateway.wire.images.image import Refusal
from modbus_gateway.wire.pdu import Served
from modbus_gateway.wire.writing import Client

UNIT = 1
REGISTERS, BITS = 200, 2100
WRITABLE = 150
"""Registers and coils below it can be written."""
BROKEN = 190
"""A register from which on reading fails."""
READER = Client("10.0.0.1")
WRITER = Client("10.0.0.2", "CN=scada", "operator", may_write=True)


class Device:
    """Registers are 0x1000 + address (holding) and 0x2000 + address (input); each third coil and each second input is on."""

    is_offered = True

    def __init__(self) -> None:
        self.writes: list[Client] = []
        self.reset()

    def reset(self) -> None:
        self.registers = {
            Table.HOLDING: [0x1000 + i for i in range(REGISTERS)],
            Table.INPUT: [0x2000 + i for i in range(REGISTERS)],
        }
        self.bits = {Table.COIL: [i % 3 == 0 for i in range(BITS)], Table.DISCRETE: [i % 2 == 0 for i in range(BITS)]}

    def read_registers(self, table: Table, address: int, count: int) -> bytes | Refusal:
        if address + count > REGISTERS:
            return Refusal.ADDRESS
        if address + count > BROKEN:
            return Refusal.FAILURE
        return b"".join(word.to_bytes(2, "big") for word in self.registers[table][address : address + count])

    def read_bits(self, table: Table, address: int, count: int) -> bytes | Refusal:
        if address + count > BITS:
            return Refusal.ADDRESS
        packed = sum(bit << i for i, bit in enumerate(self.bits[table][address : address + count]))
        return packed.to_bytes((count + 7) // 8, "little")

    def write_registers(self, unit_id: int, address: int, words: bytes, client: Client) -> Refusal | None:
        count = len(words) // 2
        if not client.may_write:
            return Refusal.FUNCTION
        if unit_id != UNIT or address + count > WRITABLE:
            return Refusal.ADDRESS
        values = [int.from_bytes(words[i : i + 2], "big") for i in range(0, len(words), 2)]
        self.registers[Table.HOLDING][address : address + count] = values
        self.writes.append(client)
        return None

    def write_bits(self, unit_id: int, address: int, bits: tuple[bool, ...], client: Client) -> Refusal | None:
        if not client.may_write:
            return Refusal.FUNCTION
        if unit_id != UNIT or address + len(bits) > WRITABLE:
            return Refusal.ADDRESS
        self.bits[Table.COIL][address : address + len(bits)] = bits
        self.writes.append(client)
        return None

    @property
    def served(self) -> Served:
        """What a server needs of it."""
        return Served(frozenset({UNIT}), lambda _unit_id: self, self, Identification.of("1.2.3", "plant sierra"))
