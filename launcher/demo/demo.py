"""`dotbus demo`: everything on this machine in one command, against a simulated CAISO. Nothing listens beyond 127.0.0.1.

Broker and database come from pip, the files live in a folder that is removed at the end, and so are all processes.
"""

import secrets
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from dotbus.runtime.installation.installation import Installation
from launcher.demo.children import Child, Children
from launcher.demo.embedded_broker import users_json
from launcher.demo.embedded_database import OWNER_ROLE, READER_ROLE, WRITER_ROLE, EmbeddedDatabase, read_told
from launcher.demo.ports import claimed_ports
from launcher.setup.broker_users import CONSOLE, CONSOLE_PAGE, broker_users
from launcher.setup.provision import Provision

INTERVAL_S = 15
"""Dispatch intervals of the demonstration: CAISO's are five minutes, and nobody waits so long to see one change."""
READY_WITHIN_S = 40.0
CONSOLE_PASSWORD = "demo"  # noqa: S105  # meant to be typed by a person, on loopback, for one run
_PREFERRED = {"broker": 1883, "modbus": 5020, "ads": 8447, "oasis": 8448, "simulator": 8449, "api": 8090, "console": 8080}


@dataclass(frozen=True)
class Ports:
    """Where the parts listen, all on 127.0.0.1."""

    broker: int
    modbus: int
    ads: int
    oasis: int
    simulator: int
    api: int
    console: int


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

    def variables_of(self, service: str) -> Path:
        """The file with a service's environment."""
        return self.folder / f"{service}.env"


@contextmanager
def running_demo(
    config: Path, installation: Installation, folder: Path, now: datetime, stop: threading.Event
) -> Iterator[Demo]:
    """Start every part, wait until the gateway serves, and stop all of them at the end, whatever happens.

    Raises:
        ChildFailed: a part did not start; the message has the end of its log.
        NoFreePort: there is no port for a part.
        Stopped: `stop` was set before everything ran.
    """
    children = Children(folder, stop)
    credentials = folder / "credentials"
    try:
        with claimed_ports(_PREFERRED) as ports:
            Provision(credentials).run(installation, None, now)
            demo = Demo(config, folder, Ports(**ports), _start_database(children), children)
            _start(demo, installation, credentials)
            yield demo
            children.stop()
    finally:
        children.stop()


def _start_database(children: Children) -> EmbeddedDatabase:
    files, told = children.folder / "postgres", children.folder / "database.json"
    # It keeps a lock in the runtime folder: in one of its own nobody else's is in its way.
    environment = {"XDG_RUNTIME_DIR": str(children.folder)}
    child = children.start("database", "launcher.demo.embedded_database", [str(files), str(told)], environment)
    children.wait_until(told.exists, child, READY_WITHIN_S)
    return read_told(told)


def _start(demo: Demo, installation: Installation, credentials: Path) -> None:
    children, ports = demo.children, demo.ports
    passwords, broker = _start_broker(demo, installation)
    simulator = _start_simulator(demo, credentials)
    children.wait_for_port(ports.broker, broker, READY_WITHIN_S)
    for port in (ports.ads, ports.oasis, ports.simulator):
        children.wait_for_port(port, simulator, READY_WITHIN_S)
    own = {
        "historian": {
            "DATABASE_URL": demo.database.historian_url,
            "OWNER_ROLE": OWNER_ROLE,
            "WRITER_ROLE": WRITER_ROLE,
            "READER_ROLE": READER_ROLE,
        },
        "modbus_gateway": {"PORT": str(ports.modbus)},
        "alarms": {"STATE_DIR": str(demo.folder / "alarms")},
        "lmp_ingest": {
            "URL": f"http://127.0.0.1:{ports.oasis}/oasisapi",
            "SPACING_S": "0.5",
            "CORRECTIONS_BACK_H": "50",  # the first question brings all of yesterday, of 25 hours, too: charts are not empty
            "STATE_DIR": str(demo.folder / "lmp_ingest"),
        },
        "ads_ingest": {
            "URL": f"https://127.0.0.1:{ports.ads}/ADS/APIWebService/v7",
            "CERTIFICATE_FILE": str(credentials / "ads_ingest" / "client.pem"),
            "CA_FILE": str(credentials / "ads_ingest" / "ca.pem"),
            "POLL_S": "1",
            "RECHECK_S": "5",
            "VALIDATE_BATCHES": "true",
            "STATE_DIR": str(demo.folder / "ads_ingest"),
        },
    }
    shared = {
        "CONFIG": str(demo.config),
        "INSTANCE": "demo",
        "LOG_FORMAT": "console",
        "MQTT_PORT": str(ports.broker),
        "MQTT_PROTOCOL": "3.1.1",
    }
    started = {}
    for service, settings in own.items():
        user = {"MQTT_USERNAME": service, "MQTT_PASSWORD": passwords[service]}
        variables = {f"{service.upper()}_{name}": value for name, value in (shared | user | settings).items()}
        _keep(demo.variables_of(service), variables)
        started[service] = children.start(service, service, environment=variables)
    _keep(demo.variables_of("dotbus"), _of_who_looks(demo))
    console = _start_console(demo, passwords[CONSOLE_PAGE])
    api = _start_api(demo)
    children.wait_for_port(ports.console, console, READY_WITHIN_S)
    children.wait_for_port(ports.api, api, READY_WITHIN_S)
    children.wait_for_port(ports.modbus, started["modbus_gateway"], READY_WITHIN_S)


