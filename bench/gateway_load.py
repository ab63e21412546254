"""The gateway as it runs, beside other Modbus servers: a process of its own on one core, the load on the other.

    python bench/gateway_load.py [SECONDS [ROUNDS]]

First each server by itself, the gateway among them with the bus connected and messages coming: processor time of a request,
requests a second, and how soon they are answered; beside them what the event loop alone takes, which is the least that a server
on it can. Then the gateway alone with 10, 100 and 1,000 resources: how soon after its
start all is readable, what it takes at rest, how soon a message is in a register, and how soon requests are answered without
updates and with 1,000 a second. Needs cc, taskset and mosquitto; libmodbus joins in where its headers are (libmodbus-dev).
Figures differ between machines and minutes: only the ratios within a run are worth a look.
"""

import os
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import threading
import time
import venv
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Self

import msgspec
import psutil
from bus import answers, free_port, mosquitto, wait_until
from modbus.plants import dot, states, states_of, statuses, toml
from modbus_requests import SOURCES, compiled, loaded

from dotbus.contracts.codec import encode
from dotbus.contracts.topics import Topics
from dotbus.runtime.logs import configure_logs
from dotbus.runtime.mqtt.bus import Bus
from dotbus.runtime.mqtt.messages import Outgoing
from dotbus.runtime.settings.settings import BusSettings

OURS, UPDATES_A_SECOND, HEARTBEAT_S, REPEATED_S = "dotbus", 1000, 5.0, 30.0
COUNTS, CONNECTIONS, SIZES = (2, 125), (1, 16), (10, 100, 1000)
SERVER_CORE, LOAD_CORE = {0}, {max(os.sched_getaffinity(0))}
OTHER = "pyModbusTCP==0.3.0"
ENVIRONMENT = Path(__file__).parents[1] / ".venv" / "bench" / OTHER
PROBES = 200
BAD, GOOD, SHOWN_WITHIN_S = 0, 192, 60
REPLY_BYTES = 17
MARK, STEPS, GIVES_WAY = datetime(2001, 2, 3, 4, 5, 6, 7, tzinfo=UTC), 7, 10
TOPICS = Topics()


