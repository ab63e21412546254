"""Map draft: what the configuration says of registers, laid out as a register map. Pure.

A file with several mistakes has them told at once; `map_check` and `point_check` know them.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from dotbus.runtime.installation.file import InstallationFile
from dotbus.runtime.installation.installation import Installation
from dotbus.runtime.installation.modbus import Block, Modbus, Table
from dotbus.runtime.settings.mistakes import ConfigurationRefused, Location, Mistake, key_of
from modbus_gateway.map.addressing import from_0
from modbus_gateway.map.block_changes import ChangedBlock, Line
from modbus_gateway.map.cells import CellsOfBlock, cell_of_point
from modbus_gateway.map.checks.check import Area, check_alias, check_areas, check_block, check_whole, fits, has_known_size
from modbus_gateway.map.checks.file_facts import FileFacts
from modbus_gateway.map.checks.point_check import check_point
from modbus_gateway.map.checks.quality_check import doubtful_units, may_mislead, told_at, why_untold
from modbus_gateway.map.checks.write_check import check_writable
from modbus_gateway.map.layouts import lay_out
from modbus_gateway.map.paths import is_known
from modbus_gateway.map.register_map import Cell, RegisterMap, Span, View
from modbus_gateway.map.writable import Writables

_Claimed = tuple[Area, tuple[Cell, ...]]
"""Addresses, and the values that stand there."""
_Told = tuple[int, Cell, Location, str]
"""A unit, what it shows, and where and by which key the file says what that shows while it is bad."""


_DECIDE = ("table", "type", "length", "quantity", "topic", "path")
"""Keys of a point that decide which registers it takes."""


def read_map(installation: Installation) -> RegisterMap:
    """The register map of an installation.

    Raises:
        ConfigurationRefused: with every mistake: names that are not in the file, blocks that overlap, values that do not fit.
    """
    return check_map(InstallationFile(installation, "dotbus.toml"))


def check_map(file: InstallationFile) -> RegisterMap:
    """The same of a file, which may have mistakes of other kinds; then only the mistakes of its map matter.

    Raises:
        ConfigurationRefused: with every mistake of the map.
    """
    return check_draft(file).register_map


def check_draft(file: InstallationFile) -> "Draft":
    """The same with what SCADA may write.

    Raises:
        ConfigurationRefused: with every mistake of both.
    """
    drafted = draft(file)
    if drafted.mistakes:
        raise ConfigurationRefused(drafted.mistakes)
    return drafted


def draft_map(file: InstallationFile) -> tuple[RegisterMap, list[Mistake]]:
    """The map of all that can be laid out, and what is wrong. What could not be read of the file is in neither."""
    drafted = draft(file)
    return drafted.register_map, drafted.mistakes


@dataclass(frozen=True)
class Draft:
    """The map of all that can be laid out, what SCADA may write of it, and what is wrong."""

    register_map: RegisterMap
    writables: Writables
    mistakes: list[Mistake]


def draft(file: InstallationFile) -> Draft:
    """Lay out all that can be. What could not be read of the file is in neither of it."""
    file, mistakes = from_0(file)
    modbus, facts = file.installation.modbus, FileFacts(file)
    mistakes += check_whole(file)
    areas: list[_Claimed] = []
    told: list[_Told] = []
    for i, block in enumerate(modbus.blocks):
        mistakes += check_block(block, facts, at := ("modbus", "block", i))
        if _has_place(file, at) and has_known_size(block, facts, at) and fits(block, facts):
            changed = ChangedBlock(block, _lines_of_block(block, facts), facts, at)
            mistakes += changed.mistakes
            areas += _areas_of_block(block, changed.lines, facts, at)
            told += _to_be_told(block, changed.lines, at)
    for i, point in enumerate(modbus.points):
        mistakes += check_point(point, facts, at := ("modbus", "point", i))
        if _has_place(file, at, *_DECIDE) and is_known(point):
            cell = cell_of_point(point, file.installation)
            area = Area(key_of(at), point.unit_id, point.table, point.address, cell.form.registers, notation=modbus.addresses)
            areas.append((area, (cell,)))
            told.append((point.unit_id, cell, at, "on_bad"))
    writable, written_areas, wrong = check_writable(facts)
    mistakes += wrong
    all_areas = [*(area for area, _ in areas), *written_areas]
    mistakes += check_areas(all_areas, file.where)
    mistakes += check_alias(facts, frozenset(area.unit_id for area in all_areas))
    mistakes += _check_told(areas, told, facts, mistakes)
    register_map = RegisterMap(*_served(areas, modbus), tuple(writable.entries()))
    return Draft(register_map, writable, file.located(mistakes))


def _check_told(areas: list[_Claimed], told: list[_Told], facts: FileFacts, mistakes: list[Mistake]) -> Iterator[Mistake]:
    """What keeps or shows a number while it is bad, at a unit that does not say so."""
    doubtful = doubtful_units(facts, mistakes)
    if doubtful is None:
        return
    beside: defaultdict[int, list[Cell]] = defaultdict(list)
    for area, cells in areas:
        beside[area.unit_id] += cells
    asking = [one for one in told if may_mislead(one[1]) and one[0] not in doubtful]
    at_unit = {unit_id: told_at(beside[unit_id]) for unit_id in {one[0] for one in asking}}
    for unit_id, cell, at, key in asking:
        reason = why_untold(cell, unit_id, at_unit[unit_id])
        if reason:
            yield from facts.tell(at, key, reason, "bad_value")


def _to_be_told(block: Block, lines: Sequence[Line], at: Location) -> Iterator[_Told]:
    """What a block shows, and the key that took away what told of it, should nothing tell."""
    shown = {table.has_bits for table in block.tables}
    key = "change" if block.changes else "tables"
    for line in lines:
        if line.table.has_bits in shown:
            yield block.unit_id, line.cell, line.at or at, "on_bad" if line.at else key


def _has_place(file: InstallationFile, at: Location, *more: str) -> bool:
    return all(file.is_as_given(*at, key) for key in ("unit_id", "address", *more))


def _lines_of_block(block: Block, facts: FileFacts) -> list[Line]:
    places = facts.places(block)
    layout = lay_out(block.profile, len(places))
    cells, lines = CellsOfBlock(layout, block, places), list[Line]()
    for slot in layout.slots:
        if cell := cells.cell_of(slot):
            member = None if slot.resource is None else places[slot.resource]
            lines.append(Line(slot.table, cell, member.resource.id if member else None))
    return lines


def _areas_of_block(block: Block, lines: Sequence[Line], facts: FileFacts, at: Location) -> list[_Claimed]:
    """The profile's own addresses with all that stands in them, and those of each line that stands elsewhere."""
    inside: defaultdict[Table, list[Line]] = defaultdict(list)
    claimed: list[_Claimed] = []
    lengths = lay_out(block.profile, len(facts.places(block))).lengths
    for line in lines:
        laid_out = next((table for table in lengths if table.has_bits == line.table.has_bits), None)
        if laid_out and block.address <= line.cell.address and line.end <= block.address + lengths[laid_out]:
            inside[laid_out].append(line)
        else:
            claimed += _shown(block, line.table, line.cell.address, [line], facts, line.at or at)
    for laid_out, length in lengths.items():
        claimed += _shown(block, laid_out, block.address, inside[laid_out], facts, at, length)
    return claimed


