"""`lmp-ingest get`, `parse` and `nodes`: prices and nodes without a broker, a database or a configuration."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Annotated, Final, NoReturn, TypeVar

import numpy as np
import pyarrow as pa
import typer

from caiso.oasis import (
    Group,
    LocationType,
    Market,
    OasisClient,
    OasisFailure,
    Prices,
    Question,
    RateLimit,
    parse_saved,
)
from caiso.tls import TlsFileUnusable
from dotbus.runtime.process import EXIT_FAILED, load_or_exit
from dotbus.runtime.settings.settings import load_settings
from lmp_ingest.commands.output import Format, write
from lmp_ingest.commands.spans import Wanted
from lmp_ingest.settings import PREFIX, OasisSettings

Nodes = Annotated[list[str], typer.Argument(help="Names of nodes, NP15 and the like, ALL or ALL_APNODES.")]
Of = Annotated[Market, typer.Option("--market", help="The market run.", case_sensitive=False)]
Latest = Annotated[bool, typer.Option("--latest", help="The newest published price of each node.")]
Today = Annotated[bool, typer.Option("--today", help="The trade day of today; so it is when nothing else is said.")]
Day = Annotated[str | None, typer.Option("--date", help="A trade day, as 2026-11-01.")]
From = Annotated[str | None, typer.Option("--from", help="From a trade day on, or a time as 2026-11-01T08:00Z.")]
To = Annotated[str | None, typer.Option("--to", help="Until then, exclusive.")]
As = Annotated[Format, typer.Option("--format", help="How it is written.")]
Out = Annotated[Path | None, typer.Option("--out", help="Into this file, and not to standard output.")]
Files = Annotated[list[Path], typer.Argument(help="Saved replies of OASIS: zip, CSV or XML.")]
Search = Annotated[str, typer.Argument(help="A part of the name.")]
Kind = Annotated[LocationType | None, typer.Option("--type", help="Only these.")]

T = TypeVar("T")
_TOLD: Final = 5
"""How much of what is odd about prices is named on standard error, of each kind."""


def add_price_commands(app: typer.Typer, clock: Callable[[], datetime]) -> None:
    """The commands.

    Args:
        app: the command line.
        clock: the wall clock.
    """

    @app.command()
    def get(
        nodes: Nodes,
        market: Of = Market.RTM,
        *,
        latest: Latest = False,
        today: Today = False,
        day: Day = None,
        start: From = None,
        end: To = None,
        form: As = Format.TABLE,
        out: Out = None,
    ) -> None:
        """Ask CAISO for prices, and print them. LMP_INGEST_URL and LMP_INGEST_CA_FILE count."""
        span = load_or_exit(lambda: Wanted(latest, today, day, start, end).span(market, clock()))
        with _client(clock) as oasis:
            prices = _or_exit(lambda: oasis.prices(_group_or_names(nodes), market, span.start, span.end, asked=_tell_progress))
        if prices is None:
            _end(f"no price of {market} from {span.start:%Y-%m-%dT%H:%MZ} to {span.end:%Y-%m-%dT%H:%MZ} is published yet")
        _write(newest_of(prices) if span.is_latest else prices, form, out)

    @app.command()
    def parse(files: Files, form: As = Format.TABLE, out: Out = None) -> None:
        """Print the prices in saved replies of OASIS. Nothing is asked of CAISO."""
        if out and len(files) > 1:
            _end("--out is of one file: name one, or leave it out")
        failed = [file for file in files if not _parsed(file, form, out)]
        if failed:
            raise typer.Exit(EXIT_FAILED)

    @app.command()
    def nodes(search: Search = "", kind: Kind = None) -> None:
        """List the nodes that CAISO prices, each with its type."""
        with _client(clock) as oasis:
            found = _or_exit(oasis.locations)
        wanted = [each for each in found if search.upper() in each.name.upper() and kind in (None, each.type)]
        for each in wanted:
            typer.echo("\t".join(each))
        if not wanted:
            _end(f"none of CAISO's {len(found):,} nodes {'is of that kind and ' if kind else ''}has {search!r} in its name")


def newest_of(prices: Prices) -> Prices:
    """Of each node the price of its newest interval."""
    node = prices.table["node"].combine_chunks().indices.to_numpy()
    last = np.full(int(node.max()) + 1, -1)
    last[node] = np.arange(len(node))  # they are in the order of their intervals
    return replace(prices, table=prices.table.take(pa.array(np.sort(last[last >= 0]))))


def _group_or_names(nodes: Sequence[str]) -> Sequence[str] | Group:
    groups = {group.value: group for group in Group}
    return groups.get(nodes[0].upper(), nodes) if len(nodes) == 1 else nodes


def _client(clock: Callable[[], datetime]) -> OasisClient:
    settings = load_or_exit(lambda: load_settings(OasisSettings, PREFIX))
    try:
        connection = settings.connection(clock)
    except TlsFileUnusable as unusable:
        _end(str(unusable))
    return OasisClient(connection, RateLimit(settings.spacing_s), bounds=settings.bounds, clock=clock)


def _tell_progress(question: Question) -> None:
    if sys.stderr.isatty():
        typer.echo(f"asked: {question}", err=True)


def _parsed(file: Path, form: Format, out: Path | None) -> bool:
    try:
        _write(parse_saved(file.read_bytes()), form, out)
    except (OSError, OasisFailure) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        typer.echo(f"{file}: {reason}", err=True)
        return False
    return True


def _write(prices: Prices, form: Format, out: Path | None) -> None:
    tell_oddities(prices)
    try:
        load_or_exit(lambda: write(prices, form, out))
    except BrokenPipeError:
        sys.stderr.close()  # whoever reads has enough
    except OSError as error:
        _end(f"{out}: {error.strerror}")


def tell_oddities(prices: Prices) -> None:
    """What was left out, or is odd, on standard error: each kind with its count and the first few."""
    unreadable = [f"{place}: {text}" for place, text in prices.unreadable.items()]
    kinds: tuple[tuple[str, str, Sequence[object]], ...] = (
        ("bad_rows", "rows that cannot be believed, left out", prices.bad_rows),
        ("contradictions", "prices that were told twice and differently, left out", prices.contradictions),
        ("unreadable", "values that are no number, left out", unreadable),
        ("doubts", "prices that are not the sum of their components", prices.doubts),
    )
    for name, what, some in kinds:
        if count := prices.counts.get(name, 0):
            typer.echo(f"{count:,} {what}: {'; '.join(map(str, some[:_TOLD]))}", err=True)
    for stray in prices.strays:
        typer.echo(f"passed over: {stray}", err=True)


def _or_exit(ask: Callable[[], T]) -> T:
    try:
        return ask()
    except OasisFailure as failure:
        _end(str(failure))


def _end(reason: str) -> NoReturn:
    typer.echo(reason, err=True)
    raise typer.Exit(EXIT_FAILED)
