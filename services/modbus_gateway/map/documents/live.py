"""Live registers: what is said of each, for people and programs, with its quality and age. Pure.

`live_cells` reads what the gateway shows of CAISO's values, `live_written` what SCADA writes and what became of it.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from dotbus.contracts.quality import BIT_OF, Level
from dotbus.runtime.installation.modbus import Addresses, RegisterType, Table
from modbus_gateway.map.addressing import written
from modbus_gateway.map.codes import in_words
from modbus_gateway.map.documents.rows import Access
from modbus_gateway.map.form import Form, high_first, number_in
from modbus_gateway.map.quantities import EPOCH, FLAG, LEVEL, REASONS


@dataclass(frozen=True)
class Age:
    """How old a value is at the least and at the most, in seconds; None where nothing tells."""

    least_s: float | None = None
    most_s: float | None = None

    def __str__(self) -> str:
        match (self.least_s, self.most_s):
            case (None, None):
                return ""
            case (None, most_s):
                return f"at most {most_s:g} s"
            case (least_s, None):
                return f"{least_s:g} s or more"
            case (least_s, most_s):
                return f"{least_s:g} s" if least_s == most_s else f"{least_s:g} to {most_s:g} s"


@dataclass(frozen=True, kw_only=True)
class Reading:
    """One value as it was read.

    Attributes:
        part: of what SCADA writes, the table of dotbus.toml that it is of: write, commit or answer.
        content: its registers as they came; of a bit one byte, 1 or 0. None where the gateway refused, with its exception.
        value: unscaled; None for "no value".
        unit: of the value, or what its number means.
        said: the value in words.
        quality: how good it is; None where nothing tells, or nothing makes it bad.
        why: the reasons for that, or why something was not taken.
    """

    unit_id: int
    table: Table
    address: int
    what: str
    whose: str
    access: Access = Access.READ
    part: str | None = None
    content: bytes | None
    exception: int | None = None
    value: float | str | None
    unit: str
    said: str
    quality: Level | None = None
    why: tuple[str, ...] = ()
    age: Age = Age()

    @property
    def words(self) -> tuple[int, ...]:
        """Its registers; of a bit the one that it would be."""
        content = self.content or b""
        return tuple(content) if self.table.has_bits else tuple(int.from_bytes(content[i : i + 2]) for i in _evens(content))


def _evens(content: bytes) -> range:
    return range(0, len(content), 2)


def decode(content: bytes, form: Form) -> float | str | None:
    """The value of registers as they were read; None for "no value"."""
    if form.type is RegisterType.BIT:
        return content[0]
    if form.type is RegisterType.STRING:
        return high_first(content, form).rstrip(b"\0").decode(errors="replace") or None
    if content == form.no_value and not form.is_flag:
        return None
    number = number_in(content, form)
    if number != number:  # noqa: PLR0124  # another NaN than ours
        return None
    return (number - form.offset) / form.scale if form.offset or form.scale != 1 else number


def refusal(exception: int | None) -> str:
    """What is said in place of a value that was refused."""
    return f"exception {exception:02X}" if exception else "no answer"


def said(value: float | str | None, unit: str) -> str:
    """A value as its unit means it."""
    if value is None:
        return "no value"
    return value if isinstance(value, str) else _number(value, unit)


def _number(number: float, unit: str) -> str:
    if unit == EPOCH:
        return f"{datetime.fromtimestamp(number, UTC):%Y-%m-%d %H:%M:%S} UTC"
    if unit == LEVEL and number in set(Level):
        return in_level(Level(int(number)))
    if word := in_words(number, unit):
        return word
    if unit == REASONS:
        return ", ".join(reasons_of(number)) or "none"
    return f"{number:.10g} {'' if unit in (LEVEL, FLAG) else unit}".rstrip()


def reasons_of(mask: float) -> tuple[str, ...]:
    """The reasons that a mask stands for."""
    return tuple(reason.value for reason, bit in BIT_OF.items() if int(mask) >> bit & 1)


def in_level(level: Level) -> str:
    """A quality with its number."""
    return f"{level:d} {level.name.lower()}"


def live_table(readings: Sequence[Reading]) -> str:
    """A line for each value: where it stands, whose it is, what it says, and how good and how old that is."""
    lines = [["unit", "4xxxx", "what", "whose", "value", "quality", "reasons", "age"], *map(_line, readings)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    return "".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() + "\n" for line in lines
    )


def _line(one: Reading) -> list[str]:
    where = [str(one.unit_id), written(Addresses.CLASSIC, one.table, one.address)]
    quality = "" if one.quality is None else in_level(one.quality)
    why = "; ".join(one.why) or ("none" if quality else "")
    return [*where, one.what, one.whose, one.said, quality, why, str(one.age)]


def live_json(readings: Sequence[Reading]) -> str:
    """The same as a list of objects; null is what does not apply or is not known."""
    return json.dumps(list(map(_object, readings)), indent=2, ensure_ascii=False) + "\n"


def _object(one: Reading) -> dict[str, object]:
    return {
        "unit_id": one.unit_id,
        "table": one.table.value,
        "address": one.address,
        "address_4xxxx": written(Addresses.CLASSIC, one.table, one.address),
        "what": one.what,
        "whose": one.whose,
        "access": one.access.value,
        "part": one.part,
        "registers": [f"{word:04X}" for word in one.words],
        "exception": one.exception,
        "value": one.value,
        "unit": one.unit or None,
        "said": one.said,
        "quality": None if one.quality is None else int(one.quality),
        "reasons": list(one.why),
        "age_least_s": one.age.least_s,
        "age_most_s": one.age.most_s,
    }
