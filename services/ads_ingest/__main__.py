"""The process: plain constructor calls, from the configuration to the loop."""

import random
import threading
from collections.abc import Callable
from datetime import datetime

from prometheus_client import CollectorRegistry

from ads_ingest.caiso import Caiso
from ads_ingest.certificate import days_left, read_expiry
from ads_ingest.meters import Meters
from ads_ingest.service import Loop
from ads_ingest.settings import Configuration, load_configuration
from ads_ingest.source import AdsSource
from ads_ingest.translate import Sender
from ads_ingest.wiring import open_outbox, wire_streams
from dotbus.contracts.messages import ServiceStatus, Upstream
from dotbus.runtime.bus import Bus
from dotbus.runtime.courier import Courier
from dotbus.runtime.metrics import HealthServer
from dotbus.runtime.presence import Identity, Presence
from dotbus.runtime.process import service_app
from dotbus.runtime.quarantine import Quarantine
from dotbus.runtime.schedule import utc_now

SERVICE = "ads_ingest"
SUMMARY = "CAISO ADS to topics: dispatch instructions and trajectories of every plant's resources."


def run(configuration: Configuration, stop: threading.Event) -> None:
    """Serve until told to stop."""
    settings, installation = configuration.ads, configuration.installation
    topics = installation.topics
    identity = Identity(SERVICE, configuration.service.instance, installation.environment, utc_now())
    expires_at = read_expiry(settings.certificate_file, settings.key_file)
    registry = CollectorRegistry()
    meters = Meters(registry)
    quarantine = Quarantine(settings.state_dir / "quarantine", settings.quarantine_max_bytes)

    outbox = open_outbox(settings)
    bus = Bus(configuration.bus, identity.source, clock=utc_now, will=identity.will(topics))
    courier = Courier(bus, outbox, topics, identity, clock=utc_now, published=meters.published.inc)
    source = AdsSource(settings, utc_now)
    caiso = Caiso(source, settings.max_reply_bytes)
    streams = wire_streams(
        settings,
        caiso,
        outbox,
        Sender(installation, identity.source),
        quarantine=quarantine,
        clock=utc_now,
        committed=courier.wake,
        failed=lambda failure: meters.failures.labels(failure.kind).inc(),
    )

    def upstreams() -> list[Upstream]:
        return [stream.health.snapshot() for stream in streams]

    def describe(now: datetime) -> ServiceStatus:
        return identity.status(
            now,
            upstreams=upstreams(),
            outbox=outbox.span(),
            cursors=outbox.cursors(),
            certificate_days_left=days_left(expires_at, now),
        )

    def health() -> dict[str, object]:
        return {"alive": True, "broker": bus.connected, "upstreams": {each.name: each.ok for each in upstreams()}}

    presence = Presence(bus, topics, identity, describe, clock=utc_now, ready=lambda: courier.caught_up)

    def turned() -> None:
        meters.note(upstreams(), outbox.span(), certificate_days_left=days_left(expires_at, utc_now()))
        presence.poke()

    loop = Loop(streams, settings.poll_s, jitter=random.random, turned=turned)
    endpoint = _health_server(configuration, registry, health)
    bus.start()
    courier.start()
    presence.start()
    try:
        loop.run(stop)
    finally:
        courier.stop()
        presence.stop()
        bus.stop()
        source.close()
        outbox.close()
        if endpoint:
            endpoint.stop()


def _health_server(
    configuration: Configuration, registry: CollectorRegistry, health: Callable[[], dict[str, object]]
) -> HealthServer | None:
    settings = configuration.service
    if settings.health_port is None:
        return None
    server = HealthServer(settings.health_host, settings.health_port, registry, health)
    server.start()
    return server


app = service_app(SERVICE, SUMMARY, load_configuration, run)


def main() -> None:
    """The `ads-ingest` command."""
    app()


if __name__ == "__main__":
    main()
