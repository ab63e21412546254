"""Map check: what can be wrong with a register map, each mistake with its key and what to do."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from dotbus.runtime.installation import Block, Market, Plant, Point, Profile, RegisterType, Resource, Table
from dotbus.runtime.installation_file import InstallationFile
from dotbus.runtime.mistakes import Mistake, did_you_mean
from modbus_gateway.encode import DoesNotFit, Form, encode_value
from modbus_gateway.layouts import CLASSIC_RESOURCES, lay_out
from modbus_gateway.quantities import MW, QUANTITIES, Quantity, Scope

ADDRESSES: Final = 65536
_TAKES: Final = {
    Scope.GATEWAY: frozenset[str](),
    Scope.PLANT: frozenset({"plant"}),
    Scope.RESOURCE: frozenset({"plant", "resource"}),
    Scope.PRICE: frozenset({"plant", "resource", "node"}),
}


@dataclass(frozen=True)
class Area:
    """Addresses that one key of the file claims."""

    key: str
    unit_id: int
    table: Table
    start: int
    length: int

    @property
    def place(self) -> tuple[int, Table, int]:
        """For sorting: unit, table, address."""
        return self.unit_id, self.table, self.start

    def __str__(self) -> str:
        what = "holding registers" if self.table is Table.HOLDING else "discrete inputs"
        return f"unit {self.unit_id}, {what} {self.start} to {self.start + self.length - 1}"


def check_areas(areas: Sequence[Area], where: str) -> Iterator[Mistake]:
    """Areas that overlap."""
    widest: Area | None = None
    for area in sorted(areas, key=lambda area: area.place):
        if widest and widest.place[:2] == area.place[:2] and area.start < widest.start + widest.length:
            yield Mistake(where, area.key, f"{area}, overlaps {widest.key} ({widest})")
            if area.start + area.length <= widest.start + widest.length:
                continue
        widest = area


class MapCheck:
    """Finds the mistakes of one file's map. What depends on something that could not be read is not judged.

    Args:
        file: as far as it could be understood.
    """

    def __init__(self, file: InstallationFile) -> None:
        self._file = file
        self._plants: dict[str, Plant] = {plant.name: plant for plant in file.installation.plants}
        members = ((plant.name, resource) for plant in file.installation.plants for resource in plant.resources)
        self._resources: dict[str, tuple[str, Resource]] = {resource.id: (plant, resource) for plant, resource in members}

    def whole(self) -> Iterator[Mistake]:
        """A gateway that was forgotten to be configured, or that would never show what its own installation says."""
        installation, modbus = self._file.installation, self._file.installation.modbus
        if not modbus.blocks and not modbus.points and self._file.is_as_given("modbus"):
            yield self._mistake("modbus", "serves nothing: give at least one [[modbus.block]] or [[modbus.point]]")
        readable = self._file.is_as_given("environment") and self._file.is_as_given("modbus", "accept_environments")
        if readable and installation.environment not in modbus.accept_environments:
            reason = f"does not name {installation.environment}, this file's environment: no value would ever be shown"
            yield self._mistake("modbus.accept_environments", reason)

    def block(self, block: Block, key: str) -> Iterator[Mistake]:
        """What is wrong with one block."""
        names = block.plants or tuple(self._plants)
        for name in dict.fromkeys(names):
            yield from self._known(name, "plant", f"{key}.plants")
            if names.count(name) > 1:
                yield self._mistake(f"{key}.plants", f"{name!r} is named twice")
        if all(name in self._plants for name in names):
            yield from self._size(block, sum(len(self._plants[name].resources) for name in names), key)
        yield from self._price(block.lmp_market, block.lmp_node, (f"{key}.lmp_market", f"{key}.lmp_node"))
        if block.profile is Profile.PLANT and block.lmp_node:
            yield self._mistake(f"{key}.lmp_node", "is for the classic profile; here each resource shows its own node's price")
        if block.bad_value is not None:
            yield from self._fits(block.bad_value, Form(RegisterType.FLOAT32), f"{key}.bad_value")

    def point(self, point: Point, key: str) -> Iterator[Mistake]:
        """What is wrong with one point."""
        yield from self._names(point, key)
        quantity = QUANTITIES.get(point.quantity)
        if quantity is None:
            hint = did_you_mean(point.quantity, QUANTITIES)
            yield self._mistake(f"{key}.quantity", f"{point.quantity!r} is no quantity{hint}")
            return
        yield from self._keys_given(point, quantity, key)
        yield from self._type(point, quantity, key)
        if quantity.scope is Scope.PRICE:
            yield from self._price(point.market, point.node, (f"{key}.market", f"{key}.node"))
            yield from self._has_node(point, key)

    def _mistake(self, key: str, reason: str) -> Mistake:
        return Mistake(self._file.where, key, reason)

    def _known(self, name: str, kind: str, key: str) -> Iterator[Mistake]:
        names: Mapping[str, object] = self._plants if kind == "plant" else self._resources
        place = ("plant", None, "name") if kind == "plant" else ("plant", None, "resource", None, "id")
        hint = did_you_mean(name, names)
        if name not in names and (hint or self._file.is_as_given(*place)):
            yield self._mistake(key, f"{name!r} is no {kind}{hint}")

    def _size(self, block: Block, resources: int, key: str) -> Iterator[Mistake]:
        if block.profile is Profile.CLASSIC and resources > CLASSIC_RESOURCES:
            reason = f"the classic profile has room for {CLASSIC_RESOURCES} resources, these plants have {resources}"
            yield self._mistake(f"{key}.plants", f"{reason}: name fewer plants, or use the plant profile")
            return
        end = block.address + max(lay_out(block.profile, resources).lengths.values())
        if end > ADDRESSES:
            reason = f"the block would end at {end - 1}, the last register of a unit is {ADDRESSES - 1}"
            yield self._mistake(f"{key}.address", reason)

    def _price(self, market: Market, node: str | None, keys: tuple[str, str]) -> Iterator[Mistake]:
        installation = self._file.installation
        if not (self._file.is_as_given("prices") and self._file.is_as_given("plant", None, "resource", None, "node")):
            return
        if installation.price_nodes and market not in installation.prices.markets:
            yield self._mistake(keys[0], f"{market} is not among [prices] markets, so no price of it would ever come")
        if node and node not in installation.price_nodes:
            yield self._mistake(keys[1], f"{node!r} is no resource's node and not among [prices] nodes, so no price would come")

    def _has_node(self, point: Point, key: str) -> Iterator[Mistake]:
        resource = self._resources.get(point.resource or "")
        readable = self._file.is_as_given("plant", None, "resource", None, "node")
        if point.node is None and resource and resource[1].node is None and readable:
            yield self._mistake(f"{key}.resource", f"{point.resource!r} has no node: give node, here or at the resource")

    def _names(self, point: Point, key: str) -> Iterator[Mistake]:
        if point.plant is not None:
            yield from self._known(point.plant, "plant", f"{key}.plant")
        if point.resource is None:
            return
        yield from self._known(point.resource, "resource", f"{key}.resource")
        its_plant = self._resources.get(point.resource)
        if its_plant and point.plant in self._plants and point.plant != its_plant[0]:
            yield self._mistake(f"{key}.resource", f"{point.resource!r} does not belong to plant {point.plant!r}")

    def _keys_given(self, point: Point, quantity: Quantity, key: str) -> Iterator[Mistake]:
        given = {name for name in ("plant", "resource", "node") if getattr(point, name) is not None}
        for name in sorted(given - _TAKES[quantity.scope]):
            yield self._mistake(f"{key}.{name}", f"{quantity.name} is about a {quantity.scope} and takes no {name}")
        match quantity.scope:
            case Scope.PLANT if "plant" not in given:
                yield self._mistake(f"{key}.plant", f"is missing: {quantity.name} is about a plant")
            case Scope.RESOURCE if "resource" not in given:
                yield self._mistake(f"{key}.resource", f"is missing: {quantity.name} is about a resource")
            case Scope.PRICE if not given & {"resource", "node"}:
                yield self._mistake(
                    f"{key}.node", f"is missing: {quantity.name} is the price of a node, or of a resource's node"
                )

    def _type(self, point: Point, quantity: Quantity, key: str) -> Iterator[Mistake]:
        if point.table is Table.DISCRETE:
            if point.type not in (None, RegisterType.BIT):
                yield self._mistake(f"{key}.type", f"a discrete input is a bit, not a {point.type}")
            if not quantity.is_flag:
                yield self._mistake(f"{key}.quantity", f"{quantity.name} is no flag, so it cannot be a discrete input")
        elif point.type is RegisterType.BIT:
            yield self._mistake(f"{key}.type", 'a bit belongs in table = "discrete"')
        else:
            yield from self._numbers(point, Form(point.type or quantity.type, scale=point.scale), quantity, key)

    def _numbers(self, point: Point, form: Form, quantity: Quantity, key: str) -> Iterator[Mistake]:
        if point.scale == 0:
            yield self._mistake(f"{key}.scale", "0 would show every value as 0")
        if point.bad_value is not None:
            yield from self._fits(point.bad_value, Form(form.type), f"{key}.bad_value")
        if point.address + form.registers > ADDRESSES:
            yield self._mistake(f"{key}.address", f"a {form.type} takes two registers, {point.address} is the last of a unit")
        if quantity.unit == MW and point.resource in self._resources:
            resource = self._resources[point.resource][1]
            for name, limit_mw in (("pmin_mw", resource.pmin_mw), ("pmax_mw", resource.pmax_mw)):
                if limit_mw is not None and any(self._fits(limit_mw, form, key)):
                    reason = f"{form.type} with scale {point.scale:g} cannot show the resource's {name}, {limit_mw:g}"
                    yield self._mistake(f"{key}.type", reason)

    def _fits(self, value: float, form: Form, key: str) -> Iterator[Mistake]:
        try:
            encode_value(value, form)
        except DoesNotFit as error:
            yield self._mistake(key, str(error))
