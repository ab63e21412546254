"""Metrics and health over HTTP: /metrics for Prometheus, /health for whoever restarts processes, /ready for whoever waits.

Two questions, because they have two answers: a service whose broker is away is alive, and a restart would not help it; but it
is not ready, and what depends on it should wait.
"""

import hmac
import json
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from socketserver import ThreadingMixIn
from typing import TYPE_CHECKING
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import CollectorRegistry, make_wsgi_app

from dotbus.runtime.settings.settings import ServiceSettings
from dotbus.runtime.starting import listening

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

Health = Callable[[], dict[str, object]]
"""What is known of a service: `alive`, False when only a restart can help; `ready`, when all that its work needs is there."""


@contextmanager
def serving_health(settings: ServiceSettings, registry: CollectorRegistry, health: Health) -> Iterator[None]:
    """Serve metrics and health where the settings say, meanwhile; nowhere when they name no port.

    Raises:
        CannotStart: the port cannot be listened on.
    """
    if settings.health_port is None:
        yield
        return
    with listening("health", (settings.health_host, settings.health_port), "HEALTH_HOST", "HEALTH_PORT"):
        token = settings.read_metrics_token()
        server = HealthServer(settings.health_host, settings.health_port, registry, health, token)
    server.start()
    try:
        yield
    finally:
        server.stop()


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base class names it so
        """Say nothing: a probe every few seconds is no event."""


class HealthServer:
    """Serves one process's metrics and health.

    Args:
        registry: the metrics of this process.
        health: asked on each probe, and shown as the answer's text. /health answers 503 unless `alive`, /ready unless `ready`
            and `alive`; else it is 200.
        token: /metrics answers 401 to whoever does not say it as `Authorization: Bearer TOKEN`. Metrics hold what plants do and
            earn; alive and ready are everybody's to know.
    """

    def __init__(self, host: str, port: int, registry: CollectorRegistry, health: Health, token: str | None = None) -> None:
        self._metrics = make_wsgi_app(registry)
        self._token = token
        self._health = health
        self._server = make_server(host, port, self._answer, _Server, _Quiet)
        self._thread = threading.Thread(target=self._server.serve_forever, name="health", daemon=True)

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return int(self._server.server_port)

    def start(self) -> None:
        """Begin to serve."""
        self._thread.start()

    def stop(self) -> None:
        """Close the port."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _answer(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        match environ["PATH_INFO"]:
            case "/metrics" if not self._may_read(environ.get("HTTP_AUTHORIZATION", "")):
                status, body = HTTPStatus.UNAUTHORIZED, b'{"detail": "metrics are told to who says the bearer token"}\n'
            case "/metrics":
                metrics: Iterable[bytes] = self._metrics(environ, start_response)
                return metrics
            case "/health" | "/ready" as asked:
                health = self._health()
                well = health.get("alive") and (asked == "/health" or health.get("ready"))
                status = HTTPStatus.OK if well else HTTPStatus.SERVICE_UNAVAILABLE
                body = json.dumps(health, default=str).encode() + b"\n"
            case _:
                status, body = HTTPStatus.NOT_FOUND, b'{"detail": "there is /metrics, /health and /ready"}\n'
        headers = [("Content-Type", "application/json")]
        if status is HTTPStatus.UNAUTHORIZED:
            headers.append(("WWW-Authenticate", "Bearer"))
        start_response(f"{status.value} {status.phrase}", headers)
        return [body]

    def _may_read(self, said: str) -> bool:
        return self._token is None or hmac.compare_digest(said.encode(), f"Bearer {self._token}".encode())
