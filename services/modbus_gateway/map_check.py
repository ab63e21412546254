"""Map check: what can be wrong with a register map, each mistake with its key and what to do."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final

from dotbus.runtime.installation import Block, Installation, Market, Point, Profile, RegisterType, Table
from dotbus.runtime.mistakes import Mistake
from modbus_gateway.encode import DoesNotFit, Form, encode_value
from modbus_gateway.layouts import CLASSIC_RESOURCES, lay_out
from modbus_gateway.quantities import QUANTITIES, Quantity, Scope

ADDRESSES: Final = 65536


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
        return f"{self.key} (unit {self.unit_id}, {what} {self.start} to {self.start + self.length - 1})"


def check_something_is_served(installation: Installation, where: str) -> Iterator[Mistake]:
    """A gateway without registers is a gateway that was forgotten to be configured."""
    if not installation.modbus.blocks and not installation.modbus.points:
        yield Mistake(where, "modbus", "serves nothing: give at least one [[modbus.block]] or [[modbus.point]]")


def check_something_is_accepted(installation: Installation, where: str) -> Iterator[Mistake]:
    """A gateway that does not accept what its own installation says would never show a value."""
    accepted = installation.modbus.accept_environments
    if installation.environment not in accepted:
        reason = f"does not name {installation.environment}, this file's environment: no value would ever be shown"
        yield Mistake(where, "modbus.accept_environments", reason)


def check_block(block: Block, installation: Installation, where: str, key: str) -> Iterator[Mistake]:
    """What is wrong with one block."""
    plants = {plant.name: plant for plant in installation.plants}
    unknown = [name for name in block.plants if name not in plants]
    yield from (Mistake(where, f"{key}.plants", _unknown(name, plants, "plant")) for name in unknown)
    for name in sorted({name for name in block.plants if block.plants.count(name) > 1}):
        yield Mistake(where, f"{key}.plants", f"{name!r} is named twice")
    if not unknown:
        resources = sum(len(plants[name].resources) for name in block.plants or plants)
        yield from _check_size(block, resources, where, key)
    yield from _check_price(block.lmp_market, block.lmp_node, installation, where, (f"{key}.lmp_market", f"{key}.lmp_node"))
    if block.profile is Profile.PLANT and block.lmp_node:
        yield Mistake(where, f"{key}.lmp_node", "is for the classic profile; here each resource shows its own node's price")
    if block.bad_value is not None:
        yield from _check_fits(block.bad_value, Form(RegisterType.FLOAT32), where, f"{key}.bad_value")


def check_point(point: Point, installation: Installation, where: str, key: str) -> Iterator[Mistake]:
    """What is wrong with one point."""
    quantity = QUANTITIES.get(point.quantity)
    if quantity is None:
        yield Mistake(where, f"{key}.quantity", _unknown(point.quantity, QUANTITIES, "quantity"))
        return
    yield from _check_type(point, quantity, where, key)
    yield from _check_subject(point, quantity, installation, where, key)
    if quantity.scope is Scope.PRICE:
        yield from _check_price(point.market, point.node, installation, where, (f"{key}.market", f"{key}.node"))


def check_areas(areas: Sequence[Area], where: str) -> Iterator[Mistake]:
    """Areas that overlap."""
    widest: Area | None = None
    for area in sorted(areas, key=lambda area: area.place):
        if widest and widest.place[:2] == area.place[:2] and area.start < widest.start + widest.length:
            yield Mistake(where, area.key, f"{area} overlaps {widest}")
            if area.start + area.length <= widest.start + widest.length:
                continue
        widest = area


def _check_size(block: Block, resources: int, where: str, key: str) -> Iterator[Mistake]:
    if block.profile is Profile.CLASSIC and resources > CLASSIC_RESOURCES:
        reason = f"the classic profile has room for {CLASSIC_RESOURCES} resources, these plants have {resources}"
        yield Mistake(where, f"{key}.plants", f"{reason}: name fewer plants, or use the plant profile")
        return
    end = block.address + max(lay_out(block.profile, resources).lengths.values())
    if end > ADDRESSES:
        yield Mistake(
            where, f"{key}.address", f"the block would end at {end - 1}, the last register of a unit is {ADDRESSES - 1}"
        )


def _check_price(
    market: Market, node: str | None, installation: Installation, where: str, keys: tuple[str, str]
) -> Iterator[Mistake]:
    if installation.price_nodes and market not in installation.prices.markets:
        yield Mistake(where, keys[0], f"{market} is not among [prices] markets, so no price of it would ever come")
    if node and node not in installation.price_nodes:
        yield Mistake(where, keys[1], f"{node!r} is no resource's node and not among [prices] nodes, so no price would come")


def _check_type(point: Point, quantity: Quantity, where: str, key: str) -> Iterator[Mistake]:
    if point.table is Table.DISCRETE:
        if point.type not in (None, RegisterType.BIT):
            yield Mistake(where, f"{key}.type", f"a discrete input is a bit, not a {point.type}")
        if not quantity.is_flag:
            yield Mistake(where, f"{key}.quantity", f"{quantity.name} is no flag, so it cannot be a discrete input")
        return
    if point.type is RegisterType.BIT:
        yield Mistake(where, f"{key}.type", 'a bit belongs in table = "discrete"')
        return
    if point.scale == 0:
        yield Mistake(where, f"{key}.scale", "0 would show every value as 0")
    form = Form(point.type or quantity.type)
    if point.bad_value is not None:
        yield from _check_fits(point.bad_value, form, where, f"{key}.bad_value")
    if point.address + form.registers > ADDRESSES:
        yield Mistake(where, f"{key}.address", f"a {form.type} takes two registers, {point.address} is the last of a unit")


def _check_fits(value: float, form: Form, where: str, key: str) -> Iterator[Mistake]:
    try:
        encode_value(value, form)
    except DoesNotFit as error:
        yield Mistake(where, key, str(error))


def _check_subject(point: Point, quantity: Quantity, installation: Installation, where: str, key: str) -> Iterator[Mistake]:
    plants = {plant.name: {resource.id: resource for resource in plant.resources} for plant in installation.plants}
    resources = {name: resource for of_plant in plants.values() for name, resource in of_plant.items()}
    yield from _check_keys_given(point, quantity, where, key)
    if point.plant is not None and point.plant not in plants:
        yield Mistake(where, f"{key}.plant", _unknown(point.plant, plants, "plant"))
    if point.resource is None:
        return
    resource = resources.get(point.resource)
    if resource is None:
        yield Mistake(where, f"{key}.resource", _unknown(point.resource, resources, "resource"))
    elif point.plant in plants and point.resource not in plants[point.plant]:
        yield Mistake(where, f"{key}.resource", f"{point.resource!r} does not belong to plant {point.plant!r}")
    elif quantity.scope is Scope.PRICE and point.node is None and resource.node is None:
        yield Mistake(where, f"{key}.resource", f"{point.resource!r} has no node: give node, here or at the resource")


_TAKES: Final = {
    Scope.GATEWAY: frozenset[str](),
    Scope.PLANT: frozenset({"plant"}),
    Scope.RESOURCE: frozenset({"plant", "resource"}),
    Scope.PRICE: frozenset({"plant", "resource", "node"}),
}


def _check_keys_given(point: Point, quantity: Quantity, where: str, key: str) -> Iterator[Mistake]:
    given = {name for name in ("plant", "resource", "node") if getattr(point, name) is not None}
    for name in sorted(given - _TAKES[quantity.scope]):
        yield Mistake(where, f"{key}.{name}", f"{quantity.name} is about a {quantity.scope} and takes no {name}")
    match quantity.scope:
        case Scope.PLANT if "plant" not in given:
            yield Mistake(where, f"{key}.plant", f"is missing: {quantity.name} is about a plant")
        case Scope.RESOURCE if "resource" not in given:
            yield Mistake(where, f"{key}.resource", f"is missing: {quantity.name} is about a resource")
        case Scope.PRICE if not given & {"resource", "node"}:
            yield Mistake(where, f"{key}.node", f"is missing: {quantity.name} is the price of a node, or of a resource's node")


def _unknown(name: str, known: Iterable[str], kind: str) -> str:
    close = get_close_matches(name, list(known), n=1)
    hint = f"; did you mean {close[0]!r}?" if close else ""
    return f"{name!r} is no {kind}{hint}"
