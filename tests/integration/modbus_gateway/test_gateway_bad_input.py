"""What no client should send, over real sockets: the right exception or a closed connection, and nobody else disturbed."""

import asyncio
import os
import random
import socket
import ssl
import struct
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import uvloop
from gateway_serving import DEADLINE_S, Serving
from modbus_device import UNIT, Device
from modbus_frames import EXCHANGES
from modbus_pki import DAY, Authority, client_context
from waiting import eventually

from dotbus.runtime.hanging import hanging
from dotbus.runtime.schedule import utc_now
from modbus_gateway.wire.admission import FINISHES_WITHIN_S, Limits, Reason
from modbus_gateway.wire.connection import AT_ONCE, WAITING_MOST, Door
from modbus_gateway.wire.identification import PDU_MOST
from modbus_gateway.wire.rtu import Rtu, frame
from modbus_gateway.wire.tls import LOOKS, Roles, Secured

pytestmark = pytest.mark.integration

READ = bytes.fromhex("0001 0000 0006 01 03 0000 0002")
TWO = bytes.fromhex("0001 0000 0007 01 03 04 1000 1001")
ONE_CHUNK = 256 * 1024
"""What a loop takes from the system at once, bytes."""


def no_unit(_unit_id: int) -> None:
    """The device has its own."""


class Doors:
    """A device behind three ports."""

    def __init__(self, loop: asyncio.AbstractEventLoop, authority: Authority, limits: Limits) -> None:
        self.device = Device()
        self.context = client_context(authority.file, authority.client("operator", "operator"))
        self.serving = Serving(loop, frozenset(), no_unit, limits, served=self.device.served, door=Door(may_write=True))
        self.now = utc_now()
        secured = Secured(authority.files(), Roles(read_write=frozenset({"operator"})), lambda: self.now, lambda: 0.0)
        self.ports = {"tcp": self.serving.port, "rtu": self.serving.open(Door("RTU", Rtu, may_write=True))}
        self.ports["tls"] = self.serving.open(Door("TLS", securing=secured))

    def connect(self, door: str = "tcp") -> socket.socket:
        line = socket.create_connection(("127.0.0.1", self.ports[door]), timeout=DEADLINE_S)
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return line

    def speak(self, door: str) -> socket.socket:
        """A connection over which frames can be sent, TLS or not."""
        line = self.connect(door)
        return self.context.wrap_socket(line, server_hostname="127.0.0.1") if door == "tls" else line

    def is_served(self, door: str = "tcp") -> bool:
        try:
            with self.speak(door) as line:
                line.sendall(frame(UNIT, READ[7:]) if door == "rtu" else READ)
                expected = frame(UNIT, TWO[7:]) if door == "rtu" else TWO
                return receive(line, len(expected)) == expected
        except (OSError, ssl.SSLError):
            return False


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("pki"))


