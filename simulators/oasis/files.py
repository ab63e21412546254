"""OASIS's files: a query to the bytes of a zip, named and ordered as OASIS names and orders them. Pure."""

import io
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta

from simulators.oasis.calendar import PACIFIC, hour_label, starts
from simulators.oasis.content import Change, Content, DayColumn, columns_of, is_aggregate
from simulators.oasis.errors import ErrorCode, QueryRefused, error_member
from simulators.oasis.prices import Prices
from simulators.oasis.queries import Query
from simulators.oasis.report_xml import xml_lines
from simulators.oasis.reports import Component
from simulators.oasis.tables import csv_lines

_ZIP_YEARS_BEGIN = 1980
_FAST = 1


@dataclass(frozen=True)
class Reply:
    """A zip and the file name that it is sent under."""

    filename: str
    content: bytes


@dataclass(frozen=True)
class Publisher:
    """Makes the files. `nodes` are all that exist; `kept_days` is how far back OASIS goes."""

    prices: Prices
    nodes: tuple[str, ...]
    kept_days: int = 39 * 30

    def reply(self, query: Query, now: datetime, change: Change = lambda content: content) -> Reply:
        """The zip that answers a query with what is published by `now`, an error member when that is nothing.

        Args:
            query: that is answered.
            now: the time.
            change: what a fault makes of the right content.
        """
        content, stamped = change(self._content(query, now)), _names(query, now)
        days = list(columns_of(content, self.prices)) if content.nodes else []
        if not any(days):
            return error_reply(ErrorCode.NO_DATA, now, stamped)
        members = _made_ahead(_members(query, stamped, content, days, now))
        return Reply(f"{stamped}_{_suffix(query)}.zip", _zip(members, now))

    def _content(self, query: Query, now: datetime) -> Content:
        return Content(query.report, self._published(query, now), self._wanted(query))

    def _published(self, query: Query, now: datetime) -> tuple[datetime, ...]:
        until, interval = query.report.published_until(now), query.report.interval
        if query.report.is_current:
            return (until - interval,)
        oldest = now - timedelta(days=self.kept_days)
        return tuple(at for at in starts(query.start, min(query.end, until), interval) if at >= oldest)

    def _wanted(self, query: Query) -> tuple[str, ...]:
        if query.grp_type:
            return tuple(node for node in self.nodes if query.grp_type == "ALL" or is_aggregate(node))
        return tuple(node for node in query.nodes if node in self.nodes)


def error_reply(code: ErrorCode, now: datetime, name: str | None = None) -> Reply:
    """The zip with an error, under the name of the answer that it stands for (1000, 1015) or as an invalid request."""
    member = f"{name or 'INVALID_REQUEST'}.xml"
    return Reply(f"{name}_xml.zip" if name else "INVALID_REQUEST.xml.zip", zip_of({member: error_member(code, now)}, now))


def refused_reply(refused: QueryRefused, now: datetime) -> Reply:
    """The zip for a query that could not be understood or may not be asked."""
    return error_reply(refused.code, now)


def named_error_reply(code: ErrorCode, query: Query, now: datetime) -> Reply:
    """The zip with an error in answer to a query that is valid."""
    return error_reply(code, now, _names(query, now))


def zip_of(members: Mapping[str, bytes], now: datetime) -> bytes:
    """A zip whose entries carry the Pacific time of `now`, as OASIS's do."""
    return _zip(members.items(), now)


def with_member(reply: Reply, name: str, member: bytes, now: datetime) -> Reply:
    """A reply with one more file behind those of its zip."""
    return Reply(reply.filename, _zip([(name, member)], now, reply.content))


def _zip(members: Iterable[tuple[str, bytes]], now: datetime, before: bytes = b"") -> bytes:
    """Behind what is in a zip before. Packed fast rather than small: a day of the whole network is 300 MB."""
    content = io.BytesIO(before)
    with zipfile.ZipFile(content, "a") as archive:
        for name, member in members:
            archive.writestr(_entry(name, now), member, zipfile.ZIP_DEFLATED, _FAST)
    return content.getvalue()


def _entry(name: str, now: datetime) -> zipfile.ZipInfo:
    local = now.astimezone(PACIFIC)
    moment = (max(local.year, _ZIP_YEARS_BEGIN), local.month, local.day, local.hour, local.minute, local.second)
    return zipfile.ZipInfo(name, moment)


def _names(query: Query, now: datetime) -> str:
    """The name that all files of a reply share, without suffix. Dates and the stamp are Pacific."""
    report, start = query.report, query.start.astimezone(PACIFIC)
    if query.grouped:
        part = "N" if report.is_daily else f"{hour_label(query.start):02d}"
        return f"{start:%Y%m%d}_{start:%Y%m%d}_{report.group_id}_{part}_N_v{report.version}"
    end, stamp = query.end.astimezone(PACIFIC), now.astimezone(PACIFIC)
    middle = f"{report.queryname}_{report.market}_{stamp:%Y%m%d_%H_%M_%S}"
    return f"{start:%Y%m%d}_{end:%Y%m%d}_{middle}_v{report.version}"


def _members(
    query: Query, stamped: str, content: Content, days: list[list[DayColumn]], now: datetime
) -> Iterator[tuple[str, bytes]]:
    for name, components in _parts(query, stamped, days):
        of_member = [[column for column in day if column.component in components] for day in days]
        lines = csv_lines(content, of_member) if query.csv else xml_lines(content, of_member, now)
        yield f"{name}.{_suffix(query)}", b"".join([each.encode() for each in lines])


def _suffix(query: Query) -> str:
    return "csv" if query.csv else "xml"


def _made_ahead(members: Iterator[tuple[str, bytes]]) -> Iterator[tuple[str, bytes]]:
    """Each file is made while the one before is packed, which zlib does without Python's lock."""
    with ThreadPoolExecutor(1) as pool:
        made = pool.submit(next, members, None)
        while member := made.result():
            made = pool.submit(next, members, None)
            yield member


def _parts(query: Query, stamped: str, days: list[list[DayColumn]]) -> Iterator[tuple[str, tuple[Component, ...]]]:
    """The members of the zip and their components: one of all, or with a whole group one for each."""
    report = query.report
    if query.grouped and report.is_current:
        yield _member(query, ""), report.components
        return
    if not query.grp_type or not (query.grouped or report.member_per_component):
        yield stamped, report.components
        return
    present = {column.component for day in days for column in day}
    for component in report.components:
        if component in present:
            yield _member(query, f"{component.lmp_type}_"), (component,)


def _member(query: Query, component: str) -> str:
    report, day = query.report, f"{query.start.astimezone(PACIFIC):%Y%m%d}"
    hour = "" if report.is_daily else f"{hour_label(query.start):02d}_"
    return f"{day}_{day}_{report.queryname}_{report.market}_{component}{hour}v{report.version}"
