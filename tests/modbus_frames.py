"""Raw requests and their replies, for each function and each exception, as Modbus Application Protocol V1.1b3 has them.

Run against the pure functions and, over sockets and in each framing, against the server. The device is `modbus_device`.
"""

from dataclasses import dataclass, field

from dotbus.runtime.installation.modbus import Table


@dataclass(frozen=True)
class Exchange:
    """A request and its reply, each from the function code on, and what stands in a table afterwards."""

    name: str
    request: str
    reply: str
    unit_id: int = 1
    after: dict[Table, dict[int, int]] = field(default_factory=dict)

    @property
    def asked(self) -> bytes:
        return bytes.fromhex(self.request)

    @property
    def answered(self) -> bytes:
        return bytes.fromhex(self.reply)

    def __str__(self) -> str:
        return self.name.replace(" ", "-")


def words(start: int, count: int) -> str:
    return "".join(f"{start + i:04x}" for i in range(count))


def packed(step: int, count: int, first: int = 0) -> str:
    """Bits of which each `step`-th is on, as a reply carries them."""
    number = sum(1 << i for i in range(count) if (first + i) % step == 0)
    return number.to_bytes((count + 7) // 8, "little").hex()


def holding(start: int, *values: int) -> dict[Table, dict[int, int]]:
    return {Table.HOLDING: {start + i: value for i, value in enumerate(values)}}


def coils(start: int, *values: int) -> dict[Table, dict[int, int]]:
    return {Table.COIL: {start + i: value for i, value in enumerate(values)}}


VENDOR, PRODUCT, REVISION = (
    bytes((i, len(text))).hex() + text.hex() for i, text in enumerate((b"dotbus", b"modbus-gateway", b"1.2.3"))
)
NAME, APPLICATION = (
    bytes((i, len(text))).hex() + text.hex() for i, text in ((4, b"dotbus Modbus gateway"), (6, b"plant sierra"))
)

READS = [
    Exchange("01 reads coils, the first one lowest", "01 0000 000a", "01 02" + packed(3, 10)),
    Exchange("01 from any address on", "01 0001 0003", "01 01 04"),
    Exchange("01 reads 2000 coils", "01 0000 07d0", "01 fa" + packed(3, 2000)),
    Exchange("01 of no coil", "01 0000 0000", "81 03"),
    Exchange("01 of 2001 coils", "01 0000 07d1", "81 03"),
    Exchange("01 beyond the last coil", "01 0833 0002", "81 02"),
    Exchange("01 cut short", "01 0000 00", "81 03"),
    Exchange("01 with a byte too many", "01 0000 0001 00", "81 03"),
    Exchange("02 reads discrete inputs, which are no coils", "02 0000 000a", "02 02" + packed(2, 10)),
    Exchange("02 reads 2000 inputs", "02 0000 07d0", "02 fa" + packed(2, 2000)),
    Exchange("02 of 2001 inputs", "02 0000 07d1", "82 03"),
    Exchange("02 beyond the last input", "02 ffff 0001", "82 02"),
    Exchange("03 reads holding registers, the high byte first", "03 0000 0002", "03 04 1000 1001"),
    Exchange("03 reads 125 registers", "03 0000 007d", "03 fa" + words(0x1000, 125)),
    Exchange("03 of no register", "03 0000 0000", "83 03"),
    Exchange("03 of 126 registers", "03 0000 007e", "83 03"),
    Exchange("03 of 65535 registers", "03 0000 ffff", "83 03"),
    Exchange("03 beyond the last register", "03 00c7 0002", "83 02"),
    Exchange("03 past the last address there can be", "03 ffff 0002", "83 02"),
    Exchange("03 of a count that cannot be and an address that is not there", "03 ffff 0000", "83 03"),
    Exchange("03 of what cannot be had", "03 00be 0001", "83 04"),
    Exchange("03 cut short", "03", "83 03"),
    Exchange("04 reads input registers, which are no holding registers", "04 0007 0001", "04 02 2007"),
    Exchange("04 reads 125 registers", "04 0000 007d", "04 fa" + words(0x2000, 125)),
    Exchange("04 of 126 registers", "04 0000 007e", "84 03"),
    Exchange("04 beyond the last register", "04 00c8 0001", "84 02"),
]

WRITES = [
    Exchange("05 switches a coil on and is echoed", "05 0001 ff00", "05 0001 ff00", after=coils(0, 1, 1, 0)),
    Exchange("05 switches a coil off and is echoed", "05 0000 0000", "05 0000 0000", after=coils(0, 0, 0, 0)),
    Exchange("05 of a value between on and off", "05 0001 0001", "85 03", after=coils(1, 0)),
    Exchange("05 of a value beyond on", "05 0001 ff01", "85 03", after=coils(1, 0)),
    Exchange("05 of a coil that cannot be written", "05 0096 ff00", "85 02"),
    Exchange("05 cut short", "05 0001 ff", "85 03", after=coils(1, 0)),
    Exchange("06 writes a register and is echoed", "06 0001 abcd", "06 0001 abcd", after=holding(0, 0x1000, 0xABCD, 0x1002)),
    Exchange("06 of a register that cannot be written", "06 0096 0001", "86 02", after=holding(150, 0x1096)),
    Exchange("06 past the last address there can be", "06 ffff 0001", "86 02"),
    Exchange("06 cut short", "06 0001", "86 03"),
    Exchange("06 with a byte too many", "06 0001 abcd 00", "86 03", after=holding(1, 0x1001)),
    Exchange(
        "0f writes coils, the first one lowest",
        "0f 0013 000a 02 cd01",
        "0f 0013 000a",
        after=coils(19, 1, 0, 1, 1, 0, 0, 1, 1, 1, 0, 0),
    ),
    Exchange(
        "0f takes no coil from the bits that fill the last byte",
        "0f 0001 0001 01 ff",
        "0f 0001 0001",
        after=coils(1, 1, 0, 1, 0),
    ),
    Exchange("0f of no coil", "0f 0000 0000 00", "8f 03"),
    Exchange("0f of 1968 coils that are not there", "0f 0000 07b0 f6" + "00" * 246, "8f 02", after=coils(0, 1)),
    Exchange("0f of 1969 coils", "0f 0000 07b1 f7" + "00" * 247, "8f 03"),
    Exchange("0f with a byte count that is too small", "0f 0000 0009 01 ff", "8f 03", after=coils(1, 0)),
    Exchange("0f with a byte count that is too great", "0f 0000 0008 02 ff ff", "8f 03", after=coils(1, 0)),
    Exchange("0f with a byte count that lies", "0f 0000 0008 01 ff ff", "8f 03", after=coils(1, 0)),
    Exchange("0f past the last address there can be", "0f ffff 0002 01 03", "8f 02"),
    Exchange("10 writes registers", "10 0001 0002 04 000a 0102", "10 0001 0002", after=holding(0, 0x1000, 10, 0x102, 0x1003)),
    Exchange(
        "10 writes 123 registers", "10 0000 007b f6" + words(0, 123), "10 0000 007b", after=holding(0, *range(123), 0x107B)
    ),
    Exchange("10 of 124 registers", "10 0000 007c f8" + words(0, 124), "90 03", after=holding(1, 0x1001)),
    Exchange("10 of no register", "10 0000 0000 00", "90 03"),
    Exchange("10 with a byte count that is too small", "10 0000 0002 02 000a", "90 03", after=holding(0, 0x1000)),
    Exchange("10 with a byte count that is odd", "10 0000 0001 03 000a00", "90 03", after=holding(0, 0x1000)),
    Exchange("10 with a byte count that lies", "10 0000 0001 02 000a0b", "90 03", after=holding(0, 0x1000)),
    Exchange("10 without its values", "10 0000 0001", "90 03"),
    Exchange(
        "10 of a part that cannot be written writes nothing", "10 0095 0002 04 0001 0002", "90 02", after=holding(149, 0x1095)
    ),
    Exchange("10 past the last address there can be", "10 ffff 0002 04 0001 0002", "90 02"),
    Exchange(
        "17 reads what it has just written",
        "17 0000 0003 0001 0001 02 abcd",
        "17 06 1000 abcd 1002",
        after=holding(0, 0x1000, 0xABCD, 0x1002),
    ),
    Exchange("17 reads elsewhere than it writes", "17 000a 0001 0001 0002 04 0001 0002", "17 02 100a", after=holding(1, 1, 2)),
    Exchange(
        "17 reads 125 and writes 121 registers",
        "17 0000 007d 0000 0079 f2" + words(0, 121),
        "17 fa" + words(0, 121) + words(0x1079, 4),
        after=holding(120, 120, 0x1079),
    ),
    Exchange("17 of 122 registers to write", "17 0000 0001 0000 007a f4" + words(0, 122), "97 03", after=holding(1, 0x1001)),
    Exchange("17 of 126 registers to read", "17 0000 007e 0000 0001 02 000a", "97 03", after=holding(0, 0x1000)),
    Exchange("17 of none to read", "17 0000 0000 0000 0001 02 000a", "97 03", after=holding(0, 0x1000)),
    Exchange("17 of none to write", "17 0000 0001 0000 0000 00", "97 03"),
    Exchange("17 with a byte count that lies", "17 0000 0001 0000 0001 04 000a", "97 03", after=holding(0, 0x1000)),
    Exchange("17 with a byte count for fewer", "17 0000 0001 0000 0002 02 000a", "97 03", after=holding(0, 0x1000)),
    Exchange("17 cut short", "17 0000 0001 0000", "97 03"),
    Exchange("17 that cannot read writes nothing", "17 00c8 0001 0000 0001 02 000a", "97 02", after=holding(0, 0x1000)),
    Exchange("17 that cannot write", "17 0000 0001 0096 0001 02 000a", "97 02", after=holding(150, 0x1096)),
    Exchange("17 past the last address there can be", "17 0000 0001 ffff 0002 04 0001 0002", "97 02"),
]

IDENTIFIED = [
    Exchange("2b streams the basic objects", "2b 0e 01 00", "2b 0e 01 82 00 00 03" + VENDOR + PRODUCT + REVISION),
    Exchange(
        "2b streams the regular objects",
        "2b 0e 02 00",
        "2b 0e 02 82 00 00 05" + VENDOR + PRODUCT + REVISION + NAME + APPLICATION,
    ),
    Exchange("2b goes on where it was asked to", "2b 0e 02 04", "2b 0e 02 82 00 00 02" + NAME + APPLICATION),
    Exchange(
        "2b gives what there is to whoever asks for more",
        "2b 0e 03 00",
        "2b 0e 03 82 00 00 05" + VENDOR + PRODUCT + REVISION + NAME + APPLICATION,
    ),
    Exchange("2b begins anew at an object that is none", "2b 0e 01 77", "2b 0e 01 82 00 00 03" + VENDOR + PRODUCT + REVISION),
    Exchange("2b gives one object", "2b 0e 04 01", "2b 0e 04 82 00 00 01" + PRODUCT),
    Exchange("2b has no such object", "2b 0e 04 77", "ab 02"),
    Exchange("2b of a code that is none", "2b 0e 05 00", "ab 03"),
    Exchange("2b of the code 0", "2b 0e 00 00", "ab 03"),
    Exchange("2b cut short", "2b 0e 01", "ab 03"),
    Exchange("2b of CANopen", "2b 0d 00 00", "ab 01"),
]

UNKNOWN = [
    *(
        Exchange(f"{code:02x} is no function of it", f"{code:02x}", f"{code | 0x80:02x} 01")
        for code in (0, 7, 8, 0x11, 0x14, 0x16, 0x18, 0x64, 0x7F)
    ),
    *(Exchange(f"{code:02x} is no request", f"{code:02x}", f"{code:02x} 01") for code in (0x83, 0xFF)),
]

ELSEWHERE = [
    Exchange("a unit that is not there is a target that failed to respond", "03 0000 0001", "83 0b", unit_id=2),
    Exchange("a write to a unit that is not there too", "06 0000 0001", "86 0b", unit_id=2),
    Exchange("whatever the function", "63", "e3 0b", unit_id=2),
]

EXCHANGES = [*READS, *WRITES, *IDENTIFIED, *UNKNOWN, *ELSEWHERE]
"""By a client that may write."""
