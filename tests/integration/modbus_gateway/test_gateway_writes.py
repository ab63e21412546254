"""SCADA writes into the gateway as it runs: by mbpoll and pymodbus, over a real broker, to mosquitto_sub and the database."""

import json
import os
import queue
import re
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from historian_api import asked_here
from historian_parts import letters, stored
from historian_process import Process as Historian
from modbus_clients import Mbpoll, Pymodbus
from modbus_pki import Authority, client_context
from pymodbus.client import ModbusTcpClient
from real_mosquitto import Mosquitto, free_port
from waiting import eventually

from dotbus.contracts.codec import decode_as, encode
from dotbus.contracts.messages import (
    DispatchBatchHeader,
    Environment,
    InstructionAnswer,
    InstructionResponse,
    InstructionResponseReply,
    ServiceStatus,
    Upstream,
)
from dotbus.contracts.topics import Topics
from dotbus.runtime.mqtt.bus import Bus
from dotbus.runtime.mqtt.messages import Delivery, Outgoing
from dotbus.runtime.settings.settings import BusSettings
from dotbus.testing import samples
from modbus_gateway.beside.echo import STOPPED_AFTER_S

pytestmark = pytest.mark.integration

TOPICS = Topics()
RESOURCE = "TEST_RESOURCE_1"
UNIT, ACTUAL, STAGED, COMMIT, COIL, ANSWER = 1, 100, 110, 120, 5, 200
PLACES = ANSWER + 41
ILLEGAL_FUNCTION, ILLEGAL_VALUE, FAILURE = 1, 3, 4
ON = True
EXAMPLE = (Path(__file__).parents[3] / "config/dotbus.example.toml").read_text(encoding="utf-8")
DOCUMENT = (Path(__file__).parents[3] / "docs/registers.md").read_text(encoding="utf-8")
OPEN = "INSTRUCTION-7"
UNANSWERED = dict.fromkeys(
    f"{who}{what}" for who in ("", "opr_") for what in ("accept_status", "accept_dot_mw", "reason_code", "responder")
)
UPSTREAMS = ("ads_dispatch", "ads_trajectory")
CONFIG = f"""
environment = "simulator"
[[plant]]
name = "sierra"
[[plant.resource]]
id = "{RESOURCE}"
[modbus]
accept_environments = ["simulator"]
allow_writes_from = ["127.0.0.1"]
[[modbus.write]]
unit_id = {UNIT}
address = {ACTUAL}
resource = "{RESOURCE}"
point = "actual_mw"
min = -60.0
max = 60.0
quality = true
expires_after_s = 4.0
[[modbus.write]]
unit_id = {UNIT}
address = {STAGED}
resource = "{RESOURCE}"
point = "available_mw"
type = "int16"
scale = 10.0
commit = true
[[modbus.write]]
unit_id = {UNIT}
table = "coil"
address = {COIL}
resource = "{RESOURCE}"
point = "breaker_closed"
roles = ["operator"]
[[modbus.commit]]
unit_id = {UNIT}
address = {COMMIT}
watchdog_s = 60.0
[[modbus.answer]]
unit_id = {UNIT}
address = {ANSWER}
resource = "{RESOURCE}"
places = 2
"""


class Gateway:
    """Its process, for the plant sierra."""

    def __init__(self, folder: Path, broker: Mosquitto, instance: str = "sierra", config: str = CONFIG) -> None:
        (folder / "dotbus.toml").write_text(config)
        authority = Authority(folder)
        self.authority, self.folder = authority, folder
        self.port, self.tls_port, self.health_port = free_port(), free_port(), free_port()
        own = {
            "CONFIG": str(folder / "dotbus.toml"),
            "INSTANCE": instance,
            "PORT": str(self.port),
            "TLS_PORT": str(self.tls_port),
            "TLS_CERTIFICATE_FILE": str(authority.server()),
            "TLS_CLIENT_CA_FILE": str(authority.file),
            "TLS_READ_WRITE_ROLES": "operator",
            "HEALTH_PORT": str(self.health_port),
            "MQTT_PORT": str(broker.port),
            "STATE_DIR": str(folder / "state"),
        }
        self.environment = os.environ | {f"MODBUS_GATEWAY_{name}": value for name, value in own.items()}
        self.log = folder / "gateway.log"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen([sys.executable, "-m", "modbus_gateway"], env=self.environment, stderr=log)
        client = ModbusTcpClient("127.0.0.1", port=self.port, retries=0)
        eventually(client.connect, within_s=30)
        client.close()

    def check(self) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "modbus_gateway", "check"]
        return subprocess.run(command, env=self.environment, capture_output=True, text=True, timeout=60, check=False)

    def end(self, number: int = signal.SIGTERM) -> int:
        assert self.process
        self.process.send_signal(number)
        return self.process.wait(timeout=30)


