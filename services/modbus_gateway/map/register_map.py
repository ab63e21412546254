"""Register map: what stands at which register, as typed cells at addresses. `map_draft` makes it of a configuration.

Of each unit there is a hash of all that its readers rely on. SCADA reads addresses and knows no names: when one stands for
another thing after a change, nothing else tells.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Final, Self

from dotbus.contracts.schedules import Schedule
from dotbus.contracts.topics import Subject, Topics
from dotbus.judging.arrivals import ADS_INGEST, LMP_INGEST
from dotbus.readings.subjects import AlarmsOf, Member, PriceAt
from dotbus.runtime.installation.modbus import Modbus, StateTopic, Table
from modbus_gateway.map.form import Form
from modbus_gateway.map.quantities import MUST_FOLLOW, Quantity, Scope

SERVED: Final = "(served from here)"
ALIASES: Final = (0, 255)
"""Unit ids by which clients ask a device that has one unit: the broadcast's, and the one that Modbus/TCP recommends."""
_LARGEST_INT32: Final = 0x7FFF_FFFF
_COUNTED: Final = {Table.DISCRETE: "inputs", Table.COIL: "coils"}


@dataclass(frozen=True)
class StateField:
    """A field of a state, by the topic that it is said on: of a resource, a node's price or a service's instance."""

    topic: StateTopic
    scope: str
    name: str
    path: str
    stale_after_s: float | None = None

    @property
    def called(self) -> str:
        """The field, whose ever it is."""
        return f"{self.topic}.{self.path}"

    def topic_in(self, topics: Topics) -> str:
        """The topic of an installation that says it."""
        say = {
            StateTopic.DOT: topics.dot,
            StateTopic.TRAJECTORY: topics.trajectory,
            StateTopic.INSTRUCTIONS: topics.instructions,
            StateTopic.LMP: topics.lmp,
            StateTopic.SERVICE: topics.service,
        }
        return say[self.topic](self.scope, self.name)

    def __str__(self) -> str:
        """Whose it is. A resource has one plant."""
        between = {StateTopic.LMP: " ", StateTopic.SERVICE: "/"}.get(self.topic)
        return f"{self.scope}{between}{self.name}" if between else self.name


@dataclass(frozen=True)
class About:
    """What a cell speaks of: the resources, prices or states that its quantity is read from, or the unit that it stands at."""

    members: tuple[Member, ...] = ()
    prices: tuple[PriceAt, ...] = ()
    unit_id: int | None = None
    fields: tuple[StateField, ...] = ()
    alarms: tuple[AlarmsOf, ...] = ()

    @cached_property
    def stale_after_s(self) -> float | None:
        """Its own stale time, seconds; None where the general one counts."""
        times_s = (
            *(member.stale_after_s for member in self.members),
            *(price.stale_after_s for price in self.prices),
            *(each.stale_after_s for each in self.fields),
        )
        return next((time_s for time_s in times_s if time_s is not None), None)

    def with_stale_time(self, stale_after_s: float | None) -> Self:
        """The same with a stale time of its own. Without one it is what its quality at the unit is about."""
        if stale_after_s is None and self.stale_after_s is None:
            return self
        members = tuple(replace(member, stale_after_s=stale_after_s) for member in self.members)
        prices = tuple(replace(price, stale_after_s=stale_after_s) for price in self.prices)
        fields = tuple(replace(each, stale_after_s=stale_after_s) for each in self.fields)
        return replace(self, members=members, prices=prices, fields=fields)

    @cached_property
    def in_words(self) -> str:
        """Whose the value is, whatever the order of the file. The plant's name is no part of it: a resource has one plant."""
        resources = sorted(member.resource.id for member in self.members)
        prices = sorted({f"{price.market.value} {price.node}" for price in self.prices})
        return ", ".join([*resources, *prices, *(str(each) for each in (*self.fields, *self.alarms))])

    @property
    def plants(self) -> tuple[str, ...]:
        """The plants of its resources, and those whose alarms it is about."""
        return tuple(dict.fromkeys([*(member.plant for member in self.members), *(each.plant for each in self.alarms)]))

    def __str__(self) -> str:
        return self.in_words


