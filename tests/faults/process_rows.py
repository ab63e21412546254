"""Rows of the fault table: the ingests, the broker and the gateway are killed, hung, set back or started in the wrong order."""

import resource
import shutil
import signal
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from pathlib import Path

from cutting_proxy import CuttingProxy
from faults.display import Display
from faults.forcing import Row, after, is_good
from faults.shifted_clock import set_shift
from faults.stack import INTERVAL_S, FaultStack
from waiting import eventually

from dotbus.contracts.quality import Reason

INGESTS, BROKER, GATEWAY = "Ingests", "Broker", "Gateway"
TESTS = Path(__file__).parents[1]
HUNG_CLIENTS = 60
PRICES = ("lmp_active", "lmp_published")
UNIT, FIRST_REGISTER, LAST_REGISTER = 11, 100, 82
Force = Callable[[FaultStack], AbstractContextManager[None]]


def killed(*names: str) -> Force:
    """SIGKILL; what is missing afterwards is started before the next row."""

    @contextmanager
    def force(stack: FaultStack) -> Iterator[None]:
        for name in names:
            stack.plant.kill(name)
        yield

    return force


@contextmanager
def ended(stack: FaultStack) -> Iterator[None]:
    """SIGTERM."""
    stack.plant.send_signal("ads_ingest", signal.SIGTERM)
    try:
        yield
    finally:
        stack.plant.end("ads_ingest")


def hung(name: str) -> Force:
    """SIGSTOP, and SIGCONT at the end."""

    @contextmanager
    def force(stack: FaultStack) -> Iterator[None]:
        stack.plant.send_signal(name, signal.SIGSTOP)
        try:
            yield
        finally:
            stack.plant.send_signal(name, signal.SIGCONT)

    return force


def restarted(*names: str, forget: tuple[str, ...] = ()) -> Force:
    """SIGKILL and a new start, some of them without their files."""

    @contextmanager
    def force(stack: FaultStack) -> Iterator[None]:
        for name in names:
            stack.plant.kill(name)
        for name in forget:
            shutil.rmtree(stack.folder / name)
        stack.plant.start(*names)
        eventually(lambda: not stack.display().is_silent, 30, 0.1)
        yield

    return force


@contextmanager
def outbox_unwritable(stack: FaultStack) -> Iterator[None]:
    """Files of the process may not grow beyond what its log takes: SQLite's log cannot be written any more."""
    most_bytes = (stack.folder / "ads_ingest.log").stat().st_size + 20_000
    number = stack.plant.process_id("ads_ingest")
    _, hard = resource.prlimit(number, resource.RLIMIT_FSIZE)
    resource.prlimit(number, resource.RLIMIT_FSIZE, (most_bytes, hard))
    try:
        yield
    finally:
        resource.prlimit(number, resource.RLIMIT_FSIZE, (hard, hard))


@contextmanager
def lagging_second(stack: FaultStack) -> Iterator[None]:
    """A second ads_ingest that CAISO answered once and does not any more."""
    proxy = CuttingProxy(stack.plant.port("ads"))
    own = {"INSTANCE": "b", "STATE_DIR": str(stack.folder / "b"), "URL": f"https://127.0.0.1:{proxy.port}/ADS/APIWebService/v7"}
    second = stack.plant.start_second("ads_ingest_b", "ads_ingest", **{f"ADS_INGEST_{key}": text for key, text in own.items()})
    try:
        eventually((stack.folder / "b" / "latest").exists, 30, 0.1)
        proxy.deaf = True
        proxy.cut()
        yield
    finally:
        stack.plant.children.running.remove(second)
        second.kill()
        proxy.close()


def with_shifted_clock(name: str, *shifts_s: float) -> Force:
    """A service whose clock is right at first and then wrong by some seconds. Started anew with the right one afterwards."""

    @contextmanager
    def force(stack: FaultStack) -> Iterator[None]:
        file = stack.folder / f"{name}_clock"
        set_shift(file, 0)
        stack.plant.kill(name)
        stack.plant.start_as(name, "faults.shifted_clock", name, SHIFT_FILE=str(file), PYTHONPATH=str(TESTS))
        eventually(lambda: stack.display().is_good, 60, 0.1)
        for shift_s in shifts_s:
            set_shift(file, shift_s)
        try:
            yield
        finally:
            stack.plant.kill(name)

    return force


