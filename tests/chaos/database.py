"""A PostgreSQL that can be killed, stopped, frozen and, in a container, run out of disk."""

import signal
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Protocol

import docker
import psutil
from containers import STOPPED_WITHIN_S, Container, docker_answers
from docker.errors import APIError
from real_mosquitto import free_port
from real_postgres import IMAGE, PASSWORD, LocalPostgres, Postgres, new_database, wait_until_ready

DATA = "/var/lib/postgresql/data"
FILLER = f"{DATA}/filler"


class ChaosPostgres(Postgres, Protocol):
    """A server on 127.0.0.1.

    Attributes:
        can_fill: whether its disk can be filled.
    """

    can_fill: bool

    def stop(self) -> None:
        """An orderly end, which breaks connections."""

    def pause(self) -> None:
        """Freeze all of it."""

    def resume(self) -> None:
        """Let it go on."""

    def fill_disk(self) -> None:
        """Leave no room on its disk."""

    def free_disk(self) -> None:
        """Give the room back."""


class SmallDiskPostgres(Container):
    """The official image on a disk of its own, in memory: as large as it is told and no larger.

    Another container holds the disk while this one is killed.
    """

    can_fill = True

    def __init__(self, disk_mb: int) -> None:
        super().__init__(IMAGE, 5432, free_port(), environment={"POSTGRES_PASSWORD": PASSWORD, "PGDATA": f"{DATA}/cluster"})
        self._engine = docker.from_env()
        options = {"type": "tmpfs", "device": "tmpfs", "o": f"size={disk_mb}m"}
        self._disk = self._engine.volumes.create(f"chaos-{uuid.uuid4().hex[:8]}", driver="local", driver_opts=options)
        mounted = {self._disk.name: {"bind": DATA, "mode": "rw"}}
        self._holder = self._engine.containers.run(IMAGE, ["infinity"], entrypoint="sleep", volumes=mounted, detach=True)
        self._container.with_volume_mapping(self._disk.name, DATA, "rw")
        self._container.with_command("postgres -c max_wal_size=64MB -c min_wal_size=32MB")

    def start(self) -> None:
        super().start()
        wait_until_ready(self)

    def fill_disk(self) -> None:
        self._holder.exec_run(["sh", "-c", f"dd if=/dev/zero of={FILLER} bs=1M"])  # until there is no room

    def free_disk(self) -> None:
        self._holder.exec_run(["rm", "-f", FILLER])

    def remove(self) -> None:
        self._take_away()  # before its disk
        self._holder.remove(force=True)
        with suppress(APIError):
            self._disk.remove()
        self._engine.close()


class LocalChaosPostgres(LocalPostgres):
    """A server of this machine, whose disk is everybody's and is not filled."""

    can_fill = False

    def kill(self) -> None:
        for process in self._processes():
            process.kill()
        super().kill()

    def stop(self) -> None:
        if self._process:
            self._process.send_signal(signal.SIGINT)
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(STOPPED_WITHIN_S)
        self.kill()

    def pause(self) -> None:
        for process in self._processes():
            process.suspend()

    def resume(self) -> None:
        for process in self._processes():
            process.resume()

    def fill_disk(self) -> None:
        raise NotImplementedError

    def free_disk(self) -> None:
        raise NotImplementedError

    def _processes(self) -> Iterator[psutil.Process]:
        if self._process and self._process.poll() is None:
            server = psutil.Process(self._process.pid)
            yield from (server, *server.children(recursive=True))


def start_database(folder: Path, disk_mb: int) -> tuple[ChaosPostgres, str]:
    """A started server and the address of an empty database of it."""
    server: ChaosPostgres = SmallDiskPostgres(disk_mb) if docker_answers() else LocalChaosPostgres(folder)
    try:
        server.start()
        return server, new_database(server)
    except BaseException:
        server.remove()
        raise
