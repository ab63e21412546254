"""Bytes to CAISO's records. Pure: a reply's status and content in, its price rows or a typed fault out.

A reply is a zip of CSV or XML members, or an error that comes as a zip with one XML member, as a page of HTML, or as an
HTTP status. Nothing is recognised by its size or its name, only by what it is.

A row that cannot be read is a `BadRow` beside the others. What is no row at all stands for something else than a table of
prices, such as an error: it refuses the reply, because nobody knows what it stands in place of.
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
from lmp_ingest.records import BY_DATA_ITEM, BY_LMP_TYPE, BadRow, PriceRow, ReportRow
from lmp_ingest.unpack import MAGIC, Bounds, Member, unpack

OK = 200
TOO_MANY_REQUESTS = 429
_THROTTLE_WORDS = b"Acceptable Use Policy"
USD_PER_MWH = "US$/MWH"
"""The unit of prices in the header of an XML report (UOM); tables name none."""
PRICE_COLUMNS = ("MW", "VALUE", "PRC")
"""The column of the price is named by report and version; the first of these that a header has is it."""
QUOTED_CHARACTERS = 120
"""The most that is quoted of a row."""
_NO_TEXT = "\N{REPLACEMENT CHARACTER}"

Row = PriceRow | BadRow


def parse_reply(status: int, content: bytes, bounds: Bounds) -> list[Row]:
    """The price rows of all members of a reply, in the order they came (CAISO does not sort them); at least one can be read.

    Rows of components that have no name here are left out. A value that is no number costs that value alone.

    Raises:
        Throttled, HttpRefused, ErrorReply, Malformed, Incomplete, Oversized: see `faults`.
    """
    if status == TOO_MANY_REQUESTS or (not content.startswith(MAGIC) and _THROTTLE_WORDS in content):
        raise Throttled(f"asked too often (HTTP status {status})")
    if status != OK:
        raise HttpRefused(status)
    return _joined(unpack(content, bounds))


def _joined(members: Iterable[Member]) -> list[Row]:
    rows: list[Row] = []
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
    require_good_row(rows)
    return rows


def require_good_row(rows: Iterable[Row]) -> None:
    """Refuse rows of which every one is bad.

    Raises:
        Malformed: with what is wrong with the first.
    """
    bad = None
    for row in rows:
        if isinstance(row, PriceRow):
            return
        bad = bad or row
    if bad:
        raise Malformed(bad.cause, where=bad.where)


def _parse_member(member: Member) -> tuple[list[Row], set[str]]:
    """The price rows of a member, and which kinds its other rows are of."""
    if member.content.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
        return _price_rows(parse_xml(member))
    return parse_csv(member)


def parse_csv(member: Member) -> tuple[list[Row], set[str]]:
    """The price rows of a CSV member, and the LMP_TYPEs of its other rows. Columns are found by their names in the header.

    Raises:
        Malformed: the header is not that of prices, a line is no row, or the table was cut.
    """
    text = member.content.decode("utf-8-sig", errors="replace")
    lines = io.StringIO(text, newline="")
    header = _cells(next(lines, ""))
    columns = _columns(header, member.name)
    rows: list[Row] = []
    nameless: set[str] = set()
    for number, line in enumerate(lines, 2):
        cells = _cells(line)
        row = _table_row(line, cells, len(header), columns)
        if isinstance(row, str):
            nameless.add(row)
        elif isinstance(row, BadRow) and not _is_row(cells):
            raise Malformed(f"{member.name} line {number}: {row.cause}")
        else:
            rows.append(row)
    if not text.endswith(("\n", "\r")):
        raise Malformed(f"{member.name}: its last line has no end, so that some of the table may be missing")
    return rows, nameless


def _cells(line: str) -> list[str]:
    """A line's cells. Each line is read by itself, so that a quote that nobody closes swallows none of those after it."""
    try:
        return next(csv.reader((line,), strict=True), [])
    except csv.Error:
        return line.rstrip("\r\n").split(",")


def _table_row(line: str, cells: list[str], width: int, columns: Callable[[list[str]], tuple[str, ...]]) -> Row | str:
    """A row, or its LMP_TYPE when that has no name here."""
    said = line.strip()[:QUOTED_CHARACTERS]
    if len(cells) != width:
        return BadRow(f"{len(cells)} columns, the header has {width}", said)
    if _NO_TEXT in line:
        return BadRow("bytes that are no text", said)
    market, node, start, end, kind, price = columns(cells)
    try:
        times = _time(start), _time(end)
    except ValueError as error:
        return BadRow(str(error), said, node)
    if not kind:
        return BadRow("a row without LMP_TYPE", said, node, *times)
    component = BY_LMP_TYPE.get(kind)
    return PriceRow(market, node, *times, component, *_number(price)) if component else kind


