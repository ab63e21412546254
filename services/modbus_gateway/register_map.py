"""Register map: what the configuration says, as typed cells at addresses. Pure.

A file with several mistakes has them told at once; `map_check` knows them.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from dotbus.contracts.topics import Subject, Topics
from dotbus.runtime.installation import (
    Block,
    Installation,
    Market,
    Modbus,
    OnBad,
    Point,
    Profile,
    RegisterType,
    Resource,
    Table,
)
from dotbus.runtime.installation_file import InstallationFile
from dotbus.runtime.mistakes import ConfigurationRefused, Mistake
from modbus_gateway.encode import Form
from modbus_gateway.layouts import Layout, Slot, lay_out
from modbus_gateway.map_check import Area, MapCheck, check_areas
from modbus_gateway.quantities import QUANTITIES, Quantity, Scope


@dataclass(frozen=True)
class Member:
    """A resource and the plant that it belongs to."""

    plant: str
    resource: Resource


@dataclass(frozen=True)
class PriceAt:
    """The prices of one node in one market."""

    market: Market
    node: str


@dataclass(frozen=True)
class About:
    """What a cell speaks of: the resources and the prices that its quantity is read from."""

    members: tuple[Member, ...] = ()
    prices: tuple[PriceAt, ...] = ()


@dataclass(frozen=True)
class Cell:
    """One value at one address."""

    address: int
    quantity: Quantity
    about: About
    form: Form


@dataclass(frozen=True)
class Span:
    """Registers (or bits) of one unit without a hole. Those that no cell fills are reserved."""

    unit_id: int
    table: Table
    start: int
    length: int
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class RegisterMap:
    """Everything that the gateway serves, and how it judges it."""

    spans: tuple[Span, ...]
    judging: Modbus
    members: tuple[Member, ...] = field(init=False)
    prices: tuple[PriceAt, ...] = field(init=False)

    def __post_init__(self) -> None:
        abouts = [cell.about for span in self.spans for cell in span.cells]
        object.__setattr__(self, "members", tuple(dict.fromkeys(member for about in abouts for member in about.members)))
        object.__setattr__(self, "prices", tuple(dict.fromkeys(price for about in abouts for price in about.prices)))

    @property
    def units(self) -> frozenset[int]:
        """The unit ids that are served."""
        return frozenset(span.unit_id for span in self.spans)

    def filters(self, topics: Topics) -> list[str]:
        """The topics to follow. Services come last: a heartbeat confirms the states that came before it."""
        of_members = [say(m.plant, m.resource.id) for m in self.members for say in (topics.dot, topics.trajectory)]
        return [*of_members, *(topics.lmp(price.market, price.node) for price in self.prices), topics.every(Subject.SERVICE)]


def read_map(file: InstallationFile) -> RegisterMap:
    """The register map of an installation.

    Raises:
        ConfigurationRefused: with every mistake: names that are not in the file, blocks that overlap, values that do not fit.
    """
    register_map, mistakes = draft_map(file)
    if mistakes:
        raise ConfigurationRefused(mistakes)
    return register_map


def draft_map(file: InstallationFile) -> tuple[RegisterMap, list[Mistake]]:
    """The map of what is right in a file, and what is wrong with the rest. What could not be read of the file is in neither."""
    modbus, check = file.installation.modbus, MapCheck(file)
    mistakes = list(check.whole())
    areas: list[tuple[Area, tuple[Cell, ...]]] = []
    for i, block in enumerate(modbus.blocks):
        found = list(check.block(block, key := f"modbus.block[{i}]"))
        mistakes += found
        if not found and file.is_as_given("modbus", "block", i) and _has_known_size(block, file):
            areas += _areas_of_block(block, file.installation, key)
    for i, point in enumerate(modbus.points):
        found = list(check.point(point, key := f"modbus.point[{i}]"))
        mistakes += found
        if not found and file.is_as_given("modbus", "point", i):
            areas.append(_area_of_point(point, file.installation, key))
    mistakes += check_areas([area for area, _ in areas], file.where)
    return RegisterMap(tuple(_joined(areas)), modbus), file.untold(mistakes)


def _has_known_size(block: Block, file: InstallationFile) -> bool:
    """Whether its plants and the number of their resources could be read."""
    plants = file.installation.plants
    lists = {("plant",), *(("plant", i, "resource") for i in range(len(plants)))}
    return not lists & file.refused and set(block.plants or ()) <= {plant.name for plant in plants}


def members_of(block: Block, installation: Installation) -> tuple[Member, ...]:
    """The resources of a block, in the file's order of plants or in the order that the block names them."""
    plants = {plant.name: plant for plant in installation.plants}
    names = block.plants or tuple(plants)
    return tuple(Member(name, resource) for name in names for resource in plants[name].resources)


