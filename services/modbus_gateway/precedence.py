"""Precedence: what of several statements about one thing holds. Pure.

CAISO's words are facts with an order of their own: a batch with its revision, a trajectory batch with the time at which CAISO
received it, a price with the time at which it was fetched. Two ingests ask CAISO at different times, and one of them may lag
or have started anew; so what is known is put together from what each of them knows, and the one that spoke last is not
therefore right. What a source does not speak of takes nothing away from what another knows.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime

import msgspec

from dotbus.contracts.messages import Dot, DotInterval, Lmp, NodePrice, Trajectory, WithdrawnBatch
from dotbus.contracts.schedules import rank

Revisions = Mapping[str, int]
"""The highest revision that is known of each batch, by its UID. A batch without a number counts as revision 0."""


def revisions(dots: Iterable[Dot]) -> Revisions:
    """The highest revision of each batch that any of the states has a DOT of."""
    return _highest((interval.batch_uid, interval.revision_no) for dot in dots for interval in dot.intervals)


def withdrawals(dots: Iterable[Dot]) -> Revisions:
    """The highest revision of each batch that any of the states knows to be withdrawn."""
    return _highest((batch.batch_uid, batch.revision_no) for dot in dots for batch in dot.withdrawn)


def _highest(numbered: Iterable[tuple[str, int | None]]) -> Revisions:
    found: dict[str, int] = {}
    for batch_uid, revision_no in numbered:
        found[batch_uid] = max(revision_no or 0, found.get(batch_uid, 0))
    return found


def holds(interval: DotInterval, newest: Revisions, withdrawn: Revisions) -> bool:
    """Whether a DOT is of the newest revision of its batch, and that is not withdrawn."""
    revision = interval.revision_no or 0
    return revision >= newest.get(interval.batch_uid, 0) and revision > withdrawn.get(interval.batch_uid, -1)


def is_same_dot(one: DotInterval, other: DotInterval) -> bool:
    """Whether two sources say the same of one instruction, but for what each of them knows against it."""
    return one == other or msgspec.structs.replace(one, reasons=other.reasons) == other


def contested(intervals: Iterable[DotInterval]) -> frozenset[DotInterval]:
    """DOTs that ask different things at one time and of which none goes before the other: nobody can say which holds."""
    by_rank: defaultdict[tuple[datetime, int], list[DotInterval]] = defaultdict(list)
    for interval in intervals:
        by_rank[rank(interval)].append(interval)
    found: set[DotInterval] = set()
    for equals in by_rank.values():
        latest: DotInterval | None = None
        for interval in sorted(equals, key=lambda each: each.interval_start):
            if latest and interval.interval_start < latest.interval_end and not _asks_the_same(latest, interval):
                found |= {latest, interval}
            if latest is None or interval.interval_end > latest.interval_end:
                latest = interval
    return frozenset(found)


def _asks_the_same(one: DotInterval, other: DotInterval) -> bool:
    def asked(dot: DotInterval) -> tuple[object, ...]:
        return dot.dot_mw, dot.interval_start, dot.interval_end, dot.target_at, dot.supp_mw, dot.must_follow

    return asked(one) == asked(other)


def is_same_price(one: NodePrice, other: NodePrice) -> bool:
    """Whether two prices say the same; when they were fetched does not matter."""
    return msgspec.structs.replace(one, fetched_at=other.fetched_at) == other


def curve_received_at(trajectory: Trajectory, arrived_at: datetime) -> datetime | None:
    """When CAISO received the newest batch of a curve, no later than the state was said and came here; None without a curve.

    Where CAISO did not say, when its source received it.
    """
    if trajectory.latest is None and not trajectory.points:
        return None
    received = (trajectory.latest and trajectory.latest.batch_received_at) or trajectory.received_at
    return min(received, arrived_at, trajectory.time) if received else None


def still_ahead(
    said_before: Dot | Trajectory | Lmp, says_now: Dot | Trajectory | Lmp, now: datetime
) -> Dot | Trajectory | Lmp | None:
    """What one source said before that is ahead of what it says now, None when nothing is.

    A source that was set back (an older copy of its files, an older list of CAISO's) says an older revision in a newer state.
    What it does not speak of any more is gone; what it speaks of in an older revision is not.
    """
    match said_before, says_now:
        case Dot() as before, Dot() as after:
            return _dots_ahead(before, after, now)
        case Trajectory() as before, Trajectory() as after:
            return before if _is_curve_ahead(before, after) else None
        case _:
            return None


def _dots_ahead(before: Dot, after: Dot, now: datetime) -> Dot | None:
    withdrawn = withdrawals([after])
    spoken_of = {uid: max(at, withdrawn.get(uid, -1)) for uid, at in {**withdrawn, **revisions([after])}.items()}

    def is_ahead(interval: DotInterval) -> bool:
        revision, uid = interval.revision_no or 0, interval.batch_uid
        return uid in spoken_of and revision > spoken_of[uid] and interval.interval_end > now

    def is_settled(batch: WithdrawnBatch) -> bool:
        """Whether the source speaks of that revision, or a higher one, now: it may have become readable since."""
        return spoken_of.get(batch.batch_uid, -1) >= (batch.revision_no or 0)

    intervals = tuple(interval for interval in before.intervals if is_ahead(interval))
    gone = tuple(batch for batch in before.withdrawn if batch.until > now and not is_settled(batch))
    if not (intervals or gone):
        return None
    return msgspec.structs.replace(before, intervals=intervals, withdrawn=gone)


def _is_curve_ahead(before: Trajectory, after: Trajectory) -> bool:
    received, now_received = (curve_received_at(state, state.time) for state in (before, after))
    return received is not None and now_received is not None and received > now_received
