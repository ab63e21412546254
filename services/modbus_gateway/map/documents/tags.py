"""Tags: the rows of a register map as other programs import them, and as command lines that read them. Pure."""

import csv
import io
import json
import re
import shlex
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from enum import StrEnum
from typing import Final

from dotbus.runtime.installation.modbus import RegisterType, Table
from modbus_gateway.map.documents.rows import NEVER_BAD, Access, Row


class Reader(StrEnum):
    """Who is to read the registers."""

    IGNITION = "ignition"
    KEPWARE = "kepware"
    MBPOLL = "mbpoll"


# Ignition's Modbus driver: area, then how the registers are read; an address counts from 1 and a unit id stands before it.
_AREA: Final = {Table.COIL: "C", Table.DISCRETE: "DI", Table.INPUT: "IR", Table.HOLDING: "HR"}
_DESIGNATOR: Final = {
    RegisterType.FLOAT32: "F",
    RegisterType.FLOAT64: "D",
    RegisterType.INT16: "",
    RegisterType.UINT16: "US",
    RegisterType.BOOL: "US",
    RegisterType.BITS: "US",
    RegisterType.INT32: "I",
    RegisterType.UINT32: "UI",
    RegisterType.INT64: "I_64",
    RegisterType.UINT64: "UI_64",
    RegisterType.STRING: "S",
    RegisterType.BIT: "",
}
_IGNITION_TYPE: Final = {
    RegisterType.FLOAT32: "Float4",
    RegisterType.FLOAT64: "Float8",
    RegisterType.INT16: "Int2",
    RegisterType.UINT16: "Int4",
    RegisterType.BOOL: "Boolean",
    RegisterType.BITS: "Int4",
    RegisterType.INT32: "Int4",
    RegisterType.UINT32: "Int8",
    RegisterType.INT64: "Int8",
    RegisterType.UINT64: "Int8",
    RegisterType.STRING: "String",
    RegisterType.BIT: "Boolean",
}
_KEPWARE_COLUMNS: Final = [
    "Tag Name",
    "Address",
    "Data Type",
    "Respect Data Type",
    "Client Access",
    "Scan Rate",
    "Scaling",
    "Raw Low",
    "Raw High",
    "Scaled Low",
    "Scaled High",
    "Scaled Data Type",
    "Clamp Low",
    "Clamp High",
    "Eng Units",
    "Description",
    "Negate Value",
]
_KEPWARE_TYPE: Final = {
    RegisterType.FLOAT32: "Float",
    RegisterType.FLOAT64: "Double",
    RegisterType.INT16: "Short",
    RegisterType.UINT16: "Word",
    RegisterType.BOOL: "Word",
    RegisterType.BITS: "Word",
    RegisterType.INT32: "Long",
    RegisterType.UINT32: "DWord",
    RegisterType.INT64: "LLong",
    RegisterType.UINT64: "QWord",
    RegisterType.STRING: "String",
    RegisterType.BIT: "Boolean",
}
_SCAN_MS: Final = 1000


def write_tags(rows: Sequence[Row], reader: Reader, device: str, host: str, port: int) -> str:
    """The rows for a reader. `device` is what the gateway is called there, `host` and `port` where mbpoll finds it.

    Kepware has the unit id in the device and not in the tag, so that its rows should be of one unit.
    """
    match reader:
        case Reader.IGNITION:
            return as_ignition(rows, device)
        case Reader.KEPWARE:
            return as_kepware(rows)
        case Reader.MBPOLL:
            return "".join(f"{line}\n" for row in rows if (line := mbpoll_line(row, host, port)))


def as_ignition(rows: Sequence[Row], device: str) -> str:
    """Ignition's tag import: a folder for each unit, in it one for each resource, node or service."""
    folders: dict[str, dict[str, list[dict[str, object]]]] = {}
    for (unit, whose, name), row in _named_apart(rows, _ignition_name, " "):
        folders.setdefault(unit, {}).setdefault(whose, []).append(_ignition(row, name, device))
    tags = [
        {"name": unit, "tagType": "Folder", "tags": [{"name": n, "tagType": "Folder", "tags": t} for n, t in inner.items()]}
        for unit, inner in folders.items()
    ]
    return json.dumps({"tags": tags}, indent=2, ensure_ascii=False) + "\n"


def _ignition_name(row: Row) -> tuple[str, str, str]:
    return f"unit {row.unit_id}", _plain(row.whose) or "gateway", f"{_plain(row.called)} {row.table}"


