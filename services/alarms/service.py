"""Service: what comes from the bus, a look each second, and commands between; what changes is kept before it is said.

State and event of a change are one transaction of the outbox. Killed before it, nothing happened; killed after it, the courier
of the next process says it.
"""

import queue
import sqlite3
import threading
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Final

from alarms.commands import Asked, Refused, asked_by, deed_of, read_command, reply_of
from alarms.heard import Heard
from alarms.observing import Observing
from alarms.states.alarm import Change, event_id
from alarms.states.alarms import Alarms
from alarms.states.observed import Observed
from alarms.states.summary import VALID_FOR, Flood, is_before, summarise
from dotbus.contracts.alarms import INSTALLATION
from dotbus.contracts.codec import encode
from dotbus.contracts.messages import AlarmChanged, AlarmCommand, AlarmSummary
from dotbus.runtime.installation.installation import Installation
from dotbus.runtime.logs import get_logger
from dotbus.runtime.mqtt.messages import Delivery, Outgoing
from dotbus.runtime.outbox.outbox import Outbox, OutgoingState
from dotbus.runtime.presence import Identity

LOOK_EVERY_S: Final = 1.0
SETTLED_AFTER_S: Final = 15.0
"""So long after a connection all that the broker keeps has come, and heartbeats of all who are there."""
WAITING_MOST: Final = 5000
"""Deliveries that may wait for their turn; more are left with the broker."""
_Came = Delivery | bool


