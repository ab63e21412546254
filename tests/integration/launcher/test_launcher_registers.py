"""`dotbus registers` and what the demonstration tells: a map read back through a Modbus client, named as the map names it."""

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from io import StringIO
from ipaddress import ip_network

import pytest
from gateway_serving import Serving
from gateway_story import Gateway, at, dot, interval, lmp, price, status
from rich.console import Console

from launcher.look.registers import GatewaySilent, Registers, Shown
from launcher.look.registers_table import registers_table
from modbus_gateway.map.documents.live_cells import read_cells
from modbus_gateway.wire.admission import Limits
from modbus_gateway.wire.client import Client, NoAnswer

pytestmark = pytest.mark.integration

Read = Callable[..., dict[tuple[str | None, str], Shown]]


@pytest.fixture
def serving() -> Iterator[Callable[..., Serving]]:
    """A gateway that heard one DOT of SOLAR and one price, a minute after noon."""
    running: list[Serving] = []

    def start(limits: Limits | None = None, **modbus: object) -> Serving:
        gateway = Gateway(**modbus)
        gateway.hear(status(60), dot(interval(0, 12.34)), lmp(price(0, -3.25)))
        running.append(Serving(asyncio.new_event_loop(), gateway.map.units, gateway.render(60).images.look, limits or Limits()))
        return running[-1]

    yield start
    for one in running:
        one.close()


@pytest.fixture
def read(serving: Callable[..., Serving]) -> Iterator[Read]:
    """What it shows."""
    opened: list[Registers] = []

    def start(**modbus: object) -> dict[tuple[str | None, str], Shown]:
        registers = Registers("127.0.0.1", serving(**modbus).port, Gateway(**modbus).map)
        opened.append(registers)
        return {(entry.resource_id or entry.node, entry.quantity): entry for entry in registers.read()}

    yield start
    for registers in opened:
        registers.close()


@pytest.mark.parametrize("word_order", ["big", "little"])
def test_every_value_is_read_back_in_its_own_form(read: Read, word_order: str):
    shown = read(block=[{"profile": "plant", "unit_id": 11, "word_order": word_order}])
    assert shown["SOLAR", "dot_mw"].value == pytest.approx(12.34, rel=1e-6)
    assert shown["SOLAR", "dot_start"].at == at(0)
    assert shown["SOLAR", "dot_quality"].value == 192
    assert shown["NODE1", "lmp_published_usd_per_mwh"].value == -3.25
    assert shown["SOLAR", "next_dot_mw"].value is None
    assert shown["BESS", "dot_mw"].value is None
    assert shown[None, "resource_count"].value == 4
    assert shown[None, "utc_now"].at == datetime(2026, 10, 13, 12, 1, tzinfo=UTC)


def test_a_point_is_read_in_its_type_and_scale_and_a_bit_as_a_bit(read: Read):
    point = {"unit_id": 20, "address": 7, "quantity": "dot_mw", "resource": "SOLAR", "type": "int16", "scale": 10}
    flag = {"unit_id": 20, "address": 3, "table": "discrete", "quantity": "broker_connected"}
    shown = read(point=[point, flag])
    assert (shown["SOLAR", "dot_mw"].value, shown["SOLAR", "dot_mw"].words) == (12.3, (123,))
    assert shown[None, "broker_connected"].value == 1


def test_a_register_that_refuses_to_be_read_hides_no_other(read: Read):
    """One request for all of a block is refused as soon as one value of it is bad and set to `exception`."""
    shown = read(block=[{"profile": "plant", "unit_id": 11, "on_bad": "exception"}])
    assert shown["BESS", "dot_mw"].exception == "exception 04"
    assert shown["SOLAR", "dot_mw"].value == pytest.approx(12.34, rel=1e-6)


def test_a_gateway_that_is_not_there_is_told():
    gateway = Gateway(block=[{"profile": "plant", "unit_id": 11}])
    with pytest.raises(GatewaySilent, match=r"127\.0\.0\.1:1"):
        Registers("127.0.0.1", 1, gateway.map).read()


@pytest.mark.parametrize(
    "answer", [b"", b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n", b"SSH-2.0-OpenSSH_9.2\r\n", bytes(range(256))]
)
def test_a_port_of_something_else_is_told_in_one_line(answer: bytes):
    gateway = Gateway(block=[{"profile": "plant", "unit_id": 11}])
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]

        def serve() -> None:
            connection, _ = listening.accept()
            with connection:
                connection.recv(1024)
                connection.sendall(answer)

        serving = threading.Thread(target=serve)
        serving.start()
        with pytest.raises(NoAnswer) as silent, Client("127.0.0.1", port) as client:
            list(client.read(gateway.map))
        serving.join()
    not_modbus = f"127.0.0.1:{port} gives no answer that is Modbus: is that the gateway's port, and does it run?"
    closed = f"127.0.0.1:{port} closes the connection and answers nothing. "
    assert str(silent.value).startswith(not_modbus if answer else closed)


def test_a_gateway_that_does_not_let_this_client_in_is_told_with_what_to_do(serving: Callable[..., Serving]):
    port = serving(Limits(allow=(ip_network("10.20.0.0/24"),)), block=[{"profile": "plant", "unit_id": 11}]).port
    with pytest.raises(NoAnswer) as silent, Client("127.0.0.1", port) as client:
        list(client.read(Gateway(block=[{"profile": "plant", "unit_id": 11}]).map))
    assert "MODBUS_GATEWAY_ALLOW_CLIENTS does not name (add 127.0.0.1" in str(silent.value)
    assert '"connections closed"' in str(silent.value)


def test_a_unit_that_is_not_served_is_told():
    gateway = Gateway(block=[{"profile": "plant", "unit_id": 11}])
    running = Serving(asyncio.new_event_loop(), frozenset({12}), gateway.render(60).images.look, Limits())
    try:
        with pytest.raises(NoAnswer, match="does not serve unit 11"), Client("127.0.0.1", running.port) as client:
            list(client.read(gateway.map))
    finally:
        running.close()


def test_a_gateway_with_another_configuration_is_told():
    gateway = Gateway(block=[{"profile": "plant", "unit_id": 11}])
    serving = Serving(asyncio.new_event_loop(), frozenset({12}), gateway.render(60).images.look, Limits())
    registers = Registers("127.0.0.1", serving.port, gateway.map)
    try:
        with pytest.raises(GatewaySilent, match="unit 11 is not served there: that gateway has another configuration"):
            registers.read()
    finally:
        registers.close()
        serving.close()


def test_people_see_words_where_registers_have_codes_within_eighty_columns(serving: Callable[..., Serving]):
    running = serving(block=[{"profile": "plant", "unit_id": 11}])
    with Client("127.0.0.1", running.port) as client:
        readings = list(read_cells(list(client.read(Gateway(block=[{"profile": "plant", "unit_id": 11}]).map))))
    console = Console(file=StringIO(), width=80)
    console.print(registers_table(readings))
    lines = console.file.getvalue().splitlines()
    assert max(len(line.rstrip()) for line in lines) <= 80
    words = [line.split() for line in lines]
    for expected in (
        "unit 11 SOLAR",
        "40103 dot_mw 12.34 MW 4145 70A4",
        "40105 dot_start 2026-10-13 12:00:00 UTC 6ACE 1D40",
        "40101 dot_quality 192 good 00C0",
        "40202 dot_reasons never_received 0001",
        "40135 next_dot_mw no value 7FC0 0000",
    ):
        assert expected.split() in words, expected
