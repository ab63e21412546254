"""/v1/set-point, /v1/trajectory: what a resource was asked at moments of a range, and the points of its curve."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from functools import partial
from typing import Annotated, Final, Self, cast

from fastapi import APIRouter, Query, Response

from historian.api.calculated.curves import POINT_COLUMNS, TRAJECTORY_COLUMNS, points, values_now, values_then
from historian.api.calculated.day import moments
from historian.api.calculated.known import known_now, known_then
from historian.api.calculated.set_points import SET_POINT_COLUMNS, set_points
from historian.api.exchange.documented import pages_of
from historian.api.exchange.exchange import Ask, Exchange
from historian.api.exchange.parameters import IN_DIGITS, RangeParameters, Text
from historian.api.exchange.scope import one_resource
from historian.api.exchange.subject import DISPATCH, TRAJECTORY, Subject
from historian.api.formats.json_page import page_with
from historian.api.problems import Problem, Sort
from historian.api.questions.given import given
from historian.api.questions.question import Question
from historian.api.reading import Reading, Row
from historian.api.request.pages import after_of
from historian.api.request.times import Range, range_of, shown_in

router = APIRouter(tags=["set-points"])
_SET_POINTS = Question("set-points", {}, SET_POINT_COLUMNS, key=("time",))
_TRAJECTORY = Question("trajectory", {}, TRAJECTORY_COLUMNS, key=("time",))
_POINTS = Question("points", {}, POINT_COLUMNS)
_DAY_S = 86_400
LONGEST: Final = timedelta(days=8)
"""All that CAISO told of so long a time is held in memory."""
MOST_MOMENTS: Final = 25 * 3600
"""Of one stream: the longest trade date, second by second. Pages go on without an end."""


class AsKnown(StrEnum):
    """As of when CAISO's words count."""

    THEN = "then"
    NOW = "now"


_KNOWN = Query(
    description="then: by what had been told by each moment, and whether a source heard CAISO, which is what a gateway showed;"
    " now: by all that CAISO has told until today."
)
_STEP = Query(gt=0, le=_DAY_S, description="From moment to moment.")


class MomentsAsked(RangeParameters):
    """What may be said."""

    resource: Annotated[Text, Query(description="CAISO's resource ID.")]
    known: Annotated[AsKnown, _KNOWN] = AsKnown.THEN


class SetPointAsked(MomentsAsked):
    """What may be said of set-points."""

    step_s: Annotated[int, _STEP, IN_DIGITS] = 60


class TrajectoryAsked(MomentsAsked):
    """What may be said of trajectories."""

    step_s: Annotated[
        int | None, Query(gt=0, le=_DAY_S, description="From moment to moment; the points if not said."), IN_DIGITS
    ] = None


@dataclass(frozen=True)
class _Steps:
    """The moments of one page, and whether others follow."""

    times: Range
    step: timedelta
    is_last: bool

    @classmethod
    def of(cls, asked: MomentsAsked, step_s: int, question: Question, ask: Exchange) -> Self:
        whole, step = _range(asked, ask), timedelta(seconds=step_s)
        after = after_of(question, asked.page)
        start = whole.start if after is None else max(cast("datetime", after[0]) + step, whole.start)
        if ask.is_streamed and not asked.model_fields_set & {"limit", "page"}:
            return cls(_bounded(_at_once(Range(start, whole.end)), step), step, is_last=True)
        end = min(start + asked.limit * step, start + LONGEST // step * step, whole.end)
        return cls(Range(start, max(start, end)), step, end >= whole.end)

    def __iter__(self) -> Iterator[datetime]:
        return moments(self.times, self.step)


@router.get("/v1/set-point", responses=pages_of(SET_POINT_COLUMNS), response_class=Response)
async def get_set_points(asked: Annotated[SetPointAsked, Query()], ask: Ask) -> Response:
    """The set-point of a resource at each moment, beside the DOT in force. What is in doubt is null, with its reasons."""
    subject = Subject.of(ask, await one_resource(ask, asked.resource))
    steps = _Steps.of(asked, asked.step_s, _SET_POINTS, ask)

    def rows(reading: Reading) -> Iterable[Row]:
        events = subject.dispatches(reading, steps.times)
        if asked.known is AsKnown.NOW:
            now = known_now(events, subject.schedule, steps.times, reading.go_on)
            return set_points(now, steps, None, subject.limits)
        hearing = subject.hearing(reading, DISPATCH, steps.times)
        then = known_then(events, subject.schedule, steps.times, reading.go_on)
        return set_points(then, steps, hearing, subject.limits)

    return await _told(ask, asked, _SET_POINTS, rows, is_last=steps.is_last)


@router.get("/v1/trajectory", responses=pages_of(POINT_COLUMNS, TRAJECTORY_COLUMNS), response_class=Response)
async def get_trajectory(asked: Annotated[TrajectoryAsked, Query()], ask: Ask) -> Response:
    """The trajectory of a resource: its points, put together from all batches; with `step_s` its value at each moment."""
    subject = Subject.of(ask, await one_resource(ask, asked.resource))
    if asked.step_s is None:
        times = _at_once(_range(asked, ask))
        return await _told(ask, asked, _POINTS, partial(_points, subject, times), is_last=True)
    steps = _Steps.of(asked, asked.step_s, _TRAJECTORY, ask)

    def rows(reading: Reading) -> Iterable[Row]:
        events = subject.trajectories(reading, steps.times)
        if asked.known is AsKnown.NOW:
            return values_now(reading.each(events), steps, subject.limits)
        hearing = subject.hearing(reading, TRAJECTORY, steps.times)
        return values_then(events, steps, hearing, subject.limits, subject.curve_stale_after, reading.go_on)

    return await _told(ask, asked, _TRAJECTORY, rows, is_last=steps.is_last)


def _at_once(times: Range) -> Range:
    if times.length > LONGEST:
        said = f"this is put together for {LONGEST.days} days at once: ask in parts, or for moments in pages"
        raise Problem(Sort.BAD_RANGE, said)
    return times


def _bounded(times: Range, step: timedelta) -> Range:
    if times.length / step > MOST_MOMENTS:
        many = round(times.length / step)
        said = f"{many} moments are asked for; at most {MOST_MOMENTS} at once: say a longer step_s, or a shorter range"
        raise Problem(Sort.BAD_RANGE, said)
    return times


def _points(subject: Subject, times: Range, reading: Reading) -> Iterable[Row]:
    return points(reading.each(subject.trajectories(reading, times)), times)


async def _told(
    ask: Exchange, asked: MomentsAsked, question: Question, rows: Callable[[Reading], Iterable[Row]], *, is_last: bool
) -> Response:
    told: Sequence[Row] = await ask.read(lambda reading: list(reading.each(rows(reading))))
    if ask.is_streamed:
        return ask.stream(given(question, told), asked)
    return ask.tell(page_with(question, told, shown_in(asked.tz), is_last=is_last))


def _range(asked: RangeParameters, ask: Exchange) -> Range:
    return range_of(asked.start, asked.end, ask.clock(asked.tz), ask.context.settings.longest_range)
