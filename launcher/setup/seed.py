"""`dotbus seed`: prices of the last days into the database, so that first questions have answers.

By the running lmp_ingest, which alone asks CAISO for prices, and whose broker user alone may have it do so. So the command is
the launcher's, which knows every service, and takes LMP_INGEST_* variables as `lmp-ingest backfill` does. It ends once the
prices are where they are to be: in the database.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from typing import Annotated, Final

import typer

from caiso.oasis import Group, Market, midnight, named, trade_day
from dotbus.contracts.messages import Backfill, BackfillRequest
from dotbus.contracts.messages.history import MOST_NODES
from dotbus.runtime.installation.installation import Installation
from dotbus.runtime.process import EXIT_FAILED, EXIT_REFUSED, load_or_exit
from dotbus.runtime.schedule import utc_now
from dotbus.runtime.settings.settings import load_settings
from launcher.look.rows import DatabaseSilent, Rows
from launcher.places import PREFIX, PlacesSettings
from lmp_ingest.commands.history import backfilled, is_whole, reached, request_of, summary
from lmp_ingest.commands.running import Running
from lmp_ingest.commands.spans import Span

STORED_WITHIN_S: Final = 120.0
"""From the last price on the bus to its row."""
_LOOK_EVERY_S: Final = 0.5

Days = Annotated[int, typer.Option(min=0, max=1200, help="So many trade days before today, and today so far.")]
Nodes = Annotated[list[str] | None, typer.Option("--node", help="A node's name, NP15 and the like; else those of dotbus.toml.")]
Markets = Annotated[list[Market] | None, typer.Option("--market", case_sensitive=False, help="Else those of dotbus.toml.")]


def seed(days: Days = 30, node: Nodes = None, market: Markets = None) -> None:
    """Have prices of the last days in the database. By lmp_ingest (LMP_INGEST_*); the database is that of DOTBUS_DATABASE_*."""
    places = load_or_exit(lambda: load_settings(PlacesSettings, PREFIX)).places
    rows = Rows(places.database_url, places.database_password)
    try:
        with reached(utc_now) as running:
            requests = seeds(running, running.installation, days, tuple(map(named, node or ())), market or ())
            done = backfilled(running, requests)
        is_there = _are_stored(rows, running.installation, done, time.monotonic)
    except DatabaseSilent as silent:
        typer.echo(f"the database: {silent}", err=True)
        raise typer.Exit(EXIT_FAILED) from silent
    finally:
        rows.close()
    if not (is_there and all(map(is_whole, done))):
        raise typer.Exit(EXIT_FAILED)


def seeds(
    running: Running, installation: Installation, days: int, nodes: Sequence[str], markets: Sequence[Market]
) -> list[BackfillRequest]:
    """What to ask for: of each market the trade days, of no more nodes at once than one request may name."""
    today = trade_day(running.clock())
    span = Span(midnight(today - timedelta(days=days)), midnight(today + timedelta(days=1)))
    names = tuple(dict.fromkeys(nodes or installation.price_nodes))
    if groups := [name for name in names if name in set(Group)]:
        typer.echo(f"--node {groups[0]}: names nodes one by one; `lmp-ingest backfill` takes all of them", err=True)
        raise typer.Exit(EXIT_REFUSED)
    return [
        request_of(running, each, names[at : at + MOST_NODES], span)
        for each in markets or [Market(name) for name in installation.prices.markets]
        for at in range(0, len(names), MOST_NODES)
    ]


def _are_stored(rows: Rows, installation: Installation, done: Sequence[Backfill], monotonic: Callable[[], float]) -> bool:
    """Wait until the database has what came, and tell of each. Returns whether it has all of it."""
    deadline = monotonic() + STORED_WITHIN_S
    for line in (line for one in done for line in summary(one)):
        typer.echo(line)
    while lacking := list(_lacking(rows, str(installation.environment), done)):
        if monotonic() > deadline:
            typer.echo("\n".join(lacking), err=True)
            return False
        time.sleep(_LOOK_EVERY_S)
    typer.echo("all of it is in the database")
    return True


def _lacking(rows: Rows, environment: str, done: Sequence[Backfill]) -> Iterator[str]:
    for one in done:
        there = rows.price_count(environment, one.market, one.nodes, one.start, one.end)
        if there < one.prices:
            yield f"{one.market}: the database has {there:,} of {one.prices:,} prices; does the historian run?"
