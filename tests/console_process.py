"""The console's own process, and what a page of it is told."""

import json
import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from real_mosquitto import Mosquitto, free_port
from waiting import eventually


class ConsoleProcess:
    """Started on loopback against a broker."""

    def __init__(self, folder: Path, broker: Mosquitto, config: str, **settings: str) -> None:
        self.file = folder / "console.toml"
        self.file.write_text(config)
        self.port, self.health_port = free_port(), free_port()
        environment = {
            "CONFIG": str(self.file),
            "INSTANCE": "test",
            "PORT": str(self.port),
            "HEALTH_PORT": str(self.health_port),
            "MQTT_PORT": str(broker.port),
            "MQTT_KEEPALIVE_S": "5",
            **settings,
        }
        self.log = folder / "console.log"
        with self.log.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "console"],
                env=os.environ | {f"CONSOLE_{name}": value for name, value in environment.items()},
                stderr=output,
            )
        eventually(self.is_ready)

        self.scheme = "https" if "CERTIFICATE_FILE" in settings else "http"

    @property
    def address(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}"

    def is_ready(self) -> bool:
        """Whether it hears the broker."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.health_port}/ready", timeout=20) as reply:
                return reply.status == 200
        except OSError:
            return False

    def events(self, path: str = "/events") -> Iterator[tuple[str, dict[str, Any]]]:
        """What a page is told, one event after the other."""
        with urllib.request.urlopen(self.address + path, timeout=10) as reply:
            kind = ""
            for line in reply:
                name, _, data = line.decode().strip().partition(": ")
                if name == "event":
                    kind = data
                elif name == "data":
                    yield kind, json.loads(data)

    def metric(self, name: str) -> float:
        """One of its own."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.health_port}/metrics", timeout=20) as reply:
            lines = reply.read().decode().splitlines()
        return float(next(line.split()[1] for line in lines if line.startswith(f"{name} ")))

    def freeze(self) -> None:
        """It hangs: its connections stay open, and it says nothing."""
        self.process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        self.process.send_signal(signal.SIGCONT)

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(15)
