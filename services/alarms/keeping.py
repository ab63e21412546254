"""Keeping: what becomes of alarms is on disk before it counts, with what it comes to for each operator.

State and event of a change are one transaction of the outbox. Killed before it, nothing happened; killed after it, the courier
of the next process says it.
"""

import sqlite3
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from alarms.states.alarm import Change
from alarms.states.alarms import Alarms
from alarms.states.observed import AlarmKey
from alarms.states.summary import VALID_FOR, Flood, Tally, summarise, tallies
from alarms.states.transitions import Trigger
from dotbus.contracts.alarms import INSTALLATION
from dotbus.contracts.messages import AlarmChanged, AlarmStatus, AlarmSummary
from dotbus.contracts.topics import Subject
from dotbus.runtime.installation.installation import Installation
from dotbus.runtime.logs import get_logger
from dotbus.runtime.outbox.outbox import Outbox, OutgoingState
from dotbus.runtime.presence import Identity

_NONE = Tally()


class Keeping:
    """Keeps what changes, then lets it count.

    Args:
        installation: whose plants there are.
        identity: who speaks.
        alarms: all of them.
        outbox: keeps what changes.
        wake: told that the outbox has something new.
        told: told each change that is kept, for people who do not look at a screen; must not block.
        now: the time.

    Attributes:
        failing: why nothing can be kept; None while it can.
    """

    def __init__(
        self,
        installation: Installation,
        identity: Identity,
        alarms: Alarms,
        outbox: Outbox,
        *,
        wake: Callable[[], None],
        told: Callable[[Sequence[AlarmChanged]], None],
        now: datetime,
    ) -> None:
        self._topics = installation.topics
        self._plants = (*(plant.name for plant in installation.plants), INSTALLATION)
        self._identity = identity
        self._alarms = alarms
        self._outbox = outbox
        self._wake = wake
        self._told = told
        self._floods = self._floods_so_far(now)
        self._summaries: dict[str, AlarmSummary] = {}
        self._tallies: Mapping[str, Tally] | None = None
        self._stepped_by = timedelta(0)
        self.failing: str | None = None
        self._log = get_logger("keeping")

    def keep(self, changes: Sequence[Change], now: datetime) -> bool:
        """Keep changes, and what they come to for each operator, then let them count. Returns whether they are kept."""
        events = [change.event for change in changes if change.event]
        found = self._tallied(changes)
        floods = self._floods_after(events, now)
        summaries = self._news(found, floods, now)
        states: list[tuple[str, OutgoingState]] = [(self._topics.alarm_state(*one.key), one.status) for one in changes]
        states += [(self._topics.alarm_summary(one.plant), one) for one in summaries]
        said = [(self._topics.alarm(one.plant, one.about, one.rule), one) for one in events]
        if not self._try(lambda: states and self._outbox.commit(now, events=said, states=states)):
            return False
        self._alarms.adopt(changes)
        self._floods, self._tallies = floods, found
        self._summaries |= {one.plant: one for one in summaries}
        if states:
            self._wake()
        self._tell(events)
        return True

    def retract(self, keys: Sequence[AlarmKey], now: datetime) -> bool:
        """Say of alarms that are over for good nothing any more. Returns whether that is kept."""
        if not keys:
            return True
        topics = [self._topics.alarm_state(*key) for key in keys]
        if not self._try(lambda: self._outbox.retract(topics, now)):
            return False
        self._alarms.forget(keys)
        self._tallies = None
        self._wake()
        return True

    def take_over(self, statuses: Sequence[AlarmStatus], said_on: Iterable[str], now: datetime) -> None:
        """Go on from what another process left on the bus, and take back what is of no plant of the installation any more.

        Args:
            statuses: alarms of which it knew more than we kept.
            said_on: the topics of all that is on the bus of alarms.
            now: the time.
        """
        states = [(self._topics.alarm_state(one.plant, one.about, one.rule), one) for one in statuses]
        self._try(lambda: states and self._outbox.commit(now, states=states))
        gone = [key for key in self._alarms.statuses if key.plant not in self._plants]
        if self.keep(self._alarms.end(gone, Trigger.OUT_OF_SERVICE, now), now):
            self.retract(gone, now)  # killed before it, the next process does
        known = set(said_on)
        self._try(lambda: known.update(self._outbox.states()))
        others = [topic for topic in sorted(known) if self._is_summary_of_another(topic)]
        if others and self._try(lambda: self._outbox.retract(others, now)):
            self._log.info("plants are gone from the file; what was said of their alarms is taken back", topics=others)
            self._wake()

    def say_again(self) -> None:
        """Have each summary said with the next look, though nothing changed."""
        self._summaries.clear()

    def clock_stepped(self, by: timedelta, now: datetime) -> None:
        """Our clock was set forward by so much: what lasts, lasts as long as it was meant to."""
        self._floods = {plant: flood.with_clock_set(by) for plant, flood in self._floods.items()}
        self._stepped_by += by
        self.say_again()
        self.settle(now)

    def settle(self, now: datetime) -> None:
        """Keep what a step of the clock comes to, should that not have been possible when it came."""
        if self._stepped_by and self.keep(self._alarms.clock_stepped(self._stepped_by, now), now):
            self._stepped_by = timedelta(0)

    def _try(self, act: Callable[[], object]) -> bool:
        """Have the outbox do something. Returns whether it did."""
        complaint = None
        try:
            act()
        except sqlite3.Error as error:
            complaint = str(error)
            if complaint != self.failing:
                self._log.error("alarms cannot be kept", cause=complaint, next="trying again each second")
        self.failing = complaint
        return complaint is None

    def _is_summary_of_another(self, topic: str) -> bool:
        address = self._topics.read(topic)
        return address is not None and address.subject is Subject.ALARM_SUMMARY and address.scope not in self._plants

    def _tell(self, events: Sequence[AlarmChanged]) -> None:
        for event in events:
            self._log.info("alarm", what=event.what, alarm=f"{event.plant}/{event.about}/{event.rule}", text=event.text)
        if events:
            self._told(events)

    def _tallied(self, changes: Sequence[Change]) -> Mapping[str, Tally]:
        """What each plant's alarms come to, counted anew only where any changed."""
        if self._tallies is not None and not changes:
            return self._tallies
        return tallies({**self._alarms.statuses, **{one.key: one.status for one in changes}}.values())

    def _floods_after(self, events: Iterable[AlarmChanged], now: datetime) -> dict[str, Flood]:
        came: defaultdict[str, list[datetime]] = defaultdict(list)
        for event in events:
            if event.what == Trigger.RAISED:
                came[event.plant].append(event.changed_at)
        general = came[INSTALLATION]
        return {
            plant: self._floods[plant].after(general if plant == INSTALLATION else (*came[plant], *general), now)
            for plant in self._plants
        }

    def _news(self, found: Mapping[str, Tally], floods: Mapping[str, Flood], now: datetime) -> list[AlarmSummary]:
        """What is to be said of each operator's alarms, as far as it is another thing than was said, or that grows old."""
        general = found.get(INSTALLATION, _NONE)
        summaries = []
        for plant in self._plants:
            his = general if plant == INSTALLATION else found.get(plant, _NONE).together(general)
            summary = summarise(plant, his, floods[plant], self._identity, now)
            if _is_news(self._summaries.get(plant), summary):
                summaries.append(summary)
        return summaries

    def _floods_so_far(self, now: datetime) -> dict[str, Flood]:
        """Of before this process, as far as the alarms themselves tell it. What is yet to come was told by another clock."""
        raised: defaultdict[str, list[datetime]] = defaultdict(list)
        for one in self._alarms.statuses.values():
            if one.raised_at and one.raised_at <= now:
                raised[one.plant].append(one.raised_at)
        general = raised[INSTALLATION]
        return {
            plant: Flood().after(sorted(general if plant == INSTALLATION else (*raised[plant], *general)), now)
            for plant in self._plants
        }


def _is_news(before: AlarmSummary | None, after: AlarmSummary) -> bool:
    if before is None or after.time - before.time >= VALID_FOR / 2:
        return True
    return _content(before) != _content(after)


def _content(summary: AlarmSummary) -> tuple[object, ...]:
    return tuple(getattr(summary, name) for name in summary.__struct_fields__ if name not in {"time", "valid_until"})
