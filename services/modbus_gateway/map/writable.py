"""Writable: what SCADA may write, laid out as registers and coils. Pure.

It stands in tables of its own beside what is read: nothing of it is ever shown from CAISO's values.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from dotbus.contracts.messages import PointValue
from dotbus.contracts.messages.telemetry import MEGAWATTS, SWITCHES
from dotbus.readings.subjects import Member
from dotbus.runtime.installation.modbus import RegisterType, Table
from dotbus.runtime.installation.modbus_writes import Answer, Networks, Writable, WritableModbus, Write
from modbus_gateway.map.form import DoesNotFit, Form, encode_value, number_in
from modbus_gateway.map.register_map import Entry

COMMIT_REGISTERS: Final = 12
"""Of a `[[modbus.commit]]`: the two that are written, and the status behind them."""
ANSWER_REGISTERS: Final = 7
"""Of a `[[modbus.answer]]` that are written."""
REPLY_REGISTERS: Final = 34
"""Behind them: what became of the answer."""
PLACE_REGISTERS: Final = 10
"""Behind those: each instruction that is listed."""
TYPES: Final = frozenset(RegisterType) - {RegisterType.BIT, RegisterType.BITS, RegisterType.STRING}
"""That a number or a flag may be written in."""


@dataclass(frozen=True)
class Writers:
    """Who may write: roles of certificates, None for every role that may write at all, and networks of clients without one."""

    roles: frozenset[str] | None = None
    networks: Networks = ()


@dataclass(frozen=True)
class Place:
    """Registers or coils of a unit that belong together."""

    unit_id: int
    table: Table
    start: int
    length: int

    @property
    def end(self) -> int:
        """The first address behind it."""
        return self.start + self.length

    def is_at(self, unit_id: int, table: Table, start: int) -> bool:
        """Whether it begins there."""
        return (self.unit_id, self.table, self.start) == (unit_id, table, start)


@dataclass(frozen=True)
class WritablePoint:
    """A point that SCADA writes. Its quality stands behind it, where there is one; `place` is the value alone."""

    place: Place
    form: Form
    plant: str
    resource_id: str
    point: str
    unit: str | None
    writers: Writers
    least: float | None = None
    most: float | None = None
    has_quality: bool = False
    needs_commit: bool = False
    expires_after_s: float | None = None

    @property
    def key(self) -> tuple[str, str]:
        """What it is on the bus: the resource and the name."""
        return self.resource_id, self.point

    @property
    def is_switch(self) -> bool:
        """Whether it is on or off, and no number."""
        return self.form.is_flag


@dataclass(frozen=True)
class CommitBlock:
    """How a unit's writes are confirmed and watched."""

    place: Place
    writers: Writers
    commit_within_s: float
    watchdog_s: float | None


@dataclass(frozen=True)
class AnswerBlock:
    """Where a resource's instructions are listed and answered."""

    place: Place
    writers: Writers
    plant: str
    resource_id: str
    places: int
    reply_within_s: float