class Heard:
    """mosquitto_sub, a process that hears what is said below the plant."""

    def __init__(self, broker: Mosquitto, folder: Path) -> None:
        self._file = (folder / "heard").open("w+b")
        address = ["-h", "127.0.0.1", "-p", str(broker.port)]
        topics = ["-t", f"{TOPICS.root}/plant/#", "-t", f"{TOPICS.root}/service/#"]
        self._process = subprocess.Popen(["mosquitto_sub", "-V", "5", *address, *topics, "-F", "%t %p"], stdout=self._file)

    def of(self, topic: str) -> list[dict]:
        self._file.seek(0)
        lines = [line.split(b" ", 1) for line in self._file.read().splitlines() if b" " in line]
        found = []
        for said_on, payload in lines:
            with suppress(json.JSONDecodeError):  # the last line is being written
                if said_on.decode() == topic:
                    found.append(json.loads(payload))
        return found

    def point(self, name: str) -> list[tuple[object, int]]:
        return [(one["value"], one["quality"]) for one in self.of(TOPICS.telemetry("sierra", RESOURCE, name))]

    def writes(self) -> list[tuple[str, object, str | None]]:
        return [(one["point"], one["new_value"], one["refused_by"]) for one in self.of(TOPICS.write("sierra", RESOURCE))]

    def end(self) -> None:
        self._process.terminate()
        self._process.wait(10)
        self._file.close()


class Ads:
    """What ads_ingest says, and how it answers a command, by the real bus."""

    def __init__(self, broker: Mosquitto) -> None:
        self.bus = Bus(BusSettings(port=broker.port), "ads_ingest-a", clock=lambda: datetime.now(UTC))
        self.bus.start()
        eventually(lambda: self.bus.connected)
        self._queue: queue.SimpleQueue[Outgoing] = queue.SimpleQueue()
        threading.Thread(target=self._reply, daemon=True).start()

    def say_open_instruction(self) -> None:
        now = datetime.now(UTC)
        said = msgspec.structs.replace
        (first, *_) = samples.instructions().instructions
        answer = InstructionAnswer(answer="none", is_open=True, open_until=now + timedelta(minutes=5))
        times = {"start_at": now + timedelta(minutes=30), "end_at": now + timedelta(minutes=90), "told_at": now}
        one = said(
            first, instruction_uid=OPEN, answer=answer, instructed_mw=25.0, batch_until=now + timedelta(hours=2), **times
        )
        state = said(
            samples.instructions(), source="ads_ingest/a", time=now, heard_at=now, valid_until=now + timedelta(minutes=2),
            plant="sierra", resource_id=RESOURCE, instructions=(one,), received_at=now, reasons=(), withdrawn=(),
        )  # fmt: skip
        status = ServiceStatus(
            environment=Environment.SIMULATOR, source="ads_ingest/a", time=now, service="ads_ingest", instance="a", online=True,
            started_at=now, software_version="1",
            upstreams=tuple(Upstream(name=name, ok=True, last_ok_at=now, clock_offset_s=0.0) for name in UPSTREAMS),
        )  # fmt: skip
        topics = (TOPICS.instructions("sierra", RESOURCE), TOPICS.service("ads_ingest", "a"))
        messages = [Outgoing(topic, encode(one), retain=True) for topic, one in zip(topics, (state, status), strict=True)]
        self.bus.publish(messages)

    def answer(self, delivery: Delivery, commands: list[InstructionResponse]) -> None:
        """As ads_ingest does, to the response topic with the correlation data."""
        delivery.ack()
        command = decode_as(delivery.payload, InstructionResponse)
        commands.append(command)
        assert delivery.response_topic
        reply = InstructionResponseReply(
            environment=Environment.SIMULATOR,
            source="ads_ingest/a",
            time=datetime.now(UTC),
            batch_uid=command.batch_uid,
            instruction_uid=command.instruction_uid,
            result_code=0,
            detail="CAISO accepts it",
            outcome="taken",
            command_id=command.command_id,
        )
        self._queue.put(Outgoing(delivery.response_topic, encode(reply), correlation=delivery.correlation))

    def _reply(self) -> None:
        while True:
            self.bus.publish([self._queue.get()])


