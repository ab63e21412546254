"""Meters: what Prometheus can watch of the console, and of every resource, price and service by it."""

from collections.abc import Callable, Iterable, Iterator
from typing import Final

from prometheus_client import CollectorRegistry, Gauge, Histogram
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from console.picture.measured import Measured, MeasuredResource, Measures
from console.picture.services import show_service
from dotbus.contracts.quality import Level, Quality
from dotbus.readings.subjects import PriceAt

_LEVELS: Final = ", ".join(f"{level.value} {level.name.lower()}" for level in sorted(Level, reverse=True))
_WHY: Final = "1 for each reason why it is less than good"
_AGE: Final = "Since CAISO, or the plant of what is actual, said or confirmed it"


class Meters:
    """What Prometheus is told.

    Args:
        registry: of this process.
        pages: how many pages are open.
    """

    def __init__(self, registry: CollectorRegistry, pages: Callable[[], int]) -> None:
        opened = Gauge("dotbus_console_pages", "Pages that follow the stream now", registry=registry)
        opened.set_function(pages)
        self._looks = Histogram(
            "dotbus_console_look_seconds",
            "How long it took to bring the picture up to date and to hand it to every page",
            registry=registry,
            buckets=(0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0),
        )
        self._registry = registry

    def looked(self, took_s: float) -> None:
        """A look is over."""
        self._looks.observe(took_s)

    def watch(self, measured: Callable[[], Measures | None]) -> None:
        """Tell of resources, prices and services, asked for whenever Prometheus asks; nothing of them while it is None."""
        self._registry.register(Plant(measured))


class Plant(Collector):
    """What is known of resources, prices and services. What is absent has no sample, and neither has what is bad.

    Args:
        measured: asked each time.
    """

    def __init__(self, measured: Callable[[], Measures | None]) -> None:
        self._measured = measured

    def describe(self) -> Iterable[GaugeMetricFamily]:
        """The same without samples."""
        return [*_resources(()), *_prices(()), *_services(None)]

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """All of one moment."""
        measures = self._measured()
        if measures is not None:
            yield from _resources(measures.resources())
            yield from _prices(measures.prices())
            yield from _services(measures)


def _resources(resources: Iterable[MeasuredResource]) -> list[GaugeMetricFamily]:
    labels = ["plant", "resource", "of"]
    mw = GaugeMetricFamily("dotbus_resource_mw", "Megawatts; none where the quality is 0", labels=labels)
    quality = GaugeMetricFamily("dotbus_resource_quality", f"Quality of the same: {_LEVELS}", labels=labels)
    reason = GaugeMetricFamily("dotbus_resource_reason", _WHY, labels=[*labels, "reason"])
    age = GaugeMetricFamily("dotbus_resource_age_seconds", _AGE, labels=labels)
    changes = GaugeMetricFamily(
        "dotbus_resource_dot_changes_in_seconds", "Until the DOT in force asks something else", labels=labels[:2]
    )
    for one in resources:
        for of, measured in one.megawatts.items():
            _add([*one.key, of], measured, mw, quality, age)
            _explain([*one.key, of], measured.quality, reason)
        if one.changes_in_s is not None:
            changes.add_metric(one.key, one.changes_in_s)
    return [mw, quality, reason, age, changes]


def _prices(prices: Iterable[tuple[PriceAt, Measured]]) -> list[GaugeMetricFamily]:
    labels = ["market", "node"]
    usd = GaugeMetricFamily("dotbus_price_usd_per_mwh", "LMP that holds now; none where the quality is 0", labels=labels)
    quality = GaugeMetricFamily("dotbus_price_quality", f"Quality of the same: {_LEVELS}", labels=labels)
    reason = GaugeMetricFamily("dotbus_price_reason", _WHY, labels=[*labels, "reason"])
    age = GaugeMetricFamily("dotbus_price_age_seconds", "Since OASIS said or confirmed the node's prices", labels=labels)
    for at, measured in prices:
        _add([at.market.value, at.node], measured, usd, quality, age)
        _explain([at.market.value, at.node], measured.quality, reason)
    return [usd, quality, reason, age]


def _add(
    labels: list[str], measured: Measured, value: GaugeMetricFamily, quality: GaugeMetricFamily, age: GaugeMetricFamily
) -> None:
    if measured.value is not None:
        value.add_metric(labels, measured.value)
    quality.add_metric(labels, measured.quality.level)
    if measured.age_s is not None:
        age.add_metric(labels, measured.age_s)


def _explain(labels: list[str], quality: Quality, reason: GaugeMetricFamily) -> None:
    for one in quality.reasons:
        reason.add_metric([*labels, one], 1)


def _services(measures: Measures | None) -> list[GaugeMetricFamily]:
    of_upstream = ["source", "upstream"]
    hears = GaugeMetricFamily("dotbus_console_hears_broker", "Whether the console hears the broker: 1 or 0")
    is_what = "1 for what a service's instance is: running, degraded, silent or stopped"
    state = GaugeMetricFamily("dotbus_service_state", is_what, labels=["source", "state"])
    ok = GaugeMetricFamily("dotbus_upstream_ok", "Whether whom a service asks answers: 1 or 0", labels=of_upstream)
    age = GaugeMetricFamily("dotbus_upstream_age_seconds", "Since it answered last", labels=of_upstream)
    if measures is None:
        return [hears, state, ok, age]
    hears.add_metric([], measures.hears_broker)
    for source, heard in sorted(measures.services.items()):
        state.add_metric([source, show_service(heard, measures.now).state], 1)
        for upstream in heard.status.upstreams:
            ok.add_metric([source, upstream.name], upstream.ok)
            if upstream.last_ok_at is not None:
                age.add_metric([source, upstream.name], max((measures.now - upstream.last_ok_at).total_seconds(), 0.0))
    return [hears, state, ok, age]
