"""A process of the API: wiring, and the server that listens. It serves alone, or as one of several."""

import contextlib
import multiprocessing
import socket
import sys
import threading
from functools import partial
from multiprocessing.synchronize import Event
from pathlib import Path

from fastapi import FastAPI
from prometheus_client import CollectorRegistry

from dotbus.runtime.logs import configure_logs
from dotbus.runtime.metrics import serving_health
from dotbus.runtime.process import run_until_stopped
from dotbus.runtime.schedule import utc_now
from dotbus.web.connections import HEAD_MOST_BYTES
from dotbus.web.door import allow_connections
from dotbus.web.serving import serve, uvicorn_config
from historian.api.app import build_app
from historian.api.connections import AT_ONCE_MOST, bounded
from historian.api.exchange.context import Context
from historian.api.keys.ledger import Ledger
from historian.api.meters import Meters
from historian.api.opening import QUESTIONS, answers, entrance, open_reader
from historian.api.settings import ApiConfiguration, ApiSettings


def run_api(configuration: ApiConfiguration, stop: threading.Event) -> None:
    """Serve alone until told to stop.

    Raises:
        CannotStart: its port cannot be listened on.
    """
    settings, registry = configuration.own, CollectorRegistry()
    with contextlib.ExitStack() as running:
        reader = open_reader(settings)
        running.callback(reader.close)
        running.enter_context(reader.watched())

        def health() -> dict[str, object]:
            is_there = answers(reader)
            return {"alive": True, "ready": is_there, "database": is_there}

        ledger = running.enter_context(Ledger())
        app = build_app(Context(settings, configuration.installation, reader, Meters(registry), utc_now, ledger))
        running.enter_context(serving_health(configuration.service, registry, health))
        serve_api(app, settings, entrance(settings).listen(QUESTIONS), stop)


def run_part(service: str, configuration: ApiConfiguration, number: int, limits: Path, listens: Event) -> None:
    """Serve as one of several processes, until told to stop or until whoever started it has ended.

    Args:
        service: its name in logs.
        configuration: of all of them.
        number: which of them, counted from 0.
        limits: what the limits of all are counted in.
        listens: is set when it does.
    """
    told = configuration.service
    configure_logs(service, told.instance, told.log_format, told.log_level)
    sys.exit(run_until_stopped(partial(_serve_part, configuration, number, limits, listens)))


def _serve_part(configuration: ApiConfiguration, number: int, limits: Path, listens: Event, stop: threading.Event) -> None:
    threading.Thread(target=_stop_with_parent, args=(stop,), name="parent", daemon=True).start()
    settings = configuration.own.part(number)
    with contextlib.closing(open_reader(settings)) as reader, reader.watched(), Ledger(limits) as ledger:
        app = build_app(Context(settings, configuration.installation, reader, Meters(CollectorRegistry()), utc_now, ledger))
        listener = entrance(settings).listen(QUESTIONS, together=True)
        listens.set()
        serve_api(app, settings, listener, stop)


def _stop_with_parent(stop: threading.Event) -> None:
    if parent := multiprocessing.parent_process():
        parent.join()
    stop.set()


def serve_api(app: FastAPI, settings: ApiSettings, listener: socket.socket, stop: threading.Event) -> None:
    """Serve an application until told to stop."""
    own = {"http": bounded(settings.processes), "h11_max_incomplete_event_size": HEAD_MOST_BYTES, "lifespan": "off"}
    allow_connections(AT_ONCE_MOST)
    serve(uvicorn_config(app, entrance(settings), **own), listener, stop)
