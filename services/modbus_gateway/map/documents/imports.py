"""Imports: a CSV table of registers as the tables of dotbus.toml that make them. Pure.

The columns are those that `modbus-gateway map --format csv` writes; what only describes (`meaning`, `swap`) is passed over. A
spreadsheet that has addresses in one notation alone gives that column. Of what SCADA writes, `import_written` has the rest.
"""

import csv
import io
import json
import re
from collections.abc import Collection, Iterator, Mapping
from typing import Final

from pydantic import BaseModel, ValidationError

from dotbus.runtime.installation.modbus import Addresses, Point, Table
from dotbus.runtime.settings.mistakes import Mistake, did_you_mean, mistakes_of
from modbus_gateway.map.addressing import read_address, written
from modbus_gateway.map.cells import form_of_point
from modbus_gateway.map.documents.import_written import PARTS, WrittenLines
from modbus_gateway.map.documents.rows import COLUMNS, SEVERAL, parted
from modbus_gateway.map.paths import quantity_of
from modbus_gateway.map.quantities import QUANTITIES, Scope

_DESCRIBES: Final = frozenset(
    {"address_1_based", "address_4xxxx", "registers", "access", "swap", "counts_in", "meaning", "bad_shows"}
)
_WHOLE: Final = ("unit_id", "length", "places")
_NUMBERS: Final = (
    "scale",
    "offset",
    "min",
    "max",
    "stale_after_s",
    "bad_value",
    "expires_after_s",
    "commit_within_s",
    "watchdog_s",
    "reply_within_s",
)
_FLAGS: Final = ("quality", "commit")
_LISTS: Final = ("roles", "allow_from")
_TOML_KEY: Final = {"address_1_based": "address", "address_4xxxx": "address"}
_NOTATIONS: Final = {"address": Addresses.FROM_0, "address_1_based": Addresses.FROM_1, "address_4xxxx": Addresses.CLASSIC}
Taken = dict[tuple[int, Table, int], int]
"""The lines of the registers that were read."""


def import_lines(text: str, where: str, notation: Addresses = Addresses.FROM_0) -> tuple[str, list[Mistake]]:
    """The lines of a CSV text as TOML, and what is wrong with it, each with its line.

    Args:
        text: with the names of its columns in its first line.
        where: the file.
        notation: of the addresses in the TOML, which has to be that of the file that they go to.
    """
    mistakes: list[Mistake] = []
    tables: list[str] = []
    taken: Taken = {}
    scada = WrittenLines(where)
    for line, row in _rows(text, where, mistakes):
        values = dict[str, object]()
        found = list(_read_row(row, values, where))
        told = {_TOML_KEY.get(one.key, one.key) for one in found}
        if "part" in row:
            found += scada.check(row["part"], values, told, line, taken)
        else:
            found += _check(values, where, told, line, taken)
        mistakes += [Mistake(where, one.key, one.reason, line, row.get("resource", "")) for one in found]
        if "part" not in row:
            tables.append(_toml("point", Point, _in_notation(values, notation)))
    mistakes += scada.strays()
    tables += [_toml(part, PARTS[part], _in_notation(values, notation)) for part, values in scada.tables]
    stated = f'# For a file of which [modbus] says addresses = "{notation}"'
    head = f"{stated}, as it is unless given.\n\n" if notation is Addresses.FROM_0 else f"{stated}.\n\n"
    return head + "\n".join(tables), sorted(mistakes, key=lambda one: one.line or 0)


def _rows(text: str, where: str, mistakes: list[Mistake]) -> Iterator[tuple[int, dict[str, str]]]:
    """Each row that says something, with its line; what is no table goes to `mistakes`. A spreadsheet may write semicolons."""
    head = text.splitlines()[0] if text else ""
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=";" if ";" in head and "," not in head else ",")
    try:
        wrong = list(_check_columns([name or "" for name in reader.fieldnames or ()], where))
        mistakes += wrong
        for given in () if wrong else reader:
            row = {name: value.strip() for name, value in given.items() if isinstance(value, str) and value.strip()}
            if row:
                yield reader.line_num, row
    except csv.Error as error:
        mistakes.append(Mistake(where, "", f"is no CSV: {error}", max(reader.line_num, 1)))


def _check_columns(names: list[str], where: str) -> Iterator[Mistake]:
    for name in names:
        if name not in COLUMNS:
            yield Mistake(where, name, f"is no column{did_you_mean(name, COLUMNS)}", 1)
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield Mistake(where, name, "is given twice", 1)
    if "unit_id" not in names:
        yield Mistake(where, "unit_id", "is missing: each register has a unit id", 1)
    if not _NOTATIONS.keys() & set(names):
        yield Mistake(where, "address", f"is missing: give one of {', '.join(_NOTATIONS)}", 1)


