"""The simulated ADS under test: its clients through WSDL, its own door, and what its documents are held against."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import requests
from lxml import etree
from simulator_client import EXAMPLE, Clock, Keys, simulating, soap_client, tls_session

from simulators.server import Addresses

FIXTURES = Path(__file__).parent / "fixtures" / "ads"
V6 = b"http://ads.caiso.com/api/schema/v6"
V7 = b"http://ads.caiso.com/api/schema/v7"
SCHEMA = etree.XMLSchema(etree.fromstring((FIXTURES / "ads.caiso.com.xsd").read_bytes().replace(V6, V7)))
RESOURCES = ["SIERRA_2_SOLAR1", "SIERRA_2_BESS1", "DELTA_6_HYDRO1"]
NS = {"a": V7.decode()}


@dataclass
class Ads:
    """A running simulator with thirty-five intervals behind it, and clients of it."""

    at: Addresses
    clock: Clock
    keys: Keys
    session: requests.Session
    api: Any
    response: Any

    def admin(self, path: str, **order: object) -> Any:
        url = self.at.admin + path
        reply = self.session.post(url, json=order, timeout=10) if order else self.session.get(url, timeout=10)
        assert reply.ok, reply.text
        return reply.json()

    def sent(self, batch_type: int) -> dict[str, Any]:
        batches: list[dict[str, Any]] = self.admin("/sent")["batches"]
        return [batch for batch in batches if batch["batch_type"] == batch_type][-1]


@contextmanager
def simulated_ads(keys: Keys) -> Iterator[Ads]:
    """A simulator with thirty-five intervals behind it. The guest may not answer, and Sierra sees its own resources."""
    clock = Clock(datetime(2026, 7, 1, 12, 41, tzinfo=UTC))
    rights = {"read_only": ("guest",), "sees": ("sierra=SIERRA_*",)}
    with (
        simulating(keys, EXAMPLE, clock, history_intervals=35, hold_s=30, oversized_mb=8, **rights) as at,
        tls_session(keys, keys.client) as session,
    ):
        yield Ads(at, clock, keys, session, soap_client(at.ads, session), soap_client(at.ads_response, session))


def valid(document: str | bytes) -> etree._Element:
    root = etree.fromstring(document.encode() if isinstance(document, str) else document)
    SCHEMA.assertValid(root)
    return root


def uids(root: etree._Element, name: str) -> list[str]:
    return [(element.get("batchUID") or "").strip() for element in root.iterfind(f".//a:{name}", NS)]


def post(ads: Ads, operation: str, batch_uid: str, timeout_s: float = 10) -> requests.Response:
    body = f"<{operation}><batchUID>{batch_uid}</batchUID></{operation}>"
    envelope = f'<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body>{body}</e:Body></e:Envelope>'
    return ads.session.post(ads.at.ads, data=envelope, timeout=timeout_s)
