"""Meters: what Prometheus can watch of the historian."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from historian.upkeep.sizes import Sizes
from historian.write.reading.arrivals import CONTRADICTION, REFUSED, Written
from historian.write.waiting import Waiting


class Meters:
    """The metrics of one process."""

    def __init__(self, registry: CollectorRegistry) -> None:
        def counter(name: str, meaning: str) -> Counter:
            return Counter(f"historian_{name}", meaning, registry=registry)

        self._events = counter("events", "Events that were committed")
        self._repeats = counter("events_repeated", "Events that came again and were stored already")
        self._points = counter("telemetry", "What plants said of points, each time that it was committed")
        self._dead_letters = counter("dead_letters", "Deliveries that could not be stored, contradictions included")
        self.asked_again = counter("events_asked_again", "Missing events that a source was asked for, each time")
        self.lost = counter("events_lost", "Missing events that the source no longer has")
        self.store_failures = counter("store_failures", "Times that the database did not take a batch or a question")
        self.batch_seconds = Histogram("historian_batch_seconds", "From a batch in hand to its commit", registry=registry)
        self._waiting = Gauge("historian_deliveries_waiting", "Deliveries that nobody works at", registry=registry)
        self._waiting_bytes = Gauge("historian_waiting_bytes", "Memory of what is not stored yet, at most", registry=registry)
        self._missing = Gauge("historian_events_missing", "Events of all streams that did not come yet", registry=registry)
        self._lag = Gauge(
            "historian_lag_seconds", "Age of the oldest delivery that is not in the database yet", registry=registry
        )
        self._table_bytes = Gauge("historian_table_bytes", "Size of a table with its indexes", ["table"], registry=registry)
        self._letters = Gauge("historian_dead_letters_waiting", "Dead letters that wait", ["kind"], registry=registry)
        self._months = Gauge("historian_months", "Months from this one on that all tables have a part for", registry=registry)
        self._parts = Gauge("historian_parts", "Parts that tables are divided into", registry=registry)

    def watch(self, waiting: Waiting, lag_s: Callable[[], float]) -> None:
        """Ask for what waits, and for how long it has, whenever somebody looks."""
        self._waiting.set_function(lambda: len(waiting))
        self._waiting_bytes.set_function(lambda: waiting.waiting_bytes)
        self._lag.set_function(lag_s)

    def note(self, written: Written) -> None:
        """After a batch."""
        self._events.inc(written.events)
        self._points.inc(written.points)
        self._repeats.inc(len(written.repeats))
        self._dead_letters.inc(len(written.rejections))

    def note_sizes(self, sizes: Sizes) -> None:
        """What the database holds now."""
        for table, size_bytes in sizes.table_bytes.items():
            self._table_bytes.labels(table).set(size_bytes)
        for kind in (REFUSED, CONTRADICTION):
            self._letters.labels(kind).set(sizes.letters.get(kind, 0))
        self._months.set(sizes.months)
        self._parts.set(sizes.parts)

    def note_missing(self, count: int) -> None:
        """How much is missing now."""
        self._missing.set(count)
