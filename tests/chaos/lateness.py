"""Lateness: how long after it was on its source's disk an event is in the database, watched all the time."""

import threading
import time
from collections import deque
from dataclasses import dataclass

import psycopg2
from chaos.rows import Rows
from chaos.stack import Stack

LOOK_EVERY_S = 0.25
AT_ONCE = 20_000


@dataclass(frozen=True)
class Seen:
    """All up to a number was told at a time, and was in the database at another."""

    number: int
    told_at: float
    there_at: float

    @property
    def late_s(self) -> float:
        """The time between."""
        return self.there_at - self.told_at


@dataclass(frozen=True)
class _Told:
    number: int
    at: float


class Lateness:
    """Watches the source of many.

    Attributes:
        there: all up to this number is in the database.
        seen: what came, in its order.
    """

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._rows = Rows(stack.database_url)
        self._waiting: deque[_Told] = deque()
        self._told = 0
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.there = 0
        self.seen: list[Seen] = []

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End."""
        self._stopped.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopped.wait(LOOK_EVERY_S):
            self._look(time.monotonic())

    def _look(self, now: float) -> None:
        told = self._stack.volume_told()
        if told > self._told:
            self._told = told
            self._waiting.append(_Told(told, now))
        if self._waiting:
            try:
                self._learn()
            except psycopg2.Error:
                return  # killed, frozen or full

    def _learn(self) -> None:
        first = self.there + 1
        for number in self._rows.volume_numbers(first, min(first + AT_ONCE, self._told)):
            if number > self.there + 1:
                break
            self.there = number
        now = time.monotonic()
        while self._waiting and self._waiting[0].number <= self.there:
            told = self._waiting.popleft()
            self.seen.append(Seen(told.number, told.at, now))

    def is_there_since(self, begun: float) -> bool:
        """Whether all that was told up to a time is in the database."""
        return not self._waiting or self._waiting[0].at > begun

    def longest_s(self, begun: float, ended: float) -> float:
        """The longest that something which was told between two times took."""
        return max((seen.late_s for seen in self.seen if begun <= seen.told_at <= ended), default=0.0)
