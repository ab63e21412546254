"""Meters: what Prometheus can watch of lmp_ingest."""

from collections.abc import Sequence

from prometheus_client import CollectorRegistry, Counter, Gauge

from dotbus.contracts.messages import OutboxSpan, Upstream


class Meters:
    """The metrics of one process.

    `price_lag` is from an interval's start until its price was first here, below zero when it came ahead; CAISO does not say
    how late its five-minute prices are, so this is how to know.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        def counter(name: str, meaning: str, *labels: str) -> Counter:
            return Counter(f"lmp_ingest_{name}", meaning, ("market", *labels), registry=registry)

        def gauge(name: str, meaning: str) -> Gauge:
            return Gauge(f"lmp_ingest_{name}", meaning, ("market",), registry=registry)

        self.answers = counter("answers", "Answers of OASIS that were understood")
        self.failures = counter("failures", "Questions to OASIS that brought no prices, by kind", "kind")
        self.events = counter("events", "Price events that were new")
        self.corrections = counter("corrections", "Prices that CAISO changed after it had published them")
        self.doubts = counter("doubts", "Prices whose LMP is not the sum of its components")
        self.contradictions = counter("contradictions", "Prices that one reply gave twice and differently: not published")
        self.price_lag = gauge("price_lag_seconds", "From an interval's start until its price was here")
        self.complete_until = gauge("complete_until_timestamp_seconds", "End of the last complete interval")
        self.published = Counter("lmp_ingest_events_published", "Events that the broker acknowledged", registry=registry)
        self._unpublished = Gauge("lmp_ingest_events_unpublished", "Events that wait for the broker", registry=registry)
        self._last_ok = Gauge(
            "lmp_ingest_last_ok_timestamp_seconds", "When a market was last heard as a whole", ["upstream"], registry=registry
        )
        self._clock_offset = Gauge(
            "lmp_ingest_clock_offset_seconds", "CAISO's clock minus ours", ["upstream"], registry=registry
        )

    def note(self, upstreams: Sequence[Upstream], span: OutboxSpan) -> None:
        """After a turn of the loop. What is not known has no sample."""
        self._unpublished.set(span.unpublished)
        for upstream in upstreams:
            if upstream.last_ok_at is not None:
                self._last_ok.labels(upstream.name).set(upstream.last_ok_at.timestamp())
            if upstream.clock_offset_s is not None:
                self._clock_offset.labels(upstream.name).set(upstream.clock_offset_s)
