"""Live registers: what the cells of a map say in the bytes that were read of them, each with its quality and age. Pure."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from dotbus.contracts.quality import BIT_OF, Level
from dotbus.runtime.installation.modbus import Addresses, ByteOrder, RegisterType, Table, WordOrder
from modbus_gateway.map.addressing import written
from modbus_gateway.map.codes import in_words
from modbus_gateway.map.form import Form
from modbus_gateway.map.quantities import EPOCH, FLAG, LEVEL, REASONS
from modbus_gateway.map.register_map import About, Cell

_AGES: Final = {
    "instructions": "instructions_age_s",
    "dot": "dot_age_s",
    "trajectory": "trajectory_age_s",
    "latest_dop": "trajectory_age_s",
    "lmp": "lmp_age_s",
}
"""The quantity that tells how old others are, by the quantity whose quality they have."""


@dataclass(frozen=True)
class ReadCell:
    """A cell and the bytes of its registers; of a bit one byte, 1 or 0. None where the gateway refused, with its exception."""

    unit_id: int
    table: Table
    cell: Cell
    content: bytes | None
    exception: int | None = None

    @property
    def value(self) -> float | str | None:
        """What it says, unscaled; None for "no value"."""
        return None if self.content is None else decode(self.content, self.cell.form)


def decode(content: bytes, form: Form) -> float | str | None:
    """The value of registers as they were read; None for "no value"."""
    if form.type is RegisterType.BIT:
        return content[0]
    plain = _in_plain_order(content, form)
    if form.type is RegisterType.STRING:
        return plain.rstrip(b"\0").decode(errors="replace") or None
    if content == form.no_value and not form.is_flag:
        return None
    number: float = form.layout.unpack(plain)[0]
    if math.isnan(number):
        return None
    return (number - form.offset) / form.scale if form.offset or form.scale != 1 else number


def live_table(read: Sequence[ReadCell]) -> str:
    """A line for each value: where it stands, whose it is, what it says, and how good and how old that is."""
    known = {(one.unit_id, one.cell.quantity.name, one.cell.judged_alike.about): one for one in read}
    lines = [["unit", "4xxxx", "what", "whose", "value", "quality", "reasons", "age"], *(_line(one, known) for one in read)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    return "".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() + "\n" for line in lines
    )


_Known = Mapping[tuple[int, str, About], ReadCell]


def _line(one: ReadCell, known: _Known) -> list[str]:
    where = [str(one.unit_id), written(Addresses.CLASSIC, one.table, one.cell.address)]
    level, reasons = (_beside(one, name, known) for name in (one.cell.quantity.told_by[:2] or ("", "")))
    told = [_said(level) if level else "", _said(reasons) if reasons else ""]
    return [*where, one.cell.quantity.name, str(one.cell.about), _said(one), *told, _age(one, known)]


def _beside(one: ReadCell, name: str, known: _Known) -> ReadCell | None:
    """Another quantity of the same subject at the same unit."""
    return known.get((one.unit_id, name, one.cell.judged_alike.about))


def _age(one: ReadCell, known: _Known) -> str:
    quality = one.cell.quantity.quality
    name = next((age for begin, age in _AGES.items() if quality.startswith(begin)), _AGES["dot"] if quality else "")
    age = _beside(one, name, known)
    return "" if age is None or age.value is None else f"{age.value} s"


def _said(one: ReadCell) -> str:
    if one.content is None:
        return f"exception {one.exception:02X}" if one.exception else "no answer"
    value = one.value
    if value is None:
        return "no value"
    return value if isinstance(value, str) else _number(value, one.cell.quantity.unit)


def _number(number: float, unit: str) -> str:
    """A number as its unit means it."""
    if unit == EPOCH:
        return f"{datetime.fromtimestamp(number, UTC):%Y-%m-%d %H:%M:%S} UTC"
    if unit == LEVEL and number in set(Level):
        return f"{number:.0f} {Level(int(number)).name.lower()}"
    if word := in_words(number, unit):
        return word
    if unit == REASONS:
        return ", ".join(reason for reason, bit in BIT_OF.items() if int(number) >> bit & 1) or "none"
    return f"{number:.10g} {'' if unit in (LEVEL, FLAG) else unit}".rstrip()


def _in_plain_order(content: bytes, form: Form) -> bytes:
    """The bytes with the high one first."""
    words = [content[i : i + 2] for i in range(0, len(content), 2)]
    if form.byte_order is ByteOrder.LITTLE:
        words = [word[::-1] for word in words]
    if form.word_order is WordOrder.LITTLE and form.type is not RegisterType.STRING:
        words.reverse()
    return b"".join(words)
