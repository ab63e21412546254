"""MSS load following (submitMSSLFRequest): the request's instructions, each judged, and CAISO's response.

Pure: request bytes to response bytes. The judgement is the simple one of the ADS specification, section 2.8: the resource is
one that the requestor may submit for, the time span runs forward, the megawatts are a number.
"""

import math
import re
from collections.abc import Collection
from datetime import datetime

from lxml import etree

from simulators.ads.documents import Style, default_namespace
from simulators.chance import fraction

_DECLARATION = re.compile(r"^\s*<\?xml[^>]*\?>")
_FRACTION = re.compile(r"(\.\d{6})\d+")


class RequestRefused(Exception):
    """An MSS load following request that cannot be read."""


def load_following_response(request: str, resources: Collection[str], style: Style) -> bytes:
    """MSSLFResponse to an MSSLFRequest document, whatever its namespace.

    Raises:
        RequestRefused: it is not such a document.
    """
    root = _parsed(request)
    batch_id = _text(root, "scMSSBatchId")
    caiso_batch_id = str(_identifier(batch_id))
    response = etree.Element(f"{{{style.namespace}}}MSSLFResponse", nsmap=default_namespace(style.namespace))
    _add(response, caisoMSSBatchId=caiso_batch_id, scMSSBatchId=batch_id)
    items = etree.SubElement(response, f"{{{style.namespace}}}mssLFInstructionResponses")
    for instruction in root.iter("{*}MSSLFInstructionRequest"):
        instruction_id = _text(instruction, "scMSSLFInstructionId")
        _add(
            etree.SubElement(items, f"{{{style.namespace}}}MSSLFInstructionResponse"),
            caisoMSSBatchId=caiso_batch_id,
            caisoMSSLFInstructionId=str(_identifier(batch_id, instruction_id)),
            scMSSBatchId=batch_id,
            scMSSLFInstructionId=instruction_id,
            validated="true" if _is_valid(instruction, batch_id, resources) else "false",
        )
    return etree.tostring(response, xml_declaration=True, encoding="UTF-8", pretty_print=True)


def _parsed(request: str) -> etree._Element:
    # CAISO's sample says utf-16 in its declaration although it travels as text of the envelope: the declaration is void.
    parser = etree.XMLParser(resolve_entities=False, no_network=True)
    try:
        root = etree.fromstring(_DECLARATION.sub("", request).strip().encode(), parser)
    except etree.XMLSyntaxError as error:
        raise RequestRefused(f"the request is not XML: {error}") from error
    if etree.QName(root).localname != "MSSLFRequest":
        raise RequestRefused(f"the request is a {etree.QName(root).localname}, not an MSSLFRequest")
    return root


def _is_valid(instruction: etree._Element, batch_id: str, resources: Collection[str]) -> bool:
    if _text(instruction, "scMSSBatchId") != batch_id or _text(instruction, "resourceId") not in resources:
        return False
    try:
        start_at, end_at = (_time(_text(instruction, name)) for name in ("startTime", "endTime"))
        return start_at < end_at and math.isfinite(float(_text(instruction, "loadFollowingMW")))
    except (ValueError, TypeError):  # not a time, not a number, or one time with an offset and one without
        return False


def _time(text: str) -> datetime:
    return datetime.fromisoformat(_FRACTION.sub(r"\1", text))


def _text(parent: etree._Element, name: str) -> str:
    return (parent.findtext(f"{{*}}{name}") or "").strip()


def _add(parent: etree._Element, **elements: str) -> None:
    for name, text in elements.items():
        etree.SubElement(parent, f"{{{etree.QName(parent).namespace}}}{name}").text = text


def _identifier(*name: str) -> int:
    return 1 + int(fraction("mss", *name) * 1_000_000)