@pytest.fixture
def heard(broker: Mosquitto, tmp_path: Path) -> Iterator[Heard]:
    heard = Heard(broker, tmp_path)
    yield heard
    heard.end()


@pytest.fixture
def gateway(tmp_path: Path, broker: Mosquitto) -> Iterator[Gateway]:
    gateway = Gateway(tmp_path, broker)
    gateway.start()
    yield gateway
    if gateway.process and gateway.process.poll() is None:
        gateway.process.kill()
        gateway.process.wait()


@pytest.fixture
def scada(gateway: Gateway) -> Iterator[ModbusTcpClient]:
    client = ModbusTcpClient("127.0.0.1", port=gateway.port, retries=0, timeout=10)
    assert client.connect()
    yield client
    client.close()


def mbpoll(gateway: Gateway, *arguments: str) -> str:
    """As it stands in docs/registers.md."""
    command = ["mbpoll", "-0", "-1", "-B", "-a", str(UNIT), "-p", str(gateway.port), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    return done.stdout + done.stderr


def megawatts(client: ModbusTcpClient, value: float) -> list[int]:
    return client.convert_to_registers(value, client.DATATYPE.FLOAT32)


def test_what_mbpoll_writes_is_heard_on_the_bus_read_back_and_stale_once_nobody_writes_it(gateway: Gateway, heard: Heard):
    eventually(lambda: heard.point("actual_mw") == [(None, 0)])
    assert "Written 1 references" in mbpoll(gateway, "-r", str(ACTUAL), "-t", "4:float", "127.0.0.1", "--", "48.5")
    assert "48.5" in mbpoll(gateway, "-r", str(ACTUAL), "-t", "4:float", "127.0.0.1")
    eventually(lambda: heard.point("actual_mw") == [(None, 0), (48.5, 192)])
    eventually(lambda: heard.point("actual_mw")[-1:] == [(48.5, 0)], within_s=20)
    assert Mbpoll(gateway.port, UNIT).read_holding(ACTUAL, 3) == [0x7FC0, 0, 0]
    assert heard.writes() == [("actual_mw", 48.5, None)]


def test_a_gateway_that_takes_writes_hears_itself_in_time_and_goes_from_listening_to_active(gateway: Gateway, heard: Heard):
    topic = TOPICS.service("modbus_gateway", "sierra")
    eventually(lambda: [one["redundancy"] for one in heard.of(topic)][-1:] == ["active"], within_s=30)
    assert gateway.process


def test_the_lines_of_the_document_do_what_it_says_that_they_do(tmp_path: Path, broker: Mosquitto):
    (lines,) = (DOCUMENT.split("```toml\n[modbus]\nallow_writes_from")[1]).split("```", 1)[:1]
    own, written = lines.split("[[modbus.write]]", 1)
    known = EXAMPLE.replace("[modbus]\n", f"[modbus]\nallow_writes_from{own.replace('10.20.0.0/24', '127.0.0.1')}", 1)
    gateway = Gateway(tmp_path, broker, config=f"{known}[[modbus.write]]{written}")
    gateway.start()
    try:
        said = [
            subprocess.run(
                [*line.split("#")[0].replace("5020", str(gateway.port)).split()], capture_output=True, text=True, check=True
            ).stdout
            for line in re.findall(r"^mbpoll .*-a 11 .*$", DOCUMENT.split("## Registers that SCADA writes")[1], re.MULTILINE)
        ]
    finally:
        assert gateway.end() == 0
    told = [re.findall(r"^\[\d+\]:\s+(\S+)", one, re.MULTILINE) for one in said]
    assert told[1] == ["48.5"]
    assert told[-1][:9] == ["7", "0", "7", "1", "65535", "65535", "0", "65535", "1"]


def test_what_is_refused_is_told_to_the_client_and_on_the_bus(gateway: Gateway, heard: Heard, scada: ModbusTcpClient):
    beyond = scada.write_registers(ACTUAL, megawatts(scada, 99.0), device_id=UNIT)
    assert beyond.exception_code == ILLEGAL_VALUE
    assert scada.write_coil(COIL, ON, device_id=UNIT).exception_code == ILLEGAL_FUNCTION
    eventually(lambda: heard.writes() == [("actual_mw", 99.0, "limits"), ("breaker_closed", True, "role")])
    eventually(lambda: heard.point("actual_mw")[-1:] == [(None, 0)])


def test_what_was_written_while_the_gateway_was_stopped_is_refused_and_what_is_written_after_it_is_taken(
    gateway: Gateway, heard: Heard, scada: ModbusTcpClient
):
    assert gateway.process
    assert not scada.write_registers(ACTUAL, megawatts(scada, 10.0), device_id=UNIT).isError()
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=10) as line:
        gateway.process.send_signal(signal.SIGSTOP)
        line.sendall(struct.pack(">HHHBBHHBf", 1, 0, 11, UNIT, 16, ACTUAL, 2, 4, 11.0))
        until_s = time.monotonic() + STOPPED_AFTER_S + 0.5
        eventually(lambda: time.monotonic() > until_s)
        gateway.process.send_signal(signal.SIGCONT)
        assert line.recv(64)[7:] == bytes((16 | 0x80, FAILURE))
    eventually(lambda: not scada.write_registers(ACTUAL, megawatts(scada, 12.0), device_id=UNIT).isError())
    eventually(lambda: [value for value, _quality in heard.point("actual_mw")][-1:] == [12.0])
    assert 11.0 not in [value for value, _quality in heard.point("actual_mw")]
    eventually(lambda: ("actual_mw", 11.0, "fault") in heard.writes())


