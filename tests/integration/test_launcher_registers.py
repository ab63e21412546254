"""`dotbus registers` and what the demonstration tells: a map read back through a Modbus client, named as the map names it."""

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from io import StringIO

import pytest
from gateway_serving import Serving
from gateway_story import Gateway, at, dot, interval, lmp, price, status
from rich.console import Console

from launcher.look.registers import GatewaySilent, Registers, Shown
from launcher.look.registers_table import registers_table
from modbus_gateway.wire.admission import Limits

pytestmark = pytest.mark.integration

Read = Callable[..., dict[tuple[str | None, str], Shown]]


@pytest.fixture
def read() -> Iterator[Read]:
    """What is shown by a gateway that heard one DOT of SOLAR and one price, a minute after noon."""
    running: list[tuple[Registers, Serving]] = []

    def start(**modbus: object) -> dict[tuple[str | None, str], Shown]:
        gateway = Gateway(**modbus)
        gateway.hear(status(60), dot(interval(0, 12.34)), lmp(price(0, -3.25)))
        serving = Serving(asyncio.new_event_loop(), gateway.map.units, gateway.render(60).images.look, Limits())
        registers = Registers("127.0.0.1", serving.port, gateway.map)
        running.append((registers, serving))
        return {(entry.resource_id or entry.node, entry.quantity): entry for entry in registers.read()}

    yield start
    for registers, serving in running:
        registers.close()
        serving.close()


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
        with pytest.raises(GatewaySilent) as silent:
            Registers("127.0.0.1", port, gateway.map).read()
        serving.join()
    assert str(silent.value) == f"127.0.0.1:{port} gives no answer that is Modbus: is that the gateway's port, and does it run?"


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


def test_people_see_words_where_registers_have_codes_within_eighty_columns(read: Read):
    shown = read(block=[{"profile": "plant", "unit_id": 11}])
    console = Console(file=StringIO(), width=80)
    console.print(registers_table(list(shown.values())))
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
