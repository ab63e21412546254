"""Parts: the processes of an installation, and how each is killed, ended, frozen, cut off, and given a wrong clock."""

import resource
import shutil
import signal
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from cutting_proxy import CuttingProxy
from faults.shifted_clock import set_shift

from launcher.demo.children import Child, Children

TESTS = Path(__file__).parents[1]
LOG_ROOM_BYTES = 20_000
"""What a process whose files must not grow may still write to its log."""


@dataclass(frozen=True)
class Recipe:
    """How a part is started.

    Attributes:
        name: of the part.
        module: what Python runs.
        environment: its variables.
        state: the folder that it keeps things in, if any.
    """

    name: str
    module: str
    environment: Mapping[str, str]
    state: Path | None = None


@dataclass
class Part:
    """A process that may be gone. Each start has a log of its own.

    Attributes:
        to_broker: what it reaches the broker through.
        to_database: likewise, of a historian.
    """

    recipe: Recipe
    children: Children
    to_broker: CuttingProxy
    to_database: CuttingProxy | None = None
    starts: int = 0
    child: Child | None = None
    frozen: bool = False
    lock: threading.RLock = field(default_factory=threading.RLock)

    def start(self) -> None:
        """Start it unless it runs, its clock right."""
        with self.lock:
            if self.is_running:
                return
            self.starts += 1
            self.set_clock(0)
            own = {"SHIFT_FILE": str(self._clock), "PYTHONPATH": str(TESTS)}
            log_name = f"{self.recipe.name}.{self.starts}"
            environment = {**self.recipe.environment, **own}
            self.child = self.children.start(log_name, "faults.shifted_clock", [self.recipe.module], environment)

    @property
    def is_running(self) -> bool:
        """Whether the process is there, frozen or not."""
        return self.child is not None and self.child.process.poll() is None

    @property
    def exit_status(self) -> int | None:
        """What the last process ended with, None while it runs."""
        return self.child.process.poll() if self.child else None

    def kill(self) -> None:
        """SIGKILL: it can put nothing in order."""
        self._end(lambda child: child.kill())

    def end(self) -> None:
        """SIGTERM, and wait for the end."""
        self.resume()
        self._end(lambda child: child.stop())

    def _end(self, how) -> None:
        with self.lock:
            if self.child and self.child in self.children.running:
                self.children.running.remove(self.child)
                how(self.child)
            self.frozen = False

    def freeze(self) -> None:
        """SIGSTOP."""
        self.frozen = True
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """SIGCONT."""
        if self.frozen:
            self.frozen = False
            self._signal(signal.SIGCONT)

    def _signal(self, number: int) -> None:
        if self.child and self.is_running:
            self.child.process.send_signal(number)

    def set_clock(self, ahead_s: float) -> None:
        """Its wall clock is ours plus so many seconds from now on."""
        set_shift(self._clock, ahead_s)

    @property
    def _clock(self) -> Path:
        return self.children.folder / f"{self.recipe.name}.clock"

    def fill_disk(self) -> None:
        """No file of the process may grow beyond what its log takes, as on a disk that is full."""
        if self.child and self.is_running:
            most = self.child.log.stat().st_size + LOG_ROOM_BYTES
            self._limit(most)

    def free_disk(self) -> None:
        """Files may grow again."""
        self._limit(None)

    def _limit(self, most_bytes: int | None) -> None:
        if self.child and self.is_running:
            number = self.child.process.pid
            _, hard = resource.prlimit(number, resource.RLIMIT_FSIZE)
            resource.prlimit(number, resource.RLIMIT_FSIZE, (hard if most_bytes is None else most_bytes, hard))

    def back_up(self) -> None:
        """Copy what it keeps, while it does not run."""
        if self.recipe.state and self.recipe.state.exists():
            shutil.rmtree(self._copy, ignore_errors=True)
            shutil.copytree(self.recipe.state, self._copy)

    @property
    def has_copy(self) -> bool:
        """Whether there is an older copy."""
        return self._copy.exists()

    def restore(self) -> None:
        """Put the copy in the place of what it keeps, while it does not run."""
        if self.recipe.state and self._copy.exists():
            shutil.rmtree(self.recipe.state)
            shutil.copytree(self._copy, self.recipe.state)

    @property
    def _copy(self) -> Path:
        return self.children.folder / f"{self.recipe.name}.copy"

    def log(self) -> str:
        """What it has logged since its last start."""
        return self.child.log.read_text(errors="replace") if self.child else ""
