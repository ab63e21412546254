"""`historian` in a process of its own, between a broker and a database."""

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
CONFIG = """
environment = "simulator"
[[plant]]
name = "sierra"
[[plant.resource]]
id = "TEST_RESOURCE_1"
"""


class Process:
    """It, started and ended as a test likes.

    Args:
        folder: for its configuration and log.
        broker_port: of a broker on this machine.
        database: its address.
        settings: of its environment.
    """

    def __init__(self, folder: Path, broker_port: int, database: str, **settings: str) -> None:
        folder.mkdir(exist_ok=True)
        config = folder / "dotbus.toml"
        config.write_text(CONFIG)
        self.environment = {
            "HISTORIAN_CONFIG": str(config),
            "HISTORIAN_INSTANCE": "h",
            "HISTORIAN_DATABASE_URL": database,
            "HISTORIAN_MQTT_PORT": str(broker_port),
            "HISTORIAN_REPLAY_GRACE_S": "0.5",
            **settings,
        }
        self._log = folder / "historian.log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "historian"], env={**os.environ, **self.environment}, stderr=log, cwd=ROOT
            )

    @property
    def pid(self) -> int:
        """Of the process, which was started."""
        assert self._process is not None
        return self._process.pid

    def end(self, number: int) -> int:
        """Send a signal. Returns the status with which it ended."""
        assert self._process is not None
        self._process.send_signal(number)
        return self._process.wait(timeout=30)

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """One of its commands, to the end."""
        command = [sys.executable, "-m", "historian", *arguments]
        return subprocess.run(
            command, env={**os.environ, **self.environment}, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60
        )

    def said(self, event: str) -> list[dict]:
        """The log's entries of one kind."""
        lines = self._log.read_text().splitlines() if self._log.exists() else []
        return [entry for entry in (json.loads(line) for line in lines if line.startswith("{")) if entry["event"] == event]

    @property
    def is_ready(self) -> bool:
        """Whether it takes what comes."""
        return bool(self.said("connected") and self.said("the tables are ready"))

    def clean_up(self) -> None:
        """End it, if it still runs."""
        if self._process and self._process.poll() is None:
            self._process.kill()
            self._process.wait()
