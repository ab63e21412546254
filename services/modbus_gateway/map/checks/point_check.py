"""Point check: what can be wrong with one point of a register map."""

from collections.abc import Iterator
from typing import Final

from dotbus.contracts.alarms import INSTALLATION
from dotbus.runtime.installation.modbus import OnBad, Point, RegisterType, StateTopic, Table
from dotbus.runtime.settings.mistakes import Location, Mistake
from modbus_gateway.map.addressing import ADDRESSES, written
from modbus_gateway.map.cells import form_of_point
from modbus_gateway.map.checks.file_facts import NODES, FileFacts, why_it_does_not_fit
from modbus_gateway.map.checks.state_check import check_source, check_whose
from modbus_gateway.map.form import Form, digits_of
from modbus_gateway.map.paths import quantity_of
from modbus_gateway.map.quantities import EPOCH, FRESH, MUST_FOLLOW, MW, REASONS, TEXT, Quantity, Scope

_SUBJECTS: Final = ("plant", "resource", "resources", "node")
_TAKES: Final = {
    Scope.GATEWAY: frozenset[str](),
    Scope.UNIT: frozenset[str](),
    Scope.PLANT: frozenset({"plant", "resources", "market"}),
    Scope.RESOURCE: frozenset({"plant", "resource"}),
    Scope.PRICE: frozenset({"plant", "resource", "node", "market"}),
    Scope.TOGETHER: frozenset({"plant", "resource", "market"}),
    Scope.ALARMS: frozenset({"plant"}),
}
_KEEPS_EVERY_DIGIT: Final = (
    RegisterType.UINT32,
    RegisterType.INT32,
    RegisterType.UINT64,
    RegisterType.INT64,
    RegisterType.FLOAT64,
)
SCALE_LEAST: Final = 1e-6
SCALE_MOST: Final = 1e9
"""Terawatts and milliwatts. Far beyond them a small value is no longer told from 0, or a large one fits nowhere."""
INTEGER_SCALE_LEAST: Final = 1.0
"""A smaller one would round away megawatts: at 1e-9 every value reads 0."""
_OF_NUMBERS: Final = ("scale", "offset", "word_order", "byte_order", "bad_value", "least", "most")


NAMED: Final = {"least": "min", "most": "max"}
"""Keys of the file whose names Python has for something else."""
_WHOLE: Final = (RegisterType.INT32, RegisterType.INT64)
_BIT: Final = {Table.DISCRETE: "discrete input", Table.COIL: "coil"}
_NUMBERS: Final = {2: "two", 4: "four"}


def check_point(point: Point, facts: FileFacts, at: Location) -> Iterator[Mistake]:
    """What is wrong with one point."""
    yield from _check_names(point, facts, at)
    yield from check_source(point, facts, at)
    if point.topic:
        yield from check_whose(point, point.topic, facts, at)
    quantity = quantity_of(point)
    if isinstance(quantity, str):
        if point.quantity or (point.topic and point.path):
            yield from facts.tell(at, "path" if point.path else "quantity", quantity, "topic")
        return
    if not point.topic:
        yield from _check_keys_given(point, quantity, facts, at)
    if point.table.has_bits:
        yield from _check_bit(point, quantity, facts, at)
    elif point.type is RegisterType.BIT:
        yield from facts.tell(at, "type", 'a bit belongs in table = "discrete" or "coil"', "table")
    else:
        yield from _check_number(point, quantity, facts, at)
    yield from _check_stale_time(point, quantity, facts, at)
    if quantity.scope is Scope.PRICE:
        yield from _check_price(point, facts, at)
    elif quantity.scope is Scope.TOGETHER and "market" in point.model_fields_set:
        yield from facts.without_market(point.market, at, "market", "quantity")


def _check_names(point: Point, facts: FileFacts, at: Location) -> Iterator[Mistake]:
    if point.plant is not None and not (point.plant == INSTALLATION and _is_of_alarms(point)):
        yield from facts.unknown_plant(point.plant, at, "plant")
    for name in dict.fromkeys(point.resources or ()):
        yield from facts.unknown_resource(name, at, "resources")
        if (point.resources or ()).count(name) > 1:
            yield from facts.tell(at, "resources", f"{name!r} is named twice")
    if point.resource is None:
        return
    yield from facts.unknown_resource(point.resource, at, "resource")
    owners = [name for name, resources in facts.plants.items() if any(one.id == point.resource for one in resources)]
    if owners and point.plant in facts.plants and point.plant not in owners:
        yield from facts.tell(at, "resource", f"{point.resource!r} does not belong to plant {point.plant!r}", "plant")