@contextmanager
def accepting_production_only(stack: FaultStack) -> Iterator[None]:
    """The gateway is started with a configuration that takes no word of a simulator."""
    config = stack.folder / "production.toml"
    config.write_text(stack.plant.config_text.format(accept="production"))
    stack.plant.kill("modbus_gateway")
    stack.plant.start_as("modbus_gateway", "modbus_gateway", MODBUS_GATEWAY_CONFIG=str(config))
    try:
        yield
    finally:
        stack.plant.kill("modbus_gateway")


@contextmanager
def broker_killed(stack: FaultStack) -> Iterator[None]:
    """SIGKILL; started again at the end. Not waited for: a container takes its time, and the registers change meanwhile."""
    killer = threading.Thread(target=stack.broker.kill)
    killer.start()
    try:
        yield
    finally:
        killer.join()
        stack.broker.start()


@contextmanager
def broker_back(stack: FaultStack) -> Iterator[None]:
    """SIGKILL and a new start with what it had on disk."""
    with broker_killed(stack):
        eventually(lambda: Reason.BROKER_LOST in stack.display().reasons("dot"), 30, 0.1)
    yield


@contextmanager
def broker_hung(stack: FaultStack) -> Iterator[None]:
    """It stands still with every connection open."""
    stack.broker.pause()
    try:
        yield
    finally:
        stack.broker.resume()


@contextmanager
def broker_empty(stack: FaultStack) -> Iterator[None]:
    """The ingests are gone, and the broker comes back without what it retained."""
    stack.plant.kill("ads_ingest")
    stack.plant.kill("lmp_ingest")
    stack.broker.kill()
    stack.replace_broker()
    yield


@contextmanager
def gateway_stopped(stack: FaultStack) -> Iterator[None]:
    """SIGSTOP for longer than an interval while a request waits: its answer must not be what was true before."""
    shown = stack.display().shown
    before = shown["dot_end"].at
    assert before is not None
    with socket.create_connection(("127.0.0.1", stack.plant.port("modbus")), timeout=30) as client:
        with hung("modbus_gateway")(stack):
            client.sendall(struct.pack(">HHHBBHH", 1, 0, 6, UNIT, 3, FIRST_REGISTER, LAST_REGISTER))
            wait_until = before.timestamp() + 0.3
            eventually(lambda: time.time() > wait_until, 2 * INTERVAL_S, 0.1)
        reply = client.recv(512)
    (quality,) = struct.unpack_from(">H", reply, 9)
    (end,) = struct.unpack_from(">I", reply, 9 + 2 * 6)
    assert quality != 192 or end > before.timestamp(), "a request that waited was answered with a DOT that is over"
    yield


@contextmanager
def started_without_broker(stack: FaultStack) -> Iterator[None]:
    """The gateway starts while there is no broker."""
    with broker_killed(stack):
        eventually(lambda: Reason.BROKER_LOST in stack.display().reasons("dot"), 30, 0.1)
        stack.plant.kill("modbus_gateway")
        stack.plant.start("modbus_gateway")
        yield


@contextmanager
def hung_clients(stack: FaultStack) -> Iterator[None]:
    """Clients send half a request and nothing more."""
    with ExitStack() as opened:
        for _ in range(HUNG_CLIENTS):
            with suppress(OSError):
                client = opened.enter_context(socket.create_connection(("127.0.0.1", stack.plant.port("modbus")), timeout=20))
                client.sendall(b"\x00\x01\x00\x00\x00\x06\x0b")
        yield


def all_have(*reasons: Reason) -> Callable[[Display], bool]:
    """Every value has these reasons."""
    names = ("dot", "set_point", "trajectory", "lmp_active", "lmp_published")
    return lambda display: all(frozenset(reasons) <= display.reasons(name) for name in names)


def dots_have(*reasons: Reason) -> Callable[[Display], bool]:
    """All that comes from ADS has these reasons."""
    return lambda display: all(frozenset(reasons) <= display.reasons(name) for name in ("dot", "set_point", "trajectory"))


def only_clock_in_doubt(display: Display) -> bool:
    """All that comes from ADS is doubted for the clock alone."""
    return all(display.reasons(name) == {Reason.CLOCK_IN_DOUBT} for name in ("dot", "set_point", "trajectory"))