def _of_who_looks(demo: Demo) -> dict[str, str]:
    """The environment of `dotbus status`, `dotbus alarms` and so on."""
    settings = {
        "CONFIG": str(demo.config),
        "MQTT_PORT": str(demo.ports.broker),
        "MQTT_PROTOCOL": "3.1.1",
        "MQTT_USERNAME": CONSOLE,
        "MQTT_PASSWORD": CONSOLE_PASSWORD,
        "MODBUS_PORT": str(demo.ports.modbus),
        "DATABASE_URL": demo.database.reader_url,
        "SIMULATOR_URL": demo.simulator_url,
    }
    return {f"DOTBUS_{name}": value for name, value in settings.items()}


def _start_api(demo: Demo) -> Child:
    settings = {
        "CONFIG": str(demo.config),
        "INSTANCE": "demo",
        "LOG_FORMAT": "console",
        "DATABASE_URL": demo.database.reader_url,
        "PORT": str(demo.ports.api),
        "WITHOUT_KEYS": "true",  # on loopback, for one run
    }
    variables = {f"HISTORIAN_API_{name}": value for name, value in settings.items()}
    return demo.children.start("historian_api", "historian", ["api"], variables)


def _start_console(demo: Demo, password: str) -> Child:
    settings = {
        "CONFIG": str(demo.config),
        "INSTANCE": "demo",
        "LOG_FORMAT": "console",
        "MQTT_PORT": str(demo.ports.broker),
        "MQTT_PROTOCOL": "3.1.1",
        "MQTT_USERNAME": CONSOLE_PAGE,
        "MQTT_PASSWORD": password,
        "PORT": str(demo.ports.console),
        "LOCAL_ROLE": "operator",  # on loopback, for one run
    }
    return demo.children.start("console", "console", environment={f"CONSOLE_{name}": value for name, value in settings.items()})


def _keep(file: Path, variables: Mapping[str, str]) -> None:
    """For commands of the same service by hand: its password is in it."""
    file.touch(mode=0o600)
    file.write_text("".join(f"{name}={value}\n" for name, value in variables.items()), encoding="utf-8")


def _start_broker(demo: Demo, installation: Installation) -> tuple[dict[str, str], Child]:
    users = broker_users(installation.topics, [plant.name for plant in installation.plants])
    passwords = {user.name: secrets.token_urlsafe(16) for user in users} | {CONSOLE: CONSOLE_PASSWORD}
    users_file = demo.folder / "users.json"
    users_file.write_text(users_json(users, passwords), encoding="utf-8")
    users_file.chmod(0o600)
    return passwords, demo.children.start("broker", "launcher.demo.embedded_broker", [str(users_file), str(demo.ports.broker)])


def _start_simulator(demo: Demo, credentials: Path) -> Child:
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
    return demo.children.start("simulator", "simulators", environment={f"SIMULATOR_{k}": str(v) for k, v in settings.items()})
