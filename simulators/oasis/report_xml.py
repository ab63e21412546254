"""The XML layout of a report (interface specification 4.3.5, section 3.1). Pure."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from xml.sax.saxutils import escape

from simulators.oasis.calendar import gmt, interval_number
from simulators.oasis.content import Content, DayColumn
from simulators.oasis.reports import Report


def xml_lines(content: Content, days: Iterable[list[DayColumn]], now: datetime) -> Iterator[str]:
    """The file, some lines at a time: by trade date, node and component."""
    yield '<?xml version="1.0" encoding="UTF-8"?>\n<OASISReport xmlns="http://www.caiso.com/soa/OASISReport_v1.xsd">\n'
    yield f"<MessageHeader>\n<TimeDate>{gmt(now)}</TimeDate>\n<Source>OASIS</Source>\n<Version>v20131201</Version>\n"
    yield "</MessageHeader>\n<MessagePayload>\n<RTO>\n<name>CAISO</name>\n"
    for columns in days:
        for place, node in enumerate(content.nodes):
            for column in columns:
                yield from _item(content.report, column, place, node)
    yield "</RTO>\n</MessagePayload>\n</OASISReport>\n"


def _item(report: Report, column: DayColumn, place: int, node: str) -> Iterator[str]:
    yield "<REPORT_ITEM>\n<REPORT_HEADER>\n<SYSTEM>OASIS</SYSTEM>\n<TZ>PPT</TZ>\n"
    yield f"<REPORT>{report.queryname}</REPORT>\n<MKT_TYPE>{report.market}</MKT_TYPE>\n<UOM>US$/MWh</UOM>\n"
    yield f"<INTERVAL>ENDING</INTERVAL>\n<SEC_PER_INTERVAL>{report.interval.seconds}</SEC_PER_INTERVAL>\n"
    yield "</REPORT_HEADER>\n"
    for start, text in zip(column.starts, column.texts[place], strict=True):
        yield f"<REPORT_DATA>\n<DATA_ITEM>{column.component.data_item}</DATA_ITEM>\n"
        yield f"<RESOURCE_NAME>{escape(node)}</RESOURCE_NAME>\n<OPR_DATE>{column.day}</OPR_DATE>\n"
        yield f"<INTERVAL_NUM>{interval_number(start, report.interval)}</INTERVAL_NUM>\n"
        yield f"<INTERVAL_START_GMT>{gmt(start)}</INTERVAL_START_GMT>\n"
        yield f"<INTERVAL_END_GMT>{gmt(start + report.interval)}</INTERVAL_END_GMT>\n"
        yield f"<VALUE>{text}</VALUE>\n</REPORT_DATA>\n"
    yield "</REPORT_ITEM>\n"
