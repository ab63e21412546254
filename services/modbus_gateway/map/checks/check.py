"""Map check: what can be wrong with a register map and its blocks, each mistake with its key and what to do."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from dotbus.runtime.installation.file import InstallationFile
from dotbus.runtime.installation.modbus import Addresses, Block, Profile, RegisterType, Table
from dotbus.runtime.settings.mistakes import Location, Mistake
from modbus_gateway.map.addressing import ADDRESSES, table_of, written
from modbus_gateway.map.checks.file_facts import FileFacts, why_it_does_not_fit
from modbus_gateway.map.form import Form
from modbus_gateway.map.layouts import CLASSIC_RESOURCES, lay_out
from modbus_gateway.map.register_map import ALIASES

_CALLED: Final = {
    Table.HOLDING: "holding registers",
    Table.INPUT: "input registers",
    Table.DISCRETE: "discrete inputs",
    Table.COIL: "coils",
}
_FREE_PLACE: Final = ': write "" in its place, so that the others stay where they are'


@dataclass(frozen=True)
class Area:
    """Addresses that one key of the file claims. `of` is the table that the same stands in, for one that is shown twice."""

    key: str
    unit_id: int
    table: Table
    start: int
    length: int
    of: Table | None = None
    notation: Addresses = Addresses.FROM_0

    @property
    def end(self) -> int:
        """The first address behind it."""
        return self.start + self.length

    @property
    def place(self) -> tuple[int, Table, int]:
        """For sorting: unit, table, address."""
        return self.unit_id, self.table, self.start

    def __str__(self) -> str:
        start, last = (written(self.notation, self.table, address) for address in (self.start, self.end - 1))
        return f"unit {self.unit_id}, {_CALLED[self.table]} {start} to {last}"


def check_areas(areas: Sequence[Area], where: str) -> Iterator[Mistake]:
    """Areas that overlap. Two that do so in several tables are told once."""
    widest: Area | None = None
    told: set[tuple[str, str]] = set()
    for area in sorted(areas, key=lambda area: area.place):
        if widest and widest.place[:2] == area.place[:2] and area.start < widest.end:
            if (area.key, widest.key) not in told:
                yield Mistake(where, area.key, f"{area}, overlaps {widest.key} ({widest}){_way_out(area, widest)}")
            told |= {(area.key, widest.key), (widest.key, area.key)}
            if area.end <= widest.end:
                continue
        widest = area


def _way_out(*areas: Area) -> str:
    shown_twice = next((area for area in areas if area.of), None)
    return f"; {shown_twice.key} need not be shown there: give it tables without {shown_twice.table}" if shown_twice else ""


def check_whole(file: InstallationFile) -> Iterator[Mistake]:
    """A gateway that was forgotten to be configured, or that would never show what its own installation says."""
    installation, modbus = file.installation, file.installation.modbus
    given = all(file.is_as_given("modbus", kind) for kind in ("block", "point", "write"))
    if given and not modbus.blocks and not modbus.points and not modbus.writes:
        yield Mistake(file.where, "modbus", "serves nothing: give at least one [[modbus.block]] or [[modbus.point]]")
    given = file.is_as_given("environment") and file.is_as_given("modbus", "accept_environments")
    if given and installation.environment not in modbus.accept_environments:
        reason = f"does not name {installation.environment}, this file's environment: no value would ever be shown"
        yield Mistake(file.where, "modbus.accept_environments", reason)


def check_alias(facts: FileFacts, served: frozenset[int]) -> Iterator[Mistake]:
    """An alias of a unit that is none, or whose name another one has."""
    modbus, at = facts.file.installation.modbus, ("modbus",)
    units_known = all(facts.file.is_as_given("modbus", kind, None, "unit_id") for kind in ("block", "point", "write"))
    if modbus.alias_of is None or not units_known:
        return
    units = {one.unit_id for ones in (modbus.blocks, modbus.points, modbus.writes) for one in ones}
    if modbus.alias_of not in units:
        yield from facts.tell(at, "alias_of", f"{modbus.alias_of} is no unit of this map")
    taken = [str(unit_id) for unit_id in ALIASES if unit_id in served and unit_id != modbus.alias_of]
    if taken:
        told = (
            f"unit {' and '.join(taken)} of this map would not be told from it: take another unit id there, or leave this out"
        )
        yield from facts.tell(at, "alias_of", told)


def check_block(block: Block, facts: FileFacts, at: Location) -> Iterator[Mistake]:
    """What is wrong with one block."""
    yield from _check_names(block, facts, at)
    if has_known_size(block, facts, at):
        yield from _check_size(block, facts, at)
    yield from _check_price(block, facts, at)
    yield from _check_tables(block, facts, at)
    reason = why_it_does_not_fit(block.bad_value, Form(RegisterType.FLOAT32)) if block.bad_value is not None else None
    if reason:
        yield from facts.tell(at, "bad_value", reason)


def _check_names(block: Block, facts: FileFacts, at: Location) -> Iterator[Mistake]:
    for name in dict.fromkeys(block.plants or ()):
        yield from facts.unknown_plant(name, at, "plants")
    named = [name for name in block.resources or () if name]
    for name in dict.fromkeys(named):
        yield from facts.unknown_resource(name, at, "resources", _FREE_PLACE)
    for key, names in (("plants", block.plants or ()), ("resources", named)):
        for name in dict.fromkeys(names):
            if names.count(name) > 1:
                yield from facts.tell(at, key, f"{name!r} is named twice")
    if block.resources is not None and not named:
        yield from facts.tell(at, "resources", "names no resource")
    if block.resources is not None and block.plants is not None:
        yield from facts.tell(at, "resources", "goes in place of plants: give one of the two", "plants")


def has_known_size(block: Block, facts: FileFacts, at: Location) -> bool:
    """Whether its profile was read, and its places: those that it names, or its plants and the number of their resources."""
    if not all(facts.file.is_as_given(*at, key) for key in ("profile", "plants", "resources")):
        return False
    if block.resources is not None:
        return True
    plants = facts.file.installation.plants
    names = block.plants or tuple(plant.name for plant in plants)
    lists = {("plant",), *(("plant", i, "resource") for i, plant in enumerate(plants) if plant.name in names)}
    return not lists & facts.file.refused and set(names) <= facts.plants.keys()


def fits(block: Block, facts: FileFacts) -> bool:
    """Whether the profile has room for its resources."""
    return block.profile is not Profile.CLASSIC or len(facts.places(block)) <= CLASSIC_RESOURCES


def _check_size(block: Block, facts: FileFacts, at: Location) -> Iterator[Mistake]:
    places = len(facts.places(block))
    if not places:
        yield from facts.tell(at, "plants", "has no resource that is named, and one that a pattern claims has no registers")
        return
    if not fits(block, facts):
        room = f"the classic profile has room for {CLASSIC_RESOURCES} resources"
        if block.resources is None:
            told = f"{room}, these plants have {places}: name fewer plants, or use the plant profile"
        else:
            told = f"{room}, this is a list of {places}: shorten it, or use the plant profile"
        yield from facts.tell(at, "plants" if block.resources is None else "resources", told)
        return
    end = block.address + max(lay_out(block.profile, places).lengths.values())
    if end > ADDRESSES:
        notation = facts.file.installation.modbus.addresses
        last, most = (written(notation, table_of(block), address) for address in (end - 1, ADDRESSES - 1))
        reason = f"the block would end at {last}, the last register of a unit is {most}"
        yield from facts.tell(at, "address", reason)


def _check_tables(block: Block, facts: FileFacts, at: Location) -> Iterator[Mistake]:
    for table in dict.fromkeys(block.tables):
        if block.tables.count(table) > 1:
            yield from facts.tell(at, "tables", f"{table} is named twice")
    laid_out = {table.has_bits for table in lay_out(block.profile, 1).lengths}
    if not any(table.has_bits in laid_out for table in block.tables):
        yield from facts.tell(at, "tables", f"the {block.profile} profile has nothing for them: it is registers", "profile")


def _check_price(block: Block, facts: FileFacts, at: Location) -> Iterator[Mistake]:
    if block.lmp_node or any(member and member.resource.node for member in facts.places(block)):
        yield from facts.without_market(block.lmp_market, at, "lmp_market")
    if block.lmp_node:
        yield from facts.without_node(block.lmp_node, at, "lmp_node")
    if block.lmp_node and block.profile is Profile.PLANT:
        reason = "is for the classic profile; here each resource shows its own node's price"
        yield from facts.tell(at, "lmp_node", reason, "profile")
