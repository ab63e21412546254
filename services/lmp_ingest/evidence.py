"""Evidence: a thing that went wrong is told once, with its cause, and its raw bytes are kept for whoever looks into it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from caiso.oasis import Market, OasisFailure, Question
from dotbus.runtime.logs import get_logger
from dotbus.runtime.quarantine import Quarantine
from lmp_ingest.caiso import Answer
from lmp_ingest.meters import Meters
from lmp_ingest.planning.condition import is_overdue
from lmp_ingest.planning.gaps import Span
from lmp_ingest.planning.track import Track

REMEMBERED = 100_000
"""Ten times what one answer names of one kind, or all of it would be told again with each."""
NAMED_AT_ONCE = 20
"""The most that one line names of what is wrong in the same way."""


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

    def of_gap(self, failure: OasisFailure, question: Question, now: datetime, again_at: datetime) -> None:
        """A question for a gap that failed. The gap itself was told; this tells why it stays, once for each cause."""
        is_new = self._is_new("a gap", f"{question.market} {question.nodes} {failure.cause}")
        self.of_failure(failure, question, now, again_at, is_new=is_new)

    def of_answer(self, market: Market, answer: Answer) -> None:
        """What is odd about an answer; a reply out of which something had to be left is kept."""
        block = answer.block
        doubts = self._tell("the LMP is not the sum of its components", market, block.doubts)
        self._meters.doubts.labels(market).inc(doubts)
        contradictions = self._tell("two prices for one, left out", market, block.contradictions)
        self._meters.contradictions.labels(market).inc(contradictions)
        unreadable = self._tell("a value that is no number, left out", market, block.unreadable)
        self._meters.unreadable.labels(market).inc(unreadable)
        bad_rows = self._tell("a row that cannot be believed, left out", market, block.bad_rows)
        self._meters.bad_rows.labels(market).inc(bad_rows)
        if contradictions or unreadable or bad_rows:
            why = "BadRow" if bad_rows else "Contradiction" if contradictions else "Unreadable"
            self._keep(answer.content, f"{market}-{why}", answer.received_at)

    def of_track(self, before: Track, after: Track, now: datetime) -> None:
        """Nodes that lost or found their prices, prices that are late, and what changed in the gaps."""
        market = after.market
        if is_overdue(after, now) and self._is_new("overdue", f"{market} {after.nodes} {after.until}"):
            self._log.warning("prices are overdue", market=market, since=str(after.until), **_some("nodes", after.told_as))
        if lost := sorted(after.unpriced - before.unpriced):
            why = "is the name right?"
            self._log.error("no price for nodes though others have one", market=market, **_some("nodes", lost), next=why)
        if found := sorted(before.unpriced - after.unpriced):
            self._log.info("nodes have a price again", market=market, **_some("nodes", found))
        if lost := sorted(after.denied - before.denied):
            self._log.error("prices that were given are not any more", market=market, **_some("nodes", lost))
        self._of_gaps(before, after)

    def _of_gaps(self, before: Track, after: Track) -> None:
        """Times that are missing from now on, no more, or for good."""
        begun = [gap for gap in after.gaps if not any(known.start <= gap.start <= known.end for known in before.gaps)]
        for gap in begun:
            again = "asked for again while nothing else is due, until OASIS gives them or they are given up"
            self._tell_gap("prices are missing", after, gap, next=again)
        for gap in after.given_up:
            self._tell_gap("missing prices are given up", after, gap, why="OASIS has had none for long, or keeps none so old")
        if before.gaps and not (after.gaps or after.given_up):
            self._log.info("no prices are missing any more", market=after.market, **_some("nodes", after.told_as))

    def _tell_gap(self, what: str, track: Track, gap: Span, **more: str) -> None:
        since, until = (f"{at:%Y-%m-%dT%H:%MZ}" for at in gap)
        self._log.error(what, market=track.market, since=since, until=until, **_some("nodes", track.told_as), **more)

    def _tell(self, what: str, market: Market, places: tuple[str, ...]) -> int:
        """Tell what was not told before, in one line. Returns how many that were."""
        news = [place for place in places if self._is_new(what, f"{market} {place}")]
        if news:
            self._log.warning(what, market=market, **_some("where", news))
        return len(news)

    def _is_new(self, what: str, where: str) -> bool:
        if f"{what}: {where}" in self._told:
            return False
        if len(self._told) >= REMEMBERED:
            self._told.clear()
        self._told.add(f"{what}: {where}")
        return True

    def _keep(self, content: bytes | None, name: str, now: datetime) -> str | None:
        path = self._quarantine.keep(content, name, now) if content else None
        return str(path) if path else None


def _some(key: str, names: Sequence[str]) -> dict[str, Any]:
    """What one line names of them, and how many more there are."""
    more = {"more": len(names) - NAMED_AT_ONCE} if len(names) > NAMED_AT_ONCE else {}
    return {key: names[:NAMED_AT_ONCE], **more}
