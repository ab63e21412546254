"""The CSV layout: a row for each node, component and interval. Pure.

What is the same for many rows is put together once, since a day of the whole network is two million of them.
"""

from collections.abc import Iterable, Iterator
from datetime import date, datetime
from itertools import count

from simulators.oasis.calendar import gmt, hour_label
from simulators.oasis.content import Content, DayColumn, in_hour, is_aggregate
from simulators.oasis.reports import Report


def header(report: Report) -> tuple[str, ...]:
    """The names of the columns: the interval number stands before the node day-ahead, behind the price elsewhere."""
    head = ("INTERVALSTARTTIME_GMT", "INTERVALENDTIME_GMT", "OPR_DT", "OPR_HR")
    node = ("NODE_ID_XML", "NODE_ID", "NODE", "MARKET_RUN_ID", "LMP_TYPE", "XML_DATA_ITEM", "PNODE_RESMRID", "GRP_TYPE", "POS")
    if report.is_daily:
        return (*head, "OPR_INTERVAL", *node, report.price_column, "GROUP")
    return (*head, *node, report.price_column, "OPR_INTERVAL", "GROUP")


def csv_lines(content: Content, days: Iterable[list[DayColumn]]) -> Iterator[str]:
    """The file, some lines at a time: by trade date, node and component. GROUP counts these."""
    yield ",".join(header(content.report)) + "\n"
    groups = count(1)
    for columns in days:
        rows = [_Rows(content.report, column) for column in columns]
        for place, node in enumerate(content.nodes):
            yield "".join([each.of(place, node, next(groups)) for each in rows])


class _Rows:
    """The rows of a column, node after node. What is the same for every node is written once, and stays where it is."""

    def __init__(self, report: Report, column: DayColumn) -> None:
        self._texts = column.texts
        self._count = len(column.starts)
        self._kind = f"{report.market},{column.component.lmp_type},{column.component.data_item}"
        self._pieces = [""] * (_PIECES * self._count)
        self._pieces[0::_PIECES] = [_head(report, column.day, start) for start in column.starts]
        self._pieces[3::_PIECES] = [_tail(report, start) for start in column.starts]

    def of(self, place: int, node: str, group: int) -> str:
        """Those of one node."""
        group_type = "ALL_APNODES,0" if is_aggregate(node) else "ALL,1"
        self._pieces[1::_PIECES] = [f"{node},{node},{node},{self._kind},{node},{group_type},"] * self._count
        self._pieces[2::_PIECES] = self._texts[place]
        self._pieces[4::_PIECES] = [f"{group}\n"] * self._count
        return "".join(self._pieces)


_PIECES = 5
"""Of a row: the cells before the node, those of the node, the price, what stands before the group, the group."""


def _head(report: Report, day: date, start: datetime) -> str:
    times, hour = f"{gmt(start)},{gmt(start + report.interval)},{day.isoformat()}", hour_label(start)
    return f"{times},{hour},0," if report.is_daily else f"{times},{hour:02d},"


def _tail(report: Report, start: datetime) -> str:
    return "," if report.is_daily else f",{in_hour(start, report)},"
