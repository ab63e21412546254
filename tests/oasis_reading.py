"""What a reply of OASIS says, read again by the standard library alone: of any reply that is accepted, however damaged."""

import csv
import io
import math
import re
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from xml.etree import ElementTree as ET

from oasis_recordings import FIELDS

from caiso.oasis import REPORTS, Prices, Question

Key = tuple[str, datetime]
Values = dict[str, float | None]
PRICE = ("MW", "VALUE", "PRC")
TEXTS = ("MARKET_RUN_ID", "NODE", "INTERVALSTARTTIME_GMT", "INTERVALENDTIME_GMT", "LMP_TYPE")
ELEMENTS = ("RESOURCE_NAME", "INTERVAL_START_GMT", "INTERVAL_END_GMT", "DATA_ITEM", "VALUE")
DATA_ITEMS = {"LMP_PRC": "LMP", "LMP_ENE_PRC": "MCE", "LMP_CONG_PRC": "MCC", "LMP_LOSS_PRC": "MCL", "LMP_GHG_PRC": "MGHG"}
NUMBER = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*", re.ASCII)
ASCII = bytes(range(128)) + b"?" * 128
BOM = b"\xef\xbb\xbf"


class CannotRead(Exception):
    """XML that only the other reader knows how to read, such as of an encoding that is none of Python's."""


@dataclass(frozen=True)
class Row:
    """A row as it stands there."""

    market: str
    node: str
    start: str
    end: str
    kind: str
    price: str


def members(content: bytes) -> Iterator[bytes]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        yield from (archive.read(info) for info in archive.infolist() if not info.is_dir())


def rows_of(member: bytes) -> Iterable[Row]:
    """None of a member that is neither a table of prices nor a report."""
    if member.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
        return _in_report(member)
    return _in_table(member.removeprefix(BOM))


def _in_table(member: bytes) -> Iterator[Row]:
    first, _, rest = member.partition(b"\n")
    header = next(csv.reader([first.decode("utf-8", "replace").rstrip("\r")]), [])
    price = next((name for name in PRICE if name in header), None)
    if price is None or any(name not in header for name in TEXTS):
        return
    text = rest.translate(ASCII).decode()
    quoting = csv.QUOTE_MINIMAL if b'"' in first else csv.QUOTE_NONE
    if quoting == csv.QUOTE_NONE:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    for cells in csv.reader(io.StringIO(text, newline=""), quoting=quoting):
        if len(cells) == len(header):
            yield Row(*(cells[header.index(name)] for name in (*TEXTS, price)))


def _in_report(member: bytes) -> Iterator[Row]:
    try:
        root = ET.fromstring(member)
    except (ET.ParseError, LookupError, ValueError) as error:
        raise CannotRead(str(error)) from error
    for item in root.iter():
        if _local(item) == "REPORT_ITEM":
            market = (item.findtext("{*}REPORT_HEADER/{*}MKT_TYPE") or "").strip()
            for data in item.iterfind("{*}REPORT_DATA"):
                node, start, end, kind, price = ((data.findtext(f"{{*}}{name}") or "").strip() for name in ELEMENTS)
                yield Row(market, node, start, end, DATA_ITEMS.get(kind, kind), price)


def _local(element: ET.Element) -> str:
    return element.tag.rpartition("}")[2]


def time_of(text: str) -> datetime | None:
    try:
        at = datetime.fromisoformat(text)
        return at.astimezone(UTC) if at.tzinfo and not at.microsecond else None
    except (ValueError, OverflowError):
        return None


def number_of(text: str) -> float:
    """NaN of what is no number."""
    value = float(text) if NUMBER.fullmatch(text) else math.nan
    return value if math.isfinite(value) else math.nan


def prices_in(content: bytes, market: str, asked: Question | None) -> Mapping[Key, Values]:
    """By node and interval what the rows say that are right in all; nothing of one of which two rows say different things."""
    length = next(report.interval for name, report in REPORTS.items() if name == market)
    said: dict[Key, dict[str, set[float | None]]] = {}
    for member in members(content):
        for row in rows_of(member):
            start, end = time_of(row.start), time_of(row.end)
            if start is None or end is None or not _is_right(row, start, end, length, market, asked):
                continue
            value = number_of(row.price)
            said.setdefault((row.node, start), {}).setdefault(row.kind, set()).add(None if math.isnan(value) else value)
    agreed = {key: parts for key, parts in said.items() if all(len(values) == 1 for values in parts.values())}
    whole = {key: {kind: values.pop() for kind, values in parts.items()} for key, parts in agreed.items()}
    return {key: parts for key, parts in whole.items() if parts.get("LMP") is not None}


def _is_right(row: Row, start: datetime, end: datetime, length: timedelta, market: str, asked: Question | None) -> bool:
    is_interval = end - start == length and start.timestamp() % length.total_seconds() == 0
    is_named = bool(row.node) and "?" not in row.node and (asked is None or row.node in asked.nodes)
    return is_interval and is_named and row.market == market and row.kind in FIELDS


def disagreements(content: bytes, prices: Prices, asked: Question | None = None) -> list[str]:
    """Where an accepted reply's prices are not what its rows say: one too many, one too few, or another value."""
    said = prices_in(content, prices.market, asked)
    ours = {(row["node"], row["interval_start"]): {kind: row[field] for kind, field in FIELDS.items()} for row in prices.rows()}
    empty = dict.fromkeys(FIELDS)
    theirs = {key: {**empty, **parts} for key, parts in said.items()}
    return [f"{key}: {ours.get(key)} and not {theirs.get(key)}" for key in {*ours, *theirs} if ours.get(key) != theirs.get(key)]
