"""Rows: the register map as a document, a row for each address that says something in each table. Pure."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields, replace
from enum import StrEnum
from typing import Final

from dotbus.runtime.installation.installation import Installation
from dotbus.runtime.installation.modbus import Addresses, Aspect, ByteOrder, OnBad, RegisterType, StateTopic, Table, WordOrder
from modbus_gateway.map.addressing import written
from modbus_gateway.map.form import Form
from modbus_gateway.map.quantities import LEVEL, REASONS, Scope
from modbus_gateway.map.register_map import Cell, RegisterMap

SEVERAL: Final = " + "
"""Between the names of a value that is about several resources or plants."""
NEVER_BAD: Final = "never bad"
_SWAP: Final = {("big", "big"): "ABCD", ("little", "big"): "CDAB", ("big", "little"): "BADC", ("little", "little"): "DCBA"}


class Access(StrEnum):
    """What SCADA does at an address."""

    READ = "read"
    WRITE = "write"


_PARTS: Final = {"write": "written", "commit": "commit", "answer": "answer"}
"""What a part of what SCADA writes is called before the name of its value."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """What stands at an address, in the words of the configuration, and in those of people. What does not apply is None.

    Attributes:
        address: from 0, as the protocol has it.
        part: of what SCADA writes, the table of dotbus.toml that it is of: write, commit or answer.
        point: of what SCADA writes, the telemetry, or the value of a commit or answer block.
        quality: whether the quality of a point stands behind it. This and the keys up to `allow_from` are of what SCADA writes,
            those of a block beside its first value.
        counts_in: the engineering unit of the value; what a register counts in where it is scaled is `unit`.
        bad_shows: what stands there while the value is bad.
    """

    unit_id: int
    table: str
    address: int
    address_1_based: int
    address_4xxxx: str
    registers: int
    access: str = Access.READ.value
    part: str | None = None
    point: str | None = None
    quantity: str | None = None
    topic: str | None = None
    path: str | None = None
    shows: str | None = None
    plant: str | None = None
    resource: str | None = None
    market: str | None = None
    node: str | None = None
    service: str | None = None
    instance: str | None = None
    type: str
    length: int | None
    word_order: str | None
    byte_order: str | None
    swap: str | None
    scale: float | None
    offset: float | None
    unit: str | None = None
    min: float | None = None
    max: float | None = None
    stale_after_s: float | None = None
    quality: bool | None = None
    commit: bool | None = None
    expires_after_s: float | None = None
    commit_within_s: float | None = None
    watchdog_s: float | None = None
    places: int | None = None
    reply_within_s: float | None = None
    roles: str | None = None
    allow_from: str | None = None
    on_bad: str | None = None
    bad_value: float | None = None
    counts_in: str
    meaning: str
    bad_shows: str

    @property
    def called(self) -> str:
        """What it is, whose ever."""
        what = f"{_PARTS[self.part]} {self.point}" if self.part else self.quantity or f"{self.topic}.{self.path}"
        return f"{what} {self.shows}" if self.shows not in (None, Aspect.VALUE) else what

    @property
    def whose(self) -> str:
        """Whose it is, in words; empty for the gateway's own."""
        service = f"{self.service}/{self.instance}" if self.service else None
        node = f"{self.market} {self.node}" if self.node else None
        return self.resource or node or service or self.plant or ""


COLUMNS: Final = tuple(field.name for field in fields(Row))


def joined(names: Iterable[str]) -> str:
    """Several names as one text; in JSON where one of them could be taken for several."""
    listed = list(names)
    is_plain = not any(SEVERAL in name or name.startswith("[") for name in listed)
    return SEVERAL.join(listed) if is_plain else json.dumps(listed, ensure_ascii=False)


def parted(text: str) -> list[str]:
    """The names of a text that `joined` made.

    Raises:
        ValueError: it begins as JSON does, and is none.
    """
    if not text.startswith("["):
        return text.split(SEVERAL)
    names = json.loads(text)
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ValueError("a list of names is meant")
    return names


def rows_of(register_map: RegisterMap, installation: Installation) -> list[Row]:
    """Every row of what a map shows, in the order of units, tables and addresses."""
    plants = {plant.name: [resource.id for resource in plant.resources] for plant in installation.plants}
    return in_order(_row(unit_id, table, cell, plants) for unit_id, table, cell in _places(register_map))


def in_order(rows: Iterable[Row]) -> list[Row]:
    """Rows in the order of units, tables and addresses."""
    return sorted(rows, key=lambda row: (row.unit_id, list(Table).index(Table(row.table)), row.address))


def places_of(register_map: RegisterMap) -> list[tuple[int, Table, Cell]]:
    """Every cell of a map with its unit, in each table that it is shown in."""
    return list(_places(register_map))


