"""Live written: what is read of registers that SCADA writes: what was taken, whether it counts now, and why not. Pure.

Registers tell no age of what was written. That it still counts tells how old it is at the most, and that its unit is silent how
old it is at the least. Who wrote it they do not tell either: the bus and the historian do.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from dotbus.contracts.quality import Level, Reason
from dotbus.runtime.installation.modbus import Addresses, Table
from modbus_gateway.map.addressing import DIGIT, written
from modbus_gateway.map.documents.live import Age, Reading, decode, refusal, said
from modbus_gateway.map.documents.rows import Access
from modbus_gateway.map.documents.written_rows import WrittenCell
from modbus_gateway.map.form import digits_of
from modbus_gateway.map.writable import AnswerBlock, CommitBlock, WritablePoint

_TABLE: Final[Mapping[int, Table]] = {digit: table for table, digit in DIGIT.items()}


@dataclass(frozen=True)
class ReadWritten:
    """A value that SCADA writes or reads back, and the bytes of its registers, as of `ReadCell`."""

    cell: WrittenCell
    content: bytes | None
    exception: int | None = None

    @property
    def value(self) -> float | str | None:
        """What it says, unscaled; None for "no value"."""
        return None if self.content is None else decode(self.content, self.cell.form)


_Key = tuple[WritablePoint | CommitBlock | AnswerBlock | None, str | None, str | None]
_Known = Mapping[_Key, ReadWritten]
"""By what they are of, what of it they are, and the aspect that they show."""


def read_written(read: Sequence[ReadWritten]) -> Iterator[Reading]:
    """A reading of each."""
    known: dict[_Key, ReadWritten] = {(one.cell.owner, one.cell.row.point, one.cell.row.shows): one for one in read}
    commits = {one.cell.row.unit_id: one.cell.owner for one in read if isinstance(one.cell.owner, CommitBlock)}
    for one in read:
        row, commit = one.cell.row, commits.get(one.cell.row.unit_id)
        quality, why, age = _judged(one, known, commit)
        yield Reading(
            unit_id=row.unit_id,
            table=one.cell.table,
            address=row.address,
            what=row.called,
            whose=row.whose,
            access=Access(row.access),
            part=row.part,
            content=one.content,
            exception=one.exception,
            value=one.value,
            unit=row.counts_in,
            said=refusal(one.exception) if one.content is None else _said(one),
            quality=quality,
            why=why,
            age=age,
        )


def _said(one: ReadWritten) -> str:
    value, codes = one.value, one.cell.codes
    code = None if value is None else int(value) if isinstance(value, float | int) else value
    if code in codes:
        return codes[code] if code is None else f"{code} {codes[code]}"  # type: ignore[index]  # no text is in it
    return said(value, one.cell.row.counts_in)


def _judged(one: ReadWritten, known: _Known, commit: CommitBlock | None) -> tuple[Level | None, tuple[str, ...], Age]:
    match one.cell.owner:
        case WritablePoint() as point:
            return _judged_point(one, point, known, commit) if one.cell.row.shows is None else (None, (), Age())
        case CommitBlock() as block:
            return None, _why_not_taken(one, block, known), Age()
        case AnswerBlock() as answer:
            return (
                _level(known.get((answer, "list_quality", None))) if _is_listed(one) else None,
                _why_refused(one, known),
                Age(),
            )


def _judged_point(
    one: ReadWritten, point: WritablePoint, known: _Known, commit: CommitBlock | None
) -> tuple[Level | None, tuple[str, ...], Age]:
    silent = known.get((commit, "silent_for_s", None))
    silent_s, level = _number(silent), _level_of_point(one, point, known)
    if level is Level.GOOD:
        return level, (), Age(None if silent_s is None else max(silent_s - 1, 0), point.expires_after_s)  # it is rounded up
    if level is None:
        return None, (), Age()
    was_never = silent is not None and silent.content is not None and silent_s is None
    why = str(Reason.NEVER_RECEIVED) if was_never else f"{Reason.STALE} or {Reason.NEVER_RECEIVED}"
    staged = _number(known.get((commit, "staged", None))) if point.needs_commit else None
    return level, (why, f"{staged:g} staged at its unit") if staged else (why,), Age()


def _level_of_point(one: ReadWritten, point: WritablePoint, known: _Known) -> Level | None:
    """By the register behind it; without one "no value" tells, and of a flag only that it is 1."""
    if one.content is None:
        return None
    if point.has_quality:
        told = known.get((point, point.point, "quality"))
        value = _number(told)
        return None if value is None else Level.GOOD if value else Level.BAD
    if point.form.is_flag:
        return Level.GOOD if one.value else None
    return Level.BAD if one.value is None else Level.GOOD


def _why_not_taken(one: ReadWritten, block: CommitBlock, known: _Known) -> tuple[str, ...]:
    """Beside the result of a commit: the point that was wrong, and what it takes."""
    if one.cell.row.point != "result":
        return ()
    digit, address = (_number(known.get((block, name, None))) for name in ("wrong_table", "wrong_address"))
    if digit is None or address is None or (table := _TABLE.get(int(digit))) is None:
        return ()
    where = written(Addresses.CLASSIC, table, int(address))
    for owner, _, _ in known:
        if isinstance(owner, WritablePoint) and owner.place.is_at(block.place.unit_id, table, int(address)):
            return (f"{where} {owner.point} of {owner.resource_id}{_takes(owner)}",)
    return (where,)


def _takes(point: WritablePoint) -> str:
    limits = [f"{word} {digits_of(limit)}" for word, limit in (("from", point.least), ("to", point.most)) if limit is not None]
    return f" takes {' '.join(limits)} {point.unit or ''}".rstrip() if limits else ""


def _why_refused(one: ReadWritten, known: _Known) -> tuple[str, ...]:
    """Beside the outcome of an answer: what refused it, and the reply in words."""
    if one.cell.row.point != "outcome" or not one.value:
        return ()
    by, reply = (known.get((one.cell.owner, name, None)) for name in ("refused_by", "reply"))
    told = [_said(by) if by and by.value else None, str(reply.value) if reply and reply.value else None]
    return tuple(each for each in told if each)


def _is_listed(one: ReadWritten) -> bool:
    name = one.cell.row.point or ""
    return name == "open" or name.startswith("place ")


def _level(told: ReadWritten | None) -> Level | None:
    number = _number(told)
    return Level(int(number)) if number in set(Level) else None


def _number(one: ReadWritten | None) -> float | None:
    value = one.value if one else None
    return value if isinstance(value, int | float) else None
