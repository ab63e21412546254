"""Users of a console, in a file as `dotbus users` writes it. All have one password: to make its hash takes a moment."""

from pathlib import Path

from console.access.passwords import hash_password
from console.access.people import Role
from console.access.users import User, encode_users

PASSWORD = "correct horse battery"
HASH = hash_password(PASSWORD)
ANNA = User(name="anna", role=Role.OPERATOR, plant="sierra", password=HASH)
BEN = User(name="ben", role=Role.VIEWER, password=HASH)
EVE = User(name="eve", role=Role.ENGINEER, password=HASH)


def kept(path: Path, *users: User, mode: int = 0o600) -> Path:
    """A file with users, in one step."""
    new = path.with_suffix(".new")
    new.write_bytes(encode_users(users))
    new.chmod(mode)
    return new.replace(path)
