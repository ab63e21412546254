"""`historian import`: prices of a file into the database.

Exit status: 0 all of it is stored, 1 something is refused or the database fails, 2 the command line or the file is wrong.
"""

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.progress import Progress

from dotbus.contracts.messages import Environment
from dotbus.runtime.process import EXIT_FAILED, EXIT_REFUSED
from dotbus.runtime.schedule import utc_now
from historian.api.request.times import Zone
from historian.importing.files import CannotRead, Opened, opened
from historian.importing.importer import Imported, Importer, Refused
from historian.importing.mapping import MappingRefused, mapping_of
from historian.importing.rows import Assumed, Row, RowRefused, row_of
from historian.upkeep.asking import Load, Open, asking

LINES_AT_ONCE: Final = 50_000
"""Of a file by nodes these are whole days of many nodes, and in memory 50 MB."""
TOLD_MOST: Final = 1000
"""Lines that are told with their reasons; of a file in which all is wrong more would say nothing else."""
_OF_PREDECESSOR: Final = "caiso_connector"

File = Annotated[Path, typer.Argument(help="A database of caiso_connector (SQLite), a CSV or a Parquet file.")]
Columns = Annotated[list[str] | None, typer.Option("--column", help="FIELD=COLUMN, such as node=NODE; several times.")]
Market = Annotated[str | None, typer.Option(help="DAM, RUC, HASP, RTPD or RTM, where no column says it.")]
Whose = Annotated[Environment, typer.Option(help="Whose prices they are, where no column says it.")]
Tz = Annotated[Zone | None, typer.Option("--tz", help="How times without a zone are meant.", case_sensitive=False)]
Name = Annotated[str | None, typer.Option(help="Their source is import/NAME; else of the file's name.")]
Dry = Annotated[bool, typer.Option("--dry-run", help="Look at all of it, and store nothing.")]


def add_import_command(app: typer.Typer, load: Load, open_database: Open) -> None:
    """The command.

    Args:
        app: the command line.
        load: reads the configuration.
        open_database: the database that it names.
    """

    @app.command("import")
    def import_prices(
        file: File,
        column: Columns = None,
        market: Market = None,
        environment: Whose = Environment.PRODUCTION,
        tz: Tz = None,
        name: Name = None,
        *,
        dry_run: Dry = False,
    ) -> None:
        """Store prices of a file. What is stored already stays as it is, and what CAISO said to an ingest goes before it."""
        try:
            found = opened(file)
            mapping = mapping_of(found.columns, column or (), is_predecessors=found.is_predecessors)
        except (CannotRead, MappingRefused) as error:
            typer.echo(str(error), err=True)
            raise typer.Exit(EXIT_REFUSED) from error
        if found.is_predecessors:
            market, tz, name = market or "DAM", tz or Zone.UTC, name or _OF_PREDECESSOR
        assumed = Assumed(environment, market, tz)
        with asking(load, open_database) as (configuration, database):
            importer = Importer(database, configuration.installation.topics, _plain(name or file.stem), utc_now())
            is_whole = _imported(importer, found, mapping, assumed, dry_run=dry_run)
        if not is_whole:
            raise typer.Exit(EXIT_FAILED)


@dataclass
class _Total:
    """How many lines became what. Of those that are refused the first are told at once, and none is kept."""

    new: int = 0
    known: int = 0
    refused: int = 0

    def add(self, took: Imported) -> None:
        """Some lines more."""
        for line, reason in sorted(took.refused)[: max(0, TOLD_MOST - self.refused)]:
            sys.stderr.write(f"line {line}: {reason}\n")
        self.new += took.new
        self.known += took.known
        self.refused += len(took.refused)


def _imported(importer: Importer, found: Opened, mapping: dict[str, str], assumed: Assumed, *, dry_run: bool) -> bool:
    """Take all lines, tell what came of them. Returns whether none was refused and the file could be read to its end."""
    total, why_cut = _Total(), ""
    lines = _rows(found, mapping, assumed)
    console = Console(stderr=True)
    with Progress(console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task("import", total=found.size)
        while not why_cut:
            some, done, why_cut = _some_of(lines)
            if not (some or why_cut):
                break
            took = importer.take([one for one in some if isinstance(one, Row)], dry_run=dry_run)
            took.refused += [one for one in some if not isinstance(one, Row)]
            total.add(took)
            progress.update(task, completed=done)
    _tell(total, why_cut, dry_run=dry_run)
    return not (total.refused or why_cut)


def _rows(found: Opened, mapping: dict[str, str], assumed: Assumed) -> Iterator[tuple[Row | Refused, int]]:
    for number, values, done in found.lines():
        if isinstance(values, str):
            yield (number, values), done
            continue
        fields = {name: values[column] for name, column in mapping.items()}
        try:
            yield row_of(number, fields, assumed), done
        except RowRefused as refused:
            yield (number, str(refused)), done


def _some_of(lines: Iterator[tuple[Row | Refused, int]]) -> tuple[list[Row | Refused], int, str]:
    """The next lines, how far they go, and why there are no more where the file is broken."""
    some: list[Row | Refused] = []
    done = 0
    try:
        for one, done in islice(lines, LINES_AT_ONCE):  # noqa: B007  # how far the last one goes
            some.append(one)
    except CannotRead as error:
        return some, done, str(error)
    return some, done, ""


def _tell(total: _Total, why_cut: str, *, dry_run: bool) -> None:
    if (more := total.refused - TOLD_MOST) > 0:
        typer.echo(f"and {more:,} lines more are refused", err=True)
    if why_cut:
        typer.echo(why_cut, err=True)
    stored = "would be stored" if dry_run else "stored"
    typer.echo(f"{total.new:,} prices {stored}, {total.known:,} were there already, {total.refused:,} refused")


def _plain(name: str) -> str:
    """A name that can be a level of a topic, as sources are."""
    return re.sub(r"[^A-Za-z0-9_.-]+", "_", name)[:100]
