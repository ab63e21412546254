"""Service: what comes from the bus, a look each second, and commands between; what changes is kept before it is said.

It begins once it is known that no other process keeps the alarms (`others`), and goes on from what was left of them (`left`).
"""

import queue
import sqlite3
import threading
from collections.abc import Callable
from datetime import datetime
from typing import Final

from alarms.commands import Asked, Refused, asked_by, deed_of, read_command, repeated, reply_of
from alarms.heard import Heard
from alarms.keeping import Keeping
from alarms.left import Left
from alarms.observing import Observing
from alarms.others import Others
from alarms.states.alarm import event_id
from alarms.states.alarms import Alarms
from dotbus.contracts.codec import encode
from dotbus.contracts.messages import AlarmCommand, ServiceStatus
from dotbus.contracts.topics import Topics
from dotbus.judging.clock_steps import Moment
from dotbus.runtime.logs import get_logger
from dotbus.runtime.mqtt.messages import Delivery, Outgoing
from dotbus.runtime.outbox.outbox import Outbox
from dotbus.runtime.presence import Identity

LOOK_EVERY_S: Final = 1.0
SETTLED_AFTER_S: Final = 15.0
"""So long after a connection all that the broker keeps has come, and heartbeats of all who are there."""
WAITING_MOST: Final = 5000
"""Deliveries that may wait for their turn; more are left with the broker."""
HELD_MOST: Final = 1000
"""Commands that wait until it is known who keeps the alarms."""
_Came = Delivery | bool | None
"""A message, that the connection came or went, or that another process took our name at the broker."""


