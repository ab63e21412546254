"""Registers for people: every place of a map, what it says, and its words."""

from collections import Counter, defaultdict
from typing import Final

from rich.console import Group
from rich.table import Table
from rich.text import Text

from dotbus.contracts.quality import BIT_OF, Level
from dotbus.runtime.installation.modbus import Table as Place
from launcher.look.registers import Shown
from modbus_gateway.map.codes import in_words
from modbus_gateway.map.quantities import EPOCH, FLAG, LEVEL, REASONS, Scope

_WIDTHS: Final = {"register": 8, "quantity": 25, "value": 25, "words": 9}
_FIRST: Final = {Place.COIL: 1, Place.DISCRETE: 10001, Place.INPUT: 30001, Place.HOLDING: 40001}
_EVERY_DIGIT_BELOW: Final = 1e10
_NAMED: Final = frozenset({EPOCH, LEVEL, REASONS, FLAG})
"""Units whose values are told in words."""


def registers_table(shown: list[Shown]) -> Group:
    """A table for each thing that a unit shows, 80 columns wide.

    40001 is the first holding register, 30001 the first input register, 10001 the first discrete input, 00001 the first coil.

    What is shown twice, such as the price of a node that two resources share, gets a table for each time.
    """
    times: Counter[tuple[str, str]] = Counter()
    tables: defaultdict[tuple[str, int], list[Shown]] = defaultdict(list)
    for entry in shown:
        title = f"unit {entry.unit_id}  {_about(entry)}"
        times[title, entry.quantity] += 1
        tables[title, times[title, entry.quantity]].append(entry)
    return Group(*(part for (title, _), entries in tables.items() for part in (Text(title, "bold"), _table(entries), Text())))


def _about(entry: Shown) -> str:
    about = entry.cell.about
    if entry.cell.quantity.scope is Scope.PLANT:
        return ", ".join(dict.fromkeys(member.plant for member in about.members))
    names = [member.resource.id for member in about.members] or [f"{price.market} {price.node}" for price in about.prices]
    return ", ".join(dict.fromkeys(names)) or "gateway"


def _table(entries: list[Shown]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), show_header=False)
    for name, width in _WIDTHS.items():
        table.add_column(name, min_width=width, overflow="fold")
    for entry in entries:
        first = _FIRST[entry.table]
        words = " ".join(f"{word:04X}" for word in entry.words)
        table.add_row(f"{first + entry.cell.address:05}", entry.quantity, entry.exception or _meaning(entry), words)
    return table


def _meaning(entry: Shown) -> str:
    if entry.value is None:
        return entry.text or "no value"
    match entry.cell.quantity.unit:
        case unit if unit == EPOCH and entry.at:
            return f"{entry.at:%Y-%m-%d %H:%M:%S} UTC"
        case unit if unit == LEVEL and entry.value in set(Level):
            return f"{entry.value:.0f} {Level(int(entry.value)).name.lower()}"
        case unit if unit == REASONS:
            names = [reason for reason, bit in BIT_OF.items() if int(entry.value) >> bit & 1]
            return ", ".join(names) or "none"
        case unit if word := in_words(entry.value, unit):
            return word
        case unit:
            digits = (
                f"{entry.value:.0f}"
                if entry.value.is_integer() and abs(entry.value) < _EVERY_DIGIT_BELOW
                else f"{entry.value:.7g}"
            )
            return digits + ("" if unit in _NAMED else f" {unit}").rstrip()
