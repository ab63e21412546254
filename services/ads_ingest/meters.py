"""Meters: what Prometheus can watch of ads_ingest."""

from collections.abc import Sequence

from prometheus_client import CollectorRegistry, Counter, Gauge

from dotbus.contracts.messages import OutboxSpan, Upstream


class Meters:
    """The metrics of one process.

    Args:
        registry: where they are found.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self.failures = Counter(
            "ads_ingest_failures", "Questions to CAISO without a usable answer", ["kind"], registry=registry
        )
        self.published = Counter("ads_ingest_events_published", "Events that the broker acknowledged", registry=registry)
        self._unpublished = Gauge("ads_ingest_events_unpublished", "Events that wait for the broker", registry=registry)
        self._last_ok = Gauge(
            "ads_ingest_last_ok_timestamp_seconds", "When a round last went well", ["upstream"], registry=registry
        )
        self._clock_offset = Gauge(
            "ads_ingest_clock_offset_seconds", "CAISO's clock minus ours", ["upstream"], registry=registry
        )
        self._certificate = Gauge("ads_ingest_certificate_days_left", "Days until the certificate ends", registry=registry)

    def note(self, upstreams: Sequence[Upstream], span: OutboxSpan, *, certificate_days_left: float) -> None:
        """After a turn of the loop. What is not known has no sample."""
        self._unpublished.set(span.unpublished)
        self._certificate.set(certificate_days_left)
        for upstream in upstreams:
            if upstream.last_ok_at is not None:
                self._last_ok.labels(upstream.name).set(upstream.last_ok_at.timestamp())
            if upstream.clock_offset_s is not None:
                self._clock_offset.labels(upstream.name).set(upstream.clock_offset_s)
