"""Judge: may what was said be believed now, and what of it holds. Pure; design section 5, docs/quality.md.

The age of a state is the time since CAISO said or confirmed it, as the state itself says (`heard_at`), and never less than our
own clock and the source's own words allow. A statement is judged by its own source: whether that is there, hears CAISO, and
has a clock that agrees with ours. Where several sources speak of one thing, what holds is put together from what each knows
(`precedence`), and each part of it is as good as the best of the sources that say it.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from itertools import zip_longest
from typing import Final, Generic, TypeVar

import msgspec

from dotbus.contracts.messages import Dot, DotInterval, Instructions, Lmp, NodePrice, ServiceStatus, Trajectory
from dotbus.contracts.quality import CLOCK_DOUBT_S, Quality, Reason, read_reasons
from dotbus.judging.arrivals import Problem, StateMessage
from dotbus.judging.precedence import curve_received_at, holding, is_same_dot, is_same_price
from dotbus.judging.received import Received, Statement, upstream_behind
from dotbus.judging.vouching import JUST_AFTER, against_source
from dotbus.setpoints.curve import ends_at, is_contested, trajectory_now

V = TypeVar("V")
W = TypeVar("W")
M = TypeVar("M", Dot, Trajectory, Instructions, Lmp)

_LONG_AGO: Final = datetime.min.replace(tzinfo=UTC)
PUBLISHED_AHEAD_MOST: Final = timedelta(days=3)
"""No market publishes a price further ahead: day-ahead prices of tomorrow come at noon of today."""
PRICED_MOST: Final = timedelta(hours=1)
"""No market prices a longer interval."""


class Judged(msgspec.Struct, Generic[V], frozen=True, gc=False):
    """Something that was said and why it is less than good.

    Attributes:
        said: None when nothing that may be used was ever said.
        age_s: since CAISO said or confirmed it, never below 0.
        heard_at: since when that is.
        arrived_at: when the state came here that says it.
        is_last: whether that is what its source said last, and not what of it before is ahead of that.
    """

    said: V
    reasons: frozenset[Reason] = frozenset()
    age_s: float | None = None
    heard_at: datetime | None = None
    arrived_at: datetime = _LONG_AGO
    is_last: bool = True

    def about(self, part: W, *more: Reason) -> "Judged[W]":
        """A part of it, which is as good as the whole but for what speaks against it alone."""
        return Judged(
            part, self.reasons.union(more) if more else self.reasons, self.age_s, self.heard_at, self.arrived_at, self.is_last
        )

    def quality(self, *more: Reason) -> Quality:
        """The quality of it, or of a value of it that `more` speaks against."""
        return Quality.of(self.reasons.union(more))


@dataclass(frozen=True)
class Known(Generic[V]):
    """What holds of what was said on one topic.

    Attributes:
        whole: the best statement, for what the topic as a whole says: its age, and that it says nothing for now.
        find: gives `parts`, once somebody asks for them.
        rests_on: what the parts are found in and how good that is, whatever its age: equal, they say the same and are as good.
            None where nobody compares it.
    """

    whole: Judged[object]
    find: Callable[[], tuple[Judged[V], ...]] = tuple
    rests_on: object = None

    @cached_property
    def parts(self) -> tuple[Judged[V], ...]:
        """Each thing that holds (a DOT, a price), judged by the best source that says it."""
        return self.find()

    @cached_property
    def said(self) -> tuple[V, ...]:
        """The things that hold."""
        return tuple(part.said for part in self.parts)

    @cached_property
    def by_said(self) -> Mapping[V, Judged[V]]:
        """Each thing that holds as it is judged."""
        return {part.said: part for part in self.parts}


def judge_dots(received: Received, topic: str, stale_after_s: float, now: datetime) -> Known[DotInterval]:
    """The DOTs that hold, of every source: of each batch the newest revision, unless a source knows it to be withdrawn."""
    judged = _judged(received, topic, Dot, stale_after_s, now)
    whole = _whole(received, topic, judged)
    said = [(one.said.intervals, one.said.withdrawn, one.reasons, one.is_last) for one in judged]
    return Known(whole, lambda: _dots_of(judged), (whole.reasons, said))


def _dots_of(judged: Sequence[Judged[Dot]]) -> tuple[Judged[DotInterval], ...]:
    said = (
        [judged[number].about(dot, *(read_reasons(dot.reasons) if dot.reasons else ())) for number, dot in versions]
        for versions in holding(one.said for one in judged)
    )
    return tuple(_agreed(versions) for versions in said)


def judge_trajectory(received: Received, topic: str, stale_after_s: float, now: datetime) -> Judged[Trajectory | None]:
    """The curve with the newest batch of CAISO's, from the best source that has it."""

    def received_at(one: Judged[Trajectory]) -> datetime:
        return curve_received_at(one.said, one.arrived_at) or _LONG_AGO

    judged = _judged(received, topic, Trajectory, stale_after_s, now)
    newest = max((received_at(one) for one in judged), default=_LONG_AGO)
    best = [one for one in judged if received_at(one) == newest]
    if not best:
        return Judged(None, _nothing_said(received, topic))
    return best[-1].about(best[-1].said, *([Reason.INCOMPLETE] if _contradict([one.said for one in best], now) else []))


