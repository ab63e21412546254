"""The predecessor's paths: /row-count, /time-ranges, /lmp, /lmp/{node}, /lmp/mean/{node}/{day_of_week}."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from enum import StrEnum
from functools import partial
from typing import Annotated, Any, cast

import msgspec
from fastapi import APIRouter, Path, Query, Response

from dotbus.runtime.installation.toml_values import Market
from historian.api.endpoints.nodes import require_nodes
from historian.api.exchange.documented import answers, row_schema
from historian.api.exchange.exchange import Ask, Exchange
from historian.api.exchange.formatted import json_answer
from historian.api.exchange.parameters import IN_DIGITS, Parameters, Text
from historian.api.formats.json_page import objects, rows_of
from historian.api.questions.nodes import nodes
from historian.api.questions.predecessor import (
    COUNT,
    PRICE_COLUMNS,
    RANGES,
    WEEKDAYS,
    mean_of_weekday,
    parts_of,
    prices_of_node,
)
from historian.api.questions.question import Question
from historian.api.reading import Reading, Row
from historian.api.request.pages import MOST_CHARACTERS, MOST_ROWS, after_of, next_page
from historian.api.request.times import Range, first_trade_day_from, instant_of, range_of, shown_in, trade_date_of, trade_day

router = APIRouter(tags=["as caiso_connector had them"])
DayOfWeek = StrEnum("DayOfWeek", {day: day for day in WEEKDAYS})  # type: ignore[misc]  # mypy wants the names spelt out
Node = Annotated[Text, Path(description="CAISO's name of the node.")]


class TimesParameters(Parameters):
    """A question about all that is kept, or a part of it."""

    market: Annotated[Market, Query(description="Which market; the predecessor had day-ahead prices.")] = Market.DAM
    start: Annotated[Text | None, Query(description="Start of a range of time, as long as one may be asked for at once.")] = (
        None
    )
    end: Annotated[
        Text | None, Query(description="Its end, which does not belong to it; a range before it without a start.")
    ] = None


class PricesAsked(TimesParameters):
    """The same in pages."""

    limit: Annotated[int, Query(ge=1, le=MOST_ROWS, description="Rows of a page."), IN_DIGITS] = MOST_ROWS
    page: Annotated[
        str | None, Query(max_length=MOST_CHARACTERS, description="As the Link header of the page before says.")
    ] = None


def _object(**properties: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "object", "required": list(properties), "properties": properties}


_MAYBE_TIME = {"type": ["string", "null"], "format": "date-time"}


@router.get(
    "/row-count", responses=answers(_object(**{"row-count": {"type": "integer"}}), "How many."), response_class=Response
)
async def get_row_count(asked: Annotated[Parameters, Query()], ask: Ask) -> Response:
    """How many prices are kept, every revision."""
    row = await _one(ask, asked, COUNT)
    return _json({"row-count": row["row_count"]})


@router.get(
    "/time-ranges",
    responses=answers(_object(**{"oldest timestamp": _MAYBE_TIME, "newest timestamp": _MAYBE_TIME}), "From when to when."),
    response_class=Response,
)
async def get_time_ranges(asked: Annotated[Parameters, Query()], ask: Ask) -> Response:
    """The first and the last interval of which prices are kept, of any market; null where none are."""
    row = await _one(ask, asked, RANGES)
    return _json({"oldest timestamp": row["oldest"], "newest timestamp": row["newest"]})


@router.get(
    "/lmp",
    responses=answers(_object(regions={"type": "array", "items": {"type": "string"}}), "Names."),
    response_class=Response,
)
async def get_lmp(asked: Annotated[Parameters, Query()], ask: Ask) -> Response:  # noqa: ARG001  # refuses what it does not know
    """The names of all nodes of which prices are kept."""
    question = nodes(None)
    rows = await ask.read(lambda reading: reading.rows(question.sql, question.parameters))
    return _json({"regions": sorted(str(node) for (node,) in rows)})


@router.get(
    "/lmp/{node}",
    responses=answers({"type": "array", "items": row_schema(PRICE_COLUMNS)}, "Prices, by time."),
    response_class=Response,
)
async def get_lmp_of_node(node: Node, asked: Annotated[PricesAsked, Query()], ask: Ask) -> Response:
    """All prices of a node as they are known now. More than a page are followed by the Link header."""
    times = _times(ask, asked)
    await require_nodes(ask, [node])
    times = times or await _kept(ask)
    of_range = partial(prices_of_node, ask.environment, str(asked.market), node)
    question = of_range(times)
    after = after_of(question, asked.page)
    rest = replace(times, start=max(times.start, cast("datetime", after[0]))) if after else times
    parts = (of_range(part) for part in parts_of(rest))
    told, is_last = await ask.read(partial(_page, parts=parts, limit=asked.limit, after=after))
    body = msgspec.json.encode(objects(question, told, shown_in(asked.tz)))
    return json_answer(ask.request, body, ask.links(None if is_last else next_page(question, told[-1])))


@router.get(
    "/lmp/mean/{node}/{day_of_week}",
    responses=answers(
        _object(
            region={"type": "string"},
            day={"type": "string"},
            mean_lmp={"type": ["number", "null"], "description": "USD/MWh; null where there is no price."},
            market={"type": "string"},
            covered_s={"type": "number", "description": "How much time the mean is of."},
            start={"type": "string", "format": "date-time", "description": "Start of the range that was looked at."},
            end={"type": "string", "format": "date-time", "description": "Its end, which does not belong to it."},
        ),
        "A mean.",
    ),
    response_class=Response,
)
async def get_lmp_mean(node: Node, day_of_week: DayOfWeek, asked: Annotated[TimesParameters, Query()], ask: Ask) -> Response:
    """The mean price of a node over all trade dates of a weekday, weighted by the length of intervals.

    It is of the range that is said; else of the last that is kept, as long as one may be asked for at once.
    """
    times = _times(ask, asked)
    await require_nodes(ask, [node])
    if times is None:
        kept = await _kept(ask)
        times = replace(kept, start=max(kept.start, first_trade_day_from(kept.end - ask.context.settings.longest_range)))
    row = await _one(ask, asked, mean_of_weekday(ask.environment, str(asked.market), node, str(day_of_week), times))
    told = {"region": node, "day": str(day_of_week), "mean_lmp": row["mean_lmp"]}
    shown = shown_in(asked.tz)
    range_told = {"start": shown(times.start), "end": shown(times.end)}
    return _json({**told, "market": str(asked.market), "covered_s": row["covered_s"], **range_told})


def _times(ask: Exchange, asked: TimesParameters) -> Range | None:
    """The range that is asked for; None is all that is kept."""
    clock, longest = ask.clock(asked.tz), ask.context.settings.longest_range
    if asked.start is not None:
        return range_of(asked.start, asked.end, clock, longest)
    if asked.end is None:
        return None
    end = instant_of("end", asked.end, clock)
    return Range(end - longest, end)


async def _kept(ask: Exchange) -> Range:
    """From the first interval of which prices are kept to the end of the last one's trade date."""
    bound = {"environment": ask.environment}
    ((oldest, newest),) = await ask.read(lambda reading: reading.rows(RANGES.sql, bound))
    if not isinstance(oldest, datetime) or not isinstance(newest, datetime):
        return Range(ask.context.clock(), ask.context.clock())
    return Range(oldest, trade_day(trade_date_of(newest)).end)


def _page(
    reading: Reading, parts: Iterator[Question], limit: int, after: tuple[object, ...] | None
) -> tuple[Sequence[Row], bool]:
    """The rows of a page, part after part until it is full, and whether they are the last ones."""
    told: list[Row] = []
    for part in parts:
        told += rows_of(reading, part, limit + 1 - len(told), after)[0]
        if len(told) > limit:
            return told[:limit], False
    return told, True


async def _one(ask: Exchange, asked: Parameters, question: Question) -> dict[str, object]:
    bound = replace(question, parameters={"environment": ask.environment, **question.parameters})
    (row,) = await ask.read(lambda reading: reading.rows(bound.sql, bound.parameters))
    shown = shown_in(asked.tz)
    names = (column.name for column in bound.columns)
    return {name: shown(value) if isinstance(value, datetime) else value for name, value in zip(names, row, strict=True)}


def _json(document: Mapping[str, object]) -> Response:
    return Response(msgspec.json.encode(document), media_type="application/json")