def everything_doubted(display: Display) -> bool:
    """All is doubted for the clock alone."""
    return only_clock_in_doubt(display) and all(display.reasons(name) == {Reason.CLOCK_IN_DOUBT} for name in PRICES)


def prices_have(*reasons: Reason) -> Callable[[Display], bool]:
    """All that comes from OASIS has these reasons."""
    return lambda display: all(frozenset(reasons) <= display.reasons(name) for name in ("lmp_active", "lmp_published"))


BACK = {"settled": is_good, "happened": after(2.0)}
INGEST_ROWS = (
    Row("ads_ingest_killed", "ads_ingest is killed", killed("ads_ingest"), dots_have(Reason.SOURCE_OFFLINE, Reason.STALE)),
    Row("ads_ingest_ended", "ads_ingest is stopped", ended, dots_have(Reason.SOURCE_OFFLINE, Reason.STALE)),
    Row("ads_ingest_hung", "ads_ingest hangs", hung("ads_ingest"), dots_have(Reason.SOURCE_OFFLINE, Reason.STALE)),
    Row("lmp_ingest_killed", "lmp_ingest is killed", killed("lmp_ingest"), prices_have(Reason.SOURCE_OFFLINE, Reason.STALE)),
    Row("lmp_ingest_hung", "lmp_ingest hangs", hung("lmp_ingest"), prices_have(Reason.SOURCE_OFFLINE, Reason.STALE)),
    Row("ingests_restarted", "Both ingests are killed and started again", restarted("ads_ingest", "lmp_ingest"), **BACK),
    Row(
        "ingests_without_outbox",
        "Both are started again without their outboxes",
        restarted("ads_ingest", "lmp_ingest", forget=("ads_ingest", "lmp_ingest")),
        **BACK,
    ),
    Row(
        "outbox_unwritable",
        "The disk of ads_ingest takes nothing more",
        outbox_unwritable,
        dots_have(Reason.STALE, Reason.SOURCE_FAILING),
        noticed="at the next thing to keep",
    ),
    Row("second_lags", "CAISO answers one of two ads_ingests only", lagging_second, is_good, after(7.0)),
    Row(
        "ingest_ahead",
        "The clock of ads_ingest is 2.4 s ahead",
        with_shifted_clock("ads_ingest", 2.4),
        only_clock_in_doubt,
    ),
    Row(
        "ingest_behind",
        "The clock of ads_ingest is 2.3 s behind",
        with_shifted_clock("ads_ingest", -2.3),
        only_clock_in_doubt,
    ),
    Row(
        "wrong_environment",
        "The ingests speak for another environment",
        accepting_production_only,
        all_have(Reason.WRONG_ENVIRONMENT),
    ),
)
BROKER_ROWS = (
    Row("broker_killed", "The broker is killed", broker_killed, all_have(Reason.BROKER_LOST, Reason.STALE)),
    Row("broker_back", "The broker is back", broker_back, **BACK),
    Row("broker_hung", "The broker hangs with its connections open", broker_hung, all_have(Reason.BROKER_LOST, Reason.STALE)),
    Row(
        "broker_empty",
        "The broker is back without retained states while the ingests are gone",
        broker_empty,
        all_have(Reason.BROKER_LOST, Reason.STALE),
    ),
)
GATEWAY_ROWS = (
    Row("gateway_killed", "The gateway is killed", killed("modbus_gateway"), lambda display: display.is_silent),
    Row("gateway_restarted", "The gateway is killed and started again", restarted("modbus_gateway"), **BACK),
    Row("gateway_stopped", "The gateway hangs for longer than an interval, and goes on", gateway_stopped, **BACK),
    Row(
        "gateway_without_broker",
        "The gateway starts while the broker is away",
        started_without_broker,
        all_have(Reason.BROKER_LOST, Reason.NEVER_RECEIVED),
    ),
    Row(
        "gateway_clock_back",
        "The gateway's clock is set back by 2.5 s",
        with_shifted_clock("modbus_gateway", -2.5),
        everything_doubted,
    ),
    Row(
        "gateway_clock_ahead",
        "The gateway's clock is set 60 s ahead",
        with_shifted_clock("modbus_gateway", 60),
        dots_have(Reason.CLOCK_IN_DOUBT, Reason.STALE),
    ),
    Row("hung_clients", f"{HUNG_CLIENTS} clients send half a request", hung_clients, is_good, after(2.0)),
)