class Service:
    """Keeps the alarms.

    Args:
        installation: what is watched.
        identity: who speaks.
        heard: takes what comes.
        observing: asks the rules.
        alarms: all of them.
        outbox: keeps what changes.
        wake: told that the outbox has something new.
        reply: publishes a reply; may fail, then nobody is told.
        told: told each change that is kept, for people who do not look at a screen; must not block.
        clock: the wall clock.
        monotonic_s: seconds that never go back.

    Attributes:
        turned_at_s: when a look ended last.
        failing: why nothing can be kept; None while it can.
    """

    def __init__(
        self,
        installation: Installation,
        identity: Identity,
        heard: Heard,
        observing: Observing,
        alarms: Alarms,
        outbox: Outbox,
        *,
        wake: Callable[[], None],
        reply: Callable[[Outgoing], None],
        told: Callable[[Sequence[AlarmChanged]], None] = lambda _events: None,
        clock: Callable[[], datetime],
        monotonic_s: Callable[[], float],
    ) -> None:
        self._topics = installation.topics
        self._shelve_most_h = installation.alarms.shelve_most_h
        self._plants = (*(plant.name for plant in installation.plants), INSTALLATION)
        self._identity = identity
        self._heard = heard
        self._observing = observing
        self._alarms = alarms
        self._outbox = outbox
        self._wake = wake
        self._reply = reply
        self._told = told
        self._clock = clock
        self._monotonic_s = monotonic_s
        self._came: queue.Queue[_Came] = queue.Queue(WAITING_MOST)
        now = clock()
        self._floods = {plant: self._flood_so_far(plant, now) for plant in self._plants}
        self._summaries: dict[str, AlarmSummary] = {}
        self.turned_at_s = monotonic_s()
        self.failing: str | None = None
        self._log = get_logger("service")

    def on_delivery(self, delivery: Delivery) -> None:
        """Take a message over, in the bus's thread; while too many wait nothing more is read."""
        self._came.put(delivery)

    def on_connection(self, connected: bool) -> None:  # noqa: FBT001  # a listener's one argument
        """Learn, in the bus's thread, that the broker is there or not."""
        self._came.put(connected)

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
            self._heard.turn(connected=came, now=self._clock())
            self._summaries.clear()
        elif asked := asked_by(came, self._topics):
            if self._command(asked):
                came.ack()
        else:
            self._heard.take(came)
            came.ack()

    def look(self) -> None:
        """Ask every rule, and keep what changes by it."""
        now = self._clock()
        observed = self._observing.observe(now, self._alarms.was_active)
        is_whole = self._heard.is_connected_for(now, SETTLED_AFTER_S)
        changes = self._alarms.look(observed, now, self._monotonic_s(), is_whole=is_whole)
        if self._keep(changes, now) and is_whole:
            self._retract(observed, now)
        self.turned_at_s = self._monotonic_s()

    def _command(self, asked: Asked) -> bool:
        """Do what is asked. Returns whether the broker need not say it again."""
        now, command = self._clock(), None
        try:
            command = read_command(asked, self._identity.environment, now)
            detail = self._do(asked, command, now)
        except Refused as refused:
            self._answer(asked, command, "refused", str(refused), now)
            self._log.info("a command was refused", alarm=str(asked.key), action=asked.action, reason=str(refused))
            return True
        if detail is None:
            return False
        self._answer(asked, command, "taken", detail, now)
        return True

    def _do(self, asked: Asked, command: AlarmCommand, now: datetime) -> str | None:
        """What was done, in words; None where it could not be kept."""
        if self._outbox.events_of(event_id(asked.key, command.command_id)):
            return "this was done before"
        status = self._alarms.statuses.get(asked.key)
        change = self._alarms.do(asked.key, deed_of(command, status, now, self._shelve_most_h), now) if status else None
        if status is None or change is None:
            deed_of(command, status, now, self._shelve_most_h)
            raise Refused(f"it is {status.state}" if status else "there is no such alarm")
        return f"{change.status.state}" if self._keep([change], now) else None

    def _answer(self, asked: Asked, command: AlarmCommand | None, outcome: str, detail: str, now: datetime) -> None:
        status = self._alarms.statuses.get(asked.key)
        reply = reply_of(command, outcome, detail, status, self._identity, now)
        self._reply(Outgoing(asked.reply_topic, encode(reply), correlation=asked.delivery.correlation))

    def _keep(self, changes: Sequence[Change], now: datetime) -> bool:
        """Keep changes, and what they come to for each operator, then let them count. Returns whether they are kept."""
        events = [change.event for change in changes if change.event]
        floods, summaries = self._summed_up(changes, events, now)
        states: list[tuple[str, OutgoingState]] = [(self._topics.alarm_state(*one.key), one.status) for one in changes]
        states += [(self._topics.alarm_summary(plant), one) for plant, one in summaries.items()]
        try:
            if states:
                self._outbox.commit(
                    now, events=[(self._topics.alarm(one.plant, one.about, one.rule), one) for one in events], states=states
                )
        except sqlite3.Error as error:
            self._complain(str(error))
            return False
        self._complain(None)
        self._alarms.adopt(changes)
        self._floods = floods
        self._summaries |= summaries
        if states:
            self._wake()
        self._tell(events)
        return True

    def _tell(self, events: Sequence[AlarmChanged]) -> None:
        for event in events:
            self._log.info("alarm", what=event.what, alarm=f"{event.plant}/{event.about}/{event.rule}", text=event.text)
        if events:
            self._told(events)

    def _summed_up(
        self, changes: Sequence[Change], events: Iterable[AlarmChanged], now: datetime
    ) -> tuple[dict[str, Flood], dict[str, AlarmSummary]]:
        """What is to be said of each operator's alarms, as far as it is another thing than was said, or that is growing old."""
        statuses = [*{**self._alarms.statuses, **{one.key: one.status for one in changes}}.values()]
        raised = [one for one in events if one.what == "raised"]
        floods, summaries = {}, {}
        for plant in self._plants:
            came = [one.changed_at for one in raised if one.plant in {plant, INSTALLATION}]
            floods[plant] = self._floods[plant].after(came, now)
            summary = summarise(plant, [one for one in statuses if is_before(plant, one)], floods[plant], self._identity, now)
            if self._is_news(self._summaries.get(plant), summary):
                summaries[plant] = summary
        return floods, summaries

    def _is_news(self, before: AlarmSummary | None, after: AlarmSummary) -> bool:
        if before is None or after.time - before.time >= VALID_FOR / 2:
            return True
        return _content(before) != _content(after)

    def _flood_so_far(self, plant: str, now: datetime) -> Flood:
        """Of before this process, as far as the alarms themselves tell it."""
        statuses = [one for one in self._alarms.statuses.values() if is_before(plant, one)]
        return Flood().after(sorted(one.raised_at for one in statuses if one.raised_at), now)

    def _retract(self, observed: Sequence[Observed], now: datetime) -> None:
        """Those that are over for good are said no more."""
        over = self._alarms.over(observed)
        if over:
            self._outbox.retract([self._topics.alarm_state(*key) for key in over], now)
            self._alarms.forget(over)
            self._wake()

    def _complain(self, complaint: str | None) -> None:
        if complaint and complaint != self.failing:
            self._log.error("alarms cannot be kept", cause=complaint, next="trying again each second")
        self.failing = complaint


def _content(summary: AlarmSummary) -> tuple[object, ...]:
    return tuple(getattr(summary, name) for name in summary.__struct_fields__ if name not in {"time", "valid_until"})
