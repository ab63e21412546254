"""Keys on the command line: `historian api keys make`, `list`, `revoke`. They act as the owner of the tables."""

from typing import Annotated

import typer

from dotbus.runtime.process import EXIT_FAILED, command_line
from dotbus.runtime.settings.mistakes import did_you_mean
from historian.api.keys.store import kept_keys, make_key, revoke_key
from historian.database import KeyTaken
from historian.upkeep.asking import Load, Open, asking

NAME_MOST = 100

Name = Annotated[str, typer.Argument(help="Whose it is, such as anna or scada-sierra.")]
Plant = Annotated[str | None, typer.Option(help="The only plant that it may see, by its name in dotbus.toml; all if not said.")]


def key_app(load: Load, open_database: Open) -> typer.Typer:
    """The `keys` commands.

    Args:
        load: reads the historian's configuration: the API itself may not change anything.
        open_database: the database that it names.
    """
    app = command_line("Who may ask the API: make, list and revoke keys.", no_args_is_help=True)

    @app.command()
    def make(name: Name, plant: Plant = None) -> None:
        """Make a key and print it. It is kept nowhere: who loses it needs another."""
        if not name.isprintable() or not 0 < len(name) <= NAME_MOST:
            _fail(f"a name is 1 to {NAME_MOST} characters that can be shown")
        with asking(load, open_database) as (configuration, database):
            plants = [one.name for one in configuration.installation.plants]
            if plant is not None and plant not in plants:
                _fail(f"there is no plant {plant!r} in dotbus.toml{did_you_mean(plant, plants)}")
            try:
                with database.transaction(as_owner=True) as connection:
                    key = make_key(connection, name, plant)
            except KeyTaken:
                _fail(f"there is a key {name!r} already; `historian api keys revoke` takes it back")
        typer.echo(key)

    @app.command("list")
    def list_keys() -> None:
        """List every key that was made, revoked ones included."""
        with asking(load, open_database) as (_, database), database.transaction(as_owner=True) as connection:
            for key in kept_keys(connection):
                until = f", revoked {key.revoked_at:%Y-%m-%d %H:%MZ}" if key.revoked_at else ""
                typer.echo(f"{key.name}: {key.plant or 'every plant'}, made {key.made_at:%Y-%m-%d %H:%MZ}{until}")

    @app.command()
    def revoke(name: Name) -> None:
        """Take a key back. The API takes it no more within five seconds."""
        with asking(load, open_database) as (_, database), database.transaction(as_owner=True) as connection:
            was_there = revoke_key(connection, name)
            names = [key.name for key in kept_keys(connection) if not key.revoked_at]
        if not was_there:
            _fail(f"there is no key {name!r}{did_you_mean(name, names)}")
        typer.echo(f"{name}: revoked")

    return app


def _fail(said: str) -> None:
    typer.echo(said, err=True)
    raise typer.Exit(EXIT_FAILED)
