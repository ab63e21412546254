"""Queries: what a request to OASIS asks for, judged as OASIS judges it.

Pure: query parameters to a query, or to the error that OASIS answers with (interface specification 4.3.5, sections 2, 3.2
and 6).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from simulators.oasis.calendar import trade_date, trade_day
from simulators.oasis.errors import ErrorCode, QueryRefused
from simulators.oasis.reports import CURRENT, REPORTS, Report

_TIME_FORMAT = "%Y%m%dT%H:%M%z"
_MOST_NODES = 10
_MOST_DAYS = timedelta(days=31)
_GROUPS = ("ALL", "ALL_APNODES")
_REPORT_OF = {(each.queryname, each.market, each.version): each for each in REPORTS}


@dataclass(frozen=True)
class Query:
    """A query that is valid. `nodes` is empty when a whole group (`grp_type`) is asked for. `end` is exclusive."""

    report: Report
    start: datetime
    end: datetime
    nodes: tuple[str, ...]
    grp_type: str | None
    csv: bool
    grouped: bool = False


def parse_single(parameters: Mapping[str, str]) -> Query:
    """The query of a SingleZip request.

    Raises:
        QueryRefused: with the error that OASIS answers with.
    """
    if not parameters:
        raise QueryRefused(ErrorCode.EMPTY_QUERY)
    queryname = parameters.get("queryname", "")
    if queryname not in {report.queryname for report in REPORTS}:
        raise QueryRefused(ErrorCode.NO_SUCH_REPORT)
    version = _version(parameters, {report.version for report in REPORTS if report.queryname == queryname})
    if queryname == CURRENT:
        return _current(parameters, _REPORT_OF[CURRENT, "RTM", version])
    market = _needed(parameters, "market_run_id")
    start, end = _time(_needed(parameters, "startdatetime")), _time(_needed(parameters, "enddatetime"))
    nodes, grp_type = _nodes(parameters)
    csv = _csv(parameters)
    report = _REPORT_OF.get((queryname, market, version))
    if report is None:
        raise QueryRefused(ErrorCode.NO_DATA)
    if grp_type:
        start, end = _group_span(report, start)
    if end <= start:
        raise QueryRefused(ErrorCode.INVALID_PARAMETERS)
    if end - start > _MOST_DAYS:
        raise QueryRefused(ErrorCode.MORE_THAN_31_DAYS)
    return Query(report, start, end, nodes, grp_type, csv)


def _current(parameters: Mapping[str, str], report: Report) -> Query:
    """Its times must be there and are not looked at; all nodes are asked for as `node=ALL`, and it has one market alone."""
    start, end = (_time(_needed(parameters, name)) for name in ("startdatetime", "enddatetime"))
    if "grp_type" in parameters or parameters.get("market_run_id", report.market) != report.market:
        raise QueryRefused(ErrorCode.INVALID_PARAMETERS)
    is_whole = _needed(parameters, "node") == "ALL"
    nodes, grp_type = ((), "ALL") if is_whole else _nodes(parameters)
    return Query(report, start, end, nodes, grp_type, _csv(parameters))


def parse_group(parameters: Mapping[str, str]) -> Query:
    """The query of a GroupZip request: all nodes of a trade date (day-ahead) or of an hour.

    Raises:
        QueryRefused: with the error that OASIS answers with.
    """
    if not parameters:
        raise QueryRefused(ErrorCode.EMPTY_QUERY)
    reports = [report for report in REPORTS if report.group_id == parameters.get("groupid")]
    if not reports:
        raise QueryRefused(ErrorCode.NO_SUCH_GROUP)
    version = _version(parameters, {report.version for report in reports})
    report = next(each for each in reports if each.version == version)
    start, end = _group_span(report, _time(_needed(parameters, "startdatetime")))
    return Query(report, start, end, (), "ALL", _csv(parameters), grouped=True)


def _group_span(report: Report, start: datetime) -> tuple[datetime, datetime]:
    """With a group the end is ignored: one trade date of the day-ahead market, one hour of the others."""
    if report.is_daily:
        return trade_day(trade_date(start))
    hour = start.replace(minute=0, second=0, microsecond=0)
    return hour, hour + timedelta(hours=1)


def _version(parameters: Mapping[str, str], known: set[int]) -> int:
    text = parameters.get("version", "").removeprefix("v")
    if not text.isdecimal() or int(text) not in known:
        raise QueryRefused(ErrorCode.VERSION_INVALID)
    return int(text)


def _needed(parameters: Mapping[str, str], name: str) -> str:
    if not parameters.get(name):
        raise QueryRefused(ErrorCode.INVALID_PARAMETERS)
    return parameters[name]


def read_time(text: str) -> datetime | None:
    """A time as queries state it (20240311T07:00-0000), None when it is not one."""
    # A plus sign of an offset that the client did not escape arrives as a space.
    try:
        return datetime.strptime(text.replace(" ", "+"), _TIME_FORMAT).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _time(text: str) -> datetime:
    at = read_time(text)
    if at is None:
        raise QueryRefused(ErrorCode.INVALID_DATETIME)
    return at


def _nodes(parameters: Mapping[str, str]) -> tuple[tuple[str, ...], str | None]:
    nodes = tuple(dict.fromkeys(node for node in parameters.get("node", "").split(",") if node))
    grp_type = parameters.get("grp_type") or None
    if bool(nodes) == bool(grp_type) or (grp_type and grp_type not in _GROUPS):
        raise QueryRefused(ErrorCode.INVALID_PARAMETERS)
    if len(nodes) > _MOST_NODES:
        raise QueryRefused(ErrorCode.TOO_MANY_NODES)
    return nodes, grp_type


def _csv(parameters: Mapping[str, str]) -> bool:
    """Format 6 is CSV, none (or 5, as some clients say) is XML."""
    resultformat = parameters.get("resultformat", "5")
    if resultformat not in ("5", "6"):
        raise QueryRefused(ErrorCode.INVALID_PARAMETERS)
    return resultformat == "6"
