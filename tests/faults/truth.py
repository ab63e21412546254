"""Truth: what CAISO said, as it said it and when, and whether what a register shows was ever that. Pure but for `learn`.

Worked out from the simulator's own word, by code of its own and not by the services'. CAISO's word changes: a DOT is revised,
a batch cancelled, a price corrected. A register follows a little later; how much later is the *lag* of a good value. A good
value that was not CAISO's word at any moment within the limit is wrong.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import requests
from faults.display import Display

from dotbus.runtime.schedule import utc_now
from launcher.look.comparison import Points, assembled, dop_batches, holds_mw, range_on_lines
from launcher.look.registers import Shown
from launcher.look.sent import Sent, SentBatch, SentInstruction, SentTrajectory, Simulator, SimulatorSilent

DOT_TYPES, HOURLY, CANCELLED = (0, 4), 1, 4
FIVE_MINUTES = timedelta(minutes=5)
RENDERED_S = 2.2
"""An image may be shown so long while nothing turns: what moves all the time is as old."""
LONG_AGO = datetime.min.replace(tzinfo=UTC)
HISTORY = timedelta(minutes=5)
"""What was received before does not matter to any register."""
TURN_S = 0.4
"""By how much the reader's moment and the gateway's may differ where an interval turns."""
PART = 2e-6
"""What a float32 may be off by, as a part of the number."""

Prices = Mapping[tuple[str, datetime], tuple[float, ...]]
"""LMPs by node and interval start: the published one, and the one before its correction while an old answer says it again."""


@dataclass(frozen=True)
class Word:
    """All that CAISO said until it said something else. `until` None means that it still says so."""

    since: datetime
    until: datetime | None
    batches: tuple[SentBatch, ...]
    trajectories: tuple[SentTrajectory, ...]
    prices: Prices


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
    """

    def __init__(self, simulator: Simulator, nodes: Sequence[str], kept_s: float) -> None:
        self._simulator = simulator
        self._nodes = tuple(nodes)
        self._kept = timedelta(seconds=kept_s)
        self.learned_at = LONG_AGO
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
        for column, check in _CHECKS.items():
            if display.columns and display.columns[column].level == "good":
                limit_s = limits_s["price" if column.startswith("lmp") else "dot"]
                yield self._verdict(check(display, resource_id, node), display, limit_s)

    def _verdict(self, check: "Check", display: Display, limit_s: float) -> Verdict:
        oldest = display.began - timedelta(seconds=limit_s)
        for word in reversed(self._words):
            if word.until and word.until < oldest:
                break
            if word.since <= display.ended and check.agrees(word):
                lag_s = (display.began - word.until).total_seconds() if word.until else 0.0
                return Verdict(check.quantity, check.shown, "", max(lag_s, 0.0))
        return Verdict(check.quantity, check.shown, check.describe(self._words[-1]) if self._words else "nothing known", None)


@dataclass(frozen=True)
class Check:
    """How one register is held against one word."""

    quantity: str
    shown: float
    ranges: "Ranges"
    starts: datetime | None
    display: Display

    def agrees(self, word: Word) -> bool:
        """Whether this word asks for what is shown, at any moment at which it can have been read."""
        return any(low - _slack(low) <= self.shown <= high + _slack(high) for low, high in self.ranges(word, self))

    def describe(self, word: Word) -> str:
        """What the word asks for, for people."""
        return ", ".join(f"{low:.4f} to {high:.4f}" for low, high in self.ranges(word, self)) or "nothing"


Ranges = Callable[[Word, Check], Iterator[tuple[float, float]]]
"""The values that a word allows a check, each as a range."""


def _slack(number: float) -> float:
    return max(PART * abs(number), PART)


def moments(display: Display, before_s: float) -> list[datetime]:
    """The moments at which a display may have been true: from a little before it was read until it was."""
    begin = display.began - timedelta(seconds=before_s)
    steps = int((display.ended + timedelta(seconds=TURN_S) - begin).total_seconds() / 0.1) + 1
    return [begin + timedelta(seconds=0.1 * step) for step in range(steps + 1)]