def _contradict(curves: Sequence[Trajectory], now: datetime) -> bool:
    """Whether curves with one newest batch say different things of now or of its last point, or one of them does by itself."""
    if len(curves) == 1:
        return is_contested(curves[0].points)
    now_mw = {trajectory_now(curve.points, now) for curve in curves if curve.points and now <= ends_at(curve.points)}
    latest = {(curve.latest.target_at, curve.latest.dop_mw) for curve in curves if curve.latest}
    return len(now_mw - {None}) > 1 or len(latest) > 1 or any(is_contested(curve.points) for curve in curves)


def are_alone(received: Received, topic: str) -> bool:
    """Whether one curve at most is said on a topic. Two are compared at each moment: at one equal, not at the next."""
    curves = [one.message.points for one in received.statements(topic) if isinstance(one.message, Trajectory)]
    return all(points == curves[0] for points in curves[1:])


def judge_prices(received: Received, topic: str, stale_after_s: float, now: datetime) -> Known[NodePrice]:
    """Each interval's price as it was fetched last, of every source, in the order of the intervals."""
    judged = _judged(received, topic, Lmp, stale_after_s, now)
    said: defaultdict[datetime, list[_Priced]] = defaultdict(list)
    for one in judged:
        for price in _prices(one.said):
            priced = one.about(price, *_against_price(price, now))
            said[price.interval_start].append(_Priced(priced, min(one.said.heard_at, one.arrived_at)))
    in_order = [_fetched_last(said[start]) for start in sorted(said)]
    return Known(_whole(received, topic, judged), lambda: tuple(_without_overlap(in_order)))


def judge_state(
    received: Received, topic: str, kind: type[M], stale_after_s: float, now: datetime, *, earlier: bool = False
) -> Known[M]:
    """A state as it is said: the best of what each source said last, and as parts all of these, the best one last.

    With `earlier`, what of before is ahead of a source's last word is among the parts, too.
    """
    judged = _judged(received, topic, kind, stale_after_s, now)
    return Known(_whole(received, topic, judged), lambda: tuple(one for one in judged if one.is_last or earlier))


