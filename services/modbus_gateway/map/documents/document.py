"""Document: the rows of a register map as a table, Markdown, CSV or JSON. Pure."""

import csv
import io
import json
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import Final

from modbus_gateway.map.documents.rows import COLUMNS, Row


class Format(StrEnum):
    """How a map is written."""

    TABLE = "table"
    MARKDOWN = "markdown"
    CSV = "csv"
    JSON = "json"


_FOR_PEOPLE: Final = (
    "unit",
    "table",
    "from 0",
    "from 1",
    "4xxxx",
    "what",
    "whose",
    "access",
    "type",
    "order",
    "scale",
    "in",
    "when bad",
    "meaning",
)


def write_document(rows: Sequence[Row], form: Format) -> str:
    """The map as a text."""
    return _WRITERS[form](rows)


def as_csv(rows: Sequence[Row]) -> str:
    """Every column of every row, as `import-map` reads it; empty where it does not apply."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows([[_in_csv(getattr(row, name)) for name in COLUMNS] for row in rows])
    return text.getvalue()


def _in_csv(value: str | float | None) -> str | float:
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else value


def as_json(rows: Sequence[Row]) -> str:
    """A list of objects, without what does not apply."""
    given = [{name: value for name in COLUMNS if (value := getattr(row, name)) is not None} for row in rows]
    return json.dumps(given, indent=2, ensure_ascii=False) + "\n"


def as_markdown(rows: Sequence[Row]) -> str:
    """A table of Markdown."""
    lines = [_FOR_PEOPLE, ["---"] * len(_FOR_PEOPLE), *(_cells(row) for row in rows)]
    return "".join(f"| {' | '.join(cell.replace('|', '&#124;') for cell in line)} |\n" for line in lines)


def as_table(rows: Sequence[Row]) -> str:
    """Columns of text, as wide as what is in them."""
    lines = [list(_FOR_PEOPLE), *(_cells(row) for row in rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(_FOR_PEOPLE))]
    return "".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() + "\n" for line in lines
    )


def _cells(row: Row) -> list[str]:
    kind = f"{row.type}[{row.length}]" if row.length else row.type
    scaled = f"x {row.scale or 1:g} + {row.offset:g}" if row.offset else f"x {row.scale:g}" if row.scale else ""
    order = row.swap or ("" if row.byte_order is None else "bytes exchanged")
    where = (str(row.unit_id), row.table, str(row.address), str(row.address_1_based), row.address_4xxxx)
    what, counts_in = (row.called, row.whose, row.access), row.unit or row.counts_in
    return [*where, *what, kind, order, scaled, counts_in, row.bad_shows, row.meaning]


_WRITERS: Final[Mapping[Format, Callable[[Sequence[Row]], str]]] = {
    Format.TABLE: as_table,
    Format.MARKDOWN: as_markdown,
    Format.CSV: as_csv,
    Format.JSON: as_json,
}
