"""Too many clients at the gateway's server: real sockets from several addresses of loopback, which Linux has all of."""

import asyncio
import json
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest
import uvloop
from gateway_serving import DEADLINE_S, Serving
from gateway_story import Gateway, point, trajectory
from prometheus_client import CollectorRegistry
from waiting import eventually

from dotbus.runtime.logs import configure_logs
from modbus_gateway.metrics import GatewayMetrics
from modbus_gateway.wire.admission import ACTIVE_S, Limits, Reason

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has all of 127.0.0.0/8 without being told")

ASK = bytes.fromhex("0001 0000 0006 01 03 0000 0002")
REPLY_BYTES = 13
SCADA, OTHER, FLOOD = "127.0.0.2", "127.0.0.3", "127.0.0.66"


@pytest.fixture(params=[asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def serve(request: pytest.FixtureRequest) -> Iterator[Callable[..., Serving]]:
    running: list[Serving] = []

    def start(**limits: object) -> Serving:
        gateway = Gateway(block=[{"profile": "classic", "unit_id": 1}])
        gateway.hear(trajectory(point(0, 12.5)))
        serving = Serving(request.param(), gateway.map.units, gateway.render(1).images.look, Limits(**limits))  # type: ignore[arg-type]
        running.append(serving)
        return serving

    yield start
    for serving in running:
        serving.close()


@pytest.fixture
def lines() -> Iterator[list[socket.socket]]:
    """What is connected; closed at the end."""
    connected: list[socket.socket] = []
    yield connected
    for line in connected:
        line.close()


def connect(serving: Serving, lines: list[socket.socket], source: str) -> socket.socket:
    """A connection that the server has seen, and admitted or turned away."""
    turned = serving.meter.turned
    line = socket.create_connection(("127.0.0.1", serving.port), timeout=DEADLINE_S, source_address=(source, 0))
    lines.append(line)
    eventually(lambda: line.getsockname() in peers(serving) or serving.meter.turned > turned)
    return line


def peers(serving: Serving) -> list[tuple[str, int]]:
    """Who is connected, asked in the server's thread."""
    found: list[tuple[str, int]] = []
    serving.do(lambda: found.extend(one._transport.get_extra_info("peername") for one in serving.server._open))
    return found


def sent_until_full(line: socket.socket, unsent: bytearray) -> bool:
    """Ask on, without reading, until the system takes no more; what it did not take of a request is `unsent`."""
    with suppress(BlockingIOError):
        while True:
            unsent += ASK * (1000 if len(unsent) < len(ASK) else 0)
            del unsent[: line.send(unsent)]
    return True


def is_served(line: socket.socket) -> bool:
    try:
        line.sendall(ASK)
        return len(line.recv(REPLY_BYTES)) == REPLY_BYTES
    except OSError:
        return False


def test_clients_that_say_nothing_do_not_lock_a_new_scada_out(serve, lines):
    serving = serve()
    old = []
    for n in range(64):
        old.append(connect(serving, lines, f"127.0.0.{10 + n % 4}"))
        serving.now_s += 1

    assert is_served(connect(serving, lines, SCADA))

    assert serving.meter.open == 64
    assert serving.meter.turned == 0
    assert old[0].recv(1) == b"", "the one that is idle longest"


def test_a_flood_from_one_address_throws_no_slow_client_out(serve, lines):
    serving = serve(connections=8, per_address=6)
    slow = connect(serving, lines, SCADA)
    assert is_served(slow)
    connect(serving, lines, OTHER)
    serving.now_s += 60

    for _ in range(100):
        connect(serving, lines, FLOOD)
        serving.now_s += 1

    assert is_served(slow)
    assert serving.meter.open == 8
    newcomer = connect(serving, lines, "127.0.0.4")
    assert is_served(newcomer)
    assert is_served(slow)


def test_one_address_has_its_places_and_no_more(serve, lines):
    serving = serve(per_address=2)
    first, second = (connect(serving, lines, SCADA) for _ in range(2))
    assert is_served(first)
    assert is_served(second)
    assert not is_served(connect(serving, lines, SCADA))
    assert is_served(connect(serving, lines, OTHER))

    serving.now_s += ACTIVE_S
    assert is_served(second)
    assert is_served(connect(serving, lines, SCADA))
    assert first.recv(1) == b""
    assert is_served(second)


def test_a_half_open_client_that_takes_no_replies_gives_its_place_at_once(serve, lines):
    serving = serve(connections=1)
    stuck = connect(serving, lines, SCADA)
    stuck.setblocking(False)  # noqa: FBT003  # the argument has no name
    (connection,) = serving.server._open
    for end in (stuck, connection._transport.get_extra_info("socket")):
        for buffer in (socket.SO_RCVBUF, socket.SO_SNDBUF):  # the system's own take megabytes, which are as many requests
            end.setsockopt(socket.SOL_SOCKET, buffer, 128 * 1024)
    unsent = bytearray()
    eventually(lambda: sent_until_full(stuck, unsent) and connection._paused)

    def newcomer_is_served() -> bool:
        serving.now_s += ACTIVE_S  # what buffers still took after the pause counts as activity, until they are full
        return is_served(connect(serving, lines, OTHER))

    eventually(newcomer_is_served)
    assert serving.meter.open == 1


def test_a_crowd_is_one_line_in_the_log_with_its_reasons_and_addresses(serve, lines, capsys):
    configure_logs("modbus_gateway", "test", "json", "info")
    serving = serve(connections=2)
    for _ in range(2):
        assert is_served(connect(serving, lines, SCADA))
    for _ in range(30):
        assert not is_served(connect(serving, lines, FLOOD))
    serving.do(serving.server.tend)
    for _ in range(30):
        assert not is_served(connect(serving, lines, FLOOD))
    serving.do(serving.server.tend)

    told = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    (line,) = (one for one in told if one["event"] == "connections closed")
    assert line["reasons"] == {"all places taken": 30}
    assert line["busiest"] == {FLOOD: 30}
    assert (line["open"], line["most"]) == (2, 2)


def test_the_system_looks_by_itself_whether_a_silent_peer_is_there(serve, lines):
    serving = serve()
    connect(serving, lines, SCADA)
    (connection,) = serving.server._open
    peer = connection._transport.get_extra_info("socket")

    assert peer.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
    assert peer.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 30


def test_each_reason_has_its_counter_from_the_start():
    registry = CollectorRegistry()
    metrics = GatewayMetrics(registry)
    metrics.closed(Reason.MADE_ROOM)

    for reason in Reason:
        counted = registry.get_sample_value("dotbus_modbus_connections_closed_total", {"reason": str(reason)})
        assert counted == (reason is Reason.MADE_ROOM)
