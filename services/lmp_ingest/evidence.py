"""Evidence: a thing that went wrong is told once, with its cause, and its raw bytes are kept for whoever looks into it."""

from datetime import datetime

from dotbus.runtime.logs import get_logger
from dotbus.runtime.quarantine import Quarantine
from dotbus.runtime.toml_values import Market
from lmp_ingest.caiso import Answer
from lmp_ingest.faults import OasisFailure
from lmp_ingest.meters import Meters
from lmp_ingest.plan import nodes_of
from lmp_ingest.records import Question

REMEMBERED = 10_000


class Evidence:
    """Remembers which oddities were told already; how long a failure lasts its track knows.

    Args:
        quarantine: where raw bytes go.
        meters: where each is counted.
    """

    def __init__(self, quarantine: Quarantine, meters: Meters) -> None:
        self._quarantine = quarantine
        self._meters = meters
        self._told: set[str] = set()
        self._log = get_logger("oasis")

    def of_failure(self, failure: OasisFailure, question: Question, now: datetime, again_at: datetime, *, is_new: bool) -> None:
        """A question that brought no prices; told when its cause is new."""
        kind = type(failure).__name__
        self._meters.failures.labels(question.market, kind).inc()
        if is_new:
            kept = self._keep(failure.content, f"{question.market}-{kind}", now)
            self._log.error("no prices", cause=str(failure), question=str(question), raw=kept, again_at=again_at.isoformat())

    def of_answer(self, market: Market, nodes: tuple[str, ...], answer: Answer) -> None:
        """What is odd about the answer to a question about these nodes; a reply out of which prices had to be left is kept."""
        assembled = answer.assembled
        for doubt in assembled.doubts:
            if self._tell("the LMP is not the sum of its components", f"{market} {doubt}"):
                self._meters.doubts.labels(market).inc()
        told = [self._tell("two prices for one, left out", f"{market} {which}") for which in assembled.contradictions]
        if any(told):
            self._meters.contradictions.labels(market).inc(sum(told))
            self._keep(answer.content, f"{market}-Contradiction", answer.received_at)
        if assembled.prices:
            for node in sorted(set(nodes) - nodes_of(assembled.prices)):
                self._tell("no price for a node that others in the answer have", f"{market} {node}")

    def _tell(self, what: str, where: str) -> bool:
        if f"{what}: {where}" in self._told:
            return False
        if len(self._told) >= REMEMBERED:
            self._told.clear()
        self._told.add(f"{what}: {where}")
        self._log.warning(what, where=where)
        return True

    def _keep(self, content: bytes | None, name: str, now: datetime) -> str | None:
        path = self._quarantine.keep(content, name, now) if content else None
        return str(path) if path else None
