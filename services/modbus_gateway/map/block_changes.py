"""Block changes: what a plant has otherwise than its profile, line by line."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from dotbus.runtime.installation.modbus import Block, BlockChange, OnBad, Point, RegisterType, Table
from dotbus.runtime.settings.mistakes import Location, Mistake, did_you_mean, key_of
from modbus_gateway.map.addressing import written
from modbus_gateway.map.cells import cell_about, cell_of_point
from modbus_gateway.map.checks.file_facts import FileFacts
from modbus_gateway.map.checks.point_check import check_point
from modbus_gateway.map.paths import is_known
from modbus_gateway.map.quantities import QUANTITIES, Scope
from modbus_gateway.map.register_map import Cell

_CHOOSES: Final = frozenset({"quantity", "resource", "table"})
"""What says which lines a change is about; all else is what becomes of them."""


@dataclass(frozen=True)
class Line:
    """A cell of a block, and the resource in whose place it stands.

    `at` is the change or addition that it is from, None where it is as the profile has it.
    """

    table: Table
    cell: Cell
    resource_id: str | None = None
    at: Location | None = None

    @property
    def end(self) -> int:
        """The first address behind it."""
        return self.cell.address + self.cell.form.registers

    def __str__(self) -> str:
        return " of ".join(part for part in (self.cell.quantity.name, str(self.cell.about)) if part)


class ChangedBlock:
    """The lines of a block after its changes and additions.

    Args:
        block: with them.
        lines: as the profile has them.
        facts: of the file.
        at: the block's place in the file.

    Attributes:
        lines: after them.
        mistakes: what is wrong with them.
    """

    def __init__(self, block: Block, lines: Sequence[Line], facts: FileFacts, at: Location) -> None:
        self.lines = list(lines)
        self.mistakes: list[Mistake] = []
        self._block = block
        self._facts = facts
        for j, change in enumerate(block.changes):
            self._change(change, (*at, "change", j))
        for j, addition in enumerate(block.additions):
            given = {name: getattr(addition, name) for name in type(addition).model_fields}
            fields = {*addition.model_fields_set, "unit_id"}
            self._add(Point.model_construct(fields, unit_id=block.unit_id, **given), (*at, "add", j))
        if block.changes or block.additions:  # a profile as it is has no overlaps
            self.mistakes += self._overlaps()

    def _tell(self, at: Location, key: str, reason: str, *needs: str) -> None:
        self.mistakes += self._facts.tell(at, key, reason, *needs)

    def _change(self, change: BlockChange, at: Location) -> None:
        chosen = [line for line in self.lines if _is_about(change, line)]
        given = change.model_fields_set - _CHOOSES
        if not all(self._facts.file.is_as_given(*at, key) for key in ("quantity", "resource", "table", "address")):
            return
        if not chosen:
            self._tell(at, *self._why_none(change))
        elif not given:
            self._tell(at, "quantity", "is neither moved, changed nor removed")
        elif change.remove and len(given) > 1:
            self._tell(at, "remove", f"goes without {', '.join(sorted(given - {'remove'}))}")
        elif change.remove:
            gone = {id(line) for line in chosen}
            self.lines = [line for line in self.lines if id(line) not in gone]
        elif change.address is not None and len(chosen) > 1:
            self._tell(
                at, "address", f"moves one line, and {len(chosen)} are {change.quantity}: say of which resource or table"
            )
        else:
            self._rewrite(chosen, change, at)

    def _why_none(self, change: BlockChange) -> tuple[str, str]:
        names = {line.cell.quantity.name for line in self.lines}
        if change.quantity in names:
            whose = change.resource or change.table
            return "resource" if change.resource else "table", f"{change.quantity} of {whose} has no place in this block"
        where = "no longer" if change.quantity in QUANTITIES else "no"
        told = f"{change.quantity!r} is {where} quantity of this block{did_you_mean(change.quantity, names)}"
        return "quantity", told

    def _rewrite(self, chosen: Sequence[Line], change: BlockChange, at: Location) -> None:
        told: dict[str, Mistake] = {}
        changed: dict[int, Line] = {}
        for line in chosen:
            point = _as_point(line, change, self._block.unit_id)
            told |= {mistake.key: mistake for mistake in check_point(point, self._facts, at)}
            changed[id(line)] = replace(line, cell=cell_about(point, line.cell.about), at=at)
        self.lines = [changed.get(id(line), line) for line in self.lines]
        self.mistakes += told.values()

    def _add(self, point: Point, at: Location) -> None:
        self.mistakes += check_point(point, self._facts, at)
        if point.table not in self._block.tables:
            self._tell(at, "table", f"is {point.table}, which is none of the block's tables", "address")
        if is_known(point) and self._facts.file.is_as_given(*at):
            self.lines.append(Line(point.table, cell_of_point(point, self._facts.file.installation), point.resource, at))

    def _overlaps(self) -> Iterator[Mistake]:
        """Lines of which one stands where another does."""
        notation = self._facts.file.installation.modbus.addresses
        for has_bits in (False, True):
            widest: Line | None = None
            for line in sorted((one for one in self.lines if one.table.has_bits == has_bits), key=lambda one: one.cell.address):
                if widest and line.cell.address < widest.end:
                    at = line.at or widest.at
                    where = written(notation, line.table, line.cell.address)
                    yield Mistake(self._facts.file.where, key_of(at or ()), f"{line} at {where} overlaps {widest}")
                if widest is None or line.end > widest.end:
                    widest = line


def _is_about(change: BlockChange, line: Line) -> bool:
    is_there = change.table is None or change.table.has_bits == line.table.has_bits
    return line.cell.quantity.name == change.quantity and is_there and change.resource in (None, line.resource_id)


def _as_point(line: Line, change: BlockChange, unit_id: int) -> Point:
    """A line as it would be given by itself, after a change."""
    cell, form = line.cell, line.cell.form
    whose = _whose(cell)
    kept: dict[str, object] = {
        "unit_id": unit_id,
        "table": line.table,
        "address": cell.address,
        "quantity": cell.quantity.name,
        "type": None if form.type is RegisterType.BIT else form.type,
        "word_order": form.word_order,
        "byte_order": form.byte_order,
        "on_bad": form.on_bad,
        "bad_value": form.bad_value if change.on_bad is None and form.on_bad is OnBad.VALUE else None,
        **whose,
    }
    given = {name: getattr(change, name) for name in change.model_fields_set - _CHOOSES if name != "remove"}
    return Point.model_construct({*whose, *given}, **{**kept, **given})


def _whose(cell: Cell) -> dict[str, object]:
    match cell.quantity.scope:
        case Scope.RESOURCE:
            return {"resource": cell.about.members[0].resource.id}
        case Scope.TOGETHER:
            about = cell.about
            return {"resource": about.members[0].resource.id, **({"market": about.prices[0].market} if about.prices else {})}
        case Scope.PLANT:
            return {"plant": cell.about.members[0].plant if cell.about.members else None}
        case Scope.ALARMS:
            return {"plant": cell.about.alarms[0].plant}
        case Scope.PRICE:
            return {"market": cell.about.prices[0].market, "node": cell.about.prices[0].node}
    return {}
