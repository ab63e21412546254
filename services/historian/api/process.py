"""The process `historian api`: wiring, and the server that listens."""

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Generator

import uvicorn
from fastapi import FastAPI
from prometheus_client import CollectorRegistry

from dotbus.runtime.metrics import serving_health
from dotbus.runtime.schedule import utc_now
from dotbus.runtime.starting import CannotStart, listening
from historian.api.answering.context import Context
from historian.api.app import build_app
from historian.api.connections import HEAD_MOST_BYTES, BoundedProtocol
from historian.api.meters import Meters
from historian.api.problems import Problem
from historian.api.reading import Reader
from historian.api.settings import ApiConfiguration, ApiSettings
from historian.settings import API_PREFIX

BACKLOG = 256
FOR_HEALTH = 1
"""A connection that no question takes: whoever waits for the API is answered while it is busy."""
STOP_WITHIN_S = 5
KEEP_ALIVE_S = 30


def run_api(configuration: ApiConfiguration, stop: threading.Event) -> None:
    """Serve until told to stop.

    Raises:
        CannotStart: its port cannot be listened on.
    """
    settings, registry = configuration.own, CollectorRegistry()
    reader = open_reader(settings)
    app = build_app(Context(settings, configuration.installation, reader, Meters(registry), utc_now))

    def health() -> dict[str, object]:
        answers = _answers(reader)
        return {"alive": True, "ready": answers, "database": answers}

    with contextlib.ExitStack() as running:
        running.callback(reader.close)
        running.enter_context(serving_health(configuration.service, registry, health))
        serve(app, settings, listen(settings), stop)


def open_reader(settings: ApiSettings) -> Reader:
    """The configured database; nothing is connected yet."""
    return Reader(
        settings.database_url.get_secret_value(),
        settings.database_schema,
        password=settings.read_database_password(),
        connections=settings.connections + settings.streams + FOR_HEALTH,
        statement_timeout_s=settings.statement_timeout_s,
    )


def serve(app: FastAPI, settings: ApiSettings, listener: socket.socket, stop: threading.Event) -> None:
    """Serve an application until told to stop."""
    config = uvicorn.Config(
        app,
        http=BoundedProtocol,
        h11_max_incomplete_event_size=HEAD_MOST_BYTES,
        ws="none",
        lifespan="off",
        log_config=None,
        log_level="error",
        access_log=False,
        server_header=False,
        proxy_headers=False,  # who asks is who connects: on this machine anybody could say to be somebody else in each question
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=STOP_WITHIN_S,
        ssl_context_factory=_tls(settings),
    )
    server = _Server(config)
    threading.Thread(target=_stop_then, args=(stop, server), name="stop", daemon=True).start()
    with listener:
        server.run(sockets=[listener])


def listen(settings: ApiSettings) -> socket.socket:
    """Listen where the settings say.

    Raises:
        CannotStart: that cannot be listened on.
    """
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with listening("questions", (settings.host, settings.port), f"{API_PREFIX}HOST", f"{API_PREFIX}PORT"):
        return socket.create_server((settings.host, settings.port), family=family, backlog=BACKLOG)


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        """Leave signals to the process: one word ends it and what it watches."""
        yield


def _stop_then(stop: threading.Event, server: uvicorn.Server) -> None:
    stop.wait()
    server.should_exit = True


def _answers(reader: Reader) -> bool:
    try:
        with reader.reading() as reading:
            return bool(reading.rows("SELECT 1", {}))
    except Problem:
        return False


def _tls(settings: ApiSettings) -> Callable[[uvicorn.Config, Callable[[], ssl.SSLContext]], ssl.SSLContext] | None:
    """TLS 1.2 or later with the certificate of the settings; None without one.

    Raises:
        CannotStart: certificate and key cannot be used.
    """
    if settings.certificate_file is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        # Without this word for a passphrase OpenSSL would ask for one at the terminal.
        context.load_cert_chain(settings.certificate_file, settings.key_file, password="")
    except (ssl.SSLError, OSError) as error:
        said = f"{API_PREFIX}CERTIFICATE_FILE and its key are no PEM, do not belong together, or the key has a passphrase"
        raise CannotStart(said) from error
    return lambda _config, _default: context
