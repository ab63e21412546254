"""What junk costs others: a few steady Modbus clients, alone and beside each kind of client that nobody wants.

    python bench/gateway_junk.py [SECONDS]

The gateway's server has one core, everything else the other; junk is made by processes that leave that core to the steady
clients whenever these want it. The steady clients ask for two registers every 5 ms each, and have an address of their own:
without being told so, only Linux has more than one of loopback's.
"""

import multiprocessing
import os
import random
import socket
import ssl
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import psutil

from launcher.setup.authority import Authority

SERVER = Path(__file__).parent / "modbus" / "our_server.py"
STEADY, EVERY_S, REPLY_BYTES = 4, 0.005, 13
READ_TWO = bytes.fromhex("0001 0000 0006 01 03 0000 0002")
READ_MOST = bytes.fromhex("0001 0000 0006 01 03 0000 007d")
SYSTEM_REFUSES_S = 0.05
MILLISECOND_S = 0.001
Ports = tuple[int, int, int]
"""Of Modbus TCP, RTU over TCP and TLS."""


def connect(port: int) -> socket.socket:
    """A connection to the server."""
    line = socket.create_connection(("127.0.0.1", port), timeout=10)
    line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return line


def random_bytes(ports: Ports, chance: random.Random) -> None:
    """Two kilobytes of nothing, on any port."""
    with connect(chance.choice(ports)) as line:
        line.sendall(chance.randbytes(2000))
        line.recv(100)


def half_requests(ports: Ports, _chance: random.Random, kept: list[socket.socket]) -> None:
    """A request that is never finished, kept open."""
    kept.append(connect(ports[0]))
    kept[-1].sendall(READ_TWO[:9])
    if len(kept) > 500:  # noqa: PLR2004  # below what a process may have open
        kept.pop(0).close()


def flood(ports: Ports, _chance: random.Random) -> None:
    """A thousand requests at once, whose replies are read."""
    with connect(ports[0]) as line:
        for _ in range(100):
            line.sendall(READ_MOST * 1000)
            left = 259 * 1000
            while left:
                left -= len(line.recv(left))


def reads_nothing(ports: Ports, _chance: random.Random) -> None:
    """Requests as many as the system takes, whose replies are not read."""
    with connect(ports[0]) as line:
        line.settimeout(0.5)
        while True:
            line.sendall(READ_MOST * 1000)


def connects(ports: Ports, chance: random.Random) -> None:
    """A connection without a word."""
    connect(chance.choice(ports)).close()


def handshakes_begun(ports: Ports, _chance: random.Random, kept: list[socket.socket]) -> None:
    """A TLS handshake that is never finished, kept open."""
    kept.append(connect(ports[2]))
    kept[-1].sendall(bytes.fromhex("16 0301 0200 01 0001fc 0303") + bytes(100))
    if len(kept) > 500:  # noqa: PLR2004  # below what a process may have open
        kept.pop(0).close()


def handshakes(ports: Ports, _chance: random.Random, context: ssl.SSLContext) -> None:
    """A whole TLS handshake with a certificate that is let in, and one request."""
    with context.wrap_socket(connect(ports[2]), server_hostname="127.0.0.1") as line:
        line.sendall(READ_TWO)
        line.recv(100)


KINDS: dict[str, Callable[..., None]] = {
    "random bytes": random_bytes,
    "requests never finished": half_requests,
    "a thousand requests at once": flood,
    "replies not read": reads_nothing,
    "connections without a word": connects,
    "TLS handshakes never finished": handshakes_begun,
    "whole TLS handshakes": handshakes,
}


def make_junk(kind: str, ports: Ports, folder: str, seed: int) -> None:
    """One kind of junk until killed, as fast as it goes."""
    os.nice(19)
    act: Callable[..., None] = KINDS[kind]
    if act is handshakes:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(f"{folder}/ca.pem")
        context.load_cert_chain(f"{folder}/client.pem")
        act = partial(act, context=context)
    elif act in (half_requests, handshakes_begun):
        act = partial(act, kept=[])
    chance = random.Random(seed)
    while True:
        with suppress(OSError):
            act(ports, chance)
            continue
        time.sleep(MILLISECOND_S)  # the server closed it: the next one


