"""Telling: one receiver, told of each event once, in order, from where it was told last. A thread of its own.

Its place is kept beside the events. Killed after something was taken and before its place is kept, it is told that once more,
with the same id: nothing is lost, and who is told can tell.
"""

import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple

from alarms.out.sending import Away, Sender, WillNeverBeTaken, is_told, is_too_old
from dotbus.contracts.codec import UndecodableMessage, decode
from dotbus.contracts.messages import AlarmChanged
from dotbus.runtime.installation.alarm_receivers import AlarmReceiver
from dotbus.runtime.logs import get_logger
from dotbus.runtime.outbox.outbox import KeptEvent, Outbox
from dotbus.runtime.schedule import backoff_s

_NOTE: Final = "told/"
_READ_AT_ONCE: Final = 500
_LAST: Final = 2**62
_FIRST_S, _MOST_S, _JITTER = 1.0, 300.0, 0.1
IDLE_S: Final = 30.0
"""So often it is looked for events though nobody says that there are any."""


class Place(NamedTuple):
    """The event that a receiver was told of last, or that was passed over for it.

    Attributes:
        number: its number in the outbox, as it was then.
        event_id: finds it where the outbox numbered it anew since.
    """

    number: int
    event_id: str


@dataclass(frozen=True)
class Waiting:
    """What is to be told.

    Attributes:
        events: at most as many as the sender takes.
        place: the last of them, or of those after them that are not for this receiver.
        too_old: how many before them are no news any more; then `place` is the last of these, and there are no events.
    """

    events: tuple[AlarmChanged, ...]
    place: Place
    too_old: int


class Telling:
    """Tells one receiver.

    Args:
        name: of the receiver, to keep its place under.
        receiver: of what it is told.
        sender: the way to it.
        outbox: has the events.
        counted: told each time that events were `told`, `refused` or `too-old`, and how many.
        clock: the wall clock.
        monotonic_s: seconds that never go back.

    Attributes:
        failing: why it cannot be told; None while it can.
    """

    def __init__(
        self,
        name: str,
        receiver: AlarmReceiver,
        sender: Sender,
        outbox: Outbox,
        *,
        counted: Callable[[str, int], None],
        clock: Callable[[], datetime],
        monotonic_s: Callable[[], float],
    ) -> None:
        self.name = name
        self._receiver = receiver
        self._sender = sender
        self._outbox = outbox
        self._counted = counted
        self._clock = clock
        self._monotonic_s = monotonic_s
        self._place = self._first_place()
        self._failures = 0
        self._wake = threading.Event()
        self.failing: str | None = None
        self._log = get_logger("telling").bind(receiver=name)

    def _first_place(self) -> Place:
        """Where it was told last; one that is new is told what happens from now on."""
        kept = self._outbox.note(_NOTE + self.name)
        if kept is not None:
            number, _, event_id = kept.partition(" ")
            return Place(int(number), event_id)
        newest = Place(self._outbox.last_number, "")
        self._outbox.keep_note(_NOTE + self.name, f"{newest.number} ")
        return newest

    def wake(self) -> None:
        """There may be something to tell. Returns at once."""
        self._wake.set()

    def run(self, stop: threading.Event) -> None:
        """Tell until told to stop."""
        while not stop.is_set():
            self._wake.clear()
            wait_s = self._turn_or_fail()
            if self._failures:
                stop.wait(wait_s)  # what happens meanwhile is no reason to try sooner
            elif wait_s:
                self._wake.wait(wait_s)

    def _turn_or_fail(self) -> float:
        try:
            return self.turn()
        except Exception as error:  # noqa: BLE001  # whoever is told next must not wait for a restart
            self._log.exception("telling failed")
            return self._away(f"{type(error).__name__}; the log has it")

    def turn(self) -> float:
        """Tell what is to be told now. Returns in how many seconds to look again."""
        waiting = self._waiting()
        if waiting.too_old:
            self._log.error("alarm events grew too old to be told", events=waiting.too_old)
            self._counted("too-old", waiting.too_old)
            self._move(waiting.place)
            return 0.0
        if not waiting.events:
            self._move(waiting.place)
            return IDLE_S
        if wait_s := self._sender.wait_s(waiting.events, self._monotonic_s()):
            return wait_s
        try:
            self._sender.send(waiting.events, self._clock())
        except Away as away:
            return self._away(str(away))
        except WillNeverBeTaken as refused:
            self._log.error("alarm events were refused, and are not told", events=len(waiting.events), reason=str(refused))
            self._count("refused", waiting.events)
        else:
            self._count("told", waiting.events)
        self._move(waiting.place)
        return 0.0

    def _waiting(self) -> Waiting:
        found: list[AlarmChanged] = []
        place, too_old, now = self._place, 0, self._clock()
        for kept in self._kept():
            event = _event(kept)
            is_for_it = event is not None and is_told(event, self._receiver)
            if event and is_for_it and too_old and not is_too_old(event, now):
                break
            place = Place(kept.number, event.id if event else "")
            if event is None or not is_for_it:
                continue
            if not found and is_too_old(event, now):
                too_old += 1
                continue
            found.append(event)
            if len(found) == self._sender.takes_most:
                break
        return Waiting(tuple(found), place, too_old)

    def _kept(self) -> Iterator[KeptEvent]:
        number = self._outbox.number_of(self._place.event_id) or self._place.number
        while some := self._outbox.between(number + 1, _LAST, _READ_AT_ONCE):
            yield from some
            number = some[-1].number

    def _count(self, outcome: str, events: Sequence[AlarmChanged]) -> None:
        if self._failures:
            self._log.info("it can be told again", after_failures=self._failures)
        self._failures, self.failing = 0, None
        self._counted(outcome, len(events))
        self._sender.sent(events, self._monotonic_s())

    def _away(self, cause: str) -> float:
        self._failures += 1
        wait_s = backoff_s(self._failures, _FIRST_S, _MOST_S, _JITTER)
        if cause != self.failing:
            self._log.error("alarms cannot be told", cause=cause, next="trying again, with growing pauses")
        self.failing = cause
        return wait_s

    def _move(self, place: Place) -> None:
        """What is told is told, also where the disk does not take it."""
        if place == self._place:
            return
        self._place = place
        try:
            self._outbox.keep_note(_NOTE + self.name, f"{self._place.number} {self._place.event_id}")
        except sqlite3.Error as error:
            self._log.error("how far it was told is not kept", cause=str(error))  # the cause says it


def _event(kept: KeptEvent) -> AlarmChanged | None:
    try:
        message = decode(kept.payload)
    except UndecodableMessage:
        return None
    return message if isinstance(message, AlarmChanged) else None