def _ignition(row: Row, name: str, device: str) -> dict[str, object]:
    kind, table = RegisterType(row.type), Table(row.table)
    length = f":{2 * row.length}" if row.length else ""
    item = f"{row.unit_id}.{_AREA[table]}{_DESIGNATOR[kind]}{row.address_1_based}{length}"
    return {
        "name": name,
        "tagType": "AtomicTag",
        "valueSource": "opc",
        "opcServer": "Ignition OPC UA Server",
        "opcItemPath": f"ns=1;s=[{device}]{item}",
        "dataType": _IGNITION_TYPE[kind],
        "readOnly": row.access == Access.READ,
        "engUnit": row.unit or row.counts_in,
        "documentation": _described(row),
    }


def as_kepware(rows: Sequence[Row]) -> str:
    """Kepware's CSV of tags, for a Modbus TCP device with addresses from 1 and six digits."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_KEPWARE_COLUMNS)
    for (_unit, whose, called), row in _named_apart(rows, _kepware_name, "_"):
        kind = RegisterType(row.type)
        digits = f"{row.address_4xxxx[0]}{row.address_1_based:05}"
        order = "L" if row.byte_order == "little" else "H"
        address = f"{digits}.{2 * row.length}{order}" if row.length else digits
        client = "RO" if row.access == Access.READ else "R/W"
        unscaled = [""] * 8
        in_words = [row.unit or row.counts_in, _described(row), ""]
        writer.writerow([f"{whose}.{called}", address, _KEPWARE_TYPE[kind], 1, client, _SCAN_MS, *unscaled, *in_words])
    return text.getvalue()


def _kepware_name(row: Row) -> tuple[str, str, str]:
    return f"{row.unit_id}", _identifier(row.whose) or "gateway", f"{_identifier(row.called)}_{row.table}"


def _named_apart(
    rows: Sequence[Row], name_of: Callable[[Row], tuple[str, str, str]], between: str
) -> Iterator[tuple[tuple[str, str, str], Row]]:
    """Rows with the unit, the folder and the name of each tag. An import keeps one of those of one name, whatever their case.

    So those that share one have their address in it: a unit may show one quantity of one resource twice, and two resources may
    be told apart by what no tag may have in its name.
    """
    named = [(name_of(row), row) for row in rows]
    count = Counter(_folded(name) for name, _ in named)
    for name, row in named:
        unit, whose, called = name
        yield (name if count[_folded(name)] == 1 else (unit, whose, f"{called}{between}{row.address_1_based}")), row


def _folded(name: tuple[str, str, str]) -> tuple[str, ...]:
    return tuple(part.casefold() for part in name)


def mbpoll_line(row: Row, host: str, port: int) -> str | None:
    """The command line that reads a row once; None for what mbpoll has no type for and cannot show as plain registers either.

    It knows the high byte first alone, so that registers with exchanged bytes are read in hex, as 64 bits and texts are.
    """
    table, kind = Table(row.table), RegisterType(row.type)
    area = row.address_4xxxx[0]
    known = {RegisterType.FLOAT32: f"{area}:float", RegisterType.INT32: f"{area}:int", RegisterType.UINT32: f"{area}:int"}
    if table.has_bits or (row.registers == 1 and row.byte_order is None and kind is not RegisterType.STRING):
        how, count = area, 1
    elif kind in known and row.byte_order is None:
        how, count = known[kind], 1
    else:
        how, count = f"{area}:hex", row.registers
    big = " -B" if ":" in how and "hex" not in how and row.word_order is None else ""
    place = f"-m tcp -p {port} -a {row.unit_id} -r {row.address_1_based} -c {count} -t {how}{big} -1 {shlex.quote(host)}"
    return f"mbpoll {place}  # {' of '.join(part for part in (row.called, row.whose) if part)}"


def _described(row: Row) -> str:
    """What Ignition and Kepware show of a tag: its meaning, whose, the order of its bytes, its scale, and what bad shows."""
    scaled = f"register = value x {row.scale or 1:g} + {row.offset or 0:g}" if row.scale or row.offset else ""
    parts = (
        row.meaning,
        f"of {row.whose}" if row.whose else "",
        f"order {row.swap}" if row.swap else "",
        scaled,
        row.bad_shows if row.bad_shows == NEVER_BAD else f"bad: {row.bad_shows}",
    )
    return "; ".join(part for part in parts if part)


def _plain(name: str) -> str:
    """A name as tags may have it: of Ignition's none begins with a hyphen."""
    return re.sub(r"[^\w \-]+", " ", name).strip(" -")


def _identifier(name: str) -> str:
    return re.sub(r"\W+", "_", name).strip("_")
