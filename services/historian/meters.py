"""Meters: what Prometheus can watch of the historian."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram


class Meters:
    """The metrics of one process."""

    def __init__(self, registry: CollectorRegistry) -> None:
        def counter(name: str, meaning: str) -> Counter:
            return Counter(f"historian_{name}", meaning, registry=registry)

        self.events = counter("events", "Events that were committed, repetitions included")
        self.dead_letters = counter("dead_letters", "Deliveries that could not be stored")
        self.asked_again = counter("events_asked_again", "Missing events that a source was asked for, each time")
        self.lost = counter("events_lost", "Missing events that the source no longer has")
        self.store_failures = counter("store_failures", "Times that the database did not take a batch or a question")
        self.batch_seconds = Histogram("historian_batch_seconds", "From a batch in hand to its commit", registry=registry)
        self._waiting = Gauge("historian_deliveries_waiting", "Deliveries in the queue", registry=registry)
        self._missing = Gauge("historian_events_missing", "Events of all streams that did not come yet", registry=registry)

    def watch_queue(self, size: Callable[[], int]) -> None:
        """Ask for the queue's length whenever somebody looks."""
        self._waiting.set_function(size)

    def note_missing(self, count: int) -> None:
        """How much is missing now."""
        self._missing.set(count)
