"""Lines: at which line of a TOML file each of its tables and keys stands. Pure.

tomllib tells what a document says and not where. A scanner of lines is enough for people to find a mistake: what it does not
recognise, such as a key within braces, has the line of the table around it.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Final, TypeVar

from dotbus.runtime.settings.mistakes import Location, key_of

_NAME: Final = r"""(?:[A-Za-z0-9_-]+|"[^"\n]*"|'[^'\n]*')"""
_DOTTED: Final = rf"{_NAME}(?:\s*\.\s*{_NAME})*"
_LIST: Final = re.compile(rf"\s*\[\[\s*({_DOTTED})\s*\]\]\s*(?:#.*)?$")
_TABLE: Final = re.compile(rf"\s*\[\s*({_DOTTED})\s*\]\s*(?:#.*)?$")
_KEY: Final = re.compile(rf"\s*({_DOTTED})\s*=")
T = TypeVar("T")
_LONG_TEXTS: Final = re.compile(r'"""' + "|'''")


def lines_of(text: str) -> Mapping[str, int]:
    """The line of each key and table, by its place as it is written for people (`modbus.point[0].type`); the first is 1."""
    found: dict[str, int] = {}
    table: Location = ()
    entries: Counter[Location] = Counter()
    for number, line in _outside_texts(text):
        if header := _LIST.match(line):
            at = _last_entries(_parts(header[1]), entries, is_list=True)
            table = (*at, entries[at])
            entries[at] += 1
            _note_around(at, number, found)
            found[key_of(table)] = number
        elif header := _TABLE.match(line):
            table = _last_entries(_parts(header[1]), entries)
            _note_around(table, number, found)
        elif key := _KEY.match(line):
            found.setdefault(key_of((*table, *_parts(key[1]))), number)
    return found


def nearest_of(key: str, known: Mapping[str, T]) -> T | None:
    """What is known of a place, its line for example, or of the nearest one around it of which it is; None when of none."""
    while key and key not in known:
        key = re.sub(r"(\.[^.\[\]]*|\[[^\[\]]*\]|^[^.\[\]]+)$", "", key)
    return known.get(key)


def _note_around(table: Location, number: int, found: dict[str, int]) -> None:
    """A table, and those around it without a line before: [modbus] need not stand where [[modbus.block]] does."""
    for depth in range(1, len(table) + 1):
        found.setdefault(key_of(table[:depth]), number)


def _outside_texts(text: str) -> Iterator[tuple[int, str]]:
    """The lines that do not lie within a text of several lines, with their numbers."""
    inside = False
    for number, line in enumerate(text.splitlines(), 1):
        if not inside:
            yield number, line
        inside ^= len(_LONG_TEXTS.findall(line)) % 2 == 1


def _last_entries(parts: Location, entries: Counter[Location], *, is_list: bool = False) -> Location:
    """A place below the last entry of each list on the way to it."""
    at: Location = ()
    for i, part in enumerate(parts):
        at = (*at, part)
        is_inner = not is_list or i < len(parts) - 1
        if is_inner and entries[at]:
            at = (*at, entries[at] - 1)
    return at


def _parts(dotted: str) -> Location:
    return tuple(part.strip("\"'") for part in re.findall(_NAME, dotted))