class Ingests:
    """What both ingests say on the bus, at their pace, until it is closed."""

    def __init__(self, port: int, resources: int) -> None:
        self.resources, self.updates_a_second = resources, 0
        self.begin = (now := datetime.now(UTC)) - timedelta(seconds=now.timestamp() % 300)
        self.bus = Bus(BusSettings(port=port), "bench", clock=lambda: datetime.now(UTC))
        self.bus.start()
        wait_until(lambda: self.bus.connected)
        self._updates = [[_ready(number, self.begin, 11.0 + step) for step in range(STEPS)] for number in range(resources)]
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._speak)

    def __enter__(self) -> Self:
        self.say([*states(TOPICS, self.resources, datetime.now(UTC)), *statuses(TOPICS, datetime.now(UTC))])
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._stop.set()
        self._thread.join()
        self.bus.stop()

    def say(self, messages: Sequence[tuple[str, object]]) -> None:
        """Publish, and wait until the broker has it."""
        self._publish([Outgoing(topic, encode(said), retain=True) for topic, said in messages])

    def _publish(self, messages: Sequence[Outgoing]) -> None:
        for first in range(0, len(messages), 100):
            self.bus.publish(messages[first : first + 100], timeout_s=60)

    def _speak(self) -> None:
        """Statuses every 5 s, each state again within 30 s as it was said, and so many other DOTs a second besides.

        On the core of the load, which is to wait for nobody here: updates are encoded before, and it goes first.
        """
        os.sched_setaffinity(own := threading.get_native_id(), LOAD_CORE)
        os.setpriority(os.PRIO_PROCESS, own, GIVES_WAY)
        repeated = updated = 0
        heartbeat_at = 0.0
        while not self._stop.wait(0.02):
            now, now_s = datetime.now(UTC), time.monotonic()
            if now_s >= heartbeat_at:
                self.say(list(statuses(TOPICS, now)))
                heartbeat_at = now_s + HEARTBEAT_S
            due = _due(self.resources / REPEATED_S, now_s)
            of = (number % self.resources for number in range(repeated, repeated + due))
            self.say([said for number in of for said in states_of(TOPICS, number, now, self.begin)])
            repeated += due
            due = _due(self.updates_a_second, now_s)
            self._publish([self._update(number, now) for number in range(updated, updated + due)])
            updated += due

    def _update(self, number: int, now: datetime) -> Outgoing:
        """The next other DOT of a resource."""
        topic, parts = self._updates[number % self.resources][number // self.resources % STEPS]
        return Outgoing(topic, encode_time(now).join(parts), retain=True)


def _ready(number: int, begin: datetime, mw: float) -> tuple[str, list[bytes]]:
    """The DOT of a resource, encoded but for its time."""
    topic, said = dot(TOPICS, number, MARK, begin, mw)
    return topic, encode(said).split(encode_time(MARK))


def encode_time(at: datetime) -> bytes:
    """A time as messages have it."""
    return msgspec.json.encode(at)


def _due(a_second: float, now_s: float) -> int:
    """How many of so many a second are due in a round of 20 ms."""
    return int(now_s * a_second) - int((now_s - 0.02) * a_second)


@contextmanager
def running(command: Sequence[str], port: int, environment: Mapping[str, str] | None = None) -> Iterator[psutil.Process]:
    """A server on its core, once it listens."""
    process = subprocess.Popen(command, env={**os.environ, **(environment or {})}, stderr=subprocess.DEVNULL)
    try:
        os.sched_setaffinity(process.pid, SERVER_CORE)
        wait_until(lambda: answers(port))
        yield psutil.Process(process.pid)
    finally:
        process.kill()
        process.wait()


@contextmanager
def gateway(folder: Path, broker_port: int, resources: int) -> Iterator[tuple[psutil.Process, int]]:
    """The gateway as it is deployed, and its port."""
    (folder / "dotbus.toml").write_text(toml(resources))
    port = free_port()
    settings = {"CONFIG": str(folder / "dotbus.toml"), "PORT": str(port), "HEALTH_PORT": str(free_port())}
    settings |= {"MQTT_PORT": str(broker_port), "INSTANCE": "bench"}
    environment = {f"MODBUS_GATEWAY_{name}": value for name, value in settings.items()}
    with running([sys.executable, "-m", "modbus_gateway"], port, environment) as process:
        yield process, port


class Reader:
    """One client that reads the DOT of resources by their number."""

    def __init__(self, port: int) -> None:
        self._line = socket.create_connection(("127.0.0.1", port), timeout=60)
        self._line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def dot(self, number: int) -> tuple[int, float]:
        """Quality and megawatts."""
        unit, address = number // 100 + 1, 100 * (number % 100 + 1)
        self._line.sendall(struct.pack(">HHHBBHH", 1, 0, 6, unit, 3, address, 4))
        reply = b""
        while len(reply) < REPLY_BYTES:
            reply += self._line.recv(64)
        quality, _, mw = struct.unpack(">HHf", reply[9:])
        return int(quality), float(mw)


def cpu_s(process: psutil.Process) -> float:
    """Processor time so far."""
    times = process.cpu_times()
    return float(times.user + times.system)


def compared(load: Sequence[str], folder: Path, seconds: float, rounds: int) -> None:
    """Each server with its processor time, rates and times, and ours as a multiple of them."""
    commands = {
        "libmodbus": compiled("libmodbus_server", folder, "-lmodbus"),
        "pymodbus": [sys.executable, str(SOURCES / "pymodbus_server.py")],
        "pyModbusTCP": [str(installed()), str(SOURCES / "pymodbustcp_server.py")],
        "uvloop alone": [sys.executable, str(SOURCES / "echo_server.py")],
    }
    with mosquitto(folder) as broker, Ingests(broker.port, 10):
        for count in COUNTS:
            for connections in CONNECTIONS:
                found: dict[str, list[Mapping[str, float]]] = {}
                for _ in range(rounds):
                    with gateway(folder, broker.port, 10) as (process, port):
                        wait_until(lambda port=port: Reader(port).dot(0)[0] == GOOD)
                        found.setdefault(OURS, []).append(loaded(load, process, port, count, connections, seconds))
                    for name, command in commands.items():
                        if command:
                            with running([*command, str(port := free_port())], port) as process:
                                found.setdefault(name, []).append(loaded(load, process, port, count, connections, seconds))
                tell(f"{count} registers, {connections} connections", found)


def tell(what: str, found: Mapping[str, Sequence[Mapping[str, float]]]) -> None:
    """The medians, and ours as a multiple of the others within each round."""
    print(what)
    for name, rounds in found.items():
        median = {key: statistics.median(one[key] for one in rounds) for key in rounds[0]}
        times = statistics.median(ours["cpu_us"] / one["cpu_us"] for ours, one in zip(found[OURS], rounds, strict=True))
        print(
            f"  {name:12} {median['cpu_us']:6.1f} us CPU a request ({OURS}: {times:.2f} of it)  {median['rps']:7.0f} requests/s"
            f"  half within {median['p50_us'] / 1000:.2f} ms, 99 % {median['p99_us'] / 1000:.2f} ms",
            flush=True,
        )


def alone(load: Sequence[str], folder: Path, resources: int, seconds: float) -> None:
    """The gateway with so many resources: start, rest, from a message to a register, and requests without and with updates."""
    with mosquitto(folder) as broker, Ingests(broker.port, resources) as ingests:
        with running([sys.executable, str(SOURCES / "echo_server.py"), str(port := free_port())], port) as process:
            print(f"{resources} resources; the load itself, beside a server that does nothing:", flush=True)
            tell_paced(load, ingests, process, port, seconds)
        begun = time.monotonic()
        with gateway(folder, broker.port, resources) as (process, port):
            reader = Reader(port)
            wait_until(lambda: all(reader.dot(number)[0] != BAD for number in range(resources)))
            print(f"{resources} resources: all readable {time.monotonic() - begun:.1f} s after the start", flush=True)
            time.sleep(3)
            before, begun = cpu_s(process), time.monotonic()
            time.sleep(15)
            share = (cpu_s(process) - before) / (time.monotonic() - begun)
            print(f"  at rest {share:.1%} of a core, {process.memory_info().rss / 2**20:.0f} MiB", flush=True)
            delays_ms = sorted(1000 * delay(ingests, reader, number % resources, 300.0 + number) for number in range(PROBES))
            print(
                f"  message to register: half within {delays_ms[PROBES // 2]:.1f} ms, 99 % {delays_ms[-PROBES // 100]:.1f} ms"
            )
            for updates in (0, UPDATES_A_SECOND):
                ingests.updates_a_second = updates
                time.sleep(1)
                one = loaded(load, process, port, 125, 16, seconds)
                print(
                    f"  {updates} updates/s: {one['rps']:.0f} requests/s, 99 % within {one['p99_us'] / 1000:.2f} ms", flush=True
                )
            tell_paced(load, ingests, process, port, seconds)


def tell_paced(load: Sequence[str], ingests: Ingests, process: psutil.Process, port: int, seconds: float) -> None:
    """The same at a rate that SCADA asks at, where no request waits for another one."""
    for updates in (0, UPDATES_A_SECOND):
        ingests.updates_a_second = updates
        time.sleep(1)
        before, begun = cpu_s(process), time.monotonic()
        one = loaded([*load, "-r", "1000"], process, port, 125, 16, seconds)
        share = (cpu_s(process) - before) / (time.monotonic() - begun)
        print(
            f"  {updates} updates/s, 1,000 requests/s: 99 % within {one['p99_us'] / 1000:.2f} ms, {share:.0%} of a core",
            flush=True,
        )
    ingests.updates_a_second = 0  # what comes next may be about rest


def delay(ingests: Ingests, reader: Reader, number: int, mw: float) -> float:
    """From publishing a DOT to the first answer that shows it, seconds."""
    now = datetime.now(UTC)
    message = dot(TOPICS, number, now, now - timedelta(seconds=now.timestamp() % 300), mw)  # in force now, be it a new interval
    shown: Callable[[], bool] = lambda: reader.dot(number)[1] != mw  # noqa: E731  # asked again and again
    begun = time.monotonic()
    thread = threading.Thread(target=ingests.say, args=([message],))
    thread.start()
    while shown():
        if time.monotonic() - begun > SHOWN_WITHIN_S:
            raise TimeoutError(f"R{number} does not show {mw} MW")
        time.sleep(0.0005)
    took_s = time.monotonic() - begun
    thread.join()
    return took_s


def installed() -> Path:
    """The interpreter of an environment with pyModbusTCP, made where there is none."""
    python = ENVIRONMENT / "bin" / "python"
    if not python.exists():
        venv.create(ENVIRONMENT, with_pip=True, clear=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", OTHER], check=True)
    return python


def main(seconds: float = 3.0, rounds: float = 3, *sizes: float) -> None:
    """Measure and tell."""
    configure_logs("bench", "bench", "console", "error")
    os.sched_setaffinity(0, LOAD_CORE)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        load = compiled("load", folder)
        if load is None:
            sys.exit("a C compiler and Linux are needed for the load generator")
        if rounds:
            compared(load, folder, seconds, int(rounds))
        for resources in sizes or SIZES:
            alone(load, folder, int(resources), seconds)


if __name__ == "__main__":
    main(*map(float, sys.argv[1:]))
