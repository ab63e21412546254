"""Truth: what CAISO said, as it said it and when, and whether what a register shows was ever that. Pure but for `learn`.

Worked out from the simulator's own word, by code of its own and not by the services'. CAISO's word changes: a DOT is revised,
a batch cancelled, a price corrected. A register follows a little later; how much later is the *lag* of a good value. A good
value that was not CAISO's word at any moment within the limit is wrong.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import requests
from faults.checks import CHECKS, FIVE_MINUTES, Check, Prices, Sight, Word
from faults.display import Display

from dotbus.runtime.schedule import utc_now
from launcher.look.sent import Sent, SentBatch, SentTrajectory, Simulator, SimulatorSilent

LONG_AGO = datetime.min.replace(tzinfo=UTC)
HISTORY = timedelta(minutes=5)
"""What was received before does not matter to any register."""


@dataclass(frozen=True)
class Verdict:
    """What came of holding one good register against the truth: `lag_s` None when it was wrong."""

    quantity: str
    shown: float
    expected: str
    lag_s: float | None


class Truth:
    """CAISO's word, learnt again and again.

    Args:
        simulator: whose word it is.
        nodes: whose prices count.
        kept_s: how long a word is remembered after another replaced it.

    Attributes:
        learned_at: all that was said before is known.
        set_back: the targets of DOTs whose older revision CAISO says again: what was the last of them nobody can know.
    """

    def __init__(self, simulator: Simulator, nodes: Sequence[str], kept_s: float) -> None:
        self._simulator = simulator
        self._nodes = tuple(nodes)
        self._kept = timedelta(seconds=kept_s)
        self.learned_at = LONG_AGO
        self.set_back: set[datetime] = set()
        self._words: tuple[Word, ...] = ()
        self._batches: dict[str, SentBatch] = {}

    def learn(self) -> None:
        """Ask what CAISO says now. While it does not answer, it says nothing new."""
        began = utc_now()
        try:
            sent, prices = self._simulator.sent(), self._prices(began)
        except (SimulatorSilent, requests.RequestException):
            return
        now = utc_now()
        last = self._words[-1] if self._words else None
        batches, trajectories = self._merged(sent, began)
        if not last or (last.batches, last.trajectories, last.prices) != (batches, trajectories, prices):
            ended = [Word(w.since, w.until or now, w.batches, w.trajectories, w.prices) for w in self._words]
            kept = [word for word in ended if word.until and now - word.until < self._kept]
            self._words = (*kept, Word(self.learned_at, None, batches, trajectories, prices))
        self.learned_at = began

    def _merged(self, sent: Sent, now: datetime) -> tuple[tuple[SentBatch, ...], tuple[SentTrajectory, ...]]:
        """The highest revision of each batch that was ever said: CAISO never goes back on one, nor on a batch."""
        for batch in sent.batches:
            known = self._batches.get(batch.batch_uid)
            if known is None or batch.revision_no > known.revision_no:
                self._batches[batch.batch_uid] = batch
        old = now - HISTORY
        self._batches = {uid: batch for uid, batch in self._batches.items() if batch.received_at > old}
        return tuple(self._batches.values()), tuple(batch for batch in sent.trajectories if batch.received_at > old)

    def _prices(self, now: datetime) -> Prices:
        found: dict[tuple[str, datetime], tuple[float, ...]] = {}
        for node in self._nodes:
            for price in self._simulator.prices("RTM", node, now - FIVE_MINUTES, now + 2 * FIVE_MINUTES):
                old = price.said_again
                again = (old.lmp,) if old and old.said_at >= self.learned_at else ()
                found[node, price.interval_start] = (price.lmp, *again)
        return found

    def verdicts(self, display: Display, resource_id: str, node: str, limits_s: Mapping[str, float]) -> Iterator[Verdict]:
        """Each good value of a display held against the truth. Ask once all that was said until then is known.

        Args:
            display: what was read.
            resource_id: whose registers they are.
            node: whose price stands there.
            limits_s: how long after CAISO changed its word a good register may show the old one, for `dot` and for `price`.
        """
        sight = Sight(display, resource_id, node)
        is_set_back = sight.time("previous_dot_target") in self.set_back
        for check in CHECKS if display.columns else ():
            if is_set_back and check.quantity == "previous_dot_mw":
                continue
            shown = check.shown(display) if check.is_good(display) else None
            if shown is not None:
                yield self._verdict(check, sight, shown, limits_s[check.limit])

    def _verdict(self, check: Check, sight: Sight, shown: float, limit_s: float) -> Verdict:
        display = sight.display
        oldest = display.began - timedelta(seconds=limit_s)
        for word in reversed(self._words):
            if word.until and word.until < oldest:
                break
            if word.since <= display.ended and check.agrees(word, sight, shown):
                lag_s = (display.began - word.until).total_seconds() if word.until else 0.0
                return Verdict(check.quantity, shown, "", max(lag_s, 0.0))
        expected = check.describe(self._words[-1], sight) if self._words else "nothing known"
        return Verdict(check.quantity, shown, expected, None)
