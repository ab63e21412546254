"""Back-up and restore, by the commands of docs/deployment.md as they stand there."""

from collections.abc import Iterator
from pathlib import Path

import psycopg2
import pytest
from operated_installation import Installation, commands, has, operated
from real_mosquitto import Mosquitto
from real_postgres import Postgres, query
from waiting import eventually

pytestmark = pytest.mark.integration


@pytest.fixture
def installation(tmp_path: Path, broker: Mosquitto, postgres: Postgres) -> Iterator[Installation]:
    with operated(tmp_path, broker, postgres) as installation:
        yield installation


def test_after_a_restore_what_came_since_the_back_up_is_asked_for_again_and_is_there(installation: Installation):
    installation.start("historian")
    installation.start("ads-ingest")
    installation.source.say(1, 4)
    eventually(has(installation, 4))
    for block in commands("Back up the database"):
        installation.run(block)
    assert "TABLE DATA dotbus" in (installation.folder / "dotbus.list").read_text()
    installation.source.say(5, 9)
    eventually(has(installation, 9))
    query(installation.at.superuser, "DROP VIEW dotbus.dot_latest; DELETE FROM dotbus.instruction")

    restore, clear = commands("Restore the database")
    installation.run(restore)

    eventually(has(installation, 9), within_s=30)
    at = installation.at
    assert query(at.reader, "SELECT count(*) FROM dotbus.instruction_history") == [(9,)]
    assert query(at.reader, "SELECT count(DISTINCT event_no), count(*) FROM dotbus.dispatch_batch") == [(9, 9)]
    query(at.reader, "SELECT count(*) FROM dotbus.dot_latest")
    query(at.historian, "SET ROLE dotbus_writer")
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        query(f"{at.historian}?options=-c%20role%3Ddotbus_writer", "DELETE FROM dotbus.instruction")
    installation.run(clear)
    installation.source.say(10, 10)
    eventually(has(installation, 10))


def test_an_outbox_is_taken_elsewhere_and_what_it_had_not_said_yet_arrives(installation: Installation, broker: Mosquitto):
    installation.start("historian")
    installation.start("ads-ingest")
    installation.source.say(1, 3)
    eventually(has(installation, 3))
    broker.kill()
    installation.source.say(4, 5)
    for block in commands("Back up an ingest's outbox"):
        installation.run(block)
    installation.stop("ads-ingest")
    for file in (installation.folder / "source").iterdir():
        file.unlink()
    installation.start("ads-ingest")

    broker.start()
    (restore,) = commands("Restore an ingest's outbox")
    installation.run(restore)
    eventually(has(installation, 5), within_s=30)


def test_an_old_outbox_that_is_restored_loses_and_doubles_nothing(installation: Installation):
    installation.start("historian")
    installation.start("ads-ingest")
    installation.source.say(1, 3)
    eventually(has(installation, 3))
    (backup,) = commands("Back up an ingest's outbox")
    installation.run(backup)
    installation.source.say(4, 6)
    eventually(has(installation, 6))

    (restore,) = commands("Restore an ingest's outbox")
    installation.run(restore)
    installation.source.say(4, 8)  # CAISO is asked from where it was, and gives 4 to 6 a second time
    eventually(has(installation, 8), within_s=30)
    assert query(installation.at.reader, "SELECT count(*) FROM dotbus.instruction_history") == [(8,)]
