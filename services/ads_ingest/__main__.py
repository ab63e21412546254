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

with packages_of("ads-ingest"):
    from ads_ingest.caiso import Caiso
    from ads_ingest.certificate import ExpiryReminder, days_left, read_expiry
    from ads_ingest.meters import Meters
    from ads_ingest.service import Loop
    from ads_ingest.settings import Configuration, load_configuration
    from ads_ingest.source import AdsSource
    from ads_ingest.translate import Sender
    from ads_ingest.wiring import wire_streams

SERVICE = "ads_ingest"
SUMMARY = "CAISO ADS to topics: dispatch instructions and trajectories of every plant's resources."
STUCK_AFTER = timedelta(minutes=30)
"""A stream that takes so long hangs: a whole backlog, each batch to its time-out, takes less."""


def run(configuration: Configuration, stop: threading.Event) -> None:
    """Serve until told to stop."""
    settings, installation = configuration.own, configuration.installation
    identity = Identity(SERVICE, configuration.service.instance, installation.environment, utc_now())
    expires_at = read_expiry(settings.certificate_file, settings.key_file)
    reminder = ExpiryReminder(expires_at)
    registry = CollectorRegistry()
    meters = Meters(registry, lambda: days_left(expires_at, utc_now()))
    ingest = Ingest(
        identity,
        installation.topics,
        configuration.bus,
        settings,
        registry,
        upstreams=lambda: loop.upstreams(),  # noqa: PLW0108  # the loop comes later
        certificate_days_left=lambda now: days_left(expires_at, now),
        clock=utc_now,
    )

    def turned() -> None:
        ingest.turned()
        reminder.remind(utc_now())

    with closing(AdsSource(settings, utc_now)) as source:
        streams = wire_streams(
            settings,
            Caiso(source, settings.max_reply_bytes),
            ingest.outbox,
            Sender(installation, identity.source),
            quarantine=ingest.quarantine,
            meters=meters,
            clock=utc_now,
            committed=ingest.courier.wake,
        )
        loop = Loop(streams, settings.poll_s, chance=random.random, turned=turned, clock=utc_now)
        with ingest.serving(configuration.service, is_late=lambda: utc_now() - loop.turned_at > STUCK_AFTER):
            loop.run(stop)


app = service_app(SERVICE, SUMMARY, load_configuration, run)


def main() -> None:
    """The `ads-ingest` command."""
    app()


if __name__ == "__main__":
    main()
