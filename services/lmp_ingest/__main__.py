"""The process: plain constructor calls, from the configuration to the loop."""

import random
import threading
from contextlib import closing
from datetime import timedelta

from prometheus_client import CollectorRegistry

from dotbus.runtime.ingest import Ingest
from dotbus.runtime.presence import Identity
from dotbus.runtime.process import service_app
from dotbus.runtime.schedule import utc_now
from dotbus.runtime.starting import packages_of

with packages_of("lmp-ingest"):
    from caiso.oasis import RateLimit
    from lmp_ingest.caiso import Caiso
    from lmp_ingest.commands.history import add_history_commands
    from lmp_ingest.commands.prices import add_price_commands
    from lmp_ingest.history.bus_requests import RequestsOnBus
    from lmp_ingest.meters import Meters
    from lmp_ingest.settings import Configuration, load_configuration
    from lmp_ingest.translate import Sender
    from lmp_ingest.wiring import wire_loop

SERVICE = "lmp_ingest"
SUMMARY = "CAISO OASIS to topics: locational marginal prices of the configured nodes."
STUCK_AFTER = timedelta(seconds=120)
"""Beyond a request's own time-out: a loop that did not come round for so long hangs."""


def run(configuration: Configuration, stop: threading.Event) -> None:
    """Serve until told to stop."""
    settings, installation = configuration.own, configuration.installation
    identity = Identity(SERVICE, configuration.service.instance, installation.environment, utc_now())
    stuck_after = timedelta(seconds=settings.timeout_s) + STUCK_AFTER
    registry = CollectorRegistry()
    meters = Meters(registry)
    ingest = Ingest(
        identity,
        installation.topics,
        configuration.bus,
        settings,
        registry,
        upstreams=lambda: loop.upstreams(),  # noqa: PLW0108  # the loop comes later
        backfills=lambda now: loop.backfills(now),  # noqa: PLW0108
        clock=utc_now,
    )
    with closing(settings.connection(utc_now)) as source:
        loop = wire_loop(
            settings,
            Caiso(source, settings.bounds, settings.versions, RateLimit(settings.spacing_s).wait),
            ingest.outbox,
            Sender(installation.environment, identity.source),
            installation=installation,
            quarantine=ingest.quarantine,
            meters=meters,
            chance=random.random,
            clock=utc_now,
            committed=ingest.courier.wake,
            turned=ingest.turned,
            requests=lambda history: RequestsOnBus(
                ingest.bus, history, ingest.outbox, installation.topics, identity, clock=utc_now
            ),
        )
        with ingest.serving(configuration.service, is_late=lambda: utc_now() - loop.turned_at > stuck_after):
            loop.run(stop)


app = service_app(SERVICE, SUMMARY, load_configuration, run)
add_price_commands(app, utc_now)
add_history_commands(app, utc_now)


def main() -> None:
    """The `lmp-ingest` command."""
    app()


if __name__ == "__main__":
    main()
