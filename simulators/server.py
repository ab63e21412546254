"""The simulator as a whole: three servers on one event loop, started and stopped in order.

uvicorn is imported here alone. Its servers are run without their signal handling, so that one stop ends all three.
"""

import asyncio
import contextlib
import os
import socket
import ssl
import threading
from collections.abc import Callable, Generator
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime
from typing import cast

import uvicorn
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from dotbus.runtime.installation.installation import Installation
from dotbus.runtime.settings.mistakes import ConfigurationRefused, Mistake
from dotbus.runtime.starting import listening
from simulators.settings import SimulatorSettings
from simulators.wiring import applications

_STOP_WITHIN_S = 3


@dataclass(frozen=True)
class Addresses:
    """Where the running simulator is found."""

    ads: str
    ads_response: str
    oasis: str
    admin: str


class Simulator:
    """Listens from its construction on, answers while `serve` runs.

    Raises:
        ConfigurationRefused: a certificate or key cannot be used.
        CannotStart: a port cannot be listened on.
    """

    def __init__(self, settings: SimulatorSettings, installation: Installation, clock: Callable[[], datetime]) -> None:
        self._host = settings.host
        self._stop = asyncio.Event()
        apps = applications(settings, installation, clock, self._stop)
        pairs = ((apps.ads, _mutual_tls(settings)), (apps.oasis, None), (apps.admin, None))
        self._servers = [_Server(_config(_Dated(app, lambda: clock() + apps.conduct.date_skew), tls)) for app, tls in pairs]
        with contextlib.ExitStack() as opened:
            ports = {"ads": settings.ads_port, "oasis": settings.oasis_port, "admin": settings.admin_port}
            self._sockets = [opened.enter_context(_listening(name, settings.host, port)) for name, port in ports.items()]
            opened.pop_all()

    @property
    def addresses(self) -> Addresses:
        """Where it listens, with the ports that it really got."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        ads, oasis, admin = (each.getsockname()[1] for each in self._sockets)
        return Addresses(
            ads=f"https://{host}:{ads}/ADS/APIWebService/v7",
            ads_response=f"https://{host}:{ads}/ADS/APIResponseWebService/v7",
            oasis=f"http://{host}:{oasis}/oasisapi",
            admin=f"http://{host}:{admin}",
        )

    def stop(self) -> None:
        """Let `serve` come to its end. To be called on its event loop."""
        self._stop.set()

    async def serve(self) -> None:
        """Answer until `stop` is called, then let go of every connection and port."""
        pairs = zip(self._servers, self._sockets, strict=True)
        tasks = [asyncio.create_task(server.serve(sockets=[each])) for server, each in pairs]
        stopping = asyncio.create_task(_until(self._stop))
        await asyncio.wait([stopping, *tasks], return_when=asyncio.FIRST_COMPLETED)
        self._stop.set()
        for server in self._servers:
            server.should_exit = True
        await asyncio.gather(stopping, *tasks)


@contextlib.contextmanager
def running(settings: SimulatorSettings, installation: Installation, clock: Callable[[], datetime]) -> Generator[Addresses]:
    """A simulator in a thread of its own, for tests and programs that need one for a while."""
    simulator = Simulator(settings, installation, clock)
    with asyncio.Runner() as runner:
        loop = runner.get_loop()
        thread = threading.Thread(target=loop.run_until_complete, args=(simulator.serve(),), name="simulator")
        thread.start()
        try:
            yield simulator.addresses
        finally:
            loop.call_soon_threadsafe(simulator.stop)
            thread.join()


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        """Leave signals to the process that runs all three."""
        yield

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Close in order, then drop the connections of those who do not."""
        await super().shutdown(sockets)
        while self.server_state.connections:
            for connection in list(self.server_state.connections):
                cast("_Protocol", connection).transport.abort()
            await asyncio.sleep(0)


class _Protocol(H11Protocol):
    """HTTP/1.1 that tells the application who the client is, and lets it drop the connection or write past HTTP."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        certificate = transport.get_extra_info("peercert") or {}
        subject = {key: value for part in certificate.get("subject", ()) for key, value in part}
        name = subject.get("commonName", "")
        state = {"client_common_name": name, "drop_connection": transport.abort, "write_raw": transport.write}
        self.app_state = {**self.app_state, **state}

    def shutdown(self) -> None:
        """Close; a connection with nothing left to send at once, for an idle TLS client never answers the farewell.

        One that is closing already must not be closed again: asyncio's TLS transport could not be aborted any more.
        """
        if self.transport.is_closing():
            self.transport.abort()
            return
        super().shutdown()
        if self.transport.is_closing() and not self.transport.get_write_buffer_size():
            self.transport.abort()


class _Dated:
    """Puts the Date of the simulator's clock on each reply; uvicorn's own is up to a second old."""

    def __init__(self, app: ASGIApp, clock: Callable[[], datetime]) -> None:
        self._app = app
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""

        async def dated(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = list(message["headers"])
                if all(name != b"date" for name, _ in headers):  # unless the reply has a wrong one on purpose
                    headers.append((b"date", format_datetime(self._clock(), usegmt=True).encode()))
                message = {**message, "headers": headers}
            await send(message)

        await self._app(scope, receive, dated)


def _config(app: ASGIApp, tls: ssl.SSLContext | None) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=_Protocol,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        date_header=False,
        server_header=False,
        timeout_graceful_shutdown=_STOP_WITHIN_S,
        ssl_context_factory=(lambda _config, _default: tls) if tls else None,
    )


def _mutual_tls(settings: SimulatorSettings) -> ssl.SSLContext:
    """TLS 1.2 or later that admits clients with a certificate of our client CA only."""
    try:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(settings.client_ca))
        context.load_cert_chain(settings.certificate, settings.key)
    except OSError as error:
        reason = f"{settings.certificate}, {settings.key} and {settings.client_ca} cannot be used: {error}"
        raise ConfigurationRefused([Mistake("option", "certificate, key, client_ca", reason)]) from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.verify_mode = ssl.CERT_REQUIRED
    return context


async def _until(event: asyncio.Event) -> None:
    await event.wait()


def _listening(name: str, host: str, port: int) -> socket.socket:
    with listening(name, (host, port), "--host", f"--{name}-port"):
        return _listener(host, port)


def _listener(host: str, port: int) -> socket.socket:
    """A listening socket that says it is TCP: asyncio turns off the delay of small packets only of one that does."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if os.name == "posix":  # on Windows it would let others take a port that is in use
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen()
    except OSError:
        listener.close()
        raise
    return listener
