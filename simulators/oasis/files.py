"""OASIS's files: the rows of a query as CSV or XML, in a zip, named and ordered as OASIS names and orders them.

Pure: a query, the prices and the time to the bytes of a zip.
"""

import io
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from itertools import groupby
from xml.sax.saxutils import escape

from simulators.chance import fraction
from simulators.oasis.calendar import PACIFIC, hour_label, interval_number, starts, trade_date
from simulators.oasis.errors import ErrorCode, QueryRefused, error_member
from simulators.oasis.prices import Price, Prices
from simulators.oasis.queries import Query
from simulators.oasis.reports import Component, Report

_ZIP_YEARS_BEGIN = 1980


@dataclass(frozen=True)
class Reply:
    """A zip and the file name that it is sent under."""

    filename: str
    content: bytes


@dataclass(frozen=True)
class _Block:
    """Rows that stand together: one trade date, node and component."""

    day: date
    node: str
    component: Component
    starts: tuple[datetime, ...]
    price_at: Mapping[datetime, Price]

    def value(self, start: datetime) -> str:
        """The component's number in one interval."""
        return number(getattr(self.price_at[start], self.component.field))


@dataclass(frozen=True)
class Publisher:
    """Makes the files. `nodes` are all that exist; `kept_days` is how far back OASIS goes."""

    prices: Prices
    nodes: tuple[str, ...]
    kept_days: int = 39 * 30

    def reply(self, query: Query, now: datetime) -> Reply:
        """The zip that answers a query with what is published by `now`, an error member when that is nothing."""
        stamped = _names(query, now)
        blocks = list(self._blocks(query, now))
        if not blocks:
            return error_reply(ErrorCode.NO_DATA, now, stamped)
        members = {}
        for name, part in _parts(query, stamped, blocks):
            lines = self._csv(query.report, part) if query.csv else self._xml(query.report, part, now)
            members[f"{name}.{_suffix(query)}"] = "".join(lines).encode()
        return Reply(f"{stamped}_{_suffix(query)}.zip", zip_of(members, now))

    def _blocks(self, query: Query, now: datetime) -> Iterator[_Block]:
        """The rows of a query: by date, node and component; within that in the order that OASIS happens to have."""
        begins = self._published(query, now)
        wanted = self._wanted(query)
        for day, group in groupby(begins, trade_date):
            of_day = tuple(group)
            for node in wanted:
                price_at = {at: self.prices.price(query.report.market, node, at) for at in of_day}
                for component in query.report.components_on(of_day[0]):
                    yield _Block(day, node, component, _shuffled(of_day, query.report, node, component), price_at)

    def _published(self, query: Query, now: datetime) -> list[datetime]:
        until = query.report.published_until(now)
        oldest = now.timestamp() - self.kept_days * 86400
        return [at for at in starts(query.start, min(query.end, until), query.report.interval) if at.timestamp() >= oldest]

    def _wanted(self, query: Query) -> list[str]:
        if query.grp_type:
            return [node for node in self.nodes if query.grp_type == "ALL" or is_aggregate(node)]
        return [node for node in query.nodes if node in self.nodes]

    def _csv(self, report: Report, blocks: Iterable[_Block]) -> Iterator[str]:
        yield ",".join(columns(report)) + "\n"
        for group, block in enumerate(blocks, start=1):
            for start in block.starts:
                yield ",".join(self._row(report, block, start, group)) + "\n"

    def _row(self, report: Report, block: _Block, start: datetime, group: int) -> Iterator[str]:
        hour = hour_label(start)
        value_of = {
            "INTERVALSTARTTIME_GMT": _gmt(start),
            "INTERVALENDTIME_GMT": _gmt(start + report.interval),
            "OPR_DT": block.day.isoformat(),
            "OPR_HR": str(hour) if report.daily else f"{hour:02d}",
            "OPR_INTERVAL": "0" if report.daily else str(_in_hour(start, report)),
            "MARKET_RUN_ID": report.market,
            "LMP_TYPE": block.component.lmp_type,
            "XML_DATA_ITEM": block.component.data_item,
            "GRP_TYPE": "ALL_APNODES" if is_aggregate(block.node) else "ALL",
            "POS": "0" if is_aggregate(block.node) else "1",
            report.price_column: block.value(start),
            "GROUP": str(group),
        }
        return (value_of.get(column, block.node) for column in columns(report))

    def _xml(self, report: Report, blocks: Iterable[_Block], now: datetime) -> Iterator[str]:
        yield '<?xml version="1.0" encoding="UTF-8"?>\n<OASISReport xmlns="http://www.caiso.com/soa/OASISReport_v1.xsd">\n'
        yield f"<MessageHeader>\n<TimeDate>{_gmt(now)}</TimeDate>\n<Source>OASIS</Source>\n<Version>v20131201</Version>\n"
        yield "</MessageHeader>\n<MessagePayload>\n<RTO>\n<name>CAISO</name>\n"
        for block in blocks:
            yield "<REPORT_ITEM>\n<REPORT_HEADER>\n<SYSTEM>OASIS</SYSTEM>\n<TZ>PPT</TZ>\n"
            yield f"<REPORT>{report.queryname}</REPORT>\n<MKT_TYPE>{report.market}</MKT_TYPE>\n<UOM>US$/MWh</UOM>\n"
            yield f"<INTERVAL>ENDING</INTERVAL>\n<SEC_PER_INTERVAL>{report.interval.seconds}</SEC_PER_INTERVAL>\n"
            yield "</REPORT_HEADER>\n"
            for start in block.starts:
                yield f"<REPORT_DATA>\n<DATA_ITEM>{block.component.data_item}</DATA_ITEM>\n"
                yield f"<RESOURCE_NAME>{escape(block.node)}</RESOURCE_NAME>\n<OPR_DATE>{block.day}</OPR_DATE>\n"
                yield f"<INTERVAL_NUM>{interval_number(start, report.interval)}</INTERVAL_NUM>\n"
                yield f"<INTERVAL_START_GMT>{_gmt(start)}</INTERVAL_START_GMT>\n"
                yield f"<INTERVAL_END_GMT>{_gmt(start + report.interval)}</INTERVAL_END_GMT>\n"
                yield f"<VALUE>{block.value(start)}</VALUE>\n</REPORT_DATA>\n"
            yield "</REPORT_ITEM>\n"
        yield "</RTO>\n</MessagePayload>\n</OASISReport>\n"