def _is_of_alarms(point: Point) -> bool:
    quantity = quantity_of(point)
    return not isinstance(quantity, str) and quantity.scope is Scope.ALARMS


def _check_keys_given(point: Point, quantity: Quantity, facts: FileFacts, at: Location) -> Iterator[Mistake]:
    given = point.model_fields_set
    for name in (*_SUBJECTS, "market"):
        if name in given and name not in _TAKES[quantity.scope]:
            reason = f"{quantity.name} is about a {quantity.scope} and takes no {name}"
            yield from facts.tell(at, name, reason, "quantity")
    match quantity.scope:
        case Scope.PLANT if {"plant", "resources"} <= given:
            yield from facts.tell(at, "resources", "goes in place of plant: give one or the other", "plant")
        case Scope.PLANT if not given & {"plant", "resources"}:
            yield from facts.tell(at, "plant", f"is missing: {quantity.name} is about a plant", *_SUBJECTS)
        case Scope.ALARMS if "plant" not in given:
            reason = f"is missing: {quantity.name} is about a plant's alarms, or those of the {INSTALLATION}"
            yield from facts.tell(at, "plant", reason, *_SUBJECTS)
        case Scope.RESOURCE | Scope.TOGETHER if "resource" not in given:
            yield from facts.tell(at, "resource", f"is missing: {quantity.name} is about a resource", *_SUBJECTS)
        case Scope.PRICE if not given & {"resource", "node"}:
            reason = f"is missing: {quantity.name} is the price of a node, or of a resource's node"
            yield from facts.tell(at, "node", reason, *_SUBJECTS)


def _check_bit(point: Point, quantity: Quantity, facts: FileFacts, at: Location) -> Iterator[Mistake]:
    if point.type not in (None, RegisterType.BIT):
        yield from facts.tell(at, "type", f"a {_BIT[point.table]} is a bit, not a {point.type}", "table")
    if not quantity.is_flag:
        yield from facts.tell(at, "quantity", f"{quantity.name} is no flag, so it cannot be a {_BIT[point.table]}", "table")
    resource = facts.resources.get(point.resource or "")
    if quantity.name == MUST_FOLLOW and resource and resource.variable:
        told = f"{quantity.name} of a variable resource is unknown until CAISO says it, which a bit cannot show"
        yield from facts.tell(at, "table", told, "quantity", "resource")
    for name in _OF_NUMBERS:
        if name in point.model_fields_set:
            yield from facts.tell(at, NAMED.get(name, name), "means nothing for a bit", "table")


def _check_number(point: Point, quantity: Quantity, facts: FileFacts, at: Location) -> Iterator[Mistake]:
    form = form_of_point(point, quantity)
    if told := _why_no(form.type, quantity):
        yield from facts.tell(at, "type", told, "quantity", "path", "table")
        return
    yield from _check_length(point, form, facts, at)
    for name in ("scale", "offset", "least", "most"):
        if not quantity.is_measured and name in point.model_fields_set:
            key = NAMED.get(name, name)
            told = f"{quantity.name} takes no {key}: only megawatts and prices do, all else would mean another thing"
            yield from facts.tell(at, key, told, "quantity", "table")
    if point.on_bad is OnBad.VALUE and (form.is_flag or quantity.unit == TEXT):
        kind = "text" if quantity.unit == TEXT else "bool, which is 0 while it is bad"
        yield from facts.tell(at, "bad_value", f"{quantity.name} is a {kind}: choose another on_bad", "path", "type")
        return
    if quantity.is_measured and point.scale != 1:
        yield from _check_scale(point, form, facts, at)
    reason = why_it_does_not_fit(point.bad_value, form) if point.bad_value is not None else None
    if reason:
        yield from facts.tell(at, "bad_value", reason, "type", "quantity", "table", "scale", "offset")
    if point.address + form.registers > ADDRESSES:
        most = written(facts.file.installation.modbus.addresses, point.table, ADDRESSES - 1)
        reason = f"a {form.type} takes {_NUMBERS.get(form.registers, form.registers)} registers, the last of a unit is {most}"
        yield from facts.tell(at, "address", reason, "type", "quantity", "table")
    if quantity.is_measured:
        yield from _check_limits(point, quantity, form, facts, at)


def _check_length(point: Point, form: Form, facts: FileFacts, at: Location) -> Iterator[Mistake]:
    if form.type is RegisterType.STRING and point.length is None:
        yield from facts.tell(
            at, "length", "is missing: how many registers the text may take, two characters each", "type", "path"
        )
    elif form.type is not RegisterType.STRING and point.length is not None:
        yield from facts.tell(at, "length", f"is for a string; a {form.type} has its own", "type", "path")


