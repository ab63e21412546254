"""Day: the energy that a resource was instructed in a range of time, and what that was worth (pure).

It is that of the DOTs in force, as everybody knows them today: each holds from the start of its interval to its end, or until
another takes its place. Of a time without a DOT, or with one in doubt, the energy is not known, and nothing stands for it.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import fsum
from typing import Protocol, TypeVar

from dotbus.contracts.messages import DotInterval
from dotbus.setpoints.setpoint import against_dots
from historian.api.calculated.known import Known
from historian.api.request.times import Range

_HOUR_S = 3600


@dataclass(frozen=True)
class Held:
    """A stretch of time with one DOT in force.

    Attributes:
        during: the stretch.
        dot_mw: the DOT.
    """

    during: Range
    dot_mw: float

    @property
    def mw_s(self) -> float:
        """The energy of it, in megawatt-seconds: whole numbers stay whole until the end."""
        return self.dot_mw * self.during.length.total_seconds()


@dataclass(frozen=True)
class Price:
    """A price of an interval; None where the market has none."""

    during: Range
    usd_per_mwh: float | None


@dataclass(frozen=True)
class Measured:
    """A stretch of time of which a plant said what it generates."""

    during: Range
    actual_mw: float


@dataclass(frozen=True)
class Deviation:
    """What was generated beside what was instructed.

    Attributes:
        compared_s: how long both are known.
        actual_mwh: of that time; None when there is none.
        deviation_mwh: actual less instructed; above and below cancel each other.
        absolute_deviation_mwh: above and below added.
    """

    compared_s: float
    actual_mwh: float | None
    deviation_mwh: float | None
    absolute_deviation_mwh: float | None


@dataclass(frozen=True)
class Energy:
    """What was instructed, and what it was worth.

    Attributes:
        instructed_mwh: of the time that is known; None when none is.
        known_s: how long a DOT was in force that is not in doubt.
        priced_mwh: of what was instructed, that which has a price; None when none has.
        unpriced_s: how long a DOT was in force that has no price.
        worth_usd: energy at the price of its interval; None when none has a price.
    """

    instructed_mwh: float | None
    known_s: float
    priced_mwh: float | None
    unpriced_s: float
    worth_usd: float | None


def held_dots(stretches: Iterable[Known]) -> Iterator[Held]:
    """The DOTs in force one after the other, without those in doubt."""
    for known in stretches:
        if not known.is_undecided:
            for during, dot in known.timeline.held(known.during.start, known.during.end):
                if not _is_in_doubt(known, dot):
                    yield Held(Range(*during), dot.dot_mw)


def _is_in_doubt(known: Known, dot: DotInterval) -> bool:
    return dot.batch_uid in known.undecided or bool(against_dots(known.timeline, [dot]))


def energy(held: Sequence[Held], prices: Sequence[Price]) -> Energy:
    """What DOTs come to, at the prices of a market's intervals."""
    parts = [
        (Held(_common(one.during, price.during), one.dot_mw), price.usd_per_mwh) for one, price in _overlapping(held, prices)
    ]
    priced = [(part, usd) for part, usd in parts if usd is not None]
    known_s = _seconds(one.during for one in held)
    return Energy(
        instructed_mwh=fsum(one.mw_s for one in held) / _HOUR_S if held else None,
        known_s=known_s,
        priced_mwh=fsum(part.mw_s for part, _ in priced) / _HOUR_S if priced else None,
        unpriced_s=known_s - _seconds(part.during for part, _ in priced),
        worth_usd=fsum(part.mw_s * usd for part, usd in priced) / _HOUR_S if priced else None,
    )


def deviation(held: Sequence[Held], measured: Sequence[Measured]) -> Deviation:
    """What was generated beside the DOTs in force, of the time of which both are known."""
    parts = [
        (_common(one.during, said.during).length.total_seconds(), one.dot_mw, said.actual_mw)
        for one, said in _overlapping(held, measured)
    ]
    if not parts:
        return Deviation(0.0, None, None, None)
    return Deviation(
        compared_s=fsum(seconds for seconds, _, _ in parts),
        actual_mwh=fsum(seconds * actual for seconds, _, actual in parts) / _HOUR_S,
        deviation_mwh=fsum(seconds * (actual - dot) for seconds, dot, actual in parts) / _HOUR_S,
        absolute_deviation_mwh=fsum(seconds * abs(actual - dot) for seconds, dot, actual in parts) / _HOUR_S,
    )


class _Lasting(Protocol):
    @property
    def during(self) -> Range: ...


_Other = TypeVar("_Other", bound=_Lasting)


def _overlapping(held: Sequence[Held], others: Sequence[_Other]) -> Iterator[tuple[Held, _Other]]:
    """Each DOT with each other of its time; both are in the order of time and none overlaps another of its kind."""
    first = 0
    for one in held:
        while first < len(others) and others[first].during.end <= one.during.start:
            first += 1
        for i in range(first, len(others)):
            if others[i].during.start >= one.during.end:
                break
            yield one, others[i]


def _common(one: Range, other: Range) -> Range:
    return Range(max(one.start, other.start), min(one.end, other.end))


def _seconds(ranges: Iterable[Range]) -> float:
    return sum((one.length for one in ranges), timedelta()).total_seconds()


def moments(times: Range, step: timedelta) -> Iterator[datetime]:
    """The moments of a range, step by step from its start."""
    for number in range(-(-times.length // step)):
        yield times.start + number * step
