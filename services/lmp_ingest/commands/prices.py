"""`lmp-ingest get`, `parse` and `nodes`: prices and nodes without a broker, a database or a configuration."""

import sys
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated, Final, NoReturn, TypeVar

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
    named,
    newest_of,
    parse_saved,
    split,
)
from caiso.tls import TlsFileUnusable
from dotbus.runtime.process import EXIT_FAILED, load_or_exit
from dotbus.runtime.settings.mistakes import ConfigurationRefused, Mistake
from dotbus.runtime.settings.settings import load_settings
from lmp_ingest.commands.oddities import tell_missing, tell_oddities
from lmp_ingest.commands.output import Format, require_writable, write
from lmp_ingest.commands.spans import Span, Wanted
from lmp_ingest.settings import PREFIX, OasisSettings

Nodes = Annotated[list[str], typer.Argument(help="Names of nodes, NP15 and the like (also with commas), ALL or ALL_APNODES.")]
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
_UNTOLD: Final = 10
"""So many requests take a minute."""


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
        """Ask CAISO for prices, and print them. LMP_INGEST_URL, LMP_INGEST_CA_FILE and the like count.

        Ends with status 0 when all that must be published by now came, 1 when some of it is missing (standard error says what;
        what came is printed) or nothing came, 2 when the command line cannot be meant.
        """
        span = load_or_exit(lambda: Wanted(latest, today, day, start, end).span(market, clock()))
        asked = load_or_exit(lambda: group_or_names(nodes))
        load_or_exit(lambda: require_writable(form, out))
        settings = _settings()
        tell_requests(market, asked, span, settings.spacing_s)
        with _client(settings, clock) as oasis:
            prices = _or_exit(lambda: _asked(oasis, asked, market, span, settings.versions[market]))
        if prices is None:
            _end(f"no price of {market} from {span.start:%Y-%m-%dT%H:%MZ} to {span.end:%Y-%m-%dT%H:%MZ} is published yet")
        is_whole = tell_missing(prices, asked, span, clock())
        _write(newest_of(prices) if span.is_latest else prices, form, out)
        if not is_whole:
            raise typer.Exit(EXIT_FAILED)

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
        with _client(_settings(), clock) as oasis:
            found = _or_exit(oasis.locations)
        wanted = [each for each in found if search.upper() in each.name.upper() and kind in (None, each.type)]
        for each in wanted:
            typer.echo("\t".join(each))
        if not wanted:
            _end(f"none of CAISO's {len(found):,} nodes {'is of that kind and ' if kind else ''}has {search!r} in its name")


def group_or_names(nodes: Sequence[str]) -> tuple[str, ...] | Group:
    """What is asked for, each node once and by CAISO's name.

    Raises:
        ConfigurationRefused: a group stands beside other names.
    """
    nodes = [name for text in nodes for name in text.replace(",", " ").split()]
    if not nodes:
        raise ConfigurationRefused([Mistake("command line", "NODES", "name none")])
    groups = {group.value: group for group in Group}
    if found := next((groups[node.upper()] for node in nodes if node.upper() in groups), None):
        if len(nodes) > 1:
            raise ConfigurationRefused([Mistake("command line", "NODES", f"{found} stands alone")])
        return found
    return tuple(dict.fromkeys(map(named, nodes)))


def _asked(oasis: OasisClient, nodes: tuple[str, ...] | Group, market: Market, span: Span, version: int) -> Prices | None:
    if span.is_latest:
        return oasis.newest(nodes, market, version=version, asked=_tell_progress)
    return oasis.prices(nodes, market, span.start, span.end, version=version, asked=_tell_progress)


def _settings() -> OasisSettings:
    return load_or_exit(lambda: load_settings(OasisSettings, PREFIX))


def _client(settings: OasisSettings, clock: Callable[[], datetime]) -> OasisClient:
    try:
        connection = settings.connection(clock)
    except TlsFileUnusable as unusable:
        _end(str(unusable))
    return OasisClient(connection, RateLimit(settings.spacing_s), bounds=settings.bounds, paused=_tell_pause, clock=clock)


def tell_requests(market: Market, nodes: tuple[str, ...] | Group, span: Span, spacing_s: float) -> None:
    """Of what takes longer than anybody waits for without a word, how many requests it is and how long that takes at least."""
    requests = 0 if span.is_latest else sum(1 for _ in split(Question(market, nodes, span.start, span.end)))
    if requests > _UNTOLD:
        told = f"{requests:,} requests to CAISO, one in {spacing_s:g} s: {requests * spacing_s / 60:,.0f} minutes at least"
        typer.echo(told, err=True)


def _tell_progress(question: Question) -> None:
    if sys.stderr.isatty():
        typer.echo(f"asked: {question}", err=True)


def _tell_pause(failure: OasisFailure, pause_s: float) -> None:
    typer.echo(f"{failure}: asking again in {pause_s:.0f} s", err=True)


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


def _or_exit(ask: Callable[[], T]) -> T:
    try:
        return ask()
    except OasisFailure as failure:
        _end(str(failure))


def _end(reason: str) -> NoReturn:
    typer.echo(reason, err=True)
    raise typer.Exit(EXIT_FAILED)