@dataclass(frozen=True)
class Limits:
    """Between which values a cell's own is good; what they are is said by its quantity."""

    least: float | None = None
    most: float | None = None

    def allow(self, value: float) -> bool:
        """Whether a value keeps them."""
        return (self.least is None or value >= self.least) and (self.most is None or value <= self.most)


NO_LIMITS: Final = Limits()


@dataclass(frozen=True, slots=True)
class Cell:
    """One value at one address. `limits` are its own, besides those of the resource that it is about.

    `unit` is what the registers count in, where that is not the quantity's own unit.
    """

    address: int
    quantity: Quantity
    about: About
    form: Form
    limits: Limits = NO_LIMITS
    unit: str | None = None

    @property
    def stale_after_s(self) -> float | None:
        """Its own stale time, seconds; None where the general one counts."""
        return self.about.stale_after_s

    @property
    def judged_alike(self) -> "Cell":
        """The same without a stale time of its own."""
        return replace(self, about=self.about.with_stale_time(None)) if self.stale_after_s is not None else self


@dataclass(frozen=True)
class Span:
    """Registers (or bits) of one unit without a hole. Those that no cell fills are reserved."""

    unit_id: int
    table: Table
    start: int
    length: int
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class View:
    """Addresses of a table at which the same stands as at those of another table, `of`, which has a span for it."""

    unit_id: int
    table: Table
    start: int
    length: int
    of: Table


