"""An installation whose operator types the commands of docs/deployment.md, as they stand there.

A `docker` of the test's own takes the place of Compose: it gives a command to the test's PostgreSQL or to the folder of the
test's source. What is built, stopped and started is the historian and the source beside the test. All else runs as it is
written.
"""

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psycopg2
from historian_database import ROLE_SETTINGS, Addresses, environment, make_roles, programs
from historian_source import Source, running_historian
from real_mosquitto import Mosquitto
from real_postgres import PASSWORD, ContainerPostgres, Postgres, address, query

TOP = Path(__file__).parents[1]
EXAMPLE = TOP / "config/dotbus.example.toml"
DOCUMENT = (TOP / "docs/deployment.md").read_text(encoding="utf-8")
COMPOSE = """#!/bin/bash
set -e
case "$*" in
  "compose exec -T postgres "*) shift 4; exec {postgres} "$@" ;;
  "compose --progress quiet run --rm --no-deps -T --entrypoint "*" ads-ingest "*)
    program=$9; shift 10; exec "$program" "${{@//\\/var\\/lib\\/dotbus/{folder}}}" ;;
  "compose build") ;;
  "compose run --rm cli check") exec {python} -m launcher check --config {config} ;;
  "compose exec historian historian doctor") exec {python} -m historian doctor ;;
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
        source = str(self.folder / "source").replace("/", "\\/")
        text = COMPOSE.format(postgres=here, folder=source, python=sys.executable, config=EXAMPLE)
        (folder / "docker").write_text(text)
        (folder / "docker").chmod(0o755)
        self._environment = {
            **os.environ,
            "PATH": f"{folder}:{os.environ['PATH']}:{programs()}",
            "PGHOST": "127.0.0.1",
            "PGPORT": str(postgres.port),
            "PGPASSWORD": PASSWORD,
            **self._variables,
        }

    def start(self, name: str) -> None:
        stack = self._running[name] = ExitStack()
        if name == "historian":
            stack.enter_context(running_historian(self._variables))
        else:
            self.source = Source(self._broker_port, self.folder / "source")
            stack.enter_context(self.source.running())

    def stop(self, name: str) -> None:
        self._running.pop(name, ExitStack()).close()

    def replace(self, name: str) -> None:
        """End it, where it runs, and start it."""
        self.stop(name)
        self.start(name)

    def run(self, block: list[str]) -> None:
        """Run commands as they stand, one after the other; each must succeed."""
        for command in block:
            if told := re.fullmatch(r"docker compose (start|stop) (historian|ads-ingest)(?: historian-api)?", command):
                {"start": self.start, "stop": self.stop}[told[1]](told[2])
                continue
            if command == "docker compose up --detach --wait":  # with another version: each part is replaced
                self.replace("historian")
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


@contextmanager
def operated(folder: Path, broker: Mosquitto, postgres: Postgres) -> Iterator[Installation]:
    """One in a database of the name that the document says."""
    query(address(postgres), "DROP DATABASE IF EXISTS dotbus")
    query(address(postgres), "CREATE DATABASE dotbus")
    installation = Installation(folder, broker, postgres, make_roles(postgres, address(postgres, "dotbus"), folder))
    try:
        yield installation
    finally:
        installation.end()
        query(address(postgres), "DROP DATABASE dotbus")


def batches(last: int) -> list[str]:
    return sorted(f"B{number}" for number in range(1, last + 1))


def has(installation: Installation, last: int) -> Callable[[], bool]:
    return lambda: installation.stored() == batches(last)
