"""Child processes of the demonstration: started, watched, stopped in order, none left behind."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from launcher.demo.ports import accepts

STOP_WITHIN_S = 20.0
TAIL_LINES = 25
LOOK_EVERY_S = 0.05


class ChildFailed(Exception):
    """A part ended that should be running, or did not begin to serve; the message has the end of its log."""


class Stopped(Exception):
    """We were told to stop while a part was starting."""


@dataclass
class Child:
    """One part of the demonstration: a Python module as a process, its output in a file of its own."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path

    def check(self) -> None:
        """Raise ChildFailed when it is not running any more."""
        if self.process.poll() is not None:
            raise ChildFailed(f"{self.name} ended with status {self.process.returncode}. {self.tail}")

    @property
    def tail(self) -> str:
        """The end of its log, for people."""
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
        return "\n".join([f"The end of its log ({self.log.name}):", *lines[-TAIL_LINES:]])

    def stop(self) -> None:
        """SIGTERM, and SIGKILL for what does not listen."""
        self.process.terminate()
        try:
            self.process.wait(STOP_WITHIN_S)
        except subprocess.TimeoutExpired:
            self.kill()
        self._let_go()

    def kill(self) -> None:
        """SIGKILL: it, and what it started in its session, can put nothing in order."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        self._let_go()

    def _let_go(self) -> None:
        if self.process.stdin:
            self.process.stdin.close()


@dataclass
class Children:
    """The running parts, in the order of their start.

    Attributes:
        folder: holds their logs.
        stop_asked: set when we are told to stop; nothing is waited for then.
    """

    folder: Path
    stop_asked: threading.Event = field(default_factory=threading.Event)
    running: list[Child] = field(default_factory=list)

    def start(
        self, name: str, module: str, arguments: Sequence[str] = (), environment: Mapping[str, str] | None = None
    ) -> Child:
        """Start `python -m module`, to end no later than we do.

        It gets its own session, so that Ctrl-C reaches only us and we stop it in order.
        """
        log = self.folder / f"{name}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(  # noqa: S603  # our own modules
                [sys.executable, "-m", "launcher.demo.tether", module, *arguments],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**_without_dotbus(os.environ), "PYTHONUNBUFFERED": "1", **(environment or {})},  # logs in their true order
                start_new_session=True,
            )
        child = Child(name, process, log)
        self.running.append(child)
        return child

    def check(self) -> None:
        """Raise ChildFailed when any of them is not running any more."""
        for child in self.running:
            child.check()

    def wait_until(self, ready: Callable[[], bool], child: Child, within_s: float) -> None:
        """Wait until a part is ready.

        Raises:
            ChildFailed: it was not in time, or any part ended meanwhile.
            Stopped: we were told to stop.
        """
        deadline = time.monotonic() + within_s
        while not ready():
            # Asked first: a Ctrl-C also ends a part that has not got its own session yet, and that is no failure of it.
            if self.stop_asked.wait(LOOK_EVERY_S):
                raise Stopped
            self.check()
            if time.monotonic() > deadline:
                raise ChildFailed(f"{child.name} does not serve after {within_s:.0f} s. {child.tail}")

    def wait_for_port(self, port: int, child: Child, within_s: float) -> None:
        """Wait until a part accepts connections on loopback; raises as `wait_until`."""
        self.wait_until(lambda: accepts(port), child, within_s)

    def stop(self) -> None:
        """Stop all, the last started first."""
        while self.running:
            self.running[-1].stop()
            self.running.pop()


def _without_dotbus(environment: Mapping[str, str]) -> dict[str, str]:
    """What a shell happens to have set for a real installation must not reach the demonstration."""
    prefixes = ("ADS_INGEST_", "LMP_INGEST_", "MODBUS_GATEWAY_", "HISTORIAN_", "ALARMS_", "CONSOLE_", "SIMULATOR_")
    return {name: value for name, value in environment.items() if not name.startswith(prefixes)}