def test_staged_values_are_taken_by_a_commit_and_the_registers_tell_so(gateway: Gateway, heard: Heard, scada: ModbusTcpClient):
    assert not scada.write_register(STAGED, 475, device_id=UNIT).isError()
    assert scada.read_holding_registers(COMMIT, count=12, device_id=UNIT).registers[6] == 1
    assert Mbpoll(gateway.port, UNIT).write_register(COMMIT, 1) is None
    status = scada.read_holding_registers(COMMIT, count=12, device_id=UNIT).registers
    assert status[:7] == [1, 0, 1, 1, 0xFFFF, 0xFFFF, 0]
    eventually(lambda: heard.point("available_mw")[-1:] == [(47.5, 192)])


def test_whoever_reads_the_registers_sees_what_was_taken_how_good_it_is_and_why_not(tmp_path: Path, broker: Mosquitto):
    gateway = Gateway(tmp_path, broker, config=CONFIG.replace("expires_after_s = 4.0", "expires_after_s = 60.0"))
    gateway.start()
    try:
        mbpoll(gateway, "-r", str(ACTUAL), "-t", "4:float", "127.0.0.1", "--", "48.5")
        assert "Written 1 references" in mbpoll(gateway, "-r", str(STAGED), "-t", "4", "127.0.0.1", "--", "475")
        by_gateway, by_launcher = (
            {one["what"]: one for one in json.loads(_read(gateway, *command, "--json"))}
            for command in (("modbus_gateway", "read"), ("launcher", "registers"))
        )
        people = " ".join(_read(gateway, "launcher", "registers").split())
    finally:
        assert gateway.end() == 0
    assert by_gateway.keys() == by_launcher.keys()
    for told in (by_gateway, by_launcher):
        actual = told["written actual_mw"]
        assert (actual["value"], actual["unit"], actual["quality"], actual["age_most_s"]) == (48.5, "MW", 192, 60.0)
        assert told["written available_mw"]["reasons"] == ["stale or never_received", "1 staged at its unit"]
        assert told["commit result"]["said"] == told["answer outcome"]["said"] == "0 nothing yet"
    assert "0 bad, stale or never_received" in people


def _read(gateway: Gateway, *command: str) -> str:
    module, *arguments = command
    where = ("--config", str(gateway.folder / "dotbus.toml"), "--port", str(gateway.port))
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments, *where], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_role_in_a_certificate_may_write_and_is_named(gateway: Gateway, heard: Heard):
    for role, refused in (("viewer", True), ("operator", False)):
        context = client_context(gateway.authority.file, gateway.authority.client(role, role))
        client = Pymodbus.tls(gateway.tls_port, UNIT, context)
        assert client.write_coil(COIL, ON) == (ILLEGAL_FUNCTION if refused else None)
        client.close()
    eventually(lambda: heard.point("breaker_closed")[-1:] == [(True, 192)])
    eventually(lambda: len(heard.writes()) == 2)
    by = [(one["written_by"], one["outcome"]) for one in heard.of(TOPICS.write("sierra", RESOURCE))]
    assert by == [("CN=viewer", "refused"), ("CN=operator", "taken")]


