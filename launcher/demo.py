"""`dotbus demo`: everything on this machine in one command, against a simulated CAISO. Nothing listens beyond 127.0.0.1.

Broker and database come from pip, the files live in a folder that is removed at the end, and so are all processes.
"""

import os
import secrets
import shutil
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from rich.console import Console
from rich.text import Text

from dotbus.runtime.installation import Installation
from launcher.broker_users import CONSOLE, broker_users
from launcher.children import ChildFailed, Children, free_port, ignore_interrupts, wait_for_port
from launcher.embedded_broker import users_json
from launcher.embedded_database import EmbeddedDatabase, embedded_database
from launcher.provision import Provision
from launcher.registers import GatewaySilent, Registers, Shown
from modbus_gateway.register_map import RegisterMap

INTERVAL_S = 15
"""Dispatch intervals of the demonstration: CAISO's are five minutes, and nobody waits so long to see one change."""
READY_WITHIN_S = 40.0
PAUSE_S = 0.5
CONSOLE_PASSWORD = "demo"  # noqa: S105  # meant to be typed by a person, on loopback, for one run
_PREFERRED = {"broker": 1883, "modbus": 5020, "ads": 8447, "oasis": 8448, "simulator": 8449}


__all__ = ["ChildFailed", "introduce", "running_demo", "tell_dots"]


@dataclass(frozen=True)
class Ports:
    """Where the parts listen, all on 127.0.0.1."""

    broker: int
    modbus: int
    ads: int
    oasis: int
    simulator: int


@dataclass(frozen=True)
class Demo:
    """A running demonstration."""

    config: Path
    folder: Path
    ports: Ports
    database: EmbeddedDatabase
    children: Children

    @property
    def simulator_url(self) -> str:
        """Where the simulator tells what it sent."""
        return f"http://127.0.0.1:{self.ports.simulator}"


@contextmanager
def running_demo(config: Path, installation: Installation, folder: Path, now: datetime) -> Iterator[Demo]:
    """Start every part, wait until the gateway serves, and stop all of them at the end, whatever happens.

    Raises:
        ChildFailed: a part did not start; the message has the end of its log.
    """
    ports = Ports(**{part: free_port(preferred) for part, preferred in _PREFERRED.items()})
    children = Children(folder)
    credentials = folder / "credentials"
    try:
        Provision(credentials).run(installation, None, now)
        with embedded_database(folder / "postgres") as database:
            try:
                demo = Demo(config, folder, ports, database, children)
                _start(demo, installation, credentials)
                yield demo
            finally:
                ignore_interrupts()
                children.stop()
    finally:
        children.stop()


def _start(demo: Demo, installation: Installation, credentials: Path) -> None:
    children, ports = demo.children, demo.ports
    passwords = _start_broker(demo, installation)
    _start_simulator(demo, credentials)
    for port in (ports.broker, ports.ads, ports.oasis, ports.simulator):
        wait_for_port(port, children, READY_WITHIN_S)
    own = {
        "historian": {"DATABASE_URL": demo.database.owner_url, "READER_ROLE": "reader"},
        "modbus_gateway": {"PORT": str(ports.modbus)},
        "lmp_ingest": {
            "URL": f"http://127.0.0.1:{ports.oasis}/oasisapi",
            "SPACING_S": "0.5",
            "STATE_DIR": str(demo.folder / "lmp_ingest"),
        },
        "ads_ingest": {
            "URL": f"https://127.0.0.1:{ports.ads}/ADS/APIWebService/v7",
            "CERTIFICATE_FILE": str(credentials / "ads_ingest" / "client.pem"),
            "CA_FILE": str(credentials / "ads_ingest" / "ca.pem"),
            "POLL_S": "1",
            "RECHECK_S": "5",
            "STATE_DIR": str(demo.folder / "ads_ingest"),
        },
    }
    for service, settings in own.items():
        shared = {
            "CONFIG": str(demo.config),
            "INSTANCE": "demo",
            "LOG_FORMAT": "console",
            "MQTT_PORT": str(ports.broker),
            "MQTT_PROTOCOL": "3.1.1",
            "MQTT_USERNAME": service,
            "MQTT_PASSWORD": passwords[service],
        }
        children.start(service, service, environment={f"{service.upper()}_{k}": v for k, v in (shared | settings).items()})
    wait_for_port(ports.modbus, children, READY_WITHIN_S)


def _start_broker(demo: Demo, installation: Installation) -> dict[str, str]:
    users = broker_users(installation.topics, [plant.name for plant in installation.plants])
    passwords = {user.name: secrets.token_urlsafe(16) for user in users} | {CONSOLE: CONSOLE_PASSWORD}
    users_file = demo.folder / "users.json"
    users_file.write_text(users_json(users, passwords), encoding="utf-8")
    users_file.chmod(0o600)
    demo.children.start("broker", "launcher.embedded_broker", [str(users_file), str(demo.ports.broker)])
    return passwords


