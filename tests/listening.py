"""Somebody who subscribes and remembers all that is said."""

from collections.abc import Iterable
from typing import TypeVar

from dotbus.contracts.codec import decode
from dotbus.contracts.messages import AnyMessage
from dotbus.contracts.topics import Subject, Topics
from dotbus.runtime.mqtt.bus import Bus
from dotbus.runtime.mqtt.messages import Delivery
from dotbus.runtime.schedule import utc_now
from dotbus.runtime.settings.settings import BusSettings

M = TypeVar("M")


class Listener:
    """Hears some subjects at a broker on this machine. `heard` has topic and message of each delivery, in order."""

    def __init__(self, port: int, subjects: Iterable[Subject], topics: Topics = Topics()) -> None:  # noqa: B008  # frozen
        self.heard: list[tuple[str, AnyMessage]] = []
        self.bus = Bus(BusSettings(port=port), f"listener-{topics.root.replace('/', '-')}", clock=utc_now)
        self.bus.subscribe([topics.every(subject) for subject in subjects], self._take)
        self.bus.start()

    def _take(self, delivery: Delivery) -> None:
        self.heard.append((delivery.topic, decode(delivery.payload)))
        delivery.ack()

    def latest(self) -> dict[str, AnyMessage]:
        """The last message of each topic."""
        return dict(self.heard)

    def of(self, kind: type[M]) -> list[M]:
        """Every message of one kind."""
        return [message for _, message in self.heard if isinstance(message, kind)]