def _is_row(cells: Iterable[str]) -> bool:
    """Whether a line that cannot be read was a row all the same: somewhere it has a time, or the name of a price."""
    return any(cell in BY_LMP_TYPE or _is_time(cell) for cell in cells)


def _columns(header: list[str], member: str) -> Callable[[list[str]], tuple[str, ...]]:
    """Takes what matters out of a line."""
    price = next((name for name in PRICE_COLUMNS if name in header), "/".join(PRICE_COLUMNS))
    wanted = ["MARKET_RUN_ID", "NODE", "INTERVALSTARTTIME_GMT", "INTERVALENDTIME_GMT", "LMP_TYPE", price]
    if missing := [name for name in wanted if name not in header]:
        raise Malformed(f"{member}: no column {', '.join(missing)} in the header {','.join(header)[:200]!r}")
    if doubled := [name for name in wanted if header.count(name) > 1]:
        raise Malformed(f"{member}: more than one column {', '.join(doubled)} in the header {','.join(header)[:200]!r}")
    return itemgetter(*(header.index(name) for name in wanted))


def parse_xml(member: Member) -> Iterator[ReportRow | BadRow]:
    """Every row of any OASISReport, elements found by their local names: its namespace goes by version and prefix.

    Raises:
        ErrorReply: the report is an error.
        Incomplete: it is an error and has rows.
        Malformed: it is not an OASISReport.
    """
    root = _root(member)
    _require_no_error(root, member.name)
    for report in root.iter("{*}REPORT_ITEM"):
        tags = ("REPORT", "MKT_TYPE", "UOM")
        header = tuple(report.findtext(f"{{*}}REPORT_HEADER/{{*}}{tag}", "").strip() for tag in tags)
        for row in report.iterfind("{*}REPORT_DATA"):
            yield _report_row(header, row)


def _report_row(header: tuple[str, ...], row: etree._Element) -> ReportRow | BadRow:
    tags = ("DATA_ITEM", "RESOURCE_NAME", "INTERVAL_START_GMT", "INTERVAL_END_GMT", "VALUE")
    texts = tuple(row.findtext(f"{{*}}{tag}", "").strip() for tag in tags)
    item, resource, start, end, value = texts
    said = ",".join(texts)[:QUOTED_CHARACTERS]
    name, market, unit = header
    try:
        times = _time(start), _time(end)
    except ValueError as error:
        return BadRow(str(error), said, resource)
    if not item or not resource:
        return BadRow(f"a row without {'RESOURCE_NAME' if item else 'DATA_ITEM'}", said, resource, *times)
    return ReportRow(name, market, unit, item, resource, *times, *_number(value))


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


def _price_rows(report: Iterable[ReportRow | BadRow]) -> tuple[list[Row], set[str]]:
    rows: list[Row] = []
    nameless: set[str] = set()
    for row in report:
        if isinstance(row, BadRow):
            rows.append(row)
        elif component := BY_DATA_ITEM.get(row.item):
            if row.unit and row.unit.upper() != USD_PER_MWH.upper():
                raise Malformed(f"prices in {row.unit[:40]!r}, and not in {USD_PER_MWH}")
            times = row.interval_start, row.interval_end
            rows.append(PriceRow(row.market, row.resource, *times, component, row.value, row.unreadable, row.report))
        else:
            nameless.add(row.item)
    return rows, nameless


@lru_cache(maxsize=4096)  # a reply repeats each of its times for every node and component
def _time(text: str) -> datetime:
    """A time in UTC; anything else is a ValueError that says so."""
    try:
        at = datetime.fromisoformat(text)
        utc = at.astimezone(UTC) if at.tzinfo else None
    except (ValueError, OverflowError):
        utc = None
    if utc is None:
        raise ValueError(f"{text[:40]!r} is not a time")
    return utc


def _is_time(text: str) -> bool:
    try:
        return bool(_time(text))
    except ValueError:
        return False


_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)


def _number(text: str) -> tuple[float | None, str | None]:
    """A value, or what stands in its place and is none; neither when nothing does."""
    if not text:
        return None, None
    value = float(text) if _NUMBER.fullmatch(text) else math.nan
    return (value, None) if math.isfinite(value) else (None, text[:40])