def _places(register_map: RegisterMap) -> Iterator[tuple[int, Table, Cell]]:
    for span in register_map.spans:
        yield from ((span.unit_id, span.table, cell) for cell in span.cells)
        for view in register_map.views:
            if (view.unit_id, view.of) == (span.unit_id, span.table):
                shown = (cell for cell in span.cells if view.start <= cell.address < view.start + view.length)
                yield from ((span.unit_id, view.table, cell) for cell in shown)


def row_at(
    unit_id: int, table: Table, address: int, form: Form, *, counts_in: str, meaning: str, bad_shows: str = NEVER_BAD
) -> Row:
    """What stands at an address in a form, whatever it is about."""
    is_number = form.type not in (RegisterType.BIT, RegisterType.BOOL, RegisterType.STRING)
    wide, is_little = is_number and form.registers > 1, form.byte_order is ByteOrder.LITTLE
    return Row(
        unit_id=unit_id,
        table=table.value,
        address=address,
        address_1_based=address + 1,
        address_4xxxx=written(Addresses.CLASSIC, table, address),
        registers=form.registers,
        type=form.type.value,
        length=form.length or None,
        word_order=form.word_order.value if wide and form.word_order is not WordOrder.BIG else None,
        byte_order=form.byte_order.value if is_little and form.type is not RegisterType.BIT else None,
        swap=_SWAP[form.word_order.value, form.byte_order.value] if wide else None,
        scale=form.scale if form.scale != 1 else None,
        offset=form.offset or None,
        counts_in=counts_in,
        meaning=meaning,
        bad_shows=bad_shows,
    )


def _row(unit_id: int, table: Table, cell: Cell, plants: dict[str, list[str]]) -> Row:
    form, quantity, whose = cell.form, cell.quantity, _whose(cell, plants)
    in_words = {"counts_in": quantity.unit, "meaning": quantity.meaning, "bad_shows": _bad_shows(cell)}
    shown = next(iter(cell.about.fields), None)
    return replace(
        row_at(unit_id, table, cell.address, form, **in_words),
        quantity=None if shown else quantity.name,
        topic=shown.topic.value if shown else None,
        path=shown.path if shown else None,
        shows=_aspect(cell) if shown else None,
        unit=cell.unit,
        min=cell.limits.least,
        max=cell.limits.most,
        stale_after_s=cell.stale_after_s,
        on_bad=form.on_bad.value,
        bad_value=form.bad_value if form.on_bad is OnBad.VALUE else None,
        plant=whose["plant"],
        resource=whose["resource"],
        market=whose["market"],
        node=whose["node"],
        service=whose["service"],
        instance=whose["instance"],
    )


def _aspect(cell: Cell) -> str:
    known = {LEVEL: Aspect.QUALITY, REASONS: Aspect.REASONS}
    is_value = cell.quantity.name == cell.about.fields[0].called
    return (Aspect.VALUE if is_value else known[cell.quantity.unit]).value


def _whose(cell: Cell, plants: dict[str, list[str]]) -> dict[str, str | None]:
    """The names of whom a cell is about. A quantity of a plant that is about all its resources needs only its name."""
    about = cell.about
    found: dict[str, str | None] = dict.fromkeys(("plant", "resource", "market", "node", "service", "instance"))
    names = about.plants
    ids = [member.resource.id for member in about.members]
    if names:
        found["plant"] = joined(names)
        is_whole = not ids or (cell.quantity.scope is Scope.PLANT and len(names) == 1 and ids == plants.get(names[0]))
        found["resource"] = None if is_whole else joined(ids)
    if about.prices:
        found |= {"market": about.prices[0].market.value, "node": None if names else about.prices[0].node}
    for each in about.fields:
        keys = {StateTopic.LMP: ("market", "node"), StateTopic.SERVICE: ("service", "instance")}
        found |= dict(zip(keys.get(each.topic, ("plant", "resource")), (each.scope, each.name), strict=True))
    return found


def _bad_shows(cell: Cell) -> str:
    form = cell.form
    if not cell.quantity.told_by:
        return NEVER_BAD
    if form.on_bad is OnBad.EXCEPTION:
        return "exception 04"
    if form.is_flag:
        return "0"
    match form.on_bad:
        case OnBad.HOLD:
            return f"the last value, then {nothing(form)}"
        case OnBad.VALUE:
            return f"{form.bad_value:g}"
    return nothing(form)


def nothing(form: Form) -> str:
    """What a form shows where there is no value, in words."""
    if form.is_flag:
        return "0"
    if form.type is RegisterType.STRING:
        return "an empty text"
    return "NaN" if form.is_float else f"0x{form.no_value.hex().upper()}"
