"""Real parts that several tests share, and what must be the same for all of them on every machine."""

import os
from collections.abc import Iterator

import pytest
import structlog
from hypothesis import HealthCheck, settings
from real_postgres import Postgres, new_database, start_postgres

# What is printed must depend neither on the terminal that the tests run in nor on what somebody's shell asks for.
os.environ["COLUMNS"] = "200"
for name in ("FORCE_COLOR", "CLICOLOR_FORCE", "PY_COLORS", "FORCE_TERMINAL", "GITHUB_ACTIONS", "TTY_COMPATIBLE", "NO_COLOR"):
    os.environ.pop(name, None)

# A busy machine is no fault of the code: only what comes out counts, not when. A server draws the same examples each time.
settings.register_profile(
    "dotbus",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize=bool(os.environ.get("CI")),
    print_blob=True,
)
settings.load_profile("dotbus")


@pytest.fixture(autouse=True)
def _logs_as_at_the_start() -> Iterator[None]:
    """Where a test that configures logs sends them is no matter of the next one's."""
    yield
    structlog.reset_defaults()


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
