"""`alarms` in a process of its own, at a broker on this machine."""

import os
import signal
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
CONFIG = """
environment = "simulator"
[[plant]]
name = "sierra"
[[plant.resource]]
id = "S1"
pmin_mw = 0.0
pmax_mw = 100.0
[modbus]
accept_environments = ["simulator"]
[alarms]
suppress_after_s = 2.0
[alarms.service_down]
on_delay_s = 0.0
off_delay_s = 0.0
"""


class Process:
    """It, started and ended as a test likes.

    Args:
        folder: for its configuration, state and log.
        broker_port: of a broker on this machine.
        more: of its configuration.
        settings: of its environment.
    """

    def __init__(self, folder: Path, broker_port: int, more: str = "", **settings: str) -> None:
        folder.mkdir(exist_ok=True)
        config = folder / "dotbus.toml"
        config.write_text(CONFIG + more)
        self._environment = {
            "ALARMS_CONFIG": str(config),
            "ALARMS_INSTANCE": "main",
            "ALARMS_MQTT_PORT": str(broker_port),
            "ALARMS_STATE_DIR": str(folder / "state"),
            **settings,
        }
        self.log = folder / "alarms.log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "alarms"], env={**os.environ, **self._environment}, stderr=log, cwd=ROOT
            )

    def kill(self) -> None:
        """SIGKILL."""
        self._end(signal.SIGKILL)

    def stop(self) -> int:
        """SIGTERM. Returns the status with which it ended."""
        return self._end(signal.SIGTERM)

    def _end(self, number: int) -> int:
        if self._process is None:
            return 0
        self._process.send_signal(number)
        status = self._process.wait(timeout=30)
        self._process = None
        return status
