"""Back-up and restore, by the commands of docs/deployment.md as they stand there.

A `docker` of the test's own takes the place of Compose: it gives a command to the test's PostgreSQL or to the folder of the
test's source. What is stopped and started is the historian and the source beside the test. All else runs as it is written.
"""

import os
import re
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import psycopg2
import pytest
from historian_database import ROLE_SETTINGS, Addresses, environment, make_roles, programs
from historian_source import Source, running_historian
from real_mosquitto import Mosquitto
from real_postgres import PASSWORD, ContainerPostgres, Postgres, address, query
from waiting import eventually

pytestmark = pytest.mark.integration

DOCUMENT = (Path(__file__).parents[4] / "docs/deployment.md").read_text(encoding="utf-8")
COMPOSE = """#!/bin/bash
set -e
case "$*" in
  "compose exec -T postgres "*) shift 4; exec {postgres} "$@" ;;
  "compose --progress quiet run --rm --no-deps -T --entrypoint "*" ads-ingest "*)
    program=$9; shift 10; exec "$program" "${{@//\\/var\\/lib\\/dotbus/{folder}}}" ;;
  *) echo "no command of the test: $*" >&2; exit 1 ;;
esac
"""


def commands(heading: str) -> list[list[str]]:
    """The commands of a section, block by block."""
    section = DOCUMENT.split(f"### {heading}\n")[1].split("\n#")[0]
    return [block.strip().splitlines() for block in re.findall(r"^```\n(.*?)^```", section, re.MULTILINE | re.DOTALL)]


class Installation:
    """A historian and a source, and the commands of an operator."""

    def __init__(self, folder: Path, broker: Mosquitto, postgres: Postgres, at: Addresses) -> None:
        self.at = at
        self.folder = folder
        self.source: Source
        self._broker_port = broker.port
        self._variables = environment(folder, at.historian, broker.port, **ROLE_SETTINGS, REPLAY_GRACE_S="0.2")
        self._running: dict[str, ExitStack] = {}
        self._shim(folder / "bin", postgres)

    def _shim(self, folder: Path, postgres: Postgres) -> None:
        folder.mkdir()
        here = ""
        if isinstance(postgres, ContainerPostgres):
            docker = subprocess.run(["which", "docker"], capture_output=True, text=True, check=False).stdout.strip() or "docker"
            here = f"{docker} exec -i {postgres._container.get_wrapped_container().id}"
        text = COMPOSE.format(postgres=here, folder=str(self.folder / "source").replace("/", "\\/"))
        (folder / "docker").write_text(text)
        (folder / "docker").chmod(0o755)
        self._environment = {
            **os.environ,
            "PATH": f"{folder}:{os.environ['PATH']}:{programs()}",
            "PGHOST": "127.0.0.1",
            "PGPORT": str(postgres.port),
            "PGPASSWORD": PASSWORD,
        }

    def start(self, name: str) -> None:
        stack = self._running[name] = ExitStack()
        if name == "historian":
            stack.enter_context(running_historian(self._variables))
        else:
            self.source = Source(self._broker_port, self.folder / "source")
            stack.enter_context(self.source.running())

    def stop(self, name: str) -> None:
        self._running.pop(name).close()

    def run(self, block: list[str]) -> None:
        """Run commands as they stand, one after the other; each must succeed."""
        for command in block:
            if told := re.fullmatch(r"docker compose (start|stop) (historian|ads-ingest)", command):
                {"start": self.start, "stop": self.stop}[told[1]](told[2])
                continue
            done = subprocess.run(
                ["bash", "-c", command], cwd=self.folder, env=self._environment, capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, (command, done.stderr)

    def stored(self) -> list[str]:
        """The batches that a reader sees; none while there is no table to read."""
        try:
            return [uid for (uid,) in query(self.at.reader, "SELECT batch_uid FROM dotbus.dispatch_batch_latest ORDER BY 1")]
        except psycopg2.Error:
            return []

    def end(self) -> None:
        for name in list(self._running):
            self.stop(name)


@pytest.fixture
def installation(tmp_path: Path, broker: Mosquitto, postgres: Postgres) -> Iterator[Installation]:
    """In a database of the name that the document says."""
    query(address(postgres), "DROP DATABASE IF EXISTS dotbus")
    query(address(postgres), "CREATE DATABASE dotbus")
    installation = Installation(tmp_path, broker, postgres, make_roles(postgres, address(postgres, "dotbus"), tmp_path))
    yield installation
    installation.end()
    query(address(postgres), "DROP DATABASE dotbus")


def batches(last: int) -> list[str]:
    return sorted(f"B{number}" for number in range(1, last + 1))


def has(installation: Installation, last: int) -> Callable[[], bool]:
    return lambda: installation.stored() == batches(last)


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
