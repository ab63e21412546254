"""Metrics: what the gateway counts, for Prometheus."""

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge
from prometheus_client.core import CounterMetricFamily
from prometheus_client.registry import Collector

from modbus_gateway.wire.admission import Reason
from modbus_gateway.wire.images.image import Refusal
from modbus_gateway.wire.pdu import FUNCTIONS

_EXCEPTION_BIT: Final = 0x80


class Answers(Collector):
    """How many requests were answered, by function and with which exception.

    Plain numbers, which Prometheus asks for: a counter of its own takes a lock, a fifth of what a request takes in all.
    """

    def __init__(self) -> None:
        self.functions = [0] * 256
        self.exceptions = [0] * 256

    def collect(self) -> Iterator[CounterMetricFamily]:
        """The counters as they are now."""
        functions = list(self.functions)  # as of one moment: a sum of two could go down
        requests = CounterMetricFamily("dotbus_modbus_requests", "Modbus requests answered", labels=["function"])
        for function in FUNCTIONS:
            requests.add_metric([str(function)], functions[function])
        requests.add_metric(["other"], sum(functions) - sum(functions[function] for function in FUNCTIONS))
        exceptions = CounterMetricFamily("dotbus_modbus_exceptions", "Of these with an exception", labels=["code"])
        for refusal in Refusal:
            exceptions.add_metric([str(int(refusal))], self.exceptions[refusal])
        yield from (requests, exceptions)


class GatewayMetrics:
    """Counters of one gateway."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._answers = Answers()
        registry.register(self._answers)
        self._connections = Gauge("dotbus_modbus_connections", "Open Modbus connections", registry=registry)
        self._turned_away = Counter("dotbus_modbus_connections_turned_away", "Connections closed at once", registry=registry)
        self._closed = Counter(
            "dotbus_modbus_connections_closed", "Connections turned away or closed by us", ["reason"], registry=registry
        )
        for reason in Reason:
            self._closed.labels(str(reason))  # 0 from the start: a rise from nothing cannot be seen
        self._registry = registry
        self._image_age = Gauge("dotbus_modbus_image_age_seconds", "Since what is outdated now was", registry=registry)
        self._writes = Counter("dotbus_modbus_writes", "Writes of points", ["outcome"], registry=registry)
        self._deliveries = Counter("dotbus_modbus_deliveries", "Messages from the bus", ["outcome"], registry=registry)

    def answered(self, function: int, reply: bytes) -> None:
        """A request was answered."""
        self._answers.functions[function] += 1
        if reply[0] & _EXCEPTION_BIT:
            self._answers.exceptions[reply[1]] += 1

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

    def written(self, outcome: str) -> None:
        """A point was written: `taken`, or what refused it."""
        self._writes.labels(outcome).inc()

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
