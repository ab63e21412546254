"""Running an export: from the command line's words to a file, with its progress."""

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Final, NoReturn

import typer
from rich.console import Console
from rich.progress import Progress

from dotbus.contracts.messages import Environment
from dotbus.runtime.installation.toml_values import Market
from dotbus.runtime.process import EXIT_FAILED, EXIT_REFUSED, load_or_exit
from dotbus.runtime.schedule import utc_now
from historian.api.problems import Problem
from historian.api.request.times import Clock, Range, Zone, instant_of, trade_date_of, trade_day
from historian.api.streaming import StreamFailed, Streaming, session_dsn
from historian.exporting.prices import WRITERS, Wanted, export, require_nodes
from historian.upkeep.asking import Load

PART_WITHIN_S: Final = 3600.0
"""A week of the whole network is 33 million prices of the five-minute market."""


def run_export(
    load: Load,
    file: Path,
    times: tuple[str, str | None],
    nodes: Sequence[str],
    markets: Sequence[Market],
    environments: Sequence[Environment],
    tz: Zone,
) -> None:
    """Write the prices of the times from the first to the second.

    Raises:
        typer.Exit: it cannot be asked for so, or the database or the disk failed; it was told why.
    """
    wanted = Wanted(_times(*times, tz), nodes, [str(each) for each in markets], [str(each) for each in environments])
    _require_writable(file)
    configuration = load_or_exit(load)
    settings = configuration.own
    address, password = settings.database_url.get_secret_value(), settings.read_database_password()
    streaming = Streaming(session_dsn(address, settings.database_schema, password=password, timeout_s=PART_WITHIN_S))
    try:
        require_nodes(streaming, nodes)
        count = _exported(streaming, wanted, file, tz)
    except Problem as problem:
        _refuse(f"{file} is not written: {problem}")
    except (StreamFailed, OSError) as error:
        typer.echo(f"{file} is not written: {error}", err=True)
        raise typer.Exit(EXIT_FAILED) from error
    typer.echo(f"{count:,} prices in {file}")


def _exported(streaming: Streaming, wanted: Wanted, file: Path, zone: Zone) -> int:
    console, count = Console(stderr=True), 0
    with Progress(console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task("export", total=len(wanted.parts))

        def done(prices: int) -> None:
            nonlocal count
            count += prices
            progress.update(task, advance=1, description=f"{count:,} prices")

        export(streaming, wanted, file, zone, done)
    return count


def _times(start: str, end: str | None, zone: Zone) -> Range:
    clock = Clock(utc_now(), zone)
    try:
        begins = instant_of("--from", start, clock)
        ends = instant_of("--to", end, clock) if end else trade_day(trade_date_of(clock.now) + timedelta(days=1)).end
    except Problem as problem:
        _refuse(str(problem))
    if ends <= begins:
        _refuse(f"--from {start} is not before --to {end or 'tomorrow'}: from the one on, up to the other without it")
    return Range(begins, ends)


def _require_writable(file: Path) -> None:
    if file.suffix.lower() not in WRITERS:
        _refuse(f"{file}: its name is to end in {' or '.join(WRITERS)}")
    if file.is_dir() or not file.parent.is_dir():
        _refuse(f"{file}: {'is a folder' if file.is_dir() else 'there is no such folder'}")


def _refuse(reason: str) -> NoReturn:
    typer.echo(reason, err=True)
    raise typer.Exit(EXIT_REFUSED)
