"""Point check: what can be wrong with one point of a register map."""

from collections.abc import Iterator
from typing import Final

from dotbus.runtime.installation.modbus import Point, RegisterType, Table
from dotbus.runtime.settings.mistakes import Location, Mistake, did_you_mean
from modbus_gateway.map.check import ADDRESSES
from modbus_gateway.map.file_facts import NODES, FileFacts, why_it_does_not_fit
from modbus_gateway.map.form import Form
from modbus_gateway.map.quantities import EPOCH, MUST_FOLLOW, MW, QUANTITIES, Quantity, Scope

_SUBJECTS: Final = ("plant", "resource", "node")
_TAKES: Final = {
    Scope.GATEWAY: frozenset[str](),
    Scope.UNIT: frozenset[str](),
    Scope.PLANT: frozenset({"plant", "market"}),
    Scope.RESOURCE: frozenset({"plant", "resource"}),
    Scope.PRICE: frozenset({"plant", "resource", "node", "market"}),
}
_KEEPS_EVERY_DIGIT: Final = (RegisterType.UINT32, RegisterType.INT32)
SCALE_LEAST: Final = 1e-6
SCALE_MOST: Final = 1e9
"""Terawatts and milliwatts. Far beyond them a small value is no longer told from 0, or a large one fits nowhere."""
INTEGER_SCALE_LEAST: Final = 1.0
"""A smaller one would round away megawatts: at 1e-9 every value reads 0."""
_OF_NUMBERS: Final = ("scale", "word_order", "bad_value")


def check_point(point: Point, facts: FileFacts, at: Location) -> Iterator[Mistake]:
    """What is wrong with one point."""
    yield from _check_names(point, facts, at)
    quantity = QUANTITIES.get(point.quantity)
    if quantity is None:
        hint = did_you_mean(point.quantity, QUANTITIES)
        yield from facts.tell(at, "quantity", f"{point.quantity!r} is no quantity{hint}")
        return
    yield from _check_keys_given(point, quantity, facts, at)
    if point.table is Table.DISCRETE:
        yield from _check_bit(point, quantity, facts, at)
    elif point.type is RegisterType.BIT:
        yield from facts.tell(at, "type", 'a bit belongs in table = "discrete"', "table")
    else:
        yield from _check_number(point, quantity, facts, at)
    if quantity.scope is Scope.PRICE:
        yield from _check_price(point, facts, at)


def _check_names(point: Point, facts: FileFacts, at: Location) -> Iterator[Mistake]:
    if point.plant is not None:
        yield from facts.unknown_plant(point.plant, at, "plant")
    if point.resource is None:
        return
    yield from facts.unknown_resource(point.resource, at, "resource")
    owners = [name for name, resources in facts.plants.items() if any(one.id == point.resource for one in resources)]
    if owners and point.plant in facts.plants and point.plant not in owners:
        yield from facts.tell(at, "resource", f"{point.resource!r} does not belong to plant {point.plant!r}", "plant")


def _check_keys_given(point: Point, quantity: Quantity, facts: FileFacts, at: Location) -> Iterator[Mistake]:
    given = point.model_fields_set
    for name in (*_SUBJECTS, "market"):
        if name in given and name not in _TAKES[quantity.scope]:
            reason = f"{quantity.name} is about a {quantity.scope} and takes no {name}"
            yield from facts.tell(at, name, reason, "quantity")
    match quantity.scope:
        case Scope.PLANT if "plant" not in given:
            yield from facts.tell(at, "plant", f"is missing: {quantity.name} is about a plant", *_SUBJECTS)
        case Scope.RESOURCE if "resource" not in given:
            yield from facts.tell(at, "resource", f"is missing: {quantity.name} is about a resource", *_SUBJECTS)
        case Scope.PRICE if not given & {"resource", "node"}:
            reason = f"is missing: {quantity.name} is the price of a node, or of a resource's node"
            yield from facts.tell(at, "node", reason, *_SUBJECTS)