def _start_simulator(demo: Demo, credentials: Path) -> None:
    settings = {
        "CONFIG": demo.config,
        "ADS_PORT": demo.ports.ads,
        "OASIS_PORT": demo.ports.oasis,
        "ADMIN_PORT": demo.ports.simulator,
        "INTERVAL_S": INTERVAL_S,
        "OASIS_SPACING_S": "0.4",
        "CERTIFICATE": credentials / "simulator" / "server.pem",
        "KEY": credentials / "simulator" / "server.pem",
        "CLIENT_CA": credentials / "simulator" / "ca.pem",
    }
    demo.children.start("simulator", "simulators", environment={f"SIMULATOR_{k}": str(v) for k, v in settings.items()})


def introduce(demo: Demo, installation: Installation, console: Console) -> None:
    """Say what runs where, and what to try."""
    ports, scripts = demo.ports, _short(Path(sys.executable).parent)
    console.rule("dotbus demonstration", align="left")
    for line in (
        f"CAISO ADS    https://127.0.0.1:{ports.ads}/ADS/APIWebService/v7 (simulated, client certificate)",
        f"CAISO OASIS  http://127.0.0.1:{ports.oasis}/oasisapi (simulated)",
        f"MQTT         127.0.0.1:{ports.broker}, user {CONSOLE}, password {CONSOLE_PASSWORD}, {installation.topic_root}/#",
        f"Modbus TCP   127.0.0.1:{ports.modbus}, {_units(installation)}",
        f"PostgreSQL   {demo.database.reader_url}, user reader, no password",
        f"Files, logs  {demo.folder}",
        "",
        "Try in another terminal:",
        *(f"  {command}" for command in _commands(demo, installation, scripts)),
        "",
        "Each DOT as it arrives at a register. Ctrl-C ends everything.",
    ):
        console.print(Text(line), soft_wrap=True)


def _units(installation: Installation) -> str:
    blocks = installation.modbus.blocks
    return ", ".join(f"unit {b.unit_id} {b.profile} ({', '.join(b.plants) or 'all plants'})" for b in blocks)


def _short(path: Path) -> str:
    """As seen from here, when that is shorter to type."""
    return min(str(path), os.path.relpath(path), key=len)


def _commands(demo: Demo, installation: Installation, scripts: str) -> list[str]:
    broker, topic = demo.ports.broker, f"{installation.topic_root}/plant/+/+/dot"
    subscribe = (
        f"mosquitto_sub -p {broker} -u {CONSOLE} -P {CONSOLE_PASSWORD} -v -t '{topic}'"
        if shutil.which("mosquitto_sub")
        else f"{scripts}/amqtt_sub --url mqtt://{CONSOLE}:{CONSOLE_PASSWORD}@127.0.0.1:{broker} -t '{topic}'"
    )
    query = "SELECT start_at, resource_id, dot_mw FROM instruction WHERE dot_mw IS NOT NULL ORDER BY start_at DESC LIMIT 9"
    return [
        subscribe,
        f"{scripts}/dotbus registers --config {_short(demo.config)} --port {demo.ports.modbus}",
        f'{_short(demo.database.psql)} "{demo.database.reader_url}" -c "{query}"',
    ]


def tell_dots(demo: Demo, register_map: RegisterMap, console: Console, stop: threading.Event) -> None:
    """A line for each DOT as it comes to a register, until told to stop.

    Raises:
        ChildFailed: a part ended.
    """
    registers, told = Registers("127.0.0.1", demo.ports.modbus, register_map), dict[str, float]()
    while not stop.wait(PAUSE_S):
        demo.children.check()
        try:
            shown = {(entry.resource_id, entry.quantity): entry for entry in registers.read()}
        except GatewaySilent:
            continue
        for (resource_id, quantity), entry in shown.items():
            if resource_id and quantity == "dot_start" and entry.value is not None and told.get(resource_id) != entry.value:
                told[resource_id] = entry.value
                console.print(_dot_line({name: other for (its, name), other in shown.items() if its == resource_id}))
    registers.close()


def _dot_line(shown: dict[str, Shown]) -> Text:
    dot, start, end = shown["dot_mw"], shown["dot_start"].at, shown["dot_end"].at
    place = f"unit {dot.unit_id} register {40001 + dot.cell.address}  quality {shown['dot_quality'].value:.0f}"
    number = "no value" if dot.value is None else f"{dot.value:.2f} MW"
    return Text(f"{start:%H:%M:%S} to {end:%H:%M:%S} UTC  {dot.resource_id:<18} {number:>10}  {place}")
