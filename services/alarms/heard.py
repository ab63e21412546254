"""Heard: what the bus says of resources, services and gaps, as far as rules ask for it. Nothing is judged here."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from dotbus.contracts.codec import UndecodableMessage, decode
from dotbus.contracts.messages import Environment, ServiceStatus, Telemetry, UpstreamGap
from dotbus.contracts.quality import Level
from dotbus.contracts.topics import Subject, Topics
from dotbus.judging.arrivals import read_delivery
from dotbus.judging.received import Received
from dotbus.runtime.logs import get_logger
from dotbus.runtime.mqtt.messages import Delivery

ACTUAL_MW: Final = "actual_mw"
_GAPS_KEPT_FOR: Final = timedelta(days=7)
_GAPS_MOST: Final = 1000
_SERVICES_MOST: Final = 1000
_NAME_MOST: Final = 200
"""How much is remembered, so that nobody can fill our memory."""


@dataclass(frozen=True)
class Service:
    """A service by what it last said of itself.

    Attributes:
        status: what that was.
        heard_at: when it came; of what the broker kept, when we were told of it.
        clock_offset_s: its clock minus ours, too small by the time that the message took; None while it said nothing itself.
    """

    status: ServiceStatus
    heard_at: datetime
    clock_offset_s: float | None = None


class Heard:
    """All that is known from the bus.

    Args:
        topics: of the installation.
        accepted: whose messages count.

    Attributes:
        received: states of resources, to be judged.
        services: by SERVICE/INSTANCE.
        gaps: what sources could not have, by the id of the event.
        connected_since: since when there is a connection; None while there is none.
    """

    def __init__(self, topics: Topics, accepted: Collection[Environment]) -> None:
        self._topics = topics
        self._accepted = frozenset(accepted)
        self._actual: dict[tuple[str, str], Telemetry] = {}
        self.received = Received()
        self.services: dict[str, Service] = {}
        self.gaps: dict[str, UpstreamGap] = {}
        self.connected_since: datetime | None = None
        self._log = get_logger("heard")

    @property
    def filters(self) -> list[str]:
        """What is subscribed to."""
        subjects = (Subject.DOT, Subject.INSTRUCTIONS, Subject.SERVICE, Subject.TELEMETRY, Subject.GAP)
        return [self._topics.every(subject) for subject in subjects]

    def turn(self, *, connected: bool, now: datetime) -> None:
        """The connection to the broker came or went."""
        self.received.turn(connected=connected, at=now)
        self.connected_since = now if connected else None

    def clock_stepped(self, by: timedelta) -> None:
        """Our clock was set forward by so much: it is told by the new one when things came, and no clocks were compared."""
        self.received.clock_stepped(by)
        self.connected_since = self.connected_since + by if self.connected_since else None
        self.services = {
            source: replace(one, heard_at=one.heard_at + by, clock_offset_s=None) for source, one in self.services.items()
        }

    def is_connected_for(self, now: datetime, least_s: float) -> bool:
        """Whether the connection stands so long that what the broker keeps has come."""
        return self.connected_since is not None and (now - self.connected_since).total_seconds() >= least_s

    def take(self, delivery: Delivery) -> ServiceStatus | None:
        """A message, whatever it is about. Returns it where it is a service's of itself."""
        if arrival := read_delivery(delivery, self._topics, self._accepted):
            self.received.take(arrival)
        address = self._topics.read(delivery.topic)
        if address is None or address.subject not in {Subject.SERVICE, Subject.TELEMETRY, Subject.GAP}:
            return None
        if not delivery.payload:
            self._forget(address.subject, (address.scope, address.name or ""), address.point)
            return None
        try:
            message = decode(delivery.payload)
        except UndecodableMessage as error:
            self._log.warning("a message was not understood", topic=delivery.topic, reason=error.reason)
            return None
        if message.environment not in self._accepted:
            return None
        match message:
            case ServiceStatus() if message.source == f"{address.scope}/{address.name}":
                self._take_status(message, delivery)
                return message
            case Telemetry() if message.point == ACTUAL_MW == address.point:
                self._actual[address.scope, address.name or ""] = message
            case UpstreamGap() if message.source == f"{address.scope}/{address.name}":
                self._take_gap(message, delivery.received_at)
        return None

    def actual_mw(self, plant: str, resource_id: str, now: datetime) -> float | None:
        """What a resource delivers, as its plant says; None where that is not known for good now."""
        said = self._actual.get((plant, resource_id))
        if said is None or said.quality < Level.GOOD or now > said.valid_until or said.value is None:
            return None
        return float(said.value)

    def _take_status(self, status: ServiceStatus, delivery: Delivery) -> None:
        known = self.services.get(status.source)
        is_will = not status.online and status.time == status.started_at
        if known is None and (len(self.services) >= _SERVICES_MOST or len(status.source) > _NAME_MOST):
            return
        heard = Service(status, delivery.received_at, known.clock_offset_s if known else None)
        if not delivery.retained and not is_will:
            heard = replace(heard, clock_offset_s=(status.time - delivery.received_at).total_seconds())
        self.services[status.source] = heard

    def _take_gap(self, gap: UpstreamGap, now: datetime) -> None:
        self.gaps[gap.id] = gap
        self.gaps = {one.id: one for one in [*self.gaps.values()][-_GAPS_MOST:] if now - one.time < _GAPS_KEPT_FOR}

    def _forget(self, subject: Subject, names: tuple[str, str], point: str | None) -> None:
        if subject is Subject.SERVICE:
            self.services.pop("/".join(names), None)
        elif subject is Subject.TELEMETRY and point == ACTUAL_MW:
            self._actual.pop(names, None)
