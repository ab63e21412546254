"""Reports in XML: an OASISReport to columns, or the error that it is.

Elements are found by their local names: the namespace goes by version and prefix (interface specification 4.3.5, section 3).
"""

import numpy as np
import pyarrow as pa
from lxml import etree

from caiso.oasis.errors import ErrorReply, Incomplete, Malformed, NoPrices, OasisFailure, quoted
from caiso.oasis.reading.columns import RawColumns
from caiso.oasis.reading.tables import numbers_of
from caiso.oasis.reading.unpack import Member
from caiso.oasis.reports import DATA_ITEMS, USD_PER_MWH

_ROW = ("RESOURCE_NAME", "INTERVAL_START_GMT", "INTERVAL_END_GMT", "DATA_ITEM", "VALUE")


def read_report(member: Member, query_name: str | None) -> RawColumns:
    """The rows of a report.

    Args:
        member: the document.
        query_name: the report that was asked for; None takes any.

    Raises:
        ErrorReply: the report is an error.
        Incomplete: it is an error and has rows.
        NoPrices: it is not an OASISReport.
        Malformed: its prices are of another report, or in another unit, or a row has elements within elements.
    """
    root = _root(member)
    _require_no_error(root, member.name)
    rows: list[tuple[str, ...]] = []
    for item in root.iter("{*}REPORT_ITEM"):
        name, market, unit = (_text(item, f"{{*}}REPORT_HEADER/{{*}}{tag}") for tag in ("REPORT", "MKT_TYPE", "UOM"))
        of_item = [(market, *_row(data, member.name)) for data in item.iterfind("{*}REPORT_DATA")]
        if any(row[4] in DATA_ITEMS for row in of_item):
            _require_report(name, unit, query_name)
        rows += of_item
    return _columns(rows)


def read_error(member: Member) -> OasisFailure:
    """What a report says that is no answer: its error, or that it is none.

    Raises:
        Malformed: it is not an OASISReport.
    """
    root = _root(member)
    try:
        _require_no_error(root, member.name)
    except OasisFailure as failure:
        return failure
    return Malformed(f"{member.name}: a report in XML where a table belongs")


def _row(data: etree._Element, where: str) -> tuple[str, ...]:
    """What an element says is its text. With others within it nobody can say what belongs to it."""
    if nested := [etree.QName(cell).localname for cell in data if len(cell)]:
        raise Malformed(f"{where}: elements within {nested[0][:40]}")
    return tuple(_text(data, f"{{*}}{tag}") for tag in _ROW)


def _require_report(name: str, unit: str, query_name: str | None) -> None:
    if query_name is not None and name != query_name:
        raise Malformed(f"prices of report {quoted(name)} in the answer for {query_name}")
    if unit and unit.upper() != USD_PER_MWH.upper():
        raise Malformed(f"prices in {quoted(unit)}, and not in {USD_PER_MWH}")


def _columns(rows: list[tuple[str, ...]]) -> RawColumns:
    columns = [pa.array([row[at].encode() for row in rows], pa.binary()).dictionary_encode() for at in range(6)]
    market, node, start, end, item, price = columns
    known = {item: component.value for item, component in DATA_ITEMS.items()}
    names = [known.get(text.decode(), text.decode()).encode() for text in item.dictionary.to_pylist()]
    kind = pa.DictionaryArray.from_arrays(item.indices, pa.array(names, pa.binary()))
    values, unreadable = numbers_of(price) if rows else (np.empty(0), {})
    return RawColumns(market, node, start, end, kind, values, unreadable)


def _require_no_error(root: etree._Element, where: str) -> None:
    for error in root.iter("{*}ERROR"):
        code = _text(error, "{*}ERR_CODE")
        if not code:
            raise Malformed(f"{where}: an ERROR without ERR_CODE")
        reply = ErrorReply(code, _text(error, "{*}ERR_DESC"))
        if root.find(".//{*}REPORT_DATA") is not None:
            raise Incomplete(f"rows and an error in one report: {reply}")
        raise reply


def _root(member: Member) -> etree._Element:
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, remove_comments=True, remove_pis=True
    )
    try:
        root = etree.fromstring(member.read(), parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise Malformed(f"{member.name}: {error}") from error
    if root.getroottree().docinfo.internalDTD is not None:
        raise Malformed(f"{member.name}: a document type, which no report of OASIS has")
    if etree.QName(root).localname != "OASISReport":
        raise NoPrices(f"{member.name}: a {quoted(str(root.tag), 80)} where an OASISReport belongs")
    return root


def _text(element: etree._Element, path: str) -> str:
    return element.findtext(path, "").strip()
