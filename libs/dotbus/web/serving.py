"""Serving: an application behind a port, until its process is told to stop."""

import asyncio
import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import uvicorn

from dotbus.runtime.starting import CannotStart, listening
from dotbus.web.door import Door

BACKLOG: Final = 256
STOP_WITHIN_S: Final = 5
KEEP_ALIVE_S: Final = 30


@dataclass(frozen=True)
class Entrance:
    """Where an application is reached.

    Attributes:
        prefix: of the settings that say so, for what is told when it cannot be.
        host: to listen on.
        port: likewise.
        certificate_file: PEM; with it TLS 1.2 or later is spoken and nothing else.
        key_file: its key, where the certificate's file does not hold it.
    """

    prefix: str
    host: str
    port: int
    certificate_file: Path | None = None
    key_file: Path | None = None

    def listen(self, what: str, *, together: bool = False) -> socket.socket:
        """Listen, for `what` as a person calls it; together with others, each of which is given its part of who connects.

        Raises:
            CannotStart: that cannot be listened on.
        """
        with listening(what, (self.host, self.port), f"{self.prefix}HOST", f"{self.prefix}PORT"):
            return socket.create_server((self.host, self.port), family=self._family, backlog=BACKLOG, reuse_port=together)

    def reserve(self, what: str) -> socket.socket:
        """The port for processes that listen together: nobody connects to what is returned.

        Raises:
            CannotStart: somebody listens there, others of our user's too, who would otherwise be given a part of who connects.
        """
        self.listen(what).close()
        reserved = socket.socket(self._family, socket.SOCK_STREAM)
        reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        with listening(what, (self.host, self.port), f"{self.prefix}HOST", f"{self.prefix}PORT"):
            reserved.bind((self.host, self.port))
        return reserved

    @property
    def _family(self) -> socket.AddressFamily:
        return socket.AF_INET6 if ":" in self.host else socket.AF_INET

    def tls(self) -> Callable[[uvicorn.Config, Callable[[], ssl.SSLContext]], ssl.SSLContext] | None:
        """What uvicorn has its TLS from; None without a certificate.

        Raises:
            CannotStart: certificate and key cannot be used.
        """
        if self.certificate_file is None:
            return None
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        try:
            # Without this word for a passphrase OpenSSL would ask for one at the terminal.
            context.load_cert_chain(self.certificate_file, self.key_file, password="")
        except (ssl.SSLError, OSError) as error:
            said = f"{self.prefix}CERTIFICATE_FILE and its key are no PEM, do not belong together, or the key has a passphrase"
            raise CannotStart(said) from error
        return lambda _config, _default: context


def uvicorn_config(app: Any, entrance: Entrance, **own: Any) -> uvicorn.Config:  # noqa: ANN401  # as uvicorn takes them
    """How every application is served: quietly, over HTTP/1.1 alone. `own` are what one of them has besides."""
    return uvicorn.Config(
        app,
        ws="none",
        log_config=None,
        log_level="error",
        access_log=False,
        server_header=False,
        proxy_headers=False,  # who asks is who connects: on this machine anybody could say to be somebody else in each question
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=STOP_WITHIN_S,
        ssl_context_factory=entrance.tls(),
        **own,
    )


def serve(config: uvicorn.Config, listener: socket.socket, stop: threading.Event) -> None:
    """Serve until told to stop."""
    server = Server(config, listener)
    threading.Thread(target=_stop_then, args=(stop, server), name="stop", daemon=True).start()
    with listener:
        server.run(sockets=[])


async def serve_in_loop(config: uvicorn.Config, listener: socket.socket, stop: threading.Event) -> None:
    """The same beside what else goes on in an event loop."""
    server = Server(config, listener)
    threading.Thread(target=_stop_then, args=(stop, server), name="stop", daemon=True).start()
    with listener:
        await server.serve(sockets=[])


class Server(uvicorn.Server):
    """A server whose process decides when it ends, with a door of its own.

    Args:
        config: as uvicorn has it.
        listener: the port.
    """

    def __init__(self, config: uvicorn.Config, listener: socket.socket) -> None:
        super().__init__(config)
        self._listener = listener

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to take in who connects."""
        await super().startup(sockets)
        self.servers = [Door(self._listener, self.config.ssl, self._protocol)]  # type: ignore[list-item]  # it is closed alike

    def _protocol(self) -> asyncio.Protocol:
        made: asyncio.Protocol = self.config.http_protocol_class(  # type: ignore[call-arg]  # as uvicorn's own
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state
        )
        return made

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        """Leave signals to the process: one word ends it and what it watches."""
        yield


def _stop_then(stop: threading.Event, server: uvicorn.Server) -> None:
    stop.wait()
    server.should_exit = True
