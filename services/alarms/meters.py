"""Metrics: how many alarms there are, and how many came of late."""

from collections.abc import Iterable
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge

from dotbus.contracts.messages import AlarmChanged, AlarmStatus

_LABELS: Final = ("priority", "state")


class Meters:
    """The metrics of this service.

    Args:
        registry: where they are found.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._alarms = Gauge("alarms_alarms", "Alarms that are not normal", _LABELS, registry=registry)
        self._events = Counter("alarms_events", "What happened to alarms", ("what", "priority"), registry=registry)
        self._told = Counter(
            "alarms_told", "Events that a receiver was told of, or not", ("receiver", "outcome"), registry=registry
        )

    def note_telling(self, receiver: str, outcome: str, events: int) -> None:
        """So many events were told, refused, or grew too old."""
        self._told.labels(receiver, outcome).inc(events)

    def note(self, events: Iterable[AlarmChanged], statuses: Iterable[AlarmStatus]) -> None:
        """Something happened to alarms, and so they are now."""
        for event in events:
            self._events.labels(event.what, event.priority).inc()
        self._alarms.clear()
        for status in statuses:
            self._alarms.labels(status.priority, status.state).inc()