@dataclass(frozen=True, order=True, slots=True)
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
    """Everything that the gateway serves, and how it judges it.

    Attributes:
        views: what of the spans is shown in other tables, too.
        written: what stands at the addresses that SCADA writes; `modbus_gateway.map.writable` has it.
        members: the resources that it is about, each also with each stale time that a cell has of its own.
        instructed: those of the resources whose instructions are shown.
        prices: the same of prices.
        fields: the same of fields of states.
        alarmed: whose alarms are shown.
    """

    spans: tuple[Span, ...]
    judging: Modbus
    views: tuple[View, ...] = ()
    written: tuple[Entry, ...] = ()
    members: tuple[Member, ...] = field(init=False)
    instructed: tuple[Member, ...] = field(init=False)
    prices: tuple[PriceAt, ...] = field(init=False)
    fields: tuple[StateField, ...] = field(init=False)
    alarmed: tuple[AlarmsOf, ...] = field(init=False)

    def __post_init__(self) -> None:
        shown = [cell.about for span in self.spans for cell in span.cells]
        abouts = [*shown, *(about.with_stale_time(None) for about in shown if about.stale_after_s is not None)]
        object.__setattr__(self, "members", tuple(dict.fromkeys(member for about in abouts for member in about.members)))
        instructed = (cell.about.members for span in self.spans for cell in span.cells if cell.quantity.needs_instructions)
        object.__setattr__(self, "instructed", tuple(dict.fromkeys(member for members in instructed for member in members)))
        object.__setattr__(self, "prices", tuple(dict.fromkeys(price for about in abouts for price in about.prices)))
        object.__setattr__(self, "alarmed", tuple(dict.fromkeys(each for about in abouts for each in about.alarms)))
        object.__setattr__(self, "fields", tuple(dict.fromkeys(each for about in abouts for each in about.fields)))

    @property
    def units(self) -> frozenset[int]:
        """The unit ids that are served."""
        return frozenset([*(span.unit_id for span in self.spans), *(entry.unit_id for entry in self.written)])

    @property
    def aliases(self) -> Mapping[int, int]:
        """Unit ids that answer as another one does, and which; of those that are served nobody's place is taken."""
        alias_of = self.judging.alias_of
        return {} if alias_of is None else {unit_id: alias_of for unit_id in ALIASES if unit_id not in self.units}

    @cached_property
    def by_unit(self) -> "Mapping[int, RegisterMap]":
        """The same for each unit by itself."""
        spans = {unit_id: tuple(span for span in self.spans if span.unit_id == unit_id) for unit_id in sorted(self.units)}
        views = {unit_id: tuple(view for view in self.views if view.unit_id == unit_id) for unit_id in spans}
        written = {unit_id: tuple(entry for entry in self.written if entry.unit_id == unit_id) for unit_id in spans}
        return {
            unit_id: RegisterMap(of_unit, self.judging, views[unit_id], written[unit_id]) for unit_id, of_unit in spans.items()
        }

    @property
    def entries(self) -> tuple[Entry, ...]:
        """All that readers rely on, in the order of units, tables and addresses. Made anew each time: they are many."""
        of_views = (
            Entry(view.unit_id, view.table, view.start, SERVED, "", f"{view.length} as {view.of.value}") for view in self.views
        )
        return tuple(sorted([*(entry for span in self.spans for entry in _entries_of(span)), *of_views, *self.written]))

    @cached_property
    def hashes(self) -> Mapping[int, int]:
        """For each unit a number from 1 to 2147483646, so that it fits int32 and uint32 and is never "no value".

        The same for the same entries on every machine, and for as long as dotbus adds none where registers are reserved.
        """
        of_unit: defaultdict[int, list[Entry]] = defaultdict(list)
        for entry in self.entries:
            of_unit[entry.unit_id].append(entry)
        return {unit_id: _hash_of(entries) for unit_id, entries in of_unit.items()}

    @property
    def services(self) -> tuple[str, ...]:
        """The ingests that the values come from."""
        needs = {ADS_INGEST: self.members, LMP_INGEST: self.prices}
        return tuple(service for service, wanted in needs.items() if wanted)

    def states(self, topics: Topics) -> list[str]:
        """The topics of the states that are shown."""
        of_members = [say(m.plant, m.resource.id) for m in self.members for say in (topics.dot, topics.trajectory)]
        of_members += [topics.instructions(member.plant, member.resource.id) for member in self.instructed]
        of_prices = [topics.lmp(price.market, price.node) for price in self.prices]
        of_fields = [each.topic_in(topics) for each in self.fields if each.topic is not StateTopic.SERVICE]
        of_alarms = [topics.alarm_summary(one.plant) for one in self.alarmed]
        return list(dict.fromkeys([*of_members, *of_prices, *of_fields, *of_alarms]))

    def filters(self, topics: Topics) -> list[str]:
        """The topics to follow. Services come last: a heartbeat confirms the states that came before it."""
        return [*self.states(topics), topics.every(Subject.SERVICE)]


def _entries_of(span: Span) -> Iterator[Entry]:
    registers = f"{span.length} {_COUNTED.get(span.table, 'registers')}"
    yield Entry(span.unit_id, span.table, span.start, SERVED, "", registers)
    for cell in span.cells:
        whose = "" if cell.quantity.scope is Scope.UNIT else cell.about.in_words
        yield Entry(span.unit_id, span.table, cell.address, _called(cell), whose, cell.form.in_words)


def _called(cell: Cell) -> str:
    """The quantity, with the schedule that it is of unless that is the usual one; of a flag to follow, that CAISO gives it."""
    quantity, resources = cell.quantity, [member.resource for member in cell.about.members]
    if quantity.name == MUST_FOLLOW and any(resource.variable for resource in resources):
        return f"{quantity.name} (variable)"
    hourly = quantity.follows_schedule and any(resource.schedule is Schedule.HOURLY for resource in resources)
    return f"{quantity.name} ({Schedule.HOURLY})" if hourly else quantity.name


def _hash_of(entries: list[Entry]) -> int:
    lines = [f"{one.table.value}\t{one.address}\t{one.quantity}\t{one.whose}\t{one.form}\n" for one in entries]
    digest = hashlib.sha256("".join(lines).encode()).digest()
    return 1 + int.from_bytes(digest[:8], "big") % (_LARGEST_INT32 - 1)
