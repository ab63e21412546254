"""Processes: the API served by several, which a core each can work for: started, started again when one ends, ended together.

This one serves no question. It keeps the port for the others, counts their answers together for Prometheus, and looks after
them; each listens by itself, and those that are left answer everybody while one is away.
"""

import multiprocessing
import os
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from multiprocessing.context import SpawnProcess
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Final

from prometheus_client import CollectorRegistry
from prometheus_client.multiprocess import MultiProcessCollector

from dotbus.runtime.logs import get_logger
from dotbus.runtime.metrics import serving_health
from dotbus.web.serving import STOP_WITHIN_S
from historian.api.keys.ledger import Ledger
from historian.api.opening import QUESTIONS, answers, entrance, open_reader
from historian.api.settings import ApiConfiguration

LOOK_EVERY_S: Final = 0.2
PAUSES_S: Final = (0.0, 1.0, 2.0, 5.0, 10.0, 30.0)
"""Before one is started again, the more often it ended soon; the last one stays."""
SOON_S: Final = 60.0
KILL_AFTER_S: Final = STOP_WITHIN_S + 3
"""Told to end, it breaks off what is not answered by then."""
COUNTED_IN: Final = "PROMETHEUS_MULTIPROC_DIR"
"""Where prometheus_client keeps what processes count, each in files of its own. It reads this when it is imported."""


def run_processes(service: str, configuration: ApiConfiguration, stop: threading.Event) -> None:
    """Serve with as many processes as the settings say, until told to stop.

    Raises:
        CannotStart: the port cannot be listened on, or certificate and key cannot be used.
    """
    settings, registry = configuration.own, CollectorRegistry()
    entrance(settings).tls()
    with ExitStack() as running:
        running.enter_context(entrance(settings).reserve(QUESTIONS))
        folder = Path(running.enter_context(tempfile.TemporaryDirectory(prefix="dotbus-api-")))
        os.environ[COUNTED_IN] = str(folder)
        MultiProcessCollector(registry, path=str(folder))  # type: ignore[no-untyped-call]
        ledger = running.enter_context(Ledger(folder / "limits.sqlite"))
        reader = open_reader(settings)
        running.callback(reader.close)
        running.enter_context(reader.watched())

        def start(number: int) -> Part:
            return start_part(service, configuration, number, folder / "limits.sqlite")

        processes = Processes(settings.processes, start, ledger.end_streams_of)

        def health() -> dict[str, object]:
            serving, is_there = processes.serving, answers(reader)
            return {"alive": True, "ready": is_there and serving > 0, "database": is_there, "processes": serving}

        running.callback(processes.end)
        running.enter_context(serving_health(configuration.service, registry, health))
        processes.look_after(stop)


@dataclass(frozen=True)
class Part:
    """One of the processes.

    Attributes:
        listens: it said that it does.
    """

    process: SpawnProcess
    listens: Event


def start_part(service: str, configuration: ApiConfiguration, number: int, limits: Path) -> Part:
    """Start one: anew, with the configuration that was read once, and with no thread or connection of ours."""
    spawning = multiprocessing.get_context("spawn")
    listens = spawning.Event()
    arguments = (service, configuration, number, limits, listens)
    process = spawning.Process(target=_run, args=arguments, name=f"part {number}", daemon=True)
    process.start()
    return Part(process, listens)


def _run(service: str, configuration: ApiConfiguration, number: int, limits: Path, listens: Event) -> None:
    from historian.api.process import run_part  # noqa: PLC0415  # who looks after them needs no server

    run_part(service, configuration, number, limits, listens)


@dataclass
class _Place:
    """Of one of them: what runs now, and when to start it again."""

    number: int
    part: Part | None = None
    began_s: float = 0.0
    ended_soon: int = 0
    again_s: float = field(default=float("-inf"))


class Processes:
    """Keeps so many running.

    Args:
        count: so many.
        start: starts one.
        ended: is told the process id of one that is no more.
        monotonic: seconds that no clock change touches.
    """

    def __init__(
        self,
        count: int,
        start: Callable[[int], Part],
        ended: Callable[[int], None],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._places = [_Place(number) for number in range(count)]
        self._start = start
        self._ended = ended
        self._monotonic = monotonic

    @property
    def serving(self) -> int:
        """How many of them answer."""
        parts = [place.part for place in self._places]
        return sum(part is not None and part.listens.is_set() and part.process.exitcode is None for part in parts)

    def look_after(self, stop: threading.Event) -> None:
        """Start all, and again whichever ends, until told to stop."""
        while True:
            for place in self._places:
                self._look_at(place)
            if stop.wait(LOOK_EVERY_S):
                return

    def end(self) -> None:
        """End all in order, and those that do not by force."""
        parts = [place.part for place in self._places if place.part]
        for part in parts:
            part.process.terminate()
        until_s = self._monotonic() + KILL_AFTER_S
        for part in parts:
            part.process.join(max(0.0, until_s - self._monotonic()))
            if part.process.exitcode is None:
                part.process.kill()
                part.process.join()

    def _look_at(self, place: _Place) -> None:
        now_s = self._monotonic()
        if place.part is None:
            if now_s >= place.again_s:
                place.part, place.began_s = self._start(place.number), now_s
        elif place.part.process.exitcode is not None:
            self._note_end(place, place.part.process, now_s)

    def _note_end(self, place: _Place, process: SpawnProcess, now_s: float) -> None:
        place.part = None
        place.ended_soon = place.ended_soon + 1 if now_s - place.began_s < SOON_S else 0
        pause_s = PAUSES_S[min(place.ended_soon, len(PAUSES_S) - 1)]
        place.again_s = now_s + pause_s
        self._ended(process.pid or 0)
        get_logger("api").error(
            "a process ended that was to serve; it is started again", pid=process.pid, status=process.exitcode, in_s=pause_s
        )
