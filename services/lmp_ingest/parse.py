"""Bytes to CAISO's records. Pure: a reply's status and content in, its price rows or a typed fault out.

A reply is a zip of CSV or XML members, or an error that comes as a zip with one XML member, as a page of HTML, or as an
HTTP status. Nothing is recognised by its size or its name, only by what it is.
"""

import csv
import io
import math
import re
from collections.abc import Callable, Collection, Iterable, Iterator
from datetime import UTC, datetime
from functools import lru_cache
from operator import itemgetter

from lxml import etree

from dotbus.runtime.toml_values import Market
from lmp_ingest.faults import ErrorReply, HttpRefused, Malformed, Throttled
from lmp_ingest.records import BY_DATA_ITEM, BY_LMP_TYPE, PriceRow, ReportRow
from lmp_ingest.reports import REPORTS
from lmp_ingest.unpack import MAGIC, Bounds, Member, unpack

OK = 200
TOO_MANY_REQUESTS = 429
_THROTTLE_WORDS = b"Acceptable Use Policy"
PRICE_COLUMNS = ("MW", "VALUE", "PRC")
"""The column of the price is named by report and version; the first of these that a header has is it."""


def parse_reply(status: int, content: bytes, bounds: Bounds) -> list[PriceRow]:
    """The price rows of all members of a reply, in the order they came (CAISO does not sort them).

    Rows of components that have no name here are left out.

    Raises:
        Throttled, HttpRefused, ErrorReply, Malformed, Oversized: see `faults`.
    """
    if status == TOO_MANY_REQUESTS or (not content.startswith(MAGIC) and _THROTTLE_WORDS in content):
        raise Throttled(f"asked too often (HTTP status {status})")
    if status != OK:
        raise HttpRefused(status)
    return [row for member in unpack(content, bounds) for row in _parse_member(member)]


def _parse_member(member: Member) -> Iterable[PriceRow]:
    if member.content.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
        return _price_rows(parse_xml(member))
    return parse_csv(member)


def parse_csv(member: Member) -> Iterator[PriceRow]:
    """The price rows of a CSV member. Columns are found by their names in the header.

    Raises:
        Malformed: with the line that is wrong.
    """
    try:
        lines = csv.reader(io.StringIO(member.content.decode("utf-8-sig"), newline=""), strict=True)
        header = next(lines, [])
        columns = _columns(header, member.name)
        for line in lines:
            where = f"{member.name} line {lines.line_num}"
            if len(line) != len(header):
                raise Malformed(f"{where}: {len(line)} columns, the header has {len(header)}")
            market, node, start, end, kind, price = columns(line)
            if component := BY_LMP_TYPE.get(kind):
                yield PriceRow(market, node, _time(start, where), _time(end, where), component, _number(price, where))
    except (UnicodeDecodeError, csv.Error) as error:
        raise Malformed(f"{member.name}: {error}") from error


def _columns(header: list[str], member: str) -> Callable[[list[str]], tuple[str, ...]]:
    """Takes what matters out of a line."""
    price = next((name for name in PRICE_COLUMNS if name in header), "/".join(PRICE_COLUMNS))
    wanted = ["MARKET_RUN_ID", "NODE", "INTERVALSTARTTIME_GMT", "INTERVALENDTIME_GMT", "LMP_TYPE", price]
    if missing := [name for name in wanted if name not in header]:
        raise Malformed(f"{member}: no column {', '.join(missing)} in the header {','.join(header)[:200]!r}")
    return itemgetter(*(header.index(name) for name in wanted))


def parse_xml(member: Member) -> Iterator[ReportRow]:
    """Every row of any OASISReport, elements found by their local names: its namespace goes by version and prefix.

    Raises:
        ErrorReply: the report is an error.
        Malformed: it is not an OASISReport, or a row lacks what a row must have.
    """
    root = _root(member)
    for error in root.iter("{*}ERROR"):
        raise ErrorReply(_text(error, "ERR_CODE", member.name), error.findtext("{*}ERR_DESC", "").strip())
    for report in root.iter("{*}REPORT_ITEM"):
        name, market = (report.findtext(f"{{*}}REPORT_HEADER/{{*}}{tag}", "").strip() for tag in ("REPORT", "MKT_TYPE"))
        for row in report.iterfind("{*}REPORT_DATA"):
            where = f"{member.name} line {row.sourceline}"
            yield ReportRow(
                name,
                market,
                _text(row, "DATA_ITEM", where),
                _text(row, "RESOURCE_NAME", where),
                _time(_text(row, "INTERVAL_START_GMT", where), where),
                _time(_text(row, "INTERVAL_END_GMT", where), where),
                _number(row.findtext("{*}VALUE", "").strip(), where),
            )


def _root(member: Member) -> etree._Element:
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    try:
        root = etree.fromstring(member.content, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise Malformed(f"{member.name}: {error}") from error
    if root.getroottree().docinfo.internalDTD is not None:
        raise Malformed(f"{member.name}: a document type, which no report of OASIS has")
    if etree.QName(root).localname != "OASISReport":
        raise Malformed(f"{member.name}: a {root.tag!r} where an OASISReport belongs")
    return root


def _text(element: etree._Element, name: str, where: str) -> str:
    text = element.findtext(f"{{*}}{name}", "").strip()
    if not text:
        raise Malformed(f"{where}: {etree.QName(element).localname} without {name}")
    return text


def _price_rows(rows: Iterable[ReportRow]) -> Iterator[PriceRow]:
    for row in rows:
        if component := BY_DATA_ITEM.get(row.item):
            yield PriceRow(row.market, row.resource, row.interval_start, row.interval_end, component, row.value)


@lru_cache(maxsize=4096)  # a reply repeats each of its times for every node and component
def _parsed_time(text: str) -> datetime:
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError("without an offset from UTC")
    return at.astimezone(UTC)


def _time(text: str, where: str) -> datetime:
    try:
        return _parsed_time(text)
    except (ValueError, OverflowError) as error:
        raise Malformed(f"{where}: {text[:40]!r} is not a time: {error}") from error


_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)


def _number(text: str, where: str) -> float | None:
    if not text:
        return None
    value = float(text) if _NUMBER.fullmatch(text) else math.nan
    if not math.isfinite(value):
        raise Malformed(f"{where}: {text[:40]!r} is not a number")
    return value


def require_answer(rows: Iterable[PriceRow], market: Market, nodes: Collection[str]) -> None:
    """Refuse rows that are no answer to the question: of another market, of nodes not asked for, of odd intervals.

    Raises:
        Malformed: with the first row that does not belong.
    """
    interval = REPORTS[market].interval
    for row in rows:
        if row.market != market:
            raise Malformed(f"prices of market {row.market!r} in the answer for {market}")
        if row.node not in nodes:
            raise Malformed(f"prices of node {row.node!r}, which was not asked for")
        if row.interval_end - row.interval_start != interval:
            raise Malformed(f"{market} interval {row.interval_start} to {row.interval_end}: not {interval} long")
