"""Wiring of the Modbus gateway, and its command line."""

import asyncio
import sys
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack

from prometheus_client import CollectorRegistry

from dotbus.contracts.topics import encode_name
from dotbus.runtime.ingest import open_outbox
from dotbus.runtime.metrics import serving_health
from dotbus.runtime.mqtt.bus import Bus
from dotbus.runtime.presence import Identity
from dotbus.runtime.process import acting_on, service_app
from dotbus.runtime.schedule import lasting_s, utc_now
from dotbus.runtime.starting import listening
from modbus_gateway.entrances import entrances
from modbus_gateway.map_commands import add_map_commands
from modbus_gateway.metrics import GatewayMetrics
from modbus_gateway.reloading.memory import undisturbed
from modbus_gateway.service import Service
from modbus_gateway.serving import Serving
from modbus_gateway.settings import PREFIX, Configuration, load_configuration
from modbus_gateway.writes.wiring import Writes

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
    settings, installation = configuration.own, configuration.installation
    registry = CollectorRegistry()
    metrics = GatewayMetrics(registry)
    identity = Identity(NAME, configuration.service.instance, installation.environment, utc_now())
    bus = Bus(configuration.bus, _client_id(identity), clock=utc_now, will=identity.will(installation.topics))
    with undisturbed(tidies=True):
        writes = _writes(configuration, identity, bus, metrics, lambda: serving.service)
        serving = Serving(configuration, identity, bus, metrics, writes)
    service, server, gateways = serving.service, serving.server, serving.gateways

    def health() -> dict[str, object]:
        turns = time.monotonic() - service.turned_at_s <= STUCK_AFTER_S
        alive = turns and not gateways.has_stepped_back and (writes is None or writes.is_alive)
        known = {"stepped_back": True} if gateways.has_stepped_back else {}
        return known | {"alive": alive, "ready": bus.connected, "image_age_s": service.images.age_s, "broker": bus.connected}

    for entrance in entrances(settings, utc_now, time.monotonic, metrics):
        with listening(entrance.door.speaks, (entrance.host, entrance.port), entrance.host_setting, entrance.port_setting):
            await server.start(entrance.host, entrance.port, entrance.door)
        if entrance.certificate_ends_at:
            service.images.watch_certificate(entrance.certificate_ends_at)
    with ExitStack() as running:
        if writes:
            running.callback(writes.outbox.close)

        def started() -> None:
            bus.start()
            running.callback(bus.stop)
            serving.presence.start()
            running.callback(serving.presence.stop)
            if writes:
                running.enter_context(writes.serving())
            running.enter_context(serving_health(configuration.service, registry, health))
            running.enter_context(acting_on("SIGHUP", serving.requests.on_hangup))

        try:
            await service.run(stop, started)
        finally:
            await server.stop()


def _client_id(identity: Identity) -> str:
    """One level of a topic, so that replies can come on one of our own."""
    return encode_name(f"{NAME}-{identity.instance}")


def _writes(
    configuration: Configuration, identity: Identity, bus: Bus, metrics: GatewayMetrics, service: Callable[[], Service]
) -> Writes | None:
    """What a gateway has for writes; None when its map takes none."""
    installation = configuration.installation
    writables = configuration.writables
    if writables.is_empty:
        return None
    return Writes(
        writables,
        identity,
        installation.topics,
        bus,
        _client_id(identity),
        open_outbox(configuration.own, f"{PREFIX}STATE_DIR"),
        lambda: service().images.received,
        stale_after_s=lambda: service().stale_after_s,
        wall=utc_now,
        monotonic_s=lasting_s,
        count=metrics.written,
    )


def _load() -> Configuration:
    with undisturbed(tidies=True):
        return load_configuration()


def main() -> None:
    """The command `modbus-gateway`."""
    app = service_app(NAME, "Serve topics as Modbus registers.", _load, run)
    add_map_commands(app)
    app()


if __name__ == "__main__":
    main()
