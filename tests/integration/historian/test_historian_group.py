"""Historians that share a subscription: what one of them leaves undone when it dies, the other does."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from chaos.installation import HISTORIANS
from chaos.rows import Rows
from chaos.stack import VOLUME, Stack
from historian_database import opened
from real_postgres import query
from waiting import eventually

from historian.database import StoreUnavailable

pytestmark = pytest.mark.integration

ASKING = "events are missing; asking for them"


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    """Two historians and a source, without CAISO."""
    with Stack(tmp_path, disk_mb=512, rate=100.0, seed=1) as stack:
        for name in (*HISTORIANS, VOLUME):
            stack.parts[name].start()
        yield stack


def wait_until_there(rows: Rows, last: int) -> None:
    eventually(lambda: rows.volume_numbers(1, last) == list(range(1, last + 1)), 120, 0.3)


def test_a_dead_historian_soon_gets_nothing_that_the_other_would_have_to_ask_for(stack: Stack):
    rows, (dead, other) = Rows(stack.database_url), HISTORIANS
    eventually(lambda: stack.volume_told() > 0 and "the tables are ready" in stack.parts[other].log(), 60)
    wait_until_there(rows, stack.volume_told())
    stack.parts[dead].kill()

    def all_comes_unasked() -> bool:
        asked, last = stack.parts[other].log().count(ASKING), stack.volume_told() + 500
        eventually(lambda: stack.volume_told() >= last, 60)
        wait_until_there(rows, last)
        return stack.parts[other].log().count(ASKING) == asked

    eventually(all_comes_unasked, 120)


def test_a_frozen_historian_keeps_nothing_from_the_other_for_long(stack: Stack):
    rows, (frozen, other) = Rows(stack.database_url), HISTORIANS
    eventually(lambda: stack.volume_told() > 0 and "the tables are ready" in stack.parts[other].log(), 60)
    wait_until_there(rows, stack.volume_told())
    stack.parts[frozen].freeze()
    try:
        last = stack.volume_told() + 500
        eventually(lambda: stack.volume_told() >= last, 60)
        wait_until_there(rows, last)
    finally:
        stack.parts[frozen].resume()


def test_a_historian_that_falls_silent_within_a_transaction_keeps_nobody_waiting(database: str):
    table, got = sa.text("LOCK TABLE contested"), []
    query(database, "CREATE TABLE contested ()")
    with opened(database, schema="public") as silent, opened(database, schema="public") as other:
        with pytest.raises(StoreUnavailable), silent.transaction() as held:  # noqa: PT012  # it is the end that raises
            held.execute(table)
            with other.transaction() as connection:
                connection.execute(table)
                got.append("the lock")
            held.execute(sa.text("SELECT 1"))
        assert got == ["the lock"]
