"""Service: the loop. Each stream in its turn, then a pause; after a failure that stream's pause grows, and only its own.

Told to stop, it waits for the question that is being asked, and for none after it (`until_stop`).
"""

import math
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from datetime import datetime
from typing import Protocol

from ads_ingest.caiso import Stopping, Unanswered
from ads_ingest.quarantine import QuarantineLog
from caiso.ads.errors import AdsFailure
from dotbus.contracts.messages import Upstream
from dotbus.runtime.health import UpstreamHealth
from dotbus.runtime.logs import get_logger
from dotbus.runtime.process import WAKE_EVERY_S
from dotbus.runtime.schedule import backoff_s

RETRY_FIRST_S = 2.0
RETRY_MOST_S = 10.0
"""As long as between two rounds on any day: what is new then is heard as soon as CAISO answers again."""
AGAIN_LEAST_S = 0.5
"""Between two rounds there is a pause, however many questions wait."""
REST_LEAST_S = 2.0
"""The same when no question waits and the round was a long one: then CAISO has enough to do."""
COMPLAINTS_MOST = 5
"""How many things that cannot be had the status names; the log names each."""


class Stream(Protocol):
    """One of the two things to ask CAISO for."""

    def round(self) -> Unanswered:
        """Ask for what is new, keep it, and return what could not be had."""
        ...


class FollowedStream:
    """A stream with its health: the one place where a failure becomes a log line and a status.

    Args:
        name: of the upstream in the service's status.
        stream: asks.
        quarantine_log: keeps what was unusable.
        clock: the wall clock.
        clock_offset_s: CAISO's clock minus ours at this moment, when known.
        failed: told of each failure, for metrics.

    Attributes:
        rounds_in_vain: rounds in a row in which CAISO did not answer what is new, or the outbox kept nothing. A single batch
            that cannot be had is no such round: it is asked for less and less often by itself, and the upstream is well.
    """

    def __init__(
        self,
        name: str,
        stream: Stream,
        quarantine_log: QuarantineLog,
        *,
        clock: Callable[[], datetime],
        clock_offset_s: Callable[[], float | None] = lambda: None,
        failed: Callable[[AdsFailure], None] = lambda _failure: None,
    ) -> None:
        self._stream = stream
        self._quarantine_log = quarantine_log
        self._clock = clock
        self._failed = failed
        self._log = get_logger("service").bind(upstream=name)
        self.health = UpstreamHealth(name, clock_offset_s)
        self.rounds_in_vain = 0
        self.again_at: datetime | None = None

    def follow(self) -> bool:
        """One round. Returns whether the upstream is well."""
        self.rounds_in_vain += 1
        self.again_at = None
        begun_at = self._clock()
        try:
            unanswered = self._stream.round()
        except Stopping:
            return self.health.snapshot().ok
        except AdsFailure as failure:
            self._tell([failure])
            self.health.failed(self._clock(), str(failure))
            return False
        except sqlite3.Error as error:
            if self.health.failed(self._clock(), f"outbox: {error}"):
                self._log.exception("the outbox keeps nothing, so nothing is passed on")
            return False
        except Exception as error:  # noqa: BLE001  # the next round may be better, and the other stream goes on
            if self.health.failed(self._clock(), f"unforeseen: {error!r}"):
                self._log.exception("a fault of this software ended a round; please report it")
            return False
        self.rounds_in_vain = 0
        self.again_at = unanswered.again_at
        self._tell(unanswered.failures)
        self._note_heard(unanswered, min(begun_at, self._clock()))
        return True

    def _tell(self, failures: Sequence[AdsFailure]) -> None:
        for failure in failures:
            self._failed(failure)
            self._quarantine_log.of_failure(failure, self._clock())

    def _note_heard(self, unanswered: Unanswered, asked_at: datetime) -> None:
        missing = [str(failure) for failure in unanswered.missing]
        more = [f"and {len(missing) - COMPLAINTS_MOST} more"] if missing[COMPLAINTS_MOST:] else []
        if not missing and not unanswered.failures:
            self._quarantine_log.forget()
        complaints = [*unanswered.alarms, *missing[:COMPLAINTS_MOST], *more]
        if self.health.succeeded(asked_at, complaints=complaints):
            self._log.info("recovered")