def _areas_of_block(block: Block, installation: Installation, key: str) -> list[tuple[Area, tuple[Cell, ...]]]:
    members = members_of(block, installation)
    layout = lay_out(block.profile, len(members))
    cells = [(slot.table, cell) for slot in layout.slots if (cell := _cell(slot, layout, block, members))]
    return [
        (Area(key, block.unit_id, table, block.address, length), tuple(cell for its, cell in cells if its is table))
        for table, length in layout.lengths.items()
    ]


def _cell(slot: Slot, layout: Layout, block: Block, members: tuple[Member, ...]) -> Cell | None:
    quantity = QUANTITIES[slot.quantity]
    about = _relevant(_about(slot, block, members), quantity.scope)
    if quantity.scope is Scope.PRICE and not about.prices:
        return None  # a resource without a node has no price: its registers stay reserved
    return Cell(block.address + slot.address, quantity, about, _form(quantity, slot.table, layout, block))


def _about(slot: Slot, block: Block, members: tuple[Member, ...]) -> About:
    if slot.resource is not None:
        member = members[slot.resource]
        return About((member,), _prices((member,), block.lmp_market))
    if block.profile is Profile.PLANT:
        return About(members, _prices(members, block.lmp_market))
    if block.lmp_node:
        return About(members, (PriceAt(block.lmp_market, block.lmp_node),))
    return About(members, _prices(members, block.lmp_market)[:1])


def _prices(members: Iterable[Member], market: Market) -> tuple[PriceAt, ...]:
    return tuple(PriceAt(market, member.resource.node) for member in members if member.resource.node)


def _form(quantity: Quantity, table: Table, layout: Layout, block: Block) -> Form:
    on_bad = block.on_bad or layout.on_bad
    if on_bad is OnBad.VALUE and not quantity.is_measured:
        on_bad = OnBad.NAN
    kind = RegisterType.BIT if table is Table.DISCRETE else quantity.type
    return Form(kind, block.word_order or layout.word_order, on_bad, block.bad_value)


def _area_of_point(point: Point, installation: Installation, key: str) -> tuple[Area, tuple[Cell, ...]]:
    quantity = QUANTITIES[point.quantity]
    kind = RegisterType.BIT if point.table is Table.DISCRETE else point.type or quantity.type
    form = Form(kind, point.word_order, point.on_bad, point.bad_value, point.scale)
    cell = Cell(point.address, quantity, _about_point(point, installation), form)
    return Area(key, point.unit_id, point.table, point.address, form.registers), (cell,)


def _about_point(point: Point, installation: Installation) -> About:
    members = tuple(
        Member(plant.name, resource)
        for plant in installation.plants
        for resource in plant.resources
        if resource.id == point.resource or (point.resource is None and plant.name == point.plant)
    )
    prices = (PriceAt(point.market, point.node),) if point.node else _prices(members, point.market)
    return _relevant(About(members, prices), QUANTITIES[point.quantity].scope)


def _relevant(about: About, scope: Scope) -> About:
    """Without what a quantity of this scope is not read from: nobody has to follow that for it."""
    members = about.members if scope in (Scope.PLANT, Scope.RESOURCE) else ()
    return About(members, about.prices if scope in (Scope.PLANT, Scope.PRICE) else ())


def _joined(areas: list[tuple[Area, tuple[Cell, ...]]]) -> list[Span]:
    """Neighbouring areas as one span, so that one request may read across them."""
    spans: list[Span] = []
    for area, cells in sorted(areas, key=lambda entry: entry[0].place):
        last = spans[-1] if spans else None
        if last and (last.unit_id, last.table, last.start + last.length) == (area.unit_id, area.table, area.start):
            spans[-1] = Span(last.unit_id, last.table, last.start, last.length + area.length, (*last.cells, *cells))
        else:
            spans.append(Span(area.unit_id, area.table, area.start, area.length, cells))
    return spans
