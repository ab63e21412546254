"""/v1/plants, /v1/resources: what there is to ask about."""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Annotated, cast

from fastapi import APIRouter, Query, Response

from dotbus.runtime.installation.installation import Plant, Resource
from historian.api.exchange.documented import pages_of
from historian.api.exchange.exchange import Ask, Exchange
from historian.api.exchange.parameters import PageParameters
from historian.api.exchange.scope import PlantAsked, plants_of, require_plant, told_of
from historian.api.formats.json_page import page_with
from historian.api.questions.given import given
from historian.api.questions.plants import every_resource
from historian.api.questions.question import Column, Kind, Question
from historian.api.reading import Row
from historian.api.request.pages import after_of
from historian.api.request.times import shown_in

router = APIRouter(tags=["plants"])
_PLANT = Column("plant", Kind.TEXT, "", "Name of the plant; unassigned where none claims the resource.")
PLANT_COLUMNS = (
    _PLANT,
    Column("resources", Kind.TEXTS, "", "CAISO's resource IDs that the plant names."),
    Column("patterns", Kind.TEXTS, "", "Patterns of names by which it claims others."),
)
RESOURCE_COLUMNS = (
    Column("resource_id", Kind.TEXT, "", "CAISO's resource ID."),
    _PLANT,
    Column("is_configured", Kind.FLAG, "", "Whether the installation names it; one that it does not was seen in the database."),
    Column("node", Kind.TEXT, "", "Its pricing node, as the installation names it."),
    Column("schedule", Kind.TEXT, "", "Which DOTs it follows: five-minute or hourly."),
    Column("is_variable", Kind.FLAG, "", "Whether it may produce what its fuel gives while CAISO does not instruct it."),
    Column("pmin_mw", Kind.NUMBER, "MW", "The least that it can."),
    Column("pmax_mw", Kind.NUMBER, "MW", "The most that it can."),
    Column("ramp_mw_per_min", Kind.NUMBER, "MW/min", "How fast it can change."),
)
_PLANTS = Question("plants", {}, PLANT_COLUMNS, key=("plant",))
_RESOURCES = Question("resources", {}, RESOURCE_COLUMNS, key=("resource_id",))


class OfPlantAsked(PageParameters):
    """What may be said."""

    plant: PlantAsked = None


@router.get("/v1/plants", responses=pages_of(PLANT_COLUMNS), response_class=Response)
async def get_plants(asked: Annotated[PageParameters, Query()], ask: Ask) -> Response:
    """The plants of this installation, as far as the key may see them."""
    rows = sorted((plant.name, [one.id for one in plant.resources], list(plant.patterns)) for plant in plants_of(ask))
    return _told(ask, _PLANTS, cast("list[Row]", rows), asked)


@router.get("/v1/resources", responses=pages_of(RESOURCE_COLUMNS), response_class=Response)
async def get_resources(asked: Annotated[OfPlantAsked, Query()], ask: Ask) -> Response:
    """Resources: those of the installation, and others that CAISO has instructed; of a plant also those that it was told of."""
    if asked.plant is not None:
        await require_plant(ask, asked.plant)
    of_plant, every = ask.caller.plant or asked.plant, every_resource()
    told = () if of_plant is None else await told_of(ask, of_plant)
    seen = await ask.read(lambda reading: reading.rows(every.sql, every.parameters))
    rows = {cast("str", row[0]): row for row in _resources(ask, of_plant, [cast("str", name) for (name,) in seen], told)}
    return _told(ask, _RESOURCES, [rows[name] for name in sorted(rows)], asked)


def _resources(ask: Exchange, of_plant: str | None, seen: Sequence[str], told: Sequence[str]) -> Iterator[Row]:
    """Of every plant, or of one what it claims and what it was told of. Of one name the last counts: what the file says."""
    plant_of = ask.context.installation.plant_of
    claimed = [(plant_of(name), name) for name in seen]
    told_to = [(of_plant, name) for name in told if of_plant is not None]
    for plant, name in [*claimed, *told_to]:
        if of_plant in {None, plant}:
            yield _row(plant, Resource(id=name), is_configured=False)
    for configured in plants_of(ask):
        if of_plant in {None, configured.name}:
            yield from map(partial(_configured, configured), configured.resources)


def _configured(plant: Plant, resource: Resource) -> Row:
    return _row(plant.name, resource, is_configured=True)


def _row(plant: str, resource: Resource, *, is_configured: bool) -> Row:
    limits = resource.pmin_mw, resource.pmax_mw, resource.ramp_mw_per_min
    follows = (str(resource.schedule), resource.variable) if is_configured else (None, None)
    return (resource.id, plant, is_configured, resource.node, *follows, *limits)


def _told(ask: Exchange, question: Question, rows: list[Row], asked: PageParameters) -> Response:
    """A page of rows that are there already, in the order of their first column."""
    if ask.is_streamed:
        return ask.stream(given(question, rows), asked)
    after = after_of(question, asked.page)
    rest = [row for row in rows if after is None or cast("str", row[0]) > str(after[0])]
    told = rest[: asked.limit]
    return ask.tell(page_with(question, told, shown_in(asked.tz), is_last=len(rest) == len(told)))
