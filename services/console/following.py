"""Following: what came from the bus, kept as far as a page shows it. Pure: time comes with what arrives.

States and the ingests' statuses are for the judgement that all services share. Kept beside them: what every other service says
of itself, what plants measure, alarms, and gaps that were told since we listen.
"""

from collections import deque
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from dotbus.contracts.codec import UndecodableMessage, decode
from dotbus.contracts.messages import AlarmStatus, Environment, ServiceStatus, Telemetry, UpstreamGap
from dotbus.contracts.topics import Address, Subject, Topics
from dotbus.judging.arrivals import read_delivery
from dotbus.judging.clock_steps import Moment
from dotbus.judging.received import Received
from dotbus.runtime.mqtt.messages import Delivery

RESOURCES_MOST: Final = 2000
"""Of which anything is kept. A broker's access list lets nobody but ads_ingest name one."""
SERVICES_MOST: Final = 200
GAPS_KEPT: Final = 50
ALARMS_MOST: Final = 5000
SHOWN_POINTS: Final = frozenset({"actual_mw", "available_mw", "breaker_closed", "agc_on"})
"""What of a plant's points is kept: each can have points of its own, as many as it likes."""
STATES: Final = (Subject.DOT, Subject.TRAJECTORY, Subject.INSTRUCTIONS, Subject.LMP)

ResourceKey = tuple[str, str]
"""Plant and resource."""


@dataclass(frozen=True)
class HeardStatus:
    """What a service said of itself, and when it came here."""

    status: ServiceStatus
    arrived_at: datetime


@dataclass(frozen=True)
class HeardPoint:
    """What a plant said of a point, and when it came here first."""

    said: Telemetry
    arrived_at: datetime


AlarmKey = tuple[str, str, str]
"""Plant, what it is about, and rule."""


@dataclass
class Following:
    """All that is known.

    Args:
        topics: of this installation.
        accepted: the environments whose messages are shown as values.
        started: the moment since which the clock is watched.
    """

    topics: Topics
    accepted: Collection[Environment]
    started: Moment
    received: Received = field(default_factory=Received)
    services: dict[str, HeardStatus] = field(default_factory=dict)
    points: dict[ResourceKey, dict[str, HeardPoint]] = field(default_factory=dict)
    gaps: deque[UpstreamGap] = field(default_factory=lambda: deque(maxlen=GAPS_KEPT))
    alarms: dict[AlarmKey, AlarmStatus] = field(default_factory=dict)
    heard: dict[ResourceKey, None] = field(default_factory=dict)
    outdated: set[str] = field(default_factory=set)
    all_outdated: bool = True

    def filters(self) -> list[str]:
        """The topics to follow. Services come last: a heartbeat confirms the states that came before it."""
        of_alarms = (Subject.ALARM_STATE, Subject.ALARM_SUMMARY)
        subjects = (*STATES, Subject.TELEMETRY, Subject.GAP, *of_alarms, Subject.SERVICE)
        return [self.topics.every(subject) for subject in subjects]

    def take(self, delivery: Delivery) -> None:
        """Remember what came."""
        address = self.topics.read(delivery.topic)
        if address is None:
            return
        match address.subject:
            case Subject.TELEMETRY:
                self._take_point(address, delivery)
            case Subject.GAP:
                self._take_gap(address, delivery)
            case Subject.ALARM_STATE:
                self._take_alarm(address, delivery)
            case Subject.SERVICE:
                self._take_status(address, delivery)
                self._judge(delivery)
            case Subject.DOT | Subject.TRAJECTORY | Subject.INSTRUCTIONS:
                if self._has_room_for((address.scope, address.name or "")):
                    self._judge(delivery)
            case Subject.LMP | Subject.ALARM_SUMMARY:
                self._judge(delivery)

    def turn(self, *, connected: bool, at: datetime) -> None:
        """The connection to the broker came or went."""
        self.received.turn(connected=connected, at=at)
        self.all_outdated = True

    def look_at_clock(self, now: Moment) -> None:
        """Learn whether our clock was set since the last look."""
        if step := now.step_since(self.started):
            self.received.clock_stepped(step)
            self.all_outdated = True
        self.started = now

    def take_outdated(self) -> tuple[bool, frozenset[str]]:
        """Whether everything is to be read anew, else the topics on which something was said since this was asked last."""
        told = self.all_outdated, frozenset(self.outdated)
        self.all_outdated, self.outdated = False, set()
        return told

    def _judge(self, delivery: Delivery) -> None:
        arrival = read_delivery(delivery, self.topics, self.accepted)
        if arrival is None:
            return
        self.received.take(arrival)
        self.outdated.add(arrival.topic)
        self.all_outdated = self.all_outdated or bool(arrival.source)

    def _has_room_for(self, key: ResourceKey) -> bool:
        if key not in self.heard and len(self.heard) < RESOURCES_MOST:
            self.heard[key] = None
        return key in self.heard

    def _take_status(self, address: Address, delivery: Delivery) -> None:
        source = f"{address.scope}/{address.name}"
        if not delivery.payload:
            self.services.pop(source, None)
            return
        said = _decoded(delivery, ServiceStatus)
        is_own = isinstance(said, ServiceStatus) and f"{said.service}/{said.instance}" == said.source == source
        if isinstance(said, ServiceStatus) and is_own and (source in self.services or len(self.services) < SERVICES_MOST):
            self.services[source] = HeardStatus(said, delivery.received_at)

    def _take_point(self, address: Address, delivery: Delivery) -> None:
        key = address.scope, address.name or ""
        said = _decoded(delivery, Telemetry)
        if not isinstance(said, Telemetry) or (said.plant, said.resource_id) != key or said.point not in SHOWN_POINTS:
            return
        if self._has_room_for(key) and said.environment in self.accepted:
            known = self.points.setdefault(key, {})
            before = known.get(said.point)
            is_same = before is not None and before.said == said
            known[said.point] = before if is_same and before else HeardPoint(said, delivery.received_at)

    def _take_gap(self, address: Address, delivery: Delivery) -> None:
        said = _decoded(delivery, UpstreamGap)
        if isinstance(said, UpstreamGap) and said.source == f"{address.scope}/{address.name}" and said not in self.gaps:
            self.gaps.append(said)

    def _take_alarm(self, address: Address, delivery: Delivery) -> None:
        key = address.scope, address.name or "", address.rule or ""
        if not delivery.payload:
            self.alarms.pop(key, None)
            return
        said = _decoded(delivery, AlarmStatus)
        if not isinstance(said, AlarmStatus) or (said.plant, said.about, said.rule) != key:
            return
        if key in self.alarms or len(self.alarms) < ALARMS_MOST:
            self.alarms[key] = said

    def resources(self, configured: Collection[ResourceKey]) -> Iterator[ResourceKey]:
        """Every resource that is configured, in that order, then those that were heard of besides."""
        yield from dict.fromkeys([*configured, *self.heard])


def _decoded(delivery: Delivery, kind: type[ServiceStatus | Telemetry | UpstreamGap | AlarmStatus]) -> object:
    try:
        message = decode(delivery.payload)
    except UndecodableMessage:
        return None
    return message if isinstance(message, kind) else None
