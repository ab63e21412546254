"""The process: plain constructor calls, from the configuration to the loop."""

import threading
from contextlib import ExitStack
from datetime import datetime, timedelta

from prometheus_client import CollectorRegistry

from dotbus.contracts.messages import ServiceStatus
from dotbus.runtime.bus import Bus
from dotbus.runtime.courier import Courier
from dotbus.runtime.metrics import serving_health
from dotbus.runtime.presence import Identity, Presence
from dotbus.runtime.process import service_app
from dotbus.runtime.schedule import utc_now
from lmp_ingest.meters import Meters
from lmp_ingest.settings import Configuration, load_configuration
from lmp_ingest.source import OasisSource
from lmp_ingest.translate import Sender
from lmp_ingest.wiring import open_outbox, wire_loop

SERVICE = "lmp_ingest"
SUMMARY = "CAISO OASIS to topics: locational marginal prices of the configured nodes."
STUCK_AFTER = timedelta(seconds=120)
"""Beyond a request's own time-out: a loop that did not come round for so long hangs."""


def run(configuration: Configuration, stop: threading.Event) -> None:
    """Serve until told to stop."""
    settings, installation = configuration.oasis, configuration.installation
    topics = installation.topics
    identity = Identity(SERVICE, configuration.service.instance, installation.environment, utc_now())
    registry = CollectorRegistry()
    meters = Meters(registry)

    outbox = open_outbox(settings)
    bus = Bus(configuration.bus, identity.source, clock=utc_now, will=identity.will(topics))
    courier = Courier(bus, outbox, topics, identity, clock=utc_now, published=meters.published.inc)
    source = OasisSource(settings, utc_now)

    def describe(now: datetime) -> ServiceStatus:
        return identity.status(now, upstreams=loop.upstreams(), outbox=outbox.span(), cursors=outbox.cursors())

    def health() -> dict[str, object]:
        late = utc_now() - loop.looked_at > timedelta(seconds=settings.timeout_s) + STUCK_AFTER
        return {"alive": not late, "broker": bus.connected, "upstreams": {each.name: each.ok for each in loop.upstreams()}}

    presence = Presence(bus, topics, identity, describe, clock=utc_now, ready=lambda: courier.caught_up)

    def turned() -> None:
        meters.note(loop.upstreams(), outbox.span())
        presence.poke()

    loop = wire_loop(
        settings,
        installation,
        source,
        outbox,
        Sender(installation.environment, identity.source),
        meters=meters,
        clock=utc_now,
        committed=courier.wake,
        turned=turned,
    )
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
    """The `lmp-ingest` command."""
    app()


if __name__ == "__main__":
    main()