class Service:
    """Hears, looks and is commanded.

    Args:
        topics: of the installation.
        shelve_most_h: for how long an alarm may be shelved at once.
        identity: who speaks.
        heard: takes what comes.
        observing: asks the rules.
        alarms: all of them.
        keeping: keeps what changes.
        outbox: has what was done before.
        others: who else is there.
        left: what the bus has of alarms from before.
        begun: called once, when it is this process that keeps the alarms.
        stepped_back: called once, when it is not any more.
        say_again: has all that was said of alarms said once more.
        reply: publishes a reply; may fail, then nobody is told.
        clock: the wall clock.
        monotonic_s: seconds that never go back.

    Attributes:
        turned_at_s: when a look ended last.
    """

    def __init__(
        self,
        topics: Topics,
        shelve_most_h: float,
        identity: Identity,
        heard: Heard,
        observing: Observing,
        alarms: Alarms,
        keeping: Keeping,
        outbox: Outbox,
        others: Others,
        left: Left,
        *,
        begun: Callable[[], None] = lambda: None,
        stepped_back: Callable[[], None] = lambda: None,
        say_again: Callable[[], None] = lambda: None,
        reply: Callable[[Outgoing], None],
        clock: Callable[[], datetime],
        monotonic_s: Callable[[], float],
    ) -> None:
        self._topics = topics
        self._shelve_most_h = shelve_most_h
        self._identity = identity
        self._heard = heard
        self._observing = observing
        self._alarms = alarms
        self._keeping = keeping
        self._outbox = outbox
        self._others = others
        self._left = left
        self._begun = begun
        self._stepped_back = stepped_back
        self._say_again = say_again
        self._reply = reply
        self._clock = clock
        self._monotonic_s = monotonic_s
        self._came: queue.Queue[_Came] = queue.Queue(WAITING_MOST)
        self._held: list[Delivery] = []
        self._is_silent = False
        self._seen = Moment(clock(), monotonic_s())
        self.turned_at_s = monotonic_s()
        self._log = get_logger("service")

    def on_delivery(self, delivery: Delivery) -> None:
        """Take a message over, in the bus's thread; while too many wait nothing more is read."""
        self._came.put(delivery)

    def on_connection(self, connected: bool) -> None:  # noqa: FBT001  # a listener's one argument
        """Learn, in the bus's thread, that the broker is there or not."""
        self._came.put(connected)

    def on_namesake(self) -> None:
        """Learn, in the bus's thread, that another process took our name at the broker."""
        self._came.put(None)

    def run(self, stop: threading.Event) -> None:
        """Look each second until told to stop, and take what comes between."""
        look_at_s = self._monotonic_s()
        while not stop.is_set():
            self.take(max(0.0, look_at_s - self._monotonic_s()))
            if self._monotonic_s() >= look_at_s:
                self.look()
                look_at_s = self._monotonic_s() + LOOK_EVERY_S

    def take(self, within_s: float = 0.0) -> None:
        """Take one thing that came, waiting for it so long."""
        try:
            came = self._came.get(timeout=within_s) if within_s else self._came.get_nowait()
        except queue.Empty:
            return
        if isinstance(came, bool):
            self._heard.turn(connected=came, now=self._now())
            self._others.turn(self._monotonic_s(), connected=came)
            self._keeping.say_again()
        elif came is None:
            self._others.dropped()
        else:
            self._take(came)
        if self._others.has_stepped_back and not self._is_silent:
            self._step_back()

    def look(self) -> None:
        """Ask every rule, and keep what changes by it."""
        now = self._now()
        if not self._others.has_begun and self._others.may_begin(self._monotonic_s()):
            self._begin(now)
        if self._others.keeps:
            self._keeping.settle(now)
            observed = self._observing.observe(now, self._alarms.was_active, self._alarms.statuses.values())
            is_whole = self._heard.is_connected_for(now, SETTLED_AFTER_S)
            changes = self._alarms.look(observed, now, self._monotonic_s(), is_whole=is_whole)
            if self._keeping.keep(changes, now) and is_whole:
                self._keeping.retract(self._alarms.over(observed), now)
            self._take_held()
        self.turned_at_s = self._monotonic_s()

    def _begin(self, now: datetime) -> None:
        """It is us who keep the alarms, from where they were left."""
        kept = self._alarms.statuses
        newer, gone = self._left.newer_than(kept), self._left.gone_since(kept)
        if newer:
            self._log.info("went on with alarms that another process left", count=len(newer))
        self._others.begin()
        self._keeping.retract(gone, now)
        self._alarms.know(newer, self._monotonic_s())
        self._keeping.take_over(newer, self._left.topics, now)
        self._left.clear()
        self._begun()

    def _take_held(self) -> None:
        """What was asked before we began is done to alarms as they are, and not as they were left."""
        held, self._held = self._held, []
        for delivery in held:
            self._take(delivery)

    def _step_back(self) -> None:
        self._is_silent = True
        self._log.error(
            "another process keeps the alarms and started before us: we step back, and keep none until restarted",
            next="run one service of alarms; stop this one, or the other",
        )
        self._stepped_back()

    def _take(self, delivery: Delivery) -> None:
        """A message. Nobody's may end what watches for all others; one that did would come again at each start."""
        try:
            is_done = self._read(delivery)
        except Exception:  # noqa: BLE001  # as said
            self._log.exception("a message could not be taken", topic=delivery.topic[:200])
            is_done = True
        if is_done:
            delivery.ack()

    def _read(self, delivery: Delivery) -> bool:
        """Do what a message asks for, or remember what it says. Returns whether the broker need not say it again."""
        if asked := asked_by(delivery, self._topics):
            if self._others.keeps:
                self._command(asked)
            elif not self._others.has_begun and len(self._held) < HELD_MOST:
                self._held.append(delivery)
                return False
            return True
        if not self._others.has_begun and self._left.take(delivery):
            return True
        status = self._heard.take(delivery)
        if status is not None and status.service == self._identity.service:
            self._hear_another(status, is_live=not delivery.retained)
        return True

    def _hear_another(self, status: ServiceStatus, *, is_live: bool) -> None:
        is_new = self._others.heard(status, self._clock(), self._monotonic_s(), is_live=is_live)
        if is_new and self._others.keeps:
            self._log.error("another process keeps alarms, too, and steps back", source=status.source)
            self._say_again()

    def _command(self, asked: Asked) -> None:
        """Do what is asked, and say what became of it."""
        now, command, outcome = self._now(), None, "taken"
        try:
            command = read_command(asked, self._identity.environment, now)
            detail = self._do(asked, command, now)
        except (Refused, sqlite3.Error) as refused:
            why = refused if isinstance(refused, Refused) else f"what is kept cannot be read: {refused}; say it again later"
            outcome, detail = "refused", str(why)
            self._log.info("a command was refused", topic=asked.delivery.topic[:200], reason=detail[:200])
        self._answer(asked, command, outcome, detail, now)

    def _do(self, asked: Asked, command: AlarmCommand, now: datetime) -> str:
        """What was done, in words.

        Raises:
            Refused: nothing was, and why.
            sqlite3.Error: what was done before cannot be read.
        """
        status = self._alarms.statuses.get(asked.key)
        if before := self._outbox.events_of(event_id(asked.key, command.command_id)):
            return repeated(before[0].payload, command, status)
        deed = deed_of(command, status, now, self._shelve_most_h)
        change = self._alarms.do(asked.key, deed, now)
        if change is None:
            raise Refused(f"it is {status.state if status else 'not there'}")
        if not self._keeping.keep([change], now):
            raise Refused(f"it cannot be kept: {self._keeping.failing}; nothing was done, say it again later")
        return str(change.status.state)

    def _answer(self, asked: Asked, command: AlarmCommand | None, outcome: str, detail: str, now: datetime) -> None:
        status = self._alarms.statuses.get(asked.key)
        reply = reply_of(command, outcome, detail, status, self._identity, now)
        self._reply(Outgoing(asked.reply_topic, encode(reply), correlation=asked.delivery.correlation))

    def _now(self) -> datetime:
        """The time, after what our clock was set by since it was asked last."""
        now, seen = Moment(self._clock(), self._monotonic_s()), self._seen
        self._seen = now
        if step := now.step_since(seen):
            self._log.warning("our clock was set", by_s=step.total_seconds())
            self._heard.clock_stepped(step)
            if self._others.keeps:
                self._keeping.clock_stepped(step, now.wall)
        return now.wall
