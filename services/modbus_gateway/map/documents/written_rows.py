"""Written rows: what SCADA writes as rows of the map's document, and what it reads of what became of that. Pure."""

from collections.abc import Iterator
from dataclasses import replace

from dotbus.runtime.installation.modbus import Aspect, RegisterType
from modbus_gateway.map.documents.rows import Access, Row, nothing, row_at
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
    Line,
)


def written_rows(writables: Writables) -> Iterator[Row]:
    """A row for each value that SCADA writes, and for each that tells what became of it."""
    for point in writables.points:
        yield from _rows_of_point(point)
    for commit in writables.commits:
        yield from _rows_of_commit(commit)
    for answer in writables.answers:
        yield from _rows_of_answer(answer)


def _rows_of_point(point: WritablePoint) -> Iterator[Row]:
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
    limits = replace(named, min=point.least, max=point.most, stale_after_s=point.expires_after_s)
    yield replace(limits, access=Access.WRITE.value)
    if point.has_quality:
        yield _quality_behind(point, named)


def _quality_behind(point: WritablePoint, value: Row) -> Row:
    place, is_bit = point.place, point.place.table.has_bits
    form = Form(RegisterType.BIT if is_bit else RegisterType.UINT16)
    told = f"whether {point.point} counts now" if is_bit else f"how good {point.point} is: 192 or 0"
    row = row_at(place.unit_id, place.table, place.end, form, counts_in=FLAG if is_bit else LEVEL, meaning=told)
    return replace(
        row, part=value.part, point=value.point, shows=Aspect.QUALITY.value, plant=value.plant, resource=value.resource
    )


def _rows_of_commit(commit: CommitBlock) -> Iterator[Row]:
    for line in COMMIT_WRITTEN:
        yield replace(_row(commit.place, 0, line, "commit", _by(commit.writers)), access=Access.WRITE.value)
    for line in COMMIT_STATUS:
        yield _row(commit.place, 0, line, "commit")


def _rows_of_answer(answer: AnswerBlock) -> Iterator[Row]:
    for row in _unnamed_rows_of_answer(answer):
        yield replace(row, plant=answer.plant, resource=answer.resource_id)


def _unnamed_rows_of_answer(answer: AnswerBlock) -> Iterator[Row]:
    for line in ANSWER_WRITTEN:
        yield replace(_row(answer.place, 0, line, "answer", _by(answer.writers)), access=Access.WRITE.value)
    for line in ANSWER_STATUS:
        yield _row(answer.place, 0, line, "answer")
    for i in range(answer.places):
        for line in PLACE_LINES:
            row = _row(answer.place, PLACES_AT + i * PLACE_REGISTERS, line, "answer")
            yield replace(row, point=f"place {i + 1} {line.name}")


def _row(place: Place, first: int, line: Line, part: str, by: str = "") -> Row:
    meaning = f"{line.meaning}; {by}" if by else line.meaning
    row = row_at(place.unit_id, place.table, place.start + first + line.start, line.form, counts_in=line.unit, meaning=meaning)
    return replace(row, part=part, point=line.name)


def _by(writers: Writers) -> str:
    """Who may write, as the check has it."""
    roles = "any role that may write" if writers.roles is None else f"role {' or '.join(sorted(writers.roles))}"
    networks = ", ".join(map(str, writers.networks))
    return f"written by {roles}" + (f", and from {networks} without a certificate" if networks else "")
