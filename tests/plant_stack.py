"""A whole installation for stories: simulator, real Mosquitto, real PostgreSQL and services, each of which can be killed."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

import requests
from real_mosquitto import Mosquitto, free_port
from waiting import eventually

from dotbus.runtime.installation.file import load_installation
from launcher.demo.children import Child, Children
from launcher.look.registers import GatewaySilent, Registers, Shown
from launcher.look.rows import Rows
from launcher.look.sent import Sent, Simulator
from launcher.setup.provision import Provision
from modbus_gateway.map.draft import read_map

CONFIG = """
environment = "{accept}"
[[plant]]
name = "sierra"
[[plant.resource]]
id = "SIERRA_2_SOLAR1"
node = "BAYSHOR2_1_N001"
variable = true
pmin_mw = 0.0
pmax_mw = 100.0
ramp_mw_per_min = 200.0
[[plant]]
name = "delta"
[[plant.resource]]
id = "DELTA_6_HYDRO1"
node = "CATALYST_7_N002"
pmin_mw = 5.0
pmax_mw = 80.0
ramp_mw_per_min = 100.0
[prices]
markets = ["RTM"]
[modbus]
accept_environments = ["{accept}"]
stale_after_s = 6.0
[[modbus.block]]
profile = "classic"
unit_id = 1
[[modbus.block]]
profile = "plant"
unit_id = 11
"""
INTERVAL_S = 6
NODE_OF = {"SIERRA_2_SOLAR1": "BAYSHOR2_1_N001", "DELTA_6_HYDRO1": "CATALYST_7_N002"}
RESOURCES = tuple(NODE_OF)
SERVICES = ("historian", "modbus_gateway", "ads_ingest", "lmp_ingest")


def about(entries: list[Shown], resource_id: str) -> dict[str, Shown]:
    """What is shown of a resource, of its node, and of the whole unit, by quantity."""
    mine = (None, resource_id), (None, NODE_OF[resource_id])
    return {entry.quantity: entry for entry in entries if entry.resource_id in mine[0] and entry.node in mine[1]}


class PlantStack:
    """Everything of one installation, on loopback, with short dispatch intervals.

    Args:
        folder: configuration, credentials, state and logs.
        broker: a started Mosquitto, open to anybody on loopback.
        database_url: of an empty database; without one there is no historian.
        config: dotbus.toml, with `{accept}` for the environment.
        settings: more of each part's environment variables, without its prefix.
    """

    def __init__(
        self,
        folder: Path,
        broker: Mosquitto,
        database_url: str | None,
        *,
        config: str = CONFIG,
        settings: Mapping[str, Mapping[str, str]] | None = None,
    ) -> None:
        self.folder = folder
        self.services = tuple(name for name in SERVICES if database_url or name != "historian")
        self.config_text = config
        self.broker = broker
        self.children = Children(folder)
        self._ports = {name: free_port() for name in ("modbus", "ads", "oasis", "admin")}
        self._config = folder / "dotbus.toml"
        self._config.write_text(config.format(accept="simulator"))
        self._credentials = folder / "credentials"
        self.installation = load_installation(self._config)
        Provision(self._credentials).run(self.installation, None, datetime.now(UTC))
        self.rows = Rows(database_url) if database_url else None
        self.simulator = Simulator(f"http://127.0.0.1:{self._ports['admin']}")
        self._registers = Registers("127.0.0.1", self._ports["modbus"], read_map(self.installation))
        self._more_registers: list[Registers] = []
        self._settings = self._settings_of(database_url, settings or {})
        self._running: dict[str, Child] = {}

    def start(self, *names: str) -> None:
        """Start parts by name, the simulator first and all of them unless told."""
        for name in names or ("simulator", *self.services):
            self.start_as(name, "simulators" if name == "simulator" else name)

    def start_as(self, name: str, module: str, *arguments: str, **environment: str) -> None:
        """Start a part in another way than usual: another module, or with more variables."""
        variables = {**self._settings[name], **environment}
        child = self._running[name] = self.children.start(name, module, arguments, variables)
        if name == "simulator":
            self.children.wait_for_port(self._ports["ads"], child, 30)
        if name == "modbus_gateway":
            self.children.wait_for_port(self._ports["modbus"], child, 30)

    def start_second(self, name: str, service: str, **environment: str) -> Child:
        """Start another instance of a service. Whoever started it ends it."""
        return self.children.start(name, service, environment={**self._settings[service], **environment})

    def gateway_accepting(self, environment: str) -> Callable[[], dict[str, Shown]]:
        """Start a second gateway that accepts one environment. Returns what reads its registers of the first resource."""
        config, port = self.folder / f"{environment}.toml", free_port()
        config.write_text(self.config_text.format(accept=environment))
        own = {"CONFIG": str(config), "INSTANCE": "b", "PORT": str(port)}
        settings = self._settings["modbus_gateway"] | {f"MODBUS_GATEWAY_{key}": text for key, text in own.items()}
        gateway = self.children.start("second_gateway", "modbus_gateway", environment=settings)
        self.children.wait_for_port(port, gateway, 30)
        registers = Registers("127.0.0.1", port, read_map(load_installation(config)))
        self._more_registers.append(registers)
        return lambda: about(registers.read(frozenset({11})), RESOURCES[0])

    def start_missing(self) -> None:
        """Start what does not run."""
        missing = [name for name in ("simulator", *self.services) if name not in self._running]
        if missing:
            self.start(*missing)

    def end(self, name: str) -> int:
        """SIGTERM. Returns the exit status."""
        child = self._running.pop(name)
        self.children.running.remove(child)
        child.stop()
        return child.process.returncode

    def kill(self, name: str) -> None:
        """SIGKILL: it can put nothing in order."""
        child = self._running.pop(name)
        self.children.running.remove(child)
        child.kill()

    def send_signal(self, name: str, number: int) -> None:
        """Any other signal, such as SIGSTOP."""
        self._running[name].process.send_signal(number)

    def environment_of(self, name: str) -> Mapping[str, str]:
        """The variables of a part, for its commands."""
        return self._settings[name]

    def process_id(self, name: str) -> int:
        """The operating system's number of a running part."""
        return self._running[name].process.pid

    def port(self, name: str) -> int:
        """Where a part listens: modbus, ads, oasis or admin."""
        return self._ports[name]

    def stop(self) -> None:
        """End everything."""
        for registers in (self._registers, *self._more_registers):
            registers.close()
        if self.rows:
            self.rows.close()
        self.children.stop()

    def log(self, name: str) -> str:
        """What a part has logged since its last start."""
        return (self.folder / f"{name}.log").read_text(errors="replace")

    def sent(self) -> Sent:
        """What the simulated ADS issued so far."""
        return self.simulator.sent()

    def ask_simulator(self, path: str, **body: object) -> None:
        """POST to the simulator's own address: a fault, a cancellation, a revision."""
        requests.post(f"http://127.0.0.1:{self._ports['admin']}{path}", json=body, timeout=20).raise_for_status()

    def shown(self, resource_id: str = RESOURCES[0], unit_id: int = 11) -> dict[str, Shown]:
        """What the registers of one resource and of the whole unit show now, by quantity; empty while nobody serves them."""
        try:
            entries = self._registers.read(frozenset({unit_id}))
        except GatewaySilent:
            return {}
        return about(entries, resource_id)

    def value(self, quantity: str, resource_id: str = RESOURCES[0], unit_id: int = 11) -> float | None:
        """One register's value, None when it shows none."""
        entry = self.shown(resource_id, unit_id).get(quantity)
        return entry.value if entry else None

    def wait_until_good(self, within_s: float = 60.0) -> None:
        """Wait until every resource has a good DOT, trajectory and price."""
        wanted = ("dot_quality", "trajectory_quality", "lmp_active_quality")
        eventually(lambda: all(self.value(q, r) == 192 for r in RESOURCES for q in wanted), within_s, 0.3)

    def _settings_of(self, database_url: str | None, more: Mapping[str, Mapping[str, str]]) -> dict[str, dict[str, str]]:
        ads = self._credentials / "ads_ingest"
        own = {
            "historian": {"DATABASE_URL": database_url or ""},
            "modbus_gateway": {"PORT": str(self._ports["modbus"])},
            "lmp_ingest": {
                "URL": f"http://127.0.0.1:{self._ports['oasis']}/oasisapi",
                "SPACING_S": "0.5",
                "STATE_DIR": str(self.folder / "lmp_ingest"),
            },
            "ads_ingest": {
                "URL": f"https://127.0.0.1:{self._ports['ads']}/ADS/APIWebService/v7",
                "CERTIFICATE_FILE": str(ads / "client.pem"),
                "CA_FILE": str(ads / "ca.pem"),
                "POLL_S": "0.5",
                "RECHECK_S": "1",
                "TIMEOUT_S": "3",
                "STATE_DIR": str(self.folder / "ads_ingest"),
            },
        }
        shared = {"CONFIG": str(self._config), "INSTANCE": "a", "MQTT_PORT": str(self.broker.port), "LOG_FORMAT": "json"}
        of_services = {
            name: {f"{name.upper()}_{key}": text for key, text in (shared | settings | more.get(name, {})).items()}
            for name, settings in own.items()
        }
        return of_services | {"simulator": self._settings_of_simulator(more.get("simulator", {}))}

    def _settings_of_simulator(self, more: Mapping[str, str]) -> dict[str, str]:
        server = self._credentials / "simulator"
        settings = {
            "CONFIG": str(self._config),
            "ADS_PORT": str(self._ports["ads"]),
            "OASIS_PORT": str(self._ports["oasis"]),
            "ADMIN_PORT": str(self._ports["admin"]),
            "INTERVAL_S": str(INTERVAL_S),
            "OASIS_SPACING_S": "0.4",
            "CERTIFICATE": str(server / "server.pem"),
            "KEY": str(server / "server.pem"),
            "CLIENT_CA": str(server / "ca.pem"),
        }
        return {f"SIMULATOR_{key}": text for key, text in (settings | more).items()}
