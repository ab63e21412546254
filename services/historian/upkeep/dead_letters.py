"""Dead letters on the command line: look at what could not be stored, try it again, take it elsewhere."""

import sys
from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from dotbus.contracts.messages import ServiceStatus
from dotbus.contracts.topics import Topics
from dotbus.runtime.process import EXIT_FAILED, command_line
from dotbus.runtime.schedule import utc_now
from historian.database import Database, StoreUnavailable
from historian.upkeep.asking import Load, Open, asking
from historian.upkeep.letters import DeadLetter, count_letters, each_letter, letters, mark, not_waiting
from historian.write.reading.arrivals import Arrival
from historian.write.reading.record import Recorder
from historian.write.storing.store import Store

SHOWN = 100

Ids = Annotated[list[int] | None, typer.Argument(help="Numbers from the list; none means all.")]
Limit = Annotated[int, typer.Option(min=1, help="At most so many, the oldest first.")]


def dead_letter_app(load: Load, open_database: Open) -> typer.Typer:  # noqa: C901  # four commands of a few lines each
    """The `dead-letters` commands.

    Args:
        load: reads the configuration.
        open_database: the database that it names.
    """
    app = command_line("Look at what could not be stored, and try it again.", no_args_is_help=True)

    @app.command("list")
    def list_letters(limit: Limit = SHOWN) -> None:
        """List the dead letters that are not stored yet."""
        with asking(load, open_database) as (_, database), database.transaction() as connection:
            counts = count_letters(connection)
            found = letters(connection, limit)
        for letter in found:
            typer.echo(_line(letter))
        total = sum(counts.values())
        shown = "" if len(found) == total else f", of which the oldest {len(found)} are shown"
        typer.echo(f"{total} dead letters{shown}" + "".join(f"; {kind}: {count}" for kind, count in sorted(counts.items())))

    @app.command()
    def show(ids: Annotated[list[int], typer.Argument(help="Numbers from the list.")]) -> None:
        """Show what came, as it came."""
        with asking(load, open_database) as (_, database), database.transaction() as connection:
            missing, found = not_waiting(connection, ids), letters(connection, len(ids), ids)
        for letter in found:
            typer.echo(_line(letter))
            typer.echo(letter.payload.decode("utf-8", "backslashreplace"))
        _tell_missing(missing)

    @app.command()
    def retry(ids: Ids = None, limit: Limit = 10_000) -> None:
        """Try to store dead letters again, after an update or a repair. Exit status 1 when one is still refused."""
        with asking(load, open_database) as (configuration, database):
            missing = _missing(database, ids)
            refused = retry_letters(database, configuration.installation.topics, ids or (), limit)
        _tell_missing(missing)
        if refused:
            raise typer.Exit(EXIT_FAILED)

    @app.command()
    def export(
        file: Annotated[Path, typer.Argument(help="Where to; - is standard output.")], ids: Ids = None, limit: Limit = 1_000_000
    ) -> None:
        """Write dead letters into a file. JSON, one a line: topic, payload in base64, reason, times."""
        with asking(load, open_database) as (_, database):
            missing = _missing(database, ids)
            try:
                count = _export(file, each_letter(database, limit, ids or ()))
            except BrokenPipeError:  # whoever reads has enough: the command line ends without a word
                raise
            except OSError as error:
                typer.echo(f"{file}: {error.strerror}", err=True)
                raise typer.Exit(EXIT_FAILED) from error
        if str(file) != "-":
            typer.echo(f"{count} dead letters in {file}")
        _tell_missing(missing)

    return app


def _missing(database: Database, ids: Sequence[int] | None) -> list[int]:
    """Which of those named do not wait."""
    with database.transaction() as connection:
        return not_waiting(connection, ids or ())


def _tell_missing(missing: Sequence[int]) -> None:
    """End the command when something was named that there is not."""
    if missing:
        typer.echo(f"no dead letter waits under {', '.join(map(str, missing))}", err=True)
        raise typer.Exit(EXIT_FAILED)


def retry_letters(database: Database, topics: Topics, ids: Sequence[int], limit: int) -> int:
    """Try each again, and say what became of it. Returns how many are still refused."""
    recorder, store, refused, tried = Recorder(topics), Store(database), 0, 0
    for letter in each_letter(database, limit, ids):
        try:
            why = _retry(store, recorder, letter)
            with database.transaction() as connection:
                mark(connection, letter, utc_now(), why)
        except StoreUnavailable:
            raise
        except Exception as fault:  # noqa: BLE001  # it may be anything, since nobody foresaw it; the others have their turn
            why = f"{type(fault).__name__}: {fault}"
        tried += 1
        refused += why is not None
        typer.echo(f"{letter.id}: {f'still refused: {why}' if why else 'stored'}")
    if not (tried or ids):
        typer.echo("no dead letter waits")
    return refused


def _retry(store: Store, recorder: Recorder, letter: DeadLetter) -> str | None:
    """Store what a letter means now. Returns why that still cannot be."""
    if not letter.is_whole:
        return f"only the first {len(letter.payload)} of {letter.payload_bytes} bytes are kept"
    meaning = recorder.record(letter.topic, letter.payload)
    arrival = Arrival(letter.topic, letter.payload, letter.received_at, meaning)
    written = store.write([arrival], utc_now())
    if isinstance(meaning, ServiceStatus):
        store.write_statuses([arrival], written)
    return written.rejections[0].reason if written.rejections else None


def _export(file: Path, found: Iterable[DeadLetter]) -> int:
    """Write them, a line each. Returns how many."""
    count = 0
    with nullcontext(sys.stdout.buffer) if str(file) == "-" else file.open("wb") as out:
        for count, letter in enumerate(found, 1):  # noqa: B007  # the last number is how many there were
            out.write(msgspec.json.encode(letter) + b"\n")
        out.flush()
    return count


def _line(letter: DeadLetter) -> str:
    times = f", {letter.seen} times" if letter.seen > 1 else ""
    came = f"{letter.received_at:%Y-%m-%dT%H:%M:%SZ}{times} on {letter.topic}"
    return f"{letter.id}: {letter.kind}, {came}, {letter.payload_bytes} bytes: {letter.reason}"