class Loop:
    """Follows the streams until told to stop.

    Args:
        streams: in the order of their urgency.
        poll_s: from the beginning of a round to that of the next while all is well.
        chance: 0 to 1, for pauses that many clients do not end together.
        turned: called after each turn.
        clock: the wall clock.
        monotonic_s: seconds of a clock that nobody sets, for the pauses.

    Attributes:
        turned_at: when the loop last came round, or passed from one stream to the next; tells a watchdog that it does.
    """

    def __init__(
        self,
        streams: Sequence[FollowedStream],
        poll_s: float,
        *,
        chance: Callable[[], float],
        turned: Callable[[], None] = lambda: None,
        clock: Callable[[], datetime],
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._streams = streams
        self._monotonic_s = monotonic_s
        self._due_s = [monotonic_s()] * len(streams)
        self._clock = clock
        self.turned_at = clock()
        self._poll_s = poll_s
        self._chance = chance
        self._turned = turned

    def upstreams(self) -> list[Upstream]:
        """How CAISO is heard by each stream."""
        return [stream.health.snapshot() for stream in self._streams]

    def run(self, stop: threading.Event) -> None:
        """Turn until `stop` is set."""
        while not stop.is_set():
            pause_s = self.turn(stop)
            stop.wait(pause_s)

    def turn(self, stop: threading.Event) -> float:
        """Follow each stream that is due. Returns how long to pause, seconds."""
        for number, stream in enumerate(self._streams):
            if stop.is_set():
                break
            if self._due_s[number] <= (begun_s := self._monotonic_s()):
                stream.follow()
                self._due_s[number] = self._monotonic_s() + self._pause_s(stream, self._monotonic_s() - begun_s)
            self.turned_at = self._clock()
        self._turned()
        return max(0.0, min(self._due_s) - self._monotonic_s())

    def _pause_s(self, stream: FollowedStream, took_s: float) -> float:
        """Behind a round that took so long. A slow one does not put off the next, which tells what is new.

        What one question did not bring is not left until the next round; each has a pause of its own, which doubles. An answer
        that was waited for in vain was a pause, too.
        """
        in_vain = stream.rounds_in_vain
        if not in_vain:
            until_again_s = (stream.again_at - self._clock()).total_seconds() if stream.again_at else math.inf
            until_next_s = max(REST_LEAST_S, self._poll_s - took_s)
            return min(self._poll_s, until_next_s, max(AGAIN_LEAST_S, until_again_s))
        pause_s = backoff_s(in_vain, min(RETRY_FIRST_S, self._poll_s), max(RETRY_MOST_S, self._poll_s), self._chance())
        return max(min(AGAIN_LEAST_S, pause_s), pause_s - took_s)


def run_together(loops: Sequence[Loop], stop: threading.Event) -> None:
    """Run the loop of each account, each in a thread of its own, so that none waits for another's answers.

    What ends one of them ends all, and is raised.
    """
    with ThreadPoolExecutor(len(loops), thread_name_prefix="account") as pool:
        running = [pool.submit(loop.run, stop) for loop in loops]
        try:
            ended: set[Future[None]] = set()
            while not ended:
                ended, _others = wait(running, WAKE_EVERY_S, FIRST_COMPLETED)
        finally:
            stop.set()
        for loop in ended:
            loop.result()


def upstreams_of(accounts: Sequence[Loop]) -> list[Upstream]:
    """How CAISO is heard by each stream of each account.

    Of accounts that have names there is one of each kind besides, by the name that it has without: it is well while one of them
    is, because what only those that are not can tell says so itself.
    """
    of_each = [loop.upstreams() for loop in accounts]
    if len(of_each) == 1 and all("/" not in upstream.name for upstream in of_each[0]):
        return of_each[0]
    return [*(_together(kind) for kind in zip(*of_each, strict=True)), *(upstream for own in of_each for upstream in own)]


def _together(upstreams: Sequence[Upstream]) -> Upstream:
    failures = [(each.last_error_at, each.last_error) for each in upstreams if each.last_error_at]
    error_at, error = max(failures, default=(None, None))
    offsets_s = [each.clock_offset_s for each in upstreams if each.clock_offset_s is not None]
    return Upstream(
        name=upstreams[0].name.partition("/")[0],
        ok=any(each.ok for each in upstreams),
        last_ok_at=max((each.last_ok_at for each in upstreams if each.last_ok_at), default=None),
        last_error=error,
        last_error_at=error_at,
        failures_in_a_row=min(each.failures_in_a_row for each in upstreams),
        clock_offset_s=max(offsets_s, key=abs, default=None),
        complaints=tuple(f"{each.name}: {text}" for each in upstreams for text in each.complaints),
    )
