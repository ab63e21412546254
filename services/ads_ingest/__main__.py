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
    from ads_ingest.certificate import ClientCertificate
    from ads_ingest.decode import add_decode_command
    from ads_ingest.files import DOTS_FILE, DotFile, following_time
    from ads_ingest.meters import Meters
    from ads_ingest.service import Loop
    from ads_ingest.settings import Configuration, load_configuration
    from ads_ingest.translate import Sender
    from ads_ingest.wiring import wire_connection, wire_streams
    from caiso.ads import AdsClient

SERVICE = "ads_ingest"
SUMMARY = "CAISO ADS to topics: dispatch instructions and trajectories of every plant's resources."
STUCK_AFTER = timedelta(minutes=30)
"""A stream that takes so long hangs: a whole backlog, each batch to its time-out, takes less."""


def run(configuration: Configuration, stop: threading.Event) -> None:
    """Serve until told to stop."""
    settings, installation = configuration.own, configuration.installation
    identity = Identity(SERVICE, configuration.service.instance, installation.environment, utc_now())
    certificate = ClientCertificate(settings.certificate_file, settings.key_file)
    registry = CollectorRegistry()
    meters = Meters(registry, lambda: certificate.days_left(utc_now()))
    ingest = Ingest(
        identity,
        installation.topics,
        configuration.bus,
        settings,
        registry,
        upstreams=lambda: loop.upstreams(),  # noqa: PLW0108  # the loop comes later
        certificate_days_left=certificate.days_left,
        clock=utc_now,
    )

    def turned() -> None:
        ingest.turned()
        certificate.look(utc_now(), connection.not_renewed)

    with closing(wire_connection(settings, utc_now)) as connection:
        streams = wire_streams(
            settings,
            AdsClient(connection, max_bytes=settings.max_reply_bytes),
            ingest.outbox,
            Sender(installation, identity.source),
            quarantine=ingest.quarantine,
            meters=meters,
            clock=utc_now,
            committed=ingest.courier.wake,
        )
        loop = Loop(streams, settings.poll_s, chance=random.random, turned=turned, clock=utc_now)
        dots_file = settings.state_dir / "latest" / DOTS_FILE
        dots = DotFile(dots_file, ingest.outbox, installation, upstream=lambda: loop.upstreams()[0])
        with (
            ingest.serving(configuration.service, is_late=lambda: utc_now() - loop.turned_at > STUCK_AFTER),
            following_time(dots, utc_now),
        ):
            loop.run(stop)


app = service_app(SERVICE, SUMMARY, load_configuration, run)
add_decode_command(app, utc_now)


def main() -> None:
    """The `ads-ingest` command."""
    app()


if __name__ == "__main__":
    main()