def test_an_event_waits_for_the_broker_across_a_kill_and_is_told_once(gateway: Gateway, broker: Mosquitto, tmp_path: Path):
    eventually(lambda: '"event": "connected"' in gateway.log.read_text(), within_s=20)
    broker.kill()
    scada = ModbusTcpClient("127.0.0.1", port=gateway.port, retries=0, timeout=10)
    assert scada.connect()
    assert not scada.write_registers(ACTUAL, megawatts(scada, 12.0), device_id=UNIT).isError()
    scada.close()
    gateway.end(signal.SIGKILL)
    broker.start()
    heard = Heard(broker, tmp_path)
    try:
        gateway.start()
        eventually(lambda: heard.writes() == [("actual_mw", 12.0, None)], within_s=30)
        eventually(lambda: heard.point("actual_mw")[-1:] == [(None, 0)])
        assert gateway.end() == 0
        eventually(lambda: [said["online"] for said in heard.of(TOPICS.service("modbus_gateway", "sierra"))][-1:] == [False])
        assert heard.writes() == [("actual_mw", 12.0, None)]
    finally:
        heard.end()


def test_a_gateway_that_is_not_called_after_its_plant_is_refused_with_the_line(tmp_path: Path, broker: Mosquitto):
    checked = Gateway(tmp_path, broker, instance="main").check()
    assert checked.returncode == 2
    told = checked.stderr.splitlines()
    assert len(told) == 4
    assert all("MODBUS_GATEWAY_INSTANCE=sierra" in line and "line " in line for line in told)


def test_an_instruction_that_scada_accepts_by_number_is_commanded_and_the_reply_is_read_in_registers(
    gateway: Gateway, broker: Mosquitto, scada: ModbusTcpClient
):
    ads, commands = Ads(broker), []
    ads.bus.subscribe([TOPICS.every_respond("sierra")], lambda delivery: ads.answer(delivery, commands))
    try:
        ads.say_open_instruction()
        eventually(lambda: scada.read_holding_registers(PLACES, count=2, device_id=UNIT).registers != [0xFFFF, 0xFFFF])
        number = scada.read_holding_registers(PLACES, count=2, device_id=UNIT).registers
        nothing = megawatts(scada, float("nan"))
        reply = scada.write_registers(ANSWER, [*number, 2, 0, *nothing, 1], device_id=UNIT)
        assert not reply.isError()
        eventually(lambda: scada.read_holding_registers(ANSWER + 7, count=2, device_id=UNIT).registers == [1, 2])
        words = scada.read_holding_registers(ANSWER + 11, count=24, device_id=UNIT).registers
        assert scada.convert_from_registers(words, scada.DATATYPE.STRING).startswith("CAISO accepts it")
        (command,) = commands
        assert (command.action, command.instruction_uid, command.source) == ("accept", OPEN, "modbus_gateway/sierra")
        assert (command.asked_from, command.asked_by, command.requested_by) == ("127.0.0.1", None, "SCADA of sierra")
    finally:
        ads.bus.stop()


LIMITED = CONFIG.replace("scale = 10.0\n", "scale = 10.0\nmax = 60.0\n")
KEPT = """
    SELECT t.value, t.unit, t.quality, t.reasons::text, p.source FROM telemetry AS t JOIN telemetry_point AS p USING (point_no)
    WHERE p.point = 'actual_mw' ORDER BY t.time"""
AGE = """
    SELECT extract(epoch FROM t.time - t.measured_at) < 30 AND t.valid_until > t.time
    FROM telemetry AS t JOIN telemetry_point AS p USING (point_no) WHERE p.point = 'actual_mw' AND t.quality = 192"""
HISTORY = (
    "SELECT point, new_value, outcome, refused_by, written_from FROM point_write_history ORDER BY point, outcome, new_value"
)


