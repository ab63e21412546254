"""Map check: what can be wrong with a register map and its blocks, each mistake with its key and what to do."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from dotbus.runtime.installation_file import InstallationFile
from dotbus.runtime.installation_modbus import Block, Profile, RegisterType, Table
from dotbus.runtime.mistakes import Location, Mistake
from modbus_gateway.encode import Form
from modbus_gateway.file_facts import FileFacts, why_it_does_not_fit
from modbus_gateway.layouts import CLASSIC_RESOURCES, lay_out

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


def check_whole(file: InstallationFile) -> Iterator[Mistake]:
    """A gateway that was forgotten to be configured, or that would never show what its own installation says."""
    installation, modbus = file.installation, file.installation.modbus
    given = file.is_as_given("modbus", "block") and file.is_as_given("modbus", "point")
    if given and not modbus.blocks and not modbus.points:
        yield Mistake(file.where, "modbus", "serves nothing: give at least one [[modbus.block]] or [[modbus.point]]")
    given = file.is_as_given("environment") and file.is_as_given("modbus", "accept_environments")
    if given and installation.environment not in modbus.accept_environments:
        reason = f"does not name {installation.environment}, this file's environment: no value would ever be shown"
        yield Mistake(file.where, "modbus.accept_environments", reason)


def check_block(block: Block, facts: FileFacts, at: Location) -> Iterator[Mistake]:
    """What is wrong with one block."""
    for name in dict.fromkeys(block.plants or ()):
        yield from facts.unknown_plant(name, at, "plants")
        if (block.plants or ()).count(name) > 1:
            yield from facts.tell(at, "plants", f"{name!r} is named twice")
    if has_known_size(block, facts, at):
        yield from _check_size(block, facts, at)
    yield from _check_price(block, facts, at)
    reason = why_it_does_not_fit(block.bad_value, Form(RegisterType.FLOAT32)) if block.bad_value is not None else None
    if reason:
        yield from facts.tell(at, "bad_value", reason)


def has_known_size(block: Block, facts: FileFacts, at: Location) -> bool:
    """Whether its profile, its plants and the number of their resources were read."""
    plants = facts.file.installation.plants
    names = block.plants or tuple(plant.name for plant in plants)
    lists = {("plant",), *(("plant", i, "resource") for i, plant in enumerate(plants) if plant.name in names)}
    read = all(facts.file.is_as_given(*at, key) for key in ("profile", "plants"))
    return read and not lists & facts.file.refused and set(names) <= facts.plants.keys()


def fits(block: Block, facts: FileFacts) -> bool:
    """Whether the profile has room for its resources."""
    return block.profile is not Profile.CLASSIC or len(facts.members(block)) <= CLASSIC_RESOURCES


def _check_size(block: Block, facts: FileFacts, at: Location) -> Iterator[Mistake]:
    resources = len(facts.members(block))
    if not fits(block, facts):
        reason = f"the classic profile has room for {CLASSIC_RESOURCES} resources, these plants have {resources}"
        yield from facts.tell(at, "plants", f"{reason}: name fewer plants, or use the plant profile")
        return
    end = block.address + max(lay_out(block.profile, resources).lengths.values())
    if end > ADDRESSES:
        reason = f"the block would end at {end - 1}, the last register of a unit is {ADDRESSES - 1}"
        yield from facts.tell(at, "address", reason)


def _check_price(block: Block, facts: FileFacts, at: Location) -> Iterator[Mistake]:
    shown = [resource.node for name in block.plants or facts.plants for resource in facts.plants.get(name, ()) if resource.node]
    if shown or block.lmp_node:
        yield from facts.without_market(block.lmp_market, at, "lmp_market")
    if block.lmp_node:
        yield from facts.without_node(block.lmp_node, at, "lmp_node")
    if block.lmp_node and block.profile is Profile.PLANT:
        reason = "is for the classic profile; here each resource shows its own node's price"
        yield from facts.tell(at, "lmp_node", reason, "profile")
