"""Meters: what Prometheus can watch of ads_ingest, besides what every ingest has (`dotbus.runtime.ingest`)."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge


class Meters:
    """The metrics of one process.

    Args:
        registry: where they are found.
        certificate_days_left: asked whenever Prometheus asks; of several certificates the one that ends first.
    """

    def __init__(self, registry: CollectorRegistry, certificate_days_left: Callable[[], float]) -> None:
        self.failures = Counter(
            "ads_ingest_failures", "Questions to CAISO without a usable answer", ["kind"], registry=registry
        )
        certificate = Gauge("ads_ingest_certificate_days_left", "Days until the certificate ends", registry=registry)
        certificate.set_function(certificate_days_left)
        self._no_batch_s = Gauge(
            "ads_ingest_no_batch_seconds", "Since when no new dispatch batch came", ["account"], registry=registry
        )

        self.answers = Counter(
            "ads_ingest_answers",
            "Answers to instructions, asked for or by a rule, by what became of them",
            ["outcome"],
            registry=registry,
        )
        self._answers_waiting = Gauge("ads_ingest_answers_waiting", "Answers that wait for CAISO", registry=registry)

    def watch_answers(self, waiting: Callable[[], float]) -> None:
        """Asked whenever Prometheus asks."""
        self._answers_waiting.set_function(waiting)

    def watch(self, account: str, *, no_batch_s: Callable[[], float]) -> None:
        """One account's: asked whenever Prometheus asks. The only account has an empty name."""
        self._no_batch_s.labels(account).set_function(no_batch_s)