def test_actual_megawatts_are_kept_with_their_age_expire_and_stand_beside_the_dot_in_a_plants_day(
    broker: Mosquitto, database: str, tmp_path: Path
):
    historian = Historian(tmp_path / "historian", broker.port, database)
    historian.start()
    gateway = Gateway(tmp_path, broker, config=LIMITED)
    gateway.start()
    bus = Bus(BusSettings(port=broker.port), "ads", clock=lambda: datetime.now(UTC))
    bus.start()
    try:
        eventually(lambda: historian.is_ready and bus.connected, within_s=60)
        bus.publish([Outgoing(TOPICS.dispatch("sierra", RESOURCE), encode(_dot(50.0)))])
        eventually(lambda: stored(database, "SELECT dot_mw FROM dot_latest WHERE schedule = 'five-minute'"), within_s=60)
        _write_as_scada(gateway)
        rows = "SELECT actual_mw, dot_mw, deviation_mw FROM actual_vs_dot WHERE schedule = 'five-minute' AND quality = 192"
        eventually(lambda: (48.5, 50.0, -1.5) in stored(database, rows), within_s=60)
        stale = (48.5, "MW", 0, "{stale}", "modbus_gateway/sierra")
        eventually(lambda: stored(database, KEPT)[-1:] == [stale], within_s=60)
        eventually(lambda: len(stored(database, HISTORY)) == 3, within_s=60)
        with asked_here(database, now=datetime.now(UTC)) as api:
            day = api.ask("/v1/plants/sierra/days/today").json()
    finally:
        bus.stop()
        historian.end(signal.SIGTERM)
        assert gateway.end() == 0
    assert (48.5, "MW", 192, "{}", "modbus_gateway/sierra") in stored(database, KEPT)
    assert {told for (told,) in stored(database, AGE)} == {True}
    assert stored(database, HISTORY) == [
        ("actual_mw", 99.0, "refused", "limits", "127.0.0.1"),
        ("actual_mw", 48.5, "taken", None, "127.0.0.1"),
        ("available_mw", 70.0, "refused", "limits", "127.0.0.1"),
    ]
    assert letters(database) == []
    (resource,) = [one for one in day["resources"] if one["resource_id"] == RESOURCE]
    assert 3.0 < resource["compared_s"] < 60.0
    assert resource["deviation_mwh"] == pytest.approx(-1.5 * resource["compared_s"] / 3600)
    assert resource["absolute_deviation_mwh"] == pytest.approx(-resource["deviation_mwh"])
    assert day["total"]["actual_mwh"] == pytest.approx(48.5 * resource["compared_s"] / 3600)


def _write_as_scada(gateway: Gateway) -> None:
    """Beyond its limits by pymodbus, at once and staged, and then as it is by mbpoll; nobody writes afterwards."""
    scada = ModbusTcpClient("127.0.0.1", port=gateway.port, retries=0, timeout=10)
    assert scada.connect()
    assert scada.write_registers(ACTUAL, megawatts(scada, 99.0), device_id=UNIT).exception_code == ILLEGAL_VALUE
    assert not scada.write_register(STAGED, 700, device_id=UNIT).isError()
    assert scada.write_register(COMMIT, 1, device_id=UNIT).exception_code == ILLEGAL_VALUE
    status = scada.read_holding_registers(COMMIT, count=12, device_id=UNIT).registers
    assert status[2:6] == [1, 5, 4, STAGED], "result 5 is beyond its limits, of the holding register of the point"
    scada.close()
    assert "Written 1 references" in mbpoll(gateway, "-r", str(ACTUAL), "-t", "4:float", "127.0.0.1", "--", "48.5")
    assert "48.5" in mbpoll(gateway, "-r", str(ACTUAL), "-t", "4:float", "127.0.0.1")


def _dot(dot_mw: float):
    """A five-minute DOT in force now."""
    sample, now = samples.dispatch(), datetime.now(UTC)
    header: DispatchBatchHeader = msgspec.structs.replace(
        sample.batch, batch_type=0, start_at=now - timedelta(seconds=60), batch_received_at=now - timedelta(seconds=90)
    )
    instruction = msgspec.structs.replace(
        samples.instruction(),
        **UNANSWERED,
        dot_mw=dot_mw,
        start_at=now + timedelta(seconds=90),
        end_at=now + timedelta(seconds=240),
    )
    return msgspec.structs.replace(
        sample, time=now, batch=header, instructions=(instruction,), resource_id=RESOURCE, plant="sierra"
    )