def _shown(
    block: Block, of: Table, start: int, lines: Sequence[Line], facts: FileFacts, at: Location, length: int = 0
) -> Iterator[_Claimed]:
    """Addresses of a block in each table that it is shown in."""
    shown = [table for table in Table if table in block.tables and table.has_bits == of.has_bits]
    notation = facts.file.installation.modbus.addresses
    length = length or sum(line.cell.form.registers for line in lines)
    for table in shown:
        same_as = None if table is shown[0] else shown[0]
        area = Area(key_of(at), block.unit_id, table, start, length, same_as, notation)
        yield area, tuple(line.cell for line in lines)


def _served(areas: list[_Claimed], modbus: Modbus) -> tuple[tuple[Span, ...], Modbus, tuple[View, ...]]:
    """Neighbouring areas as one, so that one request may read across them: a view where all of it stands elsewhere, too."""
    spans: list[Span] = []
    views: list[View] = []
    for run in _runs(areas):
        first, last = run[0][0], run[-1][0]
        where = (first.unit_id, first.table, first.start, last.end - first.start)
        if first.of and all(area.of is first.of for area, _ in run):
            views.append(View(*where, first.of))
        else:
            spans.append(Span(*where, tuple(cell for _, cells in run for cell in cells)))
    return tuple(spans), modbus, tuple(views)


def _runs(areas: list[_Claimed]) -> list[list[_Claimed]]:
    runs: list[list[_Claimed]] = []
    for area, cells in sorted(areas, key=lambda entry: entry[0].place):
        last = runs[-1][-1][0] if runs else None
        if last and (last.unit_id, last.table, last.end) == (area.unit_id, area.table, area.start):
            runs[-1].append((area, cells))
        else:
            runs.append([(area, cells)])
    return runs
