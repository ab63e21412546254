"""Registers for people: every place of a map, what it says, and its words."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Final

from rich.console import Group
from rich.table import Table
from rich.text import Text

from dotbus.runtime.installation.modbus import Addresses
from modbus_gateway.map.addressing import written
from modbus_gateway.map.documents.live import Reading, in_level

_WIDTHS: Final = {"register": 8, "quantity": 25, "value": 25, "words": 9}
_WORDS_MOST: Final = 4
"""Shown of a value; a text is read better in its value."""


def registers_table(readings: Sequence[Reading]) -> Group:
    """A table for each thing that a unit shows, 80 columns wide.

    40001 is the first holding register, 30001 the first input register, 10001 the first discrete input, 00001 the first coil.

    What is shown twice, such as the price of a node that two resources share, gets a table for each time.
    """
    times: Counter[tuple[str, str]] = Counter()
    tables: defaultdict[tuple[str, int], list[Reading]] = defaultdict(list)
    for one in readings:
        title = f"unit {one.unit_id}  {one.whose or 'gateway'}{', written by SCADA' if one.part else ''}"
        times[title, one.what] += 1
        tables[title, times[title, one.what]].append(one)
    return Group(*(part for (title, _), entries in tables.items() for part in (Text(title, "bold"), _table(entries), Text())))


def _table(entries: Sequence[Reading]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), show_header=False)
    for name, width in _WIDTHS.items():
        table.add_column(name, min_width=width, overflow="fold")
    for one in entries:
        words = " ".join(f"{word:04X}" for word in one.words[:_WORDS_MOST])
        more = " ..." if len(one.words) > _WORDS_MOST else ""
        table.add_row(written(Addresses.CLASSIC, one.table, one.address), one.what, _meaning(one), words + more)
    return table


def _meaning(one: Reading) -> str:
    """What it says; of what SCADA writes also how good and how old that is, which of all else registers of its own tell."""
    if not one.part:
        return one.said
    quality = "" if one.quality is None else in_level(one.quality)
    return ", ".join(part for part in (one.said, quality, *one.why, str(one.age)) if part)
