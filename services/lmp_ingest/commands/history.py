"""`lmp-ingest backfill` and `gaps`: prices of the past, had by the running service and said on the bus as any others.

Exit status: 0 all came that OASIS has published, 1 something is missing or was refused, 2 the command line or the configuration
is wrong, 3 nobody knows.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Annotated, Final

import typer

from caiso.oasis import Group, Market, midnight, named, trade_day
from dotbus.contracts.messages import Backfill, BackfillRequest, ServiceStatus
from dotbus.contracts.messages.history import MOST_NODES
from dotbus.runtime.backfills.asking import (
    backfilled,
    conversing,
    is_whole,
    named_in_words,
    request_of,
    summary,
    take,
)
from dotbus.runtime.backfills.running import Running
from dotbus.runtime.installation.file import load_installation
from dotbus.runtime.installation.installation import Installation
from dotbus.runtime.process import EXIT_FAILED, load_or_exit
from dotbus.runtime.settings.settings import BusSettings, ConfigSettings, ServiceSettings, load_settings
from lmp_ingest.commands.spans import Span, Wanted
from lmp_ingest.settings import PREFIX

AT_ONCE: Final = 10
"""Of many gaps so many are asked for together: the service takes no more than a few at a time."""

Nodes = Annotated[
    list[str], typer.Option("--node", help="A node's name, NP15 and the like, ALL or ALL_APNODES; several times.")
]
Of = Annotated[Market, typer.Option("--market", help="The market run.", case_sensitive=False)]
From = Annotated[str, typer.Option("--from", help="From a trade day on, or a time as 2026-11-01T08:00Z.")]
To = Annotated[str | None, typer.Option("--to", help="Until then, exclusive; else until today begins.")]
Detach = Annotated[bool, typer.Option("--detach", help="Do not wait for it; the same command without this does.")]
Cancel = Annotated[bool, typer.Option("--cancel", help="Stop the one that was asked for so. What came by then stays.")]
Fill = Annotated[bool, typer.Option("--fill", help="Have the service ask for all of it now.")]


def add_history_commands(app: typer.Typer, clock: Callable[[], datetime]) -> None:
    """The commands.

    Args:
        app: the command line.
        clock: the wall clock.
    """

    @app.command()
    def backfill(
        node: Nodes, start: From, market: Of = Market.DAM, *, end: To = None, detach: Detach = False, cancel: Cancel = False
    ) -> None:
        """Have the running service ask for prices of the past, and wait."""
        span = load_or_exit(lambda: _span(market, start, end, clock()))
        with _reached(clock) as running:
            nodes = tuple(dict.fromkeys(map(named, node)))
            request = request_of(running, market, nodes, span.start, span.end, cancel=cancel)
            if detach or cancel:
                take(running, [request])
            else:
                _tell(backfilled(running, [request]))

    @app.command()
    def gaps(*, fill: Fill = False) -> None:
        """Tell which published prices the running service lacks still."""
        with _reached(clock) as running:
            status = running.status()
            lacking = requests_for(running, status)
            for line in gap_lines(status):
                typer.echo(line)
            if not lacking:
                return
            if not fill:
                raise typer.Exit(EXIT_FAILED)
            known: list[Backfill] = []
            while lacking:
                some, lacking = lacking[:AT_ONCE], lacking[AT_ONCE:]
                known += backfilled(running, some)
            _tell(known)


def gap_lines(status: ServiceStatus) -> Iterator[str]:
    """What is missing of each market, and how far it is complete."""
    for upstream in status.upstreams:
        market = _market_of(upstream.name)
        until = status.cursors.get(market)
        yield f"{market}: {f'complete until {datetime.fromisoformat(until):%Y-%m-%dT%H:%MZ}' if until else 'no price yet'}"
        for one in upstream.missing:
            yield f"{market}: missing {one.start:%Y-%m-%dT%H:%MZ} to {one.end:%Y-%m-%dT%H:%MZ} of {named_in_words(one.names)}"


def _span(market: Market, start: str, end: str | None, now: datetime) -> Span:
    wanted = Wanted(start=start, end=end).span(market, now)
    return wanted if end is not None else Span(wanted.start, midnight(trade_day(now)))


def requests_for(running: Running, status: ServiceStatus) -> list[BackfillRequest]:
    """What is missing of a market at one time is one request, whoever asks for the nodes live."""
    names: dict[tuple[Market, Span], list[str]] = {}
    for upstream in status.upstreams:
        for one in upstream.missing:
            names.setdefault((Market(_market_of(upstream.name)), Span(one.start, one.end)), []).extend(one.names)
    return [
        request_of(running, market, tuple(some), span.start, span.end)
        for (market, span), lacking in names.items()
        for some in _pieces(sorted(set(lacking)))
    ]


def _pieces(names: list[str]) -> Iterator[list[str]]:
    """Groups alone, and of names as many as a request may have."""
    groups = [name for name in names if name in set(Group)]
    yield from ([group] for group in groups)
    named = [name for name in names if name not in groups]
    yield from (named[at : at + MOST_NODES] for at in range(0, len(named), MOST_NODES))


def _market_of(upstream: str) -> str:
    return upstream.removeprefix("oasis_").upper()


def _tell(known: Sequence[Backfill]) -> None:
    for one in known:
        typer.echo("\n".join(summary(one)))
    if not all(map(is_whole, known)):
        raise typer.Exit(EXIT_FAILED)


@contextmanager
def _reached(clock: Callable[[], datetime]) -> Iterator[Running]:
    """The service that the environment names, while a command runs; a service that does not answer ends the command."""
    settings, installation, instance = load_or_exit(_configured)
    with conversing(settings, installation, instance, "lmp-ingest", clock) as running:
        yield running


def _configured() -> tuple[BusSettings, Installation, str]:
    config = load_settings(ConfigSettings, PREFIX).config
    return (
        load_settings(BusSettings, f"{PREFIX}MQTT_"),
        load_installation(config),
        load_settings(ServiceSettings, PREFIX).instance,
    )
