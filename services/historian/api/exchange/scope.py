"""Scope: of which plant and resources a request asks, held against what there is and what its key may see.

What a key may not see is answered like what does not exist, and is no near name of anything.
"""

from collections.abc import Sequence
from typing import Annotated, cast

from fastapi import Query

from dotbus.contracts.topics import UNASSIGNED
from dotbus.runtime.installation.installation import Plant, Resource
from historian.api.exchange.exchange import Exchange
from historian.api.exchange.parameters import Text
from historian.api.problems import Sort, unknown
from historian.api.questions.plants import those_of_plant, those_seen
from historian.api.questions.whose import Whose

PlantAsked = Annotated[Text | None, Query(description="What this plant claimed when it was told; every plant if not said.")]
ResourcesAsked = Annotated[
    tuple[Text, ...], Query(max_length=100, description="CAISO's resource IDs, each as a `resource=` of its own; all if none.")
]


async def whose_of(ask: Exchange, plant: str | None, resources: Sequence[str]) -> Whose:
    """Of whom is asked.

    Raises:
        Problem: there is no such plant or resource for who asks.
    """
    if plant is not None:
        await require_plant(ask, plant)
    of_plant = ask.caller.plant or plant
    named = tuple(dict.fromkeys(resources))
    await _require_resources(ask, named)
    return Whose(ask.environment, of_plant, named or (await told_of(ask, of_plant) if of_plant is not None else None))


async def require_plant(ask: Exchange, name: str) -> None:
    """See that there is such a plant for who asks, or was one.

    Raises:
        Problem: there is none.
    """
    known = [plant.name for plant in plants_of(ask)] + ([UNASSIGNED] if ask.caller.plant is None else [ask.caller.plant])
    if name not in known and (ask.caller.plant is not None or not await told_of(ask, name)):
        raise unknown(Sort.UNKNOWN_PLANT, "plant", name, known)


async def told_of(ask: Exchange, plant: str) -> tuple[str, ...]:
    """Of which resources a plant was ever told anything, whatever the installation says of it today.

    With their names the database need not look at everybody's rows.
    """
    asked = those_of_plant(plant)
    rows = await ask.read(lambda reading: reading.rows(asked.sql, asked.parameters))
    return tuple(cast("str", name) for (name,) in rows)


async def one_resource(ask: Exchange, name: str) -> Resource:
    """What the installation says of a resource that is asked about; its name alone where it says nothing.

    Raises:
        Problem: there is no such resource for who asks.
    """
    await _require_resources(ask, (name,))
    return resource_of(ask, name)


def plants_of(ask: Exchange) -> list[Plant]:
    """The plants that who asks may see."""
    return [plant for plant in ask.context.installation.plants if ask.caller.may_see(plant.name)]


def resource_of(ask: Exchange, name: str) -> Resource:
    """What the installation says of a resource; its name alone where it says nothing."""
    named = (resource for plant in plants_of(ask) for resource in plant.resources if resource.id == name)
    return next(named, Resource(id=name))


async def _require_resources(ask: Exchange, names: tuple[str, ...]) -> None:
    configured = [resource.id for plant in plants_of(ask) for resource in plant.resources]
    others = [name for name in names if name not in configured]
    if not others:
        return
    asked = those_seen(others, ask.caller.plant)
    seen = {cast("str", name) for (name,) in await ask.read(lambda reading: reading.rows(asked.sql, asked.parameters))}
    for name in others:
        if name not in seen:
            raise unknown(Sort.UNKNOWN_RESOURCE, "resource", name, configured)
