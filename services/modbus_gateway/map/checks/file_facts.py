"""File facts: what a map is checked against, as far as it could be read."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from dotbus.readings.subjects import Member
from dotbus.runtime.installation.file import InstallationFile
from dotbus.runtime.installation.installation import Resource
from dotbus.runtime.installation.modbus import Block
from dotbus.runtime.installation.toml_values import Market
from dotbus.runtime.settings.mistakes import Location, Mistake, did_you_mean, key_of
from modbus_gateway.map.form import DoesNotFit, Form, encode_value

NAMES: Final = ("plant", None, "name")
IDS: Final = ("plant", None, "resource", None, "id")
NODES: Final = ("plant", None, "resource", None, "node")


@dataclass(frozen=True)
class FileFacts:
    """The plants, resources and nodes of a file, and the mistakes of its map.

    A mistake is told only when all that it follows from was read: what is wrong already must not be told again in other words.
    """

    file: InstallationFile

    @cached_property
    def plants(self) -> Mapping[str, tuple[Resource, ...]]:
        """Each plant's resources. Of a name that is given twice all of them."""
        plants: dict[str, tuple[Resource, ...]] = {}
        for plant in self.file.installation.plants:
            plants[plant.name] = (*plants.get(plant.name, ()), *plant.resources)
        return plants

    def places(self, block: Block) -> tuple[Member | None, ...]:
        """Who has each place of a block, None where nobody has.

        In the order of its `resources`; without them in the file's order, of those plants that it names, or of all.
        """
        if block.resources is not None:
            return tuple(self.members.get(name) for name in block.resources)
        names = dict.fromkeys(block.plants or self.plants)
        return tuple(Member(name, resource) for name in names for resource in self.plants.get(name, ()))

    @cached_property
    def members(self) -> Mapping[str, Member]:
        """Each resource and its plant, by its id."""
        return {resource.id: Member(name, resource) for name, resources in self.plants.items() for resource in resources}

    @cached_property
    def resources(self) -> Mapping[str, Resource]:
        """Each resource by its id."""
        return {resource.id: resource for resources in self.plants.values() for resource in resources}

    def tell(self, at: Location, key: str, reason: str, *needs: str) -> Iterator[Mistake]:
        """A mistake at a key of a table, if it and the other keys of the table that it follows from were read."""
        if all(self.file.is_as_given(*at, name) for name in (key, *needs)):
            yield Mistake(self.file.where, key_of((*at, key)), reason)

    def unknown_plant(self, name: str, at: Location, key: str) -> Iterator[Mistake]:
        """A name that no plant has."""
        if name not in self.plants and self.file.is_as_given(*NAMES):
            yield from self.tell(at, key, f"{name!r} is no plant{did_you_mean(name, self.plants)}")

    def unknown_resource(self, name: str, at: Location, key: str, advice: str = "") -> Iterator[Mistake]:
        """An id that no resource has. One that is given twice may stand where this one was meant, and is told itself."""
        ids = [resource.id for resources in self.plants.values() for resource in resources]
        if name not in self.resources and self.file.is_as_given(*IDS) and len(ids) == len(set(ids)):
            yield from self.tell(at, key, f"{name!r} is no resource{did_you_mean(name, self.resources) or advice}")

    def without_market(self, market: Market, at: Location, key: str, *needs: str) -> Iterator[Mistake]:
        """A market whose prices nobody asks for."""
        if self.file.is_as_given("prices", "markets") and market not in self.file.installation.prices.markets:
            reason = f"{market} is not among [prices] markets, so no price of it would ever come"
            yield from self.tell(at, key, reason, *needs)

    def without_node(self, node: str, at: Location, key: str) -> Iterator[Mistake]:
        """A node whose prices nobody asks for."""
        readable = self.file.is_as_given("prices", "nodes") and self.file.is_as_given(*NODES)
        if readable and node not in self.file.installation.price_nodes:
            reason = f"{node!r} is no resource's node and not among [prices] nodes, so no price would come"
            yield from self.tell(at, key, reason)


def why_it_does_not_fit(value: float, form: Form) -> str | None:
    """Why a number cannot be written in a form; None when it can."""
    try:
        encode_value(value, form)
    except DoesNotFit as error:
        return str(error)
    return None
