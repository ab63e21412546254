"""Checks: what each register of one resource may show by one word of CAISO's, worked out from the simulator's own say. Pure."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from faults.display import Display

from dotbus.contracts.quality import Level
from launcher.look.comparison import Points, assembled, dop_batches, holds_mw, latest_dop, range_on_lines
from launcher.look.sent import Sent, SentBatch, SentInstruction, SentTrajectory

EXCEPTIONAL, HOURLY, CANCELLED = 4, 1, 4
FIVE_MINUTE_TYPES, HOURLY_TYPES = (0, EXCEPTIONAL), (HOURLY, EXCEPTIONAL)
FIVE_MINUTES = timedelta(minutes=5)
RENDERED_S = 2.2
"""An image may be shown so long while nothing turns: what moves all the time is as old."""
TURN_S = 0.4
"""By how much the reader's moment and the gateway's may differ where an interval turns."""
PART = 2e-6
"""What a float32 may be off by, as a part of the number."""
ABSENT = (math.nan, math.nan)
"""No value, where there is none to show."""

Prices = Mapping[tuple[str, datetime], tuple[float, ...]]
"""LMPs by node and interval start: the published one, and the one before its correction while an old answer says it again."""
Range = tuple[float, float]


@dataclass(frozen=True)
class Word:
    """All that CAISO said until it said something else. `until` None means that it still says so."""

    since: datetime
    until: datetime | None
    batches: tuple[SentBatch, ...]
    trajectories: tuple[SentTrajectory, ...]
    prices: Prices


@dataclass(frozen=True)
class Sight:
    """A display, and whose registers were read."""

    display: Display
    resource_id: str
    node: str

    def time(self, quantity: str) -> datetime | None:
        """What a register of a time showed beside it; None when it was not read."""
        entry = self.display.shown.get(quantity)
        return entry.at if entry else None


@dataclass(frozen=True)
class Check:
    """How one register is held against a word.

    Attributes:
        quantity: the register.
        is_good: whether it reads good.
        shown: its number, not a number where it shows none; None when it was not read.
        ranges: what a word allows it.
        limit: whose limit it has, `dot` or `price`.
    """

    quantity: str
    is_good: Callable[[Display], bool]
    shown: Callable[[Display], float | None]
    ranges: Callable[[Word, Sight], Iterator[Range]]
    limit: str = "dot"

    def agrees(self, word: Word, sight: Sight, shown: float) -> bool:
        """Whether a word asks for what is shown, at any moment at which it can have been read."""
        if math.isnan(shown):
            return any(math.isnan(low) for low, _high in self.ranges(word, sight))
        return any(low - _slack(low) <= shown <= high + _slack(high) for low, high in self.ranges(word, sight))

    def describe(self, word: Word, sight: Sight) -> str:
        """What a word asks for, for people."""
        return ", ".join(f"{low:.4f} to {high:.4f}" for low, high in self.ranges(word, sight)) or "nothing"


class Held(NamedTuple):
    """A DOT that holds, or will, or did."""

    start: datetime
    end: datetime
    received_at: datetime
    revision_no: int
    instruction: SentInstruction

    @property
    def dot_mw(self) -> float:
        """The megawatts that it holds with."""
        power_mw = holds_mw(self.instruction)
        assert power_mw is not None
        return power_mw

    @property
    def middle(self) -> datetime:
        """When it is to be reached."""
        return self.start + (self.end - self.start) / 2


def held_dots(word: Word, resource_id: str, types: Sequence[int] = FIVE_MINUTE_TYPES) -> list[Held]:
    """A resource's DOTs of batches of some types that were not cancelled, declined ones left out."""
    return [
        Held(batch.start_at, batch.start_at + timedelta(seconds=batch.interval_s), batch.received_at, batch.revision_no, each)
        for batch in word.batches
        if batch.batch_type in types and batch.batch_status != CANCELLED
        for each in batch.instructions
        if each.resource_id == resource_id and holds_mw(each) is not None
    ]


