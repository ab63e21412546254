"""/v1/plants/{plant}/days/{date}: a plant's trade date in few numbers."""

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Path, Query, Response

from dotbus.contracts.quality import Level
from historian.api.answering.asking import Ask
from historian.api.answering.documented import answers, row_schema
from historian.api.answering.evidence import DISPATCH, Subject
from historian.api.answering.formatted import json_answer
from historian.api.answering.parameters import Asked
from historian.api.answering.whose import plants_of, require_plant
from historian.api.asked.times import Range, Shown, date_of, shown_in, trade_day
from historian.api.calculated.day import Energy, energy, held_dots
from historian.api.calculated.known import known_now, known_then
from historian.api.calculated.set_points import Doubt, doubts
from historian.api.problems import Problem, Sort
from historian.api.questions.question import Column, Kind
from historian.api.reading import Reading

router = APIRouter(tags=["days"])
_NUMBERS = (
    Column("instructed_mwh", Kind.NUMBER, "MWh", "Energy of the DOTs in force, of the time that is known; null when none is."),
    Column("known_s", Kind.NUMBER, "s", "How long a DOT was in force that is not in doubt."),
    Column("unknown_s", Kind.NUMBER, "s", "How long none was, or one in doubt."),
    Column("priced_mwh", Kind.NUMBER, "MWh", "Of what was instructed, that which has a five-minute price; null when none has."),
    Column("unpriced_s", Kind.NUMBER, "s", "How long a DOT was in force and its node had no price."),
    Column("worth_usd", Kind.NUMBER, "USD", "Energy at the five-minute price of its node; null when none has a price."),
)
_RESOURCE = (
    Column("resource_id", Kind.TEXT, "", "CAISO's resource ID."),
    Column("node", Kind.TEXT, "", "Its pricing node, as the installation names it."),
    Column("schedule", Kind.TEXT, "", "Which DOTs it follows."),
    *_NUMBERS,
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
    day["properties"]["total"] = row_schema(_NUMBERS)
    return day


@router.get("/v1/plants/{plant}/days/{date}", responses=answers(_document(), "The day of a plant."), response_class=Response)
async def get_day(
    plant: Annotated[str, Path(max_length=200, description="The plant.")],
    date: Annotated[str, Path(max_length=200, description="A trade date such as 2026-03-01, or today or yesterday.")],
    asked: Annotated[Asked, Query()],
    ask: Ask,
) -> Response:
    """A plant's trade date: energy instructed, what it was worth, and when the set-point could not be believed."""
    if ask.is_streamed:
        raise Problem(Sort.NO_SUCH_FORMAT, "a day is told as JSON alone; /v1/set-point and /v1/dot have tables of it")
    require_plant(ask, plant)
    clock = ask.clock(asked.tz)
    day = date_of("date", date, clock)
    whole = trade_day(day)
    counted = Range(whole.start, min(whole.end, max(clock.now, whole.start)))
    subjects = [Subject.of(ask, one) for each in plants_of(ask) if each.name == plant for one in each.resources]
    told = await ask.read(lambda reading: [_resource(reading, subject, counted) for subject in subjects])
    shown = shown_in(asked.tz)
    document = {
        "plant": plant,
        "trade_date": day,
        "start": shown(whole.start),
        "end": shown(whole.end),
        "hours": whole.length / timedelta(hours=1),
        "counted_until": shown(counted.end),
        "resources": [_told(subject, *of_it, counted, shown) for subject, of_it in zip(subjects, told, strict=True)],
        "total": _numbers(_total([energy for energy, _ in told]), counted, len(subjects)),
    }
    return json_answer(ask.request, msgspec.json.encode(document), {})


def _resource(reading: Reading, subject: Subject, times: Range) -> tuple[Energy, list[Doubt]]:
    events = subject.dispatches(reading, times)
    held = list(held_dots(known_now(events, subject.schedule, times)))
    hearing = subject.hearing(reading, DISPATCH, times)
    return energy(held, subject.prices(reading, times)), doubts(
        known_then(events, subject.schedule, times), hearing, subject.limits
    )


def _told(subject: Subject, energy: Energy, doubts: Sequence[Doubt], times: Range, shown: Shown) -> dict[str, object]:
    return {
        "resource_id": subject.resource.id,
        "node": subject.resource.node,
        "schedule": str(subject.schedule),
        **_numbers(energy, times, 1),
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


def _sum(values: Iterable[float | None]) -> float | None:
    """Of what is known; None when nothing is."""
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def _seconds(doubts: Sequence[Doubt], level: Level) -> float:
    return sum(doubt.during.length.total_seconds() for doubt in doubts if doubt.quality.level is level)
