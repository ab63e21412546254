"""Each function by clients that are not ours: pymodbus (TCP, RTU over TCP, TLS), pyModbusTCP, libmodbus, mbpoll."""

import asyncio
import ssl
from collections.abc import Callable, Iterator
from typing import Protocol

import pytest
from gateway_serving import Serving
from libmodbus import Libmodbus
from modbus_clients import Mbpoll, Pymodbus, PyModbusTcp
from modbus_device import BROKEN, REGISTERS, UNIT, WRITABLE, Device
from modbus_pki import Authority, client_context

from dotbus.runtime.schedule import utc_now
from modbus_gateway.wire.admission import Limits
from modbus_gateway.wire.connection import Door
from modbus_gateway.wire.rtu import Rtu
from modbus_gateway.wire.tls import Roles, Secured

pytestmark = pytest.mark.integration

Words = list[int] | int
OTHER_UNIT = 9


def no_unit(_unit_id: int) -> None:
    """The device has its own."""


class Talking(Protocol):
    """What each client can."""

    def read_coils(self, address: int, count: int) -> Words: ...
    def read_discrete(self, address: int, count: int) -> Words: ...
    def read_holding(self, address: int, count: int) -> Words: ...
    def read_input(self, address: int, count: int) -> Words: ...
    def write_coil(self, address: int, value: int) -> int | None: ...
    def write_register(self, address: int, value: int) -> int | None: ...
    def write_coils(self, address: int, values: list[int]) -> int | None: ...
    def write_registers(self, address: int, values: list[int]) -> int | None: ...
    def close(self) -> None: ...


class Ports:
    """A device behind all three doors, and who may come by the third."""

    def __init__(self, authority: Authority) -> None:
        self.device, self.authority = Device(), authority
        roles = Roles(read_write=frozenset({"operator"}))
        self.secured = Secured(authority.files(), roles, utc_now, lambda: 0.0)
        self.serving = Serving(
            asyncio.new_event_loop(), frozenset(), no_unit, Limits(), served=self.device.served, door=Door(may_write=True)
        )
        self.tcp = self.serving.port
        self.rtu = self.serving.open(Door("RTU", Rtu, may_write=True))
        self.tls = self.serving.open(Door("TLS", securing=self.secured))

    def as_role(self, role: str | None) -> ssl.SSLContext:
        return client_context(self.authority.file, self.authority.client(f"role {role}", role))


CLIENTS: dict[str, Callable[[Ports, int], Talking]] = {
    "pymodbus": lambda ports, unit_id: Pymodbus.tcp(ports.tcp, unit_id),
    "pymodbus by RTU over TCP": lambda ports, unit_id: Pymodbus.rtu(ports.rtu, unit_id),
    "pymodbus by TLS": lambda ports, unit_id: Pymodbus.tls(ports.tls, unit_id, ports.as_role("operator")),
    "pyModbusTCP": lambda ports, unit_id: PyModbusTcp(ports.tcp, unit_id),
    "libmodbus": lambda ports, unit_id: Libmodbus(ports.tcp, unit_id),
    "mbpoll": lambda ports, unit_id: Mbpoll(ports.tcp, unit_id),
}
ALL_BUT_MBPOLL = [name for name in CLIENTS if name != "mbpoll"]
IDENTIFYING = ["pymodbus", "pymodbus by RTU over TCP", "pymodbus by TLS", "pyModbusTCP"]
BY_MBAP = [name for name in CLIENTS if "RTU" not in name]
"""By RTU a unit that is not served says nothing."""


@pytest.fixture(scope="module")
def all_ports(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ports]:
    ports = Ports(Authority(tmp_path_factory.mktemp("pki")))
    yield ports
    ports.serving.close()


@pytest.fixture
def ports(all_ports: Ports) -> Ports:
    all_ports.device.reset()
    all_ports.device.writes.clear()
    return all_ports


@pytest.fixture
def connect(ports: Ports) -> Iterator[Callable[..., Talking]]:
    open_ones: list[Talking] = []

    def connected(name: str, unit_id: int = UNIT) -> Talking:
        open_ones.append(CLIENTS[name](ports, unit_id))
        return open_ones[-1]

    yield connected
    for one in open_ones:
        one.close()


