"""Precedence: what of several statements about one thing holds. Pure.

CAISO's words are facts with an order of their own: a batch with its revision, a trajectory batch with the time at which CAISO
received it, a price with the time at which it was fetched. Two ingests ask CAISO at different times, and one of them may lag
or have started anew; so what is known is put together from what each of them knows, and the one that spoke last is not
therefore right. What a source does not speak of takes nothing away from what another knows.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Final, TypeVar

import msgspec

from dotbus.contracts.messages import (
    Dot,
    DotInterval,
    Instructions,
    KnownInstruction,
    Lmp,
    NodePrice,
    Trajectory,
    WithdrawnBatch,
)
from dotbus.contracts.quality import Reason, read_reasons

D = TypeVar("D", Dot, Instructions)
REMEMBERED: Final = 1024
"""Of how many sets of statements it is kept what of them holds: mostly the same is said again."""
REMEMBERED_DOTS_MOST: Final = 64
"""Larger sets are rare, and would fill the memory."""

Revisions = Mapping[str, int]
"""The highest revision that is known of each batch, by its UID. A batch without a number counts as revision 0."""


def revisions(states: Iterable[Dot | Instructions]) -> Revisions:
    """The highest revision of each batch that any of the states has a DOT, or another instruction, of."""
    return _highest(one for state in states for one in _parts(state))


def withdrawals(states: Iterable[Dot | Instructions]) -> Revisions:
    """The highest revision of each batch that any of the states knows to be withdrawn."""
    return _highest(batch for state in states for batch in state.withdrawn)


def _highest(numbered: Iterable[DotInterval | KnownInstruction | WithdrawnBatch]) -> Revisions:
    found: dict[str, int] = {}
    for each in numbered:
        revision = each.revision_no or 0
        found[each.batch_uid] = max(revision, found.get(each.batch_uid, revision))
    return found


def holds(one: DotInterval | KnownInstruction, newest: Revisions, withdrawn: Revisions) -> bool:
    """Whether a DOT or another instruction is of the newest revision of its batch, and that is not withdrawn."""
    revision, uid = one.revision_no or 0, one.batch_uid
    return revision >= newest.get(uid, revision) and (uid not in withdrawn or revision > withdrawn[uid])


_Said = tuple[tuple[DotInterval, ...], tuple[WithdrawnBatch, ...]]
"""The DOTs of a statement, and what it knows to be withdrawn."""
Versions = tuple[tuple[int, DotInterval], ...]
"""One DOT as several statements say it, each with the number of its statement."""


def holding(states: Iterable[Dot]) -> tuple[Versions, ...]:
    """The DOTs of some statements that hold, each as all of them say it."""
    said = tuple((state.intervals, state.withdrawn) for state in states)
    is_small = sum(len(intervals) + len(withdrawn) for intervals, withdrawn in said) <= REMEMBERED_DOTS_MOST
    return _holding_again(said) if is_small else _holding(said)


def _holding(said: tuple[_Said, ...]) -> tuple[Versions, ...]:
    newest = _highest(one for intervals, _ in said for one in intervals)
    withdrawn = _highest(one for _, batches in said for one in batches)
    found: defaultdict[tuple[str, str], list[tuple[int, DotInterval]]] = defaultdict(list)
    for number, (intervals, _) in enumerate(said):
        for one in intervals:
            if holds(one, newest, withdrawn):
                found[one.batch_uid, one.instruction_uid].append((number, one))
    return tuple(map(tuple, found.values()))


_holding_again = lru_cache(REMEMBERED)(_holding)


def is_same_dot(one: DotInterval, other: DotInterval) -> bool:
    """Whether two sources say the same of one instruction, but for what each of them knows against it."""
    return one == other or msgspec.structs.replace(one, reasons=other.reasons) == other


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
    said_before: Dot | Trajectory | Instructions | Lmp, says_now: Dot | Trajectory | Instructions | Lmp, now: datetime
) -> Dot | Trajectory | Instructions | None:
    """What one source said before that is ahead of what it says now, None when nothing is.

    A source that was set back (an older copy of its files, an older list of CAISO's) says an older revision in a newer state.
    What it does not speak of any more is gone, unless it says that it does not know all; what it speaks of in an older revision
    is not.
    """
    match said_before, says_now:
        case Dot() as before, Dot() as after:
            return _batches_ahead(before, after, now)
        case Instructions() as before, Instructions() as after:
            return _batches_ahead(before, after, now)
        case Trajectory() as before, Trajectory() as after:
            return before if _is_curve_ahead(before, after) else None
        case _:
            return None


def _batches_ahead(before: D, after: D, now: datetime) -> D | None:
    spoken_of = _highest((*_parts(after), *after.withdrawn))
    may_be_silent = Reason.INCOMPLETE in read_reasons(after.reasons)

    def is_ahead(part: DotInterval | KnownInstruction) -> bool:
        revision, uid = part.revision_no or 0, part.batch_uid
        if uid not in spoken_of:
            return may_be_silent and over_at(part) > now
        return revision > spoken_of[uid]

    def is_settled(batch: WithdrawnBatch) -> bool:
        """Whether the source speaks of that revision, or a higher one, now: it may have become readable since."""
        revision = batch.revision_no or 0
        return spoken_of.get(batch.batch_uid, revision - 1) >= revision

    parts = tuple(part for part in _parts(before) if is_ahead(part))
    gone = tuple(batch for batch in before.withdrawn if batch.until > now and not is_settled(batch))
    if not (parts or gone):
        return None
    name = "intervals" if isinstance(before, Dot) else "instructions"
    return msgspec.structs.replace(before, **{name: parts}, withdrawn=gone)


def _parts(state: Dot | Instructions) -> Sequence[DotInterval | KnownInstruction]:
    return state.intervals if isinstance(state, Dot) else state.instructions


def over_at(part: DotInterval | KnownInstruction) -> datetime:
    """When a DOT or another instruction is over.

    Where CAISO does not say, when its source shows it no more: one that is gone would show it for ever.
    """
    return part.interval_end if isinstance(part, DotInterval) else part.end_at or part.batch_until


def _is_curve_ahead(before: Trajectory, after: Trajectory) -> bool:
    received, now_received = (curve_received_at(state, state.time) for state in (before, after))
    return received is not None and now_received is not None and received > now_received
