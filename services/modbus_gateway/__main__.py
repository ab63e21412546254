"""Wiring of the Modbus gateway, and its command line."""

import asyncio
import threading
import time
from contextlib import ExitStack
from datetime import UTC, datetime

from prometheus_client import CollectorRegistry

from dotbus.runtime.bus import Bus
from dotbus.runtime.metrics import HealthServer
from dotbus.runtime.presence import Identity, Presence
from dotbus.runtime.process import service_app
from modbus_gateway.metrics import GatewayMetrics
from modbus_gateway.server import IMAGE_MOST_S, Server
from modbus_gateway.service import Service
from modbus_gateway.settings import Configuration, load_configuration

try:
    import uvloop
except ImportError:  # Windows has none; asyncio's own loop serves as well, at more CPU per request
    uvloop = None  # type: ignore[assignment]  # a module or nothing

NAME = "modbus_gateway"


def now_utc() -> datetime:
    """The wall clock."""
    return datetime.now(UTC)


def run(configuration: Configuration, stop: threading.Event) -> None:
    """Serve until the event is set."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop if uvloop else None) as runner:
        runner.run(_serve(configuration, stop))


async def _serve(configuration: Configuration, stop: threading.Event) -> None:
    installation, settings = configuration.installation, configuration.gateway
    topics, register_map = installation.topics, configuration.register_map
    registry = CollectorRegistry()
    metrics = GatewayMetrics(registry)
    server = Server(register_map.units, settings.limits, metrics, time.monotonic)
    metrics.watch_image_age(lambda: server.image_age_s)
    service = Service(register_map, topics, server, clock=now_utc, render_s=settings.render_s, delivered=metrics.delivered)
    identity = Identity(NAME, configuration.service.instance, installation.environment, now_utc())
    bus = Bus(configuration.bus, f"{NAME}-{identity.instance}", clock=now_utc, will=identity.will(topics))
    service.follow(bus)
    presence = Presence(bus, topics, identity, identity.status, clock=now_utc)
    health = _health_server(configuration, registry, server, bus)
    await server.start(settings.host, settings.port)

    with ExitStack() as running:

        def started() -> None:
            bus.start()
            running.callback(bus.stop)
            presence.start()
            running.callback(presence.stop)
            if health:
                health.start()
                running.callback(health.stop)

        try:
            await service.run(stop, started)
        finally:
            await server.stop()


def _health_server(configuration: Configuration, registry: CollectorRegistry, server: Server, bus: Bus) -> HealthServer | None:
    port = configuration.service.health_port
    if port is None:
        return None

    def health() -> dict[str, object]:
        age_s = server.image_age_s
        return {
            "alive": age_s is not None and age_s <= IMAGE_MOST_S,
            "image_age_s": age_s,
            "broker_connected": bus.connected,
        }

    return HealthServer(configuration.service.health_host, port, registry, health)


def main() -> None:
    """The command `modbus-gateway`."""
    service_app(NAME, "Serve topics as Modbus registers.", load_configuration, run)()


if __name__ == "__main__":
    main()