def in_force(dots: Sequence[Held], at: datetime) -> Held | None:
    """The one that covers a time; of several the one received last."""
    return max((dot for dot in dots if dot.start <= at < dot.end), key=_newness, default=None)


def ended_last(dots: Sequence[Held], at: datetime) -> Held | None:
    """The one whose interval ended last."""
    return max((dot for dot in dots if dot.end <= at), key=lambda dot: (dot.end, *_newness(dot)), default=None)


def begins_next(dots: Sequence[Held], at: datetime) -> Held | None:
    """The one whose interval begins next."""
    ahead = [dot for dot in dots if dot.start > at]
    first = min((dot.start for dot in ahead), default=None)
    return max((dot for dot in ahead if dot.start == first), key=_newness, default=None)


def _newness(dot: Held) -> tuple[datetime, int]:
    return dot.received_at, dot.revision_no


def moments(display: Display, before_s: float) -> list[datetime]:
    """The moments at which a display may have been true: from a little before it was read until it was."""
    begin = display.began - timedelta(seconds=before_s)
    steps = int((display.ended + timedelta(seconds=TURN_S) - begin).total_seconds() / 0.1) + 1
    return [begin + timedelta(seconds=0.1 * step) for step in range(steps + 1)]


Choice = Callable[[Sequence[Held], datetime], Held | None]


def _of_dot(
    choose: Choice, number: Callable[[Held], float | None], types: Sequence[int] = FIVE_MINUTE_TYPES, *, may_lack: bool = False
) -> Callable[[Word, Sight], Iterator[Range]]:
    """A number of the DOT that is chosen; no value where it has none, or where there may be no such DOT."""

    def ranges(word: Word, sight: Sight) -> Iterator[Range]:
        dots = held_dots(word, sight.resource_id, types)
        for at in moments(sight.display, TURN_S):
            dot = choose(dots, at)
            value = number(dot) if dot else None
            if value is not None:
                yield value, value
            elif dot or may_lack:
                yield ABSENT

    return ranges


def _set_point(word: Word, sight: Sight) -> Iterator[Range]:
    dots = held_dots(word, sight.resource_id)
    points = sorted({(dot.middle, dot.dot_mw) for each in dots if (dot := in_force(dots, each.middle))})
    times = moments(sight.display, RENDERED_S)
    if points and times[-1] < points[0][0]:
        yield points[0][1], points[0][1]
    elif found := _range(points, times):
        yield found


def _trajectory(word: Word, sight: Sight) -> Iterator[Range]:
    points = assembled(dop_batches(Sent(batches=(), trajectories=word.trajectories), sight.resource_id))
    if found := _range(points, moments(sight.display, RENDERED_S)):
        yield found


def _range(points: Points, times: Sequence[datetime]) -> Range | None:
    """The lowest and the highest on the lines between the first and the last of some moments, both sides of a step included."""
    found = range_on_lines(points, times)
    corners = [power_mw for at, power_mw in points if times[0] <= at <= times[-1]]
    return (min(found[0], *corners), max(found[1], *corners)) if found and corners else found


def _latest_dop_mw(word: Word, sight: Sight) -> Iterator[Range]:
    if dop := latest_dop(Sent(batches=(), trajectories=word.trajectories), sight.resource_id):
        yield dop.dop_mw, dop.dop_mw


def _latest_dop_target(word: Word, sight: Sight) -> Iterator[Range]:
    if dop := latest_dop(Sent(batches=(), trajectories=word.trajectories), sight.resource_id):
        yield (int(dop.target_at.timestamp()),) * 2


def _active_price(word: Word, sight: Sight) -> Iterator[Range]:
    begins = sight.time("lmp_active_start")
    for at in moments(sight.display, TURN_S):
        start = at - timedelta(seconds=at.timestamp() % FIVE_MINUTES.total_seconds())
        if begins in (start, None):
            yield from ((lmp, lmp) for lmp in word.prices.get((sight.node, start), ()))


def _published_price(word: Word, sight: Sight) -> Iterator[Range]:
    newest = _newest(word, sight.node)
    if newest is not None and sight.time("lmp_published_start") in (newest, None):
        yield from _newest_price(word, sight)


