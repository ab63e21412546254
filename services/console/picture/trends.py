"""Trends: what the console has itself heard of each resource in the last hours, in bounded memory, and what is ahead. Pure.

No database is asked: after a start a trend begins anew. What moves is sampled; DOTs and prices are kept as the intervals that
they hold for, so a step stands where CAISO put it.
"""

from array import array
from bisect import bisect_right
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from math import isnan
from typing import Final, Self

import msgspec

from console.following import Following, ResourceKey
from console.picture.parts import Shown, ShownResource
from console.picture.resources import Asked
from dotbus.contracts.messages import DotInterval, NodePrice, Trajectory
from dotbus.contracts.topics import Topics
from dotbus.judging.judge import Judged, judge_dots, judge_prices, judge_trajectory
from dotbus.judging.received import Received
from dotbus.runtime.installation.modbus import Modbus
from dotbus.setpoints.timeline import timelines_of

KEPT: Final = timedelta(hours=24)
EVERY_S: Final = 10.0
SAMPLES_MOST: Final = int(KEPT.total_seconds() / EVERY_S)
INTERVALS_MOST: Final = 4 * 24 * 60
"""Of a resource: one each 15 seconds for a day, oftener than any market has them."""
RESOURCES_MOST: Final = 500
"""Of which a trend is kept: 250 kB each at the end of a day."""
_NOTHING: Final = float("nan")
_LEVELS: Final = {"bad": 0.0, "uncertain": 1.0, "good": 2.0}
_COLUMNS: Final = {"at": 1, "set_point_mw": 3, "trajectory_mw": 3, "actual_mw": 3, "level": 0}
"""What is kept, each with its digits behind the point: kilowatts, and a tenth of a second."""


