"""Set-points: what a resource was asked at any moment, beside the DOT in force, with its quality (pure).

The values are those of the gateway's own functions, each as good as a gateway could have known. What is in doubt is null here,
with the reasons: in a table of the past nobody looks at each quality. A value outside of limits is what CAISO asked, and stays.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple

from dotbus.contracts.messages import DotInterval
from dotbus.contracts.quality import Level, Quality, Reason
from dotbus.setpoints.setpoint import RampPoint, against_dots, against_ramp, ramp_now, within
from historian.api.calculated.hearing import Hearing
from historian.api.calculated.known import Known
from historian.api.questions.question import Column, Kind
from historian.api.questions.shown import columns_of
from historian.api.request.times import Range

_BELIEVED: Final = {Reason.OUT_OF_LIMITS}
"""What speaks against a value and not against that CAISO asks it."""
_OF_DOT = columns_of("dot_latest", "interval_start interval_end target_at batch_uid instruction_uid")
SET_POINT_COLUMNS = (
    Column("time", Kind.TIME, "", "The moment."),
    Column(
        "set_point_mw",
        Kind.NUMBER,
        "MW",
        "The instantaneous set-point on the ramp; null while there is none or it is in doubt.",
    ),
    Column("slope_mw_per_min", Kind.NUMBER, "MW/min", "How steep the ramp is; 0 where it is held."),
    Column("quality", Kind.INTEGER, "", "OPC quality of the set-point: 192 good, 64 uncertain, 0 bad."),
    Column("reasons", Kind.TEXTS, "", "What speaks against the set-point, by the names of docs/quality.md."),
    Column("dot_mw", Kind.NUMBER, "MW", "The DOT in force; null while there is none or it is in doubt."),
    Column("dot_quality", Kind.INTEGER, "", "The same of the DOT."),
    Column("dot_reasons", Kind.TEXTS, "", "The same of the DOT."),
    Column("above_dot_mw", Kind.NUMBER, "MW", "Set-point less DOT; null unless both are known."),
    *_OF_DOT,
)


@dataclass(frozen=True)
class Limits:
    """What a resource can do, where the installation says it: beyond it a value is marked."""

    pmin_mw: float | None = None
    pmax_mw: float | None = None
    ramp_mw_per_min: float | None = None


@dataclass(frozen=True)
class SetPointAt:
    """What a resource was asked at a moment.

    Attributes:
        point: the ramp there, None while no DOT was in force.
        dot: the one in force.
        quality: of the set-point.
        dot_quality: of the DOT.
    """

    point: RampPoint | None
    dot: DotInterval | None
    quality: Quality
    dot_quality: Quality

    @property
    def set_point_mw(self) -> float | None:
        """The set-point, None while there is none or it is in doubt."""
        return self.point.set_point_mw if self.point and set(self.quality.reasons) <= _BELIEVED else None

    @property
    def dot_mw(self) -> float | None:
        """The DOT, None while there is none or it is in doubt."""
        return self.dot.dot_mw if self.dot and set(self.dot_quality.reasons) <= _BELIEVED else None


def asked_at(moment: datetime, known: Known, hearing: Hearing | None, limits: Limits) -> SetPointAt:
    """What a resource was asked at a moment of a stretch. Without a hearing it is no matter whether anybody heard it."""
    against = {*(hearing.against(moment) if hearing else ()), *([Reason.INCOMPLETE] if known.is_undecided else [])}
    point, dot = ramp_now(known.timeline, moment), known.timeline.in_force(moment)
    if point is None or dot is None:
        nothing = Quality.of({*against, Reason.EXPIRED})
        return SetPointAt(None, None, nothing, nothing)
    outside = [] if within(dot.dot_mw, limits.pmin_mw, limits.pmax_mw) else [Reason.OUT_OF_LIMITS]
    of_ramp = against_ramp(point, limits.pmin_mw, limits.pmax_mw, limits.ramp_mw_per_min)
    return SetPointAt(
        point,
        dot,
        Quality.of({*against, *of_ramp, *_against(known, point.through)}),
        Quality.of({*against, *outside, *_against(known, [dot])}),
    )


def _against(known: Known, used: Sequence[DotInterval]) -> list[Reason]:
    is_undecided = not known.undecided.isdisjoint(dot.batch_uid for dot in used)
    return [*against_dots(known.timeline, used), *([Reason.INCOMPLETE] if is_undecided else [])]


def set_points(
    stretches: Iterable[Known], moments: Iterable[datetime], hearing: Hearing | None, limits: Limits
) -> Iterator[tuple[object, ...]]:
    """A row of `SET_POINT_COLUMNS` for each moment; both in their order, and every moment within a stretch."""
    following = iter(stretches)
    known = None
    for moment in moments:
        while known is None or moment >= known.during.end:
            known = next(following)
        yield _row(moment, asked_at(moment, known, hearing, limits))


def _row(moment: datetime, asked: SetPointAt) -> tuple[object, ...]:
    set_point_mw, dot_mw, dot = asked.set_point_mw, asked.dot_mw, asked.dot
    return (
        moment,
        set_point_mw,
        asked.point.slope_mw_per_min if asked.point and set_point_mw is not None else None,
        int(asked.quality.level),
        [str(reason) for reason in asked.quality.reasons],
        dot_mw,
        int(asked.dot_quality.level),
        [str(reason) for reason in asked.dot_quality.reasons],
        None if set_point_mw is None or dot_mw is None else set_point_mw - dot_mw,
        *((dot.interval_start, dot.interval_end, dot.target_at, dot.batch_uid, dot.instruction_uid) if dot else [None] * 5),
    )


class Doubt(NamedTuple):
    """A stretch of time in which the quality was less than good, for the same reasons."""

    during: Range
    quality: Quality


def doubts(stretches: Iterable[Known], hearing: Hearing | None, limits: Limits) -> list[Doubt]:
    """Where the set-point was less than good, and why. Whether it is beyond limits is looked at where something else turns."""
    found: list[Doubt] = []
    turns = sorted(hearing.turns()) if hearing else []
    for known in stretches:
        for during in _between(known, turns):
            quality = asked_at(during.start, known, hearing, limits).quality
            if found and found[-1].quality == quality and found[-1].during.end == during.start:
                found[-1] = Doubt(Range(found[-1].during.start, during.end), quality)
            elif quality.level is not Level.GOOD:
                found.append(Doubt(during, quality))
    return found


def _between(known: Known, turns: Sequence[datetime]) -> Iterator[Range]:
    at, end = known.during.start, known.during.end
    while at < end:
        turn, place = known.timeline.next_turn(at), bisect_right(turns, at)
        until = min(end, turn or end, *turns[place : place + 1])
        yield Range(at, until)
        at = until
