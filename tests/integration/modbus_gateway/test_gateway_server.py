"""The server by clients that are not ours: pymodbus, mbpoll and plain sockets."""

import asyncio
import ipaddress
import re
import shutil
import socket
import struct
import subprocess
import threading
from collections.abc import Callable, Iterator

import pytest
import uvloop
from gateway_serving import DEADLINE_S, Serving
from gateway_story import Gateway, dot, interval, point, trajectory
from pymodbus.client import ModbusTcpClient
from waiting import eventually

from modbus_gateway.wire.admission import Limits

READ_TWO = bytes.fromhex("0000 0006 01 03 0000 0002")
TWO = bytes.fromhex("0000 0007 01 03 04 0000 4148")


@pytest.fixture(params=[asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def serve(request: pytest.FixtureRequest) -> Iterator[Callable[..., Serving]]:
    running: list[Serving] = []

    def start(**limits: object) -> Serving:
        gateway = Gateway(block=[{"profile": "classic", "unit_id": 1}, {"profile": "plant", "unit_id": 11}])
        gateway.hear(*(trajectory(point(60, 12.5), resource=resource) for resource in ("SOLAR", "BESS", "HYDRO", "PUMP")))
        serving = Serving(request.param(), gateway.map.units, gateway.render(1).images.look, Limits(**limits))  # type: ignore[arg-type]
        running.append(serving)
        return serving

    yield start
    for serving in running:
        serving.close()


@pytest.fixture
def serving(serve) -> Serving:
    return serve()


@pytest.fixture
def client(serving) -> Iterator[ModbusTcpClient]:
    with ModbusTcpClient("127.0.0.1", port=serving.port, timeout=DEADLINE_S, retries=0) as connected:
        yield connected


@pytest.fixture
def line(serving) -> Iterator[socket.socket]:
    with serving.connect() as connected:
        yield connected


def receive(line: socket.socket, count: int) -> bytes:
    """Exactly so many bytes, fewer only when the other side closed."""
    received = bytearray()
    while len(received) < count and (chunk := line.recv(count - len(received))):
        received += chunk
    return bytes(received)


def settled(count: Callable[[], int], for_s: float = 0.3) -> bool:
    """Whether a number that is above 0 stays the same for a while."""
    before = count()
    return bool(before) and not threading.Event().wait(for_s) and count() == before


def ask(transaction: int, rest: bytes = READ_TWO) -> bytes:
    return struct.pack(">H", transaction) + rest


def test_pymodbus_reads_the_classic_float(client):
    reply = client.read_holding_registers(0, count=2, device_id=1)
    assert reply.registers == [0x0000, 0x4148]
    assert client.convert_from_registers(reply.registers, client.DATATYPE.FLOAT32, word_order="little") == 12.5
    assert client.read_input_registers(0, count=2, device_id=1).registers == [0x0000, 0x4148]
    assert client.read_discrete_inputs(2, count=1, device_id=1).bits[0] is True
    assert client.read_coils(2, count=1, device_id=1).bits[0] is True


def test_pymodbus_is_told_every_exception(client):
    assert client.read_holding_registers(0x40, count=1, device_id=1).exception_code == 2
    assert client.read_holding_registers(0, count=1, device_id=77).exception_code == 0x0B
    assert client.write_register(0, 1, device_id=1).exception_code == 1
    assert client.write_registers(0, [1, 2], device_id=1).exception_code == 1
    assert client.write_coil(0, value=True, device_id=1).exception_code == 1
    assert client.mask_write_register(device_id=1).exception_code == 1


def test_two_units_have_their_own_registers(client):
    assert client.read_holding_registers(0, count=1, device_id=11).registers == [1]
    assert client.read_holding_registers(100, count=100, device_id=11).registers[4:6] == [0xFFFF, 0xFFFF]


def test_mbpoll_reads_the_classic_float(serving):
    """`make test` installs mbpoll; where it cannot, this fails rather than passing over what it would have shown."""
    assert shutil.which("mbpoll"), "the package mbpoll is needed: apt-get install mbpoll, brew install mbpoll"
    command = f"mbpoll -1 -m tcp -a 1 -t 4:float -r 1 -c 1 -p {serving.port} 127.0.0.1"
    shown = subprocess.run(command.split(), capture_output=True, text=True, timeout=DEADLINE_S, check=True).stdout
    assert re.search(r"\[1\]:\s+12\.5", shown)


def test_thirty_requests_in_one_segment_get_thirty_replies_in_order(line):
    line.sendall(b"".join(ask(i) for i in range(30)))
    expected = b"".join(ask(i, TWO) for i in range(30))
    assert receive(line, len(expected)) == expected


def test_a_request_may_come_a_byte_at_a_time(line):
    line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for byte in ask(7) + ask(8):
        line.sendall(bytes([byte]))
    assert receive(line, 2 * len(ask(7, TWO))) == ask(7, TWO) + ask(8, TWO)


def test_a_request_and_a_half_in_one_segment_and_the_rest_later(line):
    line.sendall(ask(1) + ask(2)[:5])
    assert receive(line, len(ask(1, TWO))) == ask(1, TWO)
    line.sendall(ask(2)[5:])
    assert receive(line, len(ask(2, TWO))) == ask(2, TWO)


@pytest.mark.parametrize(
    "garbage",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        bytes.fromhex("0001 0001 0006 01 03 0000 0002"),
        bytes.fromhex("0001 0000 0001 01"),
        bytes.fromhex("0001 0000 00ff 01 03 0000 0002"),
    ],
)
def test_what_is_not_modbus_closes_the_connection_after_the_replies_before_it(line, garbage):
    line.sendall(ask(1) + garbage)
    assert receive(line, 1000) == ask(1, TWO)


def test_half_a_request_then_gone_leaves_nothing(serving):
    with serving.connect() as line:
        line.sendall(ask(1)[:9])
        eventually(lambda: serving.meter.open == 1)
    eventually(lambda: serving.meter.open == 0)
    assert serving.meter.requests == []


def test_a_client_that_reads_no_replies_is_asked_nothing_more_until_it_does(serving, line):
    most = bytes.fromhex("0000 0006 0b 03 0064 007d")
    count, size = 60_000, 9 + 250
    line.settimeout(None)
    sender = threading.Thread(target=lambda: line.sendall(b"".join(ask(i, most) for i in range(count))))
    sender.start()
    eventually(lambda: settled(lambda: len(serving.meter.requests)))
    assert 0 < len(serving.meter.requests) < count
    received = receive(line, count * size)
    sender.join()
    assert len(received) == count * size
    assert [received[i * size : i * size + 2] for i in (0, count - 1)] == [ask(0)[:2], ask(count - 1)[:2]]


def test_a_request_that_waited_while_the_gateway_was_held_up_is_answered_by_what_is_true_now(serving, line):
    """Nothing is written between: what turns is known before it does."""
    gateway = Gateway(block=[{"profile": "plant", "unit_id": 11}])
    gateway.hear(dot(interval(0, 12.5), said_s=280))
    gateway.now_s = 290.0
    serving.images = gateway.images.look
    ask_quality = bytes.fromhex("0000 0006 0b 03 0064 0001")
    line.sendall(ask(1, ask_quality))
    assert receive(line, 11)[-2:] == (192).to_bytes(2, "big")
    gateway.now_s = 300.0
    line.sendall(ask(2, ask_quality))
    assert receive(line, 11)[-2:] == (0).to_bytes(2, "big")


def test_without_an_image_a_request_is_a_failure(serving, line):
    serving.images = lambda _unit_id: None
    line.sendall(ask(2))
    assert receive(line, 9) == bytes.fromhex("0002 0000 0003 01 83 04")


def test_one_connection_too_many_is_closed_at_once(serve):
    serving = serve(connections=2)
    with serving.connect() as first, serving.connect() as second:
        for line in (first, second):
            line.sendall(ask(1))
            assert receive(line, 13) == ask(1, TWO)
        with serving.connect() as third:
            assert receive(third, 1) == b""
        assert serving.meter.turned == 1
    eventually(lambda: serving.meter.open == 0)
    with serving.connect() as fourth:
        fourth.sendall(ask(1))
        assert receive(fourth, 13) == ask(1, TWO)


def test_only_allowed_clients_are_served(serve):
    allowed = serve(allow=(ipaddress.ip_network("127.0.0.0/8"),))
    with allowed.connect() as line:
        line.sendall(ask(1))
        assert receive(line, 13) == ask(1, TWO)
    strict = serve(allow=(ipaddress.ip_network("10.0.0.0/8"), ipaddress.ip_network("::1")))
    with strict.connect() as line:
        assert receive(line, 1) == b""
    assert strict.meter.turned == 1


def test_a_connection_that_asks_nothing_is_closed(serve):
    serving = serve(idle_s=60)
    with serving.connect() as busy, serving.connect() as idle:
        eventually(lambda: serving.meter.open == 2)
        serving.now_s += 59
        busy.sendall(ask(1))
        receive(busy, 13)
        serving.now_s += 2
        serving.do(serving.server.close_late)
        assert receive(idle, 1) == b""
        busy.sendall(ask(2))
        assert receive(busy, 13) == ask(2, TWO)
