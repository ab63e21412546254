"""Mapping: which column of a file is what. Pure."""

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Final

from historian.importing.rows import FIELDS
from historian.write.reading.digest import PRICE_COLUMNS

_LMP: Final = PRICE_COLUMNS[0]
OF_PREDECESSOR: Final[Mapping[str, tuple[str, ...]]] = {"interval_start": ("time",), "node": ("node",), _LMP: ("mw", "lmp")}
"""caiso_connector's table: `time` is OASIS's INTERVALSTARTTIME_GMT, so UTC, `mw` its column MW, as the day-ahead report calls
a price: of the rows whose LMP_TYPE is LMP, so US dollars a megawatt-hour. An early version called it `lmp`."""
NEEDED: Final = ("node", "interval_start", _LMP)


class MappingRefused(Exception):
    """The columns of a file are not told well; the message says what is wrong."""


def mapping_of(columns: Sequence[str], told: Sequence[str], *, is_predecessors: bool = False) -> dict[str, str]:
    """The column of each field that the file has one for.

    Args:
        columns: of the file.
        told: as FIELD=COLUMN; what is not told is in the column of its own name.
        is_predecessors: whether it is a database of caiso_connector.

    Raises:
        MappingRefused: a field or a column does not exist, is told twice, or is needed and missing.
    """
    found = {field: field for field in FIELDS if field in columns}
    if is_predecessors:
        of_its_own = [(field, name) for field, names in OF_PREDECESSOR.items() for name in reversed(names) if name in columns]
        found |= dict(of_its_own)
    given = _told(told)
    for field, column in given.items():
        if column not in columns:
            near = get_close_matches(column, columns, 1)
            hint = f"; did you mean {near[0]}?" if near else f"; there are {', '.join(columns)}"
            raise MappingRefused(f"{field}={column}: the file has no column {column}{hint}")
    found |= given
    if missing := [field for field in NEEDED if field not in found]:
        there = ", ".join(columns)
        raise MappingRefused(f"no column for {' and '.join(missing)}: say --column {missing[0]}=COLUMN; the file has {there}")
    return found


def _told(told: Sequence[str]) -> dict[str, str]:
    given: dict[str, str] = {}
    for text in told:
        field, equals, column = text.partition("=")
        if not equals or field not in FIELDS:
            raise MappingRefused(f"{text} is not FIELD=COLUMN with a field of {', '.join(FIELDS)}")
        if field in given:
            raise MappingRefused(f"{field} is told twice: {given[field]} and {column}")
        given[field] = column
    return given