@pytest.mark.parametrize("name", CLIENTS)
def test_each_table_is_read(connect: Callable[..., Talking], name: str):
    client = connect(name)
    assert client.read_coils(0, 10) == [1, 0, 0, 1, 0, 0, 1, 0, 0, 1]
    assert client.read_discrete(1, 9) == [0, 1, 0, 1, 0, 1, 0, 1, 0]
    assert client.read_holding(0, 2) == [0x1000, 0x1001]
    assert client.read_input(7, 125) == [0x2007 + i for i in range(125)]


@pytest.mark.parametrize("name", CLIENTS)
def test_each_table_that_can_be_is_written(connect: Callable[..., Talking], name: str):
    client = connect(name)
    assert [client.write_coil(1, 1), client.write_coil(0, 0)] == [None, None]
    assert client.read_coils(0, 3) == [0, 1, 0]
    assert client.write_register(1, 0xABCD) is None
    assert client.read_holding(0, 3) == [0x1000, 0xABCD, 0x1002]
    assert client.write_coils(20, [1, 0, 1, 1, 0, 0, 1, 1, 1, 0]) is None
    assert client.read_coils(20, 10) == [1, 0, 1, 1, 0, 0, 1, 1, 1, 0]
    assert client.write_registers(5, [1, 2, 0xFFFF]) is None
    assert client.read_holding(4, 5) == [0x1004, 1, 2, 0xFFFF, 0x1008]


@pytest.mark.parametrize("name", ALL_BUT_MBPOLL)
def test_what_was_written_is_read_in_the_same_request(connect: Callable[..., Talking], name: str):
    client = connect(name)
    assert client.write_and_read(1, [7, 8], 0, 4) == [0x1000, 7, 8, 0x1003]  # type: ignore[attr-defined]
    assert client.write_and_read(WRITABLE, [7], 0, 4) == 2  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", IDENTIFYING)
def test_the_gateway_says_what_it_is(connect: Callable[..., Talking], name: str):
    client = connect(name)
    basic = {0: b"dotbus", 1: b"modbus-gateway", 2: b"1.2.3"}
    assert client.identify(1) == basic  # type: ignore[attr-defined]
    assert client.identify(2) == basic | {4: b"dotbus Modbus gateway", 6: b"plant sierra"}  # type: ignore[attr-defined]
    assert client.identify(4, 6) == {6: b"plant sierra"}  # type: ignore[attr-defined]
    assert client.identify(4, 5) == 2  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", CLIENTS)
def test_each_is_told_why_not(connect: Callable[..., Talking], name: str):
    client = connect(name)
    assert client.read_holding(REGISTERS - 1, 2) == 2
    assert client.read_holding(BROKEN, 1) == 4
    assert client.write_register(WRITABLE, 1) == 2
    assert client.write_coils(WRITABLE - 1, [1, 1]) == 2


@pytest.mark.parametrize("name", BY_MBAP)
def test_each_is_told_that_a_unit_is_not_there(connect: Callable[..., Talking], name: str):
    assert connect(name, OTHER_UNIT).read_holding(0, 1) == 0x0B


def test_a_role_that_only_reads_is_told_that_there_is_no_such_function(ports: Ports):
    client = Pymodbus.tls(ports.tls, UNIT, ports.as_role("viewer"))
    assert client.read_holding(0, 1) == [0x1000]
    assert [client.write_register(0, 1), client.write_coil(0, 1), client.write_and_read(0, [1], 0, 1)] == [1, 1, 1]
    client.close()
    assert ports.device.writes == []


def test_who_wrote_by_tls_is_known_by_name(ports: Ports):
    client = Pymodbus.tls(ports.tls, UNIT, ports.as_role("operator"))
    assert client.write_register(0, 1) is None
    client.close()
    (writer,) = ports.device.writes
    assert (writer.address, writer.subject, writer.role) == ("127.0.0.1", "CN=role operator", "operator")
