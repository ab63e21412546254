"""Stack: the installation that chaos comes over, from CAISO to the database, with every connection through a proxy."""

from collections.abc import Mapping
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

import requests
from chaos import installation
from chaos.database import start_database
from chaos.parts import Part, Recipe
from chaos.volume import told_in
from cutting_proxy import CuttingProxy
from real_mosquitto import free_port, remove_mosquitto, start_mosquitto

from dotbus.runtime.installation.file import load_installation
from launcher.demo.children import Children
from launcher.setup.provision import Provision

VOLUME = "volume"
SERVICES = ("ads_ingest", "lmp_ingest", *installation.HISTORIANS)


class Stack:
    """Simulator, broker, database, both ingests, a source of many events, and two historians that share a subscription.

    Args:
        folder: of its own.
        disk_mb: how large the database's disk is, where it can be made.
        rate: events a second of the source of many.
        seed: of the simulator.

    Attributes:
        parts: the processes that may be gone, by name.
        database_url: as psql reaches it, past every proxy.
    """

    def __init__(self, folder: Path, *, disk_mb: int, rate: float, seed: int) -> None:
        self.folder = folder
        self._broker_folders = 0
        self._write_configuration()
        self.children = Children(folder)
        with ExitStack() as begun:
            self.broker = start_mosquitto(self._new_folder())
            begun.callback(lambda: remove_mosquitto(self.broker))  # the one that is there at the end
            self.postgres, self.database_url = start_database(folder / "postgres", disk_mb)
            begun.callback(self.postgres.remove)
            to_broker = {name: CuttingProxy(self.broker.port) for name in (*SERVICES, VOLUME)}
            to_database = {name: CuttingProxy(self.postgres.port) for name in installation.HISTORIANS}
            self._ports = {name: free_port() for name in ("ads", "oasis", "admin")}
            self._simulator_settings = installation.simulator_settings(folder, self._ports, seed)
            self.parts = self._make_parts(rate, to_broker, to_database)
            begun.callback(self._stop_parts)
            self._ending = begun.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.close()

    def _write_configuration(self) -> None:
        (self.folder / "dotbus.toml").write_text(installation.config())
        loaded = load_installation(self.folder / "dotbus.toml")
        Provision(self.folder / "credentials").run(loaded, None, datetime.now(UTC))

    def _make_parts(
        self, rate: float, to_broker: Mapping[str, CuttingProxy], to_database: Mapping[str, CuttingProxy]
    ) -> dict[str, Part]:
        urls = {
            name: self.database_url.replace(f":{self.postgres.port}/", f":{proxy.port}/") for name, proxy in to_database.items()
        }
        parts = {}
        for name, environment in installation.settings(self.folder, self._ports, urls).items():
            mine = {**environment, f"{installation.prefix_of(name)}_MQTT_PORT": str(to_broker[name].port)}
            state = self.folder / name if name.endswith("_ingest") else None
            recipe = Recipe(name, installation.module_of(name), mine, state)
            parts[name] = Part(recipe, self.children, to_broker[name], to_database.get(name))
        folder = self.folder / VOLUME
        folder.mkdir()
        of_volume = {"VOLUME_FOLDER": str(folder), "VOLUME_PORT": str(to_broker[VOLUME].port), "VOLUME_RATE": str(rate)}
        recipe = Recipe(VOLUME, "chaos.volume", of_volume, folder / "state")
        parts[VOLUME] = Part(recipe, self.children, to_broker[VOLUME])
        return parts

    def start(self) -> None:
        """Start everything, the simulator first."""
        simulator = self.children.start("simulator", "simulators", environment=self._simulator_settings)
        self.children.wait_for_port(self._ports["admin"], simulator, 60)
        self.start_missing()

    def start_missing(self) -> None:
        """Start every part that does not run."""
        for part in self.parts.values():
            part.start()

    def _stop_parts(self) -> None:
        for part in self.parts.values():
            part.resume()
        self.children.stop()
        for part in self.parts.values():
            part.to_broker.close()
            if part.to_database:
                part.to_database.close()

    def replace_broker(self) -> None:
        """Another broker in the place of the one that was killed: it knows no session, and retains nothing."""
        remove_mosquitto(self.broker)
        self.broker = start_mosquitto(self._new_folder(), port=self.broker.port)

    def _new_folder(self) -> Path:
        self._broker_folders += 1
        folder = self.folder / f"broker{self._broker_folders}"
        folder.mkdir(parents=True)
        return folder

    def ask_simulator(self, path: str, **body: object) -> bool:
        """An order to the simulator. Returns whether it was carried out."""
        return requests.post(f"http://127.0.0.1:{self._ports['admin']}{path}", json=body, timeout=30).ok

    def read_simulator(self, path: str, **query: str) -> bytes:
        """What the simulator says of itself."""
        reply = requests.get(f"http://127.0.0.1:{self._ports['admin']}{path}", params=query, timeout=60)
        reply.raise_for_status()
        return reply.content

    def pause_volume(self) -> None:
        """The source of many says nothing new, and goes on delivering."""
        (self.folder / VOLUME / "pause").touch()

    def volume_told(self) -> int:
        """How many events the source of many had on its disk, at least."""
        return told_in(self.folder / VOLUME)
