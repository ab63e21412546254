"""The process: plain constructor calls, from the configuration to the loop."""

import random
import threading
from contextlib import ExitStack, closing
from datetime import datetime, timedelta
from functools import partial

from prometheus_client import CollectorRegistry

from dotbus.runtime.ingest import Ingest
from dotbus.runtime.presence import Identity
from dotbus.runtime.process import service_app
from dotbus.runtime.schedule import utc_now
from dotbus.runtime.starting import packages_of

with packages_of("ads-ingest"):
    from ads_ingest.accounts import ClientCertificate, Configuration, load_configuration
    from ads_ingest.files.decode import add_decode_command
    from ads_ingest.files.latest import DOTS_FILE, DotFile, following_time
    from ads_ingest.replaying.replay import add_replay_command
    from ads_ingest.responding.command_line import add_answer_commands
    from ads_ingest.responding.wiring import wire_answering
    from ads_ingest.service import Loop, run_together, upstreams_of
    from ads_ingest.translate import Sender
    from ads_ingest.wiring import Meters, Shared, wire_connection, wire_known, wire_streams
    from caiso.ads import AdsClient

SERVICE = "ads_ingest"
SUMMARY = "CAISO ADS to topics: dispatch instructions and trajectories of every plant's resources."
STUCK_AFTER = timedelta(minutes=30)
"""A stream that takes so long hangs: a whole backlog, each batch to its time-out, takes less."""


def run(configuration: Configuration, stop: threading.Event) -> None:
    """Serve until told to stop."""
    settings, installation = configuration.own, configuration.installation
    identity = Identity(SERVICE, configuration.service.instance, installation.environment, utc_now())
    certificates = [
        ClientCertificate(each.settings.certificate_file, each.settings.key_file) for each in configuration.accounts
    ]

    def days_left(now: datetime) -> float:
        return min(certificate.days_left(now) for certificate in certificates)

    registry = CollectorRegistry()
    meters = Meters(registry, lambda: days_left(utc_now()))
    ingest = Ingest(
        identity,
        installation.topics,
        configuration.bus,
        settings,
        registry,
        upstreams=lambda: upstreams_of(loops),
        certificate_days_left=days_left,
        clock=utc_now,
    )
    with ExitStack() as connected:
        connections = [
            connected.enter_context(closing(wire_connection(each.settings, utc_now))) for each in configuration.accounts
        ]
        shared = Shared(
            ingest.outbox,
            Sender(installation, identity.source),
            ingest.quarantine,
            meters,
            utc_now,
            ingest.courier.wake,
            is_stopping=stop.is_set,
        )
        asked = [
            (account, AdsClient(connection, max_bytes=account.settings.max_reply_bytes, clock=utc_now))
            for account, connection in zip(configuration.accounts, connections, strict=True)
        ]
        known = wire_known(configuration.accounts, shared)
        answering = wire_answering(asked, known, shared, configuration.bus, connected)

        def turned(number: int) -> None:
            ingest.turned()
            certificates[number].look(utc_now(), connections[number].not_renewed)
            answering.responder.look()

        loops = [
            Loop(streams, account.settings.poll_s, chance=random.random, turned=partial(turned, number), clock=utc_now)
            for number, ((account, _), streams) in enumerate(zip(asked, wire_streams(asked, known, shared), strict=True))
        ]
        dots_file = settings.state_dir / "latest" / DOTS_FILE
        dots = DotFile(dots_file, ingest.outbox, installation, upstream=lambda: upstreams_of(loops)[0])

        def is_late() -> bool:
            return not answering.responder.is_alive or any(utc_now() - loop.turned_at > STUCK_AFTER for loop in loops)

        with ingest.serving(configuration.service, is_late), following_time(dots, utc_now), answering.serving():
            run_together(loops, stop)


app = service_app(SERVICE, SUMMARY, load_configuration, run)
add_decode_command(app, utc_now)
add_replay_command(app, utc_now)
add_answer_commands(app, utc_now)


def main() -> None:
    """The `ads-ingest` command."""
    app()


if __name__ == "__main__":
    main()