def _range(points: Points, times: Sequence[datetime]) -> tuple[float, float] | None:
    """The lowest and the highest on the lines between the first and the last of some moments, both sides of a step included."""
    found = range_on_lines(points, times)
    corners = [power_mw for at, power_mw in points if times[0] <= at <= times[-1]]
    return (min(found[0], *corners), max(found[1], *corners)) if found and corners else found


def dot_in_force(word: Word, resource_id: str, at: datetime) -> SentInstruction | None:
    """The five-minute or exceptional DOT that covers a time; of several the one received last."""
    covering = [batch for batch in dot_batches(word) if batch.start_at <= at < _end(batch)]
    for batch in sorted(covering, key=lambda one: (one.received_at, one.revision_no), reverse=True):
        for each in batch.instructions:
            if each.resource_id == resource_id and holds_mw(each) is not None:
                return each
    return None


def dot_batches(word: Word) -> list[SentBatch]:
    """What gives five-minute DOTs and was not cancelled."""
    return [batch for batch in word.batches if batch.batch_type in DOT_TYPES and batch.batch_status != CANCELLED]


def _end(batch: SentBatch) -> datetime:
    return batch.start_at + timedelta(seconds=batch.interval_s)


def _dot_check(display: Display, resource_id: str, _node: str) -> Check:
    def ranges(word: Word, check: Check) -> Iterator[tuple[float, float]]:
        for at in moments(check.display, TURN_S):
            dot = dot_in_force(word, resource_id, at)
            if dot is not None and dot.dot_mw is not None:
                yield dot.dot_mw, dot.dot_mw

    return _check("dot_mw", display, ranges)


def _set_point_check(display: Display, resource_id: str, _node: str) -> Check:
    def ranges(word: Word, check: Check) -> Iterator[tuple[float, float]]:
        points = []
        for batch in dot_batches(word):
            middle = batch.start_at + timedelta(seconds=batch.interval_s / 2)
            dot = dot_in_force(word, resource_id, middle)
            if dot is not None and dot.dot_mw is not None:
                points.append((middle, dot.dot_mw))
        points = sorted(set(points))
        times = moments(check.display, RENDERED_S)
        if points and times[-1] < points[0][0]:
            yield points[0][1], points[0][1]
        elif found := _range(points, times):
            yield found

    return _check("set_point_mw", display, ranges)


def _trajectory_check(display: Display, resource_id: str, _node: str) -> Check:
    def ranges(word: Word, check: Check) -> Iterator[tuple[float, float]]:
        sent = Sent(batches=(), trajectories=word.trajectories)
        points = assembled(dop_batches(sent, resource_id))
        if found := _range(points, moments(check.display, RENDERED_S)):
            yield found

    return _check("trajectory_mw", display, ranges)


def _active_check(display: Display, _resource_id: str, node: str) -> Check:
    def ranges(word: Word, check: Check) -> Iterator[tuple[float, float]]:
        for at in moments(check.display, TURN_S):
            start = at - timedelta(seconds=at.timestamp() % FIVE_MINUTES.total_seconds())
            if check.starts in (start, None):
                yield from ((lmp, lmp) for lmp in word.prices.get((node, start), ()))

    return _check("lmp_active_usd_per_mwh", display, ranges, "lmp_active_start")


def _published_check(display: Display, _resource_id: str, node: str) -> Check:
    def ranges(word: Word, check: Check) -> Iterator[tuple[float, float]]:
        newest = max((start for name, start in word.prices if name == node), default=None)
        if newest is not None and check.starts == newest:
            yield from ((lmp, lmp) for lmp in word.prices[node, newest])

    return _check("lmp_published_usd_per_mwh", display, ranges, "lmp_published_start")


def _check(quantity: str, display: Display, ranges: Ranges, start: str | None = None) -> Check:
    entry: Shown = display.shown[quantity]
    shown = float("nan") if entry.value is None else entry.value  # good without a value is never right
    return Check(quantity, shown, ranges, display.shown[start].at if start else None, display)


_CHECKS = {
    "dot": _dot_check,
    "set_point": _set_point_check,
    "trajectory": _trajectory_check,
    "lmp_active": _active_check,
    "lmp_published": _published_check,
}
