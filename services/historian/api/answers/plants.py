"""/v1/plants, /v1/resources: what there is to ask about."""

from collections.abc import Iterator
from functools import partial
from typing import Annotated, cast

from fastapi import APIRouter, Query, Response

from dotbus.runtime.installation.installation import Plant, Resource
from historian.api.answering.asking import Ask, Asking
from historian.api.answering.documented import pages_of
from historian.api.answering.parameters import PageAsked
from historian.api.answering.whose import PlantAsked, plants_of, require_plant
from historian.api.asked.pages import after_of
from historian.api.asked.times import shown_in
from historian.api.formats.json_page import page_with
from historian.api.questions.given import given
from historian.api.questions.plants import every_resource
from historian.api.questions.question import Column, Kind, Question
from historian.api.reading import Row

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


class OfPlantAsked(PageAsked):
    """What may be said."""

    plant: PlantAsked = None


@router.get("/v1/plants", responses=pages_of(PLANT_COLUMNS), response_class=Response)
async def get_plants(asked: Annotated[PageAsked, Query()], ask: Ask) -> Response:
    """The plants of this installation, as far as the key may see them."""
    rows = sorted((plant.name, [one.id for one in plant.resources], list(plant.patterns)) for plant in plants_of(ask))
    return _told(ask, _PLANTS, cast("list[Row]", rows), asked)


@router.get("/v1/resources", responses=pages_of(RESOURCE_COLUMNS), response_class=Response)
async def get_resources(asked: Annotated[OfPlantAsked, Query()], ask: Ask) -> Response:
    """Resources: those of the installation, and others that CAISO has instructed."""
    if asked.plant is not None:
        require_plant(ask, asked.plant)
    every = every_resource()
    seen = await ask.read(lambda reading: reading.rows(every.sql, every.parameters))
    rows = {cast("str", row[0]): row for row in _resources(ask, [cast("str", name) for (name,) in seen])}
    return _told(ask, _RESOURCES, [rows[name] for name in sorted(rows) if asked.plant in {None, rows[name][1]}], asked)


def _resources(ask: Asking, seen: list[str]) -> Iterator[Row]:
    """Of one name the last counts: what the installation says."""
    plant_of = ask.context.installation.plant_of
    yield from (
        _row(plant_of(name), Resource(id=name), is_configured=False) for name in seen if ask.caller.may_see(plant_of(name))
    )
    for plant in plants_of(ask):
        yield from map(partial(_configured, plant), plant.resources)


def _configured(plant: Plant, resource: Resource) -> Row:
    return _row(plant.name, resource, is_configured=True)


def _row(plant: str, resource: Resource, *, is_configured: bool) -> Row:
    limits = resource.pmin_mw, resource.pmax_mw, resource.ramp_mw_per_min
    follows = (str(resource.schedule), resource.variable) if is_configured else (None, None)
    return (resource.id, plant, is_configured, resource.node, *follows, *limits)


def _told(ask: Asking, question: Question, rows: list[Row], asked: PageAsked) -> Response:
    """A page of rows that are there already, in the order of their first column."""
    if ask.is_streamed:
        return ask.stream(given(question, rows), asked)
    after = after_of(question, asked.page)
    rest = [row for row in rows if after is None or cast("str", row[0]) > str(after[0])]
    told = rest[: asked.limit]
    return ask.tell(page_with(question, told, shown_in(asked.tz), is_last=len(rest) == len(told)))
