"""Heard: the alarms as the bus says them, and whether all of them have come."""

import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from dotbus.contracts.alarms import INSTALLATION, AlarmPriority, AlarmState
from dotbus.contracts.codec import UndecodableMessage, decode
from dotbus.contracts.messages import AlarmStatus, AlarmSummary, ServiceStatus
from dotbus.contracts.topics import Subject, Topics, encode_name
from dotbus.runtime.mqtt.messages import Delivery

SERVICE: Final = "alarms"
ACTIVE: Final = frozenset({AlarmState.UNACKNOWLEDGED, AlarmState.ACKNOWLEDGED})
UNSEEN: Final = frozenset({AlarmState.UNACKNOWLEDGED, AlarmState.RETURNED})
OPEN: Final = ACTIVE | UNSEEN
"""Those that somebody has to look at."""
_URGENCY: Final = {priority: number for number, priority in enumerate(AlarmPriority)}
_ORDER: Final = {state: number for number, state in enumerate((AlarmState.UNACKNOWLEDGED, AlarmState.RETURNED))}


@dataclass(frozen=True)
class Known:
    """What is known at one moment.

    Attributes:
        alarms: each as it is, the most urgent first, of those what nobody has acknowledged, of those the newest.
        summaries: of each plant, as far as the service of alarms vouches for them now.
        is_whole: whether the service is there, and the summaries speak of these alarms: none is still to come.
    """

    alarms: tuple[AlarmStatus, ...] = ()
    summaries: tuple[AlarmSummary, ...] = ()
    is_whole: bool = False

    def of(self, plant: str | None) -> "Known":
        """What one plant's operator has before him; None is everything."""
        if plant is None:
            return self
        alarms = tuple(one for one in self.alarms if one.plant in {plant, INSTALLATION})
        return Known(alarms, tuple(one for one in self.summaries if one.plant == plant), self.is_whole)

    @property
    def open(self) -> tuple[AlarmStatus, ...]:
        """Those that somebody has to look at."""
        return tuple(one for one in self.alarms if one.state in OPEN)

    def named(self, text: str) -> tuple[AlarmStatus, ...]:
        """The alarms that a text names: PLANT/ABOUT/RULE, as the list shows it or as messages do, or the end of it."""
        exactly = tuple(one for one in self.alarms if text in {name_of(one), encoded_name_of(one)})
        return exactly or tuple(one for one in self.alarms if name_of(one).endswith(f"/{text}"))


@dataclass
class HeardAlarms:
    """Takes what comes, in the network thread, and tells it to whoever asks.

    What the broker keeps comes in the order in which it was asked for: once the service's status is there, all alarms are.
    """

    topics: Topics
    _alarms: dict[str, AlarmStatus] = field(default_factory=dict)
    _summaries: dict[str, AlarmSummary] = field(default_factory=dict)
    _serving: dict[str, bool] = field(default_factory=dict)
    _changed: threading.Condition = field(default_factory=threading.Condition)

    @property
    def filters(self) -> list[str]:
        """What is subscribed to."""
        return [self.topics.every(subject) for subject in (Subject.ALARM_STATE, Subject.ALARM_SUMMARY, Subject.SERVICE)]

    def take(self, delivery: Delivery) -> None:
        """A message. One that speaks of another alarm than its topic is passed over; an empty one takes an alarm away."""
        message = None
        if delivery.payload:
            try:
                message = decode(delivery.payload)
            except UndecodableMessage:
                return
        with self._changed:
            match message:
                case None:
                    self._alarms.pop(delivery.topic, None)
                    self._summaries.pop(delivery.topic, None)
                    self._serving.pop(delivery.topic, None)
                case AlarmStatus() if delivery.topic == self.topics.alarm_state(message.plant, message.about, message.rule):
                    self._alarms[delivery.topic] = message
                case AlarmSummary() if delivery.topic == self.topics.alarm_summary(message.plant):
                    self._summaries[delivery.topic] = message
                case ServiceStatus() if delivery.topic == self.topics.service(SERVICE, message.instance):
                    self._serving[delivery.topic] = message.online
            self._changed.notify_all()

    def known(self, now: datetime) -> Known:
        """All of it, as it is now."""
        with self._changed:
            alarms = sorted(self._alarms.values(), key=_before)
            summaries = [one for _topic, one in sorted(self._summaries.items()) if now < one.valid_until]
            is_there = any(self._serving.values())
        is_whole = is_there and bool(summaries) and all(_speaks_of(one, alarms) for one in summaries)
        return Known(tuple(alarms), tuple(summaries), is_whole)

    def wait(self, timeout_s: float) -> None:
        """Until something comes, or so long."""
        with self._changed:
            self._changed.wait(timeout_s)


def name_of(alarm: AlarmStatus) -> str:
    """An alarm for people: PLANT/ABOUT/RULE."""
    return f"{alarm.plant}/{alarm.about}/{alarm.rule}"


def encoded_name_of(alarm: AlarmStatus) -> str:
    """The same as messages say it."""
    return "/".join(map(encode_name, (alarm.plant, alarm.about, alarm.rule)))


def counted(summary: AlarmSummary) -> Mapping[AlarmPriority, tuple[int, int]]:
    """How many are unacknowledged and how many active, by priority."""
    return {one.priority: (one.unacknowledged, one.active) for one in summary.counts}


def _before(alarm: AlarmStatus) -> tuple[int, int, float, str]:
    since = (alarm.raised_at or alarm.changed_at).timestamp()
    return _URGENCY[alarm.priority], _ORDER.get(alarm.state, len(_ORDER)), -since, name_of(alarm)


def _speaks_of(summary: AlarmSummary, alarms: Iterable[AlarmStatus]) -> bool:
    before_it = [one for one in alarms if one.plant in {summary.plant, INSTALLATION}]
    for priority, (unacknowledged, active) in counted(summary).items():
        of_priority = [one for one in before_it if one.priority is priority]
        found = sum(one.state in UNSEEN for one in of_priority), sum(one.state in ACTIVE for one in of_priority)
        if found != (unacknowledged, active):
            return False
    away = [sum(one.state is state for one in before_it) for state in (AlarmState.SHELVED, AlarmState.SUPPRESSED)]
    return away == [summary.shelved, summary.suppressed]
