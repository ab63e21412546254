"""Metrics: what the gateway counts, for Prometheus."""

from collections.abc import Callable, Mapping
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge

from modbus_gateway.wire.admission import Reason
from modbus_gateway.wire.image import Refusal
from modbus_gateway.wire.pdu import FUNCTIONS

_EXCEPTION_BIT: Final = 0x80


class GatewayMetrics:
    """Counters of one gateway."""

    def __init__(self, registry: CollectorRegistry) -> None:
        requests = Counter("dotbus_modbus_requests", "Modbus requests answered", ["function"], registry=registry)
        exceptions = Counter("dotbus_modbus_exceptions", "Of these with an exception", ["code"], registry=registry)
        self._requests = {function: requests.labels(str(function)) for function in FUNCTIONS}
        self._other_requests = requests.labels("other")
        self._exceptions = {int(refusal): exceptions.labels(str(int(refusal))) for refusal in Refusal}
        self._connections = Gauge("dotbus_modbus_connections", "Open Modbus connections", registry=registry)
        self._turned_away = Counter("dotbus_modbus_connections_turned_away", "Connections closed at once", registry=registry)
        self._closed = Counter(
            "dotbus_modbus_connections_closed", "Connections turned away or closed by us", ["reason"], registry=registry
        )
        for reason in Reason:
            self._closed.labels(str(reason))  # 0 from the start: a rise from nothing cannot be seen
        self._registry = registry
        self._image_age = Gauge("dotbus_modbus_image_age_seconds", "Since what is outdated now was", registry=registry)
        self._deliveries = Counter("dotbus_modbus_deliveries", "Messages from the bus", ["outcome"], registry=registry)

    def answered(self, function: int, reply: bytes) -> None:
        """A request was answered."""
        self._requests.get(function, self._other_requests).inc()
        if reply[0] & _EXCEPTION_BIT:
            self._exceptions[reply[1]].inc()

    def connections(self, count: int) -> None:
        """So many connections are open."""
        self._connections.set(count)

    def turned_away(self) -> None:
        """A connection was closed at once."""
        self._turned_away.inc()

    def closed(self, reason: Reason) -> None:
        """A connection was turned away or had to leave."""
        self._closed.labels(str(reason)).inc()

    def delivered(self, outcome: str) -> None:
        """A message came: `taken`, `undecodable`, `wrong environment` or `not ours`."""
        self._deliveries.labels(outcome).inc()

    def watch_image_age(self, image_age_s: Callable[[], float]) -> None:
        """Show for how long what was outdated first waits to be written anew."""
        self._image_age.set_function(image_age_s)

    def watch_certificates(self, days_left: Mapping[str, Callable[[], float]]) -> None:
        """Show how long certificates last, by what they are: `server`, or `client authority` (the first of them to end)."""
        days = Gauge(
            "dotbus_modbus_certificate_days_left", "Days until a certificate ends", ["certificate"], registry=self._registry
        )
        for certificate, left in days_left.items():
            days.labels(certificate).set_function(left)
