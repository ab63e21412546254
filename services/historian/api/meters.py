"""Meters: what Prometheus can watch of the API."""

from prometheus_client import CollectorRegistry, Counter, Histogram


class Meters:
    """The metrics of one process."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._answers = Counter(
            "historian_api_answers", "Answers, by the path that was asked and the status", ["path", "status"], registry=registry
        )
        self._seconds = Histogram(
            "historian_api_seconds",
            "From a question to the end of its answer, by path",
            ["path"],
            registry=registry,
            buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300),
        )
        self.cancelled = Counter(
            "historian_api_cancelled", "Statements that were cancelled because who asked had gone away", registry=registry
        )

    def note(self, path: str, status: int, seconds: float) -> None:
        """After an answer. `path` is the endpoint's own, with names in place of values."""
        self._answers.labels(path, status).inc()
        self._seconds.labels(path).observe(seconds)