@dataclass(frozen=True)
class Writables:
    """All that SCADA may write."""

    points: tuple[WritablePoint, ...] = ()
    commits: tuple[CommitBlock, ...] = ()
    answers: tuple[AnswerBlock, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether it is nothing."""
        return not (self.points or self.answers)

    @property
    def plants(self) -> frozenset[str]:
        """Whose resources it speaks for."""
        return frozenset([*(one.plant for one in self.points), *(one.plant for one in self.answers)])

    @cached_property
    def by_unit(self) -> "dict[int, Writables]":
        """The same for each unit by itself."""
        units = {one.place.unit_id for ones in (self.points, self.commits, self.answers) for one in ones}
        return {
            unit_id: Writables(
                tuple(one for one in self.points if one.place.unit_id == unit_id),
                tuple(one for one in self.commits if one.place.unit_id == unit_id),
                tuple(one for one in self.answers if one.place.unit_id == unit_id),
            )
            for unit_id in sorted(units)
        }

    def entries(self) -> Iterator[Entry]:
        """What a reader and a writer of each address rely on."""
        for point in self.points:
            yield _entry(point.place, f"written {point.point}", point.resource_id, _form_of(point))
        for commit in self.commits:
            yield _entry(commit.place, "commit", "", f"{commit.place.length} registers")
        for answer in self.answers:
            yield _entry(answer.place, "answer", answer.resource_id, f"{answer.places} places")


def _entry(place: Place, what: str, whose: str, form: str) -> Entry:
    return Entry(place.unit_id, place.table, place.start, what, whose, form)


def _form_of(point: WritablePoint) -> str:
    form = point.form
    orders = (form.word_order.value, form.byte_order.value)
    marks = (f"unit {point.unit}" if point.unit else "", "commit" if point.needs_commit else "")
    return " ".join(
        part for part in (form.type.value, *orders, f"times {form.scale!r}", f"plus {form.offset!r}", *marks) if part
    )


def form_of(write: Write) -> Form:
    """How a point is written."""
    usual = RegisterType.BOOL if write.point in SWITCHES else RegisterType.FLOAT32
    kind = RegisterType.BIT if write.table.has_bits else write.type or usual
    return Form(kind, write.word_order, scale=write.scale, offset=write.offset, byte_order=write.byte_order)


def unit_of(write: Write) -> str | None:
    """The engineering unit of the point's telemetry."""
    return write.unit or (MEGAWATTS if write.point.endswith("_mw") else None)


def place_of(one: Writable) -> Place:
    """All addresses that something takes."""
    length = COMMIT_REGISTERS
    if isinstance(one, Write):
        length = form_of(one).registers + one.quality
    elif isinstance(one, Answer):
        length = ANSWER_REGISTERS + REPLY_REGISTERS + PLACE_REGISTERS * one.places
    return Place(one.unit_id, one.table, one.address, length)


def writable_of(modbus: WritableModbus, members: Mapping[str, Member]) -> Writables:
    """What of a checked file SCADA may write. Its addresses are those of the protocol."""
    points = tuple(_point(write, modbus, members[write.resource].plant) for write in modbus.writes)
    commits = tuple(
        CommitBlock(place_of(one), _writers(one, modbus), one.commit_within_s, one.watchdog_s) for one in modbus.commits
    )
    answers = tuple(
        AnswerBlock(
            place_of(one),
            _writers(one, modbus),
            members[one.resource].plant,
            one.resource,
            one.places,
            one.reply_within_s,
        )
        for one in modbus.answers
    )
    return Writables(points, commits, answers)


def _point(write: Write, modbus: WritableModbus, plant: str) -> WritablePoint:
    form = form_of(write)
    return WritablePoint(
        Place(write.unit_id, write.table, write.address, form.registers),
        form,
        plant,
        write.resource,
        write.point,
        unit_of(write),
        _writers(write, modbus),
        write.least,
        write.most,
        write.quality,
        write.commit,
        write.expires_after_s,
    )


def _writers(one: Writable, modbus: WritableModbus) -> Writers:
    given = one.allow_from if one.roles is not None or one.allow_from is not None else modbus.allow_writes_from
    return Writers(None if one.roles is None else frozenset(one.roles), given or ())


@dataclass(frozen=True)
class NoValue:
    """Words that are no value of a point, and why."""

    reason: str


def read_words(words: bytes, form: Form) -> PointValue | NoValue:
    """What registers say, or a coil that is told as one of 1 or 0: the inverse of `encode_value`.

    What stands for "no value", or is not finite, is none.
    """
    if form.type is RegisterType.BIT:
        return any(words)
    if words == form.no_value and not form.is_flag:
        return NoValue('it is "no value" of its type')
    number = number_in(words, form)
    if form.type is RegisterType.BOOL:
        return bool(number) if number in (0, 1) else NoValue(f"{number} is neither 1 nor 0")
    value = (float(number) - form.offset) / form.scale + 0.0  # never -0
    try:
        shown = encode_value(value, form)
    except DoesNotFit as error:
        return NoValue(str(error))
    return value if form.is_float or shown == words else NoValue(f"{number} has more digits than a message carries")


def show_words(value: PointValue, form: Form) -> bytes:
    """The registers of a value that was taken, "no value" where there is none."""
    if value is None:
        return form.no_value
    try:
        return encode_value(value, form)
    except DoesNotFit:
        return form.no_value