def _check_bit(point: Point, quantity: Quantity, facts: FileFacts, at: Location) -> Iterator[Mistake]:
    if point.type not in (None, RegisterType.BIT):
        yield from facts.tell(at, "type", f"a discrete input is a bit, not a {point.type}", "table")
    if not quantity.is_flag:
        yield from facts.tell(at, "quantity", f"{quantity.name} is no flag, so it cannot be a discrete input", "table")
    resource = facts.resources.get(point.resource or "")
    if quantity.name == MUST_FOLLOW and resource and resource.variable:
        told = f"{quantity.name} of a variable resource is unknown until CAISO says it, which a discrete input cannot show"
        yield from facts.tell(at, "table", told, "quantity", "resource")
    for name in _OF_NUMBERS:
        if name in point.model_fields_set:
            yield from facts.tell(at, name, "means nothing for a discrete input", "table")


def _check_number(point: Point, quantity: Quantity, facts: FileFacts, at: Location) -> Iterator[Mistake]:
    form = Form(point.type or quantity.type, scale=point.scale)
    if (quantity.scope is Scope.UNIT or quantity.unit == EPOCH) and form.type not in _KEEPS_EVERY_DIGIT:
        told = f"{quantity.name} needs uint32 or int32: no other type keeps every digit of it"
        yield from facts.tell(at, "type", told, "quantity", "table")
    if point.scale != 1:
        yield from _check_scale(point, quantity, form.type, facts, at)
    reason = why_it_does_not_fit(point.bad_value, form) if point.bad_value is not None else None
    if reason:
        yield from facts.tell(at, "bad_value", reason, "type", "quantity", "table", "scale")
    if point.address + form.registers > ADDRESSES:
        reason = f"a {form.type} takes two registers, {point.address} is the last of a unit"
        yield from facts.tell(at, "address", reason, "type", "quantity", "table")
    if quantity.unit == MW:
        yield from _check_limits(point, form.type, facts, at)


def _check_scale(point: Point, quantity: Quantity, kind: RegisterType, facts: FileFacts, at: Location) -> Iterator[Mistake]:
    """A scale under which the registers would say something else, or nothing."""
    least = SCALE_LEAST if kind is RegisterType.FLOAT32 else INTEGER_SCALE_LEAST
    if not quantity.is_measured:
        told = f"{quantity.name} takes no scale: only megawatts and prices do, all else would mean another thing"
        yield from facts.tell(at, "scale", told, "quantity", "table")
    elif not least <= abs(point.scale) <= SCALE_MOST:
        told = f"{point.scale:g} is not between {least:g} and {SCALE_MOST:g} or their negatives: {kind} would lose the value"
        yield from facts.tell(at, "scale", told, "type", "quantity", "table")


def _check_limits(point: Point, kind: RegisterType, facts: FileFacts, at: Location) -> Iterator[Mistake]:
    """A type that cannot show the megawatts that the resource can have."""
    resource = facts.resources.get(point.resource or "")
    if resource is None:
        return
    for name, limit_mw in (("pmin_mw", resource.pmin_mw), ("pmax_mw", resource.pmax_mw)):
        if limit_mw is not None and why_it_does_not_fit(limit_mw, Form(kind, scale=point.scale)):
            reason = f"{kind} with scale {point.scale:g} cannot show the resource's {name}, {limit_mw:g}"
            yield from facts.tell(at, "type", reason, "scale", "quantity", "table", "resource")


def _check_price(point: Point, facts: FileFacts, at: Location) -> Iterator[Mistake]:
    yield from facts.without_market(point.market, at, "market", "quantity")
    if point.node:
        yield from facts.without_node(point.node, at, "node")
    resource = facts.resources.get(point.resource or "")
    if resource and point.node is None and resource.node is None and facts.file.is_as_given(*NODES):
        reason = f"{point.resource!r} has no node: give node, here or at the resource"
        yield from facts.tell(at, "resource", reason, "node", "quantity")
