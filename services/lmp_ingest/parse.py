"""Bytes to CAISO's records. Pure: a reply's status and content in, its price rows or a typed fault out.

A reply is a zip of CSV or XML members, or an error that comes as a zip with one XML member, as a page of HTML, or as an
HTTP status. Nothing is recognised by its size or its name, only by what it is.
"""

import csv
import io
import math
import re
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from functools import lru_cache
from operator import itemgetter

from lxml import etree

from lmp_ingest.faults import NO_DATA, ErrorReply, HttpRefused, Incomplete, Malformed, Throttled
from lmp_ingest.records import BY_DATA_ITEM, BY_LMP_TYPE, PriceRow, Question, ReportRow
from lmp_ingest.reports import REPORTS, floor
from lmp_ingest.unpack import MAGIC, Bounds, Member, unpack

OK = 200
TOO_MANY_REQUESTS = 429
_THROTTLE_WORDS = b"Acceptable Use Policy"
USD_PER_MWH = "US$/MWH"
"""The unit of prices in the header of an XML report (UOM); tables name none."""
PRICE_COLUMNS = ("MW", "VALUE", "PRC")
"""The column of the price is named by report and version; the first of these that a header has is it."""


def parse_reply(status: int, content: bytes, bounds: Bounds) -> list[PriceRow]:
    """The price rows of all members of a reply, in the order they came (CAISO does not sort them); at least one.

    Rows of components that have no name here are left out. A value that is no number costs that value alone.

    Raises:
        Throttled, HttpRefused, ErrorReply, Malformed, Incomplete, Oversized: see `faults`.
    """
    if status == TOO_MANY_REQUESTS or (not content.startswith(MAGIC) and _THROTTLE_WORDS in content):
        raise Throttled(f"asked too often (HTTP status {status})")
    if status != OK:
        raise HttpRefused(status)
    return _joined(unpack(content, bounds))


def _joined(members: Iterable[Member]) -> list[PriceRow]:
    rows: list[PriceRow] = []
    nameless: set[str] = set()
    errors: list[ErrorReply] = []
    tables = 0
    for member in members:
        try:
            priced, others = _parse_member(member)
        except ErrorReply as error:
            errors.append(error)
            continue
        tables += 1
        rows += priced
        nameless |= others
    if errors and not tables:
        raise next((error for error in errors if error.code != NO_DATA), errors[0])
    if errors:
        raise Incomplete(f"a table and an error in one reply: {errors[0]}")
    if not rows:
        kinds = ", ".join(sorted(nameless)[:5])
        raise Incomplete(f"no row of a price that is known here, but of {kinds[:80]}" if nameless else "a table without rows")
    return rows


def _parse_member(member: Member) -> tuple[list[PriceRow], set[str]]:
    """The price rows of a member, and which kinds its other rows are of."""
    if member.content.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
        return _price_rows(parse_xml(member))
    return parse_csv(member)


def parse_csv(member: Member) -> tuple[list[PriceRow], set[str]]:
    """The price rows of a CSV member, and the LMP_TYPEs of its other rows. Columns are found by their names in the header.

    Raises:
        Malformed: with the line that is wrong.
    """
    rows: list[PriceRow] = []
    nameless: set[str] = set()
    try:
        text = member.content.decode("utf-8-sig")
        lines = csv.reader(io.StringIO(text, newline=""), strict=True)
        header = next(lines, [])
        columns = _columns(header, member.name)
        for line in lines:
            where = f"{member.name} line {lines.line_num}"
            if len(line) != len(header):
                raise Malformed(f"{where}: {len(line)} columns, the header has {len(header)}")
            row = _table_row(columns(line), where)
            if isinstance(row, PriceRow):
                rows.append(row)
            else:
                nameless.add(row)
    except (UnicodeDecodeError, csv.Error) as error:
        raise Malformed(f"{member.name}: {error}") from error
    if not text.endswith(("\n", "\r")):
        raise Malformed(f"{member.name}: its last line has no end, so that some of the table may be missing")
    return rows, nameless


def _table_row(cells: tuple[str, ...], where: str) -> PriceRow | str:
    """A row, or its LMP_TYPE when that has no name here. What is no row (an error in the table) has no times or no type."""
    market, node, start, end, kind, price = cells
    times = _time(start, where), _time(end, where)
    if not kind:
        raise Malformed(f"{where}: a row without LMP_TYPE")
    component = BY_LMP_TYPE.get(kind)
    return PriceRow(market, node, *times, component, *_number(price)) if component else kind


