"""A real Mosquitto for tests: the local binary where there is one, else in a container. It can be killed and started again."""

import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Protocol

from containers import Container, docker_answers

IMAGE = "eclipse-mosquitto:2"
READY_WITHIN_S = 20.0
KEPT_FOR_S = 300.0
"""A port is another test's: who is given it listens by then, be the machine as busy as it may."""
ANY = random.SystemRandom()  # Hypothesis seeds the other one anew for each test: all workers would find the same ports
AT_ONCE_AS_DEPLOYED = "max_inflight_messages 1000"
"""In deploy/mosquitto, for what is measured: how many messages may be on their way, to the broker or from it; else it is 20."""


class Mosquitto(Protocol):
    """A broker on 127.0.0.1."""

    port: int

    def start(self) -> None:
        """Start it, and wait until it accepts connections."""

    def kill(self) -> None:
        """SIGKILL: it writes nothing more."""

    def stop(self) -> None:
        """SIGTERM, and wait for its end."""

    def pause(self) -> None:
        """Stop it in the middle of what it does: connections stay open, and nobody is at their other end."""

    def resume(self) -> None:
        """Let it go on."""


def configuration(folder: str, port: int, *extra: str) -> str:
    """A broker that keeps sessions on disk as it is deployed, open to anybody on loopback."""
    lines = [
        f"listener {port}",
        "allow_anonymous true",
        "persistence true",
        f"persistence_location {folder}/",
        "autosave_interval 1",
        "max_queued_messages 10000000",
        "set_tcp_nodelay true",
        *extra,
    ]
    return "\n".join(lines) + "\n"


def start_mosquitto(folder: Path, *extra: str, port: int | None = None) -> Mosquitto:
    """A started broker whose files live in `folder`. `extra` are more lines of mosquitto.conf; `port` is any unless given."""
    kind = LocalMosquitto if local_binary() or not docker_answers() else ContainerMosquitto
    broker: Mosquitto = kind(folder, extra, port or free_port())
    broker.start()
    return broker


def local_binary() -> str | None:
    """Where Mosquitto is installed, if it is. As a process a broker costs nothing; as a container half a second of a core."""
    return shutil.which("mosquitto", path=f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin:/opt/homebrew/sbin")


class LocalMosquitto:
    """The `mosquitto` binary as a child process."""

    def __init__(self, folder: Path, extra: tuple[str, ...], port: int) -> None:
        binary = local_binary()
        if binary is None:
            raise FileNotFoundError("neither Docker nor a mosquitto binary is here: install the package `mosquitto`")
        self.port = port
        self._command = [binary, "-c", str(folder / "mosquitto.conf")]
        (folder / "mosquitto.conf").write_text(configuration(str(folder), self.port, *extra))
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for_port(self.port)

    def kill(self) -> None:
        if self._process:
            self._process.kill()
            self._process.wait()

    def stop(self) -> None:
        if self._process:
            self._process.terminate()
            self._process.wait()

    def pause(self) -> None:
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        if self._process:
            self._process.send_signal(number)


class ContainerMosquitto(Container):
    """The image of Mosquitto 2, ready once it is started."""

    def __init__(self, folder: Path, extra: tuple[str, ...], port: int) -> None:
        config = folder / "mosquitto.conf"
        config.write_text(configuration("/mosquitto/data", 1883, *extra))
        config.chmod(0o644)
        folder.chmod(0o755)
        super().__init__(IMAGE, 1883, port, {str(config): "/mosquitto/config/mosquitto.conf"})

    def start(self) -> None:
        super().start()
        wait_for_port(self.port)


def remove_mosquitto(broker: Mosquitto) -> None:
    """End a broker and what it left."""
    if isinstance(broker, ContainerMosquitto):
        broker.remove()
    else:
        broker.kill()


def free_port() -> int:
    """A port that nobody listens on now, of those that no system gives to a connection: one would have it meanwhile.

    Nor is it given to another test soon: hundreds of processes begin to listen some seconds after they were told where.
    """
    while True:
        port = ANY.randrange(10_000, 32_000)
        if not _is_kept_for_us(port):
            continue
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port


def _is_kept_for_us(port: int) -> bool:
    """Whether no test that runs beside this one was given a port of late. Each leaves an empty file of its name."""
    folder = Path(tempfile.gettempdir()) / "dotbus-test-ports"
    folder.mkdir(exist_ok=True)
    given = folder / str(port)
    try:
        given.touch(exist_ok=False)
    except FileExistsError:
        if time.time() - given.stat().st_mtime < KEPT_FOR_S:
            return False
        given.touch()
    return True


def wait_for_port(port: int) -> None:
    """Wait until something answers MQTT's connection; a container's proxy accepts before the broker does.

    Raises:
        TimeoutError: nothing did in time.
    """
    connect = b"\x10\x0f\x00\x04MQTT\x04\x02\x00\x05\x00\x03cid"
    deadline = time.monotonic() + READY_WITHIN_S
    while time.monotonic() < deadline:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=1) as probe:
                probe.sendall(connect)
                if probe.recv(4):
                    return
        except OSError:
            pass
        time.sleep(0.05)
    raise TimeoutError(f"no broker answers on port {port} after {READY_WITHIN_S} s")
