"""Cells: what stands at one address of a block or a point, and whose it is. Pure."""

from collections.abc import Iterable
from typing import Final

from dotbus.readings.subjects import AlarmsOf, Member, PriceAt
from dotbus.runtime.installation.installation import Installation
from dotbus.runtime.installation.modbus import Block, Line, OnBad, Point, Profile, RegisterType, StateTopic
from dotbus.runtime.installation.toml_values import Market
from modbus_gateway.map.form import Form
from modbus_gateway.map.layouts import Layout, Slot
from modbus_gateway.map.paths import quantity_of
from modbus_gateway.map.quantities import QUANTITIES, Quantity, Scope
from modbus_gateway.map.register_map import NO_LIMITS, About, Cell, Limits, StateField

_OF_RESOURCE: Final = (Scope.RESOURCE, Scope.TOGETHER)


def known_quantity(point: Line) -> Quantity:
    """The quantity of a line of which it is known that it has one."""
    quantity = quantity_of(point)
    if isinstance(quantity, str):
        raise TypeError(quantity)
    return quantity


def form_of_point(point: Point, quantity: Quantity) -> Form:
    """How a point is written. A flag in a register has no third state: what would be held is 0 at once, as in a bit."""
    kind = RegisterType.BIT if point.table.has_bits else point.type or quantity.type
    on_bad = OnBad.NAN if kind is RegisterType.BOOL and point.on_bad is not OnBad.EXCEPTION else point.on_bad
    return Form(kind, point.word_order, on_bad, point.bad_value, point.scale, point.offset, point.byte_order, point.length or 0)


def cell_of_point(point: Point, installation: Installation) -> Cell:
    """What a point shows, whose quantity is known."""
    return cell_about(point, _about_point(point, installation))


def cell_about(point: Point, about: About) -> Cell:
    """What a point shows of somebody."""
    quantity = known_quantity(point)
    limits = NO_LIMITS if point.least is None and point.most is None else Limits(point.least, point.most)
    return Cell(
        point.address, quantity, about.with_stale_time(point.stale_after_s), form_of_point(point, quantity), limits, point.unit
    )


def _about_point(point: Point, installation: Installation) -> About:
    known = [Member(plant.name, resource) for plant in installation.plants for resource in plant.resources]
    members = tuple(one for one in known if _is_about(point, one))
    if point.resources:
        members = tuple(one for name in point.resources for one in known if one.resource.id == name)
    prices = (PriceAt(point.market, point.node),) if point.node else _prices(members, point.market)
    if point.topic:
        return About(fields=(_field(point, point.topic, members, prices),))
    scope = known_quantity(point).scope
    if scope is Scope.ALARMS:
        return About(alarms=(AlarmsOf(point.plant or "-", tuple(one.resource.id for one in members)),))
    return _relevant(About(members, prices, point.unit_id), scope)


def _is_about(point: Point, member: Member) -> bool:
    return member.resource.id == point.resource or (point.resource is None and member.plant == point.plant)


def _field(point: Point, topic: StateTopic, members: tuple[Member, ...], prices: tuple[PriceAt, ...]) -> StateField:
    """The field of a state that a point names; what is missing is told as a mistake of its own."""
    scope, name = point.service or "-", point.instance or "-"
    if topic is StateTopic.LMP:
        scope, name = point.market, prices[0].node if prices else "-"
    elif topic is not StateTopic.SERVICE:
        scope, name = (members[0].plant, members[0].resource.id) if members else ("-", "-")
    return StateField(topic, scope, name, point.path or "")


def _relevant(about: About, scope: Scope) -> About:
    """Without what a quantity of this scope is not read from: nobody has to follow that for it."""
    if scope is Scope.ALARMS:
        return About(alarms=_alarms_of(about.members))
    members = about.members if scope in (Scope.PLANT, Scope.RESOURCE, Scope.TOGETHER) else ()
    prices = about.prices if scope in (Scope.PLANT, Scope.PRICE, Scope.TOGETHER) else ()
    return About(members, prices, about.unit_id if scope is Scope.UNIT else None)


def _alarms_of(members: tuple[Member, ...]) -> tuple[AlarmsOf, ...]:
    """The alarms of the plant that all of them are of. Of several plants none: each has an operator of its own."""
    plants = {member.plant for member in members}
    return (AlarmsOf(plants.pop(), tuple(member.resource.id for member in members)),) if len(plants) == 1 else ()


class CellsOfBlock:
    """What stands at the places of a profile in a block. Of cells that say the same of themselves one has it made, all have it.

    Args:
        layout: of the profile.
        block: which shows it.
        places: who has which place.
    """

    def __init__(self, layout: Layout, block: Block, places: tuple[Member | None, ...]) -> None:
        self._layout, self._block, self._places = layout, block, places
        self._abouts: dict[tuple[int | None, Scope], About] = {}
        self._forms: dict[tuple[str, bool, OnBad | None], Form] = {}

    def cell_of(self, slot: Slot) -> Cell | None:
        """What stands at a place; None where nobody has it, so that its registers are reserved."""
        quantity = QUANTITIES[slot.quantity]
        about = self._about(slot.resource, quantity.scope)
        if (quantity.scope is Scope.PRICE and not about.prices) or (quantity.scope in _OF_RESOURCE and not about.members):
            return None  # nobody has this place, or a resource without a node has no price: the registers stay reserved
        if quantity.scope is Scope.ALARMS and not about.alarms:
            return None
        return Cell(self._block.address + slot.address, quantity, about, self._form(quantity, slot))

    def _about(self, resource: int | None, scope: Scope) -> About:
        known = self._abouts.get((resource, scope))
        if known is None:
            known = self._abouts[resource, scope] = _relevant(_about(resource, self._block, self._places), scope)
        return known

    def _form(self, quantity: Quantity, slot: Slot) -> Form:
        which = quantity.name, slot.table.has_bits, slot.on_bad
        known = self._forms.get(which)
        if known is None:
            known = self._forms[which] = _form(quantity, slot, self._layout, self._block)
        return known


def _about(resource: int | None, block: Block, places: tuple[Member | None, ...]) -> About:
    """Everything that a value at a place may be about; `_relevant` chooses."""
    chosen = places if resource is None else places[resource : resource + 1]
    members = tuple(member for member in chosen if member)
    if resource is not None:
        return About(members, _prices(members, block.lmp_market))
    if block.profile is Profile.PLANT:
        return About(members, _prices(members, block.lmp_market), block.unit_id)
    if block.lmp_node:
        return About(members, (PriceAt(block.lmp_market, block.lmp_node),))
    return About(members, _prices(members, block.lmp_market)[:1])


def _prices(members: Iterable[Member], market: Market) -> tuple[PriceAt, ...]:
    return tuple(PriceAt(market, member.resource.node) for member in members if member.resource.node)


def _form(quantity: Quantity, slot: Slot, layout: Layout, block: Block) -> Form:
    on_bad = block.on_bad or layout.on_bad
    if slot.on_bad and on_bad in (OnBad.HOLD, OnBad.VALUE):
        on_bad = slot.on_bad
    if on_bad is OnBad.VALUE and not quantity.is_measured:
        on_bad = OnBad.NAN
    kind = RegisterType.BIT if slot.table.has_bits else quantity.type
    return Form(kind, block.word_order or layout.word_order, on_bad, block.bad_value, byte_order=block.byte_order)
