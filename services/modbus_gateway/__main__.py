"""Wiring of the Modbus gateway, and its command line."""

import asyncio
import gc
import sys
import threading
import time
from contextlib import ExitStack
from datetime import datetime
from importlib.metadata import version as version_of

from prometheus_client import CollectorRegistry

from dotbus.contracts.messages import ServiceStatus
from dotbus.runtime.metrics import serving_health
from dotbus.runtime.mqtt.bus import Bus
from dotbus.runtime.presence import Identity, Presence
from dotbus.runtime.process import acting_on, service_app
from dotbus.runtime.schedule import utc_now
from dotbus.runtime.starting import listening
from modbus_gateway.beside.gateways import Gateways
from modbus_gateway.entrances import entrances
from modbus_gateway.map.draft import read_map
from modbus_gateway.map.register_map import RegisterMap
from modbus_gateway.map_commands import add_map_commands
from modbus_gateway.metrics import GatewayMetrics
from modbus_gateway.reloading.reading import read_again
from modbus_gateway.reloading.reloads import Reloads
from modbus_gateway.reloading.requests import RequestsOnBus
from modbus_gateway.service import Service
from modbus_gateway.settings import Configuration, load_configuration
from modbus_gateway.wire.current_image import CurrentImage
from modbus_gateway.wire.identification import Identification
from modbus_gateway.wire.pdu import Served
from modbus_gateway.wire.server import Server
from modbus_gateway.wire.writing import NothingWritable

try:
    import uvloop
except ImportError:  # Windows has none; asyncio's own loop serves as well, at more CPU per request
    uvloop = None  # type: ignore[assignment]  # a module or nothing

NAME = "modbus_gateway"
SWITCH_S = 0.0005
"""How long the bus's thread may keep the interpreter from the loop that serves; Python itself lets it have 5 ms each time."""
STUCK_AFTER_S = 5.0
"""When the loop that serves did not turn for longer it is stuck, and only a restart can help."""


def run(configuration: Configuration, stop: threading.Event) -> None:
    """Serve until the event is set."""
    sys.setswitchinterval(SWITCH_S)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop if uvloop else None) as runner:
        runner.run(_serve(configuration, stop))


async def _serve(configuration: Configuration, stop: threading.Event) -> None:
    installation, settings = configuration.installation, configuration.own
    topics, register_map = installation.topics, read_map(installation)
    registry = CollectorRegistry()
    metrics = GatewayMetrics(registry)

    def image_of(shown: RegisterMap) -> CurrentImage:
        return CurrentImage(shown, topics, wall=utc_now, monotonic_s=time.monotonic, render_s=settings.render_s)

    def served_by(shown: RegisterMap, images: CurrentImage) -> Served:
        if gateways.has_stepped_back:
            return _nothing(called)
        return Served(shown.units, images.look, NothingWritable(), called, shown.aliases)

    called = Identification.of(version_of("dotbus"), f"{installation.environment} {configuration.service.instance}")
    identity = Identity(NAME, configuration.service.instance, installation.environment, utc_now())
    bus = Bus(configuration.bus, f"{NAME}-{identity.instance}", clock=utc_now, will=identity.will(topics))
    loop, config = asyncio.get_running_loop(), configuration.service.config
    gateways = Gateways(bus, topics, identity, lambda: server.serve(_nothing(called)), clock=utc_now, loop=loop)
    images = image_of(register_map)
    server = Server(served_by(register_map, images), settings.limits, metrics, time.monotonic, metrics.closed)
    service = Service(
        register_map,
        topics,
        images,
        clock=utc_now,
        render_s=settings.render_s,
        turned=server.tend,
        delivered=metrics.delivered,
    )
    metrics.watch_image_age(lambda: service.images.age_s)

    async def change(after: RegisterMap) -> None:
        image, before = await asyncio.to_thread(image_of, after), service.images
        ask_broker = service.change_map(after, image)
        server.serve(served_by(after, image))  # without a pause since: both from the same request on
        await asyncio.to_thread(ask_broker)
        await asyncio.to_thread(before.let_go)

    service.follow(bus)
    reloads = Reloads(register_map, lambda: read_again(config, installation), change, clock=utc_now)
    requests = RequestsOnBus(bus, reloads, topics, identity, clock=utc_now, loop=loop)

    def describe(now: datetime) -> ServiceStatus:
        return identity.status(now, upstreams=service.upstreams, complaints=(*gateways.complaints, *reloads.complaints))

    presence = Presence(bus, topics, identity, describe, clock=utc_now)

    def health() -> dict[str, object]:
        alive = time.monotonic() - service.turned_at_s <= STUCK_AFTER_S and not gateways.has_stepped_back
        known = {"stepped_back": True} if gateways.has_stepped_back else {}
        return known | {"alive": alive, "ready": bus.connected, "image_age_s": service.images.age_s, "broker": bus.connected}

    for entrance in entrances(settings, utc_now, time.monotonic, metrics):
        with listening(entrance.door.speaks, (entrance.host, entrance.port), entrance.host_setting, entrance.port_setting):
            await server.start(entrance.host, entrance.port, entrance.door)
    with ExitStack() as running:

        def started() -> None:
            gc.collect()
            gc.freeze()  # what stands where is here to stay; to look through it again and again would hold up who asks
            bus.start()
            running.callback(bus.stop)
            presence.start()
            running.callback(presence.stop)
            running.enter_context(serving_health(configuration.service, registry, health))
            running.enter_context(acting_on("SIGHUP", requests.on_hangup))

        try:
            await service.run(stop, started)
        finally:
            await server.stop()


def _nothing(called: Identification) -> Served:
    """What a gateway serves that has stepped back: whatever is asked, that there is no such unit."""
    return Served(frozenset(), lambda _unit_id: None, NothingWritable(), called)


def main() -> None:
    """The command `modbus-gateway`."""
    app = service_app(NAME, "Serve topics as Modbus registers.", load_configuration, run)
    add_map_commands(app)
    app()


if __name__ == "__main__":
    main()
