"""Wiring of the historian and its commands: run it, `api`, `chart`, `check`, `migrate`, `doctor`, `import` and others."""

import ctypes
import gc
import random
import threading
from contextlib import ExitStack, suppress
from datetime import datetime, timedelta

import typer
from msgspec.structs import replace
from prometheus_client import CollectorRegistry

from dotbus.contracts.messages import ServiceStatus
from dotbus.runtime.health import UpstreamHealth
from dotbus.runtime.metrics import serving_health
from dotbus.runtime.mqtt.bus import Bus
from dotbus.runtime.presence import Identity, Presence
from dotbus.runtime.process import EXIT_FAILED, load_or_exit, service_app
from dotbus.runtime.schedule import utc_now
from dotbus.runtime.settings.settings import BusSettings
from dotbus.runtime.starting import CannotStart, packages_of

with packages_of("historian"):
    from historian.api.commands import api_app
    from historian.database import Database, StatementRefused, StoreUnavailable
    from historian.exporting.commands import export_app
    from historian.importing.commands import add_import_command
    from historian.meters import Meters
    from historian.migrations import Roles, bring_up_to_date
    from historian.pictures.commands import chart_app
    from historian.seeding import add_seed_command
    from historian.service import Historian, filters
    from historian.settings import Configuration, load_configuration
    from historian.upkeep.dead_letters import dead_letter_app
    from historian.upkeep.doctor import add_doctor_command
    from historian.upkeep.replay import add_replay_commands
    from historian.upkeep.service import Upkeep
    from historian.write.persistence import Persistence
    from historian.write.reading.record import Recorder
    from historian.write.sequences.accounts import Accounts
    from historian.write.sequences.gaps import Gaps
    from historian.write.storing.store import Store
    from historian.write.waiting import Waiting
    from historian.write.writers import Writers

SERVICE = "historian"
SUMMARY = "Topics to PostgreSQL: every event into typed tables, acknowledged after the commit."
STUCK_AFTER = timedelta(seconds=180)
"""A loop that did not come round for so long hangs: longer than a statement's time-out and the longest pause together."""
LATE_AFTER_S = 30.0
"""No healthy database lets a delivery wait so long: what may wait is stored in seconds."""
LATE = f"what came waits for its commit for more than {LATE_AFTER_S:.0f} s"
CROWDED = "somebody names streams without end; events of those beyond the bounds are dead letters"
CROWDED_FOR = timedelta(minutes=10)
"""So long after the last of them it is told."""
REPLAY_MOST_S = 300.0
COLLECT_AFTER_OBJECTS = 200_000
"""A batch is as many objects, none of which is part of a circle: to look for circles among them took a third of all time."""
_MALLOPT_MMAP_THRESHOLD, _MALLOPT_ARENA_MAX = -3, -8
"""M_MMAP_THRESHOLD and M_ARENA_MAX of glibc's malloc.h."""
LARGE_BLOCK_BYTES = 1024 * 1024
"""A block of this size goes back to the system when it is freed."""
SESSION_S = 14 * 24 * 3600
"""So long the broker keeps what comes while we are away."""
SHARED_SESSION_S = 3
"""The same of one in a group. A broker gives a session its share whether anybody is behind it or not, and what is in there none
of the others can have. So it ends before a gap is asked for again (`replay_grace_s`), and outlives no more than a short cut."""
SHARED_KEEPALIVE_S = 7
"""At most, for one in a group. A broker waits half as long again for one that stands still and gives it its share meanwhile,
also of what is sent again: all of it has to be with the others within half a minute."""
WRITERS = 2
"""One works while the other waits for the database; a third would only wait for the first two."""


