"""Meters: what Prometheus can watch of lmp_ingest, besides what every ingest has (`dotbus.runtime.ingest`)."""

from prometheus_client import CollectorRegistry, Counter, Gauge


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
        self.unreadable = counter("unreadable_values", "Values in an answer that are no number: left out")
        self.bad_rows = counter("bad_rows", "Rows in an answer that cannot be believed: left out")
        self.unpriced = gauge("nodes_without_price", "Nodes that CAISO does not price though it prices others beside them")
        self.missing = gauge("missing_seconds", "How much time prices are missing of that left the lookback")
        self.price_lag = gauge("price_lag_seconds", "From an interval's start until its price was here")
        self.complete_until = gauge("complete_until_timestamp_seconds", "End of the last complete interval")
