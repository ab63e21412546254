"""Serving: the parts that answer requests, wired; another map, or nothing, takes the place of what they answer from."""

import asyncio
import time
from datetime import datetime
from importlib.metadata import version as version_of

from dotbus.contracts.messages import ServiceStatus
from dotbus.runtime.mqtt.bus import Bus
from dotbus.runtime.presence import Identity, Presence
from dotbus.runtime.schedule import lasting_s, utc_now
from modbus_gateway.beside.gateways import Gateways
from modbus_gateway.map.register_map import RegisterMap
from modbus_gateway.metrics import GatewayMetrics
from modbus_gateway.reloading.reading import read_again
from modbus_gateway.reloading.reloads import Reloads
from modbus_gateway.reloading.requests import RequestsOnBus
from modbus_gateway.service import Service
from modbus_gateway.settings import Configuration
from modbus_gateway.wire.identification import Identification
from modbus_gateway.wire.images.current_image import CurrentImage
from modbus_gateway.wire.pdu import Served
from modbus_gateway.wire.server import Server
from modbus_gateway.wire.writing import NothingWritable
from modbus_gateway.writes.wiring import Writes


class Serving:
    """What this gateway serves, from the bus to the ports.

    Args:
        configuration: of the process.
        identity: who we are on the bus.
        bus: not started yet.
        metrics: told what happens.
        writes: takes what clients write; None where nothing may be written.

    Attributes:
        server: the ports.
        service: the bus's messages to registers.
        gateways: those beside this one.
        requests: who asks for a reload.
        presence: what this gateway says of itself.
    """

    def __init__(
        self,
        configuration: Configuration,
        identity: Identity,
        bus: Bus,
        metrics: GatewayMetrics,
        writes: Writes | None = None,
    ) -> None:
        installation, settings = configuration.installation, configuration.own
        register_map, loop = configuration.register_map, asyncio.get_running_loop()
        self._writes = writes
        self._topics, self._render_s = installation.topics, settings.render_s
        self._identity = identity
        self._called = Identification.of(version_of("dotbus"), f"{identity.environment} {identity.instance}")
        images = self._image_of(register_map)
        self.server = Server(self._served(register_map, images), settings.limits, metrics, time.monotonic, metrics.closed)
        self.service = Service(
            register_map,
            self._topics,
            images,
            clock=utc_now,
            render_s=settings.render_s,
            turned=self._look_round,
            delivered=metrics.delivered,
        )
        self.gateways = Gateways(
            bus,
            self._topics,
            identity,
            self._step_back,
            self.service.stand,
            self._say_again,
            in_turn=self.service.in_turn,
            monotonic_s=lasting_s,
            clock=utc_now,
        )
        self.gateways.serve(register_map.hashes)
        self.service.follow(bus, writes.follows if writes else ())
        config, writables = configuration.service.config, configuration.writables
        self._reloads = Reloads(register_map, lambda: read_again(config, installation, writables), self._change, clock=utc_now)
        self.requests = RequestsOnBus(bus, self._reloads, self._topics, identity, clock=utc_now, loop=loop)
        saying, refused = self.gateways.saying, self.gateways.refused
        self.presence = Presence(
            bus, self._topics, identity, self.describe, clock=utc_now, saying=saying, refused=refused, ready=self._is_ready
        )
        metrics.watch_image_age(lambda: self.service.images.age_s)

    def describe(self, now: datetime) -> ServiceStatus:
        """What this gateway says of itself; any thread may ask."""
        return self._identity.status(
            now,
            upstreams=self.service.upstreams,
            outbox=self._writes.outbox.span() if self._writes else None,
            complaints=(*self.gateways.complaints, *self._reloads.complaints),
            map_hashes=self.gateways.map_hashes,
            redundancy=self.gateways.state.word,
        )

    def _image_of(self, register_map: RegisterMap) -> CurrentImage:
        return CurrentImage(register_map, self._topics, wall=utc_now, monotonic_s=lasting_s, render_s=self._render_s)

    def _served(self, register_map: RegisterMap, images: CurrentImage) -> Served:
        look = self._writes.tables(images.look) if self._writes else images.look
        writing = self._writes.writing if self._writes else NothingWritable()
        return Served(register_map.units, look, writing, self._called, register_map.aliases)

    def _is_ready(self) -> bool:
        return self._writes is None or self._writes.is_ready

    async def _change(self, after: RegisterMap) -> None:
        images, before = await asyncio.to_thread(self._image_of, after), self.service.images
        ask_broker = self.service.change_map(after, images)
        self.gateways.serve(after.hashes)
        if not self.gateways.has_stepped_back:
            self.server.serve(self._served(after, images))  # without a pause since: all of it from the same request on
        await asyncio.to_thread(ask_broker)
        await asyncio.to_thread(before.let_go)

    def _say_again(self) -> None:
        self.presence.poke()

    def _step_back(self) -> None:
        """From now on there is no unit, whatever is asked."""
        self.server.serve(Served(frozenset(), lambda _unit_id: None, NothingWritable(), self._called))

    def _look_round(self) -> None:
        if self._writes:
            self._writes.writing.turned()
        self.server.tend()
        self.gateways.look_round()