@contextmanager
def junk(kind: str | None, ports: Ports, folder: str) -> Iterator[None]:
    """Meanwhile two processes make it."""
    makers = [
        multiprocessing.Process(target=make_junk, args=(kind, ports, folder, seed), daemon=True) for seed in (1, 2) if kind
    ]
    for maker in makers:
        maker.start()
    try:
        yield
    finally:
        for maker in makers:
            maker.kill()
            maker.join()


def ask_steadily(port: int, until_s: float, taken_ms: list[float], lost: list[str]) -> None:
    """Ask now and then, and note how long each reply took; and why, when there are none any more."""
    try:
        _ask_steadily(port, until_s, taken_ms)
    except OSError as error:
        lost.append(str(error))


def _ask_steadily(port: int, until_s: float, taken_ms: list[float]) -> None:
    line = socket.create_connection(("127.0.0.1", port), timeout=10, source_address=("127.0.0.2", 0))
    line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    next_s = time.perf_counter()
    while time.monotonic() < until_s:
        begun = time.perf_counter()
        line.sendall(READ_TWO)
        got = 0
        while got < REPLY_BYTES:
            part = line.recv(REPLY_BYTES - got)
            if not part:
                raise ConnectionError("closed")
            got += len(part)
        taken_ms.append((time.perf_counter() - begun) * 1000)
        next_s += EVERY_S
        time.sleep(max(next_s - time.perf_counter(), 0))


def measure(kind: str | None, ports: Ports, folder: str, server: psutil.Process, seconds: float) -> str:
    """What the steady clients saw, and what the server used."""
    taken_ms: list[float] = []
    lost: list[str] = []
    with junk(kind, ports, folder):
        time.sleep(1)
        before, until_s = server.cpu_times(), time.monotonic() + seconds
        threads = [threading.Thread(target=ask_steadily, args=(ports[0], until_s, taken_ms, lost)) for _ in range(STEADY)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        after = server.cpu_times()
    cpu = (after.user + after.system - before.user - before.system) / seconds
    shown = statistics.quantiles(taken_ms or [float("nan")] * 2, n=1000)
    memory_mb = server.memory_info().rss / 1024 / 1024
    slowest_ms = max(taken_ms, default=float("nan"))
    return (
        f"  {kind or 'nothing else':30} p50 {shown[499]:6.2f} ms  p99 {shown[989]:6.2f} ms  at most {slowest_ms:7.1f} ms  "
        f"{len(taken_ms):6} replies, {len(lost)} of {STEADY} clients lost  server {cpu:4.0%} of a core, {memory_mb:4.0f} MB"
    )


def prepared(folder: Path) -> None:
    """Certificates of the server and of a client."""
    now = datetime.now(UTC)
    authority = Authority.create(now)
    (folder / "ca.pem").write_bytes(authority.issued.certificate)
    (folder / "server.pem").write_bytes(authority.issue_server(["127.0.0.1"], now).pem)
    (folder / "client.pem").write_bytes(authority.issue_client("scada", now).pem)


def free_ports() -> Ports:
    """Three that nobody has."""
    probes = [socket.socket() for _ in range(3)]
    for probe in probes:
        probe.bind(("127.0.0.1", 0))
    ports: Any = tuple(probe.getsockname()[1] for probe in probes)
    for probe in probes:
        probe.close()
    return ports


def wait_for(port: int) -> None:
    """Until the server listens."""
    for _ in range(200):
        try:
            connect(port).close()
        except OSError:
            time.sleep(SYSTEM_REFUSES_S)
        else:
            return
    sys.exit("the server does not listen")


def pin(process: int, cores: Sequence[int]) -> None:
    """Have a process run on some cores only, where the system can do that."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(process, cores)


def main() -> None:
    """Measure each kind in turn, and nothing else before and after."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 5.0
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else [0]
    with tempfile.TemporaryDirectory() as folder:
        prepared(Path(folder))
        ports = free_ports()
        process = subprocess.Popen([sys.executable, str(SERVER), *map(str, ports), folder])
        try:
            pin(process.pid, cores[:1])
            pin(0, cores[1:] or cores)
            wait_for(ports[2])
            server = psutil.Process(process.pid)
            print(f"{STEADY} steady clients, {seconds:g} s each")
            for kind in (None, *KINDS, None):
                print(measure(kind, ports, folder, server, seconds), flush=True)
        finally:
            process.kill()
            process.wait()


if __name__ == "__main__":
    main()
