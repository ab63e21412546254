"""Asking: what every command does alike that looks into the database: read the configuration, connect, say what is wrong."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

import typer

from dotbus.runtime.process import EXIT_FAILED, load_or_exit
from historian.database import Database, StatementRefused, StoreUnavailable
from historian.settings import Configuration

Load = Callable[[], Configuration]
"""Reads the configuration."""


class Open(Protocol):
    """The database that a configuration names."""

    def __call__(self, configuration: Configuration, *, with_roles: bool = True) -> Database:
        """With its roles, or as the user who connects."""
        ...


@contextmanager
def asking(load: Load, open_database: Open) -> Iterator[tuple[Configuration, Database]]:
    """The configuration and its database; a fault of the database ends the command with its words."""
    configuration = load_or_exit(load)
    database = open_database(configuration)
    try:
        yield configuration, database
    except (StoreUnavailable, StatementRefused) as error:
        typer.echo(f"the database: {error}", err=True)
        raise typer.Exit(EXIT_FAILED) from error
    finally:
        database.close()
