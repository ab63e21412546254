"""Remarks: what is odd about prices that CAISO gave. Each oddity is logged and counted once.

A reply out of which prices had to be left is kept for whoever asks why.
"""

from dotbus.runtime.installation import Market
from dotbus.runtime.logs import get_logger
from dotbus.runtime.quarantine import Quarantine
from lmp_ingest.caiso import Answer
from lmp_ingest.meters import Meters
from lmp_ingest.plan import nodes_of

REMEMBERED = 10_000


class Remarks:
    """Says each thing once, as long as it remembers."""

    def __init__(self, quarantine: Quarantine, meters: Meters) -> None:
        self._quarantine = quarantine
        self._meters = meters
        self._made: set[str] = set()
        self._log = get_logger("remarks")

    def on(self, market: Market, nodes: tuple[str, ...], answer: Answer) -> None:
        """Remark on what is odd about the answer to a question about these nodes."""
        assembled = answer.assembled
        for doubt in assembled.doubts:
            if self._remark("the LMP is not the sum of its components", f"{market} {doubt}"):
                self._meters.doubts.labels(market).inc()
        said = [self._remark("two prices for one, left out", f"{market} {which}") for which in assembled.contradictions]
        if any(said):
            self._meters.contradictions.labels(market).inc(sum(said))
            self._quarantine.keep(answer.content, f"{market}-Contradiction", answer.received_at)
        if assembled.prices:
            for node in sorted(set(nodes) - nodes_of(assembled.prices)):
                self._remark("no price for a node that others in the answer have", f"{market} {node}")

    def _remark(self, what: str, where: str) -> bool:
        if f"{what}: {where}" in self._made:
            return False
        if len(self._made) >= REMEMBERED:
            self._made.clear()
        self._made.add(f"{what}: {where}")
        self._log.warning(what, where=where)
        return True
