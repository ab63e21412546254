"""Wiring of the historian, and its command line: run it, `check`, `migrate`, `dead-letters`."""

import random
import threading
from contextlib import ExitStack
from datetime import datetime, timedelta

import typer
from prometheus_client import CollectorRegistry

from dotbus.contracts.messages import ServiceStatus
from dotbus.runtime.bus import Bus
from dotbus.runtime.health import UpstreamHealth
from dotbus.runtime.metrics import serving_health
from dotbus.runtime.presence import Identity, Presence
from dotbus.runtime.process import EXIT_FAILED, load_or_exit, service_app
from dotbus.runtime.schedule import utc_now
from dotbus.runtime.starting import packages_of

with packages_of("historian"):
    from historian.dead_letters import dead_letter_app
    from historian.gaps import Gaps
    from historian.meters import Meters
    from historian.service import Historian, filters
    from historian.settings import Configuration, load_configuration
    from historian.store import Store, StoreUnavailable

SERVICE = "historian"
SUMMARY = "Topics to PostgreSQL: every event into typed tables, acknowledged after the commit."
STUCK_AFTER = timedelta(seconds=180)
"""A loop that did not come round for so long hangs: longer than a statement's time-out and the longest pause together."""
REPLAY_MOST_S = 300.0


def run(configuration: Configuration, stop: threading.Event) -> None:
    """Serve until told to stop."""
    settings, topics = configuration.own, configuration.installation.topics
    identity = Identity(SERVICE, configuration.service.instance, configuration.installation.environment, utc_now())
    registry = CollectorRegistry()
    database = UpstreamHealth("database")
    store = open_store(configuration)
    bus = Bus(
        configuration.bus,
        f"{SERVICE}-{identity.instance}",
        clock=utc_now,
        will=identity.will(topics),
        persistent=True,
        # The broker may send what the queue can hold, so that a database outage stops no keep-alive.
        receive_maximum=settings.queue_size,
    )

    def describe(now: datetime) -> ServiceStatus:
        return identity.status(now, upstreams=[database.snapshot()])

    def health() -> dict[str, object]:
        late = utc_now() - historian.turned_at > STUCK_AFTER
        return {"alive": not late, "broker": bus.connected, "database": database.snapshot().ok}

    presence = Presence(bus, topics, identity, describe, clock=utc_now)
    historian = Historian(
        bus,
        store,
        topics,
        identity,
        Gaps(settings.replay_grace_s, REPLAY_MOST_S, random.random),
        database,
        Meters(registry),
        clock=utc_now,
        stop=stop,
        queue_size=settings.queue_size,
        changed=presence.poke,
    )
    bus.subscribe(filters(topics, settings.share_group), historian.take)
    with ExitStack() as running:
        running.callback(store.close)
        running.enter_context(serving_health(configuration.service, registry, health))
        bus.start()
        running.callback(bus.stop)
        presence.start()
        running.callback(presence.stop)
        running.callback(stop.set)  # a failure too must free the network thread from a full queue
        historian.run(settings.reader_role)


def open_store(configuration: Configuration) -> Store:
    """The configured database; nothing is connected yet."""
    settings = configuration.own
    return Store(settings.database_url.get_secret_value(), settings.read_database_password())


def build_app() -> typer.Typer:
    """The command line."""
    app = service_app(SERVICE, SUMMARY, load_configuration, run)
    app.add_typer(dead_letter_app(load_configuration, open_store), name="dead-letters")

    @app.command()
    def migrate() -> None:
        """Make or update the tables. The reader role may read them; a start does the same."""
        configuration = load_or_exit(load_configuration)
        store = open_store(configuration)
        role = configuration.own.reader_role
        try:
            granted = store.migrate(role)
        except StoreUnavailable as error:
            typer.echo(f"the database: {error}", err=True)
            raise typer.Exit(EXIT_FAILED) from error
        finally:
            store.close()
        typer.echo("tables: up to date" if granted else f"tables: up to date; there is no role {role} to grant anything")

    return app


def main() -> None:
    """The `historian` command."""
    build_app()()


if __name__ == "__main__":
    main()
