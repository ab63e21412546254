"""The API for tests: over a database with the historian's tables, asked in this process or by a real server's port."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import requests
from historian_database import fill, prepared
from prometheus_client import CollectorRegistry
from pydantic import SecretStr
from real_mosquitto import free_port

from dotbus.contracts.messages import Prices
from dotbus.runtime.installation.installation import Installation
from dotbus.testing import samples
from historian.api.app import build_app
from historian.api.exchange.context import Context
from historian.api.keys.ledger import Ledger
from historian.api.meters import Meters
from historian.api.opening import entrance, open_reader
from historian.api.process import serve_api
from historian.api.settings import ApiSettings

NP15, SP15 = "TH_NP15_GEN-APND", "TH_SP15_GEN-APND"
AT = datetime(2026, 10, 13, 18, 0, tzinfo=UTC)
INSTALLATION = Installation.model_validate(
    {
        "environment": "simulator",
        "plant": [
            {"name": "sierra", "resource": [{"id": "TEST_RESOURCE_1", "node": NP15}]},
            {"name": "mesa", "resource": [{"id": "TEST_RESOURCE_2"}]},
        ],
    }
)


def api_settings(url: str, **changes: object) -> ApiSettings:
    """Settings of an API that asks for no keys."""
    given: dict[str, Any] = {"database_url": SecretStr(url), "connections": 3, "without_keys": True, **changes}
    return ApiSettings.model_validate(given)


class Client(requests.Session):
    """Asks one API."""

    def __init__(self, port: int, context: Context) -> None:
        super().__init__()
        self.port = port
        self.address = f"http://127.0.0.1:{port}"
        self.context = context

    def ask(self, path: str, headers: dict[str, Any] | None = None, **parameters: object) -> requests.Response:
        """The answer to one question."""
        return self.get(self.address + path, params=parameters, headers=headers, timeout=30)


@contextmanager
def asked_here(
    url: str, *, now: datetime = AT, monotonic: Callable[[], float] = time.monotonic, **changes: object
) -> "Iterator[Client]":
    """A client of the API, which is served by a thread of this process; `monotonic` is the clock of what it reads."""
    settings = api_settings(url, port=free_port(), **changes)
    reader, stop = open_reader(settings, monotonic), threading.Event()
    ledger = Ledger()
    context = Context(settings, INSTALLATION, reader, Meters(CollectorRegistry()), lambda: now, ledger)
    app = build_app(context)
    serving = threading.Thread(target=serve_api, args=(app, settings, entrance(settings).listen("questions"), stop))
    serving.start()
    try:
        with reader.watched(), Client(settings.port, context) as client:
            yield client
    finally:
        stop.set()
        serving.join()
        reader.close()
        ledger.close()


@contextmanager
def kept(url: str, *messages: Any) -> Iterator[str]:
    """A database that keeps messages as the historian stored them."""
    with prepared(url) as database:
        fill(database, *messages)
        yield url


def prices_of(
    start: datetime,
    values: Sequence[float | None],
    *,
    node: str = NP15,
    market: str = "RTM",
    minutes: int = 5,
    first_seq: int = 1,
    **changes: object,
) -> list[Prices]:
    """Prices of one node, interval after interval; the components are parts of each."""
    return [
        msgspec.structs.replace(
            samples.prices(),
            id=f"{node}-{market}-{first_seq + number}-{changes.get('fetched_at', '')}",
            seq=first_seq + number,
            market=market,
            market_seq=first_seq + number,
            interval_start=start + number * timedelta(minutes=minutes),
            interval_end=start + (number + 1) * timedelta(minutes=minutes),
            nodes=(node,),
            lmp_usd_per_mwh=(value,),
            energy_usd_per_mwh=(None if value is None else value - 1.5,),
            congestion_usd_per_mwh=(None if value is None else 1.0,),
            loss_usd_per_mwh=(None if value is None else 0.5,),
            ghg_usd_per_mwh=(None,),
            **changes,
        )
        for number, value in enumerate(values)
    ]  # fmt: skip
