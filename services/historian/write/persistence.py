"""Persistence: what the database is asked for again and again, while it takes nothing."""

import random
import threading
from collections.abc import Callable
from datetime import datetime
from typing import TypeVar

from dotbus.runtime.health import UpstreamHealth
from dotbus.runtime.logs import get_logger
from dotbus.runtime.schedule import backoff_s
from historian.database import StoreUnavailable

RETRY_FIRST_S, RETRY_MOST_S = 0.5, 30.0

T = TypeVar("T")


class Persistence:
    """Tries until it is done or told to stop. Safe to use from several threads.

    Args:
        health: how the database is heard.
        failed: told of each failure, for metrics.
        changed: told when it begins or ends to fail.
    """

    def __init__(
        self,
        health: UpstreamHealth,
        *,
        clock: Callable[[], datetime],
        stop: threading.Event,
        failed: Callable[[], None] = lambda: None,
        changed: Callable[[], None] = lambda: None,
    ) -> None:
        self._health = health
        self._clock = clock
        self._stop = stop
        self._note_failure = failed
        self._changed = changed
        self._log = get_logger("database")

    def insist(self, work: Callable[[int], T], turned: Callable[[], None] = lambda: None) -> T | None:
        """Do it until the database does; None when told to stop before that.

        Args:
            work: is told how often it failed before.
            turned: called after each try that failed: whoever waits is alive.

        Raises:
            StatementRefused: it never will.
        """
        failures = 0
        while not self._stop.is_set():
            try:
                done = work(failures)
            except StoreUnavailable as error:
                failures += 1
                self._failed(error)
                self._stop.wait(backoff_s(failures, RETRY_FIRST_S, RETRY_MOST_S, random.random()))  # noqa: S311  # jitter, no secret
                turned()
            else:
                self._succeeded()
                return done
        return None

    def _failed(self, error: StoreUnavailable) -> None:
        self._note_failure()
        if self._health.failed(self._clock(), str(error)):
            self._log.error("the database takes nothing", cause=str(error), next="trying again; nothing is acknowledged")
            self._changed()

    def _succeeded(self) -> None:
        was_ok = self._health.snapshot().ok
        if self._health.succeeded(self._clock()):
            self._log.info("the database is back")
        if not was_ok:
            self._changed()