def error_reply(code: ErrorCode, now: datetime, name: str | None = None) -> Reply:
    """The zip with an error, under the name of the answer that it stands for (1000, 1015) or as an invalid request."""
    member = f"{name or 'INVALID_REQUEST'}.xml"
    return Reply(f"{name}_xml.zip" if name else "INVALID_REQUEST.xml.zip", zip_of({member: error_member(code, now)}, now))


def rewritten(reply: Reply, change: Callable[[str], str], now: datetime) -> Reply:
    """A reply whose members were changed."""
    with zipfile.ZipFile(io.BytesIO(reply.content)) as archive:
        members = {name: change(archive.read(name).decode()).encode() for name in archive.namelist()}
    return Reply(reply.filename, zip_of(members, now))


def refused_reply(refused: QueryRefused, now: datetime) -> Reply:
    """The zip for a query that could not be understood or may not be asked."""
    return error_reply(refused.code, now)


def named_error_reply(code: ErrorCode, query: Query, now: datetime) -> Reply:
    """The zip with an error in answer to a query that is valid."""
    return error_reply(code, now, _names(query, now))


def columns(report: Report) -> tuple[str, ...]:
    """The CSV header: the interval number stands before the node day-ahead, behind the price elsewhere."""
    head = ("INTERVALSTARTTIME_GMT", "INTERVALENDTIME_GMT", "OPR_DT", "OPR_HR")
    node = ("NODE_ID_XML", "NODE_ID", "NODE", "MARKET_RUN_ID", "LMP_TYPE", "XML_DATA_ITEM", "PNODE_RESMRID", "GRP_TYPE", "POS")
    if report.daily:
        return (*head, "OPR_INTERVAL", *node, report.price_column, "GROUP")
    return (*head, *node, report.price_column, "OPR_INTERVAL", "GROUP")


def is_aggregate(node: str) -> bool:
    """Whether a node is an aggregated one (a hub, a load area, a plant of several units)."""
    return node.endswith("-APND")


def number(usd_per_mwh: float) -> str:
    """Up to five decimals, no exponent, no trailing zeros, as OASIS writes numbers."""
    return f"{usd_per_mwh:.5f}".rstrip("0").rstrip(".") if usd_per_mwh else "0"


def zip_of(members: dict[str, bytes], now: datetime) -> bytes:
    """A zip whose entries carry the Pacific time of `now`, as OASIS's do."""
    local = now.astimezone(PACIFIC)
    moment = (max(local.year, _ZIP_YEARS_BEGIN), local.month, local.day, local.hour, local.minute, local.second)
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, member in members.items():
            archive.writestr(zipfile.ZipInfo(name, moment), member, zipfile.ZIP_DEFLATED)
    return content.getvalue()


def _suffix(query: Query) -> str:
    return "csv" if query.csv else "xml"


def _names(query: Query, now: datetime) -> str:
    """The name that all files of a reply share, without suffix. Dates and the stamp are Pacific."""
    report, start = query.report, query.start.astimezone(PACIFIC)
    if query.grouped:
        part = "N" if report.daily else f"{hour_label(query.start):02d}"
        return f"{start:%Y%m%d}_{start:%Y%m%d}_{report.group_id}_{part}_N_v{report.version}"
    end, stamp = query.end.astimezone(PACIFIC), now.astimezone(PACIFIC)
    middle = f"{report.queryname}_{report.market}_{stamp:%Y%m%d_%H_%M_%S}"
    return f"{start:%Y%m%d}_{end:%Y%m%d}_{middle}_v{report.version}"


def _parts(query: Query, stamped: str, blocks: list[_Block]) -> Iterator[tuple[str, list[_Block]]]:
    """The members of the zip: one, or with a whole group one for each component."""
    report = query.report
    if not query.grp_type or not (query.grouped or report.member_per_component):
        yield stamped, blocks
        return
    day = f"{query.start.astimezone(PACIFIC):%Y%m%d}"
    hour = "" if report.daily else f"{hour_label(query.start):02d}_"
    for component in report.components:
        part = [block for block in blocks if block.component is component]
        if part:
            yield f"{day}_{day}_{report.queryname}_{report.market}_{component.lmp_type}_{hour}v{report.version}", part


def _shuffled(begins: tuple[datetime, ...], report: Report, node: str, component: Component) -> tuple[datetime, ...]:
    """Rows as recorded: day-ahead in no order at all, elsewhere all first intervals of the hours, then all second ones."""
    if report.daily:
        return tuple(sorted(begins, key=lambda at: fraction(node, component.lmp_type, at.isoformat())))
    return tuple(sorted(begins, key=lambda at: (_in_hour(at, report), at)))


def _in_hour(start: datetime, report: Report) -> int:
    return start.minute * 60 // report.interval.seconds + 1


def _gmt(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%S}-00:00"
