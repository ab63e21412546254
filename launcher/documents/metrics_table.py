"""Metrics table: every metric of every service, as docs/metrics.md tells it, from the objects that count."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from prometheus_client import CollectorRegistry, Metric
from prometheus_client.metrics import MetricWrapperBase
from prometheus_client.registry import Collector

from ads_ingest import wiring
from alarms import meters as of_alarms
from console import meters as of_console
from dotbus.runtime.ingest import IngestMeters
from historian import meters as of_historian
from historian.api import meters as of_api
from lmp_ingest import meters as of_lmp_ingest
from modbus_gateway.metrics import GatewayMetrics


@dataclass(frozen=True)
class Described:
    """One metric.

    Attributes:
        name: as Prometheus knows it: a counter ends in `_total`.
        labels: in the order in which they are declared.
    """

    name: str
    kind: str
    labels: tuple[str, ...]
    meaning: str


class _Catalogue(CollectorRegistry):
    """A registry that remembers what was registered, in that order."""

    def __init__(self) -> None:
        super().__init__()
        self.collectors: list[Collector] = []

    def register(self, collector: Collector) -> None:
        self.collectors.append(collector)


def described() -> dict[str, list[Described]]:
    """The metrics of each process, by its command."""
    return {service: [*_described(make)] for service, make in _MAKERS.items()}


def render_metrics() -> str:
    """docs/metrics.md."""
    tables = [f"## {service}\n\n{_table(metrics)}" for service, metrics in described().items()]
    return "\n".join([_HEAD, *tables])


def _described(make: Callable[[CollectorRegistry], object]) -> Iterator[Described]:
    catalogue = _Catalogue()
    make(catalogue)
    for collector in catalogue.collectors:
        describe: Callable[[], Iterable[Metric]] = getattr(collector, "describe", collector.collect)
        for metric in describe():
            name = f"{metric.name}_total" if metric.type == "counter" else metric.name
            yield Described(name, metric.type, _labels(collector, metric), metric.documentation)


def _labels(collector: Collector, metric: Metric) -> tuple[str, ...]:
    """Of what has no sample yet nobody else tells the labels."""
    holder = collector if isinstance(collector, MetricWrapperBase) else metric
    return tuple(holder._labelnames)  # type: ignore[union-attr]  # noqa: SLF001  # see above


def _table(metrics: Iterable[Described]) -> str:
    rows = ["| metric | kind | meaning |", "| --- | --- | --- |"]
    for one in metrics:
        labels = f"{{{','.join(one.labels)}}}" if one.labels else ""
        rows.append(f"| `{one.name}{labels}` | {one.kind} | {one.meaning.rstrip('.')} |")
    return "\n".join(rows) + "\n"


def _ads_ingest(registry: CollectorRegistry) -> None:
    IngestMeters(registry, "ads_ingest")
    wiring.Meters(registry, lambda: 0.0)


def _lmp_ingest(registry: CollectorRegistry) -> None:
    IngestMeters(registry, "lmp_ingest")
    of_lmp_ingest.Meters(registry)


def _modbus_gateway(registry: CollectorRegistry) -> None:
    GatewayMetrics(registry).watch_certificates({})


def _console(registry: CollectorRegistry) -> None:
    of_console.Meters(registry, lambda: 0).watch(lambda: None)


_MAKERS: Final[Mapping[str, Callable[[CollectorRegistry], object]]] = {
    "console": _console,
    "ads-ingest": _ads_ingest,
    "lmp-ingest": _lmp_ingest,
    "modbus-gateway": _modbus_gateway,
    "historian": of_historian.Meters,
    "historian api": of_api.Meters,
    "alarms": of_alarms.Meters,
}

_HEAD: Final = """# Metrics

Generated from the code by `make docs`. Each service serves them for Prometheus at `/metrics`, where its
[health port](settings.md) is; [deployment](deployment.md#prometheus-and-grafana) tells how to have them watched.

## What is known of a plant

Resources, prices, services and whom these ask are told by the **console**, and by it alone:

- It follows every state on the bus and judges each by the code that all services share (`dotbus.judging`,
  `dotbus.readings`), once a second, for its pages. A graph, a page and a register say the same.
- There is one of it in an installation. Of gateways there are several, at plants, each with a clock and perhaps a broker of
  its own: each would tell of the same resources another time. And what a gateway's process does besides, its SCADA waits for.

Beside each value stands what says how far it may be believed, with the same labels:

- `dotbus_resource_quality` and `dotbus_price_quality` are OPC's numbers, as in registers and messages: **192 good, 64
  uncertain, 0 bad**.
- `dotbus_resource_reason` and `dotbus_price_reason` have a sample for each reason of [quality](quality.md) that holds.
- **What is absent has no sample, and neither has what is bad**: there is no 0 for "not known". A value that nobody confirms
  any more goes away when it becomes stale. Until then its age grows.
- `of` is `dot` (the DOT in force), `set_point` (on the ramp, now), `next_dot`, `trajectory` or `actual` (as the plant says
  it). No next DOT and nothing wrong: quality 192 and no value.
- While the console's loop hangs, nothing of this is told at all. So `up` of the console and `dotbus_console_hears_broker`
  deserve an alert of their own.

Prices are those of each node and market that dotbus.toml names; resources those of the file, and others that were heard of,
2,000 in all. A resource has up to 16 samples when it is well, and one more for each reason of a value that is not; a price has
3. How long a scrape takes: [benchmarks](benchmarks.md#a-scrape-of-the-console).
"""
