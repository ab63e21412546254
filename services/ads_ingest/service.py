"""Service: the loop. Both streams in turn, then a pause; after a failure a pause that grows."""

import sqlite3
import threading
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Protocol

from ads_ingest.evidence import Evidence
from ads_ingest.faults import AdsFailure, Away
from dotbus.contracts.messages import Upstream
from dotbus.runtime.health import UpstreamHealth
from dotbus.runtime.logs import get_logger
from dotbus.runtime.schedule import backoff_s

RETRY_FIRST_S = 2.0
RETRY_MOST_S = 30.0


class Stream(Protocol):
    """One of the two things to ask CAISO for."""

    def round(self) -> list[AdsFailure]:
        """Ask for what is new, keep it, and return what could not be had."""
        ...


class FollowedStream:
    """A stream with its health: the one place where a failure becomes a log line and a status.

    Args:
        name: of the upstream in the service's status.
        stream: asks.
        evidence: keeps what was unusable.
        clock: the wall clock.
        clock_offset_s: CAISO's clock minus ours, when known.
        failed: told of each failure, for metrics.

    Attributes:
        rounds_in_vain: rounds in a row in which CAISO did not answer what is new, or the outbox kept nothing. A single batch
            that cannot be had is no such round: there is no reason to ask more slowly for the others.
    """

    def __init__(
        self,
        name: str,
        stream: Stream,
        evidence: Evidence,
        *,
        clock: Callable[[], datetime],
        clock_offset_s: Callable[[], float | None] = lambda: None,
        failed: Callable[[AdsFailure], None] = lambda _failure: None,
    ) -> None:
        self._stream = stream
        self._evidence = evidence
        self._clock = clock
        self._clock_offset_s = clock_offset_s
        self._failed = failed
        self._log = get_logger("service").bind(upstream=name)
        self.health = UpstreamHealth(name)
        self.rounds_in_vain = 0

    def follow(self) -> bool:
        """One round. Returns whether all went well."""
        self.rounds_in_vain += 1
        try:
            failures = self._stream.round()
        except AdsFailure as failure:
            return self._judge([failure])
        except sqlite3.Error as error:
            if self.health.failed(self._clock(), f"outbox: {error}"):
                self._log.exception("the outbox keeps nothing, so nothing is passed on")
            return False
        if not any(isinstance(failure, Away) for failure in failures):
            self.rounds_in_vain = 0
        return self._judge(failures)

    def _judge(self, failures: Sequence[AdsFailure]) -> bool:
        now = self._clock()
        for failure in failures:
            self._failed(failure)
            self._evidence.of_failure(failure, now)
        if failures:
            self.health.failed(now, str(failures[0]))
            return False
        self._evidence.forget()
        if self.health.succeeded(now, self._clock_offset_s()):
            self._log.info("recovered")
        return True


class Loop:
    """Follows the streams until told to stop.

    Args:
        streams: in the order of their urgency.
        poll_s: the pause while all is well.
        chance: 0 to 1, for pauses that many clients do not end together.
        turned: called after each turn.
        clock: the wall clock.

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
    ) -> None:
        self._streams = streams
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
        """Follow each stream once. Returns how long to pause, seconds."""
        for stream in self._streams:
            if stop.is_set():
                break
            stream.follow()
            self.turned_at = self._clock()
        self._turned()
        in_vain = max(stream.rounds_in_vain for stream in self._streams)
        if not in_vain:
            return self._poll_s
        return backoff_s(in_vain, min(RETRY_FIRST_S, self._poll_s), max(RETRY_MOST_S, self._poll_s), self._chance())