def _newest_price(word: Word, sight: Sight) -> Iterator[Range]:
    """Of the classic map, which says no time beside it: the other map's, which is read after it, may be the next price's."""
    newest = _newest(word, sight.node)
    yield from ((lmp, lmp) for lmp in (word.prices[sight.node, newest] if newest is not None else ()))


def _newest(word: Word, node: str) -> datetime | None:
    return max((start for name, start in word.prices if name == node), default=None)


def _quality(name: str) -> Callable[[Display], bool]:
    """By the column of the table, or by the register of a quality that has none."""

    def is_good(display: Display) -> bool:
        if name in display.columns:
            return display.columns[name].level == "good"
        quality = display.shown.get(f"{name}_quality")
        return quality is not None and quality.value == Level.GOOD

    return is_good


def _plant(column: str, quantity: str, ranges: Callable[[Word, Sight], Iterator[Range]], limit: str = "dot") -> Check:
    def shown(display: Display) -> float | None:
        entry = display.shown.get(quantity)
        return None if entry is None else math.nan if entry.value is None else entry.value

    return Check(quantity, _quality(column), shown, ranges, limit)


def _classic(flag: str, register: str, ranges: Callable[[Word, Sight], Iterator[Range]], limit: str = "dot") -> Check:
    def shown(display: Display) -> float | None:
        value = display.held.get(register, math.inf)
        return math.nan if value is None else None if math.isinf(value) else value

    return Check(f"{register} while {flag} is 1", lambda display: display.flags.get(flag) == 1, shown, ranges, limit)


def _mw(dot: Held) -> float:
    return dot.dot_mw


def _supp_mw(dot: Held) -> float | None:
    return dot.instruction.supp_mw


def _start(dot: Held) -> float:
    return int(dot.start.timestamp())


def _end(dot: Held) -> float:
    return int(dot.end.timestamp())


def _target(dot: Held) -> float:
    return int(dot.middle.timestamp())


def _slack(number: float) -> float:
    return max(PART * abs(number), PART)


CHECKS = (
    _plant("dot", "dot_mw", _of_dot(in_force, _mw)),
    _plant("dot", "dot_start", _of_dot(in_force, _start)),
    _plant("dot", "dot_end", _of_dot(in_force, _end)),
    _plant("dot", "dot_target", _of_dot(in_force, _target)),
    _plant("dot", "supp_mw", _of_dot(in_force, _supp_mw)),
    _plant("set_point", "set_point_mw", _set_point),
    _plant("previous_dot", "previous_dot_mw", _of_dot(ended_last, _mw)),
    _plant("previous_dot", "previous_dot_target", _of_dot(ended_last, _target)),
    _plant("next_dot", "next_dot_mw", _of_dot(begins_next, _mw, may_lack=True)),
    _plant("next_dot", "next_dot_start", _of_dot(begins_next, _start, may_lack=True)),
    _plant("next_dot", "next_dot_target", _of_dot(begins_next, _target, may_lack=True)),
    _plant("hourly_dot", "hourly_dot_mw", _of_dot(in_force, _mw, HOURLY_TYPES)),
    _plant("hourly_dot", "hourly_dot_start", _of_dot(in_force, _start, HOURLY_TYPES)),
    _plant("hourly_dot", "hourly_dot_end", _of_dot(in_force, _end, HOURLY_TYPES)),
    _plant("trajectory", "trajectory_mw", _trajectory),
    _plant("latest_dop", "latest_dop_mw", _latest_dop_mw),
    _plant("latest_dop", "latest_dop_target", _latest_dop_target),
    _classic("10003", "40001", _latest_dop_mw),
    _plant("lmp_active", "lmp_active_usd_per_mwh", _active_price, "price"),
    _plant("lmp_published", "lmp_published_usd_per_mwh", _published_price, "price"),
    _classic("10006", "40051", _newest_price, "price"),
)
"""Of each register that reads good by a quality or a flag of its own. The parts of a price are not of the simulator's say."""
