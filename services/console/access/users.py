"""Users: the file of those who may sign in. Only `dotbus users` writes it; the console reads it again when it has changed."""

import os
import stat
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final, Literal

import msgspec

from console.access.passwords import is_hash
from console.access.people import Person, Role

PRIVATE: Final = 0o600
NAME_MOST: Final = 100
_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO
_HINT: Final = "`dotbus users` writes it"


class User(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who may sign in.

    Attributes:
        plant: the only one that they may see; null when it is all.
        password: as `hash_password` makes it.
    """

    name: str
    role: Role
    plant: str | None = None
    password: str

    @property
    def person(self) -> Person:
        """Who they are to others."""
        return Person(self.name, self.role, self.plant)


class _File(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    version: Literal[1] = 1
    users: tuple[User, ...]


class UsersRefused(Exception):
    """A file that cannot be used, or a user that nobody may be; the message says why, and what to do."""


def check_name(name: str) -> None:
    """Refuse a name that others could not be told.

    Raises:
        UsersRefused: it is empty, too long, or not to be shown as it is.
    """
    if not name.isprintable() or name != name.strip() or not 0 < len(name) <= NAME_MOST:
        raise UsersRefused(f"a name is 1 to {NAME_MOST} characters that can be shown, without spaces at its ends")


def read_users(path: Path) -> dict[str, User]:
    """The users of a file, by name.

    Raises:
        UsersRefused: it is not there, others than its owner may read it, or it is no such file.
    """
    try:
        with path.open("rb") as file:
            if os.name == "posix" and os.fstat(file.fileno()).st_mode & _OTHERS:
                raise UsersRefused("may be read by others than its owner: chmod 600")
            content = file.read()
    except OSError as error:
        raise UsersRefused(f"cannot be read: {error.strerror}; `dotbus users add` makes it") from error
    return decode_users(content)


def decode_users(content: bytes) -> dict[str, User]:
    """The users of a file's content, by name.

    Raises:
        UsersRefused: it is no such file.
    """
    try:
        users = msgspec.json.decode(content, type=_File).users
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UsersRefused(f"is no file of users ({error}); {_HINT}") from error
    found = {user.name: user for user in users}
    if len(found) < len(users):
        raise UsersRefused(f"names a user twice; {_HINT}")
    for user in users:
        check_name(user.name)
        if not is_hash(user.password):
            raise UsersRefused(f"has no argon2id for the user {user.name!r}; {_HINT}")
    return found


def encode_users(users: Iterable[User]) -> bytes:
    """The content of a file, for people's eyes too."""
    return msgspec.json.format(msgspec.json.encode(_File(users=tuple(users))), indent=2) + b"\n"


class UsersFile:
    """The users as the file has them now. A file that cannot be used has none: who was removed stays out.

    Args:
        path: of the file.
        complain: told why the file cannot be used, once each time that it changes.
    """

    def __init__(self, path: Path, complain: Callable[[str], None]) -> None:
        self._path = path
        self._complain = complain
        self._seen: object = None
        self.users: Mapping[str, User] = MappingProxyType({})
        self.look()

    def look(self) -> None:
        """Read it again if it is another one than before."""
        seen = _mark_of(self._path)
        if seen == self._seen:
            return
        self._seen = seen
        try:
            self.users = MappingProxyType(read_users(self._path))
        except UsersRefused as refused:
            self.users = MappingProxyType({})
            self._complain(f"{self._path} {refused}")


def _mark_of(path: Path) -> object:
    try:
        found = path.stat()
    except OSError as error:
        return error.errno
    return found.st_ino, found.st_mtime_ns, found.st_size, found.st_mode
