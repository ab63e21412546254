"""/v1/plants/{plant}/days/{date}: a plant's trade date in few numbers."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import timedelta
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Path, Query, Response

from dotbus.contracts.quality import Level
from dotbus.runtime.installation.installation import Resource
from historian.api.calculated.day import Deviation, Energy, deviation, energy, held_dots
from historian.api.calculated.known import known_now, known_then
from historian.api.calculated.set_points import Doubt, doubts
from historian.api.exchange.documented import answers, row_schema
from historian.api.exchange.exchange import Ask, Exchange
from historian.api.exchange.formatted import json_answer
from historian.api.exchange.parameters import Parameters
from historian.api.exchange.scope import plants_of, require_plant
from historian.api.exchange.subject import DISPATCH, Subject
from historian.api.problems import Problem, Sort
from historian.api.questions.plants import those_instructed
from historian.api.questions.question import Column, Kind
from historian.api.reading import Reading
from historian.api.request.times import Range, Shown, date_of, shown_in, trade_day

router = APIRouter(tags=["days"])
_NUMBERS = (
    Column("instructed_mwh", Kind.NUMBER, "MWh", "Energy of the DOTs in force, of the time that is known; null when none is."),
    Column("known_s", Kind.NUMBER, "s", "How long a DOT was in force that is not in doubt."),
    Column("unknown_s", Kind.NUMBER, "s", "How long none was, or one in doubt."),
    Column("priced_mwh", Kind.NUMBER, "MWh", "Of what was instructed, that which has a five-minute price; null when none has."),
    Column("unpriced_s", Kind.NUMBER, "s", "How long a DOT was in force and its node had no price."),
    Column("worth_usd", Kind.NUMBER, "USD", "Energy at the five-minute price of its node; null when none has a price."),
)
_COMPARED = (
    Column(
        "compared_s",
        Kind.NUMBER,
        "s",
        "How long a DOT was in force and the plant said what it generates (actual_mw), for good.",
    ),
    Column("actual_mwh", Kind.NUMBER, "MWh", "What it generated in that time; null when there is none."),
    Column("deviation_mwh", Kind.NUMBER, "MWh", "That less what was instructed; above and below cancel each other."),
    Column("absolute_deviation_mwh", Kind.NUMBER, "MWh", "The same with above and below added."),
)
_RESOURCE = (
    Column("resource_id", Kind.TEXT, "", "CAISO's resource ID."),
    Column("node", Kind.TEXT, "", "Its pricing node, as the installation names it."),
    Column("schedule", Kind.TEXT, "", "Which DOTs it follows."),
    *_NUMBERS,
    *_COMPARED,
    Column("uncertain_s", Kind.NUMBER, "s", "How long the set-point was uncertain, as a gateway could have known."),
    Column("bad_s", Kind.NUMBER, "s", "How long it was bad."),
)
_DOUBT = (
    Column("start", Kind.TIME, "", "Since when."),
    Column("end", Kind.TIME, "", "Until when."),
    Column("quality", Kind.INTEGER, "", "OPC quality: 64 uncertain, 0 bad."),
    Column("reasons", Kind.TEXTS, "", "Why, by the names of docs/quality.md."),
)
_DAY = (
    Column("plant", Kind.TEXT, "", "The plant."),
    Column("trade_date", Kind.DATE, "", "Midnight to midnight in California."),
    Column("start", Kind.TIME, "", "Its start."),
    Column("end", Kind.TIME, "", "Its end."),
    Column("hours", Kind.NUMBER, "h", "How long it is: 23 or 25 where clocks change."),
    Column("counted_until", Kind.TIME, "", "Until when is counted: its end, or now while it lasts."),
)


def _document() -> dict[str, Any]:
    resource, day = row_schema(_RESOURCE), row_schema(_DAY)
    resource["properties"]["doubts"] = {"type": "array", "items": row_schema(_DOUBT)}
    day["properties"]["resources"] = {"type": "array", "items": resource}
    day["properties"]["total"] = row_schema((*_NUMBERS, *_COMPARED))
    return day


@router.get("/v1/plants/{plant}/days/{date}", responses=answers(_document(), "The day of a plant."), response_class=Response)
async def get_day(
    plant: Annotated[str, Path(max_length=200, description="The plant.")],
    date: Annotated[str, Path(max_length=200, description="A trade date such as 2026-03-01, or today or yesterday.")],
    asked: Annotated[Parameters, Query()],
    ask: Ask,
) -> Response:
    """A plant's trade date: energy instructed, what it was worth, and when the set-point could not be believed."""
    if ask.is_streamed:
        raise Problem(Sort.NO_SUCH_FORMAT, "a day is told as JSON alone; /v1/set-point and /v1/dot have tables of it")
    await require_plant(ask, plant)
    clock = ask.clock(asked.tz)
    day = date_of("date", date, clock)
    whole = trade_day(day)
    counted = Range(whole.start, min(whole.end, max(clock.now, whole.start)))
    told = await ask.read(
        lambda reading: [(one, *_resource(reading, one, counted)) for one in _subjects(reading, ask, plant, counted)]
    )
    shown = shown_in(asked.tz)
    document = {
        "plant": plant,
        "trade_date": day,
        "start": shown(whole.start),
        "end": shown(whole.end),
        "hours": whole.length / timedelta(hours=1),
        "counted_until": shown(counted.end),
        "resources": [_told(*of_it, counted, shown) for of_it in told],
        "total": _numbers(_total([energy for _, energy, *_ in told]), counted, len(told))
        | asdict(_together([deviation for *_, deviation in told])),
    }
    return json_answer(ask.request, msgspec.json.encode(document), {})


