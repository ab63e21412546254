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

RETRY_FIRST_S, RETRY_MOST_S = 0.5, 5.0
"""One try costs a database next to nothing, and when it is well again what waits is to be there within seconds."""
WAKE_EVERY_S = 0.25
"""How often somebody who pauses looks whether other work has the database again."""
MAX_CAUSES_TOLD = 50

T = TypeVar("T")


class Persistence:
    """Tries until it is done or told to stop. Safe to use from several threads.

    The database is well only while nothing that it was asked for fails: to answer a question does not mean that it takes rows.

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
        self._lock = threading.Lock()
        self._failing = 0
        self._recoveries = 0
        self._told: set[str] = set()
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
        try:
            while not self._stop.is_set():
                try:
                    done = work(failures)
                except StoreUnavailable as error:
                    if self._stop.is_set():  # the database need not be the cause
                        break
                    failures += 1
                    self._failed(error, is_first=failures == 1)
                    self._pause(backoff_s(failures, RETRY_FIRST_S, RETRY_MOST_S, random.random()))  # noqa: S311  # jitter, no secret
                    turned()
                else:
                    self._succeeded(has_failed=failures > 0)
                    failures = 0
                    return done
        finally:
            with self._lock:
                self._failing -= failures > 0
        return None

    def _pause(self, pause_s: float) -> None:
        """Wait, but no longer than until other work that failed as well is done."""
        seen, left_s = self._recoveries, pause_s
        while left_s > 0 and seen == self._recoveries and not self._stop.wait(min(left_s, WAKE_EVERY_S)):
            left_s -= WAKE_EVERY_S

    def _failed(self, error: StoreUnavailable, *, is_first: bool) -> None:
        self._note_failure()
        cause = str(error)
        with self._lock:
            self._failing += is_first
            self._health.failed(self._clock(), cause)
            is_news = cause not in self._told and len(self._told) < MAX_CAUSES_TOLD
            if is_news:
                self._told.add(cause)
        if is_news:
            self._log.error("the database takes nothing", cause=cause, next="trying again; nothing is acknowledged")
            self._changed()

    def _succeeded(self, *, has_failed: bool) -> None:
        with self._lock:
            self._failing -= has_failed
            self._recoveries += has_failed
            if self._failing:
                return
            was_ok = self._health.snapshot().ok
            is_back = self._health.succeeded(self._clock())
            self._told.clear()
        if is_back:
            self._log.info("the database is back")
        if not was_ok:
            self._changed()
