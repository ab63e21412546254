"""Lines: at which line of a TOML file each of its tables and keys stands. Pure.

tomllib tells what a document says and not where. A scanner of lines is enough for people to find a mistake: what it does not
recognise, such as a key within braces, has the line of the table around it.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Final

from dotbus.runtime.settings.mistakes import Location, key_of

_NAME: Final = r"""(?:[A-Za-z0-9_-]+|"[^"\n]*"|'[^'\n]*')"""
_DOTTED: Final = rf"{_NAME}(?:\s*\.\s*{_NAME})*"
_LIST: Final = re.compile(rf"\s*\[\[\s*({_DOTTED})\s*\]\]\s*(?:#.*)?$")
_TABLE: Final = re.compile(rf"\s*\[\s*({_DOTTED})\s*\]\s*(?:#.*)?$")
_KEY: Final = re.compile(rf"\s*({_DOTTED})\s*=")
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
            found.setdefault(key_of(at), number)
            found[key_of(table)] = number
        elif header := _TABLE.match(line):
            table = _last_entries(_parts(header[1]), entries)
            found.setdefault(key_of(table), number)
        elif key := _KEY.match(line):
            found.setdefault(key_of((*table, *_parts(key[1]))), number)
    return found


def line_of(key: str, lines: Mapping[str, int]) -> int | None:
    """The line of a place, or of the nearest one around it that has one; None when none has."""
    while key and key not in lines:
        key = re.sub(r"(\.[^.\[\]]*|\[[^\[\]]*\]|^[^.\[\]]+)$", "", key)
    return lines.get(key)


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