@pytest.fixture(params=[asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def serve(request: pytest.FixtureRequest, authority: Authority) -> Iterator[Callable[..., Doors]]:
    running: list[Doors] = []

    def start(**limits: object) -> Doors:
        running.append(Doors(request.param(), authority, Limits(**limits)))  # type: ignore[arg-type]
        return running[-1]

    yield start
    for doors in running:
        doors.serving.close()


@pytest.fixture
def doors(serve: Callable[..., Doors]) -> Doors:
    return serve()


def receive(line: socket.socket, count: int) -> bytes:
    received = bytearray()
    while len(received) < count and (chunk := line.recv(count - len(received))):
        received += chunk
    return bytes(received)


def is_closed(line: socket.socket) -> bool:
    """Whether the other side closes, whatever it says before."""
    try:
        while line.recv(65536):
            pass
    except TimeoutError:
        return False
    except OSError:
        return True
    return True


def packed(door: str, number: int, unit_id: int, content: bytes) -> bytes:
    return frame(unit_id, content) if door == "rtu" else struct.pack(">HHHB", number, 0, len(content) + 1, unit_id) + content


@pytest.mark.parametrize("door", ["tcp", "tls"])
def test_each_frame_of_the_specification_has_its_reply(doors: Doors, door: str):
    with doors.speak(door) as line:
        for number, exchange in enumerate(one for one in EXCHANGES if len(one.asked) <= PDU_MOST):
            doors.serving.do(doors.device.reset)
            line.sendall(packed(door, number, exchange.unit_id, exchange.asked))
            expected = packed(door, number, exchange.unit_id, exchange.answered)
            assert receive(line, len(expected)) == expected, exchange.name


def test_each_frame_of_rtu_has_its_reply(doors: Doors):
    whole = [one for one in EXCHANGES if one.unit_id == UNIT and one.answered[0] < 0x80]
    assert len(whole) > 20
    with doors.speak("rtu") as line:
        for exchange in whole:
            doors.serving.do(doors.device.reset)
            line.sendall(frame(UNIT, exchange.asked))
            expected = frame(UNIT, exchange.answered)
            assert receive(line, len(expected)) == expected, exchange.name


@pytest.mark.parametrize("door", ["tcp", "rtu", "tls"])
def test_random_bytes_disturb_nobody(doors: Doors, door: str):
    chance = random.Random(10)
    with doors.connect() as steady:
        for _ in range(40):
            with doors.connect(door) as line, suppress(OSError):
                line.sendall(chance.randbytes(chance.randrange(1, 4000)))
            steady.sendall(READ)
            assert receive(steady, len(TWO)) == TWO
    assert doors.is_served(door)
    eventually(lambda: doors.serving.meter.open == 0)


@pytest.mark.parametrize("door", ["tcp", "tls"])
def test_a_request_that_is_never_finished_is_closed_after_a_while(doors: Doors, door: str):
    with doors.speak(door) as line, doors.connect() as steady:
        line.sendall(READ + READ[:9])
        assert receive(line, len(TWO)) == TWO
        eventually(lambda: any(one.unfinished_since_s for one in doors.serving.server._open))
        doors.serving.now_s += FINISHES_WITHIN_S - 1
        doors.serving.do(doors.serving.server.tend)
        assert doors.serving.reasons == []
        doors.serving.now_s += 2
        doors.serving.do(doors.serving.server.tend)
        assert doors.serving.reasons == [Reason.UNFINISHED]
        assert is_closed(line)
        steady.sendall(READ)
        assert receive(steady, len(TWO)) == TWO


def test_a_handshake_that_never_ends_is_closed_after_a_while(doors: Doors):
    with doors.connect("tls") as silent, doors.connect("tls") as begun:
        begun.sendall(b"\x16\x03\x01\x02\x00\x01")
        eventually(lambda: doors.serving.meter.open == 2)
        doors.serving.now_s += FINISHES_WITHIN_S + 1
        doors.serving.do(doors.serving.server.tend)
        assert doors.serving.reasons == [Reason.HANDSHAKE] * 2
        assert is_closed(silent)
        assert is_closed(begun)


def test_a_crowd_of_handshakes_that_never_end_does_not_lock_a_scada_out(serve: Callable[..., Doors]):
    doors = serve(connections=8, per_address=8)
    crowd = [doors.connect("tls") for _ in range(8)]
    eventually(lambda: doors.serving.meter.open == 8)
    doors.serving.now_s += 2
    assert doors.is_served("tls")
    assert doors.is_served("tcp")
    assert Reason.MADE_ROOM in doors.serving.reasons
    for line in crowd:
        line.close()


def test_a_connection_ends_with_the_certificate_that_it_was_let_in_by(doors: Doors):
    with doors.speak("tls") as line, doors.connect() as steady:
        line.sendall(READ)
        assert receive(line, len(TWO)) == TWO
        doors.serving.do(doors.serving.server.tend)
        assert doors.serving.reasons == []
        doors.now += 30 * DAY
        doors.serving.do(doors.serving.server.tend)
        assert doors.serving.reasons == [Reason.CERTIFICATE]
        assert is_closed(line)
        steady.sendall(READ)
        assert receive(steady, len(TWO)) == TWO


def test_what_is_no_tls_is_closed_and_counted(doors: Doors):
    for garbage in (READ, b"GET / HTTP/1.1\r\n\r\n", bytes(600)):
        with doors.connect("tls") as line:
            line.sendall(garbage)
            assert is_closed(line)
    assert doors.serving.reasons == [Reason.NO_TLS] * 3
    assert doors.is_served("tls")


@pytest.mark.parametrize("door", ["tcp", "rtu", "tls"])
def test_a_client_that_reads_nothing_holds_a_bounded_amount_and_nobody_up(doors: Doors, door: str):
    most = bytes.fromhex("03 0000 007d")
    flood = b"".join(packed(door, i, UNIT, most) for i in range(40_000))
    with doors.speak(door) as line:
        line.settimeout(None)
        sender = threading.Thread(target=lambda: send_all(line, flood))
        sender.start()
        eventually(lambda: doors.serving.server._open)
        (connection,) = doors.serving.server._open
        eventually(lambda: connection._paused)
        held = connection._transport.get_write_buffer_size() + len(connection._waiting)
        assert held <= 64 * 1024 + AT_ONCE * 300 + ONE_CHUNK + WAITING_MOST
        assert doors.is_served("tcp")
        line.shutdown(socket.SHUT_RDWR)
        sender.join()
    eventually(lambda: doors.serving.meter.open == 0)


def send_all(line: socket.socket, content: bytes) -> None:
    with suppress(OSError):
        line.sendall(content)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has all of 127.0.0.0/8 without being told")
def test_thousands_of_connections_leave_room_for_a_scada(doors: Doors):
    kept: list[socket.socket] = []
    for i in range(3000):
        kept.append(doors.connect(("tcp", "rtu", "tls")[i % 3]))
        if len(kept) > 200:
            kept.pop(0).close()
    assert doors.serving.meter.open <= 64
    doors.serving.now_s += 2
    with socket.create_connection(("127.0.0.1", doors.ports["tcp"]), DEADLINE_S, source_address=("127.0.0.2", 0)) as scada:
        scada.sendall(READ)
        assert receive(scada, len(TWO)) == TWO
    for line in kept:
        line.close()
    eventually(lambda: doors.serving.meter.open == 0)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="Windows has no file that hangs")
def test_certificates_on_a_mount_that_hangs_hold_up_nobody(tmp_path: Path):
    """A named pipe stands in for such a file: whoever opens it waits for somebody who never comes."""
    authority = Authority(tmp_path)
    doors = Doors(asyncio.new_event_loop(), authority, Limits())
    clock_s, pipe = [0.0], tmp_path / "gateway.pem"
    secured = Secured(authority.files(), Roles(), utc_now, lambda: clock_s[0])
    doors.ports["tls"] = doors.serving.open(Door("TLS", securing=secured))
    try:
        with doors.connect() as scada:
            pipe.unlink()
            os.mkfifo(pipe)
            for _ in range(4):
                clock_s[0] += 1000.0
                assert doors.is_served("tls")
                scada.sendall(READ)
                assert receive(scada, len(TWO)) == TWO
            assert hanging(LOOKS) == 4
    finally:
        os.close(os.open(pipe, os.O_RDWR | os.O_NONBLOCK))  # whoever waits for it goes on
        doors.serving.close()
    eventually(lambda: not hanging(LOOKS))
