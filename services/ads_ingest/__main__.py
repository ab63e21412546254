"""The process: plain constructor calls, from the configuration to the loop."""

import random
import threading
from contextlib import ExitStack
from datetime import datetime, timedelta

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
from dotbus.runtime.metrics import serving_health
from dotbus.runtime.presence import Identity, Presence
from dotbus.runtime.process import service_app
from dotbus.runtime.quarantine import Quarantine
from dotbus.runtime.schedule import utc_now

SERVICE = "ads_ingest"
SUMMARY = "CAISO ADS to topics: dispatch instructions and trajectories of every plant's resources."
STUCK_AFTER = timedelta(minutes=30)
"""A stream that takes so long hangs: a whole backlog, each batch to its time-out, takes less."""


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
        late = utc_now() - loop.turned_at > STUCK_AFTER
        return {"alive": not late, "broker": bus.connected, "upstreams": {each.name: each.ok for each in upstreams()}}

    presence = Presence(bus, topics, identity, describe, clock=utc_now, ready=lambda: courier.caught_up)

    def turned() -> None:
        meters.note(upstreams(), outbox.span(), certificate_days_left=days_left(expires_at, utc_now()))
        presence.poke()

    loop = Loop(streams, settings.poll_s, jitter=random.random, turned=turned, clock=utc_now)
    with ExitStack() as running:
        running.callback(outbox.close)
        running.callback(source.close)
        running.enter_context(serving_health(configuration.service, registry, health))
        bus.start()
        running.callback(bus.stop)
        presence.start()
        running.callback(presence.stop)
        courier.start()
        running.callback(courier.stop)
        loop.run(stop)


app = service_app(SERVICE, SUMMARY, load_configuration, run)


def main() -> None:
    """The `ads-ingest` command."""
    app()


if __name__ == "__main__":
    main()
