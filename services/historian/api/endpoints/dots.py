"""/v1/dot/latest, /v1/dot: the DOTs that count."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from dotbus.contracts.schedules import Schedule
from historian.api.exchange.documented import pages_of
from historian.api.exchange.exchange import Ask
from historian.api.exchange.parameters import PageParameters, RangeParameters, SpanAsked
from historian.api.exchange.scope import PlantAsked, ResourcesAsked, whose_of
from historian.api.questions.dots import DOT_COLUMNS, LATEST_COLUMNS, dots, latest_dots
from historian.api.questions.spans import Span
from historian.api.request.times import range_of

router = APIRouter(tags=["DOTs"])
ScheduleAsked = Annotated[
    Schedule | None,
    Query(description="five-minute or hourly; both, each by itself, if not said. The one never stands for the other."),
]


class LatestAsked(PageParameters):
    """What may be said of the latest."""

    plant: PlantAsked = None
    resource: ResourcesAsked = ()
    schedule: ScheduleAsked = None


class DotsAsked(RangeParameters):
    """What may be said of a range."""

    plant: PlantAsked = None
    resource: ResourcesAsked = ()
    schedule: ScheduleAsked = None
    by: SpanAsked = Span.OVERLAP


@router.get("/v1/dot/latest", responses=pages_of(LATEST_COLUMNS), response_class=Response)
async def get_latest_dots(asked: Annotated[LatestAsked, Query()], ask: Ask) -> Response:
    """Of each resource the DOT with the latest start. Whether it is in force now stands beside it."""
    whose = await whose_of(ask, asked.plant, asked.resource)
    question = latest_dots(whose, _schedules(asked.schedule), ask.clock(asked.tz).now)
    return await ask.answer(question, asked)


@router.get("/v1/dot", responses=pages_of(DOT_COLUMNS), response_class=Response)
async def get_dots(asked: Annotated[DotsAsked, Query()], ask: Ask) -> Response:
    """The DOTs that count, interval by interval, as CAISO's last word has them."""
    whose = await whose_of(ask, asked.plant, asked.resource)
    times = range_of(asked.start, asked.end, ask.clock(asked.tz), ask.context.settings.longest_range)
    return await ask.answer(dots(whose, _schedules(asked.schedule), times, asked.by), asked)


def _schedules(one: Schedule | None) -> tuple[Schedule, ...]:
    return tuple(Schedule) if one is None else (one,)