def run(configuration: Configuration, stop: threading.Event) -> None:
    """Serve until told to stop."""
    settings, topics = configuration.own, configuration.installation.topics
    identity = Identity(SERVICE, configuration.service.instance, configuration.installation.environment, utc_now())
    registry = CollectorRegistry()
    hearing = UpstreamHealth("database")
    database = open_database(configuration)
    meters = Meters(registry)
    recorder = Recorder(topics)
    waiting = Waiting(settings.waiting_max_bytes, stop, recorder.memory_bytes)
    bus = Bus(
        _in_group(configuration.bus) if settings.share_group else configuration.bus,
        f"{SERVICE}-{identity.instance}",
        clock=utc_now,
        will=identity.will(topics),
        session_s=SHARED_SESSION_S if settings.share_group else SESSION_S,
        # Beyond it the broker sends nothing before something is committed.
        receive_maximum=settings.queue_size,
    )

    def describe(now: datetime) -> ServiceStatus:
        database, late = hearing.snapshot(), writers.lag_s > LATE_AFTER_S
        crowded = writers.crowded_at is not None and now - writers.crowded_at < CROWDED_FOR
        complaints = tuple(text for text, holds in ((LATE, late), (CROWDED, crowded)) if holds)
        told = replace(database, ok=database.ok and not late, complaints=complaints)
        return identity.status(now, upstreams=[told])

    def health() -> dict[str, object]:
        hangs = utc_now() - historian.turned_at > STUCK_AFTER
        takes = hearing.snapshot().ok and writers.lag_s <= LATE_AFTER_S
        there = {"broker": bus.connected, "database": takes, "tables": upkeep.is_prepared}
        return {"alive": not hangs, "ready": all(there.values()), **there}

    presence = Presence(bus, topics, identity, describe, clock=utc_now)
    upkeep = Upkeep(
        database, Roles(settings.reader_role), settings.retention, settings.dead_letters_max_bytes, meters.note_sizes
    )
    persistence = Persistence(hearing, clock=utc_now, stop=stop, failed=meters.store_failures.inc, changed=presence.poke)
    stores = [Store(database, stop) for _ in range(WRITERS)]
    writers = Writers(bus, stores, waiting, recorder, persistence, meters, clock=utc_now, stop=stop)
    gaps = Gaps(settings.replay_grace_s, REPLAY_MOST_S, random.random)
    historian = Historian(
        *(bus, writers, Accounts(database), upkeep, topics, identity, gaps, persistence, meters), clock=utc_now, stop=stop
    )
    meters.watch(waiting, lambda: writers.lag_s)
    bus.subscribe(filters(topics, settings.share_group), waiting.put)
    _give_back_large_blocks()
    gc.freeze()
    gc.set_threshold(COLLECT_AFTER_OBJECTS)
    with ExitStack() as running:
        running.callback(database.close)
        running.enter_context(serving_health(configuration.service, registry, health))
        bus.start()
        running.callback(bus.stop)
        presence.start()
        running.callback(presence.stop)
        running.callback(stop.set)  # a failure too must free the network thread from a full queue
        historian.run()


def _give_back_large_blocks() -> None:
    """Once glibc has seen large blocks it keeps what is freed: after a few large messages that is half of all memory.

    A heap for each thread keeps 8 MB more, and Python's threads rarely ask for memory at the same time.
    """
    with suppress(AttributeError, OSError, TypeError):  # another system's library, which is asked for nothing
        glibc = ctypes.CDLL(None)
        glibc.mallopt(_MALLOPT_MMAP_THRESHOLD, LARGE_BLOCK_BYTES)
        glibc.mallopt(_MALLOPT_ARENA_MAX, 1)


def _in_group(bus: BusSettings) -> BusSettings:
    return bus.model_copy(update={"keepalive_s": min(bus.keepalive_s, SHARED_KEEPALIVE_S)})


def open_database(configuration: Configuration, *, with_roles: bool = True) -> Database:
    """The configured database; nothing is connected yet. Without its roles it is used as the user who connects."""
    settings = configuration.own
    return Database(
        settings.database_url.get_secret_value(),
        settings.database_schema,
        password=settings.read_database_password(),
        owner_role=settings.owner_role if with_roles else None,
        writer_role=settings.writer_role if with_roles else None,
    )


def build_app() -> typer.Typer:
    """The command line."""
    app = service_app(SERVICE, SUMMARY, load_configuration, run)
    add_doctor_command(app, load_configuration, open_database)
    add_replay_commands(app, load_configuration, open_database)
    add_import_command(app, load_configuration, open_database)
    add_seed_command(app, load_configuration, open_database)
    app.add_typer(export_app(load_configuration), name="export")
    app.add_typer(api_app(load_configuration, open_database), name="api")
    app.add_typer(chart_app(), name="chart")
    app.add_typer(dead_letter_app(load_configuration, open_database), name="dead-letters")

    @app.command()
    def migrate() -> None:
        """Make or update the tables. The reader role may read them; a start does the same."""
        configuration = load_or_exit(load_configuration)
        database = open_database(configuration)
        try:
            unknown = bring_up_to_date(database, Roles(configuration.own.reader_role), utc_now())
        except (StoreUnavailable, StatementRefused, CannotStart) as error:
            typer.echo(f"the database: {error}", err=True)
            raise typer.Exit(EXIT_FAILED) from error
        finally:
            database.close()
        typer.echo("tables: up to date")
        for role in unknown:
            typer.echo(f"there is no role {role} to grant anything")

    return app


def main() -> None:
    """The `historian` command."""
    build_app()()


if __name__ == "__main__":
    main()
