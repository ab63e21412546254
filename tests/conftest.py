"""Real parts that several tests share."""

from collections.abc import Iterator

import pytest
from real_postgres import Postgres, new_database, start_postgres


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    """A PostgreSQL server for the whole run. A test that kills it starts it again."""
    server = start_postgres(tmp_path_factory.mktemp("postgres"))
    yield server
    server.remove()


@pytest.fixture
def database(postgres: Postgres) -> str:
    """The address of an empty database of this test's own."""
    return new_database(postgres)
