"""Dead letters on the command line: look at what could not be stored, and try it again."""

from collections.abc import Callable, Sequence
from typing import Annotated, TypeVar

import typer

from dotbus.contracts.topics import Topics
from dotbus.runtime.process import EXIT_FAILED, command_line, load_or_exit
from dotbus.runtime.schedule import utc_now
from historian.record import Refused, record
from historian.settings import Configuration
from historian.store import DeadLetter, Store, StoreUnavailable

SHOWN = 100

T = TypeVar("T")


def dead_letter_app(load: Callable[[], Configuration], open_store: Callable[[Configuration], Store]) -> typer.Typer:
    """The `dead-letters` commands.

    Args:
        load: reads the configuration.
        open_store: the database that it names.
    """
    app = command_line("What could not be stored: look at it, try it again.", no_args_is_help=True)

    @app.command("list")
    def list_letters(
        limit: Annotated[int, typer.Option(min=1, help="At most so many, the oldest first.")] = SHOWN,
        *,
        payload: Annotated[bool, typer.Option("--payload", help="Show what came as well.")] = False,
    ) -> None:
        """List the dead letters that are not stored yet."""
        letters = _from(open_store(load_or_exit(load)), lambda store: store.dead_letters(limit))
        for letter in letters:
            typer.echo(_line(letter))
            if payload:
                typer.echo(f"    {letter.payload!r}")
        typer.echo(f"{len(letters)} dead letters")

    @app.command()
    def retry(
        ids: Annotated[list[int] | None, typer.Argument(help="Numbers from the list; none means all.")] = None,
        limit: Annotated[int, typer.Option(min=1, help="At most so many, the oldest first.")] = 10_000,
    ) -> None:
        """Try to store dead letters again, after an update or a repair. Exit status 1 when one is still refused."""
        configuration = load_or_exit(load)
        topics = configuration.installation.topics
        refused = _from(open_store(configuration), lambda store: retry_letters(store, topics, ids or (), limit))
        if refused:
            raise typer.Exit(EXIT_FAILED)

    return app


def retry_letters(store: Store, topics: Topics, ids: Sequence[int], limit: int) -> int:
    """Try each again, and say what became of it. Returns how many are still refused."""
    refused = 0
    for letter in store.dead_letters(limit, ids):
        outcome = store.retry(letter, record(topics, letter.topic, letter.payload, letter.received_at), utc_now())
        refused += isinstance(outcome, Refused)
        typer.echo(f"{letter.id}: {f'still refused: {outcome.reason}' if outcome else 'stored'}")
    return refused


def _line(letter: DeadLetter) -> str:
    times = f", {letter.seen} times" if letter.seen > 1 else ""
    came = f"{letter.received_at:%Y-%m-%dT%H:%M:%SZ}{times} on {letter.topic}"
    return f"{letter.id}: {came}, {len(letter.payload)} bytes: {letter.reason}"


def _from(store: Store, ask: Callable[[Store], T]) -> T:
    try:
        return ask(store)
    except StoreUnavailable as error:
        typer.echo(f"the database: {error}", err=True)
        raise typer.Exit(EXIT_FAILED) from error
    finally:
        store.close()