def judge_status(received: Received, name: str, stale_after_s: float, now: datetime) -> Judged[ServiceStatus | None]:
    """What a source last said of itself. What it says of CAISO is for whoever asks whether CAISO is heard."""
    source = received.sources.get(name)
    if source is None or source.latest is None:
        return Judged(None, frozenset([Reason.NEVER_RECEIVED, *([] if received.hears else [Reason.BROKER_LOST])]))
    at = source.latest.arrived_at
    against = {
        Reason.BROKER_LOST: not received.hears or source.connection != received.connection,
        Reason.INVALID: name in received.unusable,
        Reason.SOURCE_OFFLINE: not source.online,
        Reason.SOURCE_FAILING: source.runs.are_two(now),
        Reason.CLOCK_IN_DOUBT: source.clock_agrees_until is None or now > source.clock_agrees_until,
        Reason.STALE: now > at + timedelta(seconds=stale_after_s),
    }
    reasons = frozenset(reason for reason, is_so in against.items() if is_so)
    return Judged(source.latest.status, reasons, max(_seconds(at, now), 0.0), at, at)


def turns_of_status(received: Received, name: str, stale_after_s: float) -> Iterator[datetime]:
    """When the passing of time alone changes how a status is judged, be it past or to come."""
    source = received.sources.get(name)
    if source is None or source.latest is None:
        return
    stale_at = source.latest.arrived_at + timedelta(seconds=stale_after_s)
    yield from (at + JUST_AFTER for at in (stale_at, source.clock_agrees_until, source.runs.two_until) if at)


def _judged(received: Received, topic: str, kind: type[M], stale_after_s: float, now: datetime) -> list[Judged[M]]:
    """Every statement on a topic, the best one last."""
    against = frozenset(_against_topic(received, topic))
    found = [
        _judge(
            statement,
            statement.message,
            against.union(_against(statement, received, now)),
            stale_after_s,
            now,
        )
        for statement in received.statements(topic)
        if isinstance(statement.message, kind)
    ]
    return sorted(found, key=_goodness)


def _goodness(one: Judged[M]) -> tuple[object, ...]:
    """The best is the greatest: by level, then it has the fewest reasons, then it is the youngest; else only to be certain."""
    return one.quality().level, -len(one.reasons), -(one.age_s or 0.0), one.said.time, one.said.source


def _judge(statement: Statement, said: M, against: frozenset[Reason], stale_after_s: float, now: datetime) -> Judged[M]:
    """A statement at a time: how old it is, and what its age adds to what speaks against it."""
    heard_at = statement.heard_caiso_at
    age_s = _seconds(heard_at, now)
    reasons = set(against)
    # A clock that is wrong by as much as the limit says nothing about freshness, in either direction.
    if now > _fresh_until(heard_at, said, stale_after_s) or age_s < -stale_after_s:
        reasons.add(Reason.STALE)
    if age_s < -CLOCK_DOUBT_S:
        reasons.add(Reason.CLOCK_IN_DOUBT)
    return Judged(said, frozenset(reasons), max(age_s, 0.0), heard_at, statement.arrived_at, statement.is_last)


def _fresh_until(heard_at: datetime, said: StateMessage, stale_after_s: float) -> datetime:
    limit = heard_at + timedelta(seconds=stale_after_s)
    return min(limit, said.valid_until) if said.valid_until else limit


def turns_of_ages(received: Received, topic: str, stale_after_s: float) -> Iterator[datetime]:
    """When the passing of time alone changes how the statements on a topic are judged, be it past or to come.

    What is known of their sources changes at times of its own, see `vouching`.
    """
    for statement in received.statements(topic):
        heard_at = statement.heard_caiso_at
        yield _fresh_until(heard_at, statement.message, stale_after_s) + JUST_AFTER
        yield from (heard_at - timedelta(seconds=stale_after_s), heard_at - timedelta(seconds=CLOCK_DOUBT_S))


def _against(statement: Statement, received: Received, now: datetime) -> Iterator[Reason]:
    """What speaks against a statement whatever its age: what its source says of it, and what is known of the source."""
    message = statement.message
    yield from read_reasons(message.reasons)
    if statement.connection != received.connection:
        yield Reason.BROKER_LOST  # not said again since: it may have been replaced or taken back while we were away
    if _seconds(statement.arrived_at, statement.latest_claim) > CLOCK_DOUBT_S:
        yield Reason.CLOCK_IN_DOUBT
    yield from against_source(received.source(message.source), upstream_behind(message), now)