class Interval(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What holds from a time until another, seconds since 1970; null where there is no value."""

    start: float
    end: float
    value: float | None


class Point(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A value at a time."""

    at: float
    value: float


class ShownTrend(msgspec.Struct, frozen=True, kw_only=True):
    """A resource's trend as a page gets it.

    Attributes:
        since: when the console began to hear of it; null before.
        samples: columns of one length: at, set_point_mw, trajectory_mw, actual_mw, level (0 bad, 1 uncertain, 2 good); a value
            that was bad is null.
        dots: those that were in force, then those ahead.
        prices: the same of the price.
        trajectory_ahead: its points to come.
    """

    since: float | None
    samples: dict[str, list[float | None]]
    dots: list[Interval]
    prices: list[Interval]
    trajectory_ahead: list[Point]


class Ahead(msgspec.Struct, frozen=True):
    """What was said of the time to come, nothing that is bad."""

    dots: list[Interval]
    prices: list[Interval]
    trajectory: list[Point]

    @classmethod
    def of(cls, asked: Asked, received: Received, topics: Topics, judging: Modbus, now: datetime) -> Self:
        """Of a resource."""
        names, at = (asked.member.plant, asked.member.resource.id), now.timestamp()
        dots = judge_dots(received, topics.dot(*names), judging.stale_after_s, now)
        of_schedule = timelines_of(dots.said)[asked.member.resource.schedule].intervals
        curve = judge_trajectory(received, topics.trajectory(*names), judging.stale_after_s, now)
        held = [dots.by_said[one] for one in of_schedule]
        prices = _prices(asked, received, topics, judging, now)
        return cls(
            _coming((one.said.interval_start, one.said.interval_end, one.said.dot_mw) for one in held if _counts(one, at)),
            _coming(
                (one.said.interval_start, one.said.interval_end, one.said.lmp_usd_per_mwh) for one in prices if _counts(one, at)
            ),
            [] if curve.quality().is_bad else _points(curve.said, at),
        )


class Trend:
    """What is kept of one resource."""

    def __init__(self) -> None:
        self._columns = {name: array("d") for name in _COLUMNS}
        self._dots: dict[float, Interval] = {}
        self._prices: dict[float, Interval] = {}

    def needs_price(self, shown: ShownResource) -> bool:
        """Whether a price holds of whose interval nothing is kept yet."""
        return shown.price_start is not None and shown.price_start not in self._prices

    def keep_prices(self, prices: Iterable[Interval], now: datetime) -> None:
        """Keep the price that holds now with its interval."""
        for one in prices:
            if one.start <= now.timestamp() < one.end:
                self._keep(self._prices, one)

    def note(self, shown: ShownResource, now: datetime) -> None:
        """Keep what is shown now; a sample each `EVERY_S` and whenever the quality changes."""
        at = now.timestamp()
        dot = shown.dot
        if dot.start is not None and dot.end is not None and dot.mw.value is not None:  # once bad, what was asked before stays
            self._keep(self._dots, Interval(dot.start, dot.end, dot.mw.value))
        if self._is_due(at, _LEVELS[shown.level]):
            values = (at, *map(_value, (shown.set_point, shown.trajectory, shown.actual)), _LEVELS[shown.level])
            for (name, digits), value in zip(_COLUMNS.items(), values, strict=True):
                self._columns[name].append(round(value, digits))
            self._forget(at)

    def show(self, coming: Ahead, after: float) -> ShownTrend:
        """All that was after a time, and what is ahead. What was said anew of an interval counts."""
        times = self._columns["at"]
        first = bisect_right(times, after)
        return ShownTrend(
            since=times[0] if times else None,
            samples={name: [_or_none(value) for value in column[first:]] for name, column in self._columns.items()},
            dots=_joined(self._dots, coming.dots, after),
            prices=_joined(self._prices, coming.prices, after),
            trajectory_ahead=coming.trajectory,
        )

    def _is_due(self, at: float, level: float) -> bool:
        times = self._columns["at"]
        return not times or at - times[-1] >= EVERY_S or at < times[-1] or level != self._columns["level"][-1]

    def _forget(self, at: float) -> None:
        """What is too old, in larger pieces: each costs a copy. A clock that was set back leaves nothing of its future."""
        times = self._columns["at"]
        is_set_back = len(times) > 1 and times[-2] > at
        over = len(times) - 1 if is_set_back else len(times) - SAMPLES_MOST if len(times) >= SAMPLES_MOST * 1.05 else 0
        if over:
            for name, column in self._columns.items():
                self._columns[name] = column[over:]

    @staticmethod
    def _keep(kept: dict[float, Interval], one: Interval) -> None:
        kept[one.start] = one
        while len(kept) > INTERVALS_MOST:
            del kept[min(kept)]


def _prices(asked: Asked, received: Received, topics: Topics, judging: Modbus, now: datetime) -> tuple[Judged[NodePrice], ...]:
    if asked.price is None:
        return ()
    topic = topics.lmp(asked.price.market, asked.price.node)
    return judge_prices(received, topic, judging.price_stale_after_s, now).parts


def _counts(one: Judged[DotInterval] | Judged[NodePrice], at: float) -> bool:
    """Whether something is not over and may be believed."""
    return one.said.interval_end.timestamp() > at and not one.quality().is_bad


def _coming(intervals: Iterable[tuple[datetime, datetime, float | None]]) -> list[Interval]:
    return sorted(
        (Interval(start.timestamp(), end.timestamp(), value) for start, end, value in intervals), key=lambda one: one.start
    )


def _points(curve: Trajectory | None, at: float) -> list[Point]:
    points = curve.points if curve else ()
    return [Point(point.target_at.timestamp(), point.dop_mw) for point in points if point.target_at.timestamp() > at]


def _value(shown: Shown | None) -> float:
    return _NOTHING if shown is None or shown.value is None else shown.value


def _or_none(value: float) -> float | None:
    return None if isnan(value) else value


def _joined(kept: Mapping[float, Interval], coming: Iterable[Interval], after: float) -> list[Interval]:
    """Intervals by their start; one that holds now is known as it is in force."""
    both = {one.start: one for one in coming} | dict(kept)
    return [both[start] for start in sorted(both) if both[start].end > after]


class Trends:
    """The trends of all resources.

    Args:
        following: what came.
        judging: how values are judged.
    """

    def __init__(self, following: Following, judging: Modbus) -> None:
        self._following = following
        self._judging = judging
        self._trends: dict[ResourceKey, Trend] = {}

    def note(self, asked: Asked, shown: ShownResource, now: datetime) -> None:
        """Keep what a resource shows now."""
        key = (shown.plant, shown.resource)
        if key not in self._trends and len(self._trends) >= RESOURCES_MOST:
            return
        trend = self._trends.setdefault(key, Trend())
        if trend.needs_price(shown):
            trend.keep_prices(self._ahead(asked, now).prices, now)
        trend.note(shown, now)

    def show(self, asked: Asked, after: datetime, now: datetime) -> ShownTrend:
        """A resource's trend."""
        trend = self._trends.get((asked.member.plant, asked.member.resource.id), Trend())
        return trend.show(self._ahead(asked, now), after.timestamp())

    def _ahead(self, asked: Asked, now: datetime) -> Ahead:
        return Ahead.of(asked, self._following.received, self._following.topics, self._judging, now)
