"""`dotbus users`: who may sign in at the console. The console reads the file again by itself, within a second."""

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, NoReturn

import msgspec
import typer

from console.access.passwords import PasswordRefused, hash_password
from console.access.people import Role
from console.access.users import PRIVATE, User, UsersRefused, check_name, encode_users, read_users
from dotbus.runtime.installation.file import load_installation
from dotbus.runtime.process import EXIT_FAILED, command_line, load_or_exit
from dotbus.runtime.settings.mistakes import did_you_mean
from launcher.setup.credentials import write_secret

EVERY_PLANT = "every plant"
Users = dict[str, User]

Name = Annotated[str, typer.Argument(help="Whose name others are told, such as m.ortiz.", metavar="NAME")]
Known = Annotated[str, typer.Argument(help="As `list` shows it.", metavar="NAME")]
File = Annotated[
    Path, typer.Option("--file", envvar="CONSOLE_USERS_FILE", help="The file of the users; the console's CONSOLE_USERS_FILE.")
]
AsRole = Annotated[
    Role, typer.Option("--role", help="A viewer looks; an operator answers and acknowledges; so does an engineer.")
]
OfPlant = Annotated[str | None, typer.Option("--plant", help="The only plant that they may see; every plant if not said.")]
Config = Annotated[Path | None, typer.Option("--config", envvar="DOTBUS_CONFIG", help="dotbus.toml, where a plant is named.")]

users_app = command_line("Who may sign in at the console: add, list, change, remove.", no_args_is_help=True)


@users_app.command()
def add(name: Name, file: File, role: AsRole = Role.VIEWER, plant: OfPlant = None, config: Config = None) -> None:
    """Add a user. The password is asked for, or read as one line where standard input is no terminal."""
    users = _read(file, if_missing={})
    _check(lambda: check_name(name))
    if name in users:
        _fail(f"there is a user {name!r} already; `dotbus users role` and `password` change it")
    _check_plant(plant, config)
    user = User(name=name, role=role, plant=plant, password=_hash_of_new(name))
    _write(file, users | {name: user})
    typer.echo(f"added {_line(user)}")


@users_app.command("list")
def list_users(file: File) -> None:
    """List every user. No password can be shown: none is kept."""
    for user in _read(file).values():
        typer.echo(_line(user))


@users_app.command()
def role(
    name: Known,
    role: Annotated[Role, typer.Argument(help="What they may do from now on.", metavar="ROLE")],
    file: File,
    plant: OfPlant = None,
    config: Config = None,
    *,
    every_plant: Annotated[bool, typer.Option("--every-plant", help="Let them see all of them.")] = False,
) -> None:
    """Give a user another role. What they have open ends, and they sign in anew. The plant stays unless it is said."""
    users = _read(file)
    user = _known(name, users)
    if plant is not None and every_plant:
        _fail("--plant and --every-plant contradict each other; keep one")
    _check_plant(plant, config)
    changed = msgspec.structs.replace(user, role=role, plant=None if every_plant else plant or user.plant)
    _write(file, users | {name: changed})
    typer.echo(_line(changed))


@users_app.command()
def password(name: Known, file: File) -> None:
    """Give a user another password. What they have open ends, and they sign in anew."""
    users = _read(file)
    changed = msgspec.structs.replace(_known(name, users), password=_hash_of_new(name))
    _write(file, users | {name: changed})
    typer.echo(f"{name}: has another password")


@users_app.command()
def remove(name: Known, file: File) -> None:
    """Remove a user. What they have open ends."""
    users = _read(file)
    _known(name, users)
    _write(file, {other: user for other, user in users.items() if other != name})
    typer.echo(f"removed {name}" + ("" if len(users) > 1 else "; there is no user left, and the console will not start so"))


def _hash_of_new(name: str) -> str:
    """A password from whoever types it, twice and unseen, or from a line of what is piped in: an argument is for all to see."""
    if sys.stdin.isatty():
        said = str(typer.prompt(f"Password of {name}", hide_input=True, confirmation_prompt=True))
    else:
        said = sys.stdin.readline().rstrip("\r\n")
    try:
        return hash_password(said)
    except PasswordRefused as refused:
        _fail(str(refused), refused)


def _read(file: Path, if_missing: Users | None = None) -> Users:
    if if_missing is not None and not file.exists():
        return if_missing
    try:
        return read_users(file)
    except UsersRefused as refused:
        _fail(f"{file} {refused}", refused)


def _write(file: Path, users: Mapping[str, User]) -> None:
    """Whoever owns the file keeps it: the console runs as that user."""
    try:
        owner = file.stat().st_uid if file.exists() else None
        write_secret(file, encode_users(users.values()), PRIVATE, owner)
    except OSError as error:
        _fail(f"{file} cannot be written: {error.strerror}", error)


def _known(name: str, users: Users) -> User:
    user = users.get(name)
    if user is None:
        _fail(f"there is no user {name!r}{did_you_mean(name, users)}")
    return user


def _check_plant(plant: str | None, config: Path | None) -> None:
    if plant is None:
        return
    if config is None:
        _fail("--plant needs --config, dotbus.toml: a plant that is spelt otherwise there would be none")
    plants = [one.name for one in load_or_exit(lambda: load_installation(config)).plants]
    if plant not in plants:
        _fail(f"there is no plant {plant!r} in {config}{did_you_mean(plant, plants)}")


def _check(check: Callable[[], None]) -> None:
    try:
        check()
    except UsersRefused as refused:
        _fail(str(refused), refused)


def _line(user: User) -> str:
    return f"{user.name}: {user.role}, {user.plant or EVERY_PLANT}"


def _fail(said: str, cause: Exception | None = None) -> NoReturn:
    typer.echo(said, err=True)
    raise typer.Exit(EXIT_FAILED) from cause