def _against_topic(received: Received, topic: str) -> Iterator[Reason]:
    if not received.hears:
        yield Reason.BROKER_LOST
    if received.problem(topic) is Problem.UNDECODABLE:
        yield Reason.INVALID


def _nothing_said(received: Received, topic: str) -> frozenset[Reason]:
    is_other = received.problem(topic) is Problem.WRONG_ENVIRONMENT
    return frozenset([*_against_topic(received, topic), Reason.WRONG_ENVIRONMENT if is_other else Reason.NEVER_RECEIVED])


def _whole(received: Received, topic: str, judged: Sequence[Judged[M]]) -> Judged[object]:
    """The best of what each source said last."""
    current = [one for one in judged if one.is_last]
    return current[-1].about(current[-1].said) if current else Judged(None, _nothing_said(received, topic))


def _agreed(versions: Sequence[Judged[DotInterval]]) -> Judged[DotInterval]:
    """One DOT as several sources say it: the best one's word, in doubt where they do not say the same of one revision."""
    if len(versions) == 1:
        return versions[0]
    best = max(reversed(versions), key=lambda one: one.quality().level)
    agree = all(is_same_dot(one.said, best.said) for one in versions)
    return best if agree else best.about(best.said, Reason.INCOMPLETE)


@dataclass(frozen=True)
class _Priced:
    """A price as a source says it, and when CAISO last told that source of it."""

    judged: Judged[NodePrice]
    heard_at: datetime

    @property
    def fetched_at(self) -> datetime:
        """When it was first told so, no later than that came here."""
        return min(self.judged.said.fetched_at, self.judged.arrived_at)


def _fetched_last(versions: Sequence[_Priced]) -> Judged[NodePrice]:
    """Of one interval's prices the one that was fetched last, by the best of the sources that say the same.

    It is in doubt while another source says otherwise, whichever of them asked first: that one of them has not heard of a
    correction yet and that OASIS gave an old answer again look alike. What is bad stands back for what CAISO said since.
    """
    believed = [one for one in versions if not one.judged.quality().is_bad]
    heard_at = max((one.heard_at for one in believed), default=_LONG_AGO)
    counting = [one for one in versions if one in believed or one.fetched_at > heard_at]
    latest = max(counting, key=lambda one: one.fetched_at).fetched_at
    last = [one.judged.said for one in counting if one.fetched_at == latest][-1]
    best = [one.judged for one in counting if is_same_price(one.judged.said, last)][-1]
    contradict = any(not is_same_price(one.judged.said, last) for one in believed)
    return best.about(best.said, Reason.INCOMPLETE) if contradict else best


def _against_price(price: NodePrice, now: datetime) -> Iterator[Reason]:
    is_too_long = price.interval_end - price.interval_start > PRICED_MOST
    if is_too_long or price.interval_start > now + PUBLISHED_AHEAD_MOST:
        yield Reason.INVALID


def _without_overlap(prices: Sequence[Judged[NodePrice]]) -> Iterator[Judged[NodePrice]]:
    """The prices, in doubt where two are of one time: an interval has one price."""
    before_end = _LONG_AGO
    for one, after in zip_longest(prices, prices[1:]):
        is_reached = after is not None and after.said.interval_start < one.said.interval_end
        yield one.about(one.said, *([Reason.INCOMPLETE] if is_reached or before_end > one.said.interval_start else []))
        before_end = max(before_end, one.said.interval_end)


def _prices(lmp: Lmp) -> Iterable[NodePrice]:
    return [price for price in (lmp.active, lmp.published, *lmp.ahead) if price]


def _seconds(begin: datetime, end: datetime) -> float:
    return (end - begin).total_seconds()
