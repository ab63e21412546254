"""Upgrade and roll back, by the commands of docs/deployment.md as they stand there.

The version of before is this one that knows one step less of the tables: it makes those that it knows, and refuses the others.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from unittest.mock import patch

import pytest
from historian_database import opened
from operated_installation import DOCUMENT, Installation, commands, has, operated
from real_mosquitto import Mosquitto
from real_postgres import Postgres, query
from waiting import eventually

from dotbus.runtime.schedule import utc_now
from historian import migrations
from historian.migrations import LaterVersion, Roles, bring_up_to_date, head, known_revisions
from historian.tables import DIVIDED
from historian.tables.price_hours import price_hour
from historian.upkeep import service as upkeep

pytestmark = pytest.mark.integration
AFTER = head()
BEFORE = max(known_revisions() - {AFTER})
upgrade: Callable[..., None] = migrations.upgrade


@contextmanager
def version_of_before() -> Iterator[None]:
    with ExitStack() as patched:
        for name, instead in (
            ("head", lambda: BEFORE),
            ("known_revisions", lambda: frozenset(known_revisions() - {AFTER})),
            ("upgrade", lambda connection: upgrade(connection, BEFORE)),
        ):
            patched.enter_context(patch.object(migrations, name, instead))
        patched.enter_context(patch.dict(DIVIDED))  # it has none of the tables of that step, and keeps nothing in them
        del DIVIDED[price_hour]
        patched.enter_context(patch.object(upkeep, "make_hours", lambda _database, _now: 0))
        yield


@pytest.fixture
def installation(tmp_path: Path, broker: Mosquitto, postgres: Postgres) -> Iterator[Installation]:
    """Of the version of before, with four batches."""
    with operated(tmp_path, broker, postgres) as installation:
        with version_of_before():
            installation.start("historian")
            installation.start("ads-ingest")
            installation.source.say(1, 4)
            eventually(has(installation, 4))
        assert revision(installation) == BEFORE
        yield installation


def revision(installation: Installation, schema: str = "dotbus") -> str:
    return str(query(installation.at.superuser, f"SELECT version_num FROM {schema}.alembic_version")[0][0])


def test_an_upgrade_keeps_what_is_there_and_goes_on_with_tables_of_its_own(installation: Installation):
    for block in commands("Upgrade"):
        installation.run(block)
    installation.source.say(5, 9)
    eventually(has(installation, 9))
    assert revision(installation) == AFTER
    assert query(installation.at.reader, "SELECT count(DISTINCT event_no), count(*) FROM dotbus.dispatch_batch") == [(9, 9)]
    assert "TABLE DATA dotbus" in (installation.folder / "dotbus.before.list").read_text()


def test_the_version_of_before_refuses_later_tables_in_the_words_of_the_document_and_changes_nothing(
    installation: Installation,
):
    for block in commands("Upgrade"):
        installation.run(block)
    with (
        version_of_before(),
        opened(installation.at.historian, owner="dotbus_owner", writer="dotbus_writer") as database,
        pytest.raises(LaterVersion) as refused,
    ):
        bring_up_to_date(database, Roles("dotbus_reader"), utc_now())
    words = re.escape(str(refused.value)).replace(BEFORE, r"\d{4}").replace(AFTER, r"\d{4}")
    assert re.search(f"`{words}`", DOCUMENT)
    assert revision(installation) == AFTER
    assert has(installation, 4)()


def test_a_roll_back_restores_the_back_up_and_asks_for_what_came_since(installation: Installation):
    for block in commands("Upgrade"):
        installation.run(block)
    installation.source.say(5, 9)
    eventually(has(installation, 9))

    restore, clear = commands("Roll back")
    with version_of_before():
        installation.run(restore)
        eventually(has(installation, 9), within_s=30)
    assert (revision(installation), revision(installation, "dotbus_later")) == (BEFORE, AFTER)
    assert query(installation.at.reader, "SELECT count(DISTINCT event_no), count(*) FROM dotbus.dispatch_batch") == [(9, 9)]
    installation.run(clear)
    installation.source.say(10, 10)
    eventually(has(installation, 10))


def test_where_the_tables_are_of_both_versions_going_back_needs_no_back_up(installation: Installation):
    (_dump, _check, start) = commands("Upgrade")
    with version_of_before():
        installation.run(start[:1])
        installation.source.say(5, 5)
        eventually(has(installation, 5))
    assert revision(installation) == BEFORE
