"""The doctor: everything that a historian needs, looked at once; every finding with what to do about it."""

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime

import sqlalchemy as sa
import typer

from dotbus.runtime.logs import configure_logs
from dotbus.runtime.mqtt.by_hand import NotReached, connected
from dotbus.runtime.process import EXIT_FAILED
from dotbus.runtime.schedule import utc_now
from dotbus.runtime.settings.mistakes import ConfigurationRefused
from historian.database import Database, StatementRefused, StoreUnavailable
from historian.settings import Configuration
from historian.upkeep.asking import Load, Open
from historian.upkeep.examination import (
    examine_clock,
    examine_lag,
    examine_letters,
    examine_months,
    examine_numbers,
    examine_revision,
    examine_sizes,
    examine_streams,
    examine_version,
)
from historian.upkeep.findings import Finding, is_any_wrong, lines, ok, wrong
from historian.upkeep.rights import examine_roles
from historian.upkeep.sizes import read_sizes

Examination = Callable[[sa.Connection], Iterable[Finding]]
Clock = Callable[[], datetime]


def add_doctor_command(app: typer.Typer, load: Load, open_database: Open) -> None:
    """The command `doctor`."""

    @app.command()
    def doctor() -> None:
        """Look at everything that is needed. Says what to do; status 1 when something is wrong."""
        findings = list(examine(load, open_database, utc_now))
        for line in lines(findings):
            typer.echo(line)
        if is_any_wrong(findings):
            raise typer.Exit(EXIT_FAILED)


def examine(load: Load, open_database: Open, clock: Clock) -> Iterator[Finding]:
    """Everything. What cannot be looked at is a finding, too, and holds back nothing else."""
    try:
        configuration = load()
    except ConfigurationRefused as refused:
        yield from (
            wrong("configuration", str(mistake), "mend it; `historian check` looks again") for mistake in refused.mistakes
        )
        return
    yield ok("configuration", "no mistakes")
    configure_logs("historian", configuration.service.instance, "console", "error")
    yield from _database(configuration, open_database, clock)
    yield from examine_broker(configuration)


def examine_broker(configuration: Configuration) -> Iterator[Finding]:
    """Whether the broker lets us in. Under a name of our own: a second one of the historian's would end its connection."""
    bus, topics = configuration.bus, configuration.installation.topics
    where, own = f"{bus.host}:{bus.port}", topics.service("historian", configuration.service.instance)
    try:
        with connected(bus, "historian", {own: lambda _delivery: None}, utc_now):
            yield ok("broker", f"{where} lets us in")
    except NotReached as failure:
        yield wrong("broker", str(failure), "see that it runs, and HISTORIAN_MQTT_... for name, password and CA")


def _database(configuration: Configuration, open_database: Open, clock: Clock) -> Iterator[Finding]:
    settings = configuration.own
    roles = (settings.owner_role, settings.writer_role, settings.reader_role)
    database = open_database(configuration)
    try:
        if refused := _refusal(database):
            yield wrong("connection", refused, "see HISTORIAN_DATABASE_URL, its password, and that the server runs")
            # Without the roles it may let us in, and then say what is wrong with them.
            plain = open_database(configuration, with_roles=False)
            try:
                yield from [] if _refusal(plain) else _look(plain, lambda c: examine_roles(c, settings.database_schema, *roles))
            finally:
                plain.close()
            return
        yield from _look(database, lambda c: examine_roles(c, settings.database_schema, *roles))
        for examination in _examinations(configuration, clock):
            yield from _look(database, examination)
    finally:
        database.close()


def _examinations(configuration: Configuration, clock: Clock) -> list[Examination]:
    environment = str(configuration.installation.environment)
    return [
        examine_version,
        examine_revision,
        lambda connection: examine_months(connection, clock()),
        examine_numbers,
        examine_streams,
        examine_letters,
        lambda connection: examine_sizes(connection, dict(read_sizes(connection, clock()).table_bytes)),
        lambda connection: _clocks(connection, clock),
        lambda connection: examine_lag(connection, environment, clock()),
    ]


def _clocks(connection: sa.Connection, clock: Clock) -> Iterable[Finding]:
    connection.execute(sa.text("SELECT 1"))
    before = clock()
    theirs: datetime = connection.execute(sa.text("SELECT clock_timestamp()")).scalar_one()
    return examine_clock(before, clock(), theirs)


def _look(database: Database, examination: Examination) -> list[Finding]:
    try:
        with database.transaction() as connection:
            return list(examination(connection))
    except (StoreUnavailable, StatementRefused) as error:
        return [wrong("database", f"it could not all be looked at: {error}", "mend what is said above, and ask again")]


def _refusal(database: Database) -> str:
    try:
        with database.transaction() as connection:
            connection.execute(sa.text("SELECT 1"))
    except (StoreUnavailable, StatementRefused) as error:
        return str(error)
    return ""