def _columns(header: list[str], member: str) -> Callable[[list[str]], tuple[str, ...]]:
    """Takes what matters out of a line."""
    price = next((name for name in PRICE_COLUMNS if name in header), "/".join(PRICE_COLUMNS))
    wanted = ["MARKET_RUN_ID", "NODE", "INTERVALSTARTTIME_GMT", "INTERVALENDTIME_GMT", "LMP_TYPE", price]
    if missing := [name for name in wanted if name not in header]:
        raise Malformed(f"{member}: no column {', '.join(missing)} in the header {','.join(header)[:200]!r}")
    if doubled := [name for name in wanted if header.count(name) > 1]:
        raise Malformed(f"{member}: more than one column {', '.join(doubled)} in the header {','.join(header)[:200]!r}")
    return itemgetter(*(header.index(name) for name in wanted))


def parse_xml(member: Member) -> Iterator[ReportRow]:
    """Every row of any OASISReport, elements found by their local names: its namespace goes by version and prefix.

    Raises:
        ErrorReply: the report is an error.
        Incomplete: it is an error and has rows.
        Malformed: it is not an OASISReport, or a row lacks what a row must have.
    """
    root = _root(member)
    _require_no_error(root, member.name)
    for report in root.iter("{*}REPORT_ITEM"):
        tags = ("REPORT", "MKT_TYPE", "UOM")
        name, market, unit = (report.findtext(f"{{*}}REPORT_HEADER/{{*}}{tag}", "").strip() for tag in tags)
        for row in report.iterfind("{*}REPORT_DATA"):
            where = f"{member.name} line {row.sourceline}"
            yield ReportRow(
                name,
                market,
                unit,
                _text(row, "DATA_ITEM", where),
                _text(row, "RESOURCE_NAME", where),
                _time(_text(row, "INTERVAL_START_GMT", where), where),
                _time(_text(row, "INTERVAL_END_GMT", where), where),
                *_number(row.findtext("{*}VALUE", "").strip()),
            )


def _require_no_error(root: etree._Element, where: str) -> None:
    for error in root.iter("{*}ERROR"):
        reply = ErrorReply(_text(error, "ERR_CODE", where), error.findtext("{*}ERR_DESC", "").strip())
        if root.find(".//{*}REPORT_DATA") is not None:
            raise Incomplete(f"rows and an error in one report: {reply}")
        raise reply


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


def _price_rows(report: Iterable[ReportRow]) -> tuple[list[PriceRow], set[str]]:
    rows: list[PriceRow] = []
    nameless: set[str] = set()
    for row in report:
        if component := BY_DATA_ITEM.get(row.item):
            if row.unit and row.unit.upper() != USD_PER_MWH.upper():
                raise Malformed(f"prices in {row.unit[:40]!r}, and not in {USD_PER_MWH}")
            times = row.interval_start, row.interval_end
            rows.append(PriceRow(row.market, row.resource, *times, component, row.value, row.unreadable, row.report))
        else:
            nameless.add(row.item)
    return rows, nameless


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


def _number(text: str) -> tuple[float | None, str | None]:
    """A value, or what stands in its place and is none; neither when nothing does."""
    if not text:
        return None, None
    value = float(text) if _NUMBER.fullmatch(text) else math.nan
    return (value, None) if math.isfinite(value) else (None, text[:40])


def require_answer(rows: Iterable[PriceRow], question: Question) -> None:
    """Refuse rows that are no answer to the question: of another report, market, node or time, or of an odd interval.

    One of them tells that the reply is the answer to another question, so none of it is believed.

    Raises:
        Malformed: with the first row that does not belong.
    """
    market, report = question.market, REPORTS[question.market]
    interval = report.interval
    nodes = frozenset(question.nodes)
    for row in rows:
        start, end = row.interval_start, row.interval_end
        if row.report is not None and row.report != report.query_name:
            raise Malformed(f"prices of report {row.report[:40]!r} in the answer for {report.query_name}")
        if row.market != market:
            raise Malformed(f"prices of market {row.market[:40]!r} in the answer for {market}")
        if row.node not in nodes:
            raise Malformed(f"prices of node {row.node[:60]!r}, which was not asked for")
        if end - start != interval or floor(start, interval) != start:
            raise Malformed(f"an interval of {market} that is not {interval} long or begins between two", where=_place(row))
        if not question.start <= start < question.end:
            raise Malformed("prices of another time than was asked for", where=_place(row))


def _place(row: PriceRow) -> str:
    return f"{row.node} from {row.interval_start:%Y-%m-%dT%H:%MZ} to {row.interval_end:%Y-%m-%dT%H:%MZ}"
