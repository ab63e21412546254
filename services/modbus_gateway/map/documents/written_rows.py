"""Written rows: what SCADA writes as rows of the map's document, and what it reads of what became of that. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from dotbus.runtime.installation.modbus import Aspect, RegisterType, Table, WordOrder
from modbus_gateway.map.documents.rows import Access, Row, joined, nothing, row_at
from modbus_gateway.map.form import Form
from modbus_gateway.map.quantities import FLAG, LEVEL
from modbus_gateway.map.writable import PLACE_REGISTERS, AnswerBlock, CommitBlock, Place, WritablePoint, Writables, Writers
from modbus_gateway.map.written_layout import (
    ANSWER_STATUS,
    ANSWER_WRITTEN,
    COMMIT_STATUS,
    COMMIT_WRITTEN,
    PLACE_LINES,
    PLACES_AT,
    Codes,
    Line,
)

_BIT: Final = Form(RegisterType.BIT)
_LEVEL: Final = Form(RegisterType.UINT16)


@dataclass(frozen=True)
class WrittenCell:
    """A row of what SCADA writes, and what it takes to read its registers.

    Attributes:
        owner: what it is of.
        codes: what its numbers stand for, where they are none.
    """

    row: Row
    form: Form
    owner: WritablePoint | CommitBlock | AnswerBlock
    codes: Codes = field(default_factory=dict)

    @property
    def table(self) -> Table:
        """Where it stands."""
        return Table(self.row.table)

    @property
    def address(self) -> int:
        """Its first, from 0."""
        return self.row.address


def written_rows(writables: Writables) -> Iterator[Row]:
    """A row for each value that SCADA writes, and for each that tells what became of it."""
    return (cell.row for cell in written_cells(writables))


def written_cells(writables: Writables) -> Iterator[WrittenCell]:
    """The same for whoever reads them."""
    for point in writables.points:
        yield from _cells_of_point(point)
    for commit in writables.commits:
        yield from _cells_of_lines(commit, COMMIT_WRITTEN, COMMIT_STATUS)
    for answer in writables.answers:
        yield from _cells_of_answer(answer)


def _cells_of_point(point: WritablePoint) -> Iterator[WrittenCell]:
    place, form = point.place, point.form
    staged = ", once the commit register of its unit takes it" if point.needs_commit else ""
    meaning = f"{point.point} as SCADA tells it, {_by(point.writers)}{staged}; reads what was taken"
    row = row_at(
        place.unit_id,
        place.table,
        place.start,
        form,
        counts_in=FLAG if form.is_flag else point.unit or "",
        meaning=meaning,
        bad_shows=nothing(form),
    )
    named = replace(row, part="write", point=point.point, plant=point.plant, resource=point.resource_id)
    given = replace(
        named,
        min=point.least,
        max=point.most,
        unit=point.unit,
        word_order=None
        if form.word_order is WordOrder.BIG
        else form.word_order.value,  # of one register, too: it is in the hash
        quality=point.has_quality or None,
        commit=point.needs_commit or None,
        expires_after_s=point.expires_after_s,
        access=Access.WRITE.value,
    )
    yield WrittenCell(_with_writers(given, point.writers), form, point)
    if point.has_quality:
        yield _quality_behind(point, named)


def _quality_behind(point: WritablePoint, value: Row) -> WrittenCell:
    place, is_bit = point.place, point.place.table.has_bits
    form = _BIT if is_bit else _LEVEL
    told = f"whether {point.point} counts now" if is_bit else f"how good {point.point} is: 192 or 0"
    row = row_at(place.unit_id, place.table, place.end, form, counts_in=FLAG if is_bit else LEVEL, meaning=told)
    named = replace(
        row, part=value.part, point=value.point, shows=Aspect.QUALITY.value, plant=value.plant, resource=value.resource
    )
    return WrittenCell(named, form, point)


def _cells_of_lines(block: CommitBlock | AnswerBlock, written: Sequence[Line], status: Sequence[Line]) -> Iterator[WrittenCell]:
    for line in written:
        cell = _cell(block, line)
        told = f"{cell.row.meaning}; {_by(block.writers)}"
        row = replace(cell.row, meaning=told, access=Access.WRITE.value)
        yield replace(cell, row=_with_keys(row, block) if line is written[0] else row)
    for line in status:
        yield _cell(block, line)


def _with_keys(row: Row, block: CommitBlock | AnswerBlock) -> Row:
    """What dotbus.toml says of a block, beside its first value."""
    named = _with_writers(row, block.writers)
    if isinstance(block, AnswerBlock):
        return replace(named, places=block.places, reply_within_s=block.reply_within_s)
    return replace(named, commit_within_s=block.commit_within_s, watchdog_s=block.watchdog_s)


def _with_writers(row: Row, writers: Writers) -> Row:
    roles = None if writers.roles is None else joined(sorted(writers.roles))
    return replace(row, roles=roles, allow_from=joined(map(str, writers.networks)) or None)


def _cells_of_answer(answer: AnswerBlock) -> Iterator[WrittenCell]:
    yield from _cells_of_lines(answer, ANSWER_WRITTEN, ANSWER_STATUS)
    for i in range(answer.places):
        for line in PLACE_LINES:
            cell = _cell(answer, line, PLACES_AT + i * PLACE_REGISTERS)
            yield replace(cell, row=replace(cell.row, point=f"place {i + 1} {line.name}"))


def _cell(block: CommitBlock | AnswerBlock, line: Line, first: int = 0) -> WrittenCell:
    place: Place = block.place
    row = row_at(
        place.unit_id, place.table, place.start + first + line.start, line.form, counts_in=line.unit, meaning=line.meaning
    )
    if isinstance(block, AnswerBlock):
        named = replace(row, part="answer", point=line.name, plant=block.plant, resource=block.resource_id)
    else:
        named = replace(row, part="commit", point=line.name)
    return WrittenCell(named, line.form, block, line.codes)


def _by(writers: Writers) -> str:
    """Who may write, as the check has it."""
    roles = "any role that may write" if writers.roles is None else f"role {' or '.join(sorted(writers.roles))}"
    networks = ", ".join(map(str, writers.networks))
    return f"written by {roles}" + (f", and from {networks} without a certificate" if networks else "")