def _subjects(reading: Reading, ask: Exchange, plant: str, times: Range) -> list[Subject]:
    """The resources of a plant: those that the installation names, and others of which the plant was told."""
    named = {one.id: one for each in plants_of(ask) if each.name == plant for one in each.resources}
    instructed = those_instructed(ask.environment, plant, times)
    told = [str(name) for (name,) in reading.rows(instructed.sql, instructed.parameters)]
    every = [*named.values(), *(Resource(id=name) for name in told if name not in named)]
    return [Subject.of(ask, one, plant) for one in every]


def _resource(reading: Reading, subject: Subject, times: Range) -> tuple[Energy, list[Doubt], Deviation]:
    events = subject.dispatches(reading, times)
    held = list(held_dots(known_now(events, subject.schedule, times, reading.go_on)))
    hearing = subject.hearing(reading, DISPATCH, times)
    then = known_then(events, subject.schedule, times, reading.go_on)
    beside = deviation(held, subject.measured(reading, times))
    return energy(held, subject.prices(reading, times)), doubts(then, hearing, subject.limits), beside


def _told(
    subject: Subject, energy: Energy, doubts: Sequence[Doubt], deviation: Deviation, times: Range, shown: Shown
) -> dict[str, object]:
    return {
        "resource_id": subject.resource.id,
        "node": subject.resource.node,
        "schedule": str(subject.schedule),
        **_numbers(energy, times, 1),
        **asdict(deviation),
        "uncertain_s": _seconds(doubts, Level.UNCERTAIN),
        "bad_s": _seconds(doubts, Level.BAD),
        "doubts": [
            {
                "start": shown(doubt.during.start),
                "end": shown(doubt.during.end),
                "quality": int(doubt.quality.level),
                "reasons": [str(reason) for reason in doubt.quality.reasons],
            }
            for doubt in doubts
        ],
    }


def _numbers(energy: Energy, times: Range, resources: int) -> dict[str, object]:
    return {
        "instructed_mwh": energy.instructed_mwh,
        "known_s": energy.known_s,
        "unknown_s": resources * times.length.total_seconds() - energy.known_s,
        "priced_mwh": energy.priced_mwh,
        "unpriced_s": energy.unpriced_s,
        "worth_usd": energy.worth_usd,
    }


def _total(energies: Sequence[Energy]) -> Energy:
    return Energy(
        _sum(one.instructed_mwh for one in energies),
        sum(one.known_s for one in energies),
        _sum(one.priced_mwh for one in energies),
        sum(one.unpriced_s for one in energies),
        _sum(one.worth_usd for one in energies),
    )


def _together(deviations: Sequence[Deviation]) -> Deviation:
    return Deviation(
        sum(one.compared_s for one in deviations),
        _sum(one.actual_mwh for one in deviations),
        _sum(one.deviation_mwh for one in deviations),
        _sum(one.absolute_deviation_mwh for one in deviations),
    )


def _sum(values: Iterable[float | None]) -> float | None:
    """Of what is known; None when nothing is."""
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def _seconds(doubts: Sequence[Doubt], level: Level) -> float:
    return sum(doubt.during.length.total_seconds() for doubt in doubts if doubt.quality.level is level)
