"""Asking for prices of the past: requests that lmp_ingest takes over the bus, followed to their ends, and what came of them."""

import hashlib
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from socket import gethostname
from typing import Final

import typer

from dotbus.contracts.messages import Backfill, BackfillRequest
from dotbus.contracts.messages.history import TAKEN
from dotbus.runtime.backfills.running import NotAnswered, Running
from dotbus.runtime.installation.installation import Installation
from dotbus.runtime.logs import configure_logs
from dotbus.runtime.process import EXIT_FAILED
from dotbus.runtime.settings.settings import BusSettings

EXIT_UNKNOWN: Final = 3
"""Nobody knows what came of it."""


@contextmanager
def conversing(
    settings: BusSettings, installation: Installation, instance: str, asks: str, clock: Callable[[], datetime]
) -> Iterator[Running]:
    """The conversation with lmp_ingest while a command runs.

    Raises:
        typer.Exit: it is not there or does not answer; it was told why.
    """
    configure_logs(asks, "by-hand", "console", "error")
    try:
        with Running.reached(settings, installation, instance, asks, clock) as running:
            yield running
    except NotAnswered as failure:
        typer.echo(str(failure), err=True)
        raise typer.Exit(EXIT_UNKNOWN) from failure


def backfilled(running: Running, requests: Sequence[BackfillRequest]) -> list[Backfill]:
    """Have the service take requests, and follow them to their ends, with bars where somebody looks at a terminal.

    Raises:
        NotAnswered: nobody takes them, or the service went away and is not back.
        typer.Exit: one is refused, or Ctrl-C; what was taken goes on in the service.
    """
    return _followed(running, requests, take(running, requests))


def request_of(
    running: Running, market: str, nodes: tuple[str, ...], start: datetime, end: datetime, *, cancel: bool = False
) -> BackfillRequest:
    """A request for prices. The same prices have the same id, so that the same command finds again what it asked for."""
    what = f"{market} {' '.join(sorted(nodes))} {start.isoformat()} {end.isoformat()}"
    return BackfillRequest(
        environment=running.installation.environment,
        source=f"{running.asks}/{gethostname()}",
        time=running.clock(),
        request_id=hashlib.sha256(what.encode()).hexdigest()[:16],
        market=market,
        nodes=nodes,
        start=start,
        end=end,
        cancel=cancel,
    )


def summary(backfill: Backfill) -> Iterator[str]:
    """What came of a backfill, and what did not."""
    span = f"{backfill.start:%Y-%m-%dT%H:%MZ} to {backfill.end:%Y-%m-%dT%H:%MZ}"
    came = f"{backfill.prices:,} prices in {backfill.requests_done:,} request{'' if backfill.requests_done == 1 else 's'}"
    yield f"{backfill.market} {span} of {named_in_words(backfill.nodes)}: {came}"
    for start, end in backfill.missing:
        yield f"missing: {start:%Y-%m-%dT%H:%MZ} to {end:%Y-%m-%dT%H:%MZ}"
    for start, end in backfill.unpublished:
        yield f"not published yet: {start:%Y-%m-%dT%H:%MZ} to {end:%Y-%m-%dT%H:%MZ}"
    if _are_doubtful(backfill):
        yield f"no price at all: {named_in_words(backfill.unpriced)}; is the name right?"
    if backfill.requests_failed:
        yield f"{backfill.requests_failed:,} requests brought nothing, the last because {backfill.detail}"
    elif backfill.detail:
        yield backfill.detail


def is_whole(backfill: Backfill) -> bool:
    """Whether all that was asked for came, as far as OASIS has published it."""
    return backfill.requests_done == backfill.requests and not (backfill.missing or _are_doubtful(backfill))


def _are_doubtful(backfill: Backfill) -> bool:
    """Whether names had no price though there were some to have. Where nothing is published yet none can be wrong."""
    return bool(backfill.unpriced) and (backfill.prices > 0 or bool(backfill.missing))


def take(running: Running, requests: Sequence[BackfillRequest]) -> datetime:
    """Have the service take them. Returns when it took the last, by its clock."""
    taken_at = running.status().time
    for request in requests:
        reply = running.ask(request)
        typer.echo(f"{reply.outcome}: {reply.detail}", err=True)
        if reply.outcome != TAKEN:
            raise typer.Exit(EXIT_FAILED)
        taken_at = reply.time
    return taken_at


def _followed(running: Running, requests: Sequence[BackfillRequest], taken_at: datetime) -> list[Backfill]:
    """How they ended."""
    # Bars are for a person; services that carry this command have no other use for rich.
    from dotbus.runtime.backfills.progress import Progress  # noqa: PLC0415

    known: list[Backfill] = []
    try:
        with Progress(sys.stderr) as progress:
            for known in running.follow([request.request_id for request in requests], taken_at):
                progress.show(known)
    except KeyboardInterrupt:
        typer.echo("it goes on in the service; the same command tells how far it is", err=True)
        raise typer.Exit(EXIT_UNKNOWN) from None
    return known


def named_in_words(names: Sequence[str]) -> str:
    """Names in a line: the first, and how many more."""
    shown = 10
    return ", ".join(names[:shown]) + (f" and {len(names) - shown} more" if len(names) > shown else "")