def _read_row(row: Mapping[str, str], values: dict[str, object], where: str) -> Iterator[Mistake]:
    """Put the values of a row as TOML has them into `values`; yields what cannot be one."""
    for name, text in row.items():
        if name in _DESCRIBES or name in ("address", "part"):
            continue
        try:
            values[name] = _value(name, text)
        except ValueError as error:
            yield Mistake(where, name, str(error))
    if values.get("type") == "bit":
        del values["type"]  # a table of bits has no other
    _name_several(row, values)
    yield from _read_place(row, values, where)


def _value(name: str, text: str) -> object:
    """What stands in a column, as TOML has it.

    Raises:
        ValueError: it is none, and why.
    """
    if name in _FLAGS:
        if text.lower() not in ("true", "false"):
            raise ValueError(f"{text!r} is neither true nor false")
        return text.lower() == "true"
    try:
        if name in _LISTS:
            return parted(text)
        return int(text) if name in _WHOLE else float(text) if name in _NUMBERS else text
    except ValueError as error:
        kind = "list of names" if name in _LISTS else "whole number" if name in _WHOLE else "number"
        raise ValueError(f"{text!r} is no {kind}") from error


def _name_several(row: Mapping[str, str], values: dict[str, object]) -> None:
    """What is about a plant is of all its resources where it names none, of several plants' where it names them."""
    quantity = QUANTITIES.get(row.get("quantity", ""))
    if quantity and quantity.scope is Scope.PLANT and "resource" in values:
        values["resources"] = str(values.pop("resource")).split(SEVERAL)
        values.pop("plant", None)


def _read_place(row: Mapping[str, str], values: dict[str, object], where: str) -> Iterator[Mistake]:
    name = next((name for name in _NOTATIONS if name in row), None)
    if name is None:
        yield Mistake(where, "address", "is missing")
        return
    if not re.fullmatch(r"\d{1,6}", row[name], re.ASCII):
        yield Mistake(where, name, f"{row[name][:20]!r} is no address")
        return
    read = read_address(row[name], _NOTATIONS[name])
    if isinstance(read, str):
        yield Mistake(where, name, read)
        return
    table, values["address"] = read
    if table and values.setdefault("table", table.value) != table.value:
        yield Mistake(where, "table", f"{values['table']} is not the table of {row[name]}")


def _check(values: Mapping[str, object], where: str, told: Collection[str], line: int, taken: Taken) -> list[Mistake]:
    """What is wrong with a row besides the keys that were told already, and with where it stands.

    Args:
        values: of the row, as TOML has them, without what could not be read.
        where: the file.
        told: keys of which it was told what is wrong.
        line: of the row.
        taken: the lines of the registers that stand before it; those of this one are added.
    """
    try:
        point = Point.model_validate(values)
    except ValidationError as error:
        return [mistake for mistake in mistakes_of(error, where, Point) if mistake.key not in told]
    quantity = quantity_of(point)
    if isinstance(quantity, str):
        return [Mistake(where, "path" if point.path else "quantity", quantity)]
    if told:
        return []
    registers = form_of_point(point, quantity).registers
    places = [(point.unit_id, point.table, address) for address in range(point.address, point.address + registers)]
    before = next((taken[place] for place in places if place in taken), None)
    taken |= dict.fromkeys(places, line)
    return [] if before is None else [Mistake(where, "address", f"overlaps with what line {before} has there")]


def _in_notation(values: Mapping[str, object], notation: Addresses) -> Mapping[str, object]:
    """The same with its address as a file writes it. A classic one names its table; one that begins with 0 is a text."""
    address, table = values.get("address"), Table(str(values.get("table", Table.HOLDING.value))) if _is_table(values) else None
    if not isinstance(address, int) or table is None:
        return values
    text = written(notation, table, address)
    is_text = notation is Addresses.CLASSIC and text.startswith("0")
    kept = {name: value for name, value in values.items() if name != "table" or notation is not Addresses.CLASSIC}
    return {**kept, "address": text if is_text else int(text)}


def _is_table(values: Mapping[str, object]) -> bool:
    return values.get("table", Table.HOLDING.value) in {table.value for table in Table}


def _toml(key: str, model: type[BaseModel], values: Mapping[str, object]) -> str:
    """A table of the file, without what is so unless given."""
    fields = {field.alias or name: field for name, field in model.model_fields.items()}
    given = [name for name, field in fields.items() if name in values and values[name] != field.default]
    return f"[[modbus.{key}]]\n" + "".join(f"{name} = {_written(values[name])}\n" for name in given)


def _written(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return f"[{', '.join(map(_written, value))}]"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")  # which TOML wants escaped, and JSON does not
    return repr(value)