def _why_no(kind: RegisterType, quantity: Quantity) -> str | None:
    """Why a quantity cannot be of a type; None when it can."""
    if kind is RegisterType.BOOL and not quantity.is_flag:
        return f"{quantity.name} is no flag, so it cannot be a bool"
    if kind is RegisterType.BITS and quantity.unit not in (REASONS, FRESH):
        return f"{quantity.name} is no bit mask, so it cannot be bits"
    if (kind is RegisterType.STRING) != (quantity.unit == TEXT):
        is_text = quantity.unit == TEXT
        return f"{quantity.name} is a {'text' if is_text else 'number'}, so it {'must' if is_text else 'cannot'} be a string"
    if kind is RegisterType.FLOAT32 and quantity.type in _WHOLE:
        return f"{quantity.name} is a whole number, of which float32 would lose digits"
    if (quantity.scope is Scope.UNIT or quantity.unit == EPOCH) and kind not in _KEEPS_EVERY_DIGIT:
        return f"{quantity.name} needs uint32, int32 or 64 bits: no other type keeps every digit of it"
    return None


def _check_scale(point: Point, form: Form, facts: FileFacts, at: Location) -> Iterator[Mistake]:
    """A scale under which the registers would say something else, or nothing."""
    kind, least = form.type, SCALE_LEAST if form.is_float else INTEGER_SCALE_LEAST
    if not least <= abs(point.scale) <= SCALE_MOST:
        told = f"{point.scale:g} is not between {least:g} and {SCALE_MOST:g} or their negatives: {kind} would lose the value"
        yield from facts.tell(at, "scale", told, "type", "quantity", "table")


def _check_limits(point: Point, quantity: Quantity, form: Form, facts: FileFacts, at: Location) -> Iterator[Mistake]:
    """A type that cannot show what the value can be: by its resource's limits and its own."""
    if point.least is not None and point.most is not None and point.least > point.most:
        yield from facts.tell(at, "max", f"{digits_of(point.most)} is below min {digits_of(point.least)}", "min")
    limits = [("its own min", point.least), ("its own max", point.most)]
    resource = facts.resources.get(point.resource or "") if quantity.unit == MW else None
    if resource:
        limits += [("the resource's pmin_mw", resource.pmin_mw), ("the resource's pmax_mw", resource.pmax_mw)]
    for name, limit in limits:
        if limit is not None and why_it_does_not_fit(limit, form):
            offset = f" and offset {point.offset:g}" if point.offset else ""
            reason = f"{form.type} with scale {point.scale:g}{offset} cannot show {name}, {limit:g}"
            yield from facts.tell(at, "type", reason, "scale", "offset", "quantity", "table", "resource", "min", "max")


def _check_stale_time(point: Point, quantity: Quantity, facts: FileFacts, at: Location) -> Iterator[Mistake]:
    """A stale time of its own that would change nothing."""
    if point.stale_after_s is None:
        return
    modbus = facts.file.installation.modbus
    is_price = quantity.scope is Scope.PRICE or point.topic is StateTopic.LMP
    name = "price_stale_after_s" if is_price else "stale_after_s"
    general_s = modbus.price_stale_after_s if is_price else modbus.stale_after_s
    if not quantity.told_by:
        yield from facts.tell(at, "stale_after_s", f"{quantity.name} is never stale", "quantity")
    elif quantity.scope is Scope.ALARMS:
        told = f"means nothing for {quantity.name}: the service of alarms says itself until when it vouches for it"
        yield from facts.tell(at, "stale_after_s", told, "quantity")
    elif point.stale_after_s > general_s and facts.file.is_as_given("modbus", name):
        told = f"{point.stale_after_s:g} is longer than {name} of [modbus], {general_s:g}, which counts for every value"
        yield from facts.tell(at, "stale_after_s", told, "quantity")


def _check_price(point: Point, facts: FileFacts, at: Location) -> Iterator[Mistake]:
    yield from facts.without_market(point.market, at, "market", "quantity")
    if point.node:
        yield from facts.without_node(point.node, at, "node")
    resource = facts.resources.get(point.resource or "")
    if resource and point.node is None and resource.node is None and facts.file.is_as_given(*NODES):
        reason = f"{point.resource!r} has no node: give node, here or at the resource"
        yield from facts.tell(at, "resource", reason, "node", "quantity")
