"""Child processes of the demonstration: started, watched, stopped in order, none left behind."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

STOP_WITHIN_S = 10.0
TAIL_LINES = 25


class ChildFailed(Exception):
    """A part ended that should be running; the message has the end of its log."""


@dataclass
class Child:
    """One part of the demonstration: a Python module as a process, its output in a file of its own."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path

    def check(self) -> None:
        """Raise ChildFailed when it is not running any more."""
        if self.process.poll() is not None:
            tail = "\n".join(self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-TAIL_LINES:])
            raise ChildFailed(f"{self.name} ended with status {self.process.returncode}. The end of its log:\n{tail}")

    def stop(self) -> None:
        """SIGTERM, and SIGKILL for what does not listen."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(STOP_WITHIN_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


@dataclass
class Children:
    """The running parts, in the order of their start."""

    folder: Path
    running: list[Child] = field(default_factory=list)

    def start(
        self, name: str, module: str, arguments: Sequence[str] = (), environment: Mapping[str, str] | None = None
    ) -> Child:
        """Start `python -m module`. It gets its own session, so that Ctrl-C reaches only us and we stop it in order."""
        log = self.folder / f"{name}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(  # noqa: S603  # our own modules
                [sys.executable, "-m", module, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**_without_dotbus(os.environ), **(environment or {})},
                start_new_session=True,
            )
        child = Child(name, process, log)
        self.running.append(child)
        return child

    def check(self) -> None:
        """Raise ChildFailed when any of them is not running any more."""
        for child in self.running:
            child.check()

    def stop(self) -> None:
        """Stop all, the last started first."""
        for child in reversed(self.running):
            child.stop()
        self.running.clear()


def _without_dotbus(environment: Mapping[str, str]) -> dict[str, str]:
    """What a shell happens to have set for a real installation must not reach the demonstration."""
    prefixes = ("ADS_INGEST_", "LMP_INGEST_", "MODBUS_GATEWAY_", "HISTORIAN_", "SIMULATOR_")
    return {name: value for name, value in environment.items() if not name.startswith(prefixes)}


def free_port(preferred: int) -> int:
    """The preferred port of loopback, or any free one when something has it."""
    for candidate in (preferred, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", candidate))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise ChildFailed("no free port on 127.0.0.1")


def wait_for_port(port: int, children: Children, within_s: float) -> None:
    """Wait until something accepts connections on loopback.

    Raises:
        ChildFailed: a part ended meanwhile, or nothing accepted in time.
    """
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        children.check()
        try:
            socket.create_connection(("127.0.0.1", port), timeout=0.5).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise ChildFailed(f"nothing listens on 127.0.0.1:{port} after {within_s:.0f} s")


def ignore_interrupts() -> None:
    """While things are put away a second Ctrl-C must not leave half of them behind."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
