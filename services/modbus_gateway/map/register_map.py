"""Register map: what stands at which register, as typed cells at addresses. `map_draft` makes it of a configuration.

Of each unit there is a hash of all that its readers rely on. SCADA reads addresses and knows no names: when one stands for
another thing after a change, nothing else tells.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

from dotbus.contracts.schedules import Schedule
from dotbus.contracts.topics import Subject, Topics
from dotbus.runtime.installation.installation import Resource
from dotbus.runtime.installation.modbus import Modbus, OnBad, RegisterType, Table
from dotbus.runtime.installation.toml_values import Market
from modbus_gateway.map.form import Form
from modbus_gateway.map.quantities import MUST_FOLLOW, Quantity, Scope

SERVED: Final = "(served from here)"
_LARGEST_INT32: Final = 0x7FFF_FFFF


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
    """What a cell speaks of: the resources and the prices that its quantity is read from, or the unit that it stands at."""

    members: tuple[Member, ...] = ()
    prices: tuple[PriceAt, ...] = ()
    unit_id: int | None = None

    def __str__(self) -> str:
        """Whose the value is, whatever the order of the file. The plant's name is no part of it: a resource has one plant."""
        resources = sorted(member.resource.id for member in self.members)
        return ", ".join([*resources, *sorted({f"{price.market.value} {price.node}" for price in self.prices})])


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


@dataclass(frozen=True, order=True)
class Entry:
    """What a reader of one address relies on, in words: the quantity, whose it is and how it is written.

    `SERVED` in place of a quantity stands for a stretch of registers (or bits) that one request may read.
    """

    unit_id: int
    table: Table
    address: int
    quantity: str
    whose: str
    form: str

    def __str__(self) -> str:
        return " ".join(part for part in (self.quantity, self.whose, self.form) if part)


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

    @cached_property
    def by_unit(self) -> "Mapping[int, RegisterMap]":
        """The same for each unit by itself."""
        spans = {unit_id: tuple(span for span in self.spans if span.unit_id == unit_id) for unit_id in sorted(self.units)}
        return {unit_id: RegisterMap(of_unit, self.judging) for unit_id, of_unit in spans.items()}

    @cached_property
    def judged_cells(self) -> Mapping[int, tuple[Cell, ...]]:
        """The cells of each unit whose values have a quality."""
        cells = [(span.unit_id, cell) for span in self.spans for cell in span.cells if cell.quantity.told_by]
        return {unit_id: tuple(cell for of, cell in cells if of == unit_id) for unit_id in self.units}

    @cached_property
    def entries(self) -> tuple[Entry, ...]:
        """All that readers rely on, in the order of units, tables and addresses."""
        return tuple(sorted(entry for span in self.spans for entry in _entries_of(span)))

    @cached_property
    def hashes(self) -> Mapping[int, int]:
        """For each unit a number from 1 to 2147483646, so that it fits int32 and uint32 and is never "no value".

        The same for the same entries on every machine, and for as long as dotbus adds none where registers are reserved.
        """
        return {unit_id: _hash_of([one for one in self.entries if one.unit_id == unit_id]) for unit_id in self.units}

    def states(self, topics: Topics) -> list[str]:
        """The topics of the states that are shown."""
        of_members = [say(m.plant, m.resource.id) for m in self.members for say in (topics.dot, topics.trajectory)]
        return [*of_members, *(topics.lmp(price.market, price.node) for price in self.prices)]

    def filters(self, topics: Topics) -> list[str]:
        """The topics to follow. Services come last: a heartbeat confirms the states that came before it."""
        return [*self.states(topics), topics.every(Subject.SERVICE)]


def _entries_of(span: Span) -> Iterator[Entry]:
    registers = f"{span.length} {'registers' if span.table is Table.HOLDING else 'inputs'}"
    yield Entry(span.unit_id, span.table, span.start, SERVED, "", registers)
    for cell in span.cells:
        whose = "" if cell.quantity.scope is Scope.UNIT else str(cell.about)
        yield Entry(span.unit_id, span.table, cell.address, _called(cell), whose, _form_of(cell.form))


def _called(cell: Cell) -> str:
    """The quantity, with the schedule that it is of unless that is the usual one; of a flag to follow, that CAISO gives it."""
    quantity, resources = cell.quantity, [member.resource for member in cell.about.members]
    if quantity.name == MUST_FOLLOW and any(resource.variable for resource in resources):
        return f"{quantity.name} (variable)"
    hourly = quantity.follows_schedule and any(resource.schedule is Schedule.HOURLY for resource in resources)
    return f"{quantity.name} ({Schedule.HOURLY})" if hourly else quantity.name


def _form_of(form: Form) -> str:
    if form.type is RegisterType.BIT:
        return f"bit {OnBad.EXCEPTION.value}" if form.on_bad is OnBad.EXCEPTION else "bit"
    words = f" {form.word_order.value}" if form.registers > 1 else ""
    scale = "" if form.scale == 1 else f" times {float(form.scale)!r}"
    instead = f" {float(form.bad_value)!r}" if form.on_bad is OnBad.VALUE and form.bad_value is not None else ""
    return f"{form.type.value}{words}{scale} {form.on_bad.value}{instead}"


def _hash_of(entries: list[Entry]) -> int:
    lines = [f"{one.table.value}\t{one.address}\t{one.quantity}\t{one.whose}\t{one.form}\n" for one in entries]
    digest = hashlib.sha256("".join(lines).encode()).digest()
    return 1 + int.from_bytes(digest[:8], "big") % (_LARGEST_INT32 - 1)
