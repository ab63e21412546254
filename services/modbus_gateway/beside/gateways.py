"""Gateways: those that speak on the bus, this one among them, as it hears them."""

import asyncio
from collections.abc import Callable
from datetime import datetime

from dotbus.contracts.codec import UndecodableMessage, decode_as
from dotbus.contracts.messages import ServiceStatus
from dotbus.contracts.topics import Topics
from dotbus.runtime.logs import get_logger
from dotbus.runtime.mqtt.bus import Bus
from dotbus.runtime.mqtt.messages import Delivery
from dotbus.runtime.presence import Identity
from modbus_gateway.beside.namesake import Namesake


class Gateways:
    """Hears the gateways, and has this one step back when another one uses its name and came before it.

    Args:
        bus: not started yet.
        topics: of the installation.
        identity: who we are.
        step_back: has nothing served any more; called in the loop, once.
        clock: the wall clock.
        loop: that serves.

    Attributes:
        has_stepped_back: whether this one serves nothing any more. It lasts until the process ends.
    """

    def __init__(
        self,
        bus: Bus,
        topics: Topics,
        identity: Identity,
        step_back: Callable[[], None],
        *,
        clock: Callable[[], datetime],
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self._bus = bus
        self._topics = topics
        self._identity = identity
        self._step_back = step_back
        self._clock = clock
        self._loop = loop
        self._namesake = Namesake(identity.started_at)
        self.has_stepped_back = False
        self._log = get_logger("beside")
        bus.subscribe([topics.every_instance(identity.service)], self._on_delivery)
        bus.on_namesake(lambda: self._in_loop(self._take_drop))

    @property
    def complaints(self) -> tuple[str, ...]:
        """What is wrong with who is beside us; any thread may ask."""
        complaint = self._namesake.complaint(self._identity.source, self._clock())
        return (complaint,) if complaint else ()

    def _on_delivery(self, delivery: Delivery) -> None:
        """In the bus's thread. Each is believed about itself only; what is no status is passed over."""
        delivery.ack()
        try:
            status = decode_as(delivery.payload, ServiceStatus)
        except UndecodableMessage:
            return
        if delivery.topic == self._topics.service(self._identity.service, status.instance):
            self._in_loop(lambda: self._take(status))

    def _take(self, status: ServiceStatus) -> None:
        if status.instance == self._identity.instance:
            self._look(self._namesake.heard(status, self._clock()))

    def _take_drop(self) -> None:
        self._look(self._namesake.dropped())

    def _look(self, after: Namesake) -> None:
        before, self._namesake = self._namesake, after
        told = after.complaint(self._identity.source, self._clock())
        if told and not before.complaint(self._identity.source, self._clock()):
            self._log.error("another process used our name at the broker, and steps back", detail=told)
        if after.steps_back and not self.has_stepped_back:
            self.has_stepped_back = True
            self._log.error(
                "another process uses our name and started before us: we step back, and serve nothing until restarted",
                other_started_at=str(after.other_at),
                next="give this one its own INSTANCE, then restart it",
            )
            self._step_back()
            self._loop.run_in_executor(None, self._bus.stop)

    def _in_loop(self, act: Callable[[], None]) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(act)
