"""Containers for tests, through testcontainers: published on loopback only, killed and started again as a test wants."""

import os
import socket
import threading
from collections.abc import Sequence
from contextlib import closing, suppress
from functools import cache

import docker
from docker.errors import APIError, DockerException
from docker.models.containers import Container
from requests import RequestException
from waiting import eventually

os.environ.setdefault("TESTCONTAINERS_RYUK_DISABLED", "true")  # read on import; every fixture removes its own containers
from testcontainers.core.container import DockerContainer  # see the line above

DOCKER_SOCKET = "/var/run/docker.sock"
STOPPED_WITHIN_S = 20
ANSWERED_WITHIN_S = 300
"""By an engine that makes and removes containers for many at once."""


@cache
def docker_answers() -> bool:
    """Whether a Docker engine can be used. Asked of its socket first: the client leaves one open when nobody answers."""
    if "DOCKER_HOST" not in os.environ and not _listens(DOCKER_SOCKET):
        return False
    try:
        with closing(docker.from_env()) as engine:
            return bool(engine.ping())
    except DockerException:
        return False


def _listens(path: str) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(path) == 0


class Container:
    """A container whose port is one of 127.0.0.1.

    Args:
        image: its image.
        inside: the port that it serves.
        port: the port here.
        volumes: files and folders here to where they stand inside, read only.
        environment, tmpfs, user: as Docker's client takes them.
        command: what it runs with, in place of what the image says.
    """

    def __init__(
        self,
        image: str,
        inside: int,
        port: int,
        volumes: dict[str, str] | None = None,
        *,
        environment: dict[str, str] | None = None,
        tmpfs: dict[str, str] | None = None,
        user: str | None = None,
        command: Sequence[str] = (),
    ) -> None:
        self.port = port
        self._container = DockerContainer(image, {"timeout": ANSWERED_WITHIN_S}, **({"user": user} if user else {}))
        if command:
            self._container.with_command([*command])
        self._container.ports[f"{inside}/tcp"] = ("127.0.0.1", port)  # with_bind_ports takes no address
        self._container.env.update(environment or {})
        self._container.tmpfs.update(tmpfs or {})
        for here, there in (volumes or {}).items():
            self._container.with_volume_mapping(here, there, "ro")
        self._made = False

    def _share_network(self) -> None:
        """Listen here with no proxy between, which takes as much of a core as a database that is asked little."""
        self._container.ports.clear()
        self._container.with_kwargs(network_mode="host")

    def start(self) -> None:
        """Make it, or start again what was killed."""
        if self._made:
            self._container.get_wrapped_container().start()
        else:
            self._container.start()
            self._made = True

    def kill(self) -> None:
        """SIGKILL."""
        self._container.get_wrapped_container().kill()

    def stop(self) -> None:
        """An orderly end, as `docker stop` asks for it."""
        self._container.get_wrapped_container().stop(timeout=STOPPED_WITHIN_S)

    def run(self, *command: str) -> int:
        """The status of a command inside."""
        return int(self._container.get_wrapped_container().exec_run([*command]).exit_code)

    def pause(self) -> None:
        """Freeze all of it. On a machine that is busy the system does not get hold of every thread at the first try."""
        container = self._container.get_wrapped_container()
        eventually(lambda: self._freeze(container), 30.0, 0.5)

    @staticmethod
    def _freeze(container: Container) -> bool:
        try:
            container.pause()
        except APIError as error:
            if "unable to freeze" not in str(error):
                raise
            return False
        return True

    def resume(self) -> None:
        """Let it go on."""
        self._container.get_wrapped_container().unpause()

    def remove(self) -> None:
        """End it, and have it taken away with its volumes: of a database that is hundreds of files, for which nobody waits."""
        with suppress(APIError):  # it has ended
            self._container.get_wrapped_container().kill()
        threading.Thread(target=self._take_away, name="remove", daemon=True).start()

    def _take_away(self) -> None:
        with suppress(DockerException, RequestException):  # the engine goes on with it when this process ends
            self._container.stop(force=True, delete_volume=True)
            self._container.get_docker_client().client.close()
