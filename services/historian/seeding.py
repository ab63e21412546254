"""`historian seed`: prices of the last days in the database, so that first questions have answers.

By the running lmp_ingest, which alone asks CAISO for prices and is asked to do so over the bus, and by the running historian,
who stores what comes. The command ends once the prices are where they are to be: in the database.

Exit status: 0 all came that OASIS has published, 1 something is missing, was refused or is not stored, 2 the command line or
the configuration is wrong, 3 lmp_ingest does not answer, and nobody knows.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from typing import Annotated, Final

import sqlalchemy as sa
import typer

from dotbus.contracts.messages import Backfill, BackfillRequest
from dotbus.contracts.messages.history import MOST_NODES
from dotbus.runtime.backfills.asking import backfilled, conversing, is_whole, request_of, summary
from dotbus.runtime.backfills.running import Running
from dotbus.runtime.process import EXIT_FAILED, EXIT_REFUSED
from dotbus.runtime.schedule import utc_now
from historian.api.request.times import Range, trade_date_of, trade_day
from historian.database import Database
from historian.upkeep.asking import Load, Open, asking

STORED_WITHIN_S: Final = 120.0
"""From the last price on the bus to its row."""
GROUPS: Final = ("ALL", "ALL_APNODES")
"""Of them lmp_ingest tells no names, so that nobody can look whether all are stored."""
_LOOK_EVERY_S: Final = 0.5
_PRICES: Final = sa.text("""
    SELECT count(*) FROM price_latest WHERE environment::text = :environment AND market = :market
    AND node = ANY(:nodes) AND interval_start >= :start AND interval_start < :end""")

Days = Annotated[int, typer.Option(min=0, max=1200, help="So many trade days before today, and today so far.")]
Nodes = Annotated[list[str] | None, typer.Option("--node", help="A node's name, NP15 and the like; else those of dotbus.toml.")]
Markets = Annotated[list[str] | None, typer.Option("--market", help="DAM, RUC, HASP, RTPD or RTM; else those of dotbus.toml.")]
Instance = Annotated[str | None, typer.Option(help="The name of the lmp_ingest that asks CAISO; else it is called as we are.")]


def add_seed_command(app: typer.Typer, load: Load, open_database: Open) -> None:
    """The command `seed`."""

    @app.command()
    def seed(days: Days = 30, node: Nodes = None, market: Markets = None, instance: Instance = None) -> None:
        """Have prices of the last days in the database. lmp_ingest asks CAISO for them, and is followed to the end."""
        _require_names(node or ())
        with asking(load, open_database) as (configuration, database):
            installation, own = configuration.installation, configuration.service.instance
            with conversing(configuration.bus, installation, instance or own, "historian-seed", utc_now) as running:
                done = backfilled(running, seeds(running, days, node or (), market or ()))
            for line in (line for one in done for line in summary(one)):
                typer.echo(line)
            is_there = _are_stored(database, str(installation.environment), done, time.monotonic)
        if not (is_there and all(map(is_whole, done))):
            raise typer.Exit(EXIT_FAILED)


def seeds(running: Running, days: int, nodes: Sequence[str], markets: Sequence[str]) -> list[BackfillRequest]:
    """What to ask for: of each market the trade days, of no more nodes at once than one request may name."""
    times, installation = _times(running, days), running.installation
    names = tuple(dict.fromkeys(nodes or installation.price_nodes))
    return [
        request_of(running, each, names[at : at + MOST_NODES], times.start, times.end)
        for each in dict.fromkeys(name.upper() for name in markets or installation.prices.markets)
        for at in range(0, len(names), MOST_NODES)
    ]


def _times(running: Running, days: int) -> Range:
    today = trade_date_of(running.clock())
    return Range(trade_day(today - timedelta(days=days)).start, trade_day(today).end)


def _require_names(nodes: Sequence[str]) -> None:
    if groups := [name for name in nodes if name.upper() in GROUPS]:
        typer.echo(f"--node {groups[0]}: names nodes one by one; `lmp-ingest backfill` takes all of them", err=True)
        raise typer.Exit(EXIT_REFUSED)


def _are_stored(database: Database, environment: str, done: Sequence[Backfill], monotonic: Callable[[], float]) -> bool:
    """Wait until the database has what came, and say so. Returns whether it has all of it."""
    deadline = monotonic() + STORED_WITHIN_S
    while lacking := list(_lacking(database, environment, done)):
        if monotonic() > deadline:
            typer.echo("\n".join(lacking), err=True)
            return False
        time.sleep(_LOOK_EVERY_S)
    typer.echo("all that came is in the database")
    return True


def _lacking(database: Database, environment: str, done: Sequence[Backfill]) -> Iterator[str]:
    with database.transaction() as connection:
        for one in done:
            wanted = {"market": one.market, "nodes": list(one.nodes), "start": one.start, "end": one.end}
            there = connection.scalar(_PRICES, {"environment": environment, **wanted})
            if there < one.prices:
                yield f"{one.market}: the database has {there:,} of {one.prices:,} prices; does the historian run?"
